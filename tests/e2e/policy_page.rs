//! `docs/policy-example.md`: every command of the page is run, in order, and must print what the page says.
//!
//! Lines that begin with `$ ` are commands; what follows each in its block is what it prints. Ids, times and snapshot
//! numbers differ from run to run: they are compared by kind, and an id that a later command names is the one of this run.
//! The page as it comes out now is in `target/tmp/policy-example.md`.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context as _, Result, ensure};

use crate::program::{Server, basin};
use crate::store::{PASSWORD, pooled_copy};

/// The address that the page's commands name.
const ADDRESS: &str = "127.0.0.1:32010";
const ID_CHARS: usize = 36;
/// How much of an output a failure shows.
const MOST_LINES: usize = 30;

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("..")
}

/// Runs a line as a shell does, and gives what it prints on either stream.
fn shell(line: &str, store: &Path) -> Result<String> {
    let program = basin(store, ["--version"])?;
    let folder = Path::new(program.get_program()).parent().context("the binary has a folder")?.to_owned();
    let path = std::env::var_os("PATH").unwrap_or_default();
    let path = std::env::join_paths([folder].into_iter().chain(std::env::split_paths(&path)))?;
    let output = Command::new("sh")
        .args(["-c", &format!("exec 2>&1; {line}")])
        .current_dir(root())
        .env("PATH", path)
        .env("BASIN_STORE", store)
        .env("BASIN_PASSWORD", PASSWORD)
        .output()?;
    Ok(String::from_utf8(output.stdout)?)
}

/// A text in pieces: words, and what stands between them.
fn words(text: &str) -> Vec<&str> {
    let (mut words, mut rest) = (Vec::new(), text);
    while let Some(first) = rest.chars().next() {
        let end = rest.find(|c: char| in_word(c) != in_word(first)).unwrap_or(rest.len());
        let (word, others) = rest.split_at(end);
        words.push(word);
        rest = others;
    }
    words
}

fn in_word(c: char) -> bool {
    c.is_alphanumeric() || matches!(c, '-' | ':')
}

fn is_id(word: &str) -> bool {
    let dashes: Vec<usize> = word.match_indices('-').map(|(at, _)| at).collect();
    word.len() == ID_CHARS && dashes == [8, 13, 18, 23]
}

fn is_moment(word: &str) -> bool {
    word.len() == "2020-01-20T08:00:00Z".len()
        && word.starts_with("20")
        && word.ends_with('Z')
        && word.contains('T')
}

/// The text without what differs between runs.
fn plain(text: &str) -> String {
    let mut plain = String::new();
    for word in words(text) {
        let number = word.chars().all(|c| c.is_ascii_digit()) && plain.ends_with("snapshot ");
        plain.push_str(match word {
            _ if number => "N",
            word if is_id(word) => "ID",
            word if is_moment(word) && !word.starts_with("2099") => "TIME",
            word => word,
        });
    }
    plain
}

/// A command of the page and what it is said to print.
struct Step {
    command: String,
    printed: String,
}

/// The page in pieces: text, or a command with its output.
enum Piece {
    Text(String),
    Step(Step),
}

fn pieces(page: &str) -> Vec<Piece> {
    let mut pieces = Vec::new();
    let mut step: Option<Step> = None;
    for line in page.lines() {
        let ends = line.starts_with("```") || line.starts_with("$ ");
        if ends && let Some(done) = step.take() {
            pieces.push(Piece::Step(done));
        }
        match (line.strip_prefix("$ "), &mut step) {
            (Some(command), _) => step = Some(Step { command: command.to_owned(), printed: String::new() }),
            (None, Some(step)) => step.printed.push_str(&format!("{line}\n")),
            (None, None) => pieces.push(Piece::Text(format!("{line}\n"))),
        }
    }
    pieces
}

#[test]
fn every_command_of_the_page_prints_what_it_says() -> Result<()> {
    let store = pooled_copy()?;
    let server = Server::serve(store.path())?;
    let page = fs::read_to_string(root().join("docs/policy-example.md"))?;
    let (mut now, mut wrong, mut steps) = (String::new(), Vec::new(), 0);
    let mut ids: BTreeMap<String, String> = BTreeMap::new();
    for piece in pieces(&page) {
        let Step { command, printed } = match piece {
            Piece::Text(text) => {
                now.push_str(&text);
                continue;
            }
            Piece::Step(step) => step,
        };
        steps += 1;
        let mut line = command.replace(ADDRESS, server.address());
        for (said, real) in &ids {
            line = line.replace(said, real);
        }
        let found = shell(&line, store.path())?.replace(server.address(), ADDRESS);
        let said = words(&printed).into_iter().filter(|word| is_id(word));
        let real = words(&found).into_iter().filter(|word| is_id(word));
        ids.extend(said.zip(real).map(|(said, real)| (said.to_owned(), real.to_owned())));
        if plain(&found) != plain(&printed) {
            let found: Vec<&str> = found.lines().take(MOST_LINES).collect();
            wrong.push(format!("$ {command}\nsaid:\n{printed}\nfound:\n{}", found.join("\n")));
        }
        now.push_str(&format!("$ {}\n{found}", line.replace(server.address(), ADDRESS)));
    }
    fs::write(Path::new(env!("CARGO_TARGET_TMPDIR")).join("policy-example.md"), now)?;
    ensure!(steps >= 20, "only {steps} commands were found");
    ensure!(wrong.is_empty(), "{} of {steps} differ:\n{}", wrong.len(), wrong.join("\n"));
    Ok(())
}

#[test]
fn what_differs_between_runs_is_known() {
    let text = "grant 01a2108b-ab57-727b-b220-258fe730dab5 given (snapshot 17), 2026-01-20T08:00:00Z";
    assert_eq!(plain(text), "grant ID given (snapshot N), TIME");
    assert_eq!(plain("until 2099-01-01T00:00:00Z; 3 rows"), "until 2099-01-01T00:00:00Z; 3 rows");
}
