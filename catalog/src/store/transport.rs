//! Transport: one HTTP request to a cloud store and its answer, below object_store's own retries.
//!
//! It makes failures out of answers that object_store would take or could not repeat: a small body that breaks off counts
//! as a failed request, a range that was not asked for is refused also where a broken body is resumed, a conflict of two
//! writers is repeated, and `Retry-After` is waited for. What an answer repeats of the request's secrets goes no further.

use std::fmt;
use std::io;
use std::time::Duration;

use async_trait::async_trait;
use bytes::{Bytes, BytesMut};
use futures::TryStreamExt;
use object_store::client::{
    HttpClient, HttpConnector, HttpError, HttpErrorKind, HttpRequest, HttpResponse, HttpResponseBody,
    HttpService, ReqwestConnector,
};
use object_store::{ClientOptions, HeaderMap};

/// Bodies up to this size are read within the request; larger ones are streamed, and resumed where they break off.
const SMALL_BYTES: u64 = 1 << 20;
/// What is read of the text of a failure.
const FAILURE_BYTES: usize = 4096;
/// The longest that a store is obeyed which says when to come again.
const LONGEST_PAUSE: Duration = Duration::from_secs(10);
/// Headers of a request whose values nobody else may see.
const SECRETS: [&str; 4] = [
    "authorization",
    "x-amz-security-token",
    "x-amz-s3session-token",
    "x-amz-server-side-encryption-customer-key",
];
/// Shorter pieces are no secrets, and blanking them would make a message unreadable.
const SECRET_CHARACTERS: usize = 12;

/// What 409 says to a conditional creation.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Conflicts {
    /// Others are creating the same object just now, and the request did nothing (S3): it is repeated.
    Repeated,
    /// The object is there already (Azure).
    Told,
}

/// Makes clients.
#[derive(Debug)]
pub(super) struct Connector {
    conflicts: Conflicts,
}

impl Connector {
    pub(super) fn new(conflicts: Conflicts) -> Self {
        Self { conflicts }
    }
}

impl HttpConnector for Connector {
    fn connect(&self, options: &ClientOptions) -> object_store::Result<HttpClient> {
        let inner = ReqwestConnector::default().connect(options)?;
        Ok(HttpClient::new(Transport { inner, conflicts: self.conflicts }))
    }
}

#[derive(Debug)]
struct Transport {
    inner: HttpClient,
    conflicts: Conflicts,
}

#[async_trait]
impl HttpService for Transport {
    async fn call(&self, request: HttpRequest) -> Result<HttpResponse, HttpError> {
        let asked = Asked::by(&request);
        let response = self.inner.execute(request).await.map_err(|error| asked.failed(error))?;
        let (parts, body) = response.into_parts();
        let status = parts.status.as_u16();
        if !parts.status.is_success() {
            let text = asked.without_secrets(&failure_text(body).await);
            if let (429 | 503, Some(pause)) = (status, retry_after(&parts.headers)) {
                tokio::time::sleep(pause.min(LONGEST_PAUSE)).await;
            }
            if status == 404 && text.contains("<Code>NoSuchBucket</Code>") {
                // Not an object that is missing: nothing may be concluded from it.
                let missing =
                    io::Error::new(io::ErrorKind::NotFound, format!("the bucket is not there: {text}"));
                return Err(HttpError::new(HttpErrorKind::Decode, missing));
            }
            if asked.creates && status == 409 && self.conflicts == Conflicts::Repeated {
                return Err(HttpError::new(HttpErrorKind::Request, Conflict(text)));
            }
            return Ok(HttpResponse::from_parts(parts, text.into()));
        }
        if let Some(range) = &asked.range {
            range
                .check(status, &parts.headers)
                .map_err(|error| HttpError::new(HttpErrorKind::Decode, error))?;
        }
        if asked.has_no_body
            || (asked.reads && length(&parts.headers).is_some_and(|bytes| bytes > SMALL_BYTES))
        {
            return Ok(HttpResponse::from_parts(parts, body));
        }
        let bytes = whole(body, length(&parts.headers)).await.map_err(|error| asked.failed(error))?;
        Ok(HttpResponse::from_parts(parts, bytes.into()))
    }
}

/// Two writers were creating the same object.
#[derive(Debug)]
struct Conflict(String);

impl fmt::Display for Conflict {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "another request is creating the same object (409): {}", self.0)
    }
}

impl std::error::Error for Conflict {}

/// What the answer is compared with.
struct Asked {
    reads: bool,
    has_no_body: bool,
    /// Creates an object that must not be there.
    creates: bool,
    /// May be sent again whatever became of it.
    repeatable: bool,
    range: Option<AskedRange>,
    secrets: Vec<String>,
}

impl Asked {
    fn by(request: &HttpRequest) -> Self {
        let (method, headers) = (request.method().as_str(), request.headers());
        let deletes_many = method == "POST" && request.uri().query().is_some_and(|query| query == "delete");
        Self {
            reads: method == "GET",
            has_no_body: method == "HEAD",
            creates: method == "PUT" && headers.contains_key("if-none-match"),
            repeatable: matches!(method, "GET" | "HEAD" | "DELETE") || deletes_many,
            range: headers.get("range").and_then(|value| AskedRange::parse(value.to_str().ok()?)),
            secrets: secrets(headers),
        }
    }

    /// object_store repeats an interrupted request only where the method alone says that this is safe.
    fn failed(&self, error: HttpError) -> HttpError {
        match error.kind() {
            HttpErrorKind::Timeout | HttpErrorKind::Interrupted if self.repeatable => {
                HttpError::new(HttpErrorKind::Request, error)
            }
            _ => error,
        }
    }

    fn without_secrets(&self, text: &str) -> String {
        self.secrets.iter().fold(text.to_owned(), |text, secret| text.replace(secret.as_str(), "…"))
    }
}

/// The secret values, whole and their last piece: `Bearer TOKEN`, `… Signature=HEX`.
fn secrets(headers: &HeaderMap) -> Vec<String> {
    let values = SECRETS.iter().filter_map(|name| headers.get(*name)?.to_str().ok());
    let pieces = values.flat_map(|value| {
        let last = value.rsplit([' ', ',']).next().unwrap_or(value);
        [value, last, last.trim_start_matches("Signature=")]
    });
    pieces.filter(|piece| piece.len() >= SECRET_CHARACTERS).map(str::to_owned).collect()
}

/// The range of an object that a request names.
#[derive(Debug, PartialEq, Eq)]
enum AskedRange {
    From { first: u64, last: Option<u64> },
    Last(u64),
}

impl AskedRange {
    fn parse(text: &str) -> Option<Self> {
        let (first, last) = text.strip_prefix("bytes=")?.split_once('-')?;
        match (first, last) {
            ("", last) => Some(Self::Last(last.parse().ok()?)),
            (first, "") => Some(Self::From { first: first.parse().ok()?, last: None }),
            (first, last) => Some(Self::From { first: first.parse().ok()?, last: Some(last.parse().ok()?) }),
        }
    }

    /// Whether an answer says that it has this range, and as many bytes.
    fn check(&self, status: u16, headers: &HeaderMap) -> io::Result<()> {
        let wrong = |text: String| Err(io::Error::new(io::ErrorKind::InvalidData, text));
        let told = headers.get("content-range").and_then(|value| value.to_str().ok());
        let Some((first, last, size)) = told.filter(|_| status == 206).and_then(content_range) else {
            return wrong(format!(
                "asked for {self:?}, the store answered {status} without saying which range"
            ));
        };
        let expected = match self {
            Self::From { first, last } => (*first, last.unwrap_or(u64::MAX).min(size.saturating_sub(1))),
            Self::Last(bytes) => (size.saturating_sub(*bytes), size.saturating_sub(1)),
        };
        if (first, last) != expected {
            return wrong(format!("asked for {self:?} of {size} bytes, the store sent {first} to {last}"));
        }
        let bytes = (last + 1).saturating_sub(first);
        match length(headers) {
            Some(sent) if sent != bytes => {
                wrong(format!("the store sends {sent} bytes of {bytes} asked for"))
            }
            Some(_) | None => Ok(()),
        }
    }
}

/// First byte, last byte and the object's size of `bytes 0-9/100`.
fn content_range(text: &str) -> Option<(u64, u64, u64)> {
    let (range, size) = text.trim().strip_prefix("bytes ")?.split_once('/')?;
    let (first, last) = range.split_once('-')?;
    Some((first.parse().ok()?, last.parse().ok()?, size.parse().ok()?))
}

fn length(headers: &HeaderMap) -> Option<u64> {
    headers.get("content-length")?.to_str().ok()?.parse().ok()
}

/// Only the form in seconds; the form with a date is left to the client's own pauses.
fn retry_after(headers: &HeaderMap) -> Option<Duration> {
    let seconds = headers.get("retry-after")?.to_str().ok()?.trim().parse().ok()?;
    Some(Duration::from_secs(seconds))
}

/// Reads a body to its end.
async fn whole(body: HttpResponseBody, length: Option<u64>) -> Result<Bytes, HttpError> {
    let parts: Vec<Bytes> = body.bytes_stream().try_collect().await?;
    let bytes = match parts.as_slice() {
        [one] => one.clone(),
        many => Bytes::from(many.concat()),
    };
    match length {
        Some(length) if length != bytes.len() as u64 => {
            let text = format!("the body has {} bytes instead of {length}", bytes.len());
            Err(HttpError::new(
                HttpErrorKind::Interrupted,
                io::Error::new(io::ErrorKind::UnexpectedEof, text),
            ))
        }
        Some(_) | None => Ok(bytes),
    }
}

/// The beginning of what a store says of a failure; a text that breaks off is taken as far as it came.
async fn failure_text(body: HttpResponseBody) -> String {
    let mut stream = body.bytes_stream();
    let mut text = BytesMut::new();
    while let Ok(Some(bytes)) = stream.try_next().await {
        text.extend_from_slice(&bytes);
        if text.len() >= FAILURE_BYTES {
            text.truncate(FAILURE_BYTES);
            break;
        }
    }
    String::from_utf8_lossy(&text).into_owned()
}

#[cfg(test)]
mod tests;
