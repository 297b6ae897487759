//! Password checks: argon2id on a bounded part of the blocking pool, and a small memory of passwords
//! that were right, so that clients which send Basic on every call stay cheap.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use basin_catalog::{Digest, PasswordHash, User};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use super::credentials::BasicCredentials;
use crate::error::{Result, ServerError};

/// How long a right password is remembered.
const REMEMBERED: Duration = Duration::from_secs(300);
/// How many are remembered.
const MAX_REMEMBERED: usize = 4096;

/// Checks passwords.
pub(crate) struct Passwords {
    /// Each check takes tens of MiB and of milliseconds: at most half the cores do it.
    slots: Arc<Semaphore>,
    /// What a check of an unknown user compares with.
    dummy: PasswordHash,
    /// Keys the memory, so that it can't be searched with what it contains.
    secret: [u8; 32],
    verified: Mutex<HashMap<Digest, Instant>>,
}

impl std::fmt::Debug for Passwords {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Passwords(<secret>)")
    }
}

impl Passwords {
    pub(crate) fn new() -> Self {
        let cores = std::thread::available_parallelism().map_or(1, usize::from);
        Self {
            slots: Arc::new(Semaphore::new((cores / 2).max(1))),
            dummy: PasswordHash::dummy(),
            secret: rand::random(),
            verified: Mutex::default(),
        }
    }

    /// Waits for a turn to check a password.
    ///
    /// # Errors
    /// `Internal` when the slots are closed, which nothing does.
    pub(crate) async fn slot(&self) -> Result<OwnedSemaphorePermit> {
        Arc::clone(&self.slots)
            .acquire_owned()
            .await
            .map_err(|_| ServerError::Internal("the password check is closed"))
    }

    /// Returns whether the password is the user's, never for no user or none with a password, at the same cost; and the
    /// slot.
    ///
    /// # Errors
    /// `Task` when the check could not run.
    pub(crate) async fn verify(
        &self,
        slot: OwnedSemaphorePermit,
        user: Option<&Arc<User>>,
        basic: &BasicCredentials,
    ) -> Result<(bool, OwnedSemaphorePermit)> {
        let own = user.and_then(|user| user.password.clone());
        let known = own.is_some();
        let hash = own.unwrap_or_else(|| self.dummy.clone());
        let password = basic.password.clone();
        // The slot goes along, so that a caller who leaves doesn't free it early.
        let checked = tokio::task::spawn_blocking(move || (hash.verify(&password), slot));
        let (right, slot) = checked.await?;
        Ok((right && known, slot))
    }

    /// Returns whether this password was right a short while ago.
    pub(crate) fn remembers(&self, user: &User, basic: &BasicCredentials) -> bool {
        let key = self.key(user, &basic.password);
        let verified = self.verified.lock().unwrap_or_else(PoisonError::into_inner);
        verified.get(&key).is_some_and(|since| since.elapsed() < REMEMBERED)
    }

    /// Remembers a password that was right.
    pub(crate) fn remember(&self, user: &User, basic: &BasicCredentials) {
        let key = self.key(user, &basic.password);
        let mut verified = self.verified.lock().unwrap_or_else(PoisonError::into_inner);
        if verified.len() >= MAX_REMEMBERED {
            verified.retain(|_, since| since.elapsed() < REMEMBERED);
        }
        if verified.len() >= MAX_REMEMBERED {
            verified.clear();
        }
        verified.insert(key, Instant::now());
    }

    /// A changed password changes the stored hash and with it the key.
    fn key(&self, user: &User, password: &str) -> Digest {
        let mut text = self.secret.to_vec();
        let hash = user.password.as_ref().map_or("", PasswordHash::as_str);
        for part in [&user.name.to_string(), hash, password] {
            text.extend_from_slice(&part.len().to_le_bytes());
            text.extend_from_slice(part.as_bytes());
        }
        Digest::of(&text)
    }
}
