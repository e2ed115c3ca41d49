use std::num::NonZeroUsize;
use std::time::Duration;

use http::{HeaderName, HeaderValue, StatusCode};
use sabir_core::ErrorKind;
use sabir_core::chat::{ChatRequest, FinishReason, Part, Usage};
use serde_json::json;

use super::{Answer, Chunking, Failure, Repeat, Script, Turn};
use crate::fault::Fault;

fn every_word() -> Script {
    let mut usage = Usage::default();
    usage.cache_read = Some(5);
    let answer = Answer::text("t").reasoning("r").tool_call("f", json!({"a": 1})).part(Part::text("more"));
    let faults = [
        Fault::Refuse,
        Fault::HangUp,
        Fault::SlowHeaders { ms: 5 },
        Fault::CutAt { bytes: 1 },
        Fault::ResetAt { bytes: 2 },
        Fault::Stall { bytes: 3 },
        Fault::Garbage { at: 4, text: Some("junk".into()) },
        Fault::ChunkBytes { n: NonZeroUsize::MIN },
        Fault::EmptyBody,
        Fault::WrongContentType { content_type: "text/plain".into() },
        Fault::page(StatusCode::BAD_GATEWAY, "<html>"),
    ];
    let turn = Turn::answer(answer.finish(FinishReason::Pause).usage(usage))
        .then_error(Failure::new(529, "busy").code("overloaded").retry_after_secs(0.5).kind(ErrorKind::Overloaded))
        .when_model("gpt")
        .when_user("hello")
        .delay_before(Duration::from_millis(30))
        .delay_between(Duration::from_millis(2))
        .chunking(Chunking::Chars(NonZeroUsize::MIN))
        .header(HeaderName::from_static("x-request-id"), HeaderValue::from_static("r1"))
        .times(3);
    let turn = faults.into_iter().fold(turn, Turn::fault);
    Script::new().turn(turn).turn(Turn::model().chunking(Chunking::Whole).forever()).strict()
}

#[test]
fn a_script_is_the_same_after_a_file() {
    let script = every_word();
    let json = serde_json::to_string_pretty(&script).expect("a script is JSON");
    assert_eq!(Script::from_json(&json).expect("it was written by us"), script);
    let path = std::env::temp_dir().join(format!("sabir-sim-script-{}.json", std::process::id()));
    std::fs::write(&path, json).expect("a temporary file");
    let read = Script::from_file(&path);
    std::fs::remove_file(&path).expect("it was there");
    assert_eq!(read.expect("it was written by us"), script);
}

#[test]
fn little_is_enough() {
    let script =
        Script::from_json(r#"{"turns": [{"answer": {"text": "a"}}, {}, {"repeat": "forever"}]}"#).expect("valid");
    assert_eq!(script.turns[0], Turn::text("a"));
    assert_eq!(script.turns[1], Turn::model());
    assert_eq!(script.turns[2].repeat, Repeat::Forever);
}

#[test]
fn what_is_wrong_is_said() {
    let wrong = [
        (r#"{"turns": [{"anwser": {}}]}"#, "anwser"),
        (r#"{"turns": [{"error": {"status": 20, "message": ""}}]}"#, "20 is no status"),
        (r#"{"turns": [{"faults": [{"kind": "melt"}]}]}"#, "melt"),
        (r#"{"turns": [{"faults": [{"kind": "chunk_bytes", "n": 0}]}]}"#, "zero"),
        (r#"{"turns": [{"headers": {"a b": "c"}}]}"#, "headers"),
        (r#"{"turns": [{"headers": {"a": "c\n"}}]}"#, "headers"),
        (r#"{"turns": 5}"#, "line 1"),
        ("", "line 1"),
    ];
    for (json, word) in wrong {
        let error = Script::from_json(json).expect_err(json);
        assert_eq!(error.kind(), ErrorKind::Configuration);
        assert!(error.message().contains(word), "{error}");
        assert_eq!(error.to_string().lines().count(), 1);
    }
    let error = Script::from_file("/nonexistent/script.json").expect_err("no file");
    assert!(error.message().contains("/nonexistent/script.json"), "{error}");
}

#[test]
fn an_answer_is_completed_from_the_request() {
    let request = ChatRequest::new("m").user("x");
    let response = Answer::text("t").reasoning("r").tool_call("f", json!("no json")).respond(&request);
    assert_eq!((response.text().as_str(), response.reasoning().as_deref()), ("t", Some("r")));
    assert_eq!(response.tool_calls().next().expect("a call").arguments, "no json");
    assert_eq!((response.finish.reason.clone(), response.model.as_str()), (FinishReason::ToolCalls, "m"));
    assert!(response.id.starts_with("sim-") && response.usage.output > Some(0));
    let response = Answer::default().tool_call("f", json!(null)).finish(FinishReason::Length).respond(&request);
    assert_eq!(response.tool_calls().next().expect("a call").arguments, "{}");
    assert_eq!(response.finish.reason, FinishReason::Length);
}

#[test]
fn a_failure_is_what_its_status_says_unless_told() {
    let error = Failure::new(429, "slow down").retry_after_secs(1.5).to_error();
    assert_eq!((error.kind(), error.retry_after()), (ErrorKind::RateLimit, Some(Duration::from_millis(1500))));
    assert_eq!(Failure::new(429, "x").kind(ErrorKind::Quota).to_error().kind(), ErrorKind::Quota);
    assert_eq!(Failure::new(500, "x").retry_after_secs(-1.0).to_error().retry_after(), None);
}
