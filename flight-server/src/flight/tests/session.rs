use std::time::Duration;

use arrow::array::AsArray;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use basin_catalog::{Change, Role};

use super::*;

#[tokio::test]
async fn nothing_is_answered_without_signing_in() {
    let served = Served::start().await;
    let mut client = served.anonymous().await;
    let error = client.execute("SELECT 1".to_owned(), None).await.unwrap_err();
    assert_eq!(code_of(&error), Code::Unauthenticated);
    let error = client.get_catalogs().await.unwrap_err();
    assert_eq!(code_of(&error), Code::Unauthenticated);
    let error = client.handshake("ana", "wrong").await.unwrap_err();
    assert!(error.to_string().contains("password is wrong"), "{error}");
    client.set_token("forged".to_owned());
    let error = client.execute("SELECT 1".to_owned(), None).await.unwrap_err();
    assert_eq!(code_of(&error), Code::Unauthenticated);
}

#[tokio::test]
async fn basic_on_every_call_works_without_a_handshake() {
    let served = Served::start().await;
    let mut client = served.anonymous().await;
    let basic = format!("Basic {}", STANDARD.encode("ana:secret-a"));
    client.set_header("authorization", basic);
    for _ in 0..3 {
        query(&mut client, "SELECT 1").await;
    }
}

#[tokio::test]
async fn an_earlier_snapshot_is_asked_by_header() {
    let served = Served::start().await;
    let mut client = served.ana().await;
    let base = served.catalog.latest().await.unwrap();
    let role = Role { name: "later".parse().unwrap(), description: String::new() };
    served.catalog.commit(&base, "test", vec![Change::PutRole(role)]).await.unwrap();
    let snapshot = |info: &FlightInfo| {
        let origin: serde_json::Value = serde_json::from_slice(&info.app_metadata).unwrap();
        origin["snapshot"].as_u64().unwrap()
    };
    let latest = client.execute("SELECT 1".to_owned(), None).await.unwrap();
    client.set_header("x-basin-as-of", base.id().to_string());
    let earlier = client.execute("SELECT 1".to_owned(), None).await.unwrap();
    assert!(snapshot(&earlier) < snapshot(&latest));
    assert_eq!(snapshot(&earlier).to_string(), base.id().to_string());
    client.set_header("x-basin-as-of", "yesterday-ish");
    let error = client.execute("SELECT 1".to_owned(), None).await.unwrap_err();
    assert_eq!(code_of(&error), Code::InvalidArgument);
}

#[tokio::test]
async fn an_expired_ticket_says_so() {
    // A minute of clock difference is tolerated, so the lifetime is set into the past.
    let served = Served::start().await;
    let catalog = served.catalog.clone();
    let sealer = crate::seal::Sealer::of(&catalog).await.unwrap();
    let content = super::super::handle::TicketContent::default();
    let sealed = sealer.seal_until(crate::seal::Purpose::Ticket, "ana", -61, &content).unwrap();
    let expired = super::super::info::statement_ticket(sealed);
    let error = served.ana().await.do_get(Ticket::new(expired)).await.unwrap_err();
    assert_eq!(code_of(&error), Code::InvalidArgument);
    assert!(error.to_string().contains("expired"), "{error}");
}

#[tokio::test]
async fn stopping_drains_running_results_and_refuses_new_calls() {
    let served = Served::start().await;
    let mut client = served.ana().await;
    let sql = "SELECT value, repeat('x', 1000) AS filler FROM generate_series(1, 60000)";
    let info = client.execute(sql.to_owned(), None).await.unwrap();
    let mut stream = client.do_get(ticket(&info)).await.unwrap();
    let mut rows = stream.try_next().await.unwrap().unwrap().num_rows();
    served.shutdown.cancel();
    tokio::time::sleep(Duration::from_millis(200)).await;
    let error = client.execute("SELECT 1".to_owned(), None).await.unwrap_err();
    assert_eq!(code_of(&error), Code::Unavailable);
    while let Some(batch) = stream.try_next().await.unwrap() {
        assert_eq!(batch.column(1).as_string::<i32>().value(0).len(), 1000);
        rows += batch.num_rows();
    }
    assert_eq!(rows, 60_000);
    drop(stream);
    tokio::time::timeout(Duration::from_secs(5), served.server).await.unwrap().unwrap().unwrap();
}

#[tokio::test]
async fn a_result_that_the_drain_cuts_ends_in_an_error() {
    let drain = Duration::from_millis(200);
    let served = Served::with(ServerConfig { drain, ..ServerConfig::default() }).await;
    let mut client = served.ana().await;
    let sql = "SELECT value, repeat('x', 1000) AS filler FROM generate_series(1, 100000000)";
    let info = client.execute(sql.to_owned(), None).await.unwrap();
    let mut stream = client.do_get(ticket(&info)).await.unwrap();
    stream.try_next().await.unwrap();
    served.shutdown.cancel();
    let rest = async move {
        loop {
            match stream.try_next().await {
                Ok(Some(_)) => {}
                Ok(None) => panic!("a part passed for the whole"),
                Err(error) => return error,
            }
        }
    };
    let error = tokio::time::timeout(Duration::from_secs(10), rest).await.unwrap();
    // The status may not reach the client before the connection is closed: then that is the error.
    let text = error.to_string();
    assert!(
        text.contains("reading a body from connection") || code_of(&error) == Code::Unavailable,
        "{text}"
    );
}
