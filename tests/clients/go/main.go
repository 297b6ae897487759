// Checks of Basin with the ADBC driver for Flight SQL in Go, as ../README.md asks for them. With BASIN_ONLY, which is
// not of the contract, only those of one column.
package main

import (
	"fmt"
	"os"
	"runtime/debug"
	"time"
)

const driverModule = "github.com/apache/arrow-adbc/go/adbc"

// check is one line of what the program prints. It fails by panicking; the next one still runs.
type check struct {
	column, name string
	run          func(*target)
}

func main() {
	fmt.Printf("version %s\n", driverVersion())
	t := fromEnvironment()
	checks := connectChecks()
	for _, more := range [][]check{
		metadataChecks(), queryChecks(), partitionChecks(), parameterChecks(), ingestChecks(), sessionChecks(),
		typeChecks(t), cancelChecks(), errorChecks(), tlsChecks(), arrowClientChecks(), databaseSQLChecks(),
	} {
		checks = append(checks, more...)
	}
	passed, failed := 0, 0
	for _, c := range checks {
		if only := os.Getenv("BASIN_ONLY"); only != "" && only != c.column {
			continue
		}
		started := time.Now()
		if cause := runOne(c, t); cause != "" {
			failed++
			fmt.Printf("FAILED %s: %s\n%s\n", c.column, c.name, cause)
		} else {
			passed++
			fmt.Printf("passed %s: %s (%.2f s)\n", c.column, c.name, time.Since(started).Seconds())
		}
	}
	fmt.Printf("%d passed, %d failed\n", passed, failed)
	if failed > 0 {
		os.Exit(1)
	}
}

// runOne gives the cause of a failure, or nothing.
func runOne(c check, t *target) (cause string) {
	defer func() {
		switch found := recover().(type) {
		case nil:
		case failure:
			cause = string(found)
		default:
			cause = fmt.Sprintf("%v\n%s", found, debug.Stack())
		}
	}()
	c.run(t)
	return ""
}

func driverVersion() string {
	info, _ := debug.ReadBuildInfo()
	for _, module := range info.Deps {
		if module.Path == driverModule {
			return module.Version
		}
	}
	return "unknown"
}
