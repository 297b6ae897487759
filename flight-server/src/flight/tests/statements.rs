use std::time::{Duration, Instant};

use arrow::array::AsArray;
use arrow::datatypes::Int64Type;
use arrow_flight::flight_service_client::FlightServiceClient;
use arrow_flight::sql::{Any, CommandStatementQuery, ProstMessageExt};
use arrow_flight::{Action, CancelFlightInfoRequest, CancelFlightInfoResult, CancelStatus, FlightDescriptor};
use prost::Message;
use tonic::Request;

use super::*;

/// A result of which nobody waits for the end.
const ENDLESS: &str = "SELECT count(*) FROM generate_series(1, 100000000) a, \
                       generate_series(1, 100000000) b WHERE (a.value * b.value) % 7 = 3";

#[tokio::test]
async fn a_statement_returns_its_rows_and_its_provenance() {
    let served = Served::start().await;
    let mut client = served.ana().await;
    let info = client.execute("SELECT 1 AS one".to_owned(), None).await.unwrap();
    let origin: serde_json::Value = serde_json::from_slice(&info.app_metadata).unwrap();
    assert!(origin["query_id"].is_string() && origin["snapshot"].is_u64());
    assert_eq!(origin["datasets"], serde_json::json!([]));
    let rows = fetch(&mut client, info).await;
    assert_eq!(rows[0].column(0).as_primitive::<Int64Type>().value(0), 1);
}

#[tokio::test]
async fn an_empty_result_has_its_schema() {
    let served = Served::start().await;
    let mut client = served.ana().await;
    let rows = query(&mut client, "SELECT * FROM basin.datasets WHERE false").await;
    assert_eq!(rows.iter().map(RecordBatch::num_rows).sum::<usize>(), 0);
}

#[tokio::test]
async fn wire_types_are_the_plain_ones() {
    let served = Served::start().await;
    let mut client = served.ana().await;
    let sql = "SELECT arrow_cast('表', 'Utf8View') AS v, arrow_cast('x', 'LargeUtf8') AS l, \
               arrow_cast('d', 'Dictionary(Int32, Utf8)') AS d, CAST(1.5 AS DECIMAL(10, 2)) AS n, \
               TIMESTAMP '2020-01-11 00:00:00' AS t, [1, 2] AS a, NULL AS nothing";
    let rows = query(&mut client, sql).await;
    for column in 0..3 {
        assert!(rows[0].column(column).as_string_opt::<i32>().is_some());
    }
    assert_eq!(rows[0].column(0).as_string::<i32>().value(0), "表");
}

#[tokio::test]
async fn an_error_has_its_code_its_place_and_its_query_id() {
    let served = Served::start().await;
    let mut client = served.ana().await;
    let error = client.execute("SELECT * FORM x".to_owned(), None).await.unwrap_err();
    assert_eq!(code_of(&error), Code::InvalidArgument);
    assert!(error.to_string().contains("line 1"), "{error}");
    assert!(error.to_string().contains("query id"), "{error}");
    for (sql, code) in [
        ("SELECT * FROM health.nothing", Code::NotFound),
        ("CREATE TABLE x (y INT)", Code::InvalidArgument),
        ("COPY (SELECT 1) TO '/tmp/x'", Code::InvalidArgument),
    ] {
        let error = client.execute(sql.to_owned(), None).await.unwrap_err();
        assert_eq!(code_of(&error), code, "{sql}: {error}");
    }
}

#[tokio::test]
async fn forged_and_foreign_tickets_are_refused() {
    let served = Served::start().await;
    let (mut ana, mut bob) = (served.ana().await, served.bob().await);
    let info = ana.execute("SELECT 1".to_owned(), None).await.unwrap();
    let error = bob.do_get(ticket(&info)).await.unwrap_err();
    assert_eq!(code_of(&error), Code::PermissionDenied);
    let mut forged = ticket(&info).ticket.to_vec();
    *forged.last_mut().unwrap() ^= 1;
    let error = ana.do_get(Ticket::new(forged)).await.unwrap_err();
    assert_eq!(code_of(&error), Code::InvalidArgument);
    let error = ana.do_get(Ticket::new("nonsense")).await.unwrap_err();
    assert_eq!(code_of(&error), Code::InvalidArgument);
    fetch(&mut ana, info).await;
}

#[tokio::test]
async fn get_schema_and_poll_say_the_same_as_the_info() {
    let served = Served::start().await;
    let client = served.ana().await;
    let query =
        CommandStatementQuery { query: "SELECT * FROM basin.datasets".to_owned(), transaction_id: None };
    let descriptor = FlightDescriptor::new_cmd(Any::encode_to_vec(&query.as_any()));
    let bearer = format!("Bearer {}", client.token().unwrap());
    let signed = |descriptor: FlightDescriptor| {
        let mut request = Request::new(descriptor);
        request.metadata_mut().insert("authorization", bearer.parse().unwrap());
        request
    };
    let mut raw: FlightServiceClient<Channel> = client.into_inner();
    let info = raw.get_flight_info(signed(descriptor.clone())).await.unwrap();
    assert!(info.metadata().get("x-basin-query-id").is_some());
    let schema = raw.get_schema(signed(descriptor.clone())).await.unwrap().into_inner();
    let polled = raw.poll_flight_info(signed(descriptor)).await.unwrap().into_inner();
    let expected = info.into_inner().try_decode_schema().unwrap();
    assert_eq!(polled.info.unwrap().try_decode_schema().unwrap(), expected);
    assert_eq!(arrow::datatypes::Schema::try_from(schema).unwrap(), expected);
}

#[tokio::test]
async fn cancel_flight_info_ends_the_query() {
    let served = Served::start().await;
    let (mut ana, mut bob) = (served.ana().await, served.bob().await);
    let info = ana.execute(ENDLESS.to_owned(), None).await.unwrap();
    let mut other = ana.clone();
    let running = tokio::spawn(async move {
        match other.do_get(ticket(&info)).await {
            Ok(stream) => stream.try_collect::<Vec<_>>().await.unwrap_err().to_string(),
            Err(error) => error.to_string(),
        }
    });
    tokio::time::sleep(Duration::from_millis(300)).await;
    let info = ana.execute("SELECT 1".to_owned(), None).await.unwrap();
    assert_eq!(cancel(&mut ana, info.clone()).await.unwrap(), CancelStatus::NotCancellable);
    assert!(cancel(&mut bob, info).await.is_err());
    assert!(!running.is_finished());
    running.abort();
}

#[tokio::test]
async fn a_running_query_is_cancelled_by_its_info() {
    let served = Served::start().await;
    let mut ana = served.ana().await;
    let info = ana.execute(ENDLESS.to_owned(), None).await.unwrap();
    let (mut other, fetched) = (ana.clone(), ticket(&info));
    let running = tokio::spawn(async move {
        match other.do_get(fetched).await {
            Ok(stream) => stream.try_collect::<Vec<_>>().await.unwrap_err().to_string(),
            Err(error) => error.to_string(),
        }
    });
    tokio::time::sleep(Duration::from_millis(300)).await;
    let asked = Instant::now();
    assert_eq!(cancel(&mut ana, info).await.unwrap(), CancelStatus::Cancelled);
    let error = running.await.unwrap();
    assert!(asked.elapsed() < Duration::from_secs(1));
    assert_eq!(code_of(&error), Code::Cancelled);
}

async fn cancel(client: &mut Client, info: FlightInfo) -> std::result::Result<CancelStatus, String> {
    let request = CancelFlightInfoRequest { info: Some(info) };
    let action = Action::new("CancelFlightInfo", request.encode_to_vec());
    let mut results = client.do_action(action).await.map_err(|error| error.to_string())?;
    let body = results.message().await.map_err(|error| error.to_string())?.unwrap().body;
    let result = CancelFlightInfoResult::decode(body).unwrap();
    Ok(CancelStatus::try_from(result.status).unwrap())
}
