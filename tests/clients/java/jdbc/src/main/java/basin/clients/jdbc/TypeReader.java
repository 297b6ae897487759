package basin.clients.jdbc;

import basin.clients.common.Canonical;
import basin.clients.common.Target;
import basin.clients.common.TypeEntry;
import java.math.BigDecimal;
import java.sql.Array;
import java.sql.Connection;
import java.sql.ResultSet;
import java.sql.SQLException;
import java.sql.Statement;
import java.sql.Time;
import java.time.Duration;
import java.time.Instant;
import java.time.LocalDateTime;
import java.time.LocalTime;
import java.time.Period;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;

/** Reads the values of each type with the getter that keeps most of it, as canonical texts. */
final class TypeReader {
    private TypeReader() {}

    static List<Object> read(Target target, TypeEntry entry) throws SQLException {
        List<Object> texts = new ArrayList<>();
        try (Connection connection = Jdbc.connect(target);
                Statement statement = connection.createStatement();
                ResultSet result = statement.executeQuery(entry.query())) {
            while (result.next()) {
                Object text = text(result, entry);
                texts.add(result.wasNull() ? null : text);
            }
        }
        return texts;
    }

    private static Object text(ResultSet result, TypeEntry entry) throws SQLException {
        String type = entry.type().replaceAll("[(].*", "");
        switch (type) {
            case "Boolean":
                return String.valueOf(result.getBoolean(1));
            case "UInt8":
                return String.valueOf(Byte.toUnsignedInt(result.getByte(1)));
            case "UInt32":
                return Integer.toUnsignedString(result.getInt(1));
            case "Float16", "Float32":
                return String.valueOf(result.getFloat(1));
            case "Float64":
                return String.valueOf(result.getDouble(1));
            case "Decimal32", "Decimal64", "Decimal128", "Decimal256":
                BigDecimal decimal = result.getBigDecimal(1);
                return decimal == null ? null : decimal.toPlainString();
            case "Binary", "LargeBinary", "BinaryView", "FixedSizeBinary":
                byte[] bytes = result.getBytes(1);
                return bytes == null ? null : Canonical.hex(bytes);
            case "Time32", "Time64":
                // Its milliseconds are right; its text is in the JVM's zone, and getObject(1, LocalTime.class) fails for NULL.
                Time time = result.getTime(1);
                LocalTime local = time == null ? null : LocalTime.ofNanoOfDay(time.getTime() * 1_000_000);
                return time == null ? null : Canonical.time(local, entry.digits());
            case "Timestamp":
                return timestamp(result, entry);
            case "Duration":
                Duration duration = (Duration) result.getObject(1);
                return duration == null ? null : Canonical.duration(duration, entry);
            case "Interval":
                return interval(result);
            case "List", "LargeList", "FixedSizeList":
                Array array = result.getArray(1);
                return array == null ? null : nested(array.getArray(), false);
            case "Struct", "Map":
                return nested(result.getObject(1), type.equals("Map"));
            default:
                // Text, dates and integers: only getString keeps unsigned ones and early dates.
                return result.getString(1);
        }
    }

    private static String timestamp(ResultSet result, TypeEntry entry) throws SQLException {
        if (entry.isZoned()) {
            Instant moment = result.getObject(1, Instant.class);
            return moment == null ? null : Canonical.moment(moment, entry.digits());
        }
        LocalDateTime time = result.getObject(1, LocalDateTime.class);
        return time == null ? null : Canonical.timestamp(time, entry.digits());
    }

    private static String interval(ResultSet result) throws SQLException {
        Object value = result.getObject(1);
        if (value == null) {
            return null;
        }
        if (value instanceof Period period) {
            return Canonical.interval(period.toTotalMonths(), period.getDays(), 0);
        }
        if (value instanceof Duration duration) {
            return Canonical.interval(0, duration.toDays(), duration.minusDays(duration.toDays()).toNanos());
        }
        // A class of the driver's own, but getString gives what Java's can parse: P14M3DT0.000000005S
        String[] parts = result.getString(1).split("(?=T)", 2);
        Period period = parts[0].equals("P") ? Period.ZERO : Period.parse(parts[0]);
        Duration time = parts.length == 1 ? Duration.ZERO : Duration.parse("P" + parts[1]);
        return Canonical.interval(period.toTotalMonths(), period.getDays(), time.toNanos());
    }

    private static Object nested(Object value, boolean pairs) {
        if (value == null) {
            return null;
        }
        if (value instanceof Object[] items) {
            return nested(Arrays.asList(items), false);
        }
        if (value instanceof List<?> items) {
            List<Object> texts = new ArrayList<>();
            items.forEach(item -> texts.add(nested(item, false)));
            return texts;
        }
        if (value instanceof Map<?, ?> map && pairs) {
            List<Object> texts = new ArrayList<>();
            map.forEach((key, item) -> texts.add(Arrays.asList(nested(key, false), nested(item, false))));
            return texts;
        }
        if (value instanceof Map<?, ?> map) {
            Map<String, Object> texts = new LinkedHashMap<>();
            map.forEach((key, item) -> texts.put(key.toString(), nested(item, false)));
            return texts;
        }
        return value.toString();
    }
}
