//! Optimising keeps every row, what is known of deliveries, and whatever readers of earlier versions have.

use std::collections::BTreeSet;
use std::fmt::Write as _;

use basin_catalog::ErrorClass;

use super::*;
use crate::pool;
use crate::pool::tests::world::{OCCURRENCE, World, manifest, name, plain, text_rows};
use crate::report::{Compaction, PoolReport};
use crate::table::file_order;

fn day(day: u32, cities: u32) -> String {
    let mut text = "date,city,confirmed\n".to_owned();
    for city in 0..cities {
        let _ = writeln!(text, "2020-01-{day:02},city {},{}", (city * 7) % cities, day + city);
    }
    text
}

async fn pool_days(world: &World, days: impl IntoIterator<Item = u32>) -> Vec<PoolReport> {
    let mut reports = Vec::new();
    for number in days {
        reports.push(world.pool(&format!("{number}.csv"), &day(number, 20)).await.unwrap());
    }
    reports
}

fn request(dry_run: bool) -> OptimizeRequest {
    OptimizeRequest {
        dataset: name(),
        dry_run,
        memory_bytes: 64 << 20,
        threads: 2,
        author: "test".to_owned(),
    }
}

async fn run(world: &World) -> OptimizeReport {
    optimize(&world.catalog, &request(false), &Progress::default()).await.unwrap()
}

async fn orders_of(world: &World) -> BTreeSet<Vec<String>> {
    let store = world.catalog.store();
    let mut orders = BTreeSet::new();
    for file in world.published(None).await.values() {
        orders.insert(file_order(&store.objects(), &store.data_path(&name()), file).await.unwrap());
    }
    orders
}

/// The rows of each file as they stand in it.
async fn files_as_text(world: &World) -> Vec<Vec<String>> {
    let folder = world.catalog.store().data_path(&name());
    let mut files = Vec::new();
    for file in world.published(None).await.values() {
        files.push(text_rows(&world.read(&format!("{folder}/{}", file.path)).await));
    }
    files
}

#[tokio::test(flavor = "multi_thread")]
async fn small_files_become_one_and_slices_stay_known() {
    for on_disk in [false, true] {
        let world = World::new(&plain(), on_disk).await;
        let pooled = pool_days(&world, 1..=5).await;
        let (rows, files) = (world.rows().await, world.published(None).await);
        let dry = optimize(&world.catalog, &request(true), &Progress::default()).await.unwrap();
        assert_eq!((dry.outcome, dry.partitions[0].files, dry.files_after), (Outcome::DryRun, 5, None));
        assert_eq!(world.published(None).await, files, "a dry run changes nothing");

        let report = run(&world).await;
        assert_eq!(
            (report.outcome, report.version, report.files_before, report.files_after),
            (Outcome::Published, Some(6), 5, Some(1))
        );
        assert_eq!(world.rows().await, rows);
        assert_eq!(world.published(Some(pooled[4].snapshot)).await, files, "the version before is as it was");
        assert_eq!(run(&world).await.outcome, Outcome::Unchanged);

        // The same delivery is still live, and a corrected slice replaces its own rows only.
        assert_eq!(pool_days(&world, [3]).await[0].outcome, Outcome::Unchanged);
        let corrected = world.pool("c.csv", "date,city,confirmed\n2020-01-03,武汉,9\n").await.unwrap();
        assert_eq!(corrected.datasets[0].rows_retained, 80);
        let mut expected: Vec<_> =
            rows.iter().filter(|row| !row.starts_with("2020-01-03")).cloned().collect();
        expected.push("2020-01-03|武汉|9|1".to_owned());
        expected.sort();
        assert_eq!(world.rows().await, expected);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn another_sort_is_taken_over_and_never_claimed_before() {
    let world = World::new(&plain(), false).await;
    let both = day(1, 30) + day(2, 30).split_once('\n').unwrap().1;
    world.pool("a.csv", &both).await.unwrap();
    world.apply(&manifest(r#"["date", "city"]"#, r#"["city"]"#, r#""reject""#, OCCURRENCE)).await;
    // The rewritten rest of the first file is in the order that it had, and says so.
    world.pool("b.csv", &day(2, 10)).await.unwrap();
    let (by_date, by_city) = (["date".to_owned(), "city".to_owned()], ["city".to_owned(), "date".to_owned()]);
    assert_eq!(orders_of(&world).await, BTreeSet::from([by_date.to_vec(), by_city.to_vec()]));

    let rows = world.rows().await;
    let report = run(&world).await;
    assert_eq!((report.outcome, report.files_after), (Outcome::Published, Some(1)));
    assert_eq!(orders_of(&world).await, BTreeSet::from([by_city.to_vec()]));
    assert_eq!(world.rows().await, rows);
    let in_file = files_as_text(&world).await.remove(0);
    let cities: Vec<_> = in_file.iter().map(|row| row.split('|').nth(1).unwrap()).collect();
    assert!(cities.is_sorted(), "{cities:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn partitions_are_kept_apart() {
    let partitioned = plain().replace("slice = [\"date\"]", "slice = [\"date\"]\npartition = [\"city\"]");
    let world = World::new(&partitioned, true).await;
    for number in 1..=3 {
        let text = format!(
            "date,city,confirmed\n2020-01-0{number},武汉,1\n2020-01-0{number},宜昌,2\n2020-01-0{number},,3\n"
        );
        world.pool("a.csv", &text).await.unwrap();
    }
    let rows = world.rows().await;
    let report = run(&world).await;
    assert_eq!((report.files_before, report.files_after, report.partitions.len()), (9, Some(3), 3));
    assert_eq!(world.rows().await, rows);
    let partitions: BTreeSet<_> =
        world.published(None).await.into_values().map(|file| file.partition["city"].clone()).collect();
    assert_eq!(partitions, BTreeSet::from([None, Some("宜昌".to_owned()), Some("武汉".to_owned())]));
}

#[tokio::test(flavor = "multi_thread")]
async fn pooling_merges_what_gathers_unless_told_not_to() {
    for (limit, merged) in [("3", true), ("0", false)] {
        let setting = format!("slice = [\"date\"]\ncompact_above_files = {limit}");
        let world = World::new(&plain().replace("slice = [\"date\"]", &setting), false).await;
        let reports = pool_days(&world, 1..=4).await;
        assert!(reports.iter().take(3).all(|report| report.datasets[0].compaction.is_none()));
        let last = &reports[3].datasets[0];
        let expected = Compaction::Done { version: Some(5), files_before: 4, files_after: 1 };
        assert_eq!(last.compaction, merged.then_some(expected));
        assert_eq!(last.version, Some(4), "the delivery has a version of its own");
        assert_eq!(last.to_string().contains("4 files merged into 1 as version 5"), merged, "{last}");
        assert_eq!(world.published(None).await.len(), if merged { 1 } else { 4 });
        assert_eq!(world.rows().await.len(), 80);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn deliveries_go_first() {
    let world = World::new(&plain(), true).await;
    pool_days(&world, 1..=4).await;
    let snapshot = world.catalog.latest().await.unwrap();
    let state = snapshot.dataset(&name()).unwrap();
    let layout = DataLayout::of(&state.definition).unwrap();
    let spec = FileSpec::of_dataset(&world.catalog, &state.definition, layout.clone());
    let group = choose(state, &spec, Wanted::All).await.unwrap().remove(0);
    let halves: Vec<Group> =
        group.files.chunks(2).map(|files| Group { files: files.to_vec(), ..group.clone() }).collect();
    let merged = merge_all(&halves, &spec, &layout, &request(false), &Progress::default()).await.unwrap();
    // A file of the second half is replaced before the merge is published.
    let replaced = world.published(None).await;
    let replaced = halves[1].files.iter().find(|file| replaced.contains_key(&file.path)).unwrap();
    let day_of = replaced.stats.split("2020-01-0").nth(1).unwrap().chars().next().unwrap();
    world.pool("x.csv", &format!("date,city,confirmed\n2020-01-0{day_of},武汉,1\n")).await.unwrap();
    let rows = world.rows().await;
    let mine = (&name(), "test");
    let done = publish::publish(&world.catalog, mine, &spec, merged.clone()).await.unwrap();
    assert_eq!((done.merged.len(), done.version.number), (1, 6));
    assert_eq!(world.rows().await, rows);
    let again = publish::publish(&world.catalog, mine, &spec, merged).await.unwrap_err();
    assert_eq!(again.class(), ErrorClass::Conflict);
    assert!(!may_be_published(&again));
}

#[tokio::test(flavor = "multi_thread")]
async fn beside_concurrent_deliveries_no_row_is_lost() {
    let world = World::new(&plain(), true).await;
    pool_days(&world, 1..=3).await;
    let deliveries = async {
        for number in 4..=9 {
            let request = world.request(vec![world.file(&format!("{number}.csv"), &day(number, 20))]);
            pool(&world.catalog, request, &Progress::default()).await.unwrap();
        }
    };
    let optimising = async {
        for _ in 0..4 {
            match optimize(&world.catalog, &request(false), &Progress::default()).await {
                Ok(_) => {}
                Err(error) => assert_eq!(error.class(), ErrorClass::Conflict, "{error}"),
            }
        }
    };
    futures::join!(deliveries, optimising);
    assert_eq!(world.rows().await.len(), 9 * 20);
    assert_eq!(world.rows().await.into_iter().collect::<BTreeSet<_>>().len(), 9 * 20);
}

#[tokio::test(flavor = "multi_thread")]
async fn more_than_the_memory_is_sorted_on_disk() {
    let world = World::new(&plain(), true).await;
    for number in 1..=2 {
        let files = vec![world.file("a.csv", &day(number, 300_000))];
        let request = crate::PoolRequest { memory_bytes: 32 << 20, ..world.request(files) };
        pool(&world.catalog, request, &Progress::default()).await.unwrap();
    }
    world.apply(&manifest(r#"["date", "city"]"#, r#"["confirmed"]"#, r#""reject""#, OCCURRENCE)).await;
    let request = OptimizeRequest { memory_bytes: 32 << 20, ..request(false) };
    let report = optimize(&world.catalog, &request, &Progress::default()).await.unwrap();
    assert_eq!((report.files_after, report.partitions[0].rows), (Some(1), 600_000));
    let values: Vec<u32> = files_as_text(&world).await[0]
        .iter()
        .map(|row| row.split('|').nth(2).unwrap().parse().unwrap())
        .collect();
    assert!(values.is_sorted());
}
