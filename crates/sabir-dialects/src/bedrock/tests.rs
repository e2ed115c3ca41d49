use bytes::Bytes;
use http::{HeaderMap, HeaderValue, Method, StatusCode};
use sabir_core::chat::{
    CacheMark, ChatRequest, ChatResponse, Content, Document, Effort, Event, FinishReason, FunctionTool, Media, Message,
    Meta, Part, Reasoning, ReasoningRequest, Role, Source, Tool, ToolChoice,
};
use sabir_core::dialect::{Answer, Asked};
use sabir_core::drive::decode_whole;
use sabir_core::error::Result;
use sabir_core::frame::{Framer, Framing, event_stream};
use sabir_core::{Dialect, Endpoint, Error, ErrorKind, Sink};
use serde_json::{Value, json};

use super::{Bedrock, NAME};

mod requests;

const CLAUDE: &str = "us.anthropic.claude-sonnet-4-5-20250929-v1:0";

fn frame(event: &str, payload: &Value) -> Vec<u8> {
    let mut out = Vec::new();
    let kind = if event.ends_with("Exception") { "exception" } else { "event" };
    let name = if kind == "event" { ":event-type" } else { ":exception-type" };
    let headers = [(name, event), (":content-type", "application/json"), (":message-type", kind)];
    event_stream::write(&mut out, &headers, payload.to_string().as_bytes());
    out
}

fn frames(events: &[(&str, Value)]) -> Vec<u8> {
    events.iter().flat_map(|(event, payload)| frame(event, payload)).collect()
}

fn text(index: u64, text: &str) -> (&'static str, Value) {
    ("contentBlockDelta", json!({"contentBlockIndex": index, "delta": {"text": text}, "p": "abc"}))
}

fn delta(index: u64, delta: &Value) -> (&'static str, Value) {
    ("contentBlockDelta", json!({"contentBlockIndex": index, "delta": delta}))
}

fn start(index: u64, start: &Value) -> (&'static str, Value) {
    ("contentBlockStart", json!({"contentBlockIndex": index, "start": start}))
}

fn stop(index: u64) -> (&'static str, Value) {
    ("contentBlockStop", json!({"contentBlockIndex": index}))
}

fn end(reason: &str) -> (&'static str, Value) {
    ("messageStop", json!({"stopReason": reason, "p": "a"}))
}

fn usage() -> (&'static str, Value) {
    let usage = json!({"inputTokens": 3, "outputTokens": 5, "totalTokens": 8, "serverToolUsage": {}});
    ("metadata", json!({"usage": usage, "metrics": {"latencyMs": 7}, "p": "a"}))
}

fn streamed(body: &[u8]) -> Result<ChatResponse> {
    let stream = HeaderValue::from_static("application/vnd.amazon.eventstream");
    let headers = HeaderMap::from_iter([(http::header::CONTENT_TYPE, stream)]);
    decode_whole(&Bedrock, StatusCode::OK, &headers, body, true)
}

fn whole(body: &Value) -> Result<ChatResponse> {
    answered(StatusCode::OK, &[], body.to_string().as_bytes())
}

fn answered(status: StatusCode, headers: &[(&'static str, &'static str)], body: &[u8]) -> Result<ChatResponse> {
    let headers: HeaderMap =
        headers.iter().map(|(name, value)| (name.parse().unwrap(), HeaderValue::from_static(value))).collect();
    Bedrock.decode(Answer { status, headers: &headers, body })
}

fn encoded(request: &ChatRequest) -> (Value, Vec<String>) {
    let endpoint = Endpoint { base_url: "https://bedrock.test".into(), ..Endpoint::default() };
    let encoded = Bedrock.encode(request, &endpoint).unwrap();
    let losses = encoded.losses.iter().map(ToString::to_string).collect();
    (serde_json::from_slice(&encoded.body).unwrap(), losses)
}

fn accepted(path: &str, body: &Value) -> Result<ChatRequest> {
    let (headers, body) = (HeaderMap::new(), body.to_string());
    Bedrock.accept(Asked { method: &Method::POST, path, headers: &headers, body: body.as_bytes() })
}

/// Once round: what a client said, accepted and encoded again.
fn round(body: &Value) -> Value {
    let (again, losses) = encoded(&accepted(&format!("/model/{CLAUDE}/converse"), body).unwrap());
    assert_eq!(losses, Vec::<String>::new());
    again
}

/// An answer of every kind of block, streamed as the service does it: texts and thoughts without a start, citations
/// before and after their text, tools of the service's own.
fn everything() -> Vec<(&'static str, Value)> {
    let web = json!({"location": {"web": {"url": "https://ruby-lang.org/", "domain": "ruby-lang.org"}}});
    let page = json!({"title": "facts", "sourceContent": [{"text": "Quoted."}],
        "location": {"documentChar": {"documentIndex": 0, "start": 0, "end": 73}}});
    vec![
        ("messageStart", json!({"role": "assistant", "p": "abcd"})),
        delta(0, &json!({"reasoningContent": {"text": "Hm"}})),
        delta(0, &json!({"reasoningContent": {"text": "m."}})),
        delta(0, &json!({"reasoningContent": {"signature": "c2ln"}})),
        stop(0),
        delta(1, &json!({"reasoningContent": {"redactedContent": "c2VhbGVk"}})),
        stop(1),
        start(2, &json!({"toolUse": {"toolUseId": "s1", "name": "nova_grounding", "type": "server_tool_use"}})),
        delta(2, &json!({"toolUse": {"input": "{\"query\":"}})),
        delta(2, &json!({"toolUse": {"input": "\"x\"}"}})),
        stop(2),
        start(3, &json!({"toolResult": {"toolUseId": "s1", "status": "success", "type": "nova_grounding_result"}})),
        delta(3, &json!({"toolResult": [{"text": "[HIDDEN]"}]})),
        stop(3),
        delta(4, &json!({ "citation": page })),
        text(4, "It is "),
        text(4, ""),
        text(4, "so."),
        stop(4),
        delta(5, &json!({ "citation": web })),
        stop(5),
        text(6, "And more."),
        stop(6),
        start(7, &json!({"toolUse": {"toolUseId": "t1", "name": "add", "type": "tool_use"}})),
        delta(7, &json!({"toolUse": {"input": "{\"a\": 1.0"}})),
        delta(7, &json!({"toolUse": {"input": "}"}})),
        stop(7),
        start(8, &json!({"toolUse": {"toolUseId": "t2", "name": "now"}})),
        stop(8),
        start(9, &json!({"hologram": {"depth": 3}})),
        delta(9, &json!({"hologram": {"bytes": "AA"}})),
        stop(9),
        end("tool_use"),
        usage(),
    ]
}

fn everything_whole() -> Value {
    let web = json!({"location": {"web": {"url": "https://ruby-lang.org/", "domain": "ruby-lang.org"}}});
    let page = json!({"title": "facts", "sourceContent": [{"text": "Quoted."}],
        "location": {"documentChar": {"documentIndex": 0, "start": 0, "end": 73}}});
    let content = [
        r#"{"reasoningContent":{"reasoningText":{"text":"Hmm.","signature":"c2ln"}}}"#.to_owned(),
        r#"{"reasoningContent":{"redactedContent":"c2VhbGVk"}}"#.to_owned(),
        r#"{"toolUse":{"toolUseId":"s1","name":"nova_grounding","type":"server_tool_use","input":{"query":"x"}}}"#.into(),
        r#"{"toolResult":{"toolUseId":"s1","status":"success","type":"nova_grounding_result","content":[{"text":"[HIDDEN]"}]}}"#
            .into(),
        json!({"citationsContent": {"content": [{"text": "It is so."}], "citations": [page]}}).to_string(),
        json!({"citationsContent": {"citations": [web]}}).to_string(),
        r#"{"text":"And more."}"#.into(),
        r#"{"toolUse":{"toolUseId":"t1","name":"add","type":"tool_use","input":{"a": 1.0}}}"#.into(),
        r#"{"toolUse":{"toolUseId":"t2","name":"now","input":{}}}"#.into(),
        r#"{"hologram":{"depth":3,"bytes":"AA"}}"#.into(),
    ];
    let body = format!(
        r#"{{"output":{{"message":{{"role":"assistant","content":[{}]}}}},"stopReason":"tool_use","metrics":{{"latencyMs":7}},
        "usage":{{"inputTokens":3,"outputTokens":5,"totalTokens":8,"serverToolUsage":{{}}}}}}"#,
        content.join(",")
    );
    // Kept as text: the spelling of arguments must survive.
    Value::String(body)
}

fn whole_text(body: &Value) -> ChatResponse {
    answered(StatusCode::OK, &[], body.as_str().unwrap().as_bytes()).unwrap()
}

#[test]
fn a_stream_folds_into_what_the_whole_answer_says() {
    let whole = whole_text(&everything_whole());
    assert_eq!(streamed(&frames(&everything())).unwrap(), whole);
    assert_eq!(whole.text(), "It is so.And more.");
    assert_eq!(whole.reasoning().unwrap(), "Hmm.");
    let calls: Vec<_> = whole.tool_calls().map(|c| (&*c.id, &*c.name, &*c.arguments)).collect();
    assert_eq!(calls, [("t1", "add", "{\"a\": 1.0}"), ("t2", "now", "{}")]);
    assert_eq!((whole.usage.input, whole.usage.output, whole.usage.cache_read), (Some(3), Some(5), None));
    assert_eq!(whole.meta.get(NAME, "metrics"), Some(&json!({"latencyMs": 7})));
    assert!(whole.meta.get(NAME, "p").is_none(), "padding is nothing");
    let Content::Citation(citation) = &whole.parts[5].content else { panic!("{:?}", whole.parts[5]) };
    assert_eq!((citation.title.as_deref(), citation.quote.as_deref()), (Some("facts"), Some("Quoted.")));
    assert!(matches!(&whole.parts[2].content, Content::ServerToolUse(used) if used.input == "{\"query\":\"x\"}"));
    assert!(matches!(&whole.parts[10].content, Content::Opaque { json, .. } if json["hologram"]["bytes"] == "AA"));
}

#[test]
fn every_split_of_the_bytes_is_read_alike() {
    // Thoughts, a tool of the service's, and the end: each byte more is tried against all that is there.
    let (events, all) = (everything(), everything().len());
    let body = frames(&[&events[..11], &events[all - 8..]].concat());
    let expected = streamed(&body).unwrap();
    for cut in 0..=body.len() {
        let mut framer = Framer::new(Framing::EventStream);
        let (mut decoder, mut sink) = (Bedrock.decoder(), Sink::whole());
        for piece in [&body[..cut], &body[cut..]] {
            framer.push(Bytes::copy_from_slice(piece));
            while let Some(frame) = framer.next().unwrap() {
                decoder.frame(frame, &mut sink).unwrap();
            }
        }
        assert!(sink.has_ended());
        assert_eq!(sink.into_response(), expected, "cut at {cut}");
    }
}

#[test]
fn what_was_answered_is_told_on_as_it_came() {
    let response = whole_text(&everything_whole());
    let told = Bedrock.respond(&response, &ChatRequest::default());
    assert_eq!(told.losses, []);
    assert_eq!(answered(StatusCode::OK, &[], &told.body).unwrap(), response);
}

#[test]
fn the_end_is_the_metadata_or_the_end_of_the_body_after_the_stop() {
    let hello = [text(0, "Hi"), stop(0), end("end_turn")];
    let read = streamed(&frames(&hello)).unwrap();
    assert_eq!((read.text().as_str(), read.usage.input), ("Hi", None));
    let mut cut = streamed(&frames(&hello[..2])).unwrap_err();
    assert_eq!((cut.kind(), cut.take_partial().unwrap().text()), (ErrorKind::Truncated, "Hi".to_owned()));
    let half = frames(&[text(0, "Hi"), end("end_turn"), usage()]);
    assert_eq!(streamed(&half[..half.len() - 3]).unwrap_err().kind(), ErrorKind::Truncated);
    // Out of order, and without stops.
    let odd = streamed(&frames(&[usage(), text(0, "Hi"), text(1, "Ho"), end("end_turn")])).unwrap();
    assert_eq!((odd.parts.len(), odd.usage.output), (2, Some(5)));
}

#[test]
fn exceptions_end_a_stream_with_their_kind() {
    let kinds = [
        ("throttlingException", ErrorKind::RateLimit),
        ("serviceUnavailableException", ErrorKind::Overloaded),
        ("internalServerException", ErrorKind::Provider),
        ("modelStreamErrorException", ErrorKind::Provider),
        ("validationException", ErrorKind::InvalidRequest),
        ("moonriseException", ErrorKind::Provider),
    ];
    for (exception, kind) in kinds {
        let body = frames(&[text(0, "Hi"), (exception, json!({"message": "Sorry."}))]);
        let mut error = streamed(&body).unwrap_err();
        assert_eq!((error.kind(), error.message(), error.code()), (kind, "Sorry.", Some(exception)));
        assert_eq!(error.take_partial().unwrap().text(), "Hi");
    }
    let original = json!({"message": "Busy.", "originalStatusCode": 429});
    let error = streamed(&frame("modelStreamErrorException", &original)).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::RateLimit);
    let mut bare = Vec::new();
    event_stream::write(&mut bare, &[(":message-type", "error"), (":error-code", "InternalFailure")], b"");
    assert_eq!(streamed(&bare).unwrap_err().kind(), ErrorKind::Provider);
}

#[test]
fn errors_are_read_by_their_type() {
    let address = "ValidationException:http://internal.amazon.com/coral/com.amazon.bedrock/";
    let invalid = br#"{"message": "The provided model identifier is invalid."}"#;
    let error = answered(StatusCode::BAD_REQUEST, &[("x-amzn-errortype", address)], invalid).unwrap_err();
    assert_eq!((error.kind(), error.code()), (ErrorKind::NotFound, Some("ValidationException")));
    let cases: &[(u16, &str, &str, ErrorKind)] = &[
        (403, "UnrecognizedClientException", "bad token", ErrorKind::Authentication),
        (403, "com.amazon.coral.service#ExpiredTokenException", "old", ErrorKind::Authentication),
        (403, "AccessDeniedException", "no", ErrorKind::Permission),
        (404, "ResourceNotFoundException", "no", ErrorKind::NotFound),
        (429, "ThrottlingException", "Too many tokens, please wait", ErrorKind::RateLimit),
        (429, "ModelNotReadyException", "soon", ErrorKind::Overloaded),
        (408, "ModelTimeoutException", "slow", ErrorKind::Timeout),
        (424, "ModelErrorException", "oh", ErrorKind::Provider),
        (400, "ServiceQuotaExceededException", "enough", ErrorKind::Quota),
        (400, "ValidationException", "Input is too long for requested model.", ErrorKind::ContextTooLong),
        (400, "ValidationException", "messages: at least one", ErrorKind::InvalidRequest),
        (500, "InternalServerException", "oh", ErrorKind::Provider),
    ];
    for (status, kind_name, message, kind) in cases {
        let body = json!({"__type": kind_name, "Message": message}).to_string();
        let error = answered(StatusCode::from_u16(*status).unwrap(), &[], body.as_bytes()).unwrap_err();
        assert_eq!((error.kind(), error.message()), (*kind, *message), "{kind_name}");
    }
    let unknown = br#"{"Output":{"__type":"com.amazon.coral.service#UnknownOperationException"},"Version":"1.0"}"#;
    assert_eq!(answered(StatusCode::NOT_FOUND, &[], unknown).unwrap_err().kind(), ErrorKind::NotFound);
    let page = answered(StatusCode::BAD_GATEWAY, &[], b"<html>no</html>").unwrap_err();
    assert_eq!((page.kind(), page.status().unwrap().as_u16()), (ErrorKind::Provider, 502));
}

#[test]
fn what_is_no_answer_is_an_error() {
    for body in ["", "null", "[]", "3", "{", "{}", "<html></html>", r#"{"message":"no"}"#, r#"{"output":3}"#] {
        assert!(answered(StatusCode::OK, &[], body.as_bytes()).is_err(), "{body}");
    }
    let hostile = [
        frame("contentBlockDelta", &json!([])),
        frame("contentBlockDelta", &json!({"delta": {"text": {}}})),
        frame("metadata", &json!("x")),
        b"\xff\xff\xff\xff\x00\x00\x00\x00\xd0\xd0\xd0\xd0".to_vec(),
    ];
    for body in hostile {
        assert_eq!(streamed(&body).unwrap_err().kind(), ErrorKind::Decode);
    }
}

#[test]
fn damaged_frames_and_absurd_lengths_end_the_stream() {
    let first = frames(&[text(0, "Hi")]);
    let mut damaged = frames(&[text(0, "Hi"), end("end_turn"), usage()]);
    // In the payload, and in the checksum behind it.
    for at in [40, first.len() - 2] {
        damaged[at] ^= 1;
        assert_eq!(streamed(&damaged).unwrap_err().kind(), ErrorKind::Decode);
        damaged[at] ^= 1;
    }
    assert_eq!(streamed(&damaged).unwrap().text(), "Hi");
    // A head of 4 GiB whose own checksum is right: refused at once, with what had arrived.
    let endless = [&first[..], b"\xff\xff\xff\xff\x00\x00\x00\x00\xff\xff\xff\xff"].concat();
    let mut error = streamed(&endless).unwrap_err();
    assert_eq!((error.kind(), error.take_partial().unwrap().text()), (ErrorKind::Decode, "Hi".to_owned()));
    assert!(error.message().contains("limit"), "{error}");
}

#[test]
fn hostile_numbers_and_unknown_words_are_borne() {
    let events = [
        ("moonrise", json!({"x": 1})),
        text(u64::MAX, "Hi"),
        delta(9, &json!({"toolUse": {"input": "{}"}})),
        delta(11, &json!({"toolUse": null})),
        delta(12, &json!({"toolResult": [{"text": "?"}]})),
        stop(77),
        end("moonrise"),
        (
            "metadata",
            json!({"usage": {"inputTokens": -1, "outputTokens": "x", "new": 1}, "trace": {"promptRouter": {"invokedModelId": "m"}}}),
        ),
    ];
    let read = streamed(&frames(&events)).unwrap();
    assert_eq!((read.text().as_str(), read.model.as_str()), ("Hi", "m"));
    assert_eq!(read.finish.reason, FinishReason::Other("moonrise".into()));
    assert!(read.usage.input.is_none() && read.usage.output.is_none());
    assert_eq!(read.meta.get(NAME, "usage"), Some(&json!({"new": 1})));
    assert_eq!((read.tool_calls().count(), read.parts.len()), (1, 3), "a text, a call, a result of nobody's");
}

#[test]
fn cache_counters_are_disjoint_and_told_on() {
    let usage = json!({"inputTokens": 3, "outputTokens": 288, "totalTokens": 2365, "cacheReadInputTokenCount": 0,
        "cacheReadInputTokens": 0, "cacheWriteInputTokenCount": 2074, "cacheWriteInputTokens": 2074,
        "cacheDetails": [{"ttl": "1h", "inputTokens": 74}, {"ttl": "5m", "inputTokens": 2000}]});
    let body = json!({"output": {"message": {"role": "assistant", "content": []}}, "stopReason": "end_turn",
        "usage": usage, "metrics": {"latencyMs": 1}});
    let read = whole(&body).unwrap();
    let counted = &read.usage;
    assert_eq!((counted.cache_read, counted.cache_write, counted.cache_write_1h), (Some(0), Some(2000), Some(74)));
    assert_eq!(counted.input_total(), Some(2077));
    let told: Value = serde_json::from_slice(&Bedrock.respond(&read, &ChatRequest::default()).body).unwrap();
    assert_eq!(told["usage"]["totalTokens"], 2365);
    assert_eq!(whole(&told).unwrap().usage, read.usage);
}

#[test]
fn refusals_say_their_type_and_are_read_back() {
    let kinds = [
        (ErrorKind::Authentication, 403),
        (ErrorKind::RateLimit, 429),
        (ErrorKind::Quota, 400),
        (ErrorKind::ContextTooLong, 400),
        (ErrorKind::ContentFiltered, 400),
        (ErrorKind::Overloaded, 503),
        (ErrorKind::NotFound, 404),
    ];
    for (kind, expected) in kinds {
        let (status, body) = Bedrock.refuse(&Error::new(kind, "Sorry."));
        let read = answered(status, &[], &body).unwrap_err();
        assert_eq!((status.as_u16(), read.kind()), (expected, kind), "{read}");
        assert!(read.message().ends_with("Sorry."));
    }
}

#[test]
fn broken_arguments_are_told_as_text_whole_and_streamed() {
    let call = Part::tool_call("1", "f", r#"{"x":1"#);
    let mut response = ChatResponse::default();
    response.parts.push(call.clone());
    let responded = Bedrock.respond(&response, &ChatRequest::default());
    let body: Value = serde_json::from_slice(&responded.body).expect("JSON");
    assert_eq!(whole(&body).expect("an answer").parts, std::slice::from_ref(&call));
    let Content::ToolCall(told) = &call.content else { panic!("a call") };
    let (mut encoder, mut out) = (Bedrock.encoder(&ChatRequest::default()), Vec::new());
    let fragment = told.arguments.clone();
    for event in [
        Event::ToolStart { index: 0, id: "1".into(), name: "f".into() },
        Event::ToolArguments { index: 0, fragment },
        Event::ToolEnd { index: 0, call: told.clone(), meta: Meta::default() },
        Event::Done(Box::new(response)),
    ] {
        encoder.event(&event, &mut out);
    }
    assert_eq!(streamed(&out).expect("an answer").parts, [call]);
    for losses in [responded.losses, encoder.losses()] {
        assert!(losses.iter().any(|loss| loss.path == "parts[0]"), "{losses:?}");
    }
}
