//! Hot columns: decoded column chunks of Parquet files in memory, so that a scan that finds them decodes nothing.
//!
//! Between a dataset's table and its files (`table` makes the scan, this room serves it), below the policy: what is kept
//! is what files hold, whoever asked first. Exact without invalidation, because a file never changes. It decides neither
//! which rows are shown nor which files are read.
//!
//! `cache` keeps the chunks; `source` stands where the Parquet source of a scan would; `file` prunes a file's row
//! groups and blocks as the Parquet scan does; `group` gives the rows of a row group, filling what is missing, as the
//! `output` that is asked; `sieve` drops rows that the operators above know not to need; `named` tells the log which file can't
//! be read.

mod cache;
mod file;
mod group;
mod named;
mod output;
mod sieve;
mod source;

pub(crate) use cache::HotColumns;
pub(crate) use source::HotSource;
