use http::{HeaderMap, Method, StatusCode};
use sabir_core::dialect::{Answer, Asked, Encoded};
use sabir_core::embed::EmbedPurpose;
use sabir_core::{Endpoint, ErrorKind, Exchange};
use serde_json::{Value, json};

use super::*;

fn decode(format: &Embedding, body: &Value) -> Result<EmbedResponse> {
    decode_text(format, &body.to_string())
}

fn decode_text(format: &Embedding, body: &str) -> Result<EmbedResponse> {
    format.decode(Answer { status: StatusCode::OK, headers: &HeaderMap::new(), body: body.as_bytes() })
}

fn accept(format: &Embedding, path: &str, body: &[u8]) -> Result<EmbedRequest> {
    format.accept(Asked { method: &Method::POST, path, headers: &HeaderMap::new(), body })
}

fn endpoint(quirks: &[(&str, &str)]) -> Endpoint {
    Endpoint { base_url: "https://h.test".into(), quirks: quirks.iter().copied().collect(), ..Endpoint::default() }
}

fn encode(format: &Embedding, request: &EmbedRequest) -> Encoded {
    format.encode(request, &endpoint(&[])).expect("can be carried")
}

fn body(encoded: &Encoded) -> Value {
    serde_json::from_slice(&encoded.body).expect("JSON")
}

fn request(inputs: &[&str]) -> EmbedRequest {
    EmbedRequest {
        model: "m".into(),
        inputs: inputs.iter().map(|text| EmbedInput::Text((*text).into())).collect(),
        ..EmbedRequest::default()
    }
}

fn image() -> EmbedInput {
    EmbedInput::Image(Media::bytes(&b"\x89PNG\r\n"[..], "image/png"))
}

/// What all formats can carry comes back as it was.
#[test]
fn requests_that_can_be_carried_come_back() {
    let mut many = request(&["one", "two"]);
    many.purpose = Some(EmbedPurpose::Document);
    many.dimensions = Some(256);
    let mut pictures = request(&[]);
    pictures.inputs = vec![image(), EmbedInput::Image(Media::url("https://x.test/a.png"))];
    let mut mixed = request(&["one"]);
    mixed.inputs.push(image());
    mixed.purpose = Some(EmbedPurpose::Query);
    let mut plain = request(&["one"]);
    plain.dimensions = Some(8);
    let mut tokens = request(&[]);
    tokens.inputs = vec![EmbedInput::Tokens(vec![1, 2]), EmbedInput::Tokens(vec![])];
    tokens.user = Some("u1".into());
    let old = |name: &str, option: &str, value: &str| {
        let mut old = request(&["one"]);
        old.options.set(name, option, value.into());
        old
    };
    let all = |name: &str| {
        let mut all = plain.clone();
        all.options.set(name, "truncate", "NONE".into());
        all
    };
    let searched = |mut request: EmbedRequest| {
        request.purpose = Some(EmbedPurpose::Query);
        request
    };
    let cases: [(&Embedding, Vec<EmbedRequest>); 4] = [
        (&OpenAiEmbeddings, vec![plain.clone(), request(&["one", "two"]), tokens, all("openai-embeddings")]),
        (
            &CohereEmbed,
            vec![
                many.clone(),
                pictures.clone(),
                mixed.clone(),
                searched(all("cohere-embed")),
                searched(old("cohere-embed", "api_version", "v1")),
            ],
        ),
        (&GeminiEmbed, vec![many, pictures, mixed, all("gemini-embed"), old("gemini-embed", "method", "embedContent")]),
        (
            &OllamaEmbed,
            vec![
                plain.clone(),
                request(&["one", "two"]),
                all("ollama-embed"),
                old("ollama-embed", "method", "embeddings"),
            ],
        ),
    ];
    for (format, requests) in cases {
        for request in requests {
            let encoded = encode(format, &request);
            assert_eq!(encoded.losses, [], "{}", format.name());
            let path = encoded.uri.path_and_query().expect("a path").as_str();
            let back = accept(format, path, &encoded.body).expect("ours");
            assert_eq!(back, request, "{} {path}", format.name());
            assert_eq!(encode(format, &back).body, encoded.body);
        }
    }
}

#[test]
fn requests_have_the_shape_of_their_format() {
    let mut request = request(&["one"]);
    request.purpose = Some(EmbedPurpose::Document);
    request.dimensions = Some(8);
    let quirks = [
        ("dimensions_field", "output_dimension"),
        ("purpose", "task"),
        ("embed_encoding", "base64"),
        ("embed_path", "/v9/e"),
    ];
    let encoded = OpenAiEmbeddings.encode(&request, &endpoint(&quirks)).expect("carried");
    assert_eq!(
        (encoded.uri.to_string().as_str(), std::str::from_utf8(&encoded.body).expect("text")),
        (
            "https://h.test/v9/e",
            r#"{"model":"m","input":["one"],"output_dimension":8,"encoding_format":"base64","task":"retrieval.passage"}"#
        )
    );
    for (way, word) in [("input_type", "document"), ("input_type_passage", "passage")] {
        let encoded = OpenAiEmbeddings.encode(&request, &endpoint(&[("purpose", way)])).expect("carried");
        assert_eq!(body(&encoded)["input_type"], word);
        assert_eq!(accept(&OpenAiEmbeddings, "/", &encoded.body).expect("ours"), request);
    }
    let encoded = encode(&CohereEmbed, &request);
    assert_eq!(encoded.uri, "https://h.test/v2/embed");
    assert_eq!(
        body(&encoded),
        json!({"model": "m", "input_type": "search_document", "texts": ["one"], "output_dimension": 8})
    );
    let encoded = encode(&GeminiEmbed, &request);
    assert_eq!(encoded.uri, "https://h.test/v1beta/models/m:batchEmbedContents");
    let item = json!({"model": "models/m", "content": {"parts": [{"text": "one"}]}, "taskType": "RETRIEVAL_DOCUMENT", "outputDimensionality": 8});
    assert_eq!(body(&encoded), json!({"requests": [item]}));
    let encoded = encode(&OllamaEmbed, &request);
    assert_eq!(encoded.uri, "https://h.test/api/embed");
    assert_eq!(body(&encoded), json!({"model": "m", "input": "one", "dimensions": 8}));
}

#[test]
fn what_a_format_has_no_word_for_is_said() {
    let mut request = request(&["one"]);
    request.purpose = Some(EmbedPurpose::from("haiku"));
    request.user = Some("u".into());
    request.options.set("openai-chat", "seed", json!(1));
    for (format, lost) in [
        (&OpenAiEmbeddings as &Embedding, &["options.openai-chat.seed", "purpose"][..]),
        (&CohereEmbed, &["options.openai-chat.seed", "user", "purpose"]),
        (&GeminiEmbed, &["options.openai-chat.seed", "user", "purpose"]),
        (&OllamaEmbed, &["options.openai-chat.seed", "user", "purpose"]),
    ] {
        let losses = encode(format, &request).losses;
        let paths: Vec<_> = losses.iter().map(|loss| loss.path.as_str()).collect();
        assert_eq!(paths, lost, "{}", format.name());
    }
    // An input that is left out would be missed among the vectors.
    let mut tokens = request.clone();
    tokens.inputs = vec![EmbedInput::Text("one".into()), EmbedInput::Tokens(vec![1])];
    let mut nameless = request.clone();
    nameless.inputs = vec![EmbedInput::Image(Media { source: Source::Bytes(b"x"[..].into()), mime: None })];
    let mut none = request;
    none.inputs.clear();
    for request in [tokens, nameless, none] {
        for format in all() {
            let error = format.encode(&request, &endpoint(&[])).expect_err("cannot be carried");
            assert!(matches!(error.kind(), ErrorKind::Unsupported | ErrorKind::InvalidRequest), "{error}");
        }
    }
}

#[test]
fn vectors_stand_in_the_order_of_the_inputs() {
    let row = |index: u32, x: f32| json!({"object": "embedding", "index": index, "embedding": [x]});
    let answer = json!({"data": [row(1, 1.5), row(0, 0.5), row(2, 2.5)], "model": "m", "usage": {"prompt_tokens": 3, "total_tokens": 3}});
    let response = decode(&OpenAiEmbeddings, &answer).expect("whole");
    assert_eq!(response.vectors, [[0.5], [1.5], [2.5]]);
    assert_eq!((response.usage.input, response.usage.output), (Some(3), None));
    let all_first = json!({"data": [row(0, 1.5), row(0, 0.5)]});
    assert_eq!(decode(&OpenAiEmbeddings, &all_first).expect("whole").vectors, [[1.5], [0.5]]);
    for indexes in [&[0, 2][..], &[1, 1], &[0, u32::MAX], &[1, 2]] {
        let rows: Vec<_> = indexes.iter().map(|index| row(*index, 0.5)).collect();
        let error = decode(&OpenAiEmbeddings, &json!({"data": rows})).expect_err("strange indexes");
        assert_eq!(error.kind(), ErrorKind::Decode);
    }
}

#[test]
fn base64_is_floats_or_signed_bytes() {
    let data = |bytes: &[u8]| {
        let text = sabir_core::chat::to_base64(bytes);
        decode(&OpenAiEmbeddings, &json!({"data": [{"embedding": text}]}))
    };
    let floats: Vec<f32> = (0..64_u8).map(|n| f32::from(n) / 64.0 - 0.5).collect();
    let bytes: Vec<u8> = floats.iter().flat_map(|x| x.to_le_bytes()).collect();
    assert_eq!(data(&bytes).expect("floats").vectors, std::slice::from_ref(&floats));
    // Spread as quantised embeddings are; not of a length that gives them away.
    let signed: Vec<i8> = (0..64_u8).map(|n| n.wrapping_mul(37).cast_signed()).collect();
    let bytes_of = |signed: &[i8]| signed.iter().map(|n| n.cast_unsigned()).collect::<Vec<_>>();
    let read: Vec<f32> = signed.iter().map(|n| f32::from(*n)).collect();
    assert_eq!(data(&bytes_of(&signed)).expect("bytes").vectors, [read.as_slice()]);
    assert_eq!(data(&bytes_of(&signed[..62])).expect("bytes").vectors, [&read[..62]]);
    assert_eq!(data(&[]).expect("nothing").vectors, [[0.0_f32; 0]]);
    for cut in [&bytes[..bytes.len() - 1], &bytes[..3]] {
        assert_eq!(data(cut).expect_err("cut").kind(), ErrorKind::Decode);
    }
    let mut endless = bytes.clone();
    endless[..4].copy_from_slice(&f32::INFINITY.to_le_bytes());
    assert_eq!(data(&endless).expect_err("not finite").kind(), ErrorKind::Decode);
    for text in ["AAA", "AAAAA", "****", "AAAA\u{e9}"] {
        let error = decode(&OpenAiEmbeddings, &json!({"data": [{"embedding": text}]})).expect_err("no base64");
        assert_eq!(error.kind(), ErrorKind::Decode, "{text}");
    }
}

#[test]
fn answers_are_written_as_they_are_asked_for_and_read_back() {
    let mut response = EmbedResponse::default();
    response.id = "e1".into();
    response.model = "m".into();
    response.vectors = vec![vec![0.1, -2.5e-8], vec![3.0, 0.0]];
    response.usage.input = Some(4);
    let asks: [(&Embedding, &str, Value); 9] = [
        (&OpenAiEmbeddings, "/", json!({"model": "m", "input": ["a", "b"]})),
        (&OpenAiEmbeddings, "/", json!({"model": "m", "input": ["a", "b"], "encoding_format": "base64"})),
        (&CohereEmbed, "/v2/embed", json!({"model": "m", "texts": ["a", "b"], "input_type": "search_query"})),
        (&CohereEmbed, "/v1/embed", json!({"texts": ["a", "b"]})),
        (&CohereEmbed, "/v2/embed", json!({"model": "m", "texts": ["a", "b"], "embedding_types": ["base64"]})),
        (&CohereEmbed, "/v2/embed", json!({"model": "m", "texts": ["a"], "embedding_types": ["int8", "float"]})),
        (
            &GeminiEmbed,
            "/v1beta/models/m:batchEmbedContents",
            json!({"requests": [{"content": {"parts": [{"text": "a"}]}}]}),
        ),
        (&OllamaEmbed, "/api/embed", json!({"model": "m", "input": ["a", "b"]})),
        (&OllamaEmbed, "/api/embed", json!({"model": "m", "input": "a", "truncate": null})),
    ];
    for (format, path, asked) in asks {
        let request = accept(format, path, asked.to_string().as_bytes()).expect("a request");
        let responded = format.respond(&response, &request);
        let back = decode_text(format, std::str::from_utf8(&responded.body).expect("text")).expect("an answer");
        assert_eq!((&back.vectors, back.usage.input), (&response.vectors, Some(4)), "{asked}");
        let quantised = asked["embedding_types"][0] == "int8";
        assert_eq!(responded.losses.len(), usize::from(quantised), "{asked}");
    }
    let single = json!({"content": {"parts": [{"text": "a"}]}, "taskType": "RETRIEVAL_QUERY"});
    let single =
        accept(&GeminiEmbed, "/v1beta/models/m:embedContent", single.to_string().as_bytes()).expect("a request");
    let responded = GeminiEmbed.respond(&response, &single);
    let body: Value = serde_json::from_slice(&responded.body).expect("JSON");
    assert_eq!(body, json!({"embedding": {"values": [0.1, -2.5e-8]}, "usageMetadata": {"promptTokenCount": 4}}));
    let old = accept(&OllamaEmbed, "/api/embeddings", br#"{"model":"m","prompt":"a"}"#).expect("a request");
    assert_eq!(OllamaEmbed.respond(&response, &old).body, r#"{"embedding":[0.1,-2.5e-8]}"#);
    // Nothing is known of the tokens: the field has to be there, and the guess is said.
    response.usage.input = None;
    assert_eq!(OpenAiEmbeddings.respond(&response, &request(&["a"])).losses[0].path, "usage.input");
}

#[test]
fn quantised_vectors_stay_whole_numbers() {
    let answer = json!({"id": "1", "embeddings": {"ubinary": [[3]], "int8": [[-128, 127]], "float": null}, "meta": {"billed_units": {"images": 1.0}}});
    let response = decode(&CohereEmbed, &answer).expect("vectors");
    assert_eq!(response.vectors, [[-128.0, 127.0]]);
    assert_eq!(response.losses[0].path, "embeddings.ubinary");
    assert_eq!((response.usage.input, response.usage.tools["images"]), (None, 1));
    let asked = br#"{"model":"m","texts":["a"],"embedding_types":["int8"],"input_type":"search_query"}"#;
    let request = accept(&CohereEmbed, "/v2/embed", asked).expect("a request");
    assert_eq!(body(&encode(&CohereEmbed, &request))["embedding_types"], json!(["int8"]));
    let written = CohereEmbed.respond(&response, &request);
    let written: Value = serde_json::from_slice(&written.body).expect("JSON");
    assert_eq!(written["embeddings"], json!({"int8": [[-128, 127]]}));
    assert_eq!(encode(&OpenAiEmbeddings, &request).losses[0].path, "options.cohere-embed.embedding_types");
}

#[test]
fn counters_and_costs_of_routers_are_read() {
    let usage = json!({"total_tokens": 7, "cost": 1.8e-7, "prompt_tokens_details": null});
    let response = decode(&OpenAiEmbeddings, &json!({"data": [], "usage": usage, "id": "g"})).expect("an answer");
    assert_eq!((response.usage.input, response.id.as_str()), (Some(7), "g"));
    assert_eq!(response.cost.expect("given").nano_usd, 180);
    let usage = json!({"prompt_tokens": 9, "completion_tokens": 0, "prompt_tokens_details": {"cached_tokens": 4}, "cost": {"total_cost": 0.001}});
    let response = decode(&OpenAiEmbeddings, &json!({"data": [], "usage": usage})).expect("an answer");
    assert_eq!((response.usage.input, response.usage.cache_read, response.usage.output), (Some(5), Some(4), Some(0)));
    assert_eq!(response.cost.expect("given").nano_usd, 1_000_000);
    let details = json!([{"modality": "TEXT", "tokenCount": 2}, {"modality": "IMAGE", "tokenCount": 258}]);
    let usage = json!({"promptTokenCount": 260, "promptTokenDetails": details});
    let response = decode(&GeminiEmbed, &json!({"embeddings": [], "usageMetadata": usage})).expect("an answer");
    assert_eq!((response.usage.input, response.usage.image_input), (Some(2), Some(258)));
    let vertex = json!({"predictions": [{"embeddings": {"values": [1.0], "statistics": {"token_count": 12, "truncated": false}}}]});
    let response = decode(&GeminiEmbed, &vertex).expect("an answer");
    assert_eq!((response.vectors.len(), response.usage.input), (1, Some(12)));
}

#[test]
fn hostile_answers_are_errors_of_decoding() {
    let deep = "[".repeat(100_000);
    let bodies = [
        "",
        "null",
        "[]",
        "{}",
        "7",
        "<html>busy</html>",
        "{\"data\":",
        deep.as_str(),
        "\u{feff}{}",
        r#"{"data":{},"embeddings":{},"embedding":7}"#,
        r#"{"data":[{"index":-1,"embedding":[1]}],"embeddings":7}"#,
        r#"{"data":[{"index":18446744073709551615,"embedding":[1]}],"embeddings":"AAAA"}"#,
        r#"{"data":[{"embedding":[1e39]}],"embeddings":[[1e39]]}"#,
        r#"{"data":[{"embedding":[null]}],"embeddings":[[null]]}"#,
        r#"{"data":[{"embedding":{"a":1}}],"embeddings":[{"values":{}}]}"#,
        r#"{"data":[{"embedding":["secret prompt"]}],"embeddings":[["secret prompt"]]}"#,
    ];
    for format in all() {
        for body in bodies {
            let error = decode_text(*format, body).expect_err(body);
            assert_eq!(error.kind(), ErrorKind::Decode, "{} {body}", format.name());
            assert!(!error.to_string().contains("secret"), "{error}");
        }
    }
}

#[test]
fn malformed_requests_say_where_and_not_what() {
    let cases: [(&Embedding, &str); 12] = [
        (&OpenAiEmbeddings, r#"{"model":"m"}"#),
        (&OpenAiEmbeddings, r#"{"model":"m","input":{"secret":1}}"#),
        (&OpenAiEmbeddings, r#"{"model":"m","input":["a",{"secret":1}]}"#),
        (&OpenAiEmbeddings, r#"{"model":"m","input":[1,-1]}"#),
        (&OpenAiEmbeddings, r#"{"model":"m","input":[[99999999999]]}"#),
        (&OpenAiEmbeddings, r#"{"model":"m","input":"a","dimensions":"secret"}"#),
        (&CohereEmbed, r#"{"model":"m","texts":["a","secret",1]}"#),
        (&CohereEmbed, r#"{"model":"m","images":["data:secret"]}"#),
        (&CohereEmbed, r#"{"model":"m"}"#),
        (&GeminiEmbed, r#"{"requests":[{"content":{"parts":[{"secret":1}]}}]}"#),
        (&GeminiEmbed, r#"{"requests":[]}"#),
        (&OllamaEmbed, r#"{"model":"m","input":["secret",2]}"#),
    ];
    for (format, body) in cases {
        let error = accept(format, "/v1beta/models/m:batchEmbedContents", body.as_bytes()).expect_err(body);
        assert_eq!(error.kind(), ErrorKind::InvalidRequest, "{body}");
        assert!(!error.to_string().contains("secret"), "{error}");
    }
    for format in all() {
        for body in ["", "[]", "7", "{", "\"secret\""] {
            let error = accept(*format, "/", body.as_bytes()).expect_err(body);
            assert_eq!(error.kind(), ErrorKind::InvalidRequest);
            assert!(!error.to_string().contains("secret"), "{error}");
        }
    }
}

#[test]
fn a_batch_of_unlike_requests_is_not_guessed_at() {
    let one = |title: &str| json!({"content": {"parts": [{"text": "a"}]}, "title": title});
    let path = "/v1beta/models/m:batchEmbedContents";
    let batch = |requests: Value| accept(&GeminiEmbed, path, json!({"requests": requests}).to_string().as_bytes());
    let alike = batch(json!([one("t"), one("t")])).expect("alike");
    assert_eq!((alike.model.as_str(), alike.options.get("gemini-embed", "title")), ("m", Some(&json!("t"))));
    assert_eq!(batch(json!([one("t"), one("u")])).expect_err("unlike").kind(), ErrorKind::Unsupported);
    let parts =
        json!([{"content": {"parts": [{"text": "a"}, {"inline_data": {"mime_type": "image/png", "data": "aGk="}}]}}]);
    assert_eq!(batch(parts).expect_err("mixed").kind(), ErrorKind::Unsupported);
    let snake = json!([{"content": {"parts": [{"text": "a"}, {"text": "b"}]}, "task_type": "RETRIEVAL_QUERY", "output_dimensionality": 8}]);
    let snake = batch(snake).expect("both spellings");
    assert_eq!((snake.purpose, snake.dimensions), (Some(EmbedPurpose::Query), Some(8)));
    assert_eq!(snake.inputs, [EmbedInput::Text("a\nb".into())]);
}
