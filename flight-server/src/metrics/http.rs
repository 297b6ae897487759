//! The endpoint of metrics and health: HTTP without TLS or sign-in, so it belongs on an address that only the operator's
//! own machines reach.

use std::net::SocketAddr;
use std::sync::Arc;

use async_trait::async_trait;
use axum::Router;
use axum::extract::State;
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use tokio::net::TcpListener;

use crate::error::{Result, ServerError};

const TEXT: &str = "text/plain; version=0.0.4; charset=utf-8";

/// Who can tell how a server does.
#[async_trait]
pub trait Health: Send + Sync + 'static {
    /// Its figures, as text.
    async fn metrics(&self) -> String;

    /// Whether it takes queries: a sentence when not.
    ///
    /// # Errors
    /// Why it does not.
    async fn ready(&self) -> std::result::Result<(), String>;
}

/// The endpoint, listening.
#[derive(Debug)]
pub struct MetricsEndpoint {
    listener: TcpListener,
    address: SocketAddr,
}

impl MetricsEndpoint {
    /// Listens.
    ///
    /// # Errors
    /// `Bind` when the address can't be had.
    pub async fn bind(address: SocketAddr) -> Result<Self> {
        let refused = |source| ServerError::Bind { address, source };
        let listener = TcpListener::bind(address).await.map_err(refused)?;
        let address = listener.local_addr().map_err(refused)?;
        Ok(Self { listener, address })
    }

    /// Returns the address that is listened on, with its real port.
    #[must_use]
    pub fn local_addr(&self) -> SocketAddr {
        self.address
    }

    /// Answers for as long as it is polled.
    ///
    /// # Errors
    /// `Workers` when the listener fails.
    pub async fn serve(self, health: Arc<dyn Health>) -> Result<()> {
        let router = Router::new()
            .route("/metrics", get(metrics))
            .route("/healthz", get(|| async { "ok\n" }))
            .route("/readyz", get(ready))
            .with_state(health);
        let failed = |source| ServerError::Workers { doing: "answering for metrics", source };
        axum::serve(self.listener, router).await.map_err(failed)
    }
}

async fn metrics(State(health): State<Arc<dyn Health>>) -> Response {
    ([(header::CONTENT_TYPE, TEXT)], health.metrics().await).into_response()
}

async fn ready(State(health): State<Arc<dyn Health>>) -> Response {
    match health.ready().await {
        Ok(()) => "ready\n".into_response(),
        Err(why) => (StatusCode::SERVICE_UNAVAILABLE, format!("{why}\n")).into_response(),
    }
}
