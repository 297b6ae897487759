package basin.clients.common;

import java.time.Duration;
import java.time.Instant;
import java.time.LocalDateTime;
import java.time.LocalTime;
import java.time.ZoneOffset;
import java.time.format.DateTimeFormatter;
import java.time.format.DateTimeFormatterBuilder;
import java.time.temporal.ChronoField;
import java.util.HexFormat;

/** Canonical texts of values, as types.json has them. */
public final class Canonical {
    private static final long NANOS = 1_000_000_000;

    private Canonical() {}

    public static String hex(byte[] bytes) {
        return HexFormat.of().formatHex(bytes);
    }

    public static String time(LocalTime time, int digits) {
        return formatter("HH:mm:ss", digits).format(time);
    }

    public static String timestamp(LocalDateTime time, int digits) {
        return formatter("uuuu-MM-dd'T'HH:mm:ss", digits).format(time);
    }

    public static String moment(Instant moment, int digits) {
        return timestamp(LocalDateTime.ofInstant(moment, ZoneOffset.UTC), digits) + "Z";
    }

    /** The number of a unit in a duration, and the unit. */
    public static String duration(Duration duration, TypeEntry entry) {
        long perUnit = NANOS / (long) Math.pow(10, entry.digits());
        return duration.toNanos() / perUnit + entry.unit();
    }

    public static String interval(long months, long days, long nanoseconds) {
        return months + "," + days + "," + nanoseconds;
    }

    private static DateTimeFormatter formatter(String seconds, int digits) {
        DateTimeFormatterBuilder builder = new DateTimeFormatterBuilder().appendPattern(seconds);
        if (digits > 0) {
            builder.appendFraction(ChronoField.NANO_OF_SECOND, digits, digits, true);
        }
        return builder.toFormatter();
    }
}
