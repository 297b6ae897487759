//! Ten thousand forged tickets, handles, cookies and tokens at every door that takes one: none opens it, and each is
//! answered with the status of its door.

use std::collections::HashMap;

use arrow_flight::flight_service_client::FlightServiceClient;
use arrow_flight::sql::{
    ActionClosePreparedStatementRequest, Any, CommandPreparedStatementQuery, ProstMessageExt,
    TicketStatementQuery,
};
use arrow_flight::{
    Action, CancelFlightInfoRequest, Empty, FlightDescriptor, FlightEndpoint, RenewFlightEndpointRequest,
};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use basin_engine::Query;
use futures::StreamExt;
use prost::Message;
use rand::rngs::StdRng;
use rand::{RngExt as _, SeedableRng as _};
use tonic::{Request, Status};

use super::super::handle::{PreparedContent, QueryContent, TicketContent};
use super::super::options::SessionOptions;
use super::*;
use crate::seal::{Purpose, Sealer};

const SEED: u64 = 20_200_123;
const FORGERIES: usize = 10_000;
const IN_FLIGHT: usize = 16;
const PURPOSES: [Purpose; 5] =
    [Purpose::Token, Purpose::Ticket, Purpose::Prepared, Purpose::Poll, Purpose::Session];
const NONCE_BYTES: usize = 24;

/// Where a sealed message is shown.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
enum Door {
    Rows,
    Renew,
    Cancel,
    PreparedRows,
    PreparedInfo,
    PreparedSchema,
    Close,
    Poll,
    Cookie,
    Bearer,
}

const DOORS: [Door; 10] = [
    Door::Rows,
    Door::Renew,
    Door::Cancel,
    Door::PreparedRows,
    Door::PreparedInfo,
    Door::PreparedSchema,
    Door::Close,
    Door::Poll,
    Door::Cookie,
    Door::Bearer,
];

impl Door {
    fn purpose(self) -> Purpose {
        match self {
            Self::Rows | Self::Renew | Self::Cancel => Purpose::Ticket,
            Self::PreparedRows | Self::PreparedInfo | Self::PreparedSchema | Self::Close => Purpose::Prepared,
            Self::Poll => Purpose::Poll,
            Self::Cookie => Purpose::Session,
            Self::Bearer => Purpose::Token,
        }
    }

    /// The status of a forgery, and of what was issued to somebody else.
    fn refusal(self, foreign: bool) -> Code {
        match self {
            Self::Bearer => Code::Unauthenticated,
            Self::Cookie => Code::InvalidArgument,
            _ if foreign => Code::PermissionDenied,
            _ => Code::InvalidArgument,
        }
    }
}

/// Whose messages they are: two of each purpose, really issued or sealed as they would be.
type Sealed = HashMap<Purpose, [Vec<u8>; 2]>;

async fn sealed(served: &Served, user: &str, password: &str) -> Sealed {
    let sealer = Sealer::of(&served.catalog).await.unwrap();
    let hour = std::time::Duration::from_secs(3600);
    let client = served.signed_in(user, password).await;
    let token = URL_SAFE_NO_PAD.decode(client.token().unwrap()).unwrap();
    let again = served.signed_in(user, password).await;
    let again = URL_SAFE_NO_PAD.decode(again.token().unwrap()).unwrap();
    let snapshot = served.catalog.latest().await.unwrap().id().0;
    let pair = |purpose| {
        [1, 2].map(|number| {
            let query = QueryContent::from(Query::Sql(format!("SELECT {number} AS x")));
            let options = SessionOptions::default();
            match purpose {
                Purpose::Ticket => {
                    let query_id = basin_engine::QueryId::new().to_string();
                    let content = TicketContent { query_id, query, snapshot, options, ..Default::default() };
                    sealer.seal(purpose, user, hour, &content).unwrap()
                }
                Purpose::Prepared => {
                    let content = PreparedContent { query, options, parameters: Vec::new() };
                    sealer.seal(purpose, user, hour, &content).unwrap()
                }
                // What a poll holds is a text in its first field, as here.
                Purpose::Poll => {
                    let id = basin_engine::QueryId::new().to_string();
                    sealer.seal(purpose, user, hour, &id).unwrap()
                }
                Purpose::Session => sealer.seal(purpose, user, hour, &options).unwrap(),
                Purpose::Token => {
                    if number == 1 {
                        token.clone()
                    } else {
                        again.clone()
                    }
                }
            }
        })
    };
    PURPOSES.into_iter().map(|purpose| (purpose, pair(purpose))).collect()
}

/// Makes something that was never issued for this door to this user; says whether it is somebody else's.
fn forge(random: &mut StdRng, door: Door, own: &Sealed, foreign: &Sealed) -> (Vec<u8>, bool) {
    let purpose = door.purpose();
    let [first, second] = own[&purpose].clone();
    let cut = |random: &mut StdRng| random.random_range(1..first.len());
    let spliced =
        |left: &[u8], right: &[u8], at: usize| [&left[..at], &right[at.min(right.len())..]].concat();
    match random.random_range(0..10) {
        0 => (flipped(random, first, 1), false),
        1 => {
            let bits = random.random_range(2..20);
            (flipped(random, first, bits), false)
        }
        2 => (first[..cut(random)].to_vec(), false),
        3 => (first[cut(random)..].to_vec(), false),
        4 => {
            let more: u8 = random.random_range(1..64);
            ([first, (0..more).collect()].concat(), false)
        }
        5 => (spliced(&first, &second, cut(random)), false),
        6 => (spliced(&foreign[&purpose][0], &first, NONCE_BYTES), false),
        7 => {
            let others: Vec<_> = PURPOSES.into_iter().filter(|other| *other != purpose).collect();
            (own[&others[random.random_range(0..others.len())]][0].clone(), false)
        }
        // A token is whoever holds it: another user's is no forgery.
        8 if door != Door::Bearer => (foreign[&purpose][random.random_range(0..2)].clone(), true),
        _ => {
            let length = random.random_range(1..300);
            ((0..length).map(|_| random.random()).collect(), false)
        }
    }
}

fn flipped(random: &mut StdRng, mut bytes: Vec<u8>, bits: usize) -> Vec<u8> {
    for _ in 0..bits {
        let at = random.random_range(0..bytes.len());
        bytes[at] ^= 1 << random.random_range(0..8);
    }
    bytes
}

fn action(name: &str, body: Vec<u8>) -> Action {
    Action::new(name, body)
}

/// Shows a message at a door; gives the status that it was answered with.
async fn show(mut client: FlightServiceClient<Channel>, door: Door, sealed: Vec<u8>, bearer: String) -> Code {
    let handle = bytes::Bytes::from(sealed.clone());
    let ticket = || {
        let query = TicketStatementQuery { statement_handle: handle.clone() };
        Ticket::new(Any::encode_to_vec(&query.as_any()))
    };
    let prepared = || {
        let query = CommandPreparedStatementQuery { prepared_statement_handle: handle.clone() };
        Any::encode_to_vec(&query.as_any())
    };
    let encoded = URL_SAFE_NO_PAD.encode(&sealed);
    let outcome = match door {
        Door::Rows => rows(client.do_get(signed(ticket(), &bearer)).await).await,
        Door::PreparedRows => rows(client.do_get(signed(Ticket::new(prepared()), &bearer)).await).await,
        Door::PreparedInfo => {
            let descriptor = FlightDescriptor::new_cmd(prepared());
            client.get_flight_info(signed(descriptor, &bearer)).await.map(drop)
        }
        Door::PreparedSchema => {
            let descriptor = FlightDescriptor::new_cmd(prepared());
            client.get_schema(signed(descriptor, &bearer)).await.map(drop)
        }
        Door::Poll => {
            let any = Any { type_url: "type.googleapis.com/basin.ContinuedPoll".to_owned(), value: handle };
            let descriptor = FlightDescriptor::new_cmd(any.encode_to_vec());
            client.poll_flight_info(signed(descriptor, &bearer)).await.map(drop)
        }
        Door::Close => {
            let close = ActionClosePreparedStatementRequest { prepared_statement_handle: handle };
            let close = action("ClosePreparedStatement", Any::encode_to_vec(&close.as_any()));
            client.do_action(signed(close, &bearer)).await.map(drop)
        }
        Door::Renew => {
            let endpoint = Some(FlightEndpoint::new().with_ticket(ticket()));
            let renew = RenewFlightEndpointRequest { endpoint }.encode_to_vec();
            client.do_action(signed(action("RenewFlightEndpoint", renew), &bearer)).await.map(drop)
        }
        Door::Cancel => {
            let info = FlightInfo::new().with_endpoint(FlightEndpoint::new().with_ticket(ticket()));
            let cancel = CancelFlightInfoRequest { info: Some(info) }.encode_to_vec();
            client.do_action(signed(action("CancelFlightInfo", cancel), &bearer)).await.map(drop)
        }
        Door::Cookie => {
            let mut request = signed(action("GetSessionOptions", Vec::new()), &bearer);
            let cookie = format!("basin-session={encoded}");
            request.metadata_mut().insert("cookie", cookie.parse().unwrap());
            client.do_action(request).await.map(drop)
        }
        Door::Bearer => client.list_actions(signed(Empty {}, &encoded)).await.map(drop),
    };
    outcome.err().map_or(Code::Ok, |status| status.code())
}

async fn rows(
    answer: std::result::Result<tonic::Response<tonic::Streaming<arrow_flight::FlightData>>, Status>,
) -> std::result::Result<(), Status> {
    answer?.into_inner().message().await.map(drop)
}

fn signed<T>(message: T, bearer: &str) -> Request<T> {
    let mut request = Request::new(message);
    request.metadata_mut().insert("authorization", format!("Bearer {bearer}").parse().unwrap());
    request
}

#[tokio::test]
async fn no_forgery_opens_a_door() {
    let served = Served::start().await;
    let own = sealed(&served, "ana", "secret-a").await;
    let foreign = sealed(&served, "bob", "secret-b").await;
    let mut ana = served.ana().await;
    let (bearer, client) = (ana.token().unwrap().clone(), ana.inner_mut().clone());
    // The doors open to what was issued, else the rest would prove nothing. No poll of this id runs.
    for door in DOORS {
        for message in own[&door.purpose()].clone() {
            let answer = show(client.clone(), door, message, bearer.clone()).await;
            let expected = if door == Door::Poll { Code::NotFound } else { Code::Ok };
            assert_eq!(answer, expected, "{door:?}");
        }
    }
    let mut random = StdRng::seed_from_u64(SEED);
    let mut shown = std::collections::BTreeMap::<(Door, bool), usize>::new();
    let mut forgeries = Vec::new();
    while forgeries.len() < FORGERIES {
        let door = DOORS[forgeries.len() % DOORS.len()];
        let (message, is_foreign) = forge(&mut random, door, &own, &foreign);
        if !own[&door.purpose()].contains(&message) {
            *shown.entry((door, is_foreign)).or_default() += 1;
            forgeries.push((door, message, is_foreign));
        }
    }
    let answers = futures::stream::iter(forgeries).map(|(door, message, is_foreign)| {
        let (client, bearer) = (client.clone(), bearer.clone());
        async move {
            let answer = show(client, door, message.clone(), bearer).await;
            let expected = door.refusal(is_foreign);
            (answer != expected).then(|| format!("{door:?}: {answer:?}, not {expected:?}: {message:02x?}"))
        }
    });
    let wrong: Vec<_> =
        answers.buffer_unordered(IN_FLIGHT).filter_map(std::future::ready).take(5).collect().await;
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    assert_eq!(shown.len(), 2 * DOORS.len() - 1, "{shown:?}");
    assert!(!served.server.is_finished());
    assert_eq!(query(&mut ana, "SELECT 7 AS x").await[0].num_rows(), 1);
}
