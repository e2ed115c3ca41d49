//! What processes left that are gone.

use rusqlite::Connection;

use super::apply;
use super::failure::Failure;
use super::folder::{Folder, remove};
use super::journal::{self, End, Place};

/// What was found in journals.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Found {
    /// Segments that had to be cut.
    pub torn: u64,
    /// Journals that another version wrote.
    pub unknown: u64,
}

/// Brings the journals of all dead processes into the tables, and closes what they left open. While the folder is held.
pub(super) fn adopt_all(connection: &mut Connection, folder: &Folder) -> Result<Found, Failure> {
    let mut found = Found::default();
    let known = {
        let mut statement = connection.prepare("SELECT id FROM journals")?;
        let ids = statement.query_map([], |row| row.get::<_, String>(0))?;
        ids.collect::<Result<Vec<_>, _>>()?
    };
    let mut ids = folder.ids()?;
    ids.extend(known);
    for id in ids {
        if let Some(lock) = folder.of_dead(&id)? {
            match finish(connection, folder, &id)? {
                Some(torn) => found.torn += torn,
                None => found.unknown += 1,
            }
            drop(lock);
        }
    }
    Ok(found)
}

/// Brings the rest of a journal that nobody writes into the tables, closes what it left open, and removes it. How many
/// of its segments were torn; `None` where another version has to read it.
///
/// A segment goes when the tables say that they have it, and they forget the journal when all are gone: wherever this is
/// cut short, it can be done again.
pub(super) fn finish(connection: &mut Connection, folder: &Folder, id: &str) -> Result<Option<u64>, Failure> {
    let mut torn = 0;
    let mut place = apply::place(connection, id)?;
    for segment in folder.segments(id)? {
        let mut end = End::Done;
        if segment >= place.segment {
            if segment > place.segment {
                place = Place { segment, offset: 0 };
            }
            end = read_out(connection, folder, id, &mut place)?;
        }
        match end {
            End::Unknown => return Ok(None),
            End::Torn => torn += 1,
            End::Done | End::More => {}
        }
        journal::put_away(folder, id, segment, end)?;
    }
    apply::lose(connection, id, place)?;
    apply::forget(connection, id)?;
    remove(&folder.lock(id))?;
    Ok(Some(torn))
}

/// Applies a segment from a place on, to the last of its records, and moves the place there.
pub(super) fn read_out(
    connection: &mut Connection,
    folder: &Folder,
    id: &str,
    place: &mut Place,
) -> Result<End, Failure> {
    loop {
        let chunk = journal::read(folder, id, *place, None)?;
        if chunk.next != *place {
            apply::apply(connection, id, &chunk)?;
            *place = chunk.next;
        }
        if chunk.end != End::More {
            return Ok(chunk.end);
        }
    }
}
