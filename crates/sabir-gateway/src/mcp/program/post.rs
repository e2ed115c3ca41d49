//! What clients say: each message to the process that it is for, and the way of its answer.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use futures_util::StreamExt as _;
use http::header::{HeaderMap, HeaderName};
use http::request::Parts;
use http::{Response, StatusCode};
use sabir::Result;
use sabir::transport::Body;
use tokio::time::Instant;

use super::super::{Closing, refused};
use super::answer::Waiting;
use super::message::{self, Id, Message};
use super::session::Session;
use super::{IDLE, Program, Reads, SESSION, SPARE, empty};

const VERSION: HeaderName = HeaderName::from_static("mcp-protocol-version");
const METHOD: HeaderName = HeaderName::from_static("mcp-method");
/// The versions that have sessions; all later ones have none.
const WITH_SESSIONS: [&str; 4] = ["2024-11-05", "2025-03-26", "2025-06-18", "2025-11-25"];
/// The code of an error where a header says something else than the message (specification of 2026-07-28).
const MISMATCH: &str = "-32020";

const INITIALIZE: &str = "initialize";
/// What is answered at once, by programs that know it; those that do not may say nothing.
const DISCOVER: &str = "server/discover";
/// What goes on until its client leaves.
const LISTEN: &str = "subscriptions/listen";

/// A request of a client's.
struct Asked {
    id: Id,
    method: String,
    line: Bytes,
    streams: bool,
}

impl Program {
    pub(super) async fn post(
        &self,
        key: Option<&str>,
        head: &Parts,
        body: &[u8],
        closing: &Closing,
    ) -> Result<Response<Body>> {
        let faulty = |why| refused(StatusCode::BAD_REQUEST, why);
        let text = std::str::from_utf8(body).map_err(|_| faulty("the message is no UTF-8"))?;
        let message = Message::read(text).map_err(faulty)?;
        let (line, reads) = (message::line(text), Reads::of(&head.headers));
        let Message::Request { id, method } = message else {
            if !has_no_sessions(&head.headers) {
                self.find(&head.headers, key)?.tell(line, Instant::now() + self.timeout).await?;
                return Ok(empty(StatusCode::ACCEPTED));
            }
            return match message {
                // None is known where there are no sessions, and none would reach what it is about.
                Message::Notification => Ok(empty(StatusCode::ACCEPTED)),
                _ => Err(faulty("this version of the protocol has no answers of clients")),
            };
        };
        if !reads.streams && !reads.json {
            return Err(refused(StatusCode::NOT_ACCEPTABLE, "accept application/json and text/event-stream"));
        }
        let asked = Asked { id, method, line, streams: reads.streams };
        if asked.method != INITIALIZE && has_no_sessions(&head.headers) {
            return self.alone(key, head, asked, closing).await;
        }
        if asked.method == INITIALIZE && !head.headers.contains_key(SESSION) {
            return self.initialize(key, asked, closing).await;
        }
        let session = self.find(&head.headers, key)?;
        let until = Instant::now() + self.timeout;
        let waiting = self.put(session, asked, until).await?;
        Ok(waiting.answer().await?.0)
    }

    /// Begins a session, which is there when the program does not refuse it.
    async fn initialize(&self, key: Option<&str>, asked: Asked, closing: &Closing) -> Result<Response<Body>> {
        let session = self.begin(key, IDLE, closing)?;
        let waiting = self.put(session.clone(), asked, Instant::now() + self.start).await?;
        let (mut answered, is_error) = waiting.answer().await?;
        if !is_error {
            self.table.insert(&session);
            answered.headers_mut().insert(SESSION, session.name()?);
        }
        Ok(answered)
    }

    /// A request for itself: in a process that no other request has at the same time.
    async fn alone(&self, key: Option<&str>, head: &Parts, asked: Asked, closing: &Closing) -> Result<Response<Body>> {
        if head.headers.get(METHOD).is_none_or(|method| method.as_bytes() != asked.method.as_bytes()) {
            let message = "the header mcp-method is not the method of the message";
            return Err(refused(StatusCode::BAD_REQUEST, message).with_code(MISMATCH));
        }
        let (session, starts) = match self.table.spare(key) {
            Some(session) => (session, Duration::ZERO),
            None => (self.begin(key, SPARE, closing)?, self.start),
        };
        let goes_on = asked.method == LISTEN;
        let limit = if asked.method == DISCOVER { self.start } else { starts.saturating_add(self.timeout) };
        let mut waiting = self.put(session, asked, Instant::now() + limit).await?;
        waiting.kept = Some(Arc::downgrade(&self.table));
        if goes_on {
            waiting.until = None;
            let answered = waiting.answer().await?.0;
            return Ok(answered.map(|body| Box::pin(body.take_until(closing.closed())) as Body));
        }
        Ok(waiting.answer().await?.0)
    }

    /// Asks in a session.
    async fn put(&self, session: Arc<Session>, asked: Asked, until: Instant) -> Result<Waiting> {
        let question = session.ask(asked.id, asked.streams)?;
        session.tell(asked.line, until).await?;
        let (server, streams) = (self.name.clone(), asked.streams);
        Ok(Waiting { server, question, session, until: Some(until), streams, kept: None })
    }
}

/// Whether a request is by a version of the protocol that has no sessions.
fn has_no_sessions(headers: &HeaderMap) -> bool {
    headers.get(VERSION).is_some_and(|version| WITH_SESSIONS.iter().all(|old| version != old))
}
