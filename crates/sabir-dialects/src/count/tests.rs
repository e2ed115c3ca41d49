use http::{HeaderMap, HeaderValue, Method};
use sabir_core::chat::{Effort, FunctionTool, Message, ResponseFormat, Tool, ToolChoice};
use sabir_core::{ModelTraits, TraitsOf};

use super::*;

fn format(name: &str) -> &'static Counting {
    all().iter().copied().find(|format| format.name() == name).expect("it is built")
}

fn endpoint(base: &str) -> Endpoint {
    Endpoint { base_url: base.into(), ..Endpoint::default() }
}

fn chat() -> ChatRequest {
    let tool =
        FunctionTool { name: "clock".into(), parameters: Some(json!({"type": "object"})), ..FunctionTool::default() };
    ChatRequest::new("m-1").system("Be brief.").user("Hi.").tool(Tool::Function(tool))
}

/// Everything that has no bearing on the input.
fn idle(mut chat: ChatRequest) -> ChatRequest {
    chat.max_tokens = Some(9);
    (chat.temperature, chat.top_p, chat.top_k) = (Some(0.5), Some(0.5), Some(5));
    (chat.presence_penalty, chat.frequency_penalty, chat.seed) = (Some(0.5), Some(0.5), Some(7));
    chat.stop = vec!["x".into()];
    (chat.user, chat.cache_key) = (Some("u".into()), Some("k".into()));
    chat.metadata.insert("a".into(), "b".into());
    chat.stream = true;
    chat
}

fn asked(name: &str, chat: ChatRequest, endpoint: &Endpoint) -> (Encoded, Value) {
    let encoded = format(name).encode(&chat.into(), endpoint).expect("a request");
    assert_eq!(encoded.method, Method::POST);
    let body = serde_json::from_slice(&encoded.body).expect("JSON");
    (encoded, body)
}

fn accept(name: &str, path: &str, body: &str) -> Result<ChatRequest> {
    let (method, headers) = (&Method::POST, &HeaderMap::new());
    let asked = Asked { method, path, headers, body: body.as_bytes() };
    format(name).accept(asked).map(|request| request.chat)
}

fn decode(name: &str, status: u16, body: &str) -> Result<CountResponse> {
    let status = StatusCode::from_u16(status).expect("a status");
    format(name).decode(Answer { status, headers: &HeaderMap::new(), body: body.as_bytes() })
}

const BASES: [(&str, &str, &str); 5] = [
    ("openai-count", "https://h.test/v1", "https://h.test/v1/responses/input_tokens"),
    ("anthropic-count", "https://h.test", "https://h.test/v1/messages/count_tokens"),
    ("gemini-count", "https://h.test/v1beta", "https://h.test/v1beta/models/m-1:countTokens"),
    ("vertex-count", "https://h.test/p", "https://h.test/p/publishers/google/models/m-1:countTokens"),
    ("bedrock-count", "https://h.test", "https://h.test/model/m-1/count-tokens"),
];

fn endpoint_of(name: &str, base: &str) -> Endpoint {
    let mut endpoint = endpoint(base);
    if name == "vertex-count" {
        endpoint.quirks.set("path_prefix", "publishers/google");
    }
    endpoint
}

#[test]
fn conversations_go_out_and_come_back() {
    for (name, base, url) in BASES {
        let endpoint = endpoint_of(name, base);
        let (encoded, _) = asked(name, chat(), &endpoint);
        assert_eq!((encoded.uri.to_string().as_str(), encoded.losses.as_slice()), (url, &[][..]), "{name}");
        let path = encoded.uri.path();
        let body = std::str::from_utf8(&encoded.body).expect("text");
        let back = accept(name, path, body).expect("ours");
        assert_eq!(back, chat(), "{name}");
        let again = format(name).encode(&back.into(), &endpoint).expect("a request");
        assert_eq!(again.body, encoded.body, "{name}");
        let ends = format(name).paths();
        assert!(ends.is_empty() == (name == "vertex-count") && ends.iter().all(|end| !end.is_empty()), "{name}");
        assert!(ends.is_empty() || ends.iter().any(|end| path.ends_with(end)), "{name}");
    }
}

#[test]
fn what_has_no_bearing_on_the_input_is_left_out_and_not_lost() {
    for (name, base, _) in BASES {
        let endpoint = endpoint_of(name, base);
        let (plain, _) = asked(name, chat(), &endpoint);
        let (encoded, _) = asked(name, idle(chat()), &endpoint);
        assert_eq!((encoded.body, encoded.losses), (plain.body, Vec::new()), "{name}");
    }
    let options = chat().option("openai-responses", "store", false).option("openai-responses", "truncation", "auto");
    let (encoded, body) = asked("openai-count", options, &endpoint("https://h.test/v1"));
    assert_eq!((encoded.losses.len(), body.get("store"), &body["truncation"]), (0, None, &json!("auto")));
}

#[test]
fn what_is_not_counted_is_lost_and_said() {
    let schema = ResponseFormat::JsonSchema {
        name: "n".into(),
        schema: json!({"type": "object"}),
        description: None,
        strict: None,
    };
    let cases = [
        (
            "openai-count",
            chat().option("openai-responses", "prompt", json!({"id": "p"})),
            "options.openai-responses.prompt",
        ),
        (
            "anthropic-count",
            chat().option("anthropic-messages", "container", "c"),
            "options.anthropic-messages.container",
        ),
        ("vertex-count", chat().tool_choice(ToolChoice::Required), "tool_choice"),
        (
            "vertex-count",
            chat().option("gemini-generate", "cachedContent", "c"),
            "options.gemini-generate.cachedContent",
        ),
        ("bedrock-count", chat().response_format(schema), "response_format"),
        ("gemini-count", chat().option("openai-chat", "x", 1), "options.openai-chat"),
    ];
    for (name, chat, path) in cases {
        let (_, base, _) = BASES.iter().find(|row| row.0 == name).expect("a row");
        let (encoded, _) = asked(name, chat, &endpoint_of(name, base));
        let paths: Vec<_> = encoded.losses.iter().map(|loss| loss.path.as_str()).collect();
        assert_eq!(paths, [path], "{name}");
    }
    // How much to think is no part of the input.
    let (encoded, body) = asked("bedrock-count", chat().effort(Effort::Low), &endpoint("https://h.test"));
    assert_eq!((encoded.losses.len(), body.pointer("/input/converse/outputConfig")), (0, None));
}

#[test]
fn bodies_stand_as_each_endpoint_wants_them() {
    let (_, body) = asked("gemini-count", chat(), &endpoint("https://h.test/v1beta"));
    let inner = &body["generateContentRequest"];
    assert_eq!((&inner["model"], body.as_object().map(Map::len)), (&json!("models/m-1"), Some(1)));
    assert!(inner["systemInstruction"].is_object() && inner["tools"].is_array() && inner["contents"].is_array());
    let mut tuned = chat();
    tuned.model = "tunedModels/t-1".into();
    let (encoded, body) = asked("gemini-count", tuned, &endpoint("https://h.test/v1beta"));
    assert_eq!(encoded.uri.path(), "/v1beta/tunedModels/t-1:countTokens");
    assert_eq!(body.pointer("/generateContentRequest/model"), Some(&json!("tunedModels/t-1")));

    let (_, body) = asked("vertex-count", chat(), &endpoint_of("vertex-count", "https://h.test"));
    assert!(body["contents"].is_array() && body["systemInstruction"].is_object(), "{body}");
    let (_, body) = asked("bedrock-count", chat(), &endpoint("https://h.test"));
    assert!(body.pointer("/input/converse/messages").is_some_and(Value::is_array), "{body}");
    let (encoded, body) = asked("anthropic-count", chat(), &endpoint("https://h.test/v1"));
    assert_eq!((encoded.uri.path(), body.get("max_tokens")), ("/v1/messages/count_tokens", None));
    assert_eq!(encoded.headers["anthropic-version"], "2023-06-01");
    let mut endpoint = endpoint("https://h.test");
    endpoint.headers.insert("anthropic-version", HeaderValue::from_static("2026-10-21"));
    assert!(!asked("anthropic-count", chat(), &endpoint).0.headers.contains_key("anthropic-version"));
}

#[test]
fn clients_bodies_are_read() {
    let path = "/v1beta/models/g-1:countTokens?key=k";
    let bare = accept("gemini-count", path, r#"{"contents":[{"parts":[{"text":"a"}]}]}"#).expect("bare contents");
    assert_eq!((bare.model.as_str(), bare.stream), ("g-1", false));
    for name in ["generateContentRequest", "generate_content_request"] {
        let body = format!(r#"{{"{name}":{{"model":"models/g-1","contents":[{{"parts":[{{"text":"a"}}]}}]}}}}"#);
        assert_eq!(accept("gemini-count", path, &body).expect("a whole request"), bare);
    }
    let vertex =
        r#"{"contents":[{"role":"user","parts":[{"text":"a"}]}],"system_instruction":{"parts":[{"text":"s"}]}}"#;
    assert_eq!(accept("gemini-count", path, vertex).expect("as Vertex AI takes it").messages.len(), 2);
    let anthropic = r#"{"model":"c-1","messages":[{"role":"user","content":"a"}]}"#;
    let request = accept("anthropic-count", "/v1/messages/count_tokens", anthropic).expect("a request");
    assert_eq!((request.model.as_str(), request.max_tokens), ("c-1", None));
    let bedrock = r#"{"input":{"converse":{"messages":[{"role":"user","content":[{"text":"a"}]}]}}}"#;
    let request = accept("bedrock-count", "/model/eu.c-1%3A0/count-tokens", bedrock).expect("a request");
    assert_eq!(request.model, "eu.c-1:0");
    let openai = accept("openai-count", "/v1/responses/input_tokens", r#"{"model":"o-1","input":"a"}"#);
    assert_eq!(openai.expect("a request").messages, [Message::user("a")]);
}

#[test]
fn wrong_bodies_are_refused_with_what_is_wrong() {
    let both = r#"{"contents":[],"generateContentRequest":{}}"#;
    for (name, body, kind, says) in [
        ("gemini-count", both, ErrorKind::InvalidRequest, "both"),
        ("gemini-count", r#"{"generateContentRequest":7}"#, ErrorKind::InvalidRequest, "generateContentRequest"),
        ("gemini-count", "{}", ErrorKind::InvalidRequest, "contents"),
        ("bedrock-count", "{}", ErrorKind::InvalidRequest, "input"),
        ("bedrock-count", r#"{"input":{}}"#, ErrorKind::InvalidRequest, "input.converse"),
        ("bedrock-count", r#"{"input":[]}"#, ErrorKind::InvalidRequest, "input"),
        ("bedrock-count", r#"{"input":{"invokeModel":{"body":""}}}"#, ErrorKind::Unsupported, "invokeModel"),
        ("anthropic-count", "7", ErrorKind::InvalidRequest, ""),
        ("openai-count", "", ErrorKind::InvalidRequest, ""),
    ] {
        let error = accept(name, "/", body).expect_err(body);
        assert_eq!(error.kind(), kind, "{name} {body}: {error}");
        assert!(error.message().contains(says), "{name} {body}: {error}");
        let (status, refused) = format(name).refuse(&error);
        assert!(status.is_client_error() && !refused.is_empty());
    }
}

#[test]
fn counts_are_read_and_written() {
    let mut response = CountResponse::default();
    response.input = Count::exact(42);
    for (name, body, cached) in [
        ("openai-count", r#"{"object":"response.input_tokens","input_tokens":42}"#, None),
        ("anthropic-count", r#"{"input_tokens":42}"#, None),
        ("gemini-count", r#"{"totalTokens":42,"cachedContentTokenCount":40}"#, Some(40)),
        ("vertex-count", r#"{"totalTokens":42}"#, None),
        ("bedrock-count", r#"{"inputTokens":42}"#, None),
    ] {
        response.cached = cached;
        // Anthropic calls its own an estimate.
        let is_estimate = name == "anthropic-count";
        response.input = if is_estimate { Count::exact(42).doubtful() } else { Count::exact(42) };
        assert_eq!(decode(name, 200, body).expect("a count"), response, "{name}");
        let responded = format(name).respond(&response, &CountRequest::default());
        assert_eq!((&*responded.body, responded.losses.as_slice()), (body.as_bytes(), &[][..]), "{name}");
    }
    let details = r#"{"totalTokens":3,"promptTokensDetails":[{"modality":"TEXT","tokenCount":3}],"x":null}"#;
    let detailed = decode("gemini-count", 200, details).expect("a count");
    assert!(detailed.meta.get("gemini-count", "promptTokensDetails").is_some_and(Value::is_array));
    assert_eq!(detailed.meta.get("gemini-count", "x"), None);
    let responded = format("gemini-count").respond(&detailed, &CountRequest::default());
    assert_eq!(
        decode("gemini-count", 200, std::str::from_utf8(&responded.body).expect("text")).expect("ours"),
        detailed
    );

    response.cached = Some(1);
    response.meta = detailed.meta;
    let losses = format("anthropic-count").respond(&response, &CountRequest::default()).losses;
    assert_eq!(losses.iter().map(|loss| loss.path.as_str()).collect::<Vec<_>>(), ["cached", "meta"]);
}

#[test]
fn answers_that_are_no_counts_are_errors() {
    for format in all() {
        let name = format.name();
        for body in ["", "7", "<html>", "{}", "[]", r#"{"input_tokens":-1,"totalTokens":"a","inputTokens":1.5}"#] {
            assert_eq!(decode(name, 200, body).expect_err(body).kind(), ErrorKind::Decode, "{name} {body}");
        }
        let error = decode(name, 429, "{}").expect_err("later");
        assert_eq!((error.kind(), error.status()), (ErrorKind::RateLimit, Some(StatusCode::TOO_MANY_REQUESTS)));
    }
    let missing = r#"{"type":"error","error":{"type":"not_found_error","message":"model: m"}}"#;
    assert_eq!(decode("anthropic-count", 404, missing).expect_err("unknown").kind(), ErrorKind::NotFound);
}

#[test]
fn a_conversation_is_counted_with_its_answer_too() {
    fn never(_: &str, _: &str) -> ModelTraits {
        let mut traits = ModelTraits::default();
        traits.prefill = Some(false);
        traits
    }
    let endpoint = Endpoint { traits: TraitsOf(never), ..endpoint("https://h.test") };
    let (_, body) = asked("anthropic-count", chat().assistant("Hello."), &endpoint);
    assert_eq!(body["messages"].as_array().map(Vec::len), Some(2));
}

#[test]
fn a_request_that_is_nested_too_deeply_is_refused() {
    let mut deep = json!("x");
    for _ in 0..200 {
        deep = json!([deep]);
    }
    let request = chat().option("anthropic-messages", "x", deep);
    let error = format("anthropic-count").encode(&request.into(), &endpoint("https://h.test")).expect_err("too deep");
    assert_eq!(error.kind(), ErrorKind::InvalidRequest);
}
