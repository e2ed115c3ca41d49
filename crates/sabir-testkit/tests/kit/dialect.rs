use std::collections::BTreeSet;

use sabir_testkit::{DialectKit, answers, check_dialect};

use crate::toy::{Wrong, toy};

#[test]
fn a_right_dialect_passes() {
    let report = check_dialect(toy(Wrong::Nothing));
    report.assert_ok();
    assert!(report.passed().len() > 200, "{report}");
    assert!(report.skipped().is_empty(), "{report}");
}

/// The suite on a few answers, for time's sake.
fn few(wrong: Wrong) -> DialectKit {
    let few = ["text and calls", "text after a call", "length"];
    let answers = answers().into_iter().filter(|answer| few.contains(&answer.name)).collect();
    DialectKit::new(toy(wrong)).answers(answers).mutations(100)
}

/// The checks that fail on a toy that is wrong in one way, each once.
fn found(wrong: Wrong) -> (BTreeSet<&'static str>, String) {
    let report = few(wrong).run();
    (report.violations().iter().map(|finding| finding.check).collect(), report.to_string())
}

#[track_caller]
fn finds(wrong: Wrong, checks: &[&'static str], words: &str) {
    let (found, report) = found(wrong);
    assert_eq!(found, checks.iter().copied().collect(), "{wrong:?}: {report}");
    assert!(report.contains(words), "{wrong:?}: {report}");
}

#[test]
fn silent_truncation_is_found() {
    finds(Wrong::SilentTruncation, &["truncation"], "are taken for a whole answer, and it is another");
}

#[test]
fn dropped_arguments_are_found() {
    finds(Wrong::DroppedArguments, &["stream keeps", "stream is whole"], "parts[2].arguments");
}

#[test]
fn swallowed_errors_are_found() {
    finds(Wrong::SwallowedError, &["error midway"], "the error is taken for an answer");
}

#[test]
fn lost_usage_is_found() {
    finds(Wrong::LostUsage, &["stream keeps", "stream is whole"], "usage.input: 11 became null");
}

#[test]
fn lost_order_and_finish_are_found() {
    finds(Wrong::ReorderedParts, &["whole keeps", "stream is whole"], "whole keeps (text after a call)");
    finds(Wrong::ForgottenFinish, &["whole keeps", "stream is whole"], "finish.reason: \"length\" became \"stop\"");
}

#[test]
fn requests_that_change_are_found() {
    finds(Wrong::UnstableBytes, &["same bytes"], "the same request gave other bytes");
    finds(Wrong::DroppedTemperature, &["request"], "request (temperature): temperature: 0.3 is gone");
    finds(Wrong::ForeignInSilence, &["request", "foreign"], "no loss of it is stated");
    finds(Wrong::PartialAccept, &["damage"], "is accepted as a request");
}

#[test]
fn panics_are_found() {
    let (found, report) = found(Wrong::PanicOnDamage);
    assert!(found.contains("damage") && found.contains("truncation"), "{report}");
    assert!(report.contains("it panicked: the line cannot be read"), "{report}");
}

#[test]
fn wrong_refusals_are_found() {
    finds(Wrong::KindForgotten, &["refusal"], "refusal (rate_limit): status 502: the kind became provider");
    finds(Wrong::ErrorAsSuccess, &["refusal"], "the status is 200 OK, which is no error");
    finds(Wrong::EmptyIsAnswer, &["no answer", "truncation"], "no answer (an empty body): it is taken for an answer");
}

#[test]
fn a_decoder_with_a_memory_is_found() {
    let (found, report) = found(Wrong::RandomIds);
    assert!(found.contains("splits") && found.contains("stream keeps"), "{report}");
}

#[test]
fn known_failures_are_counted_and_must_fail() {
    let known = |check| few(Wrong::PartialAccept).known(check, "request", "it is so").run();
    let report = known("damage");
    report.assert_ok();
    assert_eq!(report.skipped()[0].message, "it is so");
    let report = few(Wrong::Nothing).known("damage", "request", "it was so").run();
    assert!(report.to_string().contains("take it off the list"), "{report}");
}
