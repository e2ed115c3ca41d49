//! A dialect: one wire format, both ways. Pure functions over bytes and vocabulary.
//!
//! The first half is for when we are the client (`encode` what is asked, `decode` what is answered), the second
//! its mirror, for when we are the server (`accept` what is asked, `respond` with what is answered). Because both
//! halves exist, any pair of dialects is a translation.

use bytes::Bytes;
use http::{HeaderMap, Method, StatusCode, Uri};

use crate::chat::{ChatRequest, ChatResponse, Event};
use crate::frame::{Frame, Framing};
use crate::{Abilities, Endpoint, Error, ErrorKind, Loss, Passage, Quirks, Result, Sink};

/// One wire format. A room implements this and nothing else.
pub trait Dialect: std::fmt::Debug + Send + Sync + 'static {
    /// Its name: `openai-chat`, `anthropic-messages`. Also the namespace of its options and metadata.
    fn name(&self) -> &'static str;

    /// The quirks that its rows may name.
    fn quirks(&self) -> &'static [&'static str] {
        &[]
    }

    /// What a request can carry in this dialect, as a provider with these quirks speaks it: as data, for those who
    /// choose a provider or a way. That it is true is tested by encoding each feature alone.
    fn abilities(&self, quirks: &Quirks) -> Abilities {
        let _ = quirks;
        Abilities::default()
    }

    /// How the paths end at which clients ask for this (`/chat/completions`), the usual whole path first: a server
    /// finds the dialect by them, under any prefix; `/` alone is the root and nothing else.
    fn paths(&self) -> &'static [&'static str] {
        &[]
    }

    /// What is asked, as this dialect's HTTP request. The same request gives the same bytes.
    /// [`Endpoint::authorize`] puts the key in afterwards.
    ///
    /// # Errors
    /// `Unsupported` or `InvalidRequest` for what can neither be carried nor left out.
    fn encode(&self, request: &ChatRequest, endpoint: &Endpoint) -> Result<Encoded>;

    /// A request whose client wrote it in this dialect, sent on as it was written: as [`encode`](Self::encode), but with
    /// the client's own body, in which only the model's name is another's. `None` where `encode` would say anything
    /// else than the body does, or it is not known: then the request is encoded.
    fn pass(&self, passage: &Passage, request: &ChatRequest, endpoint: &Endpoint) -> Option<Encoded> {
        let _ = (passage, request, endpoint);
        None
    }

    /// Whether a client of this dialect may have what this provider answers as it comes, also where its request was
    /// encoded: what was changed of the request does not show in an answer.
    fn gives_back(&self, passage: &Passage, request: &ChatRequest, endpoint: &Endpoint) -> bool {
        let _ = (passage, request, endpoint);
        false
    }

    /// What was answered, whole. A status that is no success is an error, read from the body.
    fn decode(&self, answer: Answer<'_>) -> Result<ChatResponse>;

    /// A decoder for one streamed answer.
    fn decoder(&self) -> Box<dyn Decoder>;

    /// How a streamed answer with these headers is cut into frames; `None` where the headers tell that it is no
    /// stream after all (a JSON error, an HTML page), so that it is read whole.
    fn framing(&self, headers: &HeaderMap) -> Option<Framing>;

    /// What a client asks of us.
    ///
    /// # Errors
    /// `InvalidRequest` with what is wrong and where.
    fn accept(&self, asked: Asked<'_>) -> Result<ChatRequest>;

    /// What we answer, whole. `request` is what was asked.
    fn respond(&self, response: &ChatResponse, request: &ChatRequest) -> Responded;

    /// An encoder for one streamed answer to `request`.
    fn encoder(&self, request: &ChatRequest) -> Box<dyn Encoder>;

    /// An error in this dialect's own shape.
    fn refuse(&self, error: &Error) -> (StatusCode, Bytes);
}

/// Reads one streamed answer, frame by frame.
pub trait Decoder: std::fmt::Debug + Send {
    /// Takes one frame in and tells the sink what it says: nothing, one thing or several. At the dialect's own
    /// end marker it calls [`Sink::end`]; frames after that are not given to it.
    fn frame(&mut self, frame: Frame<'_>, sink: &mut Sink) -> Result<()>;

    /// The body ended without the end marker: `Ok` only where this dialect's answer can be told to be whole.
    fn finish(&mut self, sink: &mut Sink) -> Result<()> {
        let _ = sink;
        Err(truncated())
    }
}

/// Writes one streamed answer, event by event.
pub trait Encoder: std::fmt::Debug + Send {
    /// The answer's content type.
    fn content_type(&self) -> &'static str {
        "text/event-stream"
    }

    /// Writes what one event is in this dialect. [`Event::Done`] writes the end.
    fn event(&mut self, event: &Event, out: &mut Vec<u8>);

    /// Writes an error that came after the head was sent, and the end.
    fn error(&mut self, error: &Error, out: &mut Vec<u8>);

    /// What could not be carried, so far.
    fn losses(&mut self) -> Vec<Loss> {
        Vec::new()
    }
}

/// A request, ready for the transport but for its key.
#[derive(Clone, Debug)]
pub struct Encoded {
    /// HTTP method.
    pub method: Method,
    /// Where to.
    pub uri: Uri,
    /// Headers, without the endpoint's.
    pub headers: HeaderMap,
    /// The body.
    pub body: Bytes,
    /// What this dialect could not carry.
    pub losses: Vec<Loss>,
}

impl Encoded {
    /// A POST of JSON.
    pub fn post_json(uri: Uri, body: impl Into<Bytes>, losses: Vec<Loss>) -> Self {
        let json = http::HeaderValue::from_static("application/json");
        // Room for the key, the endpoint's headers and the transport's: growing costs more than the room.
        let mut headers = HeaderMap::with_capacity(12);
        headers.insert(http::header::CONTENT_TYPE, json);
        Self { method: Method::POST, uri, headers, body: body.into(), losses }
    }
}

/// A whole answer as it came.
#[derive(Clone, Copy, Debug)]
pub struct Answer<'a> {
    /// HTTP status.
    pub status: StatusCode,
    /// Headers.
    pub headers: &'a HeaderMap,
    /// Body.
    pub body: &'a [u8],
}

/// A client's request as it came.
#[derive(Clone, Copy, Debug)]
pub struct Asked<'a> {
    /// HTTP method.
    pub method: &'a Method,
    /// Path and query.
    pub path: &'a str,
    /// Headers.
    pub headers: &'a HeaderMap,
    /// Body.
    pub body: &'a [u8],
}

/// A whole answer as it goes.
#[derive(Clone, Debug)]
pub struct Responded {
    /// Headers that the dialect wants besides `content-type: application/json`.
    pub headers: HeaderMap,
    /// Body.
    pub body: Bytes,
    /// What this dialect could not carry.
    pub losses: Vec<Loss>,
}

/// The framing of dialects that stream server-sent events: anything that does not say it is JSON or HTML.
/// Some servers send `text/plain` or nothing at all.
pub fn sse_unless_whole(headers: &HeaderMap) -> Option<Framing> {
    let kind = headers.get(http::header::CONTENT_TYPE).and_then(|v| v.to_str().ok()).unwrap_or_default();
    (!kind.starts_with("application/json") && !kind.starts_with("text/html")).then_some(Framing::Sse)
}

/// The error of an answer that stopped before its end marker.
pub fn truncated() -> Error {
    Error::new(ErrorKind::Truncated, "the answer stopped before its end marker; what had arrived is kept")
}

/// The error of bytes that are not what the dialect says they should be. Shows where, never what.
pub fn unreadable(what: &str, error: &serde_json::Error) -> Error {
    let message = format!("{what} is not what this dialect sends: {}", without_values(&error.to_string()));
    Error::new(ErrorKind::Decode, message)
}

/// `serde_json` quotes offending values in its messages; they may be a prompt's words.
pub fn without_values(message: &str) -> String {
    match (message.find(": string \""), message.rfind("\", expected")) {
        (Some(start), Some(end)) if start < end => format!("{}: a string{}", &message[..start], &message[end + 1..]),
        _ => message.to_owned(),
    }
}
