// The column error: what is wrong is said, with the status that fits.
package main

import "github.com/apache/arrow-adbc/go/adbc"

func errorChecks() []check {
	failing := func(sql string, code adbc.Status, says string) func(*target) {
		return func(t *target) {
			connection := t.connect()
			defer connection.close()
			refused(read(inTime(), connection, sql), code, says)
			equal(connection.one("SELECT 1"), "1")
		}
	}
	return []check{
		{"error", "an unknown column", failing("SELECT no_such_column FROM health.city", adbc.StatusInvalidArgument, "no_such_column")},
		{"error", "an unknown table", failing("SELECT * FROM health.village", adbc.StatusNotFound, "health.village")},
		{"error", "not SQL", failing("GIVE 1", adbc.StatusInvalidArgument, "GIVE")},
		{"error", "a table that is read only", failing("DROP TABLE health.city", adbc.StatusInvalidArgument, "read")},
		{"error", "a value that fails while rows arrive", failing(
			"SELECT CAST(CASE WHEN value < 2999999 THEN '1' ELSE 'one' END AS BIGINT) FROM generate_series(1, 3000000)",
			adbc.StatusInvalidArgument, "one")},
		{"error", "an unknown column in a prepared statement", func(t *target) {
			connection := t.connect()
			defer connection.close()
			statement := connection.statement("SELECT no_such_column FROM health.city WHERE city = ?")
			defer statement.Close()
			refused(statement.Prepare(inTime()), adbc.StatusInvalidArgument, "no_such_column")
		}},
	}
}
