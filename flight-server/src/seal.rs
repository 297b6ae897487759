//! Sealing: what a client carries for us and must neither read nor change.
//!
//! XChaCha20-Poly1305 with the store's key, so that every process that serves the store opens what
//! any other sealed. The purpose is bound as associated data: a ticket is never taken for a token.
//! It seals and opens; who may use what was opened is decided by the callers.

use basin_catalog::Catalog;
use chacha20poly1305::aead::{Aead, KeyInit, Payload};
use chacha20poly1305::{Key, XChaCha20Poly1305, XNonce};
use chrono::Utc;
use prost::Message;

use crate::error::{Result, ServerError};

/// Clocks of the processes that share a store may differ by this much.
pub(crate) const CLOCK_TOLERANCE_SECONDS: i64 = 60;

const NONCE_BYTES: usize = 24;

/// What a sealed message is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) enum Purpose {
    /// A bearer token.
    Token,
    /// A ticket, for DoGet.
    Ticket,
    /// A prepared statement's handle.
    Prepared,
    /// The descriptor of a next poll.
    Poll,
    /// The options of a session.
    Session,
}

impl Purpose {
    fn associated_data(self) -> &'static [u8] {
        match self {
            Self::Token => b"basin/1/token",
            Self::Ticket => b"basin/1/ticket",
            Self::Prepared => b"basin/1/prepared",
            Self::Poll => b"basin/1/poll",
            Self::Session => b"basin/1/session",
        }
    }
}

/// Seals and opens messages with the store's key.
#[derive(Clone)]
pub(crate) struct Sealer {
    cipher: XChaCha20Poly1305,
}

impl std::fmt::Debug for Sealer {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Sealer(<key>)")
    }
}

/// The outer message: who it was issued to, when, until when, and the content.
#[derive(Clone, PartialEq, Message)]
struct Envelope {
    #[prost(string, tag = "1")]
    user: String,
    #[prost(int64, tag = "2")]
    issued_at: i64,
    #[prost(int64, tag = "3")]
    expires_at: i64,
    #[prost(bytes = "vec", tag = "4")]
    content: Vec<u8>,
}

/// Why a sealed message was not opened.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Rejected {
    /// Not sealed by this store's key for this purpose, or changed.
    Forged,
    /// Its time is over.
    Expired,
}

/// An opened message.
#[derive(Debug)]
pub(crate) struct Opened<M> {
    /// The user it was issued to.
    pub(crate) user: String,
    /// What was sealed.
    pub(crate) content: M,
}

impl Sealer {
    /// Takes the store's key.
    ///
    /// # Errors
    /// Those of the catalog when the key can't be read or created.
    pub(crate) async fn of(catalog: &Catalog) -> Result<Self> {
        Ok(Self::with_key(catalog.seal_key().await?))
    }

    pub(crate) fn with_key(key: [u8; 32]) -> Self {
        Self { cipher: XChaCha20Poly1305::new(&Key::from(key)) }
    }

    /// Seals a message for a user, for a time.
    ///
    /// # Errors
    /// `Internal` when the cipher refuses, which it does only beyond 256 GiB.
    pub(crate) fn seal<M: Message>(
        &self,
        purpose: Purpose,
        user: &str,
        lifetime: std::time::Duration,
        content: &M,
    ) -> Result<Vec<u8>> {
        let seconds = i64::try_from(lifetime.as_secs()).unwrap_or(i64::MAX);
        self.seal_until(purpose, user, seconds, content)
    }

    /// Seals a message that ends some seconds from now.
    pub(crate) fn seal_until<M: Message>(
        &self,
        purpose: Purpose,
        user: &str,
        seconds: i64,
        content: &M,
    ) -> Result<Vec<u8>> {
        let now = Utc::now().timestamp();
        let envelope = Envelope {
            user: user.to_owned(),
            issued_at: now,
            expires_at: now.saturating_add(seconds),
            content: content.encode_to_vec(),
        };
        self.encrypt(purpose, &envelope.encode_to_vec())
    }

    fn encrypt(&self, purpose: Purpose, plain: &[u8]) -> Result<Vec<u8>> {
        let nonce: [u8; NONCE_BYTES] = rand::random();
        let payload = Payload { msg: plain, aad: purpose.associated_data() };
        let sealed = self
            .cipher
            .encrypt(&XNonce::from(nonce), payload)
            .map_err(|_| ServerError::Internal("sealing failed"))?;
        let mut message = nonce.to_vec();
        message.extend_from_slice(&sealed);
        Ok(message)
    }

    /// Opens a message that this store sealed for this purpose and whose time is not over.
    pub(crate) fn open<M: Message + Default>(
        &self,
        purpose: Purpose,
        message: &[u8],
    ) -> std::result::Result<Opened<M>, Rejected> {
        let (nonce, sealed) = message.split_first_chunk::<NONCE_BYTES>().ok_or(Rejected::Forged)?;
        let payload = Payload { msg: sealed, aad: purpose.associated_data() };
        let plain = self.cipher.decrypt(&XNonce::from(*nonce), payload).map_err(|_| Rejected::Forged)?;
        let envelope = Envelope::decode(plain.as_slice()).map_err(|_| Rejected::Forged)?;
        let now = Utc::now().timestamp();
        if now > envelope.expires_at.saturating_add(CLOCK_TOLERANCE_SECONDS)
            || envelope.issued_at > now.saturating_add(CLOCK_TOLERANCE_SECONDS)
        {
            return Err(Rejected::Expired);
        }
        Ok(Opened {
            user: envelope.user,
            content: M::decode(envelope.content.as_slice()).map_err(|_| Rejected::Forged)?,
        })
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    const HOUR: Duration = Duration::from_secs(3600);

    fn sealed(sealer: &Sealer, purpose: Purpose) -> Vec<u8> {
        sealer.seal(purpose, "ana", HOUR, &"content".to_owned()).unwrap()
    }

    #[test]
    fn what_was_sealed_is_opened() {
        let sealer = Sealer::with_key([7; 32]);
        let opened = sealer.open::<String>(Purpose::Ticket, &sealed(&sealer, Purpose::Ticket)).unwrap();
        assert_eq!((opened.user.as_str(), opened.content.as_str()), ("ana", "content"));
    }

    #[test]
    fn another_purpose_or_key_is_forged() {
        let sealer = Sealer::with_key([7; 32]);
        let ticket = sealed(&sealer, Purpose::Ticket);
        let token = sealer.open::<String>(Purpose::Token, &ticket);
        assert_eq!(token.unwrap_err(), Rejected::Forged);
        let other = Sealer::with_key([8; 32]).open::<String>(Purpose::Ticket, &ticket);
        assert_eq!(other.unwrap_err(), Rejected::Forged);
    }

    #[test]
    fn every_changed_byte_and_every_cut_is_forged() {
        let sealer = Sealer::with_key([7; 32]);
        let ticket = sealed(&sealer, Purpose::Ticket);
        for position in 0..ticket.len() {
            let mut changed = ticket.clone();
            changed[position] ^= 1;
            let opened = sealer.open::<String>(Purpose::Ticket, &changed);
            assert_eq!(opened.unwrap_err(), Rejected::Forged);
            let opened = sealer.open::<String>(Purpose::Ticket, &ticket[..position]);
            assert_eq!(opened.unwrap_err(), Rejected::Forged);
        }
    }

    #[test]
    fn the_clock_is_tolerated_for_a_minute_only() {
        let sealer = Sealer::with_key([7; 32]);
        let now = Utc::now().timestamp();
        for (issued_at, expires_at, fits) in [
            (now - 100, now - 30, true),
            (now - 100, now - 90, false),
            (now + 30, now + 100, true),
            (now + 90, now + 100, false),
        ] {
            let envelope = Envelope { user: "ana".to_owned(), issued_at, expires_at, content: Vec::new() };
            let message = sealer.encrypt(Purpose::Ticket, &envelope.encode_to_vec()).unwrap();
            let opened = sealer.open::<String>(Purpose::Ticket, &message);
            assert_eq!(opened.is_ok(), fits);
        }
    }
}
