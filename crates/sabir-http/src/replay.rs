//! Answers from a recording instead of a network.

use std::collections::VecDeque;
use std::path::{Path, PathBuf};
use std::pin::Pin;
use std::sync::{Mutex, PoisonError};
use std::task::{Context, Poll};

use bytes::Bytes;
use futures_core::Stream;
use http::{HeaderName, HeaderValue, Request, Response, StatusCode};
use sabir_core::transport::{Body, BoxFuture, Transport};
use sabir_core::{Error, ErrorKind, Result, Stage};
use serde_json::Value;

use crate::exchange::Exchange;
use crate::scrub::Scrubber;

/// A [`Transport`] that answers from a file which a [`Recorder`](crate::Recorder) wrote.
///
/// A request is answered by the first recorded exchange, not yet used, of the same method, path, query and
/// body. Bodies that are both JSON are compared as JSON, so that neither spaces nor the order of keys matter;
/// hosts, headers and keys are not compared. Each exchange answers once, so a request that was recorded
/// twice gets its two answers in order. Bodies come in the pieces in which they were recorded.
#[derive(Debug)]
pub struct Replay {
    path: PathBuf,
    exchanges: Mutex<Vec<Recorded>>,
}

#[derive(Debug)]
struct Recorded {
    method: String,
    target: String,
    body: Content,
    /// Taken when used.
    answer: Option<Answer>,
}

#[derive(Debug)]
struct Answer {
    head: http::response::Parts,
    chunks: VecDeque<Bytes>,
    complete: bool,
}

/// A request body as it is compared.
#[derive(Debug, PartialEq)]
enum Content {
    Json(Value),
    Bytes(Vec<u8>),
}

impl Content {
    fn new(bytes: Vec<u8>) -> Self {
        match serde_json::from_slice(&bytes) {
            Ok(json) => Self::Json(json),
            Err(_) => Self::Bytes(bytes),
        }
    }
}

impl Replay {
    /// Reads a recording. Fails (kind `Configuration`) when the file or one of its lines cannot be read.
    pub fn open(path: impl AsRef<Path>) -> Result<Self> {
        let path = path.as_ref();
        let unreadable = |why: String| {
            Error::new(
                ErrorKind::Configuration,
                format!("cannot read the recording {}: {why}; record it again", path.display()),
            )
        };
        let text = std::fs::read_to_string(path).map_err(|e| unreadable(e.to_string()))?;
        let mut exchanges = Vec::new();
        for (index, line) in text.lines().enumerate().filter(|(_, line)| !line.trim().is_empty()) {
            exchanges.push(parse(line).map_err(|why| unreadable(format!("line {}: {why}", index + 1)))?);
        }
        Ok(Self { path: path.to_owned(), exchanges: Mutex::new(exchanges) })
    }

    /// How many recorded exchanges were not asked for yet.
    pub fn unused(&self) -> usize {
        self.locked().iter().filter(|e| e.answer.is_some()).count()
    }

    fn locked(&self) -> std::sync::MutexGuard<'_, Vec<Recorded>> {
        self.exchanges.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn answer(&self, request: &Request<Bytes>) -> Result<Response<Body>> {
        let scrubber = Scrubber::for_request(request.uri(), request.headers());
        let target = scrubber.path_and_query(request.uri());
        let method = request.method().as_str();
        let body = Content::new(scrubber.bytes(request.body()).into_owned());
        let mut exchanges = self.locked();
        let at_target = |e: &Recorded| e.method == method && e.target == target;
        let same = |e: &Recorded| at_target(e) && e.body == body;
        if let Some(answer) = exchanges.iter_mut().filter(|e| same(e)).find_map(|e| e.answer.take()) {
            let host = request.uri().host().unwrap_or_default().to_owned();
            let pieces = Pieces { chunks: answer.chunks, complete: answer.complete, host };
            return Ok(Response::from_parts(answer.head, Box::pin(pieces) as Body));
        }
        let why = match exchanges.iter().filter(|e| same(e)).count() {
            0 if exchanges.iter().any(at_target) => "is recorded only with other bodies".to_owned(),
            0 => "is not there".to_owned(),
            times => format!("is there {times} times and was asked for once more"),
        };
        let message = format!(
            "{method} {target} {why} in the recording {}; record it again with a Recorder in front of the real transport",
            self.path.display()
        );
        Err(Error::new(ErrorKind::Configuration, message).with_stage(Stage::NotSent))
    }
}

fn parse(line: &str) -> Result<Recorded, String> {
    let Exchange { request, response } = serde_json::from_str(line).map_err(|e| e.to_string())?;
    let uri: http::Uri = request.url.parse().map_err(|e| format!("the URL: {e}"))?;
    let mut head = Response::new(()).into_parts().0;
    head.status = StatusCode::from_u16(response.status).map_err(|e| e.to_string())?;
    for (name, value) in &response.headers {
        let name = HeaderName::from_bytes(name.as_bytes()).map_err(|e| e.to_string())?;
        head.headers.append(name, HeaderValue::from_bytes(value.as_bytes()).map_err(|e| e.to_string())?);
    }
    let chunks =
        response.chunks.into_iter().map(|chunk| chunk.data.bytes().map(Bytes::from)).collect::<Result<_, _>>()?;
    Ok(Recorded {
        method: request.method,
        // A recording was scrubbed when it was written; scrubbing again changes nothing unless it was edited.
        target: Scrubber::default().path_and_query(&uri),
        body: Content::new(request.body.bytes()?),
        answer: Some(Answer { head, chunks, complete: response.complete }),
    })
}

impl Transport for Replay {
    fn send(&self, request: Request<Bytes>) -> BoxFuture<'_, Result<Response<Body>>> {
        Box::pin(std::future::ready(self.answer(&request)))
    }
}

/// A recorded body; one that was cut short ends in an error again.
struct Pieces {
    chunks: VecDeque<Bytes>,
    complete: bool,
    host: String,
}

impl Stream for Pieces {
    type Item = Result<Bytes>;

    fn poll_next(mut self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<Option<Result<Bytes>>> {
        if let Some(piece) = self.chunks.pop_front() {
            return Poll::Ready(Some(Ok(piece)));
        }
        if std::mem::replace(&mut self.complete, true) {
            return Poll::Ready(None);
        }
        let message = format!("the recorded answer of {} was cut short here", self.host);
        Poll::Ready(Some(Err(Error::new(ErrorKind::Truncated, message).with_stage(Stage::Answered))))
    }
}
