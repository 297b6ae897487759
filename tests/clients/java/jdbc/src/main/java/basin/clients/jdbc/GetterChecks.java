package basin.clients.jdbc;

import basin.clients.common.Checks;
import basin.clients.common.Expect;
import basin.clients.common.Target;
import java.math.BigDecimal;
import java.sql.Connection;
import java.sql.Date;
import java.sql.ResultSet;
import java.sql.SQLException;
import java.sql.Statement;
import java.sql.Timestamp;
import java.time.Instant;
import java.time.LocalDate;
import java.time.LocalDateTime;
import java.time.OffsetDateTime;
import java.util.Calendar;
import java.util.List;
import java.util.TimeZone;

/** The columns `types` and `nulls` too: the other getters of a ResultSet, as tools use them. */
final class GetterChecks {
    /** A check of the only row of a query. */
    @FunctionalInterface
    private interface Body {
        void run(ResultSet row) throws SQLException;
    }

    private static final String TIMES = "SELECT DATE '2020-02-29', "
            + "arrow_cast('2020-01-23T10:00:00.123456', 'Timestamp(Microsecond, None)'), "
            + "arrow_cast('2020-01-23T02:00:00Z', 'Timestamp(Second, Some(\"UTC\"))')";

    private GetterChecks() {}

    static void run(Checks checks, Target target) {
        check(checks, target, "types", "numbers by every getter", "SELECT 127, CAST(1.5 AS DECIMAL(9, 2)), CAST(0.5 AS DOUBLE)", row -> {
            Expect.equal(
                    List.of(row.getByte(1), row.getShort(1), row.getInt(1), row.getLong(1)),
                    List.of((byte) 127, (short) 127, 127, 127L));
            Expect.equal(List.of(row.getDouble(1), row.getBigDecimal(1), row.getString(1)), List.of(127.0, new BigDecimal("127"), "127"));
            Expect.equal(List.of(row.getObject(2), row.getString(2), row.getDouble(2)), List.of(new BigDecimal("1.50"), "1.50", 1.5));
            Expect.equal(List.of(row.getObject(3), row.getFloat(3), row.getString(3)), List.of(0.5, 0.5f, "0.5"));
        });
        check(checks, target, "types", "dates and timestamps by every getter", TIMES, row -> {
            Expect.equal(row.getDate(1), Date.valueOf("2020-02-29"));
            Expect.equal(row.getObject(1), Date.valueOf("2020-02-29"));
            Expect.equal(row.getObject(1, LocalDate.class), LocalDate.of(2020, 2, 29));
            Expect.equal(row.getString(2), "2020-01-23 10:00:00.123456");
            Calendar utc = Calendar.getInstance(TimeZone.getTimeZone("UTC"));
            Expect.equal(row.getTimestamp(2, utc), Timestamp.valueOf("2020-01-23 10:00:00.123456"));
            Expect.equal(row.getObject(2, LocalDateTime.class), LocalDateTime.parse("2020-01-23T10:00:00.123456"));
            Expect.equal(row.getObject(3, Instant.class), Instant.parse("2020-01-23T02:00:00Z"));
            Expect.equal(row.getObject(3, OffsetDateTime.class), OffsetDateTime.parse("2020-01-23T02:00:00Z"));
        });
        check(checks, target, "types",
                "a timestamp with a zone; known limit of the client: getObject without a class throws", TIMES, row ->
                Expect.contains(Expect.fails(() -> row.getObject(3)), "not implemented"));
        check(checks, target, "types",
                "timestamps and times; known limit of the client: getTimestamp, getObject and getTime want a JVM in UTC", TIMES + ", arrow_cast('10:11:12', 'Time64(Microsecond)')", row -> {
            // This JVM is eight hours ahead of UTC.
            Expect.equal(row.getTimestamp(2), Timestamp.valueOf("2020-01-23 02:00:00.123456"));
            Expect.equal(row.getObject(2), Timestamp.valueOf("2020-01-23 02:00:00.123456"));
            Expect.equal(row.getString(4), "18:11:12");
        });
        check(checks, target, "types",
                "unsigned integers as text; known limit of the client: of 8 and 32 bits they look negative",
                "SELECT CAST(255 AS TINYINT UNSIGNED), CAST(4294967295 AS INT UNSIGNED)", row -> {
            Expect.equal(List.of(row.getObject(1), row.getObject(2)), List.of((byte) -1, -1));
            Expect.equal(row.getLong(1), -1L);
        });
        check(checks, target, "nulls", "getters of primitive types, and wasNull",
                "SELECT CAST(NULL AS BIGINT) AS a, CAST(NULL AS DOUBLE) AS b, CAST(NULL AS BOOLEAN) AS c, 1 AS d", row -> {
            Expect.equal(List.of(row.getLong(1), row.wasNull()), List.of(0L, true));
            Expect.equal(List.of(row.getDouble(2), row.wasNull()), List.of(0.0, true));
            Expect.equal(List.of(row.getBoolean(3), row.wasNull()), List.of(false, true));
            Expect.equal(List.of(row.getLong(4), row.wasNull()), List.of(1L, false));
            Expect.that(row.getObject(1) == null && row.getString(1) == null && row.getBigDecimal(1) == null, "NULL as a value");
        });
    }

    private static void check(Checks checks, Target target, String column, String name, String sql, Body body) {
        checks.check(column, name, () -> {
            try (Connection connection = Jdbc.connect(target);
                    Statement statement = connection.createStatement();
                    ResultSet result = statement.executeQuery(sql)) {
                Expect.that(result.next(), "no row");
                body.run(result);
            }
        });
    }
}
