//! Plan: `QueryRequest` -> `Planned`. Read-only SQL against one snapshot and only what its principal sees.
//! `write` takes a statement that changes something apart: into its target and the query that gives its rows.
//!
//! In order: `parse` (limits, one statement, placeholders), `readonly` (what may be said at all), `names`
//! (which tables are meant; hidden and absent alike), `providers` (those tables for DataFusion),
//! `parameters`, `explain`; `statement` walks them on a thread of `worker`, unless `recent` knows the plan. `substrait` reads a plan in place
//! of a text; `lineage` and `keys` tell what columns and datasets are to each other, `uses` which items a plan uses, `divide` whether a result
//! comes in parts. It does not decide what is visible (policy), nor optimise or run anything (execute).

mod divide;
mod explain;
mod keys;
mod lineage;
mod names;
mod parameters;
mod parse;
mod planned;
mod providers;
mod readonly;
mod recent;
mod rewrite;
mod statement;
mod substrait;
mod uses;
mod visible;
mod worker;
mod write;

pub use keys::{Keys, PrimaryKey, Reference};
pub use lineage::SourceItem;
pub(crate) use parse::{any_statement, syntax_error};
pub use planned::{Planned, Prepared, Provenance};
pub(crate) use planned::{PlannedParts, Run};
pub(crate) use providers::{DatasetTable, LocalCatalog, ScanOf, is_granted};
pub(crate) use recent::{Optimised, PlanKey, RecentPlans};
pub(crate) use statement::{Outline, Plan, Work, plan, prepare};
pub use substrait::substrait_version;
pub use visible::{TableKind, Visible, VisibleTable};
pub(crate) use worker::Planners;
pub use write::{Change, Write};
pub(crate) use write::{may_change, of_statement};
