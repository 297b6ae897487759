//! Sessions: SetSessionOptions, GetSessionOptions, CloseSession. The server keeps nothing of a session: its options are
//! sealed into a cookie and into a fresh bearer token, and the client brings back whichever it keeps.
//!
//! Source: Flight.proto, `SetSessionOptionsRequest` and what follows; arrow-flight has no messages for them.

use std::collections::HashMap;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use bytes::Bytes;
use prost::Message;
use tonic::metadata::{MetadataMap, MetadataValue};

use super::call::Call;
use super::option_value::{OptionValue, Value};
use super::options::{Name, SessionOptions};
use super::service::FlightSql;
use crate::error::{Result, ServerError};
use crate::seal::{Purpose, Sealer};

const COOKIE: &str = "basin-session";
/// `SetSessionOptionsResult.ErrorValue`.
const INVALID_NAME: i32 = 1;
const INVALID_VALUE: i32 = 2;
/// `CloseSessionResult.Status`.
const CLOSED: i32 = 1;

#[derive(Clone, PartialEq, Message)]
pub(super) struct SetRequest {
    #[prost(map = "string, message", tag = "1")]
    pub(super) options: HashMap<String, OptionValue>,
}

#[derive(Clone, PartialEq, Message)]
pub(super) struct SetResult {
    #[prost(map = "string, message", tag = "1")]
    pub(super) errors: HashMap<String, OptionError>,
}

#[derive(Clone, PartialEq, Message)]
pub(super) struct OptionError {
    #[prost(int32, tag = "1")]
    pub(super) value: i32,
}

#[derive(Clone, PartialEq, Message)]
pub(super) struct GetResult {
    #[prost(map = "string, message", tag = "1")]
    pub(super) options: HashMap<String, OptionValue>,
}

#[derive(Clone, PartialEq, Message)]
struct CloseResult {
    #[prost(int32, tag = "1")]
    status: i32,
}

/// What an action answers: the bodies of its results, and the session that the client has from now on.
#[derive(Debug)]
pub(super) struct Acted {
    pub(super) bodies: Vec<Bytes>,
    pub(super) session: Option<SessionOptions>,
}

impl From<Vec<Bytes>> for Acted {
    fn from(bodies: Vec<Bytes>) -> Self {
        Self { bodies, session: None }
    }
}

/// Sets what a request asks for; what is wrong is told by name and changes nothing.
pub(super) fn set(call: &Call, body: &Bytes) -> Result<Acted> {
    let request = SetRequest::decode(body.as_ref()).map_err(unreadable)?;
    let mut options = call.session.clone();
    let mut errors = HashMap::new();
    for (written, value) in request.options {
        let error = match Name::ALL.into_iter().find(|name| name.as_str() == written) {
            None => Some(INVALID_NAME),
            Some(name) => options.set(name, &Value::of_wire(value)).err().map(|_| INVALID_VALUE),
        };
        errors.extend(error.map(|value| (written, OptionError { value })));
    }
    let body = SetResult { errors }.encode_to_vec().into();
    Ok(Acted { bodies: vec![body], session: Some(options) })
}

/// Tells the options that are in force.
pub(super) fn get(call: &Call) -> Acted {
    let value = |name: Name| Some((name.as_str().to_owned(), call.options.get(name).into_wire()?));
    let result = GetResult { options: Name::ALL.into_iter().filter_map(value).collect() };
    vec![result.encode_to_vec().into()].into()
}

/// Ends a session: nothing of it is left but what the client forgets.
pub(super) fn close() -> Acted {
    let body = CloseResult { status: CLOSED }.encode_to_vec().into();
    Acted { bodies: vec![body], session: Some(SessionOptions::default()) }
}

fn unreadable(_: prost::DecodeError) -> ServerError {
    ServerError::InvalidRequest("the action's body can't be read".to_owned())
}

impl FlightSql {
    /// Gives a client its session: as a cookie, and in a token for those that keep no cookies.
    ///
    /// # Errors
    /// `Internal` when sealing fails.
    pub(super) fn hand_over(
        &self,
        call: &Call,
        session: &SessionOptions,
        metadata: &mut MetadataMap,
    ) -> Result<()> {
        let cookie = if *session == SessionOptions::default() {
            format!("{COOKIE}=; Path=/; Max-Age=0")
        } else {
            let lifetime = self.lifetimes.session;
            let sealed = self.sealer.seal(Purpose::Session, &call.user(), lifetime, session)?;
            format!("{COOKIE}={}; Path=/; HttpOnly", URL_SAFE_NO_PAD.encode(sealed))
        };
        let token = call.token(&self.authenticator, session.encode_to_vec())?;
        for (name, value) in [("set-cookie", cookie), ("authorization", format!("Bearer {token}"))] {
            let value = MetadataValue::try_from(value)
                .map_err(|_| ServerError::Internal("a session is no header value"))?;
            metadata.insert(name, value);
        }
        Ok(())
    }
}

/// Reads the session of a call: from its cookie, else from its token.
///
/// # Errors
/// `InvalidRequest` when the cookie was changed, is somebody else's or its time is over: a query must not run without
/// what its session asked for.
pub(super) fn of_call(
    sealer: &Sealer,
    metadata: &MetadataMap,
    user: &str,
    in_token: &[u8],
) -> Result<SessionOptions> {
    let ended = || ServerError::InvalidRequest("the session has ended; connect again".to_owned());
    let Some(cookie) = cookie(metadata) else {
        return SessionOptions::decode(in_token).map_err(|_| ended());
    };
    let sealed = URL_SAFE_NO_PAD.decode(cookie).map_err(|_| ended())?;
    let opened = sealer.open::<SessionOptions>(Purpose::Session, &sealed).map_err(|_| ended())?;
    if opened.user == user { Ok(opened.content) } else { Err(ended()) }
}

fn cookie(metadata: &MetadataMap) -> Option<String> {
    let texts = metadata.get_all("cookie").iter().filter_map(|value| value.to_str().ok());
    let pairs = texts.flat_map(|text| text.split(';'));
    let named = |pair: &str| pair.trim().strip_prefix(COOKIE)?.strip_prefix('=').map(ToOwned::to_owned);
    pairs.filter_map(named).find(|value| !value.is_empty())
}
