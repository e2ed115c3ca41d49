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

/// The code of the error of a request that was not recorded.
pub(crate) const NOT_RECORDED: &str = "not_recorded";

/// How many differing places are looked for, and how many are told.
const LOOKED: usize = 64;
const TOLD: usize = 6;

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
    is_repeating: bool,
}

#[derive(Debug)]
struct Recorded {
    method: String,
    target: String,
    body: Content,
    answer: Answer,
    is_used: bool,
}

#[derive(Clone, Debug)]
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
        Ok(Self { path: path.to_owned(), exchanges: Mutex::new(exchanges), is_repeating: false })
    }

    /// Gives the last answer of a request again where all are used, for as long as it is asked.
    #[must_use]
    pub fn repeating(mut self) -> Self {
        self.is_repeating = true;
        self
    }

    /// How many recorded exchanges were not asked for yet.
    pub fn unused(&self) -> usize {
        self.locked().iter().filter(|e| !e.is_used).count()
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
        let unused = exchanges.iter().position(|e| !e.is_used && same(e));
        let found = unused.or_else(|| exchanges.iter().rposition(|e| self.is_repeating && same(e)));
        if let Some(found) = found.and_then(|at| exchanges.get_mut(at)) {
            found.is_used = true;
            let answer = found.answer.clone();
            let host = request.uri().host().unwrap_or_default().to_owned();
            let pieces = Pieces { chunks: answer.chunks, complete: answer.complete, host };
            return Ok(Response::from_parts(answer.head, Box::pin(pieces) as Body));
        }
        let why = match exchanges.iter().filter(|e| same(e)).count() {
            0 if exchanges.iter().any(at_target) => {
                let others = exchanges.iter().filter(|e| at_target(e));
                let nearest = others.map(|e| differences(&e.body, &body)).min_by_key(Vec::len).unwrap_or_default();
                format!("is recorded only with other bodies (the nearest differs in {})", shown(&nearest))
            }
            0 => "is not there".to_owned(),
            times => format!("is there {times} times and was asked for once more"),
        };
        let message = format!(
            "{method} {target} {why} in the recording {}; record it again with a Recorder in front of the real transport",
            self.path.display()
        );
        Err(Error::new(ErrorKind::Configuration, message).with_code(NOT_RECORDED).with_stage(Stage::NotSent))
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
        answer: Answer { head, chunks, complete: response.complete },
        is_used: false,
    })
}

/// Where two bodies differ: paths, never values, which may be prompts.
fn differences(recorded: &Content, asked: &Content) -> Vec<String> {
    let mut found = Vec::new();
    match (recorded, asked) {
        (Content::Json(recorded), Content::Json(asked)) => differ("", recorded, asked, &mut found),
        _ => found.push("bytes".to_owned()),
    }
    found
}

fn differ(path: &str, recorded: &Value, asked: &Value, found: &mut Vec<String>) {
    if recorded == asked || found.len() >= LOOKED {
        return;
    }
    match (recorded, asked) {
        (Value::Object(recorded), Value::Object(asked)) => {
            let only_recorded = recorded.keys().filter(|name| !asked.contains_key(*name));
            found.extend(only_recorded.map(|name| format!("{path}.{name} (not asked)")));
            for (name, asked) in asked {
                match recorded.get(name) {
                    Some(recorded) => differ(&format!("{path}.{name}"), recorded, asked, found),
                    None => found.push(format!("{path}.{name} (not recorded)")),
                }
            }
        }
        (Value::Array(recorded), Value::Array(asked)) if recorded.len() == asked.len() => {
            for (index, (recorded, asked)) in recorded.iter().zip(asked).enumerate() {
                differ(&format!("{path}[{index}]"), recorded, asked, found);
            }
        }
        _ => found.push(path.to_owned()),
    }
}

fn shown(paths: &[String]) -> String {
    let more = paths.len().saturating_sub(TOLD);
    let mut words: Vec<&str> = paths.iter().take(TOLD).map(|path| path.trim_start_matches('.')).collect();
    let rest = format!("{more} more");
    if more > 0 {
        words.push(&rest);
    }
    words.join(", ")
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
