package basin.clients.adbc;

import basin.clients.common.Canonical;
import java.math.BigDecimal;
import java.time.Duration;
import java.time.Instant;
import java.time.LocalDate;
import java.time.LocalDateTime;
import java.time.LocalTime;
import java.time.Period;
import java.time.ZoneOffset;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import org.apache.arrow.vector.DateDayVector;
import org.apache.arrow.vector.DateMilliVector;
import org.apache.arrow.vector.DurationVector;
import org.apache.arrow.vector.FieldVector;
import org.apache.arrow.vector.IntervalDayVector;
import org.apache.arrow.vector.IntervalMonthDayNanoVector;
import org.apache.arrow.vector.IntervalYearVector;
import org.apache.arrow.vector.PeriodDuration;
import org.apache.arrow.vector.TimeMicroVector;
import org.apache.arrow.vector.TimeMilliVector;
import org.apache.arrow.vector.TimeNanoVector;
import org.apache.arrow.vector.TimeSecVector;
import org.apache.arrow.vector.TimeStampVector;
import org.apache.arrow.vector.UInt1Vector;
import org.apache.arrow.vector.UInt2Vector;
import org.apache.arrow.vector.UInt4Vector;
import org.apache.arrow.vector.UInt8Vector;
import org.apache.arrow.vector.ValueVector;
import org.apache.arrow.vector.complex.BaseListVector;
import org.apache.arrow.vector.complex.MapVector;
import org.apache.arrow.vector.complex.StructVector;
import org.apache.arrow.vector.types.TimeUnit;
import org.apache.arrow.vector.types.pojo.ArrowType;

/** The canonical texts of the values in Arrow's vectors. */
final class ArrowText {
    private static final long NANOS = 1_000_000_000;

    private ArrowText() {}

    /** The text of a value; null for NULL. */
    static Object of(ValueVector vector, int index) {
        if (vector.isNull(index)) {
            return null;
        }
        if (vector instanceof BaseListVector list) {
            return list(list, index);
        }
        if (vector instanceof StructVector struct) {
            Map<String, Object> fields = new LinkedHashMap<>();
            for (FieldVector child : struct.getChildrenFromFields()) {
                fields.put(child.getName(), of(child, index));
            }
            return fields;
        }
        if (vector instanceof TimeStampVector timestamps) {
            return timestamp(timestamps, index);
        }
        return scalar(vector, index);
    }

    private static Object list(BaseListVector list, int index) {
        ValueVector items = ((FieldVector) list).getChildrenFromFields().get(0);
        List<Object> texts = new ArrayList<>();
        for (int i = list.getElementStartIndex(index); i < list.getElementEndIndex(index); i++) {
            if (list instanceof MapVector) {
                List<FieldVector> pair = ((StructVector) items).getChildrenFromFields();
                texts.add(Arrays.asList(of(pair.get(0), i), of(pair.get(1), i)));
            } else {
                texts.add(of(items, i));
            }
        }
        return texts;
    }

    private static String timestamp(TimeStampVector vector, int index) {
        ArrowType.Timestamp type = (ArrowType.Timestamp) vector.getField().getType();
        int digits = digits(type.getUnit());
        long perSecond = (long) Math.pow(10, digits);
        long value = vector.get(index);
        long fraction = Math.floorMod(value, perSecond);
        Instant moment = Instant.ofEpochSecond(Math.floorDiv(value, perSecond), fraction * (NANOS / perSecond));
        return type.getTimezone() == null
                ? Canonical.timestamp(LocalDateTime.ofInstant(moment, ZoneOffset.UTC), digits)
                : Canonical.moment(moment, digits);
    }

    private static int digits(TimeUnit unit) {
        return switch (unit) {
            case SECOND -> 0;
            case MILLISECOND -> 3;
            case MICROSECOND -> 6;
            case NANOSECOND -> 9;
        };
    }

    private static String scalar(ValueVector vector, int index) {
        if (vector instanceof UInt1Vector numbers) {
            return String.valueOf(numbers.getObjectNoOverflow(index));
        } else if (vector instanceof UInt2Vector numbers) {
            return String.valueOf((int) numbers.getObject(index));
        } else if (vector instanceof UInt4Vector numbers) {
            return String.valueOf(numbers.getObjectNoOverflow(index));
        } else if (vector instanceof UInt8Vector numbers) {
            return numbers.getObjectNoOverflow(index).toString();
        } else if (vector instanceof DateDayVector dates) {
            return LocalDate.ofEpochDay(dates.get(index)).toString();
        } else if (vector instanceof DateMilliVector dates) {
            return dates.getObject(index).toLocalDate().toString();
        } else if (vector instanceof TimeSecVector times) {
            return time(times.get(index), 0);
        } else if (vector instanceof TimeMilliVector times) {
            return time(times.get(index), 3);
        } else if (vector instanceof TimeMicroVector times) {
            return time(times.get(index), 6);
        } else if (vector instanceof TimeNanoVector times) {
            return time(times.get(index), 9);
        } else if (vector instanceof DurationVector durations) {
            return duration(durations, index);
        } else if (vector instanceof IntervalYearVector intervals) {
            return Canonical.interval(intervals.get(index), 0, 0);
        } else if (vector instanceof IntervalDayVector intervals) {
            int days = IntervalDayVector.getDays(intervals.getDataBuffer(), index);
            long milliseconds = IntervalDayVector.getMilliseconds(intervals.getDataBuffer(), index);
            return Canonical.interval(0, days, milliseconds * 1_000_000);
        } else if (vector instanceof IntervalMonthDayNanoVector intervals) {
            PeriodDuration value = intervals.getObject(index);
            Period period = value.getPeriod();
            return Canonical.interval(period.toTotalMonths(), period.getDays(), value.getDuration().toNanos());
        }
        Object value = vector.getObject(index);
        return value instanceof byte[] bytes ? Canonical.hex(bytes)
                : value instanceof BigDecimal decimal ? decimal.toPlainString()
                : value.toString();
    }

    private static String time(long value, int digits) {
        return Canonical.time(LocalTime.ofNanoOfDay(value * (NANOS / (long) Math.pow(10, digits))), digits);
    }

    private static String duration(DurationVector vector, int index) {
        TimeUnit unit = ((ArrowType.Duration) vector.getField().getType()).getUnit();
        Duration value = vector.getObject(index);
        String name = switch (unit) {
            case SECOND -> "s";
            case MILLISECOND -> "ms";
            case MICROSECOND -> "us";
            case NANOSECOND -> "ns";
        };
        return value.toNanos() / (NANOS / (long) Math.pow(10, digits(unit))) + name;
    }
}
