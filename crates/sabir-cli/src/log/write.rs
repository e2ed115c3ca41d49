//! Keeping exchanges, and deleting them.

use std::hash::{BuildHasher as _, RandomState};
use std::time::Duration;

use rusqlite::{Connection, OptionalExtension as _, TransactionBehavior, params};
use sabir::chat::{ChatRequest, ChatResponse, Message};
use sha2::{Digest as _, Sha256};

use super::file::{Store, Trouble};
use super::{Exchange, Kept, media};

impl Store {
    /// Keeps an exchange. It goes on with its conversation; where another process did so meanwhile, it begins a new one
    /// that holds what was before.
    pub(crate) fn write(&mut self, exchange: &Exchange<'_>) -> Result<Kept, Trouble> {
        let transaction = self.connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
        let past = exchange.past.filter(|past| !past.messages.is_empty());
        let next = past.map(|past| Ok::<_, Trouble>((past, last(&transaction, &past.kept.conversation)?)));
        let (kept, before) = match next.transpose()? {
            Some((past, Some(last))) if last == past.kept.number => {
                (Kept { conversation: past.kept.conversation.clone(), number: last + 1 }, &[][..])
            }
            past => {
                let before = past.map_or(&[][..], |(past, _)| past.messages.as_slice());
                (Kept { conversation: unused(&transaction)?, number: 1 }, before)
            }
        };
        let settings = ChatRequest { messages: Vec::new(), ..exchange.request.clone() };
        let answer = exchange.answer.map(|answer| {
            let mut bare = answer.clone();
            bare.parts = Vec::new();
            serde_json::to_string::<ChatResponse>(&bare)
        });
        transaction.execute(
            "INSERT INTO exchanges (conversation, number, time, model, outcome, error, request, answer)
             VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8)",
            params![
                kept.conversation,
                kept.number,
                millis(exchange.time),
                exchange.model,
                exchange.outcome.word(),
                exchange.error,
                serde_json::to_string(&settings)?,
                answer.transpose()?,
            ],
        )?;
        let id = transaction.last_insert_rowid();
        for (place, message) in (0_i64..).zip(before.iter().chain(exchange.added)) {
            let message = self::message(&transaction, message)?;
            transaction.execute("INSERT INTO turns VALUES (?1, ?2, ?3)", params![id, place, message])?;
        }
        transaction.commit()?;
        Ok(kept)
    }

    /// Deletes a conversation, and what only that one held. How many exchanges it had.
    pub(crate) fn delete(&mut self, conversation: &str) -> Result<usize, Trouble> {
        self.delete_by("conversation = ?1", &conversation)
    }

    /// Deletes all conversations that ended before then. How many exchanges they had.
    pub(crate) fn delete_before(&mut self, time: Duration) -> Result<usize, Trouble> {
        let old = "conversation IN (SELECT conversation FROM exchanges GROUP BY conversation HAVING MAX(time) < ?1)";
        self.delete_by(old, &millis(time))
    }

    fn delete_by(&mut self, which: &str, bound: &dyn rusqlite::ToSql) -> Result<usize, Trouble> {
        let transaction = self.connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
        let deleted = transaction.execute(&format!("DELETE FROM exchanges WHERE {which}"), [bound])?;
        transaction.execute("DELETE FROM messages WHERE id NOT IN (SELECT message FROM turns)", [])?;
        transaction.execute("DELETE FROM media WHERE id NOT IN (SELECT medium FROM message_media)", [])?;
        transaction.commit()?;
        // Else it is still to be read in the journal. Another process that reads it keeps it a while.
        let _: Option<i64> =
            self.connection.query_row("PRAGMA wal_checkpoint(TRUNCATE)", [], |row| row.get(0)).optional()?;
        Ok(deleted)
    }
}

/// The number of a conversation's last exchange.
pub(super) fn last(connection: &Connection, conversation: &str) -> Result<Option<u32>, Trouble> {
    let sql = "SELECT MAX(number) FROM exchanges WHERE conversation = ?1";
    Ok(connection.query_row(sql, [conversation], |row| row.get(0))?)
}

/// A name that no conversation has: twelve digits, hexadecimal.
fn unused(connection: &Connection) -> Result<String, Trouble> {
    loop {
        let random = RandomState::new().hash_one((super::now(), std::process::id()));
        let id = format!("{:012x}", random >> 16);
        if last(connection, &id)?.is_none() {
            return Ok(id);
        }
    }
}

fn message(connection: &Connection, message: &Message) -> Result<i64, Trouble> {
    let mut message = message.clone();
    let taken = media::take_out(&mut message);
    let json = serde_json::to_string(&message)?;
    let hashes: Vec<_> = taken.iter().map(Sha256::digest).collect();
    // The end of the JSON cannot be taken for a hash: its length is hashed before it.
    let mut whole = Sha256::new();
    whole.update((json.len() as u64).to_le_bytes());
    whole.update(&json);
    for hash in &hashes {
        whole.update(hash);
    }
    let hash = whole.finalize();
    if let Some(known) = find(connection, "messages", hash.as_slice())? {
        return Ok(known);
    }
    connection.execute(
        "INSERT INTO messages (hash, json, text) VALUES (?1, ?2, ?3)",
        params![hash.as_slice(), json, message.text()],
    )?;
    let id = connection.last_insert_rowid();
    for (place, (bytes, hash)) in (0_i64..).zip(taken.iter().zip(&hashes)) {
        let medium = if let Some(known) = find(connection, "media", hash.as_slice())? {
            known
        } else {
            let sql = "INSERT INTO media (hash, bytes) VALUES (?1, ?2)";
            connection.execute(sql, params![hash.as_slice(), &bytes[..]])?;
            connection.last_insert_rowid()
        };
        connection.execute("INSERT INTO message_media VALUES (?1, ?2, ?3)", params![id, place, medium])?;
    }
    Ok(id)
}

fn find(connection: &Connection, table: &str, hash: &[u8]) -> Result<Option<i64>, Trouble> {
    let sql = format!("SELECT id FROM {table} WHERE hash = ?1");
    Ok(connection.query_row(&sql, [hash], |row| row.get(0)).optional()?)
}

/// As it is written: milliseconds.
pub(super) fn millis(time: Duration) -> i64 {
    i64::try_from(time.as_millis()).unwrap_or(i64::MAX)
}
