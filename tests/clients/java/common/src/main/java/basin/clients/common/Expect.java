package basin.clients.common;

import java.util.Collection;
import java.util.Objects;
import java.util.Set;

/** Comparisons that throw when they don't hold. */
public final class Expect {
    /** Seconds within which something that was cancelled must have ended. */
    public static final double SOON = 15;

    private Expect() {}

    public static void equal(Object found, Object expected) {
        if (!Objects.equals(found, expected)) {
            throw new AssertionError("found " + show(found) + ", expected " + show(expected));
        }
    }

    public static void that(boolean holds, String what) {
        if (!holds) {
            throw new AssertionError(what);
        }
    }

    public static void contains(Collection<String> found, String... expected) {
        that(found.containsAll(Set.of(expected)), "found " + found + ", without some of " + Set.of(expected));
    }

    public static void contains(String found, String expected) {
        that(found != null && found.contains(expected), "found " + show(found) + ", without " + show(expected));
    }

    /** Runs what must fail; gives the messages of the exception and of all its causes. */
    public static String fails(Checks.Body body) {
        try {
            body.run();
        } catch (Exception error) {
            return messages(error);
        }
        throw new AssertionError("it did not fail");
    }

    /** The messages of an exception and of all its causes. */
    public static String messages(Throwable error) {
        StringBuilder all = new StringBuilder();
        for (Throwable cause = error; cause != null; cause = cause.getCause()) {
            all.append(cause).append('\n');
        }
        return all.toString();
    }

    /** Runs what must end soon. */
    public static void soon(Checks.Body body) throws Exception {
        long start = System.nanoTime();
        body.run();
        double seconds = (System.nanoTime() - start) / 1e9;
        that(seconds < SOON, "it took " + seconds + " s");
    }

    private static String show(Object value) {
        return value instanceof String text ? "\"" + text + "\"" : String.valueOf(value);
    }
}
