//! Basin's engine: SQL against one snapshot of a catalog, as one straight walk.
//!
//! ```text
//! QueryRequest ─► Planned ─► Authorized ─► Admitted ─► ResultStream
//!               plan      policy       admission    execute
//!                 └──────── audit: opened before, closed once ────┘
//! ```
//!
//! | room | decides |
//! |---|---|
//! | `plan` | read-only SQL against visible tables |
//! | `policy` | what a principal sees and reads |
//! | `admission` | who runs, who waits, who is refused |
//! | `cache` | which results are kept, and who waits for whose run |
//! | `execute` | nothing: it runs |
//! | `result` | nothing: rows leave, audited and under the lease |
//! | `progress` | nothing: it shows how far a query is |
//! | `audit` | what is remembered |
//! | `beside` | nothing: the other processes of a server |
//! | `figures` | nothing: how the engine does |
//! | `hot` | nothing: columns of files in memory |
//! | `rollup` | nothing: aggregations answered from rollups, with the same rows |
//! | `advise` | nothing: it tells which layout would have helped the queries that are remembered |
//! | `table` | nothing: a dataset version as a Parquet scan |
//! | `system` | nothing: catalog facts as tables |
//! | `session` | how DataFusion is set up |
//!
//! It knows nothing of the wire, and authenticates nobody.

mod admission;
mod advise;
mod audit;
mod beside;
mod cache;
mod cancel;
mod config;
mod constants;
mod disk;
mod engine;
mod error;
mod execute;
mod figures;
mod hot;
mod output;
mod plan;
mod policy;
mod progress;
mod request;
mod result;
mod rollup;
mod session;
mod system;
mod table;

pub use admission::{Admitted, PlaceFigures};
pub use advise::{Advice, Asked, Choice, Filter, ItemUse, LaidOut, RollupAdvice, advise};
pub use audit::{DURATION_BOUNDS_SECONDS, Rolled, Tally};
pub use beside::{Alone, Beside, OpenRecord, RunningQuery, Stage};
pub use cache::{CacheFigures, Shelf};
pub use config::EngineConfig;
pub use datafusion::scalar::ScalarValue;
pub use engine::{Engine, OpenWrite, PolicyExplanation};
pub use error::{EngineError, Result};
pub use figures::EngineFigures;
pub use plan::{
    Change, Keys, Planned, Prepared, PrimaryKey, Provenance, Reference, SourceItem, TableKind, Visible,
    VisibleTable, Write, substrait_version,
};
pub use policy::{Authorized, DatasetExplanation, check_row_filter};
pub use progress::Progress;
pub use request::{Part, Query, QueryId, QueryOptions, QueryRequest};
pub use result::ResultStream;
pub use rollup::{exactness_query, rows_query};
pub use session::CATALOG;
