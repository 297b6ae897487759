package basin.clients.adbc;

import basin.clients.common.Checks;
import basin.clients.common.Expect;
import basin.clients.common.Target;
import java.util.List;
import org.apache.arrow.adbc.core.AdbcInfoCode;
import org.apache.arrow.adbc.core.AdbcStatement;
import org.apache.arrow.adbc.core.BulkIngestMode;
import org.apache.arrow.vector.BigIntVector;
import org.apache.arrow.vector.VectorSchemaRoot;
import org.apache.arrow.vector.ipc.ArrowReader;

/** What the driver itself can't do: said as absent, and looked at, so that a better driver does not go unseen. */
final class LimitChecks {
    /** A call that the driver can't do. */
    @FunctionalInterface
    private interface Call {
        void run(Adbc adbc) throws Exception;
    }

    private LimitChecks() {}

    static void run(Checks checks, Target target) {
        checks.absent("info", "getInfo empties the server's answer before it reads it: only the driver's own name and version come out");
        checks.check("-", "getInfo has no vendor's name", () -> {
            try (Adbc adbc = new Adbc(target); ArrowReader reader = adbc.connection.getInfo()) {
                List<Object> codes = Adbc.rows(reader).stream().map(row -> row.get(0)).toList();
                Expect.equal(codes, List.of(text(AdbcInfoCode.DRIVER_NAME), text(AdbcInfoCode.DRIVER_VERSION)));
            }
        });
        checks.absent("parameters", "its prepared statements, and so bulkIngest too, call the server without the user's credentials");
        fails(checks, target, "a prepared statement is sent without credentials", "sign in", adbc -> {
            try (AdbcStatement statement = adbc.connection.createStatement()) {
                statement.setSqlQuery("SELECT name FROM ref.province WHERE code = '11'");
                statement.prepare();
                statement.executeQuery().close();
            }
        });
        fails(checks, target, "bulkIngest is sent without credentials", "sign in", adbc -> {
            adbc.update("CREATE OR REPLACE TABLE java_ingest (n BIGINT)");
            try (BigIntVector numbers = new BigIntVector("n", adbc.allocator);
                    VectorSchemaRoot root = VectorSchemaRoot.of(numbers);
                    AdbcStatement statement = adbc.connection.bulkIngest("java_ingest", BulkIngestMode.APPEND)) {
                numbers.setSafe(0, 1);
                root.setRowCount(1);
                statement.bind(root);
                statement.executeUpdate();
            } finally {
                adbc.update("DROP TABLE java_ingest");
            }
        });
        checks.absent("cancel", "the driver does not have AdbcStatement.cancel or AdbcConnection.cancel");
        fails(checks, target, "AdbcStatement.cancel is not in the driver", "does not support cancel", adbc -> {
            try (AdbcStatement statement = adbc.connection.createStatement()) {
                statement.cancel();
            }
        });
        fails(checks, target, "getTableTypes is not in the driver", "does not support", adbc ->
                adbc.connection.getTableTypes().close());
        fails(checks, target, "getTableSchema is not in the driver", "does not support", adbc ->
                adbc.connection.getTableSchema("basin", "health", "city"));
        fails(checks, target, "transactions are not in the driver", "not supported", adbc ->
                adbc.connection.setAutoCommit(false));
    }

    private static void fails(Checks checks, Target target, String name, String says, Call call) {
        checks.check("-", name, () -> {
            try (Adbc adbc = new Adbc(target)) {
                Expect.contains(Expect.fails(() -> call.run(adbc)), says);
            }
        });
    }

    private static String text(AdbcInfoCode code) {
        return String.valueOf(code.getValue());
    }
}
