//! A ledger in an SQLite file.

mod adopt;
mod apply;
mod committer;
mod failure;
mod folder;
mod journal;
mod query;
mod record;
mod requests;
mod schema;
#[cfg(test)]
pub(crate) mod tests;

use std::fmt;
use std::fs::File;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::JoinHandle;
use std::time::Duration;

use rusqlite::{Connection, OpenFlags};
use sabir_core::{Error, ErrorKind, Result, Stage};

use self::committer::{Committer, Shared};
use self::failure::{Failure, failed};
use self::folder::Folder;
use self::journal::Journal;
pub use self::requests::SqliteRequests;
use crate::{Dimension, Ended, Filter, Group, Ledger, Opened, Spent};

/// A ledger in an SQLite file, which several processes may share.
///
/// Who makes a call never waits for SQLite. [`open`](Ledger::open) and [`close`](Ledger::close) add one record to this
/// process's own journal, a file beside the database, by one write: from then on it survives the process, however that
/// ends (`kill -9` included). A thread reads the journal and writes the database, in transactions of what gathered in
/// 50 milliseconds, each of which waits for the disk: so a power cut takes what was written in the last 50 milliseconds
/// and the time that the disk takes for two transactions. [`Sqlite::flush`] waits for that.
///
/// Opening it brings in the journals of processes that are gone, and closes what they had left open, as
/// [`Outcome::Lost`](crate::Outcome::Lost) with all that was reserved. Sums are up to date with what this process wrote;
/// with what others wrote, but for their last 50 milliseconds.
///
/// The file has to be on a disk of this machine: file locks and SQLite's shared memory do not work over a network.
///
/// ```
/// use sabir_store::{Ended, Filter, Ledger, Opened, Outcome, Sqlite};
/// use std::time::Duration;
///
/// # let path = std::env::temp_dir().join(format!("sabir-doc-{}.db", std::process::id()));
/// let ledger = Sqlite::open(&path)?.keep(Duration::from_secs(400 * 86_400));
/// let mut attempt = Opened::default();
/// (attempt.call, attempt.provider, attempt.reserved) = ("call-1".into(), "openai".into(), Some(1_000));
/// ledger.open(&attempt)?;
/// assert_eq!(ledger.spent(&Filter::default())?.reserved, 1_000);
/// ledger.close(&attempt, &Ended::new(Outcome::Dropped, Duration::from_secs(1)))?;
/// assert_eq!(ledger.report(&Filter::default(), &[])?[0].attempts, 1);
/// # drop(ledger);
/// # std::fs::remove_file(&path).ok();
/// # std::fs::remove_dir_all(format!("{}.journals", path.display())).ok();
/// # Ok::<(), sabir_core::Error>(())
/// ```
pub struct Sqlite {
    path: PathBuf,
    shared: Arc<Shared>,
    reader: Mutex<Connection>,
    thread: Option<JoinHandle<()>>,
    /// Locked as long as this lives: whose journal is locked is alive.
    _lock: File,
}

/// How a ledger is.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Health {
    /// Bytes of the journal that are not in the database yet.
    pub behind: u64,
    /// Closed attempts that wait in memory, since the disk had no room for them.
    pub kept: u64,
    /// Attempts that could not be opened.
    pub refused: u64,
    /// Closed attempts for which there was room neither on the disk nor in memory: they will count as lost, with what
    /// was reserved.
    pub given_up: u64,
    /// How often the database could not be written. Nothing is lost by it: the journal has it.
    pub failures: u64,
    /// Why, the last time.
    pub last_failure: Option<String>,
    /// Journals whose end could not be read. What could be is in the database; the file is put aside as `.torn`.
    pub torn: u64,
    /// Journals of dead processes that another version of this crate has to read.
    pub unreadable: u64,
}

impl Sqlite {
    /// Opens the database of this path, or makes it, and brings in what dead processes left.
    ///
    /// # Errors
    /// `Configuration` where the file cannot be used: no such folder, no room, not a ledger, of a newer version.
    pub fn open(path: impl AsRef<Path>) -> Result<Self> {
        let path = path.as_ref();
        let cannot = |why: &Failure| error(path, "cannot be opened", why);
        // Files are opened later, too, when the process may stand elsewhere.
        let whole = std::path::absolute(path).map_err(|why| cannot(&why.into()))?;
        Self::try_open(&whole).map_err(|why| cannot(&why))
    }

    fn try_open(path: &Path) -> Result<Self, Failure> {
        // Looked at before anything is made or changed: it may be a file of somebody else's.
        let mut connection = connect(path)?;
        schema::version(&connection)?;
        let folder = Folder::beside(path)?;
        let held = folder.hold()?;
        write_ahead(&connection)?;
        schema::migrate(&mut connection)?;
        let found = adopt::adopt_all(&mut connection, &folder)?;
        let reader = connect(path)?;
        reader.pragma_update(None, "query_only", true)?;
        let (id, lock) = folder.own()?;
        let shared = Arc::new(Shared::new(Journal::create(folder.clone(), id.clone())?, found));
        drop(held);
        let theirs = Arc::clone(&shared);
        let thread = std::thread::Builder::new()
            .name("sabir-ledger".to_owned())
            .spawn(move || Committer::new(&theirs, connection, folder, id).run())?;
        Ok(Self { path: path.to_owned(), shared, reader: Mutex::new(reader), thread: Some(thread), _lock: lock })
    }

    /// Deletes rows when they are older than this: soon after it is set, and once an hour.
    #[must_use]
    pub fn keep(self, time: Duration) -> Self {
        self.shared.keep(time);
        self
    }

    /// Deletes the rows of attempts that began before this time since 1970, and says how many there were. Waits for it;
    /// other writes go on in between.
    ///
    /// # Errors
    /// Where the database cannot be written.
    pub fn prune(&self, before: Duration) -> Result<u64> {
        self.shared.prune(before).map_err(|why| self.error("cannot be pruned", &why))
    }

    /// Waits until everything that was written so far is in the database, and on the disk.
    ///
    /// # Errors
    /// Where it cannot be written. It stays in the journal, and is tried again.
    pub fn flush(&self) -> Result<()> {
        self.shared.flush().map_err(|why| self.error("cannot be brought up to date", &why))
    }

    /// How it is.
    pub fn health(&self) -> Health {
        self.shared.health()
    }

    /// Asks the database, with all that was written before.
    fn ask<T>(&self, ask: impl FnOnce(&Connection) -> Result<T, Failure>) -> Result<T> {
        self.flush()?;
        let reader = self.reader.lock().unwrap_or_else(PoisonError::into_inner);
        // One transaction: an attempt is open or closed in it, and never both or neither.
        let asked = reader.unchecked_transaction().map_err(Failure::from).and_then(|transaction| ask(&transaction));
        asked.map_err(|why| self.error("cannot be read", &why))
    }

    fn error(&self, what: &str, why: &Failure) -> Error {
        error(&self.path, what, why)
    }
}

fn error(path: &Path, what: &str, why: &Failure) -> Error {
    let message = format!("the ledger {} {what}: {why}", path.display());
    Error::new(ErrorKind::Configuration, message).with_stage(Stage::NotSent)
}

fn connect(path: &Path) -> Result<Connection, Failure> {
    // Made here where it is missing, so that it is nobody else's to read.
    folder::private().append(true).create(true).open(path)?;
    // A path is a path: not the URI that it may look like.
    let flags = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let connection = Connection::open_with_flags(path, flags)?;
    connection.busy_timeout(Duration::from_secs(10))?;
    Ok(connection)
}

/// Readers and the writer do not wait for each other, and a transaction is on the disk when it is done: after it a
/// journal may go.
fn write_ahead(connection: &Connection) -> Result<(), Failure> {
    let mode: String = connection.query_row("PRAGMA journal_mode = WAL", [], |row| row.get(0))?;
    if mode != "wal" {
        return Err(failed("SQLite cannot share memory there; put it on a disk of this machine"));
    }
    Ok(connection.pragma_update(None, "synchronous", "FULL")?)
}

impl Ledger for Sqlite {
    fn open(&self, attempt: &Opened) -> Result<()> {
        let record = record::opened(attempt)?;
        self.shared.open(&record).map_err(|why| self.error("cannot be written", &why))
    }

    fn raise(&self, attempt: &Opened) -> Result<()> {
        self.shared.open(&record::raised(attempt)).map_err(|why| self.error("cannot be written", &why))
    }

    fn close(&self, attempt: &Opened, ended: &Ended) -> Result<()> {
        let record = record::closed(attempt, ended)?;
        self.shared.close(&record).map_err(|why| self.error("cannot be written", &why))
    }

    fn spent(&self, of: &Filter) -> Result<Spent> {
        self.ask(|connection| query::spent(connection, of))
    }

    fn report(&self, of: &Filter, by: &[Dimension]) -> Result<Vec<Group>> {
        self.ask(|connection| query::report(connection, of, by))
    }
}

/// Brings everything into the database. What is still open can never be closed, and is lost.
impl Drop for Sqlite {
    fn drop(&mut self) {
        self.shared.stop();
        if let Some(thread) = self.thread.take() {
            // Its panic was told where it happened; the journal is there for the next start.
            let _ = thread.join();
        }
    }
}

impl fmt::Debug for Sqlite {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Sqlite").field("path", &self.path).field("health", &self.health()).finish_non_exhaustive()
    }
}
