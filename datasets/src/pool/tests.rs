mod distinct;
mod order;
pub(crate) mod world;

use std::collections::BTreeMap;

use basin_catalog::{Catalog, Change, ErrorClass, Store};
use tempfile::TempDir;

use super::*;
use world::{OCCURRENCE, World, manifest, name, plain};

const TWO_DAYS: &str =
    "date,city,confirmed\n2020-01-21,武汉,3\n2020-01-20,武汉,1\n2020-01-20,宜昌,-\n2020-01-21,宜昌,2\n";

#[tokio::test(flavor = "multi_thread")]
async fn a_delivery_is_published_and_again_changes_nothing() {
    for on_disk in [false, true] {
        let world = World::new(&plain(), on_disk).await;
        let report = world.pool("a.csv", TWO_DAYS).await.unwrap();
        assert_eq!(report.outcome, Outcome::Published);
        assert_eq!((report.datasets[0].rows_in, report.datasets[0].rows_accepted), (4, 4));
        assert_eq!(report.datasets[0].slices, 2);
        let files = world.published(None).await;
        assert_eq!(files.len(), 1);
        let stats = &files.values().next().unwrap().stats;
        assert!(stats.contains(r#""numRecords":4"#) && stats.contains(r#""confirmed":1"#), "{stats}");
        let again = world.pool("a.csv", TWO_DAYS).await.unwrap();
        assert_eq!((again.outcome, again.snapshot), (Outcome::Unchanged, report.snapshot));
        assert_eq!(
            world.rows().await,
            ["2020-01-20|宜昌|NULL|1", "2020-01-20|武汉|1|1", "2020-01-21|宜昌|2|1", "2020-01-21|武汉|3|1"]
        );
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_corrected_slice_replaces_only_itself() {
    let world = World::new(&plain(), true).await;
    let first = world.pool("a.csv", TWO_DAYS).await.unwrap();
    let before = world.published(Some(first.snapshot)).await;
    let second = world.pool("b.csv", "date,city,confirmed\n2020-01-21,武汉,30\n").await.unwrap();
    assert_eq!(second.datasets[0].rows_retained, 2);
    assert_eq!(world.rows().await, ["2020-01-20|宜昌|NULL|1", "2020-01-20|武汉|1|1", "2020-01-21|武汉|30|1"]);
    assert_eq!(world.published(Some(first.snapshot)).await, before, "the earlier version is as it was");
    // The first delivery is no longer live as a whole: it is a new delivery when it comes again.
    assert_eq!(world.pool("a.csv", TWO_DAYS).await.unwrap().outcome, Outcome::Published);
    assert_eq!(world.rows().await.len(), 4);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_file_of_other_slices_is_not_rewritten() {
    let world = World::new(&plain(), false).await;
    world.pool("a.csv", TWO_DAYS).await.unwrap();
    let before = world.published(None).await;
    world.pool("b.csv", "date,city,confirmed\n2020-01-22,武汉,4\n").await.unwrap();
    let after = world.published(None).await;
    assert_eq!(after.len(), 2);
    assert!(before.iter().all(|(path, file)| after.get(path) == Some(file)));
}

const CONFLICT: &str =
    "date,city,confirmed\n2020-01-20,武汉,1\n2020-01-20,宜昌,5\n2020-01-20,武汉,2\n2020-01-20,武汉,3\n";

#[tokio::test(flavor = "multi_thread")]
async fn key_conflicts_end_as_the_manifest_says() {
    let key = r#"["date", "city"]"#;
    for (sort, mode, kept) in [
        (r#"["date"]"#, r#""first""#, "1"),
        (r#"["date"]"#, r#""last""#, "3"),
        (r#"["confirmed"]"#, r#""last""#, "3"),
        (r#"["confirmed"]"#, r#""reject""#, "1"),
    ] {
        let world = World::new(&manifest(key, sort, mode, OCCURRENCE), false).await;
        let report = world.pool("a.csv", CONFLICT).await.unwrap();
        assert_eq!((report.datasets[0].rows_accepted, report.datasets[0].rows_rejected), (2, 2));
        assert_eq!(
            world.rows().await,
            ["2020-01-20|宜昌|5|1".to_owned(), format!("2020-01-20|武汉|{kept}|1")]
        );
        let line = if kept == "1" { 2 } else { 5 };
        let rejects = world.rejects().await;
        assert!(
            rejects
                .iter()
                .all(|reject| reject.contains(&format!("|key|NULL|has the same key as a.csv:{line}"))),
            "{rejects:?}"
        );
        assert!(rejects[0].starts_with(if kept == "1" {
            "a.csv|4|2020-01-20,武汉,2|"
        } else {
            "a.csv|2|2020-01-20,武汉,1|"
        }));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn key_conflicts_can_be_numbered_or_refused() {
    let numbered =
        manifest(r#"["date", "city", "occurrence"]"#, r#"["date"]"#, r#"{ number = "occurrence" }"#, "");
    let world = World::new(&numbered, false).await;
    let report = world.pool("a.csv", CONFLICT).await.unwrap();
    assert_eq!(report.datasets[0].numbered_keys, 2);
    assert_eq!(
        world.rows().await,
        ["2020-01-20|宜昌|5|1", "2020-01-20|武汉|1|1", "2020-01-20|武汉|2|2", "2020-01-20|武汉|3|3"]
    );
    let refusing = manifest(r#"["date", "city"]"#, r#"["date"]"#, r#""refuse""#, OCCURRENCE);
    let world = World::new(&refusing, false).await;
    let error = world.pool("a.csv", CONFLICT).await.unwrap_err();
    assert_eq!(error.class(), ErrorClass::InvalidInput);
    assert!(error.to_string().contains("a.csv:4: key: has the same key as a.csv:2"), "{error}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_refused_delivery_leaves_nothing() {
    let world = World::new(&plain(), true).await;
    let base = world.catalog.latest().await.unwrap().id();
    let error = world
        .pool("a.csv", "date,city,confirmed\nx,武汉,1\ny,宜昌,5\n2020-01-20,武汉,2\n")
        .await
        .unwrap_err();
    assert_eq!(error.class(), ErrorClass::InvalidInput);
    let text = error.to_string();
    assert!(text.contains("2 of 3 rows are rejected") && text.contains("a.csv:2"), "{text}");
    assert_eq!(world.catalog.latest().await.unwrap().id(), base);
    let store = world.catalog.store();
    for folder in [store.data_path(&name()), store.rejects_path(&name())] {
        let left = store.objects().list_with_delimiter(Some(&folder)).await.unwrap();
        assert!(left.objects.is_empty() && left.common_prefixes.is_empty(), "{left:?}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn rejected_rows_are_kept_with_their_text() {
    let world = World::new(&plain(), false).await;
    let report =
        world.pool("a.csv", "date,city,confirmed\n2020-01-20,武汉,1\n2020-01-20,宜昌,many\n").await.unwrap();
    assert_eq!((report.datasets[0].rows_accepted, report.datasets[0].rows_rejected), (1, 1));
    let rejects = world.rejects().await;
    assert_eq!(rejects.len(), 1);
    assert!(rejects[0].starts_with("a.csv|3|2020-01-20,宜昌,many|"), "{rejects:?}");
    // A later delivery keeps the history.
    world.pool("b.csv", "date,city,confirmed\n2020-01-20,武汉,1\n2020-01-20,宜昌,few\n").await.unwrap();
    assert_eq!(world.rejects().await.len(), 2);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_dry_run_writes_nothing() {
    let world = World::new(&plain(), false).await;
    let base = world.catalog.latest().await.unwrap().id();
    let request = PoolRequest { dry_run: true, ..world.request(vec![world.file("a.csv", TWO_DAYS)]) };
    let report = pool(&world.catalog, request, &Progress::default()).await.unwrap();
    assert_eq!((report.outcome, report.datasets[0].rows_accepted), (Outcome::DryRun, 4));
    assert_eq!(world.catalog.latest().await.unwrap().id(), base);
    assert!(world.published(None).await.is_empty());
}

#[tokio::test(flavor = "multi_thread")]
async fn concurrent_deliveries_have_a_serial_history() {
    let world = World::new(&plain(), true).await;
    let days: Vec<_> = (1..=6)
        .map(|day| {
            world.file(&format!("{day}.csv"), &format!("date,city,confirmed\n2020-01-0{day},武汉,{day}\n"))
        })
        .collect();
    let pools = days.into_iter().map(|file| {
        let (catalog, request) = (world.catalog.clone(), world.request(vec![file]));
        tokio::spawn(async move { pool(&catalog, request, &Progress::default()).await })
    });
    for pooled in pools.collect::<Vec<_>>() {
        assert_eq!(pooled.await.unwrap().unwrap().outcome, Outcome::Published);
    }
    assert_eq!(world.rows().await.len(), 6);
    let snapshot = world.catalog.latest().await.unwrap();
    let numbers: Vec<u64> =
        snapshot.dataset(&name()).unwrap().versions.iter().map(|version| version.number).collect();
    assert_eq!(numbers, [1, 2, 3, 4, 5, 6]);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_a_crash_left_in_the_log_is_superseded() {
    let world = World::new(&plain(), true).await;
    world.pool("a.csv", TWO_DAYS).await.unwrap();
    let published = world.published(None).await;
    // A commit that was never published: it dropped everything and added a file that is gone.
    let (path, file) = published.iter().next().unwrap();
    let lost = crate::table::TableFile { path: "part-lost.parquet".to_owned(), ..file.clone() };
    let shape = crate::table::TableShape {
        schema: crate::table::stored_schema(definition(&world).await.as_ref()),
        partition: Vec::new(),
    };
    let target = BTreeMap::from([(lost.path.clone(), lost)]);
    world.data().commit(&target, &shape).await.unwrap();
    assert!(world.published(None).await.contains_key(path));
    world.pool("b.csv", "date,city,confirmed\n2020-01-22,武汉,4\n").await.unwrap();
    let after = world.published(None).await;
    assert!(after.contains_key(path) && !after.contains_key("part-lost.parquet"));
    assert_eq!(after.get(path), Some(file), "statistics survive being added again");
    assert_eq!(world.rows().await.len(), 5);
}

async fn definition(world: &World) -> arrow::datatypes::SchemaRef {
    world.catalog.latest().await.unwrap().dataset(&name()).unwrap().definition.arrow_schema()
}

#[tokio::test(flavor = "multi_thread")]
async fn an_added_item_is_null_in_earlier_rows() {
    let world = World::new(&plain(), false).await;
    world.pool("a.csv", TWO_DAYS).await.unwrap();
    let with_note = plain().replace("[pooling]", "[[items]]\nname = \"note\"\ntype = \"text\"\n[pooling]")
        + "note = \"note\"\n";
    world.apply(&with_note).await;
    world.pool("b.csv", "date,city,confirmed,note\n2020-01-21,武汉,30,checked\n").await.unwrap();
    assert_eq!(
        world.rows().await,
        ["2020-01-20|宜昌|NULL|1|NULL", "2020-01-20|武汉|1|1|NULL", "2020-01-21|武汉|30|1|checked"]
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn the_example_pack_pools_whole() {
    let pack = crate::Pack::china_2020().unwrap();
    let folder = TempDir::new().unwrap();
    pack.unpack(folder.path()).unwrap();
    let catalog = Catalog::create(Store::open("memory://").unwrap(), pack.node().clone()).await.unwrap();
    let base = catalog.latest().await.unwrap();
    let organisations = pack.organisations().iter().cloned().map(Change::PutOrganisation);
    let datasets =
        pack.manifests().iter().map(|manifest| Change::ApplyDataset(Box::new(manifest.definition().clone())));
    catalog.commit(&base, "test", organisations.chain(datasets).collect()).await.unwrap();
    for delivery in pack.deliveries().unwrap() {
        let request = PoolRequest {
            datasets: delivery.datasets,
            files: delivery.files.iter().map(|file| folder.path().join(file)).collect(),
            provider: delivery.provider,
            kind: delivery.kind,
            dry_run: false,
            memory_bytes: 256 << 20,
            threads: 2,
            author: "test".to_owned(),
        };
        let report = pool(&catalog, request.clone(), &Progress::default()).await.unwrap();
        assert_eq!(report.outcome, Outcome::Published, "{report}");
        println!(
            "{}",
            report.to_string().lines().filter(|line| !line.contains(".csv: ")).collect::<Vec<_>>().join("\n")
        );
        assert_eq!(pool(&catalog, request, &Progress::default()).await.unwrap().outcome, Outcome::Unchanged);
    }
}
