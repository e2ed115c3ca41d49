//! What was asked and answered, in an SQLite file: to be read again, searched, and gone on with.
//!
//! A log is a help: one that cannot be written is told of once, and never stands between a person and an answer.

mod file;
mod media;
mod read;
#[cfg(test)]
mod tests;
mod write;

use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, SystemTime};

use sabir::chat::{ChatRequest, ChatResponse, Message};
use sabir::config::Config;

pub(crate) use file::{Store, Trouble};
pub(crate) use read::{Entry, Find, Hit, Past};

use crate::failure::Failure;
use crate::output::notice;
use crate::usage;

/// How an exchange ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Outcome {
    Answered,
    /// What had arrived when it was stopped, or broke off.
    Partial,
    Failed,
}

impl Outcome {
    pub(crate) const ALL: [Self; 3] = [Self::Answered, Self::Partial, Self::Failed];

    pub(crate) fn word(self) -> &'static str {
        match self {
            Self::Answered => "answered",
            Self::Partial => "partial",
            Self::Failed => "failed",
        }
    }
}

/// A question and its answer, to be kept.
#[derive(Debug)]
pub(crate) struct Exchange<'a> {
    /// The conversation that it goes on with.
    pub(crate) past: Option<&'a Past>,
    /// When it was asked: since 1970, UTC.
    pub(crate) time: Duration,
    /// Who was asked, as `provider/model`.
    pub(crate) model: &'a str,
    pub(crate) outcome: Outcome,
    pub(crate) error: Option<String>,
    /// What was asked; its messages are not looked at.
    pub(crate) request: &'a ChatRequest,
    /// What it adds to the conversation, the answer included.
    pub(crate) added: &'a [Message],
    pub(crate) answer: Option<&'a ChatResponse>,
}

/// Where a conversation is kept, once an exchange of it is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Kept {
    pub(crate) conversation: String,
    pub(crate) number: u32,
}

/// The log as conversations write it. Clones share it.
#[derive(Clone, Debug, Default)]
pub(crate) struct Log(Arc<Mutex<State>>);

#[derive(Debug, Default)]
enum State {
    /// None is kept, or not any longer.
    #[default]
    Off,
    /// To be opened when there is something to write.
    At(PathBuf),
    Open(PathBuf, Store),
}

impl Log {
    /// One that keeps nothing.
    pub(crate) fn off() -> Self {
        Self::default()
    }

    /// The one at a path.
    pub(crate) fn at(path: PathBuf) -> Self {
        Self(Arc::new(Mutex::new(State::At(path))))
    }

    /// Keeps an exchange, and says where. Told once of what goes wrong; after that nothing is kept.
    pub(crate) fn write(&self, exchange: &Exchange<'_>) -> Option<Kept> {
        let mut state = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let (path, store) = match std::mem::take(&mut *state) {
            State::Off => return None,
            State::At(path) => {
                let store = Store::open(&path);
                (path, store)
            }
            State::Open(path, store) => (path, Ok(store)),
        };
        let written = store.and_then(|mut store| Ok((store.write(exchange)?, store)));
        match written {
            Ok((kept, store)) => {
                *state = State::Open(path, store);
                Some(kept)
            }
            Err(why) => {
                notice(&format!("note: this is not logged: {}", why.of(&path)));
                None
            }
        }
    }
}

/// Where the log is: as the configuration says, or `sabir/logs.db` in the folder for data. `None` where there is no home.
pub(crate) fn path(config: &Config) -> Option<PathBuf> {
    config.logs.path.clone().or_else(|| Some(usage::default_path()?.with_file_name("logs.db")))
}

/// The one conversation whose id begins so.
pub(crate) fn one(store: &Store, path: &Path, prefix: &str) -> Result<String, Failure> {
    /// How many are named where several begin so.
    const NAMED: usize = 3;
    let found = store.beginning(prefix, NAMED as u64 + 1).map_err(|why| Failure::nothing(why.of(path)))?;
    match &found[..] {
        [] => Err(Failure::usage(format!("there is no conversation {prefix:?}; `sabir logs` lists them"))),
        [one] => Ok(one.clone()),
        some => {
            let more = if some.len() > NAMED { " and others" } else { "" };
            let some = some[..some.len().min(NAMED)].join(", ");
            let message =
                format!("{prefix:?} is the beginning of several conversations ({some}{more}); write more of it");
            Err(Failure::usage(message))
        }
    }
}

/// Since 1970, UTC.
pub(crate) fn now() -> Duration {
    SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default()
}
