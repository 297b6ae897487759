//! A batch of the engine in the types of the wire: what is copied (views, dictionaries) and what is passed on.

use std::hint::black_box;
use std::sync::Arc;

use arrow::array::{ArrayRef, DictionaryArray, Int64Array, RecordBatch, StringArray, StringViewArray};
use arrow::datatypes::Int32Type;
use basin_flight_server::{to_wire, wire_schema};
use criterion::{BenchmarkId, Criterion, Throughput};

const ROWS: i64 = 8192;

fn texts() -> impl Iterator<Item = String> {
    (0..ROWS).map(|row| format!("carefully final deposits {row}"))
}

fn columns() -> [(&'static str, ArrayRef); 4] {
    let repeated: DictionaryArray<Int32Type> =
        (0..ROWS).map(|row| ["AIR", "RAIL", "SHIP"].get(row as usize % 3).copied()).collect();
    [
        ("int64", Arc::new(Int64Array::from_iter_values(0..ROWS))),
        ("utf8", Arc::new(StringArray::from_iter_values(texts()))),
        ("utf8 view", Arc::new(StringViewArray::from_iter_values(texts()))),
        ("dictionary", Arc::new(repeated)),
    ]
}

pub(crate) fn encoding(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("cast for the wire");
    group.throughput(Throughput::Elements(ROWS as u64));
    for (name, column) in columns() {
        let batch = RecordBatch::try_from_iter([("c", column)]).unwrap();
        let schema = wire_schema(&batch.schema());
        group.bench_function(BenchmarkId::from_parameter(name), |bencher| {
            bencher.iter(|| to_wire(black_box(&batch), &schema).unwrap());
        });
    }
    group.finish();
}
