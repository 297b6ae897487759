use std::sync::Arc;

use arrow::array::{ArrayRef, AsArray, Int64Array, StringArray};
use arrow::datatypes::{DataType, Int64Type};
use arrow_flight::Action;
use arrow_flight::sql::{
    ActionClosePreparedStatementRequest, ActionCreatePreparedStatementRequest, Any,
    CommandPreparedStatementQuery, ProstMessageExt,
};
use prost::Message;

use super::super::prepared::CreatedStatement;
use super::*;

fn parameters(columns: Vec<ArrayRef>) -> RecordBatch {
    let names = ["a", "b", "c"];
    RecordBatch::try_from_iter_with_nullable(
        names.into_iter().zip(columns).map(|(name, column)| (name, column, true)),
    )
    .unwrap()
}

#[tokio::test]
async fn a_prepared_statement_without_parameters_promises_its_schema() {
    let served = Served::start().await;
    let mut client = served.ana().await;
    let sql = "SELECT schema_name, rows FROM basin.datasets".to_owned();
    let mut statement = client.prepare(sql, None).await.unwrap();
    let promised = statement.dataset_schema().unwrap().clone();
    assert_eq!(promised.fields().len(), 2);
    assert!(statement.parameter_schema().unwrap().fields().is_empty());
    let info = statement.execute().await.unwrap();
    assert_eq!(info.clone().try_decode_schema().unwrap(), promised);
    fetch(&mut client, info).await;
    statement.close().await.unwrap();
}

#[tokio::test]
async fn parameters_are_bound_by_question_mark_and_by_number() {
    let served = Served::start().await;
    let mut client = served.ana().await;
    for sql in [
        "SELECT CAST(? AS BIGINT) + 1 AS x, CAST(? AS VARCHAR) AS t",
        "SELECT CAST($1 AS BIGINT) + 1 AS x, CAST($2 AS VARCHAR) AS t",
    ] {
        let mut statement = client.prepare(sql.to_owned(), None).await.unwrap();
        assert_eq!(statement.parameter_schema().unwrap().fields().len(), 2);
        let promised = statement.dataset_schema().unwrap().clone();
        let rows = parameters(vec![
            Arc::new(Int64Array::from(vec![Some(1), None, Some(3)])),
            Arc::new(StringArray::from(vec![Some("一"), Some("二"), None])),
        ]);
        statement.set_parameters(rows).unwrap();
        let info = statement.execute().await.unwrap();
        assert_eq!(info.clone().try_decode_schema().unwrap(), promised);
        let batches = fetch(&mut client, info).await;
        let all = arrow::compute::concat_batches(&batches[0].schema(), &batches).unwrap();
        let numbers: Vec<_> = all.column(0).as_primitive::<Int64Type>().iter().collect();
        assert_eq!(numbers, [Some(2), None, Some(4)]);
        assert_eq!(all.column(1).as_string::<i32>().value(1), "二");
        statement.close().await.unwrap();
    }
}

#[tokio::test]
async fn a_limit_and_a_filter_take_parameters() {
    let served = Served::start().await;
    let mut client = served.ana().await;
    let sql = "SELECT value FROM generate_series(1, 10) WHERE value > ? ORDER BY value LIMIT ?";
    let mut statement = client.prepare(sql.to_owned(), None).await.unwrap();
    let rows = parameters(vec![Arc::new(Int64Array::from(vec![4])), Arc::new(Int64Array::from(vec![2]))]);
    statement.set_parameters(rows).unwrap();
    let info = statement.execute().await.unwrap();
    let batches = fetch(&mut client, info).await;
    assert_eq!(batches[0].column(0).as_primitive::<Int64Type>().values(), &[5, 6]);
}

#[tokio::test]
async fn missing_and_superfluous_values_are_refused() {
    let served = Served::start().await;
    let mut client = served.ana().await;
    let mut statement = client.prepare("SELECT CAST(? AS INT) AS x".to_owned(), None).await.unwrap();
    let error = statement.execute().await.unwrap_err();
    assert_eq!(code_of(&error), Code::InvalidArgument);
    let one: ArrayRef = Arc::new(Int64Array::from(vec![1]));
    statement.set_parameters(parameters(vec![Arc::clone(&one), one])).unwrap();
    let error = statement.execute().await.unwrap_err();
    assert!(error.to_string().contains("1 parameters and 2 values"), "{error}");
}

#[tokio::test]
async fn is_update_is_on_the_wire_and_a_select_has_a_schema() {
    let served = Served::start().await;
    let mut client = served.ana().await;
    let created = create(&mut client, "SELECT 1 AS x").await;
    assert_eq!(created.is_update, Some(false));
    assert!(!created.dataset_schema.is_empty());
    let schema = crate::encode::schema_from_bytes(created.dataset_schema).unwrap();
    assert_eq!(schema.field(0).data_type(), &DataType::Int64);
}

#[tokio::test]
async fn a_handle_is_its_owners_only() {
    let served = Served::start().await;
    let (mut ana, mut bob) = (served.ana().await, served.bob().await);
    let handle = create(&mut ana, "SELECT 1 AS x").await.prepared_statement_handle;
    let query = CommandPreparedStatementQuery { prepared_statement_handle: handle };
    let direct = Ticket::new(Any::encode_to_vec(&query.as_any()));
    let error = bob.do_get(direct.clone()).await.unwrap_err();
    assert_eq!(code_of(&error), Code::PermissionDenied);
    let rows: Vec<_> = ana.do_get(direct).await.unwrap().try_collect().await.unwrap();
    assert_eq!(rows[0].num_rows(), 1);
}

/// Asks for the rows of a handle and closes it; gives both errors.
async fn refusals(client: &mut Client, handle: Vec<u8>) -> [String; 2] {
    let handle = bytes::Bytes::from(handle);
    let close = ActionClosePreparedStatementRequest { prepared_statement_handle: handle.clone() };
    let close = Action::new("ClosePreparedStatement", Any::encode_to_vec(&close.as_any()));
    let query = CommandPreparedStatementQuery { prepared_statement_handle: handle };
    let rows = client.do_get(Ticket::new(Any::encode_to_vec(&query.as_any()))).await;
    let closed = client.do_action(close).await;
    [rows.map(drop).unwrap_err().to_string(), closed.map(drop).unwrap_err().to_string()]
}

#[tokio::test]
async fn a_forged_handle_is_refused() {
    let served = Served::start().await;
    let mut ana = served.ana().await;
    let mut handle = create(&mut ana, "SELECT 1 AS x").await.prepared_statement_handle.to_vec();
    let middle = handle.len() / 2;
    handle[middle] ^= 1;
    for error in refusals(&mut ana, handle).await {
        assert_eq!(code_of(&error), Code::InvalidArgument);
        assert!(error.contains("not issued by this server"), "{error}");
    }
}

#[tokio::test]
async fn an_expired_handle_says_so() {
    let served = Served::start().await;
    let sealer = crate::seal::Sealer::of(&served.catalog).await.unwrap();
    let content = super::super::handle::PreparedContent {
        query: basin_engine::Query::Sql("SELECT 1".to_owned()).into(),
        ..Default::default()
    };
    // A minute of clock difference is tolerated, so the lifetime is set into the past.
    let handle = sealer.seal_until(crate::seal::Purpose::Prepared, "ana", -61, &content).unwrap();
    for error in refusals(&mut served.ana().await, handle).await {
        assert_eq!(code_of(&error), Code::InvalidArgument);
        assert!(error.contains("expired"), "{error}");
    }
}

#[tokio::test]
async fn a_ticket_is_not_a_handle() {
    let served = Served::start().await;
    let sealer = crate::seal::Sealer::of(&served.catalog).await.unwrap();
    let content = super::super::handle::PreparedContent {
        query: basin_engine::Query::Sql("SELECT 1".to_owned()).into(),
        ..Default::default()
    };
    let hour = std::time::Duration::from_secs(3600);
    let handle = sealer.seal(crate::seal::Purpose::Ticket, "ana", hour, &content).unwrap();
    for error in refusals(&mut served.ana().await, handle).await {
        assert_eq!(code_of(&error), Code::InvalidArgument);
    }
}

async fn create(client: &mut Client, sql: &str) -> CreatedStatement {
    let request = ActionCreatePreparedStatementRequest { query: sql.to_owned(), transaction_id: None };
    let body = Any::encode_to_vec(&request.as_any());
    let action = Action::new("CreatePreparedStatement", body);
    let mut results = client.do_action(action).await.unwrap();
    let body = results.message().await.unwrap().unwrap().body;
    CreatedStatement::decode(Any::decode(body).unwrap().value).unwrap()
}
