//! Bearer tokens: the user's name, the fingerprint of its password hash and the options of its session, sealed.

use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use prost::Message;

use crate::error::Result;
use crate::seal::{Purpose, Sealer};

/// What a token says.
#[derive(Debug)]
pub(crate) struct Claims {
    pub(crate) user: String,
    pub(crate) content: Content,
}

/// What is sealed beside the user's name.
#[derive(Clone, PartialEq, Message)]
pub(crate) struct Content {
    #[prost(string, tag = "1")]
    pub(crate) fingerprint: String,
    /// The session's options, for clients that keep no cookies; authentication doesn't look at them.
    #[prost(bytes = "vec", tag = "2")]
    pub(crate) session: Vec<u8>,
}

/// Issues a token.
///
/// # Errors
/// `Internal` when sealing fails.
pub(crate) fn issue(sealer: &Sealer, user: &str, content: &Content, lifetime: Duration) -> Result<String> {
    let sealed = sealer.seal(Purpose::Token, user, lifetime, content)?;
    Ok(URL_SAFE_NO_PAD.encode(sealed))
}

/// Opens a token; `None` when it is forged or its time is over.
pub(crate) fn open(sealer: &Sealer, token: &str) -> Option<Claims> {
    let sealed = URL_SAFE_NO_PAD.decode(token).ok()?;
    let opened = sealer.open::<Content>(Purpose::Token, &sealed).ok()?;
    Some(Claims { user: opened.user, content: opened.content })
}
