package basin.clients.jdbc;

import basin.clients.common.Checks;
import basin.clients.common.Expect;
import basin.clients.common.Target;
import java.sql.Connection;
import java.sql.ResultSet;
import java.sql.SQLException;
import java.util.Comparator;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.stream.Collectors;

/** The column `metadata`: primary and foreign keys, as the manifests of the pack declare them. */
final class KeyChecks {
    private static final List<String> CITY_KEY = List.of("bulletin", "date", "province_code", "city", "occurrence");

    private KeyChecks() {}

    static void run(Checks checks, Target target) {
        checks.check("metadata", "getPrimaryKeys", () -> {
            try (Connection connection = Jdbc.connect(target)) {
                Expect.equal(primaryKey(connection, "health", "city"), CITY_KEY);
                Expect.equal(primaryKey(connection, "ref", "region"), List.of("code"));
            }
        });
        checks.check("metadata", "getImportedKeys", () -> {
            try (Connection connection = Jdbc.connect(target)) {
                Expect.equal(
                        links(connection.getMetaData().getImportedKeys("basin", "health", "city")),
                        Set.of("health.city.province_code -> ref.region.code", "health.city.city_code -> ref.region.code"));
                Expect.equal(
                        links(connection.getMetaData().getImportedKeys(null, "ref", "county")),
                        Set.of("ref.county.city_code -> ref.city.code", "ref.county.province_code -> ref.province.code"));
                Expect.equal(links(connection.getMetaData().getImportedKeys(null, "jhu", "series")), Set.of());
            }
        });
        checks.check("metadata", "getExportedKeys", () -> {
            try (Connection connection = Jdbc.connect(target)) {
                Expect.equal(
                        links(connection.getMetaData().getExportedKeys("basin", "ref", "region")),
                        Set.of(
                                "health.city.province_code -> ref.region.code",
                                "health.city.city_code -> ref.region.code",
                                "health.provincial.province_code -> ref.region.code",
                                "ref.province.region_code -> ref.region.code",
                                "ref.provincial_nodes.region_code -> ref.region.code"));
            }
        });
        checks.check("metadata", "getCrossReference", () -> {
            try (Connection connection = Jdbc.connect(target)) {
                Expect.equal(
                        links(connection.getMetaData().getCrossReference("basin", "ref", "province", "basin", "ref", "county")),
                        Set.of("ref.county.province_code -> ref.province.code"));
            }
        });
    }

    private static List<String> primaryKey(Connection connection, String schema, String table) throws SQLException {
        List<Map<String, Object>> columns =
                Jdbc.records(connection.getMetaData().getPrimaryKeys("basin", schema, table)).stream()
                        .sorted(Comparator.comparing(record -> ((Number) record.get("KEY_SEQ")).intValue()))
                        .toList();
        for (int i = 0; i < columns.size(); i++) {
            Expect.equal(((Number) columns.get(i).get("KEY_SEQ")).intValue(), i + 1);
            Expect.equal(columns.get(i).get("TABLE_SCHEM"), schema);
            Expect.equal(columns.get(i).get("TABLE_NAME"), table);
        }
        return columns.stream().map(record -> (String) record.get("COLUMN_NAME")).toList();
    }

    private static Set<String> links(ResultSet keys) throws SQLException {
        List<Map<String, Object>> records = Jdbc.records(keys);
        for (Map<String, Object> record : records) {
            Expect.equal(((Number) record.get("KEY_SEQ")).intValue(), 1);
            Expect.equal(record.get("FKTABLE_CAT"), "basin");
            Expect.equal(record.get("PKTABLE_CAT"), "basin");
        }
        return records.stream().map(record -> end(record, "FK") + " -> " + end(record, "PK")).collect(Collectors.toSet());
    }

    private static String end(Map<String, Object> record, String side) {
        return record.get(side + "TABLE_SCHEM") + "." + record.get(side + "TABLE_NAME") + "." + record.get(side + "COLUMN_NAME");
    }
}
