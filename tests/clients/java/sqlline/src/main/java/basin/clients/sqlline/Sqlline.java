package basin.clients.sqlline;

import basin.clients.common.Expect;
import basin.clients.common.Target;
import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.TimeUnit;

/** Runs the tool as a process of its own, with a script of lines as a person would type them. */
final class Sqlline {
    /** What NULL is shown as. */
    static final String NULL = "(null)";

    private static final long PATIENCE_SECONDS = 120;

    /** What the tool printed. */
    record Output(String printed, String errors) {
        List<List<String>> table() {
            return Csv.parse(printed);
        }
    }

    private Sqlline() {}

    /** The URL of the server without TLS, or of another with the driver's properties. */
    static String url(Target target) {
        return url(target.address, "useEncryption=false");
    }

    static String url(String address, String properties) {
        return "jdbc:arrow-flight-sql://" + address + "/?" + properties;
    }

    static Output run(Target target, String... lines) throws Exception {
        return run(url(target), target.user, target.password, List.of(lines));
    }

    static Output run(String url, String user, String password, List<String> lines) throws Exception {
        Path script = Files.createTempFile("basin-sqlline", ".sql");
        Path printed = Files.createTempFile("basin-sqlline", ".out");
        Path errors = Files.createTempFile("basin-sqlline", ".err");
        try {
            Files.write(script, lines, StandardCharsets.UTF_8);
            List<String> command = command(url, user, password);
            command.add("--run=" + script);
            Process process = new ProcessBuilder(command)
                    .redirectInput(ProcessBuilder.Redirect.from(Path.of("/dev/null").toFile()))
                    .redirectOutput(printed.toFile())
                    .redirectError(errors.toFile())
                    .start();
            ended(process);
            return new Output(Files.readString(printed), Files.readString(errors));
        } finally {
            for (Path file : List.of(script, printed, errors)) {
                Files.delete(file);
            }
        }
    }

    /** The tool's command line. */
    static List<String> command(String url, String user, String password) {
        // In UTC, since the driver's times and timestamps are shifted elsewhere.
        return new ArrayList<>(List.of(
                Path.of(System.getProperty("java.home"), "bin", "java").toString(),
                "--add-opens=java.base/java.nio=ALL-UNNAMED", "-Duser.timezone=UTC", "-Dfile.encoding=UTF-8",
                "-cp", System.getProperty("java.class.path"), "sqlline.SqlLine",
                "-u", url, "-n", user, "-p", password,
                "--outputFormat=csv", "--silent=true", "--force=true", "--nullValue=" + NULL));
    }

    static void ended(Process process) throws InterruptedException, IOException {
        try {
            Expect.that(process.waitFor(PATIENCE_SECONDS, TimeUnit.SECONDS), "the tool did not end");
        } finally {
            process.destroyForcibly();
        }
    }
}
