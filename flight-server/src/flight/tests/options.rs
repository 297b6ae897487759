use std::collections::HashMap;

use arrow::array::AsArray;
use arrow::datatypes::{DataType, Int64Type};
use arrow_flight::{Action, FlightEndpoint, RenewFlightEndpointRequest};
use bytes::Bytes;
use prost::Message;
use tonic::IntoRequest;
use tonic::metadata::MetadataMap;

use super::super::option_value::{OptionValue, WireValue};
use super::super::session::{GetResult, SetRequest, SetResult};
use super::*;

/// Does an action; returns the body of its first result, and the response's headers.
async fn act(
    client: &mut Client,
    name: &str,
    body: impl Into<Bytes>,
    cookie: Option<&str>,
) -> (Bytes, MetadataMap) {
    let mut request = Action::new(name, body.into()).into_request();
    let bearer = format!("Bearer {}", client.token().unwrap());
    request.metadata_mut().insert("authorization", bearer.parse().unwrap());
    if let Some(cookie) = cookie {
        request.metadata_mut().insert("cookie", cookie.parse().unwrap());
    }
    let response = client.inner_mut().do_action(request).await.unwrap();
    let headers = response.metadata().clone();
    let result = response.into_inner().message().await.unwrap();
    (result.map(|result| result.body).unwrap_or_default(), headers)
}

fn options(values: &[(&str, Option<WireValue>)]) -> Vec<u8> {
    let option = |value: &Option<WireValue>| OptionValue { value: value.clone() };
    let options = values.iter().map(|(name, value)| ((*name).to_owned(), option(value))).collect();
    SetRequest { options }.encode_to_vec()
}

fn text(text: &str) -> Option<WireValue> {
    Some(WireValue::Text(text.to_owned()))
}

/// Sets options; the client brings the session back in its token from then on.
async fn set(client: &mut Client, values: &[(&str, Option<WireValue>)]) -> HashMap<String, i32> {
    let (body, headers) = act(client, "SetSessionOptions", options(values), None).await;
    let bearer = headers.get("authorization").unwrap().to_str().unwrap();
    client.set_token(bearer.strip_prefix("Bearer ").unwrap().to_owned());
    let errors = SetResult::decode(body).unwrap().errors;
    errors.into_iter().map(|(name, error)| (name, error.value)).collect()
}

async fn get(client: &mut Client, cookie: Option<&str>) -> HashMap<String, OptionValue> {
    let (body, _) = act(client, "GetSessionOptions", Bytes::new(), cookie).await;
    GetResult::decode(body).unwrap().options
}

#[tokio::test]
async fn a_session_is_set_read_and_closed() {
    let served = Served::start().await;
    let mut client = served.ana().await;
    let errors = set(
        &mut client,
        &[
            ("schema", text("basin")),
            ("timeout", Some(WireValue::Number(30))),
            ("view_types", Some(WireValue::Flag(true))),
            ("colour", text("blue")),
            ("compression", text("gzip")),
        ],
    )
    .await;
    assert_eq!(errors, HashMap::from([("colour".to_owned(), 1), ("compression".to_owned(), 2)]));
    let found = get(&mut client, None).await;
    assert_eq!(found["schema"].value, text("basin"));
    assert_eq!(found["timeout"].value, Some(WireValue::Number(30)));
    assert_eq!(found["compression"].value, text("none"));
    // The name has no schema, and text comes as views.
    let rows = query(&mut client, "SELECT schema_name FROM datasets").await;
    assert!(rows.is_empty());
    let info = client.execute("SELECT 'x' AS x".to_owned(), None).await.unwrap();
    assert_eq!(info.clone().try_decode_schema().unwrap().field(0).data_type(), &DataType::Utf8View);
    assert_eq!(fetch(&mut client, info).await[0].column(0).as_string_view().value(0), "x");
    set(&mut client, &[("schema", None), ("view_types", text(""))]).await;
    let found = get(&mut client, None).await;
    assert!(!found.contains_key("schema") && found["view_types"].value == Some(WireValue::Flag(false)));
    let (_, headers) = act(&mut client, "CloseSession", Bytes::new(), None).await;
    assert!(headers.get("set-cookie").unwrap().to_str().unwrap().contains("Max-Age=0"));
}

#[tokio::test]
async fn a_session_travels_in_a_cookie_and_is_nobody_elses() {
    let served = Served::start().await;
    let mut client = served.ana().await;
    let (_, headers) =
        act(&mut client, "SetSessionOptions", options(&[("language", text("zh"))]), None).await;
    let cookie = headers.get("set-cookie").unwrap().to_str().unwrap().split(';').next().unwrap().to_owned();
    // The token is the one of before: what it brings is the cookie alone.
    assert!(!get(&mut client, None).await.contains_key("language"));
    let cookies = format!("other=1; {cookie}");
    assert_eq!(get(&mut client, Some(&cookies)).await["language"].value, text("zh"));
    let changed = format!("{cookie}x");
    for (mut client, cookie) in [(served.bob().await, cookie), (client, changed)] {
        client.set_header("cookie", cookie);
        let error = client.execute("SELECT 1".to_owned(), None).await.unwrap_err();
        assert_eq!(code_of(&error), Code::InvalidArgument);
        assert!(error.to_string().contains("session has ended"), "{error}");
    }
}

#[tokio::test]
async fn every_option_may_be_a_header_of_one_call() {
    let served = Served::start().await;
    let mut client = served.ana().await;
    client.set_header("x-basin-schema", "basin");
    client.set_header("x-basin-compression", "zstd");
    query(&mut client, "SELECT * FROM versions").await;
    let found = get(&mut client, None).await;
    assert!(!found.contains_key("schema"), "a header was kept");
    client.set_header("x-basin-timeout", "soon");
    let error = client.execute("SELECT 1".to_owned(), None).await.unwrap_err();
    assert!(error.to_string().contains("x-basin-timeout must be a number of seconds"), "{error}");
}

#[tokio::test(flavor = "multi_thread")]
async fn an_export_comes_in_parts_when_the_session_asks() {
    let served = Served::start().await;
    let mut sam = served.sam().await;
    query(
        &mut sam,
        "CREATE TABLE t AS SELECT value AS n, repeat('x', 50) AS x FROM generate_series(1, 50000)",
    )
    .await;
    set(&mut sam, &[("parallel_export", Some(WireValue::Number(3)))]).await;
    let info = sam.execute("SELECT n FROM t WHERE n > 10".to_owned(), None).await.unwrap();
    assert_eq!((info.endpoint.len(), info.ordered), (3, false));
    let mut found = Vec::new();
    for endpoint in &info.endpoint {
        let mut stream = sam.do_get(endpoint.ticket.clone().unwrap()).await.unwrap();
        while let Some(batch) = stream.try_next().await.unwrap() {
            found.extend(batch.column(0).as_primitive::<Int64Type>().values().to_vec());
        }
    }
    found.sort_unstable();
    assert_eq!(found, (11..=50_000).collect::<Vec<_>>());
    let info = sam.execute("SELECT count(*) FROM t".to_owned(), None).await.unwrap();
    assert_eq!((info.endpoint.len(), info.ordered), (1, true));
}

#[tokio::test]
async fn a_ticket_is_renewed_for_its_owner() {
    let served = Served::start().await;
    let mut client = served.ana().await;
    let info = client.execute("SELECT 41 + 1".to_owned(), None).await.unwrap();
    let endpoint = info.endpoint[0].clone();
    tokio::time::sleep(std::time::Duration::from_millis(1100)).await;
    let body = RenewFlightEndpointRequest::new(endpoint.clone()).encode_to_vec();
    let (renewed, _) = act(&mut client, "RenewFlightEndpoint", body.clone(), None).await;
    let renewed = FlightEndpoint::decode(renewed).unwrap();
    let expires = |endpoint: &FlightEndpoint| endpoint.expiration_time.as_ref().unwrap().seconds;
    assert!(expires(&renewed) > expires(&endpoint));
    let mut stream = client.do_get(renewed.ticket.unwrap()).await.unwrap();
    let batch = stream.try_next().await.unwrap().unwrap();
    assert_eq!(batch.column(0).as_primitive::<Int64Type>().value(0), 42);
    let mut bob = served.bob().await;
    let mut request = Action::new("RenewFlightEndpoint", body).into_request();
    let bearer = format!("Bearer {}", bob.token().unwrap());
    request.metadata_mut().insert("authorization", bearer.parse().unwrap());
    let status = bob.inner_mut().do_action(request).await.unwrap_err();
    assert_eq!(status.code(), Code::PermissionDenied);
}

#[tokio::test]
async fn a_result_says_what_its_columns_are() {
    let served = Served::start().await;
    let mut client = served.ana().await;
    let info = client.execute("SELECT CAST(1 AS DECIMAL(9, 2)) AS d".to_owned(), None).await.unwrap();
    let schema = info.clone().try_decode_schema().unwrap();
    let metadata = schema.field(0).metadata();
    assert_eq!(metadata["ARROW:FLIGHT:SQL:TYPE_NAME"], "DECIMAL");
    assert_eq!((&*metadata["ARROW:FLIGHT:SQL:PRECISION"], &*metadata["ARROW:FLIGHT:SQL:SCALE"]), ("9", "2"));
    // `fetch` checks that DoGet says the same.
    fetch(&mut client, info).await;
}
