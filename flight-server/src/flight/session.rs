//! Sessions: SetSessionOptions, GetSessionOptions, CloseSession. The server keeps nothing of a session: its options are
//! sealed into a cookie and into a fresh bearer token, and the client brings back whichever it keeps.
//!
//! Source: Flight.proto, `SetSessionOptionsRequest` and what follows; arrow-flight has no messages for them.

use std::collections::HashMap;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use bytes::Bytes;
use prost::{Message, Oneof};
use tonic::metadata::{MetadataMap, MetadataValue};

use super::call::Call;
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

#[derive(Clone, PartialEq, Message)]
pub(super) struct OptionValue {
    #[prost(oneof = "WireValue", tags = "1, 2, 3, 4, 5")]
    pub(super) value: Option<WireValue>,
}

#[derive(Clone, PartialEq, Oneof)]
pub(super) enum WireValue {
    #[prost(string, tag = "1")]
    Text(String),
    #[prost(bool, tag = "2")]
    Flag(bool),
    #[prost(sfixed64, tag = "3")]
    Number(i64),
    #[prost(double, tag = "4")]
    Real(f64),
    #[prost(message, tag = "5")]
    List(TextList),
}

#[derive(Clone, PartialEq, Message)]
pub(super) struct TextList {
    #[prost(string, repeated, tag = "1")]
    pub(super) values: Vec<String>,
}

/// The value of an option, as clients send it.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Value {
    /// Back to the default.
    Unset,
    Text(String),
    Flag(bool),
    Number(i64),
    /// No option is of such a type.
    Other,
}

impl Value {
    pub(super) fn is_unset(&self) -> bool {
        match self {
            Self::Unset => true,
            Self::Text(text) => text.is_empty(),
            Self::Flag(_) | Self::Number(_) | Self::Other => false,
        }
    }

    pub(super) fn text(&self) -> Option<String> {
        match self {
            Self::Text(text) => Some(text.clone()),
            Self::Number(number) => Some(number.to_string()),
            Self::Unset | Self::Flag(_) | Self::Other => None,
        }
    }

    pub(super) fn flag(&self) -> Option<bool> {
        match self {
            Self::Flag(flag) => Some(*flag),
            Self::Text(text) => text.parse().ok(),
            Self::Unset | Self::Number(_) | Self::Other => None,
        }
    }

    pub(super) fn number(&self) -> Option<u64> {
        match self {
            Self::Number(number) => u64::try_from(*number).ok(),
            Self::Text(text) => text.parse().ok(),
            Self::Unset | Self::Flag(_) | Self::Other => None,
        }
    }

    fn of_wire(value: OptionValue) -> Self {
        match value.value {
            None => Self::Unset,
            Some(WireValue::Text(text)) => Self::Text(text),
            Some(WireValue::Flag(flag)) => Self::Flag(flag),
            Some(WireValue::Number(number)) => Self::Number(number),
            // ADBC has numbers of one kind only in some languages.
            Some(WireValue::Real(real)) if real.fract() == 0.0 && real.abs() < 1e15 => {
                Self::Text(format!("{real:.0}"))
            }
            Some(WireValue::Real(_) | WireValue::List(_)) => Self::Other,
        }
    }

    fn into_wire(self) -> Option<OptionValue> {
        let value = match self {
            Self::Text(text) => WireValue::Text(text),
            Self::Flag(flag) => WireValue::Flag(flag),
            Self::Number(number) => WireValue::Number(number),
            Self::Unset | Self::Other => return None,
        };
        Some(OptionValue { value: Some(value) })
    }
}

/// Options as they are sealed.
pub(crate) fn seal_options(options: &SessionOptions) -> Vec<u8> {
    options.encode_to_vec()
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
        let token = call.token(&self.authenticator, seal_options(session))?;
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
