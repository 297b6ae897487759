//! The Flight SQL server: the only crate that knows wire types.
//!
//! Place in the walk: `authn` turns request metadata into a `Principal`, the engine turns a statement
//! into a `ResultStream`, `encode` turns that into Flight data. What this crate does not do: decide
//! what a principal may see (the engine's policy does), read or write datasets, or keep any state
//! between calls that another process would need. Tickets, prepared-statement handles and bearer
//! tokens are sealed with the store's key, so any process that serves the same store can answer them.

mod authn;
mod config;
mod connections;
mod encode;
mod error;
mod flight;
mod lingering;
mod metrics;
mod seal;
mod serve;
mod status;
mod tls;
mod workers;

#[cfg(test)]
mod testing;

pub use config::{
    Config, EngineSection, KeyLocation, OidcConfig, ServerConfig, ServerSection, TlsFiles, TokenAlgorithm,
};
pub use encode::{to_wire, wire_schema};
pub use error::{Result, ServerError};
pub use metrics::{Health, MetricsEndpoint};
pub use serve::{BoundServer, bind, serve};
pub use tls::install_crypto;
pub use workers::{Inherited, Supervisor, SupervisorLink, WorkerCommand, WorkerLink};
