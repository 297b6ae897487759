//! `basin sql`: statements against a Flight SQL server, or against the store itself when no server
//! is named. One statement, a script from stdin, or interactively.

mod address;
mod complete;
pub(super) mod encode;
mod grid;
mod meta;
pub(super) mod remote;
mod shell;
pub(super) mod source;
mod statements;
pub(super) mod target;

use std::io::{IsTerminal as _, Read as _};
use std::path::{Path, PathBuf};

use basin_catalog::{AsOf, CatalogError, ErrorClass};
use basin_engine::{Engine, EngineConfig};
use clap::{Args, ValueEnum};

use super::error::{CommandError, Result};
use super::session::Session;
use super::{output, password, signals};
use remote::{Remote, SignIn};
use source::Source;
use statements::statements;
use target::Target;

pub(super) use address::Address;
pub(super) use grid::Grid;

#[derive(Debug, Args)]
pub(crate) struct SqlArgs {
    /// The statement; without it statements are read from stdin, or asked for on a terminal
    sql: Option<String>,
    /// The Flight SQL server: grpc://host:port or grpc+tls://host:port [default: open the store]
    #[arg(long, value_name = "URL")]
    server: Option<Address>,
    /// The user to sign in as at the server (password: BASIN_PASSWORD, or asked for)
    #[arg(long, env = "BASIN_USER", value_name = "NAME")]
    user: Option<String>,
    /// The purpose to state at the server, as grants name it
    #[arg(long, value_name = "TEXT", requires = "server")]
    purpose: Option<String>,
    /// A PEM file with the authority that signed the server's certificate [default: the system's]
    #[arg(long, value_name = "FILE", requires = "server")]
    tls_ca: Option<PathBuf>,
    /// Ask an earlier state: a snapshot number, an RFC 3339 timestamp or a date
    #[arg(long, value_name = "STATE", value_parser = state)]
    as_of: Option<String>,
    /// Form of the result [default: table, or what the name of --output says]
    #[arg(long, value_enum, value_name = "FORMAT")]
    format: Option<Format>,
    /// Write the result to this file
    #[arg(long, value_name = "FILE")]
    output: Option<PathBuf>,
    /// Rows that a table shows at most; 0: all
    #[arg(long, value_name = "N", default_value_t = 1000)]
    max_rows: usize,
}

/// Form of a result.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum Format {
    /// Text for people.
    Table,
    /// Comma-separated, with a header.
    Csv,
    /// An array of objects.
    Json,
    /// An object a line.
    Jsonl,
    /// Arrow IPC: a stream on stdout, a file with --output.
    Arrow,
    /// Parquet.
    Parquet,
}

/// What every statement of one run shares.
#[derive(Debug)]
struct Run {
    source: Source,
    as_of: String,
    max_rows: usize,
}

pub(crate) async fn run(session: &Session, args: SqlArgs) -> Result<()> {
    let format = format_of(&args, session.json());
    let script = script(args.sql.as_deref())?;
    if script.is_none() && (args.output.is_some() || format != Format::Table) {
        return Err(CommandError::usage(
            "--format and --output are for one statement, and none is given",
            "give it: basin sql \"SELECT …\" --format csv",
        ));
    }
    let source = signals::interruptible(connect(session, &args)).await?;
    let mut run = Run { source, as_of: args.as_of.unwrap_or_default(), max_rows: args.max_rows };
    let ended = match script {
        None => shell::run(&mut run).await,
        Some(script) => signals::interruptible(run.script(&script, format, args.output.as_deref())).await,
    };
    let closed = run.source.close().await;
    ended.and(closed)
}

fn format_of(args: &SqlArgs, json: bool) -> Format {
    let by_name = args.output.as_deref().and_then(format_by_name);
    args.format.or(by_name).unwrap_or(if json { Format::Json } else { Format::Table })
}

/// The form that the name of a file says.
pub(super) fn format_by_name(path: &Path) -> Option<Format> {
    match path.extension().and_then(|name| name.to_str()) {
        Some("csv") => Some(Format::Csv),
        Some("json") => Some(Format::Json),
        Some("jsonl" | "ndjson") => Some(Format::Jsonl),
        Some("arrow" | "feather" | "ipc") => Some(Format::Arrow),
        Some("parquet") => Some(Format::Parquet),
        _ => None,
    }
}

/// The statements to run, unless they are to be asked for.
fn script(argument: Option<&str>) -> Result<Option<String>> {
    if let Some(sql) = argument {
        return match statements(sql) {
            (complete, rest) if complete.len() + usize::from(!rest.is_empty()) > 1 => {
                Err(CommandError::refused_with(
                    ErrorClass::InvalidInput,
                    "the text holds more than one statement",
                    "give one, or send a script on stdin: basin sql < script.sql",
                ))
            }
            _ => Ok(Some(sql.to_owned())),
        };
    }
    let mut stdin = std::io::stdin();
    if stdin.is_terminal() {
        return Ok(None);
    }
    let mut text = String::new();
    stdin
        .read_to_string(&mut text)
        .map_err(|source| CommandError::io("the statements can't be read from stdin", source))?;
    Ok(Some(text))
}

/// Checks the form of a state here, so that a typing error isn't the server's to report.
fn state(text: &str) -> std::result::Result<String, CatalogError> {
    text.parse::<AsOf>().map(|_| text.to_owned())
}

async fn connect(session: &Session, args: &SqlArgs) -> Result<Source> {
    let Some(address) = &args.server else {
        let engine = Engine::new(session.open().await?, EngineConfig::default())?;
        return Ok(Source::Store(engine));
    };
    let Some(user) = &args.user else {
        return Err(CommandError::usage(
            "no user to sign in as at the server",
            "name one with --user or BASIN_USER",
        ));
    };
    let password = password::existing(user)?;
    let sign_in = SignIn { user: user.clone(), password, purpose: args.purpose.clone() };
    let remote = Remote::connect(address, args.tls_ca.as_deref(), sign_in).await?;
    Ok(Source::Server(Box::new(remote)))
}

impl Run {
    /// Runs the statements of a script; the first that fails ends it.
    async fn script(&mut self, script: &str, format: Format, output: Option<&std::path::Path>) -> Result<()> {
        let (complete, rest) = statements(script);
        let mut all = complete;
        all.extend(Some(rest).filter(|rest| !rest.is_empty()));
        if all.is_empty() {
            return Err(CommandError::usage("there is no statement", "write one: SELECT 1"));
        }
        if all.len() > 1 && (format != Format::Table || output.is_some()) {
            return Err(CommandError::refused(
                ErrorClass::InvalidInput,
                format!("a file holds the result of one statement, and here are {}", all.len()),
            ));
        }
        for sql in all {
            self.statement(sql, format, output).await?;
        }
        Ok(())
    }

    async fn statement(&mut self, sql: &str, format: Format, output: Option<&std::path::Path>) -> Result<()> {
        let answer = self.source.query(sql, &self.as_of).await?;
        let mut target = Target::open(output, format)?;
        if format == Format::Table {
            let grid = Grid::collect(answer, self.max_rows).await?;
            target.write(format!("{grid}\n").as_bytes())?;
            if let Some(notice) = grid.notice() {
                output::note(notice);
            }
        } else {
            encode::write(answer, format, &mut target).await?;
        }
        target.finish()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn states_are_checked_before_anything_is_asked() {
        for right in ["", "12", "2020-02-01T00:00:00Z", "2020-02-01"] {
            assert!(state(right).is_ok(), "{right}");
        }
        assert!(state("yesterday").is_err());
    }

    #[test]
    fn an_argument_is_one_statement() {
        assert_eq!(script(Some("SELECT 1;")).unwrap().as_deref(), Some("SELECT 1;"));
        assert!(script(Some("SELECT 1; SELECT 2")).is_err());
    }
}
