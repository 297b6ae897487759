//! Answers: all that a principal learns from one statement, as text; and what must not be in it.

use crate::rows::{Side, TEXTS};
use crate::worlds::World;
use basin_catalog::ErrorClass;
use basin_engine::{EngineError, ScalarValue};
use datafusion::arrow::array::RecordBatch;
use datafusion::arrow::compute::concat_batches;
use datafusion::arrow::util::display::{ArrayFormatter, FormatOptions};
use futures::TryStreamExt;
use std::collections::BTreeSet;
use std::fmt::Write;

/// A statement with its parameters' values.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Statement {
    pub(crate) sql: String,
    pub(crate) parameters: Vec<ScalarValue>,
}

/// How a statement ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Ending {
    Succeeded,
    /// A value could not be computed.
    Failed,
    /// Policy does not allow it, or nothing of that name is there.
    Refused,
    /// The statement is wrong.
    Invalid,
    /// Time or memory was over: what it says depends on the machine.
    GivenUp,
}

/// What the principal learnt.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Answer {
    pub(crate) ending: Ending,
    pub(crate) text: String,
}

/// Asks a statement.
pub(crate) async fn ask(world: &World, statement: &Statement) -> Answer {
    match rows(world, statement).await {
        Ok(text) => Answer { ending: Ending::Succeeded, text },
        Err(error) => {
            let ending = match (&error, error.class()) {
                (EngineError::Computation(_), _) => Ending::Failed,
                (_, ErrorClass::NotFound | ErrorClass::PermissionDenied) => Ending::Refused,
                (_, ErrorClass::DeadlineExceeded | ErrorClass::ResourceExhausted) => Ending::GivenUp,
                _ => Ending::Invalid,
            };
            Answer { ending, text: format!("{:?}: {error}", error.class()) }
        }
    }
}

async fn rows(world: &World, statement: &Statement) -> Result<String, EngineError> {
    let request = world.request(&statement.sql, &statement.parameters);
    let mut text = String::new();
    if !statement.parameters.is_empty() {
        let prepared = world.engine.prepare(request.clone()).await?;
        write!(text, "{:?} {:?}", prepared.schema, prepared.parameters).unwrap();
    }
    let planned = world.engine.plan(request).await?;
    for source in planned.sources().iter().flatten() {
        let item = source.item().map(|item| item.name.to_string());
        write!(text, "{} {item:?} ", source.dataset().name).unwrap();
    }
    writeln!(text, "{:?}", planned.provenance()).unwrap();
    let stream = planned.authorize().await?.admit().await?.execute()?;
    let schema = stream.schema();
    for field in schema.fields() {
        write!(text, "{} {} {}|", field.name(), field.data_type(), field.is_nullable()).unwrap();
    }
    text.push('\n');
    let batches: Vec<RecordBatch> = stream.try_collect().await?;
    let all = concat_batches(&schema, &batches).unwrap();
    let options = FormatOptions::default().with_null("NULL");
    let columns: Vec<ArrayFormatter<'_>> = all
        .columns()
        .iter()
        .map(|column| ArrayFormatter::try_new(column.as_ref(), &options).unwrap())
        .collect();
    for row in 0..all.num_rows() {
        for column in &columns {
            write!(text, "{}|", column.value(row)).unwrap();
        }
        text.push('\n');
    }
    Ok(text)
}

/// What sentinels look like, however they were changed.
pub(crate) struct Needles {
    needles: BTreeSet<String>,
    digests: BTreeSet<String>,
}

impl Needles {
    /// `digests` are texts that single sentinels would be hashed to.
    pub(crate) fn new(digests: impl IntoIterator<Item = String>) -> Self {
        let mut needles = BTreeSet::new();
        for side in [Side::World, Side::Twin] {
            needles.extend(spelled(side));
        }
        Self { needles, digests: digests.into_iter().map(|digest| digest.to_lowercase()).collect() }
    }

    /// Of the twin's sentinels, which no statement names: for the log, where statements may be.
    pub(crate) fn of_twin() -> Self {
        Self { needles: spelled(Side::Twin), digests: BTreeSet::new() }
    }

    /// Finds a sentinel in what a principal got that is not in what it asked.
    pub(crate) fn find(&self, asked: &str, got: &str) -> Option<&str> {
        let (asked, got) = (asked.to_lowercase(), got.to_lowercase());
        // Digits with points and commas between them are the same number at another scale.
        let digits: String = got.chars().filter(|letter| !matches!(letter, '.' | ',' | '_')).collect();
        let there = |needle: &&String| got.contains(needle.as_str()) || digits.contains(needle.as_str());
        let plain = self.needles.iter().filter(|needle| !asked.contains(needle.as_str())).find(there);
        let digest =
            || got.split(|letter: char| !letter.is_ascii_hexdigit()).find_map(|word| self.digests.get(word));
        plain.or_else(digest).map(String::as_str)
    }
}

/// How sentinels of a world may be spelled.
fn spelled(side: Side) -> BTreeSet<String> {
    let day = match side {
        Side::World => "2977-06",
        Side::Twin => "2966-06",
    };
    let text = TEXTS[usize::from(side == Side::Twin)];
    let lower = text.to_lowercase();
    let mut needles =
        BTreeSet::from([side.number().to_string(), day.to_owned(), lower.chars().rev().collect()]);
    for spelled in [text, &lower] {
        needles.insert(spelled.bytes().map(|byte| format!("{byte:02x}")).collect());
        needles.extend(encoded(spelled.as_bytes()));
    }
    needles.insert(lower);
    needles
}

/// The letters that a text's bytes give in base64, at each place that they may have in a longer text, without those that
/// depend on what stands beside it. In lower case, as all that is compared.
fn encoded(bytes: &[u8]) -> Vec<String> {
    const LETTERS: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    (0..3)
        .map(|offset| {
            let bits: Vec<u8> = std::iter::repeat_n(0, offset)
                .chain(bytes.iter().copied())
                .flat_map(|byte| (0..8).rev().map(move |bit| byte >> bit & 1))
                .collect();
            let whole = bits.chunks_exact(6).skip((offset * 8).div_ceil(6));
            let letters =
                whole.map(|six| LETTERS[six.iter().fold(0_usize, |sum, bit| sum * 2 + usize::from(*bit))]);
            letters.map(|letter| char::from(letter).to_ascii_lowercase()).collect()
        })
        .collect()
}
