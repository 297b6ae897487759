// Every type of types.json, and the same with NULL in the last row.
package main

import (
	"encoding/json"
	"fmt"
	"math"
	"strconv"
	"strings"
)

type typeCase struct {
	Type string   `json:"type"`
	SQL  []string `json:"sql"`
	Text []any    `json:"text"`
}

func typeChecks(t *target) []check {
	var cases []typeCase
	succeeds(json.Unmarshal([]byte(t.types), &cases))
	// Both columns look at one answer: it is asked for once.
	answers := map[string][]any{}
	ask := func(t *target, of typeCase) []any {
		if answers[of.Type] == nil {
			connection := t.connect()
			defer connection.close()
			for _, row := range connection.rows(of.query()) {
				answers[of.Type] = append(answers[of.Type], row[0])
			}
		}
		isTrue(len(answers[of.Type]) == len(of.SQL)+1, "found the rows %v", answers[of.Type])
		return answers[of.Type]
	}
	checks := []check{}
	for _, of := range cases {
		checks = append(checks, check{"types", of.Type, func(t *target) {
			for i, found := range ask(t, of)[:len(of.SQL)] {
				isTrue(same(of.Type, found, of.Text[i]), "%s: found %#v, expected %#v", of.SQL[i], found, of.Text[i])
			}
		}})
	}
	for _, of := range cases {
		checks = append(checks, check{"nulls", of.Type, func(t *target) {
			found := ask(t, of)
			for i, value := range found[:len(of.SQL)] {
				isTrue(value != nil, "%s: found NULL", of.SQL[i])
			}
			equal(found[len(of.SQL)], nil)
		}})
	}
	return checks
}

// query gives one row for each expression and then one with NULL.
func (of typeCase) query() string {
	sql, rows := "SELECT CASE n", []string{}
	for i, expression := range of.SQL {
		sql += fmt.Sprintf(" WHEN %d THEN %s", i+1, expression)
		rows = append(rows, fmt.Sprintf("(%d)", i+1))
	}
	rows = append(rows, fmt.Sprintf("(%d)", len(of.SQL)+1))
	return sql + " END AS v FROM (VALUES " + strings.Join(rows, ", ") + ") AS t(n) ORDER BY n"
}

// same compares canonical texts; floats as numbers of their width.
func same(kind string, found, expected any) bool {
	bits := 0
	switch kind {
	case "Float16", "Float32":
		bits = 32
	case "Float64":
		bits = 64
	default:
		return fmt.Sprintf("%#v", found) == fmt.Sprintf("%#v", expected)
	}
	text, isText := found.(string)
	a, errA := strconv.ParseFloat(text, bits)
	b, errB := strconv.ParseFloat(expected.(string), bits)
	if !isText || errA != nil || errB != nil {
		return false
	}
	return a == b || math.IsNaN(a) && math.IsNaN(b)
}
