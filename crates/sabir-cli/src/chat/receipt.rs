//! What an answer used, and what it cost.

use sabir::ChatResponse;
use sabir::chat::{CostBasis, Item, Line};
use serde_json::{Value, json};

use crate::table::{dollars, grouped, table};

/// A table for a person, without its last line end; what is not known is said.
pub(super) fn receipt(answer: &ChatResponse) -> String {
    let lines = answer.receipt.as_ref().map_or_else(|| counted(answer), |receipt| receipt.lines.clone());
    let mut rows: Vec<Vec<String>> = lines.iter().map(row).collect();
    let tokens = answer.usage.total().map(grouped);
    let (cost, basis) = match answer.cost {
        Some(cost) => (dollars(cost.nano_usd), basis(cost.basis)),
        None => ("?".to_owned(), "the price is not known"),
    };
    rows.push(vec![
        "total".to_owned(),
        tokens.unwrap_or_else(|| "?".to_owned()),
        "tokens".to_owned(),
        cost,
        basis.to_owned(),
    ]);
    table(&["", "", "", "", ""], &[false, true, false, true, false], &rows).trim_end().to_owned()
}

/// The lines of an answer that nobody has priced.
fn counted(answer: &ChatResponse) -> Vec<Line> {
    let usage = &answer.usage;
    let known = [(Item::Input, usage.input_total()), (Item::Output, usage.output_total())];
    known.into_iter().map(|(what, quantity)| Line::new(what, quantity, None)).collect()
}

fn row(line: &Line) -> Vec<String> {
    let (what, unit) = match &line.what {
        Item::Tool(name) => (name.clone(), "uses"),
        Item::Attempt => ("an attempt before".to_owned(), ""),
        other => (word(other), "tokens"),
    };
    let of = if line.attempt.is_some() { "an attempt before" } else { "" };
    let quantity = line.quantity.map_or_else(|| "?".to_owned(), grouped);
    let cost = line.nano_usd.map_or_else(|| "?".to_owned(), dollars);
    vec![what, quantity, unit.to_owned(), cost, of.to_owned()]
}

/// As it is written in JSON, with spaces.
fn word(item: &Item) -> String {
    match json!(item) {
        Value::String(word) => word.replace('_', " "),
        other => other.to_string(),
    }
}

fn basis(basis: CostBasis) -> &'static str {
    match basis {
        CostBasis::Reported => "as the provider says",
        CostBasis::ListPrice => "list price",
        _ => "an estimate",
    }
}
