package basin.clients.jdbc;

import basin.clients.common.Checks;
import basin.clients.common.Expect;
import basin.clients.common.Target;
import java.sql.Connection;
import java.sql.DatabaseMetaData;
import java.sql.ResultSet;
import java.sql.SQLException;
import java.sql.Types;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.TreeSet;

/** The column `metadata`, without keys: what a tool shows in its tree. */
final class MetadataChecks {
    /** A check that needs the metadata of a connection. */
    @FunctionalInterface
    private interface Body {
        void run(DatabaseMetaData metadata) throws SQLException;
    }

    private MetadataChecks() {}

    static void run(Checks checks, Target target) {
        check(checks, target, "getCatalogs", metadata ->
                Expect.equal(Jdbc.column(metadata.getCatalogs(), "TABLE_CAT"), List.of("basin")));
        check(checks, target, "getSchemas", metadata -> {
            List<String> schemas = Jdbc.column(metadata.getSchemas(), "TABLE_SCHEM");
            Expect.contains(schemas, "ref", "health", "paper", "jhu", "basin", "information_schema");
            Expect.equal(Jdbc.column(metadata.getSchemas("basin", "h%"), "TABLE_SCHEM"), List.of("health"));
            Expect.equal(Jdbc.column(metadata.getSchemas("", null), "TABLE_SCHEM"), List.of());
        });
        check(checks, target, "getTableTypes", metadata -> Expect.equal(
                new TreeSet<>(Jdbc.column(metadata.getTableTypes(), "TABLE_TYPE")),
                new TreeSet<>(Set.of("SYSTEM TABLE", "TABLE", "VIEW"))));
        check(checks, target, "getTables with patterns and types", metadata -> {
            Expect.equal(tables(metadata, "health", null), List.of("city", "national", "provincial"));
            Expect.equal(tables(metadata, "r_f", "c%"), List.of("city", "county"));
            Expect.equal(tables(metadata, "health", null, "SYSTEM TABLE"), List.of());
            Expect.equal(tables(metadata, "health", "city", "TABLE", "VIEW"), List.of("city"));
            Expect.contains(tables(metadata, "basin", null, "SYSTEM TABLE"), "items", "queries");
            Expect.equal(tables(metadata, "health", "village"), List.of());
            // An underscore that is escaped is no wildcard.
            String escape = metadata.getSearchStringEscape();
            Expect.equal(tables(metadata, "ref", "place" + escape + "_name"), List.of("place_name"));
            Expect.equal(tables(metadata, "r" + escape + "_f", null), List.of());
        });
        check(checks, target, "getColumns: names, positions, remarks", metadata -> {
            List<Map<String, Object>> columns = columns(metadata, "health", "city", null);
            Expect.equal(values(columns, "COLUMN_NAME").subList(0, 4), List.of("bulletin", "bulletin_date", "issuer", "date"));
            Expect.equal(values(columns, "ORDINAL_POSITION").subList(0, 4), List.of(1, 2, 3, 4));
            Map<String, Object> confirmed = columns(metadata, "health", "city", "confirmed").get(0);
            Expect.contains((String) confirmed.get("REMARKS"), "确诊");
            Expect.contains((String) confirmed.get("REMARKS"), "[person]");
            Expect.equal(values(columns(metadata, "health", "city", "c%"), "COLUMN_NAME"),
                    List.of("country", "country_code", "city", "city_code", "confirmed", "cured"));
        });
        check(checks, target, "getColumns: types, sizes, nullability", metadata -> {
            column(metadata, "health", "city", "confirmed", Types.BIGINT, "BIGINT", 19, 0, true);
            column(metadata, "health", "city", "bulletin", Types.VARCHAR, "VARCHAR", null, null, false);
            column(metadata, "health", "city", "date", Types.DATE, "DATE", 10, 0, false);
            column(metadata, "paper", "daily", "new_confirmed", Types.BIGINT, "BIGINT", 19, 0, true);
        });
    }

    private static void check(Checks checks, Target target, String name, Body body) {
        checks.check("metadata", name, () -> {
            try (Connection connection = Jdbc.connect(target)) {
                body.run(connection.getMetaData());
            }
        });
    }

    private static List<String> tables(DatabaseMetaData metadata, String schema, String table, String... types) throws SQLException {
        return Jdbc.column(metadata.getTables(null, schema, table, types.length == 0 ? null : types), "TABLE_NAME");
    }

    private static List<Map<String, Object>> columns(DatabaseMetaData metadata, String schema, String table, String column)
            throws SQLException {
        try (ResultSet result = metadata.getColumns("basin", schema, table, column)) {
            return Jdbc.records(result);
        }
    }

    private static List<Object> values(List<Map<String, Object>> records, String name) {
        return records.stream().map(record -> record.get(name)).toList();
    }

    private static void column(DatabaseMetaData metadata, String schema, String table, String name, int type,
            String typeName, Integer size, Integer digits, boolean nullable) throws SQLException {
        Map<String, Object> column = columns(metadata, schema, table, name).get(0);
        Expect.equal(column.get("DATA_TYPE"), type);
        Expect.equal(column.get("TYPE_NAME"), typeName);
        if (size != null) {
            Expect.equal(column.get("COLUMN_SIZE"), size);
        }
        Expect.equal(column.get("DECIMAL_DIGITS"), digits);
        Expect.equal(column.get("NULLABLE"), nullable ? DatabaseMetaData.columnNullable : DatabaseMetaData.columnNoNulls);
        Expect.equal(column.get("IS_NULLABLE"), nullable ? "YES" : "NO");
    }
}
