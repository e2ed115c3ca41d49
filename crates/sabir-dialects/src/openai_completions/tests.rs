use http::{HeaderMap, Method, StatusCode};
use sabir_core::chat::*;
use sabir_core::dialect::{Answer, Asked};
use sabir_core::drive::decode_whole;
use sabir_core::{Dialect, Endpoint, ErrorKind, Loss, Result};
use serde_json::{Value, json};

use super::{NAME, OpenAiCompletions};

fn endpoint() -> Endpoint {
    Endpoint { base_url: "https://x.test/v1".into(), ..Endpoint::default() }
}

fn encoded(request: &ChatRequest) -> (Value, Vec<String>) {
    let encoded = OpenAiCompletions.encode(request, &endpoint()).expect("encodable");
    assert_eq!(encoded.uri, "https://x.test/v1/completions");
    let losses = encoded.losses.iter().map(|loss| format!("{} {}", loss.feature, loss.path)).collect();
    (serde_json::from_slice(&encoded.body).expect("JSON"), losses)
}

fn accepted(body: &Value) -> Result<ChatRequest> {
    let body = body.to_string();
    OpenAiCompletions.accept(Asked {
        method: &Method::POST,
        path: "/v1/completions",
        headers: &HeaderMap::new(),
        body: body.as_bytes(),
    })
}

fn decoded(body: &str, streamed: bool) -> Result<ChatResponse> {
    decode_whole(&OpenAiCompletions, StatusCode::OK, &HeaderMap::new(), body.as_bytes(), streamed)
}

#[test]
fn a_request_is_written_and_read_back() {
    let request = ChatRequest {
        max_tokens: Some(5),
        seed: Some(7),
        stop: vec!["\n".into()],
        stream: true,
        user: Some("u".into()),
        ..ChatRequest::new("m").user("def fib(n):").option(NAME, "suffix", "end").option(NAME, "echo", true)
    };
    let body = OpenAiCompletions.encode(&request, &endpoint()).expect("encodable").body;
    let expected = concat!(
        r#"{"model":"m","prompt":"def fib(n):","max_tokens":5,"stop":["\n"],"seed":7,"user":"u","stream":true,"#,
        r#""stream_options":{"include_usage":true},"suffix":"end","echo":true}"#,
    );
    assert_eq!(String::from_utf8_lossy(&body), expected);
    let mut back = accepted(&serde_json::from_slice(&body).expect("JSON")).expect("acceptable");
    // What the client always asks for stays where the server sees it.
    let wanted = json!({"include_usage": true});
    assert_eq!(back.options.get(NAME, "stream_options"), Some(&wanted));
    back.options = request.options.clone();
    assert_eq!(back, request);
    let quirks = [("stream_options", "false"), ("top_k", "true")].into_iter().collect();
    let other = ChatRequest { top_k: Some(4), ..request };
    let other = OpenAiCompletions.encode(&other, &Endpoint { quirks, ..endpoint() }).expect("encodable");
    let other = String::from_utf8_lossy(&other.body).into_owned();
    assert!(!other.contains("stream_options") && other.contains(r#""top_k":4"#), "{other}");
}

#[test]
fn prompts_of_every_shape_go_back_as_they_came() {
    let shapes = [json!("Hi"), json!(["Hi", "Ho"]), json!([1, 2, 3]), json!([[1, 2], [3]])];
    for prompt in shapes {
        let body = json!({"model": "m", "prompt": prompt});
        let request = accepted(&body).expect("acceptable");
        assert_eq!(request.messages.len(), 1);
        assert_eq!(encoded(&request), (body, vec![]));
    }
    let only = accepted(&json!({"model": "m", "prompt": ["Hi"], "n": 1})).expect("acceptable");
    assert_eq!(only, ChatRequest::new("m").user("Hi"));
    for prompt in [json!(7), json!([]), json!([true]), json!(["secret", 1])] {
        let error = accepted(&json!({ "prompt": prompt })).expect_err("refused");
        assert!(error.message().contains("prompt: ") && !error.message().contains("secret"), "{error}");
    }
    assert!(accepted(&json!({"model": "m"})).is_err());
}

#[test]
fn a_conversation_is_refused_and_the_rest_is_said() {
    for request in [ChatRequest::new("m").system("Be brief.").user("Hi"), ChatRequest::new("m").assistant("Hi")] {
        let error = OpenAiCompletions.encode(&request, &endpoint()).expect_err("refused");
        assert_eq!(error.kind(), ErrorKind::Unsupported);
    }
    let image = Part::image(Media::url("https://a.test/a.png"));
    let request = ChatRequest { top_k: Some(1), ..ChatRequest::new("m") }
        .message(Message::new(Role::User, [Part::text("a"), image, Part::text("b")]))
        .tool(Tool::function("f", "", json!({})))
        .option("other", "x", 1);
    let (body, losses) = encoded(&request);
    assert_eq!(body["prompt"], "ab");
    let expected = [
        "images messages[0].parts[1]", "parts messages[0].parts[2]", "top_k top_k", "tools tools[0]",
        "options options.other",
    ];
    assert_eq!(losses, expected);
}

#[test]
fn a_stream_is_the_unary_answer_however_it_is_cut() {
    let whole = concat!(
        r#"{"id":"cmpl-1","object":"text_completion","created":7,"model":"m","choices":["#,
        r#"{"text":"Grüße","index":0,"logprobs":{"tokens":["Gr","üße"],"token_logprobs":[-0.5,-1.0]},"finish_reason":"length"},"#,
        r#"{"text":"no","index":1,"finish_reason":"stop"}],"#,
        r#""usage":{"prompt_tokens":5,"completion_tokens":2,"total_tokens":7,"prompt_tokens_details":{"cached_tokens":4}}}"#,
    );
    let stream = concat!(
        "data: {\"id\":\"cmpl-1\",\"created\":7,\"model\":\"m\",\"choices\":[{\"text\":\"Gr\",\"index\":0,\"finish_reason\":null,",
        "\"logprobs\":{\"tokens\":[\"Gr\"],\"token_logprobs\":[-0.5]}}],\"usage\":null}\n\n",
        ": keep-alive\n\ndata: {\"choices\":[{\"text\":\"no\",\"index\":1}]}\n\n",
        "data: {\"choices\":[{\"text\":\"üße\",\"index\":0,\"finish_reason\":\"length\",",
        "\"logprobs\":{\"tokens\":[\"üße\"],\"token_logprobs\":[-1.0]}}]}\n\n",
        "data: {\"choices\":[],\"usage\":{\"prompt_tokens\":5,\"completion_tokens\":2,\"prompt_tokens_details\":{\"cached_tokens\":4}}}\n\n",
    );
    let unary = decoded(whole, false).expect("an answer");
    assert_eq!((unary.text().as_str(), unary.finish.raw.as_deref()), ("Grüße", Some("length")));
    assert_eq!((unary.usage.input, unary.usage.cache_read, unary.usage.output), (Some(1), Some(4), Some(2)));
    assert_eq!(unary.losses.len(), 1, "the second answer is not kept, and that is said");
    let done = format!("{stream}data: [DONE]\n\n");
    assert_eq!(decoded(&done, true).expect("an answer"), unary);
    assert_eq!(decoded(stream, true).expect("whole without the marker"), unary);
    for at in 0..done.len() {
        match decoded(&String::from_utf8_lossy(&done.as_bytes()[..at]), true) {
            Ok(answer) => assert_eq!(answer.finish, unary.finish, "cut at byte {at}"),
            Err(error) => assert_eq!(error.kind(), ErrorKind::Truncated, "cut at byte {at}"),
        }
    }
    let answered = OpenAiCompletions.respond(&unary, &ChatRequest::default());
    let mut expected: Value = serde_json::from_str(whole).expect("JSON");
    expected["choices"].as_array_mut().expect("a list").truncate(1);
    assert_eq!(serde_json::from_slice::<Value>(&answered.body).expect("JSON"), expected);
    assert_eq!(answered.losses, []);
}

#[test]
fn what_no_server_should_send() {
    let cases = [
        ("", ErrorKind::Truncated),
        ("data: {\"choices\":[{\"text\":\"x\"}]}\n\n", ErrorKind::Truncated),
        ("data: []\n\n", ErrorKind::Decode),
        ("data: {}\n\n", ErrorKind::Truncated),
        ("data: {\"error\":{\"message\":\"busy\",\"code\":\"overloaded\"}}\n\n", ErrorKind::Overloaded),
        ("data: {\"error\":\"busy\"}\n\n", ErrorKind::Provider),
    ];
    for (body, kind) in cases {
        assert_eq!(decoded(body, true).expect_err(body).kind(), kind, "{body}");
    }
    for body in ["null", "[]", "42", "<html>502</html>"] {
        assert_eq!(decoded(body, false).expect_err(body).kind(), ErrorKind::Decode, "{body}");
    }
    for body in ["", "{\"id\":"] {
        assert_eq!(decoded(body, false).expect_err(body).kind(), ErrorKind::Truncated, "{body}");
    }
    let odd = decoded(r#"{"choices":[{"text":7,"index":"x","finish_reason":"moonrise"}],"usage":[]}"#, false)
        .expect("an answer");
    assert_eq!((odd.text().as_str(), odd.finish.raw.as_deref()), ("7", Some("moonrise")));
    let (status, headers, body) = (StatusCode::BAD_GATEWAY, &HeaderMap::new(), &b"<html>\n502 Bad"[..]);
    let error = OpenAiCompletions.decode(Answer { status, headers, body }).expect_err("a page");
    assert_eq!(error.kind(), ErrorKind::Provider);
}

#[test]
fn what_a_completion_cannot_hold_is_said() {
    let mut response = ChatResponse::default();
    response.parts = vec![Part::reasoning("Hm."), Part::text("Yes."), Part::tool_call("c", "f", "{}")];
    response.finish = Finish::new(FinishReason::ToolCalls);
    let answered = OpenAiCompletions.respond(&response, &accepted(&json!({"prompt": ["a", "b"]})).expect("acceptable"));
    let body: Value = serde_json::from_slice(&answered.body).expect("JSON");
    assert_eq!(body["choices"], json!([{"text": "Yes.", "index": 0, "logprobs": null, "finish_reason": "stop"}]));
    let losses: Vec<_> = answered.losses.iter().map(|loss| loss.feature.as_str()).collect();
    assert_eq!(losses, ["reasoning", "tools", "choices", "finish_reason"]);

    // A stream loses the same, a signature without a thought too.
    let signed = Reasoning { signature: Some("s".into()), ..Reasoning::default() };
    response.parts.insert(0, Content::Reasoning(signed).into());
    response.finish = Finish { stop_sequence: Some("END".into()), ..Finish::new(FinishReason::Stop) };
    let mut encoder = OpenAiCompletions.encoder(&ChatRequest::default());
    encoder.event(&Event::Done(Box::new(response.clone())), &mut Vec::new());
    let paths = |losses: &[Loss]| losses.iter().map(|loss| loss.path.clone()).collect::<Vec<_>>();
    let losses = paths(&encoder.losses());
    assert_eq!(losses, ["parts[0]", "parts[1]", "parts[3]", "finish.stop_sequence"]);
    assert_eq!(losses, paths(&OpenAiCompletions.respond(&response, &ChatRequest::default()).losses));
}
