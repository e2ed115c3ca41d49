//! What can go wrong between a provider's answer and its client, as bytes.

use std::num::NonZeroUsize;
use std::time::Duration;

use http::header::{CONTENT_TYPE, HeaderValue};
use http::{HeaderMap, Response, StatusCode};
use sabir_core::transport::{Body, whole};
use serde::{Deserialize, Serialize};

use crate::body::{Break, Cut, Insert, Pieces};
use crate::script::{header_map, status_code};

/// Something that goes wrong with an answer on its way. Shows through [`Loopback`](crate::Loopback) and
/// [`Server`](crate::Server), not where the simulator is called as a service: there are no bytes there.
///
/// Several are applied in order, each to what the one before left. Offsets count bytes of the body.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case", deny_unknown_fields)]
#[non_exhaustive]
pub enum Fault {
    /// No connection: `Network`, not sent, over [`Loopback`](crate::Loopback). A [`Server`](crate::Server) has
    /// accepted already; it resets the connection before the head.
    Refuse,
    /// The connection breaks once the request is read, before the head: `Network`, and it may have been sent.
    HangUp,
    /// The head comes late.
    SlowHeaders {
        /// By so many milliseconds.
        ms: u64,
    },
    /// The body ends here, cleanly.
    CutAt {
        /// After so many bytes.
        bytes: u64,
    },
    /// The connection breaks here, or at the body's end where that comes first. Over sockets it is a TCP reset.
    ResetAt {
        /// After so many bytes.
        bytes: u64,
    },
    /// Nothing comes after this, and no end either.
    Stall {
        /// After so many bytes.
        bytes: u64,
    },
    /// Something that is no part of the answer stands in the middle of it.
    Garbage {
        /// After so many bytes.
        at: u64,
        /// What stands there; without it, bytes that are neither UTF-8 nor a frame of anything.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        text: Option<String>,
    },
    /// The body comes in pieces of this size, each sent by itself.
    ChunkBytes {
        /// Bytes of a piece; the last may have fewer.
        n: NonZeroUsize,
    },
    /// The body is empty.
    EmptyBody,
    /// The content type is not the answer's.
    WrongContentType {
        /// What it says instead.
        #[serde(default = "html")]
        content_type: String,
    },
    /// Something else answers in the provider's place: a proxy's error page, a login form.
    Status {
        /// HTTP status.
        #[serde(with = "status_code")]
        status: StatusCode,
        /// The body.
        #[serde(default)]
        body: String,
        /// Its content type.
        #[serde(default = "html")]
        content_type: String,
        /// More headers.
        #[serde(default, with = "header_map", skip_serializing_if = "HeaderMap::is_empty")]
        headers: HeaderMap,
    },
}

/// Neither UTF-8, nor JSON, nor the end of a frame.
const GARBAGE: &[u8] = b"\xff\xfe\x00{]garbage[}\x80";

fn html() -> String {
    "text/html; charset=utf-8".to_owned()
}

impl Fault {
    /// A page in the provider's place, as proxies send them.
    pub fn page(status: StatusCode, body: impl Into<String>) -> Self {
        Self::Status { status, body: body.into(), content_type: html(), headers: HeaderMap::new() }
    }

    /// How long it holds the head back.
    pub(crate) fn delay(&self) -> Duration {
        match self {
            Self::SlowHeaders { ms } => Duration::from_millis(*ms),
            _ => Duration::ZERO,
        }
    }

    /// The answer with this wrong with it.
    pub(crate) fn apply(&self, response: Response<Body>) -> Response<Body> {
        match self {
            Self::Refuse | Self::HangUp | Self::SlowHeaders { .. } => response,
            Self::CutAt { bytes } => cut(response, *bytes, Break::End),
            Self::ResetAt { bytes } => cut(response, *bytes, Break::Reset),
            Self::Stall { bytes } => cut(response, *bytes, Break::Stall),
            Self::Garbage { at, text } => {
                let junk = text.as_deref().map_or(GARBAGE, str::as_bytes).to_vec();
                response.map(|body| Box::pin(Insert::new(body, *at, junk.into())) as Body)
            }
            Self::ChunkBytes { n } => response.map(|body| Box::pin(Pieces::new(body, n.get())) as Body),
            Self::EmptyBody => response.map(|_| whole("")),
            Self::WrongContentType { content_type } => typed(response, content_type),
            Self::Status { status, body, content_type, headers } => {
                let mut page = Response::new(whole(body.clone()));
                *page.status_mut() = *status;
                page.headers_mut().clone_from(headers);
                typed(page, content_type)
            }
        }
    }
}

fn cut(response: Response<Body>, at: u64, end: Break) -> Response<Body> {
    response.map(|body| Box::pin(Cut::new(body, at, end)) as Body)
}

/// A content type that cannot stand in a header is left out: that is one way of being wrong too.
fn typed(mut response: Response<Body>, content_type: &str) -> Response<Body> {
    match HeaderValue::from_str(content_type) {
        Ok(value) => response.headers_mut().insert(CONTENT_TYPE, value),
        Err(_) => response.headers_mut().remove(CONTENT_TYPE),
    };
    response
}
