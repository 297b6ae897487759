//! Workbooks, Parquet and Arrow IPC.

use arrow::datatypes::{DataType, Field, Schema};
use arrow::ipc::writer::{FileWriter, StreamWriter};
use parquet::arrow::ArrowWriter;

use super::*;

const XLSX: &[u8] = include_bytes!("../fixtures/people.xlsx");
const XLS: &[u8] = include_bytes!("../fixtures/people.xls");

fn excel(sheet: Option<&str>, header_row: u32) -> Format {
    Format::Excel(ExcelFormat { sheet: sheet.map(str::to_owned), header_row })
}

#[test]
fn workbooks() {
    for (name, bytes) in [("people.xlsx", XLSX), ("people.xls", XLS)] {
        let batches = read(name, bytes, &excel(None, 1)).unwrap();
        assert_eq!(columns(&batches), ["code", "count", "rate", "day", "moment", "open"]);
        assert_eq!(
            cells(&batches),
            [
                ["007", "5", "1.5", "2020-01-11", "2020-01-11T13:05:09", "true"],
                ["010", "-70", "0.1", "2020-02-29", "2020-01-12", "false"],
                ["x", "∅", "∅", "∅", "∅", "∅"],
            ]
        );
        assert_eq!(lines(&batches), [2, 4, 5]);
        assert!(batches[0].raw.text(0).contains("\"code\":\"007\""));
    }
}

#[test]
fn sheets_and_header_rows() {
    let batches = read("people.xlsx", XLSX, &excel(Some("数据"), 3)).unwrap();
    assert_eq!(
        (columns(&batches), cells(&batches)),
        (vec!["区划代码".into(), "确诊".into()], vec![vec!["010000".into(), "12".into()]])
    );
    assert!(refusal("people.xlsx", XLSX, &excel(Some("没有"), 1)).contains("人员, 数据"));
    assert!(refusal("people.xlsx", XLSX, &excel(None, 9)).contains("no row 9"));
    assert!(refusal("people.xlsx", XLSX, &excel(Some("空"), 1)).contains("is empty"));
}

#[test]
fn broken_workbooks() {
    for bytes in [&XLSX[..XLSX.len() / 2], b"not a workbook"] {
        assert!(refusal("people.xlsx", bytes, &excel(None, 1)).contains("cut off"));
    }
    assert!(refusal("people.xls", &XLS[..600], &excel(None, 1)).contains("cut off"));
}

fn sample() -> RecordBatch {
    let schema =
        Schema::new(vec![Field::new("n", DataType::Int64, false), Field::new("t", DataType::Utf8, true)]);
    let columns: Vec<Arc<dyn Array>> = vec![
        Arc::new(Int64Array::from(vec![1, 2, 3])),
        Arc::new(StringArray::from(vec![Some("007"), None, Some("x")])),
    ];
    RecordBatch::try_new(Arc::new(schema), columns).unwrap()
}

fn parquet() -> Vec<u8> {
    let mut bytes = Vec::new();
    let mut writer = ArrowWriter::try_new(&mut bytes, sample().schema(), None).unwrap();
    writer.write(&sample()).unwrap();
    writer.close().unwrap();
    bytes
}

fn ipc_stream() -> Vec<u8> {
    let mut bytes = Vec::new();
    let mut writer = StreamWriter::try_new(&mut bytes, &sample().schema()).unwrap();
    writer.write(&sample()).unwrap();
    writer.finish().unwrap();
    bytes
}

#[test]
fn typed_files() {
    let mut ipc_file = Vec::new();
    let mut writer = FileWriter::try_new(&mut ipc_file, &sample().schema()).unwrap();
    writer.write(&sample()).unwrap();
    writer.finish().unwrap();
    drop(writer);
    for (name, bytes, format) in [
        ("a.parquet", parquet(), Format::Parquet),
        ("a.arrow", ipc_file, Format::Arrow),
        ("a.arrows", ipc_stream(), Format::Arrow),
    ] {
        let batches = read_in(name, &bytes, &format, 2).unwrap();
        assert_eq!(batches[0].rows.schema_ref().field(0), &Field::new("n", DataType::Int64, true));
        assert_eq!(cells(&batches), [["1", "007"], ["2", "∅"], ["3", "x"]]);
        assert_eq!(lines(&batches), [1, 2, 3]);
        assert_eq!(batches[0].raw.text(1), "{\"n\":\"2\",\"t\":null}");
    }
}

#[test]
fn broken_typed_files() {
    let parquet = parquet();
    assert!(refusal("a.parquet", &parquet[..parquet.len() - 20], &Format::Parquet).contains("cut off"));
    assert!(refusal("a.parquet", b"n,t\n1,2\n", &Format::Parquet).contains("Parquet"));
    assert!(refusal("a.arrow", b"ARROW1\0\0 and no more", &Format::Arrow).contains("cut off"));
    let stream = ipc_stream();
    assert!(refusal("a.arrow", &stream[..stream.len() / 2], &Format::Arrow).contains("cut off"));
}

#[test]
fn lengths_that_a_file_claims_are_held_against_it() {
    let batch = sample();
    let mut file = FileWriter::try_new(Vec::new(), &batch.schema()).unwrap();
    file.write(&batch).unwrap();
    let mut stream = StreamWriter::try_new(Vec::new(), &batch.schema()).unwrap();
    stream.write(&batch).unwrap();
    for good in [file.into_inner().unwrap(), stream.into_inner().unwrap()] {
        assert_eq!(read("a.arrow", &good, &Format::Arrow).unwrap().len(), 1);
        // Wherever a length is: it is wrong, and nobody is asked for as much memory.
        for at in (0..good.len() - 8).step_by(4) {
            let mut bad = good.clone();
            bad[at..at + 8].copy_from_slice(&0x0040_0000_0000_0000_i64.to_le_bytes());
            drop(read("a.arrow", &bad, &Format::Arrow));
        }
    }
    let mut writer = ArrowWriter::try_new(Vec::new(), batch.schema(), None).unwrap();
    writer.write(&batch).unwrap();
    let good = writer.into_inner().unwrap();
    assert_eq!(read("a.parquet", &good, &Format::Parquet).unwrap().len(), 1);
    // The first page's sizes: two varints behind their marks become the largest.
    let mut bad = good.clone();
    let sizes = [0x15, 0xfe, 0xff, 0xff, 0xff, 0x0f];
    bad.splice(6..8, sizes);
    assert!(refusal("a.parquet", &bad, &Format::Parquet).contains("a.parquet"));
}
