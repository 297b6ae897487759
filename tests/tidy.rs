//! The house rules that a compiler doesn't check, as a test: file sizes, crate arrows, module docs, open doors.
//!
//! Each rule names the file and what to do. Exceptions are lists here, which may only shrink.

#![expect(clippy::expect_used, reason = "a test may say what it expects of the tree it reads")]

use std::fs;
use std::path::{Path, PathBuf};

const CRATES: [&str; 4] = ["catalog", "datasets", "engine", "flight-server"];
const FILE_LINES: usize = 600;
/// Above this a file explains itself: a line `//! Long because …` in its head.
const FILE_LINES_WITHOUT_REASON: usize = 400;
const INLINE_TEST_LINES: usize = 150;

/// What each crate may not depend on: the arrows of ARCHITECTURE.md, and the wire types' one home.
const FORBIDDEN: [(&str, &[&str]); 4] = [
    (
        "catalog",
        &[
            "basin-datasets",
            "basin-engine",
            "basin-flight-server",
            "datafusion",
            "deltalake-core",
            "tonic",
            "arrow-flight",
            "anyhow",
        ],
    ),
    ("datasets", &["basin-engine", "basin-flight-server", "tonic", "arrow-flight", "anyhow"]),
    ("engine", &["basin-datasets", "basin-flight-server", "tonic", "arrow-flight", "anyhow"]),
    ("flight-server", &[]),
];

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().expect("the workspace root").to_owned()
}

fn files_below(folder: &Path, wanted: &dyn Fn(&Path) -> bool, found: &mut Vec<PathBuf>) {
    let Ok(entries) = fs::read_dir(folder) else { return };
    for entry in entries {
        let path = entry.expect("a readable folder").path();
        let name = path.file_name().expect("a name").to_string_lossy().into_owned();
        if path.is_dir() {
            if name != "target" && !name.starts_with('.') && name != "node_modules" {
                files_below(&path, wanted, found);
            }
        } else if wanted(&path) {
            found.push(path);
        }
    }
}

fn rust_files() -> Vec<(String, String)> {
    let root = root();
    let mut found = Vec::new();
    files_below(&root, &|path| path.extension().is_some_and(|extension| extension == "rs"), &mut found);
    assert!(found.len() > 20, "only {} Rust files found below {}", found.len(), root.display());
    found
        .into_iter()
        .map(|path| {
            let name = path.strip_prefix(&root).expect("below the root").to_string_lossy().into_owned();
            let text = fs::read_to_string(&path).expect("UTF-8");
            (name, text)
        })
        .collect()
}

fn product_files() -> Vec<(String, String)> {
    rust_files()
        .into_iter()
        .filter(|(name, _)| CRATES.iter().any(|krate| name.starts_with(&format!("{krate}/src/"))))
        .collect()
}

/// The file's lines before its inline tests, which stand at the end.
fn without_tests(text: &str) -> &str {
    text.split("#[cfg(test)]\nmod tests {").next().unwrap_or(text)
}

fn is_test_file(name: &str) -> bool {
    name.ends_with("/tests.rs") || name.contains("/tests/") || name.ends_with("_tests.rs")
}

fn report(rule: &str, broken: Vec<String>) {
    assert!(broken.is_empty(), "{rule}:\n  {}", broken.join("\n  "));
}

#[test]
fn files_are_short() {
    let mut broken = Vec::new();
    for (name, text) in rust_files() {
        let lines = text.lines().count();
        let own = without_tests(&text).lines().count();
        if lines > FILE_LINES {
            broken.push(format!("{name}: {lines} lines; split it by responsibility"));
        } else if own > FILE_LINES_WITHOUT_REASON && !text.contains("//! Long because") {
            broken.push(format!("{name}: {own} lines; split it, or say `//! Long because …` at its head"));
        }
    }
    report("a file has at most 600 lines, and a reason above 400", broken);
}

#[test]
fn inline_tests_are_short() {
    let broken = product_files()
        .into_iter()
        .filter(|(name, _)| !is_test_file(name))
        .filter_map(|(name, text)| {
            let tests = text.lines().count() - without_tests(&text).lines().count();
            (tests > INLINE_TEST_LINES)
                .then(|| format!("{name}: {tests} lines of tests; move them to tests.rs"))
        })
        .collect();
    report("inline tests have at most 150 lines", broken);
}

#[test]
fn every_module_says_what_it_is() {
    let broken = product_files()
        .into_iter()
        .filter(|(name, text)| !text.starts_with("//!") && !is_test_file(name))
        .map(|(name, _)| format!("{name}: begin with `//!`: purpose, place in the walk, what it does not do"))
        .collect();
    report("every module has docs", broken);
}

#[test]
fn crates_point_one_way() {
    let mut broken = Vec::new();
    for (krate, forbidden) in FORBIDDEN {
        let manifest = fs::read_to_string(root().join(krate).join("Cargo.toml")).expect("a manifest");
        let dependencies = manifest
            .split("[dependencies]")
            .nth(1)
            .expect("dependencies")
            .split("\n[")
            .next()
            .unwrap_or_default();
        assert!(dependencies.lines().count() > 3, "{krate}: its dependencies were not read");
        for name in forbidden {
            if dependencies.lines().any(|line| line.split(['.', ' ', '=']).next() == Some(name)) {
                broken.push(format!("{krate} depends on {name}"));
            }
        }
    }
    report("crates point one way", broken);
}

#[test]
fn no_room_is_called_common() {
    let broken = rust_files()
        .into_iter()
        .map(|(name, _)| name)
        .filter(|name| {
            ["common", "utils", "util", "helpers", "misc"]
                .iter()
                .any(|bad| name.split('/').any(|part| part.trim_end_matches(".rs") == *bad))
        })
        .collect();
    report("a module is named after what it is responsible for", broken);
}

#[test]
fn product_code_has_no_back_doors() {
    let doors = [
        ("pub use ", "::*;", "re-export by name, not by glob"),
        ("#[allow(", "", "use #[expect(…, reason = \"…\")]"),
        ("#![allow(", "", "use #![expect(…, reason = \"…\")]"),
        ("static ", "OnceLock", "configuration and state are passed down, not global"),
        ("static ", "LazyLock", "configuration and state are passed down, not global"),
        ("static ", "Mutex", "configuration and state are passed down, not global"),
        ("static mut ", "", "configuration and state are passed down, not global"),
        ("thread_local!", "", "configuration and state are passed down, not global"),
        ("todo!(", "", "build it"),
        ("unimplemented!(", "", "build it, or refuse with a sentence"),
    ];
    let mut broken = Vec::new();
    for (name, text) in product_files() {
        if is_test_file(&name) {
            continue;
        }
        for (number, line) in without_tests(&text).lines().enumerate() {
            for (start, then, instead) in doors {
                let opens = line.find(start).is_some_and(|at| line.split_at(at).1.contains(then));
                if opens && !line.trim_start().starts_with("//") {
                    broken.push(format!("{name}:{}: {instead}", number + 1));
                }
            }
        }
    }
    report("no back doors", broken);
}

#[test]
fn wire_types_have_one_home() {
    let broken = product_files()
        .into_iter()
        .filter(|(name, _)| !name.starts_with("flight-server/"))
        .filter(|(_, text)| text.contains("arrow_flight") || text.contains("tonic::"))
        .map(|(name, _)| format!("{name}: names Flight or tonic"))
        .collect();
    report("only flight-server knows the wire", broken);
}

#[test]
fn anyhow_stays_in_main() {
    let broken = product_files()
        .into_iter()
        .filter(|(name, text)| {
            let in_binary = name.ends_with("/main.rs") || name.starts_with("flight-server/src/commands");
            !in_binary && !is_test_file(name) && without_tests(text).contains("anyhow")
        })
        .map(|(name, _)| format!("{name}: use the crate's own error enum"))
        .collect();
    report("anyhow only in main, its commands, and tests", broken);
}

#[test]
fn policy_decides_in_one_room() {
    // Reading a share type or a grant to decide is the policy room's; system tables and the officer's commands show them.
    let may_name_it = [
        "engine/src/policy/",
        "engine/src/system/",
        "flight-server/src/commands/grant/",
        "flight-server/src/commands/policy/",
    ];
    let broken = product_files()
        .into_iter()
        .filter(|(name, _)| name.starts_with("engine/src/") || name.starts_with("flight-server/src/"))
        .filter(|(name, _)| !may_name_it.iter().any(|room| name.starts_with(room)) && !is_test_file(name))
        .filter(|(_, text)| {
            let own = without_tests(text);
            own.contains("Share::") || own.contains(".grants()")
        })
        .map(|(name, _)| format!("{name}: reads share types or grants"))
        .collect();
    report("only engine/src/policy decides what may be read", broken);
}

#[test]
fn the_project_speaks_of_itself_alone() {
    let mut found = Vec::new();
    let text_files = ["rs", "md", "toml", "sh", "py", "sql", "yml"];
    files_below(
        &root(),
        &|path| {
            path.extension().is_some_and(|extension| text_files.iter().any(|known| extension == *known))
                || path.ends_with("tests/run")
                || path.ends_with(".ci/run")
        },
        &mut found,
    );
    let words =
        [concat!("/wo", "rk/"), concat!("/ro", "ot/"), concat!("/home", "/"), concat!("crates", ".io/")];
    let mut broken = Vec::new();
    for path in found {
        let text = fs::read_to_string(&path).expect("UTF-8");
        for word in words {
            if text.contains(word) {
                broken.push(format!("{}: names {word}", path.display()));
            }
        }
    }
    report("no path of one machine, no registry host", broken);
}
