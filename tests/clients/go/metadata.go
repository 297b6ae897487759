// The columns info and metadata: GetInfo, GetObjects at each depth, table types and schemas.
package main

import (
	"sort"
	"strconv"
	"strings"

	"github.com/apache/arrow-adbc/go/adbc"
	"github.com/apache/arrow-go/v18/arrow"
)

func metadataChecks() []check {
	return []check{
		{"info", "the server's name and version", info},
		{"metadata", "catalogs", func(t *target) {
			equal(objects(t, adbc.ObjectDepthCatalogs, filters{}), []object{{"catalog_name": "basin", "catalog_db_schemas": nil}})
			equal(objects(t, adbc.ObjectDepthCatalogs, filters{catalog: text("nowhere")}), []object{})
		}},
		{"metadata", "schemas", func(t *target) {
			found := strings.Join(names(schemas(t, adbc.ObjectDepthDBSchemas, filters{}), "db_schema_name"), " ")
			for _, name := range []string{"ref", "health", "paper", "jhu", "basin", "information_schema"} {
				isTrue(strings.Contains(found, name), "%s is not in %s", name, found)
			}
			filtered := schemas(t, adbc.ObjectDepthDBSchemas, filters{schema: text("r_f")})
			equal(names(filtered, "db_schema_name"), []string{"ref"})
		}},
		{"metadata", "tables", func(t *target) {
			found := tables(t, adbc.ObjectDepthTables, filters{schema: text("health")})
			equal(names(found, "table_name"), []string{"city", "national", "provincial"})
			for _, table := range found {
				equal([]any{table["table_type"], table["table_columns"], table["table_constraints"]}, []any{"TABLE", nil, nil})
			}
		}},
		{"metadata", "tables by patterns and types", func(t *target) {
			found := tables(t, adbc.ObjectDepthTables, filters{schema: text("r_f"), table: text("c%")})
			equal(names(found, "table_name"), []string{"city", "county"})
			found = schemas(t, adbc.ObjectDepthTables, filters{types: []string{"SYSTEM TABLE"}})
			withTables := []string{}
			for _, schema := range found {
				if len(schema["db_schema_tables"].([]any)) > 0 {
					withTables = append(withTables, schema["db_schema_name"].(string))
				}
			}
			sort.Strings(withTables)
			equal(withTables, []string{"basin", "information_schema"})
		}},
		{"metadata", "columns", columns},
		{"metadata", "columns by pattern", func(t *target) {
			found := tables(t, adbc.ObjectDepthAll, filters{schema: text("health"), table: text("city"), column: text("city%")})
			equal(names(all(found[0]["table_columns"]), "column_name"), []string{"city", "city_code"})
		}},
		{"metadata", "table types", func(t *target) {
			connection := t.connect()
			defer connection.close()
			found := allRows(must(connection.GetTableTypes(inTime())))
			equal(sorted(found), []string{"SYSTEM TABLE", "TABLE", "VIEW"})
		}},
		{"metadata", "a table's schema", tableSchema},
	}
}

func info(t *target) {
	connection := t.connect()
	defer connection.close()
	ask := func(codes ...adbc.InfoCode) map[adbc.InfoCode]any {
		found := map[adbc.InfoCode]any{}
		for _, row := range allRows(must(connection.GetInfo(inTime(), codes))) {
			found[adbc.InfoCode(must(strconv.Atoi(row[0].(string))))] = row[1]
		}
		return found
	}
	found := ask() // no codes: those that the driver takes for common ones
	equal(found[adbc.InfoVendorName], "Basin")
	isTrue(found[adbc.InfoVendorVersion] != nil && found[adbc.InfoVendorVersion] != "", "no version in %v", found)
	isTrue(found[adbc.InfoVendorArrowVersion] != nil, "no Arrow version in %v", found)
	equal(found[adbc.InfoDriverName], "ADBC Flight SQL Driver - Go")
	equal(ask(adbc.InfoVendorSql), map[adbc.InfoCode]any{adbc.InfoVendorSql: "true"})
	equal(ask(adbc.InfoVendorName), map[adbc.InfoCode]any{adbc.InfoVendorName: "Basin"})
}

func columns(t *target) {
	found := tables(t, adbc.ObjectDepthAll, filters{schema: text("health"), table: text("city")})
	isTrue(len(found) == 1, "found %v", found)
	list := all(found[0]["table_columns"])
	first := []any{}
	for _, column := range list[:4] {
		first = append(first, column["column_name"], column["ordinal_position"])
	}
	equal(first, []any{"bulletin", "1", "bulletin_date", "2", "issuer", "3", "date", "4"})
	for _, column := range list {
		if column["column_name"] == "date" {
			equal([]any{column["xdbc_type_name"], column["xdbc_scope_schema"], column["xdbc_scope_table"]}, []any{"DATE", "health", "city"})
		}
	}
	absent("metadata", "ADBC for Go: GetObjects never asks for primary and foreign keys; its lists of constraints are empty")
	equal(found[0]["table_constraints"], []any{})
}

func tableSchema(t *target) {
	connection := t.connect()
	defer connection.close()
	schema := must(connection.GetTableSchema(inTime(), text("basin"), text("paper"), "daily"))
	field := func(name string) arrow.Field {
		found, _ := schema.FieldsByName(name)
		isTrue(len(found) == 1, "%s in %v", name, schema)
		return found[0]
	}
	equal(field("date").Type, arrow.FixedWidthTypes.Date32)
	equal(field("place").Type, arrow.BinaryTypes.String)
	equal(field("place").Nullable, false)
	equal(field("new_confirmed").Type, arrow.PrimitiveTypes.Int64)
	health := must(connection.GetTableSchema(inTime(), nil, text("health"), "city"))
	confirmed, _ := health.FieldsByName("confirmed")
	remarks, _ := confirmed[0].Metadata.GetValue("ARROW:FLIGHT:SQL:REMARKS")
	isTrue(strings.Contains(remarks, "确诊") && strings.Contains(remarks, "confirmed"), "remarks %q", remarks)
	_, err := connection.GetTableSchema(inTime(), nil, text("health"), "village")
	refused(err, adbc.StatusNotFound, "")
}
