package basin.clients.jdbc;

import basin.clients.common.Limit;
import java.util.LinkedHashMap;
import java.util.Map;
import java.util.Objects;

/** Types that the driver can't give whole, by any getter. The same values arrive whole through other clients. */
final class TypeLimits {
    private static final String TIMES = "every getter of a TIME goes through milliseconds";
    private static final String STRUCTS = "the Map of a struct lacks the fields that are NULL";

    static final Map<String, Limit> ALL = Map.of(
            "Time64(us)", new Limit(TIMES, TypeLimits::microseconds),
            "Time64(ns)", new Limit(TIMES, TypeLimits::nanoseconds),
            "Struct", new Limit(STRUCTS, TypeLimits::withoutNulls));

    private TypeLimits() {}

    private static Object microseconds(Object text) {
        return ((String) text).replaceFirst("(\\.\\d{3})\\d{3}$", "$1000");
    }

    private static Object withoutNulls(Object struct) {
        Map<?, ?> fields = new LinkedHashMap<>((Map<?, ?>) struct);
        fields.values().removeIf(Objects::isNull);
        return fields;
    }

    private static Object nanoseconds(Object text) {
        return ((String) text).replaceFirst("(\\.\\d{3})\\d{6}$", "$1000000");
    }
}
