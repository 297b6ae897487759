//! Client certificates over real TLS connections: whose they are, and which are none.

use arrow_flight::flight_service_client::FlightServiceClient;
use arrow_flight::sql::{Any, CommandStatementQuery, ProstMessageExt};
use arrow_flight::{Empty, FlightDescriptor, HandshakeRequest};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use basin_catalog::{CertificateLink, Change, Digest};
use prost::Message;
use rcgen::{
    BasicConstraints, Certificate, CertificateParams, DnType, ExtendedKeyUsagePurpose, IsCa, Issuer, KeyPair,
    date_time_ymd,
};
use tempfile::TempDir;
use tonic::transport::{Certificate as Pem, ClientTlsConfig, Identity};
use tonic::{Request, Status};

use super::*;
use crate::config::TlsFiles;

type Raw = FlightServiceClient<Channel>;

/// An authority that signs certificates.
struct Authority {
    certificate: Certificate,
    issuer: Issuer<'static, KeyPair>,
}

/// A certificate with its key.
struct Signed {
    certificate: Certificate,
    key: KeyPair,
}

fn params(name: &str) -> CertificateParams {
    let mut params = CertificateParams::new(vec![name.to_owned()]).unwrap();
    params.distinguished_name.push(DnType::CommonName, name);
    params
}

impl Authority {
    fn new(name: &str) -> Self {
        let mut params = params(name);
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        let key = KeyPair::generate().unwrap();
        let certificate = params.self_signed(&key).unwrap();
        Self { certificate, issuer: Issuer::new(params, key) }
    }

    fn sign(&self, params: CertificateParams) -> Signed {
        let key = KeyPair::generate().unwrap();
        Signed { certificate: params.signed_by(&key, &self.issuer).unwrap(), key }
    }

    fn client(&self, name: &str) -> Signed {
        let mut params = params(name);
        params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ClientAuth];
        self.sign(params)
    }

    fn expired_client(&self, name: &str) -> Signed {
        let mut params = params(name);
        (params.not_before, params.not_after) = (date_time_ymd(2019, 1, 1), date_time_ymd(2020, 1, 1));
        self.sign(params)
    }
}

impl Signed {
    fn digest(&self) -> Digest {
        Digest::of(self.certificate.der())
    }
}

struct Mutual {
    served: Served,
    clients: Authority,
    servers: Authority,
    _files: TempDir,
}

impl Mutual {
    async fn start(required: bool) -> Self {
        let (servers, clients) = (Authority::new("servers"), Authority::new("clients"));
        let server = servers.sign(params("localhost"));
        let files = tempfile::tempdir().unwrap();
        let write = |name: &str, text: String| {
            let path = files.path().join(name);
            std::fs::write(&path, text).unwrap();
            path
        };
        let tls = TlsFiles {
            certificate: write("server.pem", server.certificate.pem()),
            key: write("server.key", server.key.serialize_pem()),
            client_ca: Some(write("clients.pem", clients.certificate.pem())),
            require_client_certificate: required,
        };
        let served = Served::with(ServerConfig { tls: Some(tls), ..ServerConfig::default() }).await;
        Self { served, clients, servers, _files: files }
    }

    async fn connect(
        &self,
        certificate: Option<&Signed>,
    ) -> std::result::Result<Raw, tonic::transport::Error> {
        let mut tls = ClientTlsConfig::new()
            .ca_certificate(Pem::from_pem(self.servers.certificate.pem()))
            .domain_name("localhost");
        if let Some(Signed { certificate, key }) = certificate {
            tls = tls.identity(Identity::from_pem(certificate.pem(), key.serialize_pem()));
        }
        let endpoint = Endpoint::new(format!("https://{}", self.served.address)).unwrap().tls_config(tls)?;
        Ok(FlightServiceClient::new(endpoint.connect().await?))
    }

    async fn link(&self, certificate: &Signed, user: &str) {
        let link = CertificateLink { certificate: certificate.digest(), user: user.parse().unwrap() };
        self.change(Change::LinkCertificate(link)).await;
    }

    async fn change(&self, change: Change) {
        let base = self.served.catalog.latest().await.unwrap();
        self.served.catalog.commit(&base, "test", vec![change]).await.unwrap();
    }

    /// Whether a caller with this certificate gets as far as an answer; the handshake may fail with the first call only.
    async fn is_let_in(&self, certificate: Option<&Signed>) -> bool {
        match self.connect(certificate).await {
            Ok(mut client) => client.list_actions(as_user(Empty {}, Some("ana:secret-a"))).await.is_ok(),
            Err(_) => false,
        }
    }
}

fn as_user<T>(message: T, credentials: Option<&str>) -> Request<T> {
    let mut request = Request::new(message);
    if let Some(credentials) = credentials {
        let header = format!("Basic {}", STANDARD.encode(credentials));
        request.metadata_mut().insert("authorization", header.parse().unwrap());
    }
    request
}

async fn info(client: &mut Raw, credentials: Option<&str>) -> std::result::Result<FlightInfo, Status> {
    let query = CommandStatementQuery { query: "SELECT 1 AS x".to_owned(), transaction_id: None };
    let descriptor = FlightDescriptor::new_cmd(Any::encode_to_vec(&query.as_any()));
    Ok(client.get_flight_info(as_user(descriptor, credentials)).await?.into_inner())
}

async fn rows(client: &mut Raw, info: &FlightInfo, credentials: Option<&str>) -> Code {
    let outcome = match client.do_get(as_user(ticket(info), credentials)).await {
        Ok(answer) => answer.into_inner().message().await.map(drop),
        Err(status) => Err(status),
    };
    outcome.err().map_or(Code::Ok, |status| status.code())
}

#[tokio::test]
async fn a_linked_certificate_is_its_user() {
    let mutual = Mutual::start(false).await;
    let (ana, bob) = (mutual.clients.client("ana"), mutual.clients.client("bob"));
    mutual.link(&ana, "ana").await;
    mutual.link(&bob, "bob").await;
    let mut by_ana = mutual.connect(Some(&ana)).await.unwrap();
    let mut by_bob = mutual.connect(Some(&bob)).await.unwrap();
    let info = info(&mut by_ana, None).await.unwrap();
    assert_eq!(rows(&mut by_ana, &info, None).await, Code::Ok);
    assert_eq!(rows(&mut by_bob, &info, None).await, Code::PermissionDenied);
    // The ticket is ana's, however ana signs in; a header that names another user is refused.
    let mut nobody = mutual.connect(None).await.unwrap();
    assert_eq!(rows(&mut nobody, &info, Some("ana:secret-a")).await, Code::Ok);
    assert_eq!(rows(&mut by_ana, &info, Some("ana:secret-a")).await, Code::Ok);
    assert_eq!(rows(&mut by_ana, &info, Some("bob:secret-b")).await, Code::Unauthenticated);
    assert_eq!(rows(&mut by_bob, &info, Some("ana:secret-a")).await, Code::Unauthenticated);
    // It ends with the next call, on the open connection too.
    mutual.change(Change::UnlinkCertificate(ana.digest())).await;
    assert_eq!(rows(&mut by_ana, &info, None).await, Code::Unauthenticated);
    assert_eq!(rows(&mut by_ana, &info, Some("ana:secret-a")).await, Code::Ok);
}

#[tokio::test]
async fn a_certificate_that_is_linked_to_nobody_is_nobody() {
    let mutual = Mutual::start(false).await;
    let stranger = mutual.clients.client("ana");
    let mut client = mutual.connect(Some(&stranger)).await.unwrap();
    let unlinked = info(&mut client, None).await.unwrap_err();
    assert_eq!(unlinked.code(), Code::Unauthenticated);
    let mut nobody = mutual.connect(None).await.unwrap();
    let none = info(&mut nobody, None).await.unwrap_err();
    let words = |status: &Status| status.message().split(" (query id").next().unwrap().to_owned();
    assert_eq!(words(&unlinked), words(&none));
    info(&mut client, Some("bob:secret-b")).await.unwrap();
}

#[tokio::test]
async fn other_authorities_and_expired_certificates_end_at_the_handshake() {
    for required in [false, true] {
        let mutual = Mutual::start(required).await;
        let good = mutual.clients.client("ana");
        let expired = mutual.clients.expired_client("ana");
        let other = Authority::new("clients").client("ana");
        for certificate in [&good, &expired, &other] {
            mutual.link(certificate, "ana").await;
        }
        assert!(mutual.is_let_in(Some(&good)).await);
        assert!(!mutual.is_let_in(Some(&expired)).await);
        assert!(!mutual.is_let_in(Some(&other)).await);
        assert_eq!(mutual.is_let_in(None).await, !required);
    }
}

#[tokio::test]
async fn a_handshake_by_certificate_gives_a_token_for_connections_with_it() {
    let mutual = Mutual::start(true).await;
    let (ana, other) = (mutual.clients.client("ana"), mutual.clients.client("other"));
    mutual.link(&ana, "ana").await;
    let mut client = mutual.connect(Some(&ana)).await.unwrap();
    let hello = futures::stream::iter([HandshakeRequest::default()]);
    let answer =
        client.handshake(hello.clone()).await.unwrap().into_inner().message().await.unwrap().unwrap();
    let bearer = format!("Bearer {}", String::from_utf8(answer.payload.to_vec()).unwrap());
    let ask = || {
        let mut request = Request::new(Empty {});
        request.metadata_mut().insert("authorization", bearer.parse().unwrap());
        request
    };
    client.list_actions(ask()).await.unwrap();
    let mut elsewhere = mutual.connect(Some(&other)).await.unwrap();
    assert_eq!(elsewhere.list_actions(ask()).await.unwrap_err().code(), Code::Unauthenticated);
    assert_eq!(elsewhere.handshake(hello).await.unwrap_err().code(), Code::Unauthenticated);
}
