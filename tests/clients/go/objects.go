// What GetObjects gives, as maps to look into.
package main

import (
	"fmt"
	"sort"

	"github.com/apache/arrow-adbc/go/adbc"
)

type object = map[string]any

type filters struct {
	catalog, schema, table, column *string
	types                          []string
}

func text(value string) *string { return &value }

// objects gives the catalogs with what is in them.
func objects(t *target, depth adbc.ObjectDepth, by filters) []object {
	connection := t.connect()
	defer connection.close()
	reader := must(connection.GetObjects(inTime(), depth, by.catalog, by.schema, by.table, by.column, by.types))
	found := []object{}
	for _, row := range allRows(reader) {
		found = append(found, object{"catalog_name": row[0], "catalog_db_schemas": row[1]})
	}
	return found
}

func schemas(t *target, depth adbc.ObjectDepth, by filters) []object {
	catalogs := objects(t, depth, by)
	equal(names(catalogs, "catalog_name"), []string{"basin"})
	return all(catalogs[0]["catalog_db_schemas"])
}

func tables(t *target, depth adbc.ObjectDepth, by filters) []object {
	found := []object{}
	for _, schema := range schemas(t, depth, by) {
		found = append(found, all(schema["db_schema_tables"])...)
	}
	return found
}

// all gives the objects of a list.
func all(list any) []object {
	found := []object{}
	for _, element := range list.([]any) {
		found = append(found, element.(object))
	}
	return found
}

func names(of []object, key string) []string {
	found := []string{}
	for _, one := range of {
		found = append(found, one[key].(string))
	}
	sort.Strings(found)
	return found
}

func sorted(rows [][]any) []string {
	found := []string{}
	for _, row := range rows {
		found = append(found, row[0].(string))
	}
	sort.Strings(found)
	return found
}

// absent says what the driver itself can't do, and why.
func absent(column, reason string) { fmt.Printf("absent %s: %s\n", column, reason) }
