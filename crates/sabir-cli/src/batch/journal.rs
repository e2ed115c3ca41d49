//! What became of each item of a batch, kept beside its results: append-only, a line for each attempt before it is sent
//! and a line for each answer. A process may be killed at any moment; who comes next reads what it left.
//!
//! The first line says of which batch it is. Then `sent` (an attempt begins), `back` (it failed, and may be made again),
//! `done` (the item's result, for good), `resumed` (another process went on: what was on its way is lost) and `provider`
//! (how far a batch came at its provider). Each line is one write; only the last can be torn, and is taken off. The file
//! is synced every second by who runs the batch, so that what a crash of the machine can lose is a second's answers, and
//! what a crash of the process can lose is nothing; a provider's batch syncs each of its steps.

use std::fs::{File, OpenOptions};
use std::io::{BufRead as _, BufReader, Read as _, Seek as _, SeekFrom, Write as _};
use std::path::{Path, PathBuf};
use std::sync::{Mutex, MutexGuard, PoisonError};

use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;

use crate::failure::Failure;

/// Of which batch a journal is.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Head {
    /// The version of the journal's form.
    pub(super) sabir_batch: u32,
    /// What the keys of its requests begin with.
    pub(super) run: String,
    /// The fingerprint of the input.
    pub(super) input: String,
    pub(super) items: usize,
    /// The model of items that name none.
    pub(super) model: String,
}

/// A line after the first.
#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
enum Line {
    Sent(usize),
    Back(usize),
    Done(Box<Done>),
    Resumed(u32),
    Provider(Step),
}

/// How far a batch came at its provider.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum Step {
    /// All of it is sent to this provider, under this name.
    Begun { provider: String, name: String },
    /// It is uploaded, as this.
    Uploaded(String),
    /// The batch is asked for: it may be there from now on.
    Asked,
    /// The provider refused it.
    Refused,
    /// The batch is there, as this.
    Taken(String),
    /// Its results are kept.
    Over,
}

/// A provider's batch of which not all results are kept.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Standing {
    pub(super) provider: String,
    pub(super) name: String,
    pub(super) upload: Option<String>,
    pub(super) was_asked_for: bool,
    pub(super) id: Option<String>,
}

/// An item's result, and what it comes to.
#[derive(Debug, Serialize, Deserialize)]
pub(super) struct Done {
    pub(super) item: usize,
    pub(super) ok: bool,
    #[serde(default)]
    pub(super) input: u64,
    #[serde(default)]
    pub(super) output: u64,
    /// `None` where the price is unknown.
    #[serde(default)]
    pub(super) nano_usd: Option<u64>,
    pub(super) result: Box<RawValue>,
}

/// What is known of an item.
#[derive(Clone, Debug, Default)]
struct State {
    /// Where the line with its result is.
    done: Option<Place>,
    /// Attempts that are on their way.
    under_way: u32,
    /// It was on its way when a process died.
    is_in_doubt: bool,
    /// How often a failed result of it was given up for another try.
    tries: u32,
}

#[derive(Clone, Copy, Debug)]
struct Place {
    at: u64,
    length: usize,
    ok: bool,
}

/// What a batch came to so far.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Tally {
    pub(super) done: u64,
    pub(super) failed: u64,
    /// Items that were asked again since nobody knows what became of them.
    pub(super) sent_twice: u64,
    pub(super) input: u64,
    pub(super) output: u64,
    pub(super) nano_usd: u64,
    /// Answers whose price is unknown.
    pub(super) unpriced: u64,
}

/// The journal of a batch that is open in this process, and in no other.
#[derive(Debug)]
pub(super) struct Journal {
    path: PathBuf,
    head: Head,
    book: Mutex<Book>,
}

#[derive(Debug)]
struct Book {
    file: File,
    /// Its length.
    end: u64,
    states: Vec<State>,
    tally: Tally,
    standing: Option<Standing>,
    /// How many batches were begun at providers.
    rounds: u32,
}

impl Journal {
    /// Opens the journal of a batch, or begins one. `head.run` is the run's where it is a new one.
    ///
    /// # Errors
    /// Where another process has it open, where it is of another batch, or where it cannot be read or written.
    pub(super) fn open(path: &Path, head: Head) -> Result<Self, Failure> {
        let failed = |error: std::io::Error| Failure::io(&format!("cannot use the journal {}", path.display()), &error);
        let file = OpenOptions::new().read(true).append(true).create(true).open(path).map_err(failed)?;
        match fs4::FileExt::try_lock(&file) {
            Ok(()) => {}
            Err(fs4::TryLockError::WouldBlock) => {
                return Err(Failure::nothing(format!(
                    "another process runs this batch ({} is locked)",
                    path.display()
                )));
            }
            Err(fs4::TryLockError::Error(error)) => return Err(failed(error)),
        }
        let (states, tally) = (vec![State::default(); head.items], Tally::default());
        let book = Book { file, end: 0, states, tally, standing: None, rounds: 0 };
        let mut journal = Self { path: path.to_owned(), head, book: Mutex::new(book) };
        journal.load()?;
        Ok(journal)
    }

    /// Reads what is there, and begins or goes on.
    fn load(&mut self) -> Result<(), Failure> {
        let path = self.path.display().to_string();
        let failed = |error: std::io::Error| Failure::io(&format!("cannot use the journal {path}"), &error);
        let book = self.book.get_mut().unwrap_or_else(PoisonError::into_inner);
        let mut reader = BufReader::new(book.file.try_clone().map_err(failed)?);
        reader.seek(SeekFrom::Start(0)).map_err(failed)?;
        let (mut line, mut number) = (Vec::new(), 0_u64);
        let mut runs = 0;
        loop {
            line.clear();
            let length = reader.read_until(b'\n', &mut line).map_err(failed)?;
            if line.last() != Some(&b'\n') {
                break;
            }
            number += 1;
            let damaged =
                |why: String| Failure::nothing(format!("line {number} of the journal {path} cannot be read: {why}"));
            if number == 1 {
                let head: Head = serde_json::from_slice(&line).map_err(|e| damaged(e.to_string()))?;
                is_same(&head, &self.head, &path)?;
                self.head = head;
            } else {
                let said: Line = serde_json::from_slice(&line).map_err(|e| damaged(e.to_string()))?;
                runs += u32::from(matches!(said, Line::Resumed(_)));
                book.apply(&said, book.end, length).map_err(damaged)?;
            }
            book.end += length as u64;
        }
        // What follows was torn when the process was killed.
        book.file.set_len(book.end).map_err(failed)?;
        let said =
            if number == 0 { serde_json::to_vec(&self.head) } else { serde_json::to_vec(&Line::Resumed(runs + 1)) };
        let written = said.map_err(std::io::Error::other).and_then(|said| book.write(said)).map_err(failed)?;
        if number > 0 {
            let (at, length) = written;
            book.apply(&Line::Resumed(runs + 1), at, length).map_err(Failure::nothing)?;
        }
        Ok(())
    }

    /// The key by which a server can know an item's request again: the same as long as its answer is not known.
    pub(super) fn key(&self, item: usize) -> String {
        let tries = self.book().states.get(item).map_or(0, |state| state.tries);
        format!("sabir-{}-{item}-{tries}", self.head.run)
    }

    /// The item that a key is for.
    pub(super) fn item_of(key: &str) -> Option<usize> {
        key.strip_prefix("sabir-")?.split('-').nth(1)?.parse().ok()
    }

    /// An attempt begins: to be said before it is sent.
    pub(super) fn sent(&self, item: usize) -> std::io::Result<()> {
        self.append(&Line::Sent(item))
    }

    /// An attempt failed.
    pub(super) fn back(&self, item: usize) -> std::io::Result<()> {
        self.append(&Line::Back(item))
    }

    /// A batch came so far at its provider.
    pub(super) fn step(&self, step: Step) -> std::io::Result<()> {
        self.append(&Line::Provider(step))
    }

    /// The provider's batch that is not over.
    pub(super) fn standing(&self) -> Option<Standing> {
        self.book().standing.clone()
    }

    /// A name for the next batch at a provider, which no other has.
    pub(super) fn next_name(&self) -> String {
        format!("sabir-{}-{}", self.head.run, self.book().rounds)
    }

    /// Whether an item has an answer, not only an error.
    pub(super) fn is_answered(&self, item: usize) -> bool {
        self.book().states.get(item).is_some_and(|state| state.done.is_some_and(|place| place.ok))
    }

    /// Whether an item has a result.
    pub(super) fn has(&self, item: usize) -> bool {
        self.book().states.get(item).is_some_and(|state| state.done.is_some())
    }

    /// An item has its result.
    pub(super) fn done(&self, done: Done) -> std::io::Result<()> {
        self.append(&Line::Done(Box::new(done)))
    }

    fn append(&self, line: &Line) -> std::io::Result<()> {
        let said = serde_json::to_vec(line)?;
        let mut book = self.book();
        let (at, length) = book.write(said)?;
        book.apply(line, at, length).map_err(std::io::Error::other)
    }

    /// The items without a result, or with a failed one where those are wanted, too.
    pub(super) fn to_ask(&self, failed_too: bool) -> Vec<usize> {
        let mut book = self.book();
        let wanted = |state: &State| state.done.is_none_or(|place| failed_too && !place.ok);
        let items = (0..book.states.len()).filter(|item| wanted(&book.states[*item])).collect::<Vec<_>>();
        for item in &items {
            book.give_up(*item);
        }
        items
    }

    pub(super) fn tally(&self) -> Tally {
        self.book().tally
    }

    /// The file, for who syncs it.
    pub(super) fn file(&self) -> std::io::Result<File> {
        self.book().file.try_clone()
    }

    pub(super) fn path(&self) -> &Path {
        &self.path
    }

    /// The result of an item, as it was kept.
    pub(super) fn result(&self, item: usize) -> std::io::Result<Option<Box<RawValue>>> {
        let mut book = self.book();
        let Some(place) = book.states.get(item).and_then(|state| state.done) else { return Ok(None) };
        let mut line = vec![0; place.length];
        book.file.seek(SeekFrom::Start(place.at))?;
        book.file.read_exact(&mut line)?;
        match serde_json::from_slice(&line)? {
            Line::Done(done) => Ok(Some(done.result)),
            _ => Err(std::io::Error::other("the journal was changed while it was in use")),
        }
    }

    fn book(&self) -> MutexGuard<'_, Book> {
        self.book.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Book {
    /// Adds a line, in one write; where it is.
    fn write(&mut self, mut said: Vec<u8>) -> std::io::Result<(u64, usize)> {
        said.push(b'\n');
        let at = self.end;
        if let Err(error) = self.file.write_all(&said) {
            // Half a line must not stand before a whole one.
            self.file.set_len(at)?;
            return Err(error);
        }
        self.end += said.len() as u64;
        Ok((at, said.len()))
    }

    /// Takes in what a line says.
    fn apply(&mut self, line: &Line, at: u64, length: usize) -> Result<(), String> {
        if let Line::Resumed(_) = line {
            for state in &mut self.states {
                state.is_in_doubt |= state.under_way > 0 && state.done.is_none();
                state.under_way = 0;
            }
            return Ok(());
        }
        let item = match line {
            Line::Sent(item) | Line::Back(item) => *item,
            Line::Done(done) => done.item,
            Line::Provider(step) => return self.came(step),
            Line::Resumed(_) => return Ok(()),
        };
        if item >= self.states.len() {
            return Err(format!("there is no item {item}"));
        }
        if let Line::Sent(_) | Line::Done(_) = line {
            self.give_up(item);
        }
        let state = &mut self.states[item];
        match line {
            Line::Sent(_) => {
                self.tally.sent_twice += u64::from(std::mem::take(&mut state.is_in_doubt));
                state.under_way += 1;
            }
            Line::Back(_) => state.under_way = state.under_way.saturating_sub(1),
            Line::Done(done) => {
                state.under_way = 0;
                state.done = Some(Place { at, length, ok: done.ok });
                let tally = &mut self.tally;
                *(if done.ok { &mut tally.done } else { &mut tally.failed }) += 1;
                tally.input = tally.input.saturating_add(done.input);
                tally.output = tally.output.saturating_add(done.output);
                tally.nano_usd = tally.nano_usd.saturating_add(done.nano_usd.unwrap_or(0));
                tally.unpriced += u64::from(done.ok && done.nano_usd.is_none());
            }
            Line::Resumed(_) | Line::Provider(_) => {}
        }
        Ok(())
    }

    /// Takes in how far a batch came at its provider.
    fn came(&mut self, step: &Step) -> Result<(), String> {
        if let Step::Begun { provider, name } = step {
            let (provider, name) = (provider.clone(), name.clone());
            self.standing = Some(Standing { provider, name, ..Standing::default() });
            self.rounds += 1;
            return Ok(());
        }
        let standing = self.standing.as_mut().ok_or("no batch was begun at a provider")?;
        match step {
            Step::Uploaded(id) => standing.upload = Some(id.clone()),
            Step::Asked => standing.was_asked_for = true,
            Step::Taken(id) => standing.id = Some(id.clone()),
            Step::Refused | Step::Over => self.standing = None,
            Step::Begun { .. } => {}
        }
        Ok(())
    }

    /// A failed result is to be another.
    fn give_up(&mut self, item: usize) {
        let state = &mut self.states[item];
        if state.done.take_if(|place| !place.ok).is_some() {
            state.tries += 1;
            self.tally.failed = self.tally.failed.saturating_sub(1);
        }
    }
}

/// Whether a journal is of this batch.
fn is_same(there: &Head, here: &Head, path: &str) -> Result<(), Failure> {
    let what = if there.sabir_batch != here.sabir_batch {
        "was written by another version of sabir".to_owned()
    } else if (&there.input, there.items) != (&here.input, here.items) {
        "is of another input, or the input was changed since".to_owned()
    } else if there.model != here.model {
        format!("is of a batch that was begun with -m {}", there.model)
    } else {
        return Ok(());
    };
    Err(Failure::usage(format!("the journal {path} {what}; take it so, or other results with -o")))
}
