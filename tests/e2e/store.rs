//! The stores that tests start from: the pooled example pack, made once, and an empty one with an organisation.

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::OnceLock;

use anyhow::{Result, anyhow, ensure};
use tempfile::TempDir;

use crate::program::{Server, run};

/// The user that `basin demo` creates.
pub(crate) const USER: &str = "analyst";
/// Its password in these tests.
pub(crate) const PASSWORD: &str = "correct horse battery";
/// The organisation that delivers in the tests that don't use the pack; its code is made up.
/// Beds of clinics by month, without the manifest's `[dataset]` and `[layout]`.
pub(crate) const BEDS: &str = r#"
[[items]]
name = "month"
type = "date"
nullable = false
role = "time"

[[items]]
name = "clinic"
type = "text"
nullable = false
role = "key"

[[items]]
name = "beds"
type = "int32"
role = "measure"

[[delivery]]
kind = "beds"
files = '^beds-.+\.csv$'
format = { type = "csv" }

[delivery.columns]
month = { from = "month", format = "%Y-%m-%d" }
clinic = "clinic"
beds = "beds"
"#;
pub(crate) const PROVIDER: &str = "Y11000009900000767";

/// The `[dataset]` part of a test's manifest: what is the same whatever the dataset holds.
pub(crate) fn entry(name: &str, sequence: u32) -> String {
    format!(
        r#"
[dataset]
name = "{name}"
resource_code = "999001/{sequence:06}"
title = {{ en = "{name}" }}
abstract = {{ en = "Made by a test." }}
provider = "{PROVIDER}"
formats = ["csv", "json", "xlsx", "parquet", "arrow"]
share_type = "unconditional"
share_modes = ["query"]
open_type = "open"
update_cycle = "day"
issued = 2024-01-01
grade = "general-1"
licence = "CC0-1.0"
"#
    )
}

/// The example pack as `basin demo` pools it, and what the demo printed. Made once; nobody may change it.
#[derive(Debug)]
pub(crate) struct Pooled {
    pub(crate) path: PathBuf,
    pub(crate) printed: Vec<String>,
}

/// Gives the pooled pack, pooling it when it is the first to ask.
pub(crate) fn pooled() -> Result<&'static Pooled> {
    static POOLED: OnceLock<std::result::Result<Pooled, String>> = OnceLock::new();
    POOLED
        .get_or_init(|| pool().map_err(|error| format!("{error:#}")))
        .as_ref()
        .map_err(|error| anyhow!("{error}"))
}

fn pool() -> Result<Pooled> {
    let path = Path::new(env!("CARGO_TARGET_TMPDIR")).join("china-2020-store");
    if path.exists() {
        fs::remove_dir_all(&path)?;
    }
    let demo = Server::start(&path, ["demo", "--listen", "127.0.0.1:0", "--password", PASSWORD])?;
    let printed = demo.printed().to_vec();
    let code = demo.stop()?;
    ensure!(code == Some(0), "the demo ended with {code:?} after SIGTERM");
    Ok(Pooled { path, printed })
}

/// A copy of the pooled pack that a test may change.
pub(crate) fn pooled_copy() -> Result<TempDir> {
    let copy = tempfile::tempdir()?;
    copy_folder(&pooled()?.path, copy.path())?;
    Ok(copy)
}

fn copy_folder(from: &Path, to: &Path) -> Result<()> {
    fs::create_dir_all(to)?;
    for entry in fs::read_dir(from)? {
        let entry = entry?;
        let target = to.join(entry.file_name());
        if entry.file_type()?.is_dir() {
            copy_folder(&entry.path(), &target)?;
        } else {
            fs::copy(entry.path(), target)?;
        }
    }
    Ok(())
}

/// A new store that knows [`PROVIDER`] and nothing else.
pub(crate) fn with_provider() -> Result<TempDir> {
    let store = tempfile::tempdir()?;
    run(store.path(), ["org", "put", PROVIDER, "--name-en", "Test provider", "--name-zh", "测试机构"])?
        .success()?;
    Ok(store)
}

/// Writes a manifest beside the store's data and applies it.
pub(crate) fn apply(store: &Path, manifest: &str) -> Result<()> {
    let folder = tempfile::tempdir()?;
    let file = folder.path().join("manifest.toml");
    fs::write(&file, manifest)?;
    run(store, ["dataset".as_ref(), "apply".as_ref(), file.as_os_str()])?.success()?;
    Ok(())
}

/// The catalog's commits: equal before and after means that nothing was published or defined.
pub(crate) fn commits(store: &Path) -> Result<Vec<String>> {
    let mut names = Vec::new();
    for entry in fs::read_dir(store.join("catalog/log"))? {
        names.push(entry?.file_name().to_string_lossy().into_owned());
    }
    names.sort();
    Ok(names)
}
