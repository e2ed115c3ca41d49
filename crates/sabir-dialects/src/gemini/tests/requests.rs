//! Requests, read and written.

use sabir_core::chat::{
    ChatRequest, Content, Effort, Media, Message, Part, ResponseFormat, Role, Tool, ToolChoice, ToolResult,
};
use sabir_core::dialect::Dialect;
use sabir_core::{ErrorKind, Feature, Quirks};
use serde_json::{Value, json};

use super::{Gemini, NAME, accept, encode, endpoint, signature};

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
    assert!(matches!(&request.response_format, Some(ResponseFormat::JsonSchema { schema: s, .. }) if *s == schema));

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
            vec![Feature::ReasoningEffort],
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

#[test]
fn a_schema_goes_by_any_of_its_names() {
    for name in ["responseJsonSchema", "response_json_schema", "_responseJsonSchema", "response_schema"] {
        let config = json!({"responseMimeType": "application/json", name: {"type": "object", "title": "Town"}});
        let body = json!({"contents": {"parts": {"text": "x"}}, "generationConfig": config}).to_string();
        let format = accept("/v1beta/models/m:generateContent", &body).expect("valid").response_format;
        let Some(ResponseFormat::JsonSchema { name: title, schema, .. }) = format else { panic!("{name}") };
        assert_eq!((title.as_str(), &schema["type"]), ("Town", &json!("object")), "{name}");
    }
}

#[test]
fn turns_keep_their_limits() {
    let body = json!({"contents": [
        {"role": "user", "parts": [{"text": "x"}]},
        {"role": "model", "parts": [{"functionCall": {"name": "f"}}, {"functionCall": {"name": "g"}}]},
        {"role": "user", "parts": [{"functionResponse": {"name": "f", "response": {}}}, {"text": "and"}]},
        {"role": "user", "parts": [{"functionResponse": {"name": "g", "response": {"a": 1}}}]},
        {"role": "user", "parts": [{"functionResponse": {"name": "h", "response": {"a": 1}}}]},
        {"role": "model", "parts": [{"thoughtSignature": "QQ=="}]}]});
    let request = accept("/v1beta/models/m:generateContent", &body.to_string()).expect("valid");
    let roles: Vec<_> = request.messages.iter().map(|message| message.role.as_str()).collect();
    assert_eq!(roles, ["user", "assistant", "tool", "user", "tool", "tool", "assistant"]);
    let (_, out, losses) = encode(&request);
    let mut expected = body["contents"].clone();
    expected[1]["parts"] =
        json!([{"functionCall": {"name": "f", "args": {}}}, {"functionCall": {"name": "g", "args": {}}}]);
    expected[5]["parts"] = json!([{"text": "", "thoughtSignature": "QQ=="}]);
    assert_eq!((&out["contents"], losses), (&expected, vec![]));
}

#[test]
fn results_and_names_that_change_are_said() {
    let mut request =
        ChatRequest::new("gemini-x").message(Message::new(Role::Assistant, [Part::tool_call("1", "f", "{}")]));
    let parts = vec![Part::text("a"), Part::text("b")];
    let result = ToolResult { call_id: "1".into(), parts, ..ToolResult::default() };
    request.messages.push(Message::new(Role::Tool, [Content::ToolResult(result).into()]));
    let schema = json!({"type": "object", "title": "Town"});
    let format = |name: &str| ResponseFormat::JsonSchema {
        name: name.into(),
        schema: schema.clone(),
        description: None,
        strict: Some(true),
    };
    let lost = |request: &ChatRequest| {
        let losses = Gemini.encode(request, &endpoint()).expect("expressible").losses;
        losses.into_iter().map(|loss| loss.path).collect::<Vec<_>>()
    };
    let request = request.response_format(format("Town"));
    assert_eq!(lost(&request), ["messages[1].parts[0].parts[1]", "response_format.strict"]);
    let request = ChatRequest::new("gemini-x").user("Hi").response_format(format("City"));
    assert_eq!(lost(&request), ["response_format.strict", "response_format.name"]);
    let request = ChatRequest::new("gemini-x").user("Hi").response_format(format(""));
    assert_eq!(lost(&request), ["response_format.strict"], "the title is a name where there is none");
}

#[test]
fn a_signature_that_is_no_base64_is_not_sent() {
    let signed = Part::tool_call("1", "f", "{}").with_meta(NAME, "thoughtSignature", "<redacted>".into());
    let request = ChatRequest::new("gemini-x").user("Hi").message(Message::new(Role::Assistant, [signed]));
    let encoded = Gemini.encode(&request, &endpoint()).expect("expressible");
    assert_eq!(encoded.losses.into_iter().map(|loss| loss.path).collect::<Vec<_>>(), ["messages[1].parts[0]"]);
    assert!(!encoded.body.windows(8).any(|bytes| bytes == b"redacted"), "{:?}", encoded.body);
}

#[test]
fn only_hints_to_google_are_more_than_form() {
    let tool = |schema: Value| {
        let body = json!({"contents": [{"parts": [{"text": "Hi"}]}],
            "tools": [{"functionDeclarations": [{"name": "f", "parameters": schema}]}]});
        match accept("/v1beta/models/m:generateContent", &body.to_string()).expect("read").tools.remove(0) {
            Tool::Function(function) => function.meta,
            tool => panic!("{tool:?}"),
        }
    };
    let plain = json!({"type": "STRING"});
    assert_eq!(tool(plain.clone()).form(NAME, "parameters"), Some(&plain));
    let ordered = json!({"type": "OBJECT", "items": {"propertyOrdering": ["a"]}});
    assert_eq!(tool(ordered.clone()).get(NAME, "parameters"), Some(&ordered));
}
