//! CSV and JSON.

use super::*;

fn rows(text: &str, format: CsvFormat) -> Vec<Vec<String>> {
    cells(&read("a.csv", text.as_bytes(), &Format::Csv(format)).unwrap())
}

#[test]
fn fields_are_split() {
    let found = rows("a,b,c\n1,\"x,\"\"y\"\"\",\n,5\" pipe,z", csv());
    assert_eq!(found, [["1", "x,\"y\"", "∅"], ["∅", "5\" pipe", "z"]]);
}

#[test]
fn lines_are_physical_with_quoted_line_ends() {
    let text = "\r\na,b\r\n1,\"two\r\nlines\"\r\n\r\n3,4\r\n";
    let batches = read("a.csv", text.as_bytes(), &Format::Csv(csv())).unwrap();
    assert_eq!(cells(&batches), [["1", "two\r\nlines"], ["3", "4"]]);
    assert_eq!(lines(&batches), [3, 6]);
    assert_eq!(batches[0].raw.text(0), "1,\"two\r\nlines\"");
    assert_eq!(batches[0].raw.text(1), "3,4");
}

#[test]
fn other_delimiters_quotes_and_line_ends() {
    assert_eq!(rows("a\tb\n1\t2\n", CsvFormat { delimiter: b'\t', ..csv() }), [["1", "2"]]);
    assert_eq!(
        rows("a;b\n'x;y';2\n", CsvFormat { delimiter: b';', quote: Some(b'\''), ..csv() }),
        [["x;y", "2"]]
    );
    assert_eq!(rows("a,b\n\"x,2\n", CsvFormat { quote: None, ..csv() }), [["\"x", "2"]]);
    assert_eq!(rows("a,b\r1,2\r3,4\r", csv()), [["1", "2"], ["3", "4"]]);
}

#[test]
fn headers() {
    let batches = read("a.csv", b"1,2\n3,4\n", &Format::Csv(CsvFormat { header: false, ..csv() })).unwrap();
    assert_eq!(
        (columns(&batches), lines(&batches)),
        (vec!["column_1".to_owned(), "column_2".to_owned()], vec![1, 2])
    );
    let named = CsvFormat { header: false, names: vec!["x".into(), "y".into()], ..csv() };
    assert_eq!(columns(&read("a.csv", b"1,2\n", &Format::Csv(named)).unwrap()), ["x", "y"]);
    let batches = read("a.csv", " 日期 ,\"b\"\n".as_bytes(), &Format::Csv(csv())).unwrap();
    assert_eq!(columns(&batches), ["日期", "b"]);
    assert_eq!((batches.len(), batches[0].rows.num_rows()), (1, 0));
    assert!(refusal("a.csv", b"a,b,a\n1,2,3\n", &Format::Csv(csv())).contains("`a` more than once"));
    assert!(refusal("a.csv", b"", &Format::Csv(csv())).contains("empty"));
    assert!(refusal("a.csv", b"\n\n", &Format::Csv(csv())).contains("no header"));
}

#[test]
fn wrong_field_counts_are_rejects() {
    let batches = read("a.csv", b"a,b\n1\n2,3\n4,5,6\n\"7\"x,8\n", &Format::Csv(csv())).unwrap();
    assert_eq!(cells(&batches), [["2", "3"]]);
    let found: Vec<_> = batches[0]
        .malformed
        .iter()
        .map(|r| (r.line, r.raw.as_str(), r.rule.as_str(), r.reason.as_str()))
        .collect();
    assert_eq!(
        found,
        [
            (2, "1", "fields", "1 fields where the header has 2"),
            (4, "4,5,6", "fields", "3 fields where the header has 2"),
            (5, "\"7\"x,8", "fields", "text follows a closing quote"),
        ]
    );
}

#[test]
fn an_open_quote_is_an_error_with_its_line() {
    let message = refusal("a.csv", b"a,b\n1,2\n\"3,4\n5,6\n", &Format::Csv(csv()));
    assert!(message.starts_with("a.csv line 3:") && message.contains("never closed"), "{message}");
}

#[test]
fn blocks_and_batches_have_no_seams() {
    let mut text = String::from("n,t\n");
    for n in 0..60_000 {
        text.push_str(&format!("{n},\"第{n}行\"\"\n,{}\"\n", "x".repeat(n % 50)));
    }
    let batches = read_in("a.csv", text.as_bytes(), &Format::Csv(csv()), 1000).unwrap();
    assert!(batches.len() > 60 && batches.iter().all(|batch| batch.rows.num_rows() <= 1000));
    let mut n = 0;
    for batch in &batches {
        assert!(batch.malformed.is_empty());
        for row in 0..batch.rows.num_rows() {
            assert_eq!(batch.lines[row], 2 + 2 * n);
            assert_eq!(batch.rows.column(0).as_string::<i32>().value(row), n.to_string());
            let expected = format!("第{n}行\"\n,{}", "x".repeat(n as usize % 50));
            assert_eq!(batch.rows.column(1).as_string::<i32>().value(row), expected);
            n += 1;
        }
    }
    assert_eq!(n, 60_000);
}

#[test]
fn a_record_larger_than_a_block_is_read() {
    let text = format!("a,b\n1,\"{}\"\n2,x\n", "长".repeat(1_500_000));
    let batches = read("a.csv", text.as_bytes(), &Format::Csv(csv())).unwrap();
    assert_eq!(cells(&batches).iter().map(|row| row[1].len()).collect::<Vec<_>>(), [4_500_000, 1]);
    assert!((4090..=4096).contains(&batches[0].raw.text(0).len()));
}

#[test]
fn json_lines() {
    let text = "{\"a\": 1.10, \"b\": \"x\\ny\"}\n\n  {\"b\": null, \"c\": [1, {\"d\": 2}]}\r\n{\"a\": 1\n[1]\n{\"a\":1,\"a\":2}\n{\"a\": true}";
    let batches = read("a.jsonl", text.as_bytes(), &Format::JsonLines(Encoding::Auto)).unwrap();
    assert_eq!(columns(&batches), ["a", "b", "c"]);
    assert_eq!(cells(&batches), [["1.10", "x\ny", "∅"], ["∅", "∅", "[1, {\"d\": 2}]"], ["true", "∅", "∅"]]);
    assert_eq!(lines(&batches), [1, 3, 7]);
    let rejected: Vec<_> = batches[0].malformed.iter().map(|r| (r.line, r.raw.as_str())).collect();
    assert_eq!(rejected, [(4, "{\"a\": 1"), (5, "[1]"), (6, "{\"a\":1,\"a\":2}")]);
    assert_eq!(batches[0].raw.text(2), "{\"a\": true}");
}

#[test]
fn json_arrays() {
    let form = Format::Json(Encoding::Auto);
    let text = "\u{feff}[\n {\"名\": \"]}\\\"\", \"n\": 7},\n\n {\"n\": \"007\"}\n, 5 ]\n";
    let batches = read("a.json", text.as_bytes(), &form).unwrap();
    assert_eq!(cells(&batches), [["]}\"", "7"], ["∅", "007"]]);
    assert_eq!(lines(&batches), [1, 2]);
    assert_eq!((batches[0].malformed[0].line, batches[0].malformed[0].raw.as_str()), (3, "5"));
    for (text, said) in [
        ("[{\"a\":1},{\"a\":", "cut off"),
        ("[{\"a\":1}", "cut off"),
        ("{\"a\":1}\n{\"a\":2}", "jsonl"),
        ("[{\"a\":1} {\"a\":2}]", "comma"),
        ("[{\"a\":1}] x", "follows"),
        ("[{\"a\":1},,]", "missing"),
        ("[]", "no JSON object"),
    ] {
        let message = refusal("a.json", text.as_bytes(), &form);
        assert!(message.contains(said), "{text}: {message}");
    }
}

#[test]
fn json_elements_across_blocks() {
    let text: Vec<String> =
        (0..40_000).map(|n| format!("{{\"n\":{n},\"t\":\"{}\"}}", "界".repeat(n % 40))).collect();
    let batches =
        read("a.json", format!("[{}]", text.join(",\n")).as_bytes(), &Format::Json(Encoding::Auto)).unwrap();
    let found = cells(&batches);
    assert_eq!(found.len(), 40_000);
    assert!(found.iter().enumerate().all(|(n, row)| row[0] == n.to_string()));
    assert_eq!(lines(&batches), (1..=40_000).collect::<Vec<u64>>());
}
