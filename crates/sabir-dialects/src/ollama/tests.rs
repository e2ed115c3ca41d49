use sabir_core::chat::{ChatRequest, ChatResponse, Content, FinishReason, Media, Message, Part};
use sabir_core::{Dialect, ErrorKind, Feature};
use serde_json::json;

use super::{OllamaChat, OllamaGenerate};
use crate::shared::trial::{accept, again, encode, stream, told_again, whole};

/// Recorded, shortened: a thought, a call whole and with an id, another without one.
const CALLS: &str = r#"{"model":"qwen3:4b","created_at":"2026-01-01T00:00:00.1Z","message":{"role":"assistant","content":"","thinking":"I sh"},"done":false}
{"model":"qwen3:4b","created_at":"2026-01-01T00:00:00.2Z","message":{"role":"assistant","content":"","thinking":"ould."},"done":false}
{"model":"qwen3:4b","created_at":"2026-01-01T00:00:00.3Z","message":{"role":"assistant","content":"","tool_calls":[{"id":"call_a","function":{"index":0,"name":"add","arguments":{"x": 2,"y":3.0}}}]},"done":false}
{"model":"qwen3:4b","created_at":"2026-01-01T00:00:00.4Z","message":{"role":"assistant","content":"","tool_calls":[{"function":{"name":"now","arguments":{}}}]},"done":false}
{"model":"qwen3:4b","created_at":"2026-01-01T00:00:00.5Z","message":{"role":"assistant","content":""},"done":true,"done_reason":"stop","total_duration":9,"load_duration":1,"prompt_eval_count":234,"eval_count":50}
"#;

const CALLS_WHOLE: &str = r#"{"model":"qwen3:4b","created_at":"2026-01-01T00:00:00.5Z","message":{"role":"assistant","content":"","thinking":"I should.",
    "tool_calls":[{"id":"call_a","function":{"index":0,"name":"add","arguments":{"x": 2,"y":3.0}}},{"function":{"name":"now","arguments":{}}}]},
    "done":true,"done_reason":"stop","total_duration":9,"load_duration":1,"prompt_eval_count":234,"eval_count":50}"#;

#[test]
fn thoughts_and_calls_streamed_and_whole() {
    let streamed = stream(&OllamaChat, "application/x-ndjson", CALLS).expect("whole");
    assert_eq!(streamed, whole(&OllamaChat, 200, CALLS_WHOLE).expect("whole"));
    assert_eq!(streamed.reasoning().as_deref(), Some("I should."));
    let calls: Vec<_> = streamed.tool_calls().map(|call| (call.id.as_str(), call.arguments.as_str())).collect();
    assert_eq!(calls, [("call_a", r#"{"x": 2,"y":3.0}"#), ("call_1_now", "{}")], "arguments keep their bytes");
    assert_eq!((&streamed.finish.reason, streamed.finish.raw.as_deref()), (&FinishReason::ToolCalls, Some("stop")));
    assert_eq!((streamed.usage.input, streamed.usage.output), (Some(234), Some(50)));
    assert_eq!(streamed.meta.get("ollama-chat", "total_duration"), Some(&json!(9)));
    // A stream that calls itself JSON, as where `stream: false` was forgotten.
    assert_eq!(whole(&OllamaChat, 200, CALLS).expect("whole"), streamed);
}

#[test]
fn generated_text_streamed_and_whole() {
    let lines = concat!(
        r#"{"model":"m","created_at":"t","response":"Hel","done":false}"#,
        "\n",
        r#"{"model":"m","created_at":"t","response":"lo","done":false}"#,
        "\n",
        r#"{"model":"m","created_at":"t","response":"","done":true,"done_reason":"length","context":[1,2],"eval_count":2}"#,
    );
    let read = stream(&OllamaGenerate, "application/x-ndjson", lines).expect("whole");
    let body = r#"{"model":"m","created_at":"t","response":"Hello","done":true,"done_reason":"length","context":[1,2],"eval_count":2}"#;
    assert_eq!(read, whole(&OllamaGenerate, 200, body).expect("whole"));
    assert_eq!((read.text().as_str(), &read.finish.reason), ("Hello", &FinishReason::Length));
    assert_eq!((read.usage.input, read.usage.output), (None, Some(2)), "a cached prompt is not counted");
    let load = r#"{"model":"m","created_at":"t","response":"","done":true,"done_reason":"load"}"#;
    assert_eq!(whole(&OllamaGenerate, 200, load).expect("whole").finish.reason, FinishReason::Other("load".into()));
}

#[test]
fn what_nobody_should_send() {
    let (first, _) = CALLS.split_once('\n').expect("two lines");
    let cases: &[(String, ErrorKind)] = &[
        (format!("{first}\n"), ErrorKind::Truncated),
        (String::new(), ErrorKind::Truncated),
        (format!("{first}\n{{\"error\":\"model runner has unexpectedly stopped\"}}\n"), ErrorKind::Provider),
        ("{\"error\":{\"message\":\"slow\",\"code\":\"rate_limit\"}}\n".to_owned(), ErrorKind::RateLimit),
        ("<html>\n".to_owned(), ErrorKind::Decode),
        ("[]\n".to_owned(), ErrorKind::Decode),
    ];
    for (body, kind) in cases {
        assert_eq!(stream(&OllamaChat, "application/x-ndjson", body).expect_err(body).kind(), *kind, "{body}");
    }
    for (status, body, kind) in [
        (404, r#"{"error":"model \"x\" not found, try pulling it first"}"#, ErrorKind::NotFound),
        (400, r#"{"error":"prompt too long; exceeded max context length by 4 tokens"}"#, ErrorKind::ContextTooLong),
        (503, "server busy, please try again", ErrorKind::Overloaded),
        (200, r#"{"error":"out of memory"}"#, ErrorKind::Provider),
        (200, "{}", ErrorKind::Decode),
        (200, "", ErrorKind::Decode),
    ] {
        assert_eq!(whole(&OllamaChat, status, body).expect_err(body).kind(), kind, "{body}");
    }
    // What is of another type than it should be is no reason to fail.
    let odd = "{\"model\":7,\"message\":{\"content\":\"a\",\"tool_calls\":{\"function\":{\"name\":\"f\",\"arguments\":\"{\\\"a\\\":1}\"}}},\"done\":true,\"eval_count\":2.0}\n";
    let read = stream(&OllamaChat, "application/x-ndjson", odd).expect("whole");
    assert_eq!(read.tool_calls().next().expect("a call").arguments, r#"{"a":1}"#);
    assert_eq!(read.usage.output, Some(2));
}

fn result_ids(request: &ChatRequest) -> Vec<&str> {
    let parts = request.messages.iter().flat_map(|message| &message.parts);
    let ids = parts.filter_map(|part| match &part.content {
        Content::ToolResult(result) => Some(result.call_id.as_str()),
        _ => None,
    });
    ids.collect()
}

#[test]
fn a_request_goes_as_it_came() {
    let body = concat!(
        r#"{"model":"qwen3","messages":[{"role":"system","content":"Be brief."},"#,
        r#"{"role":"user","content":"Look.","images":["iVBORw0KGgo="]},"#,
        r#"{"role":"assistant","content":"","thinking":"Hm.","tool_calls":[{"id":"call_a","function":{"name":"add","arguments":{"x": 2,"y":3.0}}},{"function":{"name":"now","arguments":{}}}]},"#,
        r#"{"role":"tool","content":"5","tool_name":"add","tool_call_id":"call_a"},{"role":"tool","content":"noon","tool_name":"now"}],"#,
        r#""tools":[{"type":"function","function":{"name":"now","parameters":{"type":"object","properties":{}}}}],"format":{"type":"object","title":"T"},"#,
        r#""options":{"temperature":0.3,"top_k":4,"num_predict":9,"seed":-1,"stop":["."],"num_ctx":4096},"think":"low","stream":true,"keep_alive":"5m"}"#,
    );
    assert_eq!(again(&OllamaChat, body), body);
    let request = accept(&OllamaChat, "/api/chat", body).expect("it is accepted");
    assert_eq!(result_ids(&request), ["call_a", "call_1_now"]);
    // LiteLLM leaves the ids of calls out, and puts ids of its own into the results.
    let own_ids = body.replace(r#""id":"call_a","#, "").replace(
        r#"{"role":"tool","content":"noon","tool_name":"now"}"#,
        r#"{"role":"tool","content":"noon","tool_call_id":"call_dcaa"}"#,
    );
    let request = accept(&OllamaChat, "/api/chat", &own_ids).expect("it is accepted");
    assert_eq!(result_ids(&request), ["call_0_add", "call_1_now"]);
    assert!(
        accept(&OllamaChat, "/", r#"{"model":"m","messages":[]}"#).expect("to load it").stream,
        "unless it says no"
    );
    let generate = r#"{"model":"m","system":"Be brief.","prompt":"Hi","images":["iVBORw0KGgo="],"format":"json","options":{"num_predict":9},"think":false,"stream":false,"raw":true}"#;
    assert_eq!(again(&OllamaGenerate, generate), generate);
    for wrong in [
        "{}",
        r#"{"model":"m"}"#,
        r#"{"model":"m","messages":[{"role":"user","content":7}]}"#,
        r#"{"model":"m","messages":[{"role":"user","content":"a","images":["***"]}]}"#,
        r#"{"model":"m","messages":[],"format":"xml"}"#,
    ] {
        assert_eq!(accept(&OllamaChat, "/", wrong).expect_err(wrong).kind(), ErrorKind::InvalidRequest, "{wrong}");
    }
}

#[test]
fn line_ends_in_arguments_are_no_lines() {
    let mut response = ChatResponse::default();
    response.parts.push(Part::tool_call("1", "f", "{\n  \"a\": 1\r\n}"));
    let (whole, streamed) = told_again(&OllamaChat, &response);
    assert_eq!(whole.parts, streamed.parts);
    assert_eq!(whole.tool_calls().next().expect("a call").arguments, "{   \"a\": 1  }");
}

#[test]
fn texts_that_become_one_are_each_said() {
    let mut response = ChatResponse::default();
    response.parts = vec![Part::text("a"), Content::Refusal { text: "b".into() }.into(), Part::text("c")];
    let answered = OllamaChat.respond(&response, &ChatRequest::new("m"));
    let joined = answered.losses.iter().filter(|loss| loss.feature.as_str() == "separate_texts");
    assert_eq!(joined.map(|loss| loss.path.as_str()).collect::<Vec<_>>(), ["parts[0]", "parts[1]", "parts[2]"]);
}

#[test]
fn what_cannot_be_carried_is_said() {
    let shown = Message::new(
        sabir_core::chat::Role::User,
        ["What is this?".into(), Part::image(Media::url("https://x.test/a.png"))],
    );
    let encoded = encode(&OllamaChat, &ChatRequest::new("m").message(shown));
    assert_eq!(encoded.losses.iter().map(|loss| &loss.feature).collect::<Vec<_>>(), [&Feature::MediaUrls]);
    assert_eq!(encoded.uri, "https://api.test/api/chat");
    let talk = ChatRequest::new("m").user("Why?").message(Message::assistant("So.")).user("Oh?");
    let encoded = encode(&OllamaGenerate, &talk);
    let body: serde_json::Value = serde_json::from_slice(&encoded.body).expect("JSON");
    assert_eq!(body["prompt"], "User: Why?\n\nAssistant: So.\n\nUser: Oh?\n\nAssistant:");
    assert_eq!(encoded.losses.len(), 1);
    let cut = ChatRequest::new("m")
        .message(Message::new(sabir_core::chat::Role::Assistant, [Part::tool_call("1", "f", "{\"a\"")]));
    let endpoint = sabir_core::Endpoint { base_url: "http://localhost:11434/api".into(), ..Default::default() };
    let error = OllamaChat.encode(&cut, &endpoint).expect_err("half an object");
    assert_eq!(error.kind(), ErrorKind::InvalidRequest);
}
