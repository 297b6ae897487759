//! Floods: a thousand connections that say nothing, readers that hardly read, connections that come and go, streams that are
//! reset as soon as they are opened. A small question ten times a second is answered throughout, and memory stays bounded by
//! figures that are printed.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use anyhow::{Context as _, Result, ensure};
use arrow_flight::flight_service_client::FlightServiceClient;
use arrow_flight::sql::client::FlightSqlServiceClient;
use futures::TryStreamExt as _;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tonic::Code;
use tonic::transport::Channel;

use crate::bombs::{p99, probe};
use crate::client::{Client, connect, login, query, status};
use crate::program::Server;
use crate::store::{PASSWORD, USER, pooled, pooled_copy};

const IDLE: usize = 1_000;
const SLOW: usize = 20;
const RAPID: usize = 200;
const RESETS: u32 = 2_000;
/// What an idle connection may take.
const IDLE_BYTES: u64 = 50_000;
/// What a slow reader may take: some fifteen batches of the result, of 0.9 MB each, on their way through the operators, the
/// encoding and the connection.
const SLOW_BYTES: u64 = 16 * 1024 * 1024;

/// What a client of HTTP/2 says first: the preface and an empty SETTINGS frame.
const PREFACE: &[u8] = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\0\0\0\x04\0\0\0\0\0";

/// A connection that has said its preface and says nothing more.
async fn idle(address: &str) -> Result<TcpStream> {
    let mut stream = TcpStream::connect(address).await?;
    stream.write_all(PREFACE).await?;
    let mut heard = [0; 9];
    stream.read_exact(&mut heard).await?;
    Ok(stream)
}

/// One frame of HTTP/2.
fn frame(kind: u8, flags: u8, stream: u32, payload: &[u8]) -> Result<Vec<u8>> {
    let length = u32::try_from(payload.len())?.to_be_bytes();
    let [_, length @ ..] = length;
    Ok([&length[..], &[kind, flags], &stream.to_be_bytes(), payload].concat())
}

/// The headers of a Flight call, each spelled out (RFC 7541, static table: 3 is POST, 6 is http, 4 is :path, 31 is
/// content-type).
fn headers() -> Vec<u8> {
    let path = b"/arrow.flight.protocol.FlightService/GetFlightInfo";
    let kind = b"application/grpc";
    let text = |text: &[u8]| [&[u8::try_from(text.len()).unwrap_or(0)], text].concat();
    [&[0x83, 0x86, 0x04][..], &text(path), &[0x0f, 0x10], &text(kind)].concat()
}

/// Opens streams and resets each at once.
async fn resets(address: &str) -> Result<()> {
    let mut stream = idle(address).await?;
    let headers = headers();
    for number in 0..RESETS {
        let id = number * 2 + 1;
        let call = frame(1, 4, id, &headers)?;
        let reset = frame(3, 0, id, &8_u32.to_be_bytes())?;
        if stream.write_all(&[call, reset].concat()).await.is_err() {
            // The server has had enough of this client, which is as good.
            break;
        }
    }
    Ok(())
}

/// A client whose windows are as small as HTTP/2 knows them.
async fn narrow(address: &str) -> Result<Client> {
    let channel = Channel::from_shared(format!("http://{address}"))?
        .initial_stream_window_size(65_535)
        .initial_connection_window_size(65_535)
        .connect()
        .await?;
    let mut client = FlightSqlServiceClient::new_from_inner(FlightServiceClient::new(channel));
    client.handshake(USER, PASSWORD).await?;
    Ok(client)
}

/// Reads a large result at about a kilobyte a second, which is: hardly.
async fn read_slowly(address: String, over: Arc<AtomicBool>) -> Result<()> {
    let mut client = narrow(&address).await?;
    let sql = "SELECT value, repeat('x', 100) AS text FROM generate_series(1, 1000000000)".to_owned();
    let info = client.execute(sql, None).await?;
    let ticket = info.endpoint.first().and_then(|endpoint| endpoint.ticket.clone()).context("a ticket")?;
    let mut stream = client.do_get(ticket).await?;
    stream.try_next().await?.context("no rows")?;
    while !over.load(Ordering::Relaxed) {
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn floods_delay_nobody_and_take_bounded_memory() -> Result<()> {
    let store = pooled_copy()?;
    let server = Server::configured(
        store.path(),
        store.path(),
        "[engine]\nmax_running = 64\nmax_running_of_user = 60\nhot_columns_mib = 64\n",
    )?;
    let address = server.address().to_owned();
    let mut bystander = login(&address).await?;
    let quiet = p99(&probe(&mut bystander, |asked| asked == 30).await?);
    let over = Arc::new(AtomicBool::new(false));
    let probing = tokio::spawn({
        let over = Arc::clone(&over);
        async move { probe(&mut bystander, |_| over.load(Ordering::Relaxed)).await }
    });

    let before = server.resident_bytes()?;
    let mut connections = Vec::with_capacity(IDLE);
    for number in 0..IDLE {
        connections.push(idle(&address).await.with_context(|| format!("idle connection {number}"))?);
    }
    let each = server.resident_bytes()?.saturating_sub(before) / IDLE as u64;
    println!("{IDLE} idle connections: {each} bytes each");
    ensure!(each < IDLE_BYTES, "an idle connection takes {each} bytes");

    // What the first few take is taken once: threads, plans, pages of the allocator.
    let reading = |readers: usize| -> Vec<_> {
        (0..readers).map(|_| tokio::spawn(read_slowly(address.clone(), Arc::clone(&over)))).collect()
    };
    let mut slow = reading(SLOW / 2);
    tokio::time::sleep(Duration::from_secs(3)).await;
    let before = server.resident_bytes()?;
    slow.extend(reading(SLOW));
    tokio::time::sleep(Duration::from_secs(5)).await;
    let each = server.resident_bytes()?.saturating_sub(before) / SLOW as u64;
    println!("{SLOW} slow readers: {} KiB each", each / 1024);
    ensure!(each < SLOW_BYTES, "a slow reader takes {each} bytes");

    for number in 0..RAPID {
        if number % 2 == 0 {
            drop(TcpStream::connect(&address).await?);
        } else {
            drop(idle(&address).await?);
        }
    }
    for _ in 0..5 {
        resets(&address).await?;
    }
    over.store(true, Ordering::Relaxed);
    let beside = probing.await??;
    println!("{} small questions beside the floods: p99 {:?}, alone {quiet:?}", beside.len(), p99(&beside));
    for reader in slow {
        reader.await??;
    }
    drop(connections);
    ensure!(server.stop()? == Some(0));
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_connection_too_many_is_told_so() -> Result<()> {
    let folder = tempfile::tempdir()?;
    let server =
        Server::configured(&pooled()?.path, folder.path(), "[server]\nmax_connections = 3\nworkers = 1\n")?;
    let mut first = login(server.address()).await?;
    let _others = [idle(server.address()).await?, idle(server.address()).await?];
    let mut refused = connect(server.address()).await?;
    let error = query(&mut refused, "SELECT 1").await.err().context("a fourth connection was let in")?;
    let status = status(error)?;
    ensure!(
        status.code() == Code::ResourceExhausted && status.message().contains("3 connections"),
        "{status:?}"
    );
    ensure!(status.metadata().contains_key("retry-after"), "{status:?}");
    query(&mut first, "SELECT 1").await?;
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_connection_that_says_nothing_is_closed() -> Result<()> {
    let server = Server::serve(&pooled()?.path)?;
    let mut silent = TcpStream::connect(server.address()).await?;
    silent.write_all(b"PRI * HT").await?;
    let mut heard = Vec::new();
    // What it is told before it is closed is the server's matter; the end comes.
    let ended = tokio::time::timeout(Duration::from_secs(30), silent.read_to_end(&mut heard)).await;
    ensure!(ended.is_ok(), "a connection without a preface is kept");
    Ok(())
}
