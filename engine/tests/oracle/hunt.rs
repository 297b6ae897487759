//! Hunt: statements at random, asked in a world and in its twin by the same principal. No sentinel may be in what it gets,
//! and what it gets must be the same in both, byte by byte.

use crate::answers::{Answer, Ending, Needles, Statement, ask};
use crate::choices::{Choices, smallest};
use crate::heard::Heard;
use crate::limits::{KINDS, Kind};
use crate::rows::Side;
use crate::statements::{Tables, statement};
use crate::worlds::{Scenario, World};
use futures::StreamExt;
use std::collections::BTreeMap;
use std::time::Instant;

/// Statements that are asked at once.
const AT_ONCE: usize = 8;
/// Statements between two looks at the log.
const CHUNK: usize = 250;
/// Of so many statements one is asked before by somebody else.
const WARMED: usize = 3;
/// Findings of one principal after which it asks no more.
const ENOUGH: usize = 3;

/// How much is asked.
#[derive(Debug, Clone, Copy)]
struct Size {
    queries: usize,
    principals: usize,
    seed: u64,
}

impl Size {
    fn of_environment() -> Self {
        let number = |name: &str, otherwise: u64| {
            std::env::var(name).map_or(otherwise, |text| {
                text.parse().unwrap_or_else(|_| panic!("{name}: a number, not {text}"))
            })
        };
        Self {
            queries: usize::try_from(number("BASIN_ORACLE_QUERIES", 5_000)).unwrap(),
            principals: usize::try_from(number("BASIN_ORACLE_PRINCIPALS", 20)).unwrap(),
            seed: number("BASIN_ORACLE_SEED", 20_200_123),
        }
    }
}

fn scenario(number: usize) -> Scenario {
    Scenario {
        person: KINDS[number % KINDS.len()],
        visit: KINDS[(number * 5 + 7 + number / KINDS.len()) % KINDS.len()],
        has_agency: number % 11 != 10,
        has_sandbox: number % 4 == 1,
    }
}

/// What was found out.
#[derive(Debug, Default)]
struct Tally {
    endings: BTreeMap<Ending, usize>,
    sentinels: usize,
    differences: usize,
    reports: Vec<String>,
}

impl Tally {
    fn add(&mut self, other: Self) {
        for (ending, count) in other.endings {
            *self.endings.entry(ending).or_default() += count;
        }
        self.sentinels += other.sentinels;
        self.differences += other.differences;
        self.reports.extend(other.reports);
    }

    fn share(&self, ending: Ending) -> f64 {
        let all: usize = self.endings.values().sum();
        self.endings.get(&ending).copied().unwrap_or_default() as f64 / all.max(1) as f64
    }
}

/// What is wrong with two answers to a statement.
#[derive(Debug, Clone, PartialEq)]
enum Finding {
    Sentinel(String),
    Difference,
}

/// A principal in both worlds.
struct Hunter {
    scenario: Scenario,
    tables: Tables,
    world: World,
    twin: World,
    needles: Needles,
}

impl Hunter {
    async fn new(scenario: Scenario) -> Self {
        let (world, twin) = (World::new(scenario, Side::World).await, World::new(scenario, Side::Twin).await);
        let needles = Needles::new(digests(&world).await);
        Self { scenario, tables: Tables::of(scenario), world, twin, needles }
    }

    /// Asks a statement in both worlds. Before, somebody who sees everything asks some of them, so that their results are kept.
    async fn compare(&self, statement: &Statement) -> (Answer, Answer, Option<Finding>) {
        if statement.sql.len().is_multiple_of(WARMED) {
            let (world, twin) = (self.world.clone().unrestricted(), self.twin.clone().unrestricted());
            tokio::join!(ask(&world, statement), ask(&twin, statement));
        }
        let (answer, other) = tokio::join!(ask(&self.world, statement), ask(&self.twin, statement));
        let sentinel = [&answer, &other]
            .into_iter()
            .find_map(|answer| self.needles.find(&statement.sql, &answer.text))
            .map(|needle| Finding::Sentinel(needle.to_owned()));
        let given_up = answer.ending == Ending::GivenUp || other.ending == Ending::GivenUp;
        let differs = !given_up && answer != other && !self.varies(statement, &answer, &other).await;
        (answer, other, sentinel.or(differs.then_some(Finding::Difference)))
    }

    /// Tells whether a world answers now one way and now another, as its twin does: the branches of a UNION take turns.
    async fn varies(&self, statement: &Statement, answer: &Answer, other: &Answer) -> bool {
        let (mut answers, mut others) = (vec![answer.text.clone()], vec![other.text.clone()]);
        let (world, twin) = (self.world.afresh(), self.twin.afresh());
        for _ in 0..12 {
            answers.push(ask(&world, statement).await.text);
            others.push(ask(&twin, statement).await.text);
            if answers.iter().any(|answer| others.contains(answer)) {
                return true;
            }
        }
        false
    }

    /// Asks many; `of` numbers the principal in the seed's sequence.
    async fn hunt(&self, size: Size, of: usize, heard: &Heard) -> Tally {
        let mut tally = Tally::default();
        for first in (0..size.queries).step_by(CHUNK) {
            let chunk = first..(first + CHUNK).min(size.queries);
            let answers: Vec<_> = futures::stream::iter(chunk.clone())
                .map(|number| async move {
                    let mut choices = Choices::seeded(seed_of(size.seed, of, number));
                    let statement = statement(&mut choices, &self.tables);
                    let (answer, _, finding) = self.compare(&statement).await;
                    (answer.ending, finding.map(|finding| (choices.into_made(), finding)))
                })
                .buffered(AT_ONCE)
                .collect()
                .await;
            for (ending, finding) in answers {
                *tally.endings.entry(ending).or_default() += 1;
                let Some((choices, finding)) = finding else { continue };
                match finding {
                    Finding::Sentinel(_) => tally.sentinels += 1,
                    Finding::Difference => tally.differences += 1,
                }
                if tally.reports.len() < ENOUGH {
                    tally.reports.push(self.report(size.seed, of, choices, finding).await);
                }
            }
            let said = heard.take();
            if let Some(needle) = Needles::of_twin().find("", &said) {
                tally.sentinels += 1;
                tally.reports.push(format!(
                    "seed {} principal {of} {:?}: the log of statements {chunk:?} has {needle}: {}",
                    size.seed,
                    self.scenario,
                    around(&said, needle)
                ));
            }
            if tally.reports.len() >= ENOUGH {
                break;
            }
        }
        tally
    }

    /// Tells of a finding with the smallest statement that still shows it.
    async fn report(&self, seed: u64, of: usize, choices: Vec<u32>, finding: Finding) -> String {
        let kind = std::mem::discriminant(&finding);
        let fails = async |choices: Vec<u32>| {
            let statement = statement(&mut Choices::replaying(choices), &self.tables);
            self.compare(&statement).await.2.is_some_and(|found| std::mem::discriminant(&found) == kind)
        };
        let choices = smallest(choices, fails).await;
        let statement = statement(&mut Choices::replaying(choices), &self.tables);
        let (answer, other, finding) = self.compare(&statement).await;
        format!(
            "seed {seed} principal {of} {:?}: {finding:?}\n  {} {:?}\n--- world\n{}\n--- twin\n{}",
            self.scenario, statement.sql, statement.parameters, answer.text, other.text
        )
    }
}

fn around(text: &str, needle: &str) -> String {
    let lower = text.to_lowercase();
    let line = lower.lines().find(|line| line.contains(needle)).unwrap_or_default();
    line.chars().take(400).collect()
}

fn seed_of(seed: u64, of: usize, number: usize) -> u64 {
    seed.wrapping_mul(0x2545_F491_4F6C_DD1D) ^ ((of as u64) << 40) ^ number as u64
}

/// Hashes of sentinels, as SQL's functions give them.
async fn digests(world: &World) -> Vec<String> {
    let texts: Vec<String> = [Side::World, Side::Twin]
        .into_iter()
        .flat_map(|side| (0..40).chain(100..140).chain(500..560).map(move |number| side.text(number)))
        .map(|text| format!("('{text}')"))
        .collect();
    let sql = format!("SELECT md5(v), encode(sha256(v), 'hex') FROM (VALUES {}) AS t(v)", texts.join(", "));
    let answer = ask(world, &Statement { sql, parameters: vec![] }).await;
    assert_eq!(answer.ending, Ending::Succeeded, "{}", answer.text);
    let words = answer.text.split('|').map(str::trim).map(ToOwned::to_owned);
    words.filter(|word| word.len() >= 32 && word.chars().all(|letter| letter.is_ascii_hexdigit())).collect()
}

/// The principals of a run, some at a time.
async fn all(size: Size, heard: &Heard) -> Tally {
    let mut tally = Tally::default();
    for number in 0..size.principals {
        let hunter = Hunter::new(scenario(number)).await;
        tally.add(hunter.hunt(size, number, heard).await);
    }
    tally
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn no_statement_shows_what_is_hidden() {
    let heard = Heard::default();
    tracing::subscriber::set_global_default(heard.clone()).unwrap();
    let (size, start) = (Size::of_environment(), Instant::now());
    let tally = all(size, &heard).await;
    println!(
        "{size:?}: {:?}, {} sentinels, {} differences, {:.0} s",
        tally.endings,
        tally.sentinels,
        tally.differences,
        start.elapsed().as_secs_f64()
    );
    assert!(tally.reports.is_empty(), "{} findings:\n{}", tally.reports.len(), tally.reports.join("\n\n"));
    assert!(tally.share(Ending::Succeeded) > 0.4, "too few statements are answered: {:?}", tally.endings);
    for ending in [Ending::Failed, Ending::Refused] {
        assert!(tally.share(ending) > 0.005, "too few are {ending:?}: {:?}", tally.endings);
    }
    assert!(tally.share(Ending::Invalid) < 0.3, "too many are wrong: {:?}", tally.endings);
    assert!(tally.share(Ending::GivenUp) < 0.01, "too many are given up: {:?}", tally.endings);
}

/// The hunt itself is tested: somebody who sees everything finds sentinels and differences at once.
#[tokio::test(flavor = "multi_thread")]
async fn the_hunt_finds_what_is_not_hidden() {
    let size = Size { queries: 150, principals: 1, seed: 7 };
    for person in [Kind::Region, Kind::Null, Kind::Cells, Kind::Closed] {
        let scenario = Scenario { person, visit: person, has_agency: true, has_sandbox: false };
        let mut hunter = Hunter::new(scenario).await;
        hunter.world = hunter.world.unrestricted();
        hunter.twin = hunter.twin.unrestricted();
        let (mut sentinels, mut differences) = (0, 0);
        for number in 0..size.queries {
            let statement = statement(&mut Choices::seeded(seed_of(size.seed, 0, number)), &hunter.tables);
            let (answer, other, finding) = hunter.compare(&statement).await;
            sentinels += usize::from(matches!(finding, Some(Finding::Sentinel(_))));
            differences += usize::from(answer != other);
        }
        assert!(
            sentinels > 3 && differences > 3,
            "{person:?}: {sentinels} sentinels, {differences} differences"
        );
    }
}

/// Sentinels are known in whatever they are turned into.
#[tokio::test(flavor = "multi_thread")]
async fn a_sentinel_is_known_in_any_form() {
    let scenario =
        Scenario { person: Kind::Closed, visit: Kind::Closed, has_agency: true, has_sandbox: false };
    let hunter = Hunter::new(scenario).await;
    let world = hunter.world.unrestricted();
    for expression in [
        "name",
        "upper(name)",
        "lower(id)",
        "reverse(name)",
        "concat('x', name)",
        "encode(name, 'hex')",
        "encode(name, 'base64')",
        "encode('a' || name, 'base64')",
        "encode('ab' || name, 'base64')",
        "md5(name)",
        "encode(sha256(name), 'hex')",
        "income",
        "rate",
        "income / 1",
        "CAST(income AS DECIMAL(30, 4)) / 1000",
        "day",
        "CAST(day AS VARCHAR)",
        "[name]",
        "struct(income)",
        "arrow_cast(name, 'Binary')",
        "left(name, 9)",
    ] {
        let sql = format!("SELECT {expression} FROM health.person LIMIT 1");
        let answer = ask(&world, &Statement { sql: sql.clone(), parameters: vec![] }).await;
        assert_eq!(answer.ending, Ending::Succeeded, "{sql}: {}", answer.text);
        assert!(hunter.needles.find(&sql, &answer.text).is_some(), "{sql}: {}", answer.text);
    }
}

/// The order of visible rows is not that of the files' sizes, which hidden rows have a part in.
#[tokio::test(flavor = "multi_thread")]
async fn the_order_of_rows_tells_nothing_of_hidden_ones() {
    let scenario =
        Scenario { person: Kind::Region, visit: Kind::Whole, has_agency: true, has_sandbox: false };
    let hunter = Hunter::new(scenario).await;
    for sql in ["SELECT id FROM health.person", "SELECT id FROM health.person LIMIT 3"] {
        let statement = Statement { sql: sql.to_owned(), parameters: vec![] };
        let (answer, other, finding) = hunter.compare(&statement).await;
        assert_eq!((answer, finding), (other, None));
    }
}
