package basin.clients.jdbc;

import basin.clients.common.Checks;
import basin.clients.common.Expect;
import basin.clients.common.Target;
import java.sql.Connection;
import java.sql.ResultSet;
import java.sql.ResultSetMetaData;
import java.sql.Statement;
import java.sql.Types;
import java.util.Collections;
import java.util.List;

/** The column `query`. */
final class QueryChecks {
    private QueryChecks() {}

    static void run(Checks checks, Target target) {
        checks.check("query", "figures of the pack", () -> {
            try (Connection connection = Jdbc.connect(target)) {
                Expect.equal(Jdbc.rows(connection, "SELECT count(*) FROM health.city"), List.of(List.of(5247L)));
                Expect.equal(Jdbc.rows(connection, "SELECT count(*) FROM jhu.series"), List.of(List.of(101010L)));
            }
        });
        checks.check("query", "Chinese text", () -> {
            try (Connection connection = Jdbc.connect(target)) {
                String sql = "SELECT city AS 城市 FROM paper.daily WHERE date = DATE '2020-01-11' AND city = '武汉市'";
                try (Statement statement = connection.createStatement(); ResultSet result = statement.executeQuery(sql)) {
                    Expect.that(result.next(), "no row");
                    Expect.equal(result.getString("城市"), "武汉市");
                    Expect.equal(result.getObject(1), "武汉市");
                    Expect.that(!result.next(), "more than one row");
                }
            }
        });
        checks.check("query", "columns by their names, which are their labels too", () -> {
            String sql = "SELECT city, confirmed FROM health.city WHERE bulletin = '2020-01-23浙江省' AND occurrence = 1 AND city = '温州市'";
            try (Connection connection = Jdbc.connect(target);
                    Statement statement = connection.createStatement();
                    ResultSet result = statement.executeQuery(sql)) {
                Expect.equal(result.getMetaData().getColumnLabel(2), "confirmed");
                Expect.that(result.next(), "no row");
                Expect.equal(List.of(result.getString("city"), result.getLong("confirmed")), List.of("温州市", 6L));
            }
        });
        checks.check("query", "one connection, many statements, one after the other", () -> {
            try (Connection connection = Jdbc.connect(target); Statement statement = connection.createStatement()) {
                for (int i = 0; i < 20; i++) {
                    try (ResultSet result = statement.executeQuery("SELECT " + i + " AS n, 'x'")) {
                        Expect.equal(Jdbc.rows(result), List.of(List.of((long) i, "x")));
                    }
                }
            }
        });
        checks.check("query", "an empty result, and a limit of rows", () -> {
            try (Connection connection = Jdbc.connect(target); Statement statement = connection.createStatement()) {
                Expect.equal(Jdbc.rows(connection, "SELECT code, name FROM ref.province WHERE false"), Collections.emptyList());
                statement.setMaxRows(3);
                try (ResultSet result = statement.executeQuery("SELECT code FROM ref.province")) {
                    Expect.equal(Jdbc.rows(result).size(), 3);
                }
            }
        });
        checks.check("query", "ResultSetMetaData", () -> {
            try (Connection connection = Jdbc.connect(target)) {
                resultSetMetaData(connection);
            }
        });
    }

    private static void resultSetMetaData(Connection connection) throws Exception {
        String sql = "SELECT name, count(*) AS n, CAST(1.5 AS DECIMAL(9, 2)) AS price, DATE '2020-01-23' AS d, 0.5 AS half, "
                + "TIMESTAMP '2020-01-23 10:00:00' AS t, true AS b, X'00' AS bytes FROM ref.province GROUP BY name";
        try (Statement statement = connection.createStatement(); ResultSet result = statement.executeQuery(sql)) {
            ResultSetMetaData metadata = result.getMetaData();
            Expect.equal(metadata.getColumnCount(), 8);
            String[] names = {"name", "n", "price", "d", "half", "t", "b", "bytes"};
            int[] types = {Types.VARCHAR, Types.BIGINT, Types.DECIMAL, Types.DATE, Types.DOUBLE, Types.TIMESTAMP, Types.BOOLEAN,
                Types.VARBINARY};
            String[] classes = {"String", "Long", "BigDecimal", "Date", "Double", "Timestamp", "Boolean", "byte[]"};
            for (int i = 1; i <= names.length; i++) {
                Expect.equal(metadata.getColumnLabel(i), names[i - 1]);
                Expect.equal(metadata.getColumnName(i), names[i - 1]);
                Expect.equal(metadata.getColumnType(i) + " of " + names[i - 1], types[i - 1] + " of " + names[i - 1]);
            }
            Expect.equal(List.of(metadata.getPrecision(3), metadata.getScale(3)), List.of(9, 2));
            Expect.that(result.next(), "no row");
            for (int i = 1; i <= classes.length; i++) {
                Expect.equal(result.getObject(i).getClass().getSimpleName(), classes[i - 1]);
            }
        }
    }
}
