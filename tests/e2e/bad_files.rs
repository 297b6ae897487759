//! Deliveries that pooling must refuse: each with its exit code and what the message must name, and
//! nothing published afterwards.

use std::fs;
use std::path::Path;

use anyhow::{Result, ensure};

use crate::program::{run, sql};
use crate::said::{Said, write_down};
use crate::store::{PROVIDER, apply, commits, entry, with_provider};

const HEAD: &str = "code,day,persons,area\n";
const INVALID: i32 = 3;
const NOT_FOUND: i32 = 4;

/// One bad delivery to `test.places`, or to the dataset named.
struct Bad {
    name: &'static str,
    file: &'static str,
    content: Vec<u8>,
    exit: i32,
    /// What the message must name beside the file, in lower case.
    says: &'static [&'static str],
}

fn bad(name: &'static str, rows: &str, says: &'static [&'static str]) -> Bad {
    let content = format!("{HEAD}{rows}").into_bytes();
    Bad { name, file: "places.csv", content, exit: INVALID, says }
}

fn other(name: &'static str, file: &'static str, content: &[u8], says: &'static [&'static str]) -> Bad {
    Bad { name, file, content: content.to_vec(), exit: INVALID, says }
}

fn table() -> Vec<Bad> {
    let chinese = "code,day,persons,area\n浙江,2024-01-01,1,A1\n";
    let utf16: Vec<u8> = chinese.encode_utf16().flat_map(u16::to_le_bytes).collect();
    vec![
        other(
            "another encoding than declared",
            "places.csv",
            b"code,day,persons,area\n\xd5\xe3\xbd\xad,2024-01-01,1,A1\n",
            &["utf-8"],
        ),
        other("UTF-16 without a mark", "places.csv", &utf16, &["places.csv"]),
        other("an empty file", "places.csv", b"", &["places.csv", "empty"]),
        other("a missing column", "places.csv", b"code,day,area\n001,2024-01-01,A1\n", &["persons"]),
        other(
            "an extra column",
            "places.csv",
            b"code,day,persons,area,mayor\n001,2024-01-01,1,A1,x\n",
            &["mayor"],
        ),
        other(
            "a column twice",
            "places.csv",
            b"code,day,persons,persons,area\n001,2024-01-01,1,2,A1\n",
            &["persons"],
        ),
        other(
            "a renamed column",
            "places.csv",
            b"code,day,people,area\n001,2024-01-01,1,A1\n",
            &["people", "persons"],
        ),
        bad("a word for a number", "001,2024-01-01,many,A1\n", &["persons", "many"]),
        bad("a number out of the type's range", "001,2024-01-01,99999999999,A1\n", &["persons"]),
        bad("a day that doesn't exist", "001,2024-02-30,1,A1\n", &["day", "2024-02-30"]),
        bad("a blank key", ",2024-01-01,1,A1\n", &["code"]),
        bad("below the least value", "001,2024-01-01,-1,A1\n", &["persons", "-1"]),
        bad("against the pattern", "1,2024-01-01,1,A1\n", &["code"]),
        bad("an unknown code", "001,2024-01-01,1,B7\n", &["area", "b7"]),
        bad("against a row rule", "001,2024-01-01,13,A1\n", &["not_thirteen"]),
        bad("too many fields", "001,2024-01-01,1,A1,more\n", &["fields"]),
        bad("too few fields", "001,2024-01-01\n", &["fields"]),
        bad("a quote that never ends", "001,2024-01-01,1,\"A1\n", &["quote"]),
        bad("the same key twice", "001,2024-01-01,1,A1\n001,2024-01-01,2,A1\n", &["key"]),
        other("a file of no known kind", "notes.txt", b"x", &["notes.txt"]),
        other("a truncated xlsx", "places.xlsx", b"PK\x03\x04\x14\x00\x06\x00", &["places.xlsx"]),
        other("a truncated Parquet file", "places.parquet", b"PAR1\x15\x00", &["places.parquet"]),
        other("a truncated Arrow file", "places.arrow", b"ARROW1\x00\x00\xff", &["places.arrow"]),
        other("JSON that ends early", "places.json", b"[{\"code\": \"001\", \"day\"", &["places.json"]),
        other("a JSON line that is no object", "places.jsonl", b"[1, 2]\n", &["places.jsonl"]),
    ]
}

/// The manifest of `test.areas` without its `[dataset]` part.
const AREAS: &str = r#"
[layout]
key = ["code"]
sort = ["code"]
partition = []
slice = []

[[items]]
name = "code"
type = "text"
label = { en = "code" }
nullable = false
role = "key"

[[delivery]]
kind = "areas"
files = '^areas\.csv$'
format = { type = "csv", header = true }

[delivery.columns]
code = "code"
"#;

/// The manifest of `test.places` without its `[dataset]` part and its kinds of delivery.
const PLACES: &str = r#"
[layout]
key = ["code", "day"]
sort = ["day"]
partition = []
slice = ["day"]

[[items]]
name = "code"
type = "text"
label = { en = "code" }
nullable = false
role = "key"
check = { pattern = "^[0-9]{3}$" }

[[items]]
name = "day"
type = "date"
label = { en = "day" }
nullable = false
role = "time"

[[items]]
name = "persons"
type = "int32"
label = { en = "persons" }
unit = "person"
role = "measure"
check = { min = 0 }

[[items]]
name = "area"
type = "text"
label = { en = "area" }
role = "region"
code_list = { dataset = "test.areas", item = "code" }

[[rules]]
name = "not_thirteen"
sql = "persons <> 13"

[pooling]
max_rejected_share = 0.25
on_duplicate = "refuse"
"#;

fn areas() -> String {
    entry("test.areas", 11) + AREAS
}

/// The manifest of `test.places`: the same columns from every format.
fn places() -> String {
    let formats = [
        ("csv", r#"{ type = "csv", header = true, encoding = "utf-8" }"#),
        ("xlsx", r#"{ type = "excel" }"#),
        ("parquet", r#"{ type = "parquet" }"#),
        ("arrow", r#"{ type = "arrow" }"#),
        ("json", r#"{ type = "json" }"#),
        ("jsonl", r#"{ type = "jsonl" }"#),
    ];
    let mut manifest = entry("test.places", 12) + PLACES;
    for (kind, format) in formats {
        manifest.push_str(&format!(
            "\n[[delivery]]\nkind = \"{kind}\"\nfiles = '^places\\.{kind}$'\nformat = {format}\n\n[delivery.columns]\n\
             code = \"code\"\nday = {{ from = \"day\", format = [\"%Y-%m-%d\"] }}\npersons = \"persons\"\narea = \"area\"\n"
        ));
    }
    manifest
}

fn pool(store: &Path, dataset: &str, file: &Path) -> Result<crate::program::Ended> {
    run(
        store,
        ["pool".as_ref(), dataset.as_ref(), file.as_os_str(), "--provider".as_ref(), PROVIDER.as_ref()],
    )
}

#[test]
fn bad_deliveries_are_refused_and_change_nothing() -> Result<()> {
    let store = with_provider()?;
    apply(store.path(), &areas())?;
    apply(store.path(), &places())?;
    let folder = tempfile::tempdir()?;
    let write = |name: &str, content: &[u8]| -> Result<_> {
        let file = folder.path().join(name);
        fs::write(&file, content)?;
        Ok(file)
    };
    pool(store.path(), "test.areas", &write("areas.csv", b"code\nA1\nA2\n")?)?.success()?;
    let good = format!("{HEAD}001,2024-01-01,1,A1\n002,2024-01-01,,\n");
    pool(store.path(), "test.places", &write("places.csv", good.as_bytes())?)?.success()?;
    let content = sql(store.path(), "SELECT * FROM test.places ORDER BY code", &[])?;
    ensure!(content == ["001,2024-01-01,1,A1", "002,2024-01-01,,"], "{content:?}");

    let before = commits(store.path())?;
    let (mut wrong, mut said_so) = (Vec::new(), Vec::new());
    for case in table() {
        let ended = pool(store.path(), "test.places", &write(case.file, &case.content)?)?;
        said_so.push(Said {
            input: case.name.to_owned(),
            outcome: format!("exit {}", ended.code.unwrap_or(-1)),
            message: ended.text(),
        });
        let said = ended.text().to_lowercase();
        let silent: Vec<_> =
            case.says.iter().chain([&case.file]).filter(|word| !said.contains(**word)).collect();
        if ended.code != Some(case.exit) || !silent.is_empty() {
            wrong.push(format!("{}: exit {:?}, doesn't say {silent:?}:\n{said}", case.name, ended.code));
        }
        if commits(store.path())? != before {
            wrong.push(format!("{}: something was published", case.name));
            break;
        }
    }
    write_down("1-files", "Deliveries: `basin pool test.places FILE`", &said_so)?;
    ensure!(wrong.is_empty(), "{} are wrong:\n{}", wrong.len(), wrong.join("\n"));
    ensure!(
        sql(store.path(), "SELECT * FROM test.places ORDER BY code", &[])? == content,
        "the content changed"
    );
    Ok(())
}

#[test]
fn deliveries_to_or_from_nobody_are_refused() -> Result<()> {
    let store = with_provider()?;
    apply(store.path(), &areas())?;
    let folder = tempfile::tempdir()?;
    let file = folder.path().join("areas.csv");
    fs::write(&file, "code\nA1\n")?;
    let before = commits(store.path())?;
    let file = file.to_string_lossy().into_owned();
    let cases: [(&[&str], i32, &str); 5] = [
        (&["pool", "test.area", &file, "--provider", PROVIDER], NOT_FOUND, "test.areas"),
        (
            &["pool", "test.areas", "/nowhere/areas.csv", "--provider", PROVIDER],
            NOT_FOUND,
            "/nowhere/areas.csv",
        ),
        (&["pool", "test.areas", &file, "--provider", "Y11000009900000842"], NOT_FOUND, "y11000009900000842"),
        (&["pool", "test.areas", &file, "--provider", "Y11000009900000768"], 2, "check"),
        (&["pool", "test.areas", &file, "--provider", PROVIDER, "--kind", "weekly"], INVALID, "weekly"),
    ];
    for (arguments, exit, says) in cases {
        let ended = run(store.path(), arguments)?;
        ensure!(ended.code == Some(exit), "{arguments:?}: {:?} {}", ended.code, ended.text());
        ensure!(
            ended.text().to_lowercase().contains(says),
            "{arguments:?} doesn't say {says}: {}",
            ended.text()
        );
        ensure!(commits(store.path())? == before, "{arguments:?} published something");
    }
    Ok(())
}
