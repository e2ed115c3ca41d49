//! Rows about requests, for a share of them: what the access log says, and the bodies where they are wanted.

use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use bytes::{Bytes, BytesMut};
use sabir::ledger::{RequestLog, RequestRow};
use serde_json::{Map, Value};
use sha2::{Digest as _, Sha256};

/// The most that is kept of a body, in bytes.
const LONGEST: usize = 1 << 20;

/// Where rows are kept, and of which requests.
#[derive(Clone, Debug)]
pub(crate) struct Rows {
    pub(crate) log: Arc<dyn RequestLog>,
    /// From 0 to 1.
    pub(crate) sample: f64,
    /// Whether bodies are kept.
    pub(crate) content: bool,
    /// The file and for how long its rows are kept, where it was opened by a configuration.
    #[cfg_attr(not(feature = "request-log"), expect(dead_code, reason = "no configuration opens one"))]
    pub(crate) of: Option<(PathBuf, Duration)>,
}

impl Rows {
    /// A request comes; `None` where it is not in the sample.
    pub(crate) fn begin(&self, id: &str) -> Option<Draft> {
        is_sampled(id, self.sample).then(|| Draft { log: self.log.clone(), bodies: self.content.then(Mutex::default) })
    }
}

/// Whether the first eight bytes of the id's SHA-256 are, as a share of what they can be, below the sample.
#[expect(clippy::cast_precision_loss, reason = "a share needs no more precision than 53 bits")]
fn is_sampled(id: &str, sample: f64) -> bool {
    let hash = Sha256::digest(id.as_bytes());
    let first = hash[..8].try_into().map_or(0, u64::from_be_bytes);
    (first >> 11) as f64 / ((1_u64 << 53) as f64) < sample
}

/// A row that is to be.
pub(crate) struct Draft {
    log: Arc<dyn RequestLog>,
    bodies: Option<Mutex<Bodies>>,
}

#[derive(Default)]
struct Bodies {
    request: Bytes,
    response: BytesMut,
}

impl Draft {
    /// The request's body is there.
    pub(crate) fn asked(&self, body: &Bytes) {
        if let Some(bodies) = &self.bodies {
            bodies.lock().unwrap_or_else(PoisonError::into_inner).request = body.slice(..body.len().min(LONGEST));
        }
    }

    /// A piece of the answer goes out.
    pub(crate) fn told(&self, piece: &Bytes) {
        if let Some(bodies) = &self.bodies {
            let response = &mut bodies.lock().unwrap_or_else(PoisonError::into_inner).response;
            response.extend_from_slice(&piece[..piece.len().min(LONGEST.saturating_sub(response.len()))]);
        }
    }

    /// Writes the row of a request by what is said of it in the access log. Only what asks in a dialect has one: neither
    /// probes nor the administrator.
    pub(crate) fn write(self, said: &Map<String, Value>) {
        let text = |name: &str| said.get(name).and_then(Value::as_str).map(str::to_owned);
        let count = |name: &str| said.get(name).and_then(Value::as_u64);
        let time = |name: &str| said.get(name).and_then(Value::as_f64).map(Duration::from_secs_f64);
        let Some(format) = text("format") else { return };
        let mut row = RequestRow::default();
        row.id = text("id").unwrap_or_default();
        row.time = time("time").unwrap_or_default();
        row.path = text("path").unwrap_or_default();
        (row.format, row.key, row.team) = (Some(format), text("key"), text("team"));
        (row.route, row.provider) = (text("asked"), text("provider"));
        row.model = text("answered_by").or_else(|| text("model"));
        row.status = count("status").and_then(|status| u16::try_from(status).ok());
        (row.attempts, row.nano_usd) = (count("attempts"), count("nano_usd"));
        (row.input_tokens, row.output_tokens) = (count("input_tokens"), count("output_tokens"));
        (row.cached, row.left) = (said.contains_key("cache"), said.contains_key("left"));
        (row.error, row.first_byte) = (text("error"), time("first_byte_seconds"));
        row.took = time("seconds").unwrap_or_default();
        if let Some(bodies) = self.bodies {
            let bodies = bodies.into_inner().unwrap_or_else(PoisonError::into_inner);
            (row.request, row.response) = (Some(bodies.request.into()), Some(bodies.response.freeze().into()));
        }
        self.log.write(row);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_sample_is_its_share_and_always_the_same() {
        let ids: Vec<String> = (0..4_000).map(|number| format!("{number:024x}")).collect();
        let of = |sample: f64| ids.iter().filter(|id| is_sampled(id, sample)).collect::<Vec<_>>();
        assert!(of(0.0).is_empty() && of(1.0).len() == ids.len());
        let some = of(0.2);
        assert!((700..900).contains(&some.len()), "{}", some.len());
        let more = of(0.4);
        assert!(some.iter().all(|id| more.contains(id)), "a larger sample has all of a smaller one");
        // `printf %s a | sha256sum` begins with ca978112ca1bbdca: 0.79 of all.
        assert!(is_sampled("a", 0.8) && !is_sampled("a", 0.79));
    }
}
