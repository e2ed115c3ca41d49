use std::sync::{Arc, Mutex};

use bytes::Bytes;
use sabir_core::chat::{ChatRequest, ChatResponse, Event, Part};
use sabir_core::count::CountRequest;
use sabir_core::embed::{EmbedInput, EmbedRequest};
use sabir_core::rerank::RerankRequest;
use sabir_core::transport::{Body, BoxFuture, Transport, whole};
use sabir_core::{Call, Error, ErrorKind, Layer, Reply, Request, Result, Service, Shared, Stage};
use sabir_testkit::{ManualClock, Outcome, Scripted, block_on_with, check_events, check_layer_on, collect, events_of};

use super::*;

const WORDS: &str = "Write to a.b@example.com, she has 4111 1111 1111 1111.";
const REDACTED: &str = "Write to [e-mail], she has [card].";

fn answer(words: &str) -> ChatResponse {
    let mut response = ChatResponse::default();
    response.parts = vec![Part::reasoning("Hm."), Part::text(words), Part::tool_call("1", "f", "{}")];
    response
}

/// Answers with the words that it was asked.
fn echo(clock: &ManualClock) -> Scripted {
    Scripted::answering(clock, |_, request| {
        let Request::Chat(chat) = request else { panic!("a chat was asked for") };
        let answer = answer(&chat.messages[0].text());
        let letters = |event: Event| match event {
            Event::Text(text) => text.chars().map(|c| Event::Text(c.into())).collect(),
            event => vec![event],
        };
        if !chat.stream {
            return Outcome::whole(answer);
        }
        Outcome::events(events_of(&answer).into_iter().flat_map(letters).map(Ok))
    })
}

fn ask(clock: &ManualClock, outer: &Shared, words: &str, stream: bool) -> Result<Reply> {
    let mut request = ChatRequest::new("m").user(words);
    request.stream = stream;
    block_on_with(clock, outer.call(&Call::to("there"), &Request::Chat(request)))
}

fn streamed(clock: &ManualClock, outer: &Shared, words: &str) -> Vec<Result<Event>> {
    let stream = ask(clock, outer, words, true).and_then(Reply::stream).expect("a stream");
    let items = block_on_with(clock, collect(stream));
    check_events(&items).expect("the contract is kept");
    items
}

#[test]
fn guards_without_objections_change_nothing() {
    let clock = ManualClock::new();
    // `Redact` keeps the last word back until it is over.
    let guard = Guard::new().check(MaxSize::request(1000)).check(MaxSize::response(1000));
    check_layer_on(&clock, |inner| guard.apply(inner)).assert_ok();
}

/// Redacts answers alone, so that what is asked reaches the echo.
#[derive(Debug)]
struct Answers;

impl Check for Answers {
    fn response<'a>(&'a self, call: &'a Call, response: &'a mut ChatResponse) -> BoxFuture<'a, Result<()>> {
        Redact.response(call, response)
    }

    fn on_stream(&self) -> OnStream {
        Redact.on_stream()
    }
}

#[test]
fn requests_answers_and_streams_are_redacted_alike() {
    let clock = ManualClock::new();
    for guard in [Guard::new().check(Redact), Guard::new().check(Answers)] {
        let inner = echo(&clock);
        let outer = guard.apply(inner.shared());
        let read = ask(&clock, &outer, WORDS, false).and_then(Reply::whole).expect("an answer");
        assert_eq!(read, answer(REDACTED));
        let items = streamed(&clock, &outer, WORDS);
        let Some(Ok(Event::Done(done))) = items.last() else { panic!("{items:?}") };
        assert_eq!(done.parts, answer(REDACTED).parts);
    }
    let inner = echo(&clock);
    ask(&clock, &Guard::new().check(Redact).apply(inner.shared()), WORDS, false).expect("an answer");
    let Request::Chat(seen) = &inner.seen()[0].request else { panic!("a chat was asked for") };
    assert_eq!(seen.messages[0].text(), REDACTED);
}

#[test]
fn what_is_too_long_is_refused() {
    let clock = ManualClock::new();
    let inner = echo(&clock);
    let outer = Guard::new().check(MaxSize::request(5)).apply(inner.shared());
    let error = ask(&clock, &outer, "123456", false).expect_err("too long");
    assert_eq!((error.kind(), error.stage(), inner.calls()), (ErrorKind::InvalidRequest, Stage::NotSent, 0));
    let outer = Guard::new().check(MaxSize::response(5)).apply(inner.shared());
    ask(&clock, &outer, "123456", false).expect_err("too long");
    let items = streamed(&clock, &outer, "123456");
    let Some(Err(error)) = items.last() else { panic!("{items:?}") };
    assert_eq!(error.partial().expect("what had passed").text(), "12345");
    assert_eq!(inner.in_flight(), 0);
}

/// Requests of every kind that is read, with these words in each.
fn of_every_kind(words: &str) -> [(&'static str, Request); 4] {
    let chat = ChatRequest::new("m").user(words);
    let rerank = RerankRequest { model: "m".into(), documents: vec![words.to_owned()], ..RerankRequest::default() };
    [
        ("chat", Request::Chat(chat.clone())),
        ("count", Request::Count(CountRequest { chat })),
        ("embed", Request::Embed(EmbedRequest { model: "m".into(), ..[words].into() })),
        ("rerank", Request::Rerank(rerank)),
    ]
}

/// What a guard lets through of a request; nothing comes back.
fn passed(guard: &Guard, request: &Request) -> Result<Request> {
    let clock = ManualClock::new();
    let inner = Scripted::answering(&clock, |_, _| Outcome::Fail(Error::new(ErrorKind::Provider, "it was asked")));
    let refused = block_on_with(&clock, guard.apply(inner.shared()).call(&Call::to("there"), request));
    match inner.seen().first() {
        Some(seen) => Ok(seen.request.clone()),
        None => Err(refused.expect_err("nobody was asked")),
    }
}

#[test]
fn what_is_no_conversation_is_guarded_as_one() {
    for (kind, request) in of_every_kind(WORDS) {
        let redacted = of_every_kind(REDACTED).into_iter().find(|(name, _)| *name == kind).expect("the same").1;
        assert_eq!(passed(&Guard::new().check(Redact), &request).expect("it passes"), redacted, "{kind}");
        let of_length = |most: usize| passed(&Guard::new().check(MaxSize::request(most)), &request);
        assert_eq!(of_length(WORDS.len()).expect("it passes"), request, "{kind}");
        let error = of_length(WORDS.len() - 1).expect_err(kind);
        assert_eq!((error.kind(), error.stage()), (ErrorKind::InvalidRequest, Stage::NotSent), "{kind}");
    }
}

#[test]
fn tokens_have_a_size_and_are_not_redacted() {
    let inputs = vec![EmbedInput::Tokens(vec![1, 2]), EmbedInput::Text("salt".into())];
    let request = Request::Embed(EmbedRequest { inputs, ..EmbedRequest::default() });
    assert!(passed(&Guard::new().check(MaxSize::request(12)), &request).is_ok());
    assert!(passed(&Guard::new().check(MaxSize::request(11)), &request).is_err());
    let error = passed(&Guard::new().check(Redact), &request).expect_err("nobody can read them");
    assert_eq!((error.kind(), error.stage()), (ErrorKind::Unsupported, Stage::NotSent));
}

#[test]
fn a_webhook_is_asked_about_every_kind() {
    for (kind, request) in of_every_kind("salt") {
        for (verdict, passes) in [(r#"{"allow": true}"#, true), (r#"{"allow": false}"#, false)] {
            let verdicts = Verdicts::new(200, verdict);
            let hook = Webhook::new("https://guard.test/check", verdicts.clone()).expect("a URL").key("hook");
            assert_eq!(passed(&Guard::new().check(hook), &request).is_ok(), passes, "{kind}");
            let sent = verdicts.2.lock().expect("not poisoned").concat();
            let sent: serde_json::Value = serde_json::from_str(&sent).expect("JSON");
            assert_eq!((&sent["kind"], &sent["model"]), (&kind.into(), &"m".into()));
            assert!(sent["request"].to_string().contains("salt"), "{sent}");
        }
    }
}

/// Answers with a status and a body, and keeps what it was sent.
#[derive(Clone, Debug)]
struct Verdicts(u16, &'static str, Arc<Mutex<Vec<String>>>);

impl Verdicts {
    fn new(status: u16, body: &'static str) -> Self {
        Self(status, body, Arc::default())
    }
}

impl Transport for Verdicts {
    fn send(&self, request: http::Request<Bytes>) -> BoxFuture<'_, Result<http::Response<Body>>> {
        assert_eq!(request.headers()["authorization"], "Bearer hook");
        self.2.lock().expect("not poisoned").push(String::from_utf8_lossy(request.body()).into_owned());
        let mut response = http::Response::new(whole(self.1));
        *response.status_mut() = http::StatusCode::from_u16(self.0).expect("a status");
        Box::pin(std::future::ready(Ok(response)))
    }
}

#[test]
fn a_webhook_is_asked_about_both_ways() {
    let clock = ManualClock::new();
    let yes = Verdicts::new(200, r#"{"allow": true}"#);
    let hook = Webhook::new("https://guard.test/check", yes.clone()).expect("a URL").key("hook").responses();
    let outer = Guard::new().check(hook).apply(echo(&clock).shared());
    let items = streamed(&clock, &outer, "salt");
    let Some(Ok(Event::Done(done))) = items.last() else { panic!("{items:?}") };
    assert_eq!(done.text(), "salt");
    let sent: Vec<serde_json::Value> =
        yes.2.lock().expect("not poisoned").iter().map(|body| serde_json::from_str(body).expect("JSON")).collect();
    assert_eq!((&sent[0]["stage"], &sent[1]["stage"]), (&"request".into(), &"response".into()));
    assert_eq!(sent[0]["request"]["messages"][0]["parts"][0]["text"], "salt");
    assert_eq!(sent[1]["response"]["parts"][1]["text"], "salt");
}

#[test]
fn a_webhook_refuses_and_fails_closed_unless_told_otherwise() {
    let clock = ManualClock::new();
    let hook = |verdicts: Verdicts| Webhook::new("https://guard.test", verdicts).expect("a URL").key("hook");
    let outcome = |hook: Webhook| {
        let inner = echo(&clock);
        let outcome = ask(&clock, &Guard::new().check(hook).apply(inner.shared()), "salt", false);
        (outcome.map_err(|error: Error| (error.kind(), error.stage(), error.message().to_owned())), inner.calls())
    };
    let (refused, calls) = outcome(hook(Verdicts::new(200, r#"{"allow": false, "reason": "no salt here"}"#)));
    let (kind, stage, message) = refused.expect_err("refused");
    assert_eq!((kind, stage, calls), (ErrorKind::ContentFiltered, Stage::NotSent, 0));
    assert_eq!(message, "the guard's webhook refused the request: no salt here");
    for broken in [Verdicts::new(500, ""), Verdicts::new(200, "<html>"), Verdicts::new(200, "{}")] {
        assert_eq!(outcome(hook(broken.clone())).1, 0, "{broken:?}");
        assert!(outcome(hook(broken).fail_open()).0.is_ok());
    }
    assert_eq!(Webhook::new("/check", Verdicts::new(200, "")).expect_err("no URL").kind(), ErrorKind::Configuration);
}
