//! What the field sends and nobody should, each with the outcome that is right.

use http::StatusCode;
use sabir_core::chat::Content;
use sabir_core::dialect::{Answer, Dialect};
use sabir_core::{Error, ErrorKind, MAX_TOOL_CALLS};
use serde_json::{Map, Value, json};

use super::super::tell::put;
use super::{Gemini, NAME, accept, array, chunk, decode, headers, last, rich, sse, stream};
use crate::shared::trial;

#[test]
fn an_array_cut_in_the_middle_of_an_element_is_truncated() {
    let list = Value::from(rich()).to_string();
    // In the middle of a name, a string, an escape, a number, and between two elements.
    for within in ["\"functionCa", "\"c2ln+", "\"totalTokenCount\":12", "\"think.", "\"gemini-x\"},"] {
        let at = list.find(within).expect("it is there") + within.len();
        let error = array(&list[..at]).expect_err(within);
        assert_eq!(error.kind(), ErrorKind::Truncated, "{within}");
        assert_eq!(error.partial().expect("what had arrived").id, "r1", "{within}");
        assert_eq!(decode(&list[..at]).expect_err(within).kind(), ErrorKind::Truncated, "{within}");
    }
    let text = array(&list[..list.rfind("safetyRatings").expect("it is there")]).expect_err("cut");
    let partial = text.partial().expect("what had arrived");
    assert_eq!((partial.text().as_str(), partial.tool_calls().count()), ("I look.", 2));
}

#[test]
fn an_answer_is_the_same_however_its_bytes_are_cut() {
    let expected = stream(&sse(&rich())).expect("whole");
    let list = Value::from(rich()).to_string();
    for (kind, body) in [("text/event-stream", sse(&rich())), ("application/json", list)] {
        assert_eq!(trial::stream(&Gemini, kind, &body).expect("whole"), expected, "{kind}");
    }
}

#[test]
fn a_reason_to_finish_is_the_end_only_where_nothing_follows() {
    let more = [last(&json!([{"text": "Hi"}])), chunk(&json!([{"text": " there"}]))];
    assert_eq!(stream(&sse(&more)).expect_err("it went on").kind(), ErrorKind::Truncated);
    let counted = [last(&json!([{"text": "Hi"}])), json!({"usageMetadata": {"promptTokenCount": 1}})];
    assert_eq!(stream(&sse(&counted)).expect("whole").usage.input, Some(1));
    let marked = sse(&[last(&json!([{"text": "Hi"}]))]) + "data: [DONE]\n\n";
    assert_eq!(stream(&marked).expect("whole").text(), "Hi");
}

#[test]
fn types_that_nobody_promised_are_survived() {
    for odd in [json!(null), json!(-1), json!("x"), json!(true), json!(1.5), json!([]), json!({}), json!([[{}]])] {
        for part in
            ["text", "functionCall", "functionResponse", "inlineData", "fileData", "thoughtSignature", "thought"]
        {
            let body = last(&json!([{"text": "Hi"}, {part: odd}, odd]));
            assert!(decode(&body.to_string()).expect("an answer").text().starts_with("Hi"), "{part}: {odd}");
        }
        let mut body = last(&json!([{"text": "Hi"}]));
        for field in ["usageMetadata", "promptFeedback", "modelVersion", "responseId", "createTime"] {
            body[field] = odd.clone();
        }
        for field in ["groundingMetadata", "citationMetadata", "logprobsResult", "tokenCount"] {
            body["candidates"][0][field] = odd.clone();
        }
        let whole = decode(&body.to_string()).expect("an answer");
        assert_eq!(whole.text(), "Hi", "{odd}");
        assert_eq!(stream(&sse(&[body.clone()])).expect("an answer").parts, whole.parts, "{odd}");
    }
}

#[test]
fn what_a_server_says_sizes_nothing() {
    let far = json!({"candidates": [{"index": 4_000_000_000_u64, "content": {"parts": [{"text": "x"}]}}]});
    let answer = stream(&sse(&[far, last(&json!([{"text": "Hi"}]))])).expect("whole");
    assert_eq!((answer.text().as_str(), answer.losses.len()), ("Hi", 1));
    let calls = vec![json!({"functionCall": {"name": "f"}}); MAX_TOOL_CALLS + 1];
    let error = decode(&last(&calls.into()).to_string()).expect_err("too many");
    assert_eq!(
        (error.kind(), error.partial().map(|p| p.tool_calls().count())),
        (ErrorKind::Decode, Some(MAX_TOOL_CALLS))
    );
    let deep = "[".repeat(100_000) + &"]".repeat(100_000);
    let body = format!(r#"{{"candidates": [{{"content": {{"parts": [{{"text": "Hi"}}]}}, "x": {deep}}}]}}"#);
    assert_eq!(decode(&body).expect("an answer").text(), "Hi", "what is too deep is left alone");
    // As many fields as there are chunks: only so many are kept.
    let named = |n: usize| json!({"candidates": [{"content": {"parts": [{"text": "x"}]}, format!("f{n}"): n}]});
    let mut chunks: Vec<Value> = (0..500).map(named).collect();
    chunks.push(last(&json!([])));
    assert_eq!(stream(&sse(&chunks)).expect("whole").meta.of(NAME).map_or(0, Map::len), 64);
}

#[test]
fn metadata_of_several_chunks_is_one() {
    let with = |field: &str, value: Value| {
        let mut chunk = last(&json!([{"text": "x"}]));
        chunk["candidates"][0][field] = value;
        chunk
    };
    let token = |token: &str| json!({"chosenCandidates": [{"token": token}], "n": token});
    let chunks = [
        with("groundingMetadata", json!({"webSearchQueries": ["rain"], "searchEntryPoint": {"a": 1}})),
        with(
            "groundingMetadata",
            json!({"groundingChunks": [{"web": {"uri": "https://a.test"}}], "searchEntryPoint": {}}),
        ),
        with("logprobsResult", token("a")),
        with("logprobsResult", token("a")),
    ];
    let answer = stream(&sse(&chunks)).expect("whole");
    let kept = answer.meta.of(NAME).expect("kept");
    let expected = json!({"webSearchQueries": ["rain"], "searchEntryPoint": {},
        "groundingChunks": [{"web": {"uri": "https://a.test"}}]});
    assert_eq!(kept["groundingMetadata"], expected);
    assert_eq!(kept["logprobsResult"], json!({"chosenCandidates": [{"token": "a"}, {"token": "a"}], "n": "a"}));
    assert!(answer.parts.iter().any(|part| matches!(part.content, Content::Citation(_))));
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

/// The arguments that these pieces make.
fn assembled(pieces: &Value) -> Value {
    let text = pieces.to_string();
    let mut arguments = Map::new();
    for piece in serde_json::from_str::<Vec<_>>(&text).expect("pieces") {
        put(&mut arguments, piece);
    }
    arguments.into()
}

#[test]
fn pieces_find_their_places() {
    let pieces = json!([
        {"jsonPath": "$.city", "stringValue": "Má", "willContinue": true},
        {"jsonPath": "$.city", "stringValue": "laga"},
        {"jsonPath": "$.days[0]", "numberValue": 1},
        {"jsonPath": "$.days[1]", "numberValue": 2.5},
        {"jsonPath": "$.deep.er[0]['a.b\\'c'].x", "boolValue": true},
        {"jsonPath": "$.deep[\"none\"]", "nullValue": "NULL_VALUE"},
    ]);
    let expected = json!({"city": "Málaga", "days": [1, 2.5], "deep": {"er": [{"a.b'c": {"x": true}}], "none": null}});
    assert_eq!(assembled(&pieces), expected);
}

#[test]
fn hostile_paths_lead_nowhere() {
    let deep = "$".to_owned() + &".a".repeat(100_000);
    let pieces = json!([
        {"jsonPath": "$.list[4000000000]", "stringValue": "x"},
        {"jsonPath": "$.list[-1]", "stringValue": "x"},
        {"jsonPath": "$[0]", "stringValue": "x"},
        {"jsonPath": "$", "stringValue": "x"},
        {"jsonPath": "$['a", "stringValue": "x"},
        {"jsonPath": "$..*", "stringValue": "x"},
        {"jsonPath": "city", "stringValue": "x"},
        {"jsonPath": deep, "stringValue": "x"},
        {"stringValue": "x"},
    ]);
    assert_eq!(assembled(&pieces), json!({"list": [], "": {"*": "x"}}));
}
