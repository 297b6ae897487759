use std::sync::Arc;

use arrow::array::{
    Array, ArrayRef, AsArray, BinaryViewArray, Decimal256Array, DictionaryArray, Int32Array,
    LargeStringArray, ListBuilder, RecordBatch, StringArray, StringViewArray, StringViewBuilder,
};
use arrow::datatypes::{DataType, Field, Int32Type, Schema, i256};
use arrow::ipc::CompressionType;
use arrow_flight::utils::flight_data_to_batches;
use futures::TryStreamExt;
use prost::Message;

use super::stream::{MAX_MESSAGE_BYTES, messages};
use super::{WireForm, flight_data, schema_bytes, schema_from_bytes, schema_message, to_wire, wire_schema};
use crate::error::ServerError;

fn wire(batch: &RecordBatch) -> RecordBatch {
    to_wire(batch, &wire_schema(batch.schema_ref())).unwrap()
}

fn plain_messages(batch: &RecordBatch) -> crate::error::Result<Vec<arrow_flight::FlightData>> {
    messages(batch, batch.schema_ref(), None)
}

fn one(name: &str, column: ArrayRef) -> RecordBatch {
    RecordBatch::try_from_iter_with_nullable([(name, column, true)]).unwrap()
}

#[test]
fn text_and_bytes_have_one_type_each() {
    let dictionary: DictionaryArray<Int32Type> = vec![Some("a"), None, Some("a")].into_iter().collect();
    for column in [
        Arc::new(StringViewArray::from(vec![Some("a"), None, Some("a")])) as ArrayRef,
        Arc::new(LargeStringArray::from(vec![Some("a"), None, Some("a")])),
        Arc::new(dictionary),
    ] {
        let batch = wire(&one("t", column));
        assert_eq!(batch.column(0).as_string::<i32>(), &StringArray::from(vec![Some("a"), None, Some("a")]));
    }
    let bytes = wire(&one("b", Arc::new(BinaryViewArray::from(vec![Some(b"x".as_slice())]))));
    assert_eq!(bytes.column(0).data_type(), &DataType::Binary);
}

#[test]
fn nested_text_is_cast_too() {
    let mut list = ListBuilder::new(StringViewBuilder::new());
    list.append_value([Some("表"), None]);
    list.append_null();
    let batch = wire(&one("l", Arc::new(list.finish())));
    let item = Arc::new(Field::new_list_field(DataType::Utf8, true));
    assert_eq!(batch.column(0).data_type(), &DataType::List(item));
    assert!(batch.column(0).is_null(1));
}

#[test]
fn a_wide_decimal_fits_or_is_an_error() {
    let decimal = |value: i256| {
        let array = Decimal256Array::from(vec![value]).with_precision_and_scale(60, 2).unwrap();
        one("d", Arc::new(array))
    };
    let fits = wire(&decimal(i256::from_i128(1234)));
    assert_eq!(fits.column(0).data_type(), &DataType::Decimal128(38, 2));
    let large = decimal(i256::from_i128(10).wrapping_pow(50));
    let error = to_wire(&large, &wire_schema(large.schema_ref())).unwrap_err();
    assert!(matches!(error, ServerError::InvalidRequest(_)), "{error}");
}

#[test]
fn the_wire_schema_keeps_names_nullability_and_metadata() {
    let metadata = [("k".to_owned(), "v".to_owned())].into();
    let field = Field::new("x", DataType::Utf8View, false).with_metadata(metadata);
    let schema = Schema::new(vec![field.clone()]);
    assert_eq!(wire_schema(&schema).field(0), &field.with_data_type(DataType::Utf8));
    assert_eq!(wire_schema(&wire_schema(&schema)), wire_schema(&schema));
    let back = schema_from_bytes(schema_bytes(&wire_schema(&schema)).unwrap()).unwrap();
    assert_eq!(back, wire_schema(&schema));
}

#[test]
fn no_message_is_above_the_limit_and_no_row_is_lost() {
    // 40 rows of 1.5 MiB, and a small column beside.
    let text: Vec<String> = (0..40).map(|_| "x".repeat(3 << 19)).collect();
    let batch = RecordBatch::try_from_iter([
        ("id", Arc::new(Int32Array::from_iter_values(0..40)) as ArrayRef),
        ("text", Arc::new(StringArray::from(text))),
    ])
    .unwrap();
    let mut all = vec![schema_message(batch.schema_ref())];
    all.extend(plain_messages(&batch).unwrap());
    assert!(all.len() > 20);
    assert!(all.iter().all(|message| message.encoded_len() <= MAX_MESSAGE_BYTES));
    let back = flight_data_to_batches(&all).unwrap();
    let ids: Vec<i32> =
        back.iter().flat_map(|batch| batch.column(0).as_primitive::<Int32Type>().values().to_vec()).collect();
    assert_eq!(ids, (0..40).collect::<Vec<_>>());
}

#[test]
fn skewed_rows_are_halved_until_they_fit() {
    // The average is small, but two neighbours together exceed the limit.
    let mut text = vec![String::new(); 64];
    text[0] = "x".repeat(9 << 20);
    text[1] = "y".repeat(9 << 20);
    let batch = one("text", Arc::new(StringArray::from(text)));
    let all = plain_messages(&batch).unwrap();
    assert!(all.iter().all(|message| message.encoded_len() <= MAX_MESSAGE_BYTES));
}

#[test]
fn a_cell_above_the_limit_is_named() {
    let batch = one("report", Arc::new(StringArray::from(vec!["x".repeat(17 << 20)])));
    let error = plain_messages(&batch).unwrap_err();
    assert!(matches!(&error, ServerError::TooLarge(text) if text.contains("report")), "{error}");
}

#[tokio::test]
async fn an_empty_result_still_has_its_schema() {
    let schema = wire_schema(&Schema::new(vec![Field::new("x", DataType::Utf8View, true)]));
    let data: Vec<_> =
        flight_data(Arc::clone(&schema), None, futures::stream::empty()).try_collect().await.unwrap();
    assert_eq!(data.len(), 1);
    assert_eq!(&Schema::try_from(&data[0]).unwrap(), schema.as_ref());
}

#[test]
fn what_a_session_asks_for_is_what_it_gets() {
    let text: StringArray =
        (0..10_000).map(|n| Some(format!("a longer text than a view holds, {n}"))).collect();
    let batch = one("t", Arc::new(text));
    let plain: usize = plain_messages(&batch).unwrap().iter().map(Message::encoded_len).sum();
    for compression in [None, Some(CompressionType::LZ4_FRAME), Some(CompressionType::ZSTD)] {
        for views in [false, true] {
            let promised = WireForm { views, compression }.schema(batch.schema_ref());
            let mut all = vec![schema_message(&promised)];
            all.extend(messages(&batch, &promised, compression).unwrap());
            let bytes: usize = all.iter().map(Message::encoded_len).sum();
            assert!(compression.is_none() || bytes < plain / 2, "{compression:?}: {bytes} of {plain}");
            // A view that was not compacted would send all of the text with each message.
            assert!(bytes < 2 * plain, "{bytes} of {plain}");
            let back = flight_data_to_batches(&all).unwrap();
            assert_eq!(back[0].schema(), promised);
            let column = arrow::compute::cast(back[0].column(0), &DataType::Utf8).unwrap();
            assert_eq!(column.as_string::<i32>().value(9_999), "a longer text than a view holds, 9999");
        }
    }
}
