// The column parameters: prepared statements, bound to one row and to several.
package main

import (
	"github.com/apache/arrow-adbc/go/adbc"
	"github.com/apache/arrow-go/v18/arrow"
)

var (
	textColumn    = column("1", arrow.BinaryTypes.String)
	numberColumn  = column("1", arrow.PrimitiveTypes.Int64)
	secondText    = column("2", arrow.BinaryTypes.String)
	secondNumber  = column("2", arrow.PrimitiveTypes.Int64)
	dateColumn    = column("1", arrow.FixedWidthTypes.Date32)
	decimalColumn = column("1", &arrow.Decimal128Type{Precision: 9, Scale: 2})
)

func parameterChecks() []check {
	return []check{
		{"parameters", "question marks", func(t *target) {
			equal(bound(t, "SELECT confirmed FROM health.city WHERE bulletin = ? AND city = ? ORDER BY occurrence",
				batch(`[{"1": "2020-01-23浙江省", "2": "温州市"}]`, textColumn, secondText)), [][]any{{"6"}, {"1"}})
			equal(bound(t, "SELECT city FROM health.city WHERE confirmed > ? ORDER BY 1 LIMIT ?",
				batch(`[{"1": 10000, "2": 1}]`, numberColumn, secondNumber)), [][]any{{"武汉市"}})
		}},
		{"parameters", "numbered", func(t *target) {
			equal(bound(t, "SELECT name, $2 FROM ref.province WHERE code = $1 AND name <> $2",
				batch(`[{"1": "33", "2": "某省"}]`, textColumn, secondText)), [][]any{{"浙江省", "某省"}})
		}},
		{"parameters", "dates, decimals and NULL", func(t *target) {
			found := bound(t, "SELECT count(*) > 0 FROM health.city WHERE date = ?", batch(`[{"1": "2020-01-23"}]`, dateColumn))
			equal(found, [][]any{{"true"}})
			found = bound(t, "SELECT CAST(? AS DECIMAL(9, 2)) + 1", batch(`[{"1": "2.50"}]`, decimalColumn))
			equal(found, [][]any{{"3.50"}})
			found = bound(t, "SELECT count(*) FROM health.city WHERE city = ?", batch(`[{"1": null}]`, textColumn))
			equal(found, [][]any{{"0"}})
			found = bound(t, "SELECT CAST(? AS VARCHAR)", batch(`[{"1": "' OR 1 = 1 --"}]`, textColumn))
			equal(found, [][]any{{"' OR 1 = 1 --"}})
		}},
		{"parameters", "several rows", func(t *target) {
			codes := batch(`[{"1": "11"}, {"1": "99"}, {"1": "33"}]`, textColumn)
			equal(bound(t, "SELECT name FROM ref.province WHERE code = ?", codes), [][]any{{"北京市"}, {"浙江省"}})
		}},
		{"parameters", "a stream of batches", func(t *target) {
			connection, statement := prepared(t, "SELECT name FROM ref.province WHERE code = ?")
			defer connection.close()
			defer statement.Close()
			first, second := batch(`[{"1": "11"}]`, textColumn), batch(`[{"1": "33"}]`, textColumn)
			succeeds(statement.BindStream(inTime(), stream(first, second)))
			equal(fetched(statement), [][]any{{"北京市"}, {"浙江省"}})
		}},
		{"parameters", "bound again and again", func(t *target) {
			connection, statement := prepared(t, "SELECT name FROM ref.province WHERE code = ?")
			defer connection.close()
			defer statement.Close()
			for code, name := range map[string]string{"11": "北京市", "33": "浙江省"} {
				succeeds(statement.Bind(inTime(), batch(`[{"1": "`+code+`"}]`, textColumn)))
				equal(fetched(statement), [][]any{{name}})
			}
		}},
		{"parameters", "the types of the parameters are known", func(t *target) {
			connection, statement := prepared(t, "SELECT * FROM health.city WHERE confirmed > ? AND city = ?")
			defer connection.close()
			defer statement.Close()
			schema := must(statement.GetParameterSchema())
			equal([]arrow.DataType{schema.Field(0).Type, schema.Field(1).Type},
				[]arrow.DataType{arrow.PrimitiveTypes.Int64, arrow.BinaryTypes.String})
		}},
		{"parameters", "rows inserted by a bound statement", insertsBoundRows},
	}
}

func prepared(t *target, sql string) (*connection, adbc.Statement) {
	connection := t.connect()
	statement := connection.statement(sql)
	succeeds(statement.Prepare(inTime()))
	return connection, statement
}

// bound gives the rows of a prepared statement that is bound to a batch.
func bound(t *target, sql string, values arrow.RecordBatch) [][]any {
	connection, statement := prepared(t, sql)
	defer connection.close()
	defer statement.Close()
	succeeds(statement.Bind(inTime(), values))
	return fetched(statement)
}

func fetched(statement adbc.Statement) [][]any {
	reader, _, err := statement.ExecuteQuery(inTime())
	succeeds(err)
	return allRows(reader)
}

func insertsBoundRows(t *target) {
	connection := t.connect()
	defer connection.close()
	connection.run("CREATE OR REPLACE TABLE go_rows (n BIGINT, place VARCHAR)")
	statement := connection.statement("INSERT INTO go_rows VALUES (?, ?)")
	defer statement.Close()
	succeeds(statement.Prepare(inTime()))
	values := batch(`[{"1": 1, "2": "武汉"}, {"1": 2, "2": null}, {"1": null, "2": "北京"}]`, numberColumn, secondText)
	succeeds(statement.Bind(inTime(), values))
	equal(must(statement.ExecuteUpdate(inTime())), int64(3))
	equal(connection.rows("SELECT n, place FROM sandbox_analyst.go_rows ORDER BY n NULLS LAST"),
		[][]any{{"1", "武汉"}, {"2", nil}, {nil, "北京"}})
	connection.run("DROP TABLE go_rows")
}
