//! The innermost layer of a batch: writes down each attempt before it is sent, whatever the layers above do (retry, wait
//! for a limit, ask another provider).

use std::sync::{Arc, OnceLock};

use sabir::{Call, Error, ErrorKind, Layer, Reply, Request, Result, Service, Shared, Stage};

use super::journal::Journal;

/// Marks attempts in a journal, once there is one.
#[derive(Clone, Debug, Default)]
pub(super) struct Mark(Arc<OnceLock<Arc<Journal>>>);

impl Mark {
    pub(super) fn begin(&self, journal: Arc<Journal>) {
        // There is one journal a run.
        let _ = self.0.set(journal);
    }
}

impl Layer for Mark {
    fn apply(&self, inner: Shared) -> Shared {
        Shared::new(Marked { mark: self.clone(), inner })
    }
}

#[derive(Debug)]
struct Marked {
    mark: Mark,
    inner: Shared,
}

impl Service for Marked {
    async fn call<'a>(&'a self, call: &'a Call, request: &'a Request) -> Result<Reply> {
        let item = call.idempotency_key.as_deref().and_then(Journal::item_of);
        let Some((journal, item)) = self.mark.0.get().zip(item) else {
            return self.inner.call(call, request).await;
        };
        journal.sent(item).map_err(|error| unwritten(&error))?;
        let replied = self.inner.call(call, request).await;
        if replied.is_err() {
            journal.back(item).map_err(|error| unwritten(&error))?;
        }
        replied
    }
}

/// What is not written down must not be sent.
pub(super) fn unwritten(error: &std::io::Error) -> Error {
    Error::new(ErrorKind::Configuration, format!("cannot write the batch's journal: {error}"))
        .with_stage(Stage::NotSent)
        .with_retryable(false)
}
