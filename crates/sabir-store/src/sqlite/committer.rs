//! The one thread that writes the database.
//!
//! It reads the journal behind those who write it: what is in the database came from there, in order and once, whether the
//! process lived on or not. Nothing waits for it but who asks it to ([`Shared::flush`]).

use std::collections::VecDeque;
use std::io;
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, SystemTime};

use rusqlite::Connection;

use super::failure::{Failure, failed};
use super::folder::Folder;
use super::journal::{self, End, Journal, Place};
use super::{Health, adopt, apply};

/// How long records gather before they are written together.
pub(super) const GATHER: Duration = Duration::from_millis(50);
/// How long to wait after something failed.
const AGAIN: Duration = Duration::from_millis(500);
/// How often to look for rows that are older than what is kept.
const SWEEP: Duration = Duration::from_secs(3_600);
/// Rows that are deleted at once.
const PRUNED: usize = 1_000;
/// Bytes of journals that may wait for the database before no more attempts are opened.
const BEHIND: u64 = 256 << 20;
/// Bytes of closes that may wait in memory for room on the disk.
const KEPT: usize = 4 << 20;

/// What those who write and the thread share.
#[derive(Debug)]
pub(super) struct Shared {
    state: Mutex<State>,
    /// There is something to do.
    work: Condvar,
    /// A round is done.
    done: Condvar,
}

#[derive(Debug)]
struct State {
    journal: Journal,
    /// Up to where the journal is in the database.
    reached: Place,
    /// Closes that there was no room for on the disk.
    kept: VecDeque<Vec<u8>>,
    kept_bytes: usize,
    /// The thread waits, and has to be woken.
    idle: bool,
    stop: bool,
    /// The thread is gone.
    gone: bool,
    /// How many have asked for a round, and up to which of them there was one.
    asked: u64,
    answered: u64,
    /// Why the last round failed, where it did.
    failed: Option<Failure>,
    keep: Option<Duration>,
    /// Rows from before then are to be deleted.
    prune: Option<Duration>,
    /// Who asked for that last: all that was written before is to be looked at.
    prune_asked: u64,
    pruned: u64,
    health: Health,
}

impl Shared {
    pub(super) fn new(journal: Journal, found: adopt::Found) -> Self {
        let health = Health { torn: found.torn, unreadable: found.unknown, ..Health::default() };
        let state = State {
            reached: journal.end(),
            journal,
            kept: VecDeque::new(),
            kept_bytes: 0,
            idle: false,
            stop: false,
            gone: false,
            asked: 0,
            answered: 0,
            failed: None,
            keep: None,
            prune: None,
            prune_asked: 0,
            pruned: 0,
            health,
        };
        Self { state: Mutex::new(state), work: Condvar::new(), done: Condvar::new() }
    }

    /// Adds the record of an attempt that is opened, or for which more is reserved.
    pub(super) fn open(&self, record: &[u8]) -> Result<(), Failure> {
        let mut state = self.state();
        let written = if state.behind() > BEHIND {
            let why = state.failed.as_ref().map_or_else(String::new, |why| format!(": {why}"));
            Err(failed(format!("256 MB of journals wait for the database{why}")))
        } else {
            state.journal.append(record).map_err(Failure::from)
        };
        match &written {
            Ok(()) => self.wake(&mut state),
            Err(_) => state.health.refused += 1,
        }
        written
    }

    /// Adds the record of an attempt that is closed. Where it cannot be written it is kept, to be tried again.
    pub(super) fn close(&self, record: &[u8]) -> Result<(), Failure> {
        let mut state = self.state();
        // Behind those that wait, so that no more have to than must.
        let error = match state.journal.append(record) {
            Ok(()) => {
                self.wake(&mut state);
                return Ok(());
            }
            Err(error) => Failure::from(error),
        };
        if state.kept_bytes + record.len() > KEPT {
            state.health.given_up += 1;
            return Err(failed(format!("{error}; nor is there room in memory: it will count as lost")));
        }
        state.kept_bytes += record.len();
        state.kept.push_back(record.to_vec());
        self.wake(&mut state);
        Err(failed(format!("{error}; it is kept in memory and tried again")))
    }

    /// Waits until everything that was written so far is in the database.
    pub(super) fn flush(&self) -> Result<(), Failure> {
        let mut state = self.state();
        state.asked += 1;
        let ticket = state.asked;
        self.work.notify_one();
        state = self.until(state, |state| state.answered >= ticket);
        match &state.failed {
            Some(failure) => Err(failure.clone()),
            None if state.answered < ticket => Err(failed("its thread is gone")),
            None => Ok(()),
        }
    }

    /// Deletes what began before then; how many rows were deleted meanwhile.
    pub(super) fn prune(&self, before: Duration) -> Result<u64, Failure> {
        let mut state = self.state();
        let pruned = state.pruned;
        state.prune = state.prune.max(Some(before));
        state.asked += 1;
        let ticket = state.asked;
        self.work.notify_one();
        state =
            self.until(state, |state| state.answered >= ticket && (state.prune.is_none() || state.failed.is_some()));
        match &state.failed {
            Some(failure) => Err(failure.clone()),
            None if state.gone => Err(failed("its thread is gone")),
            None => Ok(state.pruned - pruned),
        }
    }

    /// From now on deletes what is older.
    pub(super) fn keep(&self, keep: Duration) {
        self.state().keep = Some(keep);
        self.work.notify_one();
    }

    pub(super) fn health(&self) -> Health {
        let state = self.state();
        let kept = state.kept.len() as u64;
        Health { behind: state.behind(), kept, ..state.health.clone() }
    }

    /// Tells the thread to bring everything into the database, and to end.
    pub(super) fn stop(&self) {
        self.state().stop = true;
        self.work.notify_one();
    }

    #[cfg(all(test, target_os = "linux"))]
    pub(super) fn fill_disk(&self) {
        self.state().journal.fill_disk();
    }

    fn wake(&self, state: &mut State) {
        if std::mem::take(&mut state.idle) {
            self.work.notify_one();
        }
    }

    fn until<'a>(&'a self, state: MutexGuard<'a, State>, is_so: impl Fn(&State) -> bool) -> MutexGuard<'a, State> {
        let not_yet = |state: &mut State| !state.gone && !is_so(state);
        self.done.wait_while(state, not_yet).unwrap_or_else(PoisonError::into_inner)
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    fn behind(&self) -> u64 {
        self.journal.end().since(self.reached)
    }

    /// Tries to write what was kept.
    fn write_kept(&mut self) -> io::Result<()> {
        while let Some(record) = self.kept.front() {
            self.journal.append(record)?;
            self.kept_bytes -= record.len();
            self.kept.pop_front();
        }
        Ok(())
    }
}

/// The thread's own side.
#[derive(Debug)]
pub(super) struct Committer<'s> {
    shared: &'s Shared,
    connection: Connection,
    folder: Folder,
    id: String,
    /// Up to where the journal is in the database; `None` where that has to be asked.
    place: Option<Place>,
    /// When was looked for old rows, and how old they might be.
    swept: Option<SystemTime>,
    kept: Option<Duration>,
}

/// Says that the thread is gone, however it goes.
struct Gone<'s>(&'s Shared);

impl Drop for Gone<'_> {
    fn drop(&mut self) {
        let mut state = self.0.state();
        state.gone = true;
        if !state.stop {
            // It panicked. Journals are written on until they are too long.
            state.health.failures += 1;
            state.health.last_failure = Some("its thread is gone".to_owned());
        }
        drop(state);
        self.0.done.notify_all();
    }
}

impl<'s> Committer<'s> {
    pub(super) fn new(shared: &'s Shared, connection: Connection, folder: Folder, id: String) -> Self {
        Self { shared, connection, folder, id, place: None, swept: None, kept: None }
    }

    /// Until it is told to stop. What cannot be written then stays in the journal for the next start.
    pub(super) fn run(mut self) {
        let _gone = Gone(self.shared);
        loop {
            let (asked, stop) = self.wait();
            let done = self.round(asked);
            let mut state = self.shared.state();
            state.answered = asked;
            if let Err(failure) = &done {
                state.health.failures += 1;
                state.health.last_failure = Some(failure.to_string());
                self.place = None;
            }
            let is_done = done.is_ok();
            state.failed = done.err();
            drop(state);
            self.shared.done.notify_all();
            if stop {
                if is_done {
                    // Else it is done at the next start.
                    let _ = adopt::finish(&mut self.connection, &self.folder, &self.id);
                }
                return;
            }
        }
    }

    /// Waits until there is something to do: which tickets the next round is for, and whether it is the last.
    fn wait(&self) -> (u64, bool) {
        let mut state = self.shared.state();
        let is_asked = |state: &State| state.stop || state.asked > state.answered;
        let wait = |state, time, goes_on: &dyn Fn(&State) -> bool| {
            let waited = self.shared.work.wait_timeout_while(state, time, |state: &mut State| goes_on(state));
            waited.unwrap_or_else(PoisonError::into_inner).0
        };
        if state.failed.is_some() {
            state = wait(state, AGAIN, &|state| !is_asked(state));
        }
        if !is_asked(&state) && state.prune.is_none() {
            if state.behind() == 0 && state.kept.is_empty() {
                state.idle = true;
                let keep = state.keep;
                state = wait(state, SWEEP, &|state| state.idle && !is_asked(state) && state.keep == keep);
                state.idle = false;
            }
            state = wait(state, GATHER, &|state| !is_asked(state));
        }
        (state.asked, state.stop)
    }

    /// Brings everything that is written by now into the database, and deletes some of what is old.
    fn round(&mut self, asked: u64) -> Result<(), Failure> {
        let (end, kept) = {
            let mut state = self.shared.state();
            let kept = state.write_kept();
            (state.journal.end(), kept)
        };
        self.catch_up(end)?;
        kept?;
        self.prune(asked)
    }

    fn catch_up(&mut self, end: Place) -> Result<(), Failure> {
        let mut place = match self.place {
            Some(place) => place,
            None => apply::place(&self.connection, &self.id)?,
        };
        while place < end {
            let until = (place.segment == end.segment).then_some(end.offset);
            let chunk = journal::read(&self.folder, &self.id, place, until)?;
            if !chunk.records.is_empty() {
                apply::apply(&mut self.connection, &self.id, &chunk)?;
            }
            place = chunk.next;
            if chunk.end != End::More && until.is_none() {
                // Who starts after a crash goes on with the next segment where this one is gone.
                journal::put_away(&self.folder, &self.id, place.segment, chunk.end)?;
                self.shared.state().health.torn += u64::from(chunk.end == End::Torn);
                place = Place { segment: place.segment + 1, offset: 0 };
            } else if chunk.end != End::More && place != end {
                // Nothing more is written behind what nobody can read; the next round puts it aside.
                self.shared.state().journal.rotate()?;
                return Err(failed("a journal was damaged while it was written; what can be read of it is kept"));
            }
            self.place = Some(place);
            self.shared.state().reached = place;
        }
        Ok(())
    }

    /// Deletes a bounded number of rows that are older than what is kept, or than was asked for before this round.
    fn prune(&mut self, asked: u64) -> Result<(), Failure> {
        let before = {
            let mut state = self.shared.state();
            let now = SystemTime::now();
            let is_due = self.swept.is_none_or(|swept| now.duration_since(swept).is_ok_and(|time| time >= SWEEP));
            if let Some(keep) = state.keep.filter(|keep| is_due || self.kept != Some(*keep)) {
                let since = now.duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
                state.prune = state.prune.max(since.checked_sub(keep));
                (self.swept, self.kept) = (Some(now), Some(keep));
            }
            state.prune.filter(|_| state.prune_asked <= asked)
        };
        if let Some(before) = before {
            let deleted = apply::prune(&mut self.connection, before, PRUNED)?;
            let mut state = self.shared.state();
            state.pruned += deleted as u64;
            if deleted < PRUNED && state.prune == Some(before) && state.prune_asked <= asked {
                state.prune = None;
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sqlite::tests::Place as Temporary;
    use crate::sqlite::{connect, record, schema};
    use crate::{Ended, Opened, Outcome};

    /// What nobody can read is put aside, what can be is kept, and what comes after goes its way.
    #[test]
    fn a_journal_that_is_damaged_under_it() {
        let temporary = Temporary::new("damaged");
        let mut connection = connect(&temporary.database()).expect("opened");
        schema::migrate(&mut connection).expect("made");
        let folder = Folder::beside(&temporary.database()).expect("a folder");
        let journal = Journal::create(folder.clone(), "me".into()).expect("written");
        let shared = Shared::new(journal, adopt::Found::default());
        let close = |call: &str| {
            let attempt = Opened { call: call.into(), ..Opened::default() };
            let ended = Ended::new(Outcome::Answered, Duration::ZERO);
            shared.close(&record::closed(&attempt, &ended).expect("fits")).expect("written");
        };
        let mut committer = Committer::new(&shared, connection, folder.clone(), "me".into());
        let rows = |committer: &Committer<'_>| -> i64 {
            committer.connection.query_row("SELECT count(*) FROM attempts", [], |row| row.get(0)).expect("a count")
        };
        ["first", "second", "third"].into_iter().for_each(close);
        let path = folder.log("me", 0);
        let mut bytes = std::fs::read(&path).expect("readable");
        let middle = bytes.len() / 2;
        bytes[middle] ^= 1;
        std::fs::write(&path, bytes).expect("written");
        let failure = committer.round(0).expect_err("damaged").to_string();
        assert!(failure.contains("damaged while it was written"), "{failure}");
        close("fourth");
        committer.round(0).expect("goes on");
        assert_eq!((rows(&committer), shared.health().torn, shared.health().behind), (2, 1, 0));
        assert!(folder.torn("me", 0).exists() && !path.exists());

        // Nor does it hang, or say that all is well, where its file is deleted.
        close("fifth");
        std::fs::remove_file(folder.log("me", 1)).expect("removed");
        committer.round(0).expect_err("gone");
        close("sixth");
        committer.round(0).expect("goes on");
        assert_eq!((rows(&committer), shared.health().behind), (3, 0));
    }
}
