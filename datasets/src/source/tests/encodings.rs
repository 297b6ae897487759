//! Encodings: found, set, and wrong.

use super::*;

const TEXT: &str = "日期,省份\n2020年1月11日,湖北省\n2020年1月12日,内蒙古自治区\n";

fn found(bytes: &[u8], encoding: Encoding) -> Vec<Vec<String>> {
    cells(&read("a.csv", bytes, &Format::Csv(CsvFormat { encoding, ..csv() })).unwrap())
}

fn expected() -> Vec<Vec<String>> {
    vec![vec!["2020年1月11日".into(), "湖北省".into()], vec!["2020年1月12日".into(), "内蒙古自治区".into()]]
}

fn utf16(text: &str, bytes: fn(u16) -> [u8; 2]) -> Vec<u8> {
    "\u{feff}".encode_utf16().chain(text.encode_utf16()).flat_map(bytes).collect()
}

#[test]
fn detected() {
    assert_eq!(found(TEXT.as_bytes(), Encoding::Auto), expected());
    assert_eq!(found(format!("\u{feff}{TEXT}").as_bytes(), Encoding::Auto), expected());
    assert_eq!(found(&utf16(TEXT, u16::to_le_bytes), Encoding::Auto), expected());
    assert_eq!(found(&utf16(TEXT, u16::to_be_bytes), Encoding::Auto), expected());
    assert_eq!(found(&encoding_rs::GB18030.encode(TEXT).0, Encoding::Auto), expected());
}

#[test]
fn set_in_the_manifest() {
    let gb18030 = encoding_rs::GB18030.encode(TEXT).0;
    assert_eq!(found(&gb18030, Encoding::Fixed(encoding_rs::GB18030)), expected());
    let plain = utf16(TEXT, u16::to_le_bytes).split_off(2);
    assert_eq!(found(&plain, Encoding::Fixed(encoding_rs::UTF_16LE)), expected());
    let big5 = encoding_rs::BIG5.encode("a\n台北\n").0;
    assert_eq!(found(&big5, Encoding::Fixed(encoding_rs::BIG5)), [["台北"]]);
}

#[test]
fn large_files_are_decoded_across_blocks() {
    let text = format!("a,b\n{}", "甲乙丙,①②\n".repeat(300_000));
    for bytes in [
        text.as_bytes().to_vec(),
        encoding_rs::GB18030.encode(&text).0.into_owned(),
        utf16(&text, u16::to_le_bytes),
    ] {
        let rows = found(&bytes, Encoding::Auto);
        assert_eq!(rows.len(), 300_000);
        assert!(rows.iter().all(|row| row == &["甲乙丙", "①②"]));
    }
}

#[test]
fn wrong_bytes_are_named() {
    let utf8 = Format::Csv(CsvFormat { encoding: Encoding::Fixed(encoding_rs::UTF_8), ..csv() });
    let message = refusal("a.csv", b"a,b\n1,2\n3,\xff\n", &utf8);
    assert!(message.starts_with("a.csv line 3:"), "{message}");
    assert!(
        message.contains("offset 10")
            && message.contains("set in the manifest")
            && message.contains("`encoding`")
    );
    let gb18030 = Format::Csv(CsvFormat { encoding: Encoding::Fixed(encoding_rs::GB18030), ..csv() });
    let message = refusal("a.csv", b"a,b\n1,\xff\xff\n", &gb18030);
    assert!(message.contains("line 2") && message.contains("gb18030"), "{message}");
    let cut_off = &TEXT.as_bytes()[..TEXT.len() - 2];
    assert!(refusal("a.csv", cut_off, &utf8).contains("not UTF-8"));
}

#[test]
fn other_languages_are_not_taken_for_chinese() {
    let french = encoding_rs::WINDOWS_1252.encode("préfecture,santé\nété à l'hôpital,déjà été\n").0;
    let message = refusal("a.csv", &french, &Format::Csv(csv()));
    assert!(message.contains("offset 2") && message.contains("windows-1252"), "{message}");
}
