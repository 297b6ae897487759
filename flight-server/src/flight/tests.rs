//! Round trips over a loopback listener, with arrow-flight's own client.

mod demand;
mod forged;
mod kept;
mod metadata;
mod mutual;
mod options;
mod poll;
mod prepared;
mod sandbox;
mod session;
mod statements;

use arrow::array::RecordBatch;
use arrow_flight::sql::client::FlightSqlServiceClient;
use arrow_flight::{FlightInfo, Ticket};
use basin_catalog::Catalog;
use basin_engine::{Engine, EngineConfig};
use futures::TryStreamExt;
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;
use tonic::Code;
use tonic::transport::{Channel, Endpoint};

use crate::config::ServerConfig;
use crate::error::Result;
use crate::{bind, testing};

type Client = FlightSqlServiceClient<Channel>;

struct Served {
    catalog: Catalog,
    engine: Engine,
    address: std::net::SocketAddr,
    shutdown: CancellationToken,
    server: JoinHandle<Result<()>>,
}

impl Served {
    async fn start() -> Self {
        Self::with(ServerConfig::default()).await
    }

    async fn with(config: ServerConfig) -> Self {
        Self::of(testing::catalog().await, config).await
    }

    async fn of(catalog: Catalog, mut config: ServerConfig) -> Self {
        crate::install_crypto();
        config.listen = ([127, 0, 0, 1], 0).into();
        let engine = Engine::new(catalog.clone(), EngineConfig::default()).unwrap();
        let server = bind(engine.clone(), config).await.unwrap();
        let (address, shutdown) = (server.local_addr(), CancellationToken::new());
        let server = tokio::spawn(server.serve(shutdown.clone()));
        Self { catalog, engine, address, shutdown, server }
    }

    async fn anonymous(&self) -> Client {
        let endpoint = Endpoint::new(format!("http://{}", self.address)).unwrap();
        FlightSqlServiceClient::new(endpoint.connect().await.unwrap())
    }

    async fn signed_in(&self, user: &str, password: &str) -> Client {
        let mut client = self.anonymous().await;
        client.handshake(user, password).await.unwrap();
        client
    }

    async fn ana(&self) -> Client {
        self.signed_in("ana", "secret-a").await
    }

    async fn sam(&self) -> Client {
        self.signed_in("sam", "secret-s").await
    }

    async fn bob(&self) -> Client {
        self.signed_in("bob", "secret-b").await
    }
}

fn ticket(info: &FlightInfo) -> Ticket {
    assert_eq!(info.endpoint.len(), 1);
    assert!(info.endpoint[0].location.is_empty());
    info.endpoint[0].ticket.clone().unwrap()
}

/// Fetches the rows of an info and checks that their schema is the promised one.
async fn fetch(client: &mut Client, info: FlightInfo) -> Vec<RecordBatch> {
    let stream = client.do_get(ticket(&info)).await.unwrap();
    let promised = info.try_decode_schema().unwrap();
    let mut stream = stream;
    let mut batches = Vec::new();
    while let Some(batch) = stream.try_next().await.unwrap() {
        batches.push(batch);
    }
    assert_eq!(stream.schema().unwrap().as_ref(), &promised);
    batches
}

async fn query(client: &mut Client, sql: &str) -> Vec<RecordBatch> {
    let info = client.execute(sql.to_owned(), None).await.unwrap();
    fetch(client, info).await
}

/// The gRPC code inside an error of arrow-flight's client, which wraps it in text.
fn code_of(error: &impl std::fmt::Display) -> Code {
    let text = error.to_string().to_lowercase();
    let codes = [
        ("invalid argument", "invalidargument", Code::InvalidArgument),
        ("client specified an invalid argument", "", Code::InvalidArgument),
        ("unauthenticated", "authentication credentials", Code::Unauthenticated),
        ("permissiondenied", "permission", Code::PermissionDenied),
        ("unimplemented", "not implemented", Code::Unimplemented),
        ("notfound", "requested entity was not found", Code::NotFound),
        ("unavailable", "service is currently unavailable", Code::Unavailable),
        ("cancelled", "operation was cancelled", Code::Cancelled),
    ];
    codes
        .into_iter()
        .find(|(one, two, _)| text.contains(one) || (!two.is_empty() && text.contains(two)))
        .map_or_else(|| panic!("no code in: {text}"), |(_, _, code)| code)
}
