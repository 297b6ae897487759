package basin.clients.sqlline;

import basin.clients.common.Checks;
import basin.clients.common.Expect;
import basin.clients.common.Target;
import java.io.IOException;
import java.io.OutputStream;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.sql.Connection;
import java.sql.DriverManager;
import java.sql.ResultSet;
import java.sql.SQLException;
import java.sql.Statement;
import java.util.List;
import java.util.concurrent.TimeUnit;
import java.util.stream.Collectors;

/** The column `cancel`: Ctrl-C in a terminal, which `script` makes. */
final class InterruptChecks {
    private static final String SLOW =
            "SELECT count(*) FROM generate_series(1, 1000000000000) WHERE value %% 7 = 9 AND '%s' <> '';";
    private static final String CONTROL_C = "\u0003";

    private InterruptChecks() {}

    static void run(Checks checks, Target target) {
        checks.check("cancel", "Ctrl-C ends a query, the server stops, the session goes on", () -> {
            String mark = "sqlline " + System.nanoTime();
            Path printed = Files.createTempFile("basin-sqlline", ".tty");
            Process tool = terminal(target, printed);
            try (Connection audit = DriverManager.getConnection(Sqlline.url(target), target.user, target.password)) {
                type(tool, SLOW.formatted(mark) + "\n");
                told(audit, mark, "outcome IS NULL AND started_at < now() - INTERVAL '1 second'");
                type(tool, CONTROL_C);
                told(audit, mark, "outcome = 'cancelled' AND finished_at > started_at + INTERVAL '500 milliseconds'");
                type(tool, "SELECT 40 + 2 AS answer;\n!quit\n");
                Sqlline.ended(tool);
                Expect.contains(Files.readString(printed), "'42'");
            } finally {
                // The tool is a child of the terminal.
                tool.descendants().forEach(ProcessHandle::destroyForcibly);
                tool.destroyForcibly();
                Files.delete(printed);
            }
        });
    }

    private static Process terminal(Target target, Path printed) throws IOException {
        List<String> command = Sqlline.command(Sqlline.url(target), target.user, target.password);
        String quoted = command.stream().map(word -> "'" + word.replace("'", "'\\''") + "'").collect(Collectors.joining(" "));
        ProcessBuilder builder = new ProcessBuilder("script", "-qec", quoted, "/dev/null");
        builder.environment().put("TERM", "xterm");
        return builder.redirectErrorStream(true).redirectOutput(printed.toFile()).start();
    }

    private static void type(Process tool, String keys) throws IOException {
        OutputStream keyboard = tool.getOutputStream();
        keyboard.write(keys.getBytes(StandardCharsets.UTF_8));
        keyboard.flush();
    }

    /** Waits until the audit says something of the marked statement. */
    private static void told(Connection audit, String mark, String what) throws SQLException, InterruptedException {
        String sql = "SELECT 1 FROM basin.queries WHERE sql LIKE 'SELECT count%" + mark + "%' AND " + what;
        long end = System.nanoTime() + TimeUnit.SECONDS.toNanos(60);
        while (true) {
            try (Statement statement = audit.createStatement(); ResultSet result = statement.executeQuery(sql)) {
                if (result.next()) {
                    return;
                }
            }
            Expect.that(System.nanoTime() < end, "the audit does not say: " + what);
            TimeUnit.MILLISECONDS.sleep(300);
        }
    }
}
