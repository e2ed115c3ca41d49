use http::{HeaderMap, Method, StatusCode};
use sabir_core::dialect::{Asked, Encoded};
use sabir_core::{Endpoint, ErrorKind, Exchange};
use serde_json::json;

use super::*;

fn decode_text(format: &Reranking, body: &str) -> Result<RerankResponse> {
    format.decode(Answer { status: StatusCode::OK, headers: &HeaderMap::new(), body: body.as_bytes() })
}

fn accept(format: &Reranking, path: &str, body: &[u8]) -> Result<RerankRequest> {
    format.accept(Asked { method: &Method::POST, path, headers: &HeaderMap::new(), body })
}

fn encode(format: &Reranking, request: &RerankRequest, quirks: &[(&str, &str)]) -> Encoded {
    let endpoint = Endpoint {
        base_url: "https://h.test/v1".into(),
        quirks: quirks.iter().copied().collect(),
        ..Endpoint::default()
    };
    format.encode(request, &endpoint).expect("can be carried")
}

fn request() -> RerankRequest {
    RerankRequest {
        model: "m".into(),
        query: "q".into(),
        documents: vec!["one".into(), "two".into(), "three".into()],
        top_n: Some(2),
        ..RerankRequest::default()
    }
}

#[test]
fn requests_come_back_as_they_were() {
    let with = |name: &str, option: &str, value: Value| {
        let mut request = request();
        request.options.set(name, option, value);
        request
    };
    let cases: [(&Reranking, RerankRequest, &str, &str); 6] = [
        (&CohereRerank, request(), "/v2/rerank", "top_n"),
        (&CohereRerank, with("cohere-rerank", "api_version", json!("v1")), "/v1/rerank", "top_n"),
        (&CohereRerank, with("cohere-rerank", "max_tokens_per_doc", json!(9)), "/v2/rerank", "top_n"),
        (&JinaRerank, request(), "/v1/rerank", "top_n"),
        (&JinaRerank, with("jina-rerank", "return_documents", json!(true)), "/v1/rerank", "top_n"),
        (&JinaRerank, with("jina-rerank", "style", json!("voyage")), "/v1/rerank", "top_k"),
    ];
    for (format, request, path, top) in cases {
        let encoded = encode(format, &request, &[]);
        assert_eq!((encoded.uri.path(), encoded.losses.as_slice()), (path, &[][..]));
        let body: Value = serde_json::from_slice(&encoded.body).expect("JSON");
        assert_eq!(body[top], 2, "{body}");
        assert_eq!(accept(format, path, &encoded.body).expect("ours"), request);
    }
    let encoded = encode(&JinaRerank, &request(), &[("rerank_style", "voyage"), ("rerank_path", "/r")]);
    assert_eq!(encoded.uri, "https://h.test/v1/r");
    assert_eq!(encoded.body, r#"{"model":"m","query":"q","documents":["one","two","three"],"top_k":2}"#);
    let foreign = with("cohere-rerank", "max_tokens_per_doc", json!(9));
    assert_eq!(encode(&JinaRerank, &foreign, &[]).losses[0].path, "options.cohere-rerank.max_tokens_per_doc");
}

#[test]
fn answers_of_every_kind_are_read_best_first() {
    for (body, input, searches) in [
        (
            r#"{"id":"1","results":[{"index":2,"relevance_score":0.9},{"index":0,"relevance_score":-8.25}],"meta":{"billed_units":{"search_units":1.0}}}"#,
            None,
            Some(1),
        ),
        (
            r#"{"object":"list","data":[{"relevance_score":-8.25,"index":0},{"relevance_score":0.9,"index":2}],"model":"r","usage":{"total_tokens":43}}"#,
            Some(43),
            None,
        ),
        (
            r#"{"results":[{"index":2,"score":0.9,"document":{"text":"t"}},{"index":0,"score":-8.25}],"meta":{"tokens":{"input_tokens":7}}}"#,
            Some(7),
            None,
        ),
    ] {
        for format in all() {
            let response = decode_text(*format, body).expect(body);
            let places: Vec<_> = response.ranking.iter().map(|r| (r.index, r.score)).collect();
            assert_eq!(places, [(2, 0.9), (0, -8.25)]);
            assert_eq!((response.usage.input, response.usage.tools.get("search_units").copied()), (input, searches));
        }
    }
}

#[test]
fn answers_are_written_as_they_are_asked_for_and_read_back() {
    let mut response = RerankResponse::default();
    response.id = "r1".into();
    response.ranking = vec![Ranked { index: 1, score: 0.75 }, Ranked { index: 9, score: 7.141_902e-5 }];
    response.usage.input = Some(5);
    response.usage.tools.insert("search_units".into(), 1);
    let documents = json!([{"text": "one"}, {"title": "T", "n": 2, "text": "two"}]);
    let asked = json!({"model": "m", "query": "q", "documents": documents, "return_documents": true});
    for (format, path) in [(&CohereRerank as &Reranking, "/v1/rerank"), (&JinaRerank, "/v1/rerank")] {
        let request = accept(format, path, asked.to_string().as_bytes()).expect("a request");
        assert_eq!(request.documents, ["one", "two"]);
        let responded = format.respond(&response, &request);
        let body: Value = serde_json::from_slice(&responded.body).expect("JSON");
        let places = json!([
            {"index": 1, "relevance_score": 0.75, "document": {"text": "two"}},
            {"index": 9, "relevance_score": 7.141_902e-5},
        ]);
        assert_eq!(body["results"], places, "a document that was never sent is not looked for");
        let back = decode_text(format, &body.to_string()).expect("ours");
        assert_eq!((back.ranking, back.usage.input), (response.ranking.clone(), Some(5)));
    }
    let voyage = br#"{"model":"m","query":"q","documents":["a"],"top_k":null,"truncation":true}"#;
    let request = accept(&JinaRerank, "/v1/rerank", voyage).expect("a request");
    let body: Value = serde_json::from_slice(&JinaRerank.respond(&response, &request).body).expect("JSON");
    assert_eq!((body["data"][0]["index"].as_u64(), body.get("results")), (Some(1), None));
}

#[test]
fn fields_that_rank_are_chosen_here() {
    let documents = json!([{"content": "Penguins", "subject": "Physics"}, "plain"]);
    let asked = |fields: Value| {
        let body = json!({"query": "q", "documents": documents, "rank_fields": fields});
        accept(&CohereRerank, "/v1/rerank", body.to_string().as_bytes()).expect("a request").documents
    };
    assert_eq!(asked(json!(["content"])), ["content: Penguins", "plain"]);
    assert_eq!(asked(Value::Null), ["content: Penguins\nsubject: Physics", "plain"]);
}

#[test]
fn hostile_answers_and_requests_are_typed_errors() {
    for format in all() {
        for body in [
            "",
            "[]",
            "{}",
            "<html>",
            r#"{"results":{}}"#,
            r#"{"results":[{"index":-1,"relevance_score":1}]}"#,
            r#"{"results":[{"index":4294967296,"relevance_score":1}]}"#,
            r#"{"results":[{"index":0,"relevance_score":1},{"index":0,"relevance_score":2}]}"#,
            r#"{"results":[{"index":0,"relevance_score":"secret"}]}"#,
            r#"{"results":[{"index":0,"relevance_score":1e999}]}"#,
        ] {
            let error = decode_text(*format, body).expect_err(body);
            assert_eq!(error.kind(), ErrorKind::Decode, "{body}");
            assert!(!error.to_string().contains("secret"), "{error}");
        }
        for body in [
            "",
            "[]",
            r#"{"model":"m","documents":[]}"#,
            r#"{"model":"m","query":"q"}"#,
            r#"{"model":"m","query":"q","documents":["secret",7]}"#,
            r#"{"model":"m","query":"q","documents":[],"top_n":-1}"#,
            r#"{"model":"m","query":["secret"],"documents":[]}"#,
        ] {
            let error = accept(*format, "/v2/rerank", body.as_bytes()).expect_err(body);
            assert_eq!(error.kind(), ErrorKind::InvalidRequest, "{body}");
            assert!(!error.to_string().contains("secret"), "{error}");
        }
    }
}
