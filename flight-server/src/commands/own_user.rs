//! Users that a command makes for itself, with a password that only their store can know.

use basin_catalog::{Catalog, Digest, ErrorClass, User};

use super::error::{CommandError, Result};

/// The password of a command's own user, the same at every start: the store's random key, hashed. Nothing about the key can
/// be learnt from it.
///
/// # Errors
/// Those of reading the key.
pub(super) async fn password(catalog: &Catalog, user: &str) -> Result<String> {
    let key = catalog.seal_key().await?;
    let seed = [key.as_slice(), format!("password of the user {user}").as_bytes()].concat();
    Ok(Digest::of(&seed).as_hex().chars().take(20).collect())
}

/// Says whether the user signs in with this password.
///
/// # Errors
/// `Internal` when checking it failed.
pub(super) async fn has_password(user: User, password: String) -> Result<bool> {
    tokio::task::spawn_blocking(move || user.password.is_some_and(|hash| hash.verify(&password)))
        .await
        .map_err(|_| CommandError::refused(ErrorClass::Internal, "checking the password failed"))
}
