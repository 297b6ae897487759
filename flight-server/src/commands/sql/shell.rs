//! The interactive `basin sql`: reads statements with history and completion, shows results, and
//! goes on after errors.

use std::path::PathBuf;
use std::time::Instant;

use arrow::array::AsArray as _;
use arrow::compute::cast;
use arrow::datatypes::DataType;
use futures::stream::TryStreamExt as _;
use rustyline::error::ReadlineError;
use rustyline::history::FileHistory;
use rustyline::{CompletionType, Config, Editor};

use super::complete::Typing;
use super::meta::{self, Meta};
use super::statements::statements;
use super::{Grid, Run, state};
use crate::commands::error::{CommandError, Result};
use crate::commands::output::{grouped, note, print};
use crate::commands::session::data_folder;
use crate::commands::signals;

const HISTORY_ENTRIES: usize = 10_000;

/// Reads and runs statements until the user leaves.
pub(super) async fn run(run: &mut Run) -> Result<()> {
    let mut shell = Shell { run };
    let mut editor = editor()?;
    let history = history_file();
    if let Some(path) = &history {
        // There is none on the first day.
        let _ = editor.load_history(path);
    }
    print("Statements end with ; — \\? for help, \\q to leave.")?;
    if let Some(typing) = editor.helper_mut() {
        typing.names = shell.names().await;
    }
    loop {
        let prompt = shell.prompt();
        match tokio::task::block_in_place(|| editor.readline(&prompt)) {
            Ok(text) if text.trim().is_empty() => {}
            Ok(text) => {
                // A history that can't be kept is no reason to stop.
                let _ = editor.add_history_entry(text.trim());
                let _ = history.as_ref().map(|path| editor.append_history(path));
                if shell.take(&text).await? == Next::Leave {
                    return Ok(());
                }
            }
            Err(ReadlineError::Interrupted) => {}
            Err(ReadlineError::Eof) => return Ok(()),
            Err(error) => {
                let source = std::io::Error::other(error);
                return Err(CommandError::io("the terminal can't be read", source));
            }
        }
    }
}

fn editor() -> Result<Editor<Typing, FileHistory>> {
    let unusable =
        |error: ReadlineError| CommandError::io("the terminal can't be used", std::io::Error::other(error));
    let config = Config::builder()
        .completion_type(CompletionType::List)
        .max_history_size(HISTORY_ENTRIES)
        .map_err(unusable)?
        .history_ignore_space(true)
        .build();
    let mut editor = Editor::with_config(config).map_err(unusable)?;
    editor.set_helper(Some(Typing::default()));
    Ok(editor)
}

/// Where the history is kept, when it can be.
fn history_file() -> Option<PathBuf> {
    let folder = data_folder().ok()?;
    std::fs::create_dir_all(&folder).ok()?;
    Some(folder.join("sql-history"))
}

#[derive(Debug, PartialEq, Eq)]
enum Next {
    Go,
    Leave,
}

struct Shell<'a> {
    run: &'a mut Run,
}

impl Shell<'_> {
    fn prompt(&self) -> String {
        match self.run.as_of.as_str() {
            "" => "basin> ".to_owned(),
            state => format!("basin as of {state}> "),
        }
    }

    /// Does what was typed. Only an output that is gone ends the shell.
    async fn take(&mut self, text: &str) -> Result<Next> {
        if text.trim_start().starts_with('\\') {
            return self.command(text).await;
        }
        let (complete, rest) = statements(text);
        for sql in complete.into_iter().chain(Some(rest).filter(|rest| !rest.is_empty())) {
            if !self.statement(sql).await? {
                break;
            }
        }
        Ok(Next::Go)
    }

    async fn command(&mut self, text: &str) -> Result<Next> {
        match meta::parse(text) {
            Meta::Quit => return Ok(Next::Leave),
            Meta::Help => print(meta::help())?,
            Meta::ListDatasets => drop(self.statement(meta::DATASETS).await?),
            Meta::Describe(name) => drop(self.statement(&meta::describe(name)).await?),
            Meta::AsOf(text) => match state(text) {
                Ok(state) => self.run.as_of = state,
                Err(error) => CommandError::from(error).report(),
            },
            Meta::Unknown(command) => note(format!("there is no command {command}: \\? lists them")),
        }
        Ok(Next::Go)
    }

    /// Runs one statement and shows its result or its error; says whether it succeeded.
    async fn statement(&mut self, sql: &str) -> Result<bool> {
        let started = Instant::now();
        match signals::interruptible(self.grid(sql)).await {
            Ok(grid) => {
                print(&grid)?;
                let rows = grouped(grid.rows() as u64);
                note(format!("rows: {rows}, time: {:.3} s", started.elapsed().as_secs_f64()));
                if let Some(notice) = grid.notice() {
                    note(notice);
                }
                Ok(true)
            }
            Err(CommandError::Interrupted) => {
                note("cancelled");
                Ok(false)
            }
            Err(error) => {
                error.report();
                Ok(false)
            }
        }
    }

    async fn grid(&mut self, sql: &str) -> Result<Grid> {
        let answer = self.run.source.query(sql, &self.run.as_of).await?;
        Grid::collect(answer, self.run.max_rows).await
    }

    /// The names to complete; without them typing works all the same.
    async fn names(&mut self) -> Vec<String> {
        let Ok(answer) = self.run.source.query(meta::NAMES, "").await else { return Vec::new() };
        let mut names = Vec::new();
        let batches: Vec<_> = answer.batches.try_collect().await.unwrap_or_default();
        for batch in batches {
            let Some(Ok(column)) = batch.columns().first().map(|column| cast(column, &DataType::Utf8)) else {
                continue;
            };
            names.extend(column.as_string::<i32>().iter().flatten().map(str::to_owned));
        }
        names
    }
}
