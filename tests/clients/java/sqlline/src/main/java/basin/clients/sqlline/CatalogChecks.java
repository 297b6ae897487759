package basin.clients.sqlline;

import basin.clients.common.Checks;
import basin.clients.common.Expect;
import basin.clients.common.Target;
import java.util.List;
import java.util.Set;
import java.util.stream.Collectors;

/** The column `metadata`. The tool makes names upper-case unless they are quoted. */
final class CatalogChecks {
    private CatalogChecks() {}

    static void run(Checks checks, Target target) {
        checks.check("metadata", "!schemas and !tables", () -> {
            List<List<String>> table = Sqlline.run(target, "!schemas").table();
            Expect.contains(column(table, "TABLE_SCHEM"), "ref", "health", "paper", "jhu", "basin", "information_schema");
            table = Sqlline.run(target, "!tables \"health\" \"c%\"").table();
            Expect.equal(column(table, "TABLE_NAME"), List.of("city"));
            Expect.equal(column(table, "TABLE_TYPE"), List.of("TABLE"));
        });
        checks.check("metadata", "!columns", () -> {
            List<List<String>> table = Sqlline.run(target, "!columns \"health\" \"city\"").table();
            Expect.equal(column(table, "COLUMN_NAME").subList(0, 4), List.of("bulletin", "bulletin_date", "issuer", "date"));
            int confirmed = column(table, "COLUMN_NAME").indexOf("confirmed");
            Expect.equal(column(table, "TYPE_NAME").get(confirmed), "BIGINT");
            Expect.contains(column(table, "REMARKS").get(confirmed), "确诊");
        });
        checks.check("metadata", "!primarykeys", () -> {
            List<List<String>> table = Sqlline.run(target, "!primarykeys \"health\" \"city\"").table();
            Expect.equal(
                    Set.copyOf(column(table, "COLUMN_NAME")), Set.of("bulletin", "date", "province_code", "city", "occurrence"));
        });
        checks.check("metadata", "!importedkeys and !exportedkeys", () -> {
            List<List<String>> table = Sqlline.run(target, "!importedkeys \"county\"").table();
            Expect.equal(Set.copyOf(column(table, "FKCOLUMN_NAME")), Set.of("city_code", "province_code"));
            Expect.equal(Set.copyOf(column(table, "PKTABLE_NAME")), Set.of("city", "province"));
            table = Sqlline.run(target, "!exportedkeys \"city\"").table();
            Expect.equal(column(table, "FKTABLE_NAME"), List.of("county"));
        });
    }

    private static List<String> column(List<List<String>> table, String name) {
        Expect.that(!table.isEmpty(), "nothing was printed");
        int at = table.get(0).indexOf(name);
        Expect.that(at >= 0, "no column " + name + " in " + table.get(0));
        return table.stream().skip(1).map(row -> row.get(at)).collect(Collectors.toList());
    }
}
