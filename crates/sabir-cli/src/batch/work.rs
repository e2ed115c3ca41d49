//! Asking: so many at once, each result kept before the next is asked.

use std::sync::Arc;
use std::time::Duration;

use sabir::{Call, ChatRequest, ChatResponse, Client, Error, ErrorKind, Request, Service as _};
use tokio::task::JoinSet;
use tokio::time::MissedTickBehavior;

use super::input::Input;
use super::item::Item;
use super::journal::Journal;
use super::{mark, results};
use crate::failure::Failure;
use crate::progress::Progress;
use crate::table::dollars;

/// How often the journal is synced to the disk.
const SYNC: Duration = Duration::from_secs(1);

/// What is asked, of whom, and where it is kept.
#[derive(Debug)]
pub(super) struct Work {
    pub(super) client: Client,
    /// The model of items that name none.
    pub(super) model: String,
    pub(super) input: Arc<Input>,
    pub(super) journal: Arc<Journal>,
    /// The batch's name in the ledger.
    pub(super) name: String,
}

/// Why items are left.
#[derive(Debug)]
pub(super) enum Stop {
    Interrupted,
    /// What would meet every other item, too.
    Failed(Error),
    /// In words.
    Said(String),
}

/// An item that was asked.
struct Asked {
    index: usize,
    id: String,
    /// Nothing else was asked beside it.
    was_alone: bool,
    answered: Result<ChatResponse, Error>,
}

impl Work {
    /// Asks these items. Stopped, it waits for what is on its way, since that is paid; stopped twice it does not.
    pub(super) async fn run(&self, items: Vec<usize>, at_once: u16) -> Result<Option<Stop>, Failure> {
        let mut progress = Progress::new(self.input.len() as u64, (self.input.len() - items.len()) as u64);
        let mut items = items.into_iter();
        // What a budget had no room for while others held some of it.
        let mut again = Vec::new();
        let mut room = usize::from(at_once);
        let mut asked: JoinSet<Asked> = JoinSet::new();
        let mut stop: Option<Stop> = None;
        let mut tick = tokio::time::interval(SYNC);
        tick.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let mut interrupted = Box::pin(tokio::signal::ctrl_c());
        loop {
            while stop.is_none() && asked.len() < room {
                let Some(item) = again.pop().or_else(|| items.next()) else { break };
                self.ask(item, room == 1, &mut asked)?;
            }
            tokio::select! {
                done = asked.join_next() => match done {
                    None => break,
                    // A panic in a task is one of ours.
                    Some(Err(error)) => return Err(Failure::nothing(format!("an item could not be asked: {error}"))),
                    Some(Ok(done)) if !done.was_alone && is_over_budget(&done) => {
                        // Those on their way have reserved what they may cost; fewer of them may leave enough.
                        room = (room / 2).max(1);
                        again.push(done.index);
                    }
                    Some(Ok(done)) => stop = self.keep(&done)?.map(Stop::Failed).or(stop),
                },
                _ = tick.tick() => self.sync().await,
                _ = &mut interrupted => {
                    if let Some(Stop::Interrupted) = stop {
                        break;
                    }
                    progress.say(&format!("Waiting for {} that are on their way; a second Ctrl-C leaves them.", asked.len()));
                    stop = Some(Stop::Interrupted);
                    interrupted = Box::pin(tokio::signal::ctrl_c());
                }
            }
            let tally = self.journal.tally();
            progress.at(tally.done + tally.failed, || match tally.failed {
                0 => dollars(tally.nano_usd),
                failed => format!("{failed} failed, {}", dollars(tally.nano_usd)),
            });
        }
        self.sync().await;
        progress.end();
        Ok(stop)
    }

    /// The item in this place as it is asked: its id, its call and its request.
    pub(super) fn request(&self, index: usize) -> Result<(String, Call, ChatRequest), Failure> {
        let Item { id, mut request } = self.input.item(index)?;
        if request.model.is_empty() {
            request.model.clone_from(&self.model);
        }
        let mut call = self.client.begin();
        call.tags.push(("batch".to_owned(), self.name.clone()));
        let mut request = Request::Chat(request);
        self.client.settle(&mut call, &mut request)?;
        match request {
            Request::Chat(request) => Ok((id, call, request)),
            _ => Err(Failure::nothing("a conversation became something else")),
        }
    }

    fn ask(&self, index: usize, was_alone: bool, asked: &mut JoinSet<Asked>) -> Result<(), Failure> {
        let (id, mut call, request) = self.request(index)?;
        call.idempotency_key = Some(self.journal.key(index));
        let request = Request::Chat(request);
        let client = self.client.clone();
        asked.spawn(async move {
            let answered = match client.service().call(&call, &request).await {
                Ok(reply) => reply.whole(),
                Err(error) => Err(error),
            };
            Asked { index, id, was_alone, answered }
        });
        Ok(())
    }

    /// Keeps a result; an error that is not the item's own is given back in its place.
    fn keep(&self, asked: &Asked) -> Result<Option<Error>, Failure> {
        if let Err(error) = &asked.answered
            && meets_all(error.kind())
        {
            return Ok(Some(error.clone()));
        }
        let kept = results::of(asked.index, &asked.id, &asked.answered).map_err(std::io::Error::other);
        kept.and_then(|done| self.journal.done(done)).map_err(|error| mark::unwritten(&error))?;
        Ok(None)
    }

    /// What fails here is told by the next write.
    async fn sync(&self) {
        if let Ok(file) = self.journal.file() {
            let _ = tokio::task::spawn_blocking(move || file.sync_data()).await;
        }
    }
}

fn is_over_budget(asked: &Asked) -> bool {
    asked.answered.as_ref().is_err_and(|error| error.kind() == ErrorKind::BudgetExceeded)
}

/// Whether an error of this kind would meet every other item, too: a wrong key, no credit, a budget that is used up.
fn meets_all(kind: ErrorKind) -> bool {
    matches!(kind, ErrorKind::Configuration | ErrorKind::Authentication | ErrorKind::Quota | ErrorKind::BudgetExceeded)
}
