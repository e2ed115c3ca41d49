//! Sums, as SQLite makes them.
//!
//! A sum of 64-bit numbers may be beyond 64 bits, which SQLite refuses: high and low halves are summed apart.

use std::collections::BTreeMap;
use std::time::Duration;

use rusqlite::types::Value;
use rusqlite::{Connection, Row, params_from_iter};

use super::apply::time;
use super::failure::Failure;
use super::record::usage_of;
use super::schema::BUCKETS;
use crate::{Dimension, Filter, Group, Spent};

/// Buckets that are summed as they are; the last two are totals, which are made of what each row has.
const SUMMED: usize = 10;
const INPUT_TOTAL: &str = "coalesce(input_stated, input + coalesce(cache_read, 0) + coalesce(cache_write, 0)
    + coalesce(cache_write_1h, 0) + coalesce(audio_input, 0) + coalesce(image_input, 0))";
const OUTPUT_TOTAL: &str =
    "coalesce(output_stated, output + coalesce(reasoning, 0) + coalesce(audio_output, 0) + coalesce(image_output, 0))";

pub(super) fn spent(connection: &Connection, of: &Filter) -> Result<Spent, Failure> {
    let sums = |table: &str, amount: &str, has: Condition| -> Result<(u64, u64), Failure> {
        let sql = format!("SELECT {}, count(*) - count({amount}) FROM {table} WHERE {}", sum(amount), has.sql);
        Ok(connection.query_row(&sql, params_from_iter(has.values), |row| {
            Ok((halves(row, 0)?.unwrap_or(0), row.get::<_, i64>(2)?.unsigned_abs()))
        })?)
    };
    let (settled, unpriced) = sums("attempts", "cost", closed(of))?;
    let (reserved, open_unpriced) = sums("open_attempts", "reserved", open(of))?;
    Ok(Spent { settled, reserved, unpriced: unpriced + open_unpriced })
}

pub(super) fn report(connection: &Connection, of: &Filter, by: &[Dimension]) -> Result<Vec<Group>, Failure> {
    let mut columns = vec![
        "count(*)".to_owned(),
        "sum(outcome <> 'answered')".to_owned(),
        "count(*) - count(cost)".to_owned(),
        "max(estimated)".to_owned(),
        "count(input_stated)".to_owned(),
        "count(output_stated)".to_owned(),
    ];
    columns.extend(["cost", "latency", INPUT_TOTAL, OUTPUT_TOTAL].map(sum));
    columns.extend(BUCKETS[..SUMMED].iter().map(|bucket| sum(bucket)));
    let select = Grouped::new(of, by, "attempts", "");
    let sql = select.sql(&columns.join(", "), "", "HAVING count(*) > 0");
    let mut statement = connection.prepare(&sql)?;
    let mut rows = statement.query(params_from_iter(&select.values))?;
    let mut groups = BTreeMap::new();
    while let Some(row) = rows.next()? {
        let group = group(row, by.len())?;
        groups.insert(group.names.clone(), group);
    }
    drop(rows);

    // Uses of providers' tools, in the groups that have any.
    let select =
        Grouped::new(of, by, "attempts CROSS JOIN json_each(attempts.tools) AS tool", "tools IS NOT NULL AND ");
    let sql = select.sql(&format!("{}, tool.key", sum("tool.value")), ", tool.key", "");
    let mut statement = connection.prepare(&sql)?;
    let mut rows = statement.query(params_from_iter(&select.values))?;
    while let Some(row) = rows.next()? {
        if let Some(group) = groups.get_mut(&names(row, by.len())?) {
            group.usage.tools.insert(row.get(by.len() + 2)?, halves(row, by.len())?.unwrap_or(0));
        }
    }
    Ok(groups.into_values().collect())
}

/// How SQLite would go about what closed attempts came to.
#[cfg(test)]
pub(super) fn plan(connection: &Connection, of: &Filter) -> Result<String, Failure> {
    let has = closed(of);
    let sql = format!("EXPLAIN QUERY PLAN SELECT {} FROM attempts WHERE {}", sum("cost"), has.sql);
    let mut statement = connection.prepare(&sql)?;
    let steps = statement.query_map(params_from_iter(has.values), |row| row.get::<_, String>(3))?;
    Ok(steps.collect::<Result<Vec<_>, _>>()?.join("\n") + "\n")
}

fn group(row: &Row<'_>, from: usize) -> rusqlite::Result<Group> {
    let number = |at: usize| row.get::<_, i64>(from + at).map(i64::unsigned_abs);
    let sum = |at: usize| halves(row, from + 6 + 2 * at);
    let mut buckets = [None; BUCKETS.len()];
    for (at, bucket) in buckets.iter_mut().enumerate().take(SUMMED) {
        *bucket = sum(4 + at)?;
    }
    if number(4)? > 0 {
        buckets[SUMMED] = sum(2)?;
    }
    if number(5)? > 0 {
        buckets[SUMMED + 1] = sum(3)?;
    }
    let mut usage = usage_of(buckets);
    usage.estimated = number(3)? > 0;
    Ok(Group {
        names: names(row, from)?,
        attempts: number(0)?,
        failed: number(1)?,
        unpriced: number(2)?,
        nano_usd: sum(0)?.unwrap_or(0),
        latency: Duration::from_nanos(sum(1)?.unwrap_or(0)),
        usage,
    })
}

fn names(row: &Row<'_>, dimensions: usize) -> rusqlite::Result<Vec<String>> {
    (0..dimensions).map(|at| row.get(at)).collect()
}

fn sum(column: &str) -> String {
    format!("sum({column} >> 32), sum({column} & 4294967295)")
}

/// A sum of two halves; `None` where nothing was summed.
fn halves(row: &Row<'_>, at: usize) -> rusqlite::Result<Option<u64>> {
    let (high, low): (Option<i64>, Option<i64>) = (row.get(at)?, row.get(at + 1)?);
    Ok(high.zip(low).map(|(high, low)| {
        let sum = (u128::from(high.unsigned_abs()) << 32) + u128::from(low.unsigned_abs());
        u64::try_from(sum).unwrap_or(u64::MAX)
    }))
}

/// A query by groups: its parts, and the values of their parameters in order.
struct Grouped {
    names: Vec<String>,
    from: String,
    values: Vec<Value>,
}

impl Grouped {
    fn new(of: &Filter, by: &[Dimension], table: &str, only: &str) -> Self {
        let mut values = Vec::new();
        let names = by.iter().map(|dimension| name(dimension, &mut values)).collect();
        let has = closed(of);
        values.extend(has.values);
        Self { names, from: format!("FROM {table} WHERE {only}{}", has.sql), values }
    }

    /// `more` is grouped by beside the names. Names are told by their place, since they may have parameters.
    fn sql(&self, columns: &str, more: &str, having: &str) -> String {
        let places: Vec<_> = (1..=self.names.len()).map(|place| place.to_string()).collect();
        let groups = places.join(", ") + more;
        let groups = groups.trim_start_matches(", ");
        let by = if groups.is_empty() { String::new() } else { format!("GROUP BY {groups}") };
        let columns: Vec<_> = self.names.iter().map(String::as_str).chain([columns]).collect();
        format!("SELECT {} {} {by} {having}", columns.join(", "), self.from)
    }
}

/// The SQL of a group's name.
fn name(dimension: &Dimension, values: &mut Vec<Value>) -> String {
    let mut date = |format: &str, east: i32| {
        values.push(Value::Integer(east.into()));
        format!("strftime('{format}', time / 1000000000 + ?, 'unixepoch')")
    };
    match dimension {
        Dimension::Day(east) => date("%Y-%m-%d", *east),
        Dimension::Month(east) => date("%Y-%m", *east),
        Dimension::Provider => "provider".to_owned(),
        Dimension::Model => "model".to_owned(),
        Dimension::Key => "attempts.key".to_owned(),
        Dimension::Tenant => "tenant".to_owned(),
        Dimension::Tag(name) => {
            values.push(Value::Text(name.clone()));
            "coalesce((SELECT value FROM json_each(tags) WHERE key = ? LIMIT 1), '')".to_owned()
        }
    }
}

/// A part of a `WHERE`, and the values of its parameters in order.
struct Condition {
    sql: String,
    values: Vec<Value>,
}

impl Condition {
    fn and(&mut self, sql: &str, values: impl IntoIterator<Item = Value>) {
        self.sql.push_str(" AND ");
        self.sql.push_str(sql);
        self.values.extend(values);
    }
}

/// What closed and open attempts are asked in the same way.
fn named(of: &Filter, table: &str) -> Condition {
    let mut has = Condition { sql: "1".to_owned(), values: Vec::new() };
    if let Some(from) = of.from {
        has.and("time >= ?", [Value::Integer(time(from))]);
    }
    if let Some(until) = of.until {
        has.and("time < ?", [Value::Integer(time(until))]);
    }
    let named = [("tenant", &of.tenant), ("key", &of.key), ("provider", &of.provider), ("model", &of.model)];
    for (column, wanted) in named {
        if let Some(wanted) = wanted {
            has.and(&format!("{table}.{column} = ?"), [Value::Text(wanted.clone())]);
            // Said outright, so that the index without the empty ones can be used.
            if !wanted.is_empty() && matches!(column, "tenant" | "key") {
                has.and(&format!("{table}.{column} <> ''"), []);
            }
        }
    }
    has
}

fn closed(of: &Filter) -> Condition {
    let mut has = named(of, "attempts");
    for (name, value) in &of.tags {
        let values = [name, value].map(|text| Value::Text(text.clone()));
        let mut label = Condition { sql: "name = ? AND value = ?".to_owned(), values: values.into() };
        let window = named(&Filter { from: of.from, until: of.until, ..Filter::default() }, "labels");
        label.and(&window.sql, window.values);
        has.and(&format!("attempts.id IN (SELECT id FROM labels WHERE {})", label.sql), label.values);
    }
    has
}

fn open(of: &Filter) -> Condition {
    let mut has = named(of, "open_attempts");
    for (name, value) in &of.tags {
        let values = [name, value].map(|text| Value::Text(text.clone()));
        has.and("EXISTS (SELECT 1 FROM json_each(tags) AS tag WHERE tag.key = ? AND tag.value = ?)", values);
    }
    has
}
