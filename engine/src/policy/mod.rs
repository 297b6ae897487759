//! Policy: the only room that decides what a principal may see and read.
//!
//! `grants` and `access` decide what is visible and under which limits, `view` what of it is told; `rules` scans under limits,
//! `cells` withholds small groups, `police` makes the plan of it that may be planned further, `authorise` the one that may run,
//! `lease` looks again while it runs. Policy is always that of the newest catalog state, also for a query as of an earlier
//! one, so that a revocation holds for the past too. `write` decides who may change what, `demand` who may ask for access. It
//! does not decide who is asking: that is the server's.

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
pub(crate) use cells::{Withheld, is_withheld, planner};
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
