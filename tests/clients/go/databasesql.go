// Go's own database/sql over the driver: what most programs in Go ask databases with.
package main

import (
	"database/sql"
	"fmt"
	"time"

	_ "github.com/apache/arrow-adbc/go/adbc/sqldriver/flightsql"
)

func databaseSQLChecks() []check {
	return []check{
		{"-", "database/sql: a query with parameters", func(t *target) {
			database := t.openDatabaseSQL()
			defer database.Close()
			// Prepared first: what database.Query binds by itself, the driver takes for rows to ingest.
			statement := must(database.PrepareContext(inTime(),
				"SELECT date, confirmed FROM health.city WHERE bulletin = ? AND city = ? ORDER BY occurrence"))
			defer statement.Close()
			var date time.Time
			var confirmed int64
			rows := [][]any{}
			scan(must(statement.QueryContext(inTime(), "2020-01-23浙江省", "温州市")), func() {
				rows = append(rows, []any{date.Format(time.DateOnly), confirmed})
			}, &date, &confirmed)
			equal(rows, [][]any{{"2020-01-23", int64(6)}, {"2020-01-23", int64(1)}})
		}},
		{"-", "database/sql: rows inserted and read back", func(t *target) {
			database := t.openDatabaseSQL()
			defer database.Close()
			must(database.ExecContext(inTime(), "CREATE OR REPLACE TABLE go_database_sql (n BIGINT, place VARCHAR)"))
			made := must(database.ExecContext(inTime(), "INSERT INTO go_database_sql VALUES (?, ?)", int64(1), "武汉"))
			equal(must(made.RowsAffected()), int64(1))
			var n int64
			var place sql.NullString
			rows := [][]any{}
			must(database.ExecContext(inTime(), "INSERT INTO go_database_sql VALUES (?, NULL)", int64(2)))
			scan(must(database.QueryContext(inTime(), "SELECT n, place FROM "+sandbox+".go_database_sql ORDER BY n")), func() {
				rows = append(rows, []any{n, place})
			}, &n, &place)
			equal(rows, [][]any{{int64(1), sql.NullString{String: "武汉", Valid: true}}, {int64(2), sql.NullString{}}})
			must(database.ExecContext(inTime(), "DROP TABLE go_database_sql"))
		}},
	}
}

func (t *target) openDatabaseSQL() *sql.DB {
	return must(sql.Open("flightsql", fmt.Sprintf("uri=grpc://%s;username=%s;password=%s", t.address, t.user, t.password)))
}

// scan reads to the end, into the same places for each row.
func scan(rows *sql.Rows, each func(), into ...any) {
	defer rows.Close()
	for rows.Next() {
		succeeds(rows.Scan(into...))
		each()
	}
	succeeds(rows.Err())
}
