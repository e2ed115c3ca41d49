//! Writes what passes through a transport to a file.

use std::fs::File;
use std::io::Write;
use std::path::Path;
use std::pin::Pin;
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll};

use bytes::Bytes;
use futures_core::Stream;
use http::Request;
use sabir_core::transport::{Body, BoxFuture, Transport};
use sabir_core::{Error, ErrorKind, Result};
use tokio::time::Instant;

use crate::exchange::{self, Blob, Chunk, Exchange};
use crate::scrub::Scrubber;

/// The most of one response body that is kept, in bytes; the recording of a longer one is marked incomplete.
const BODY_LIMIT: usize = 64 << 20;

/// A [`Transport`] in front of another that writes every exchange to a file, one line of JSON each, in the
/// order in which the answers end.
///
/// Keys are taken out before anything is written: headers and query values under key-like names, whatever
/// looks like a provider's key, and the request's own key wherever it is repeated. Prompts and answers are
/// written as they are: that is what a recording is for. A line is written when the answer's body ended or
/// was dropped; a call that got no answer is not recorded. The file is written in place, which blocks the
/// task for that moment: a tool for development and tests.
#[derive(Debug)]
pub struct Recorder<T> {
    inner: T,
    file: Arc<Recording>,
}

#[derive(Debug)]
struct Recording {
    file: Mutex<File>,
    /// The first failed write; told to the next caller, since a dropped body has nobody to tell.
    failed: Mutex<Option<String>>,
}

impl<T: Transport> Recorder<T> {
    /// Records what passes through `inner` in a new file at `path`; a file that is there is replaced.
    /// Fails (kind `Configuration`) when it cannot be created.
    pub fn new(inner: T, path: impl AsRef<Path>) -> Result<Self> {
        let path = path.as_ref();
        let file = File::create(path).map_err(|e| {
            let message = format!("cannot create the recording {}: {e}", path.display());
            Error::new(ErrorKind::Configuration, message).with_source(e)
        })?;
        Ok(Self { inner, file: Arc::new(Recording { file: Mutex::new(file), failed: Mutex::new(None) }) })
    }
}

impl<T: Transport> Transport for Recorder<T> {
    fn send(&self, request: Request<Bytes>) -> BoxFuture<'_, Result<http::Response<Body>>> {
        Box::pin(async move {
            if let Some(why) = locked(&self.file.failed).take() {
                let message = format!("an earlier exchange could not be recorded: {why}; check the disk");
                return Err(Error::new(ErrorKind::Configuration, message));
            }
            let scrubber = Scrubber::for_request(request.uri(), request.headers());
            let recorded = exchange::Request {
                method: request.method().to_string(),
                url: scrubber.url(request.uri()),
                headers: scrubber.headers(request.headers()),
                body: Blob::new(&scrubber.bytes(request.body())),
            };
            let started = Instant::now();
            let (head, body) = self.inner.send(request).await?.into_parts();
            let tape = Tape {
                status: head.status.as_u16(),
                headers: scrubber.headers(&head.headers),
                request: Some(recorded),
                scrubber,
                started,
                chunks: Vec::new(),
                kept: 0,
                cut: false,
                file: Arc::clone(&self.file),
            };
            Ok(http::Response::from_parts(head, Box::pin(Recorded { body, tape }) as Body))
        })
    }
}

struct Recorded {
    body: Body,
    tape: Tape,
}

impl Stream for Recorded {
    type Item = Result<Bytes>;

    fn poll_next(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Result<Bytes>>> {
        let item = std::task::ready!(self.body.as_mut().poll_next(cx));
        match &item {
            Some(Ok(piece)) => self.tape.keep(piece),
            Some(Err(_)) => self.tape.write(false),
            None => self.tape.write(true),
        }
        Poll::Ready(item)
    }
}

/// What is known of one exchange so far. Written once: at the end, or when dropped.
struct Tape {
    request: Option<exchange::Request>,
    status: u16,
    headers: Vec<(String, String)>,
    scrubber: Scrubber,
    started: Instant,
    chunks: Vec<(u64, Bytes)>,
    kept: usize,
    cut: bool,
    file: Arc<Recording>,
}

impl Tape {
    fn keep(&mut self, piece: &Bytes) {
        if self.cut || self.kept + piece.len() > BODY_LIMIT {
            self.cut = true;
            return;
        }
        self.kept += piece.len();
        let ms = u64::try_from(self.started.elapsed().as_millis()).unwrap_or(u64::MAX);
        // A copy: a piece may be a small window into a large read buffer.
        self.chunks.push((ms, Bytes::copy_from_slice(piece)));
    }

    fn write(&mut self, ended: bool) {
        let Some(request) = self.request.take() else { return };
        let response = exchange::Response {
            status: self.status,
            headers: std::mem::take(&mut self.headers),
            chunks: scrubbed(&self.scrubber, &std::mem::take(&mut self.chunks)),
            complete: ended && !self.cut,
        };
        let line = serde_json::to_vec(&Exchange { request, response }).map_err(std::io::Error::other);
        let written = line.and_then(|mut line| {
            line.push(b'\n');
            locked(&self.file.file).write_all(&line)
        });
        if let Err(error) = written {
            locked(&self.file.failed).get_or_insert(error.to_string());
        }
    }
}

impl Drop for Tape {
    fn drop(&mut self) {
        self.write(false);
    }
}

/// The pieces with their keys taken out, split as they came. Where a key lies across a split, the split
/// cannot be kept, and the body becomes one piece.
fn scrubbed(scrubber: &Scrubber, chunks: &[(u64, Bytes)]) -> Vec<Chunk> {
    let whole: Vec<u8> = chunks.iter().flat_map(|(_, piece)| piece.iter().copied()).collect();
    let clean = scrubber.bytes(&whole);
    let pieces: Vec<_> = chunks.iter().map(|(ms, piece)| (*ms, scrubber.bytes(piece))).collect();
    if pieces.iter().flat_map(|(_, piece)| piece.iter()).eq(clean.iter()) {
        return pieces.into_iter().map(|(ms, piece)| Chunk { ms, data: Blob::new(&piece) }).collect();
    }
    vec![Chunk { ms: chunks.first().map_or(0, |(ms, _)| *ms), data: Blob::new(&clean) }]
}

fn locked<T>(mutex: &Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
