//! Policy: the only room that decides what a principal may see and read.
//!
//! `grants` decides visibility, before and during planning; `authorise` turns a plan into one that may
//! run. Policy is always that of the newest catalog state, also for a query as of an earlier one, so
//! that a revocation holds for the past too. `write` decides who may change what. Today it decides per dataset; row filters, masks and
//! minimum cells will attach in `authorise`. It does not decide who is asking: that is the server's.

mod authorise;
mod demand;
mod grants;
mod write;

pub use authorise::Authorized;
pub(crate) use authorise::AuthorizedParts;
pub(crate) use grants::Grants;
pub(crate) use write::{has_sandbox, target};
