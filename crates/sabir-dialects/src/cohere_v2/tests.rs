use sabir_core::ErrorKind;
use sabir_core::chat::{ChatRequest, Content, FinishReason, Message, Part, Tool, ToolChoice};
use serde_json::json;

use super::wire::plan_part;
use super::{CohereV2, NAME};
use crate::shared::trial::{accept, again, encode, stream, whole};

/// Recorded, shortened: a plan, two calls, the arguments of one of them whole in the start.
const CALLS: &str = r#"event: message-start
data: {"id":"m1","type":"message-start","delta":{"message":{"role":"assistant","content":[],"tool_plan":"","tool_calls":[],"citations":[]}}}

event: tool-plan-delta
data: {"type":"tool-plan-delta","delta":{"message":{"tool_plan":"I will "}}}

event: tool-plan-delta
data: {"type":"tool-plan-delta","delta":{"message":{"tool_plan":"look."}}}

event: tool-call-start
data: {"type":"tool-call-start","index":0,"delta":{"message":{"tool_calls":{"id":"w_1","type":"function","function":{"name":"w","arguments":""}}}}}

event: tool-call-delta
data: {"type":"tool-call-delta","index":0,"delta":{"message":{"tool_calls":{"function":{"arguments":"{\"a\":"}}}}}

event: tool-call-delta
data: {"type":"tool-call-delta","index":0,"delta":{"message":{"tool_calls":{"function":{"arguments":" 1}"}}}}}

event: tool-call-end
data: {"type":"tool-call-end","index":0}

event: tool-call-start
data: {"type":"tool-call-start","index":1,"delta":{"message":{"tool_calls":{"id":"w_2","type":"function","function":{"name":"w","arguments":"{\"a\":2}"}}}}}

event: tool-call-end
data: {"type":"tool-call-end","index":1}

event: message-end
data: {"type":"message-end","delta":{"finish_reason":"TOOL_CALL","usage":{"billed_units":{"input_tokens":9,"output_tokens":5},"tokens":{"input_tokens":50,"output_tokens":20},"cached_tokens":48}}}

data: [DONE]

"#;

const CALLS_WHOLE: &str = r#"{"id":"m1","message":{"role":"assistant","tool_plan":"I will look.","tool_calls":[
    {"id":"w_1","type":"function","function":{"name":"w","arguments":"{\"a\": 1}"}},
    {"id":"w_2","type":"function","function":{"name":"w","arguments":"{\"a\":2}"}}]},"finish_reason":"TOOL_CALL",
    "usage":{"billed_units":{"input_tokens":9,"output_tokens":5},"tokens":{"input_tokens":50,"output_tokens":20},"cached_tokens":48.0}}"#;

#[test]
fn a_plan_and_calls_streamed_and_whole() {
    let streamed = stream(&CohereV2, "text/event-stream", CALLS).expect("whole");
    assert_eq!(streamed, whole(&CohereV2, 200, CALLS_WHOLE).expect("whole"));
    assert_eq!(streamed.parts[0], plan_part("I will look."));
    assert_eq!((streamed.text().as_str(), streamed.reasoning()), ("", None), "a plan is neither");
    let arguments: Vec<&str> = streamed.tool_calls().map(|call| call.arguments.as_str()).collect();
    assert_eq!(arguments, [r#"{"a": 1}"#, r#"{"a":2}"#]);
    assert_eq!(streamed.finish.reason, FinishReason::ToolCalls);
    let usage = &streamed.usage;
    assert_eq!((usage.input, usage.cache_read, usage.output), (Some(2), Some(48), Some(20)));
    assert_eq!(streamed.meta.get(NAME, "billed_units"), Some(&json!({"input_tokens": 9, "output_tokens": 5})));
    // It goes back as it came.
    let request = ChatRequest::new("m").user("Look!").message(streamed.to_message());
    let body = String::from_utf8(encode(&CohereV2, &request).body.to_vec()).expect("JSON");
    assert!(body.contains(r#"{"role":"assistant","tool_plan":"I will look.","tool_calls":[{"id":"w_1""#), "{body}");
}

#[test]
fn thoughts_and_citations_stand_where_a_whole_answer_has_them() {
    let events = concat!(
        r#"data: {"type":"message-start","id":"m2","delta":{"message":{"role":"assistant"}}}"#,
        "\n\n",
        r#"data: {"type":"content-start","index":0,"delta":{"message":{"content":{"type":"thinking","thinking":""}}}}"#,
        "\n\n",
        r#"data: {"type":"content-delta","index":0,"delta":{"message":{"content":{"thinking":"Ruby?"}}}}"#,
        "\n\n",
        r#"data: {"type":"content-end","index":0}"#,
        "\n\n",
        r#"data: {"type":"content-start","index":1,"delta":{"message":{"content":{"type":"text","text":""}}}}"#,
        "\n\n",
        r#"data: {"type":"content-delta","index":1,"delta":{"message":{"content":{"text":"By M"}}}}"#,
        "\n\n",
        r#"data: {"type":"citation-start","index":0,"delta":{"message":{"citations":{"start":3,"end":8,"text":"Matz.","#,
        r#""sources":[{"type":"document","id":"d","document":{"title":"T","url":"https://d.test"}}]}}}}"#,
        "\n\n",
        r#"data: {"type":"a-new-event","delta":"of another shape"}"#,
        "\n\n",
        r#"data: {"type":"content-delta","index":1,"delta":{"message":{"content":{"text":"atz."}}}}"#,
        "\n\n",
        r#"data: {"type":"message-end","delta":{"finish_reason":"COMPLETE"}}"#,
        "\n\n",
    );
    let read = stream(&CohereV2, "text/event-stream", events).expect("whole");
    assert_eq!((read.reasoning().as_deref(), read.text().as_str()), (Some("Ruby?"), "By Matz."));
    let Some(Content::Citation(citation)) = read.parts.last().map(|part| &part.content) else {
        panic!("{:?}", read.parts)
    };
    assert_eq!((citation.url.as_deref(), citation.span), (Some("https://d.test"), Some((3, 8))));
    assert!(read.usage.is_unknown());
}

#[test]
fn what_nobody_should_send() {
    let cut = &CALLS[..CALLS.find("event: message-end").expect("it is there")];
    let cases: &[(&str, ErrorKind)] = &[
        (cut, ErrorKind::Truncated),
        ("data: [DONE]\n\n", ErrorKind::Truncated),
        ("data: {\"message\":\"too many tokens: size limit exceeded\"}\n\n", ErrorKind::ContextTooLong),
        ("data: {\"type\":\"error\",\"message\":\"no\"}\n\n", ErrorKind::Provider),
        (
            "data: {\"type\":\"message-end\",\"delta\":{\"finish_reason\":\"ERROR\",\"error\":\"it broke\"}}\n\n",
            ErrorKind::Provider,
        ),
        ("data: <html>\n\n", ErrorKind::Decode),
        ("data: [1]\n\n", ErrorKind::Decode),
    ];
    for (body, kind) in cases {
        let error = stream(&CohereV2, "text/event-stream", body).expect_err(body);
        assert_eq!(error.kind(), *kind, "{body}");
    }
    // A call of an unheard-of number is one call, and what belongs to none is left.
    let odd = "data: {\"type\":\"tool-call-delta\",\"index\":7,\"delta\":{\"message\":{\"tool_calls\":{\"function\":{\"arguments\":\"{\"}}}}}\n\n\
        data: {\"type\":\"tool-call-start\",\"index\":4000000000,\"delta\":{\"message\":{\"tool_calls\":[{\"id\":\"a\",\"function\":{\"name\":\"f\"}}]}}}\n\n\
        data: {\"type\":\"message-end\",\"delta\":{\"finish_reason\":\"MOON\"}}\n\n";
    let read = stream(&CohereV2, "text/event-stream", odd).expect("whole");
    assert_eq!(read.parts, [Part::tool_call("a", "f", "{}")]);
    assert_eq!(read.finish.reason, FinishReason::Other("MOON".into()));
    for (status, body, kind) in [
        (401, r#"{"message":"invalid api token","id":"r1"}"#, ErrorKind::Authentication),
        (498, r#"{"message":"invalid token"}"#, ErrorKind::Authentication),
        (498, r#"{"message":"blocked output"}"#, ErrorKind::ContentFiltered),
        (400, r#"{"message":"no","error_type":"TOO_MANY_TOKENS"}"#, ErrorKind::ContextTooLong),
        (502, "<html><title>Bad Gateway</title></html>", ErrorKind::Provider),
        (200, "", ErrorKind::Decode),
        (200, r#"{"id":"m"}"#, ErrorKind::Decode),
    ] {
        let error = whole(&CohereV2, status, body).expect_err(body);
        assert_eq!(error.kind(), kind, "{status} {body}");
    }
}

#[test]
fn a_request_goes_as_it_came() {
    let body = concat!(
        r#"{"model":"command-a-03-2025","messages":[{"role":"system","content":"Be brief."},"#,
        r#"{"role":"user","content":[{"type":"text","text":"What is this?"},{"type":"image_url","image_url":{"url":"https://x.test/a.png","detail":"high"}}]},"#,
        r#"{"role":"assistant","tool_plan":"I will look.","tool_calls":[{"id":"w_1","type":"function","function":{"name":"w","arguments":"{\"a\": 1.0}"}}]},"#,
        r#"{"role":"tool","tool_call_id":"w_1","content":[{"type":"document","document":{"data":{"output":"5"},"id":"d"}}]}],"#,
        r#""tools":[{"type":"function","function":{"name":"w","description":"Looks.","parameters":{"type":"object","properties":{"a":{"type":"number"}}}}}],"#,
        r#""strict_tools":true,"tool_choice":"REQUIRED","response_format":{"type":"json_object","json_schema":{"type":"object"}},"max_tokens":9,"#,
        r#""temperature":0.3,"seed":7,"k":5,"p":0.9,"thinking":{"type":"enabled","token_budget":64},"stream":true,"safety_mode":"OFF","documents":[{"id":"d","data":{"text":"t"}}]}"#,
    );
    assert_eq!(again(&CohereV2, body), body);
    let request = accept(&CohereV2, "/v2/chat", body).expect("it is accepted");
    // For everybody else the document that the tool gave is its JSON.
    let Content::ToolResult(result) = &request.messages[3].parts[0].content else {
        panic!("{:?}", request.messages[3])
    };
    assert_eq!(result.text(), r#"{"output":"5"}"#);
    for wrong in [
        "{}",
        r#"{"model":"m","messages":[{"role":"user","content":7}]}"#,
        r#"{"model":"m","messages":[{"role":"moon"}]}"#,
    ] {
        let error = accept(&CohereV2, "/v2/chat", wrong).expect_err(wrong);
        assert_eq!(error.kind(), ErrorKind::InvalidRequest, "{wrong}");
    }
}

#[test]
fn what_cannot_be_carried_is_said() {
    let tool = |name: &str| Tool::function(name, "", serde_json::json!({"type": "object", "properties": {}}));
    let request = ChatRequest::new("m").user("Hi").tool(tool("v")).tool(tool("w"));
    let mut request = request.tool_choice(ToolChoice::Named("w".into()));
    request
        .messages
        .push(Message::new(sabir_core::chat::Role::Assistant, [Part::tool_call("1", "w", "{}"), "Late.".into()]));
    request.user = Some("u".into());
    let losses = encode(&CohereV2, &request).losses;
    let lost: Vec<&str> = losses.iter().map(|loss| loss.path.as_str()).collect();
    assert_eq!(lost, ["messages[1].parts[1]", "tool_choice", "tools[0]", "user"]);
}
