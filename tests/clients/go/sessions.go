// Session options: set once for all calls of a connection, read back, reset, and nobody else's.
package main

import (
	"fmt"
	"strings"

	"github.com/apache/arrow-adbc/go/adbc"
	"github.com/apache/arrow-adbc/go/adbc/driver/flightsql"
	"github.com/apache/arrow-go/v18/arrow"
)

const (
	option      = flightsql.OptionSessionOptionPrefix
	boolOption  = flightsql.OptionBoolSessionOptionPrefix
	eraseOption = flightsql.OptionEraseSessionOptionPrefix
	cityCount   = "SELECT count(*) FROM city"
)

func sessionChecks() []check {
	return []check{
		session("the option schema", nil, func(_ *target, c *connection) {
			c.set(option+"schema", "health")
			equal(c.one(cityCount), "5247")
			equal(must(c.settings().GetOption(option+"schema")), "health")
			c.set(eraseOption+"schema", "")
			refused(read(inTime(), c, cityCount), adbc.StatusNotFound, "city")
		}),
		session("the option schema, kept in a cookie", options{flightsql.OptionCookieMiddleware: adbc.OptionValueEnabled},
			func(_ *target, c *connection) {
				c.set(option+"schema", "health")
				equal(c.one(cityCount), "5247")
			}),
		session("the current schema and catalog", nil, func(_ *target, c *connection) {
			c.set(adbc.OptionKeyCurrentDbSchema, "health")
			equal(c.one(cityCount), "5247")
			equal(must(c.settings().GetOption(adbc.OptionKeyCurrentDbSchema)), "health")
			equal(must(c.settings().GetOption(adbc.OptionKeyCurrentCatalog)), "basin")
		}),
		session("a session's options are its own", nil, func(t *target, c *connection) {
			c.set(option+"schema", "health")
			other := t.connect()
			defer other.close()
			refused(read(inTime(), other, cityCount), adbc.StatusNotFound, "city")
		}),
		session("an unknown option and a wrong value are refused", nil, func(_ *target, c *connection) {
			refused(c.settings().SetOption(option+"no_such_option", "1"), adbc.StatusInvalidArgument, "no_such_option")
			refused(c.settings().SetOption(option+"compression", "rar"), adbc.StatusInvalidArgument, "compression")
		}),
		session("compressed results", nil, func(_ *target, c *connection) {
			for _, compression := range []string{"lz4", "zstd"} {
				c.set(option+"compression", compression)
				equal(len(c.rows("SELECT * FROM health.city")), 5247)
			}
		}),
		session("text and bytes as views", nil, func(_ *target, c *connection) {
			c.set(boolOption+"view_types", adbc.OptionValueEnabled)
			statement, reader := c.reader("SELECT name, X'00' AS b FROM ref.province WHERE code = '33'")
			defer statement.Close()
			kinds := []arrow.DataType{reader.Schema().Field(0).Type, reader.Schema().Field(1).Type}
			equal(kinds, []arrow.DataType{arrow.BinaryTypes.StringView, arrow.BinaryTypes.BinaryView})
			equal(allRows(reader), [][]any{{"浙江省", "00"}})
		}),
		session("an export in parts", nil, func(_ *target, c *connection) {
			for range 50 {
				succeeds(c.settings().SetOptionInt(option+"parallel_export", 4))
				if _, err := c.settings().GetOptionInt(option + "parallel_export"); err == nil {
					break
				}
			}
			equal(must(c.settings().GetOptionInt(option+"parallel_export")), int64(4))
			statement := c.statement("SELECT date, country, province FROM jhu.series")
			defer statement.Close()
			_, parts, _, err := statement.ExecutePartitions(inTime())
			succeeds(err)
			equal(parts.NumPartitions, uint64(4))
			found := map[string]bool{}
			for _, row := range readPartitions(c, parts) {
				found[fmt.Sprint(row)] = true
			}
			equal(len(found), 101010)
		}),
	}
}

// session makes a check of a connection of its own.
func session(name string, with options, run func(*target, *connection)) check {
	return check{"-", name, func(t *target) {
		connection := must(t.try("grpc://"+t.address, with))
		defer connection.close()
		run(t, connection)
	}}
}

func (c *connection) settings() adbc.GetSetOptions {
	found, can := c.Connection.(adbc.GetSetOptions)
	isTrue(can, "the connection has no options")
	return found
}

// set sets an option until the connection brings it: arrow-go may drop the headers of an answer, and with them the
// session, when it takes the end of the stream for a cancel (the race of finishFunc in its client.go).
func (c *connection) set(name, value string) {
	for range 50 {
		succeeds(c.settings().SetOption(name, value))
		if c.brings(name, value) {
			return
		}
	}
	isTrue(false, name+" is not brought")
}

func (c *connection) brings(name, value string) bool {
	if erased, erases := strings.CutPrefix(name, eraseOption); erases {
		_, err := c.settings().GetOption(option + erased)
		return err != nil
	}
	found, err := c.settings().GetOption(name)
	return err == nil && found == value
}
