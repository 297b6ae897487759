//! Frame: what a supervisor and a worker say to each other, as JSON with its length before it.

use crate::metrics::Family;
use basin_engine::{OpenRecord, QueryId, RunningQuery};
use serde::{Deserialize, Serialize};

/// The longest frame: the open records of a whole worker.
pub(super) const MAX_BYTES: usize = 64 * 1024 * 1024;

/// One frame.
#[derive(Debug, Serialize, Deserialize)]
pub(super) enum Frame {
    /// Something that needs no answer.
    Tell(Tell),
    /// A question, and its number.
    Ask(u64, Question),
    /// The answer to the question of that number.
    Answer(u64, Answer),
}

/// What needs no answer.
#[derive(Debug, Serialize, Deserialize)]
pub(super) enum Tell {
    /// From a worker: it accepts connections.
    Ready,
    /// From a worker: a query was opened.
    Opened(OpenRecord),
    /// From a worker: a query was closed; its end is not stored yet.
    Closed(OpenRecord),
    /// From a worker: the ends of these are stored.
    Ended(Vec<QueryId>),
    /// To a worker: it is to drain and end.
    Stop,
}

/// What is asked.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(super) enum Question {
    /// Which queries run: of a worker its own, of the supervisor those of the others.
    Running,
    /// Is to cancel a query: a worker its own, the supervisor that of another.
    Cancel(QueryId),
    /// Of a worker: how it does.
    Figures,
    /// Of a worker: whether it takes queries.
    Ready,
    /// Of a worker: is to store the ends of the queries of one that died.
    Bury {
        /// What they were.
        records: Vec<OpenRecord>,
        /// Why it died.
        cause: String,
    },
}

/// What is answered.
#[derive(Debug, Serialize, Deserialize)]
pub(super) enum Answer {
    /// Queries that run.
    Running(Vec<RunningQuery>),
    /// Whether it was done.
    Done(bool),
    /// How a worker does.
    Figures(Vec<Family>),
    /// Whether it takes queries, or why not.
    Ready(Result<(), String>),
}
