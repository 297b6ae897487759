// The columns query and large: figures of the pack, schemas, and results of millions of rows.
package main

import (
	"fmt"
	"strings"

	"github.com/apache/arrow-adbc/go/adbc"
	"github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/arrow-go/v18/arrow/array"
)

func queryChecks() []check {
	return []check{
		{"query", "figures of the pack", func(t *target) {
			connection := t.connect()
			defer connection.close()
			equal(connection.one("SELECT count(*) FROM health.city"), "5247")
			equal(connection.one("SELECT count(*) FROM jhu.series"), "101010")
			equal(connection.rows("SELECT code, name FROM ref.province WHERE code IN ('110000', '330000', '11', '33') ORDER BY code"),
				[][]any{{"11", "北京市"}, {"33", "浙江省"}})
		}},
		{"query", "an empty result keeps its schema", func(t *target) {
			connection := t.connect()
			defer connection.close()
			statement, reader := connection.reader("SELECT code, name FROM ref.province WHERE false")
			defer statement.Close()
			equal(fieldNames(reader.Schema()), []string{"code", "name"})
			equal(allRows(reader), [][]any{})
		}},
		{"query", "a schema without running the query", func(t *target) {
			connection := t.connect()
			defer connection.close()
			statement := connection.statement("SELECT date, sum(confirmed) AS n FROM health.city GROUP BY date")
			defer statement.Close()
			schema := must(statement.(adbc.StatementExecuteSchema).ExecuteSchema(inTime()))
			equal(fieldNames(schema), []string{"date", "n"})
		}},
		{"query", "types on the wire are plain", func(t *target) {
			connection := t.connect()
			defer connection.close()
			statement, reader := connection.reader("SELECT name, upper(name) AS u, name || 'x' AS x, X'00' AS b FROM ref.province")
			defer statement.Close()
			plain := []arrow.DataType{}
			for _, field := range reader.Schema().Fields() {
				plain = append(plain, field.Type)
			}
			reader.Release()
			text := arrow.BinaryTypes.String
			equal(plain, []arrow.DataType{text, text, text, arrow.BinaryTypes.Binary})
		}},
		{"large", "millions of rows arrive whole", large},
		{"large", "values of megabytes arrive", func(t *target) {
			connection := t.connect()
			defer connection.close()
			isTrue(connection.one("SELECT repeat('浙', 1000000)") == strings.Repeat("浙", 1000000), "another text")
			equal(len(connection.rows("SELECT repeat('x', 1000000) AS v FROM ref.province")), 31)
		}},
	}
}

func large(t *target) {
	connection := t.connect()
	defer connection.close()
	statement, reader := connection.reader(
		"SELECT a.date, a.country, a.province, a.confirmed, b.code FROM jhu.series a CROSS JOIN ref.province b")
	defer statement.Close()
	defer reader.Release()
	rows, confirmed := int64(0), int64(0)
	for reader.Next() {
		batch := reader.RecordBatch()
		rows += batch.NumRows()
		column := batch.Column(3).(*array.Int64)
		for i := range column.Len() {
			if column.IsValid(i) {
				confirmed += column.Value(i)
			}
		}
	}
	succeeds(reader.Err())
	equal(rows, int64(3131310))
	equal(fmt.Sprint(confirmed), connection.one("SELECT 31 * sum(confirmed) FROM jhu.series"))
}

func fieldNames(schema *arrow.Schema) []string {
	found := []string{}
	for _, field := range schema.Fields() {
		found = append(found, field.Name)
	}
	return found
}
