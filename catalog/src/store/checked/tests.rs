//! A client against a server that says, answer by answer, what a test wrote down.

use std::error::Error as _;
use std::sync::Mutex;

use object_store::PutMode;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio_util::task::AbortOnDropHandle;

use super::super::cloud::{Environment, s3};
use super::super::settings::S3Settings;
use super::*;

/// More than is read within a request, so that the body is streamed.
const LARGE: usize = (1 << 20) + 10;

/// Answers one request a connection, and keeps what was asked.
struct Server {
    objects: Arc<dyn ObjectStore>,
    uploads: TaskTracker,
    asked: Arc<Mutex<Vec<String>>>,
    _task: AbortOnDropHandle<()>,
}

impl Server {
    async fn start(answers: Vec<Vec<u8>>) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let endpoint = format!("http://{}", listener.local_addr().unwrap());
        let asked = Arc::new(Mutex::new(Vec::new()));
        let heard = Arc::clone(&asked);
        let task = tokio::spawn(async move {
            for answer in answers {
                let (mut stream, _) = listener.accept().await.unwrap();
                let request = request(&mut stream).await;
                let answer = if answer == b"{ECHO}" { echo(&request) } else { answer };
                heard.lock().unwrap().push(request);
                stream.write_all(&answer).await.unwrap();
            }
        });
        let settings = S3Settings {
            endpoint: Some(endpoint),
            allow_http: Some(true),
            retries: Some(2),
            ..S3Settings::default()
        };
        let keys = [
            ("AWS_ACCESS_KEY_ID", "AKIACANARY"),
            ("AWS_SECRET_ACCESS_KEY", "canary-secret-key"),
            ("AWS_SESSION_TOKEN", "canary-session-token"),
        ];
        let keys = keys.map(|(name, value)| (name.to_owned(), value.to_owned()));
        let url = Url::parse("s3://bucket").unwrap();
        let (objects, uploads) = s3(&url, &settings, &Environment::of(keys)).unwrap();
        Self { objects, uploads, asked, _task: AbortOnDropHandle::new(task) }
    }

    fn asked(&self) -> Vec<String> {
        self.asked.lock().unwrap().clone()
    }
}

/// Reads a request with its body.
async fn request(stream: &mut TcpStream) -> String {
    let mut bytes = Vec::new();
    loop {
        let text = String::from_utf8_lossy(&bytes).to_lowercase();
        if let Some((head, body)) = text.split_once("\r\n\r\n") {
            let length = head.lines().find_map(|line| line.strip_prefix("content-length: "));
            if body.len() >= length.map_or(0, |length| length.parse::<usize>().unwrap()) {
                return String::from_utf8_lossy(&bytes).into_owned();
            }
        }
        assert!(stream.read_buf(&mut bytes).await.unwrap() > 0, "the request broke off");
    }
}

fn echo(request: &str) -> Vec<u8> {
    answer("403 Forbidden", &[], request.as_bytes())
}

fn answer(status: &str, headers: &[(&str, &str)], body: &[u8]) -> Vec<u8> {
    let length = body.len().to_string();
    let mut all = vec![("content-length", length.as_str()), ("etag", "\"e1\""), ("connection", "close")];
    all.retain(|(name, _)| !headers.iter().any(|(given, _)| given == name));
    all.extend(headers);
    let head: String = all.iter().map(|(name, value)| format!("{name}: {value}\r\n")).collect();
    [format!("HTTP/1.1 {status}\r\n{head}\r\n").as_bytes(), body].concat()
}

fn path() -> Path {
    Path::from("data/x.parquet")
}

fn large() -> Vec<u8> {
    (0..LARGE).map(|at| (at % 251) as u8).collect()
}

/// The error and all its causes.
fn chain(error: &Error) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(step) = cause {
        text.push_str(&format!(": {step}"));
        cause = step.source();
    }
    text
}

#[tokio::test]
async fn a_small_body_that_breaks_off_is_asked_for_again() {
    let broken = answer("200 OK", &[("content-length", "10")], b"0123");
    let server = Server::start(vec![broken, answer("200 OK", &[], b"0123456789")]).await;
    let bytes = server.objects.get(&path()).await.unwrap().bytes().await.unwrap();
    assert_eq!(bytes, "0123456789");
    assert_eq!(server.asked().len(), 2);
}

#[tokio::test]
async fn a_large_body_that_breaks_off_is_resumed() {
    let (whole, length) = (large(), LARGE.to_string());
    let (first, rest) = whole.split_at(700_000);
    let resumed = format!("bytes 700000-{}/{LARGE}", LARGE - 1);
    let server = Server::start(vec![
        answer("200 OK", &[("content-length", &length)], first),
        answer("206 Partial Content", &[("content-range", &resumed)], rest),
    ])
    .await;
    let bytes = server.objects.get(&path()).await.unwrap().bytes().await.unwrap();
    assert!(bytes == whole);
    assert!(
        server.asked()[1].contains(&format!("range: bytes=700000-{}", LARGE - 1)),
        "{:?}",
        server.asked()[1]
    );
}

#[tokio::test]
async fn a_body_is_not_resumed_with_bytes_of_another_place_or_object() {
    let (whole, length) = (large(), LARGE.to_string());
    let (first, rest) = whole.split_at(700_000);
    let (right, other) =
        (format!("bytes 700000-{}/{LARGE}", LARGE - 1), format!("bytes 0-{}/{LARGE}", rest.len() - 1));
    for second in [
        answer("200 OK", &[], &whole),
        answer("206 Partial Content", &[("content-range", &other)], rest),
        answer("206 Partial Content", &[("content-range", &right), ("etag", "\"e2\"")], rest),
    ] {
        let server =
            Server::start(vec![answer("200 OK", &[("content-length", &length)], first), second]).await;
        let read = server.objects.get(&path()).await.unwrap().bytes().await;
        assert!(read.is_err());
    }
}

#[tokio::test]
async fn a_range_is_whole_or_an_error() {
    for (range, length) in [("bytes 0-7/8", "8"), ("bytes 0-8/100", "9"), ("bytes 0-9/100", "9")] {
        let body = vec![7; length.parse().unwrap()];
        let wrong = answer("206 Partial Content", &[("content-range", range)], &body);
        let server = Server::start(vec![wrong]).await;
        let read = server.objects.get_range(&path(), 0..10).await;
        assert!(read.is_err(), "{range}: {read:?}");
    }
    let right = answer("206 Partial Content", &[("content-range", "bytes 0-9/100")], &[7; 10]);
    let server = Server::start(vec![right]).await;
    assert_eq!(server.objects.get_range(&path(), 0..10).await.unwrap().len(), 10);
}

#[tokio::test]
async fn a_stream_of_fewer_or_more_bytes_ends_in_an_error() {
    for (bytes, is_right) in [(10, true), (9, false), (11, false), (0, false)] {
        let parts = (0..bytes).map(|_| Ok(Bytes::from_static(b"x")));
        let read: Result<Vec<Bytes>> =
            counted(path(), 10, futures::stream::iter(parts).boxed()).try_collect().await;
        assert_eq!(read.is_ok(), is_right, "{bytes}");
    }
}

#[tokio::test]
async fn creations_tell_a_conflict_from_what_is_there_already() {
    let create = || PutOptions::from(PutMode::Create);
    let conflict = || answer("409 Conflict", &[], b"<Code>ConditionalRequestConflict</Code>");
    let server = Server::start(vec![conflict(), answer("200 OK", &[], b"")]).await;
    server.objects.put_opts(&path(), "x".into(), create()).await.unwrap();
    assert_eq!(server.asked().len(), 2, "a conflict is repeated");

    let server = Server::start(vec![answer("412 Precondition Failed", &[], b"")]).await;
    let error = server.objects.put_opts(&path(), "x".into(), create()).await.unwrap_err();
    assert!(matches!(error, Error::AlreadyExists { .. }), "{error}");

    let server = Server::start(vec![conflict(), conflict(), conflict()]).await;
    let error = server.objects.put_opts(&path(), "x".into(), create()).await.unwrap_err();
    assert!(matches!(error, Error::Generic { .. }), "{error}");
    assert!(chain(&error).contains("ConditionalRequestConflict"), "{}", chain(&error));
}

#[tokio::test]
async fn a_missing_bucket_is_no_missing_object() {
    let missing =
        |code: &str| answer("404 Not Found", &[], format!("<Error><Code>{code}</Code></Error>").as_bytes());
    let server = Server::start(vec![missing("NoSuchKey"), missing("NoSuchBucket")]).await;
    assert!(matches!(server.objects.get(&path()).await, Err(Error::NotFound { .. })));
    let error = server.objects.get(&path()).await.unwrap_err();
    assert!(matches!(error, Error::Generic { .. }) && chain(&error).contains("bucket"), "{}", chain(&error));
}

#[tokio::test]
async fn an_upload_whose_last_reply_was_lost_is_looked_for() {
    let begun = b"<InitiateMultipartUploadResult><UploadId>u</UploadId></InitiateMultipartUploadResult>";
    for (size, is_right) in [("5", true), ("4", false)] {
        let server = Server::start(vec![
            answer("200 OK", &[], begun),
            answer("200 OK", &[], b""),
            answer("404 Not Found", &[], b"<Code>NoSuchUpload</Code>"),
            answer("200 OK", &[("content-length", size)], b""),
        ])
        .await;
        let mut upload = server.objects.put_multipart(&path()).await.unwrap();
        upload.put_part("12345".into()).await.unwrap();
        assert_eq!(upload.complete().await.is_ok(), is_right);
    }
}

#[tokio::test]
async fn a_store_that_ends_waits_for_uploads_and_begins_none() {
    let begun = b"<InitiateMultipartUploadResult><UploadId>u</UploadId></InitiateMultipartUploadResult>";
    let server = Server::start(vec![answer("200 OK", &[], begun), answer("204 No Content", &[], b"")]).await;
    let mut upload = server.objects.put_multipart(&path()).await.unwrap();
    server.uploads.close();
    assert!(server.objects.put_multipart(&path()).await.is_err());
    let waiting = server.uploads.wait();
    tokio::pin!(waiting);
    assert!(futures::poll!(&mut waiting).is_pending());
    upload.abort().await.unwrap();
    drop(upload);
    waiting.await;
    assert!(server.asked()[1].starts_with("DELETE"), "{:?}", server.asked());
}

#[tokio::test]
async fn what_a_store_repeats_of_a_request_is_not_told() {
    let server = Server::start(vec![b"{ECHO}".to_vec()]).await;
    let error = server.objects.get(&path()).await.unwrap_err();
    let told = format!("{} {error:?}", chain(&error));
    assert!(server.asked()[0].contains("canary-session-token"), "the canary was not sent");
    assert!(told.contains("x-amz-date"), "{told}");
    for secret in ["canary-secret-key", "canary-session-token"] {
        assert!(!told.contains(secret), "{told}");
    }
}
