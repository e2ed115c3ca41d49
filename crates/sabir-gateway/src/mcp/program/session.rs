//! One client's talk with one process of a program: what was asked of it, and who is told what it says.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use bytes::Bytes;
use http::StatusCode;
use http::header::HeaderValue;
use sabir::{Error, Result};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::sync::{mpsc, watch};
use tokio::time::{Instant, sleep_until, timeout_at};

use super::super::refused;
use super::mailbox::Mailbox;
use super::message::{self, Id, Message};
use super::process::Process;
use super::pump;
use super::rooms::Room;

/// The most requests under way in one session.
const MOST_ASKED: usize = 100;

/// A session. It ends when the last who holds it lets go, when it is told to, when it rests for too long, and with its
/// program.
pub(super) struct Session {
    /// By which clients know it.
    pub(super) id: String,
    /// The key that may use it; `None` where none are asked for.
    pub(super) key: Option<String>,
    shared: Arc<Shared>,
    input: mpsc::Sender<Bytes>,
    stop: watch::Sender<bool>,
}

/// A process, or what stands for one in tests.
pub(super) struct Pipes<R, W> {
    pub(super) output: R,
    pub(super) input: W,
    pub(super) process: Option<Process>,
}

impl Session {
    /// Begins to talk with what was started. It ends when nothing was asked for as long as `idle`.
    pub(super) fn begin<R, W>(
        id: String,
        key: Option<&str>,
        pipes: Pipes<R, W>,
        idle: Duration,
        room: Option<Room>,
    ) -> Arc<Self>
    where
        R: AsyncRead + Send + Unpin + 'static,
        W: AsyncWrite + Send + Unpin + 'static,
    {
        // One message at a time: what is longer than a pipe waits with the request that brought it.
        let (input, said) = mpsc::channel(1);
        let (stop, stopped) = watch::channel(false);
        let shared = Arc::new(Shared::new(idle));
        let pump = pump::run(shared.clone(), pipes, said, stopped);
        drop(tokio::spawn(async move {
            pump.await;
            drop(room);
        }));
        Arc::new(Self { id, key: key.map(str::to_owned), shared, input, stop })
    }

    /// Puts a request down, whose answer will come.
    ///
    /// # Errors
    /// 400 where one with this id is under way; 429 where too many are; 404 where the session is over.
    pub(super) fn ask(&self, id: Id, streams: bool) -> Result<Question> {
        let mut state = self.shared.state();
        if state.is_over {
            return Err(over());
        }
        if state.asked.iter().any(|asked| asked.id == id) {
            let message = format!("a request with the id {} is under way in this session", id.json());
            return Err(refused(StatusCode::BAD_REQUEST, message));
        }
        if state.asked.len() >= MOST_ASKED {
            let message = format!("{MOST_ASKED} requests are under way in this session; wait for some of them");
            return Err(refused(StatusCode::TOO_MANY_REQUESTS, message));
        }
        let mailbox = Mailbox::default();
        state.asked.push(Asked { id: id.clone(), mailbox: mailbox.clone(), streams });
        drop(state);
        Ok(Question { shared: self.shared.clone(), id, mailbox })
    }

    /// Hands the program a line.
    ///
    /// # Errors
    /// 504 where it reads nothing until then; 404 where the session is over.
    pub(super) async fn tell(&self, line: Bytes, until: Instant) -> Result<()> {
        self.shared.state().used = Instant::now();
        match timeout_at(until, self.input.send(line)).await {
            Ok(sent) => sent.map_err(|_| over()),
            Err(_) => Err(refused(StatusCode::GATEWAY_TIMEOUT, "the MCP server reads nothing")),
        }
    }

    /// Tells the program that nobody waits for an answer any more, where it reads at all.
    pub(super) fn cancel(&self, id: &Id) {
        let params = format!(r#"{{"requestId":{},"reason":"it took too long"}}"#, id.json());
        let said = format!(r#"{{"jsonrpc":"2.0","method":"notifications/cancelled","params":{params}}}"#);
        let _ = self.input.try_send(message::line(&said));
    }

    /// Hears what the program says to nobody's request; one may at a time.
    ///
    /// # Errors
    /// 409 where one does; 404 where the session is over.
    pub(super) fn listen(&self) -> Result<Ear> {
        let mut state = self.shared.state();
        if state.is_over {
            return Err(over());
        }
        if std::mem::replace(&mut state.is_heard, true) {
            return Err(refused(StatusCode::CONFLICT, "a stream of this session is open already"));
        }
        drop(state);
        Ok(Ear { mailbox: self.shared.unasked.clone(), shared: self.shared.clone() })
    }

    /// Its id, as a header.
    ///
    /// # Errors
    /// None in truth: ids are letters, digits, `-` and `_`.
    pub(super) fn name(&self) -> Result<HeaderValue> {
        HeaderValue::from_str(&self.id).map_err(|_| over())
    }

    /// Ends it, whatever is under way.
    pub(super) fn end(&self) {
        self.stop.send_replace(true);
    }

    pub(super) fn is_over(&self) -> bool {
        *self.stop.borrow() || self.shared.state().is_over
    }
}

fn over() -> Error {
    refused(StatusCode::NOT_FOUND, "this session is over; begin another (initialize)")
}

/// What the session and the one who listens to its program know.
pub(super) struct Shared {
    state: Mutex<State>,
    /// What the program says to nobody's request.
    unasked: Mailbox,
    idle: Duration,
}

struct State {
    /// The requests under way, the last one last.
    asked: Vec<Asked>,
    is_heard: bool,
    is_over: bool,
    used: Instant,
}

struct Asked {
    id: Id,
    mailbox: Mailbox,
    /// Whether its client reads more than its answer.
    streams: bool,
}

impl Shared {
    fn new(idle: Duration) -> Self {
        let state = State { asked: Vec::new(), is_heard: false, is_over: false, used: Instant::now() };
        Self { state: Mutex::new(state), unasked: Mailbox::default(), idle }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Gives a line of the program's to whom it is for; `false` where it is for nobody, or who it is for reads nothing.
    pub(super) fn hear(&self, text: &str) -> bool {
        let Ok(read) = Message::read(text) else { return false };
        let message = Bytes::from(message::flat(text.trim()));
        let mut state = self.state();
        if let Message::Answer { id, error } = read {
            // Nobody may wait for it any more.
            let Some(place) = state.asked.iter().position(|asked| asked.id == id) else { return false };
            let asked = state.asked.remove(place);
            asked.mailbox.answer(message, error);
            return true;
        }
        // To whose request it belongs is known for certain where there is one. Among several, their own streams are for
        // what belongs to them, and the session's, where it is read, is right for all.
        let is_certain = state.asked.len() == 1 || !state.is_heard;
        let asked = state.asked.iter().rev().find(|asked| asked.streams && is_certain);
        asked.map_or(&self.unasked, |asked| &asked.mailbox).put(message)
    }

    /// Ready when nothing was asked for too long.
    pub(super) async fn rest(&self) {
        loop {
            let now = Instant::now();
            let until = {
                let state = self.state();
                let is_busy = state.is_heard || !state.asked.is_empty();
                if is_busy { now + self.idle } else { state.used + self.idle }
            };
            if until <= now {
                return;
            }
            sleep_until(until).await;
        }
    }

    /// Nothing more is said: whoever waits is told.
    pub(super) fn end(&self) {
        let mut state = self.state();
        state.is_over = true;
        for asked in state.asked.drain(..) {
            asked.mailbox.close();
        }
        self.unasked.close();
    }
}

/// A request that is under way until its answer comes or this is dropped.
pub(super) struct Question {
    shared: Arc<Shared>,
    pub(super) id: Id,
    pub(super) mailbox: Mailbox,
}

impl Drop for Question {
    fn drop(&mut self) {
        let mut state = self.shared.state();
        state.used = Instant::now();
        // Another one may have its id already, if it was answered.
        state.asked.retain(|asked| !asked.mailbox.is(&self.mailbox));
    }
}

/// Who hears what the program says to nobody's request.
pub(super) struct Ear {
    shared: Arc<Shared>,
    pub(super) mailbox: Mailbox,
}

impl Drop for Ear {
    fn drop(&mut self) {
        let mut state = self.shared.state();
        (state.used, state.is_heard) = (Instant::now(), false);
    }
}
