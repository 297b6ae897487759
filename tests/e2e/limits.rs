//! Limits on the wire: what is too large is refused by name and the connection goes on; what is only wide,
//! empty or numerous works.

use anyhow::{Context as _, Result, ensure};
use arrow::util::display::array_value_to_string;
use arrow_flight::sql::{
    ActionCreatePreparedStatementRequest, ActionCreatePreparedStatementResult, Any,
    CommandPreparedStatementQuery, ProstMessageExt as _,
};
use arrow_flight::{Action, Ticket};
use bytes::Bytes;
use futures::TryStreamExt as _;
use prost::Message as _;
use tonic::Code;

use crate::client::{Client, login, query, rows, status};
use crate::program::Server;
use crate::store::pooled;

const MIB: usize = 1024 * 1024;

/// Fetches a result and checks that its schema is that of its FlightInfo; gives the columns' names and the
/// number of rows.
async fn fetch(client: &mut Client, sql: String) -> Result<(Vec<String>, usize)> {
    let info = client.execute(sql, None).await?;
    let promised = info.clone().try_decode_schema()?;
    let ticket = info.endpoint.first().and_then(|endpoint| endpoint.ticket.clone()).context("a ticket")?;
    let mut stream = client.do_get(ticket).await?;
    let mut rows = 0;
    while let Some(batch) = stream.try_next().await? {
        rows += batch.num_rows();
    }
    ensure!(stream.schema().context("no schema arrived")?.as_ref() == &promised, "another schema arrived");
    Ok((promised.fields().iter().map(|field| field.name().clone()).collect(), rows))
}

#[tokio::test(flavor = "multi_thread")]
async fn a_cell_above_the_message_limit_is_named_and_the_connection_goes_on() -> Result<()> {
    let server = Server::serve(&pooled()?.path)?;
    let mut client = login(server.address()).await?;
    let sql = format!("SELECT 1 AS id, repeat('x', {}) AS report", 17 * MIB);
    let error = query(&mut client, &sql).await.err().context("17 MiB in one cell were sent")?;
    let status = status(error)?;
    ensure!(status.code() == Code::ResourceExhausted, "{status:?}");
    for said in ["\"report\"", "16 MiB", "substr"] {
        ensure!(status.message().contains(said), "{said} is not in: {}", status.message());
    }
    ensure!(rows(&mut client, "SELECT 1").await? == [["1".to_owned()]], "the connection is broken");
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_schema_of_more_than_a_mebibyte_arrives() -> Result<()> {
    let server = Server::serve(&pooled()?.path)?;
    let mut client = login(server.address()).await?;
    let columns: Vec<String> =
        (0..200).map(|column| format!("{column} AS \"c{column}_{}\"", "x".repeat(1_000))).collect();
    let six = (0..6).map(|copy| format!("t t{copy}")).collect::<Vec<_>>().join(", ");
    let sql = format!("WITH t AS (SELECT {}) SELECT * FROM {six}", columns.join(", "));
    let (names, rows) = fetch(&mut client, sql).await?;
    let bytes: usize = names.iter().map(String::len).sum();
    ensure!(bytes > MIB, "the names have only {bytes} bytes");
    ensure!((names.len(), rows) == (1_200, 1), "{} columns, {rows} rows", names.len());
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn two_thousand_columns_arrive_with_their_values() -> Result<()> {
    let server = Server::serve(&pooled()?.path)?;
    let mut client = login(server.address()).await?;
    let columns: Vec<String> = (0..2_000).map(|column| format!("value + {column} AS c{column}")).collect();
    let sql = format!("SELECT {} FROM generate_series(1, 3) ORDER BY value", columns.join(", "));
    let found = rows(&mut client, &sql).await?;
    let expected: Vec<Vec<String>> =
        (1..=3).map(|value| (0..2_000).map(|column| (value + column).to_string()).collect()).collect();
    ensure!(found == expected, "other values");
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn an_empty_result_has_its_schema() -> Result<()> {
    let server = Server::serve(&pooled()?.path)?;
    let mut client = login(server.address()).await?;
    let sql = "SELECT city, confirmed FROM health.city WHERE city = 'nowhere'".to_owned();
    let (names, rows) = fetch(&mut client, sql).await?;
    ensure!((names.as_slice(), rows) == (["city".to_owned(), "confirmed".to_owned()].as_slice(), 0));
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_result_without_columns_keeps_its_rows() -> Result<()> {
    let server = Server::serve(&pooled()?.path)?;
    let mut client = login(server.address()).await?;
    let sql = "SELECT FROM generate_series(1, 3)".to_owned();
    let (names, rows) = fetch(&mut client, sql).await?;
    ensure!((names.len(), rows) == (0, 3), "{names:?}, {rows} rows");
    Ok(())
}

const PREPARED: usize = 10_000;
/// Tasks that prepare side by side.
const SIDE_BY_SIDE: usize = 8;
/// What the server may grow by while 9,000 statements are prepared: kept plans would take more than 10 KiB each.
const GROWTH_BYTES: u64 = 32 * 1024 * 1024;

/// Makes a prepared statement and gives its handle. It reads the answer to its end: arrow-flight's own `prepare`
/// breaks each stream off, and the HTTP/2 library gives a connection up after some thousand of those.
async fn prepare(client: &mut Client, number: usize) -> Result<Bytes> {
    let query = format!("SELECT {number} AS n");
    let request = ActionCreatePreparedStatementRequest { query, transaction_id: None };
    let body = Any::encode_to_vec(&request.as_any());
    let mut answer = client.do_action(Action::new("CreatePreparedStatement", body)).await?;
    let made = answer.message().await?.context("no statement was made")?;
    ensure!(answer.message().await?.is_none(), "two answers to one request");
    let made = Any::decode(made.body)?.unpack::<ActionCreatePreparedStatementResult>()?;
    Ok(made.context("another answer")?.prepared_statement_handle)
}

/// Prepares the statements of these numbers over several tasks; gives each with its number.
async fn prepare_all(client: &Client, numbers: std::ops::Range<usize>) -> Result<Vec<(usize, Bytes)>> {
    let each = numbers.len().div_ceil(SIDE_BY_SIDE);
    let mut tasks = Vec::new();
    for start in numbers.clone().step_by(each) {
        let (mut client, part) = (client.clone(), start..numbers.end.min(start + each));
        tasks.push(tokio::spawn(async move {
            let mut made = Vec::with_capacity(part.len());
            for number in part {
                made.push((number, prepare(&mut client, number).await?));
            }
            anyhow::Ok(made)
        }));
    }
    let mut made = Vec::new();
    for task in tasks {
        made.extend(task.await??);
    }
    Ok(made)
}

/// Runs a prepared statement and gives the one number in its result.
async fn run_prepared(client: &mut Client, handle: Bytes) -> Result<usize> {
    let query = CommandPreparedStatementQuery { prepared_statement_handle: handle };
    let ticket = Ticket::new(Any::encode_to_vec(&query.as_any()));
    let batches: Vec<_> = client.do_get(ticket).await?.try_collect().await?;
    let column = batches.first().context("no rows")?.column(0);
    Ok(array_value_to_string(column, 0)?.parse()?)
}

#[tokio::test(flavor = "multi_thread")]
async fn ten_thousand_prepared_statements_work_and_take_no_memory() -> Result<()> {
    let server = Server::serve(&pooled()?.path)?;
    let mut client = login(server.address()).await?;
    let mut statements = prepare_all(&client, 0..PREPARED / 10).await?;
    let before = server.resident_bytes()?;
    statements.extend(prepare_all(&client, PREPARED / 10..PREPARED).await?);
    let grown = server.resident_bytes()?.saturating_sub(before);
    ensure!(grown < GROWTH_BYTES, "9,000 more statements took {grown} bytes");
    ensure!(statements.len() == PREPARED, "{} statements", statements.len());
    for (number, handle) in statements.into_iter().step_by(PREPARED / 100) {
        let found = run_prepared(&mut client, handle).await?;
        ensure!(found == number, "statement {number} gave {found}");
    }
    Ok(())
}
