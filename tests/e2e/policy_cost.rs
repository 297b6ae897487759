//! What a policy costs, as commands: `docs/performance.md` has their last figures. Both sides are asked in turn in one run:
//! a user under a row filter and a mask on every table, and an administrator whose SQL has the filter written by hand.
//!
//! ```text
//! cargo test --workspace --release --test e2e policy_cost -- --ignored --nocapture --test-threads 1
//! ```
//! `BASIN_TPCH_SCALE` (default 1) and `BASIN_RUNS` (default 5) change the size.

use std::fs;
use std::path::Path;
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, ensure};

use crate::client::{Client, connect, rows};
use crate::program::{Server, basin, run};
use crate::store::{PASSWORD, with_provider};
use crate::tpch::pool_tables;

/// Each table's row filter and mask.
const POLICIES: [(&str, &str, &str); 8] = [
    ("region", "r_regionkey >= 0", "r_comment=null"),
    ("nation", "n_nationkey >= 0", "n_comment=null"),
    ("supplier", "s_nationkey <> 24", "s_address=code:4"),
    ("part", "p_size <> 50", "p_comment=null"),
    ("partsupp", "ps_availqty > 100", "ps_comment=null"),
    ("customer", "c_nationkey <> 24", "c_address=keyed-hash"),
    ("orders", "o_orderpriority <> '5-LOW'", "o_clerk=keyed-hash"),
    ("lineitem", "l_shipinstruct <> 'NONE'", "l_comment=null"),
];

fn number(name: &str, default: f64) -> f64 {
    std::env::var(name).ok().and_then(|text| text.parse().ok()).unwrap_or(default)
}

/// A store with TPC-H, its policies, an analyst and an administrator.
fn prepare(store: &Path, scale: f64) -> Result<()> {
    pool_tables(store, scale)?;
    for (table, filter, mask) in POLICIES {
        let dataset = format!("tpch.{table}");
        let words = ["policy", "set", &dataset, "--rows", filter, "--mask", mask, "--basis", "a benchmark"];
        run(store, words)?.success()?;
    }
    for words in [&["user", "add", "limited"][..], &["user", "add", "whole", "--role", "admin"]] {
        let output = basin(store, words)?.env("BASIN_PASSWORD", PASSWORD).output()?;
        ensure!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    }
    Ok(())
}

/// The query with each table's filter written by hand.
fn by_hand(query: &str) -> String {
    let mut text = query.to_owned();
    for (table, filter, _) in POLICIES {
        let name = format!("tpch.{table}");
        let mut rest = text.as_str();
        let mut written = String::new();
        while let Some((before, after)) = rest.split_once(name.as_str()) {
            let word: String = after.trim_start().chars().take_while(|c| c.is_ascii_alphanumeric()).collect();
            let is_longer = after.starts_with(|c: char| c.is_ascii_alphanumeric());
            let has_alias = word.len() == 2 && word.ends_with(|c: char| c.is_ascii_digit());
            written.push_str(before);
            if is_longer {
                written.push_str(&name);
            } else {
                let alias = if has_alias { "" } else { table };
                written.push_str(&format!("(SELECT * FROM {name} WHERE {filter}) {alias}"));
            }
            rest = after;
        }
        written.push_str(rest);
        text = written;
    }
    text
}

async fn timed(client: &mut Client, sql: &str) -> Result<(Duration, usize)> {
    let start = Instant::now();
    let count = rows(client, sql).await?.len();
    Ok((start.elapsed(), count))
}

fn median(mut times: Vec<Duration>) -> Result<Duration> {
    times.sort();
    times.get(times.len() / 2).copied().context("no run")
}

async fn login(address: &str, user: &str) -> Result<Client> {
    let mut client = connect(address).await?;
    client.handshake(user, PASSWORD).await.context("handshake")?;
    Ok(client)
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "a benchmark: minutes, and only meaningful alone on the machine"]
async fn policy_cost_of_tpch() -> Result<()> {
    let (scale, runs) = (number("BASIN_TPCH_SCALE", 1.0), number("BASIN_RUNS", 5.0) as usize);
    let store = with_provider()?;
    prepare(store.path(), scale)?;
    let server = Server::serve(store.path())?;
    let mut limited = login(server.address(), "limited").await?;
    let mut whole = login(server.address(), "whole").await?;
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tpch/queries");
    let mut logarithms = 0.0;
    println!("| query | by hand ms | by policy ms | ratio |\n|---|---|---|---|");
    for number in 1..=22 {
        let query = fs::read_to_string(folder.join(format!("q{number:02}.sql")))?;
        let written = by_hand(&query);
        let (_, expected) = timed(&mut whole, &written).await?;
        let (_, found) = timed(&mut limited, &query).await?;
        ensure!(found == expected, "query {number}: {found} rows by policy, {expected} by hand");
        let (mut hand, mut policy) = (Vec::new(), Vec::new());
        for _ in 0..runs {
            hand.push(timed(&mut whole, &written).await?.0);
            policy.push(timed(&mut limited, &query).await?.0);
        }
        let (hand, policy) = (median(hand)?, median(policy)?);
        let ratio = policy.as_secs_f64() / hand.as_secs_f64();
        logarithms += ratio.ln();
        let ms = |time: Duration| time.as_secs_f64() * 1000.0;
        println!("| {number} | {:.0} | {:.0} | {ratio:.2} |", ms(hand), ms(policy));
    }
    println!("| geometric mean | | | {:.3} |", (logarithms / 22.0).exp());
    server.stop()?;
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "a benchmark: only meaningful alone on the machine"]
async fn policy_cost_of_a_small_query() -> Result<()> {
    let runs = 100 * number("BASIN_RUNS", 5.0) as usize;
    let store = with_provider()?;
    prepare(store.path(), 0.01)?;
    let server = Server::serve(store.path())?;
    let mut limited = login(server.address(), "limited").await?;
    let mut whole = login(server.address(), "whole").await?;
    let query = "SELECT s_name, s_address FROM tpch.supplier WHERE s_suppkey = 7";
    let written = by_hand(query);
    let (mut hand, mut policy) = (Vec::new(), Vec::new());
    for _ in 0..runs {
        hand.push(timed(&mut whole, &written).await?.0);
        policy.push(timed(&mut limited, query).await?.0);
    }
    let (hand, policy) = (median(hand)?, median(policy)?);
    let ms = |time: Duration| time.as_secs_f64() * 1000.0;
    println!(
        "small query, median of {runs}: by hand {:.3} ms, by policy {:.3} ms, difference {:.3} ms",
        ms(hand),
        ms(policy),
        ms(policy) - ms(hand)
    );
    server.stop()?;
    Ok(())
}
