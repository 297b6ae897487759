//! `basin org`: the organisations that answer for data. A dataset's provider must be one of them.

use std::fmt;

use basin_catalog::{Change, LocalText, NodeId, Organisation, OrganisationCode, RegionCode};
use clap::{Args, Subcommand};
use serde::Serialize;

use super::error::{CommandError, Result};
use super::output;
use super::session::{Session, author};

#[derive(Debug, Subcommand)]
pub(crate) enum OrgCommand {
    /// Record an organisation, or change what is recorded of it
    Put(PutArgs),
    /// List the organisations
    List,
}

#[derive(Debug, Args)]
pub(crate) struct PutArgs {
    /// Its 18-character unified social credit code (GB 32100)
    code: OrganisationCode,
    /// Its name in Chinese
    #[arg(long, value_name = "TEXT")]
    name_zh: Option<String>,
    /// Its name in English
    #[arg(long, value_name = "TEXT")]
    name_en: Option<String>,
    /// The region it answers for (6 digits, GB/T 2260)
    #[arg(long, value_name = "CODE")]
    region: Option<RegionCode>,
    /// Node id of the store, when this makes its catalog
    #[arg(long, value_name = "ID")]
    node: Option<NodeId>,
}

/// One organisation as it is listed.
#[derive(Debug, Serialize)]
struct Line {
    code: String,
    name_en: Option<String>,
    name_zh: Option<String>,
    region: Option<String>,
}

#[derive(Debug, Serialize)]
#[serde(transparent)]
struct List(Vec<Line>);

#[derive(Debug, Serialize)]
struct Put {
    organisation: String,
    outcome: &'static str,
    snapshot: u64,
}

pub(crate) async fn run(session: &Session, command: OrgCommand) -> Result<()> {
    match command {
        OrgCommand::Put(args) => put(session, args).await,
        OrgCommand::List => list(session).await,
    }
}

async fn put(session: &Session, args: PutArgs) -> Result<()> {
    let catalog = session.open_or_create(args.node.clone()).await?;
    let snapshot = catalog.latest().await?;
    let known = snapshot.organisations().get(&args.code);
    let wanted = merged(known.map(AsRef::as_ref), &args)?;
    let (outcome, snapshot) = match known {
        Some(known) if **known == wanted => ("unchanged", snapshot),
        known => {
            let outcome = if known.is_some() { "changed" } else { "created" };
            let changes = vec![Change::PutOrganisation(wanted)];
            (outcome, catalog.commit(&snapshot, &author(), changes).await?)
        }
    };
    let snapshot = snapshot.id().0;
    session.answer(&Put { organisation: args.code.to_string(), outcome, snapshot })
}

/// What the organisation becomes: options that are left out keep what is known.
fn merged(known: Option<&Organisation>, args: &PutArgs) -> Result<Organisation> {
    let mut name = known.map_or_else(LocalText::default, |known| known.name.clone());
    for (lang, text) in [("zh", &args.name_zh), ("en", &args.name_en)] {
        if let Some(text) = text {
            name.insert(lang, text.clone());
        }
    }
    if name.is_empty() {
        return Err(CommandError::usage(
            "the organisation has no name yet",
            "give --name-zh, --name-en or both",
        ));
    }
    Ok(Organisation {
        code: args.code.clone(),
        name,
        region: args.region.clone().or_else(|| known.and_then(|known| known.region.clone())),
        node: known.and_then(|known| known.node.clone()),
    })
}

async fn list(session: &Session) -> Result<()> {
    let snapshot = session.open().await?.latest().await?;
    let lines = snapshot.organisations().values().map(|organisation| Line {
        code: organisation.code.to_string(),
        name_en: organisation.name.get("en").map(str::to_owned),
        name_zh: organisation.name.get("zh").map(str::to_owned),
        region: organisation.region.as_ref().map(ToString::to_string),
    });
    session.answer(&List(lines.collect()))
}

impl fmt::Display for Put {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "organisation {} {} (snapshot {})", self.organisation, self.outcome, self.snapshot)
    }
}

impl fmt::Display for List {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let rows = self.0.iter().map(|line| {
            vec![
                line.code.clone(),
                line.name_en.clone().unwrap_or_default(),
                line.name_zh.clone().unwrap_or_default(),
                line.region.clone().unwrap_or_default(),
            ]
        });
        let header = output::header(&["code", "name (en)", "name (zh)", "region"]);
        f.write_str(&output::table(&header, rows.collect()))
    }
}
