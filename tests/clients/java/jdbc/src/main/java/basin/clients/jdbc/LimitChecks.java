package basin.clients.jdbc;

import basin.clients.common.Checks;
import basin.clients.common.Expect;
import basin.clients.common.Target;
import java.sql.Connection;
import java.sql.ResultSet;
import java.sql.ResultSetMetaData;
import java.sql.Statement;
import java.util.List;

/** What the driver itself does wrong or not at all, looked at so that a better driver does not go unseen. */
final class LimitChecks {
    /** A look at a connection. */
    @FunctionalInterface
    private interface Body {
        void run(Connection connection) throws Exception;
    }

    private LimitChecks() {}

    static void run(Checks checks, Target target) {
        check(checks, target, "getTypeInfo never asks the server: it has no rows", connection ->
                Expect.equal(Jdbc.records(connection.getMetaData().getTypeInfo()), List.of()));
        check(checks, target, "executeBatch of SQL texts fails inside; batches of parameters don't", connection -> {
            try (Statement statement = connection.createStatement()) {
                statement.addBatch("SELECT 1");
                Expect.contains(Expect.fails(statement::executeBatch), "NullPointerException");
            }
        });
        check(checks, target, "setAutoCommit(false), commit and rollback are taken and do nothing", connection -> {
            connection.setAutoCommit(false);
            Jdbc.update(connection, "CREATE OR REPLACE TABLE java_rollback (n BIGINT)");
            connection.rollback();
            Expect.equal(Jdbc.rows(connection, "SELECT count(*) FROM " + target.sandbox() + ".java_rollback"), List.of(List.of(0L)));
            Jdbc.update(connection, "DROP TABLE java_rollback");
        });
        check(checks, target, "setSchema is taken and does nothing", connection -> {
            connection.setSchema("health");
            Expect.contains(Expect.fails(() -> Jdbc.rows(connection, "SELECT count(*) FROM city")), "did you mean");
        });
        check(checks, target, "isReadOnly says yes, though statements that write run", connection ->
                Expect.equal(connection.isReadOnly(), true));
        check(checks, target, "ResultSetMetaData says of every column that it is never NULL", connection -> {
            try (Statement statement = connection.createStatement();
                    ResultSet result = statement.executeQuery("SELECT confirmed FROM health.city LIMIT 1")) {
                Expect.equal(result.getMetaData().isNullable(1), ResultSetMetaData.columnNoNulls);
            }
        });
    }

    private static void check(Checks checks, Target target, String name, Body body) {
        checks.check("-", name, () -> {
            try (Connection connection = Jdbc.connect(target)) {
                body.run(connection);
            }
        });
    }
}
