//! Raw files through a manifest to rows and rejects.

use arrow::array::{Array, AsArray};
use arrow::datatypes::{DataType, Date32Type, Field, Int32Type, Int64Type, UInt64Type};
use arrow::util::display::array_value_to_string;

use super::*;
use crate::error::DatasetsError;
use crate::manifest::tests::{MANIFEST, with};
use crate::source::tests::read;

mod pack;

/// Conforms a file by the first kind of a manifest.
fn conform_in(
    manifest: &str,
    name: &str,
    text: &str,
    routing: Routing,
    lists: &CodeLists,
) -> Result<Vec<Conformed>> {
    let manifest = Manifest::parse(manifest)?;
    let kind = &manifest.kinds()[0];
    let batches = read(name, text.as_bytes(), kind.format())?;
    let conformer = Conformer::new(&manifest, kind, batches[0].rows.schema_ref(), routing, lists)?;
    batches.into_iter().map(|batch| conformer.conform(batch)).collect()
}

fn conform(manifest: &str, text: &str) -> Result<Conformed> {
    let mut all = conform_in(manifest, "广东省.csv", text, Routing::default(), &CodeLists::default())?;
    assert_eq!(all.len(), 1);
    Ok(all.remove(0))
}

fn table(rows: &RecordBatch) -> Vec<String> {
    let cell = |column: &ArrayRef, row| {
        if column.is_null(row) { "∅".to_owned() } else { array_value_to_string(column, row).unwrap() }
    };
    let line = |row| rows.columns().iter().map(|column| cell(column, row)).collect::<Vec<_>>().join("|");
    (0..rows.num_rows()).map(line).collect()
}

fn reasons(conformed: &Conformed) -> Vec<String> {
    let reason =
        |r: &Reject| format!("{} {} {} {}", r.line, r.rule, r.item.as_deref().unwrap_or("∅"), r.reason);
    conformed.rejects.iter().map(reason).collect()
}

#[test]
fn rows_are_typed_and_missing_is_null() {
    let text =
        "date,city,confirmed,cured\n2020-01-11, 广州 ,5,2\n2020年1月9日,深圳,<5,\n2020-01-12,珠海,-,3.0\n";
    let conformed = conform(MANIFEST, text).unwrap();
    assert_eq!(conformed.rows_in, 3);
    assert!(conformed.rejects.is_empty());
    assert_eq!(
        table(&conformed.rows),
        [
            "2020-01-11|广州|1|5|2|广东省|3|2",
            "2020-01-09|深圳|1|∅|∅|广东省|3|3",
            "2020-01-12|珠海|1|∅|3|广东省|3|4"
        ]
    );
    let names: Vec<&str> =
        conformed.rows.schema_ref().fields().iter().map(|field| field.name().as_str()).collect();
    assert_eq!(names, ["date", "city", "occurrence", "confirmed", "cured", "issuer", "_file", "_line"]);
}

#[test]
fn every_failure_is_a_reject_with_its_first_rule() {
    let text = "date,city,confirmed,cured\n\
                2020-02-30,广州,1,1\n2020-01-01,,1,1\n2020-01-01,广州1,1,1\n2020-01-01,广州,-1,1\n2020-01-01,广州,1001,1\n\
                2020-01-01,广州,1,2\n2020-01-01,广州,1.5,1\n2020-01-01,广州,1\n2020-01-01,广州,,2\n2020-01-01,广州,x,x\n";
    let conformed = conform(MANIFEST, text).unwrap();
    assert_eq!((conformed.rows_in, conformed.rows.num_rows()), (10, 1));
    assert_eq!(
        reasons(&conformed),
        [
            "2 type date \"2020-02-30\" is not date as %Y-%m-%d or %Y年%m月%d日",
            "3 null city city is blank or missing but must have a value",
            "4 pattern city \"广州1\" does not match ^[^0-9]+$",
            "5 range confirmed -1 is below the minimum 0",
            "6 range confirmed 1001 is above the maximum 1000",
            "7 cured_within_confirmed ∅ cured <= confirmed is false",
            "8 type confirmed \"1.5\" is not int32",
            "9 fields ∅ 3 fields where the header has 4",
            "11 type confirmed \"x\" is not int32",
        ]
    );
    assert_eq!(conformed.rejects[0].raw, "2020-02-30,广州,1,1");
    assert_eq!(table(&conformed.rows), ["2020-01-01|广州|1|∅|2|广东省|3|10"]);
}

#[test]
fn renamed_and_optional_columns() {
    let conformed = conform(MANIFEST, "confirmed,city,日期,备注\n1,广州,2020-01-01,x\n").unwrap();
    assert_eq!(table(&conformed.rows), ["2020-01-01|广州|1|1|∅|广东省|3|2"]);
}

#[test]
fn the_difference_of_columns_is_shown() {
    let Err(DatasetsError::Refused { reason }) = conform(MANIFEST, "date,town,confirmed,新增\n") else {
        panic!()
    };
    assert!(reason.contains("not in the file: `city` (for item city)"), "{reason}");
    assert!(reason.contains("neither mapped nor ignored: `town`, `新增`"), "{reason}");
    let Err(DatasetsError::Refused { reason }) = conform(MANIFEST, "2020-01-01;广州;1\n") else { panic!() };
    assert!(reason.contains("delimiter"), "{reason}");
}

#[test]
fn code_lists_are_checked() {
    let manifest = with(
        "name = \"issuer\"\ntype = \"text\"",
        "name = \"issuer\"\ntype = \"text\"\ncode_list = { dataset = \"ref.region\", item = \"name\" }",
    );
    let text = "date,city,confirmed\n2020-01-01,广州,1\n";
    let run = |name, lists: &CodeLists| conform_in(&manifest, name, text, Routing::default(), lists);
    let error = run("广东省.csv", &CodeLists::default()).unwrap_err();
    assert!(error.to_string().contains("items.issuer.code_list"), "{error}");
    let mut lists = CodeLists::default();
    lists.insert(
        "ref.region".parse().unwrap(),
        "name".parse().unwrap(),
        Arc::new(HashSet::from(["广东省".to_owned()])),
    );
    assert!(run("广东省.csv", &lists).unwrap()[0].rejects.is_empty());
    assert_eq!(
        reasons(&run("广西.csv", &lists).unwrap()[0]),
        ["2 code_list issuer \"广西\" is not a code of ref.region.name"]
    );
    assert!(run("2020-01-01.csv", &lists).unwrap()[0].rejects.is_empty());
}

#[test]
fn each_row_is_claimed_by_one_dataset() {
    let text = "date,city,confirmed\n2020-01-01,甲,1\n2020-01-01,乙,2\n2020-01-01,丙,3\n2020-01-01,丁,bad\n2020-01-01\n";
    let routes = vec![
        Some("city = '甲' OR city = '丙'".to_owned()),
        Some("city IN ('乙', '丙') OR \"$file.issuer\" IS NULL".to_owned()),
    ];
    let run = |mine| {
        let routing = Routing { mine, routes: routes.clone() };
        conform_in(MANIFEST, "广东省.csv", text, routing, &CodeLists::default()).unwrap().remove(0)
    };
    let first = run(0);
    assert_eq!((first.rows_in, table(&first.rows)), (4, vec!["2020-01-01|甲|1|1|∅|广东省|3|2".to_owned()]));
    assert_eq!(
        reasons(&first),
        [
            "4 route ∅ 2 datasets of the delivery take this row",
            "5 route ∅ no dataset of the delivery takes this row",
            "6 fields ∅ 1 fields where the header has 3",
        ]
    );
    let second = run(1);
    assert_eq!((second.rows_in, second.rejects.len()), (1, 0));
    assert_eq!(table(&second.rows), ["2020-01-01|乙|1|2|∅|广东省|3|3"]);
}

#[test]
fn sql_that_fails_on_a_row_rejects_that_row() {
    let manifest = with("confirmed = \"confirmed\"", "confirmed = { sql = \"CAST(confirmed AS INT) * 2\" }");
    let conformed = conform(&manifest, "date,city,confirmed\n2020-01-01,甲,1\n2020-01-01,乙,x\n").unwrap();
    assert_eq!(table(&conformed.rows), ["2020-01-01|甲|1|2|∅|广东省|3|2"]);
    assert_eq!((conformed.rejects[0].line, conformed.rejects[0].rule.as_str()), (3, "type"));
    let manifest = with("confirmed = \"confirmed\"", "confirmed = { sql = \"count + 1\" }");
    let error = conform(&manifest, "date,city,confirmed\n").unwrap_err().to_string();
    assert!(error.contains("delivery.csv.columns.confirmed.sql") && error.contains("count"), "{error}");
}

#[test]
fn typed_columns_are_not_rounded() {
    let manifest =
        Manifest::parse(&with("format = { type = \"csv\" }", "format = { type = \"parquet\" }")).unwrap();
    let fields = [
        ("date", DataType::Date32),
        ("city", DataType::LargeUtf8),
        ("confirmed", DataType::Float64),
        ("cured", DataType::Int16),
    ];
    let schema = Arc::new(Schema::new(fields.map(|(name, kind)| Field::new(name, kind, true)).to_vec()));
    let columns: Vec<ArrayRef> = vec![
        Arc::new(arrow::array::Date32Array::from(vec![18262, 18263, 18264])),
        Arc::new(arrow::array::LargeStringArray::from(vec!["甲", "乙", "丙"])),
        Arc::new(arrow::array::Float64Array::from(vec![Some(3.0), Some(1.5), None])),
        Arc::new(arrow::array::Int16Array::from(vec![Some(1), Some(1), None])),
    ];
    let rows = RecordBatch::try_new(Arc::clone(&schema), columns).unwrap();
    let raw = RawBatch {
        file: 0,
        name: "甲.csv".into(),
        raw: RawRows::Columns(rows.clone()),
        rows,
        lines: vec![1, 2, 3],
        malformed: Vec::new(),
    };
    let conformer =
        Conformer::new(&manifest, &manifest.kinds()[0], &schema, Routing::default(), &CodeLists::default())
            .unwrap();
    let conformed = conformer.conform(raw).unwrap();
    assert_eq!(conformed.rows.column(0).as_primitive::<Date32Type>().values(), &[18262, 18264]);
    assert_eq!(
        conformed.rows.column(3).as_primitive::<Int32Type>().iter().collect::<Vec<_>>(),
        [Some(3), None]
    );
    assert_eq!(
        conformed.rows.column(4).as_primitive::<Int64Type>().iter().collect::<Vec<_>>(),
        [Some(1), None]
    );
    assert_eq!(conformed.rows.column(7).as_primitive::<UInt64Type>().values(), &[1, 3]);
    assert_eq!(reasons(&conformed), ["2 type confirmed \"1.5\" is not int32"]);
}
