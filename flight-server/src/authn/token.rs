//! Bearer tokens: the user's name and the fingerprint of its password hash, sealed.

use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;

use crate::error::Result;
use crate::seal::{Purpose, Sealer};

/// What a token says.
#[derive(Debug)]
pub(crate) struct Claims {
    pub(crate) user: String,
    pub(crate) fingerprint: String,
}

/// Issues a token.
///
/// # Errors
/// `Internal` when sealing fails.
pub(crate) fn issue(sealer: &Sealer, user: &str, fingerprint: &str, lifetime: Duration) -> Result<String> {
    let sealed = sealer.seal(Purpose::Token, user, lifetime, &fingerprint.to_owned())?;
    Ok(URL_SAFE_NO_PAD.encode(sealed))
}

/// Opens a token; `None` when it is forged or its time is over.
pub(crate) fn open(sealer: &Sealer, token: &str) -> Option<Claims> {
    let sealed = URL_SAFE_NO_PAD.decode(token).ok()?;
    let opened = sealer.open::<String>(Purpose::Token, &sealed).ok()?;
    Some(Claims { user: opened.user, fingerprint: opened.content })
}
