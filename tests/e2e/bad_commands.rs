//! Commands that must fail: bad manifests, bad SQL, bad stores. Each with its exit code and what the
//! message must name, and nothing committed afterwards.

use std::fs;
use std::path::Path;

use anyhow::{Result, ensure};

use crate::program::run;
use crate::said::{Said, write_down};
use crate::store::{commits, with_provider};

const MANIFEST: &str = r#"
[dataset]
name = "test.wells"
resource_code = "999001/000021"
title = { en = "Wells" }
abstract = { en = "Depth of wells." }
provider = "Y11000009900000767"
formats = ["csv"]
share_type = "unconditional"
share_modes = ["query"]
open_type = "open"
update_cycle = "year"
issued = 2024-01-01
region = { code = "330000", vintage = 2020 }
grade = "general-1"
licence = "CC0-1.0"

[layout]
key = ["well"]
sort = ["well"]
partition = []
slice = []

[[items]]
name = "well"
type = "text"
label = { en = "well" }
nullable = false
role = "key"

[[items]]
name = "depth"
type = "decimal(9,2)"
label = { en = "depth" }
unit = "metre"
role = "measure"

[[rules]]
name = "not_flying"
sql = "depth >= 0"

[[delivery]]
kind = "wells"
files = '^wells\.csv$'
format = { type = "csv", header = true }

[delivery.columns]
well = "well"
depth = "depth"
"#;

/// A manifest that is wrong in one place: the text that is replaced, its replacement, and what the message must name.
const BAD_MANIFESTS: [(&str, &str, &str); 22] = [
    ("name = \"test.wells\"", "name = \"basin.wells\"", "basin's own"),
    ("name = \"test.wells\"", "name = \"wells\"", "schema"),
    ("name = \"test.wells\"", "name = \"test.Wells\"", "test.wells"),
    ("999001/000021", "99/000021", "99/000021"),
    ("Y11000009900000767", "Y11000009900000768", "check"),
    ("code = \"330000\"", "code = \"33\"", "33"),
    ("share_type = \"unconditional\"", "share_type = \"conditional\"", "share_condition"),
    ("share_type = \"unconditional\"", "share_type = \"none\"", "legal_basis"),
    ("share_type = \"unconditional\"", "share_type = \"maybe\"", "share_type"),
    ("update_cycle = \"year\"", "update_cycle = \"fortnight\"", "fortnight"),
    ("grade = \"general-1\"", "grade = \"general-9\"", "general-9"),
    ("type = \"decimal(9,2)\"", "type = \"decimal(99,2)\"", "decimal(99,2)"),
    ("type = \"decimal(9,2)\"", "type = \"money\"", "money"),
    ("role = \"measure\"", "rôle = \"measure\"", "line"),
    ("role = \"measure\"", "colour = \"blue\"", "colour"),
    ("key = [\"well\"]", "key = [\"source\"]", "source"),
    ("slice = []", "slice = [\"depth\"]", "slice"),
    ("depth = \"depth\"", "depths = \"depth\"", "depths"),
    ("depth = \"depth\"", "", "depth"),
    ("'^wells\\.csv$'", "'^wells('", "files"),
    ("depth >= 0", "depth >=", "not_flying"),
    ("depth >= 0", "deep >= 0", "deep"),
];

#[test]
fn bad_manifests_are_refused() -> Result<()> {
    let store = with_provider()?;
    let folder = tempfile::tempdir()?;
    let file = folder.path().join("wells.toml");
    let before = commits(store.path())?;
    let (mut wrong, mut said_so) = (Vec::new(), Vec::new());
    for (good, bad, says) in BAD_MANIFESTS {
        ensure!(MANIFEST.contains(good), "{good} isn't in the manifest");
        fs::write(&file, MANIFEST.replacen(good, bad, 1))?;
        let ended = run(store.path(), ["dataset".as_ref(), "apply".as_ref(), file.as_os_str()])?;
        said_so.push(Said {
            input: format!("`{}`", if bad.is_empty() { "an item without a column" } else { bad }),
            outcome: format!("exit {}", ended.code.unwrap_or(-1)),
            message: ended.text(),
        });
        if ended.code != Some(3) || !ended.text().to_lowercase().contains(says) {
            wrong.push(format!("{bad}: exit {:?}, should say {says}: {}", ended.code, ended.text()));
        }
        if commits(store.path())? != before {
            wrong.push(format!("{bad}: it was applied"));
            break;
        }
    }
    write_down("2-manifests", "Manifests: `basin dataset apply FILE`", &said_so)?;
    ensure!(wrong.is_empty(), "{} are wrong:\n{}", wrong.len(), wrong.join("\n"));
    fs::write(&file, MANIFEST)?;
    run(store.path(), ["dataset".as_ref(), "apply".as_ref(), file.as_os_str()])?.success()?;
    Ok(())
}

#[test]
fn bad_commands_are_refused() -> Result<()> {
    let store = with_provider()?;
    let before = commits(store.path())?;
    let cases: [(&[&str], i32, &str); 16] = [
        (&["flood"], 2, "flood"),
        (&["pool"], 2, "usage"),
        (&["dataset", "apply", "/nowhere/wells.toml"], 4, "/nowhere/wells.toml"),
        (&["dataset", "show", "test.wells"], 4, "test.wells"),
        (&["org", "put", "Y11000009900000768", "--name-en", "x"], 2, "check"),
        (&["user", "add", "Not A Name"], 2, "not a name"),
        (&["sql", "SELEC 1"], 3, "selec"),
        (&["sql", "SELECT 1; SELECT 2"], 3, "statement"),
        (&["sql", "SELECT * FROM test.wells"], 4, "test.wells"),
        (&["sql", "SELECT depht FROM basin.datasets"], 3, "depht"),
        (&["sql", "CREATE TABLE test.x AS SELECT 1"], 3, "read"),
        (&["sql", "INSERT INTO basin.datasets SELECT * FROM basin.datasets"], 3, "read"),
        (&["sql", "COPY (SELECT 1) TO '/tmp/basin-must-not-write.csv'"], 3, "read"),
        (&["sql", "SELECT 1", "--as-of", "999999"], 4, "999999"),
        (&["sql", "SELECT 1", "--as-of", "yesterday"], 2, "yesterday"),
        (&["sql", "SELECT 1", "--server", "grpc://127.0.0.1:9", "--user", "x"], 7, "127.0.0.1:9"),
    ];
    let (mut wrong, mut said_so) = (Vec::new(), Vec::new());
    for (arguments, exit, says) in cases {
        let ended = {
            let mut command = crate::program::basin(store.path(), arguments)?;
            command.env("BASIN_PASSWORD", "secret secret");
            let output = command.output()?;
            let message = String::from_utf8_lossy(&[output.stdout, output.stderr].concat()).into_owned();
            said_so.push(Said {
                input: format!("`basin {}`", arguments.join(" ")),
                outcome: format!("exit {}", output.status.code().unwrap_or(-1)),
                message: message.clone(),
            });
            (output.status.code(), message.to_lowercase())
        };
        if ended.0 != Some(exit) || !ended.1.contains(says) {
            wrong.push(format!(
                "{arguments:?}: exit {:?} (expected {exit}), should say {says}: {}",
                ended.0, ended.1
            ));
        }
    }
    write_down("3-commands", "Commands", &said_so)?;
    ensure!(wrong.is_empty(), "{} are wrong:\n{}", wrong.len(), wrong.join("\n"));
    ensure!(commits(store.path())? == before, "a command committed something");
    ensure!(!Path::new("/tmp/basin-must-not-write.csv").exists(), "COPY wrote a file");
    Ok(())
}

#[test]
fn bad_stores_are_refused() -> Result<()> {
    let folder = tempfile::tempdir()?;
    let file = folder.path().join("file");
    fs::write(&file, "not a folder")?;
    let nothing = folder.path().join("nothing");
    let broken = with_provider()?;
    let newest = commits(broken.path())?.pop().unwrap_or_default();
    fs::write(broken.path().join("catalog/log").join(newest), "{\"half\": ")?;
    let cases: [(&Path, &[i32], &str); 4] = [
        (Path::new("ftp://example.org/store"), &[2, 3], "ftp"),
        (&file, &[3, 4, 5, 7], "file"),
        (&nothing, &[4], "basin demo"),
        (broken.path(), &[1, 7], "catalog/log"),
    ];
    for (store, exits, says) in cases {
        let ended = run(store, ["sql", "SELECT 1"])?;
        let code = ended.code.unwrap_or(-1);
        ensure!(exits.contains(&code), "{}: exit {code}: {}", store.display(), ended.text());
        ensure!(ended.text().contains(says), "{} doesn't say {says}: {}", store.display(), ended.text());
    }
    ensure!(!nothing.exists(), "a query made a store");
    Ok(())
}
