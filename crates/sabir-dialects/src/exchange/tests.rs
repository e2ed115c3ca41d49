use http::{HeaderMap, StatusCode};
use sabir_core::chat::Meta;
use sabir_core::dialect::Answer;
use sabir_core::{Endpoint, ErrorKind};
use serde_json::{Value, json};

use super::*;

fn endpoint(base_url: &str) -> Endpoint {
    Endpoint { base_url: base_url.into(), ..Endpoint::default() }
}

#[test]
fn options_stand_in_place_of_fields_and_after_them() {
    let options = json!({"b": 7, "z": [1], "ours": true});
    let mut object = Object::new(options.as_object());
    object.field("a", "x\"").maybe("none", None::<&u32>).field("b", &1).raw("c", b"{}");
    let body = String::from_utf8(object.end(&["ours"])).expect("JSON");
    assert_eq!(body, r#"{"a":"x\"","b":7,"c":{},"z":[1]}"#);
    assert_eq!(Object::new(None).end(&[]), b"{}");
}

#[test]
fn options_of_others_are_lost_unless_they_are_about_the_form() {
    let mut options = Meta::default();
    for (dialect, name, value) in [
        ("own", "anything", json!(1)),
        ("other", "encoding_format", json!("base64")),
        ("other", "embedding_types", json!(["float"])),
        ("other", "return_documents", json!(true)),
        ("other", "embedding_types_too", json!(["float"])),
        ("third", "encoding_format", json!("base64_int8")),
    ] {
        options.set(dialect, name, value);
    }
    let lost: Vec<_> = foreign(&options, "own").into_iter().map(|loss| loss.path).collect();
    assert_eq!(lost, ["options.other.embedding_types_too", "options.third.encoding_format"]);
}

#[test]
fn versions_of_a_base_are_kept_or_replaced() {
    let uri = |base: &str| versioned(&endpoint(base), "v1beta", "/models").expect("a URL").to_string();
    assert_eq!(uri("https://h.test"), "https://h.test/v1beta/models");
    assert_eq!(uri("https://h.test/v1beta/"), "https://h.test/v1beta/models");
    assert_eq!(uri("https://h.test/v2/x"), "https://h.test/v2/x/v1beta/models");
    let uri = |base: &str| unversioned(&endpoint(base), "/v2/embed").expect("a URL").to_string();
    assert_eq!(uri("https://h.test/v1"), "https://h.test/v2/embed");
    assert_eq!(uri("http://h.test:11434"), "http://h.test:11434/v2/embed");
    for base in ["", "v1", "http://v1"] {
        let uri = unversioned(&endpoint(base), "/x");
        assert!(uri.is_err() || base == "http://v1", "{base}: {uri:?}");
    }
}

#[test]
fn queries_and_counters_are_read_as_they_are_written() {
    assert_eq!(query("/m?after_id=a%2Fb+c&x=1", "after_id").as_deref(), Some("a/b c"));
    assert_eq!(query("/m?after_id=", "after_id"), None);
    assert_eq!(query("/m?after_idx=1", "after_id"), None);
    for odd in ["/m", "/m?%", "/m?a=%", "/m?a=%f", "/m?a=%+5", "/m?a=%é"] {
        let _ = query(odd, "a");
    }
    assert_eq!(query("/m?a=%+5", "a").as_deref(), Some("% 5"));
    let text = "a/b é&=?#%";
    assert_eq!(unescaped(&percent(text)), text);
    let count = |value: Value| count(Some(&value));
    assert_eq!(count(json!(2)), Some(2));
    assert_eq!(count(json!(2.0)), Some(2));
    for none in [json!(-1), json!(1.5), json!(1e300), json!("2"), Value::Null] {
        assert_eq!(count(none), None);
    }
}

/// Kind, code and message of an answer that is an error.
fn told(status: u16, body: &str) -> (ErrorKind, Option<String>, String) {
    let answer = Answer {
        status: StatusCode::from_u16(status).expect("a status"),
        headers: &HeaderMap::new(),
        body: body.as_bytes(),
    };
    let error = read::<Vec<u8>>(&answer).expect_err("an error");
    (error.kind(), error.code().map(str::to_owned), error.message().to_owned())
}

#[test]
fn errors_are_read_from_every_shape_that_was_met() {
    for (status, body, kind, code, message) in [
        (
            404,
            r#"{"error":{"message":"no model","type":"invalid_request_error","param":null,"code":"model_not_found"}}"#,
            ErrorKind::NotFound,
            Some("model_not_found"),
            "no model",
        ),
        (
            400,
            r#"{"code":"3210","message":"Too many","object":"error","type":"invalid_request_prompt"}"#,
            ErrorKind::InvalidRequest,
            Some("invalid_request_prompt"),
            "Too many",
        ),
        (
            500,
            r#"{"error":{"code":500,"message":"too large","type":"server_error"}}"#,
            ErrorKind::Provider,
            Some("server_error"),
            "too large",
        ),
        (400, r#"{"detail":"Model x"}"#, ErrorKind::InvalidRequest, None, "Model x"),
        (
            422,
            r#"{"detail":[{"loc":["body","input",0],"msg":"too short"}]}"#,
            ErrorKind::InvalidRequest,
            None,
            "body.input.0: too short",
        ),
        (404, r#"{"id":"1","message":"gone"}"#, ErrorKind::NotFound, None, "gone"),
        (404, r#"{"error":"pull it first"}"#, ErrorKind::NotFound, None, "pull it first"),
        (503, "<html><title>Busy</title>", ErrorKind::Overloaded, None, "Busy"),
        (502, "", ErrorKind::Provider, None, "HTTP 502 with an empty body"),
        (500, "{}", ErrorKind::Provider, None, "HTTP 500 with a body that gives no reason"),
        (200, r#"{"error":{"message":"slow","code":"rate_limit"}}"#, ErrorKind::RateLimit, Some("rate_limit"), "slow"),
    ] {
        assert_eq!(told(status, body), (kind, code.map(str::to_owned), message.to_owned()), "{body}");
    }
    for unreadable in ["", "<html>", "[", "7", "null", "{}", r#"{"error":null}"#] {
        assert_eq!(told(200, unreadable).0, ErrorKind::Decode, "{unreadable}");
    }
    let wait =
        r#"[{"error":{"code":429,"message":"later","status":"RESOURCE_EXHAUSTED","details":[{"retryDelay":"48s"}]}}]"#;
    let error = said::decode(StatusCode::TOO_MANY_REQUESTS, &HeaderMap::new(), wait.as_bytes());
    assert_eq!(error.retry_after(), Some(std::time::Duration::from_secs(48)));
    let endless = format!(r#"{{"error":"{}"}}"#, "x".repeat(1 << 20));
    assert!(told(400, &endless).2.len() < 2000);
}

#[test]
fn errors_are_written_in_every_shape() {
    let error = Error::new(ErrorKind::NotFound, "no such model").with_request_id("r1");
    for (shape, body) in [
        (
            Shape::OpenAi,
            json!({"error": {"message": "no such model", "type": "invalid_request_error", "param": null, "code": null}}),
        ),
        (
            Shape::Anthropic,
            json!({"type": "error", "error": {"type": "not_found_error", "message": "no such model"}, "request_id": "r1"}),
        ),
        (Shape::Gemini, json!({"error": {"code": 404, "message": "no such model", "status": "NOT_FOUND"}})),
        (Shape::Cohere, json!({"id": "r1", "message": "no such model"})),
        (Shape::Ollama, json!({"error": "no such model"})),
        (Shape::Detail, json!({"detail": "no such model"})),
    ] {
        let (status, written) = shape.refuse(&error);
        assert_eq!(status, StatusCode::NOT_FOUND);
        assert_eq!(serde_json::from_slice::<Value>(&written).expect("JSON"), body, "{shape:?}");
        let (kind, _, message) = told(404, std::str::from_utf8(&written).expect("text"));
        assert_eq!((kind, message.as_str()), (ErrorKind::NotFound, "no such model"));
    }
}
