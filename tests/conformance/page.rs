//! `docs/conformance.md`, made of what was counted.

use std::collections::BTreeMap;
use std::path::Path;

use crate::contract;
use crate::tally::{Row, Tally};

/// Compares the page with what was counted. With `SABIR_BLESS` in the environment it is written instead.
pub(crate) fn check(rows: &[Row], known: &BTreeMap<String, String>) {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../docs/conformance.md");
    let fresh = page(rows, known);
    if std::env::var_os("SABIR_BLESS").is_some() {
        std::fs::write(&path, &fresh).expect("the page can be written");
        return;
    }
    let committed = std::fs::read_to_string(&path).unwrap_or_default();
    assert!(
        committed == fresh,
        "docs/conformance.md says something else; write it anew with \
         `SABIR_BLESS=1 cargo test -p sabir-tests --test conformance`"
    );
}

const HEAD: &str = "\
# Conformance

How each dialect fares against exchanges that real services and clients had, and against the services' own descriptions
of their formats. The test `conformance` makes this page and fails where it is not true any more:
`SABIR_BLESS=1 cargo test -p sabir-tests --test conformance` writes it anew.

";

const RECORDED: &str = "\
## Recorded exchanges

The recordings are described in [tests/recordings](../tests/recordings/README.md), the descriptions in
[tests/schemas](../tests/schemas/README.md).

* *answers read*: the decoder says what the oracle of the recordings says (the tests `recordings` and `exchanges`).
* *requests accepted*: what clients sent, understood by the server's side.
* *same again*: what was accepted means the same after it was encoded and accepted once more, or a loss is stated.
* *requests valid*: what was accepted, encoded again, is valid by the service's description of its requests, in which
  an unknown field is an error.
* *answers*, *errors* and *streams valid*: what was decoded, given as an answer of ours. Of a stream every event.

Jina and Voyage publish no description that may be kept here: that of `jina-rerank` was written by hand, after their
public pages. Nobody recorded `ollama-embed` and `ollama-tags`; what we write for them is below.

In parentheses: recordings that the description itself refuses, of which nothing is asked. They are other vendors'
fields, fields of a beta, values wrong on purpose, and bodies that are no JSON.

| dialect | answers read | requests accepted | same again | requests valid | answers valid | errors valid | streams valid |
| --- | --- | --- | --- | --- | --- | --- | --- |
";

const OWN: &str = "
## Of our own making

Requests and answers with one feature each, whether or not somebody happened to use it, and the stream contract with
its companions (`sabir-testkit`). In parentheses: requests that are refused with a typed error before anything is sent.

| dialect | requests valid | answers and streams valid | contract checks held |
| --- | --- | --- | --- |
";

fn page(rows: &[Row], known: &BTreeMap<String, String>) -> String {
    let mut page = format!("{HEAD}{RECORDED}");
    for row in rows {
        let Row { name, read, accepted, same, requests, answers, refusals, streams, .. } = row;
        page.push_str(&table_row(name, &[read, accepted, same, requests, answers, refusals, streams]));
    }
    let events: usize = rows.iter().map(|row| row.events).sum();
    page.extend([format!("\nThe streams that were written have {events} events.\n{OWN}")]);
    for row in rows {
        page.push_str(&table_row(row.name, &[&row.own_requests, &row.own_answers, &contract(row.name)]));
    }
    page.push_str("\n## Deviations\n\n");
    for (key, why) in known {
        page.extend([format!("* `{key}`: {why}\n")]);
    }
    for (id, why) in sabir_tests::deviations() {
        page.extend([format!("* `{id}`, read otherwise than the oracle reads it: {why}\n")]);
    }
    for (room, _) in contract::reports() {
        for (check, case, why) in contract::known(room) {
            page.extend([format!("* `{room}`, the contract's check *{check}* on *{case}*: {why}\n")]);
        }
    }
    page
}

fn table_row(name: &str, cells: &[&Tally]) -> String {
    let cells: Vec<String> = cells.iter().map(ToString::to_string).collect();
    format!("| {name} | {} |\n", cells.join(" | "))
}

/// The checks of the contract; none for what has no stream, and for a room's other rows.
fn contract(room: &str) -> Tally {
    let report = contract::reports().iter().find(|(name, _)| *name == room).map(|(_, report)| report);
    let held = report.map_or(0, |report| report.passed().len());
    Tally { held, asked: held + contract::known(room).count(), apart: 0 }
}
