//! The simulated provider.

use std::collections::VecDeque;
use std::io::Write;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use sabir_core::batch::Batch;
use sabir_core::chat::{ChatRequest, Event};
use sabir_core::{Call, Error, ErrorKind, Reply, Request, Result, Secret, Service};

use crate::batches::Store as Batches;
use crate::counters::{Counted, Counters, Guard};
use crate::log::Log;
use crate::model;
use crate::play::play;
use crate::refuse::Refused;
use crate::repeats::Repeats;
use crate::script::{Repeat, Script, Turn};
use crate::vectors;

/// How many of the last requests are kept.
const KEPT: usize = 1_024;

/// A simulated provider: answers by a script, and where that says nothing, by the built-in model. Cloning is cheap
/// and shares everything.
///
/// As a [`Service`] it keeps the stream contract, counts what is under way and remembers what it was asked.
#[derive(Clone, Debug, Default)]
pub struct Simulator(Arc<Inner>);

#[derive(Debug, Default)]
struct Inner {
    state: Mutex<State>,
    counters: Arc<Counters>,
    pace: Duration,
    key: Option<Secret>,
    log: Option<Arc<Log>>,
    refused: Vec<Refused>,
    batches: Mutex<Batches>,
}

#[derive(Clone, Debug, Default)]
struct State {
    script: Script,
    seen: VecDeque<Request>,
    served: u64,
    repeats: Repeats,
}

impl Simulator {
    /// The batches that were left here.
    pub(crate) fn batches(&self) -> MutexGuard<'_, Batches> {
        self.0.batches.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Writes down that a batch was taken.
    pub(crate) fn log_batch(&self, format: &str, batch: &Batch) {
        if let Some(log) = &self.0.log {
            log.batch(format, batch);
        }
    }
}

impl Simulator {
    /// A simulator in which the built-in model answers.
    pub fn new() -> Self {
        Self::default()
    }

    /// A simulator that answers by a script.
    pub fn scripted(script: Script) -> Self {
        let state = Mutex::new(State { script, ..State::default() });
        Self(Arc::new(Inner { state, ..Inner::default() }))
    }

    /// Sets how long the built-in model takes between two events of a stream, where no turn says otherwise.
    /// Makes a simulator of its own: what was counted and seen so far stays with the other clones.
    #[must_use]
    pub fn pace(self, pace: Duration) -> Self {
        Self(Arc::new(Inner { pace, ..self.inner() }))
    }

    /// Lets only this key in over HTTP and [`Loopback`](crate::Loopback); others get the dialect's 401. Without it, any
    /// key and none will do.
    /// Makes a simulator of its own, as [`pace`](Self::pace) does.
    #[must_use]
    pub fn require_key(self, key: impl Into<Secret>) -> Self {
        Self(Arc::new(Inner { key: Some(key.into()), ..self.inner() }))
    }

    /// Writes a line of JSON for each request that comes over HTTP or [`Loopback`](crate::Loopback), before it is
    /// answered: `format`, `model`, `idempotency_key`, `repeated` and the user's last `text`.
    /// Makes a simulator of its own, as [`pace`](Self::pace) does.
    #[must_use]
    pub fn log_to(self, log: impl Write + Send + 'static) -> Self {
        Self(Arc::new(Inner { log: Some(Arc::new(Log::new(log))), ..self.inner() }))
    }

    /// Answers 400 over HTTP and [`Loopback`](crate::Loopback) where a JSON body has one of these, as servers do that do
    /// not know a field: `stream_options`, `response_format.type=json_schema`, `messages.*.role=developer`.
    /// Makes a simulator of its own, as [`pace`](Self::pace) does.
    #[must_use]
    pub fn refuse<'a>(self, fields: impl IntoIterator<Item = &'a str>) -> Self {
        Self(Arc::new(Inner { refused: fields.into_iter().map(Refused::new).collect(), ..self.inner() }))
    }

    /// What another simulator is made of: all but what was counted.
    fn inner(&self) -> Inner {
        let (state, counters) = (Mutex::new(self.state().clone()), Arc::default());
        let (pace, key, log, refused) = (self.0.pace, self.0.key.clone(), self.0.log.clone(), self.0.refused.clone());
        let batches = Mutex::new(self.batches().clone());
        Inner { state, counters, pace, key, log, refused, batches }
    }

    /// Adds a turn at the script's end.
    pub fn push(&self, turn: Turn) {
        self.state().script.turns.push(turn);
    }

    /// The requests it was asked, oldest first: the last 1,024.
    pub fn requests(&self) -> Vec<Request> {
        self.state().seen.iter().cloned().collect()
    }

    /// The chat requests among [`requests`](Self::requests).
    pub fn chats(&self) -> Vec<ChatRequest> {
        let chats = self.requests().into_iter().filter_map(|request| match request {
            Request::Chat(chat) => Some(chat),
            _ => None,
        });
        chats.collect()
    }

    /// How many requests came again with an `Idempotency-Key` that was answered before: they get the same answer, and
    /// count for nothing else.
    pub fn repeated(&self) -> u64 {
        self.state().repeats.times()
    }

    /// How many requests it was asked.
    pub fn served(&self) -> u64 {
        self.state().served
    }

    /// How many calls are under way: until the whole answer is given, or the stream or body is over or dropped.
    pub fn in_flight(&self) -> usize {
        self.0.counters.in_flight()
    }

    /// How many calls were dropped before their end.
    pub fn cancelled(&self) -> usize {
        self.0.counters.cancelled()
    }

    /// How many turns of the script are still to be played; a turn that repeats counts once.
    pub fn turns_left(&self) -> usize {
        self.state().script.turns.len()
    }

    pub(crate) fn key(&self) -> Option<&Secret> {
        self.0.key.as_ref()
    }

    /// What of a body is refused.
    pub(crate) fn refused_in(&self, body: &[u8]) -> Option<&str> {
        if self.0.refused.is_empty() {
            return None;
        }
        let body = serde_json::from_slice(body).ok()?;
        self.0.refused.iter().find(|refused| refused.is_in(&body)).map(Refused::said)
    }

    pub(crate) fn enter(&self) -> Guard {
        self.0.counters.enter()
    }

    /// The turn of a request that came over HTTP; that of the first time where its key was answered before.
    pub(crate) fn take_turn_once(&self, format: &str, key: Option<&str>, request: &Request) -> Result<Turn> {
        let known = key.and_then(|key| self.state().repeats.of(key));
        if let Some(log) = &self.0.log {
            log.write(format, key, known.is_some(), request);
        }
        if let Some(turn) = known {
            return Ok(turn);
        }
        let turn = self.take_turn(request)?;
        if let Some(key) = key {
            self.state().repeats.keep(key, &turn);
        }
        Ok(turn)
    }

    /// Remembers a request and takes its turn.
    pub(crate) fn take_turn(&self, request: &Request) -> Result<Turn> {
        let mut state = self.state();
        state.served += 1;
        if state.seen.len() == KEPT {
            state.seen.pop_front();
        }
        state.seen.push_back(request.clone());
        let Request::Chat(chat) = request else {
            return Ok(Turn::default());
        };

        let script = &mut state.script;
        let is_open = |turn: &Turn| turn.repeat != Repeat::Times(0) && turn.when.fits(chat);
        let Some(at) = script.turns.iter().position(is_open) else {
            return if script.strict {
                Err(exhausted(script, chat))
            } else {
                Ok(Turn::model().delay_between(self.0.pace))
            };
        };
        match &mut script.turns[at].repeat {
            Repeat::Times(times @ 2..) => *times -= 1,
            Repeat::Times(_) => return Ok(script.turns.remove(at)),
            Repeat::Forever => {}
        }
        Ok(script.turns[at].clone())
    }

    /// Answers a request by a turn, without counting.
    pub(crate) async fn perform(turn: &Turn, request: &Request) -> Result<Reply> {
        match request {
            Request::Chat(chat) => play(turn, chat).await,
            Request::Embed(embed) => Ok(Reply::Embed(Box::new(vectors::embed(embed)))),
            Request::Rerank(rerank) => Ok(Reply::Rerank(Box::new(vectors::rerank(rerank)))),
            Request::Count(count) => model::count_tokens(&count.chat).map(|count| Reply::Count(Box::new(count))),
            _ => Err(Error::new(ErrorKind::Unsupported, "the simulator does not know this kind of request")),
        }
    }

    /// A panic elsewhere leaves the state whole: nothing here stops half-way.
    fn state(&self) -> MutexGuard<'_, State> {
        self.0.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Service for Simulator {
    async fn call<'a>(&'a self, _: &'a Call, request: &'a Request) -> Result<Reply> {
        let mut guard = self.enter();
        let reply = match self.take_turn(request) {
            Ok(turn) => Self::perform(&turn, request).await,
            Err(error) => Err(error),
        };
        if let Ok(Reply::Stream(events)) = reply {
            let is_last = |event: &Event| matches!(event, Event::Done(_));
            return Ok(Reply::Stream(sabir_core::chat::events(Counted::new(events, guard, is_last))));
        }
        guard.finish();
        reply
    }
}

fn exhausted(script: &Script, chat: &ChatRequest) -> Error {
    let left = script.turns.len();
    let message = format!(
        "the script is strict and has no turn for this request (model {:?}; {left} turns left, for other requests); \
         add a turn, or leave strict out to have the built-in model answer",
        chat.model
    );
    Error::new(ErrorKind::Provider, message).with_code("script_exhausted").with_retryable(false)
}
