//! Heard: what an engine logs, at level DEBUG and above, as text.

use std::fmt::Write;
use std::sync::{Arc, Mutex};
use tracing::field::{Field, Visit};
use tracing::span::{Attributes, Id, Record};
use tracing::{Event, Level, Metadata, Subscriber};

/// Hears what the project's crates say.
#[derive(Clone, Default)]
pub(crate) struct Heard {
    text: Arc<Mutex<String>>,
}

impl Heard {
    /// Takes what was said since the last time.
    pub(crate) fn take(&self) -> String {
        std::mem::take(&mut self.text.lock().unwrap())
    }

    fn note(&self, visit: impl FnOnce(&mut Said)) {
        let mut said = Said::default();
        visit(&mut said);
        let mut text = self.text.lock().unwrap();
        text.push_str(&said.0);
        text.push('\n');
    }
}

#[derive(Default)]
struct Said(String);

impl Visit for Said {
    fn record_debug(&mut self, field: &Field, value: &dyn std::fmt::Debug) {
        write!(self.0, " {field}={value:?}").unwrap();
    }
}

impl Subscriber for Heard {
    fn enabled(&self, metadata: &Metadata<'_>) -> bool {
        metadata.target().starts_with("basin") && *metadata.level() <= Level::DEBUG
    }

    fn new_span(&self, span: &Attributes<'_>) -> Id {
        self.note(|said| span.record(said));
        Id::from_u64(1)
    }

    fn record(&self, _: &Id, values: &Record<'_>) {
        self.note(|said| values.record(said));
    }

    fn record_follows_from(&self, _: &Id, _: &Id) {}

    fn event(&self, event: &Event<'_>) {
        self.note(|said| event.record(said));
    }

    fn enter(&self, _: &Id) {}

    fn exit(&self, _: &Id) {}
}
