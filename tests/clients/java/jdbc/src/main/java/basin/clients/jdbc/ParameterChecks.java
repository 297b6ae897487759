package basin.clients.jdbc;

import basin.clients.common.Checks;
import basin.clients.common.Expect;
import basin.clients.common.Target;
import java.math.BigDecimal;
import java.sql.Connection;
import java.sql.Date;
import java.sql.ParameterMetaData;
import java.sql.PreparedStatement;
import java.sql.ResultSet;
import java.sql.SQLException;
import java.sql.Time;
import java.sql.Timestamp;
import java.sql.Types;
import java.util.List;

/** The column `parameters`: prepared statements with `?`. */
final class ParameterChecks {
    /** A statement, its parameters bound, and what comes out. */
    @FunctionalInterface
    private interface Bind {
        void bind(PreparedStatement statement) throws SQLException;
    }

    private ParameterChecks() {}

    static void run(Checks checks, Target target) {
        checks.check("parameters", "text", () -> {
            String sql = "SELECT confirmed FROM health.city WHERE bulletin = ? AND city = ? ORDER BY occurrence";
            equal(target, sql, List.of(List.of(6L), List.of(1L)), statement -> {
                statement.setString(1, "2020-01-23浙江省");
                statement.setString(2, "温州市");
            });
            equal(target, "SELECT name FROM ref.province WHERE name = ?", List.of(), statement ->
                    statement.setString(1, "' OR 1 = 1 --"));
        });
        checks.check("parameters", "numbers, also in LIMIT", () -> {
            String sql = "SELECT city FROM health.city WHERE confirmed > ? ORDER BY 1 LIMIT ?";
            equal(target, sql, List.of(List.of("武汉市")), statement -> {
                statement.setInt(1, 10000);
                statement.setLong(2, 1);
            });
            equal(target, "SELECT CAST(0.5 AS DOUBLE) < ?", List.of(List.of(true)), statement -> statement.setDouble(1, 0.75));
        });
        checks.check("parameters", "in a CAST, which tells the type", () -> {
            equal(target, "SELECT CAST(? AS VARCHAR)", List.of(List.of("' OR 1 = 1 --")), statement ->
                    statement.setString(1, "' OR 1 = 1 --"));
            equal(target, "SELECT CAST(? AS DOUBLE) * 2", List.of(List.of(0.5)), statement -> statement.setDouble(1, 0.25));
            equal(target, "SELECT CAST(? AS DECIMAL(9, 2)) + 1", List.of(List.of(new BigDecimal("3.50"))), statement ->
                    statement.setBigDecimal(1, new BigDecimal("2.50")));
        });
        checks.check("parameters", "where only a function tells the type, or nothing does", () -> {
            equal(target, "SELECT upper(?)", List.of(List.of("X")), statement -> statement.setString(1, "x"));
            equal(target, "SELECT coalesce(?, 'z')", List.of(List.of("x")), statement -> statement.setString(1, "x"));
            equal(target, "SELECT ?", List.of(List.of("x")), statement -> statement.setString(1, "x"));
        });
        checks.check("parameters", "a date", () -> {
            String sql = "SELECT count(*) FROM health.city WHERE date = ?";
            Object expected = count(target, "SELECT count(*) FROM health.city WHERE date = DATE '2020-01-23'");
            equal(target, sql, List.of(List.of(expected)), statement -> statement.setDate(1, Date.valueOf("2020-01-23")));
            equal(target, sql, List.of(List.of(expected)), statement -> statement.setObject(1, Date.valueOf("2020-01-23")));
        });
        checks.check("parameters", "a timestamp and a time", () -> {
            String timestamp = "SELECT arrow_cast('2020-01-23T10:00:00', 'Timestamp(Microsecond, None)') = ?";
            equal(target, timestamp, List.of(List.of(true)), statement ->
                    statement.setTimestamp(1, Timestamp.valueOf("2020-01-23 10:00:00")));
            equal(target, "SELECT arrow_cast('10:11:12', 'Time64(Microsecond)') = ?", List.of(List.of(true)), statement ->
                    statement.setTime(1, Time.valueOf("10:11:12")));
        });
        checks.check("parameters", "NULL", () -> {
            String sql = "SELECT count(*) FROM health.city WHERE city = ?";
            equal(target, sql, List.of(List.of(0L)), statement -> statement.setNull(1, Types.VARCHAR));
            equal(target, sql, List.of(List.of(0L)), statement -> statement.setString(1, null));
            equal(target, "SELECT coalesce(CAST(? AS BIGINT), 7)", List.of(List.of(7L)), statement ->
                    statement.setNull(1, Types.BIGINT));
        });
        checks.check("parameters", "one statement run again with other values", () -> {
            try (Connection connection = Jdbc.connect(target);
                    PreparedStatement statement = connection.prepareStatement("SELECT name FROM ref.province WHERE code = ?")) {
                for (String[] pair : new String[][] {{"11", "[[北京市]]"}, {"33", "[[浙江省]]"}, {"99", "[]"}}) {
                    statement.setString(1, pair[0]);
                    try (ResultSet result = statement.executeQuery()) {
                        Expect.equal(Jdbc.rows(result).toString(), pair[1]);
                    }
                }
            }
        });
        checks.check("parameters", "ParameterMetaData and the columns before execution", () -> {
            String sql = "SELECT city, confirmed FROM health.city WHERE confirmed > ? AND city = ? AND date = ?";
            try (Connection connection = Jdbc.connect(target);
                    PreparedStatement statement = connection.prepareStatement(sql)) {
                ParameterMetaData parameters = statement.getParameterMetaData();
                Expect.equal(parameters.getParameterCount(), 3);
                Expect.equal(parameters.getParameterType(1), Types.BIGINT);
                Expect.equal(parameters.getParameterType(2), Types.VARCHAR);
                Expect.equal(parameters.getParameterType(3), Types.DATE);
                Expect.equal(statement.getMetaData().getColumnName(2), "confirmed");
                Expect.equal(statement.getMetaData().getColumnType(2), Types.BIGINT);
            }
        });
        checks.check("parameters", "a missing parameter is an error", () -> {
            try (Connection connection = Jdbc.connect(target);
                    PreparedStatement statement = connection.prepareStatement("SELECT CAST(? AS BIGINT)")) {
                // The driver says so with a NullPointerException inside; it never asks the server.
                Expect.contains(Expect.fails(statement::executeQuery), "SQLException");
            }
        });
    }

    private static void equal(Target target, String sql, List<List<Object>> expected, Bind bind) throws SQLException {
        try (Connection connection = Jdbc.connect(target); PreparedStatement statement = connection.prepareStatement(sql)) {
            bind.bind(statement);
            try (ResultSet result = statement.executeQuery()) {
                Expect.equal(Jdbc.rows(result), expected);
            }
        }
    }

    private static Object count(Target target, String sql) throws SQLException {
        try (Connection connection = Jdbc.connect(target)) {
            Object count = Jdbc.rows(connection, sql).get(0).get(0);
            Expect.that((long) count > 0, "nothing to find");
            return count;
        }
    }
}
