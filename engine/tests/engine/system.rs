//! System tables and metadata.

use crate::support::World;
use basin_catalog::AsOf;
use basin_engine::TableKind;

#[tokio::test(flavor = "multi_thread")]
async fn system_tables_tell_the_catalog() {
    let world = World::new().await;
    for (sql, rows) in [
        (
            "SELECT dataset_name, title, version, rows, share_type, licence, provider_name FROM basin.datasets",
            "city|health.city|1|3|unconditional|MIT|an agency",
        ),
        (
            "SELECT item_name, type, nullable, position FROM basin.items WHERE dataset_name = 'city' ORDER BY position LIMIT 2",
            "city|text|false|1\nday|date|false|2",
        ),
        ("SELECT schema_name, version, rows FROM basin.versions", "health|1|3"),
        ("SELECT count(*) FROM basin.deliveries", "0"),
        ("SELECT count(*) FROM basin.rejects", "0"),
        ("SELECT count(*) FROM basin.rejects WHERE dataset_name = 'city' AND reason LIKE '%x%'", "0"),
        (
            "SELECT d.dataset_name, i.item_name FROM basin.datasets d JOIN basin.items i USING (dataset_name) ORDER BY i.position LIMIT 1",
            "city|city",
        ),
    ] {
        assert_eq!(world.ask(sql).await.unwrap(), rows, "{sql}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn information_schema_shows_datasets_and_system_tables() {
    let world = World::new().await;
    let sql = "SELECT table_name FROM information_schema.tables WHERE table_schema = 'basin' ORDER BY 1";
    assert_eq!(
        world.ask(sql).await.unwrap(),
        "caches\ndatasets\ndeliveries\ndemands\nitems\nqueries\nrejects\nrunning\nversions"
    );
    let sql = "SELECT column_name, data_type, is_nullable FROM information_schema.columns WHERE table_name = 'city' ORDER BY ordinal_position LIMIT 2";
    assert_eq!(world.ask(sql).await.unwrap(), "city|Utf8|NO\nday|Date32|NO");
    let sql = "SELECT count(*) > 100 FROM information_schema.routines";
    assert_eq!(world.ask(sql).await.unwrap(), "true");
}

#[tokio::test(flavor = "multi_thread")]
async fn metadata_lists_schemas_tables_and_columns() {
    let world = World::new().await;
    let ann = world.request("").principal;
    let visible = world.engine.visible(&ann, &AsOf::Latest).await.unwrap();
    assert_eq!(visible.schemas(), ["basin", "health", "information_schema"]);
    let city = visible.tables().iter().find(|table| table.name == "city").unwrap();
    assert_eq!((city.kind, city.kind.as_str()), (TableKind::Table, "TABLE"));
    assert_eq!(city.schema.fields().len(), 4);
    let system = visible.tables().iter().find(|table| table.name == "datasets").unwrap();
    assert_eq!(system.kind.as_str(), "SYSTEM TABLE");
    assert!(!visible.tables().iter().any(|table| table.name == "df_settings"));
}
