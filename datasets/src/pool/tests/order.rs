//! The order that a file claims is the one that its rows have: wrong claims would give wrong answers.

use std::collections::BTreeSet;

use object_store::ObjectStoreExt;
use parquet::file::reader::{FileReader, SerializedFileReader};

use super::TWO_DAYS;
use super::world::{OCCURRENCE, World, manifest, name, plain};

/// The first column that each file of the newest version says to be sorted by.
async fn claims(world: &World) -> BTreeSet<String> {
    let store = world.catalog.store();
    let mut claims = BTreeSet::new();
    for file in world.published(None).await.keys() {
        let path = object_store::path::Path::parse(format!("{}/{file}", store.data_path(&name()))).unwrap();
        let bytes = store.objects().get(&path).await.unwrap().bytes().await.unwrap();
        let reader = SerializedFileReader::new(bytes).unwrap();
        let group = reader.metadata().row_group(0);
        let sorted = group.sorting_columns().unwrap()[0].column_idx as usize;
        claims.insert(group.column(sorted).column_path().string());
    }
    claims
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_rewritten_keeps_the_order_that_it_has() {
    let world = World::new(&plain(), false).await;
    world.pool("a.csv", TWO_DAYS).await.unwrap();
    assert_eq!(claims(&world).await, BTreeSet::from(["date".to_owned()]));
    world.apply(&manifest(r#"["date", "city"]"#, r#"["city"]"#, r#""reject""#, OCCURRENCE)).await;
    // One of the first file's two days is replaced; the rest of it is rewritten as it is.
    world.pool("b.csv", "date,city,confirmed\n2020-01-21,武汉,4\n").await.unwrap();
    assert_eq!(claims(&world).await, BTreeSet::from(["city".to_owned(), "date".to_owned()]));
}
