//! Flight SQL: the commands, each with its answer or a sentence that refuses it.
//!
//! `service` is the gRPC surface; `command` sorts what arrives; `statement`, `prepared`, `poll`, `metadata`
//! and `action` answer. Between authentication and encoding everything is the engine's.

mod action;
mod call;
mod command;
mod handle;
mod handshake;
mod info;
mod ingest;
mod metadata;
mod parameters;
mod poll;
mod polled;
mod prepared;
mod running;
mod service;
mod sql_info;
mod statement;
mod tables;
mod write;
mod xdbc;

pub(crate) use running::Running;
pub(crate) use service::FlightSql;

#[cfg(test)]
mod tests;
