//! A proxy between the program and an S3 server that lets a part of the requests fail, from a seed.
//!
//! It forwards requests as they are, with the client's own Host: signatures stay valid. What it answers in the server's
//! place has the server's form. It knows nothing of what the objects mean.

use std::collections::BTreeMap;
use std::fmt;
use std::net::SocketAddr;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use anyhow::Result;
use bytes::Bytes;
use http_body_util::combinators::BoxBody;
use http_body_util::{BodyExt, Full, StreamBody};
use hyper::body::{Frame, Incoming};
use hyper::http::request::Parts;
use hyper::service::service_fn;
use hyper::{HeaderMap, Method, Request, Response, StatusCode, client, header, server};
use hyper_util::rt::TokioIo;
use rand::rngs::StdRng;
use rand::{RngExt as _, SeedableRng as _};
use tokio::net::{TcpListener, TcpStream};

use super::server::Background;

/// What can happen to a request.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Fault {
    /// 500, and nothing was done.
    InternalError,
    /// 503 with `Retry-After`.
    SlowDown,
    /// 429.
    TooManyRequests,
    /// The connection ends before the request is forwarded.
    Reset,
    /// The answer comes late.
    Slow,
    /// The answer's body breaks off.
    Truncated,
    /// The request is carried out, and the connection ends.
    ReplyLost,
    /// The request is carried out, and answered with 500.
    ReplyWrong,
    /// 409 on a conditional creation, and nothing was done.
    Conflict,
    /// A range that is shorter than the one asked for, in a well-formed answer.
    ShortRange,
}

/// Each with its weight; half of the creations that fail meet a conflict instead. A store that answers short ranges is rarer than one that fails.
const FAULTS: [(Fault, u32); 9] = [
    (Fault::InternalError, 10),
    (Fault::SlowDown, 6),
    (Fault::TooManyRequests, 10),
    (Fault::Reset, 10),
    (Fault::Slow, 10),
    (Fault::Truncated, 16),
    (Fault::ReplyLost, 12),
    (Fault::ReplyWrong, 8),
    (Fault::ShortRange, 2),
];
/// One request in so many fails.
const ONE_IN: u32 = 10;

/// A running proxy; it ends when dropped.
#[derive(Debug)]
pub(crate) struct Proxy {
    address: SocketAddr,
    shared: Arc<Shared>,
    _background: Background,
}

#[derive(Debug)]
struct Shared {
    upstream: SocketAddr,
    random: Mutex<StdRng>,
    failing: AtomicBool,
    requests: AtomicU64,
    faults: Mutex<BTreeMap<Fault, u64>>,
}

/// The connection ends here.
#[derive(Debug)]
struct Dropped;

impl fmt::Display for Dropped {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("dropped on purpose")
    }
}

impl std::error::Error for Dropped {}

type Body = BoxBody<Bytes, Dropped>;

impl Proxy {
    /// Starts a proxy before a server; requests fail once they are let.
    pub(crate) fn start(upstream: SocketAddr, seed: u64) -> Result<Self> {
        let shared = Arc::new(Shared {
            upstream,
            random: Mutex::new(StdRng::seed_from_u64(seed)),
            failing: AtomicBool::new(false),
            requests: AtomicU64::new(0),
            faults: Mutex::default(),
        });
        let background = Background::new()?;
        let (listener, address) = background.listen()?;
        background.runtime()?.spawn(serve(listener, Arc::clone(&shared)));
        Ok(Self { address, shared, _background: background })
    }

    pub(crate) fn endpoint(&self) -> String {
        format!("http://{}", self.address)
    }

    /// Lets requests fail from now on, or no more.
    pub(crate) fn fail(&self, failing: bool) {
        self.shared.failing.store(failing, Ordering::SeqCst);
    }

    /// Requests that came while some were let fail.
    pub(crate) fn requests(&self) -> u64 {
        self.shared.requests.load(Ordering::SeqCst)
    }

    /// How often each fault was made.
    pub(crate) fn faults(&self) -> BTreeMap<Fault, u64> {
        self.shared.faults.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

async fn serve(listener: TcpListener, shared: Arc<Shared>) {
    while let Ok((stream, _)) = listener.accept().await {
        let shared = Arc::clone(&shared);
        let answer = service_fn(move |request| Arc::clone(&shared).answer(request));
        tokio::spawn(server::conn::http1::Builder::new().serve_connection(TokioIo::new(stream), answer));
    }
}

impl Shared {
    async fn answer(self: Arc<Self>, request: Request<Incoming>) -> Result<Response<Body>, Dropped> {
        let (parts, body) = request.into_parts();
        let body = body.collect().await.map_err(|_| Dropped)?.to_bytes();
        let fault = self.draw(&parts);
        match fault {
            Some(Fault::InternalError) => return failure(StatusCode::INTERNAL_SERVER_ERROR, "InternalError"),
            Some(Fault::SlowDown) => return failure(StatusCode::SERVICE_UNAVAILABLE, "SlowDown"),
            Some(Fault::TooManyRequests) => return failure(StatusCode::TOO_MANY_REQUESTS, "TooManyRequests"),
            Some(Fault::Conflict) => return failure(StatusCode::CONFLICT, "ConditionalRequestConflict"),
            Some(Fault::Reset) => return Err(Dropped),
            Some(Fault::Slow) => tokio::time::sleep(self.pause()).await,
            Some(Fault::Truncated | Fault::ReplyLost | Fault::ReplyWrong | Fault::ShortRange) | None => {}
        }
        let is_head = parts.method == Method::HEAD;
        let (mut answer, bytes) = forward(self.upstream, parts, body).await.map_err(|_| Dropped)?;
        match fault {
            Some(Fault::ReplyLost) => return Err(Dropped),
            Some(Fault::ReplyWrong) => return failure(StatusCode::INTERNAL_SERVER_ERROR, "InternalError"),
            Some(Fault::Truncated) if bytes.is_empty() => return Err(Dropped),
            Some(Fault::Truncated) => {
                let half = bytes.slice(..bytes.len() / 2);
                let frames = [Ok(Frame::data(half)), Err(Dropped)];
                answer.headers.insert(header::CONTENT_LENGTH, bytes.len().into());
                return Ok(Response::from_parts(
                    answer,
                    BodyExt::boxed(StreamBody::new(futures::stream::iter(frames))),
                ));
            }
            Some(Fault::ShortRange) if answer.status == StatusCode::PARTIAL_CONTENT => {
                let half = bytes.slice(..bytes.len() / 2);
                shorten(&mut answer.headers, half.len());
                return Ok(Response::from_parts(answer, whole(half)));
            }
            Some(_) | None => {}
        }
        if !is_head {
            answer.headers.insert(header::CONTENT_LENGTH, bytes.len().into());
        }
        Ok(Response::from_parts(answer, whole(bytes)))
    }

    /// What happens to this request. Only ranges can be short.
    fn draw(&self, parts: &Parts) -> Option<Fault> {
        if !self.failing.load(Ordering::SeqCst) {
            return None;
        }
        self.requests.fetch_add(1, Ordering::SeqCst);
        let mut random = self.random.lock().unwrap_or_else(PoisonError::into_inner);
        if random.random_range(0..ONE_IN) != 0 {
            return None;
        }
        let mut at = random.random_range(0..FAULTS.iter().map(|(_, weight)| weight).sum());
        let conflict = parts.headers.contains_key(header::IF_NONE_MATCH) && random.random_bool(0.5);
        drop(random);
        let drawn = FAULTS.iter().find(|(_, weight)| match at.checked_sub(*weight) {
            Some(rest) => {
                at = rest;
                false
            }
            None => true,
        });
        let fault = match drawn.map(|(fault, _)| *fault) {
            _ if conflict => Fault::Conflict,
            Some(Fault::ShortRange) if !parts.headers.contains_key(header::RANGE) => Fault::Truncated,
            Some(fault) => fault,
            None => Fault::Reset,
        };
        *self.faults.lock().unwrap_or_else(PoisonError::into_inner).entry(fault).or_default() += 1;
        Some(fault)
    }

    fn pause(&self) -> Duration {
        let mut random = self.random.lock().unwrap_or_else(PoisonError::into_inner);
        Duration::from_millis(random.random_range(20..400))
    }
}

fn whole(bytes: Bytes) -> Body {
    Full::new(bytes).map_err(|never| match never {}).boxed()
}

fn failure(status: StatusCode, code: &str) -> Result<Response<Body>, Dropped> {
    let text =
        format!("<?xml version=\"1.0\"?><Error><Code>{code}</Code><Message>on purpose</Message></Error>");
    let mut answer = Response::builder().status(status);
    if status == StatusCode::SERVICE_UNAVAILABLE {
        answer = answer.header(header::RETRY_AFTER, "1");
    }
    answer.body(whole(text.into())).map_err(|_| Dropped)
}

/// Says of a range what half of it would say.
fn shorten(headers: &mut HeaderMap, bytes: usize) {
    let told = headers.get(header::CONTENT_RANGE).and_then(|value| value.to_str().ok()).unwrap_or_default();
    let first =
        told.trim_start_matches("bytes ").split('-').next().and_then(|first| first.parse::<usize>().ok());
    let size = told.split('/').nth(1).unwrap_or_default().to_owned();
    let (first, last) = (first.unwrap_or_default(), first.unwrap_or_default() + bytes.max(1) - 1);
    if let Ok(range) = format!("bytes {first}-{last}/{size}").parse() {
        headers.insert(header::CONTENT_RANGE, range);
    }
    headers.insert(header::CONTENT_LENGTH, bytes.into());
}

async fn forward(
    upstream: SocketAddr,
    mut parts: Parts,
    body: Bytes,
) -> Result<(hyper::http::response::Parts, Bytes)> {
    let stream = TcpStream::connect(upstream).await?;
    let (mut sender, connection) = client::conn::http1::handshake(TokioIo::new(stream)).await?;
    let driving = tokio::spawn(connection);
    parts.headers.remove(header::TRANSFER_ENCODING);
    let answer = sender.send_request(Request::from_parts(parts, Full::new(body))).await?;
    let (mut parts, body) = answer.into_parts();
    let bytes = body.collect().await?.to_bytes();
    driving.abort();
    parts.headers.remove(header::TRANSFER_ENCODING);
    parts.headers.remove(header::CONNECTION);
    Ok((parts, bytes))
}
