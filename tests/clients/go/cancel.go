// The column cancel: by the context, by leaving the reader, and by the driver's time limit.
package main

import (
	"context"
	"fmt"
	"time"

	"github.com/apache/arrow-adbc/go/adbc"
	"github.com/apache/arrow-adbc/go/adbc/driver/flightsql"
)

// slow would run for hours. The marks tell the statements apart in the audit.
const slow = "SELECT sum(value %% 7) AS %s FROM generate_series(1, 1000000000000)"

const patience = 20 * time.Second

func cancelChecks() []check {
	return []check{
		{"cancel", "by the context", func(t *target) {
			connection := t.connect()
			defer connection.close()
			mark := marked("go_context")
			ctx, cancel := context.WithCancel(inTime())
			defer cancel()
			started := time.Now()
			timer := time.AfterFunc(time.Second, cancel)
			defer timer.Stop()
			refused(read(ctx, connection, fmt.Sprintf(slow, mark)), adbc.StatusCancelled, "")
			isTrue(time.Since(started) < patience, "cancelling took %v", time.Since(started))
			equal(connection.one("SELECT 1"), "1")
			endedAs(connection, mark, "cancelled")
		}},
		{"cancel", "by leaving the rows", func(t *target) {
			connection := t.connect()
			defer connection.close()
			mark := marked("go_left")
			statement, reader := connection.reader(
				"SELECT a.date, b.country AS " + mark + " FROM jhu.series a CROSS JOIN jhu.series b")
			defer statement.Close()
			isTrue(reader.Next(), "no rows: %v", reader.Err())
			started := time.Now()
			reader.Release()
			isTrue(time.Since(started) < patience, "leaving took %v", time.Since(started))
			equal(connection.one("SELECT 1"), "1")
			endedAs(connection, mark, "cancelled")
		}},
		{"-", "a query that ended well is not kept as cancelled", func(t *target) {
			connection := t.connect()
			defer connection.close()
			mark := marked("go_whole")
			equal(connection.one("SELECT count(*) AS "+mark+" FROM health.city"), "5247")
			endedAs(connection, mark, "ok")
		}},
		{"cancel", "by the time limit for fetching", func(t *target) {
			connection := t.connect()
			defer connection.close()
			mark := marked("go_limit")
			succeeds(connection.settings().SetOption(flightsql.OptionTimeoutFetch, "1"))
			refused(read(inTime(), connection, fmt.Sprintf(slow, mark)), adbc.StatusTimeout, "")
			other := t.connect()
			defer other.close()
			endedAs(other, mark, "cancelled")
		}},
	}
}

// marked gives a name that no other statement has.
func marked(kind string) string { return fmt.Sprintf("%s_%d", kind, time.Now().UnixNano()) }

// read runs a query to its end and gives the error that ended it.
func read(ctx context.Context, with *connection, sql string) error {
	statement := with.statement(sql)
	defer statement.Close()
	reader, _, err := statement.ExecuteQuery(ctx)
	if err != nil {
		return err
	}
	defer reader.Release()
	for reader.Next() {
	}
	return reader.Err()
}

// endedAs waits until the audit says how the marked statement ended.
func endedAs(with *connection, mark, outcome string) {
	sql := "SELECT DISTINCT outcome FROM basin.queries WHERE sql LIKE '%" + mark + "%' AND sql NOT LIKE '%basin.queries%'"
	var found [][]any
	for deadline := time.Now().Add(patience); time.Now().Before(deadline); time.Sleep(300 * time.Millisecond) {
		found = with.rows(sql)
		if len(found) == 1 && found[0][0] == outcome {
			return
		}
	}
	fail("the audit says %v, expected %s", found, outcome)
}
