//! Manifests: what is taken, and what each mistake says.

use chrono::NaiveDate;

use super::*;
use crate::error::DatasetsError;

/// A whole manifest; tests change single lines of it.
pub(crate) const MANIFEST: &str = r#"
[dataset]
name = "health.city"
resource_code = "306001/000003"
title = { zh = "各市疫情通报", en = "City figures" }
abstract = { zh = "累计确诊", en = "Cumulative figures" }
provider = "111000009900000172"
formats = ["csv"]
share_type = "unconditional"
share_modes = ["query"]
open_type = "open"
update_cycle = "day"
issued = 2020-01-19
region = { code = "100000", vintage = 2020 }
licence = "MIT"

[layout]
key = ["date", "city", "occurrence"]
sort = ["date"]
slice = []

[[items]]
name = "date"
type = "date"
nullable = false

[[items]]
name = "city"
type = "text"
nullable = false
check = { pattern = "^[^0-9]+$" }

[[items]]
name = "occurrence"
type = "int64"
nullable = false
role = "key"

[[items]]
name = "confirmed"
type = "int32"
missing = { "<5" = "below five", "-" = "not reported" }
check = { min = 0, max = 1000 }

[[items]]
name = "cured"
type = "int64"

[[items]]
name = "issuer"
type = "text"

[[rules]]
name = "cured_within_confirmed"
sql = "cured <= confirmed"

[pooling]
on_duplicate = { number = "occurrence" }

[[delivery]]
kind = "csv"
files = '^(?<date>[0-9-]{10})?(?<issuer>[^0-9]*)\.csv$'
until = 2020-12-31
format = { type = "csv" }

[delivery.columns]
date = { from = ["date", "日期"], format = ["%Y-%m-%d", "%Y年%m月%d日"] }
city = "city"
confirmed = "confirmed"
cured = { from = "cured", optional = true }
issuer = { file = "issuer" }

[delivery.ignore]
columns = ["备注"]

[[delivery]]
kind = "text"
files = 'csv$'
format = { type = "csv", delimiter = ";", quote = "", encoding = "gb2312" }

[delivery.columns]
date = "date"
city = { sql = "concat(city, '市')" }
confirmed = { from = "confirmed", decimal = "," }
cured = { constant = 0 }
issuer = { constant = "nhc" }
"#;

pub(crate) fn with(from: &str, to: &str) -> String {
    assert!(MANIFEST.contains(from), "{from}");
    MANIFEST.replacen(from, to, 1)
}

fn refusal(from: &str, to: &str) -> String {
    let error = Manifest::parse(&with(from, to)).unwrap_err();
    assert!(matches!(error, DatasetsError::Manifest { .. } | DatasetsError::Catalog(_)), "{error:?}");
    error.to_string()
}

#[test]
fn a_manifest_is_parsed() {
    let manifest = Manifest::parse(MANIFEST).unwrap();
    let definition = manifest.definition();
    assert_eq!(definition.name.to_string(), "health.city");
    assert_eq!(definition.entry.issued, NaiveDate::from_ymd_opt(2020, 1, 19).unwrap());
    assert_eq!(definition.manifest, MANIFEST);
    assert_eq!(manifest.pooling().on_duplicate, OnDuplicate::Number("occurrence".parse().unwrap()));
    assert!((manifest.pooling().max_rejected_share - 0.05).abs() < f64::EPSILON);
    assert_eq!(manifest.checks()[3].max.as_deref(), Some("1000"));
    let [csv, text] = manifest.kinds() else { panic!("two kinds") };
    assert_eq!(csv.columns().len(), 5);
    assert!(csv.ignore().contains("备注"));
    let Format::Csv(format) = text.format() else { panic!("csv") };
    assert_eq!(
        (format.delimiter, format.quote, format.encoding),
        (b';', None, Encoding::Fixed(encoding_rs::GB18030))
    );
}

#[test]
fn files_find_their_kind() {
    let manifest = Manifest::parse(MANIFEST).unwrap();
    let today = |year| NaiveDate::from_ymd_opt(year, 6, 1).unwrap();
    let kind = |name, year| manifest.kind_of(name, today(year)).map(DeliveryKind::kind);
    assert_eq!(kind("2020-01-19广东省.csv", 2026), Some("csv"));
    assert_eq!(kind("2021-01-19广东省.csv", 2020), Some("text"));
    assert_eq!((kind("广东省.csv", 2020), kind("广东省.csv", 2021)), (Some("csv"), Some("text")));
    assert_eq!(kind("广东省.xlsx", 2020), None);
    let captures = manifest.kinds()[0].captures("广东省.csv");
    assert_eq!(captures, [("date".into(), None), ("issuer".into(), Some("广东省".into()))]);
}

#[test]
fn mistakes_name_their_key() {
    let cases = [
        ("licence = \"MIT\"", "licence = \"MIT\"\nlicense = \"MIT\"", "license"),
        ("name = \"health.city\"", "name = \"city\"", "line 3"),
        ("share_type = \"unconditional\"", "share_type = \"conditional\"", "dataset.share_condition"),
        ("share_type = \"unconditional\"", "share_type = \"none\"", "dataset.legal_basis"),
        ("share_type = \"unconditional\"", "share_type = \"free\"", "dataset.share_type"),
        ("issued = 2020-01-19", "issued = \"soon\"", "date like 2020-01-19"),
        ("max = 1000", "max = \"many\"", "items.confirmed.check.max"),
        ("pattern = \"^[^0-9]+$\"", "pattern = \"(\"", "items.city.check.pattern"),
        ("sql = \"cured <= confirmed\"", "sql = \"cured <= dead\"", "rules.cured_within_confirmed.sql"),
        ("sql = \"cured <= confirmed\"", "sql = \"cured + 1\"", "not true or false"),
        ("name = \"cured_within_confirmed\"", "name = \"range\"", "rules.range.name"),
        ("number = \"occurrence\"", "number = \"city\"", "pooling.on_duplicate.number"),
        ("on_duplicate = { number = \"occurrence\" }", "on_duplicate = \"keep\"", "refuse"),
        ("[pooling]", "[pooling]\nmax_rejected_share = 2.0", "pooling.max_rejected_share"),
        ("kind = \"text\"", "kind = \"csv\"", "delivery.csv.kind"),
        ("city = \"city\"\n", "", "delivery.csv.columns.city"),
        ("city = \"city\"\n", "city = \"city\"\ntown = \"town\"\n", "delivery.csv.columns.town"),
        ("city = \"city\"\n", "city = \"city\"\noccurrence = \"n\"\n", "delivery.csv.columns.occurrence"),
        (
            "city = \"city\"\n",
            "city = { from = \"city\", optional = true }\n",
            "delivery.csv.columns.city.optional",
        ),
        (
            "city = \"city\"\n",
            "city = { from = \"city\", format = \"%Y\" }\n",
            "delivery.csv.columns.city.format",
        ),
        ("city = \"city\"\n", "city = { from = \"city\", sql = \"city\" }\n", "exactly one"),
        ("city = \"city\"\n", "city = { form = \"city\" }\n", "form"),
        ("issuer = { file = \"issuer\" }", "issuer = { file = \"who\" }", "delivery.csv.columns.issuer.file"),
        ("\"%Y年%m月%d日\"", "\"%Q\"", "delivery.csv.columns.date.format"),
        ("decimal = \",\"", "decimal = \"'\"", "delivery.text.columns.confirmed.decimal"),
        (
            "cured = { constant = 0 }",
            "cured = { constant = \"none\" }",
            "delivery.text.columns.cured.constant",
        ),
        ("delimiter = \";\"", "delimiter = \"；\"", "delivery.text.format.delimiter"),
        ("encoding = \"gb2312\"", "encoding = \"gb\"", "delivery.text.format.encoding"),
        ("format = { type = \"csv\" }", "format = { type = \"csv\", separator = \";\" }", "separator"),
        ("until = 2020-12-31", "from = 2021-01-01\nuntil = 2020-12-31", "delivery.csv.until"),
        ("[dataset]", "[dataset", "line 2"),
    ];
    for (from, to, said) in cases {
        let message = refusal(from, to);
        assert!(message.contains(said), "{to}: {message}");
    }
}
