package basin.clients.sqlline;

import basin.clients.common.Canonical;
import basin.clients.common.TypeEntry;
import com.fasterxml.jackson.core.JsonProcessingException;
import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import java.math.BigDecimal;
import java.sql.Timestamp;
import java.time.Duration;
import java.time.LocalDateTime;
import java.time.LocalTime;
import java.time.Period;
import java.time.ZoneId;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;

/** From what the tool shows to canonical texts. */
final class ShownText {
    private ShownText() {}

    static Object canonical(String shown, TypeEntry entry) throws JsonProcessingException {
        if (shown.equals(Sqlline.NULL)) {
            return null;
        }
        String type = entry.type().replaceAll("[(].*", "");
        switch (type) {
            case "Decimal32", "Decimal64", "Decimal128", "Decimal256":
                return new BigDecimal(shown).toPlainString();
            case "Time32", "Time64":
                return Canonical.time(LocalTime.parse(shown), entry.digits());
            case "Timestamp":
                LocalDateTime time = Timestamp.valueOf(shown).toLocalDateTime();
                return entry.isZoned()
                        ? Canonical.moment(time.atZone(ZoneId.of(zone(entry))).toInstant(), entry.digits())
                        : Canonical.timestamp(time, entry.digits());
            case "Duration":
                return Canonical.duration(Duration.parse(shown), entry);
            case "Interval":
                return interval(shown);
            case "List", "LargeList", "FixedSizeList", "Struct", "Map":
                return nested(new ObjectMapper().readTree(shown), type.equals("Map"));
            default:
                return shown;
        }
    }

    private static String zone(TypeEntry entry) {
        return entry.type().replaceAll(".*, (.*)\\)", "$1");
    }

    /** A period, a duration, or both with a space between. */
    private static String interval(String shown) {
        String[] parts = shown.split(" ");
        Period period = parts[0].startsWith("PT") ? Period.ZERO : Period.parse(parts[0]);
        String last = parts[parts.length - 1];
        Duration time = last.startsWith("PT") ? Duration.parse(last) : Duration.ZERO;
        // Without a period, whole days are hours of the duration.
        long days = parts.length == 1 ? time.toDays() : 0;
        return Canonical.interval(period.toTotalMonths(), period.getDays() + days, time.minusDays(days).toNanos());
    }

    private static Object nested(JsonNode node, boolean pairs) {
        if (node.isNull()) {
            return null;
        }
        if (node.isArray()) {
            List<Object> items = new ArrayList<>();
            node.forEach(item -> items.add(nested(item, false)));
            return items;
        }
        if (node.isObject() && pairs) {
            List<Object> items = new ArrayList<>();
            node.fields().forEachRemaining(field -> items.add(Arrays.asList(field.getKey(), nested(field.getValue(), false))));
            return items;
        }
        if (node.isObject()) {
            Map<String, Object> fields = new LinkedHashMap<>();
            node.fields().forEachRemaining(field -> fields.put(field.getKey(), nested(field.getValue(), false)));
            return fields;
        }
        return node.asText();
    }
}
