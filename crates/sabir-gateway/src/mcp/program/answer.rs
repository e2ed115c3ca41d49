//! From what a program says to the answer of a request: JSON where its response comes first, else a stream of events.

use std::sync::{Arc, Weak};
use std::time::Duration;

use bytes::Bytes;
use futures_util::stream::unfold;
use http::header::{CACHE_CONTROL, CONTENT_TYPE, HeaderName, HeaderValue};
use http::{Response, StatusCode};
use sabir::transport::{Body, whole};
use sabir::{Error, Result};
use serde_json::json;
use tokio::time::{Instant, timeout, timeout_at};

use super::super::refused;
use super::mailbox::Letter;
use super::message::event;
use super::session::{Ear, Question, Session};
use super::table::Table;

/// How long a stream is silent before it says that it is there: what stands in between may cut what is silent.
const SILENCE: Duration = Duration::from_secs(15);
/// An event without an event (<https://html.spec.whatwg.org/multipage/server-sent-events.html>).
const STILL_HERE: Bytes = Bytes::from_static(b":\n\n");

/// Has reverse proxies hand streams on as they come (specification of 2026-07-28).
const UNBUFFERED: HeaderName = HeaderName::from_static("x-accel-buffering");

/// What codes of errors are statuses where there are no sessions (specification of 2026-07-28): JSON-RPC's own, a header
/// that does not match, a capability that is missing, a version that is not spoken.
const STATUSES: [(i64, StatusCode); 7] = [
    (-32_700, StatusCode::BAD_REQUEST),
    (-32_600, StatusCode::BAD_REQUEST),
    (-32_601, StatusCode::NOT_FOUND),
    (-32_602, StatusCode::BAD_REQUEST),
    (-32_020, StatusCode::BAD_REQUEST),
    (-32_021, StatusCode::BAD_REQUEST),
    (-32_022, StatusCode::BAD_REQUEST),
];

/// A request whose answer is waited for.
pub(super) struct Waiting {
    pub(super) server: String,
    pub(super) question: Question,
    pub(super) session: Arc<Session>,
    /// When it is too late; never, where it is meant to go on.
    pub(super) until: Option<Instant>,
    /// Whether the client reads a stream.
    pub(super) streams: bool,
    /// Where the session has no client: where it is kept when it was answered. It ends with the request otherwise.
    pub(super) kept: Option<Weak<Table>>,
}

enum Next {
    Letter(Letter),
    /// The program, or its session, has ended.
    Gone,
    Late,
    Silent,
}

impl Waiting {
    /// Waits for the answer, or for the first that comes of a stream; and whether it is known to be an error.
    ///
    /// # Errors
    /// 502 where the program ended, 504 where it takes too long.
    pub(super) async fn answer(self) -> Result<(Response<Body>, bool)> {
        loop {
            match self.next().await {
                Next::Letter(Letter::Answer { message, error }) => {
                    return Ok((self.whole(message, error), error.is_some()));
                }
                Next::Letter(Letter::Message(message)) => return Ok((self.stream(event(&message)), false)),
                Next::Silent if self.streams => return Ok((self.stream(STILL_HERE), false)),
                Next::Silent => {}
                Next::Gone => return Err(self.gone()),
                Next::Late => return Err(self.late()),
            }
        }
    }

    async fn next(&self) -> Next {
        let silent = Instant::now() + SILENCE;
        let until = self.until.map_or(silent, |until| until.min(silent));
        match timeout_at(until, self.question.mailbox.next()).await {
            Ok(Some(letter)) => Next::Letter(letter),
            Ok(None) => Next::Gone,
            Err(_) if self.until.is_some_and(|until| until <= Instant::now()) => Next::Late,
            Err(_) => Next::Silent,
        }
    }

    fn whole(self, message: Bytes, error: Option<i64>) -> Response<Body> {
        let known = |code| STATUSES.iter().find(|(known, _)| *known == code).map(|(_, status)| *status);
        let status = error.filter(|_| self.kept.is_some()).and_then(known);
        self.keep(error);
        let mut response = Response::new(whole(message));
        *response.status_mut() = status.unwrap_or(StatusCode::OK);
        response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
        response
    }

    fn stream(self, first: Bytes) -> Response<Body> {
        let rest = unfold((Some(first), Some(self)), |(first, waiting)| async move {
            let waiting = waiting?;
            if let Some(first) = first {
                return Some((Ok(first), (None, Some(waiting))));
            }
            let (said, waiting) = match waiting.next().await {
                Next::Letter(Letter::Message(message)) => (event(&message), Some(waiting)),
                Next::Silent => (STILL_HERE, Some(waiting)),
                Next::Letter(Letter::Answer { message, error }) => {
                    waiting.keep(error);
                    (event(&message), None)
                }
                Next::Gone => (waiting.failure(&waiting.gone()), None),
                Next::Late => (waiting.failure(&waiting.late()), None),
            };
            Some((Ok(said), (None, waiting)))
        });
        events(Box::pin(rest))
    }

    /// A session without a client is kept for the next request where it answered well. One that did not may be in a state
    /// that is of no use to another.
    fn keep(&self, error: Option<i64>) {
        if let Some(table) = self.kept.as_ref().filter(|_| error.is_none()).and_then(Weak::upgrade) {
            table.keep(self.session.clone());
        }
    }

    fn gone(&self) -> Error {
        refused(StatusCode::BAD_GATEWAY, format!("the MCP server {} ended before it answered", self.server))
    }

    fn late(&self) -> Error {
        self.session.cancel(&self.question.id);
        refused(StatusCode::GATEWAY_TIMEOUT, format!("the MCP server {} does not answer in time", self.server))
    }

    /// What a client is told whose answer has begun.
    fn failure(&self, error: &Error) -> Bytes {
        let said = json!({ "code": -32_000, "message": error.message() });
        event(format!(r#"{{"jsonrpc":"2.0","id":{},"error":{said}}}"#, self.question.id.json()).as_bytes())
    }
}

/// The stream of what a program says to nobody's request, until its session ends.
pub(super) fn unasked(ear: Ear) -> Response<Body> {
    let messages = unfold(ear, |ear| async move {
        let said = match timeout(SILENCE, ear.mailbox.next()).await {
            Ok(Some(Letter::Message(message) | Letter::Answer { message, .. })) => event(&message),
            Ok(None) => return None,
            Err(_) => STILL_HERE,
        };
        Some((Ok(said), ear))
    });
    events(Box::pin(messages))
}

fn events(body: Body) -> Response<Body> {
    let mut response = Response::new(body);
    let headers = response.headers_mut();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static("text/event-stream"));
    headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-cache"));
    headers.insert(UNBUFFERED, HeaderValue::from_static("no"));
    response
}
