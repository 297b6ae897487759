//! The demo's store: made when absent, left alone when it holds everything already.

use std::collections::BTreeSet;

use basin_catalog::{Catalog, Change, Role, RoleName, Snapshot, User, UserName};
use basin_datasets::{Pack, PoolReport, PoolRequest};
use chrono::Utc;

use super::ANALYST;
use crate::commands::dataset::{Outcome, outcome};
use crate::commands::error::{CommandError, Result};
use crate::commands::output::{grouped, print};
use crate::commands::own_user;
use crate::commands::password::long_enough;
use crate::commands::pool::cores;
use crate::commands::pooling_bar::pool_with_bar;
use crate::commands::session::Session;
use crate::commands::user;

/// The name under which the demo commits.
const AUTHOR: &str = "basin demo";
/// Enough for the pack many times over, little enough for any machine.
const MEMORY_BYTES: usize = 256 << 20;

/// A store that holds the whole pack.
pub(super) struct Prepared {
    pub(super) catalog: Catalog,
    pub(super) password: String,
}

/// Makes sure that the store holds the pack and the user.
pub(super) async fn store(session: &Session, password: Option<String>) -> Result<Prepared> {
    if let Some(password) = &password {
        long_enough(password)?;
    }
    let store = session.create_store("demo")?;
    print(format!("Store: {}", store.url()))?;
    let pack = Pack::china_2020()?;
    let catalog = Catalog::create(store, pack.node().clone()).await?;
    register(&catalog, &pack).await?;
    pool_all(&catalog, &pack).await?;
    let password = match password {
        Some(password) => password,
        None => own_user::password(&catalog, ANALYST).await?,
    };
    analyst(&catalog, &password).await?;
    Ok(Prepared { catalog, password })
}

/// Puts the pack's organisations and definitions into the catalog, in one commit.
async fn register(catalog: &Catalog, pack: &Pack) -> Result<()> {
    let snapshot = catalog.latest().await?;
    let changes = missing(&snapshot, pack);
    if changes.is_empty() {
        return print("Organisations and datasets are registered already.");
    }
    let count = |is: fn(&Change) -> bool| changes.iter().filter(|change| is(change)).count();
    print(format!(
        "Registering {} organisations and {} datasets.",
        count(|change| matches!(change, Change::PutOrganisation(_))),
        count(|change| matches!(change, Change::ApplyDataset(_))),
    ))?;
    catalog.commit(&snapshot, AUTHOR, changes).await?;
    Ok(())
}

fn missing(snapshot: &Snapshot, pack: &Pack) -> Vec<Change> {
    let organisations = pack.organisations().iter().filter(|organisation| {
        let known = snapshot.organisations().get(&organisation.code);
        known.is_none_or(|known| **known != **organisation)
    });
    let organisations = organisations.cloned().map(Change::PutOrganisation);
    let definitions = pack.manifests().iter().map(|manifest| manifest.definition());
    let datasets = definitions
        .filter(|definition| outcome(snapshot, definition) != Outcome::Unchanged)
        .map(|definition| Change::ApplyDataset(Box::new(definition.clone())));
    organisations.chain(datasets).collect()
}

/// Pools the pack's deliveries; one that was pooled already changes nothing.
async fn pool_all(catalog: &Catalog, pack: &Pack) -> Result<()> {
    let folder =
        tempfile::tempdir().map_err(|source| CommandError::io("no temporary folder can be made", source))?;
    pack.unpack(folder.path())?;
    for delivery in pack.deliveries()? {
        let request = PoolRequest {
            datasets: delivery.datasets,
            files: delivery.files.iter().map(|file| folder.path().join(file)).collect(),
            provider: delivery.provider,
            kind: delivery.kind,
            dry_run: false,
            memory_bytes: MEMORY_BYTES,
            threads: cores(),
            author: AUTHOR.to_owned(),
        };
        let report = pool_with_bar(catalog, request).await?;
        print(summary(&report).trim_end())?;
    }
    Ok(())
}

/// What a pooling did, in a few lines whatever the number of files.
fn summary(report: &PoolReport) -> String {
    let outcome = match report.outcome {
        basin_datasets::Outcome::Published => "pooled",
        basin_datasets::Outcome::Unchanged => "pooled already",
        basin_datasets::Outcome::DryRun => "checked",
    };
    let mut text = String::new();
    for dataset in &report.datasets {
        text.push_str(&format!(
            "{:<20} {outcome}: {} files, {} rows = {} accepted + {} rejected\n",
            dataset.dataset.to_string(),
            dataset.files.len(),
            grouped(dataset.rows_in),
            grouped(dataset.rows_accepted),
            grouped(dataset.rows_rejected),
        ));
        if dataset.numbered_keys > 0 {
            let rows = grouped(dataset.numbered_keys);
            text.push_str(&format!("    {rows} rows repeat a key: kept and numbered\n"));
        }
        for reject in &dataset.first_rejects {
            text.push_str(&format!("    rejected {reject}\n"));
        }
    }
    text
}

/// Makes the user, or gives it the password, unless it has it.
async fn analyst(catalog: &Catalog, password: &str) -> Result<()> {
    let name: UserName = ANALYST.parse()?;
    let snapshot = catalog.latest().await?;
    let known = snapshot.users().get(&name).map(|user| user.as_ref().clone());
    if let Some(user) = &known
        && own_user::has_password(user.clone(), password.to_owned()).await?
    {
        return Ok(());
    }
    let password = Some(user::hash(password.to_owned()).await?);
    let roles = BTreeSet::from([RoleName::sandbox()]);
    let user = match known {
        Some(user) => User { password, roles, ..user },
        None => User { name, agency: None, roles, password, external: None, created_at: Utc::now() },
    };
    let role = Role { name: RoleName::sandbox(), description: "Keeps workings of its own.".to_owned() };
    catalog.commit(&snapshot, AUTHOR, vec![Change::PutRole(role), Change::PutUser(user)]).await?;
    Ok(())
}
