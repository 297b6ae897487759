// Arrow values as the canonical text of ../README.md.
package main

import (
	"encoding/hex"
	"fmt"
	"strconv"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/arrow-go/v18/arrow/array"
)

// canonical gives a value as text, nil, a list of canonical values, or a struct's map of them.
func canonical(column arrow.Array, i int) any {
	if column.IsNull(i) {
		return nil
	}
	switch values := column.(type) {
	case *array.Struct:
		found := map[string]any{}
		for j, field := range values.DataType().(*arrow.StructType).Fields() {
			found[field.Name] = canonical(values.Field(j), i)
		}
		return found
	case *array.Map: // before lists: a map is one of its pairs
		return list(values, i, func(at int) any {
			return []any{canonical(values.Keys(), at), canonical(values.Items(), at)}
		})
	case array.ListLike:
		return list(values, i, func(at int) any { return canonical(values.ListValues(), at) })
	case *array.Dictionary:
		return canonical(values.Dictionary(), values.GetValueIndex(i))
	case *array.DenseUnion:
		return canonical(values.Field(values.ChildID(i)), int(values.ValueOffset(i)))
	}
	return scalar(column, i)
}

func list(values array.ListLike, i int, element func(int) any) []any {
	found := []any{}
	start, end := values.ValueOffsets(i)
	for at := start; at < end; at++ {
		found = append(found, element(int(at)))
	}
	return found
}

func scalar(column arrow.Array, i int) string {
	switch values := column.(type) {
	case *array.Boolean:
		return strconv.FormatBool(values.Value(i))
	case *array.String:
		return values.Value(i)
	case *array.LargeString:
		return values.Value(i)
	case *array.StringView:
		return values.Value(i)
	case *array.Binary:
		return hex.EncodeToString(values.Value(i))
	case *array.LargeBinary:
		return hex.EncodeToString(values.Value(i))
	case *array.BinaryView:
		return hex.EncodeToString(values.Value(i))
	case *array.FixedSizeBinary:
		return hex.EncodeToString(values.Value(i))
	}
	if text := number(column, i); text != "" {
		return text
	}
	if text := temporal(column, i); text != "" {
		return text
	}
	fail("no canonical text for %s", column.DataType())
	return ""
}

func number(column arrow.Array, i int) string {
	scale := func() int32 { return column.DataType().(arrow.DecimalType).GetScale() }
	switch values := column.(type) {
	case *array.Int8:
		return fmt.Sprint(values.Value(i))
	case *array.Int16:
		return fmt.Sprint(values.Value(i))
	case *array.Int32:
		return fmt.Sprint(values.Value(i))
	case *array.Int64:
		return fmt.Sprint(values.Value(i))
	case *array.Uint8:
		return fmt.Sprint(values.Value(i))
	case *array.Uint16:
		return fmt.Sprint(values.Value(i))
	case *array.Uint32:
		return fmt.Sprint(values.Value(i))
	case *array.Uint64:
		return fmt.Sprint(values.Value(i))
	case *array.Float16:
		return strconv.FormatFloat(float64(values.Value(i).Float32()), 'g', -1, 32)
	case *array.Float32:
		return strconv.FormatFloat(float64(values.Value(i)), 'g', -1, 32)
	case *array.Float64:
		return strconv.FormatFloat(values.Value(i), 'g', -1, 64)
	case *array.Decimal32:
		return values.Value(i).ToString(scale())
	case *array.Decimal64:
		return values.Value(i).ToString(scale())
	case *array.Decimal128:
		return values.Value(i).ToString(scale())
	case *array.Decimal256:
		return values.Value(i).ToString(scale())
	}
	return ""
}
