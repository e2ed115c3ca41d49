//! Vectors in an SQLite file: `collections` (name, model, dimensions) and `vectors` (collection, id, hash, vector as
//! little-endian `f32`s, text where it was to be kept).

use std::collections::HashSet;
use std::path::Path;

use rusqlite::{Connection, OptionalExtension as _, params};

use super::texts::Text;
use crate::failure::Failure;

/// `PRAGMA user_version` of a file that this program made.
const VERSION: i64 = 1;
/// How long another program may hold the file.
const PATIENCE: std::time::Duration = std::time::Duration::from_secs(10);

const TABLES: &str = "
    BEGIN IMMEDIATE;
    CREATE TABLE IF NOT EXISTS collections (
        id INTEGER PRIMARY KEY, name TEXT NOT NULL UNIQUE, model TEXT NOT NULL, dimensions INTEGER NOT NULL
    );
    CREATE TABLE IF NOT EXISTS vectors (
        collection INTEGER NOT NULL REFERENCES collections (id), id TEXT NOT NULL, hash BLOB NOT NULL,
        vector BLOB NOT NULL, text TEXT, PRIMARY KEY (collection, id)
    );
    CREATE INDEX IF NOT EXISTS vectors_by_hash ON vectors (collection, hash);
    PRAGMA user_version = 1;
    COMMIT;";

/// One collection of a file; it comes to be with its first vector.
pub(super) struct Collection {
    file: Connection,
    name: String,
    known: Option<Known>,
}

/// What a collection is of.
struct Known {
    id: i64,
    model: String,
    dimensions: usize,
}

impl From<rusqlite::Error> for Failure {
    fn from(error: rusqlite::Error) -> Self {
        Self::nothing(format!("the file of vectors: {error}"))
    }
}

impl Collection {
    /// A collection in a file, which is made where it is not there.
    pub(super) fn open(path: &Path, name: &str) -> Result<Self, Failure> {
        Self::of(Connection::open(path), path, name)
    }

    /// One that is there.
    pub(super) fn existing(path: &Path, name: &str) -> Result<Self, Failure> {
        let none =
            || Failure::usage(format!("there is no collection {name} in {}; `sabir embed` makes one", path.display()));
        if !path.exists() {
            return Err(none());
        }
        let collection = Self::of(Connection::open(path), path, name)?;
        if collection.known.is_none() { Err(none()) } else { Ok(collection) }
    }

    fn of(file: rusqlite::Result<Connection>, path: &Path, name: &str) -> Result<Self, Failure> {
        let refused = |error: rusqlite::Error| Failure::usage(format!("cannot use {}: {error}", path.display()));
        let file = file.map_err(refused)?;
        file.busy_timeout(PATIENCE).map_err(refused)?;
        // As it is at one moment: another process may be making it.
        let now = file.unchecked_transaction().map_err(refused)?;
        let version: i64 = now.query_row("PRAGMA user_version", [], |row| row.get(0)).map_err(refused)?;
        let tables: i64 = now.query_row("SELECT count(*) FROM sqlite_master", [], |row| row.get(0)).map_err(refused)?;
        drop(now);
        if version != VERSION && (version != 0 || tables > 0) {
            let message = format!("{} is a database of something else; name another file", path.display());
            return Err(Failure::usage(message));
        }
        file.execute_batch(TABLES).map_err(refused)?;
        let known = "SELECT id, model, dimensions FROM collections WHERE name = ?1";
        let read = |row: &rusqlite::Row<'_>| {
            Ok(Known { id: row.get(0)?, model: row.get(1)?, dimensions: row.get::<_, u32>(2)? as usize })
        };
        let known = file.query_row(known, [name], read).optional()?;
        Ok(Self { file, name: name.to_owned(), known })
    }

    /// Whose vectors they are; `None` where there are none.
    pub(super) fn model(&self) -> Option<&str> {
        self.known.as_ref().map(|known| known.model.as_str())
    }

    /// The length of its vectors; 0 where there are none.
    pub(super) fn dimensions(&self) -> usize {
        self.known.as_ref().map_or(0, |known| known.dimensions)
    }

    /// How many texts it has.
    pub(super) fn len(&self) -> Result<u64, Failure> {
        let Some(known) = &self.known else { return Ok(0) };
        let count = "SELECT count(*) FROM vectors WHERE collection = ?1";
        let count: i64 = self.file.query_row(count, [known.id], |row| row.get(0))?;
        Ok(count.unsigned_abs())
    }

    /// The texts whose vectors are not there, each once. What is there under another name gets its vector under this one,
    /// and its text where that is to be kept.
    pub(super) fn missing<'t>(&mut self, texts: &'t [Text], store: bool) -> Result<Vec<&'t Text>, Failure> {
        let mut seen = HashSet::new();
        let distinct = texts.iter().filter(|text| seen.insert((&text.id, text.hash)));
        let Some(known) = &self.known else { return Ok(distinct.collect()) };
        let change = self.file.transaction()?;
        let mut missing = Vec::new();
        {
            let mut vector =
                change.prepare("SELECT vector, text FROM vectors WHERE collection = ?1 AND hash = ?2 LIMIT 1")?;
            let mut put = change.prepare(PUT)?;
            for text in distinct {
                let read = |row: &rusqlite::Row<'_>| Ok((row.get::<_, Vec<u8>>(0)?, row.get::<_, Option<String>>(1)?));
                let found = vector.query_row(params![known.id, text.hash], read).optional()?;
                let Some((vector, old)) = found else {
                    missing.push(text);
                    continue;
                };
                let kept = if store { Some(&text.content) } else { old.as_ref() };
                put.execute(params![known.id, text.id, text.hash, vector, kept])?;
            }
        }
        change.commit()?;
        Ok(missing)
    }

    /// Adds texts with their vectors, all of them or none.
    pub(super) fn add(
        &mut self,
        model: &str,
        texts: &[&Text],
        vectors: Vec<Vec<f32>>,
        store: bool,
    ) -> Result<(), Failure> {
        let length = vectors.first().map_or(0, Vec::len);
        let numbers = u32::try_from(length).map_err(|_| Failure::nothing("a vector of that length cannot be kept"))?;
        let known = if let Some(known) = &self.known {
            known
        } else {
            let new = "INSERT INTO collections (name, model, dimensions) VALUES (?1, ?2, ?3)";
            self.file.execute(new, params![self.name, model, numbers])?;
            let id = self.file.last_insert_rowid();
            self.known.insert(Known { id, model: model.to_owned(), dimensions: length })
        };
        if length != known.dimensions {
            return Err(other_length(known.dimensions, length));
        }
        let id = known.id;
        let change = self.file.transaction()?;
        {
            let mut put = change.prepare(PUT)?;
            for (text, vector) in texts.iter().zip(vectors) {
                let bytes: Vec<u8> = vector.iter().flat_map(|number| number.to_le_bytes()).collect();
                put.execute(params![id, text.id, text.hash, bytes, store.then_some(&text.content)])?;
            }
        }
        Ok(change.commit()?)
    }

    /// Looks at every text: its name, its vector and what is kept of it.
    pub(super) fn each(&self, mut look: impl FnMut(&str, &[u8], Option<&str>)) -> Result<(), Failure> {
        let Some(known) = &self.known else { return Ok(()) };
        let mut all = self.file.prepare("SELECT id, vector, text FROM vectors WHERE collection = ?1 ORDER BY id")?;
        let mut rows = all.query([known.id])?;
        while let Some(row) = rows.next()? {
            let wrong = |error: rusqlite::types::FromSqlError| rusqlite::Error::from(error);
            let (name, vector) = (row.get_ref(0)?.as_str().map_err(wrong)?, row.get_ref(1)?.as_blob().map_err(wrong)?);
            look(name, vector, row.get_ref(2)?.as_str_or_null().map_err(wrong)?);
        }
        Ok(())
    }
}

/// In place of what was under this name.
const PUT: &str = "INSERT OR REPLACE INTO vectors (collection, id, hash, vector, text) VALUES (?1, ?2, ?3, ?4, ?5)";

pub(super) fn other_length(known: usize, got: usize) -> Failure {
    Failure::usage(format!(
        "the collection's vectors have {known} numbers and these {got}; say the --dimensions that it was made with, or name \
        another collection"
    ))
}
