//! Requests: what is written, byte for byte, and that it is read back as it was.

use http::{HeaderMap, Method};
use sabir_core::Feature::{self, CacheMarks, FileIds, Images, Opaque, Options, ToolErrors};
use sabir_core::Result;
use sabir_core::chat::{
    ChatRequest, Content, Document, Effort, FunctionTool, Media, Message, Part, Reasoning, ResponseFormat, Role, Tool,
    ToolChoice, ToolResult,
};
use sabir_core::dialect::{Asked, Dialect};
use serde_json::{Value, json};

use super::super::{NAME, OpenAiChat};
use super::endpoint;

fn accept_at(path: &str, body: &str) -> Result<ChatRequest> {
    let (method, headers) = (Method::POST, HeaderMap::new());
    OpenAiChat.accept(Asked { method: &method, path, headers: &headers, body: body.as_bytes() })
}

fn accept(body: &Value) -> ChatRequest {
    accept_at("/v1/chat/completions", &body.to_string()).expect("well formed")
}

fn encode(request: &ChatRequest, quirks: &[(&str, &str)]) -> (Value, Vec<Feature>) {
    let encoded = OpenAiChat.encode(request, &endpoint(quirks)).expect("can be written");
    let body = serde_json::from_slice(&encoded.body).expect("JSON");
    (body, encoded.losses.into_iter().map(|loss| loss.feature).collect())
}

fn full() -> ChatRequest {
    let mut request =
        ChatRequest::new("m").system("Be brief.").user("Hi").max_tokens(9).temperature(0.5).effort(Effort::Low);
    let photo = Part::image(Media::bytes(&b"png"[..], "image/png")).with_meta(NAME, "detail", "low".into());
    let paper = Document { media: Media::bytes(&b"pdf"[..], "application/pdf"), title: Some("a.pdf".into()) };
    let sound = Content::Audio(Media::bytes(&b"mp3"[..], "audio/mpeg"));
    let media = [Part::text("see"), photo, Content::Document(paper).into(), sound.into()];
    request = request.message(Message::new(Role::User, media));
    request.messages.push(Message::new(
        Role::Assistant,
        [Part::tool_call("c1", "f", "{\"a\" : 1}"), Part::tool_call("c2", "f", "{}")],
    ));
    request.messages.push(Message::tool_result("c1", "one"));
    request.messages.push(Message::tool_result("c2", ""));
    request.messages.push(Message { name: Some("Ada".into()), ..Message::user("and?") });
    let strict = FunctionTool {
        name: "f".into(),
        parameters: Some(json!({"type": "object"})),
        strict: Some(true),
        ..FunctionTool::default()
    };
    request.tools = vec![
        Tool::Function(strict),
        Tool::Opaque { dialect: NAME.into(), json: json!({"type": "custom", "custom": {"name": "sh"}}) },
    ];
    request.tool_choice = Some(ToolChoice::Allowed { names: vec!["f".into()], required: true });
    request.parallel_tool_calls = Some(false);
    request.stop = vec!["END".into()];
    (request.seed, request.top_p, request.user) = (Some(-1), Some(0.9), Some("u".into()));
    request.metadata.insert("k".into(), "v".into());
    request.cache_key = Some("key".into());
    let schema = json!({"type": "object", "properties": {"z": {}, "a": {}}});
    request.response_format =
        Some(ResponseFormat::JsonSchema { name: "n".into(), schema, description: None, strict: Some(true) });
    request.option(NAME, "service_tier", "flex")
}

#[test]
fn a_request_is_written_in_one_order_and_read_back() {
    let request = full();
    let encoded = OpenAiChat.encode(&request, &endpoint(&[])).expect("can be written");
    assert_eq!(encoded.uri, "https://api.test/v1/chat/completions");
    assert_eq!(encoded.losses, []);
    let expected = concat!(
        r#"{"model":"m","messages":[{"role":"system","content":"Be brief."},{"role":"user","content":"Hi"},"#,
        r#"{"role":"user","content":[{"type":"text","text":"see"},{"type":"image_url","image_url":{"url":"data:image/png;base64,cG5n","detail":"low"}},"#,
        r#"{"type":"file","file":{"filename":"a.pdf","file_data":"data:application/pdf;base64,cGRm"}},{"type":"input_audio","input_audio":{"data":"bXAz","format":"mp3"}}]},"#,
        r#"{"role":"assistant","content":null,"tool_calls":[{"id":"c1","type":"function","function":{"name":"f","arguments":"{\"a\" : 1}"}},"#,
        r#"{"id":"c2","type":"function","function":{"name":"f","arguments":"{}"}}]},{"role":"tool","tool_call_id":"c1","content":"one"},"#,
        r#"{"role":"tool","tool_call_id":"c2","content":""},{"role":"user","content":"and?","name":"Ada"}],"#,
        r#""tools":[{"type":"function","function":{"name":"f","parameters":{"type":"object"},"strict":true}},{"type":"custom","custom":{"name":"sh"}}],"#,
        r#""tool_choice":{"type":"allowed_tools","allowed_tools":{"mode":"required","tools":[{"type":"function","function":{"name":"f"}}]}},"#,
        r#""parallel_tool_calls":false,"max_tokens":9,"temperature":0.5,"top_p":0.9,"stop":["END"],"seed":-1,"#,
        r#""response_format":{"type":"json_schema","json_schema":{"name":"n","schema":{"type":"object","properties":{"z":{},"a":{}}},"strict":true}},"#,
        r#""reasoning_effort":"low","user":"u","metadata":{"k":"v"},"prompt_cache_key":"key","service_tier":"flex"}"#,
    );
    assert_eq!(std::str::from_utf8(&encoded.body).expect("text"), expected);
    assert_eq!(accept_at("/", expected).expect("our own"), request);
}

#[test]
fn quirks_change_the_words() {
    let mut request = ChatRequest::new("m")
        .message(Message::new(Role::Developer, [Part::text("x")]))
        .max_tokens(5)
        .effort(Effort::High);
    (request.seed, request.top_k, request.stream) = (Some(3), Some(40), true);
    request.tool_choice = Some(ToolChoice::Required);
    let (body, losses) =
        encode(&request, &[("seed_field", "random_seed"), ("forced_tool", "any"), ("stream_options", "false")]);
    assert_eq!(
        (&body["random_seed"], &body["tool_choice"], &body["messages"][0]["role"]),
        (&json!(3), &json!("any"), &json!("system"))
    );
    assert_eq!((body.get("stream_options"), losses), (None, vec![Feature::TopK]));
    let (body, losses) = encode(
        &request,
        &[("max_tokens_field", "max_completion_tokens"), ("system_role", "developer"), ("top_k", "true")],
    );
    assert_eq!((&body["max_completion_tokens"], &body["messages"][0]["role"]), (&json!(5), &json!("developer")));
    assert_eq!((&body["stream_options"]["include_usage"], losses), (&json!(true), vec![]));
    for (quirk, field, value) in [
        ("effort", "reasoning_effort", json!("high")),
        ("thinking", "thinking", json!({"type": "enabled"})),
        ("enable_thinking", "enable_thinking", json!(true)),
        ("openrouter", "reasoning", json!({"effort": "high"})),
    ] {
        assert_eq!(encode(&request, &[("reasoning_request", quirk)]).0[field], value);
    }
    assert_eq!(
        encode(&ChatRequest::new("m").user("x").effort(Effort::None), &[("reasoning_request", "thinking")]).0["thinking"]
            ["type"],
        "disabled"
    );
    assert!(encode(&request, &[("reasoning_request", "none")]).1.contains(&Feature::ReasoningEffort));
}

#[test]
fn a_closed_schema_gets_what_it_knows() {
    let paper = |media| Part::from(Content::Document(Document { media, title: Some("a.pdf".into()) }));
    let papers = [paper(Media::bytes(&b"pdf"[..], "application/pdf")), paper(Media::file_id("f"))];
    let mut request = ChatRequest::new("m").message(Message::new(Role::User, papers));
    let named = |name: &str| Tool::Function(FunctionTool { name: name.into(), ..FunctionTool::default() });
    request.tools = vec![named("f"), named("g")];
    request.tool_choice = Some(ToolChoice::Allowed { names: vec!["g".into()], required: true });
    request.user = Some("u".into());
    let closed = [
        ("document_part", "document_url"),
        ("tool_parameters", "required"),
        ("allowed_tools", "false"),
        ("forced_tool", "any"),
        ("user_field", "none"),
    ];
    let expected = json!({"model": "m", "messages": [{"role": "user", "content": [
            {"type": "document_url", "document_url": "data:application/pdf;base64,cGRm", "document_name": "a.pdf"},
            {"type": "file", "file_id": "f"}]}],
        "tools": [{"type": "function", "function": {"name": "g", "parameters": {"type": "object", "properties": {}}}}],
        "tool_choice": "any"});
    assert_eq!(encode(&request, &closed), (expected.clone(), vec![Feature::ToolChoice, Feature::User]));
    let read = accept(&expected);
    assert_eq!(read.messages[0].parts[0], request.messages[0].parts[0]);
    assert!(matches!(&read.messages[0].parts[1].content, Content::Document(file) if file.media == Media::file_id("f")));
}

#[test]
fn reasoning_goes_back_as_the_provider_wants_it() {
    let signed = Reasoning { text: "hm".into(), signature: Some("sig".into()), ..Reasoning::default() };
    let turn = Message::new(Role::Assistant, [Content::Reasoning(signed).into(), Part::text("yes")]);
    let request = ChatRequest::new("m").message(turn);
    let message = |quirk: &str| {
        let (body, losses) = encode(&request, &[("reasoning_echo", quirk)]);
        (body["messages"][0].clone(), losses)
    };
    assert_eq!(
        message("none"),
        (json!({"role": "assistant", "content": "yes"}), vec![Feature::Reasoning, Feature::Signatures])
    );
    let (json, losses) = message("reasoning_content");
    assert_eq!((&json["reasoning_content"], losses), (&json!("hm"), vec![Feature::Signatures]));
    let (json, losses) = message("reasoning_details");
    assert_eq!((&json["reasoning_details"][0]["signature"], losses), (&json!("sig"), vec![]));
    assert_eq!(message("thinking").0["content"][0]["thinking"][0]["text"], "hm");
    let sent = json!({"model": "m", "messages": [{"role": "assistant", "content": "yes", "reasoning_details":
        [{"type": "reasoning.encrypted", "data": "AAA=", "id": "r", "format": "x"}, {"type": "reasoning.text", "text": "t", "index": 1}]}]});
    assert_eq!(encode(&accept(&sent), &[("reasoning_echo", "reasoning_details")]).0, sent, "as they came");
}

#[test]
fn what_cannot_be_carried_is_said() {
    let failed = ToolResult {
        call_id: "c".into(),
        parts: vec![Part::image(Media::url("https://x.test/a.png"))],
        is_error: true,
        ..ToolResult::default()
    };
    let mut request = ChatRequest::new("m").message(Message::new(Role::Tool, [Content::ToolResult(failed).into()]));
    request = request.message(Message::new(Role::User, [Part::text("x").cached(), Part::image(Media::file_id("f"))]));
    request.tools = vec![Tool::Opaque { dialect: "other".into(), json: json!({}) }];
    let (body, losses) = encode(&request.option("other", "x", 1), &[("cache_key", "false")]);
    assert_eq!(losses, [Images, ToolErrors, CacheMarks, FileIds, Opaque, Options]);
    assert_eq!(body["messages"][1]["content"][0]["type"], "image_url", "the image comes after the results");
    assert_eq!(body.get("tools"), None);
}

#[test]
fn clients_of_all_kinds_are_understood() {
    let request = accept(
        &json!({"model": "m", "max_completion_tokens": 5, "max_tokens": 7, "stop": "x", "n": 1, "logit_bias": {"1": 2},
        "functions": [{"name": "f", "parameters": {}}], "function_call": {"name": "f"}, "thinking": {"type": "disabled"},
        "messages": [{"role": "developer", "content": null}, {"role": "user", "content": [{"type": "image_url", "image_url": "https://x.test/a.png"}]},
            {"role": "assistant", "function_call": {"name": "f", "arguments": "{}"}}, {"role": "function", "name": "f", "content": "ok"}]}),
    );
    assert_eq!((request.max_tokens, request.stop.as_slice()), (Some(5), ["x".to_owned()].as_slice()));
    assert_eq!(request.tool_choice, Some(ToolChoice::Named("f".into())));
    assert_eq!(request.reasoning.and_then(|r| r.enabled), Some(false));
    assert_eq!(
        request.options.of(NAME).map(|o| o.keys().cloned().collect::<Vec<_>>()),
        Some(vec!["logit_bias".to_owned()])
    );
    let (Content::ToolCall(call), Content::ToolResult(result)) =
        (&request.messages[2].parts[0].content, &request.messages[3].parts[0].content)
    else {
        panic!("a call and its result")
    };
    assert_eq!((call.id.as_str(), result.text().as_str()), (result.call_id.as_str(), "ok"));
    let azure = accept_at(
        "/openai/deployments/gpt-x/chat/completions?api-version=1",
        r#"{"messages":[{"role":"user","content":"x"}]}"#,
    );
    assert_eq!(azure.expect("well formed").model, "gpt-x");
}

#[test]
fn a_schema_beside_a_json_object_is_one() {
    let read = |format: Value| {
        let body = json!({"model": "m", "messages": [{"role": "user", "content": "?"}], "response_format": format});
        accept(&body).response_format
    };
    let schema = json!({"type": "object"});
    for key in ["schema", "value"] {
        let asked = Some(ResponseFormat::JsonSchema {
            name: String::new(),
            schema: schema.clone(),
            description: None,
            strict: None,
        });
        assert_eq!(read(json!({"type": "json_object", key: schema})), asked, "{key}");
    }
    assert_eq!(read(json!({"type": "json_object"})), Some(ResponseFormat::Json));
    for unknown in [
        json!({"type": "json_object", "schema": schema, "value": schema}),
        json!({"type": "json_object", "schema": "no schema"}),
        json!({"type": "json_object", "name": "n"}),
    ] {
        assert_eq!(read(unknown.clone()), None, "{unknown}: it stays as it was written");
    }
}

#[test]
fn what_is_malformed_is_said_with_its_place_and_without_its_words() {
    let cases = [
        ("{\"model\":\"secret\"", "line 1 column 17"),
        ("[\"secret\"]", "the body: is not an object"),
        ("{\"messages\":[]}", ": messages: "),
        ("{\"messages\":\"secret\"}", ": messages: "),
        ("{\"messages\":[{\"content\":\"secret\"}]}", ": messages[0].role: "),
        ("{\"messages\":[{\"role\":\"user\",\"content\":5}]}", ": messages[0].content: "),
        ("{\"messages\":[{\"role\":\"user\",\"content\":\"x\"}],\"temperature\":\"secret\"}", ": temperature: "),
        (
            "{\"messages\":[{\"role\":\"user\",\"content\":\"x\"}],\"tools\":[{\"type\":\"function\"}]}",
            ": tools[0].function: ",
        ),
    ];
    for (body, place) in cases {
        let error = accept_at("/", body).expect_err(body);
        assert_eq!(error.kind(), sabir_core::ErrorKind::InvalidRequest, "{body}");
        assert!(error.message().contains(place), "{error}");
        assert!(!error.to_string().contains("secret"), "{error}");
    }
}
