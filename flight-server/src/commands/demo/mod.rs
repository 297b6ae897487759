//! `basin demo`: the whole walk on the example pack. It builds the store (or finds it built), shows
//! what was pooled, serves it, asks it four questions over the wire and stays until stopped.

mod connect;
mod prepare;
mod questions;

use std::net::SocketAddr;

use basin_engine::{Engine, EngineConfig};
use basin_flight_server::{ServerConfig, bind};
use clap::Args;
use tokio_util::sync::CancellationToken;

use super::error::Result;
use super::output::print;
use super::session::Session;
use super::signals;
use super::sql::Address;
use super::sql::remote::{Remote, SignIn};

/// The user that the demo makes.
const ANALYST: &str = "analyst";

#[derive(Debug, Args)]
pub(crate) struct DemoArgs {
    /// The address to serve on; port 0 takes a free one
    #[arg(long, value_name = "ADDR", default_value = "127.0.0.1:32010")]
    listen: SocketAddr,
    /// The password of the user `analyst` [default: a random one of this store, printed]
    #[arg(long, value_name = "PASSWORD")]
    password: Option<String>,
}

pub(crate) async fn run(session: &Session, args: DemoArgs) -> Result<()> {
    let prepared = signals::interruptible(prepare::store(session, args.password)).await?;
    let engine = Engine::new(prepared.catalog, EngineConfig::default())?;
    let config = ServerConfig { listen: args.listen, ..ServerConfig::default() };
    let server = bind(engine, config).await?;
    let address = server.local_addr();
    let shutdown = CancellationToken::new();
    let serving = async { Ok(server.serve(shutdown.clone()).await?) };
    let showing = async {
        tokio::select! {
            shown = show(address, &prepared.password) => shown?,
            () = signals::stop() => {}
        }
        shutdown.cancel();
        Ok(())
    };
    tokio::try_join!(serving, showing).map(|((), ())| ())
}

/// Asks the questions, says how to connect, and never ends unless something fails.
async fn show(address: SocketAddr, password: &str) -> Result<()> {
    let server = Address { host: host(address), port: address.port(), tls: false };
    let sign_in = SignIn { user: ANALYST.to_owned(), password: password.to_owned(), purpose: None };
    let mut remote = Remote::connect(&server, None, sign_in).await?;
    questions::ask(&mut remote).await?;
    print(connect::how_to(address, password))?;
    print(format!("ready {address}"))?;
    std::future::pending().await
}

fn host(address: SocketAddr) -> String {
    match address {
        SocketAddr::V4(address) => address.ip().to_string(),
        SocketAddr::V6(address) => format!("[{}]", address.ip()),
    }
}
