package basin.clients.common;

import java.io.IOException;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;

/** The columns `types` and `nulls`: every entry of types.json, through one client. */
public final class TypeChecks {
    /** Gives the canonical texts of a query's only column, null for NULL. */
    @FunctionalInterface
    public interface Reader {
        List<Object> read(TypeEntry entry) throws Exception;
    }

    private TypeChecks() {}

    /** Checks each type; what is in `limits` must arrive as the client can, no better and no worse. */
    public static void run(Checks checks, Target target, Map<String, Limit> limits, Reader reader) throws IOException {
        List<TypeEntry> entries = TypeEntry.read(target.types);
        for (TypeEntry entry : entries) {
            Limit limit = limits.get(entry.type());
            String known = limit == null ? "" : "; known limit of the client: " + limit.reason();
            checks.check("types", entry.type() + known, () -> values(entry, limit, reader.read(entry)));
        }
        checks.check("nulls", "NULL in the last row of each of " + entries.size() + " types", () -> {
            List<String> wrong = new ArrayList<>();
            for (TypeEntry entry : entries) {
                try {
                    last(entry, reader.read(entry));
                } catch (Exception | AssertionError error) {
                    wrong.add(entry.type() + ": " + error);
                }
            }
            Expect.that(wrong.isEmpty(), String.join("\n", wrong));
        });
    }

    private static void values(TypeEntry entry, Limit limit, List<Object> found) {
        List<Object> values = found.subList(0, Math.min(entry.text().size(), found.size()));
        List<String> wrong = new ArrayList<>();
        for (int i = 0; i < entry.text().size(); i++) {
            Object whole = entry.text().get(i);
            Object expected = limit == null ? whole : limit.arrives().apply(whole);
            Object value = i < values.size() ? values.get(i) : "no row";
            if (value == null || !entry.same(value, expected)) {
                wrong.add(entry.sql().get(i) + ": found " + value + ", expected " + expected);
            }
        }
        Expect.that(wrong.isEmpty(), String.join("\n", wrong));
    }

    private static void last(TypeEntry entry, List<Object> found) {
        Expect.that(found.size() == entry.sql().size() + 1, found.size() + " rows");
        Expect.that(found.get(found.size() - 1) == null, "found " + found);
        Expect.that(!found.subList(0, found.size() - 1).contains(null), "found " + found);
    }
}
