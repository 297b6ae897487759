// Batches of values to bind and to ingest.
package main

import (
	"strings"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/arrow-go/v18/arrow/array"
	"github.com/apache/arrow-go/v18/arrow/memory"
)

// batch makes a batch of the rows of a JSON array of objects, read by the schema.
func batch(json string, fields ...arrow.Field) arrow.RecordBatch {
	made, _, err := array.RecordFromJSON(memory.DefaultAllocator, arrow.NewSchema(fields, nil), strings.NewReader(json))
	succeeds(err)
	return made
}

func column(name string, kind arrow.DataType) arrow.Field {
	return arrow.Field{Name: name, Type: kind, Nullable: true}
}

// stream gives the batches one by one.
func stream(batches ...arrow.RecordBatch) array.RecordReader {
	return must(array.NewRecordReader(batches[0].Schema(), batches))
}

// numbers makes a batch of `count` rows: n from `first` on, and a place that alternates.
func numbers(first, count int) arrow.RecordBatch {
	builder := array.NewRecordBuilder(memory.DefaultAllocator, arrow.NewSchema([]arrow.Field{
		column("n", arrow.PrimitiveTypes.Int64), column("place", arrow.BinaryTypes.String),
	}, nil))
	defer builder.Release()
	for n := first; n < first+count; n++ {
		builder.Field(0).(*array.Int64Builder).Append(int64(n))
		builder.Field(1).(*array.StringBuilder).Append([]string{"武汉市", "北京市"}[n%2])
	}
	return builder.NewRecordBatch()
}
