use arrow::array::{Array, AsArray};
use arrow::datatypes::Schema;
use arrow_flight::IpcMessage;
use arrow_flight::sql::{
    CommandGetCrossReference, CommandGetDbSchemas, CommandGetPrimaryKeys, CommandGetTables,
    CommandGetXdbcTypeInfo, SqlInfo,
};

use super::*;

fn texts(batches: &[RecordBatch], column: usize) -> Vec<String> {
    batches
        .iter()
        .flat_map(|batch| {
            let values = batch.column(column).as_string::<i32>();
            values.iter().map(|value| value.unwrap_or("NULL").to_owned()).collect::<Vec<_>>()
        })
        .collect()
}

fn all_tables() -> CommandGetTables {
    CommandGetTables {
        catalog: None,
        db_schema_filter_pattern: None,
        table_name_filter_pattern: None,
        table_types: vec![],
        include_schema: false,
    }
}

async fn tables(client: &mut Client, command: CommandGetTables) -> Vec<String> {
    let info = client.get_tables(command).await.unwrap();
    let batches = fetch(client, info).await;
    let (schemas, names) = (texts(&batches, 1), texts(&batches, 2));
    schemas.into_iter().zip(names).map(|(schema, name)| format!("{schema}.{name}")).collect()
}

#[tokio::test]
async fn catalogs_schemas_and_types_are_listed() {
    let served = Served::start().await;
    let mut client = served.ana().await;
    let info = client.get_catalogs().await.unwrap();
    assert_eq!(texts(&fetch(&mut client, info).await, 0), ["basin"]);
    let info = client.get_table_types().await.unwrap();
    assert_eq!(texts(&fetch(&mut client, info).await, 0), ["SYSTEM TABLE", "TABLE", "VIEW"]);
    for (pattern, expected) in [
        (None, vec!["basin", "information_schema"]),
        (Some("bas%"), vec!["basin"]),
        (Some("information\\_schema"), vec!["information_schema"]),
        (Some(""), vec![]),
    ] {
        let command =
            CommandGetDbSchemas { catalog: None, db_schema_filter_pattern: pattern.map(str::to_owned) };
        let info = client.get_db_schemas(command).await.unwrap();
        assert_eq!(texts(&fetch(&mut client, info).await, 1), expected, "{pattern:?}");
    }
}

#[tokio::test]
async fn tables_are_filtered_as_the_specification_says() {
    let served = Served::start().await;
    let mut client = served.ana().await;
    let all = tables(&mut client, all_tables()).await;
    assert!(all.contains(&"basin.datasets".to_owned()));
    let with = |change: &dyn Fn(&mut CommandGetTables)| {
        let mut command = all_tables();
        change(&mut command);
        command
    };
    let set = |text: &str| Some(text.to_owned());
    let one = vec!["basin.datasets".to_owned()];
    for (command, expected) in [
        (with(&|c| c.catalog = set("basin")), all.clone()),
        (with(&|c| c.catalog = set("")), vec![]),
        (with(&|c| c.db_schema_filter_pattern = set("")), vec![]),
        (with(&|c| c.table_name_filter_pattern = set("data_ets")), one.clone()),
        (with(&|c| c.table_name_filter_pattern = set("%tasets")), one.clone()),
        (with(&|c| c.table_name_filter_pattern = set("SELECT * FROM \"x\" WHERE a = 'b%'")), vec![]),
        (with(&|c| c.table_types = vec!["system table".to_owned()]), all.clone()),
        (with(&|c| c.table_types = vec!["BASE TABLE".to_owned()]), vec![]),
        (with(&|c| c.table_types = vec!["no such type".to_owned()]), vec![]),
    ] {
        assert_eq!(tables(&mut client, command.clone()).await, expected, "{command:?}");
    }
}

#[tokio::test]
async fn tables_come_with_their_wire_schema_when_asked() {
    let served = Served::start().await;
    let mut client = served.ana().await;
    let command = CommandGetTables {
        table_name_filter_pattern: Some("datasets".to_owned()),
        include_schema: true,
        ..all_tables()
    };
    let info = client.get_tables(command).await.unwrap();
    let batches = fetch(&mut client, info).await;
    assert_eq!(batches[0].num_columns(), 5);
    let bytes = batches[0].column(4).as_binary::<i32>().value(0).to_vec();
    let listed = Schema::try_from(IpcMessage(bytes.into())).unwrap();
    let metadata = listed.field(0).metadata();
    assert_eq!(metadata["ARROW:FLIGHT:SQL:TABLE_NAME"], "datasets");
    assert_eq!(metadata["ARROW:FLIGHT:SQL:TYPE_NAME"], "VARCHAR");
    let info = client.execute("SELECT * FROM basin.datasets".to_owned(), None).await.unwrap();
    let queried = info.try_decode_schema().unwrap();
    let plain = |schema: &Schema| {
        let fields = schema.fields().iter();
        fields.map(|f| (f.name().clone(), f.data_type().clone(), f.is_nullable())).collect::<Vec<_>>()
    };
    assert_eq!(plain(&listed), plain(&queried));
}

#[tokio::test]
async fn sql_info_and_type_info_are_answered() {
    let served = Served::start().await;
    let mut client = served.ana().await;
    let info = client.get_sql_info(vec![]).await.unwrap();
    assert_eq!(fetch(&mut client, info).await[0].num_rows(), 91);
    let info = client.get_sql_info(vec![SqlInfo::FlightSqlServerName]).await.unwrap();
    assert_eq!(fetch(&mut client, info).await[0].num_rows(), 1);
    let info = client.get_xdbc_type_info(CommandGetXdbcTypeInfo { data_type: None }).await.unwrap();
    let types = fetch(&mut client, info).await;
    assert!(types[0].column(0).len() > 10);
}

#[tokio::test]
async fn keys_of_a_table_without_keys_are_no_rows() {
    let served = Served::start().await;
    let mut client = served.ana().await;
    let table = "datasets".to_owned();
    let keys =
        CommandGetPrimaryKeys { catalog: None, db_schema: Some("basin".to_owned()), table: table.clone() };
    let info = client.get_primary_keys(keys).await.unwrap();
    assert_eq!(info.clone().try_decode_schema().unwrap().fields().len(), 6);
    assert!(fetch(&mut client, info).await.is_empty());
    let info = client
        .get_cross_reference(CommandGetCrossReference {
            pk_table: table.clone(),
            fk_table: table,
            ..CommandGetCrossReference::default()
        })
        .await
        .unwrap();
    assert_eq!(info.clone().try_decode_schema().unwrap().fields().len(), 13);
    assert!(fetch(&mut client, info).await.is_empty());
}

#[tokio::test]
async fn what_there_is_not_is_refused_with_a_sentence() {
    let served = Served::start().await;
    let mut client = served.ana().await;
    let error = client.begin_transaction().await.unwrap_err();
    assert!(error.to_string().contains("one snapshot"), "{error}");
    let error = client.execute_update("DELETE FROM x".to_owned(), None).await.unwrap_err();
    assert!(error.to_string().contains("you can't write here"), "{error}");
}
