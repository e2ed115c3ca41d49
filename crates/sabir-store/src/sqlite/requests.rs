//! A log of requests in an SQLite file.

use std::fmt;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering::Relaxed};
use std::sync::mpsc::{Receiver, RecvTimeoutError, SyncSender, sync_channel};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::JoinHandle;
use std::time::{Duration, SystemTime};

use rusqlite::{Connection, TransactionBehavior, params};
use sabir_core::{Error, ErrorKind, Result, Stage};

use super::failure::Failure;
use super::{connect, schema, write_ahead};
use crate::{RequestLog, RequestRow};

/// "sabq": a database of this kind.
const APPLICATION: i64 = 0x7361_6271;
/// What brings a database from the version that is an entry's place to the next one. Entries are only ever added.
const STEPS: [&str; 1] = [include_str!("requests.sql")];
/// The most rows that wait to be written, and the most bytes of them.
const WAITING: usize = 10_000;
const WAITING_BYTES: usize = 64 << 20;
/// The most rows of one transaction: to write, and to delete.
const AT_ONCE: u16 = 1_000;
/// How often it is looked whether rows are too old.
const LOOK: Duration = Duration::from_secs(600);

/// A [`RequestLog`] in an SQLite file, which nobody but its owner can read. A thread writes it: rows wait in a queue of
/// 10,000 and 64 MiB at most, and what comes beyond is left out and counted.
///
/// Rows are deleted when they are older than they are to be kept: soon after it is opened, and every ten minutes. Dropping
/// it writes what waits.
pub struct SqliteRequests {
    path: PathBuf,
    keep: Duration,
    shared: Arc<Shared>,
    rows: Mutex<Option<SyncSender<Message>>>,
    thread: Option<JoinHandle<()>>,
}

#[derive(Debug, Default)]
struct Shared {
    left_out: AtomicU64,
    /// Bytes in the queue.
    waiting: AtomicUsize,
}

enum Message {
    Row(Box<RequestRow>),
    /// Answered when all that came before is written.
    Flush(SyncSender<()>),
}

impl SqliteRequests {
    /// Opens the database of this path, or makes it, and keeps its rows for so long.
    ///
    /// # Errors
    /// `Configuration` where the file cannot be used: no such folder, no room, something else, of a newer version.
    pub fn open(path: impl AsRef<Path>, keep: Duration) -> Result<Self> {
        let path = path.as_ref();
        let cannot = |why: &Failure| {
            let message = format!("the log of requests {} cannot be opened: {why}", path.display());
            Error::new(ErrorKind::Configuration, message).with_stage(Stage::NotSent)
        };
        Self::try_open(path, keep).map_err(|why| cannot(&why))
    }

    fn try_open(path: &Path, keep: Duration) -> std::result::Result<Self, Failure> {
        let mut connection = connect(path)?;
        schema::migrate_to(&mut connection, APPLICATION, &STEPS)?;
        write_ahead(&connection)?;
        // The database is whole after a power cut; the last rows may be gone.
        connection.pragma_update(None, "synchronous", "NORMAL")?;
        // What is deleted is overwritten.
        connection.pragma_update(None, "secure_delete", true)?;
        let shared = Arc::new(Shared::default());
        let (rows, written) = sync_channel(WAITING);
        let writer = Writer { connection, keep, shared: shared.clone() };
        let run = move || writer.run(&written);
        let thread = std::thread::Builder::new().name("sabir-request-log".to_owned()).spawn(run)?;
        Ok(Self { path: path.to_owned(), keep, shared, rows: Mutex::new(Some(rows)), thread: Some(thread) })
    }

    /// Waits until everything that was written so far is in the database.
    pub fn flush(&self) {
        let (done, is_done) = sync_channel(1);
        if let Some(rows) = self.sender()
            && rows.send(Message::Flush(done)).is_ok()
        {
            // An error is a thread that is gone: there is nothing to wait for.
            let _ = is_done.recv();
        }
    }

    fn sender(&self) -> Option<SyncSender<Message>> {
        self.rows.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

impl RequestLog for SqliteRequests {
    fn write(&self, row: RequestRow) {
        let size = row.size();
        let has_room = self.shared.waiting.fetch_add(size, Relaxed).saturating_add(size) <= WAITING_BYTES;
        let rows = self.sender().filter(|_| has_room);
        if rows.is_none_or(|rows| rows.try_send(Message::Row(Box::new(row))).is_err()) {
            self.shared.waiting.fetch_sub(size, Relaxed);
            self.shared.left_out.fetch_add(1, Relaxed);
        }
    }

    fn left_out(&self) -> u64 {
        self.shared.left_out.load(Relaxed)
    }
}

impl Drop for SqliteRequests {
    fn drop(&mut self) {
        self.rows.get_mut().unwrap_or_else(PoisonError::into_inner).take();
        if let Some(thread) = self.thread.take() {
            // Its panic was told where it happened.
            let _ = thread.join();
        }
    }
}

impl fmt::Debug for SqliteRequests {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SqliteRequests").field("path", &self.path).field("keep", &self.keep).finish_non_exhaustive()
    }
}

/// The thread that writes.
struct Writer {
    connection: Connection,
    keep: Duration,
    shared: Arc<Shared>,
}

impl Writer {
    /// Until nobody is left who could write.
    fn run(mut self, messages: &Receiver<Message>) {
        let mut next_look = Duration::ZERO;
        let mut gathered = Vec::new();
        loop {
            let now = now();
            if now >= next_look {
                next_look = now.saturating_add(LOOK);
                // What cannot be deleted now is looked for again.
                let _ = self.delete(now.saturating_sub(self.keep));
            }
            let first = match messages.recv_timeout(next_look.saturating_sub(now)) {
                Ok(message) => message,
                Err(RecvTimeoutError::Timeout) => continue,
                Err(RecvTimeoutError::Disconnected) => return,
            };
            let mut flushed = Vec::new();
            for message in std::iter::once(first).chain(messages.try_iter()).take(AT_ONCE.into()) {
                match message {
                    Message::Row(row) => gathered.push(row),
                    Message::Flush(done) => flushed.push(done),
                }
            }
            self.write(&gathered);
            let size = gathered.drain(..).map(|row| row.size()).sum();
            self.shared.waiting.fetch_sub(size, Relaxed);
            for done in flushed {
                // Who has stopped waiting needs no answer.
                let _ = done.send(());
            }
        }
    }

    fn write(&mut self, rows: &[Box<RequestRow>]) {
        if !rows.is_empty() && self.try_write(rows).is_err() {
            self.shared.left_out.fetch_add(rows.len() as u64, Relaxed);
        }
    }

    fn try_write(&mut self, rows: &[Box<RequestRow>]) -> rusqlite::Result<()> {
        let transaction = self.connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
        let mut insert = transaction.prepare(
            "INSERT INTO requests VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?14, ?15, ?16, ?17, ?18,
             ?19, ?20, ?21)",
        )?;
        for row in rows {
            let whole = |count: Option<u64>| count.map(|count| i64::try_from(count).unwrap_or(i64::MAX));
            insert.execute(params![
                row.id,
                millis(row.time),
                row.path,
                row.format,
                row.key,
                row.team,
                row.route,
                row.provider,
                row.model,
                row.status,
                whole(row.attempts),
                whole(row.input_tokens),
                whole(row.output_tokens),
                whole(row.nano_usd),
                row.cached,
                row.error,
                row.left,
                row.first_byte.map(millis),
                millis(row.took),
                row.request,
                row.response,
            ])?;
        }
        drop(insert);
        transaction.commit()
    }

    /// Deletes what came before that, a few rows at a time: others may wait to write.
    fn delete(&mut self, before: Duration) -> rusqlite::Result<()> {
        let sql = "DELETE FROM requests WHERE rowid IN (SELECT rowid FROM requests WHERE time < ?1 LIMIT ?2)";
        let mut is_any = false;
        while self.connection.execute(sql, params![millis(before), AT_ONCE])? > 0 {
            is_any = true;
        }
        if is_any {
            // Else it is still to be read in the journal.
            self.connection.query_row("PRAGMA wal_checkpoint(TRUNCATE)", [], |_| Ok(()))?;
        }
        Ok(())
    }
}

fn millis(time: Duration) -> i64 {
    i64::try_from(time.as_millis()).unwrap_or(i64::MAX)
}

/// Since 1970, UTC.
fn now() -> Duration {
    SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    const DAY: Duration = Duration::from_secs(86_400);

    fn row(id: &str, time: Duration) -> RequestRow {
        RequestRow { id: id.to_owned(), time, status: Some(200), ..RequestRow::default() }
    }

    fn ids(path: &Path) -> Vec<String> {
        let connection = Connection::open(path).expect("it opens");
        let mut ids = connection.prepare("SELECT id FROM requests ORDER BY rowid").expect("a table");
        let ids = ids.query_map([], |row| row.get(0)).expect("rows");
        ids.map(|id| id.expect("text")).collect()
    }

    /// A folder that goes with its test.
    struct Folder(PathBuf);

    impl Folder {
        fn new(name: &str) -> Self {
            let folder = std::env::temp_dir().join(format!("sabir-requests-{name}-{}", std::process::id()));
            std::fs::create_dir_all(&folder).expect("a folder");
            Self(folder)
        }
    }

    impl Drop for Folder {
        fn drop(&mut self) {
            let _ = std::fs::remove_dir_all(&self.0);
        }
    }

    #[test]
    fn rows_are_kept_for_as_long_as_they_are_to_be() {
        let folder = Folder::new("keep");
        let path = folder.0.join("requests.db");
        let log = SqliteRequests::open(&path, 2 * DAY).expect("made");
        for (id, age) in [("old", 3 * DAY), ("day", DAY), ("new", Duration::ZERO)] {
            log.write(row(id, now().saturating_sub(age)));
        }
        log.flush();
        assert_eq!((ids(&path).len(), log.left_out()), (3, 0));
        drop(log);
        let log = SqliteRequests::open(&path, 2 * DAY).expect("opened");
        log.flush();
        assert_eq!(ids(&path), ["day", "new"]);
        drop(log);
        drop(SqliteRequests::open(&path, DAY / 2).expect("opened"));
        assert_eq!(ids(&path), ["new"], "also where it is closed at once");
        #[cfg(unix)]
        {
            let mode = std::os::unix::fs::PermissionsExt::mode(&std::fs::metadata(&path).expect("there").permissions());
            assert_eq!(mode & 0o777, 0o600);
        }
    }

    #[test]
    fn what_waits_is_written_at_the_end_and_what_is_too_much_is_left_out() {
        let folder = Folder::new("waits");
        let path = folder.0.join("requests.db");
        let log = SqliteRequests::open(&path, DAY).expect("made");
        let mut large = row("large", now());
        large.response = Some(vec![b'x'; WAITING_BYTES]);
        log.write(large);
        assert_eq!(log.left_out(), 1, "more than may wait");
        log.write(row("small", now()));
        drop(log);
        assert_eq!(ids(&path), ["small"]);
    }

    #[test]
    fn a_disk_that_takes_nothing_holds_nobody_up() {
        let folder = Folder::new("full");
        let path = folder.0.join("requests.db");
        let log = SqliteRequests::open(&path, DAY).expect("made");
        Connection::open(&path).expect("it opens").execute_batch("DROP TABLE requests").expect("dropped");
        log.write(row("lost", now()));
        log.flush();
        assert_eq!(log.left_out(), 1);
    }

    #[test]
    fn a_database_of_something_else_is_left_alone() {
        let folder = Folder::new("other");
        let path = folder.0.join("ledger.db");
        drop(crate::Sqlite::open(&path).expect("a ledger"));
        let refused = SqliteRequests::open(&path, DAY).expect_err("not a log");
        assert!(refused.message().contains("something else"), "{refused}");
    }
}
