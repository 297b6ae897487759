use std::time::{Duration, Instant};

use arrow::array::AsArray;
use arrow::datatypes::Int64Type;
use arrow_flight::sql::{
    ActionCreatePreparedStatementRequest, ActionCreatePreparedStatementResult, Any,
    CommandPreparedStatementQuery, CommandStatementQuery, ProstMessageExt,
};
use arrow_flight::{
    Action, CancelFlightInfoRequest, CancelFlightInfoResult, CancelStatus, FlightDescriptor, PollInfo,
};
use prost::Message;
use tonic::{Request, Status};

use super::*;

const ENDLESS: &str = "SELECT count(*) FROM generate_series(1, 100000000) a, \
                       generate_series(1, 100000000) b WHERE (a.value * b.value) % 7 = 3";
/// Takes longer than the first poll waits, and has its sum as its only row.
const SLOW: &str = "SELECT sum(a.value + b.value) AS s FROM generate_series(1, 100000) a, \
                    generate_series(1, 10000) b";
const SUM: i64 = (100_000 * 100_001 / 2) * 10_000 + (10_000 * 10_001 / 2) * 100_000;

fn statement(sql: &str) -> FlightDescriptor {
    let query = CommandStatementQuery { query: sql.to_owned(), transaction_id: None };
    FlightDescriptor::new_cmd(Any::encode_to_vec(&query.as_any()))
}

async fn poll(client: &mut Client, descriptor: FlightDescriptor) -> std::result::Result<PollInfo, Status> {
    let mut request = Request::new(descriptor);
    let bearer = format!("Bearer {}", client.token().unwrap());
    request.metadata_mut().insert("authorization", bearer.parse().unwrap());
    Ok(client.inner_mut().poll_flight_info(request).await?.into_inner())
}

/// Polls until there is no next poll; gives what each poll showed and the last descriptor.
async fn poll_to_end(
    client: &mut Client,
    descriptor: FlightDescriptor,
) -> std::result::Result<(Vec<PollInfo>, FlightDescriptor), Status> {
    let (mut polls, mut next) = (Vec::new(), descriptor);
    loop {
        let answer = poll(client, next.clone()).await?;
        polls.push(answer.clone());
        match answer.flight_descriptor {
            Some(descriptor) => next = descriptor,
            None => return Ok((polls, next)),
        }
    }
}

async fn cancel(client: &mut Client, info: FlightInfo) -> CancelStatus {
    let request = CancelFlightInfoRequest { info: Some(info) };
    let action = Action::new("CancelFlightInfo", request.encode_to_vec());
    let mut results = client.do_action(action).await.unwrap();
    let result = CancelFlightInfoResult::decode(results.message().await.unwrap().unwrap().body).unwrap();
    CancelStatus::try_from(result.status).unwrap()
}

fn sum_of(rows: &[RecordBatch]) -> i64 {
    assert_eq!(rows.iter().map(RecordBatch::num_rows).sum::<usize>(), 1);
    rows[0].column(0).as_primitive::<Int64Type>().value(0)
}

#[tokio::test]
async fn polls_lead_to_the_rows() {
    let served = Served::start().await;
    let mut ana = served.ana().await;
    let expected = ana.execute(SLOW.to_owned(), None).await.unwrap().try_decode_schema().unwrap();
    let (polls, last_asked) = poll_to_end(&mut ana, statement(SLOW)).await.unwrap();
    let (last, before) = polls.split_last().unwrap();
    assert!(!before.is_empty(), "it was over at once");
    for poll in before {
        let info = poll.info.clone().unwrap();
        assert!(info.endpoint.is_empty());
        assert_eq!(info.try_decode_schema().unwrap(), expected);
        assert!((0.0..1.0).contains(&poll.progress.unwrap()));
        assert!(poll.expiration_time.as_ref().unwrap().seconds > chrono::Utc::now().timestamp());
    }
    assert!(polls.is_sorted_by_key(|poll| poll.progress.unwrap()));
    assert_eq!(last.progress, Some(1.0));
    let again = poll(&mut ana, last_asked.clone()).await.unwrap();
    assert_eq!((again.progress, again.info.clone()), (Some(1.0), last.info.clone()));
    let info = last.info.clone().unwrap();
    assert_eq!(info.flight_descriptor, Some(statement(SLOW)));
    assert_eq!(sum_of(&fetch(&mut ana, info.clone()).await), SUM);
    let error = poll(&mut ana, last_asked).await.unwrap_err();
    assert_eq!(error.code(), Code::NotFound);
    assert!(error.message().contains("poll again with the statement itself"), "{error}");
    assert_eq!(sum_of(&fetch(&mut ana, info).await), SUM);
}

#[tokio::test]
async fn the_rows_are_those_that_were_polled_and_not_computed_again() {
    let served = Served::start().await;
    let mut ana = served.ana().await;
    let (polls, _) = poll_to_end(&mut ana, statement(SLOW)).await.unwrap();
    let info = polls.last().unwrap().info.clone().unwrap();
    let started = Instant::now();
    fetch(&mut ana, info.clone()).await;
    let taken_over = started.elapsed();
    let started = Instant::now();
    fetch(&mut ana, info).await;
    assert!(taken_over * 2 < started.elapsed(), "{taken_over:?}, computed: {:?}", started.elapsed());
}

#[tokio::test]
async fn metadata_and_prepared_statements_are_polled_too() {
    let served = Served::start().await;
    let mut ana = served.ana().await;
    let catalogs = arrow_flight::sql::CommandGetCatalogs {};
    let descriptor = FlightDescriptor::new_cmd(Any::encode_to_vec(&catalogs.as_any()));
    let (polls, _) = poll_to_end(&mut ana, descriptor).await.unwrap();
    assert_eq!((polls.len(), polls[0].progress), (1, Some(1.0)));
    let request = ActionCreatePreparedStatementRequest { query: SLOW.to_owned(), transaction_id: None };
    let body = Any::encode_to_vec(&request.as_any());
    let mut made = ana.do_action(Action::new("CreatePreparedStatement", body)).await.unwrap();
    let made = Any::decode(made.message().await.unwrap().unwrap().body).unwrap();
    let made = made.unpack::<ActionCreatePreparedStatementResult>().unwrap().unwrap();
    let query = CommandPreparedStatementQuery { prepared_statement_handle: made.prepared_statement_handle };
    let descriptor = FlightDescriptor::new_cmd(Any::encode_to_vec(&query.as_any()));
    let (polls, _) = poll_to_end(&mut ana, descriptor).await.unwrap();
    let info = polls.last().unwrap().info.clone().unwrap();
    assert_eq!(sum_of(&fetch(&mut ana, info).await), SUM);
}

#[tokio::test]
async fn a_next_poll_is_its_users_only_and_nothing_else() {
    let served = Served::start().await;
    let (mut ana, mut bob) = (served.ana().await, served.bob().await);
    let first = poll(&mut ana, statement(ENDLESS)).await.unwrap();
    let next = first.flight_descriptor.unwrap();
    let error = poll(&mut bob, next.clone()).await.unwrap_err();
    assert_eq!(error.code(), Code::PermissionDenied);
    let mut forged = next.cmd.to_vec();
    *forged.last_mut().unwrap() ^= 1;
    let error = poll(&mut ana, FlightDescriptor::new_cmd(forged)).await.unwrap_err();
    assert_eq!(error.code(), Code::InvalidArgument);
    let mut request = Request::new(next.clone());
    let bearer = format!("Bearer {}", ana.token().unwrap());
    request.metadata_mut().insert("authorization", bearer.parse().unwrap());
    let error = ana.inner_mut().get_flight_info(request).await.unwrap_err();
    assert_eq!(error.code(), Code::InvalidArgument);
    let error = cancel_error(&mut bob, first.info.clone().unwrap()).await;
    assert_eq!(code_of(&error), Code::PermissionDenied);
    assert!(poll(&mut ana, next).await.unwrap().flight_descriptor.is_some());
}

async fn cancel_error(client: &mut Client, info: FlightInfo) -> String {
    let request = CancelFlightInfoRequest { info: Some(info) };
    let action = Action::new("CancelFlightInfo", request.encode_to_vec());
    client.do_action(action).await.map(drop).unwrap_err().to_string()
}

#[tokio::test]
async fn a_polled_statement_is_cancelled_by_its_info() {
    let served = Served::start().await;
    let mut ana = served.ana().await;
    let free = served.engine.free_places();
    let first = poll(&mut ana, statement(ENDLESS)).await.unwrap();
    assert_eq!(served.engine.free_places(), free - 1);
    let (info, next) = (first.info.unwrap(), first.flight_descriptor.unwrap());
    assert_eq!(cancel(&mut ana, info.clone()).await, CancelStatus::Cancelled);
    let error = poll(&mut ana, next.clone()).await.unwrap_err();
    assert_eq!(error.code(), Code::Cancelled);
    assert_eq!(poll(&mut ana, next).await.unwrap_err().code(), Code::NotFound);
    assert_eq!(cancel(&mut ana, info).await, CancelStatus::NotCancellable);
    assert!(becomes(|| served.engine.free_places() == free).await);
}

/// Waits up to two seconds.
async fn becomes(holds: impl Fn() -> bool) -> bool {
    for _ in 0..100 {
        if holds() {
            return true;
        }
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    false
}

#[tokio::test]
async fn what_nobody_asks_for_is_given_up() {
    let config = ServerConfig { poll_lifetime: Duration::from_secs(1), ..ServerConfig::default() };
    let served = Served::with(config).await;
    let mut ana = served.ana().await;
    let free = served.engine.free_places();
    let next = poll(&mut ana, statement(ENDLESS)).await.unwrap().flight_descriptor.unwrap();
    let (ready, _) = poll_to_end(&mut ana, statement("SELECT 7")).await.unwrap();
    tokio::time::sleep(Duration::from_millis(500)).await;
    assert!(served.engine.free_places() < free);
    tokio::time::sleep(Duration::from_millis(700)).await;
    assert!(becomes(|| served.engine.free_places() == free).await);
    assert_eq!(poll(&mut ana, next).await.unwrap_err().code(), Code::NotFound);
    // Its ticket is as good as any: it runs the statement.
    let rows = fetch(&mut ana, ready.last().unwrap().info.clone().unwrap()).await;
    assert_eq!(sum_of(&rows), 7);
}

#[tokio::test]
async fn an_error_is_told_by_the_poll() {
    let served = Served::start().await;
    let mut ana = served.ana().await;
    let sql = "SELECT max(10 / (value - 999999)) FROM generate_series(1, 1000000)";
    let error = poll_to_end(&mut ana, statement(sql)).await.unwrap_err();
    assert_eq!(error.code(), Code::InvalidArgument);
    let error = poll_to_end(&mut ana, statement("SELECT nothing")).await.unwrap_err();
    assert_eq!(error.code(), Code::InvalidArgument);
}

#[tokio::test]
async fn another_process_does_not_know_it() {
    let served = Served::start().await;
    let other = Served::of(served.catalog.clone(), ServerConfig::default()).await;
    let next = poll(&mut served.ana().await, statement(ENDLESS)).await.unwrap().flight_descriptor.unwrap();
    let error = poll(&mut other.ana().await, next).await.unwrap_err();
    assert_eq!(error.code(), Code::NotFound);
}

#[tokio::test]
async fn draining_ends_what_only_a_poll_could_ask_for() {
    let served = Served::start().await;
    let mut ana = served.ana().await;
    let next = poll(&mut ana, statement(ENDLESS)).await.unwrap().flight_descriptor.unwrap();
    let waiting = tokio::spawn(async move { poll(&mut ana, next).await });
    tokio::time::sleep(Duration::from_millis(100)).await;
    served.shutdown.cancel();
    let error = waiting.await.unwrap().unwrap_err();
    assert_eq!(error.code(), Code::Unavailable);
    tokio::time::timeout(Duration::from_secs(5), served.server).await.unwrap().unwrap().unwrap();
}
