//! Record, then replay without the server.

#![allow(clippy::unwrap_used, reason = "a failed unwrap fails the test")]

mod support;

use std::path::PathBuf;

use bytes::Bytes;
use futures_util::StreamExt;
use http::{Request, Response};
use sabir_core::transport::{Body, BoxFuture, Transport, whole};
use sabir_core::{Error, ErrorKind, Result, Stage};
use sabir_http::{Recorder, Replay};
use support::*;

const KEY: &str = "plain-looking-key-0123456789";
const OPENAI_KEY: &str = "sk-proj-a1B2c3D4e5F6g7H8i9J0";

/// A file that is gone when the test is over.
struct Temporary(PathBuf);

impl Temporary {
    fn new(name: &str) -> Self {
        Self(std::env::temp_dir().join(format!("sabir-http-{}-{name}.jsonl", std::process::id())))
    }

    fn read(&self) -> String {
        std::fs::read_to_string(&self.0).unwrap()
    }
}

impl Drop for Temporary {
    fn drop(&mut self) {
        let _ = std::fs::remove_file(&self.0);
    }
}

/// Answers each request with the same pieces.
#[derive(Debug)]
struct Scripted(Vec<Result<Bytes>>);

impl Transport for Scripted {
    fn send(&self, request: Request<Bytes>) -> BoxFuture<'_, Result<Response<Body>>> {
        let body: Body =
            if request.body().is_empty() { whole("") } else { Box::pin(futures_util::stream::iter(self.0.clone())) };
        let response =
            Response::builder().status(201).header("x-request-id", "req_1").header("set-cookie", "session=opensesame");
        Box::pin(async { Ok(response.body(body).unwrap()) })
    }
}

fn call(body: &str) -> Request<Bytes> {
    let mut request = post(format!("https://api.example.com/v1/chat?key={KEY}&alt=sse"), body.to_owned());
    request.headers_mut().insert("authorization", format!("Bearer {KEY}").parse().unwrap());
    request.headers_mut().insert("OpenAI-Organization", "org-payer".parse().unwrap());
    request
}

#[tokio::test]
async fn what_was_recorded_is_replayed_in_the_same_pieces_without_its_keys() {
    let file = Temporary::new("round-trip");
    let pieces_sent = [
        Bytes::from_static(b"data: {\"a\":"),
        Bytes::from_static(b"1}\n\n\xff\xfe"),
        Bytes::from(format!("bad key {KEY} or {OPENAI_KEY}.")),
        Bytes::from_static("é".as_bytes()).slice(..1),
        Bytes::from_static("é".as_bytes()).slice(1..),
    ];
    let recorder = Recorder::new(Scripted(pieces_sent.iter().cloned().map(Ok).collect()), &file.0).unwrap();
    let (got, error) =
        pieces(recorder.send(call(&format!("{{\"m\": \"{OPENAI_KEY}\", \"n\": 1}}"))).await.unwrap().into_body()).await;
    assert_eq!((got.as_slice(), error), (pieces_sent.as_slice(), None), "a recorder changes nothing");

    let written = file.read();
    for secret in [KEY, OPENAI_KEY, "opensesame", "org-payer"] {
        assert!(!written.contains(secret), "{secret} in {written}");
    }

    let replay = Replay::open(&file.0).unwrap();
    assert_eq!(replay.unused(), 1);
    // Another host, another key, other spaces and another order: the same request.
    let mut again = call(&format!("{{\"n\":1,\"m\":\"{OPENAI_KEY}\"}}"));
    *again.uri_mut() = "http://localhost:1/v1/chat?key=another-key-altogether&alt=sse".parse().unwrap();
    let response = replay.send(again).await.unwrap();
    assert_eq!(response.status(), 201);
    assert_eq!(response.headers()["x-request-id"], "req_1");
    assert_eq!(response.headers()["set-cookie"], "[scrubbed]");
    let (replayed, error) = pieces(response.into_body()).await;
    assert_eq!(error, None);
    assert_eq!(replayed.len(), pieces_sent.len());
    for (index, piece) in replayed.iter().enumerate().filter(|(index, _)| *index != 2) {
        assert_eq!(piece, &pieces_sent[index]);
    }
    assert_eq!(replayed[2], "bad key [scrubbed] or sk-p….");
    assert_eq!(replay.unused(), 0);
}

#[tokio::test]
async fn a_key_across_two_pieces_is_scrubbed_too() {
    let file = Temporary::new("across");
    let (left, right) = OPENAI_KEY.split_at(9);
    let recorder = Recorder::new(Scripted(vec![Ok(left.into()), Ok(right.into())]), &file.0).unwrap();
    pieces(recorder.send(call("{}")).await.unwrap().into_body()).await;
    assert!(!file.read().contains(right), "{}", file.read());
    let response = Replay::open(&file.0).unwrap().send(call("{}")).await.unwrap();
    assert_eq!(text(response.into_body()).await, "sk-p…");
}

#[tokio::test]
async fn repeats_are_answered_in_order_and_once() {
    let file = Temporary::new("repeats");
    let server = {
        let turn = std::sync::atomic::AtomicUsize::new(0);
        hyper_server(None, {
            let turn = std::sync::Arc::new(turn);
            move |_| {
                let turn = turn.fetch_add(1, std::sync::atomic::Ordering::SeqCst);
                async move { answer(format!("answer {turn}")) }
            }
        })
        .await
        .0
    };
    let url = format!("http://{server}/v1/chat");
    let recorder = Recorder::new(transport(), &file.0).unwrap();
    for _ in 0..2 {
        text(in_time(recorder.send(post(&url, "same"))).await.unwrap().into_body()).await;
    }
    text(in_time(recorder.send(post(&url, "other"))).await.unwrap().into_body()).await;
    assert_eq!(file.read().lines().count(), 3);

    let replay = Replay::open(&file.0).unwrap();
    for (body, expected) in [("other", "answer 2"), ("same", "answer 0"), ("same", "answer 1")] {
        assert_eq!(text(replay.send(post(&url, body)).await.unwrap().into_body()).await, expected);
    }
    for (request, why) in [
        (post(&url, "same"), "POST /v1/chat is there 2 times and was asked for once more in the recording"),
        (
            post(&url, "new"),
            "POST /v1/chat is recorded only with other bodies (the nearest differs in bytes) in the recording",
        ),
        (get(format!("{url}?key={KEY}")), "GET /v1/chat?key=[scrubbed] is not there in the recording"),
    ] {
        let error = replay.send(request).await.err().unwrap();
        assert_eq!((error.kind(), error.stage()), (ErrorKind::Configuration, Stage::NotSent));
        assert!(error.message().starts_with(why), "{error}");
        assert!(error.message().ends_with("record it again with a Recorder in front of the real transport"), "{error}");
    }
}

#[tokio::test]
async fn a_body_that_broke_or_was_dropped_is_replayed_as_cut() {
    let broke = Error::new(ErrorKind::Network, "broke");
    for (script, read) in [(vec![Ok("one".into()), Err(broke)], 2), (vec![Ok("one".into()), Ok("two".into())], 1)] {
        let file = Temporary::new(&format!("cut-{read}"));
        let recorder = Recorder::new(Scripted(script), &file.0).unwrap();
        let mut body = recorder.send(call("{}")).await.unwrap().into_body();
        for _ in 0..read {
            let _ = body.next().await;
        }
        drop(body);
        let (got, error) = pieces(Replay::open(&file.0).unwrap().send(call("{}")).await.unwrap().into_body()).await;
        assert_eq!(got, ["one"]);
        assert_eq!(error.unwrap().kind(), ErrorKind::Truncated);
    }
}

#[tokio::test]
async fn files_that_cannot_be_used_are_named() {
    let missing = std::env::temp_dir().join("sabir-http-no-such-folder").join("x.jsonl");
    let error = Replay::open(&missing).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Configuration);
    assert!(error.message().contains("x.jsonl"), "{error}");
    assert_eq!(Recorder::new(Scripted(Vec::new()), &missing).unwrap_err().kind(), ErrorKind::Configuration);

    let file = Temporary::new("damaged");
    std::fs::write(&file.0, "\n{\"request\":1}\n").unwrap();
    assert!(Replay::open(&file.0).unwrap_err().message().contains("line 2"));
}

#[tokio::test]
async fn what_differs_is_said_by_its_place_and_never_by_its_value() {
    let file = Temporary::new("differs");
    let recorder = Recorder::new(Scripted(vec![Ok("fine".into())]), &file.0).unwrap();
    for body in [r#"{"m":[{"c":"prompt one"},{"c":"b"}],"n":1,"old":1}"#, r#"{"all":"other","m":7}"#] {
        pieces(recorder.send(call(body)).await.unwrap().into_body()).await;
    }
    let replay = Replay::open(&file.0).unwrap().repeating();
    let error =
        replay.send(call(r#"{"new":2,"n":1,"m":[{"c":"prompt two"},{"c":"b"}]}"#)).await.err().expect("another");
    assert_eq!(error.code(), Some("not_recorded"));
    assert!(error.message().contains("differs in old (not asked), new (not recorded), m[0].c)"), "{error}");
    assert!(!error.message().contains("prompt"), "{error}");
    // Repeating, what is recorded is answered as often as it is asked.
    for _ in 0..3 {
        assert_eq!(text(replay.send(call(r#"{"m":7,"all":"other"}"#)).await.unwrap().into_body()).await, "fine");
    }
    assert_eq!(replay.unused(), 1);
}
