// The servers that the environment names, and connections to them.
package main

import (
	"context"
	"fmt"
	"log/slog"
	"maps"
	"os"
	"time"

	"github.com/apache/arrow-adbc/go/adbc"
	"github.com/apache/arrow-adbc/go/adbc/driver/flightsql"
	"github.com/apache/arrow-go/v18/arrow/array"
	"github.com/apache/arrow-go/v18/arrow/memory"
)

type target struct {
	address, tlsAddress, mtlsAddress string
	ca, clientCert, clientKey        string
	user, password, types            string
}

func fromEnvironment() *target {
	variable := func(name string) string {
		value := os.Getenv("BASIN_" + name)
		if value == "" {
			fmt.Printf("BASIN_%s is not set; servers.py prints it\n", name)
			os.Exit(2)
		}
		return value
	}
	file := func(name string) string {
		content, err := os.ReadFile(variable(name))
		if err != nil {
			fmt.Println(err)
			os.Exit(2)
		}
		return string(content)
	}
	return &target{
		address: variable("ADDRESS"), tlsAddress: variable("TLS_ADDRESS"), mtlsAddress: variable("MTLS_ADDRESS"),
		ca: file("CA"), clientCert: file("CLIENT_CERT"), clientKey: file("CLIENT_KEY"),
		user: variable("USER"), password: variable("PASSWORD"), types: file("TYPES"),
	}
}

type options map[string]string

// connection is a session with the database that it belongs to.
type connection struct {
	adbc.Connection
	database adbc.Database
}

// try opens a connection and asks nothing yet; the driver logs in on its own.
func (t *target) try(uri string, changes options) (*connection, error) {
	all := options{
		adbc.OptionKeyURI:      uri,
		adbc.OptionKeyUsername: t.user,
		adbc.OptionKeyPassword: t.password,
	}
	maps.Copy(all, changes)
	maps.DeleteFunc(all, func(_, value string) bool { return value == "" })
	database, err := flightsql.NewDriver(memory.DefaultAllocator).NewDatabase(all)
	if err != nil {
		return nil, err
	}
	// Its log of each failed call would stand between the lines of the checks.
	database.(adbc.DatabaseLogging).SetLogger(slog.New(slog.DiscardHandler))
	opened, err := database.Open(inTime())
	if err != nil {
		return nil, err
	}
	return &connection{opened, database}, nil
}

func (t *target) connect() *connection {
	return must(t.try("grpc://"+t.address, nil))
}

func (c *connection) close() {
	_ = c.Close()
	_ = c.database.Close()
}

// inTime is for calls that would hang if the server were at fault.
func inTime() context.Context {
	ctx, cancel := context.WithTimeout(context.Background(), 3*time.Minute)
	context.AfterFunc(ctx, cancel)
	return ctx
}

func (c *connection) statement(sql string) adbc.Statement {
	statement := must(c.NewStatement())
	if sql != "" {
		succeeds(statement.SetSqlQuery(sql))
	}
	return statement
}

// reader runs a query. The statement is closed by the caller, after the reader's end.
func (c *connection) reader(sql string) (adbc.Statement, array.RecordReader) {
	statement := c.statement(sql)
	reader, _, err := statement.ExecuteQuery(inTime())
	succeeds(err)
	return statement, reader
}

// rows gives a query's result as canonical texts.
func (c *connection) rows(sql string) [][]any {
	statement, reader := c.reader(sql)
	defer statement.Close()
	return allRows(reader)
}

func (c *connection) one(sql string) any {
	found := c.rows(sql)
	isTrue(len(found) == 1 && len(found[0]) == 1, "%s: %v", sql, found)
	return found[0][0]
}

// run is for statements that give no rows; -1 where the count isn't known.
func (c *connection) run(sql string) int64 {
	statement := c.statement(sql)
	defer statement.Close()
	return must(statement.ExecuteUpdate(inTime()))
}

// allRows reads to the end and releases the reader.
func allRows(reader array.RecordReader) [][]any {
	defer reader.Release()
	found := [][]any{}
	for reader.Next() {
		batch := reader.RecordBatch()
		for i := range int(batch.NumRows()) {
			row := make([]any, batch.NumCols())
			for j, column := range batch.Columns() {
				row[j] = canonical(column, i)
			}
			found = append(found, row)
		}
	}
	succeeds(reader.Err())
	return found
}
