package basin.clients.jdbc;

import basin.clients.common.Checks;
import basin.clients.common.Expect;
import basin.clients.common.Target;
import java.sql.Connection;
import java.sql.ResultSet;
import java.sql.Statement;
import java.util.List;

/** The column `large`. */
final class LargeChecks {
    private LargeChecks() {}

    static void run(Checks checks, Target target) {
        checks.check("large", "3,131,310 rows, counted and summed", () -> {
            String sql = "SELECT a.date, a.country, a.confirmed, b.code FROM jhu.series a CROSS JOIN ref.province b";
            try (Connection connection = Jdbc.connect(target)) {
                long expected = (long) Jdbc.rows(connection, "SELECT sum(confirmed) * 31 FROM jhu.series").get(0).get(0);
                long rows = 0;
                long sum = 0;
                try (Statement statement = connection.createStatement(); ResultSet result = statement.executeQuery(sql)) {
                    while (result.next()) {
                        rows++;
                        sum += result.getLong(3);
                    }
                }
                Expect.equal(List.of(rows, sum), List.of(3_131_310L, expected));
            }
        });
        checks.check("large", "a text of a million characters", () -> {
            try (Connection connection = Jdbc.connect(target)) {
                Expect.equal(
                        Jdbc.rows(connection, "SELECT repeat('浙', 1000000)"), List.of(List.of("浙".repeat(1_000_000))));
            }
        });
        checks.check("large", "a result that is closed half read leaves the connection usable", () -> {
            String sql = "SELECT a.date, a.country FROM jhu.series a CROSS JOIN ref.province b";
            try (Connection connection = Jdbc.connect(target)) {
                try (Statement statement = connection.createStatement(); ResultSet result = statement.executeQuery(sql)) {
                    Expect.that(result.next(), "no row");
                }
                Expect.equal(Jdbc.rows(connection, "SELECT 1"), List.of(List.of(1L)));
            }
        });
    }
}
