//! The stream contract and its companions, on every room.

use std::sync::OnceLock;

use sabir_testkit::{DialectKit, Report};

/// What a room is known not to do, with the reason: dialect, check, case.
const KNOWN: &[(&str, &str, &str, &str)] = &[
    ("gemini-generate", "request", "one of these tools", "one allowed and required name is a named one here"),
    ("gemini-generate", "request", "calls at once", "calls may always come at once here"),
];

/// What a room is known not to do, of this room.
pub(crate) fn known(room: &str) -> impl Iterator<Item = (&'static str, &'static str, &'static str)> {
    KNOWN.iter().filter(move |(of, ..)| *of == room).map(|(_, check, case, reason)| (*check, *case, *reason))
}

/// Every room's report. The suites take their time, so they are run once for whoever asks.
pub(crate) fn reports() -> &'static [(&'static str, Report)] {
    static REPORTS: OnceLock<Vec<(&'static str, Report)>> = OnceLock::new();
    REPORTS.get_or_init(|| {
        std::thread::scope(|scope| {
            let runs = sabir::dialects::dialects().iter().map(|dialect| {
                let kit = DialectKit::new(*dialect);
                let kit = known(dialect.name()).fold(kit, |kit, (check, case, reason)| kit.known(check, case, reason));
                scope.spawn(move || (dialect.name(), kit.run()))
            });
            let runs: Vec<_> = runs.collect();
            runs.into_iter().map(|run| run.join().expect("a suite catches panics")).collect()
        })
    })
}

#[test]
fn every_room_keeps_the_contract() {
    let mut failures = Vec::new();
    for (room, report) in reports() {
        println!("{room}: {} checks held", report.passed().len());
        if !report.is_ok() {
            failures.push(format!("{room}\n{report}"));
        }
    }
    assert!(failures.is_empty(), "{}", failures.join("\n\n"));
}
