//! The file: opened, made where it is missing, and brought up to date.

use std::io;
use std::path::Path;
use std::time::Duration;

use rusqlite::{Connection, ErrorCode, OpenFlags, TransactionBehavior};

use crate::private::append_to;

/// "sabl": a database of this kind.
const APPLICATION: i64 = 0x7361_626c;

/// What brings a database from the version that is an entry's place to the next one. Entries are only ever added.
const STEPS: [&str; 1] = [include_str!("schema.sql")];

/// How long another process may hold the file. A person waits for it.
const PATIENCE: Duration = Duration::from_secs(3);

/// Why something in the log could not be done.
#[derive(Debug)]
pub(crate) struct Trouble(String);

impl Trouble {
    pub(super) fn new(why: impl Into<String>) -> Self {
        Self(why.into())
    }

    /// With the file of which it is.
    pub(crate) fn of(&self, path: &Path) -> String {
        format!("the log {} cannot be used: {}", path.display(), self.0)
    }
}

impl From<io::Error> for Trouble {
    fn from(error: io::Error) -> Self {
        Self(error.to_string())
    }
}

impl From<serde_json::Error> for Trouble {
    fn from(error: serde_json::Error) -> Self {
        Self(format!("a row of it cannot be read: {error}"))
    }
}

impl From<rusqlite::Error> for Trouble {
    fn from(error: rusqlite::Error) -> Self {
        let advice = match error.sqlite_error_code() {
            Some(ErrorCode::DiskFull) => "; make room on the disk",
            Some(ErrorCode::DatabaseBusy | ErrorCode::DatabaseLocked) => "; another program holds it",
            Some(ErrorCode::ReadOnly | ErrorCode::PermissionDenied) => "; it has to be writable",
            Some(ErrorCode::NotADatabase) => "; name another file in `logs.path`",
            Some(ErrorCode::DatabaseCorrupt) => "; move it away, a new one is made",
            _ => "",
        };
        Self(format!("{error}{advice}"))
    }
}

/// The log's file, open.
#[derive(Debug)]
pub(crate) struct Store {
    pub(super) connection: Connection,
}

impl Store {
    /// Opens the file, or makes it and its folder, nobody else's to read.
    pub(crate) fn open(path: &Path) -> Result<Self, Trouble> {
        append_to(path)?;
        Self::open_there(path)
    }

    /// Opens a file that is there.
    pub(crate) fn open_there(path: &Path) -> Result<Self, Trouble> {
        // A path is a path: not the URI that it may look like.
        let flags = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX;
        let mut connection = Connection::open_with_flags(path, flags)?;
        connection.busy_timeout(PATIENCE)?;
        migrate(&mut connection)?;
        let _: String = connection.query_row("PRAGMA journal_mode = WAL", [], |row| row.get(0))?;
        // The database is whole after a power cut; the last exchange may be gone.
        connection.pragma_update(None, "synchronous", "NORMAL")?;
        connection.pragma_update(None, "foreign_keys", true)?;
        // What is deleted is overwritten.
        connection.pragma_update(None, "secure_delete", true)?;
        Ok(Self { connection })
    }
}

/// Brings a database up to date, in one transaction. Looks before it writes: most are up to date.
fn migrate(connection: &mut Connection) -> Result<(), Trouble> {
    // As it is at one moment: another process may be making it.
    let now = connection.transaction()?;
    if missing(&now)?.is_empty() {
        return Ok(());
    }
    drop(now);
    let transaction = connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
    // Another process may have been faster.
    for step in missing(&transaction)? {
        transaction.execute_batch(step)?;
    }
    transaction.pragma_update(None, "application_id", APPLICATION)?;
    transaction.pragma_update(None, "user_version", i64::try_from(STEPS.len()).unwrap_or(i64::MAX))?;
    Ok(transaction.commit()?)
}

/// The steps that a database still needs. Fails where it is not one of these.
fn missing(connection: &Connection) -> Result<&'static [&'static str], Trouble> {
    let number = |sql: &str| connection.query_row(sql, [], |row| row.get::<_, i64>(0));
    let application = number("PRAGMA application_id")?;
    let version = number("PRAGMA user_version")?;
    let tables = number("SELECT COUNT(*) FROM sqlite_schema")?;
    if application != APPLICATION && (application, version, tables) != (0, 0, 0) {
        return Err(Trouble::new("it is a database of something else; name another file in `logs.path`"));
    }
    let steps = usize::try_from(version).ok().and_then(|version| STEPS.get(version..));
    steps.ok_or_else(|| Trouble::new("it was written by a newer version of sabir; update this one"))
}
