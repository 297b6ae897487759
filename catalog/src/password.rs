//! Passwords as argon2id hashes. The password itself is never kept.

use std::fmt;

use argon2::{Argon2, PasswordHasher, PasswordVerifier};
use serde::{Deserialize, Serialize};

use crate::error::{CatalogError, Result};

const MAX_PASSWORD_BYTES: usize = 1024;

/// A hash that no password is known for, of the same cost as a real one.
const DUMMY: &str =
    "$argon2id$v=19$m=19456,t=2,p=1$YmFzaW4tZHVtbXktc2FsdA$AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA";

/// A password's argon2id hash in PHC text form.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct PasswordHash(String);

impl PasswordHash {
    /// Hashes a password with a fresh salt. Takes tens of milliseconds and 19 MiB: run it off the I/O threads.
    ///
    /// # Errors
    /// `Invalid` when the password is empty or longer than 1024 bytes, or the system gives no randomness.
    pub fn create(password: &str) -> Result<Self> {
        if password.is_empty() || password.len() > MAX_PASSWORD_BYTES {
            let reason = format!("it has 1 to {MAX_PASSWORD_BYTES} bytes; choose another");
            return Err(CatalogError::invalid("password", reason));
        }
        let hash = Argon2::default().hash_password(password.as_bytes());
        hash.map(|hash| Self(hash.to_string()))
            .map_err(|error| CatalogError::invalid("password", error.to_string()))
    }

    /// Whether it is this password's hash. As slow as `create`.
    #[must_use]
    pub fn verify(&self, password: &str) -> bool {
        password.len() <= MAX_PASSWORD_BYTES
            && Argon2::default().verify_password(password.as_bytes(), self.0.as_str()).is_ok()
    }

    /// A hash that no password fits, to spend the same time on unknown users.
    #[must_use]
    pub fn dummy() -> Self {
        Self(DUMMY.to_owned())
    }

    /// The PHC text, such as to tell whether a password was changed. It is a secret.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for PasswordHash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("PasswordHash(…)")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_hash_fits_its_password_only() {
        let hash = PasswordHash::create("心有灵犀").unwrap();
        assert!(hash.verify("心有灵犀") && !hash.verify("心有灵犀 ") && !hash.verify(""));
        assert!(hash.as_str().starts_with("$argon2id$v=19$m=19456,t=2,p=1$"));
        assert!(!format!("{hash:?}").contains("argon2id"));
        assert!(PasswordHash::create("").is_err());
    }

    #[test]
    fn the_dummy_is_computed_in_full_and_fits_nothing() {
        assert!(argon2::PasswordHash::new(DUMMY).is_ok());
        assert!(!PasswordHash::dummy().verify("AAAA"));
    }
}
