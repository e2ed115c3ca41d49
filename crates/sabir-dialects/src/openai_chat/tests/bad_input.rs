//! What the field sends, each with the outcome that is right.

use sabir_core::ErrorKind;
use sabir_core::chat::{ChatResponse, Content, FinishReason};
use serde_json::{Value, json};

use super::{events, stream, whole};

fn text(content: &str) -> Value {
    json!({"id": "a", "model": "m", "choices": [{"index": 0, "delta": {"content": content}}]})
}

fn finish(reason: &str) -> Value {
    json!({"choices": [{"index": 0, "delta": {}, "finish_reason": reason}]})
}

fn calls(calls: &Value) -> Value {
    json!({"choices": [{"index": 0, "delta": {"tool_calls": calls}}]})
}

/// Id, name and arguments of each call in a stream of these deltas.
fn read_calls(deltas: &[Value]) -> Vec<(String, String, String)> {
    let mut chunks: Vec<Value> = deltas.iter().map(calls).collect();
    chunks.push(finish("tool_calls"));
    let answer = stream(&events(&chunks)).expect("whole");
    assert_eq!(answer.finish.reason, FinishReason::ToolCalls);
    answer.tool_calls().map(|c| (c.id.clone(), c.name.clone(), c.arguments.clone())).collect()
}

fn call(id: &str, name: &str, arguments: &str) -> (String, String, String) {
    (id.into(), name.into(), arguments.into())
}

#[test]
fn a_body_cut_with_a_clean_close_is_truncated_and_keeps_what_came() {
    let body = format!("data: {}\n\ndata: {}\n\n", text("Hel"), text("lo"));
    let error = stream(&body).expect_err("cut");
    assert_eq!(error.kind(), ErrorKind::Truncated);
    assert_eq!(error.partial().expect("kept").text(), "Hello");
    assert_eq!(stream("").expect_err("nothing came").kind(), ErrorKind::Truncated);
    // "" is what some servers write for "not yet".
    let error = stream(&format!("data: {}\n\n", finish(""))).expect_err("cut");
    assert_eq!(error.kind(), ErrorKind::Truncated);
}

#[test]
fn a_finish_reason_or_the_marker_ends_an_answer() {
    let unmarked = format!("data: {}\n\ndata: {}\n\n", text("Hi"), finish("eos"));
    let answer = stream(&unmarked).expect("finished");
    assert_eq!((answer.text().as_str(), answer.finish.raw.as_deref()), ("Hi", Some("eos")));
    let answer = stream(&events(&[text("Hi")])).expect("marked");
    assert_eq!((answer.finish.reason, answer.finish.raw), (FinishReason::Stop, None));
    let answer = stream(&events(&[text("Hi"), finish("length"), finish("")])).expect("marked");
    assert_eq!(answer.finish.raw.as_deref(), Some("length"));
}

#[test]
fn an_error_inside_a_stream_is_the_last_word() {
    let limit = json!({"error": {"code": 429, "message": "slow down"}, "choices": []});
    let error = stream(&events(&[text("Hi"), finish("stop"), limit])).expect_err("an error");
    assert_eq!((error.kind(), error.message()), (ErrorKind::RateLimit, "slow down"));
    assert_eq!((error.code(), error.partial().map(ChatResponse::text)), (Some("429"), Some("Hi".into())));
    for (frame, message) in [
        ("event: error\ndata: {\"message\":\"gone\",\"type\":\"server_error\"}\n\n", "gone"),
        ("event: error\ndata: broken pipe\n\n", "broken pipe"),
        ("data: {\"error\":\"busy\",\"error_type\":\"overloaded\"}\n\n", "busy"),
        ("data: {\"error\":{\"message\":{\"why\":1}}}\n\n", "{\"why\":1}"),
        ("data: {\"base_resp\":{\"status_code\":1008,\"status_msg\":\"no balance\"}}\n\n", "no balance"),
        ("data: {\"choices\":[{\"index\":0,\"delta\":{},\"error\":{\"code\":502,\"message\":\"up\"}}]}\n\n", "up"),
    ] {
        assert_eq!(stream(frame).expect_err(frame).message(), message);
    }
}

#[test]
fn calls_are_told_apart_by_index_and_id() {
    let both = |id: &str| json!([{"index": 0, "id": id, "function": {"name": "f", "arguments": "{\"a\":1}"}}]);
    let two = vec![call("x", "f", "{\"a\":1}"), call("y", "f", "{\"a\":1}")];
    assert_eq!(read_calls(&[both("x"), both("y")]), two, "two ids at one index");

    let parts = [
        json!([{"index": 0, "id": "x", "function": {"name": "f", "arguments": ""}}]),
        json!([{"index": 0, "id": null, "function": {"name": null, "arguments": "{"}}]),
        json!([{"index": 0, "id": "x", "type": "function", "function": {"name": "f", "arguments": "}"}}]),
    ];
    assert_eq!(read_calls(&parts), [call("x", "f", "{}")], "repeated and null ids and names");

    let unnumbered = json!([{"id": "x", "function": {"name": "f", "arguments": "{"}}]);
    let more = json!([{"function": {"arguments": "}"}}]);
    assert_eq!(read_calls(&[unnumbered, more]), [call("x", "f", "{}")], "no index");

    let far = json!([{"index": 4_000_000_000_u32, "id": "x", "function": {"name": "f", "arguments": {"a": 1}}}]);
    assert_eq!(read_calls(&[far]), [call("x", "f", "{\"a\":1}")], "an index sizes nothing; arguments as an object");

    let nameless =
        |n: u8| json!([{"index": 0, "id": "", "function": {"name": "f", "arguments": format!("{{\"n\":{n}}}")}}]);
    let two = [call("", "f", "{\"n\":1}"), call("", "f", "{\"n\":2}")];
    assert_eq!(read_calls(&[nameless(1), nameless(2)]), two, "whole calls without ids");

    let late = [
        json!([{"index": 0, "function": {"arguments": "{}"}}]),
        json!([{"index": 0, "id": "x", "function": {"name": "f"}}]),
    ];
    assert_eq!(read_calls(&late), [call("x", "f", "{}")], "the name comes late");

    let none = json!([{"index": 0, "id": "x", "function": {"name": "f"}, "custom": {"name": ""}}]);
    assert_eq!(read_calls(&[none]), [call("x", "f", "{}")], "no arguments");
}

#[test]
fn other_kinds_of_calls_are_calls() {
    let legacy = json!({"choices": [{"index": 0, "delta": {"function_call": {"name": "f", "arguments": "{"}}}]});
    let more = json!({"choices": [{"index": 0, "delta": {"function_call": {"arguments": "}"}}}]});
    let answer = stream(&events(&[legacy, more, finish("function_call")])).expect("whole");
    assert_eq!(answer.tool_calls().map(|c| c.arguments.as_str()).collect::<Vec<_>>(), ["{}"]);

    let custom = json!([{"index": 0, "id": "c", "type": "custom", "custom": {"name": "sh", "input": ""}}]);
    let input = json!([{"index": 0, "custom": {"input": "ls -l"}}]);
    assert_eq!(read_calls(&[custom, input]), [call("c", "sh", "ls -l")]);
}

#[test]
fn usage_is_taken_from_anywhere_and_never_added() {
    let used = |n: u64| json!({"choices": [], "usage": {"prompt_tokens": n, "completion_tokens": n}});
    let null = json!({"choices": [{"index": 0, "delta": {"content": "x"}}], "usage": null});
    let answer = stream(&events(&[null.clone(), used(3), used(7), null, finish("stop")])).expect("whole");
    assert_eq!((answer.usage.input_total(), answer.usage.output_total()), (Some(7), Some(7)));
    let groq = json!({"choices": [], "x_groq": {"usage": {"prompt_tokens": 4, "completion_tokens": 2}}});
    assert_eq!(stream(&events(&[groq])).expect("whole").usage.input, Some(4));
    assert!(stream(&events(&[text("x")])).expect("whole").usage.is_unknown());
}

#[test]
fn counters_become_disjoint() {
    let read = |usage: Value| {
        let body = json!({"choices": [{"message": {"content": "x"}}], "usage": usage});
        whole(200, &body.to_string()).expect("whole")
    };
    let u = read(json!({"prompt_tokens": 100, "completion_tokens": 10, "total_tokens": 110,
        "prompt_tokens_details": {"cached_tokens": 60}, "completion_tokens_details": {"reasoning_tokens": 4}}))
    .usage;
    assert_eq!((u.input, u.cache_read, u.output, u.reasoning), (Some(40), Some(60), Some(6), Some(4)));
    let u =
        read(json!({"prompt_tokens": 12, "completion_tokens": 2, "total_tokens": 334, "prompt_tokens_details": null,
        "prompt_cache_hit_tokens": 2, "completion_tokens_details": {"reasoning_tokens": 320}}))
        .usage;
    assert_eq!((u.input, u.output, u.output_total()), (Some(10), Some(2), Some(322)), "reasoning stands apart");
    let answer =
        read(json!({"prompt_tokens": 7, "completion_tokens": 1, "prompt_tokens_details": {"cached_tokens": 161}}));
    let usage = (answer.usage.input_total(), answer.usage.cache_read);
    assert_eq!(usage, (Some(7), Some(161)), "a part larger than its total");
    let answer = read(json!({"prompt_tokens": 1, "cost": 7.16e-05}));
    assert_eq!(answer.cost.expect("reported").nano_usd, 71_600);
    let answer = read(json!({"prompt_tokens": 1, "cost": {"total_cost": 0.00501}}));
    assert_eq!(answer.cost.expect("reported").nano_usd, 5_010_000);
}

#[test]
fn odd_words_and_shapes_are_not_fatal() {
    let odd = json!({"id": 7, "model": null, "created": "now", "choices": [{"index": 0, "delta": {"role": 3,
        "content": [{"type": "text", "text": "a"}, {"type": "hologram", "data": 1}], "refusal": "", "audio": {"data": ""},
        "annotations": null, "tool_calls": null, "function_call": {"name": ""}}, "finish_reason": "tired"}], "usage": []});
    let answer = stream(&events(&[odd])).expect("whole");
    assert_eq!((answer.id.as_str(), answer.text().as_str()), ("7", "a"));
    assert_eq!(answer.finish.reason, FinishReason::Other("tired".into()));
    assert!(matches!(&answer.parts[1].content, Content::Opaque { json, .. } if json["type"] == "hologram"));
    assert_eq!(answer.parts.len(), 2, "decoys are nothing");
}

#[test]
fn line_ends_comments_and_cut_characters() {
    let body = format!(
        ": OPENROUTER PROCESSING\r\n\r\ndata:{}\r\n\r\n: keep-alive\r\rdata: {}\r\rdata: [DONE]\r\r",
        text("ä"),
        text("€")
    );
    assert_eq!(stream(&body).expect("whole").text(), "ä€");
}

#[test]
fn what_is_no_object_is_a_decode_error() {
    for body in ["[1]", "7", "\"x\"", "null", "{}", "<html>"] {
        assert_eq!(whole(200, body).expect_err(body).kind(), ErrorKind::Decode, "{body:?}");
    }
    // The beginning of one was cut.
    for body in ["{", ""] {
        assert_eq!(whole(200, body).expect_err(body).kind(), ErrorKind::Truncated, "{body:?}");
    }
    assert_eq!(stream("data: [1]\n\n").expect_err("a list").kind(), ErrorKind::Decode);
    assert_eq!(stream("data: {\n\n").expect_err("half").kind(), ErrorKind::Decode);
    let error = stream("data: {\"choices\":[{\"delta\":{\"content\":\"my secret\n\n").expect_err("half");
    assert!(!error.to_string().contains("secret"), "{error}");
}

#[test]
fn errors_of_every_shape_give_their_message() {
    let cases = [
        (
            502,
            "<html><head><title>502 Bad Gateway</title></head><body>x</body></html>",
            "502 Bad Gateway",
            ErrorKind::Provider,
        ),
        (
            422,
            "Failed to deserialize the JSON body\nmore",
            "Failed to deserialize the JSON body",
            ErrorKind::InvalidRequest,
        ),
        (502, "", "HTTP 502 with an empty body", ErrorKind::Provider),
        (400, "{\"error\":{\"message\":\"no\",\"code\":\"invalid_api_key\"}}", "no", ErrorKind::Authentication),
        (
            401,
            "{\"error\":\"Invalid username or password.\"}",
            "Invalid username or password.",
            ErrorKind::Authentication,
        ),
        (401, "{\"message\":\"No API key\",\"request_id\":\"r\"}", "No API key", ErrorKind::Authentication),
        (
            400,
            "{\"object\":\"error\",\"message\":\"Invalid model\",\"code\":\"1500\"}",
            "Invalid model",
            ErrorKind::InvalidRequest,
        ),
        (400, "{\"code\":\"x\",\"error\":\"Incorrect API key\"}", "Incorrect API key", ErrorKind::Authentication),
        (
            422,
            "{\"detail\":[{\"loc\":[\"body\",\"messages\"],\"msg\":\"Field required\",\"input\":\"a prompt\"}]}",
            "body.messages: Field required",
            ErrorKind::InvalidRequest,
        ),
        (404, "{\"detail\":\"Not Found\"}", "Not Found", ErrorKind::NotFound),
        (
            429,
            "[{\"error\":{\"code\":429,\"message\":\"Quota\",\"status\":\"RESOURCE_EXHAUSTED\"}}]",
            "Quota",
            ErrorKind::RateLimit,
        ),
        (500, "{\"trace\":1}", "HTTP 500 with a body that gives no reason", ErrorKind::Provider),
    ];
    for (status, body, message, kind) in cases {
        let error = whole(status, body).expect_err(body);
        assert_eq!((error.message(), error.kind()), (message, kind), "{body}");
        assert_eq!(error.status().map(|s| s.as_u16()), Some(status));
    }
    let error = whole(401, "{\"error\":{\"message\":\"Incorrect API key provided: sk-proj-Zk3x9QpL7vNb2Wc4\"}}");
    assert!(!error.expect_err("401").to_string().contains("Zk3x9QpL7vNb2Wc4"), "a key is masked");
    let error = whole(200, "{\"error\":{\"code\":\"content_filter\",\"message\":\"filtered\"}}").expect_err("an error");
    assert_eq!(error.kind(), ErrorKind::ContentFiltered);
}

#[test]
fn only_the_first_answer_is_kept_and_the_others_are_said() {
    let body =
        json!({"choices": [{"index": 0, "message": {"content": "a"}}, {"index": 1, "message": {"content": "b"}}]});
    let answer = whole(200, &body.to_string()).expect("whole");
    assert_eq!((answer.text().as_str(), answer.losses[0].path.as_str()), ("a", "choices[1]"));
    let other = json!({"choices": [{"index": 1, "delta": {"content": "b"}}]});
    let answer = stream(&events(&[text("a"), other.clone(), other])).expect("whole");
    assert_eq!((answer.text().as_str(), answer.losses.len()), ("a", 1));
}

#[test]
fn a_text_that_is_repeated_beside_the_delta_is_not_doubled() {
    let chunk = |delta: &str, all: &str| json!({"choices": [{"index": 0, "delta": {"content": delta}, "message": {"content": all}}]});
    let body = events(&[chunk("a", "a"), chunk("b", "ab"), finish("stop")]);
    assert_eq!(stream(&body).expect("whole").text(), "ab");
    let whole_one = json!({"choices": [{"delta": {"content": ""}, "message": {"content": "ab"}}]});
    assert_eq!(whole(200, &whole_one.to_string()).expect("whole").text(), "ab");
}

#[test]
fn more_calls_than_anyone_makes_are_an_error() {
    let many: Vec<Value> = (0..5000).map(|n| json!({"index": n, "id": n, "function": {"name": "f"}})).collect();
    assert_eq!(stream(&events(&[calls(&many.into())])).expect_err("too many").kind(), ErrorKind::Decode);
}
