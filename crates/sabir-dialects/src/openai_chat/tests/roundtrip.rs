//! Both faces against each other: whole and streamed, written and read, at every cut.

use bytes::Bytes;
use http::{HeaderMap, StatusCode};
use sabir_core::chat::{
    ChatRequest, ChatResponse, Content, Event, Finish, FinishReason, Part, Reasoning, ServerToolUse,
};
use sabir_core::dialect::{Answer, Dialect};
use sabir_core::frame::{Framer, Framing};
use sabir_core::{Error, ErrorKind, Feature, Sink};
use serde_json::{Value, json};

use super::super::{NAME, OpenAiChat};
use super::{events, stream, whole};

/// An answer as one message, and the same as deltas.
fn both_ways() -> (Value, Vec<Value>) {
    let details = json!([{"type": "reasoning.text", "text": "Hm, yes.", "signature": "c2ln", "index": 0}]);
    let citation = json!({"type": "url_citation", "url_citation": {"url": "https://x.test", "title": "X", "start_index": 0, "end_index": 2}});
    let calls = json!([
        {"index": 0, "id": "c1", "type": "function", "function": {"name": "f", "arguments": "{\"a\": \"é\\n\"}"}, "extra_content": {"google": {"thought_signature": "t"}}},
        {"index": 1, "id": "c2", "type": "function", "function": {"name": "g", "arguments": "{}"}},
    ]);
    let usage = json!({"prompt_tokens": 9, "completion_tokens": 5, "total_tokens": 14, "prompt_tokens_details": {"cached_tokens": 4}});
    let message = json!({"role": "assistant", "reasoning": "Hm, yes.", "reasoning_details": details, "content": "Hellö \"you\"\n…",
        "annotations": [citation], "tool_calls": calls});
    let whole = json!({"id": "r1", "created": 7, "model": "m", "system_fingerprint": "fp",
        "choices": [{"index": 0, "message": message, "finish_reason": "tool_calls"}], "usage": usage});
    let thought = |text: &str, signature: Value| json!({"reasoning": text, "reasoning_details": [{"type": "reasoning.text", "text": text, "signature": signature, "index": 0}]});
    let deltas = [
        json!({"role": "assistant", "content": ""}),
        thought("Hm, ", Value::Null),
        thought("yes.", "c2ln".into()),
        json!({"content": "Hell"}),
        json!({"content": "ö "}),
        json!({"content": "\"you\"\n"}),
        json!({"content": "…"}),
        json!({"annotations": [citation]}),
        json!({"tool_calls": [{"index": 0, "id": "c1", "type": "function", "function": {"name": "f", "arguments": ""}}]}),
        json!({"tool_calls": [{"index": 0, "function": {"arguments": "{\"a\": "}}]}),
        json!({"tool_calls": [{"index": 0, "function": {"arguments": "\"é"}}]}),
        json!({"tool_calls": [{"index": 0, "function": {"arguments": "\\n\"}"}, "extra_content": {"google": {"thought_signature": "t"}}}]}),
        json!({"tool_calls": [{"index": 1, "id": "c2", "type": "function", "function": {"name": "g", "arguments": ""}}]}),
    ];
    let head = |choices: Value, usage: Value| json!({"id": "r1", "created": 7, "model": "m", "system_fingerprint": "fp", "choices": choices, "usage": usage, "obfuscation": "xYz"});
    let mut chunks: Vec<Value> = deltas
        .into_iter()
        .map(|delta| head(json!([{"index": 0, "delta": delta, "finish_reason": null}]), Value::Null))
        .collect();
    chunks.push(head(json!([{"index": 0, "delta": {}, "finish_reason": "tool_calls"}]), Value::Null));
    chunks.push(head(json!([]), usage));
    (whole, chunks)
}

#[test]
fn a_streamed_answer_is_the_whole_one() {
    let (unary, chunks) = both_ways();
    let unary = whole(200, &unary.to_string()).expect("whole");
    // A detail that never came is missing, not null; the two are one thing.
    let drop_null =
        |answer: &ChatResponse| serde_json::to_string(answer).expect("plain data").replace("\"signature\":null,", "");
    let streamed = stream(&events(&chunks)).expect("whole");
    assert_eq!(drop_null(&streamed), drop_null(&unary));
    assert_eq!(unary.reasoning().as_deref(), Some("Hm, yes."));
    assert_eq!(unary.parts.len(), 5, "{:?}", unary.parts);
    assert_eq!(unary.meta.get(NAME, "created"), Some(&json!(7)));
}

#[test]
fn every_cut_reads_the_same() {
    let (_, chunks) = both_ways();
    let body = Bytes::from(events(&chunks).replace("data: {", ": ping\r\n\r\ndata:{"));
    let expected = stream(std::str::from_utf8(&body).expect("text")).expect("whole");
    for cut in 0..=body.len() {
        let (mut framer, mut decoder, mut sink) = (Framer::new(Framing::Sse), OpenAiChat.decoder(), Sink::whole());
        for piece in [body.slice(..cut), body.slice(cut..)] {
            framer.push(piece);
            while let Some(frame) = framer.next().expect("frames") {
                decoder.frame(frame, &mut sink).expect("chunks");
            }
        }
        assert!(sink.has_ended());
        assert_eq!(sink.into_response(), expected, "cut at {cut}");
    }
}

#[test]
fn the_shortcut_reads_what_the_parser_reads() {
    let chunk = |content: &str, tail: &str| {
        format!("data: {{\"choices\":[{{\"index\":0,\"delta\":{{\"content\":{content}}}}}]{tail}}}\n\n")
    };
    let pad = ",\"obfuscation\":\"aB3\"";
    let cases = [
        [chunk("\"a\"", ""), chunk("\"b\"", ""), chunk("\"\"", ""), chunk("\"\\u00e9\\n\"", ""), chunk("\"c\"", "")],
        [
            chunk("\"a\"", pad),
            chunk("\"b\"", ",\"obfuscation\":\"\""),
            chunk("\"\"", pad),
            chunk("\"é\"", pad),
            chunk("\"c\"", ""),
        ],
        [
            chunk("\"a\"", pad),
            chunk("null", pad),
            chunk("\"b\"", ",\"obfuscation\":\"x\",\"usage\":{\"prompt_tokens\":3}"),
            chunk("[]", pad),
            chunk("\"c\"", pad),
        ],
    ];
    for (case, text) in cases.iter().zip(["abé\nc", "abéc", "abc"]) {
        let answer = stream(&(case.concat() + "data: [DONE]\n\n")).expect("whole");
        assert_eq!(answer.text(), text);
        assert_eq!(answer.usage.input, (text == "abc").then_some(3));
    }
    // A line break may not stand in a string.
    let broken = chunk("\"a\"", "") + &chunk("\"\u{1}\"", "");
    assert_eq!(stream(&broken).expect_err("no JSON").kind(), ErrorKind::Decode);
}

/// The events of an answer, as a service tells them.
fn told(answer: &ChatResponse) -> Vec<Event> {
    let mut events = vec![Event::Start { id: answer.id.clone(), model: answer.model.clone() }];
    let mut index = 0;
    for part in &answer.parts {
        let end = |signature: Option<String>| Event::PartEnd { signature, meta: part.meta.clone() };
        match &part.content {
            Content::Text { text } => events.extend([Event::Text(text.clone()), end(None)]),
            Content::Reasoning(r) if r.encrypted.is_none() => {
                events.extend([Event::Reasoning(r.text.clone()), end(r.signature.clone())]);
            }
            Content::ToolCall(call) => {
                events.push(Event::ToolStart { index, id: call.id.clone(), name: call.name.clone() });
                events.push(Event::ToolArguments { index, fragment: call.arguments.clone() });
                events.push(Event::ToolEnd { index, call: call.clone(), meta: part.meta.clone() });
                index += 1;
            }
            _ => events.push(Event::Part(part.clone().into())),
        }
    }
    events.extend([Event::Usage(answer.usage.clone().into()), Event::Done(Box::new(answer.clone()))]);
    events
}

fn written(events: &[Event], request: &ChatRequest) -> String {
    let (mut encoder, mut out) = (OpenAiChat.encoder(request), Vec::new());
    for event in events {
        encoder.event(event, &mut out);
    }
    assert_eq!(encoder.losses(), []);
    String::from_utf8(out).expect("text")
}

#[test]
fn what_is_answered_is_read_back() {
    let (unary, _) = both_ways();
    let answer = whole(200, &unary.to_string()).expect("whole");
    let responded = OpenAiChat.respond(&answer, &ChatRequest::default());
    assert_eq!(responded.losses, []);
    let (status, headers) = (StatusCode::OK, HeaderMap::new());
    let back = OpenAiChat.decode(Answer { status, headers: &headers, body: &responded.body }).expect("our own");
    assert_eq!(back, answer);

    let plain = stream(&written(&told(&answer), &ChatRequest::default())).expect("our own");
    assert_eq!((plain.text(), plain.reasoning()), (answer.text(), answer.reasoning()));
    assert!(plain.tool_calls().eq(answer.tool_calls()));
    assert!(plain.usage.is_unknown(), "usage comes only where it was asked for");
    let asked = ChatRequest::default().option(NAME, "stream_options", json!({"include_usage": true}));
    assert_eq!(stream(&written(&told(&answer), &asked)).expect("our own").usage, answer.usage);
}

#[test]
fn answers_have_the_shape_that_clients_expect() {
    let mut answer = ChatResponse::default();
    answer.parts = vec![Part::tool_call("c", "f", "{}")];
    answer.finish = Finish::new(FinishReason::ToolCalls);
    let body = OpenAiChat.respond(&answer, &ChatRequest::default()).body;
    let expected = r#"{"id":"chatcmpl-sabir","object":"chat.completion","created":0,"model":"","choices":[{"index":0,"message":{"role":"assistant","content":null,"refusal":null,"tool_calls":[{"id":"c","type":"function","function":{"name":"f","arguments":"{}"}}]},"logprobs":null,"finish_reason":"tool_calls"}]}"#;
    assert_eq!(body, expected);
    let chunks = written(
        &[Event::Start { id: "a".into(), model: "m".into() }, Event::Text("h\"".into()), Event::Done(Box::default())],
        &ChatRequest::default(),
    );
    let head =
        r#"data: {"id":"a","object":"chat.completion.chunk","created":0,"model":"m","choices":[{"index":0,"delta":"#;
    let expected = [
        r#"{"role":"assistant","content":""},"finish_reason":null}]}"#,
        r#"{"content":"h\""},"finish_reason":null}]}"#,
        r#"{},"finish_reason":"stop"}]}"#,
    ];
    assert_eq!(chunks, expected.map(|end| format!("{head}{end}\n\n")).concat() + "data: [DONE]\n\n");
}

#[test]
fn what_has_no_place_in_an_answer_is_said() {
    let mut answer = ChatResponse::default();
    answer.parts = vec![
        Content::ServerToolUse(ServerToolUse::default()).into(),
        Content::Opaque { dialect: "other".into(), json: json!({}) }.into(),
    ];
    let losses = OpenAiChat.respond(&answer, &ChatRequest::default()).losses;
    assert_eq!(losses.iter().map(|l| l.feature.clone()).collect::<Vec<_>>(), [Feature::ServerTools, Feature::Opaque]);
    let sealed = Reasoning { text: "t".into(), signature: Some("s".into()), ..Reasoning::default() };
    answer.parts = vec![Content::Reasoning(sealed).into()];
    let body: Value = serde_json::from_slice(&OpenAiChat.respond(&answer, &ChatRequest::default()).body).expect("JSON");
    assert_eq!(body["choices"][0]["message"]["reasoning_details"][0]["signature"], "s", "signatures are carried");
}

#[test]
fn errors_are_refused_in_openai_s_shape() {
    let (status, body) = OpenAiChat.refuse(&Error::new(ErrorKind::RateLimit, "slow down"));
    assert_eq!(status, 429);
    assert_eq!(
        body,
        r#"{"error":{"message":"slow down","type":"rate_limit_error","param":null,"code":"rate_limit_exceeded"}}"#
    );
    let read = whole(status.as_u16(), std::str::from_utf8(&body).expect("text")).expect_err("an error");
    assert_eq!((read.kind(), read.message()), (ErrorKind::RateLimit, "slow down"));
    let upstream = Error::new(ErrorKind::Overloaded, "full").with_status(StatusCode::from_u16(529).expect("a status"));
    assert_eq!(OpenAiChat.refuse(&upstream).0, 529);
    let (mut encoder, mut out) = (OpenAiChat.encoder(&ChatRequest::default()), Vec::new());
    encoder.error(&Error::new(ErrorKind::Truncated, "cut"), &mut out);
    let error = stream(std::str::from_utf8(&out).expect("text")).expect_err("an error");
    assert_eq!(error.message(), "cut");
}

#[test]
fn what_a_message_has_one_field_for_is_said_to_be_joined() {
    let refusal = |text: &str| Part::from(Content::Refusal { text: text.into() });
    let parts = vec![Part::text("a"), Part::reasoning("b"), Part::text("c"), refusal("d"), refusal("e")];
    let mut response = ChatResponse::default();
    response.parts = parts;
    let losses = OpenAiChat.respond(&response, &ChatRequest::new("m")).losses;
    let of = |feature: &str| {
        let all = losses.iter().filter(|loss| loss.feature.as_str() == feature);
        all.map(|loss| loss.path.as_str()).collect::<Vec<_>>()
    };
    assert_eq!(of("separate_texts"), ["parts[0]", "parts[2]", "parts[3]", "parts[4]"]);
    assert_eq!(of("order"), ["parts[1]"]);
}
