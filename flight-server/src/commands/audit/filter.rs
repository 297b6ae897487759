//! Filters on records, as options and as the parameters of one fixed statement: nothing that is asked for becomes
//! part of its text.

use basin_catalog::{DatasetName, OrganisationCode, UserName};
use basin_engine::ScalarValue;
use chrono::{DateTime, Utc};
use clap::{Args, ValueEnum};

use crate::commands::moment::moment;

/// All columns of the records that match.
pub(super) const MATCHING: &str = "
    SELECT * FROM basin.queries
    WHERE ($1 IS NULL OR user_name = $1)
      AND ($2 IS NULL OR agency = $2)
      AND ($3 IS NULL OR strpos(concat(',', datasets, ','), concat(',', CAST($3 AS VARCHAR), ',')) > 0)
      AND ($4 IS NULL
           OR strpos(concat(',', output_columns, ',', predicate_columns, ',', policy_columns, ','),
                     concat(',', CAST($4 AS VARCHAR), ',')) > 0
           OR strpos(concat(',', output_columns, ',', predicate_columns, ',', policy_columns, ','),
                     concat('.', CAST($4 AS VARCHAR), ',')) > 0)
      AND ($5 IS NULL OR purpose = $5)
      AND ($6 IS NULL OR coalesce(outcome, 'running') = CAST($6 AS VARCHAR))
      AND ($7 IS NULL OR started_at >= $7)
      AND ($8 IS NULL OR started_at < $8)
      AND ($9 IS NULL OR strpos(lower(sql), lower(CAST($9 AS VARCHAR))) > 0)
      AND query_id <> $10
    ORDER BY started_at DESC, query_id DESC
    LIMIT $11";

/// Which records are wanted; all that is given must hold.
#[derive(Debug, Args)]
pub(super) struct Filter {
    /// Queries of this user
    #[arg(long, value_name = "NAME")]
    user: Option<UserName>,
    /// Queries of this organisation's users
    #[arg(long, value_name = "CODE")]
    agency: Option<OrganisationCode>,
    /// Queries that read this dataset
    #[arg(long, value_name = "SCHEMA.DATASET")]
    dataset: Option<DatasetName>,
    /// Queries that used this item, whether shown or not: a name, or schema.dataset.name
    #[arg(long, value_name = "ITEM")]
    item: Option<String>,
    /// Queries for this purpose
    #[arg(long, value_name = "TEXT")]
    purpose: Option<String>,
    /// Queries that ended so
    #[arg(long, value_enum, value_name = "OUTCOME")]
    outcome: Option<Outcome>,
    /// Queries that began at this moment or later (RFC 3339 or a date, UTC)
    #[arg(long, value_name = "TIME", value_parser = moment)]
    since: Option<DateTime<Utc>>,
    /// Queries that began before this moment (RFC 3339 or a date, UTC)
    #[arg(long, value_name = "TIME", value_parser = moment)]
    until: Option<DateTime<Utc>>,
    /// Queries whose SQL holds this text, in capitals or not
    #[arg(long, value_name = "SQLTEXT")]
    text: Option<String>,
}

/// How queries end.
#[derive(Debug, Clone, Copy, ValueEnum)]
enum Outcome {
    Ok,
    Error,
    Refused,
    Cancelled,
    Timeout,
    /// Its process went away before it could tell.
    Unknown,
    /// It has not ended.
    Running,
}

impl Outcome {
    fn word(self) -> &'static str {
        match self {
            Self::Ok => "ok",
            Self::Error => "error",
            Self::Refused => "refused",
            Self::Cancelled => "cancelled",
            Self::Timeout => "timeout",
            Self::Unknown => "unknown",
            Self::Running => "running",
        }
    }
}

impl Filter {
    /// The first nine parameters of [`MATCHING`].
    pub(super) fn parameters(self) -> Vec<ScalarValue> {
        let text = ScalarValue::Utf8;
        let time = |at: Option<DateTime<Utc>>| {
            ScalarValue::TimestampMicrosecond(at.map(|at| at.timestamp_micros()), Some("UTC".into()))
        };
        vec![
            text(self.user.map(|user| user.to_string())),
            text(self.agency.map(|agency| agency.to_string())),
            text(self.dataset.map(|dataset| dataset.to_string())),
            text(self.item),
            text(self.purpose),
            text(self.outcome.map(|outcome| outcome.word().to_owned())),
            time(self.since),
            time(self.until),
            text(self.text),
        ]
    }
}
