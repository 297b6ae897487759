//! A kept result on the wire: encoded once for each form that is asked for, and sent as it lies in memory after.

use arrow_flight::FlightData;
use arrow_flight::decode::FlightRecordBatchStream;
use arrow_flight::error::FlightError;
use basin_catalog::{AsOf, Principal};
use basin_engine::{Query, QueryId, QueryOptions, QueryRequest};
use futures::{StreamExt, stream};

use super::super::columns::ResultForm;
use super::super::option_value::Value;
use super::super::options::{Name, SessionOptions};
use super::super::statement::rows_of;
use super::*;
use crate::encode::flight_data;

const SQL: &str = "SELECT i, 'a text of some length ' || i AS t FROM (SELECT CAST(a * 10 + b AS BIGINT) AS i FROM \
                   (VALUES (1), (2), (3)) x(a), (VALUES (1), (2), (3)) y(b)) ORDER BY i";

async fn messages(engine: &Engine, options: &SessionOptions) -> Vec<FlightData> {
    let request = QueryRequest {
        query_id: QueryId::new(),
        principal: Principal::operator(),
        query: Query::Sql(SQL.to_owned()),
        as_of: AsOf::Latest,
        parameters: vec![],
        options: QueryOptions::default(),
    };
    let form = ResultForm::new(options, false);
    let compression = form.wire().compression;
    let rows = rows_of(engine.clone(), request, vec![], form, None).await.unwrap();
    flight_data(rows.schema, compression, rows.batches).try_collect().await.unwrap()
}

async fn decoded(messages: &[FlightData]) -> Vec<RecordBatch> {
    let messages = stream::iter(messages.to_vec()).map(Ok::<_, FlightError>);
    FlightRecordBatchStream::new_from_flight_data(messages).try_collect().await.unwrap()
}

fn bodies(messages: &[FlightData]) -> Vec<*const u8> {
    messages.iter().skip(1).map(|message| message.data_body.as_ptr()).collect()
}

#[tokio::test]
async fn each_form_is_encoded_once_and_then_sent_as_it_is() {
    let served = Served::start().await;
    let form = |name, value| {
        let mut options = SessionOptions::default();
        options.set(name, &value).unwrap();
        options
    };
    let plain = SessionOptions::default();
    let run = messages(&served.engine, &plain).await;
    let mut seen = vec![bodies(&run)];
    for options in [
        plain,
        form(Name::Compression, Value::Text("lz4".to_owned())),
        form(Name::ViewTypes, Value::Flag(true)),
    ] {
        let first = messages(&served.engine, &options).await;
        assert!(!seen.contains(&bodies(&first)), "{options:?}");
        let again = messages(&served.engine, &options).await;
        assert_eq!(bodies(&again), bodies(&first), "{options:?}");
        assert_eq!(again, first);
        seen.push(bodies(&first));
        let rows = decoded(&again).await;
        assert_eq!(rows.iter().map(RecordBatch::num_rows).sum::<usize>(), 9, "{options:?}");
    }
    let (one, other) =
        (decoded(&run).await, decoded(&messages(&served.engine, &SessionOptions::default()).await).await);
    assert_eq!(one, other);
}
