// The column connect: a password, the token that it is exchanged for, and many connections at once.
package main

import (
	"fmt"

	"github.com/apache/arrow-adbc/go/adbc"
	"github.com/apache/arrow-adbc/go/adbc/driver/flightsql"
)

func connectChecks() []check {
	return []check{
		{"connect", "user and password", func(t *target) {
			for _, uri := range []string{"grpc://" + t.address, "grpc+tcp://" + t.address, "flightsql://" + t.address + "?transport=tcp"} {
				connection := must(t.try(uri, nil))
				equal(connection.one("SELECT count(*) FROM health.city"), "5247")
				connection.close()
			}
		}},
		{"connect", "a wrong password is refused", func(t *target) {
			_, err := t.try("grpc://"+t.address, options{adbc.OptionKeyPassword: "wrong"})
			refused(err, adbc.StatusUnauthenticated, "")
		}},
		{"connect", "a token that was given before", func(t *target) {
			connection := must(t.try("grpc://"+t.address, withHeader(token(t))))
			defer connection.close()
			equal(connection.one("SELECT count(*) FROM health.city"), "5247")
		}},
		{"connect", "a wrong token is refused", func(t *target) {
			connection := must(t.try("grpc://"+t.address, withHeader("Bearer wrong")))
			defer connection.close()
			statement := connection.statement("SELECT 1")
			defer statement.Close()
			_, _, err := statement.ExecuteQuery(inTime())
			refused(err, adbc.StatusUnauthenticated, "")
		}},
		{"connect", "connections in parallel", connectsInParallel},
	}
}

// withHeader replaces user and password.
func withHeader(authorization string) options {
	return options{flightsql.OptionAuthorizationHeader: authorization, adbc.OptionKeyUsername: "", adbc.OptionKeyPassword: ""}
}

func connectsInParallel(t *target) {
	const connections = 8
	ended := make(chan string, connections)
	for range connections {
		go func() {
			ended <- runOne(check{run: func(t *target) {
				connection := t.connect()
				defer connection.close()
				for range 5 {
					equal(connection.one("SELECT count(*) FROM paper.daily"), "27423")
				}
			}}, t)
		}()
	}
	for i := range connections {
		cause := <-ended
		isTrue(cause == "", "%s", fmt.Sprintf("connection %d: %s", i, cause))
	}
}
