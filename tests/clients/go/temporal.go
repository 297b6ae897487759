// Dates, times, timestamps, durations and intervals as canonical text.
package main

import (
	"fmt"
	"time"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/arrow-go/v18/arrow/array"
)

func temporal(column arrow.Array, i int) string {
	switch values := column.(type) {
	case *array.Date32:
		return time.Unix(int64(values.Value(i))*86400, 0).UTC().Format(time.DateOnly)
	case *array.Date64:
		return time.UnixMilli(int64(values.Value(i))).UTC().Format(time.DateOnly)
	case *array.Time32:
		return moment(int64(values.Value(i)), values.DataType().(*arrow.Time32Type).Unit, time.TimeOnly)
	case *array.Time64:
		return moment(int64(values.Value(i)), values.DataType().(*arrow.Time64Type).Unit, time.TimeOnly)
	case *array.Timestamp:
		kind := values.DataType().(*arrow.TimestampType)
		text := moment(int64(values.Value(i)), kind.Unit, "2006-01-02T15:04:05")
		if kind.TimeZone != "" {
			text += "Z"
		}
		return text
	case *array.Duration:
		return fmt.Sprintf("%d%s", values.Value(i), values.DataType().(*arrow.DurationType).Unit)
	case *array.MonthInterval:
		return interval(int64(values.Value(i)), 0, 0)
	case *array.DayTimeInterval:
		found := values.Value(i)
		return interval(0, int64(found.Days), int64(found.Milliseconds)*1_000_000)
	case *array.MonthDayNanoInterval:
		found := values.Value(i)
		return interval(int64(found.Months), int64(found.Days), found.Nanoseconds)
	}
	return ""
}

func interval(months, days, nanoseconds int64) string {
	return fmt.Sprintf("%d,%d,%d", months, days, nanoseconds)
}

// moment writes a count of units since 1970 with as many digits of a second as the unit has.
func moment(count int64, unit arrow.TimeUnit, layout string) string {
	digits := map[arrow.TimeUnit]int{arrow.Second: 0, arrow.Millisecond: 3, arrow.Microsecond: 6, arrow.Nanosecond: 9}[unit]
	perSecond := int64(1)
	for range digits {
		perSecond *= 10
	}
	seconds, fraction := count/perSecond, count%perSecond
	if fraction < 0 {
		seconds, fraction = seconds-1, fraction+perSecond
	}
	text := time.Unix(seconds, 0).UTC().Format(layout)
	if digits > 0 {
		text += fmt.Sprintf(".%0*d", digits, fraction)
	}
	return text
}
