//! What was kept: lists, conversations, words.

use std::time::Duration;

use bytes::Bytes;
use rusqlite::types::Value;
use rusqlite::{Connection, OptionalExtension as _, Row, params_from_iter};
use sabir::chat::{ChatResponse, Message, Role};

use super::file::{Store, Trouble};
use super::write::millis;
use super::{Kept, Outcome, media};

/// An exchange, as it is listed.
#[derive(Debug)]
pub(crate) struct Entry {
    row: i64,
    pub(crate) kept: Kept,
    /// When it was asked: since 1970, UTC.
    pub(crate) time: Duration,
    pub(crate) model: String,
    pub(crate) outcome: Outcome,
    pub(crate) error: Option<String>,
    /// What was asked, without its messages: JSON.
    pub(crate) request: String,
    /// The answer without its parts.
    pub(crate) answer: Option<ChatResponse>,
}

/// A conversation that can be gone on with.
#[derive(Clone, Debug)]
pub(crate) struct Past {
    pub(crate) kept: Kept,
    /// Who was asked last.
    pub(crate) model: String,
    /// Everything that was said and answered, oldest first.
    pub(crate) messages: Vec<Message>,
}

/// Which exchanges are listed.
#[derive(Clone, Debug, Default)]
pub(crate) struct Find {
    pub(crate) most: Option<u64>,
    /// Words that the model's name has in it.
    pub(crate) model: Option<String>,
    pub(crate) since: Option<Duration>,
}

/// An exchange in which words were found.
#[derive(Debug)]
pub(crate) struct Hit {
    pub(crate) entry: Entry,
    pub(crate) role: Role,
    /// The place, with the words between `[` and `]`.
    pub(crate) snippet: String,
}

const COLUMNS: &str = "e.id, e.conversation, e.number, e.time, e.model, e.outcome, e.error, e.request, e.answer";

impl Store {
    /// The exchanges, newest first.
    pub(crate) fn list(&self, find: &Find) -> Result<Vec<Entry>, Trouble> {
        let (which, mut values) = which(find);
        values.push(limit(find));
        let sql = format!("SELECT {COLUMNS} FROM exchanges AS e WHERE {which} ORDER BY e.time DESC, e.id DESC LIMIT ?");
        rows(&self.connection, &sql, values, entry)
    }

    /// The exchanges of a conversation, oldest first, each with the messages that it added.
    pub(crate) fn conversation(&self, id: &str) -> Result<Vec<(Entry, Vec<Message>)>, Trouble> {
        let sql = format!("SELECT {COLUMNS} FROM exchanges AS e WHERE e.conversation = ? ORDER BY e.number");
        let entries = rows(&self.connection, &sql, vec![Value::Text(id.to_owned())], entry)?;
        let with_messages = |entry: Entry| {
            let messages = self.messages(&entry)?;
            Ok((entry, messages))
        };
        entries.into_iter().map(with_messages).collect()
    }

    /// A conversation, to go on with.
    pub(crate) fn past(&self, id: &str) -> Result<Past, Trouble> {
        let mut past =
            Past { kept: Kept { conversation: id.to_owned(), number: 0 }, model: String::new(), messages: Vec::new() };
        for (entry, messages) in self.conversation(id)? {
            past.kept.number = entry.kept.number;
            past.model = entry.model;
            if entry.outcome != Outcome::Failed {
                past.messages.extend(messages);
            }
        }
        Ok(past)
    }

    /// The conversation in which an answer came last.
    pub(crate) fn latest(&self) -> Result<Option<String>, Trouble> {
        let sql = "SELECT conversation FROM exchanges WHERE outcome <> 'failed' ORDER BY time DESC, id DESC LIMIT 1";
        Ok(self.connection.query_row(sql, [], |row| row.get(0)).optional()?)
    }

    /// The conversations whose ids begin so: at most so many.
    pub(crate) fn beginning(&self, prefix: &str, most: u64) -> Result<Vec<String>, Trouble> {
        // Ids are digits; what is none is in none, and `LIKE` would read it otherwise.
        if prefix.is_empty() || !prefix.bytes().all(|byte| byte.is_ascii_hexdigit()) {
            return Ok(Vec::new());
        }
        let sql = "SELECT DISTINCT conversation FROM exchanges WHERE conversation LIKE ? || '%' ORDER BY 1 LIMIT ?";
        let most = Value::Integer(i64::try_from(most).unwrap_or(i64::MAX));
        let values = vec![Value::Text(prefix.to_ascii_lowercase()), most];
        rows(&self.connection, sql, values, |row| Ok(row.get(0)?))
    }

    /// The exchanges in which one message has all these phrases, newest first. A phrase that ends in `*` may go on.
    pub(crate) fn search(&self, phrases: &[String], find: &Find) -> Result<Vec<Hit>, Trouble> {
        let quoted = |phrase: &String| match phrase.strip_suffix('*') {
            Some(beginning) => format!("\"{}\" *", beginning.replace('"', "\"\"")),
            None => format!("\"{}\"", phrase.replace('"', "\"\"")),
        };
        let words = phrases.iter().map(quoted).collect::<Vec<_>>().join(" ");
        let (which, rest) = which(find);
        let mut values = vec![Value::Text(words)];
        values.extend(rest);
        values.push(limit(find));
        // Each message where it was said first: a conversation that was taken up elsewhere holds it again.
        let sql = format!(
            "SELECT {COLUMNS}, m.json, f.snippet
             FROM (SELECT rowid, snippet(words, 0, '[', ']', '…', 16) AS snippet FROM words WHERE words MATCH ?) AS f
             JOIN messages AS m ON m.id = f.rowid
             JOIN exchanges AS e ON e.id = (SELECT MIN(exchange) FROM turns WHERE message = m.id)
             WHERE {which} ORDER BY e.time DESC, e.id DESC, m.id DESC LIMIT ?"
        );
        rows(&self.connection, &sql, values, |row| {
            let message: Message = serde_json::from_str(&row.get::<_, String>(9)?)?;
            Ok(Hit { entry: entry(row)?, role: message.role, snippet: row.get(10)? })
        })
    }

    /// What the person said in an exchange: the last of it.
    pub(crate) fn asked(&self, entry: &Entry) -> Result<String, Trouble> {
        let sql = "SELECT m.json, m.text FROM turns AS t JOIN messages AS m ON m.id = t.message
                   WHERE t.exchange = ? ORDER BY t.place DESC";
        let said = rows(&self.connection, sql, vec![Value::Integer(entry.row)], |row| {
            let message: Message = serde_json::from_str(&row.get::<_, String>(0)?)?;
            Ok((message.role, row.get::<_, String>(1)?))
        })?;
        // The last of the person's: what was before was said in another exchange.
        Ok(said.into_iter().find(|(role, _)| *role == Role::User).map(|(_, text)| text).unwrap_or_default())
    }

    fn messages(&self, entry: &Entry) -> Result<Vec<Message>, Trouble> {
        let sql = "SELECT m.id, m.json FROM turns AS t JOIN messages AS m ON m.id = t.message
                   WHERE t.exchange = ? ORDER BY t.place";
        let read = rows(&self.connection, sql, vec![Value::Integer(entry.row)], |row| {
            Ok((row.get::<_, i64>(0)?, serde_json::from_str::<Message>(&row.get::<_, String>(1)?)?))
        })?;
        read.into_iter().map(|(id, message)| self.with_media(id, message)).collect()
    }

    fn with_media(&self, id: i64, mut message: Message) -> Result<Message, Trouble> {
        let sql = "SELECT d.bytes FROM message_media AS p JOIN media AS d ON d.id = p.medium
                   WHERE p.message = ? ORDER BY p.place";
        let media =
            rows(&self.connection, sql, vec![Value::Integer(id)], |row| Ok(Bytes::from(row.get::<_, Vec<u8>>(0)?)))?;
        if media::put_back(&mut message, media) {
            Ok(message)
        } else {
            Err(Trouble::new("a message has lost what was attached to it"))
        }
    }
}

fn rows<T>(
    connection: &Connection,
    sql: &str,
    values: Vec<Value>,
    mut read: impl FnMut(&Row<'_>) -> Result<T, Trouble>,
) -> Result<Vec<T>, Trouble> {
    let mut statement = connection.prepare(sql)?;
    let mut rows = statement.query(params_from_iter(values))?;
    let mut all = Vec::new();
    while let Some(row) = rows.next()? {
        all.push(read(row)?);
    }
    Ok(all)
}

fn entry(row: &Row<'_>) -> Result<Entry, Trouble> {
    let outcome: String = row.get(5)?;
    let outcome = Outcome::ALL.into_iter().find(|known| known.word() == outcome);
    let answer: Option<String> = row.get(8)?;
    Ok(Entry {
        row: row.get(0)?,
        kept: Kept { conversation: row.get(1)?, number: row.get(2)? },
        time: Duration::from_millis(u64::try_from(row.get::<_, i64>(3)?).unwrap_or_default()),
        model: row.get(4)?,
        outcome: outcome.ok_or_else(|| Trouble::new("it has an outcome that is not known"))?,
        error: row.get(6)?,
        request: row.get(7)?,
        answer: answer.map(|json| serde_json::from_str(&json)).transpose()?,
    })
}

/// A condition, and what stands in it.
fn which(find: &Find) -> (String, Vec<Value>) {
    let (mut conditions, mut values) = (vec!["TRUE"], Vec::new());
    if let Some(model) = &find.model {
        conditions.push("instr(lower(e.model), lower(?)) > 0");
        values.push(Value::Text(model.clone()));
    }
    if let Some(since) = find.since {
        conditions.push("e.time >= ?");
        values.push(Value::Integer(millis(since)));
    }
    (conditions.join(" AND "), values)
}

/// −1 is no limit to SQLite.
fn limit(find: &Find) -> Value {
    Value::Integer(find.most.map_or(-1, |most| i64::try_from(most).unwrap_or(i64::MAX)))
}
