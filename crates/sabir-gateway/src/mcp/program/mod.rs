//! A server that is a program: it is started here, and spoken to by its standard input and output (the protocol's stdio
//! transport), while clients speak streamable HTTP.
//!
//! Each session of a client (`initialize`, up to the specification of 2025-11-25) has a process of its own. Where there
//! are no sessions (2026-07-28), each request has one for as long as it is under way, which is kept for the next request
//! of the same key. So no client hears what is another's, and ids never clash.

mod answer;
mod lines;
mod mailbox;
mod message;
mod post;
mod process;
mod pump;
mod rooms;
mod session;
mod table;
#[cfg(test)]
mod tests;

use std::sync::Arc;
use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use bytes::Bytes;
use http::header::{ACCEPT, HeaderMap, HeaderName};
use http::request::Parts;
use http::{Method, Response, StatusCode};
use sabir::config::{McpConfig, McpProgram};
use sabir::transport::{Body, whole};
use sabir::{Error, ErrorKind, Result};

pub(super) use self::rooms::Rooms;
use self::session::{Pipes, Session};
use self::table::Table;
use super::{Closing, refused};

const SESSION: HeaderName = HeaderName::from_static("mcp-session-id");

/// The longest time that is waited for anything, so that no time is beyond what clocks can say.
const LONGEST: Duration = Duration::from_secs(365 * 24 * 60 * 60);
/// How long a session is kept in which nothing is asked, and no stream open.
const IDLE: Duration = Duration::from_secs(15 * 60);
/// How long a program is kept for a key's next request where there are no sessions.
const SPARE: Duration = Duration::from_secs(60);

/// A server that is a program.
pub(super) struct Program {
    name: String,
    command: McpProgram,
    /// The longest that it may take to begin, and that a call may take.
    start: Duration,
    timeout: Duration,
    rooms: Rooms,
    table: Arc<Table>,
}

impl Program {
    /// `None` where it is at an address. One that was there goes on where it is the same.
    pub(super) fn of(
        name: &str,
        said: &McpConfig,
        rooms: &Rooms,
        before: Option<&Arc<Self>>,
    ) -> Result<Option<Arc<Self>>> {
        let Some(command) = said.program()? else { return Ok(None) };
        let (start, timeout) = (said.start_timeout.min(LONGEST), said.timeout.min(LONGEST));
        let is_same =
            |before: &&Arc<Self>| (&before.command, before.start, before.timeout) == (&command, start, timeout);
        if let Some(before) = before.filter(is_same) {
            return Ok(Some(before.clone()));
        }
        let table = Arc::new(Table::default());
        Ok(Some(Arc::new(Self { name: name.to_owned(), command, start, timeout, rooms: rooms.clone(), table })))
    }

    /// Ends the sessions in which nothing is under way, and lets none begin.
    pub(super) fn close(&self) {
        self.table.close();
    }

    /// Answers a request with this key, or with none where none are asked for.
    pub(super) async fn ask(
        &self,
        key: Option<&str>,
        head: &Parts,
        body: Bytes,
        closing: &Closing,
    ) -> Result<Response<Body>> {
        if head.method == Method::POST {
            return self.post(key, head, &body, closing).await;
        }
        if !head.headers.contains_key(SESSION) {
            let message = "without a session (mcp-session-id) there is only POST here";
            return Err(refused(StatusCode::METHOD_NOT_ALLOWED, message));
        }
        let session = self.find(&head.headers, key)?;
        if head.method == Method::DELETE {
            self.table.remove(&session);
            session.end();
            return Ok(empty(StatusCode::NO_CONTENT));
        }
        if !Reads::of(&head.headers).streams {
            return Err(refused(StatusCode::NOT_ACCEPTABLE, "a stream is text/event-stream; accept it"));
        }
        Ok(answer::unasked(session.listen()?))
    }

    /// The session that a request names, where its key may use it.
    fn find(&self, headers: &HeaderMap, key: Option<&str>) -> Result<Arc<Session>> {
        let id = headers.get(SESSION).ok_or_else(|| {
            refused(StatusCode::BAD_REQUEST, "there is no session (mcp-session-id); begin one (initialize)")
        })?;
        // The same for another key's session: that it is there is not for everybody.
        let found = id.to_str().ok().and_then(|id| self.table.find(id, key));
        found.ok_or_else(|| refused(StatusCode::NOT_FOUND, "there is no such session; begin another (initialize)"))
    }

    /// Starts the program for a new session.
    fn begin(&self, key: Option<&str>, idle: Duration, closing: &Closing) -> Result<Arc<Session>> {
        if closing.is_closing() {
            return Err(refused(StatusCode::SERVICE_UNAVAILABLE, "this gateway ends; begin elsewhere or later"));
        }
        let room = self.rooms.take(key).inspect_err(|_| {
            // What waits for nobody makes room.
            drop(self.table.spare(key));
        })?;
        let mut random = [0; 32];
        getrandom::fill(&mut random).map_err(|error| {
            Error::new(ErrorKind::Configuration, format!("the system gives no random numbers: {error}"))
        })?;
        let (process, input, output) = process::start(&self.name, &self.command)?;
        let pipes = Pipes { output, input, process: Some(process) };
        Ok(Session::begin(URL_SAFE_NO_PAD.encode(random), key, pipes, idle, Some(room)))
    }
}

/// What a client reads, by its `Accept`. One that does not say reads all.
#[derive(Clone, Copy)]
struct Reads {
    json: bool,
    streams: bool,
}

impl Reads {
    fn of(headers: &HeaderMap) -> Self {
        let said: Vec<&str> = headers.get_all(ACCEPT).iter().filter_map(|value| value.to_str().ok()).collect();
        let has =
            |kinds: [&str; 3]| said.is_empty() || said.iter().any(|said| kinds.iter().any(|kind| said.contains(kind)));
        Self {
            json: has(["application/json", "application/*", "*/*"]),
            streams: has(["text/event-stream", "text/*", "*/*"]),
        }
    }
}

fn empty(status: StatusCode) -> Response<Body> {
    let mut response = Response::new(whole(Bytes::new()));
    *response.status_mut() = status;
    response
}
