//! The bomb set: statements that kill or stall an unguarded server, one after the other, while another client asks a small
//! question ten times a second of another worker. Each ends in an error that says why, no small question fails, and the
//! supervisor stays small.
//!
//! `BASIN_BOMBS=full` asks more small questions between and judges how long they take; CI only prints it.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, ensure};
use tonic::Code;

use crate::client::{Client, login, query, rows, status};
use crate::program::{Server, resident_bytes};
use crate::store::pooled_copy;
use crate::workers::two_apart;

const PROBE: &str = "SELECT count(*), sum(confirmed) FROM health.city WHERE city = '武汉'";
const EVERY: Duration = Duration::from_millis(100);
const SUPERVISOR_BYTES: u64 = 256 * 1024 * 1024;
/// What the small questions may take beside the bombs, of what they take alone.
const SLOWER: f64 = 2.0;

const CONFIG: &str = "[server]\nworkers = 2\nworker_memory_mib = 1536\n[engine]\nmemory_mib = 512\nhot_columns_mib = 64\n\
                      query_timeout_seconds = 8\nplanning_timeout_seconds = 8\n";

fn bombs() -> Vec<(&'static str, String)> {
    let terms = |term: &str, by: &str, number: usize| vec![term; number].join(by);
    let mut ctes = "WITH c0 AS (SELECT 1 AS a)".to_owned();
    for level in 1..=14 {
        let before = level - 1;
        ctes.push_str(&format!(", c{level} AS (SELECT x.a FROM c{before} x, c{before} y)"));
    }
    let mut doubled =
        "SELECT 'xxxxxxxxxxxxxxxx' || CAST(value AS VARCHAR) AS s FROM generate_series(1, 1000)".to_owned();
    for _ in 0..40 {
        doubled = format!("SELECT s || s AS s FROM ({doubled})");
    }
    let list: Vec<String> = (0..200_000).map(|number| number.to_string()).collect();
    let wide: Vec<String> =
        (0..400).map(|column| format!("(SELECT max(value + {column}) FROM generate_series(1, 9))")).collect();
    [
        ("20,000 ORs", format!("SELECT 1 WHERE {}", terms("1 = 2", " OR ", 20_000))),
        ("10,000 UNION ALL", terms("SELECT 1", " UNION ALL ", 10_000)),
        ("unnest over rows", "SELECT count(*) FROM (SELECT unnest(generate_series(1, 1000000)) FROM generate_series(1, 1000))".to_owned()),
        ("unnest of a column", "SELECT count(*) FROM (SELECT unnest(generate_series(value, 1000000)) FROM generate_series(1, 1000))".to_owned()),
        ("fourteen self-joins", format!("{ctes} SELECT count(*) FROM c14")),
        ("rpad", "SELECT rpad('x', 2000000000, 'y')".to_owned()),
        ("repeat", "SELECT repeat('x', 2000000000)".to_owned()),
        ("repeat of a column", "SELECT sum(length(repeat('xyz', value))) FROM generate_series(1000000, 2000000)".to_owned()),
        ("array_repeat", "SELECT array_repeat(1, 2000000000)".to_owned()),
        ("array_repeat twice", "SELECT array_repeat(array_repeat(1, 10000), 100000)".to_owned()),
        ("doubled texts", format!("SELECT sum(length(s)) FROM ({doubled})")),
        ("5,000 terms", format!("SELECT {}", terms("1", " + ", 5_000))),
        ("recursion without end", "WITH RECURSIVE n AS (SELECT 1 AS i UNION ALL SELECT i + 1 FROM n) SELECT max(i) FROM n".to_owned()),
        ("recursion that doubles", "WITH RECURSIVE n AS (SELECT 1 AS i UNION ALL SELECT a.i + 1 FROM n a, (VALUES (1), (2)) b(x)) SELECT count(*) FROM n".to_owned()),
        ("a join larger than memory", "SELECT count(*) FROM generate_series(1, 60000000) a JOIN generate_series(1, 60000000) b ON a.value = b.value + 1 WHERE a.value % 3 = b.value % 5".to_owned()),
        ("all pairs", "SELECT sum(a.value * b.value) FROM generate_series(1, 10000000) a, generate_series(1, 10000000) b".to_owned()),
        ("a list of all rows", "SELECT array_agg(value) FROM generate_series(1, 200000000)".to_owned()),
        ("a list of texts", "SELECT string_agg(repeat('x', 1000), ',') FROM generate_series(1, 100000000)".to_owned()),
        ("a regular expression", "SELECT count(*) FROM generate_series(1, 10) WHERE regexp_like(repeat('a', 1000), '(((a{1,100}){1,100}){1,100}){1,100}$')".to_owned()),
        ("an IN list", format!("SELECT count(*) FROM health.city WHERE confirmed IN ({})", list.join(","))),
        ("many windows", "SELECT count(s) FROM (SELECT sum(value) OVER (ORDER BY value ROWS BETWEEN 1000000 PRECEDING AND CURRENT ROW) + max(value) OVER (ORDER BY -value ROWS BETWEEN 1000000 PRECEDING AND 1000000 FOLLOWING) AS s FROM generate_series(1, 100000000))".to_owned()),
        ("many subqueries", format!("SELECT {} FROM generate_series(1, 3) a, generate_series(1, 3000000000) b WHERE a.value < b.value ORDER BY 1", wide.join(" + "))),
    ]
    .into()
}

/// How long each small question took; none may fail.
pub(crate) async fn probe(client: &mut Client, until: impl Fn(usize) -> bool) -> Result<Vec<Duration>> {
    let mut took = Vec::new();
    let mut clock = tokio::time::interval(EVERY);
    while !until(took.len()) {
        clock.tick().await;
        let begun = Instant::now();
        let found = rows(client, PROBE).await.with_context(|| format!("small question {}", took.len()))?;
        ensure!(found.len() == 1, "{found:?}");
        took.push(begun.elapsed());
    }
    took.sort_unstable();
    Ok(took)
}

pub(crate) fn p99(sorted: &[Duration]) -> Duration {
    sorted.get((sorted.len() * 99 / 100).min(sorted.len().saturating_sub(1))).copied().unwrap_or_default()
}

#[tokio::test(flavor = "multi_thread")]
async fn bombs_end_in_errors_and_harm_nobody() -> Result<()> {
    let full = std::env::var("BASIN_BOMBS").is_ok_and(|how| how == "full");
    let store = pooled_copy()?;
    let server = Server::configured(store.path(), store.path(), CONFIG)?;
    let [(mut bomber, place), (mut bystander, other)] = two_apart(&server).await?;
    let alone = if full { 300 } else { 30 };
    let quiet = p99(&probe(&mut bystander, |asked| asked == alone).await?);
    let over = Arc::new(AtomicBool::new(false));
    let probing = tokio::spawn({
        let over = Arc::clone(&over);
        async move { probe(&mut bystander, |_| over.load(Ordering::Relaxed)).await }
    });
    let mut supervisor = 0;
    for (name, sql) in bombs() {
        let begun = Instant::now();
        let error = match query(&mut bomber, &sql).await {
            Ok(_) => None,
            Err(error) => Some(status(error)?),
        };
        supervisor = supervisor.max(resident_bytes(server.id())?);
        let said = error
            .as_ref()
            .map_or("answered".to_owned(), |status| format!("{:?}: {}", status.code(), status.message()));
        println!("{name}: {:?}: {:.160}", begun.elapsed(), said.replace('\n', " "));
        let error = error.with_context(|| format!("{name} was answered"))?;
        let died = matches!(error.code(), Code::Unavailable | Code::Unknown | Code::Internal);
        ensure!(
            died || matches!(
                error.code(),
                Code::InvalidArgument | Code::ResourceExhausted | Code::DeadlineExceeded
            ),
            "{name}: {error:?}"
        );
        if died {
            // The next bomb goes to the same place among the workers.
            bomber = at_place(&server, &place, &other).await?;
        }
    }
    over.store(true, Ordering::Relaxed);
    let beside = probing.await??;
    let ratio = p99(&beside).as_secs_f64() / quiet.as_secs_f64();
    println!(
        "{} small questions beside the bombs: p99 {:?}, alone {quiet:?}, {ratio:.2} times as long",
        beside.len(),
        p99(&beside)
    );
    println!("supervisor: {} MiB", supervisor / (1024 * 1024));
    ensure!(supervisor < SUPERVISOR_BYTES, "the supervisor took {supervisor} bytes");
    ensure!(!full || ratio <= SLOWER, "small questions took {ratio:.2} times as long");
    ensure!(server.stop()? == Some(0));
    Ok(())
}

/// A client at the worker that took the place of a dead one.
async fn at_place(server: &Server, place: &str, other: &str) -> Result<Client> {
    let begun = Instant::now();
    loop {
        if let Ok(mut client) = login(server.address()).await
            && let Ok(name) = crate::workers::worker_of(&mut client).await
            && name != other
        {
            return Ok(client);
        }
        ensure!(begun.elapsed() < Duration::from_secs(60), "nobody took the place of {place}");
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
}
