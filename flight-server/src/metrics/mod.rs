//! Metrics: how a server does, for Prometheus, and whether it is well, for whoever restarts it.
//!
//! | file | what it does |
//! |---|---|
//! | `family` | figures with name and labels, and their text |
//! | `calls` | counts of calls by their answers |
//! | `gather` | the figures of one process |
//! | `http` | `/metrics`, `/healthz` and `/readyz` on a port of their own |
//!
//! The text is written here and not by a library: the figures of several processes are one answer, and libraries keep those
//! of their own process. No figure tells of data, of a statement or of a user.
//!
//! Source: Prometheus text exposition format 0.0.4.

mod calls;
mod family;
mod gather;
mod http;

pub(crate) use calls::Calls;
pub(crate) use family::{Family, Kind, figure, merged, text};
pub(crate) use gather::Process;
pub use http::{Health, MetricsEndpoint};
