//! What bad input is told, written down by the tests that give it: `docs/errors.md` is made from these tables.

use std::fs;
use std::path::Path;

use anyhow::Result;

/// One refusal.
pub(crate) struct Said {
    pub(crate) input: String,
    /// An exit code or a gRPC status.
    pub(crate) outcome: String,
    pub(crate) message: String,
}

/// Writes a table below `target/tmp/errors`.
pub(crate) fn write_down(name: &str, title: &str, rows: &[Said]) -> Result<()> {
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join("errors");
    fs::create_dir_all(&folder)?;
    let mut table = format!("## {title}\n\n| input | outcome | what it says |\n|---|---|---|\n");
    for Said { input, outcome, message } in rows {
        table.push_str(&format!("| {} | {outcome} | {} |\n", cell(input), cell(&plain(message))));
    }
    fs::write(folder.join(format!("{name}.md")), table)?;
    Ok(())
}

/// One line, without what differs between runs: temporary folders and query ids.
fn plain(message: &str) -> String {
    let temporary = std::env::temp_dir().to_string_lossy().into_owned();
    let message = message.split(" (query id ").next().unwrap_or_default();
    let words = message.split_whitespace().map(|word| match word.split_once(&temporary) {
        Some((before, path)) => format!("{before}…/{}", path.rsplit('/').next().unwrap_or_default()),
        None => word.to_owned(),
    });
    words.collect::<Vec<_>>().join(" ")
}

fn cell(text: &str) -> String {
    text.replace('|', "\\|").replace('\n', " ")
}
