//! What stands in journals, as rows.

use std::collections::HashMap;
use std::sync::LazyLock;
use std::time::Duration;

use rusqlite::{CachedStatement, Connection, ToSql, Transaction, TransactionBehavior, params, params_from_iter};
use sabir_core::chat::CostBasis;

use super::failure::Failure;
use super::journal::{Chunk, Place};
use super::record::{self, Raised, Record};
use super::schema::BUCKETS;
use crate::{Ended, Opened, Outcome};

/// The most that a counter is written as, so that no sum over the parts of a row overflows: 2⁵⁶.
const MOST_COUNTED: u64 = 1 << 56;

/// An amount as SQLite has it. What is beyond 2⁶³ is written as that.
pub(super) fn whole(number: u64) -> i64 {
    i64::try_from(number).unwrap_or(i64::MAX)
}

/// A time as SQLite has it, to the year 2262.
pub(super) fn time(time: Duration) -> i64 {
    whole(record::nanos(time))
}

/// How far a journal is in the tables; at its beginning, where it is not.
pub(super) fn place(connection: &Connection, journal: &str) -> Result<Place, Failure> {
    let mut statement = connection.prepare_cached("SELECT segment, position FROM journals WHERE id = ?1")?;
    let mut rows = statement.query([journal])?;
    Ok(match rows.next()? {
        Some(row) => Place { segment: row.get(0)?, offset: u64::try_from(row.get::<_, i64>(1)?).unwrap_or_default() },
        None => Place::default(),
    })
}

/// Writes a chunk of a journal and how far that is, as one transaction.
pub(super) fn apply(connection: &mut Connection, journal: &str, chunk: &Chunk) -> Result<(), Failure> {
    let transaction = connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
    rows(&transaction, journal, &chunk.records)?;
    move_to(&transaction, journal, chunk.next)?;
    Ok(transaction.commit()?)
}

fn move_to(transaction: &Transaction<'_>, journal: &str, place: Place) -> Result<(), Failure> {
    let sql = "INSERT INTO journals VALUES (?1, ?2, ?3)
        ON CONFLICT DO UPDATE SET segment = excluded.segment, position = excluded.position";
    transaction.prepare_cached(sql)?.execute(params![journal, place.segment, whole(place.offset)])?;
    Ok(())
}

fn rows(transaction: &Transaction<'_>, journal: &str, records: &[Record]) -> Result<(), Failure> {
    let mut insert = Insert::new(transaction)?;
    let mut forget = transaction.prepare_cached("DELETE FROM open_attempts WHERE call = ?1 AND attempt = ?2")?;
    // Most attempts end soon: what is opened and closed in one chunk is written once.
    let (mut open, mut raised) = (HashMap::new(), HashMap::new());
    for record in records {
        match record {
            Record::Opened(attempt) => {
                open.entry((&attempt.call, attempt.attempt)).or_insert(attempt);
            }
            Record::Raised(Raised { call, attempt, reserved }) => {
                let most: &mut Option<u64> = raised.entry((call, *attempt)).or_default();
                *most = (*most).max(*reserved);
            }
            Record::Closed(attempt, ended) => {
                let id = (&attempt.call, attempt.attempt);
                raised.remove(&id);
                // What was opened in this chunk is not in the tables.
                if open.remove(&id).is_none() {
                    forget.execute(params![attempt.call, attempt.attempt])?;
                }
                insert.row(attempt, ended)?;
            }
        }
    }
    let mut reserve = transaction.prepare_cached(
        "INSERT OR IGNORE INTO open_attempts SELECT ?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10
         WHERE NOT EXISTS (SELECT 1 FROM attempts WHERE call = ?1 AND attempt = ?2)",
    )?;
    for attempt in open.into_values() {
        let Opened { call, attempt: number, tenant, key, provider, model, .. } = attempt;
        let (begun, tags, reserved) = (time(attempt.time), tags(attempt), attempt.reserved.map(whole));
        reserve.execute(params![call, number, journal, begun, tenant, key, provider, model, tags, reserved])?;
    }
    let mut raise = transaction.prepare_cached(
        "UPDATE open_attempts SET reserved = max(ifnull(reserved, 0), ?3) WHERE call = ?1 AND attempt = ?2",
    )?;
    for ((call, attempt), reserved) in raised.into_iter().filter_map(|(id, reserved)| Some((id, reserved?))) {
        raise.execute(params![call, attempt, whole(reserved)])?;
    }
    Ok(())
}

/// Closes what a process left open, and says that its journal is at its end.
pub(super) fn lose(connection: &mut Connection, journal: &str, end: Place) -> Result<(), Failure> {
    let transaction = connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
    transaction.execute(
        "INSERT OR IGNORE INTO attempts (call, attempt, time, tenant, key, provider, model, tags, reserved, outcome,
             estimated, cost, basis, latency)
         SELECT call, attempt, time, tenant, key, provider, model, tags, reserved, 'lost',
             0, reserved, iif(reserved IS NULL, NULL, 'estimate'), 0
         FROM open_attempts WHERE journal = ?1",
        [journal],
    )?;
    transaction.execute(
        "INSERT OR IGNORE INTO labels SELECT tag.key, tag.value, a.time, a.id
         FROM open_attempts AS o CROSS JOIN attempts AS a USING (call, attempt) CROSS JOIN json_each(o.tags) AS tag
         WHERE o.journal = ?1",
        [journal],
    )?;
    transaction.execute("DELETE FROM open_attempts WHERE journal = ?1", [journal])?;
    move_to(&transaction, journal, end)?;
    Ok(transaction.commit()?)
}

/// Forgets a journal whose files are gone.
pub(super) fn forget(connection: &Connection, journal: &str) -> Result<(), Failure> {
    connection.execute("DELETE FROM journals WHERE id = ?1", [journal])?;
    Ok(())
}

/// Deletes at most so many rows that began before then; how many were.
pub(super) fn prune(connection: &mut Connection, before: Duration, most: usize) -> Result<usize, Failure> {
    let transaction = connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
    let old = "SELECT id FROM attempts WHERE time < ?1 ORDER BY time, id LIMIT ?2";
    let bounds = params![time(before), whole(most as u64)];
    transaction.execute(
        &format!(
            "DELETE FROM labels WHERE (name, value, time, id) IN
                 (SELECT tag.key, tag.value, a.time, a.id FROM attempts AS a CROSS JOIN json_each(a.tags) AS tag
                  WHERE a.id IN ({old}))"
        ),
        bounds,
    )?;
    let deleted = transaction.execute(&format!("DELETE FROM attempts WHERE id IN ({old})"), bounds)?;
    transaction.commit()?;
    Ok(deleted)
}

/// Adds rows of closed attempts.
struct Insert<'t> {
    transaction: &'t Transaction<'t>,
    row: CachedStatement<'t>,
    label: CachedStatement<'t>,
}

/// What adds a row; the parameters are in the order of the names.
static ROW: LazyLock<String> = LazyLock::new(|| {
    format!(
        "INSERT OR IGNORE INTO attempts (call, attempt, time, tenant, key, provider, model, tags, reserved, outcome,
             error, tools, estimated, cost, basis, receipt, first_event, latency, {})
         VALUES (?{})",
        BUCKETS.join(", "),
        ", ?".repeat(17 + BUCKETS.len())
    )
});

impl<'t> Insert<'t> {
    fn new(transaction: &'t Transaction<'t>) -> Result<Self, Failure> {
        let row = transaction.prepare_cached(&ROW)?;
        let label = transaction.prepare_cached("INSERT OR IGNORE INTO labels VALUES (?1, ?2, ?3, ?4)")?;
        Ok(Self { transaction, row, label })
    }

    fn row(&mut self, attempt: &Opened, ended: &Ended) -> Result<(), Failure> {
        let (outcome, error) = words(ended.outcome);
        let tools = (!ended.usage.tools.is_empty()).then(|| {
            let uses = ended.usage.tools.iter().map(|(tool, uses)| (tool.as_str(), *uses));
            object(uses, |uses| uses.min(MOST_COUNTED).to_string())
        });
        let receipt = ended.receipt.as_ref().and_then(|receipt| serde_json::to_string(receipt).ok());
        let values: [&dyn ToSql; 18] = [
            &attempt.call,
            &attempt.attempt,
            &time(attempt.time),
            &attempt.tenant,
            &attempt.key,
            &attempt.provider,
            &attempt.model,
            &tags(attempt),
            &attempt.reserved.map(whole),
            &outcome,
            &error,
            &tools,
            &ended.usage.estimated,
            &ended.cost.map(|cost| whole(cost.nano_usd)),
            &ended.cost.map(|cost| basis(cost.basis)),
            &receipt,
            &ended.first_event.map(time),
            &time(ended.latency),
        ];
        let buckets = record::buckets(&ended.usage).map(|number| number.map(|number| whole(number.min(MOST_COUNTED))));
        let buckets = buckets.iter().map(|bucket| bucket as &dyn ToSql);
        if self.row.execute(params_from_iter(values.into_iter().chain(buckets)))? > 0 {
            let id = self.transaction.last_insert_rowid();
            for (name, value) in &*attempt.tags {
                self.label.execute(params![name, value, time(attempt.time), id])?;
            }
        }
        Ok(())
    }
}

fn words(outcome: Outcome) -> (&'static str, Option<&'static str>) {
    match outcome {
        Outcome::Answered => ("answered", None),
        Outcome::Failed(kind) => ("failed", Some(kind.as_str())),
        Outcome::Cut => ("cut", None),
        Outcome::Dropped => ("dropped", None),
        Outcome::Lost => ("lost", None),
    }
}

fn basis(basis: CostBasis) -> &'static str {
    match basis {
        CostBasis::Reported => "reported",
        CostBasis::ListPrice => "list_price",
        _ => "estimate",
    }
}

/// Labels as a JSON object in their order; of a name that is there twice both values.
fn tags(attempt: &Opened) -> Option<String> {
    let pairs = attempt.tags.iter().map(|(name, value)| (name.as_str(), value));
    (!attempt.tags.is_empty()).then(|| object(pairs, |value| quoted(value)))
}

fn object<'a, V: 'a>(pairs: impl Iterator<Item = (&'a str, V)>, written: impl Fn(V) -> String) -> String {
    let mut object = String::with_capacity(128);
    for (name, value) in pairs {
        object.push(if object.is_empty() { '{' } else { ',' });
        object.push_str(&quoted(name));
        object.push(':');
        object.push_str(&written(value));
    }
    object.push('}');
    object
}

fn quoted(text: &str) -> String {
    serde_json::to_string(text).expect("a text is JSON")
}
