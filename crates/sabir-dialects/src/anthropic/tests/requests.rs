use sabir_core::ErrorKind;
use sabir_core::chat::{
    Content, Document, Effort, FunctionTool, Media, Message, Part, Reasoning, ReasoningRequest, ResponseFormat, Role,
    Tool, ToolChoice,
};
use serde_json::json;

use super::*;

const NAME: &str = "anthropic-messages";

fn ask() -> ChatRequest {
    ChatRequest::new("claude-x").user("Hi").max_tokens(10)
}

#[test]
fn the_smallest_request_is_this() {
    let encoded = encode(&ChatRequest::new("claude-x").user("Hi"));
    assert_eq!(encoded.uri, "https://api.test/v1/messages");
    assert_eq!(encoded.headers["anthropic-version"], "2023-06-01");
    assert_eq!(encoded.body, r#"{"model":"claude-x","max_tokens":4096,"messages":[{"role":"user","content":"Hi"}]}"#);
    let mut row = endpoint();
    row.base_url = "https://api.test/v1/".into();
    row.quirks.set("default_max_tokens", "99");
    let encoded = AnthropicMessages.encode(&ChatRequest::new("m").user("Hi"), &row).expect("it can be sent");
    assert_eq!((encoded.uri.path(), &body(&encoded)["max_tokens"]), ("/v1/messages", &99.into()));
    assert!(!AnthropicMessages.encode(&ask(), &modern()).expect("sent").headers.contains_key("anthropic-version"));
}

/// Everything that both the vocabulary and the dialect have a word for.
fn full() -> ChatRequest {
    let mut request = ChatRequest::new("claude-x").max_tokens(9000).temperature(0.5);
    let signed = Reasoning { text: "hm".into(), signature: Some("c2ln".into()), encrypted: None };
    let sealed = Reasoning { encrypted: Some("c2Vh".into()), ..Reasoning::default() };
    let mut result = Part::tool_result("toolu_1", "rain").cached();
    if let Content::ToolResult(result) = &mut result.content {
        result.is_error = true;
        result.parts.push(Part::image(Media::url("https://x.test/a.png")));
    }
    let document =
        |media, title: Option<&str>| Part::from(Content::Document(Document { media, title: title.map(Into::into) }));
    request.messages = vec![
        Message::new(Role::System, [Part::text("Be brief."), Part::text("Be kind.").cached()]),
        Message::new(
            Role::User,
            [
                Part::text("Look:"),
                Part::image(Media::bytes(&b"\x89PNG"[..], "image/png")),
                Part::image(Media::file_id("file_1")),
                document(Media::bytes(&b"%PDF-1"[..], "application/pdf"), Some("Report")).with_meta(
                    NAME,
                    "citations",
                    json!({"enabled": true}),
                ),
                document(Media::bytes(&b"plain"[..], "text/plain"), None).with_meta(NAME, "context", "notes".into()),
                document(Media::url("https://x.test/a.pdf"), None),
            ],
        ),
        Message::new(
            Role::Assistant,
            [
                Content::Reasoning(signed).into(),
                Content::Reasoning(sealed).into(),
                Part::text("Let me see."),
                Part::tool_call("toolu_1", "weather", "{\"city\": \"Tunis\", \"n\": 1.50}").with_meta(
                    NAME,
                    "caller",
                    json!({"type": "direct"}),
                ),
            ],
        ),
        Message::new(Role::Tool, [result, Part::tool_result("toolu_2", "sun")]),
        Message::user("And?"),
    ];
    request.tools = vec![
        Tool::Function(FunctionTool {
            name: "weather".into(),
            description: Some("Tells it.".into()),
            parameters: Some(json!({"type": "object", "properties": {"city": {"type": "string"}}})),
            strict: Some(true),
            cache: Some(sabir_core::chat::CacheMark { ttl: Some("1h".into()) }),
            meta: sabir_core::chat::Meta::default().with(NAME, "defer_loading", true.into()),
        }),
        Tool::Function(FunctionTool { name: "bare".into(), ..FunctionTool::default() }),
        Tool::Opaque { dialect: NAME.into(), json: json!({"type": "web_search_20250305", "name": "web_search"}) },
    ];
    request.tool_choice = Some(ToolChoice::Named("weather".into()));
    request.parallel_tool_calls = Some(false);
    request.top_p = Some(0.9);
    request.top_k = Some(40);
    request.stop = vec!["END".into()];
    request.response_format = Some(ResponseFormat::JsonSchema {
        name: String::new(),
        schema: json!({"type": "object"}),
        description: None,
        strict: None,
    });
    request.reasoning = Some(ReasoningRequest { effort: Some(Effort::High), budget: Some(2000), enabled: None });
    request.cache = Some(sabir_core::chat::CacheMark::default());
    request.user = Some("u1".into());
    request.options.set(NAME, "service_tier", "auto".into());
    request.options.set(NAME, "thinking", json!({"display": "omitted"}));
    request.stream = true;
    request
}

#[test]
fn what_both_have_words_for_survives_the_way_there_and_back() {
    let request = full();
    let encoded = encode(&request);
    assert_eq!(lost(&encoded), [""; 0]);
    assert_eq!(encode(&request).body, encoded.body, "the same bytes every time");
    let text = std::str::from_utf8(&encoded.body).expect("text");
    assert_eq!(accept(text).expect("valid"), request, "{text}");
    let expected = json!({
        "model": "claude-x", "max_tokens": 9000,
        "system": [{"type": "text", "text": "Be brief."}, {"type": "text", "text": "Be kind.", "cache_control": {"type": "ephemeral"}}],
        "messages": [
            {"role": "user", "content": [
                {"type": "text", "text": "Look:"},
                {"type": "image", "source": {"type": "base64", "media_type": "image/png", "data": "iVBORw=="}},
                {"type": "image", "source": {"type": "file", "file_id": "file_1"}},
                {"type": "document", "source": {"type": "base64", "media_type": "application/pdf", "data": "JVBERi0x"}, "title": "Report", "citations": {"enabled": true}},
                {"type": "document", "source": {"type": "text", "media_type": "text/plain", "data": "plain"}, "context": "notes"},
                {"type": "document", "source": {"type": "url", "url": "https://x.test/a.pdf"}},
            ]},
            {"role": "assistant", "content": [
                {"type": "thinking", "thinking": "hm", "signature": "c2ln"},
                {"type": "redacted_thinking", "data": "c2Vh"},
                {"type": "text", "text": "Let me see."},
                {"type": "tool_use", "id": "toolu_1", "name": "weather", "input": {"city": "Tunis", "n": 1.5}, "caller": {"type": "direct"}},
            ]},
            {"role": "user", "content": [
                {"type": "tool_result", "tool_use_id": "toolu_1", "content": [
                    {"type": "text", "text": "rain"},
                    {"type": "image", "source": {"type": "url", "url": "https://x.test/a.png"}},
                ], "is_error": true, "cache_control": {"type": "ephemeral"}},
                {"type": "tool_result", "tool_use_id": "toolu_2", "content": "sun"},
                {"type": "text", "text": "And?"},
            ]},
        ],
        "tools": [
            {"name": "weather", "description": "Tells it.", "input_schema": {"type": "object", "properties": {"city": {"type": "string"}}},
             "strict": true, "cache_control": {"type": "ephemeral", "ttl": "1h"}, "defer_loading": true},
            {"name": "bare", "input_schema": {"type": "object", "properties": {}}},
            {"type": "web_search_20250305", "name": "web_search"},
        ],
        "tool_choice": {"type": "tool", "name": "weather", "disable_parallel_tool_use": true},
        "stop_sequences": ["END"], "stream": true, "temperature": 0.5, "top_p": 0.9, "top_k": 40,
        "thinking": {"type": "enabled", "budget_tokens": 2000, "display": "omitted"},
        "output_config": {"effort": "high", "format": {"type": "json_schema", "schema": {"type": "object"}}},
        "metadata": {"user_id": "u1"}, "cache_control": {"type": "ephemeral"}, "service_tier": "auto",
    });
    assert_eq!(body(&encoded), expected);
    assert!(text.contains(r#""input":{"city": "Tunis", "n": 1.50}"#), "arguments keep their bytes");
}

#[test]
fn what_the_dialect_lacks_is_said() {
    let mut request = ask();
    request.seed = Some(1);
    request.presence_penalty = Some(0.1);
    request.cache_key = Some("k".into());
    request.metadata.insert("a".into(), "b".into());
    request.response_format = Some(ResponseFormat::Json);
    request.options.set("openai-chat", "logprobs", true.into());
    request.messages[0].name = Some("Ana".into());
    request.messages.push(Message::new(
        Role::Assistant,
        [
            Part::reasoning("unsigned"),
            Content::Reasoning(Reasoning { signature: Some("s".into()), ..Reasoning::default() }).into(),
            Part::from(Content::Reasoning(Reasoning { encrypted: Some("e".into()), ..Reasoning::default() }))
                .with_meta("openai-responses", "id", "rs_1".into()),
            Content::Refusal { text: "no".into() }.into(),
            Content::Opaque { dialect: "gemini-generate".into(), json: json!({}) }.into(),
        ],
    ));
    request.messages.push(Message::system("Now in French."));
    request.messages.push(Message::new(Role::User, [Content::Audio(Media::file_id("a")).into(), Part::text("Go on")]));
    let encoded = encode(&request);
    assert_eq!(
        lost(&encoded),
        [
            "names@messages[0].name",
            "system_midway@messages[2]",
            "reasoning@messages[1].parts[0]",
            "signatures@messages[1].parts[2]",
            "refusals@messages[1].parts[3]",
            "opaque@messages[1].parts[4]",
            "audio@messages[3].parts[0]",
            "json_output@response_format",
            "seed@seed",
            "presence_penalty@presence_penalty",
            "cache_key@cache_key",
            "metadata@metadata",
            "options@options.openai-chat.logprobs",
        ]
    );
    let sent = body(&encoded);
    assert_eq!(sent["system"], "Now in French.");
    assert_eq!(
        sent["messages"],
        json!([
            {"role": "user", "content": "Hi"},
            {"role": "assistant", "content": [{"type": "thinking", "thinking": "", "signature": "s"}, {"type": "text", "text": "no"}]},
            {"role": "user", "content": [{"type": "text", "text": "Go on"}]},
        ])
    );
    let mut row = endpoint();
    row.quirks.set("mid_system", "true");
    row.quirks.set("unsigned_thinking", "true");
    let encoded = AnthropicMessages.encode(&request, &row).expect("it can be sent");
    let sent = body(&encoded);
    assert_eq!(sent["messages"][2], json!({"role": "system", "content": "Now in French."}));
    assert_eq!(sent["messages"][1]["content"][0], json!({"type": "thinking", "thinking": "unsigned"}));
}

#[test]
fn thoughts_are_asked_for_in_every_way() {
    let cases = [
        (json!({"effort": "none"}), json!({"type": "disabled"}), Value::Null),
        (json!({"effort": "minimal"}), json!({"type": "adaptive"}), json!({"effort": "low"})),
        (json!({"effort": "xhigh"}), json!({"type": "adaptive"}), json!({"effort": "xhigh"})),
        (
            json!({"effort": "low", "budget": 1024}),
            json!({"type": "enabled", "budget_tokens": 1024}),
            json!({"effort": "low"}),
        ),
        (json!({"effort": "low", "enabled": false}), json!({"type": "disabled"}), json!({"effort": "low"})),
        (json!({"budget": 0}), json!({"type": "disabled"}), Value::Null),
        (json!({"enabled": true}), json!({"type": "adaptive"}), Value::Null),
        (json!({}), Value::Null, Value::Null),
    ];
    for (asked, thinking, config) in cases {
        let mut request = ChatRequest::new("m").user("Hi");
        request.reasoning = Some(serde_json::from_value(asked.clone()).expect("valid"));
        let sent = body(&encode(&request));
        assert_eq!((&sent["thinking"], &sent["output_config"]), (&thinking, &config), "{asked}");
        assert_eq!(sent["max_tokens"], 4096 + asked["budget"].as_u64().unwrap_or_default());
    }
    // An effort alone does not make this API think: it must come out as it went in.
    let effort =
        r#"{"model":"m","max_tokens":9,"messages":[{"role":"user","content":"Hi"}],"output_config":{"effort":"high"}}"#;
    let request = accept(effort).expect("valid");
    assert_eq!(request.reasoning.as_ref().and_then(|r| r.effort.clone()), Some(Effort::High));
    assert_eq!(encode(&request).body, effort);
}

#[test]
fn tools_are_chosen_in_every_way() {
    let tool = |name: &str| Tool::function(name, "", json!({"properties": {}}));
    let cases = [
        (Some(ToolChoice::Auto), None, json!({"type": "auto"})),
        (Some(ToolChoice::None), Some(false), json!({"type": "none"})),
        (Some(ToolChoice::Required), Some(true), json!({"type": "any", "disable_parallel_tool_use": false})),
        (None, Some(false), json!({"type": "auto", "disable_parallel_tool_use": true})),
        (Some(ToolChoice::Allowed { names: vec!["b".into()], required: true }), None, json!({"type": "any"})),
        (None, None, Value::Null),
    ];
    for (choice, parallel, expected) in cases {
        let mut request = ask().tool(tool("a")).tool(tool("b"));
        let only_b = matches!(choice, Some(ToolChoice::Allowed { .. }));
        (request.tool_choice, request.parallel_tool_calls) = (choice, parallel);
        let encoded = encode(&request);
        assert_eq!(body(&encoded)["tool_choice"], expected);
        assert_eq!(body(&encoded)["tools"].as_array().map(Vec::len), Some(if only_b { 1 } else { 2 }));
        assert_eq!(body(&encoded)["tools"][0]["input_schema"], json!({"type": "object", "properties": {}}));
        assert_eq!(lost(&encoded) == ["tool_choice@tool_choice"], only_b);
    }
    let mut bare = ask();
    bare.parallel_tool_calls = Some(false);
    assert_eq!(body(&encode(&bare))["tool_choice"], Value::Null, "there is nothing to choose from");
}

#[test]
fn calls_of_other_providers_get_ids_that_are_taken() {
    let mut request = ask();
    request.messages.extend([
        Message::new(Role::Assistant, [Part::tool_call("functions.f:0", "f", ""), Part::tool_call("", "g", " {} ")]),
        Message::tool_result("functions.f:0", "one"),
        Message::user("wait"),
        Message::tool_result("", "two"),
        Message::user("Now?"),
        Message::user("Well?"),
    ]);
    let sent = body(&encode(&request));
    assert_eq!(
        sent["messages"][1]["content"],
        json!([
            {"type": "tool_use", "id": "functions_f_0", "name": "f", "input": {}},
            {"type": "tool_use", "id": "toolu_0", "name": "g", "input": {}},
        ])
    );
    assert_eq!(
        sent["messages"][2]["content"],
        json!([
            {"type": "tool_result", "tool_use_id": "functions_f_0", "content": "one"},
            {"type": "tool_result", "tool_use_id": "toolu_0", "content": "two"},
            {"type": "text", "text": "wait"},
            {"type": "text", "text": "Now?"},
            {"type": "text", "text": "Well?"},
        ]),
        "results first, in one turn"
    );
    for arguments in ["{\"cut", "[1]", "7"] {
        let request = ask().message(Message::new(Role::Assistant, [Part::tool_call("a", "f", arguments)]));
        let error = failed(AnthropicMessages.encode(&request, &endpoint()));
        assert_eq!(error.kind(), ErrorKind::InvalidRequest);
        assert!(error.message().starts_with("messages[1].parts[0]"), "{error}");
    }
}

#[test]
fn options_have_the_last_word() {
    let request = ask()
        .option(NAME, "max_tokens", 7)
        .option(NAME, "betas", json!(["a-1", "b-2"]))
        .option(NAME, "output_config", json!({"task_budget": 5}))
        .option(NAME, "container", "c")
        .effort(Effort::Low)
        .option(NAME, "thinking", Value::Null);
    let encoded = encode(&request);
    assert_eq!(encoded.headers["anthropic-beta"], "a-1,b-2");
    let expected = r#"{"model":"claude-x","max_tokens":7,"messages":[{"role":"user","content":"Hi"}],"output_config":{"effort":"low","task_budget":5},"container":"c"}"#;
    assert_eq!(encoded.body, expected);
}

#[test]
fn the_newer_version_is_kept_to() {
    let mut request = ask().temperature(0.1);
    (request.top_p, request.top_k) = (Some(0.5), Some(3));
    let document = Part::from(Content::Document(Document { media: Media::url("https://x.test/a.pdf"), title: None }));
    request.messages.push(Message::new(Role::Assistant, [document]));
    let encoded = AnthropicMessages.encode(&request, &modern()).expect("it can be sent");
    assert_eq!(
        lost(&encoded),
        ["documents@messages[1].parts[0]", "temperature@temperature", "top_p@top_p", "top_k@top_k"]
    );
    assert_eq!(encoded.body, r#"{"model":"claude-x","max_tokens":10,"messages":[{"role":"user","content":"Hi"}]}"#);

    let cited = r#"[{"role":"user","content":[{"type":"text","text":"a","citations":[{"type":"char_location","cited_text":"secret"}]}]}]"#;
    let assistant =
        r#"[{"role":"assistant","content":[{"type":"document","source":{"type":"url","url":"https://x.test"}}]}]"#;
    for (field, messages) in [("\"temperature\":1,", "[]"), ("\"top_k\":1,", "[]"), ("", cited), ("", assistant)] {
        let body = format!("{{\"model\":\"m\",{field}\"max_tokens\":1,\"messages\":{messages}}}");
        assert!(accept(&body).is_ok(), "{body}");
        let error = failed(accept_with(&body, &modern().headers));
        assert_eq!(error.kind(), ErrorKind::InvalidRequest);
        assert!(error.message().contains("2026-10-21") && !error.message().contains("secret"), "{error}");
    }
}

#[test]
fn what_is_wrong_with_a_request_is_said_without_its_words() {
    let cases = [
        ("", "the body is not JSON"),
        ("{\"model\":", "the body is not JSON: EOF while parsing a value at line 1 column 9"),
        ("[]", "the body: is not an object"),
        ("{}", "model: is missing"),
        (r#"{"model":"m"}"#, "messages: is missing"),
        (r#"{"model":"m","messages":"secret"}"#, "messages: is not a list"),
        (r#"{"model":"m","messages":["secret"]}"#, "messages[0]: is not an object"),
        (
            r#"{"model":"m","messages":[{"role":"secret","content":""}]}"#,
            "messages[0].role: is not user, assistant or system",
        ),
        (r#"{"model":"m","messages":[{"role":"user"}]}"#, "messages[0].content: is missing"),
        (
            r#"{"model":"m","messages":[{"role":"user","content":[{"type":"text","text":5}]}]}"#,
            "messages[0].content[0].text: is not a string",
        ),
        (
            r#"{"model":"m","messages":[{"role":"user","content":[{"type":"image","source":{"type":"base64","data":"!secret"}}]}]}"#,
            "messages[0].content[0].source.data: is not base64",
        ),
        (
            r#"{"model":"m","messages":[{"role":"user","content":[{"type":"tool_result","tool_use_id":"t","content":[{"type":"text"}]}]}]}"#,
            "messages[0].content[0].content[0].text: is missing",
        ),
        (
            r#"{"model":"m","messages":[{"role":"assistant","content":[{"type":"tool_use","id":"t","name":"f","input":"secret"}]}]}"#,
            "messages[0].content[0].input: is not an object",
        ),
        (r#"{"model":"m","messages":[],"max_tokens":"secret"}"#, "max_tokens: invalid type: a string, expected u64"),
        (r#"{"model":"m","messages":[],"tools":[{"description":"secret"}]}"#, "tools[0].name: is missing"),
        (r#"{"model":"m","messages":[],"thinking":{"type":"enabled"}}"#, "thinking.budget_tokens: is missing"),
    ];
    for (body, message) in cases {
        let error = failed(accept(body));
        assert_eq!(error.kind(), ErrorKind::InvalidRequest, "{body}");
        let said = error.message().trim_start_matches("the request cannot be read: ");
        assert!(said.starts_with(message), "{body}: {error}");
        assert!(!error.to_string().contains("secret"), "{error}");
    }
    let deep = format!(r#"{{"model":"m","messages":[],"container":{}{}}}"#, "[".repeat(9_000), "]".repeat(9_000));
    assert!(failed(accept(&deep)).message().ends_with(": container: is nested too deeply"));
}

#[test]
fn what_has_no_word_here_comes_back_as_it_was() {
    let body = r#"{"model":"m","max_tokens":1,"messages":[{"role":"user","content":[{"type":"search_result","source":"s","title":"t","content":[]},{"type":"container_upload","file_id":"f"},{"type":"document","source":{"type":"content","content":"x"}}]},{"role":"assistant","content":[{"type":"server_tool_use","id":"s","name":"web_search","input":{"q": 1.0}},{"type":"web_search_tool_result","tool_use_id":"s","content":[]},{"type":"text","text":"a","citations":[{"type":"char_location","cited_text":"b"}]},{"type":"compaction","content":"c"}]}],"mcp_servers":[{"type":"url"}]}"#;
    let encoded = encode(&accept(body).expect("valid"));
    assert_eq!(encoded.body, body);
    assert_eq!(lost(&encoded), [""; 0]);
    let vertex = Asked {
        method: &Method::POST,
        path: "/v1/projects/p/publishers/anthropic/models/claude-x@1:streamRawPredict?alt=sse",
        headers: &HeaderMap::new(),
        body: br#"{"anthropic_version":"vertex-2023-10-16","messages":[],"stream":true}"#,
    };
    let request = AnthropicMessages.accept(vertex).expect("valid");
    assert_eq!((request.model.as_str(), request.stream, request.options.is_empty()), ("claude-x@1", true, true));
    let betas =
        HeaderMap::from_iter([("anthropic-beta".parse().expect("a name"), HeaderValue::from_static("a-1, b-2"))]);
    let request = accept_with(r#"{"model":"m","messages":[]}"#, &betas).expect("valid");
    assert_eq!(encode(&request).headers["anthropic-beta"], "a-1,b-2");
}
