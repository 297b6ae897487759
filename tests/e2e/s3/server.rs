//! s3s-fs in this process: an S3 server with signatures, path style and uploads in parts over a folder.
//!
//! It looks whether an object is there and then writes it: creations that must be atomic are let in one after the other.

use std::net::SocketAddr;
use std::sync::Arc;

use anyhow::{Context as _, Result};
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper::{Request, header};
use hyper_util::rt::TokioIo;
use s3s::auth::SimpleAuth;
use s3s::service::{S3Service, S3ServiceBuilder};
use s3s_fs::FileSystem;
use tempfile::TempDir;
use tokio::net::TcpListener;
use tokio::runtime::Runtime;
use tokio::sync::Mutex;

use super::cloud::{BUCKET, KEY, SECRET};

/// Threads of a test's own servers, apart from its runtime: tests wait for processes on theirs.
#[derive(Debug)]
pub(crate) struct Background(Option<Runtime>);

impl Background {
    pub(crate) fn new() -> Result<Self> {
        let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build()?;
        Ok(Self(Some(runtime)))
    }

    pub(crate) fn runtime(&self) -> Result<&Runtime> {
        self.0.as_ref().context("it runs until it is dropped")
    }

    /// A free port of the loopback.
    pub(crate) fn listen(&self) -> Result<(TcpListener, SocketAddr)> {
        let std = std::net::TcpListener::bind("127.0.0.1:0")?;
        std.set_nonblocking(true)?;
        let address = std.local_addr()?;
        let _inside = self.runtime()?.enter();
        Ok((TcpListener::from_std(std)?, address))
    }
}

impl Drop for Background {
    fn drop(&mut self) {
        if let Some(runtime) = self.0.take() {
            runtime.shutdown_background();
        }
    }
}

/// A running server; it ends when dropped.
#[derive(Debug)]
pub(crate) struct S3Server {
    address: SocketAddr,
    _background: Background,
    folder: TempDir,
}

impl S3Server {
    pub(crate) fn start() -> Result<Self> {
        let folder = tempfile::tempdir()?;
        std::fs::create_dir(folder.path().join(BUCKET))?;
        let files = FileSystem::new(folder.path()).map_err(|error| anyhow::anyhow!("{error:?}"))?;
        let mut builder = S3ServiceBuilder::new(files);
        builder.set_auth(SimpleAuth::from_single(KEY, SECRET));
        let background = Background::new()?;
        let (listener, address) = background.listen()?;
        background.runtime()?.spawn(serve(listener, builder.build()));
        Ok(Self { address, _background: background, folder })
    }

    pub(crate) fn address(&self) -> SocketAddr {
        self.address
    }

    pub(crate) fn endpoint(&self) -> String {
        format!("http://{}", self.address)
    }

    /// Uploads in parts that are neither complete nor given up.
    pub(crate) fn open_uploads(&self) -> Result<usize> {
        let names = std::fs::read_dir(self.folder.path())?.collect::<std::io::Result<Vec<_>>>()?;
        Ok(names.iter().filter(|entry| entry.file_name().to_string_lossy().starts_with(".upload-")).count())
    }
}

async fn serve(listener: TcpListener, service: S3Service) {
    let creating = Arc::new(Mutex::new(()));
    while let Ok((stream, _)) = listener.accept().await {
        let (service, creating) = (service.clone(), Arc::clone(&creating));
        let answer = service_fn(move |request: Request<Incoming>| {
            let (service, creating) = (service.clone(), Arc::clone(&creating));
            async move {
                let creates = request.headers().contains_key(header::IF_NONE_MATCH);
                let _alone = if creates { Some(creating.lock().await) } else { None };
                service.call(request.map(s3s::Body::from)).await
            }
        });
        // The connection ends with its client or with the runtime.
        tokio::spawn(http1::Builder::new().serve_connection(TokioIo::new(stream), answer));
    }
}
