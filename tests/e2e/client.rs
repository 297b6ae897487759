//! A Flight SQL client: connects as a user, runs SQL, gives rows as text and errors as gRPC status.

use anyhow::{Context as _, Result, anyhow, bail};
use arrow::array::RecordBatch;
use arrow::util::display::{ArrayFormatter, FormatOptions};
use arrow_flight::error::FlightError;
use arrow_flight::sql::client::FlightSqlServiceClient;
use futures::TryStreamExt as _;
use tonic::Status;
use tonic::transport::Channel;

use crate::store::{PASSWORD, USER};

/// The client that arrow-flight ships.
pub(crate) type Client = FlightSqlServiceClient<Channel>;

/// Opens a connection without a token.
pub(crate) async fn connect(address: &str) -> Result<Client> {
    let channel = Channel::from_shared(format!("http://{address}"))?.connect().await?;
    Ok(FlightSqlServiceClient::new(channel))
}

/// Opens a connection as the demo's analyst.
pub(crate) async fn login(address: &str) -> Result<Client> {
    let mut client = connect(address).await?;
    client.handshake(USER, PASSWORD).await.context("handshake")?;
    Ok(client)
}

/// Runs a statement and reads its whole result.
pub(crate) async fn query(
    client: &mut Client,
    sql: &str,
) -> std::result::Result<Vec<RecordBatch>, FlightError> {
    let info = client.execute(sql.to_owned(), None).await?;
    let mut batches = Vec::new();
    for endpoint in info.endpoint {
        let ticket = endpoint.ticket.ok_or_else(|| FlightError::protocol("an endpoint has no ticket"))?;
        batches.extend(client.do_get(ticket).await?.try_collect::<Vec<_>>().await?);
    }
    Ok(batches)
}

/// Runs a statement and gives each row's values as text, NULL as `NULL`.
pub(crate) async fn rows(client: &mut Client, sql: &str) -> Result<Vec<Vec<String>>> {
    let batches = query(client, sql).await.map_err(|error| anyhow!("{error}\n{sql}"))?;
    let mut rows = Vec::new();
    for batch in &batches {
        rows.extend(texts(batch)?);
    }
    Ok(rows)
}

fn texts(batch: &RecordBatch) -> Result<Vec<Vec<String>>> {
    let options = FormatOptions::new().with_null("NULL");
    let columns = batch
        .columns()
        .iter()
        .map(|column| ArrayFormatter::try_new(column.as_ref(), &options))
        .collect::<std::result::Result<Vec<_>, _>>()?;
    (0..batch.num_rows())
        .map(|row| columns.iter().map(|column| Ok(column.value(row).try_to_string()?)).collect())
        .collect()
}

/// The gRPC status in an error of the client.
pub(crate) fn status(error: FlightError) -> Result<Status> {
    match error {
        FlightError::Tonic(status) => Ok(*status),
        other => bail!("not a status: {other}"),
    }
}
