//! Reading datasets: values, partitions, missing values, pruning, earlier snapshots.

use crate::support::World;
use basin_catalog::AsOf;
use basin_engine::QueryRequest;
use datafusion::arrow::datatypes::DataType;

#[tokio::test(flavor = "multi_thread")]
async fn selects_rows_with_partition_columns_and_nulls() {
    let world = World::new().await;
    let rows = world.ask("SELECT * FROM health.city ORDER BY day, city").await.unwrap();
    assert_eq!(rows, "武汉|2020-01-11|41|Hubei\nWuhan|2020-01-12|45|Hubei\n北京|2020-01-12||");
    let unknown = world.ask("SELECT city FROM health.city WHERE province IS NULL").await.unwrap();
    assert_eq!(unknown, "北京");
}

#[tokio::test(flavor = "multi_thread")]
async fn aggregates_from_statistics_are_right() {
    let world = World::new().await;
    let sql = "SELECT count(*), count(confirmed), sum(confirmed), min(day), max(city), count(province) FROM health.city";
    assert_eq!(world.ask(sql).await.unwrap(), "3|2|86|2020-01-11|武汉|2");
    let sql = "SELECT count(*) FROM health.city WHERE day = DATE '2020-01-11' AND confirmed > 40";
    assert_eq!(world.ask(sql).await.unwrap(), "1");
    assert_eq!(
        world.ask("SELECT count(*) FROM basin.health.city WHERE province = 'Hubei'").await.unwrap(),
        "2"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn text_leaves_as_utf8_under_a_unicode_name() {
    let world = World::new().await;
    let stream = world
        .stream(world.request(r#"SELECT city AS "城市", upper(city) AS u, 'x' AS k FROM health.city"#))
        .await
        .unwrap();
    let schema = stream.schema();
    assert_eq!(schema.field(0).name(), "城市");
    for field in schema.fields() {
        assert_eq!(field.data_type(), &DataType::Utf8);
    }
    let planned = world.engine.plan(world.request("SELECT city, 1 AS one FROM health.city")).await.unwrap();
    assert_eq!(planned.provenance().len(), 1);
    assert_eq!(planned.provenance()[0].version, Some(1));
    let (before, stream) =
        (planned.schema(), planned.authorize().await.unwrap().admit().await.unwrap().execute().unwrap());
    assert_eq!(before, stream.schema());
}

#[tokio::test(flavor = "multi_thread")]
async fn reads_an_earlier_snapshot() {
    let world = World::new().await;
    let before = world.catalog.latest().await.unwrap();
    world.publish("health.city", 2, &[(Some("Hubei"), vec![("武汉", 18_274, Some(62))])]).await;
    let sql = "SELECT count(*), max(confirmed) FROM health.city";
    assert_eq!(world.ask(sql).await.unwrap(), "4|62");
    let earlier = QueryRequest { as_of: AsOf::Snapshot(before.id()), ..world.request(sql) };
    assert_eq!(crate::support::lines(&world.run(earlier).await.unwrap()), "3|45");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_missing_data_file_is_an_error_not_fewer_rows() {
    let world = World::new().await;
    let file = world.folder.path().join("data/health/city/part-0-0.parquet");
    std::fs::remove_file(file).unwrap();
    let error = world.ask("SELECT sum(confirmed) FROM health.city").await.unwrap_err();
    assert_eq!(error.class(), basin_catalog::ErrorClass::Internal);
    assert!(!error.to_string().contains("parquet"), "{error}");
}

#[tokio::test(flavor = "multi_thread")]
async fn errors_tell_the_place() {
    let world = World::new().await;
    for (sql, place) in [
        ("SELECT *\nFROM health.city WHER x", "line 2, column"),
        ("SELECT nothing FROM health.city", "line 1, column 8"),
        ("SELECT 'open", "line 1, column 8"),
        ("SELECT abs(city, 1) FROM health.city", ""),
    ] {
        let error = world.ask(sql).await.unwrap_err();
        assert_eq!(error.class(), basin_catalog::ErrorClass::InvalidInput, "{sql}: {error}");
        assert!(error.to_string().contains(place), "{sql}: {error}");
    }
    let error = world.ask("SELECT CAST(city AS BIGINT) FROM health.city").await.unwrap_err();
    assert_eq!(error.class(), basin_catalog::ErrorClass::InvalidInput, "{error}");
    let error = world.ask("SELECT confirmed / 0 FROM health.city").await.unwrap_err();
    assert_eq!(error.class(), basin_catalog::ErrorClass::InvalidInput, "{error}");
}

#[tokio::test(flavor = "multi_thread")]
async fn explains_without_files_or_statistics() {
    let world = World::new().await;
    let plan = world.ask("EXPLAIN SELECT city FROM health.city WHERE confirmed > 1").await.unwrap();
    assert!(plan.contains("health.city"), "{plan}");
    for leak in ["parquet", "basin://", "file_groups", "statistics", "part-0"] {
        assert!(!plan.contains(leak), "{plan}");
    }
}
