//! Each type's text forms.

use arrow::util::display::array_value_to_string;
use basin_catalog::ItemType;

use super::*;

fn reading(r#type: &str) -> Reading {
    Reading::canonical(r#type.parse::<ItemType>().unwrap().arrow())
}

/// Values as text, `∅` for NULL, `✗` for what can't be read.
fn read(reading: &Reading, texts: &[&str]) -> Vec<String> {
    let mut failed = HashSet::new();
    let raw = StringArray::from(texts.to_vec());
    let values = parse(&raw, reading, &mut |row, _| {
        failed.insert(row);
    });
    let values = values.unwrap();
    assert_eq!(*values.data_type(), reading.r#type);
    let text = |row| match (failed.contains(&row), values.is_null(row)) {
        (true, _) => "✗".to_owned(),
        (false, true) => "∅".to_owned(),
        (false, false) => array_value_to_string(&values, row).unwrap(),
    };
    (0..texts.len()).map(text).collect()
}

#[test]
fn integers_are_exact() {
    let texts = ["127", "-128", "128", " +7\u{3000}", "5.0", "5.5", "1e3", "x", "-", "007", "1,000"];
    assert_eq!(read(&reading("int8"), &texts), ["127", "-128", "✗", "7", "5", "✗", "✗", "✗", "✗", "7", "✗"]);
    assert_eq!(
        read(&reading("uint64"), &["18446744073709551615", "18446744073709551616", "-1"]),
        ["18446744073709551615", "✗", "✗"]
    );
    assert_eq!(
        read(&reading("int64"), &["-9223372036854775808", "9223372036854775808"]),
        ["-9223372036854775808", "✗"]
    );
    assert_eq!(read(&reading("int32"), &["99999999999999999999999999999999999999999999"]), ["✗"]);
}

#[test]
fn decimals_are_exact() {
    let texts = ["1.5", "-0.05", "12345678901234567890.12", ".5", "5.", "1.005", "1.500", ".", "1,5"];
    assert_eq!(
        read(&reading("decimal(22,2)"), &texts),
        ["1.50", "-0.05", "12345678901234567890.12", "0.50", "5.00", "✗", "1.50", "✗", "✗"]
    );
    assert_eq!(read(&reading("decimal(4,2)"), &["99.99", "100", "-99.99"]), ["99.99", "✗", "-99.99"]);
    let comma = Reading { decimal_comma: true, ..reading("decimal(9,2)") };
    assert_eq!(read(&comma, &["1,5", "1.5", "-3"]), ["1.50", "✗", "-3.00"]);
}

#[test]
fn floats_are_finite() {
    assert_eq!(
        read(&reading("float64"), &["1.5", "-1e3", "NaN", "inf", "x", "1,5"]),
        ["1.5", "-1000.0", "✗", "✗", "✗", "✗"]
    );
    let comma = Reading { decimal_comma: true, ..reading("float32") };
    assert_eq!(read(&comma, &["1,5", "1.5", "2"]), ["1.5", "✗", "2.0"]);
    assert_eq!(read(&reading("float32"), &["1e39"]), ["✗"]);
}

#[test]
fn truth_values() {
    assert_eq!(
        read(&reading("bool"), &["TRUE", "否", "1", "n", "2"]),
        ["true", "false", "true", "false", "✗"]
    );
}

#[test]
fn dates_in_many_forms() {
    assert_eq!(
        read(&reading("date"), &["2020-01-11", "2020-1-9", "2020-02-30", "20200111"]),
        ["2020-01-11", "2020-01-09", "✗", "✗"]
    );
    let formats = ["%Y年%m月%d日", "%m/%d/%Y", "%Y%m%d"].map(str::to_owned).to_vec();
    let mixed = Reading { formats, ..reading("date") };
    let texts =
        ["2020年1月11日", "2020年01月09日", "11/01/2020", "20200111", "2020年", "11/01/20", "13/01/2020"];
    assert_eq!(read(&mixed, &texts), ["2020-01-11", "2020-01-09", "2020-11-01", "2020-01-11", "✗", "✗", "✗"]);
    let day_first = Reading { formats: vec!["%d/%m/%Y".to_owned()], ..reading("date") };
    assert_eq!(
        read(&day_first, &["11/01/2020", "11/01/2020", "1969-01-01"]),
        ["2020-01-11", "2020-01-11", "✗"]
    );
    assert_eq!(read(&reading("date"), &["1969-12-31", "9999-12-31"]), ["1969-12-31", "9999-12-31"]);
}

#[test]
fn times_and_timestamps() {
    assert_eq!(read(&reading("time"), &["23:59:59.5", "7:05", "24:00"]), ["23:59:59.500", "07:05:00", "✗"]);
    let texts = [
        "2020-01-11T08:00:00",
        "2020-01-11 08:00:00.25",
        "2020-01-11",
        "2020-01-11T08:00:00Z",
        "2020-01-11T08:00:00+08:00",
        "8",
    ];
    assert_eq!(
        read(&reading("timestamp"), &texts),
        ["2020-01-11T08:00:00", "2020-01-11T08:00:00.250", "2020-01-11T00:00:00", "✗", "✗", "✗"]
    );
    assert_eq!(
        read(&reading("timestamp(UTC)"), &texts)[3..5],
        ["2020-01-11T08:00:00Z", "2020-01-11T00:00:00Z"]
    );
    let chinese = Reading { formats: vec!["%Y年%m月%d日 %H时%M分".to_owned()], ..reading("timestamp") };
    assert_eq!(read(&chinese, &["2020年1月11日 8时5分"]), ["2020-01-11T08:05:00"]);
}

#[test]
fn text_keeps_zeros_and_knows_missing() {
    let labels = Reading { missing: HashSet::from(["-".to_owned(), "<5".to_owned()]), ..reading("text") };
    assert_eq!(read(&labels, &["007", " 甲 ", "-", " <5", "<50"]), ["007", "甲", "∅", "∅", "<50"]);
    let untrimmed = Reading { trim: false, ..reading("text") };
    assert_eq!(read(&untrimmed, &[" 甲 "]), [" 甲 "]);
    let numbers = Reading { missing: HashSet::from(["-99".to_owned()]), ..reading("int32") };
    assert_eq!(read(&numbers, &["-99", "-98"]), ["∅", "-98"]);
}

#[test]
fn bytes_and_lists() {
    assert_eq!(read(&reading("binary"), &["00ff", "0", "xx"]), ["00ff", "✗", "✗"]);
    assert_eq!(
        read(&reading("list<int32>"), &["[1, \"2\", null]", "[]", "[1.5]", "1"]),
        ["[1, 2, ]", "[]", "✗", "✗"]
    );
}
