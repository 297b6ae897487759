package basin.clients.adbc;

import basin.clients.common.Checks;
import basin.clients.common.Expect;
import basin.clients.common.Target;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.TreeSet;
import java.util.stream.Collectors;
import org.apache.arrow.adbc.core.AdbcConnection.GetObjectsDepth;
import org.apache.arrow.vector.ipc.ArrowReader;

/** The column `metadata`. */
final class MetadataChecks {
    private static final String CATALOG_SCHEMAS = "catalog_db_schemas";

    private MetadataChecks() {}

    static void run(Checks checks, Target target) {
        checks.check("metadata", "getObjects: catalogs", () ->
                Expect.equal(objects(target, GetObjectsDepth.CATALOGS, null, null, null, null), List.of(List.of("basin"))));
        checks.check("metadata", "getObjects: schemas", () -> {
            List<Map<String, Object>> schemas = schemas(target, GetObjectsDepth.DB_SCHEMAS, null, null, null, null);
            Expect.contains(names(schemas, "db_schema_name"), "ref", "health", "paper", "jhu", "basin", "information_schema");
            schemas = schemas(target, GetObjectsDepth.DB_SCHEMAS, "h%", null, null, null);
            Expect.equal(names(schemas, "db_schema_name"), List.of("health"));
        });
        checks.check("metadata", "getObjects: tables with patterns and types", () -> {
            Expect.equal(tables(target, "health", null), Set.of("city TABLE", "national TABLE", "provincial TABLE"));
            Expect.equal(tables(target, "r_f", "c%"), Set.of("city TABLE", "county TABLE"));
            Expect.equal(tables(target, "health", "village"), Set.of());
            Expect.equal(tables(target, "health", null, "SYSTEM TABLE"), Set.of());
            Expect.that(tables(target, "basin", null, "SYSTEM TABLE").contains("items SYSTEM TABLE"), "no basin.items");
        });
        checks.check("metadata", "getObjects: columns", () -> {
            List<Map<String, Object>> schemas = schemas(target, GetObjectsDepth.ALL, "health", "city", null, null);
            List<Map<String, Object>> columns = maps(maps(schemas.get(0).get("db_schema_tables")).get(0).get("table_columns"));
            Expect.equal(names(columns, "column_name").subList(0, 4), List.of("bulletin", "bulletin_date", "issuer", "date"));
            Expect.equal(names(columns, "ordinal_position").subList(0, 4), List.of("1", "2", "3", "4"));
            Map<String, Object> confirmed = columns.get(names(columns, "column_name").indexOf("confirmed"));
            Expect.equal(confirmed.get("xdbc_type_name"), "BIGINT");
            Expect.equal(confirmed.get("xdbc_is_nullable"), "YES");
            // The driver never fills in the remarks.
            Expect.equal(confirmed.get("remarks"), null);
            schemas = schemas(target, GetObjectsDepth.ALL, "health", "city", null, "c%");
            columns = maps(maps(schemas.get(0).get("db_schema_tables")).get(0).get("table_columns"));
            Expect.equal(new TreeSet<>(names(columns, "column_name")),
                    new TreeSet<>(Set.of("country", "country_code", "city", "city_code", "confirmed", "cured")));
        });
    }

    private static List<List<Object>> objects(Target target, GetObjectsDepth depth, String schema, String table,
            String[] types, String column) throws Exception {
        try (Adbc adbc = new Adbc(target);
                ArrowReader reader = adbc.connection.getObjects(depth, null, schema, table, types, column)) {
            return Adbc.rows(reader).stream()
                    .map(row -> row.stream().filter(value -> value != null).toList())
                    .collect(Collectors.toList());
        }
    }

    private static List<Map<String, Object>> schemas(Target target, GetObjectsDepth depth, String schema, String table,
            String[] types, String column) throws Exception {
        List<List<Object>> catalogs = objects(target, depth, schema, table, types, column);
        Expect.equal(catalogs.get(0).get(0), "basin");
        Expect.that(catalogs.size() == 1 && catalogs.get(0).size() == 2, CATALOG_SCHEMAS + ": " + catalogs);
        return maps(catalogs.get(0).get(1));
    }

    private static Set<String> tables(Target target, String schema, String table, String... types) throws Exception {
        List<String> found = new ArrayList<>();
        String[] wanted = types.length == 0 ? null : types;
        for (Map<String, Object> one : schemas(target, GetObjectsDepth.TABLES, schema, table, wanted, null)) {
            maps(one.get("db_schema_tables")).forEach(entry -> found.add(entry.get("table_name") + " " + entry.get("table_type")));
        }
        return Set.copyOf(found);
    }

    @SuppressWarnings("unchecked")
    private static List<Map<String, Object>> maps(Object list) {
        return list == null ? List.of() : (List<Map<String, Object>>) list;
    }

    private static List<String> names(List<Map<String, Object>> maps, String key) {
        return maps.stream().map(map -> (String) map.get(key)).toList();
    }
}
