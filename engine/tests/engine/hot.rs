//! Hot columns: a column that was read once is not read again, and what memory gives is what the files hold.

use crate::support::World;
use basin_engine::EngineConfig;

const ROWS: i64 = 30_000;
const CITIES: [&str; 4] = ["武汉", "Wuhan", "a city with a name that is longer than a view holds", "北京"];

/// Three files, each with several blocks of rows, sorted by day, with NULLs.
async fn world(hot_bytes: usize) -> World {
    // Kept results would answer what memory is to answer.
    let config =
        EngineConfig { target_partitions: 2, hot_bytes, result_cache_bytes: 0, ..EngineConfig::default() };
    let world = World::with(config).await;
    let rows = |from: i64| {
        let row = move |n: i64| {
            let number = (n % 7 != 0).then_some((n * 7919 + from) % 10_007);
            (CITIES[(n % 4) as usize], 18_000 + (n / 100) as i32, number)
        };
        (0..ROWS).map(row).collect::<Vec<_>>()
    };
    let files = [(Some("Hubei"), rows(0)), (Some("Hunan"), rows(1)), (None, rows(2))];
    world.publish("health.city", 2, &files).await;
    world
}

const QUESTIONS: [&str; 16] = [
    "SELECT count(*), sum(confirmed), min(city), max(day) FROM health.city",
    "SELECT city, count(*), count(confirmed), sum(confirmed) FROM health.city GROUP BY city ORDER BY city",
    "SELECT province, city, max(confirmed) FROM health.city GROUP BY province, city ORDER BY 1, 2",
    "SELECT day, city, confirmed FROM health.city WHERE confirmed = 5000 ORDER BY day, city, province",
    "SELECT count(*) FROM health.city WHERE day BETWEEN DATE '2019-05-01' AND DATE '2019-05-03'",
    "SELECT count(*), sum(confirmed) FROM health.city WHERE day = DATE '2019-06-11' AND city LIKE 'W%'",
    "SELECT confirmed, city, day, province FROM health.city ORDER BY confirmed DESC NULLS LAST, day, city, province LIMIT 7",
    "SELECT day, confirmed, city, province FROM health.city ORDER BY day DESC, confirmed DESC, city, province LIMIT 5",
    "SELECT day, confirmed, city, province FROM health.city ORDER BY day, confirmed, city, province LIMIT 5",
    "SELECT upper(city) AS city, confirmed + 1 AS more FROM health.city WHERE confirmed < 3 ORDER BY 1, 2",
    "SELECT a.city, count(*), sum(a.confirmed) FROM health.city a JOIN health.city b ON a.confirmed = b.confirmed \
     WHERE b.day = DATE '2019-05-02' AND b.province = 'Hubei' GROUP BY a.city ORDER BY 1",
    "SELECT count(*) FROM health.city a WHERE confirmed IN (SELECT confirmed FROM health.city WHERE day < DATE '2019-04-20')",
    "SELECT count(*) FROM health.city a LEFT JOIN health.city b ON a.confirmed = b.confirmed AND b.day < DATE '2019-04-16'",
    "SELECT province, count(*) FROM health.city WHERE province IS NULL OR province = 'Hunan' GROUP BY 1 ORDER BY 1",
    "SELECT count(*) FROM health.city WHERE province = 'Nowhere'",
    "SELECT count(*) FROM (SELECT city FROM health.city LIMIT 12345)",
];

#[tokio::test(flavor = "multi_thread")]
async fn memory_gives_what_the_files_hold() {
    let (hot, cold) = (world(64 << 20).await, world(0).await);
    for question in QUESTIONS {
        let expected = cold.ask(question).await.unwrap();
        for time in ["first", "second", "third"] {
            assert_eq!(hot.ask(question).await.unwrap(), expected, "{time} time: {question}");
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn so_little_memory_that_nothing_stays_changes_no_answer() {
    let (hot, cold) = (world(1 << 20).await, world(0).await);
    for question in QUESTIONS {
        let expected = cold.ask(question).await.unwrap();
        for _ in 0..2 {
            assert_eq!(hot.ask(question).await.unwrap(), expected, "{question}");
        }
    }
}

/// Overwrites the data of all files of the newest version with zeros; their footers are in memory by then.
fn damage(world: &World) {
    for file in std::fs::read_dir(world.folder.path().join("data/health/city")).unwrap() {
        let path = file.unwrap().path();
        if path.extension().is_some_and(|extension| extension == "parquet") {
            let bytes = std::fs::metadata(&path).unwrap().len();
            std::fs::write(&path, vec![0; usize::try_from(bytes).unwrap()]).unwrap();
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_hot_is_not_read_again() {
    let warm = "SELECT sum(confirmed), min(city) FROM health.city";
    let colder = "SELECT min(confirmed + 0), max(city || 'x') FROM health.city WHERE length(city) > 0";
    let (hot, cold) = (world(64 << 20).await, world(0).await);
    let expected = cold.ask(colder).await.unwrap();
    for world in [&hot, &cold] {
        world.ask(warm).await.unwrap();
        damage(world);
    }
    assert_eq!(hot.ask(colder).await.unwrap(), expected);
    assert!(cold.ask(colder).await.is_err(), "damaged files were read");
    assert!(hot.ask("SELECT count(DISTINCT day) FROM health.city").await.is_err(), "a column nobody read");
}

#[tokio::test(flavor = "multi_thread")]
async fn parts_that_are_asked_for_again_and_again_become_hot() {
    let question = "SELECT sum(confirmed) FROM health.city WHERE day = DATE '2019-05-02' AND confirmed > 0";
    let hot = world(64 << 20).await;
    let expected = hot.ask(question).await.unwrap();
    for _ in 0..5 {
        assert_eq!(hot.ask(question).await.unwrap(), expected);
    }
    damage(&hot);
    assert_eq!(hot.ask(question).await.unwrap(), expected);
}
