use http::{HeaderMap, Method, StatusCode};
use sabir_core::chat::*;
use sabir_core::dialect::{Answer, Asked};
use sabir_core::drive::decode_whole;
use sabir_core::frame::{Framer, Framing};
use sabir_core::{Dialect, Endpoint, ErrorKind, Feature, Loss, Result, Sink};
use serde_json::{Value, json};

use super::{NAME, OpenAiResponses};

fn endpoint() -> Endpoint {
    Endpoint { base_url: "https://x.test/v1".into(), ..Endpoint::default() }
}

fn encoded(request: &ChatRequest) -> (Value, Vec<String>) {
    let encoded = OpenAiResponses.encode(request, &endpoint()).expect("encodable");
    assert_eq!(encoded.uri, "https://x.test/v1/responses");
    let losses = encoded.losses.iter().map(|loss| format!("{} {}", loss.feature, loss.path)).collect();
    (serde_json::from_slice(&encoded.body).expect("JSON"), losses)
}

fn accepted(body: &Value) -> Result<ChatRequest> {
    let body = body.to_string();
    let asked =
        Asked { method: &Method::POST, path: "/v1/responses", headers: &HeaderMap::new(), body: body.as_bytes() };
    OpenAiResponses.accept(asked)
}

fn unary(body: &Value) -> Result<ChatResponse> {
    let (status, headers) = (StatusCode::OK, &HeaderMap::new());
    OpenAiResponses.decode(Answer { status, headers, body: body.to_string().as_bytes() })
}

fn streamed(body: &str) -> Result<ChatResponse> {
    decode_whole(&OpenAiResponses, StatusCode::OK, &HeaderMap::new(), body.as_bytes(), true)
}

fn sse(events: &[Value]) -> String {
    events.iter().map(|event| format!("data: {event}\n\n")).collect::<Vec<_>>().concat()
}

fn answer(output: &Value) -> Value {
    json!({"id": "resp_1", "object": "response", "created_at": 7, "model": "m", "status": "completed", "output": output,
        "usage": {"input_tokens": 20, "input_tokens_details": {"cached_tokens": 5, "cache_write_tokens": 3},
            "output_tokens": 9, "output_tokens_details": {"reasoning_tokens": 4}, "total_tokens": 29}})
}

/// Items of every kind, each as OpenAI writes it.
fn items() -> Value {
    json!([
        {"type": "reasoning", "id": "rs_1", "summary": [{"type": "summary_text", "text": "One."},
            {"type": "summary_text", "text": "Two."}], "encrypted_content": "c2VhbA=="},
        {"type": "reasoning", "id": "rs_2", "summary": []},
        {"type": "message", "id": "msg_1", "status": "completed", "phase": "commentary", "role": "assistant", "content": [
            {"type": "output_text", "text": "First.", "annotations": [
                {"type": "url_citation", "url": "https://a.test/", "title": "A", "start_index": 0, "end_index": 5}]},
            {"type": "output_text", "text": "Second.", "annotations": []},
            {"type": "refusal", "refusal": "No more."}]},
        {"type": "web_search_call", "id": "ws_1", "status": "completed", "action": {"type": "search", "query": "sea"}},
        {"type": "code_interpreter_call", "id": "ci_1", "status": "completed", "code": "1+1", "container_id": "c",
            "outputs": [{"type": "logs", "logs": "2"}]},
        {"type": "mcp_call", "id": "mcp_1", "name": "roll", "server_label": "dice", "arguments": "{ \"n\": 1.0 }", "output": "4"},
        {"type": "image_generation_call", "id": "ig_1", "status": "completed", "result": "YWJj"},
        {"type": "computer_call", "id": "cu_1", "call_id": "call_0", "action": {"type": "screenshot"}, "status": "completed"},
        {"type": "function_call", "id": "fc_1", "status": "completed", "namespace": "n", "call_id": "call_1",
            "name": "add", "arguments": "{ \"b\": 1.0 }"},
        {"type": "custom_tool_call", "id": "ctc_1", "call_id": "call_2", "name": "shell", "input": "ls -l"},
    ])
}

#[test]
fn a_request_is_written_as_openai_wants_it() {
    let request = ChatRequest {
        stream: true,
        max_tokens: Some(100),
        user: Some("u-1".into()),
        cache_key: Some("k".into()),
        tool_choice: Some(ToolChoice::Named("add".into())),
        tools: vec![Tool::function("add", "Adds.", json!({"type": "object"}))],
        ..ChatRequest::new("gpt").system("Be brief.").user("Hi").effort(Effort::Low)
    };
    let request = request.response_format(ResponseFormat::Json).option(NAME, "reasoning", json!({"summary": "auto"}));
    let body = OpenAiResponses.encode(&request, &endpoint()).expect("encodable").body;
    let expected = concat!(
        r#"{"model":"gpt","instructions":"Be brief.","input":[{"role":"user","content":"Hi"}],"#,
        r#""tools":[{"type":"function","name":"add","description":"Adds.","parameters":{"type":"object"},"strict":null}],"#,
        r#""tool_choice":{"type":"function","name":"add"},"max_output_tokens":100,"#,
        r#""text":{"format":{"type":"json_object"}},"user":"u-1","prompt_cache_key":"k","stream":true,"#,
        r#""reasoning":{"effort":"low","summary":"auto"}}"#,
    );
    assert_eq!(String::from_utf8_lossy(&body), expected);
    let quirk = Endpoint { quirks: [("user_field", "safety_identifier")].into_iter().collect(), ..endpoint() };
    let body = OpenAiResponses.encode(&request, &quirk).expect("encodable").body;
    assert!(String::from_utf8_lossy(&body).contains(r#""safety_identifier":"u-1""#));
}

#[test]
fn what_was_written_is_read_as_it_was_meant() {
    let result = ToolResult {
        call_id: "call_1".into(),
        parts: vec!["Look:".into(), Part::image(Media::bytes(&b"png"[..], "image/png"))],
        ..ToolResult::default()
    };
    let document = |media, title: Option<&str>| Document { media, title: title.map(str::to_owned) };
    let request = ChatRequest::new("m")
        .message(Message::new(Role::Developer, [Part::text("Be kind.")]))
        .message(Message::new(
            Role::User,
            [
                Part::text("See:").cached(),
                Part::image(Media::url("https://a.test/a.png")).with_meta(NAME, "content", json!({"detail": "low"})),
                Part::image(Media::file_id("file_1")),
                Content::Document(document(Media::bytes(&b"%PDF"[..], "application/pdf"), Some("a.pdf"))).into(),
                Content::Document(document(Media::url("https://a.test/b.pdf"), None)).into(),
            ],
        ))
        .message(Message::new(Role::Assistant, [Part::text("I look."), Part::tool_call("call_1", "look", "{}")]))
        .message(Message::new(Role::Tool, [Content::ToolResult(result).into()]))
        .system("Be brief.")
        .user("So?")
        .option(NAME, "store", false)
        .option(NAME, "include", json!(["reasoning.encrypted_content"]));
    let (body, losses) = encoded(&request);
    assert_eq!(losses, Vec::<String>::new());
    assert_eq!(accepted(&body).expect("acceptable"), request);

    // A leading system message that was an item does not become `instructions`.
    let body =
        json!({"model": "m", "input": [{"role": "system", "content": "Be brief."}, {"role": "user", "content": "Hi"}]});
    assert_eq!(encoded(&accepted(&body).expect("acceptable")).0, body);
    let plain = accepted(&json!({"model": "m", "input": "Hi", "instructions": "Be brief."})).expect("acceptable");
    assert_eq!(plain, ChatRequest::new("m").system("Be brief.").user("Hi"));
}

#[test]
fn items_go_back_as_they_came() {
    let response = unary(&answer(&items())).expect("an answer");
    let request = ChatRequest { messages: vec![response.to_message()], ..ChatRequest::new("m") };
    let (body, losses) = encoded(&request);
    assert_eq!(losses, Vec::<String>::new());
    assert_eq!(body["input"], items());
    assert_eq!(accepted(&body).expect("acceptable").messages[0].parts, response.parts);
    let (answered, losses) = super::response::body(&response, &ChatRequest::default());
    assert_eq!((&answered["output"], losses.0), (&items(), Vec::new()));

    let calls: Vec<_> = response.tool_calls().map(|call| (call.id.as_str(), call.arguments.as_str())).collect();
    assert_eq!(calls, [("call_1", "{ \"b\": 1.0 }"), ("call_2", "ls -l")], "the provider's own tools are no calls");
    assert_eq!(response.text(), "First.Second.");
    assert_eq!(response.reasoning().as_deref(), Some("One.Two."));
    assert_eq!(response.refusal(), Some("No more."));
    assert!(matches!(&response.parts[2].content, Content::Reasoning(r) if r.encrypted.as_deref() == Some("c2VhbA==")));
    let usage = &response.usage;
    assert_eq!((usage.input, usage.cache_read, usage.cache_write), (Some(12), Some(5), Some(3)));
    assert_eq!((usage.output, usage.reasoning), (Some(5), Some(4)));

    // The result of a custom tool's call is an item of its own kind.
    let request = request.message(Message::tool_result("call_2", "a b"));
    let last = json!({"type": "custom_tool_call_output", "call_id": "call_2", "output": "a b"});
    assert_eq!(encoded(&request).0["input"][10], last);
}

/// The stream that tells an answer, as OpenAI does it: deltas for text, thoughts and calls, the rest whole.
fn stream_of(answer: &Value, with_output: bool) -> String {
    let list = |item: &Value, field: &str| item[field].as_array().cloned().unwrap_or_default();
    let begun = json!({"id": answer["id"], "model": answer["model"], "status": "in_progress", "output": []});
    let mut events = vec![json!({"type": "response.created", "response": begun})];
    for (at, item) in list(answer, "output").into_iter().enumerate() {
        events.push(json!({"type": "response.output_item.added", "output_index": at, "item": item}));
        let mut deltas = Vec::new();
        for (n, piece) in list(&item, "summary").iter().enumerate() {
            deltas.push(("reasoning_summary_text", "summary_index", n, piece["text"].clone()));
        }
        let kind = if item["type"] == "reasoning" { "reasoning_text" } else { "output_text" };
        for (n, piece) in list(&item, "content").iter().enumerate() {
            // Some servers count on from item to item.
            deltas.push((kind, "content_index", n + at, piece["text"].clone()));
        }
        deltas.push(("function_call_arguments", "content_index", 0, item["arguments"].clone()));
        deltas.push(("custom_tool_call_input", "content_index", 0, item["input"].clone()));
        for (kind, field, n, text) in deltas {
            for piece in text.as_str().unwrap_or_default().split_inclusive(['.', ' ']) {
                let kind = format!("response.{kind}.delta");
                let mut event = json!({"type": kind, "output_index": at, "delta": piece, "obfuscation": [1]});
                event[field] = n.into();
                events.push(event);
            }
            if let Some(piece) = item["content"].get(n.wrapping_sub(at)).filter(|_| kind == "output_text") {
                events.push(json!({"type": "response.content_part.done", "output_index": at, "part": piece}));
            }
        }
        events.push(json!({"type": "response.output_item.done", "output_index": at, "item": item}));
    }
    let mut ended = answer.clone();
    if !with_output {
        ended["output"] = json!([]);
    }
    events.push(json!({"type": "response.completed", "response": ended}));
    sse(&events)
}

#[test]
fn a_stream_is_the_unary_answer_however_it_is_cut() {
    let answer = answer(&items());
    let whole = unary(&answer).expect("an answer");
    let body = stream_of(&answer, true);
    assert_eq!(streamed(&body).expect("whole"), whole);
    assert_eq!(streamed(&stream_of(&answer, false)).expect("the items were all told"), whole);
    // Nothing but the last event is an answer too.
    let end = json!({"type": "response.completed", "response": answer});
    assert_eq!(streamed(&sse(&[end])).expect("whole"), whole);

    let few: Vec<Value> = [0, 2, 8].into_iter().map(|at| items()[at].clone()).collect();
    let answer = self::answer(&few.into());
    let (whole, body) = (unary(&answer).expect("an answer"), stream_of(&answer, false));
    for at in 0..=body.len() {
        let (mut framer, mut decoder) = (Framer::new(Framing::Sse), OpenAiResponses.decoder());
        let mut sink = Sink::whole();
        for piece in [&body.as_bytes()[..at], &body.as_bytes()[at..]] {
            framer.push(piece.to_vec().into());
            while let Some(frame) = framer.next().expect("frames") {
                decoder.frame(frame, &mut sink).expect("events");
            }
        }
        assert!(sink.has_ended());
        assert_eq!(sink.into_response(), whole, "cut at byte {at}");
    }
}

#[test]
fn endings_are_read() {
    let end = |status: &str, why: Value, output: Value| {
        let mut answer = answer(&output);
        (answer["status"], answer["incomplete_details"]) = (status.into(), why);
        let finish = unary(&answer).expect("an answer").finish;
        assert_eq!(finish.raw.as_deref(), Some(status));
        finish.reason
    };
    let call = json!([{"type": "function_call", "call_id": "c", "name": "f", "arguments": "{}"}]);
    assert_eq!(end("completed", Value::Null, json!([])), FinishReason::Stop);
    assert_eq!(end("completed", Value::Null, call.clone()), FinishReason::ToolCalls);
    assert_eq!(end("completed", Value::Null, items()), FinishReason::ContentFilter);
    assert_eq!(end("incomplete", json!({"reason": "max_output_tokens"}), call), FinishReason::Length);
    assert_eq!(end("incomplete", json!({"reason": "content_filter"}), json!([])), FinishReason::ContentFilter);
    assert_eq!(end("incomplete", json!({"reason": "moonrise"}), json!([])), FinishReason::Other("moonrise".into()));
    assert_eq!(end("queued", Value::Null, json!([])), FinishReason::Other("queued".into()));
}

#[test]
fn failures_are_errors_with_what_had_arrived() {
    let error = json!({"code": "rate_limit_exceeded", "message": "Slow down. Try again in 2s."});
    let failed = json!({"id": "r", "model": "m", "status": "failed", "output": [], "error": error});
    let delta = json!({"type": "response.output_text.delta", "output_index": 0, "content_index": 0, "delta": "Hel"});
    let bodies = [
        json!({"type": "response.failed", "response": failed}),
        json!({"type": "error", "code": "rate_limit_exceeded", "message": "Slow down. Try again in 2s.", "param": null}),
        json!({"type": "error", "error": error}),
        json!({ "error": error }),
    ];
    for body in bodies {
        let told = streamed(&sse(&[delta.clone(), body])).expect_err("a failure");
        assert_eq!((told.kind(), told.code()), (ErrorKind::RateLimit, Some("rate_limit_exceeded")));
        assert_eq!(told.message(), "Slow down. Try again in 2s.");
        assert_eq!(told.partial().map(ChatResponse::text).as_deref(), Some("Hel"));
    }
    let told = unary(&failed).expect_err("a failure");
    assert_eq!((told.kind(), told.partial().map(|p| p.id.as_str())), (ErrorKind::RateLimit, Some("r")));
    let silent = unary(&json!({"status": "failed", "output": []})).expect_err("a failure");
    assert_eq!(silent.kind(), ErrorKind::Provider);
}

#[test]
fn what_no_server_should_send() {
    let text = r#"{"type":"response.output_text.delta","output_index":4000000000,"delta":"x"}"#;
    let done = r#"{"type":"response.completed","response":{"id":"r","status":"completed","output":[]}}"#;
    let cases = [
        ("", ErrorKind::Truncated),
        ("data: {\"type\":\"response.created\"}\n\n", ErrorKind::Truncated),
        ("data: [DONE]\n\n", ErrorKind::Truncated),
        ("data: []\n\n", ErrorKind::Decode),
        ("data: 42\n\n", ErrorKind::Decode),
        ("data: {\"type\":\n\n", ErrorKind::Decode),
        ("data: {\"type\":\"response.completed\"}\n\n", ErrorKind::Decode),
        ("event: error\ndata: busy\n\n", ErrorKind::Provider),
    ];
    for (body, kind) in cases {
        assert_eq!(streamed(body).expect_err(body).kind(), kind, "{body}");
    }
    let cut = streamed(&format!("data: {text}\n\n")).expect_err("cut");
    assert_eq!((cut.kind(), cut.partial().expect("kept").text().as_str()), (ErrorKind::Truncated, "x"));
    let whole =
        streamed(&format!(": hello\r\n\r\ndata: {text}\r\n\r\nevent: x\r\ndata: {done}\r\n\r\ndata: [DONE]\r\n\r\n"));
    assert_eq!(whole.expect("whole").text(), "x");
    for part in ["[]", "7", "\"x\"", "null"] {
        let odd = format!(r#"{{"type":"response.content_part.done","output_index":4000000000,"part":{part}}}"#);
        let whole = streamed(&format!("data: {text}\n\ndata: {odd}\n\ndata: {done}\n\n"));
        assert_eq!(whole.expect("whole").text(), "x", "a part that is {part}");
    }

    for body in ["", "null", "[]", "42", "{\"id\":", "<html>502</html>"] {
        let answer = Answer { status: StatusCode::OK, headers: &HeaderMap::new(), body: body.as_bytes() };
        assert_eq!(OpenAiResponses.decode(answer).expect_err(body).kind(), ErrorKind::Decode, "{body}");
    }
    let odd = json!([1, null, {"type": 7}, {"type": "moon", "x": 1}, {"type": "message", "content": [null, {"type": "moon"}]},
        {"type": "function_call", "arguments": {"a": 1.0}}, {"type": "reasoning", "summary": "no", "content": {}}]);
    let odd = unary(&answer(&odd)).expect("an answer");
    let call = odd.tool_calls().next().expect("a call");
    assert_eq!((call.id.as_str(), call.arguments.as_str()), ("call_0", r#"{"a":1.0}"#));
    assert_eq!(odd.parts.len(), 4, "{:?}", odd.parts);
}

#[test]
fn what_cannot_be_asked_or_carried_is_said() {
    let request = ChatRequest {
        top_k: Some(1),
        seed: Some(1),
        stop: vec!["x".into()],
        presence_penalty: Some(0.1),
        frequency_penalty: Some(0.1),
        ..ChatRequest::new("m").user("Hi").option("other", "x", 1)
    };
    let foreign = Content::Opaque { dialect: "other".into(), json: json!({}) };
    let thought = Content::Reasoning(Reasoning { text: "So.".into(), signature: Some("s".into()), encrypted: None });
    let sound = Content::Audio(Media::bytes(&b"wav"[..], "audio/wav"));
    let request = request
        .message(Message::new(Role::Assistant, [foreign.into(), thought.into(), Part::text("Yes.")]))
        .message(Message::new(Role::User, [sound.into(), Part::text("And?")]));
    let expected = [
        "opaque messages[1].parts[0]",
        "signatures messages[1].parts[1]",
        "audio messages[2].parts[0]",
        "top_k top_k",
        "stop stop",
        "seed seed",
        "presence_penalty presence_penalty",
        "frequency_penalty frequency_penalty",
        "options options.other",
    ];
    assert_eq!(encoded(&request).1, expected);
    for body in [json!({}), json!({"input": 7}), json!({"input": [7]}), json!({"input": [{"content": "secret"}]})] {
        let error = accepted(&body).expect_err("refused");
        assert_eq!(error.kind(), ErrorKind::InvalidRequest);
        assert!(error.message().contains("input") && !error.message().contains("secret"), "{error}");
    }
    let error = accepted(&json!({"input": [{"type": "function_call_output"}]})).expect_err("refused");
    assert!(error.message().contains("input[0].call_id"), "{error}");
}

#[test]
fn thoughts_pass_through_a_server_of_ours() {
    let thought = Content::Reasoning(Reasoning { text: "So.".into(), signature: Some("s".into()), encrypted: None });
    let mut response = ChatResponse::default();
    response.parts = vec![thought.into(), Part::text("Yes.")];
    let body = super::response::body(&response, &ChatRequest::default()).0;
    // A client sends the items back; the ids are ours, and nobody upstream knows them.
    let request = accepted(&json!({"model": "m", "input": body["output"]})).expect("acceptable");
    assert_eq!(request.messages, [response.to_message()]);
}

#[test]
fn events_come_in_openais_order_and_are_counted() {
    let meta = |field: &str, value: Value| Meta::default().with(NAME, field, value);
    let part_end = |meta: Meta| Event::PartEnd { signature: None, meta };
    let call = ToolCall { id: "c".into(), name: "f".into(), arguments: "{}".into() };
    let cited = Citation { url: Some("https://a.test".into()), ..Citation::default() };
    let mut done = ChatResponse::default();
    done.id = "resp_1".into();
    let events = [
        Event::Start { id: "resp_1".into(), model: "m".into() },
        Event::Reasoning("Hm".into()),
        Event::Reasoning(".".into()),
        part_end(Meta::default()),
        Event::Text("A".into()),
        part_end(meta("form", json!({"continues": true}))),
        Event::Part(Box::new(Content::Citation(cited).into())),
        Event::Text("B".into()),
        part_end(meta("item", json!({"phase": "final_answer"}))),
        Event::ToolStart { index: 0, id: "c".into(), name: "f".into() },
        Event::ToolArguments { index: 0, fragment: "{}".into() },
        Event::ToolEnd { index: 0, call, meta: Meta::default() },
        Event::Done(Box::new(done)),
    ];
    let (mut encoder, mut out) = (OpenAiResponses.encoder(&ChatRequest::default()), Vec::new());
    for event in &events {
        encoder.event(event, &mut out);
    }
    let out = String::from_utf8(out).expect("text");
    let data: Vec<Value> = out
        .lines()
        .filter_map(|line| line.strip_prefix("data: "))
        .map(|d| serde_json::from_str(d).expect("JSON"))
        .collect();
    let kinds: Vec<_> =
        data.iter().map(|event| event["type"].as_str().expect("a type").trim_start_matches("response.")).collect();
    let expected = "created in_progress \
        output_item.added reasoning_summary_part.added reasoning_summary_text.delta reasoning_summary_text.delta \
        reasoning_summary_text.done reasoning_summary_part.done output_item.done \
        output_item.added content_part.added output_text.delta output_text.annotation.added output_text.done \
        content_part.done content_part.added output_text.delta output_text.done content_part.done output_item.done \
        output_item.added function_call_arguments.delta function_call_arguments.done output_item.done completed";
    assert_eq!(kinds, expected.split_whitespace().collect::<Vec<_>>());
    assert!(data.iter().enumerate().all(|(n, event)| event["sequence_number"] == n));
    assert!(out.lines().filter(|line| line.starts_with("event: ")).count() == data.len());
    let annotation = json!({"type": "url_citation", "url": "https://a.test", "title": "https://a.test",
        "start_index": 0, "end_index": 0});
    let message = json!({"type": "message", "id": "msg_sabir1", "status": "completed", "phase": "final_answer",
        "role": "assistant", "content": [{"type": "output_text", "text": "A", "annotations": [annotation]},
            {"type": "output_text", "text": "B", "annotations": []}]});
    assert_eq!(data[19]["item"], message);
    assert_eq!(data[19]["output_index"], 1);
}

#[test]
fn what_an_answer_cannot_hold_is_said() {
    let cited = Citation { url: Some("https://a.test".into()), quote: Some("q".into()), ..Citation::default() };
    let mut response = ChatResponse::default();
    response.parts = vec![Part::text("A"), Content::Citation(cited).into()];
    response.parts.push(Content::Refusal { text: "No more.".into() }.into());
    response.finish = Finish { stop_sequence: Some("END".into()), ..Finish::new(FinishReason::Stop) };
    let lost = |losses: &[Loss]| losses.iter().map(|loss| loss.path.clone()).collect::<Vec<_>>();
    let (body, losses) = super::response::body(&response, &ChatRequest::default());
    assert_eq!(lost(&losses.0), ["parts[1].quote", "finish.stop_sequence", "finish"]);
    let read = unary(&body).expect("an answer");
    assert!(matches!(&read.parts[1].content, Content::Citation(c) if c.title.is_none()), "the address is no title");
    assert_eq!(read.parts[2].meta.form(NAME, "item").expect("form")["status"], "completed");
    assert!(read.parts.iter().all(|part| part.meta.get(NAME, "item").is_none()), "{:?}", read.parts);
    // Citations of this dialect go as they came, with nothing made up.
    let mut bare = answer(&items());
    let own = json!([{"type": "url_citation", "url": "https://a.test"}]);
    bare["output"] =
        json!([{"type": "message", "content": [{"type": "output_text", "text": "A", "annotations": own}]}]);
    let (body, _) = super::response::body(&unary(&bare).expect("an answer"), &ChatRequest::default());
    assert_eq!(body["output"][0]["content"][0]["annotations"], own);

    let typed = Media { mime: Some("image/png".into()), ..Media::url("https://a.test/a") };
    let request = ChatRequest::new("m").message(Message::new(Role::User, [Part::image(typed)]));
    assert_eq!(encoded(&request).1, ["media_urls messages[0].parts[0].mime"]);
    // A schema without a name gets one, which is none when it is read.
    let (name, schema) = (String::new(), json!({"type": "object"}));
    let format = ResponseFormat::JsonSchema { name, schema, description: None, strict: None };
    let request = ChatRequest::new("m").user("Hi").response_format(format);
    assert_eq!(accepted(&encoded(&request).0).expect("acceptable"), request);
}

#[test]
fn unknown_counters_are_said_and_too_large_ones_left_out() {
    let mut response = ChatResponse::default();
    (response.usage.input, response.usage.output) = (Some(3), Some(2));
    let (body, losses) = super::response::body(&response, &ChatRequest::default());
    assert_eq!(body["usage"]["input_tokens_details"], json!({"cached_tokens": 0}));
    assert!(losses.0.iter().all(|loss| loss.feature == Feature::Usage) && losses.0.len() == 2, "{losses:?}");
    let mut odd = answer(&json!([]));
    odd["usage"]["input_tokens_details"]["cached_tokens"] = json!(1000);
    let odd = unary(&odd).expect("an answer");
    assert_eq!((odd.usage.cache_read, odd.usage.input_total()), (Some(1000), Some(20)), "the total is what is billed");
    assert_eq!(unary(&json!({"output": []})).expect("an answer").usage, Usage::default());
}
