//! What we send and what we answer, against the services' own descriptions, and the page that says how many of how
//! many.
//!
//! A recorded body that its own description refuses asks nothing of us: it is counted apart. What is known to be
//! refused is in `schemas/DEVIATIONS.txt`, with the reason; a line there that is not needed any more is a failure.

mod answered;
mod asked;
mod chat;
#[path = "../contract.rs"]
mod contract;
mod counts;
mod exchange;
mod page;
mod providers;
mod schemas;
mod subjects;
mod tally;

use std::collections::BTreeMap;
use std::path::Path;

use schemas::{Body, Schemas};
use tally::Row;

#[test]
fn what_we_write_is_what_the_services_describe() {
    let schemas = Schemas::load();
    let rows = rows(&schemas);
    let known = deviations();
    let mut unneeded = known.clone();
    let mut failures = Vec::new();
    for row in &rows {
        println!("{}", row.line());
        for (direction, id, why) in &row.failures {
            let key = format!("{} {direction} {id}", row.name);
            if known.contains_key(&key) {
                unneeded.remove(&key);
            } else {
                failures.push(format!("{key}: {why}"));
            }
        }
    }
    assert!(failures.is_empty(), "{} are refused by their descriptions:\n{}", failures.len(), failures.join("\n"));
    assert!(unneeded.is_empty(), "these are no deviations any more, take them out: {unneeded:#?}");
    page::check(&rows, &known);
}

/// Every dialect and every format that is built in, in the order in which they are documented.
fn rows(schemas: &Schemas) -> Vec<Row> {
    let subjects: Vec<_> = subjects::SUBJECTS.iter().filter(|subject| subject.is_built()).collect();
    let (chats, vectors) = (sabir::dialects::dialects().iter(), sabir::dialects::embeddings().iter());
    let (orders, lists) = (sabir::dialects::rerankings().iter(), sabir::dialects::listings().iter());
    let conversations = chats.map(|dialect| dialect.name());
    let others = vectors.map(|format| format.name()).chain(orders.map(|format| format.name()));
    for name in conversations.chain(others).chain(lists.map(|format| format.name())) {
        assert!(subjects.iter().any(|subject| subject.room == name), "no description is named for {name}");
    }
    std::thread::scope(|scope| {
        let runs: Vec<_> = subjects.iter().map(|subject| scope.spawn(|| subject.run(schemas))).collect();
        runs.into_iter().map(|run| run.join().expect("it does not panic")).collect()
    })
}

fn deviations() -> BTreeMap<String, String> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("schemas/DEVIATIONS.txt");
    let text = std::fs::read_to_string(path).expect("the file of deviations");
    let lines = text.lines().filter(|line| !line.starts_with('#') && !line.trim().is_empty());
    let pair = |line: &str| line.split_once(": ").map(|(key, why)| (key.to_owned(), why.to_owned()));
    lines.map(|line| pair(line).expect("`dialect direction id: reason`")).collect()
}

#[test]
fn what_a_service_does_not_know_is_refused() {
    let schemas = Schemas::load();
    let (_, plain) = asked::chats().swap_remove(0);
    for subject in subjects::SUBJECTS {
        let Some(room) = sabir::dialects::dialect(subject.room) else { continue };
        let encoded = room.encode(&plain, &subject.endpoint()).expect("every room can say this");
        let mut body: serde_json::Value = serde_json::from_slice(&encoded.body).expect("JSON");
        assert_eq!(subject.described(Body::Request, &body, &schemas), Ok(()), "{}", subject.name);
        body["x_unknown"] = 1.into();
        assert!(subject.described(Body::Request, &body, &schemas).is_err(), "{}", subject.name);
    }
}
