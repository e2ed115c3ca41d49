use sabir_core::ErrorKind;
use sabir_core::chat::{Citation, Content, Finish, FinishReason, Media, Part, Reasoning};

use super::*;

fn respond(response: &ChatResponse) -> (Value, Vec<String>) {
    let answered = AnthropicMessages.respond(response, &ChatRequest::default());
    let losses = answered.losses.iter().map(|l| format!("{}@{}", l.feature, l.path)).collect();
    (serde_json::from_slice(&answered.body).expect("JSON"), losses)
}

#[test]
fn answers_that_are_no_message_are_errors() {
    let cases = [
        (200, "", ErrorKind::Decode, "is empty"),
        (200, "  \n", ErrorKind::Decode, "is empty"),
        (200, "[]", ErrorKind::Decode, "the body: is not an object"),
        (200, "{}", ErrorKind::Decode, "content: is missing"),
        (200, "<html>", ErrorKind::Decode, "not what this dialect sends"),
        (200, "{\"content\":[7]}", ErrorKind::Decode, "content[0]: is not an object"),
        (200, "{\"content\":7}", ErrorKind::Decode, "content: is neither"),
        (
            200,
            r#"{"type":"error","error":{"type":"overloaded_error","message":"Overloaded"}}"#,
            ErrorKind::Overloaded,
            "Overloaded",
        ),
        (
            401,
            r#"{"type":"error","error":{"type":"authentication_error","message":"invalid x-api-key"},"request_id":"req_1"}"#,
            ErrorKind::Authentication,
            "invalid x-api-key",
        ),
        (
            429,
            r#"{"type":"error","error":{"type":"rate_limit_error","message":"slow","details":{"error_code":"org_spend_limit_reached"}}}"#,
            ErrorKind::Quota,
            "slow",
        ),
        (
            400,
            r#"[{"error":{"code":400,"message":"bad","status":"INVALID_ARGUMENT"}}]"#,
            ErrorKind::InvalidRequest,
            "bad",
        ),
        (400, r#"{"error":"no such field"}"#, ErrorKind::InvalidRequest, "no such field"),
        (413, r#"{"message":"prompt is too long: 9 > 8"}"#, ErrorKind::ContextTooLong, "prompt is too long: 9 > 8"),
        (422, r#"{"detail":[{"loc":["body"],"msg":"wrong"}]}"#, ErrorKind::InvalidRequest, "wrong"),
        (502, "<html><head><title>Bad Gateway</title></head></html>", ErrorKind::Provider, "Bad Gateway"),
        (503, "<p>busy</p>", ErrorKind::Overloaded, "busy"),
        (500, "", ErrorKind::Provider, "HTTP 500 with an empty body"),
        (500, "oops", ErrorKind::Provider, "oops"),
    ];
    for (status, body, kind, message) in cases {
        let error = failed(decode(status, body));
        assert_eq!(error.kind(), kind, "{status} {body}");
        assert!(error.message().contains(message), "{body}: {error}");
    }
    let error = failed(decode(401, cases[8].1));
    assert_eq!((error.code(), error.request_id()), (Some("authentication_error"), Some("req_1")));
}

#[test]
fn sloppy_answers_are_read_as_far_as_they_go() {
    let answer =
        decode(200, r#"{"content":"plain","stop_reason":null,"usage":{"input_tokens":-1,"output_tokens":2.5}}"#)
            .expect("an answer");
    assert_eq!((answer.text().as_str(), answer.usage.total()), ("plain", None));
    let answer = decode(200, r#"{"id":7,"content":[{"type":"tool_use","name":"f"},{"type":"thinking","thinking":"t","signature":""}],"stop_reason":"end_turn"}"#).expect("an answer");
    assert_eq!(answer.id, "7");
    assert_eq!(answer.tool_calls().next().expect("a call").arguments, "{}");
    assert_eq!(answer.parts[1], Part::reasoning("t"));
    let answer = decode(200, r#"{"content":[{"type":"text","text":"a"},{"type":"text","text":"b"}],"stop_reason":"stop_sequence","stop_sequence":"END"}"#).expect("an answer");
    assert_eq!(answer.parts, [Part::text("a"), Part::text("b")], "blocks stay apart");
    assert_eq!(answer.finish.stop_sequence.as_deref(), Some("END"));
    let refused =
        decode(200, r#"{"content":[],"stop_reason":"refusal","stop_details":{"type":"refusal","category":"bio"}}"#)
            .expect("an answer");
    assert_eq!(refused.finish.reason, FinishReason::ContentFilter);
    assert_eq!(refused.meta.get("anthropic-messages", "stop_details").expect("kept")["category"], "bio");
}

#[test]
fn what_is_answered_is_what_the_sdk_parses() {
    let mut response = ChatResponse::default();
    response.model = "m".into();
    response.finish = Finish::from_raw("tool_calls");
    response.usage.input = Some(3);
    response.usage.cache_read = Some(4);
    response.usage.reasoning = Some(2);
    response.usage.output = Some(5);
    response.parts = vec![
        Part::reasoning("hm"),
        Part::text("See"),
        Content::Citation(Citation { url: Some("https://x.test".into()), ..Citation::default() }).into(),
        Content::Reasoning(Reasoning { text: "sum".into(), encrypted: Some("e".into()), signature: None }).into(),
        Content::Refusal { text: "no".into() }.into(),
        Part::image(Media::url("https://x.test/a.png")),
        Part::tool_call("", "f", "{\"a\": 1}"),
        Part::tool_call("call:1", "g", "{\"a\":"),
    ];
    let (body, losses) = respond(&response);
    let expected = serde_json::json!({
        "id": "msg_sabir", "type": "message", "role": "assistant", "model": "m",
        "content": [
            {"type": "thinking", "thinking": "hm", "signature": ""},
            {"type": "text", "text": "See"},
            {"type": "thinking", "thinking": "sum", "signature": ""},
            {"type": "redacted_thinking", "data": "e"},
            {"type": "text", "text": "no"},
            {"type": "tool_use", "id": "toolu_0", "name": "f", "input": {"a": 1}},
            {"type": "tool_use", "id": "call:1", "name": "g", "input": {}},
        ],
        "stop_reason": "tool_use", "stop_sequence": null,
        "usage": {"input_tokens": 3, "cache_read_input_tokens": 4, "output_tokens": 7, "output_tokens_details": {"thinking_tokens": 2}},
    });
    assert_eq!(body, expected);
    assert_eq!(losses, ["citations@parts[2]", "refusals@parts[4]", "images@parts[5]", "tools@parts[7]"]);

    let (body, losses) = respond(&ChatResponse::default());
    assert_eq!(body["usage"], serde_json::json!({"input_tokens": 0, "output_tokens": 0}));
    assert_eq!(
        (&body["stop_reason"], losses),
        (&"end_turn".into(), vec!["usage@usage.input".into(), "usage@usage.output".into()])
    );
}

#[test]
fn every_end_has_a_word_of_this_dialect() {
    let cases = [
        ("stop", "end_turn"),
        ("length", "max_tokens"),
        ("content_filter", "refusal"),
        ("pause_turn", "pause_turn"),
        ("model_context_window_exceeded", "model_context_window_exceeded"),
        ("MALFORMED_FUNCTION_CALL", "end_turn"),
        ("bored", "end_turn"),
    ];
    for (raw, word) in cases {
        let mut response = ChatResponse::default();
        response.finish = Finish::from_raw(raw);
        let (body, losses) = respond(&response);
        assert_eq!(body["stop_reason"], word, "{raw}");
        assert_eq!(
            losses.contains(&"finish_reason@finish".to_owned()),
            matches!(raw, "bored" | "MALFORMED_FUNCTION_CALL")
        );
    }
}

#[test]
fn refusals_are_read_again_as_what_they_were() {
    let kinds = [
        (ErrorKind::Authentication, 401),
        (ErrorKind::Permission, 403),
        (ErrorKind::RateLimit, 429),
        (ErrorKind::Quota, 402),
        (ErrorKind::Timeout, 504),
        (ErrorKind::InvalidRequest, 400),
        (ErrorKind::ContextTooLong, 400),
        (ErrorKind::NotFound, 404),
        (ErrorKind::Overloaded, 529),
        (ErrorKind::Provider, 500),
    ];
    for (kind, status) in kinds {
        let error = Error::new(kind, "so it is").with_request_id("req_9");
        let (code, body) = AnthropicMessages.refuse(&error);
        assert_eq!(code.as_u16(), status);
        let read = failed(decode(status, std::str::from_utf8(&body).expect("text")));
        assert_eq!(read.kind(), kind, "{read}");
        assert_eq!(read.request_id(), Some("req_9"));
    }
}
