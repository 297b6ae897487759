package basin.clients.adbc;

import basin.clients.common.Checks;
import basin.clients.common.Expect;
import basin.clients.common.Target;
import java.util.ArrayList;
import java.util.List;
import org.apache.arrow.adbc.core.AdbcException;
import org.apache.arrow.adbc.core.AdbcStatement;
import org.apache.arrow.adbc.core.AdbcStatusCode;
import org.apache.arrow.adbc.core.PartitionDescriptor;
import org.apache.arrow.vector.ipc.ArrowReader;

/** The columns `query` and `error`. */
final class QueryChecks {
    private QueryChecks() {}

    static void run(Checks checks, Target target) {
        checks.check("query", "figures of the pack", () -> {
            try (Adbc adbc = new Adbc(target)) {
                Expect.equal(adbc.rows("SELECT count(*) FROM health.city"), List.of(List.of("5247")));
                Expect.equal(adbc.rows("SELECT count(*) FROM jhu.series"), List.of(List.of("101010")));
            }
        });
        checks.check("query", "Chinese text", () -> {
            try (Adbc adbc = new Adbc(target)) {
                Expect.equal(
                        adbc.rows("SELECT city FROM paper.daily WHERE date = DATE '2020-01-11'"), List.of(List.of("武汉市")));
            }
        });
        checks.check("query", "the schema without execution", () -> {
            try (Adbc adbc = new Adbc(target); AdbcStatement statement = adbc.connection.createStatement()) {
                statement.setSqlQuery("SELECT date, sum(confirmed) AS n FROM health.city GROUP BY date");
                Expect.equal(
                        statement.executeSchema().getFields().stream().map(field -> field.getName()).toList(),
                        List.of("date", "n"));
            }
        });
        checks.check("query", "partitions", () -> {
            try (Adbc adbc = new Adbc(target); AdbcStatement statement = adbc.connection.createStatement()) {
                statement.setSqlQuery("SELECT code, name FROM ref.province");
                List<List<Object>> rows = new ArrayList<>();
                for (PartitionDescriptor part : statement.executePartitioned().getPartitionDescriptors()) {
                    try (ArrowReader reader = adbc.connection.readPartition(part.getDescriptor())) {
                        rows.addAll(Adbc.rows(reader));
                    }
                }
                Expect.equal(rows.size(), 31);
            }
        });
        checks.check("query", "executeUpdate tells the counts", () -> {
            try (Adbc adbc = new Adbc(target)) {
                adbc.update("CREATE OR REPLACE TABLE java_adbc (n BIGINT, place VARCHAR)");
                Expect.equal(adbc.update("INSERT INTO java_adbc VALUES (1, '武汉市'), (2, '北京市')"), 2L);
                Expect.equal(adbc.update("UPDATE java_adbc SET place = '浙江省' WHERE n = 1"), 1L);
                Expect.equal(adbc.update("DELETE FROM java_adbc WHERE n = 2"), 1L);
                Expect.equal(adbc.rows("SELECT * FROM " + target.sandbox() + ".java_adbc"), List.of(List.of("1", "浙江省")));
                adbc.update("DROP TABLE java_adbc");
            }
        });
        error(checks, target, "an unknown column", "SELECT confirmd FROM health.city", AdbcStatusCode.INVALID_ARGUMENT, "confirmd");
        error(checks, target, "an unknown table", "SELECT * FROM health.village", AdbcStatusCode.NOT_FOUND, "health.village");
        error(checks, target, "a table that only its provider writes", "DROP TABLE health.city", AdbcStatusCode.INVALID_ARGUMENT, "read");
    }

    private static void error(Checks checks, Target target, String name, String sql, AdbcStatusCode code, String text) {
        checks.check("error", name, () -> {
            try (Adbc adbc = new Adbc(target)) {
                try {
                    adbc.rows(sql);
                    throw new AssertionError(sql + " was run");
                } catch (AdbcException error) {
                    Expect.equal(error.getStatus(), code);
                    Expect.contains(error.getMessage(), text);
                    Expect.contains(error.getMessage(), "query id");
                }
                Expect.equal(adbc.rows("SELECT 1"), List.of(List.of("1")));
            }
        });
    }
}
