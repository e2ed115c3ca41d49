//! Both faces on bodies that Google sends and its clients write, and on what nobody should.

use http::header::{CONTENT_TYPE, HeaderMap, HeaderValue};
use http::{Method, StatusCode};
use sabir_core::chat::{
    ChatRequest, ChatResponse, Content, Effort, Event, FinishReason, Media, Message, Part, Role, Tool, ToolChoice,
};
use sabir_core::dialect::{Answer, Asked, Dialect};
use sabir_core::drive::client::decode_whole;
use sabir_core::{Endpoint, Error, ErrorKind, Feature, Quirks};
use serde_json::{Value, json};

use super::{Gemini, NAME};

fn headers(kind: &'static str) -> HeaderMap {
    HeaderMap::from_iter([(CONTENT_TYPE, HeaderValue::from_static(kind))])
}

fn decode(body: &str) -> Result<ChatResponse, Error> {
    let headers = headers("application/json; charset=UTF-8");
    let answer = Answer { status: StatusCode::OK, headers: &headers, body: body.as_bytes() };
    Gemini.decode(answer)
}

fn stream(body: &str) -> Result<ChatResponse, Error> {
    decode_whole(&Gemini, StatusCode::OK, &headers("text/event-stream"), body.as_bytes(), true)
}

fn array(body: &str) -> Result<ChatResponse, Error> {
    decode_whole(&Gemini, StatusCode::OK, &headers("application/json"), body.as_bytes(), true)
}

fn sse(chunks: &[Value]) -> String {
    chunks.iter().fold(String::new(), |body, chunk| body + "data: " + &chunk.to_string() + "\r\n\r\n")
}

fn chunk(parts: &Value) -> Value {
    json!({"candidates": [{"content": {"parts": parts, "role": "model"}, "index": 0}], "responseId": "r1", "modelVersion": "gemini-x"})
}

fn last(parts: &Value) -> Value {
    let mut chunk = chunk(parts);
    chunk["candidates"][0]["finishReason"] = "STOP".into();
    chunk
}

fn signature(part: &Part) -> Option<&str> {
    part.meta.get(NAME, "thoughtSignature").and_then(Value::as_str)
}

fn endpoint() -> Endpoint {
    Endpoint { base_url: "https://generativelanguage.googleapis.com/v1beta".into(), ..Endpoint::default() }
}

fn encode(request: &ChatRequest) -> (String, Value, Vec<Feature>) {
    let encoded = Gemini.encode(request, &endpoint()).expect("expressible");
    let body = serde_json::from_slice(&encoded.body).expect("JSON");
    let losses = encoded.losses.into_iter().map(|loss| loss.feature).collect();
    (encoded.uri.path_and_query().expect("a path").to_string(), body, losses)
}

fn accept(path: &str, body: &str) -> Result<ChatRequest, Error> {
    let headers = HeaderMap::new();
    Gemini.accept(Asked { method: &Method::POST, path, headers: &headers, body: body.as_bytes() })
}

/// An answer with everything at once: a thought, a text, two calls, one without an id, and counters.
fn rich() -> Vec<Value> {
    vec![
        chunk(&json!([{"text": "Let me ", "thought": true}])),
        chunk(&json!([{"text": "think.", "thought": true}])),
        chunk(&json!([{"text": "I lo"}])),
        chunk(&json!([{"text": "ok."}])),
        chunk(
            &json!([{"functionCall": {"name": "weather", "args": {"city": "Málaga", "n": 1.0}}, "thoughtSignature": "c2ln+/=="}]),
        ),
        chunk(&json!([{"functionCall": {"name": "clock", "args": {}, "id": "abc"}}])),
        json!({"candidates": [{"content": {"parts": [{"text": "", "thoughtSignature": "ZW5k"}], "role": "model"},
            "finishReason": "STOP", "index": 0, "safetyRatings": [{"category": "X"}]}],
            "usageMetadata": {"promptTokenCount": 100, "cachedContentTokenCount": 40, "candidatesTokenCount": 7,
                "thoughtsTokenCount": 5, "toolUsePromptTokenCount": 9, "totalTokenCount": 121, "serviceTier": "standard",
                "promptTokensDetails": [{"modality": "TEXT", "tokenCount": 80}, {"modality": "AUDIO", "tokenCount": 20}]},
            "modelVersion": "gemini-x", "responseId": "r1", "createTime": "2026-11-01T00:00:00Z"}),
    ]
}

#[test]
fn an_answer_is_read_whole_streamed_and_as_a_list() {
    let streamed = stream(&sse(&rich())).expect("whole");
    let mut parts = streamed.parts.iter();
    assert_eq!(parts.next(), Some(&Part::reasoning("Let me think.")));
    assert_eq!(parts.next(), Some(&Part::text("I look.")));
    let calls: Vec<_> = streamed.tool_calls().map(|c| (c.id.as_str(), c.name.as_str(), c.arguments.as_str())).collect();
    let expected = [("call_gemini_r1_0", "weather", r#"{"city":"Málaga","n":1.0}"#), ("abc", "clock", "{}")];
    assert_eq!(calls, expected);
    assert_eq!(signature(parts.next().expect("a call")), Some("c2ln+/=="));
    assert_eq!(parts.nth(1).map(|part| (part.as_text(), signature(part))), Some((Some(""), Some("ZW5k"))));
    assert_eq!((&streamed.finish.reason, streamed.finish.raw.as_deref()), (&FinishReason::ToolCalls, Some("STOP")));
    let usage = &streamed.usage;
    assert_eq!((usage.input, usage.cache_read, usage.audio_input), (Some(40), Some(40), Some(20)));
    assert_eq!((usage.output, usage.reasoning, usage.input_total()), (Some(7), Some(5), Some(100)));
    assert_eq!(usage.tools["toolUsePromptTokenCount"], 9);
    let kept = streamed.meta.of(NAME).expect("kept");
    assert_eq!(kept["safetyRatings"], json!([{"category": "X"}]));
    assert_eq!(kept["response"], json!({"createTime": "2026-11-01T00:00:00Z"}));
    assert_eq!(kept["usageMetadata"], json!({"serviceTier": "standard"}));

    let list = Value::from(rich()).to_string();
    assert_eq!(array(&list).expect("whole"), streamed);
    assert_eq!(decode(&list).expect("a list is read where one object was awaited"), streamed);
    let mut whole = rich().pop().expect("the last");
    whole["candidates"][0]["content"]["parts"] = json!([
        {"text": "Let me think.", "thought": true}, {"text": "I look."},
        {"functionCall": {"name": "weather", "args": {"city": "Málaga", "n": 1.0}}, "thoughtSignature": "c2ln+/=="},
        {"functionCall": {"name": "clock", "args": {}, "id": "abc"}}, {"text": "", "thoughtSignature": "ZW5k"},
    ]);
    assert_eq!(decode(&whole.to_string()).expect("whole"), streamed);
}

/// The events that tell an answer.
fn events(response: &ChatResponse) -> Vec<Event> {
    let mut events = vec![Event::Start { id: response.id.clone(), model: response.model.clone() }];
    let mut index = 0;
    for part in &response.parts {
        let meta = part.meta.clone();
        match &part.content {
            Content::Text { text } if !text.is_empty() => {
                events.extend([Event::Text(text.clone()), Event::PartEnd { signature: None, meta }]);
            }
            Content::Reasoning(thought) => {
                let signature = thought.signature.clone();
                events.extend([Event::Reasoning(thought.text.clone()), Event::PartEnd { signature, meta }]);
            }
            Content::ToolCall(call) => {
                events.push(Event::ToolStart { index, id: call.id.clone(), name: call.name.clone() });
                events.push(Event::ToolArguments { index, fragment: call.arguments.clone() });
                events.push(Event::ToolEnd { index, call: call.clone(), meta });
                index += 1;
            }
            _ => events.push(Event::Part(part.clone())),
        }
    }
    events.push(Event::Done(Box::new(response.clone())));
    events
}

#[test]
fn an_answer_goes_out_as_it_came_in() {
    let response = stream(&sse(&rich())).expect("whole");
    let asked = |alt: Option<&str>| {
        let request = ChatRequest { stream: true, ..ChatRequest::new("m").user("x") };
        alt.map_or(request.clone(), |alt| request.option(NAME, "alt", alt))
    };
    let responded = Gemini.respond(&response, &asked(None));
    assert_eq!(responded.losses, []);
    assert_eq!(decode(std::str::from_utf8(&responded.body).expect("text")).expect("whole"), response);
    for (alt, kind) in [(None, "text/event-stream"), (Some("json"), "application/json")] {
        let mut encoder = Gemini.encoder(&asked(alt));
        assert_eq!(encoder.content_type(), kind);
        let mut out = Vec::new();
        for event in events(&response) {
            encoder.event(&event, &mut out);
        }
        let text = String::from_utf8(out).expect("text");
        let read = if alt.is_some() { array(&text) } else { stream(&text) };
        assert_eq!(read.expect("whole"), response, "{text}");
        assert_eq!(encoder.losses(), []);
    }
}

#[test]
fn texts_in_one_chunk_are_apart_and_across_chunks_are_one() {
    let whole = decode(&last(&json!([{"text": "One."}, {"text": "Two."}])).to_string()).expect("whole");
    assert_eq!(whole.parts, [Part::text("One."), Part::text("Two.")]);
    let one = stream(&sse(&[chunk(&json!([{"text": "One."}])), last(&json!([{"text": "Two."}]))])).expect("whole");
    assert_eq!(one.parts, [Part::text("One.Two.")]);
    let mut encoder = Gemini.encoder(&ChatRequest::default());
    let mut out = Vec::new();
    let end = || Event::PartEnd { signature: None, meta: sabir_core::chat::Meta::default() };
    for event in [Event::Text("One.".into()), end(), Event::Text("Two.".into()), end(), Event::Done(Box::default())] {
        encoder.event(&event, &mut out);
    }
    assert_eq!(stream(std::str::from_utf8(&out).expect("text")).expect("whole").parts, whole.parts);
}

#[test]
fn a_signature_stays_with_its_part() {
    let part = |parts: &Value| stream(&sse(&[chunk(&json!([{"text": "Hi"}])), last(parts)])).expect("whole").parts;
    let signed = part(&json!([{"text": "", "thoughtSignature": "QQ=="}]));
    assert_eq!(signed, [Part::text("Hi").with_meta(NAME, "thoughtSignature", "QQ==".into())]);
    let bare = part(&json!([{"thoughtSignature": "QQ=="}]));
    assert_eq!(bare, signed);
    let thought = part(&json!([{"text": "Hm", "thought": true, "thoughtSignature": "QQ=="}]));
    assert!(
        matches!(&thought[1].content, Content::Reasoning(r) if r.text == "Hm" && r.signature.as_deref() == Some("QQ=="))
    );
    // What follows a thought is no part of it.
    let parts = json!([{"text": "Hm", "thought": true}, {"text": "", "thoughtSignature": "QQ=="}]);
    let after = decode(&last(&parts).to_string()).expect("whole").parts;
    assert_eq!((signature(&after[0]), signature(&after[1])), (None, Some("QQ==")));

    let history = ChatRequest { model: "gemini-3-pro".into(), ..ChatRequest::default() }
        .user("x")
        .message(Message::new(Role::Assistant, [signed, thought].concat()));
    let (_, body, losses) = encode(&history);
    let expected = json!([{"text": "Hi", "thoughtSignature": "QQ=="}, {"text": "Hi"}, {"text": "Hm", "thought": true, "thoughtSignature": "QQ=="}]);
    assert_eq!((&body["contents"][1]["parts"], losses), (&expected, vec![]));
    // Another provider's signature is kept from Google, and its calls are let pass.
    let foreign = Content::Reasoning(sabir_core::chat::Reasoning {
        text: "Hm".into(),
        signature: Some("x".into()),
        encrypted: None,
    });
    let history = ChatRequest::new("gemini-3-pro").user("x").message(Message::new(
        Role::Assistant,
        [foreign.into(), Part::tool_call("c1", "f", "{}"), Part::tool_call("c2", "f", "{}")],
    ));
    let (_, body, losses) = encode(&history);
    let expected = json!([{"text": "Hm", "thought": true},
        {"functionCall": {"id": "c1", "name": "f", "args": {}}, "thoughtSignature": "skip_thought_signature_validator"},
        {"functionCall": {"id": "c2", "name": "f", "args": {}}}]);
    assert_eq!((&body["contents"][1]["parts"], losses), (&expected, vec![Feature::Signatures]));
}

#[test]
fn arguments_in_parts_are_put_together() {
    let call = |call: Value| chunk(&json!([{ "functionCall": call }]));
    let piece = |text: &str, more: bool| json!({"jsonPath": "$.city", "stringValue": text, "willContinue": more});
    let chunks = [
        call(json!({"name": "weather", "willContinue": true})),
        call(json!({"partialArgs": [piece("Má", true)], "willContinue": true})),
        call(
            json!({"partialArgs": [piece("laga", false), {"jsonPath": "$.days", "numberValue": 2}], "willContinue": true}),
        ),
        call(json!({})),
        // A new name ends the call before it.
        call(json!({"name": "a", "partialArgs": [{"jsonPath": "$.x", "boolValue": true}], "willContinue": true})),
        call(json!({"name": "b", "args": {"y": 1}})),
        last(&json!([])),
    ];
    let response = stream(&sse(&chunks)).expect("whole");
    let calls: Vec<_> = response.tool_calls().map(|c| (c.name.as_str(), c.arguments.as_str())).collect();
    assert_eq!(calls, [("weather", r#"{"city":"Málaga","days":2}"#), ("a", r#"{"x":true}"#), ("b", r#"{"y":1}"#)]);
}

#[test]
fn odd_answers_are_read() {
    let blocked = json!({"promptFeedback": {"blockReason": "PROHIBITED_CONTENT"}, "usageMetadata": {"promptTokenCount": 5, "totalTokenCount": 5}});
    for read in [decode(&blocked.to_string()), stream(&sse(&[blocked]))] {
        let response = read.expect("an answer");
        assert_eq!((response.text().as_str(), &response.finish.reason), ("", &FinishReason::ContentFilter));
        assert_eq!(response.finish.raw.as_deref(), Some("PROHIBITED_CONTENT"));
        assert_eq!((response.usage.input_total(), response.usage.output_total()), (Some(5), Some(0)));
        let again = Gemini.respond(&response, &ChatRequest::default()).body;
        assert_eq!(decode(std::str::from_utf8(&again).expect("text")).expect("an answer"), response);
    }
    let numbers = json!({"candidates": [{"content": {"parts": [{"text": "Hi"}]}, "finishReason": 2}]});
    let response = decode(&numbers.to_string()).expect("an answer");
    assert_eq!((&response.finish.reason, response.finish.raw.as_deref()), (&FinishReason::Length, Some("2")));
    let odd = json!({"candidates": [{"content": {"role": "model"}, "finishReason": "MOONRISE", "index": null}, {"index": 1}], "x": 1});
    let response = decode(&odd.to_string()).expect("an answer");
    assert_eq!(response.finish.reason, FinishReason::Other("MOONRISE".into()));
    assert_eq!(response.losses.iter().map(|loss| &loss.feature).collect::<Vec<_>>(), [&Feature::Choices]);
    let parts = json!([{"inlineData": {"mimeType": "image/png", "data": "iVBORw0="}}, {"inlineData": {"data": "***"}},
        {"executableCode": {"language": "PYTHON", "code": "1"}}, {"codeExecutionResult": {"outcome": "OUTCOME_OK"}},
        {"hologram": {"x": 1}, "thoughtSignature": "QQ=="}, {"fileData": {"fileUri": "gs://b/v.mp4"}}, "text", null]);
    let response = decode(&last(&parts).to_string()).expect("an answer");
    assert_eq!(response.parts[0], Part::image(Media::bytes(&b"\x89PNG\r"[..], "image/png")));
    let opaque = |json| Part::from(Content::Opaque { dialect: NAME.into(), json });
    assert_eq!(response.parts[1], opaque(json!({"inlineData": {"data": "***"}})));
    assert!(matches!(&response.parts[2].content, Content::ServerToolUse(used) if used.name == "code_execution"));
    assert!(matches!(&response.parts[3].content, Content::ServerToolResult(r) if r.kind == "codeExecutionResult"));
    assert_eq!(response.parts[4], opaque(json!({"hologram": {"x": 1}, "thoughtSignature": "QQ=="})));
    assert!(matches!(&response.parts[5].content, Content::Video(media) if media.mime.is_none()));
    let history = ChatRequest::new("m").user("x").message(response.to_message());
    let (_, body, losses) = encode(&history);
    let mut expected = parts.as_array().expect("a list")[..6].to_vec();
    expected[5]["fileData"] = json!({"mimeType": "video/mp4", "fileUri": "gs://b/v.mp4"});
    assert_eq!((&body["contents"][1]["parts"], losses), (&Value::from(expected), vec![]));
}

#[test]
fn sources_become_citations() {
    let mut body = last(&json!([{"text": "It rained. It shone."}]));
    body["candidates"][0]["groundingMetadata"] = json!({"webSearchQueries": ["rain"],
        "groundingChunks": [{"web": {"uri": "https://a.test", "title": "A"}}, {"retrievedContext": {"title": "B", "text": "said"}}, {}],
        "groundingSupports": [{"segment": {"endIndex": 10}, "groundingChunkIndices": [0, 9, 4_000_000_000_u64]}]});
    let response = decode(&body.to_string()).expect("an answer");
    let cited: Vec<_> = response.parts[1..]
        .iter()
        .filter_map(|part| match &part.content {
            Content::Citation(c) => Some((c.url.as_deref(), c.title.as_deref(), c.quote.as_deref(), c.span)),
            _ => None,
        })
        .collect();
    assert_eq!(
        cited,
        [(Some("https://a.test"), Some("A"), None, Some((0, 10))), (None, Some("B"), Some("said"), None)]
    );
    let again = Gemini.respond(&response, &ChatRequest::default()).body;
    assert_eq!(decode(std::str::from_utf8(&again).expect("text")).expect("an answer"), response);
}

#[test]
fn reports_of_usage_replace_and_never_add() {
    let with = |usage: Value| {
        let mut chunk = chunk(&json!([{"text": "x"}]));
        chunk["usageMetadata"] = usage;
        chunk
    };
    let mut end = last(&json!([]));
    end["usageMetadata"] = json!({"trafficType": "ON_DEMAND"});
    let chunks = [
        with(
            json!({"promptTokenCount": 9, "candidatesTokenCount": 21, "thoughtsTokenCount": 35, "totalTokenCount": 65}),
        ),
        with(json!({"promptTokenCount": 87, "thoughtsTokenCount": 78, "totalTokenCount": "165"})),
        end,
    ];
    let usage = stream(&sse(&chunks)).expect("whole").usage;
    assert_eq!((usage.input, usage.output, usage.reasoning), (Some(87), Some(0), Some(78)));
    let odd = json!({"promptTokenCount": -1, "candidatesTokenCount": null, "cachedContentTokenCount": 3,
        "promptTokensDetails": [{"modality": "AUDIO", "tokenCount": u64::MAX}, {"modality": 2, "tokenCount": 5}]});
    let usage = stream(&sse(&[with(odd), last(&json!([]))])).expect("whole").usage;
    assert_eq!((usage.input, usage.audio_input, usage.output_total()), (None, None, None));
}

#[test]
fn what_is_cut_or_broken_is_told() {
    let body = sse(&rich());
    for at in 0..body.len() {
        if !body.is_char_boundary(at) {
            continue;
        }
        match stream(&body[..at]) {
            Ok(response) => assert!(at > body.len() - 5 && response.usage.output.is_some(), "cut at {at}"),
            Err(error) => assert_eq!(error.kind(), ErrorKind::Truncated, "cut at {at}: {error}"),
        }
    }
    let list = Value::from(rich()).to_string();
    for at in (0..list.len()).filter(|at| list.is_char_boundary(*at)) {
        let error = array(&list[..at]).expect_err("cut");
        assert_eq!(error.kind(), ErrorKind::Truncated, "cut at {at}: {error}");
        if at == list.len() - 1 {
            assert_eq!(error.partial().expect("what had arrived").text(), "I look.");
        }
    }
    for (body, kind) in [
        ("", ErrorKind::Decode),
        ("null", ErrorKind::Decode),
        ("42", ErrorKind::Decode),
        ("{}", ErrorKind::Decode),
        ("<html>", ErrorKind::Decode),
        ("[]", ErrorKind::Truncated),
        ("[1]", ErrorKind::Decode),
        (r#"{"error": {"code": 503, "message": "Try later.", "status": "UNAVAILABLE"}}"#, ErrorKind::Overloaded),
        (r#"[{"error": {"code": 429, "message": "Slow.", "status": "RESOURCE_EXHAUSTED"}}]"#, ErrorKind::RateLimit),
    ] {
        assert_eq!(decode(body).expect_err(body).kind(), kind, "{body:?}");
    }
    let failed =
        [chunk(&json!([{"text": "Hi"}])), json!({"error": {"code": 500, "message": "Oh no", "status": "INTERNAL"}})];
    let error = stream(&sse(&failed)).expect_err("it failed");
    assert_eq!(
        (error.kind(), error.message(), error.partial().expect("kept").text().as_str()),
        (ErrorKind::Provider, "Oh no", "Hi")
    );
}

#[test]
fn errors_are_read_and_written() {
    let told = |status: u16, body: &str| {
        let status = StatusCode::from_u16(status).expect("a status");
        let headers = headers("application/json");
        Gemini.decode(Answer { status, headers: &headers, body: body.as_bytes() }).expect_err("an error")
    };
    let quota = |id: &str| {
        json!([{"error": {"code": 429, "message": "You exceeded your current quota, please check your plan and billing details.",
            "status": "RESOURCE_EXHAUSTED", "details": [{"violations": [{"quotaId": id}]}, {"retryDelay": "48.5s"}]}}])
        .to_string()
    };
    let minute = told(429, &quota("InputTokensPerModelPerMinute"));
    assert_eq!((minute.kind(), minute.retry_after().map(|d| d.as_millis())), (ErrorKind::RateLimit, Some(48_500)));
    assert_eq!(told(429, &quota("RequestsPerDayPerProject")).kind(), ErrorKind::Quota);
    let key = json!({"error": {"code": 400, "message": "API key not valid.", "status": "INVALID_ARGUMENT", "details": [{"reason": "API_KEY_INVALID"}]}});
    let key = told(400, &key.to_string());
    assert_eq!((key.kind(), key.code()), (ErrorKind::Authentication, Some("API_KEY_INVALID")));
    let long = r#"{"error": {"code": 400, "message": "The input token count (9) exceeds the maximum number of tokens allowed (1).", "status": "INVALID_ARGUMENT"}}"#;
    assert_eq!(told(400, long).kind(), ErrorKind::ContextTooLong);
    assert_eq!(told(502, "<html><title>502 Bad Gateway</title>").message(), "502 Bad Gateway");
    assert_eq!(told(503, "").kind(), ErrorKind::Overloaded);
    let wait = Error::new(ErrorKind::RateLimit, "Slow.").with_retry_after(std::time::Duration::from_millis(1500));
    let (status, body) = Gemini.refuse(&wait);
    assert_eq!(status, 429);
    let expected = json!({"error": {"code": 429, "message": "Slow.", "status": "RESOURCE_EXHAUSTED",
        "details": [{"@type": "type.googleapis.com/google.rpc.RetryInfo", "retryDelay": "1.5s"}]}});
    assert_eq!(serde_json::from_slice::<Value>(&body).expect("JSON"), expected);
}

#[test]
fn a_request_goes_out() {
    let mut request = ChatRequest::new("gemini-x")
        .system("Be brief.")
        .user("Weather?")
        .message(Message::new(
            Role::Assistant,
            [Part::tool_call("call_gemini_r1_0", "weather", r#"{ "b": 1.0 }"#), Part::tool_call("c2", "clock", "")],
        ))
        .message(Message::tool_result("call_gemini_r1_0", r#"{"t": 20.0}"#))
        .message(Message::tool_result("c2", "noon"))
        .tool(Tool::function("weather", "Tells.", json!({"type": "object"})))
        .tool(Tool::Opaque { dialect: NAME.into(), json: json!({"googleSearch": {}}) })
        .tool_choice(ToolChoice::Named("weather".into()))
        .max_tokens(50)
        .effort(Effort::Low)
        .option(NAME, "cachedContent", "cachedContents/1")
        .option(NAME, "generationConfig", json!({"topK": 3, "thinkingConfig": {"includeThoughts": false}}))
        .option("openai-chat", "n", 2);
    request.metadata.insert("team".into(), "blue".into());
    request.user = Some("u".into());
    let (path, body, losses) = encode(&request);
    assert_eq!(path, "/v1beta/models/gemini-x:generateContent");
    let expected = json!({
        "systemInstruction": {"parts": [{"text": "Be brief."}]},
        "contents": [
            {"role": "user", "parts": [{"text": "Weather?"}]},
            {"role": "model", "parts": [{"functionCall": {"name": "weather", "args": {"b": 1.0}}}, {"functionCall": {"id": "c2", "name": "clock", "args": {}}}]},
            {"role": "user", "parts": [{"functionResponse": {"name": "weather", "response": {"t": 20.0}}},
                {"functionResponse": {"id": "c2", "name": "clock", "response": {"result": "noon"}}}]},
        ],
        "tools": [{"functionDeclarations": [{"name": "weather", "description": "Tells.", "parametersJsonSchema": {"type": "object"}}]}, {"googleSearch": {}}],
        "toolConfig": {"functionCallingConfig": {"mode": "ANY", "allowedFunctionNames": ["weather"]}},
        "generationConfig": {"maxOutputTokens": 50, "thinkingConfig": {"thinkingLevel": "LOW", "includeThoughts": false}, "topK": 3},
        "labels": {"team": "blue"},
        "cachedContent": "cachedContents/1",
    });
    assert_eq!(body.to_string(), expected.to_string());
    assert_eq!(losses, [Feature::User, Feature::Options]);
    let bytes = Gemini.encode(&request, &endpoint()).expect("expressible").body;
    assert!(
        std::str::from_utf8(&bytes).expect("text").contains(r#""args":{ "b": 1.0 }"#),
        "arguments keep their bytes"
    );
}

#[test]
fn a_model_has_its_place_in_the_path() {
    let path = |model: &str, prefix: Option<&str>, stream, alt: Option<&str>| {
        let mut endpoint = endpoint();
        endpoint.quirks = prefix.map(|prefix| ("path_prefix", prefix)).into_iter().collect::<Quirks>();
        let mut request = ChatRequest { stream, ..ChatRequest::new(model).user("x") };
        if let Some(alt) = alt {
            request = request.option(NAME, "alt", alt);
        }
        let uri = Gemini.encode(&request, &endpoint).expect("expressible").uri;
        let path = uri.path_and_query().expect("a path").to_string();
        let accepted = accept(&path, r#"{"contents": [{"parts": [{"text": "x"}]}]}"#).expect("valid");
        assert_eq!((accepted.model.as_str(), accepted.stream), (model.trim_start_matches("models/"), stream));
        assert_eq!(accepted.options, request.options);
        path
    };
    assert_eq!(path("models/gemini-x", None, true, None), "/v1beta/models/gemini-x:streamGenerateContent?alt=sse");
    assert_eq!(path("gemini-x", None, true, Some("json")), "/v1beta/models/gemini-x:streamGenerateContent");
    assert_eq!(path("tunedModels/my 1", None, false, None), "/v1beta/tunedModels/my%201:generateContent");
    let vertex = path("gemini-x", Some("publishers/google"), false, None);
    assert_eq!(vertex, "/v1beta/publishers/google/models/gemini-x:generateContent");
    let error = Gemini.encode(&ChatRequest::default().user("x"), &endpoint()).expect_err("no model");
    assert_eq!(error.kind(), ErrorKind::InvalidRequest);
    assert_eq!(accept("/v1beta/models/m:embedContent", "{}").expect_err("no chat").kind(), ErrorKind::NotFound);
}

#[test]
fn a_request_comes_in_in_either_spelling() {
    let body = r#"{"system_instruction": {"parts": {"text": "Be brief."}}, "contents": [
        {"parts": [{"text": "Hi", "thought": false}, {"inline_data": {"mime_type": "audio/wav", "data": "UklGRg=="}},
            {"file_data": {"file_uri": "https://generativelanguage.googleapis.com/v1beta/files/1", "mime_type": "application/pdf"}}]},
        {"role": "model", "parts": [{"function_call": {"name": "f", "args": {"a": 1.50}}, "thought_signature": "QQ=="}, {"functionCall": {"name": "f"}}]},
        {"role": "function", "parts": [{"functionResponse": {"name": "f", "response": {"result": "one"}}}, {"functionResponse": {"name": "f", "response": {"error": "no"}}}, {"text": "So?"}]}],
        "generation_config": {"max_output_tokens": 5, "top_k": 40.0, "candidateCount": 1, "response_mime_type": "application/json",
            "response_schema": {"type": "OBJECT", "properties": {"a": {"type": "STRING", "nullable": true}}}, "thinking_config": {"thinking_budget": 0}},
        "tools": [{"function_declarations": [{"name": "f", "parameters": {"type": "INTEGER"}}], "google_search": null}, {"function_declarations": [{"name": "g"}]}],
        "safetySettings": null, "x_new": 1}"#;
    let path = "/v1beta/models/gemini-x:streamGenerateContent?key=k&alt=sse";
    let request = accept(path, body).expect("valid");
    assert_eq!(
        (request.model.as_str(), request.stream, request.max_tokens, request.top_k),
        ("gemini-x", true, Some(5), Some(40))
    );
    let roles: Vec<_> = request.messages.iter().map(|message| message.role.as_str()).collect();
    assert_eq!(roles, ["system", "user", "assistant", "tool", "user"]);
    assert!(
        matches!(&request.messages[1].parts[2].content, Content::Document(d) if matches!(&d.media.source, sabir_core::chat::Source::FileId(_)))
    );
    let results: Vec<_> = request.messages[3]
        .parts
        .iter()
        .filter_map(|part| match &part.content {
            Content::ToolResult(r) => Some((r.call_id.as_str(), r.text(), r.is_error)),
            _ => None,
        })
        .collect();
    assert_eq!(results, [("call_gemini_0", "one".into(), false), ("call_gemini_1", "no".into(), true)]);
    assert_eq!(signature(&request.messages[2].parts[0]), Some("QQ=="));
    assert_eq!(request.reasoning.as_ref().and_then(|r| r.effort.clone()), Some(Effort::None));
    let schema = json!({"type": "object", "properties": {"a": {"type": ["string", "null"]}}});
    assert!(
        matches!(&request.response_format, Some(sabir_core::chat::ResponseFormat::JsonSchema { schema: s, .. }) if *s == schema)
    );

    let (path, out, losses) = encode(&request);
    assert_eq!(path, "/v1beta/models/gemini-x:streamGenerateContent?alt=sse");
    let expected = json!({
        "systemInstruction": {"parts": [{"text": "Be brief."}]},
        "contents": [
            {"role": "user", "parts": [{"text": "Hi"}, {"inlineData": {"mimeType": "audio/wav", "data": "UklGRg=="}},
                {"fileData": {"mimeType": "application/pdf", "fileUri": "https://generativelanguage.googleapis.com/v1beta/files/1"}}]},
            {"role": "model", "parts": [{"functionCall": {"name": "f", "args": {"a": 1.5}}, "thoughtSignature": "QQ=="}, {"functionCall": {"name": "f", "args": {}}}]},
            {"role": "function", "parts": [{"functionResponse": {"name": "f", "response": {"result": "one"}}}, {"functionResponse": {"name": "f", "response": {"error": "no"}}}, {"text": "So?"}]},
        ],
        "tools": [{"functionDeclarations": [{"name": "f", "parameters": {"type": "INTEGER"}}]}, {"functionDeclarations": [{"name": "g"}]}],
        "generationConfig": {"topK": 40, "maxOutputTokens": 5, "responseMimeType": "application/json", "thinkingConfig": {"thinkingBudget": 0},
            "responseSchema": {"type": "OBJECT", "properties": {"a": {"type": "STRING", "nullable": true}}}},
        "x_new": 1,
    });
    assert_eq!((out.to_string(), losses), (expected.to_string(), vec![]));
    let bytes = Gemini.encode(&request, &endpoint()).expect("expressible").body;
    assert_eq!(accept(&path, std::str::from_utf8(&bytes).expect("text")).expect("valid"), request);
}

#[test]
fn bad_requests_are_refused_with_the_place() {
    let wrong = |body: &str| accept("/v1beta/models/m:generateContent", body).expect_err(body);
    for (body, place) in [
        ("", "body"),
        ("[]", "body"),
        ("{}", "contents"),
        (r#"{"contents": []}"#, "contents"),
        (r#"{"contents": "secret words"}"#, "contents"),
        (r#"{"contents": [{"role": "robot", "parts": []}]}"#, "contents[0].role"),
        (
            r#"{"contents": [{"parts": []}], "tools": [{"functionDeclarations": [{}]}]}"#,
            "tools[0].functionDeclarations[0].name",
        ),
        (
            r#"{"contents": [{"parts": []}], "generationConfig": {"temperature": "secret words"}}"#,
            "generationConfig.temperature",
        ),
    ] {
        let error = wrong(body);
        assert_eq!(error.kind(), ErrorKind::InvalidRequest, "{body}");
        assert!(error.message().contains(place) && !error.message().contains("secret"), "{body}: {error}");
    }
}

#[test]
fn thinking_is_asked_for_in_the_words_of_the_model() {
    let asked = |model: &str, reasoning: Value| {
        let reasoning = serde_json::from_value(reasoning).expect("a wish");
        let request = ChatRequest { reasoning: Some(reasoning), ..ChatRequest::new(model).user("x") };
        let (_, body, losses) = encode(&request);
        (body["generationConfig"]["thinkingConfig"].clone(), losses)
    };
    let cases = [
        (
            "gemini-2.5-flash",
            json!({"effort": "medium"}),
            json!({"thinkingBudget": 8192, "includeThoughts": true}),
            vec![],
        ),
        ("gemini-2.5-flash", json!({"enabled": true}), json!({"thinkingBudget": -1, "includeThoughts": true}), vec![]),
        ("gemini-2.5-flash", json!({"effort": "none"}), json!({"thinkingBudget": 0}), vec![]),
        ("gemini-3-pro", json!({"effort": "high"}), json!({"thinkingLevel": "HIGH", "includeThoughts": true}), vec![]),
        (
            "gemini-3-pro",
            json!({"enabled": false}),
            json!({"thinkingLevel": "MINIMAL"}),
            vec![Feature::ReasoningEffort],
        ),
        ("gemini-3-pro", json!({"enabled": true}), json!({"includeThoughts": true}), vec![]),
        (
            "other",
            json!({"budget": 99, "effort": "low"}),
            json!({"thinkingBudget": 99, "includeThoughts": true}),
            vec![Feature::ReasoningEffort],
        ),
        (
            "other",
            json!({"effort": "max"}),
            json!({"thinkingLevel": "XHIGH", "includeThoughts": true}),
            vec![Feature::ReasoningEffort],
        ),
    ];
    for (model, wish, expected, losses) in cases {
        assert_eq!(asked(model, wish.clone()), (expected, losses), "{model} {wish}");
    }
}

#[test]
fn what_google_cannot_carry_is_a_loss() {
    let mut request = ChatRequest::new("m").user("x").option(NAME, "generationConfig", json!({"candidateCount": 2}));
    request.parallel_tool_calls = Some(false);
    request.seed = Some(1 << 40);
    request.stop = vec!["a".into(); 6];
    request.cache_key = Some("k".into());
    request.messages.push(Message { name: Some("Ann".into()), ..Message::system("Now rhyme.") });
    request
        .messages
        .push(Message::new(Role::User, [Part::text("a").cached(), Part::image(Media::url("https://a.test/x"))]));
    request.messages.push(Message::tool_result("nobody", "x"));
    let (_, body, losses) = encode(&request);
    let expected = [
        Feature::SystemMidway,
        Feature::Names,
        Feature::CacheMarks,
        Feature::Images,
        Feature::Tools,
        Feature::Stop,
        Feature::Seed,
        Feature::Choices,
        Feature::ParallelTools,
        Feature::CacheKey,
    ];
    assert_eq!(losses, expected);
    assert_eq!(body["contents"][1], json!({"role": "user", "parts": [{"text": "Now rhyme."}]}));
}
