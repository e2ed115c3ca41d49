use http::{HeaderMap, Method, StatusCode};
use sabir_core::dialect::Asked;
use sabir_core::models::ModelsRequest;
use sabir_core::{Endpoint, ErrorKind, Exchange};
use serde_json::json;

use super::*;

fn decode_text(format: &Listing, body: &str) -> Result<ModelsResponse> {
    format.decode(Answer { status: StatusCode::OK, headers: &HeaderMap::new(), body: body.as_bytes() })
}

fn decode(format: &Listing, body: &Value) -> ModelsResponse {
    decode_text(format, &body.to_string()).expect("a list")
}

fn facts(model: &ModelInfo) -> (&str, Option<&str>, Option<u64>, Option<u64>, Option<u64>) {
    (&model.id, model.name.as_deref(), model.created, model.context, model.max_output)
}

#[test]
fn facts_are_found_under_everyones_names() {
    let rows = json!([
        {"id": "a", "object": "model", "created": 1_754_587_402, "owned_by": "o"},
        {"id": "b", "name": "B", "context_length": 400, "top_provider": {"max_completion_tokens": 128}},
        {"id": "c", "created": 0, "max_model_len": 32, "owned_by": ""},
        {"id": "d", "context_window": 8, "max_completion_tokens": 4, "display_name": "D"},
        {"id": "e", "meta": {"n_ctx_train": 40_960}},
    ]);
    let list = decode(&OpenAiModels, &json!({"object": "list", "data": rows, "models": []}));
    let told: Vec<_> = list.models.iter().map(facts).collect();
    assert_eq!(
        told,
        [
            ("a", None, Some(1_754_587_402), None, None),
            ("b", Some("B"), None, Some(400), Some(128)),
            ("c", None, None, Some(32), None),
            ("d", Some("D"), None, Some(8), Some(4)),
            ("e", None, None, Some(40_960), None),
        ]
    );
    assert_eq!(list.models[0].meta.get("openai-models", "owned_by"), Some(&json!("o")));
    assert!(list.models[2].meta.is_empty());
    // Together's list has nothing around it.
    assert_eq!(decode(&OpenAiModels, &rows).models.len(), 5);
    let anthropic = json!({"data": [{"type": "model", "id": "c", "display_name": "C", "created_at": "2026-02-24T00:00:00Z", "max_input_tokens": 9, "max_tokens": 3}], "has_more": true, "last_id": "c"});
    let list = decode(&AnthropicModels, &anthropic);
    assert_eq!(facts(&list.models[0]), ("c", Some("C"), Some(1_771_891_200), Some(9), Some(3)));
    assert_eq!(list.next_page.as_deref(), Some("c"));
    let gemini = json!({"models": [{"name": "models/g", "displayName": "G", "inputTokenLimit": 9, "outputTokenLimit": 3, "thinking": true}], "nextPageToken": "t"});
    let list = decode(&GeminiModels, &gemini);
    assert_eq!(facts(&list.models[0]), ("g", Some("G"), None, Some(9), Some(3)));
    assert_eq!(list.next_page.as_deref(), Some("t"));
    let cohere = json!({"models": [{"name": "x", "endpoints": ["chat"], "context_length": 128_000.0}]});
    assert_eq!(facts(&decode(&CohereModels, &cohere).models[0]), ("x", None, None, Some(128_000), None));
    let ollama = json!({"models": [{"name": "l:latest", "model": "l:latest", "modified_at": "2026-01-02T03:04:05.678901-08:00", "size": 5}]});
    assert_eq!(facts(&decode(&OllamaTags, &ollama).models[0]), ("l:latest", None, Some(1_767_351_845), None, None));
    assert_eq!(decode_text(&GeminiModels, "{}").expect("no models"), ModelsResponse::default());
    assert_eq!(decode_text(&OllamaTags, r#"{"models":null}"#).expect("no models"), ModelsResponse::default());
}

#[test]
fn pages_are_asked_for_and_understood() {
    let endpoint = Endpoint { base_url: "https://h.test".into(), ..Endpoint::default() };
    let second = ModelsRequest { page: Some("a/b c&d".into()), ..ModelsRequest::default() };
    for (format, first_path, paged) in [
        (&OpenAiModels as &Listing, "/models", false),
        (&AnthropicModels, "/v1/models?limit=1000", true),
        (&GeminiModels, "/v1beta/models?pageSize=1000", true),
        (&CohereModels, "/v1/models?page_size=1000", true),
        (&OllamaTags, "/api/tags", false),
    ] {
        let path = |request: &ModelsRequest| {
            let encoded = format.encode(request, &endpoint).expect("a request");
            assert_eq!((encoded.method, encoded.body.len()), (Method::GET, 0));
            encoded.uri.path_and_query().expect("a path").to_string()
        };
        assert_eq!(path(&ModelsRequest::default()), first_path);
        let (method, headers) = (&Method::GET, &HeaderMap::new());
        let path = &path(&second);
        let accepted = format.accept(Asked { method, path, headers, body: b"" }).expect("a request");
        assert_eq!(accepted.page, second.page.clone().filter(|_| paged), "{path}");
    }
}

#[test]
fn one_model_is_asked_for_and_understood() {
    let endpoint = Endpoint { base_url: "https://h.test".into(), ..Endpoint::default() };
    let asked = ModelsRequest::one("org/m+1 b:x");
    for (format, path) in [
        (&OpenAiModels as &Listing, "/models/org/m%2B1%20b:x"),
        (&AnthropicModels, "/v1/models/org/m%2B1%20b:x"),
        (&GeminiModels, "/v1beta/models/org/m%2B1%20b:x"),
        (&CohereModels, "/v1/models/org/m%2B1%20b:x"),
        (&OllamaTags, "/api/show"),
    ] {
        let encoded = format.encode(&asked, &endpoint).expect("a request");
        assert_eq!(encoded.uri.path_and_query().map(http::uri::PathAndQuery::as_str), Some(path));
        let (method, headers) = (&encoded.method, &encoded.headers);
        let accepted = format.accept(Asked { method, path, headers, body: &encoded.body }).expect("a request");
        assert_eq!(accepted, asked, "{}", format.name());
    }
    let path = |format: &Listing, model: &str| {
        let encoded = format.encode(&ModelsRequest::one(model), &endpoint).expect("a request");
        encoded.uri.path().to_owned()
    };
    assert_eq!(path(&GeminiModels, "models/g"), "/v1beta/models/g");
    assert_eq!(path(&GeminiModels, "tunedModels/t"), "/v1beta/tunedModels/t");
    let accept = |format: &Listing, path: &str, body: &str| {
        let headers = HeaderMap::new();
        format.accept(Asked { method: &Method::GET, path, headers: &headers, body: body.as_bytes() })
    };
    assert_eq!(accept(&GeminiModels, "/v1beta/tunedModels/t", ""), Ok(ModelsRequest::one("tunedModels/t")));
    assert_eq!(accept(&OpenAiModels, "/v1/models/r+?x=1", ""), Ok(ModelsRequest::one("r+")));
    assert_eq!(accept(&OpenAiModels, "/v1/models/", ""), Ok(ModelsRequest::default()));
    assert_eq!(accept(&OllamaTags, "/api/show", r#"{"name":"q"}"#), Ok(ModelsRequest::one("q")));
    for body in ["", "{}", r#"{"model":7}"#] {
        let error = accept(&OllamaTags, "/api/show", body).expect_err(body);
        assert_eq!(error.kind(), ErrorKind::InvalidRequest);
    }
}

#[test]
fn what_is_said_of_one_model_is_read() {
    let anthropic = json!({"type": "model", "id": "c", "display_name": "C", "created_at": "2026-02-24T00:00:00Z", "max_input_tokens": 9, "max_tokens": 3, "capabilities": {"batch": {"supported": true}}});
    let gemini = json!({"name": "models/g", "displayName": "G", "inputTokenLimit": 9, "outputTokenLimit": 3});
    let openai = json!({"id": "o", "object": "model", "created": 5, "owned_by": "x"});
    for (format, body, told) in [
        (&OpenAiModels as &Listing, openai.clone(), ("o", None, Some(5), None, None)),
        (&OpenAiModels, json!({ "data": openai }), ("o", None, Some(5), None, None)),
        (&AnthropicModels, anthropic, ("c", Some("C"), Some(1_771_891_200), Some(9), Some(3))),
        (&GeminiModels, gemini, ("g", Some("G"), None, Some(9), Some(3))),
        (&CohereModels, json!({"name": "x", "context_length": 7.0}), ("x", None, None, Some(7), None)),
    ] {
        let list = decode(format, &body);
        assert_eq!((list.models.len(), facts(&list.models[0])), (1, told), "{}", format.name());
    }
    let shown = |facts: Value| {
        let body = json!({"details": {"family": "qwen3"}, "model_info": facts, "capabilities": ["completion", "tools"], "modified_at": "2026-02-24T00:00:00Z", "template": "{{ .Prompt }}", "parameters": "top_k 20"});
        decode(&OllamaTags, &body).models.remove(0)
    };
    let qwen = json!({"general.architecture": "qwen3", "clip.context_length": 77, "qwen3.context_length": 40_960});
    let model = shown(qwen.clone());
    assert_eq!(facts(&model), ("", None, Some(1_771_891_200), Some(40_960), None));
    assert_eq!(model.meta.get("ollama-tags", "capabilities"), Some(&json!(["completion", "tools"])));
    assert_eq!(model.meta.get("ollama-tags", "model_info"), Some(&qwen));
    assert_eq!(shown(json!({"x.context_length": 8})).context, Some(8));
    assert_eq!(shown(json!(["odd"])).context, None);
    let not_there = r#"{"error":"model 'm' not found"}"#;
    for format in all() {
        let status = StatusCode::NOT_FOUND;
        let answer = Answer { status, headers: &HeaderMap::new(), body: not_there.as_bytes() };
        assert_eq!(format.decode(answer).expect_err("unknown").kind(), ErrorKind::NotFound);
    }
}

#[test]
fn one_model_is_written_alone_and_read_back() {
    let mut model = ModelInfo::default();
    model.id = "m".into();
    model.context = Some(9);
    let mut list = ModelsResponse::default();
    list.models = vec![model];
    for format in all() {
        let responded = format.respond(&list, &ModelsRequest::one("m"));
        assert!(responded.losses.is_empty(), "{}: {:?}", format.name(), responded.losses);
        let back = decode_text(*format, std::str::from_utf8(&responded.body).expect("text")).expect("ours");
        let said = (back.models.len(), back.models[0].id.as_str(), back.models[0].context);
        let context = Some(9);
        // Ollama does not repeat the name.
        assert_eq!(said, (1, if format.name() == "ollama-tags" { "" } else { "m" }, context), "{}", format.name());
    }
}

#[test]
fn a_version_that_is_set_is_kept() {
    let mut endpoint = Endpoint { base_url: "https://h.test".into(), ..Endpoint::default() };
    let version = |endpoint: &Endpoint| {
        let encoded = AnthropicModels.encode(&ModelsRequest::default(), endpoint).expect("a request");
        encoded.headers["anthropic-version"].clone()
    };
    assert_eq!(version(&endpoint), "2023-06-01");
    endpoint.headers.insert("anthropic-version", http::HeaderValue::from_static("2026-10-21"));
    assert_eq!(version(&endpoint), "2026-10-21");
}

#[test]
fn lists_are_written_and_read_back() {
    let mut model = ModelInfo::default();
    model.id = "m".into();
    model.name = Some("M".into());
    model.created = Some(1_771_891_200);
    model.context = Some(9);
    model.max_output = Some(3);
    let mut list = ModelsResponse::default();
    list.models = vec![model];
    for (format, lost) in [
        (&OpenAiModels as &Listing, &[][..]),
        (&AnthropicModels, &[]),
        (&GeminiModels, &["models[].created"]),
        (&CohereModels, &["models[].name", "models[].created", "models[].max_output"]),
        (&OllamaTags, &["models[].context", "models[].max_output"]),
    ] {
        let responded = format.respond(&list, &ModelsRequest::default());
        let paths: Vec<_> = responded.losses.iter().map(|loss| loss.path.as_str()).collect();
        assert_eq!(paths, lost, "{}", format.name());
        let back = decode_text(format, std::str::from_utf8(&responded.body).expect("text")).expect("ours");
        let (got, sent) = (facts(&back.models[0]), facts(&list.models[0]));
        let unless = |field: &str, lost: &[&str]| !lost.contains(&field);
        assert_eq!(got.0, sent.0);
        assert_eq!(got.1, sent.1.filter(|_| unless("models[].name", lost)));
        assert_eq!(got.2, sent.2.filter(|_| unless("models[].created", lost)));
        assert_eq!(got.3, sent.3.filter(|_| unless("models[].context", lost)));
        assert_eq!(got.4, sent.4.filter(|_| unless("models[].max_output", lost)));
    }
    list.next_page = Some("n".into());
    list.models[0].meta.set("else", "x", json!(1));
    let unpaged = OpenAiModels.respond(&list, &ModelsRequest::default()).losses;
    assert_eq!(unpaged.iter().map(|l| l.path.as_str()).collect::<Vec<_>>(), ["models[].meta", "next_page"]);
    for format in [&AnthropicModels as &Listing, &GeminiModels, &CohereModels] {
        let responded = format.respond(&list, &ModelsRequest::default());
        let back = decode_text(format, std::str::from_utf8(&responded.body).expect("text")).expect("ours");
        assert_eq!(back.next_page.as_deref(), Some("n"));
    }
}

#[test]
fn dates_go_both_ways_and_strange_ones_are_none() {
    for (text, seconds) in [
        ("1970-01-01T00:00:00Z", 0),
        ("2028-02-29T23:59:59Z", 1_835_481_599),
        ("9999-12-31T23:59:59Z", 253_402_300_799),
    ] {
        assert_eq!((date::seconds(text), date::text(seconds).as_str()), (Some(seconds), text));
    }
    assert_eq!(date::seconds("2026-01-01T00:00:00.5+01:00"), Some(1_767_222_000));
    assert_eq!(date::text(u64::MAX), "9999-12-31T23:59:59Z");
    for odd in [
        "",
        "T",
        "2026-01-01",
        "2026-13-01T00:00:00Z",
        "2026-01-01T24:00:00Z",
        "1970-01-01T00:00:00+01:00",
        "2026-01-01T00:00:00+é",
        "99999999999999999999-01-01T00:00:00Z",
        "2026-01-01T00:00:00",
    ] {
        assert_eq!(date::seconds(odd), None, "{odd}");
    }
}

#[test]
fn hostile_lists_are_errors_of_decoding() {
    for format in all() {
        for body in [
            "",
            "7",
            "<html>",
            r#"{"data":7,"models":7}"#,
            r#"{"data":["a"],"models":["a"]}"#,
            r#"{"data":[{}],"models":[{}]}"#,
            r#"{"data":[{"id":""}],"models":[{"name":""}]}"#,
        ] {
            assert_eq!(
                decode_text(*format, body).expect_err(body).kind(),
                ErrorKind::Decode,
                "{} {body}",
                format.name()
            );
        }
    }
}
