// What arrow-go's own Flight SQL client can do and the driver, which wraps it, leaves out: keys and CancelFlightInfo.
package main

import (
	"context"
	"fmt"
	"time"

	"github.com/apache/arrow-go/v18/arrow/flight"
	"github.com/apache/arrow-go/v18/arrow/flight/flightsql"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/status"
)

func arrowClientChecks() []check {
	city, region := table("health", "city"), table("ref", "region")
	return []check{
		{"-", "arrow-go: primary key", func(t *target) {
			equal(keys(t, func(c *flightsql.Client, ctx context.Context) (*flight.FlightInfo, error) {
				return c.GetPrimaryKeys(ctx, city)
			}, "column_name", "key_sequence"), [][]any{
				{"bulletin", "1"}, {"date", "2"}, {"province_code", "3"}, {"city", "4"}, {"occurrence", "5"}})
		}},
		{"-", "arrow-go: foreign keys of a table", func(t *target) {
			equal(keys(t, func(c *flightsql.Client, ctx context.Context) (*flight.FlightInfo, error) {
				return c.GetImportedKeys(ctx, city)
			}, "fk_column_name", "pk_db_schema_name", "pk_table_name", "pk_column_name"), [][]any{
				{"city_code", "ref", "region", "code"}, {"province_code", "ref", "region", "code"}})
		}},
		{"-", "arrow-go: foreign keys to a table", func(t *target) {
			found := keys(t, func(c *flightsql.Client, ctx context.Context) (*flight.FlightInfo, error) {
				return c.GetExportedKeys(ctx, region)
			}, "fk_db_schema_name", "fk_table_name", "fk_column_name")
			isTrue(len(found) >= 5, "found %v", found)
		}},
		{"-", "arrow-go: foreign keys between two tables", func(t *target) {
			equal(keys(t, func(c *flightsql.Client, ctx context.Context) (*flight.FlightInfo, error) {
				return c.GetCrossReference(ctx, region, city)
			}, "fk_column_name"), [][]any{{"city_code"}, {"province_code"}})
		}},
		{"-", "arrow-go: CancelFlightInfo", func(t *target) {
			client, ctx := signedIn(t)
			defer client.Close()
			mark := marked("go_info")
			info := must(client.Execute(ctx, fmt.Sprintf(slow, mark)))
			ended := make(chan error)
			go func() {
				reader, err := client.DoGet(ctx, info.Endpoint[0].Ticket)
				if err == nil {
					_, err = reader.Read()
				}
				ended <- err
			}()
			time.Sleep(time.Second)
			result := must(client.CancelFlightInfo(ctx, &flight.CancelFlightInfoRequest{Info: info}))
			equal(result.GetStatus(), flight.CancelStatusCancelled)
			equal(status.Code(<-ended), codes.Canceled)
			connection := t.connect()
			defer connection.close()
			endedAs(connection, mark, "cancelled")
		}},
	}
}

func table(schema, name string) flightsql.TableRef {
	catalog := "basin"
	return flightsql.TableRef{Catalog: &catalog, DBSchema: &schema, Table: name}
}

// signedIn gives a client and the context with its token.
func signedIn(t *target) (*flightsql.Client, context.Context) {
	client := must(flightsql.NewClient(t.address, nil, nil, grpc.WithTransportCredentials(insecure.NewCredentials())))
	return client, must(client.Client.AuthenticateBasicToken(inTime(), t.user, t.password))
}

// token gives the header that a password is exchanged for.
func token(t *target) string {
	client, ctx := signedIn(t)
	defer client.Close()
	sent, _ := metadata.FromOutgoingContext(ctx)
	return sent.Get("authorization")[0]
}

// keys gives some columns of what a call for keys finds.
func keys(t *target, ask func(*flightsql.Client, context.Context) (*flight.FlightInfo, error), wanted ...string) [][]any {
	client, ctx := signedIn(t)
	defer client.Close()
	info := must(ask(client, ctx))
	reader := must(client.DoGet(ctx, info.Endpoint[0].Ticket))
	positions := []int{}
	for _, name := range wanted {
		found := reader.Schema().FieldIndices(name)
		isTrue(len(found) == 1, "%s in %v", name, reader.Schema())
		positions = append(positions, found[0])
	}
	chosen := [][]any{}
	for _, row := range allRows(reader) {
		some := []any{}
		for _, position := range positions {
			some = append(some, row[position])
		}
		chosen = append(chosen, some)
	}
	return chosen
}
