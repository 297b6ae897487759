package basin.clients.common;

import java.io.PrintStream;
import java.nio.charset.StandardCharsets;
import java.util.logging.LogManager;

/** Runs checks one by one, prints a line for each, and counts them: see the README of the client programs. */
public final class Checks {
    /** What a check does; it fails by throwing. */
    @FunctionalInterface
    public interface Body {
        void run() throws Exception;
    }

    private static final int STACK_LINES = 6;

    private final String only;
    private final PrintStream out = new PrintStream(System.out, true, StandardCharsets.UTF_8);
    private int passed;
    private int failed;

    /** Takes the program's arguments: a part of a column or a name, to run only such checks. */
    public Checks(String... arguments) {
        only = arguments.length == 0 ? "" : arguments[0];
        // The drivers log what they throw, too.
        LogManager.getLogManager().reset();
    }

    /** Runs a check of a column of the matrix. */
    public void check(String column, String name, Body body) {
        String title = column + ": " + name;
        if (!title.contains(only)) {
            return;
        }
        long start = System.nanoTime();
        try {
            body.run();
        } catch (Exception | LinkageError | AssertionError error) {
            failed++;
            out.println("FAILED " + title);
            printCause(error);
            return;
        }
        passed++;
        out.printf("passed %s (%.2f s)%n", title, (System.nanoTime() - start) / 1e9);
    }

    /** Says that the client itself can't do what a column asks for. */
    public void absent(String column, String reason) {
        out.println("absent " + column + ": " + reason);
    }

    /** Says which version of the client this is. */
    public void version(String text) {
        out.println("version " + text);
    }

    /** Prints the counts and ends the program. */
    public void finish() {
        out.println(passed + " passed, " + failed + " failed");
        System.exit(failed == 0 ? 0 : 1);
    }

    private void printCause(Throwable error) {
        for (Throwable cause = error; cause != null; cause = cause.getCause()) {
            out.println("  " + cause.toString().replace("\n", "\n  "));
        }
        StackTraceElement[] stack = error.getStackTrace();
        for (int i = 0; i < Math.min(STACK_LINES, stack.length); i++) {
            out.println("    at " + stack[i]);
        }
    }
}
