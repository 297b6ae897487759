package basin.clients.sqlline;

import basin.clients.common.Target;
import basin.clients.common.TypeEntry;
import java.util.ArrayList;
import java.util.List;

/** Every type's query in one run of the tool, since each start takes seconds. */
final class ShownTypes {
    private final List<String> types = new ArrayList<>();
    private final List<List<String>> tables;
    private final String errors;

    ShownTypes(Target target) throws Exception {
        List<String> lines = new ArrayList<>();
        for (TypeEntry entry : TypeEntry.read(target.types)) {
            lines.add(entry.query().replace(" AS v FROM ", " AS v" + types.size() + " FROM ") + ";");
            types.add(entry.type());
        }
        Sqlline.Output output = Sqlline.run(Sqlline.url(target), target.user, target.password, lines);
        tables = output.table();
        errors = output.errors();
    }

    /** The rows below the header of a type's query. */
    List<Object> of(TypeEntry entry) throws Exception {
        int start = tables.indexOf(List.of("v" + types.indexOf(entry.type())));
        if (start < 0) {
            throw new IllegalStateException("the query failed: " + errors.lines().filter(line -> line.startsWith("Error")).toList());
        }
        List<Object> texts = new ArrayList<>();
        for (int i = start + 1; i <= start + entry.sql().size() + 1 && i < tables.size(); i++) {
            texts.add(ShownText.canonical(tables.get(i).get(0), entry));
        }
        return texts;
    }
}
