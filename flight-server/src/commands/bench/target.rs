//! Whom a benchmark asks: a server that runs already, or one in this process that serves the store on a free port.

use std::collections::BTreeSet;
use std::net::{Ipv4Addr, SocketAddr};
use std::path::PathBuf;

use basin_catalog::{Catalog, Change, ErrorClass, User, UserName};
use basin_engine::{Engine, EngineConfig};
use basin_flight_server::{BoundServer, ServerConfig, bind};
use chrono::Utc;

use crate::commands::error::{CommandError, Result};
use crate::commands::own_user;
use crate::commands::session::{Session, author};
use crate::commands::sql::Address;
use crate::commands::sql::remote::{Remote, SignIn};
use crate::commands::user;

/// The user that `basin bench load` makes.
const USER: &str = "bench";

/// Where clients connect, and as whom.
#[derive(Debug, Clone)]
pub(super) struct Target {
    pub(super) address: Address,
    pub(super) authority: Option<PathBuf>,
    pub(super) user: String,
    pub(super) password: String,
    /// Whether kept results may answer, and rollups.
    pub(super) result_cache: bool,
    pub(super) rollups: bool,
}

impl Target {
    /// Signs in on a connection of its own.
    pub(super) async fn connect(&self) -> Result<Remote> {
        let sign_in = SignIn { user: self.user.clone(), password: self.password.clone(), purpose: None };
        let remote = Remote::connect(&self.address, self.authority.as_deref(), sign_in).await?;
        Ok(remote.answered_by(self.result_cache, self.rollups))
    }
}

/// Makes the user, unless it is there.
pub(super) async fn make_user(catalog: &Catalog) -> Result<()> {
    let name: UserName = USER.parse()?;
    let snapshot = catalog.latest().await?;
    if snapshot.users().contains_key(&name) {
        return Ok(());
    }
    let password = own_user::password(catalog, USER).await?;
    let password = Some(user::hash(password).await?);
    let roles = BTreeSet::new();
    let user = User { name, agency: None, roles, password, external: None, created_at: Utc::now() };
    catalog.commit(&snapshot, &author(), vec![Change::PutUser(user)]).await?;
    Ok(())
}

/// Binds a server for the store in this process; it must be served for the target to answer.
pub(super) async fn serve_store(session: &Session) -> Result<(BoundServer, Target)> {
    let catalog = session.open().await?;
    let password = own_user::password(&catalog, USER).await?;
    let snapshot = catalog.latest().await?;
    let known = snapshot.users().get(&USER.parse::<UserName>()?).map(|user| user.as_ref().clone());
    let is_ours = match known {
        Some(user) => own_user::has_password(user, password.clone()).await?,
        None => false,
    };
    if !is_ours {
        return Err(CommandError::refused_with(
            ErrorClass::NotFound,
            format!("the store has no user {USER} of the benchmark"),
            "make it and TPC-H with: basin bench load; or serve the store and name --server and --user",
        ));
    }
    let listen = SocketAddr::from((Ipv4Addr::LOCALHOST, 0));
    let engine = Engine::new(catalog, EngineConfig::default())?;
    let server = bind(engine, ServerConfig { listen, ..ServerConfig::default() }).await?;
    let address =
        Address { host: Ipv4Addr::LOCALHOST.to_string(), port: server.local_addr().port(), tls: false };
    let user = USER.to_owned();
    let target = Target { address, authority: None, user, password, result_cache: false, rollups: false };
    Ok((server, target))
}
