// Writing into the user's sandbox: statements, and ingestion in each mode.
package main

import (
	"fmt"
	"strings"

	"github.com/apache/arrow-adbc/go/adbc"
	"github.com/apache/arrow-go/v18/arrow"
)

const sandbox = "sandbox_analyst"

func ingestChecks() []check {
	return []check{
		{"-", "statements change a table and say how many rows", func(t *target) {
			connection := t.connect()
			defer connection.close()
			connection.run("CREATE OR REPLACE TABLE go_written (n BIGINT NOT NULL, place VARCHAR)")
			equal(connection.run("INSERT INTO go_written VALUES (1, '武汉'), (2, '北京')"), int64(2))
			equal(connection.run("UPDATE go_written SET place = '上海' WHERE n = 2"), int64(1))
			equal(connection.run("DELETE FROM go_written WHERE n = 1"), int64(1))
			equal(connection.rows("SELECT n, place FROM "+sandbox+".go_written"), [][]any{{"2", "上海"}})
			connection.run("DROP TABLE go_written")
		}},
		{"-", "ingestion in each mode", ingestsInEachMode},
		{"-", "ingestion of each kind of value", ingestsEachKind},
	}
}

// ingest puts batches into a table of the sandbox; gives the rows that the server says it took.
func ingest(with *connection, table, mode string, batches ...arrow.RecordBatch) (int64, error) {
	statement := with.statement("")
	defer statement.Close()
	succeeds(statement.SetOption(adbc.OptionKeyIngestTargetTable, table))
	succeeds(statement.SetOption(adbc.OptionValueIngestTargetDBSchema, sandbox))
	succeeds(statement.SetOption(adbc.OptionKeyIngestMode, mode))
	if len(batches) == 1 {
		succeeds(statement.Bind(inTime(), batches[0]))
	} else {
		succeeds(statement.BindStream(inTime(), stream(batches...)))
	}
	return statement.ExecuteUpdate(inTime())
}

func ingestsInEachMode(t *target) {
	const rows = 50_000
	connection := t.connect()
	defer connection.close()
	connection.run("DROP TABLE IF EXISTS go_ingested")
	_, err := ingest(connection, "go_ingested", adbc.OptionValueIngestModeAppend, numbers(0, 2))
	refused(err, adbc.StatusNotFound, "go_ingested")
	for _, step := range []struct {
		mode  string
		times int // how often each row is there afterwards
	}{
		{adbc.OptionValueIngestModeCreate, 1},
		{adbc.OptionValueIngestModeAppend, 2},
		{adbc.OptionValueIngestModeReplace, 1},
		{adbc.OptionValueIngestModeCreateAppend, 2},
	} {
		equal(must(ingest(connection, "go_ingested", step.mode, numbers(0, rows/2), numbers(rows/2, rows/2))), int64(rows))
		equal(connection.rows("SELECT count(*), count(DISTINCT n), sum(n), max(place) FROM "+sandbox+".go_ingested"),
			[][]any{{fmt.Sprint(step.times * rows), fmt.Sprint(rows), fmt.Sprint(step.times * rows * (rows - 1) / 2), "武汉市"}})
	}
	_, err = ingest(connection, "go_ingested", adbc.OptionValueIngestModeCreate, numbers(0, 2))
	isTrue(err != nil && strings.Contains(err.Error(), "go_ingested"), "a table was made twice: %v", err)
	equal(connection.one("SELECT count(*) FROM "+sandbox+".go_ingested"), fmt.Sprint(2*rows))
	connection.run("DROP TABLE go_ingested")
}

func ingestsEachKind(t *target) {
	connection := t.connect()
	defer connection.close()
	values := batch(`[
		{"b": true, "i": -32768, "f": 0.1, "d": "-1.50", "s": "温州市", "day": "2020-02-29", "at": "2020-01-23 10:00:00.123456"},
		{"b": null, "i": null, "f": null, "d": null, "s": null, "day": null, "at": null}]`,
		column("b", arrow.FixedWidthTypes.Boolean), column("i", arrow.PrimitiveTypes.Int16),
		column("f", arrow.PrimitiveTypes.Float64), column("d", &arrow.Decimal128Type{Precision: 9, Scale: 2}),
		column("s", arrow.BinaryTypes.String), column("day", arrow.FixedWidthTypes.Date32),
		column("at", &arrow.TimestampType{Unit: arrow.Microsecond}))
	equal(must(ingest(connection, "go_kinds", adbc.OptionValueIngestModeReplace, values)), int64(2))
	equal(connection.rows("SELECT b, i, f, d, s, day, at FROM "+sandbox+".go_kinds ORDER BY b NULLS LAST"), [][]any{
		{"true", "-32768", "0.1", "-1.50", "温州市", "2020-02-29", "2020-01-23T10:00:00.123456"},
		{nil, nil, nil, nil, nil, nil, nil},
	})
	connection.run("DROP TABLE go_kinds")
}
