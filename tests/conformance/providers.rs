//! The README lists what passes: each of a provider's dialects and formats has its row on the page, and the dialects
//! keep the contract.

use sabir::dialects::providers;

use crate::contract;
use crate::subjects::SUBJECTS;

/// The providers of the README's table: their ids, and what they speak.
fn listed() -> Vec<(&'static str, Vec<&'static str>)> {
    let readme = include_str!("../../README.md");
    let table =
        readme.split("<!-- providers:begin -->").nth(1).and_then(|rest| rest.split("<!-- providers:end -->").next());
    let quoted = |cell: &'static str| cell.split('`').skip(1).step_by(2).collect::<Vec<_>>();
    let rows = table.expect("a table").lines().filter(|line| line.starts_with("| ")).skip(2);
    rows.map(|line| {
        let cells: Vec<&str> = line.split('|').collect();
        (quoted(cells[2])[0], quoted(cells[3]))
    })
    .collect()
}

#[test]
fn only_what_passes_is_listed() {
    let mut failures = Vec::new();
    for (id, formats) in listed() {
        let mut passed = Vec::new();
        for format in formats {
            let is_dialect = sabir::dialects::dialect(format).is_some();
            let report = contract::reports().iter().find(|(room, _)| *room == format).map(|(_, report)| report);
            // Counts of tokens have no row on the page: their rooms' own tests are what they have.
            let is_count = sabir::dialects::countings().iter().any(|counting| counting.name() == format);
            let is_described = SUBJECTS.iter().any(|subject| subject.room == format && subject.is_built());
            match report {
                Some(report) if report.is_ok() && is_described => {
                    passed.push(format!("{format} ({} checks)", report.passed().len()));
                }
                None if !is_dialect && (is_described || is_count) => passed.push(format.into()),
                _ => failures.push(format!("{id}: {format}")),
            }
        }
        println!("{id}: {}", passed.join(", "));
    }
    assert!(failures.is_empty(), "in the README, and not passed:\n{}", failures.join("\n"));
}

#[test]
fn all_that_can_be_called_is_listed_and_nothing_else() {
    let callable = providers::rows().iter().filter(|row| row.retired.is_none());
    let callable: Vec<_> = callable
        .map(|row| {
            let formats = row.dialects().map(|(dialect, _)| dialect).chain([row.embed, row.rerank, row.count]);
            (row.id, formats.filter(|format| !format.is_empty()).collect::<Vec<_>>())
        })
        .collect();
    assert_eq!(listed(), callable);
}
