//! What all commands share: which store, in which form answers are printed, under which name
//! commits are made.

use std::fmt::Display;
use std::path::PathBuf;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use basin_catalog::{Catalog, ErrorClass, LocalText, Node, NodeId, NodeKind, Store};
use basin_flight_server::Config;
use directories::ProjectDirs;
use serde::Serialize;

use super::error::{CommandError, Result};
use super::{output, signals};

/// The node id of a store that was not given another.
const LOCAL_NODE: &str = "local";

/// What the global options say.
#[derive(Debug)]
pub(crate) struct Session {
    store: Option<String>,
    config: Config,
    json: bool,
    /// The stores that were opened, for whoever ends the process.
    opened: Mutex<Vec<Store>>,
}

/// How long uploads in parts may take to be given up when a command is interrupted.
const UPLOADS_END_WITHIN: Duration = Duration::from_secs(15);

impl Session {
    /// `store` is the address that the command line or the environment names; it wins over the configuration's.
    pub(crate) fn new(store: Option<String>, config: Config, json: bool) -> Self {
        Self { store, config, json, opened: Mutex::default() }
    }

    /// The configuration file's content.
    pub(crate) fn config(&self) -> &Config {
        &self.config
    }

    /// The store's URL: what was asked for, or the folder `name` in the user's data folder.
    ///
    /// # Errors
    /// `Usage` when the user has no data folder.
    pub(crate) fn store_url(&self, name: &str) -> Result<String> {
        match self.store.as_ref().or(self.config.store.as_ref()) {
            Some(url) => Ok(url.clone()),
            None => data_folder().map(|folder| folder.join(name).display().to_string()),
        }
    }

    /// Opens a store of any kind, with the settings for cloud stores.
    pub(crate) fn open_store(&self, url: &str) -> Result<Store> {
        Ok(self.note(Store::open_with(url, &self.config.s3)?))
    }

    /// Opens the store for what is to be made in it; `name` is its folder when nothing else was asked for.
    pub(crate) fn create_store(&self, name: &str) -> Result<Store> {
        self.create_store_at(&self.store_url(name)?)
    }

    /// Opens the store of an address for what is to be made in it.
    pub(crate) fn create_store_at(&self, url: &str) -> Result<Store> {
        Ok(self.note(Store::create_with(url, &self.config.s3)?))
    }

    fn note(&self, store: Store) -> Store {
        self.opened.lock().unwrap_or_else(PoisonError::into_inner).push(store.clone());
        store
    }

    /// Waits a while for uploads that were cut short to be given up; Ctrl-C, pressed again, waits no longer.
    pub(crate) async fn end(&self) {
        let opened = std::mem::take(&mut *self.opened.lock().unwrap_or_else(PoisonError::into_inner));
        let ended = futures::future::join_all(opened.iter().map(Store::uploads_end));
        let ended = async {
            tokio::select! {
                _ = ended => true,
                () = signals::interrupt() => false,
            }
        };
        if !tokio::time::timeout(UPLOADS_END_WITHIN, ended).await.unwrap_or(false) {
            tracing::warn!("parts of files that were given up are left in the store");
        }
    }

    /// Opens the store, which must hold a catalog.
    pub(crate) async fn open(&self) -> Result<Catalog> {
        Ok(Catalog::open(self.open_store(&self.store_url("store")?)?).await?)
    }

    /// Opens the store, or makes its catalog as that of `node` when the store is empty.
    ///
    /// # Errors
    /// `Refused` when the catalog belongs to another node than the one asked for.
    pub(crate) async fn open_or_create(&self, node: Option<NodeId>) -> Result<Catalog> {
        let store = self.create_store("store")?;
        let catalog = Catalog::create(store, local_node(node.clone())?).await?;
        let Some(asked) = node else { return Ok(catalog) };
        let snapshot = catalog.latest().await?;
        if snapshot.node().id != asked {
            return Err(CommandError::refused_with(
                ErrorClass::Conflict,
                format!("the store belongs to node {}, not {asked}", snapshot.node().id),
                "leave --node out, or name another store with --store",
            ));
        }
        Ok(catalog)
    }

    pub(crate) fn json(&self) -> bool {
        self.json
    }

    /// Prints an answer: as JSON when asked for, else as its text.
    pub(crate) fn answer<T: Serialize + Display>(&self, value: &T) -> Result<()> {
        if self.json { output::print_json(value) } else { output::print(value.to_string().trim_end()) }
    }
}

fn local_node(id: Option<NodeId>) -> Result<Node> {
    let id = match id {
        Some(id) => id,
        None => LOCAL_NODE.parse()?,
    };
    let mut name = LocalText::default();
    name.insert("en", format!("node {id}"));
    name.insert("zh", format!("节点 {id}"));
    Ok(Node { id, kind: NodeKind::Hub, name, region: None })
}

/// The folder for what belongs to this user: the default stores, the history of `basin sql`.
///
/// # Errors
/// `Usage` when the user has no home.
pub(crate) fn data_folder() -> Result<PathBuf> {
    ProjectDirs::from("", "", "basin").map(|dirs| dirs.data_dir().to_owned()).ok_or_else(|| {
        CommandError::usage(
            "this user has no home folder to keep a store in",
            "name a store with --store or BASIN_STORE",
        )
    })
}

/// The name under which this user commits.
pub(crate) fn author() -> String {
    ["USER", "LOGNAME", "USERNAME"]
        .iter()
        .find_map(|variable| std::env::var(variable).ok().filter(|name| !name.is_empty()))
        .unwrap_or_else(|| "operator".to_owned())
}
