//! A line for each request that came over HTTP: the simulator's own books.

use std::fmt;
use std::io::Write;
use std::sync::{Mutex, PoisonError};

use sabir_core::Request;
use sabir_core::batch::Batch;
use serde_json::json;

use crate::model::last_user_text;

/// The most characters of a text that a line has.
const QUOTED: usize = 400;

/// Where the lines go.
pub(crate) struct Log(Mutex<Box<dyn Write + Send>>);

impl Log {
    pub(crate) fn new(to: impl Write + Send + 'static) -> Self {
        Self(Mutex::new(Box::new(to)))
    }

    /// Writes what was asked, before it is answered: one write. A log that cannot be written stops nothing.
    pub(crate) fn write(&self, format: &str, key: Option<&str>, is_repeated: bool, request: &Request) {
        let text: Option<String> = match request {
            Request::Chat(chat) => Some(last_user_text(chat).chars().take(QUOTED).collect()),
            _ => None,
        };
        let model = request.model();
        let line =
            json!({ "format": format, "model": model, "idempotency_key": key, "repeated": is_repeated, "text": text });
        self.line(&line);
    }

    /// Writes that a batch was taken.
    pub(crate) fn batch(&self, format: &str, batch: &Batch) {
        self.line(&json!({ "format": format, "batch": batch.id, "name": batch.name, "lines": batch.counts.total }));
    }

    fn line(&self, line: &serde_json::Value) {
        let mut to = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let _ = to.write_all(format!("{line}\n").as_bytes()).and_then(|()| to.flush());
    }
}

impl fmt::Debug for Log {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Log")
    }
}
