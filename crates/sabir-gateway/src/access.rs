//! The access log: one line of JSON for each request, when its answer is over. It has no prompt and no answer.

use std::fmt;
use std::fs::OpenOptions;
use std::io::Write;
use std::path::Path;
use std::pin::Pin;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::mpsc::{Receiver, SyncSender, TrySendError, sync_channel};
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll};
use std::time::{Duration, Instant, SystemTime};

use bytes::Bytes;
use futures_util::Stream;
use http::Response;
use http::request::Parts;
use sabir::chat::{Cached, ChatResponse, Cost, Event, Usage};
use sabir::drive::Format;
use sabir::layers::{End, Watch, watch};
use sabir::transport::Body;
use sabir::{Call, Error, ErrorKind, Reply, Request, Result, Service, Shared};
use serde_json::{Map, Value, json};

use crate::door::Guest;
use crate::request_log::{Draft, Rows};

/// The most lines that wait to be written; what comes beyond them is left out and counted.
const WAITING: usize = 10_000;

/// Writes a line for each request, in a thread of its own: a slow disk holds up no answer. Clones write to the same
/// place.
#[derive(Clone)]
pub struct AccessLog(Arc<Out>);

struct Out {
    lines: SyncSender<String>,
    left_out: Arc<AtomicU64>,
}

impl fmt::Debug for AccessLog {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("AccessLog")
    }
}

impl AccessLog {
    /// Adds its lines to this file, which is made where it is missing, for its owner alone.
    ///
    /// # Errors
    /// `Configuration` where it cannot be opened.
    pub fn file(path: impl AsRef<Path>) -> Result<Self> {
        let path = path.as_ref();
        let mut options = OpenOptions::new();
        options.append(true).create(true);
        #[cfg(unix)]
        std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
        let file = options.open(path).map_err(|error| {
            let message = format!("cannot open the access log {}: {error}", path.display());
            Error::new(ErrorKind::Configuration, message)
        })?;
        Self::to(file)
    }

    /// Writes its lines to standard error.
    ///
    /// # Errors
    /// `Configuration` where no thread can be started.
    pub fn stderr() -> Result<Self> {
        Self::to(std::io::stderr())
    }

    /// Writes its lines here.
    ///
    /// # Errors
    /// `Configuration` where no thread can be started.
    pub fn to(out: impl Write + Send + 'static) -> Result<Self> {
        let (lines, written) = sync_channel(WAITING);
        let left_out = Arc::new(AtomicU64::new(0));
        let missing = left_out.clone();
        let run = move || write(&written, out, &missing);
        std::thread::Builder::new().name("sabir-access-log".into()).spawn(run).map_err(|error| {
            Error::new(ErrorKind::Configuration, format!("no thread could be started for the access log: {error}"))
        })?;
        Ok(Self(Arc::new(Out { lines, left_out })))
    }

    fn write(&self, line: String) {
        if let Err(TrySendError::Full(_)) = self.0.lines.try_send(line) {
            self.0.left_out.fetch_add(1, Ordering::Relaxed);
        }
    }
}

/// Writes what comes until nobody is left who could send more. What cannot be written is given up: there is no other
/// place to say so.
fn write(lines: &Receiver<String>, out: impl Write, left_out: &AtomicU64) {
    let mut out = std::io::BufWriter::new(out);
    while let Ok(line) = lines.recv() {
        let _ = writeln!(out, "{line}");
        for line in lines.try_iter() {
            let _ = writeln!(out, "{line}");
        }
        let missing = left_out.swap(0, Ordering::Relaxed);
        if missing > 0 {
            let _ = writeln!(out, "{}", json!({ "left_out": missing }));
        }
        let _ = out.flush();
    }
}

/// Seconds with three decimals.
fn seconds(time: Duration) -> Value {
    json!((time.as_secs_f64() * 1_000.0).round() / 1_000.0)
}

/// What is to be said of one request. It is written when the last clone is gone: after the answer's body.
#[derive(Clone)]
pub(crate) struct Line(Arc<Open>);

struct Open {
    log: Option<AccessLog>,
    row: Option<Draft>,
    begun: Instant,
    said: Mutex<Map<String, Value>>,
}

impl Line {
    /// A request comes; `None` where nothing is to be said of it.
    pub(crate) fn begin(log: Option<&AccessLog>, rows: Option<&Rows>, id: &str, head: &Parts) -> Option<Self> {
        let (log, row) = (log.cloned(), rows.and_then(|rows| rows.begin(id)));
        if log.is_none() && row.is_none() {
            return None;
        }
        let mut said = Map::new();
        let time = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
        said.insert("time".into(), seconds(time));
        said.insert("id".into(), id.into());
        said.insert("method".into(), head.method.as_str().into());
        // Without the query, in which some clients send their key.
        said.insert("path".into(), head.uri.path().into());
        Some(Self(Arc::new(Open { log, row, begun: Instant::now(), said: Mutex::new(said) })))
    }

    fn say(&self, name: &str, value: impl Into<Value>) {
        self.0.said.lock().unwrap_or_else(PoisonError::into_inner).insert(name.to_owned(), value.into());
    }

    /// In which format it is asked.
    pub(crate) fn is_in(&self, format: Format) {
        self.say("format", name(format));
    }

    /// With whose key.
    pub(crate) fn is_of(&self, guest: &Guest) {
        for (name, value) in [("key", guest.name()), ("team", guest.team())] {
            if let Some(value) = value {
                self.say(name, value);
            }
        }
    }

    /// What is asked, as it came.
    pub(crate) fn has_body(&self, body: &Bytes) {
        if let Some(row) = &self.0.row {
            row.asked(body);
        }
    }

    /// The model or route, as the client names it.
    pub(crate) fn asks(&self, model: &str) {
        self.say("asked", model);
    }

    /// The client went away before the end of its answer.
    pub(crate) fn is_left(&self) {
        self.say("left", true);
    }

    /// It is not read what is asked.
    pub(crate) fn is_raw(&self) {
        self.say("format", sabir::raw::RAW);
    }

    /// Which MCP server was asked, and with whose key.
    #[cfg(feature = "config")]
    pub(crate) fn is_for_mcp(&self, server: &str, key: Option<&str>) {
        self.say("mcp", server);
        if let Some(key) = key {
            self.say("key", key);
        }
    }

    /// The service, with an ear to what it answers.
    pub(crate) fn listen(&self, service: &Shared) -> Shared {
        Shared::new(Heard { line: self.clone(), inner: service.clone() })
    }

    /// The answer goes out.
    pub(crate) fn end_with(self, response: Response<Body>) -> Response<Body> {
        self.say("status", response.status().as_u16());
        response.map(|inner| Box::pin(Told { inner, line: self, has_begun: false }) as Body)
    }

    fn answered(&self, response: &ChatResponse) {
        if !response.provider.is_empty() {
            self.say("provider", response.provider.as_str());
        }
        if !response.model.is_empty() {
            self.say("answered_by", response.model.as_str());
        }
        self.say("attempts", response.attempts.len() + 1);
        self.used(&response.usage, response.cost);
        if matches!(response.cached, Some(Cached::Hit { .. })) {
            self.say("cache", "hit");
        }
    }

    /// What was answered that is no conversation.
    fn gave(&self, reply: &Reply, call: &Call) {
        let (provider, model, usage, cost) = match reply {
            Reply::Embed(answer) => (&answer.provider, &answer.model, &answer.usage, answer.cost),
            Reply::Rerank(answer) => (&answer.provider, &answer.model, &answer.usage, answer.cost),
            _ => return,
        };
        for (name, text) in [("provider", provider), ("answered_by", model)] {
            if !text.is_empty() {
                self.say(name, text.as_str());
            }
        }
        self.say("attempts", call.trail.failures().saturating_add(1));
        self.used(usage, cost);
        if call.trail.answering().is_some_and(|by| by.is_cached) {
            self.say("cache", "hit");
        }
    }

    fn used(&self, usage: &Usage, cost: Option<Cost>) {
        let tokens = [("input_tokens", usage.input_total()), ("output_tokens", usage.output_total())];
        for (name, count) in tokens {
            if let Some(count) = count {
                self.say(name, count);
            }
        }
        if let Some(cost) = cost {
            self.say("nano_usd", cost.nano_usd);
        }
    }
}

fn name(format: Format) -> &'static str {
    match format {
        Format::Chat(dialect) => dialect.name(),
        Format::Embed(_) => "embed",
        Format::Rerank(_) => "rerank",
        Format::Count(_) => "count",
        Format::Models(_) => "models",
        _ => "other",
    }
}

impl Drop for Open {
    fn drop(&mut self) {
        let mut said = std::mem::take(self.said.get_mut().unwrap_or_else(PoisonError::into_inner));
        said.insert("seconds".into(), seconds(self.begun.elapsed()));
        if !said.contains_key("status") {
            said.insert("left".into(), true.into());
        }
        if let Some(row) = self.row.take() {
            row.write(&said);
        }
        if let Some(log) = &self.log {
            log.write(Value::Object(said).to_string());
        }
    }
}

/// A service whose answers are listened to.
#[derive(Clone)]
struct Heard {
    line: Line,
    inner: Shared,
}

impl fmt::Debug for Heard {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.inner.fmt(f)
    }
}

impl Service for Heard {
    async fn call<'a>(&'a self, call: &'a Call, request: &'a Request) -> Result<Reply> {
        self.line.say("provider", call.provider.as_str());
        self.line.say("model", request.model());
        match self.inner.call(call, request).await {
            Ok(reply) => {
                self.line.gave(&reply, call);
                Ok(watch(reply, Ear(self.line.clone())))
            }
            Err(error) => {
                self.line.say("error", format!("{:?}", error.kind()));
                Err(error)
            }
        }
    }
}

struct Ear(Line);

impl Watch for Ear {
    fn event(&mut self, _: &Event) {}

    fn end(&mut self, end: End<'_>) {
        match end {
            End::Answer(response) => self.0.answered(response),
            End::Failed(error) => {
                self.0.say("error", format!("{:?}", error.kind()));
                if let Some(partial) = error.partial() {
                    self.0.answered(partial);
                }
            }
            End::Dropped => self.0.say("error", "Dropped"),
            _ => {}
        }
    }
}

/// A body whose first piece and end are noted.
struct Told {
    inner: Body,
    line: Line,
    has_begun: bool,
}

impl Stream for Told {
    type Item = Result<Bytes>;

    fn poll_next(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        let next = self.inner.as_mut().poll_next(cx);
        if let (Poll::Ready(Some(Ok(piece))), Some(row)) = (&next, &self.line.0.row) {
            row.told(piece);
        }
        if next.is_ready() && !self.has_begun {
            self.has_begun = true;
            let first = seconds(self.line.0.begun.elapsed());
            self.line.say("first_byte_seconds", first);
        }
        next
    }

    fn size_hint(&self) -> (usize, Option<usize>) {
        self.inner.size_hint()
    }
}
