use std::time::Duration;

use sabir_core::chat::{ChatRequest, FinishReason, Message};
use sabir_core::dialect::Asked;
use sabir_core::{Dialect, Endpoint, ErrorKind};
use serde_json::json;

use super::{NAME, TextGeneration};
use crate::shared::trial::{accept, again, encode, stream, whole};

/// Recorded, shortened: no space after `data:`, a special token, a text that is the prompt and the answer.
const TOKENS: &str = concat!(
    r#"data:{"index":1,"token":{"id":1,"text":" How","logprob":-5.6,"special":false},"generated_text":null,"details":null}"#,
    "\n\n",
    r#"data:{"index":2,"token":{"id":2,"text":" so","logprob":-3.1,"special":false},"top_tokens":[],"generated_text":null,"details":null}"#,
    "\n\n",
    r#"data:{"index":3,"token":{"id":0,"text":"</s>","logprob":-3.4,"special":true},"generated_text":"Say: How so","#,
    r#""details":{"finish_reason":"eos_token","generated_tokens":3,"input_length":4,"seed":7}}"#,
    "\n\n",
);

#[test]
fn the_text_is_that_of_the_tokens() {
    let read = stream(&TextGeneration, "text/event-stream", TOKENS).expect("whole");
    assert_eq!(read.text(), " How so");
    assert_eq!((read.usage.input, read.usage.output), (Some(4), Some(3)));
    assert_eq!((&read.finish.reason, read.finish.raw.as_deref()), (&FinishReason::Stop, Some("eos_token")));
    assert_eq!(read.losses[0].path, "generated_text");
    assert_eq!(read.meta.get(NAME, "details"), Some(&json!({"seed": 7})));
    // Where the tokens have no text, the last event's is all there is; its details may be null.
    let bare = r#"data: {"token":{"id":5,"text":"","special":false},"generated_text":"Yes.","details":null}"#;
    let read = stream(&TextGeneration, "text/event-stream", &format!("{bare}\n\n")).expect("whole");
    assert_eq!((read.text().as_str(), read.usage.output), ("Yes.", None));
}

#[test]
fn a_list_an_object_or_an_error() {
    let one = r#"{"generated_text":"Hi","details":{"finish_reason":"length","generated_tokens":1,"seed":null,"prefill":[],"tokens":[]}}"#;
    let object = whole(&TextGeneration, 200, one).expect("whole");
    assert_eq!(object, whole(&TextGeneration, 200, &format!("[{one}]")).expect("whole"));
    assert_eq!((&object.finish.reason, object.usage.output), (&FinishReason::Length, Some(1)));
    assert!(object.meta.is_empty(), "empty lists say nothing");
    let two = whole(&TextGeneration, 200, &format!("[[{one}],[{one}]]")).expect("whole");
    assert_eq!((two.text().as_str(), two.losses.len()), ("Hi", 1));
    let cases: &[(u16, &str, ErrorKind)] = &[
        (200, r#"{"error":"it broke","error_type":"generation"}"#, ErrorKind::Provider),
        (200, r#"{"error":["a","b"]}"#, ErrorKind::Provider),
        (200, "[]", ErrorKind::Decode),
        (200, "", ErrorKind::Decode),
        (200, r#"[{"summary_text":"x"}]"#, ErrorKind::Decode),
        (422, "Failed to deserialize: missing field `inputs`", ErrorKind::InvalidRequest),
        (
            422,
            r#"{"error":"`inputs` must have less than 9 tokens","error_type":"validation"}"#,
            ErrorKind::ContextTooLong,
        ),
        (424, r#"{"error":"CUDA","error_type":"generation"}"#, ErrorKind::Provider),
        (429, r#"{"error":"Model is overloaded","error_type":"overloaded"}"#, ErrorKind::RateLimit),
    ];
    for (status, body, kind) in cases {
        assert_eq!(whole(&TextGeneration, *status, body).expect_err(body).kind(), *kind, "{body}");
    }
    let plain = whole(&TextGeneration, 422, cases[5].1).expect_err("an error");
    assert_eq!(plain.message(), cases[5].1);
}

#[test]
fn a_loading_model_says_how_long() {
    let loading = r#"{"error":"Model gpt2 is currently loading","estimated_time":20.5}"#;
    let error = whole(&TextGeneration, 503, loading).expect_err("loading");
    assert_eq!((error.kind(), error.retry_after()), (ErrorKind::Overloaded, Some(Duration::from_millis(20_500))));
    assert!(error.is_retryable());
    let hostile = r#"{"error":"loading","estimated_time":-1e300}"#;
    assert_eq!(whole(&TextGeneration, 503, hostile).expect_err("loading").retry_after(), None);
}

#[test]
fn a_caller_may_have_the_service_wait() {
    let plain = ChatRequest::new("m").user("Hi");
    let option = |wait: bool| {
        let mut request = plain.clone();
        request.options.set(NAME, "wait_for_model", wait.into());
        request
    };
    let at = |quirk: Option<&str>| Endpoint {
        base_url: "https://x.test".into(),
        quirks: quirk.map(|value| ("wait_for_model", value)).into_iter().collect(),
        ..Endpoint::default()
    };
    for (request, quirk, waits) in [
        (plain.clone(), None, false),
        (option(true), None, true),
        (plain.clone(), Some("true"), true),
        (option(false), Some("true"), false),
    ] {
        let encoded = TextGeneration.encode(&request, &at(quirk)).expect("it can be said");
        assert_eq!(encoded.headers.contains_key("x-wait-for-model"), waits, "{quirk:?}");
        assert!(!encoded.body.windows(4).any(|word| word == b"wait"), "it is no field of the body");
        let asked = Asked { method: &encoded.method, path: "/", headers: &encoded.headers, body: &encoded.body };
        let accepted = TextGeneration.accept(asked).expect("it is accepted");
        let said = accepted.options.get(NAME, "wait_for_model");
        assert_eq!(said.is_some_and(|wait| *wait == true), waits, "and it is understood");
    }
}

#[test]
fn a_base_url_of_models_gets_the_model_behind_it() {
    let endpoint = Endpoint { base_url: "https://x.test/hf-inference/models/".into(), ..Endpoint::default() };
    let encoded = TextGeneration.encode(&ChatRequest::new("org/m").user("Hi"), &endpoint).expect("it can be said");
    assert_eq!(encoded.uri, "https://x.test/hf-inference/models/org/m");
    assert!(encoded.body.starts_with(br#"{"inputs":"Hi""#), "the model is in the path alone");
}

#[test]
fn errors_in_streams_are_last() {
    let (first, _) = TOKENS.split_once("\n\n").expect("two events");
    let cases: &[(String, ErrorKind)] = &[
        (format!("{first}\n\n"), ErrorKind::Truncated),
        (format!("{first}\n\ndata:{{\"error\":\"full\",\"error_type\":\"overloaded\"}}\n\n"), ErrorKind::Overloaded),
        ("data: {\"error\":\"no\",\"error_type\":\"validation\"}\n\n".to_owned(), ErrorKind::InvalidRequest),
        ("data: {\"token\": 7}\n\n".to_owned(), ErrorKind::Decode),
        ("data: <html>\n\n".to_owned(), ErrorKind::Decode),
    ];
    for (body, kind) in cases {
        assert_eq!(stream(&TextGeneration, "text/event-stream", body).expect_err(body).kind(), *kind, "{body}");
    }
}

#[test]
fn a_request_goes_as_it_came() {
    let body = concat!(
        r#"{"model":"gpt2","inputs":"Once","parameters":{"details":true,"return_full_text":false,"max_new_tokens":9,"do_sample":true,"#,
        r#""temperature":0.5,"top_k":4,"top_p":0.9,"stop":["."],"seed":3,"grammar":{"type":"json","value":{"type":"object","title":"T"}},"#,
        r#""typical_p":0.9},"stream":false,"options":{"wait_for_model":true}}"#,
    );
    assert_eq!(again(&TextGeneration, body), body);
    let talk = r#"{"inputs":{"past_user_inputs":["Hi"],"generated_responses":["Hello"],"text":"So?"}}"#;
    let request = accept(&TextGeneration, "/models/a/b?x=1", talk).expect("it is accepted");
    assert_eq!((request.model.as_str(), request.messages.len()), ("a/b", 3));
    for (path, is_streamed) in [("/generate", false), ("/generate_stream", true)] {
        let request = accept(&TextGeneration, path, r#"{"inputs":"Hi"}"#).expect("it is accepted");
        assert_eq!(request.stream, is_streamed);
        let answered = TextGeneration.respond(&sabir_core::chat::ChatResponse::default(), &request);
        assert!(answered.body.starts_with(b"{"), "an object, not a list");
        assert_eq!(encode(&TextGeneration, &request).uri.path(), path);
    }
    let error = accept(&TextGeneration, "/", r#"{"inputs":[1]}"#).expect_err("no prompt");
    assert_eq!(error.kind(), ErrorKind::InvalidRequest);
}

#[test]
fn a_conversation_becomes_one_prompt_and_says_so() {
    let request =
        ChatRequest::new("org/m").system("Be brief.").user("Why?").message(Message::assistant("So.")).user("Oh?");
    let endpoint = Endpoint {
        base_url: "https://router.test/hf-inference".into(),
        quirks: [("route", "models")].into_iter().collect(),
        ..Endpoint::default()
    };
    let encoded = TextGeneration.encode(&request, &endpoint).expect("it can be said");
    assert_eq!(encoded.uri, "https://router.test/hf-inference/models/org/m");
    let body: serde_json::Value = serde_json::from_slice(&encoded.body).expect("JSON");
    assert_eq!(body["inputs"], "System: Be brief.\n\nUser: Why?\n\nAssistant: So.\n\nUser: Oh?\n\nAssistant:");
    assert_eq!(encoded.losses.iter().map(|loss| loss.feature.as_str()).collect::<Vec<_>>(), ["turns"]);
    let cold = ChatRequest::new("m").user("Hi").temperature(0.0);
    let body = String::from_utf8(encode(&TextGeneration, &cold).body.to_vec()).expect("JSON");
    assert!(body.contains(r#""do_sample":false"#) && !body.contains("temperature"), "{body}");
}
