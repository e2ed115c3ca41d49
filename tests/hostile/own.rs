//! Hostile input that is one dialect's own.

use bytes::Bytes;
use http::StatusCode;
use sabir::chat::FinishReason;
use sabir::drive::Limits;
use sabir::{ChatResponse, Error, ErrorKind};
use sabir_core::frame::event_stream;

use crate::play::{items, told, whole};

/// What a streamed body comes to.
fn streamed(dialect: &str, content_type: &'static str, body: impl Into<Bytes>) -> Result<ChatResponse, Error> {
    let room = sabir::dialects::dialect(dialect).expect("it is built in");
    told(dialect, &items(room, StatusCode::OK, content_type, vec![body.into()], Limits::default()))
}

/// What a whole body with status 200 comes to.
fn unary(dialect: &str, body: &str) -> Result<ChatResponse, Error> {
    whole(sabir::dialects::dialect(dialect).expect("it is built in"), StatusCode::OK, "application/json", body)
}

fn failed(kind: ErrorKind, text: &str, got: &Result<ChatResponse, Error>) {
    let error = got.as_ref().expect_err("it is no answer");
    let partial = error.partial().map(ChatResponse::text);
    assert_eq!((error.kind(), partial.as_deref()), (kind, Some(text)), "{error}");
}

#[test]
fn geminis_list_cut_in_an_element_is_truncated() {
    let first = r#"[{"candidates":[{"content":{"parts":[{"text":"Hel"}],"role":"model"}}]}"#;
    let second = r#",{"candidates":[{"content":{"parts":[{"text":"lo ]}"}],"role":"model"},"finishReason":"STOP"}]}"#;
    let all = format!("{first}{second}");
    for at in first.len()..all.len() {
        failed(ErrorKind::Truncated, "Hel", &streamed("gemini-generate", "application/json", all[..at].to_owned()));
    }
    // The bracket is the end marker of a list.
    let but_for_the_bracket = streamed("gemini-generate", "application/json", all.clone());
    failed(ErrorKind::Truncated, "Hello ]}", &but_for_the_bracket);
    let got = streamed("gemini-generate", "application/json", format!("{all}]")).expect("whole");
    assert_eq!((got.text().as_str(), &got.finish.reason), ("Hello ]}", &FinishReason::Stop));
    failed(ErrorKind::Truncated, "", &streamed("gemini-generate", "application/json", "["));
    failed(ErrorKind::Truncated, "", &streamed("gemini-generate", "application/json", "[]"));
    failed(ErrorKind::Decode, "Hel", &streamed("gemini-generate", "application/json", format!("{first}}}{second}]")));
}

const BINARY: &str = "application/vnd.amazon.eventstream";

fn message(event: &str, json: &str) -> Vec<u8> {
    let mut out = Vec::new();
    event_stream::write(&mut out, &[(":message-type", "event"), (":event-type", event)], json.as_bytes());
    out
}

#[test]
fn damaged_messages_of_a_binary_stream_are_seen_at_once() {
    let good = message("contentBlockDelta", r#"{"contentBlockIndex":0,"delta":{"text":"Hel"}}"#);
    let next = message("contentBlockDelta", r#"{"contentBlockIndex":0,"delta":{"text":"lo"}}"#);
    let end = message("messageStop", r#"{"stopReason":"end_turn"}"#);
    let with = |middle: &[u8]| streamed("bedrock-converse", BINARY, [&good, middle, &end].concat());
    assert_eq!(with(&next).expect("whole").text(), "Hello");
    for at in 0..next.len() {
        let mut damaged = next.clone();
        damaged[at] ^= 1;
        failed(ErrorKind::Decode, "Hel", &with(&damaged));
    }
    // Nearly 4 GiB, with a right checksum of the head (CRC-32 of the eight bytes before it): refused by its size
    // alone, and before anything else is read.
    failed(ErrorKind::Decode, "Hel", &with(b"\xff\xff\xff\xff\x00\x00\x00\x00\xff\xff\xff\xff"));
    // A page where messages should be.
    failed(ErrorKind::Decode, "", &streamed("bedrock-converse", BINARY, "<html>502 Bad Gateway</html>"));
}

#[test]
fn coheres_streams_end_with_their_own_event() {
    let start = r#"{"type":"message-start","id":"a","delta":{"message":{"role":"assistant"}}}"#;
    let text = r#"{"type":"content-delta","index":0,"delta":{"message":{"content":{"text":"Hel"}}}}"#;
    let stop = r#"{"type":"content-end","index":0}"#;
    let v2 = format!(
        "event: message-start\ndata: {start}\n\nevent: content-delta\ndata: {text}\n\nevent: content-end\ndata: {stop}\n\n"
    );
    failed(ErrorKind::Truncated, "Hel", &streamed("cohere-v2-chat", "text/event-stream", v2.clone()));
    // OpenAI's marker alone is not Cohere's end.
    failed(
        ErrorKind::Truncated,
        "Hel",
        &streamed("cohere-v2-chat", "text/event-stream", format!("{v2}data: [DONE]\n\n")),
    );
    let v1 = "{\"event_type\":\"stream-start\",\"generation_id\":\"a\"}\n{\"event_type\":\"text-generation\",\"text\":\"Hel\"}\n";
    for end in ["", "{\"event_type\":\"stream-e", "{\"event_type\":\"moonrise\",\"is_finished\":false}\n"] {
        failed(
            ErrorKind::Truncated,
            "Hel",
            &streamed("cohere-v1-chat", "application/stream+json", format!("{v1}{end}")),
        );
    }
    // The end says what went wrong.
    for word in ["ERROR", "ERROR_TOXIC"] {
        let end = format!("{{\"is_finished\":true,\"event_type\":\"stream-end\",\"finish_reason\":\"{word}\"}}\n");
        let got = streamed("cohere-v1-chat", "application/stream+json", format!("{v1}{end}"));
        if let Ok(answer) = got {
            assert!(
                answer.finish.reason != FinishReason::Stop && answer.finish.raw.as_deref() == Some(word),
                "{answer:?}"
            );
        }
    }
}

#[test]
fn ollamas_error_line_after_tokens_is_the_end() {
    for (dialect, token) in [
        ("ollama-chat", r#"{"model":"m","message":{"role":"assistant","content":"Hel"},"done":false}"#),
        ("ollama-generate", r#"{"model":"m","response":"Hel","done":false}"#),
    ] {
        for end in ["\n", "", "\n{\"done\":true,\"done_reason\":\"stop\"}\n"] {
            let body = format!(
                "{token}\n{{\"error\":\"an error was encountered while running the model: unexpected EOF\"}}{end}"
            );
            let got = streamed(dialect, "application/x-ndjson", body);
            failed(ErrorKind::Provider, "Hel", &got);
            assert!(got.expect_err("it is no answer").message().contains("unexpected EOF"));
        }
        failed(ErrorKind::Truncated, "Hel", &streamed(dialect, "application/x-ndjson", format!("{token}\n")));
    }
}

#[test]
fn text_generation_answers_a_list_an_object_or_an_error() {
    let dialect = "huggingface-textgen";
    let list = r#"[{"generated_text":"Hello"}]"#;
    let object = r#"{"generated_text":"Hello","details":{"finish_reason":"length","generated_tokens":5}}"#;
    assert_eq!(unary(dialect, list).expect("an answer").text(), "Hello");
    let answer = unary(dialect, object).expect("an answer");
    assert_eq!((answer.text().as_str(), &answer.finish.reason), ("Hello", &FinishReason::Length));
    // Where a stream was asked for and the service does not stream, it answers the same.
    for body in [list, object] {
        assert_eq!(streamed(dialect, "application/json", body).expect("an answer").text(), "Hello");
    }
    for (body, words) in [
        (r#"{"error":"Model is too busy","error_type":"overloaded"}"#, "too busy"),
        (r#"{"error":["Input is too long","Truncate it"]}"#, "too long"),
        (r#"[{"error":"unknown model"}]"#, "unknown model"),
    ] {
        for got in [unary(dialect, body), streamed(dialect, "application/json", body)] {
            let error = got.expect_err(body);
            assert!(error.message().contains(words), "{body}: {error}");
        }
    }
    for body in ["[]", "{}", "[[]]", r#"{"generated_text":null}"#] {
        assert_eq!(unary(dialect, body).expect_err(body).kind(), ErrorKind::Decode, "{body}");
    }
}
