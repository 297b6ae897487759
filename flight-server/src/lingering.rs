//! Lingering: a connection that is closed so that its last bytes arrive.
//!
//! A socket that is dropped while something of its client is still unread is reset, and what was sent but not taken yet is
//! lost: the end of a result, where the client just told that it has room for more. So the server says that it sends no
//! more, and reads for a short time what still comes. A client that says nothing at first is not waited for.

use std::io;
use std::net::SocketAddr;
use std::pin::Pin;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::TcpStream;
use tokio::time::Sleep;
use tonic::transport::server::Connected;

use crate::connections::Counted;

/// How long a client gets to take what is left and to close.
const PATIENCE: Duration = Duration::from_secs(2);

/// A client that opens a connection says something within this, or it is closed.
const FIRST_WORD: Duration = Duration::from_secs(10);
/// What a client of HTTP/2 says first is longer than this, and so is what one of TLS does.
const FIRST_WORD_BYTES: usize = 24;

/// A connection.
#[derive(Debug)]
pub(crate) struct Lingering<S = TcpStream> {
    stream: S,
    /// Set once nothing more is sent.
    until: Option<Pin<Box<Sleep>>>,
    /// Set until the client has said something.
    silent: Option<Silent>,
    counted: Option<Counted>,
}

/// A client that has not said enough yet.
#[derive(Debug)]
struct Silent {
    until: Pin<Box<Sleep>>,
    heard: usize,
}

/// What is known of a connection, for the calls that come over it.
#[derive(Debug, Clone, Copy)]
pub(crate) struct ConnectionInfo {
    /// The other end.
    pub(crate) address: Option<SocketAddr>,
    /// The limit that it is beyond; none when it is within.
    pub(crate) refused: Option<usize>,
}

impl<S> Lingering<S> {
    fn new(stream: S, counted: Option<Counted>) -> Self {
        let silent = Silent { until: Box::pin(tokio::time::sleep(FIRST_WORD)), heard: 0 };
        Self { stream, until: None, silent: Some(silent), counted }
    }

    /// Wraps a connection that is counted.
    pub(crate) fn counted(stream: S, counted: Counted) -> Self {
        Self::new(stream, Some(counted))
    }
}

impl Connected for Lingering {
    type ConnectInfo = ConnectionInfo;

    fn connect_info(&self) -> ConnectionInfo {
        ConnectionInfo {
            address: self.stream.peer_addr().ok(),
            refused: self.counted.as_ref().and_then(Counted::refused),
        }
    }
}

impl<S: AsyncRead + Unpin> AsyncRead for Lingering<S> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let before = buffer.filled().len();
        let read = Pin::new(&mut self.stream).poll_read(cx, buffer);
        let Some(silent) = &mut self.silent else { return read };
        silent.heard += buffer.filled().len() - before;
        if silent.heard >= FIRST_WORD_BYTES {
            self.silent = None;
            return read;
        }
        match read {
            Poll::Pending => silent.until.as_mut().poll(cx).map(|()| Err(io::ErrorKind::TimedOut.into())),
            Poll::Ready(read) => Poll::Ready(read),
        }
    }
}

impl<S: AsyncRead + AsyncWrite + Unpin> AsyncWrite for Lingering<S> {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.stream).poll_write(cx, bytes)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        parts: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.stream).poll_write_vectored(cx, parts)
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(cx)
    }

    fn poll_shutdown(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let this = self.get_mut();
        if this.until.is_none() {
            ready!(Pin::new(&mut this.stream).poll_shutdown(cx))?;
        }
        let until = this.until.get_or_insert_with(|| Box::pin(tokio::time::sleep(PATIENCE)));
        let mut scratch = [0; 4096];
        loop {
            let mut buffer = ReadBuf::new(&mut scratch);
            match Pin::new(&mut this.stream).poll_read(cx, &mut buffer) {
                Poll::Ready(Ok(())) if !buffer.filled().is_empty() => {}
                // The client has closed, in whatever way.
                Poll::Ready(_) => return Poll::Ready(Ok(())),
                Poll::Pending => return until.as_mut().poll(cx).map(Ok),
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use tokio::io::{AsyncReadExt, AsyncWriteExt};
    use tokio::net::TcpListener;

    const ANSWER: usize = 32 << 20;

    /// Sends an answer, while the client says what nobody reads, and closes; returns how much of it arrived.
    async fn received<S: AsyncWrite + Unpin + Send + 'static>(wrap: fn(TcpStream) -> S) -> io::Result<usize> {
        let listener = TcpListener::bind(("127.0.0.1", 0)).await?;
        let mut client = TcpStream::connect(listener.local_addr()?).await?;
        let (accepted, _) = listener.accept().await?;
        client.write_all(&[1; 100_000]).await?;
        let server = tokio::spawn(async move {
            let mut server = wrap(accepted);
            server.write_all(&vec![7; ANSWER]).await?;
            server.shutdown().await
        });
        let (mut all, mut part) = (0, vec![0; 1 << 20]);
        loop {
            // Slower than the server.
            tokio::time::sleep(Duration::from_millis(5)).await;
            match client.read(&mut part).await? {
                0 => break,
                bytes => all += bytes,
            }
        }
        drop(client);
        server.await.map_err(io::Error::other)??;
        Ok(all)
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn all_that_was_sent_arrives() {
        assert_eq!(received(|stream| Lingering::new(stream, None)).await.unwrap(), ANSWER);
        // What it is for: a plain connection loses the end.
        let plain = received(|stream| stream).await;
        assert!(plain.is_err() || plain.is_ok_and(|bytes| bytes < ANSWER));
    }

    #[tokio::test]
    async fn a_client_that_never_closes_is_not_waited_for_for_long() {
        let (_client, server) = tokio::io::duplex(64);
        let begun = tokio::time::Instant::now();
        Lingering::new(server, None).shutdown().await.unwrap();
        assert!((PATIENCE..PATIENCE * 2).contains(&begun.elapsed()), "{:?}", begun.elapsed());
    }
}
