//! Requests, both ways.

use super::*;

#[test]
fn a_request_is_written_as_the_service_wants_it() {
    let mut request = ChatRequest::new(CLAUDE)
        .system("Be brief.")
        .message(Message::new(
            Role::User,
            [Part::text("Look:").cached(), Part::image(Media::bytes(&b"\x89PNG"[..], "image/png"))],
        ))
        .message(Message::new(Role::Assistant, [Part::tool_call("call|1", "add", r#"{"a": 1.0}"#)]))
        .message(Message::tool_result("call|1", "1"))
        .user("So?")
        .tool(Tool::function("add", "Adds.", json!({"type": "object"})))
        .tool_choice(ToolChoice::Required)
        .max_tokens(10)
        .temperature(0.5);
    request.top_k = Some(5);
    request.reasoning = Some(ReasoningRequest { budget: Some(1024), ..ReasoningRequest::default() });
    request.parallel_tool_calls = Some(false);
    request.stream = true;
    let endpoint = Endpoint { base_url: "https://bedrock.test".into(), ..Endpoint::default() };
    let encoded = Bedrock.encode(&request, &endpoint).unwrap();
    let path = "/model/us.anthropic.claude-sonnet-4-5-20250929-v1%3A0/converse-stream";
    assert_eq!(encoded.uri.path(), path);
    assert_eq!(encoded.losses, []);
    let expected = concat!(
        r#"{"messages":[{"role":"user","content":[{"text":"Look:"},{"cachePoint":{"type":"default"}},"#,
        r#"{"image":{"format":"png","source":{"bytes":"iVBORw=="}}}]},"#,
        r#"{"role":"assistant","content":[{"toolUse":{"toolUseId":"call_1","name":"add","input":{"a": 1.0}}}]},"#,
        r#"{"role":"user","content":[{"toolResult":{"toolUseId":"call_1","content":[{"text":"1"}]}},{"text":"So?"}]}],"#,
        r#""system":[{"text":"Be brief."}],"inferenceConfig":{"maxTokens":10,"temperature":0.5},"#,
        r#""toolConfig":{"tools":[{"toolSpec":{"name":"add","description":"Adds.","inputSchema":{"json":{"type":"object"}}}}],"#,
        r#""toolChoice":{"any":{}}},"additionalModelRequestFields":{"top_k":5,"#,
        r#""thinking":{"type":"enabled","budget_tokens":1024},"tool_choice":{"type":"any","disable_parallel_tool_use":true}}}"#,
    );
    assert_eq!(std::str::from_utf8(&encoded.body).unwrap(), expected);
    let mut accepted = accepted(path, &serde_json::from_str(expected).unwrap()).unwrap();
    assert_eq!(accepted.messages[2].parts.len(), 1);
    // The one thing that could not be sent as it was, and the spelling that `Value` does not keep.
    accepted.messages[2].parts[0] = Part::tool_call("call|1", "add", r#"{"a": 1.0}"#);
    let Content::ToolResult(result) = &mut accepted.messages[3].parts[0].content else { panic!("a result") };
    result.call_id = "call|1".into();
    assert_eq!(accepted, request);
}

#[test]
fn what_a_client_says_goes_on_unchanged() {
    let body = json!({
        "system": [{"text": "Be brief."}, {"cachePoint": {"type": "default", "ttl": "1h"}}, {"guardContent": {"text": {"text": "x"}}}],
        "messages": [
            {"role": "user", "content": [
                {"document": {"format": "txt", "name": "facts (1)", "source": {"text": "Salt."}, "context": "c", "citations": {"enabled": true}}},
                {"document": {"format": "pdf", "name": "Document 1", "source": {"s3Location": {"uri": "s3://b/k.pdf", "bucketOwner": "1"}}}},
                {"video": {"format": "three_gp", "source": {"bytes": "AAAA"}}},
                {"audio": {"format": "mp3", "source": {"bytes": "AAAA"}}},
                {"searchResult": {"source": "s", "title": "t", "content": [{"text": "x"}]}},
                {"guardContent": {"text": {"text": "x", "qualifiers": ["query"]}}},
                {"cachePoint": {"type": "default"}}, {"cachePoint": {"type": "default"}}]},
            {"role": "assistant", "content": [
                {"reasoningContent": {"reasoningText": {"text": "Hm.", "signature": "c2ln"}}},
                {"citationsContent": {"content": [{"text": "Salt."}], "citations": [{"title": "facts",
                    "location": {"documentChar": {"documentIndex": 0, "start": 0, "end": 5}}}]}},
                {"toolUse": {"toolUseId": "t1", "name": "f", "input": {"a": [1, null]}}},
                {"toolUse": {"toolUseId": "s1", "name": "nova_grounding", "type": "server_tool_use", "input": {}}},
                {"toolResult": {"toolUseId": "s1", "content": [{"text": "x"}], "type": "nova_grounding_result"}}]},
            {"role": "user", "content": [{"toolResult": {"toolUseId": "t1", "status": "success",
                "content": [{"json": {"b": 1.50, "a": {}}}, {"text": "x"}, {"image": {"format": "jpeg", "source": {"bytes": "AAAA"}}}]}}]},
        ],
        "inferenceConfig": {"maxTokens": 5, "topP": 0.9, "stopSequences": ["END"], "future": 1},
        "toolConfig": {"tools": [{"toolSpec": {"name": "f", "inputSchema": {"json": {"type": "object", "properties": {}}}, "strict": true}},
            {"cachePoint": {"type": "default"}}, {"systemTool": {"name": "nova_grounding"}}], "toolChoice": {"tool": {"name": "f"}}},
        "outputConfig": {"textFormat": {"type": "json_schema", "structure": {"jsonSchema": {"schema": "{\"type\":\"object\"}", "name": "City", "description": "d"}}}, "future": 2},
        "additionalModelRequestFields": {"thinking": {"type": "adaptive", "display": "summarized"}, "top_k": 3, "other": [1]},
        "guardrailConfig": {"guardrailIdentifier": "g", "guardrailVersion": "DRAFT", "trace": "enabled"},
        "performanceConfig": {"latency": "optimized"},
        "requestMetadata": {"team": "blue", "user": "u-1"},
    });
    assert_eq!(round(&body), body);
    let path = "/model/arn%3Aaws%3Abedrock%3Aus-east-1%3A1%3Ainference-profile%2Fx/converse-stream?a=b";
    let request = accepted(path, &body).unwrap();
    assert_eq!(request.model, "arn:aws:bedrock:us-east-1:1:inference-profile/x");
    assert!(request.stream);
    assert_eq!((request.user.as_deref(), request.metadata.len()), (Some("u-1"), 1));
    assert_eq!(request.messages[0].parts[0].cache, Some(CacheMark { ttl: Some("1h".into()) }));
    assert_eq!(request.messages.last().unwrap().role, Role::Tool);
    let slashes = accepted("/model/arn:aws:x:profile/y/converse", &body).unwrap();
    assert_eq!((slashes.model.as_str(), slashes.stream), ("arn:aws:x:profile/y", false));
}

#[test]
fn an_effort_asks_claude_for_thoughts_and_comes_back() {
    let request = ChatRequest::new(CLAUDE).user("Hi").effort(Effort::Low);
    let (body, losses) = encoded(&request);
    assert_eq!((losses.len(), &body["outputConfig"]), (0, &json!({"effort": "low"})));
    assert_eq!(body["additionalModelRequestFields"], json!({"thinking": {"type": "adaptive"}}));
    let path = format!("/model/{CLAUDE}/converse");
    assert_eq!(accepted(&path, &body).unwrap(), request);
    // An effort without thoughts stays one.
    let quiet = json!({"messages": [{"role": "user", "content": [{"text": "Hi"}]}], "outputConfig": {"effort": "low"}});
    assert_eq!(round(&quiet), quiet);
}

#[test]
fn what_cannot_be_carried_is_said() {
    let mut request = ChatRequest::new("amazon.nova-lite-v1:0")
        .user("Hi")
        .message(Message::new(Role::Assistant, [Part::reasoning("Hm."), Part::text("So.")]))
        .system("Later.")
        .message(Message::new(
            Role::User,
            [
                Part::image(Media::url("https://x.test/a.png")),
                Part::image(Media::file_id("f")),
                Content::Document(Document {
                    media: Media::bytes(&b"{}"[..], "application/json"),
                    title: Some("a.b".into()),
                })
                .into(),
                Content::Opaque { dialect: "other".into(), json: json!({}) }.into(),
                Content::Reasoning(Reasoning { encrypted: Some("***".into()), ..Reasoning::default() }).into(),
            ],
        ))
        .option("other", "x", 1);
    (request.top_k, request.seed, request.cache_key) = (Some(4), Some(1), Some("k".into()));
    let (body, losses) = encoded(&request);
    assert_eq!(body["additionalModelRequestFields"], json!({"inferenceConfig": {"topK": 4}}));
    assert_eq!(body["messages"][2]["content"][0]["document"]["format"], "txt");
    let lost: Vec<_> = losses.iter().filter_map(|l| l.split(" at ").next()).collect();
    let expected = [
        "system_midway", "media_urls", "file_ids", "documents", "documents", "opaque", "signatures", "seed",
        "cache_key", "options",
    ];
    assert_eq!(lost, expected, "{losses:#?}");
    assert!(losses[1].contains("messages[3].parts[0]"));
}

#[test]
fn options_have_the_last_word() {
    let request = ChatRequest::new(CLAUDE)
        .user("Hi")
        .max_tokens(5)
        .option(NAME, "inferenceConfig", json!({"maxTokens": null, "topP": 0.1}))
        .option(NAME, "serviceTier", json!({"type": "flex"}))
        .option(NAME, "system", json!([{"text": "Mine."}]));
    let (body, losses) = encoded(&request.system("Theirs."));
    assert_eq!(losses.len(), 1, "the system in the middle");
    assert_eq!(body["inferenceConfig"], json!({"topP": 0.1}));
    assert_eq!((&body["serviceTier"]["type"], &body["system"][0]["text"]), (&json!("flex"), &json!("Mine.")));
}

#[test]
fn what_is_wrong_with_a_request_is_said_with_its_place() {
    let content = |block: &Value| json!({"messages": [{"role": "user", "content": [block]}]});
    let cases = [
        (json!({}), "messages: is missing"),
        (json!({"messages": 3}), "messages: is not a list"),
        (json!({"messages": [{"role": "bard", "content": []}]}), "messages[0].role: is not user, assistant or system"),
        (json!({"messages": [{"role": "user"}]}), "messages[0].content: is missing"),
        (content(&json!({"text": 3})), "messages[0].content[0].text: is not a string"),
        (
            content(&json!({"image": {"format": "png", "source": {"bytes": "*"}}})),
            "messages[0].content[0].image.source.bytes: is not base64",
        ),
        (
            content(&json!({"toolUse": {"name": "f", "input": {}}})),
            "messages[0].content[0].toolUse.toolUseId: is missing",
        ),
        (content(&json!(3)), "messages[0].content[0]: is not an object"),
    ];
    for (body, expected) in cases {
        let error = accepted("/model/m/converse", &body).unwrap_err();
        let expected = format!("the request cannot be read: {expected}");
        assert_eq!((error.kind(), error.message()), (ErrorKind::InvalidRequest, &*expected));
    }
    let headers = HeaderMap::new();
    let asked = |path, body| Bedrock.accept(Asked { method: &Method::POST, path, headers: &headers, body });
    for body in [&b""[..], b"\xff", b"[]", b"null"] {
        assert_eq!(asked("/model/m/converse", body).unwrap_err().kind(), ErrorKind::InvalidRequest);
    }
    assert_eq!(asked("/model/%ff/converse", b"{}").unwrap_err().kind(), ErrorKind::InvalidRequest);
}

#[test]
fn long_ids_stay_apart_and_meet_again() {
    let (one, other) = ("x".repeat(70) + "1", "x".repeat(70) + "2");
    let request = ChatRequest::new("m")
        .message(Message::new(Role::Assistant, [Part::tool_call(&*one, "f", ""), Part::tool_call(&*other, "f", "")]))
        .message(Message::tool_result(&*one, "1"));
    let (body, _) = encoded(&request);
    let (first, second) = (&body["messages"][0]["content"][0], &body["messages"][0]["content"][1]);
    assert_eq!(first["toolUse"]["toolUseId"], body["messages"][1]["content"][0]["toolResult"]["toolUseId"]);
    assert_ne!(first["toolUse"]["toolUseId"], second["toolUse"]["toolUseId"]);
    assert_eq!(first["toolUse"]["toolUseId"].as_str().unwrap().len(), 64);
    assert_eq!(first["toolUse"]["input"], json!({}));
}

#[test]
fn media_in_a_bucket_are_read_as_addresses() {
    let block = json!({"messages": [{"role": "user", "content": [
        {"image": {"format": "png", "source": {"s3Location": {"uri": "s3://b/k"}}}}]}]});
    let request = accepted("/model/m/converse", &block).unwrap();
    let Content::Image(media) = &request.messages[0].parts[0].content else { panic!("an image") };
    assert_eq!(media.source, Source::Url("s3://b/k".into()));
    assert_eq!(encoded(&request).1, Vec::<String>::new());
}

#[test]
fn what_is_left_out_takes_its_mark_along_and_made_names_are_no_titles() {
    let file = |media| Part::from(Content::Document(Document { media, title: None }));
    let held = Media { source: Source::FileId("file_1".into()), mime: None };
    let pdf = Media { source: Source::Bytes(b"%PDF".to_vec().into()), mime: Some("application/pdf".into()) };
    let mut request = ChatRequest::new("m");
    request.messages.push(Message::new(Role::User, [Part::text("x"), file(held).cached(), file(pdf)]));
    let (body, losses) = encoded(&request);
    assert_eq!(body["messages"][0]["content"].as_array().map(Vec::len), Some(2), "{body}");
    assert_eq!(losses.iter().filter(|loss| loss.contains("messages[0].parts[1]")).count(), 2, "{losses:?}");
    let read = accepted("/model/m/converse", &body).expect("read");
    let Content::Document(document) = &read.messages[0].parts[1].content else { panic!("{read:?}") };
    assert_eq!(document.title, None);
    assert_eq!(encoded(&read).0, body);
}

#[test]
fn tools_that_are_not_offered_are_said_to_be_left_out() {
    let tool = |name: &str| Tool::Function(FunctionTool { name: name.into(), ..FunctionTool::default() });
    let request = ChatRequest::new("m").user("Hi").tool(tool("a")).tool(tool("b"));
    let none = request.clone().tool_choice(ToolChoice::None);
    let losses = encoded(&none).1;
    assert!(["tools[0]", "tools[1]"].iter().all(|path| losses.iter().any(|loss| loss.contains(path))), "{losses:?}");
    let some = request.tool_choice(ToolChoice::Allowed { names: vec!["b".into()], required: false });
    let losses = encoded(&some).1;
    assert!(losses.iter().any(|loss| loss.contains("tools[0]")), "{losses:?}");
    assert!(!losses.iter().any(|loss| loss.contains("tools[1]")), "{losses:?}");
}
