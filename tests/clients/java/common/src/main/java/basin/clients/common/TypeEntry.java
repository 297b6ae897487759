package basin.clients.common;

import com.fasterxml.jackson.core.type.TypeReference;
import com.fasterxml.jackson.databind.ObjectMapper;
import java.io.IOException;
import java.nio.file.Path;
import java.util.List;
import java.util.stream.Collectors;
import java.util.stream.IntStream;

/**
 * An entry of types.json: a type, expressions, and the canonical text of each. A text is a String, a List, a Map or
 * null.
 */
public record TypeEntry(String type, List<String> sql, List<Object> text) {
    public static List<TypeEntry> read(Path file) throws IOException {
        return new ObjectMapper().readValue(file.toFile(), new TypeReference<List<TypeEntry>>() {});
    }

    /** The query that gives a row for each expression and a last one with NULL, in the column v. */
    public String query() {
        String cases = IntStream.range(0, sql.size())
                .mapToObj(i -> " WHEN " + (i + 1) + " THEN " + sql.get(i))
                .collect(Collectors.joining());
        String rows = IntStream.rangeClosed(1, sql.size() + 1)
                .mapToObj(i -> "(" + i + ")")
                .collect(Collectors.joining(", "));
        return "SELECT CASE n" + cases + " END AS v FROM (VALUES " + rows + ") AS t(n) ORDER BY n";
    }

    /** How many digits of a second the type's unit has: `Time64(us)` has 6. */
    public int digits() {
        return switch (unit()) {
            case "s" -> 0;
            case "ms" -> 3;
            case "us" -> 6;
            case "ns" -> 9;
            default -> throw new IllegalArgumentException(type + " has no unit");
        };
    }

    /** The unit in the type's name. */
    public String unit() {
        return type.replaceAll(".*\\((s|ms|us|ns)\\b.*", "$1");
    }

    public boolean isZoned() {
        return type.startsWith("Timestamp") && type.contains(", ");
    }

    /** Tells whether a text says what is expected; those of floats are compared as numbers. */
    public boolean same(Object found, Object expected) {
        if (type.equals("Float64")) {
            return Double.valueOf((String) found).equals(Double.valueOf((String) expected));
        }
        if (type.startsWith("Float")) {
            return Float.valueOf((String) found).equals(Float.valueOf((String) expected));
        }
        return expected.equals(found);
    }
}
