//! Each record once, before, during and after rolling; whatever fails at whichever step.

use super::columns::texts;
use super::record::Ended;
use super::{AuditLog, DaysWanted, Outcome, Record, journal, read_all, roll};
use crate::beside::Alone;
use crate::request::{Query, QueryId, QueryOptions, QueryRequest};
use async_trait::async_trait;
use basin_catalog::{AsOf, Principal};
use chrono::{DateTime, Duration, Utc};
use futures::stream::BoxStream;
use futures::{StreamExt, TryStreamExt};
use object_store::memory::InMemory;
use object_store::path::Path;
use object_store::{
    CopyOptions, GetOptions, GetResult, ListResult, MultipartUpload, ObjectMeta, ObjectStore, PutMode,
    PutMultipartOptions, PutOptions, PutPayload, PutResult, Result,
};
use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::Duration as Time;
use tokio::runtime::Handle;

const FOLDER: &str = "audit";

/// What happens at one change.
#[derive(Debug, Clone, Copy)]
enum Fate {
    /// Nothing is changed any more.
    Dies,
    /// The same; this change is made, and its reply lost.
    DiesUnanswered,
    /// This change is made, its reply lost, and its repetition told that the object is there. It can't be read.
    Misled,
}

/// A store that something happens to after so many changes.
#[derive(Debug)]
struct Dying {
    inner: Arc<InMemory>,
    left: Arc<AtomicUsize>,
    fate: Fate,
    died: Arc<AtomicBool>,
    unreadable: std::sync::Mutex<Option<Path>>,
}

impl Dying {
    fn after(changes: usize, fate: Fate, inner: &Arc<InMemory>) -> Arc<Self> {
        let (left, died) = (Arc::new(AtomicUsize::new(changes)), Arc::default());
        Arc::new(Self { inner: Arc::clone(inner), left, fate, died, unreadable: std::sync::Mutex::default() })
    }

    fn again(&self) -> Self {
        let (left, died) = (Arc::clone(&self.left), Arc::clone(&self.died));
        let inner = Arc::clone(&self.inner);
        Self { inner, left, fate: self.fate, died, unreadable: std::sync::Mutex::default() }
    }

    /// Tells whether a change is made, and whether it is answered.
    fn spend(&self) -> (bool, bool) {
        let alive =
            self.left.fetch_update(Ordering::SeqCst, Ordering::SeqCst, |left| left.checked_sub(1)).is_ok();
        let first = !alive && !self.died.swap(true, Ordering::SeqCst);
        match self.fate {
            Fate::Dies => (alive, alive),
            Fate::DiesUnanswered => (alive || first, alive),
            Fate::Misled => (true, !first),
        }
    }

    fn reply(&self, path: &Path, mode: &PutMode) -> object_store::Error {
        if !matches!((self.fate, mode), (Fate::Misled, PutMode::Create)) {
            return dead();
        }
        *self.unreadable.lock().unwrap() = Some(path.clone());
        object_store::Error::AlreadyExists { path: path.to_string(), source: "there".into() }
    }
}

fn dead() -> object_store::Error {
    object_store::Error::Generic { store: "dying", source: "died".into() }
}

impl fmt::Display for Dying {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("dying store")
    }
}

#[async_trait]
impl ObjectStore for Dying {
    async fn put_opts(&self, path: &Path, payload: PutPayload, options: PutOptions) -> Result<PutResult> {
        let (made, answered) = self.spend();
        let mode = options.mode.clone();
        let result = if made { Some(self.inner.put_opts(path, payload, options).await?) } else { None };
        result.filter(|_| answered).ok_or_else(|| self.reply(path, &mode))
    }

    async fn put_multipart_opts(
        &self,
        path: &Path,
        options: PutMultipartOptions,
    ) -> Result<Box<dyn MultipartUpload>> {
        self.inner.put_multipart_opts(path, options).await
    }

    async fn get_opts(&self, path: &Path, options: GetOptions) -> Result<GetResult> {
        let unreadable = self.unreadable.lock().unwrap().as_ref() == Some(path);
        if unreadable { Err(dead()) } else { self.inner.get_opts(path, options).await }
    }

    fn delete_stream(&self, paths: BoxStream<'static, Result<Path>>) -> BoxStream<'static, Result<Path>> {
        let this = self.again();
        let deleted = paths.then(move |path| {
            let this = this.again();
            async move {
                let path = path?;
                let (made, answered) = this.spend();
                if made {
                    let one = futures::stream::iter([Ok(path.clone())]).boxed();
                    this.inner.delete_stream(one).try_collect::<Vec<_>>().await?;
                }
                if answered { Ok(path) } else { Err(dead()) }
            }
        });
        deleted.boxed()
    }

    fn list(&self, prefix: Option<&Path>) -> BoxStream<'static, Result<ObjectMeta>> {
        self.inner.list(prefix)
    }

    async fn list_with_delimiter(&self, prefix: Option<&Path>) -> Result<ListResult> {
        self.inner.list_with_delimiter(prefix).await
    }

    async fn copy_opts(&self, from: &Path, to: &Path, options: CopyOptions) -> Result<()> {
        self.inner.copy_opts(from, to, options).await
    }
}

fn record(sql: &str, began: DateTime<Utc>) -> Record {
    let request = QueryRequest {
        query_id: QueryId::new(),
        principal: Principal::operator(),
        query: Query::Sql(sql.to_owned()),
        as_of: AsOf::Latest,
        parameters: vec![],
        options: QueryOptions::default(),
    };
    Record { started_at: began, ends_by: began + Duration::hours(1), ..Record::of(&request) }
}

fn ended(record: &Record) -> Record {
    let mut record = record.clone();
    record.end(Outcome::Ok);
    record
}

fn audit(store: Arc<dyn ObjectStore>) -> AuditLog {
    AuditLog::start((store, Path::from(FOLDER)), &Handle::current(), Time::from_secs(600), Arc::new(Alone))
}

/// Reads all records: the text and the outcome of each. Fails when one is there twice.
async fn seen(audit: &AuditLog) -> BTreeMap<String, Option<String>> {
    let mut found = BTreeMap::new();
    for batch in read_all(audit, DaysWanted::default(), |_, _| true).await.unwrap() {
        for (sql, outcome) in texts(&batch, "sql").into_iter().zip(texts(&batch, "outcome")) {
            let sql = sql.unwrap().to_owned();
            let before = found.insert(sql.clone(), outcome.map(ToOwned::to_owned));
            assert_eq!(before, None, "{sql} is there twice");
        }
    }
    found
}

/// A journal of two days: ended, running and lost queries, their ends in other objects than their beginnings.
async fn journal_of_two_days(store: &Arc<dyn ObjectStore>) -> BTreeMap<String, Option<String>> {
    let folder = Path::from(FOLDER);
    let (now, yesterday) = (Utc::now(), Utc::now() - Duration::days(1));
    let old = ["old 1", "old 2"].map(|sql| record(sql, yesterday));
    let lost = record("lost", yesterday);
    let new = ["new 1", "new 2", "new 3"].map(|sql| record(sql, now));
    let running = record("running", now);
    let [old_1, old_2] = &old;
    let [new_1, new_2, new_3] = &new;
    for sheet in [
        vec![old_1.clone(), lost],
        vec![ended(old_1), old_2.clone(), ended(new_3)],
        vec![new_1.clone(), running],
        vec![ended(new_1), ended(old_2), ended(new_2)],
    ] {
        journal::write(store, &folder, &sheet).await.unwrap();
    }
    let ok = |sql: &str| (sql.to_owned(), Some(Ended::Ok.name().to_owned()));
    let mut all: BTreeMap<_, _> = ["old 1", "old 2", "new 1", "new 2", "new 3"].map(ok).into();
    all.insert("lost".to_owned(), Some(Ended::Unknown.name().to_owned()));
    all.insert("running".to_owned(), None);
    all
}

#[tokio::test(flavor = "multi_thread")]
async fn a_roll_that_dies_at_any_step_loses_and_doubles_nothing() {
    for fate in [Fate::Dies, Fate::DiesUnanswered, Fate::Misled] {
        let mut steps = 0;
        loop {
            let memory = Arc::new(InMemory::new());
            let store: Arc<dyn ObjectStore> = Arc::clone(&memory) as _;
            let all = journal_of_two_days(&store).await;
            let dying = Dying::after(steps, fate, &memory);
            let rolled = roll::roll(&(Arc::clone(&dying) as _), &Path::from(FOLDER)).await;
            let reader = audit(Arc::clone(&store));
            assert_eq!(seen(&reader).await, all, "{fate:?} after {steps} steps: {rolled:?}");
            let again = reader.roll().await.unwrap();
            assert_eq!(seen(&reader).await, all, "rolled again after {steps} steps");
            assert_eq!(again.running, 1);
            assert_eq!(journal::list(&store, &Path::from(FOLDER)).await.unwrap().len(), 1);
            let third = reader.roll().await.unwrap();
            assert_eq!((third.records, third.objects), (0, 0));
            if !dying.died.load(Ordering::SeqCst) {
                assert_eq!(rolled.unwrap().records, 6);
                break;
            }
            steps += 1;
        }
        // Two days' files, what runs, the commit, four objects.
        assert!(steps >= 8, "only {steps} steps");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_end_that_comes_late_takes_the_place_of_unknown() {
    let store: Arc<dyn ObjectStore> = Arc::new(InMemory::new());
    let slow = record("slow", Utc::now() - Duration::hours(2));
    journal::write(&store, &Path::from(FOLDER), std::slice::from_ref(&slow)).await.unwrap();
    let reader = audit(Arc::clone(&store));
    let outcome = async |audit: &AuditLog| seen(audit).await["slow"].clone();
    assert_eq!(outcome(&reader).await.as_deref(), Some("unknown"));
    assert_eq!(reader.roll().await.unwrap().records, 1);
    assert_eq!(outcome(&reader).await.as_deref(), Some("unknown"));
    journal::write(&store, &Path::from(FOLDER), &[ended(&slow)]).await.unwrap();
    assert_eq!(outcome(&reader).await.as_deref(), Some("ok"));
    assert_eq!(reader.roll().await.unwrap().records, 1);
    assert_eq!(outcome(&reader).await.as_deref(), Some("ok"));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_long_log_is_checkpointed_and_replaced_files_go_after_a_day() {
    let store: Arc<dyn ObjectStore> = Arc::new(InMemory::new());
    let folder = Path::from(FOLDER);
    // At noon: the days of the records and of the replaced files are the same.
    let began = Utc::now().date_naive().and_hms_opt(12, 0, 0).unwrap().and_utc();
    for number in 0..12 {
        journal::write(&store, &folder, &[ended(&record(&number.to_string(), began))]).await.unwrap();
        assert_eq!(roll::roll(&store, &folder).await.unwrap().records, 1);
    }
    let list = async |below: String| {
        let below = Path::from(format!("{FOLDER}/{below}"));
        let objects: Vec<ObjectMeta> = store.list(Some(&below)).try_collect().await.unwrap();
        objects.into_iter().map(|object| object.location.to_string()).collect::<Vec<_>>()
    };
    let log = list("_delta_log".to_owned()).await;
    assert!(log.iter().any(|name| name.contains("00000000000000000010.checkpoint")), "{log:?}");
    let day = format!("day={}", began.date_naive());
    assert_eq!(list(day.clone()).await.len(), 12, "they stay for those who read an older version");
    roll::once(&store, &folder, Utc::now() + Duration::hours(25)).await.unwrap();
    assert_eq!(list(day).await.len(), 1);
    assert_eq!(seen(&audit(Arc::clone(&store))).await.len(), 12);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn readers_count_once_while_several_write_and_roll() {
    const QUERIES: usize = 300;
    let store: Arc<dyn ObjectStore> = Arc::new(InMemory::new());
    let writing = Arc::new(AtomicBool::new(true));
    let mut tasks = tokio::task::JoinSet::new();
    for _ in 0..2 {
        let (store, writing) = (Arc::clone(&store), Arc::clone(&writing));
        tasks.spawn(async move {
            let mut rolled = 0;
            while writing.load(Ordering::SeqCst) {
                // A store in memory never waits: without this the writers would not run.
                tokio::task::yield_now().await;
                // Losing against the other one is no failure.
                rolled += roll::roll(&store, &Path::from(FOLDER)).await.map_or(0, |rolled| rolled.records);
            }
            rolled
        });
    }
    let log = Arc::new(audit(Arc::clone(&store)));
    let stored = Arc::new(std::sync::Mutex::new(BTreeSet::new()));
    for writer in 0..3 {
        let (log, stored) = (Arc::clone(&log), Arc::clone(&stored));
        tasks.spawn(async move {
            for number in 0..QUERIES {
                let sql = format!("{writer} {number}");
                let mut entry = log.open(record(&sql, Utc::now())).await.unwrap();
                entry.keep().await.unwrap();
                stored.lock().unwrap().insert(sql);
                entry.close(Outcome::Ok);
            }
            0
        });
    }
    let other = audit(Arc::clone(&store));
    let mut reads = 0;
    while reads < 20 || stored.lock().unwrap().len() < 3 * QUERIES {
        for reader in [&*log, &other] {
            let before = stored.lock().unwrap().clone();
            let found: BTreeSet<String> = seen(reader).await.into_keys().collect();
            assert!(before.is_subset(&found), "{:?} are missing", before.difference(&found));
        }
        reads += 1;
    }
    log.flush().await.unwrap();
    writing.store(false, Ordering::SeqCst);
    let mut rolled = 0;
    while let Some(task) = tasks.join_next().await {
        rolled += task.unwrap();
    }
    rolled += roll::roll(&store, &Path::from(FOLDER)).await.unwrap().records;
    assert_eq!(rolled, 3 * QUERIES as u64);
    let all = seen(&other).await;
    assert_eq!(all.len(), 3 * QUERIES);
    assert!(all.values().all(|outcome| outcome.as_deref() == Some("ok")));
    assert_eq!(journal::list(&store, &Path::from(FOLDER)).await.unwrap(), []);
}

#[tokio::test(flavor = "multi_thread")]
async fn concurrent_records_share_an_object() {
    let store: Arc<dyn ObjectStore> = Arc::new(InMemory::new());
    let log = audit(Arc::clone(&store));
    let mut entries = Vec::new();
    for n in 0..50 {
        entries.push(log.open(record(&n.to_string(), Utc::now())).await.unwrap());
    }
    futures::future::try_join_all(entries.iter().map(super::AuditEntry::keep)).await.unwrap();
    let objects = journal::list(&store, &Path::from(FOLDER)).await.unwrap().len();
    assert!((1..=5).contains(&objects), "{objects} objects");
}

#[tokio::test(flavor = "multi_thread")]
async fn suppressed_cells_are_counted_by_whoever_suppresses_them() {
    let log = audit(Arc::new(InMemory::new()));
    let mut entry = log.open(record("counted", Utc::now())).await.unwrap();
    entry.suppressed().fetch_add(7, Ordering::Relaxed);
    entry.close(Outcome::Ok);
    let [record] = log.recent().try_into().unwrap();
    assert_eq!(record.cells_suppressed, 7);
}

#[test]
fn only_filters_on_the_beginning_narrow_the_days() {
    use datafusion::prelude::{col, lit};
    let time = |text: &str| {
        lit(datafusion::common::ScalarValue::TimestampMicrosecond(
            Some(text.parse::<DateTime<Utc>>().unwrap().timestamp_micros()),
            Some("UTC".into()),
        ))
    };
    let from = col("started_at").gt_eq(time("2026-01-03T08:00:00Z"));
    let until = time("2026-01-05T00:00:00Z").gt(col("started_at"));
    let days = DaysWanted::of(&[from.clone().and(until), col("rows").gt(lit(3_i64))]);
    let day = |text: &str| text.parse().unwrap();
    assert!(days.contains(day("2026-01-03")) && days.contains(day("2026-01-05")));
    assert!(!days.contains(day("2026-01-02")) && !days.contains(day("2026-01-06")));
    assert_eq!(DaysWanted::of(&[from.or(col("rows").gt(lit(3_i64)))]), DaysWanted::default());
}
