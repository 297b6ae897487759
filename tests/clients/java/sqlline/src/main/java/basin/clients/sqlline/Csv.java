package basin.clients.sqlline;

import java.util.ArrayList;
import java.util.List;

/** Reads the tool's CSV: every value in single quotes, which are doubled inside; other lines are no rows. */
final class Csv {
    private Csv() {}

    static List<List<String>> parse(String text) {
        List<List<String>> rows = new ArrayList<>();
        int at = 0;
        while (at < text.length()) {
            if (text.charAt(at) != '\'') {
                int end = text.indexOf('\n', at);
                at = end < 0 ? text.length() : end + 1;
                continue;
            }
            List<String> row = new ArrayList<>();
            at = row(text, at, row);
            rows.add(row);
        }
        return rows;
    }

    /** Reads one row; gives where the next line begins. */
    private static int row(String text, int start, List<String> row) {
        int at = start;
        while (at < text.length() && text.charAt(at) == '\'') {
            StringBuilder value = new StringBuilder();
            at++;
            while (text.charAt(at) != '\'' || at + 1 < text.length() && text.charAt(at + 1) == '\'') {
                value.append(text.charAt(at));
                at += text.charAt(at) == '\'' ? 2 : 1;
            }
            row.add(value.toString());
            at++;
            if (at < text.length() && text.charAt(at) == ',') {
                at++;
            }
        }
        int end = text.indexOf('\n', at);
        return end < 0 ? text.length() : end + 1;
    }
}
