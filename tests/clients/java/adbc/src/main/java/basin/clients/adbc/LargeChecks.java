package basin.clients.adbc;

import basin.clients.common.Checks;
import basin.clients.common.Expect;
import basin.clients.common.Target;
import java.util.List;
import org.apache.arrow.adbc.core.AdbcStatement;
import org.apache.arrow.vector.BigIntVector;
import org.apache.arrow.vector.ipc.ArrowReader;

/** The column `large`. */
final class LargeChecks {
    private LargeChecks() {}

    static void run(Checks checks, Target target) {
        checks.check("large", "3,131,310 rows, counted and summed", () -> {
            String sql = "SELECT a.date, a.country, a.confirmed, b.code FROM jhu.series a CROSS JOIN ref.province b";
            try (Adbc adbc = new Adbc(target)) {
                Object expected = adbc.rows("SELECT sum(confirmed) * 31 FROM jhu.series").get(0).get(0);
                long rows = 0;
                long sum = 0;
                try (AdbcStatement statement = adbc.connection.createStatement()) {
                    statement.setSqlQuery(sql);
                    try (AdbcStatement.QueryResult result = statement.executeQuery()) {
                        ArrowReader reader = result.getReader();
                        while (reader.loadNextBatch()) {
                            BigIntVector confirmed = (BigIntVector) reader.getVectorSchemaRoot().getVector("confirmed");
                            rows += confirmed.getValueCount();
                            for (int i = 0; i < confirmed.getValueCount(); i++) {
                                sum += confirmed.isNull(i) ? 0 : confirmed.get(i);
                            }
                        }
                    }
                }
                Expect.equal(List.of(rows, String.valueOf(sum)), List.of(3_131_310L, expected));
            }
        });
        checks.check("large", "a result that is closed half read ends; the connection goes on", () -> {
            String sql = "SELECT a.date, b.country FROM jhu.series a CROSS JOIN jhu.series b";
            try (Adbc adbc = new Adbc(target)) {
                Expect.soon(() -> {
                    try (AdbcStatement statement = adbc.connection.createStatement()) {
                        statement.setSqlQuery(sql);
                        try (AdbcStatement.QueryResult result = statement.executeQuery()) {
                            Expect.that(result.getReader().loadNextBatch(), "no batch");
                        }
                    }
                });
                Expect.equal(adbc.rows("SELECT 1"), List.of(List.of("1")));
            }
        });
        checks.check("large", "a text of a million characters", () -> {
            try (Adbc adbc = new Adbc(target)) {
                Expect.equal(adbc.rows("SELECT repeat('浙', 1000000)"), List.of(List.of("浙".repeat(1_000_000))));
            }
        });
    }
}
