//! Flight SQL: the commands, each with its answer or a sentence that refuses it.
//!
//! `service` is the gRPC surface; `command` sorts what arrives; `route` and `put` hand it on; `statement`, `prepared`, `poll`, `metadata`, `session`
//! and `action` answer. Between authentication and encoding everything is the engine's.

mod action;
mod answer;
mod call;
mod columns;
mod command;
mod demand;
mod handle;
mod handshake;
mod info;
mod ingest;
mod keys;
mod kill;
mod metadata;
mod option_value;
mod options;
mod parameters;
mod poll;
mod polled;
mod prepared;
mod put;
mod route;
mod running;
mod service;
mod session;
mod sql_info;
mod statement;
mod tables;
mod write;
mod xdbc;

pub(crate) use running::Running;
pub(crate) use service::FlightSql;

#[cfg(test)]
mod tests;
