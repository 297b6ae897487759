//! Deliveries, commits, queries and the audit while one request of ten to the store fails: each is right or says that it
//! failed, nothing is lost and nothing is there twice.
//!
//! What is true is asked of the server itself, past the proxy. BASIN_S3_REQUESTS is how many requests the test makes;
//! docs/reliability.md has the figures of the long run.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::fs;
use std::process::Child;

use anyhow::{Context as _, Result, bail, ensure};
use arrow::util::display::array_value_to_string;
use tonic::Code;

use super::cloud::Cloud;
use super::large::{self, LARGE_ROWS, ROW_CHARACTERS};
use super::proxy::{Fault, Proxy};
use super::server::S3Server;
use crate::client::{Client, login, query, status};
use crate::crash::{Holds, manifest};
use crate::program::{Ended, Server};
use crate::store::PROVIDER;

/// Requests of the gate that runs with all tests.
const GATE_REQUESTS: u64 = 1_500;
const SEED: u64 = 6;
const STATE: &str = "SELECT l.least, l.greatest, l.number, r.least, r.greatest, r.number
    FROM (SELECT min(delivery) AS least, max(delivery) AS greatest, count(*) AS number FROM test.left_bank) AS l
    CROSS JOIN (SELECT min(delivery) AS least, max(delivery) AS greatest, count(*) AS number FROM test.right_bank) AS r";
const ROWS: u32 = 2_000;
const ATTEMPTS: u32 = 20;
/// Queries over Flight in a round.
const FLIGHTS: u32 = 3;
/// The audit is rolled every so many rounds.
const ROLL_EVERY: u32 = 3;
/// A file in parts is pooled in one of so many rounds.
const LARGE_EVERY: u32 = 4;

/// What a command said of itself.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Told {
    Done,
    /// It failed and changed nothing: exit codes 6, 7 and 8.
    Failed,
    /// It does not know: exit code 9.
    Unknown,
}

impl Told {
    fn by(ended: &Ended) -> Result<Self> {
        match ended.code {
            Some(0) => Ok(Self::Done),
            Some(6..=8) => Ok(Self::Failed),
            Some(9) => Ok(Self::Unknown),
            code => bail!("exit code {code:?} under faults: {}", ended.text()),
        }
    }
}

/// What happened, for the report.
#[derive(Debug, Default)]
struct Tally(BTreeMap<(&'static str, Told), u32>);

impl Tally {
    fn count(&mut self, what: &'static str, told: Told) {
        *self.0.entry((what, told)).or_default() += 1;
    }
}

/// The store, as it is asked with faults and without.
pub(super) struct Bed {
    pub(super) proxy: Proxy,
    pub(super) faulty: Cloud,
    direct: Cloud,
    tally: Tally,
    /// The last delivery that is published.
    published: u32,
    /// Deliveries in parts that are published.
    large: u32,
    /// Users of which it is known that they were added.
    users: Vec<String>,
    /// Statements over Flight.
    asked: u32,
    /// Those that were answered.
    answered: Vec<String>,
}

fn whole(number: u32) -> String {
    let half = ROWS / 2;
    format!("{number},{number},{half},{number},{number},{half}")
}

impl Bed {
    pub(super) fn new(server: &S3Server) -> Result<Self> {
        let proxy = Proxy::start(server.address(), SEED)?;
        let faulty = Cloud::new(&proxy.endpoint(), "faults")?;
        let direct = Cloud::new(&server.endpoint(), "faults")?;
        direct.prepare()?;
        direct.apply(&manifest("left", 1, Holds::TheLast))?;
        direct.apply(&manifest("right", 2, Holds::TheLast))?;
        let (tally, users, answered) = Default::default();
        let mut bed =
            Self { proxy, faulty, direct, tally, published: 0, large: 0, users, asked: 0, answered };
        bed.direct.apply(&large::manifest(3))?;
        let first = bed.delivery(0)?;
        bed.direct.run(&["pool", BANKS, &first, "--provider", PROVIDER])?.success()?;
        Ok(bed)
    }

    fn delivery(&mut self, number: u32) -> Result<String> {
        let mut text = String::from("bank,gauge,delivery\n");
        for gauge in 0..ROWS {
            let bank = if gauge % 2 == 0 { "left" } else { "right" };
            writeln!(text, "{bank},{gauge},{number}")?;
        }
        let file = self.faulty.folder().join("readings.csv");
        fs::write(&file, text)?;
        Ok(file.to_string_lossy().into_owned())
    }

    fn truth(&self) -> Result<String> {
        Ok(self.direct.sql(STATE)?.join("\n"))
    }

    /// Pools the next delivery until it is published. What fails has published nothing.
    pub(super) fn pool(&mut self) -> Result<()> {
        let number = self.published + 1;
        let file = self.delivery(number)?;
        for _ in 0..ATTEMPTS {
            let ended = self.faulty.run(&["pool", BANKS, &file, "--provider", PROVIDER])?;
            let told = Told::by(&ended)?;
            self.tally.count("pool", told);
            let found = self.truth()?;
            match told {
                Told::Done => {
                    ensure!(found == whole(number), "delivery {number} was acknowledged: {found}");
                    self.published = number;
                    return Ok(());
                }
                Told::Failed => ensure!(found == whole(number - 1), "delivery {number} failed: {found}"),
                Told::Unknown => {
                    ensure!(found == whole(number) || found == whole(number - 1), "half a delivery: {found}");
                }
            }
        }
        bail!("delivery {number} failed {ATTEMPTS} times")
    }

    /// Pools a file that is uploaded in parts until it is published.
    pub(super) fn pool_large(&mut self, round: u32) -> Result<()> {
        let file = large::write_delivery(self.faulty.folder(), LARGE_ROWS, u64::from(round))?;
        for _ in 0..ATTEMPTS {
            let told = Told::by(&self.faulty.run(&["pool", "test.large", &file, "--provider", PROVIDER])?)?;
            self.tally.count("pool large", told);
            if told == Told::Done {
                let found = self.direct.sql("SELECT count(*), sum(length(noise)) FROM test.large")?;
                let expected = format!("{LARGE_ROWS},{}", LARGE_ROWS * ROW_CHARACTERS);
                ensure!(found == [expected], "a large delivery was acknowledged: {found:?}");
                self.large += 1;
                return Ok(());
            }
        }
        bail!("a large delivery failed {ATTEMPTS} times")
    }

    /// Two processes commit at once.
    pub(super) fn commit(&mut self, round: u32) -> Result<()> {
        let names = ["a", "b"].map(|name| format!("{name}{round}"));
        let spawn = |name: &String| -> Result<Child> {
            let mut command = self.faulty.command(&["user", "add", name])?;
            Ok(command.stdout(std::process::Stdio::piped()).stderr(std::process::Stdio::piped()).spawn()?)
        };
        let children = names.iter().map(spawn).collect::<Result<Vec<_>>>()?;
        for (name, child) in names.into_iter().zip(children) {
            let told = Told::by(&child.wait_with_output()?.into())?;
            self.tally.count("user add", told);
            let listed = self.direct.run(&["user", "list", "--json"])?.success()?;
            let times = listed.matches(&format!("\"{name}\"")).count();
            match told {
                Told::Done => ensure!(times == 1, "{name} was acknowledged and is there {times} times"),
                Told::Failed => ensure!(times == 0, "{name} failed and is there {times} times"),
                Told::Unknown => ensure!(times <= 1, "{name} is there {times} times"),
            }
            if times == 1 {
                self.users.push(name);
            }
        }
        Ok(())
    }

    /// A query of a process of its own.
    fn ask(&mut self) -> Result<()> {
        let ended = self.faulty.run(&["sql", STATE, "--format", "csv"])?;
        let told = Told::by(&ended)?;
        self.tally.count("sql", told);
        let found = ended.stdout.lines().skip(1).collect::<Vec<_>>().join("\n");
        ensure!(told != Told::Done || found == whole(self.published), "a wrong answer: {found}");
        Ok(())
    }

    /// Queries over Flight, each with a text of its own.
    pub(super) async fn fly(&mut self, client: &mut Client) -> Result<()> {
        for number in 0..FLIGHTS {
            self.asked += 1;
            let sql = format!(
                "SELECT {number} + 10 * delivery AS value FROM test.left_bank GROUP BY delivery HAVING count(*) > {}",
                self.asked
            );
            let batches = match query(client, &sql).await {
                Ok(batches) => batches,
                Err(error) => {
                    let status = status(error)?;
                    ensure!(
                        matches!(status.code(), Code::Unavailable | Code::ResourceExhausted),
                        "{:?} under faults: {}",
                        status.code(),
                        status.message()
                    );
                    self.tally.count("flight", Told::Failed);
                    continue;
                }
            };
            self.tally.count("flight", Told::Done);
            let expected = self.published * 10 + number;
            let batch = batches.iter().find(|batch| batch.num_rows() == 1).context("no row")?;
            let value = array_value_to_string(batch.column(0), 0)?;
            ensure!(value == expected.to_string(), "a wrong answer: {value} instead of {expected}");
            self.answered.push(sql);
        }
        Ok(())
    }

    fn roll(&mut self) -> Result<()> {
        let told = Told::by(&self.faulty.run(&["audit", "roll"])?)?;
        self.tally.count("audit roll", told);
        Ok(())
    }

    /// Everything that was acknowledged is there once, and nothing else.
    pub(super) fn settle(&self) -> Result<()> {
        let versions = self.direct.sql(
            "SELECT dataset_name, count(*), count(DISTINCT delivery_id) FROM basin.versions
             WHERE delivery_id IS NOT NULL GROUP BY 1 ORDER BY 1",
        )?;
        let times =
            [("large", self.large), ("left_bank", self.published + 1), ("right_bank", self.published + 1)];
        let expected = times.map(|(name, times)| format!("{name},{times},{times}"));
        ensure!(versions == expected, "publications: {versions:?} instead of {expected:?}");
        let listed = self.direct.run(&["user", "list", "--json"])?.success()?;
        for name in &self.users {
            ensure!(listed.matches(&format!("\"{name}\"")).count() == 1, "user {name} is lost or doubled");
        }
        self.direct.run(&["audit", "roll"])?.success()?;
        let recorded = self.direct.sql("SELECT sql, count(*) FROM basin.queries GROUP BY sql")?;
        for sql in &self.answered {
            let line = format!("{sql},1");
            ensure!(recorded.contains(&line), "not recorded once: {sql}");
        }
        Ok(())
    }
}

const BANKS: &str = "test.left_bank,test.right_bank";

fn wanted() -> Result<u64> {
    match std::env::var("BASIN_S3_REQUESTS") {
        Ok(number) => number.parse().with_context(|| format!("BASIN_S3_REQUESTS={number}")),
        Err(_) => Ok(GATE_REQUESTS),
    }
}

async fn rounds(bed: &mut Bed, serving: &Server) -> Result<u32> {
    let mut client = login(serving.address()).await?;
    let wanted = wanted()?;
    bed.proxy.fail(true);
    let mut round = 0;
    while bed.proxy.requests() < wanted {
        round += 1;
        bed.pool()?;
        bed.ask()?;
        bed.fly(&mut client).await?;
        bed.commit(round)?;
        if round % LARGE_EVERY == 1 {
            bed.pool_large(round)?;
        }
        if round.is_multiple_of(ROLL_EVERY) {
            bed.roll()?;
        }
    }
    bed.proxy.fail(false);
    Ok(round)
}

#[tokio::test(flavor = "multi_thread")]
async fn everything_is_right_or_an_error_while_requests_fail() -> Result<()> {
    let server = S3Server::start()?;
    let mut bed = Bed::new(&server)?;
    let serving = bed.faulty.serve()?;
    let rounds = rounds(&mut bed, &serving).await?;
    ensure!(serving.stop()? == Some(0), "the server did not stop in order");
    bed.settle()?;
    let faults = bed.proxy.faults();
    println!("{} requests in {rounds} rounds, faults {faults:?}", bed.proxy.requests());
    println!("{} in all; {:?}", faults.values().sum::<u64>(), bed.tally.0);
    println!(
        "{} uploads in parts were left: their begin was repeated, or their end not heard",
        server.open_uploads()?
    );
    ensure!(faults.values().sum::<u64>() * 15 > bed.proxy.requests(), "too few faults: {faults:?}");
    ensure!(faults.contains_key(&Fault::ReplyLost) && faults.contains_key(&Fault::Truncated), "{faults:?}");
    for what in ["pool", "pool large", "user add", "sql", "flight"] {
        ensure!(bed.tally.0.get(&(what, Told::Done)).is_some_and(|times| *times > 0), "no {what} succeeded");
    }
    Ok(())
}
