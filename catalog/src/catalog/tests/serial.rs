//! Four writers that commit at once to one store on disk: their acknowledgements are one serial history, and the log is it.

use std::time::Instant;

use super::*;
use crate::catalog::verify::verify_log;

const WRITERS: usize = 4;
const COMMITS: usize = 500;
/// One of so many commits is to what all writers change.
const SHARED_EVERY: usize = 4;

/// A commit that its writer was told of.
#[derive(Debug)]
struct Acknowledged {
    writer: usize,
    snapshot: u64,
    /// The value that it gave to what all writers change.
    shared: Option<u64>,
    began: Instant,
    ended: Instant,
}

fn role_that_says(name: &str, value: u64) -> Change {
    Change::PutRole(Role { name: name.parse().unwrap(), description: value.to_string() })
}

fn said(snapshot: &Snapshot, name: &str) -> u64 {
    let role = snapshot.roles().get(&name.parse::<crate::ids::RoleName>().unwrap());
    role.map_or(0, |role| role.description.parse().unwrap())
}

/// Commits until all of its commits are acknowledged; a conflict is answered by looking again.
async fn write(url: String, writer: usize) -> Vec<Acknowledged> {
    let catalog = Catalog::open(Store::open(&url).unwrap()).await.unwrap();
    let mut acknowledged = Vec::new();
    let author = format!("writer-{writer}");
    while acknowledged.len() < COMMITS {
        let began = Instant::now();
        let base = catalog.latest().await.unwrap();
        let shared = acknowledged.len().is_multiple_of(SHARED_EVERY).then(|| said(&base, "shared") + 1);
        let change = match shared {
            Some(next) => role_that_says("shared", next),
            None => role_that_says(&author, acknowledged.len() as u64),
        };
        match catalog.commit(&base, &author, vec![change]).await {
            Ok(made) => acknowledged.push(Acknowledged {
                writer,
                snapshot: made.id().0,
                shared,
                began,
                ended: Instant::now(),
            }),
            Err(error) => assert_eq!(error.class(), ErrorClass::Conflict, "{error}"),
        }
    }
    acknowledged
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn concurrent_writers_make_a_serial_history() {
    let folder = tempfile::tempdir().unwrap();
    let url = folder.path().to_str().unwrap().to_owned();
    Catalog::create(Store::open(&url).unwrap(), node()).await.unwrap();
    let mut writers = JoinSet::new();
    for writer in 0..WRITERS {
        writers.spawn(write(url.clone(), writer));
    }
    let mut all: Vec<Acknowledged> = writers.join_all().await.into_iter().flatten().collect();
    all.sort_by_key(|one| one.snapshot);

    let snapshots: Vec<u64> = all.iter().map(|one| one.snapshot).collect();
    let expected: Vec<u64> = (1..=(WRITERS * COMMITS) as u64).collect();
    assert_eq!(snapshots, expected, "each commit once, and no other");
    let store = Store::open(&url).unwrap();
    let check = verify_log(&store, None).await.unwrap();
    assert!(check.damage.is_empty(), "{:?}", check.damage);
    assert_eq!((check.entries, check.checkpoints), (2001, 62));

    let log = Log::new(store);
    let mut shared = 0;
    for one in &all {
        let entry = log.entry(one.snapshot).await.unwrap().unwrap();
        assert_eq!(entry.author, format!("writer-{}", one.writer));
        if let Some(value) = one.shared {
            shared += 1;
            assert_eq!(value, shared, "an update of snapshot {} was lost", one.snapshot);
        }
    }
    assert_eq!(said(&check.newest.unwrap(), "shared"), shared);
    // Whoever began after another's commit was acknowledged comes after it.
    let mut newest_ended: Vec<(Instant, u64)> = all.iter().map(|one| (one.ended, one.snapshot)).collect();
    newest_ended.sort();
    let mut by_begin: Vec<&Acknowledged> = all.iter().collect();
    by_begin.sort_by_key(|one| one.began);
    let (mut ended, mut newest) = (newest_ended.into_iter().peekable(), 0);
    for one in by_begin {
        while let Some((_, snapshot)) = ended.next_if(|(at, _)| *at < one.began) {
            newest = newest.max(snapshot);
        }
        assert!(
            one.snapshot > newest,
            "snapshot {} came before {newest}, which was acknowledged",
            one.snapshot
        );
    }
}
