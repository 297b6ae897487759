//! Calls: how often each method was answered with which code.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tonic::Code;

use super::family::{Family, Kind, figure};

/// The calls of a process, counted.
#[derive(Debug, Clone, Default)]
pub(crate) struct Calls {
    counts: Arc<Mutex<BTreeMap<(&'static str, i32), u64>>>,
}

impl Calls {
    /// Counts a call.
    pub(crate) fn count(&self, method: &'static str, code: Code) {
        *self.counts().entry((method, code.into())).or_default() += 1;
    }

    /// The figures.
    pub(super) fn family(&self) -> Family {
        let family = Family::new(
            Kind::Counter,
            "basin_calls_total",
            "Calls that were answered, by method and gRPC code.",
        );
        self.counts().iter().fold(family, |family, ((method, code), count)| {
            let code = format!("{:?}", Code::from(*code));
            family.with(&[("method", method), ("code", &code)], figure(*count))
        })
    }

    fn counts(&self) -> MutexGuard<'_, BTreeMap<(&'static str, i32), u64>> {
        self.counts.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
