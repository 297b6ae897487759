package basin.clients.jdbc;

import basin.clients.common.Checks;
import basin.clients.common.Expect;
import basin.clients.common.Target;
import java.sql.Connection;
import java.sql.SQLException;
import java.sql.Statement;
import java.util.List;

/** The column `error`: what the server says reaches the program as an SQLException. */
final class ErrorChecks {
    private ErrorChecks() {}

    static void run(Checks checks, Target target) {
        says(checks, target, "an unknown column", "SELECT confirmd FROM health.city", "confirmd", "INVALID_ARGUMENT");
        says(checks, target, "an unknown table", "SELECT * FROM health.village", "health.village", "NOT_FOUND");
        says(checks, target, "a mistake in the SQL", "SELEC 1", "SELEC", "INVALID_ARGUMENT");
        says(checks, target, "a table that only its provider writes", "DROP TABLE health.city", "read", "INVALID_ARGUMENT");
        says(checks, target, "an error while rows are read", "SELECT CAST(name AS BIGINT) FROM ref.province", "BIGINT", "INVALID_ARGUMENT");
    }

    private static void says(Checks checks, Target target, String name, String sql, String text, String code) {
        checks.check("error", name, () -> {
            try (Connection connection = Jdbc.connect(target)) {
                try (Statement statement = connection.createStatement()) {
                    Jdbc.rows(statement.executeQuery(sql));
                    throw new AssertionError(sql + " was run");
                } catch (SQLException error) {
                    String said = Expect.messages(error);
                    Expect.contains(said, text);
                    Expect.contains(said, "query id");
                    Expect.contains(said, code);
                }
                Expect.equal(Jdbc.rows(connection, "SELECT 1"), List.of(List.of(1L)));
            }
        });
    }
}
