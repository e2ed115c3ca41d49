//! The stream contract and its companions, on every room.

use sabir_testkit::DialectKit;

/// What a room is known not to do, with the reason: dialect, check, case.
const KNOWN: &[(&str, &str, &str, &str)] = &[
    ("gemini-generate", "request", "JSON Schema", "the wire has no name for a schema"),
    ("gemini-generate", "request", "one of these tools", "one allowed and required name is a named one here"),
    ("gemini-generate", "request", "calls at once", "calls may always come at once here"),
    ("bedrock-converse", "request", "strict JSON Schema", "a schema is always followed here, and not said to be"),
];

#[test]
fn every_room_keeps_the_contract() {
    let mut failures = Vec::new();
    for dialect in sabir::dialects::dialects() {
        let known = KNOWN.iter().filter(|(of, ..)| *of == dialect.name());
        let kit = known.fold(DialectKit::new(*dialect), |kit, (_, check, case, reason)| kit.known(check, case, reason));
        let report = kit.run();
        println!("{}: {} checks held", dialect.name(), report.passed().len());
        if !report.is_ok() {
            failures.push(format!("{}\n{report}", dialect.name()));
        }
    }
    assert!(failures.is_empty(), "{}", failures.join("\n\n"));
}
