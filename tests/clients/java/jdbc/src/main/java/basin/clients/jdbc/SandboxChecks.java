package basin.clients.jdbc;

import basin.clients.common.Checks;
import basin.clients.common.Expect;
import basin.clients.common.Target;
import java.sql.Connection;
import java.sql.Date;
import java.sql.PreparedStatement;
import java.sql.SQLException;
import java.sql.Statement;
import java.sql.Types;
import java.util.Arrays;
import java.util.List;

/** The column `parameters` too: statements that write, in the user's sandbox, with and without parameters. */
final class SandboxChecks {
    private static final String COLUMNS = " (n BIGINT NOT NULL, place VARCHAR, day DATE)";

    private SandboxChecks() {}

    static void run(Checks checks, Target target) {
        checks.check("parameters", "executeUpdate tells the counts of CREATE, INSERT, UPDATE, DELETE, DROP", () -> {
            try (Connection connection = Jdbc.connect(target); Statement statement = connection.createStatement()) {
                statement.executeUpdate("DROP TABLE IF EXISTS java_updates");
                Expect.equal(statement.executeUpdate("CREATE TABLE java_updates" + COLUMNS), 0);
                Expect.equal(statement.executeUpdate("INSERT INTO java_updates VALUES (1, '武汉市', NULL), (2, '北京市', NULL)"), 2);
                Expect.equal(statement.executeLargeUpdate("INSERT INTO java_updates SELECT 3, '上海市', DATE '2020-01-23'"), 1L);
                Expect.equal(statement.executeUpdate("UPDATE java_updates SET place = '浙江省' WHERE n > 1"), 2);
                Expect.equal(statement.executeUpdate("DELETE FROM java_updates WHERE n = 1"), 1);
                Expect.equal(
                        Jdbc.rows(connection, "SELECT n, place FROM " + target.sandbox() + ".java_updates ORDER BY n"),
                        List.of(List.of(2L, "浙江省"), List.of(3L, "浙江省")));
                Expect.equal(statement.executeUpdate("DROP TABLE java_updates"), 0);
            }
        });
        checks.check("parameters", "execute: an update has a count and no result, a query a result", () -> {
            try (Connection connection = Jdbc.connect(target); Statement statement = connection.createStatement()) {
                Expect.equal(statement.execute("CREATE OR REPLACE TABLE java_execute" + COLUMNS), false);
                Expect.equal(statement.execute("INSERT INTO java_execute VALUES (1, NULL, NULL)"), false);
                Expect.equal(statement.getUpdateCount(), 1);
                Expect.equal(statement.execute("SELECT count(*) FROM " + target.sandbox() + ".java_execute"), true);
                Expect.equal(Jdbc.rows(statement.getResultSet()), List.of(List.of(1L)));
                statement.execute("DROP TABLE java_execute");
            }
        });
        checks.check("parameters", "INSERT with parameters, one row and a batch of rows with NULL", () -> {
            try (Connection connection = Jdbc.connect(target)) {
                Jdbc.update(connection, "CREATE OR REPLACE TABLE java_batch" + COLUMNS);
                batch(connection);
                Expect.equal(
                        Jdbc.rows(connection, "SELECT n, place, CAST(day AS VARCHAR) FROM " + target.sandbox() + ".java_batch ORDER BY n"),
                        List.of(
                                List.of(0L, "零", "2020-01-22"),
                                List.of(1L, "武汉市", "2020-01-23"),
                                List.of(2L, "北京市", "2020-02-29"),
                                Arrays.asList(3L, null, null)));
                Jdbc.update(connection, "DROP TABLE java_batch");
            }
        });
        checks.check("parameters", "UPDATE and DELETE with parameters", () -> {
            try (Connection connection = Jdbc.connect(target)) {
                Jdbc.update(connection, "CREATE OR REPLACE TABLE java_change AS SELECT code, name FROM ref.province");
                try (PreparedStatement update = connection.prepareStatement("UPDATE java_change SET name = ? WHERE code = ?")) {
                    update.setString(1, "京");
                    update.setString(2, "11");
                    Expect.equal(update.executeUpdate(), 1);
                }
                try (PreparedStatement delete = connection.prepareStatement("DELETE FROM java_change WHERE code <> ?")) {
                    delete.setString(1, "11");
                    Expect.equal(delete.executeUpdate(), 30);
                }
                Expect.equal(
                        Jdbc.rows(connection, "SELECT * FROM " + target.sandbox() + ".java_change"),
                        List.of(List.of("11", "京")));
                Jdbc.update(connection, "DROP TABLE java_change");
            }
        });
    }

    private static void batch(Connection connection) throws SQLException {
        try (PreparedStatement insert = connection.prepareStatement("INSERT INTO java_batch VALUES (?, ?, ?)")) {
            bind(insert, 0, "零", "2020-01-22");
            Expect.equal(insert.executeUpdate(), 1);
            bind(insert, 1, "武汉市", "2020-01-23");
            insert.addBatch();
            bind(insert, 2, "北京市", "2020-02-29");
            insert.addBatch();
            insert.setLong(1, 3);
            insert.setNull(2, Types.VARCHAR);
            insert.setNull(3, Types.DATE);
            insert.addBatch();
            // The driver sends the rows at once and gives one count for all of them.
            Expect.equal(Arrays.stream(insert.executeBatch()).sum(), 3);
        }
    }

    private static void bind(PreparedStatement insert, long n, String place, String day) throws SQLException {
        insert.setLong(1, n);
        insert.setString(2, place);
        insert.setDate(3, Date.valueOf(day));
    }
}
