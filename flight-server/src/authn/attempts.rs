//! Limits guessing: failed sign-ins per user and address, and with service tokens per address, in a small window.
//!
//! It is kept per process: with several processes a guesser has that many times the attempts, which
//! argon2id makes pointless all the same.

use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use crate::error::{Result, ServerError};

/// Failures that are allowed in a window.
const MAX_FAILURES: u32 = 5;
/// How long failures are remembered after the first.
const WINDOW: Duration = Duration::from_secs(30);
/// Beyond this many remembered pairs, finished windows are dropped; then, fail closed, none are added.
const MAX_PAIRS: usize = 10_000;

/// What was tried.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(super) enum Tried {
    /// A password, for a user name as it was sent.
    Password(String),
    /// A service token. All are counted as one, so that refusals don't tell which ones exist.
    ServiceToken,
}

type Pair = (Tried, Option<IpAddr>);

#[derive(Debug, Clone, Copy)]
struct Window {
    started: Instant,
    failures: u32,
}

/// Remembers failed sign-ins.
#[derive(Debug, Default)]
pub(crate) struct Attempts {
    windows: Mutex<HashMap<Pair, Window>>,
}

impl Attempts {
    /// Lets an attempt through, or says when to come back.
    ///
    /// # Errors
    /// `TooManyAttempts`.
    pub(crate) fn admit(&self, tried: &Tried, peer: Option<IpAddr>) -> Result<()> {
        let mut windows = self.windows.lock().unwrap_or_else(PoisonError::into_inner);
        let pair = (tried.clone(), peer);
        let refused = |age: Duration| {
            Err(ServerError::TooManyAttempts { retry_seconds: WINDOW.saturating_sub(age).as_secs() + 1 })
        };
        match windows.get(&pair).copied() {
            Some(window) if window.started.elapsed() >= WINDOW => {
                windows.remove(&pair);
                Ok(())
            }
            Some(window) if window.failures >= MAX_FAILURES => refused(window.started.elapsed()),
            Some(_) => Ok(()),
            None if windows.len() >= MAX_PAIRS => {
                windows.retain(|_, window| window.started.elapsed() < WINDOW);
                if windows.len() >= MAX_PAIRS {
                    return refused(Duration::ZERO);
                }
                Ok(())
            }
            None => Ok(()),
        }
    }

    /// Counts a failure.
    pub(crate) fn failed(&self, tried: Tried, peer: Option<IpAddr>) {
        let mut windows = self.windows.lock().unwrap_or_else(PoisonError::into_inner);
        let window = windows.entry((tried, peer)).or_insert(Window { started: Instant::now(), failures: 0 });
        window.failures += 1;
    }

    /// Forgets the failures of a pair that signed in.
    pub(crate) fn succeeded(&self, tried: &Tried, peer: Option<IpAddr>) {
        let mut windows = self.windows.lock().unwrap_or_else(PoisonError::into_inner);
        windows.remove(&(tried.clone(), peer));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn password(user: &str) -> Tried {
        Tried::Password(user.to_owned())
    }

    #[test]
    fn failures_are_limited_per_user_and_address() {
        let attempts = Attempts::default();
        let here = Some(IpAddr::from([127, 0, 0, 1]));
        for _ in 0..MAX_FAILURES {
            attempts.admit(&password("ana"), here).unwrap();
            attempts.failed(password("ana"), here);
        }
        let error = attempts.admit(&password("ana"), here).unwrap_err();
        assert!(matches!(error, ServerError::TooManyAttempts { retry_seconds } if retry_seconds > 0));
        attempts.admit(&password("ana"), None).unwrap();
        attempts.admit(&password("bob"), here).unwrap();
        attempts.admit(&Tried::ServiceToken, here).unwrap();
    }

    #[test]
    fn success_forgets_failures() {
        let attempts = Attempts::default();
        for _ in 0..MAX_FAILURES {
            attempts.failed(password("ana"), None);
        }
        attempts.succeeded(&password("ana"), None);
        attempts.admit(&password("ana"), None).unwrap();
    }
}
