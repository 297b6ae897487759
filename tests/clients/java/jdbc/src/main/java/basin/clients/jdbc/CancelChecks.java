package basin.clients.jdbc;

import basin.clients.common.Checks;
import basin.clients.common.Expect;
import basin.clients.common.Target;
import java.sql.Connection;
import java.sql.ResultSet;
import java.sql.Statement;
import java.util.List;
import java.util.concurrent.ScheduledThreadPoolExecutor;
import java.util.concurrent.TimeUnit;

/** The column `cancel`. */
final class CancelChecks {
    private static final String SLOW = "SELECT count(*) FROM jhu.series a, jhu.series b WHERE a.confirmed + b.confirmed < -1";
    private static final String STREAM = "SELECT a.date, b.country FROM jhu.series a CROSS JOIN jhu.series b";

    private CancelChecks() {}

    static void run(Checks checks, Target target) {
        checks.check("cancel", "Statement.cancel while a stream is read; the connection goes on", () -> {
            try (Connection connection = Jdbc.connect(target); Statement statement = connection.createStatement()) {
                ResultSet result = statement.executeQuery(STREAM);
                Expect.that(result.next(), "no row");
                cancelled(statement, () -> {
                    while (result.next()) {
                        result.getObject(1);
                    }
                });
                Expect.equal(Jdbc.rows(connection, "SELECT 1"), List.of(List.of(1L)));
            }
        });
        checks.check("cancel", "Statement.cancel before the first row; the server stops", () -> {
            String mark = mark();
            try (Connection connection = Jdbc.connect(target); Statement statement = connection.createStatement()) {
                cancelled(statement, () -> statement.executeQuery(SLOW + mark).close());
                stopped(connection, mark);
            }
        });
        checks.check("cancel", "setQueryTimeout ends a query; the server stops", () -> {
            String mark = mark();
            try (Connection connection = Jdbc.connect(target)) {
                try (Statement statement = connection.createStatement()) {
                    statement.setQueryTimeout(2);
                    Expect.soon(() -> Expect.contains(
                            Expect.fails(() -> statement.executeQuery(SLOW + mark).close()).toLowerCase(), "timed out"));
                }
                stopped(connection, mark);
            }
        });
    }

    /** Cancels after a second what must not end by itself. */
    private static void cancelled(Statement statement, Checks.Body body) throws Exception {
        ScheduledThreadPoolExecutor timer = new ScheduledThreadPoolExecutor(1);
        timer.schedule(() -> {
            statement.cancel();
            return null;
        }, 1, TimeUnit.SECONDS);
        try {
            Expect.soon(() -> Expect.fails(body));
        } finally {
            timer.shutdown();
        }
    }

    /** Waits until the audit says that the marked statement was cancelled. */
    private static void stopped(Connection connection, String mark) throws Exception {
        String sql = "SELECT outcome FROM basin.queries WHERE sql LIKE '%" + mark.strip() + "' AND outcome = 'cancelled' "
                + "AND finished_at > started_at + INTERVAL '500 milliseconds'";
        long end = System.nanoTime() + TimeUnit.SECONDS.toNanos((long) Expect.SOON);
        while (Jdbc.rows(connection, sql).isEmpty()) {
            Expect.that(System.nanoTime() < end, "the server does not say that the query was cancelled");
            TimeUnit.MILLISECONDS.sleep(200);
        }
    }

    /** A comment that tells one statement from all others in the audit. */
    private static String mark() {
        return " -- java " + System.nanoTime();
    }
}
