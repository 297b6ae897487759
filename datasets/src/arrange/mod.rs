//! From conformed rows in any order to the table's order, with key conflicts decided.
//!
//! `order` says which columns are sorted by and when keys are resolved, `sort` runs the external sort
//! in bounded memory (`room`), `keys` finds rows with equal keys and does what the manifest says. Reading and
//! writing happen elsewhere.

mod keys;
mod order;
mod room;
mod sort;

pub(crate) use keys::{Keep, KeyStage, Place};
pub(crate) use order::{FILE_COLUMN, LINE_COLUMN, Order};
pub(crate) use sort::{Arranger, SortInput};
