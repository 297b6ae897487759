//! Requests that the Flight endpoint must refuse: each with its gRPC status and what the message must name,
//! and nothing committed afterwards.

use anyhow::{Context as _, Result, ensure};
use arrow_flight::sql::{CommandPreparedStatementQuery, ProstMessageExt as _, TicketStatementQuery};
use arrow_flight::{HandshakeRequest, Ticket};
use bytes::Bytes;
use futures::TryStreamExt as _;
use prost::Message as _;
use tonic::{Code, Request};

use crate::client::{Client, connect, login, query, rows, status};
use crate::program::Server;
use crate::said::{Said, write_down};
use crate::store::{commits, pooled};

const SQL: [(&str, Code, &str); 24] = [
    ("", Code::InvalidArgument, "statement"),
    ("SELEC 1", Code::InvalidArgument, "line 1"),
    ("SELECT 1 +", Code::InvalidArgument, "expected"),
    ("SELECT 1; SELECT 2", Code::InvalidArgument, "statement"),
    ("SELECT confirmd FROM health.city", Code::InvalidArgument, "confirmd"),
    ("SELECT nosuchfunction(1)", Code::InvalidArgument, "nosuchfunction"),
    ("SELECT sum(city) FROM health.city", Code::InvalidArgument, "sum"),
    ("SELECT province, count(*) FROM health.city", Code::InvalidArgument, "group by"),
    ("SELECT CAST('x' AS INT)", Code::InvalidArgument, "x"),
    ("SELECT 1 / (confirmed - confirmed) FROM health.city", Code::InvalidArgument, "zero"),
    ("SELECT * FROM health.village", Code::NotFound, "health.village"),
    ("SELECT * FROM nowhere.city", Code::NotFound, "nowhere.city"),
    ("SELECT * FROM city", Code::NotFound, "city"),
    ("SELECT * FROM '/etc/passwd'", Code::NotFound, "passwd"),
    ("INSERT INTO health.city SELECT * FROM health.city", Code::InvalidArgument, "read"),
    ("UPDATE health.city SET confirmed = 0", Code::InvalidArgument, "read"),
    ("DELETE FROM health.city", Code::InvalidArgument, "read"),
    ("DROP TABLE health.city", Code::InvalidArgument, "read"),
    ("CREATE TABLE health.x AS SELECT 1", Code::InvalidArgument, "read"),
    ("CREATE VIEW health.x AS SELECT 1", Code::Unimplemented, "in a sandbox"),
    ("CREATE EXTERNAL TABLE x STORED AS CSV LOCATION '/etc/passwd'", Code::InvalidArgument, "fileformat"),
    ("COPY (SELECT 1) TO '/tmp/basin-must-not-write.csv'", Code::InvalidArgument, "read"),
    ("SET datafusion.execution.batch_size = 1", Code::InvalidArgument, "set is not accepted"),
    ("TRUNCATE TABLE health.city", Code::InvalidArgument, "read"),
];

#[tokio::test(flavor = "multi_thread")]
async fn bad_sql_is_refused() -> Result<()> {
    let store = &pooled()?.path;
    let before = commits(store)?;
    let server = Server::serve(store)?;
    let mut client = login(server.address()).await?;
    let (mut wrong, mut said_so) = (Vec::new(), Vec::new());
    for (sql, code, says) in SQL {
        match query(&mut client, sql).await {
            Ok(batches) => wrong.push(format!("{sql}: succeeded with {} batches", batches.len())),
            Err(error) => {
                let status = status(error)?;
                said_so.push(Said {
                    input: format!("`{sql}`"),
                    outcome: format!("{:?}", status.code()),
                    message: status.message().to_owned(),
                });
                if status.code() != code || !status.message().to_lowercase().contains(says) {
                    wrong.push(format!(
                        "{sql}: {:?} (expected {code:?}, {says}): {}",
                        status.code(),
                        status.message()
                    ));
                }
            }
        }
    }
    write_down("4-statements", "Statements, through Flight SQL", &said_so)?;
    ensure!(wrong.is_empty(), "{} are wrong:\n{}", wrong.len(), wrong.join("\n"));
    ensure!(
        rows(&mut client, "SELECT count(*) FROM health.city").await? == [["5247".to_owned()]],
        "rows changed"
    );
    ensure!(commits(store)? == before, "something was committed");
    Ok(())
}

/// Handshakes and gives the status it is refused with.
async fn refused_handshake(client: &mut Client, authorization: Option<&str>) -> Result<tonic::Status> {
    let first = HandshakeRequest { protocol_version: 0, payload: Bytes::new() };
    let mut request = Request::new(futures::stream::iter([first]));
    if let Some(value) = authorization {
        request.metadata_mut().insert("authorization", value.parse()?);
    }
    let reply = client.inner_mut().handshake(request).await;
    reply.err().context("the handshake succeeded")
}

#[tokio::test(flavor = "multi_thread")]
async fn strangers_are_refused() -> Result<()> {
    let server = Server::serve(&pooled()?.path)?;
    let mut client = connect(server.address()).await?;
    // analyst:wrong, nobody:wrong, a header that isn't base64, a scheme that doesn't exist, none
    let refused = [
        Some("Basic YW5hbHlzdDp3cm9uZw=="),
        Some("Basic bm9ib2R5Ondyb25n"),
        Some("Basic ???"),
        Some("Digest x"),
        None,
    ];
    let mut messages = Vec::new();
    for authorization in refused {
        let status = refused_handshake(&mut client, authorization).await?;
        ensure!(status.code() == Code::Unauthenticated, "{authorization:?}: {status:?}");
        messages.push(status.message().to_owned());
    }
    let without_ids: Vec<String> = messages.iter().take(2).map(|message| letters(message)).collect();
    ensure!(
        without_ids.windows(2).all(|pair| pair[0] == pair[1]),
        "tells users from strangers: {messages:?}"
    );
    for token in [None, Some("forged"), Some("AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA")] {
        client.clear_token();
        if let Some(token) = token {
            client.set_token(token.to_owned());
        }
        let error = query(&mut client, "SELECT 1").await.err().context("a stranger was served")?;
        let status = status(error)?;
        ensure!(status.code() == Code::Unauthenticated, "{token:?}: {status:?}");
    }
    Ok(())
}

/// A message without what differs by request: digits and hexadecimal ids.
fn letters(message: &str) -> String {
    message
        .split_whitespace()
        .filter(|word| !word.contains(|c: char| c.is_ascii_digit()))
        .collect::<Vec<_>>()
        .join(" ")
}

async fn ticket_status(client: &mut Client, ticket: Vec<u8>) -> Result<Code> {
    let stream = match client.do_get(Ticket { ticket: ticket.into() }).await {
        Ok(stream) => stream,
        Err(error) => return Ok(status(error)?.code()),
    };
    let rest = stream.try_collect::<Vec<_>>().await;
    Ok(status(rest.err().context("a forged ticket was served")?)?.code())
}

#[tokio::test(flavor = "multi_thread")]
async fn forged_tickets_and_handles_are_refused() -> Result<()> {
    let server = Server::serve(&pooled()?.path)?;
    let mut client = login(server.address()).await?;
    let info = client.execute("SELECT count(*) FROM health.city".to_owned(), None).await?;
    let good = info.endpoint.first().and_then(|endpoint| endpoint.ticket.clone()).context("a ticket")?.ticket;
    let mut tampered = good.to_vec();
    let last = tampered.len().checked_sub(3).context("a short ticket")?;
    tampered[last] ^= 1;
    let statement =
        TicketStatementQuery { statement_handle: Bytes::from_static(b"SELECT * FROM health.city") };
    let prepared = CommandPreparedStatementQuery { prepared_statement_handle: Bytes::from_static(b"forged") };
    let forged = [
        Vec::new(),
        b"forged".to_vec(),
        tampered,
        statement.as_any().encode_to_vec(),
        prepared.as_any().encode_to_vec(),
    ];
    for ticket in forged {
        let code = ticket_status(&mut client, ticket.clone()).await?;
        let refused = [Code::InvalidArgument, Code::NotFound, Code::Unauthenticated, Code::PermissionDenied];
        ensure!(refused.contains(&code), "{:?}: {code:?}", String::from_utf8_lossy(&ticket));
    }
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn unbound_parameters_are_refused() -> Result<()> {
    let server = Server::serve(&pooled()?.path)?;
    let mut client = login(server.address()).await?;
    let mut statement = client.prepare("SELECT * FROM health.city WHERE city = ?".to_owned(), None).await?;
    let code = match statement.execute().await {
        Err(error) => status(error)?.code(),
        Ok(info) => {
            let ticket =
                info.endpoint.first().and_then(|endpoint| endpoint.ticket.clone()).context("a ticket")?;
            ticket_status(&mut client, ticket.ticket.to_vec()).await?
        }
    };
    ensure!(code == Code::InvalidArgument, "{code:?}");
    Ok(())
}
