// Results in partitions: all at once, and as they come while the server is polled.
package main

import (
	"github.com/apache/arrow-adbc/go/adbc"
)

const citiesByDate = "SELECT date, count(*) AS n FROM health.city GROUP BY date"

func partitionChecks() []check {
	return []check{
		{"query", "partitions are read by another connection", func(t *target) {
			connection, other := t.connect(), t.connect()
			defer connection.close()
			defer other.close()
			statement := connection.statement(citiesByDate)
			defer statement.Close()
			schema, partitions, _, err := statement.ExecutePartitions(inTime())
			succeeds(err)
			equal(fieldNames(schema), []string{"date", "n"})
			isTrue(partitions.NumPartitions > 0, "no partitions")
			equal(len(readPartitions(other, partitions)), len(connection.rows(citiesByDate)))
		}},
		{"query", "partitions as they come, polled", func(t *target) {
			connection := t.connect()
			defer connection.close()
			statement := connection.statement(citiesByDate)
			defer statement.Close()
			succeeds(statement.SetOption(adbc.OptionKeyIncremental, adbc.OptionValueEnabled))
			found := 0
			for {
				_, partitions, _, err := statement.ExecutePartitions(inTime())
				succeeds(err)
				if partitions.NumPartitions == 0 {
					break
				}
				found += len(readPartitions(connection, partitions))
			}
			equal(found, len(connection.rows(citiesByDate)))
		}},
	}
}

func readPartitions(with *connection, partitions adbc.Partitions) [][]any {
	found := [][]any{}
	for _, id := range partitions.PartitionIDs {
		found = append(found, allRows(must(with.ReadPartition(inTime(), id)))...)
	}
	return found
}
