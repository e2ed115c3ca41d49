use sabir_core::ErrorKind;
use sabir_core::chat::{ChatRequest, ChatResponse, Content, FinishReason, Message, Meta, Part, Role, Tool};
use serde_json::json;

use super::{CohereV1, NAME};
use crate::shared::trial::{accept, again, encode, stream, told_again, whole};

/// Recorded, shortened.
const CALL: &str = r#"{"is_finished":false,"event_type":"stream-start","generation_id":"g1"}
{"is_finished":false,"event_type":"tool-calls-chunk","text":"I will"}
{"is_finished":false,"event_type":"tool-calls-chunk","text":" look."}
{"is_finished":false,"event_type":"tool-calls-chunk","tool_call_delta":{"index":0,"name":"w"}}
{"is_finished":false,"event_type":"tool-calls-chunk","tool_call_delta":{"index":0,"parameters":"{\"a\":"}}
{"is_finished":false,"event_type":"tool-calls-chunk","tool_call_delta":{"index":0,"parameters":"3}"}}
{"is_finished":false,"event_type":"tool-calls-generation","text":"I will look.","tool_calls":[{"name":"w","parameters":{"a":3}}]}
{"is_finished":true,"event_type":"stream-end","response":{"response_id":"r1","text":"I will look.","generation_id":"g1","chat_history":[{"role":"USER","message":"?"}],"finish_reason":"COMPLETE","meta":{"api_version":{"version":"1"},"billed_units":{"input_tokens":3,"output_tokens":2},"tokens":{"input_tokens":91,"output_tokens":5}},"tool_calls":[{"name":"w","parameters":{"a":3}}]},"finish_reason":"COMPLETE"}
"#;

const CALL_WHOLE: &str = r#"{"response_id":"r1","text":"I will look.","generation_id":"g1","chat_history":[],"finish_reason":"COMPLETE",
    "meta":{"api_version":{"version":"1"},"billed_units":{"input_tokens":3,"output_tokens":2},"tokens":{"input_tokens":91,"output_tokens":5}},
    "tool_calls":[{"name":"w","parameters":{"a":3}}]}"#;

#[test]
fn a_call_streamed_and_whole_is_told_once() {
    let streamed = stream(&CohereV1, "application/stream+json", CALL).expect("whole");
    assert_eq!(streamed, whole(&CohereV1, 200, CALL_WHOLE).expect("whole"));
    let call = Part::tool_call("call_0_w", "w", r#"{"a":3}"#).with_meta(NAME, Meta::FORM, json!({"made_id": true}));
    assert_eq!(streamed.parts, [Part::text("I will look."), call]);
    assert_eq!((streamed.usage.input, streamed.usage.output), (Some(91), Some(5)), "not what is billed");
    assert_eq!(streamed.finish.reason, FinishReason::ToolCalls);
    // The same as server-sent events, whether the content type says so or not.
    let events = CALL.lines().map(|line| format!("event: x\ndata: {line}\n\n")).collect::<Vec<_>>().concat();
    assert_eq!(stream(&CohereV1, "text/event-stream", &events).expect("whole"), streamed);
    assert_eq!(stream(&CohereV1, "text/plain", &events).expect("whole"), streamed);
    // And where it calls itself JSON.
    assert_eq!(whole(&CohereV1, 200, CALL).expect("whole"), streamed);
}

#[test]
fn what_is_no_repeat_is_a_call_of_its_own() {
    let asks = |name: &str, a: u8| format!(r#"{{"name":"{name}","parameters":{{"a":{a}}}}}"#);
    let event = |calls: &[String]| {
        let calls = calls.join(",");
        format!("{{\"event_type\":\"tool-calls-generation\",\"tool_calls\":[{calls}]}}\n")
    };
    let end = |calls: &[String]| {
        let calls = calls.join(",");
        format!("{{\"event_type\":\"stream-end\",\"response\":{{\"tool_calls\":[{calls}]}}}}\n")
    };
    let chunks = |a: u8| {
        let piece = |piece: &str| {
            format!("{{\"event_type\":\"tool-calls-chunk\",\"tool_call_delta\":{{\"index\":0,{piece}}}}}\n")
        };
        piece("\"name\":\"w\"") + &piece(&format!("\"parameters\":\"{{\\n  \\\"a\\\": {a}}}\""))
    };
    let told = |body: &str| -> Vec<(String, u8)> {
        let read = stream(&CohereV1, "application/stream+json", body).expect("whole");
        let arguments = |json: &str| serde_json::from_str::<serde_json::Value>(json).expect("JSON")["a"].clone();
        let number = |json: &str| u8::try_from(arguments(json).as_u64().expect("a number")).expect("small");
        read.tool_calls().map(|call| (call.name.clone(), number(&call.arguments))).collect()
    };
    let (one, two) = (asks("w", 1), asks("w", 2));
    let both = vec![("w".to_owned(), 1), ("w".to_owned(), 2)];
    // Each in an event of its own, with or without a last word on both.
    let apart = event(std::slice::from_ref(&one)) + &event(std::slice::from_ref(&two));
    assert_eq!(told(&(apart.clone() + &end(&[]))), both);
    assert_eq!(told(&(apart.clone() + &end(std::slice::from_ref(&two)))), both);
    assert_eq!(told(&(apart + &end(&[one.clone(), two.clone()]))), both);
    // The same twice in one list is two calls, and a list again is none.
    let twice = [one.clone(), one.clone()];
    assert_eq!(told(&(event(&twice) + &event(&twice) + &end(&twice))), [("w".to_owned(), 1), ("w".to_owned(), 1)]);
    // In pieces, whose numbers begin anew after each list.
    let pieces = chunks(1) + &event(std::slice::from_ref(&one)) + &chunks(2) + &event(std::slice::from_ref(&two));
    assert_eq!(told(&(pieces + &end(&[one, two]))), both);
}

#[test]
fn arguments_cut_short_are_the_same_streamed_and_whole() {
    let mut cut = ChatResponse::default();
    cut.parts.push(Part::tool_call("1", "w", r#"{"a":"#));
    cut.finish.reason = FinishReason::Length;
    let (whole, streamed) = told_again(&CohereV1, &cut);
    assert_eq!(whole.parts, streamed.parts);
    assert_eq!(whole.tool_calls().next().expect("a call").arguments, "{}");
}

#[test]
fn sources_are_found_in_the_documents() {
    let body = r#"{"text":"Green.","generation_id":"g","citations":[{"start":0,"end":6,"text":"Green.","document_ids":["d1"]}],
        "documents":[{"id":"d0","url":"https://no.test"},{"id":"d1","url":"https://d.test","title":"Sky","snippet":"It is green."}]}"#;
    let read = whole(&CohereV1, 200, body).expect("whole");
    let Content::Citation(citation) = &read.parts[1].content else { panic!("{:?}", read.parts) };
    assert_eq!((citation.url.as_deref(), citation.quote.as_deref()), (Some("https://d.test"), Some("It is green.")));
}

#[test]
fn what_nobody_should_send() {
    let without_end = &CALL[..CALL.find(r#"{"is_finished":true"#).expect("it is there")];
    let cases: &[(&str, ErrorKind)] = &[
        (without_end, ErrorKind::Truncated),
        ("", ErrorKind::Truncated),
        ("{\"message\":\"rate limit\",\"error_type\":\"rate_limit\"}\n", ErrorKind::RateLimit),
        ("{\"event_type\":\"stream-end\",\"finish_reason\":\"ERROR\",\"message\":\"it broke\"}\n", ErrorKind::Provider),
        ("[]\n", ErrorKind::Decode),
        ("<html>\n", ErrorKind::Decode),
    ];
    for (body, kind) in cases {
        let error = stream(&CohereV1, "application/stream+json", body).expect_err(body);
        assert_eq!(error.kind(), *kind, "{body}");
    }
    for (status, body, kind) in [
        (404, r#"{"id":"r","message":"model 'x' was removed"}"#, ErrorKind::NotFound),
        (200, r#"{"generations":[{"text":"old"}]}"#, ErrorKind::Decode),
        (200, "null", ErrorKind::Decode),
    ] {
        assert_eq!(whole(&CohereV1, status, body).expect_err(body).kind(), kind, "{body}");
    }
    let odd = "{\"event_type\":\"tool-calls-chunk\",\"tool_call_delta\":{\"index\":4000000000,\"parameters\":\"{\"}}\n\
        {\"event_type\":\"moon\",\"text\":7}\n{\"event_type\":\"stream-end\",\"finish_reason\":\"MAX_TOKENS\"}\n";
    let read = stream(&CohereV1, "application/stream+json", odd).expect("whole");
    assert_eq!(read.tool_calls().next().expect("a call").arguments, "{");
    assert_eq!(read.finish.reason, FinishReason::Length);
}

#[test]
fn a_conversation_goes_as_it_came() {
    let body = concat!(
        r#"{"message":"","model":"command-r","preamble":"Be brief.","chat_history":[{"role":"USER","message":"Look!"},"#,
        r#"{"role":"CHATBOT","message":"I look.","tool_calls":[{"name":"w","parameters":{"a": 1.0}},{"name":"w","parameters":{"a":2}}]},"#,
        r#"{"role":"TOOL","tool_results":[{"call":{"name":"w","parameters":{"a":2}},"outputs":[{"output":"rain"},{"c":[1,2.50]}]}]},"#,
        r#"{"role":"SYSTEM","message":"Go on."}],"#,
        r#""tools":[{"name":"w","description":"Looks.","parameter_definitions":{"a":{"description":"Where.","type":"float","required":true}}}],"#,
        r#""tool_results":[{"call":{"name":"w","parameters":{"a": 1.0}},"outputs":[]}],"temperature":0.3,"k":4,"stream":true,"connectors":[{"id":"web-search"}]}"#,
    );
    assert_eq!(again(&CohereV1, body), body);
    let request = accept(&CohereV1, "/v1/chat", body).expect("it is accepted");
    let ids: Vec<&str> = request
        .messages
        .iter()
        .flat_map(|message| &message.parts)
        .filter_map(|part| match &part.content {
            Content::ToolCall(call) => Some(call.id.as_str()),
            Content::ToolResult(result) => Some(result.call_id.as_str()),
            _ => None,
        })
        .collect();
    assert_eq!(ids, ["call_0_w", "call_1_w", "call_1_w", "call_0_w"], "results are found by their arguments");
    let Tool::Function(tool) = &request.tools[0] else { panic!("{:?}", request.tools) };
    let schema =
        json!({"type": "object", "properties": {"a": {"type": "number", "description": "Where."}}, "required": ["a"]});
    assert_eq!(tool.parameters, Some(schema));
}

#[test]
fn results_beside_the_question_bring_their_calls_along() {
    let body = r#"{"message":"Weather?","tool_results":[{"call":{"name":"w","parameters":{"a":1}},"outputs":[{"output":"rain"}]}],"stream":false}"#;
    assert_eq!(again(&CohereV1, body), body);
    let request = accept(&CohereV1, "/v1/chat", body).expect("it is accepted");
    let roles: Vec<&Role> = request.messages.iter().map(|message| &message.role).collect();
    assert_eq!(roles, [&Role::User, &Role::Assistant, &Role::Tool]);
}

#[test]
fn types_that_no_schema_has_are_kept() {
    let body = r#"{"message":"Hi","tools":[{"name":"w","description":"","parameter_definitions":{"a":{"type":"List[str]","required":false},"b":{"type":"Tuple[int, ...]"}}}],"stream":false}"#;
    assert_eq!(again(&CohereV1, body), body);
}

#[test]
fn what_cannot_be_carried_is_said() {
    let call = Message::new(Role::Assistant, [Part::tool_call("x", "w", "{}")]);
    let request = ChatRequest::new("m").user("Hi").message(call).message(Message::tool_result("x", "rain"));
    let encoded = encode(&CohereV1, &request);
    assert_eq!(encoded.losses.len(), 1, "the call's id");
    let orphan = ChatRequest::new("m").message(Message::tool_result("y", "rain"));
    let endpoint = sabir_core::Endpoint { base_url: "https://api.test/v1".into(), ..Default::default() };
    let error = sabir_core::Dialect::encode(&CohereV1, &orphan, &endpoint).expect_err("no call");
    assert_eq!(error.kind(), ErrorKind::InvalidRequest);
}
