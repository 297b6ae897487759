//! Policy: the only room that decides what a principal may see and read.
//!
//! `grants` decides visibility, before and during planning; `authorise` turns a plan into one that may
//! run. Policy is always that of the newest catalog state, also for a query as of an earlier one, so
//! that a revocation holds for the past too. `write` decides who may change what. Today it decides per dataset; row filters, masks and
//! minimum cells will attach in `authorise`. It does not decide who is asking: that is the server's.

mod access;
mod authorise;
mod barrier;
mod cells;
mod demand;
mod grants;
mod lease;
mod mask;
mod police;
mod quiet;
mod rows;
mod rules;
mod safe;
mod view;
mod visible;
mod words;
mod write;

pub use authorise::Authorized;
pub(crate) use authorise::AuthorizedParts;
pub(crate) use cells::{Withheld, planner};
pub(crate) use grants::Grants;
pub(crate) use lease::{Lease, RecentPolicy};
pub(crate) use mask::MaskKey;
pub(crate) use police::{Policed, police, policy_columns};
pub(crate) use quiet::quiet;
pub use rows::check_row_filter;
pub(crate) use rules::Rules;
pub(crate) use view::View;
pub(crate) use visible::VisibleCounts;
pub use words::DatasetExplanation;
pub(crate) use words::{explained, told};
pub(crate) use write::{has_sandbox, target};
