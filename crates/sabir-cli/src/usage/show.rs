//! Sums as a table, as comma-separated values, as JSON.

use std::fmt::Write as _;

use sabir::ledger::Group;
use serde_json::{Map, Value, json};

use super::money::{dollars, scale, thousands};
use crate::output;

/// The longest bar.
const BAR: u64 = 24;
/// What comes after the names.
const COLUMNS: [&str; 6] = ["attempts", "failed", "input", "output", "usd", "latency"];

/// A table for people, with bars beside the sums where they are wanted.
pub(super) fn table(titles: &[&str], groups: &[Group], total: &Group, chart: bool) -> String {
    if groups.is_empty() {
        return "nothing was spent\n".to_owned();
    }
    let digits = groups.iter().map(|group| scale(group.nano_usd)).max().unwrap_or(2);
    let mut rows = vec![titles.iter().chain(&COLUMNS).map(|title| (*title).to_owned()).collect::<Vec<_>>()];
    for group in groups {
        let names = group.names.iter().map(|name| if name.is_empty() { "-".to_owned() } else { plain(name) });
        rows.push(names.chain(cells(group, digits)).collect());
    }
    let name_of_total = (0..titles.len()).map(|at| if at == 0 { "total".to_owned() } else { String::new() });
    rows.push(name_of_total.chain(cells(total, digits)).collect());
    let most = groups.iter().map(|group| group.nano_usd).max().unwrap_or(0);
    let widths: Vec<_> = (0..rows[0].len())
        .map(|column| rows.iter().map(|row| row[column].chars().count()).max().unwrap_or(0))
        .collect();
    let mut text = String::new();
    for (at, row) in rows.iter().enumerate() {
        let mut line = String::new();
        for (column, (cell, width)) in row.iter().zip(&widths).enumerate() {
            let gap = if column == 0 { "" } else { "  " };
            // Names to the left, numbers to the right.
            let _ = if column < titles.len() {
                write!(line, "{gap}{cell:<width$}")
            } else {
                write!(line, "{gap}{cell:>width$}")
            };
        }
        if let Some(group) = at.checked_sub(1).and_then(|at| groups.get(at)).filter(|_| chart) {
            let _ = write!(line, "  {}", bar(group.nano_usd, most));
        }
        text.push_str(line.trim_end());
        text.push('\n');
    }
    text
}

fn cells(group: &Group, digits: usize) -> [String; COLUMNS.len()] {
    let known = |number: Option<u64>| number.map_or_else(|| "?".to_owned(), thousands);
    let estimated = if group.usage.estimated { "~" } else { "" };
    let unknown = if group.unpriced > 0 { "+?" } else { "" };
    let each = group.latency.as_millis().checked_div(group.attempts.into()).unwrap_or_default();
    [
        thousands(group.attempts),
        thousands(group.failed),
        format!("{estimated}{}", known(group.usage.input_total())),
        format!("{estimated}{}", known(group.usage.output_total())),
        format!("{}{unknown}", dollars(group.nano_usd, digits)),
        format!("{each} ms"),
    ]
}

/// A bar as long as its share of the longest, in eighths of a character.
fn bar(part: u64, most: u64) -> String {
    const EIGHTHS: [&str; 8] = ["", "▏", "▎", "▍", "▌", "▋", "▊", "▉"];
    let eighths = (u128::from(part) * u128::from(BAR * 8)).div_ceil(u128::from(most.max(1)));
    let eighths = usize::try_from(eighths).unwrap_or_default();
    "█".repeat(eighths / 8) + EIGHTHS[eighths % 8]
}

/// Without what would move the cursor of a terminal.
fn plain(name: &str) -> String {
    name.chars().map(|letter| if letter.is_control() { '\u{FFFD}' } else { letter }).collect()
}

/// A line for the titles and one for each group, by RFC 4180. What is unknown is empty.
pub(super) fn csv(titles: &[&str], groups: &[Group]) -> String {
    let columns = ["attempts", "failed", "unpriced", "input", "output", "usd", "nano_usd", "latency_ms"];
    let mut lines = vec![titles.iter().chain(&columns).map(|title| quoted(title)).collect::<Vec<_>>().join(",")];
    for group in groups {
        let known = |number: Option<u64>| number.map(|number| number.to_string()).unwrap_or_default();
        let cells = [
            group.attempts.to_string(),
            group.failed.to_string(),
            group.unpriced.to_string(),
            known(group.usage.input_total()),
            known(group.usage.output_total()),
            usd(group.nano_usd),
            group.nano_usd.to_string(),
            group.latency.as_millis().to_string(),
        ];
        lines.push(group.names.iter().map(|name| quoted(name)).chain(cells).collect::<Vec<_>>().join(","));
    }
    lines.join("\n") + "\n"
}

fn quoted(cell: &str) -> String {
    if cell.contains([',', '"', '\n', '\r']) { format!("\"{}\"", cell.replace('"', "\"\"")) } else { cell.to_owned() }
}

/// Dollars for machines: no comma between thousands.
fn usd(nano_usd: u64) -> String {
    dollars(nano_usd, 9).replace(',', "")
}

/// Groups, their total, and what is reserved for calls under way.
pub(super) fn json(titles: &[&str], groups: &[Group], total: &Group, open: u64) -> Value {
    let sums = |group: &Group| {
        json!({
            "attempts": group.attempts,
            "failed": group.failed,
            "unpriced": group.unpriced,
            "usage": output::usage(&group.usage),
            "nano_usd": group.nano_usd,
            "usd": usd(group.nano_usd),
            "latency_ms": u64::try_from(group.latency.as_millis()).unwrap_or(u64::MAX),
        })
    };
    let groups: Vec<_> = groups
        .iter()
        .map(|group| {
            let names = titles.iter().zip(&group.names).map(|(title, name)| ((*title).to_owned(), json!(name)));
            json!({ "by": names.collect::<Map<_, _>>(), "sums": sums(group) })
        })
        .collect();
    json!({ "groups": groups, "total": sums(total), "reserved_nano_usd": open })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bars_are_as_long_as_their_share() {
        assert_eq!((bar(0, 0), bar(0, 7)), (String::new(), String::new()));
        assert_eq!(bar(u64::MAX, u64::MAX), "█".repeat(24));
        assert_eq!(bar(1, 48), "▌");
        assert_eq!(bar(1, u64::MAX), "▏", "what is not nothing can be seen");
    }
}
