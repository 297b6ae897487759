package basin.clients.sqlline;

import basin.clients.common.Limit;
import java.math.BigInteger;
import java.nio.charset.StandardCharsets;
import java.util.HashMap;
import java.util.HexFormat;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Objects;

/** Types that the tool, or the driver below it, can't show whole. The same values arrive whole through other clients. */
final class ShownLimits {
    private ShownLimits() {}

    static Map<String, Limit> all() {
        Map<String, Limit> limits = new HashMap<>();
        for (int bits : List.of(8, 16, 32, 64)) {
            limits.put("UInt" + bits, new Limit("integers are read with getObject, which is signed", text -> signed(text, bits)));
        }
        for (String type : List.of("Binary", "LargeBinary", "BinaryView", "FixedSizeBinary(4)")) {
            limits.put(type, new Limit("bytes are shown as if they were UTF-8", ShownLimits::asUtf8));
        }
        String times = "every getter of a TIME goes through milliseconds";
        limits.put("Time64(us)", new Limit(times, text -> ((String) text).replaceFirst("(\\.\\d{3})\\d{3}$", "$1000")));
        limits.put("Time64(ns)", new Limit(times, text -> ((String) text).replaceFirst("(\\.\\d{3})\\d{6}$", "$1000000")));
        limits.put("Struct", new Limit("the driver's Map of a struct lacks the fields that are NULL", ShownLimits::withoutNulls));
        return limits;
    }

    private static Object signed(Object text, int bits) {
        BigInteger value = new BigInteger((String) text);
        return value.testBit(bits - 1) ? value.subtract(BigInteger.ONE.shiftLeft(bits)).toString() : text;
    }

    private static Object asUtf8(Object hex) {
        return new String(HexFormat.of().parseHex((String) hex), StandardCharsets.UTF_8);
    }

    private static Object withoutNulls(Object struct) {
        Map<?, ?> fields = new LinkedHashMap<>((Map<?, ?>) struct);
        fields.values().removeIf(Objects::isNull);
        return fields;
    }
}
