//! The checks, one function each; they compare values.

use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail, ensure};
use arrow::array::{AsArray, Int64Array, RecordBatch, StringArray};
use arrow::datatypes::{Date32Type, Int32Type, Int64Type};
use arrow_flight::sql::client::FlightSqlServiceClient;
use arrow_flight::sql::{
    CommandGetCrossReference, CommandGetDbSchemas, CommandGetImportedKeys, CommandGetPrimaryKeys,
    CommandGetTables, CommandStatementIngest, SqlInfo, TableDefinitionOptions, TableExistsOption,
    TableNotExistOption,
};
use arrow_flight::{Action, CancelFlightInfoRequest, CancelFlightInfoResult, CancelStatus};
use futures::{TryStreamExt, stream};
use prost::Message;
use tonic::IntoRequest;
use tonic::transport::{ClientTlsConfig, Endpoint};

use crate::harness::{Client, Target, query, rows};

const SLOW: &str = "SELECT count(*) FROM jhu.series a, jhu.series b WHERE a.confirmed + b.confirmed < -1";
const LARGE: &str = "SELECT a.date, a.country, b.code FROM jhu.series a CROSS JOIN ref.province b";

async fn count(client: &mut Client, sql: &str) -> Result<i64> {
    let batches = query(client, sql).await?;
    let batch = batches.first().context("no row")?;
    Ok(batch.column(0).as_primitive::<Int64Type>().value(0))
}

fn texts(batches: &[RecordBatch], column: usize) -> Vec<String> {
    let all = batches.iter().flat_map(|batch| batch.column(column).as_string::<i32>().iter());
    all.map(|text| text.unwrap_or_default().to_owned()).collect()
}

pub(crate) async fn connects(target: &Target) -> Result<()> {
    let mut client = target.client().await?;
    let token = client.token().cloned().context("Handshake gave no token")?;
    let channel = Endpoint::new(format!("http://{}", target.address))?.connect().await?;
    let mut other = FlightSqlServiceClient::new(channel);
    other.set_token(token);
    for client in [&mut client, &mut other] {
        ensure!(count(client, "SELECT count(*) FROM health.city").await? == 5247);
    }
    Ok(())
}

pub(crate) async fn wrong_password(target: &Target) -> Result<()> {
    let channel = Endpoint::new(format!("http://{}", target.address))?.connect().await?;
    let refused = FlightSqlServiceClient::new(channel).handshake(&target.user, "wrong").await;
    ensure!(refused.is_err(), "a wrong password was accepted");
    Ok(())
}

pub(crate) async fn info(target: &Target) -> Result<()> {
    let mut client = target.client().await?;
    let info =
        client.get_sql_info(vec![SqlInfo::FlightSqlServerName, SqlInfo::FlightSqlServerVersion]).await?;
    let batches = rows(&mut client, &info).await?;
    let batch = batches.first().context("no row")?;
    let values = batch.column(1).as_union();
    let text = |row| values.value(row).as_string::<i32>().value(0).to_owned();
    ensure!((text(0).as_str(), text(1).is_empty()) == ("Basin", false), "{} {}", text(0), text(1));
    Ok(())
}

pub(crate) async fn metadata(target: &Target) -> Result<()> {
    let mut client = target.client().await?;
    let info = client.get_catalogs().await?;
    ensure!(texts(&rows(&mut client, &info).await?, 0) == ["basin"]);
    let filter = CommandGetDbSchemas { catalog: None, db_schema_filter_pattern: Some("h%".to_owned()) };
    let info = client.get_db_schemas(filter).await?;
    ensure!(texts(&rows(&mut client, &info).await?, 1) == ["health"]);
    let filter = CommandGetTables {
        db_schema_filter_pattern: Some("health".to_owned()),
        include_schema: true,
        ..CommandGetTables::default()
    };
    let info = client.get_tables(filter).await?;
    ensure!(texts(&rows(&mut client, &info).await?, 2) == ["city", "national", "provincial"]);
    let info = client.get_table_types().await?;
    ensure!(texts(&rows(&mut client, &info).await?, 0) == ["SYSTEM TABLE", "TABLE", "VIEW"]);
    Ok(())
}

pub(crate) async fn keys(target: &Target) -> Result<()> {
    let mut client = target.client().await?;
    let (schema, city) = (Some("health".to_owned()), "city".to_owned());
    let filter = CommandGetPrimaryKeys { catalog: None, db_schema: schema.clone(), table: city.clone() };
    let info = client.get_primary_keys(filter).await?;
    let found = rows(&mut client, &info).await?;
    ensure!(texts(&found, 3) == ["bulletin", "date", "province_code", "city", "occurrence"], "{found:?}");
    let sequence = found.first().context("no row")?.column(5).as_primitive::<Int32Type>().values().to_vec();
    ensure!(sequence == [1, 2, 3, 4, 5], "{sequence:?}");
    let filter = CommandGetImportedKeys { catalog: None, db_schema: schema.clone(), table: city.clone() };
    let info = client.get_imported_keys(filter).await?;
    let found = rows(&mut client, &info).await?;
    ensure!(texts(&found, 7) == ["city_code", "province_code"], "{found:?}");
    let filter = CommandGetCrossReference {
        pk_table: "region".to_owned(),
        fk_db_schema: schema,
        fk_table: city,
        ..CommandGetCrossReference::default()
    };
    let info = client.get_cross_reference(filter).await?;
    ensure!(texts(&rows(&mut client, &info).await?, 2) == ["region", "region"]);
    Ok(())
}

pub(crate) async fn query_figures(client: &mut Client) -> Result<()> {
    ensure!(count(client, "SELECT count(*) FROM jhu.series").await? == 101_010);
    let found = query(client, "SELECT city FROM paper.daily WHERE date = DATE '2020-01-11'").await?;
    ensure!(texts(&found, 0) == ["武汉市"]);
    Ok(())
}

pub(crate) async fn query_pack(target: &Target) -> Result<()> {
    query_figures(&mut target.client().await?).await
}

pub(crate) async fn parameters(target: &Target) -> Result<()> {
    let mut client = target.client().await?;
    let sql = "SELECT confirmed FROM health.city WHERE bulletin = ? AND city = ? ORDER BY occurrence";
    let mut statement = client.prepare(sql.to_owned(), None).await?;
    let fields = statement.parameter_schema()?.fields().len();
    ensure!(fields == 2, "{fields} parameters");
    let bound = RecordBatch::try_from_iter([
        ("1", Arc::new(StringArray::from(vec!["2020-01-23浙江省", "2020-01-23浙江省"])) as _),
        ("2", Arc::new(StringArray::from(vec!["温州市", "杭州市"])) as _),
    ])?;
    statement.set_parameters(bound)?;
    let info = statement.execute().await?;
    let found = rows(&mut client, &info).await?;
    let values: Vec<i64> = found
        .iter()
        .flat_map(|batch| batch.column(0).as_primitive::<Int64Type>().values().to_vec())
        .collect();
    ensure!(values.starts_with(&[6, 1]) && values.len() > 2, "{values:?}");
    statement.close().await?;
    let mut statement = client.prepare("SELECT CAST(? AS DATE), CAST(? AS BIGINT)".to_owned(), None).await?;
    let bound = RecordBatch::try_from_iter([
        ("1", Arc::new(arrow::array::Date32Array::from(vec![18_321])) as _),
        ("2", Arc::new(Int64Array::from(vec![None::<i64>])) as _),
    ])?;
    statement.set_parameters(bound)?;
    let info = statement.execute().await?;
    let found = rows(&mut client, &info).await?;
    let batch = found.first().context("no row")?;
    ensure!(
        batch.column(0).as_primitive::<Date32Type>().value(0) == 18_321 && batch.column(1).null_count() == 1
    );
    Ok(())
}

pub(crate) async fn ingestion(target: &Target) -> Result<()> {
    let mut client = target.client().await?;
    let batch = RecordBatch::try_from_iter([(
        "n",
        Arc::new(Int64Array::from_iter_values(0..1000)) as arrow::array::ArrayRef,
    )])?;
    let command = CommandStatementIngest {
        table_definition_options: Some(TableDefinitionOptions {
            if_not_exist: TableNotExistOption::Create.into(),
            if_exists: TableExistsOption::Replace.into(),
        }),
        table: "rust_client".to_owned(),
        ..CommandStatementIngest::default()
    };
    let stored = client.execute_ingest(command, stream::iter([Ok(batch)])).await?;
    ensure!(stored == 1000, "{stored} rows stored");
    let found = count(&mut client, "SELECT sum(n) FROM rust_client").await?;
    ensure!(found == 999 * 500, "{found}");
    client.execute_update("DROP TABLE rust_client".to_owned(), None).await?;
    Ok(())
}

pub(crate) async fn large(target: &Target) -> Result<()> {
    let mut client = target.client().await?;
    let info = client.execute(LARGE.to_owned(), None).await?;
    let ticket = info.endpoint.first().and_then(|endpoint| endpoint.ticket.clone()).context("no ticket")?;
    let mut stream = client.do_get(ticket).await?;
    let (mut rows, mut sum) = (0_usize, 0_i64);
    while let Some(batch) = stream.try_next().await? {
        rows += batch.num_rows();
        for code in batch.column(2).as_string::<i32>().iter() {
            sum += code.context("a code is NULL")?.parse::<i64>()?;
        }
    }
    let expected = count(&mut client, "SELECT 101010 * sum(CAST(code AS BIGINT)) FROM ref.province").await?;
    ensure!((rows, sum) == (3_131_310, expected), "{rows} rows, sum {sum}, expected {expected}");
    Ok(())
}

pub(crate) async fn cancel(target: &Target) -> Result<()> {
    let mut client = target.client().await?;
    let info = client.execute(SLOW.to_owned(), None).await?;
    let ticket = info.endpoint.first().and_then(|endpoint| endpoint.ticket.clone()).context("no ticket")?;
    let mut reader = target.client().await?;
    let reading = tokio::spawn(async move { reader.do_get(ticket).await?.try_collect::<Vec<_>>().await });
    tokio::time::sleep(Duration::from_millis(500)).await;
    let started = Instant::now();
    let action = Action::new("CancelFlightInfo", CancelFlightInfoRequest::new(info).encode_to_vec());
    let mut request = action.into_request();
    let bearer = format!("Bearer {}", client.token().context("no token")?);
    request.metadata_mut().insert("authorization", bearer.parse()?);
    let mut results = client.inner_mut().do_action(request).await?.into_inner();
    let body = results.message().await?.context("no result")?.body;
    let status = CancelFlightInfoResult::decode(body)?.status;
    ensure!(status == i32::from(CancelStatus::Cancelled), "status {status}");
    ensure!(reading.await?.is_err(), "the query ended before it was cancelled");
    ensure!(started.elapsed() < Duration::from_secs(10), "cancelling took too long");
    ensure!(count(&mut client, "SELECT 1").await? == 1);
    Ok(())
}

pub(crate) async fn errors(target: &Target) -> Result<()> {
    let mut client = target.client().await?;
    for (sql, names) in
        [("SELECT confirmd FROM health.city", "confirmd"), ("SELECT * FROM health.village", "health.village")]
    {
        match client.execute(sql.to_owned(), None).await {
            Ok(_) => bail!("{sql} was run"),
            Err(error) => ensure!(error.to_string().contains(names), "{error}"),
        }
    }
    ensure!(count(&mut client, "SELECT 1").await? == 1);
    Ok(())
}

pub(crate) async fn tls(target: &Target) -> Result<()> {
    for (address, own) in [(&target.tls_address, false), (&target.mtls_address, true)] {
        let endpoint = Endpoint::new(format!("https://{address}"))?.tls_config(target.tls(own)?)?;
        let mut client = target.signed_in(endpoint.connect().await?).await?;
        query_figures(&mut client).await.with_context(|| format!("own certificate: {own}"))?;
    }
    let strangers = [
        (&target.tls_address, ClientTlsConfig::new().with_native_roots(), "without the authority"),
        (&target.mtls_address, target.tls(false)?, "without a certificate of its own"),
    ];
    for (address, config, how) in strangers {
        let endpoint = Endpoint::new(format!("https://{address}"))?.tls_config(config)?;
        let connected = async { target.signed_in(endpoint.connect().await?).await };
        ensure!(connected.await.is_err(), "{how} the server was trusted or trusts");
    }
    Ok(())
}
