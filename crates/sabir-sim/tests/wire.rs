//! Every dialect over [`Loopback`]: what the simulator says arrives, and each fault is what it says it is.

use std::num::NonZeroUsize;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use futures_util::StreamExt as _;
use http::{HeaderName, HeaderValue, Request as HttpRequest, Response, StatusCode};
use sabir_core::chat::{ChatRequest, ChatResponse, Content, Effort, Event, Tool};
use sabir_core::drive::Origin;
use sabir_core::transport::{Body, Timeouts, Transport};
use sabir_core::{Call, Dialect, Endpoint, Error, ErrorKind, Feature, Request, Result, Service, Stage};
use sabir_sim::{Answer, Failure, Fault, Loopback, Script, Simulator, Turn};
use serde_json::json;

/// Every dialect that is built in: at least two, so that no loop over them is empty.
fn served() -> Vec<Route> {
    let served = sabir_dialects::dialects().iter().map(|dialect| Route { dialect: *dialect, path: dialect.paths()[0] });
    let served: Vec<Route> = served.collect();
    assert!(served.len() >= 2, "{served:?}");
    served
}

/// A dialect, and how its path ends.
#[derive(Clone, Copy, Debug)]
struct Route {
    dialect: &'static dyn Dialect,
    path: &'static str,
}

fn origin(dialect: &'static dyn Dialect, simulator: &Simulator) -> Origin {
    let endpoint = Endpoint {
        provider: "sim".into(),
        base_url: "http://sim.test".into(),
        key: Some("any".into()),
        ..Endpoint::default()
    };
    Origin::new(dialect, endpoint, Arc::new(Loopback::new(simulator.clone())))
}

fn ask(text: &str) -> ChatRequest {
    // Some dialects cannot do without a limit; a large one limits nothing.
    ChatRequest::new("m").user(text).max_tokens(4_000)
}

async fn unary(origin: &Origin, request: ChatRequest) -> Result<ChatResponse> {
    origin.call(&Call::default(), &Request::Chat(request)).await?.whole()
}

/// The stream's terminal, and how many events came before it.
async fn streamed(origin: &Origin, mut request: ChatRequest) -> Result<(ChatResponse, usize)> {
    request.stream = true;
    let mut stream = origin.call(&Call::default(), &Request::Chat(request)).await?.stream()?;
    let mut before = 0;
    loop {
        match stream.next().await.expect("a terminal item comes first")? {
            Event::Done(response) => return Ok((*response, before)),
            _ => before += 1,
        }
    }
}

/// One turn with a fault, played for a stream in every dialect.
async fn each_with(faults: &[Fault], check: impl Fn(Result<ChatResponse>, &str)) {
    for route in served() {
        let turn = faults.iter().cloned().fold(Turn::text("Words enough to be cut in the middle."), Turn::fault);
        let simulator = Simulator::scripted(Script::new().turn(turn.forever()));
        let terminal = streamed(&origin(route.dialect, &simulator), ask("x")).await;
        check(terminal.map(|(response, _)| response), route.dialect.name());
    }
}

#[tokio::test]
async fn every_dialect_carries_text_tools_and_thoughts() {
    let tool = Tool::function("f", "d", json!({"type": "object", "properties": {"city": {"type": "string"}}}));
    for route in served() {
        let simulator = Simulator::new();
        let origin = origin(route.dialect, &simulator);
        for request in [ask("Hello"), ask("call f").tool(tool.clone()), ask("think").effort(Effort::High)] {
            let nowhere = Endpoint { base_url: "http://sim.test".into(), ..Endpoint::default() };
            let losses = route.dialect.encode(&request, &nowhere).expect("encodes").losses;
            if losses.iter().any(|loss| loss.feature == Feature::Tools) {
                // A dialect without tools says so; the model is not offered any.
                continue;
            }
            let direct = simulator.call(&Call::default(), &Request::Chat(request.clone())).await;
            let direct = direct.and_then(sabir_core::Reply::whole).expect("an answer");
            let whole = unary(&origin, request.clone()).await.expect("an answer");
            let (folded, before) = streamed(&origin, request).await.expect("an answer");
            for response in [&whole, &folded] {
                assert_eq!(response.text(), direct.text(), "{}", route.dialect.name());
                assert_eq!(response.finish.reason, direct.finish.reason, "{}", route.dialect.name());
                let calls = |r: &ChatResponse| -> Vec<_> {
                    r.tool_calls().map(|c| (c.name.clone(), c.arguments.clone())).collect()
                };
                assert_eq!(calls(response), calls(&direct), "{}", route.dialect.name());
                assert!(response.usage.output_total() > Some(0), "{}", route.dialect.name());
            }
            let contents = |r: &ChatResponse| -> Vec<Content> { r.parts.iter().map(|p| p.content.clone()).collect() };
            assert_eq!(contents(&whole), contents(&folded), "{}", route.dialect.name());
            assert!(before > 3, "{}: {before} events", route.dialect.name());
        }
    }
}

#[tokio::test]
async fn refusals_come_in_the_dialects_shape_with_their_headers() {
    for route in served() {
        let busy = Failure::new(429, "slow down").code("rate_limit_error").retry_after_secs(1.2);
        let turn = Turn::error(busy).header(HeaderName::from_static("x-request-id"), HeaderValue::from_static("r1"));
        let simulator = Simulator::scripted(Script::new().turn(turn));
        let error = unary(&origin(route.dialect, &simulator), ask("x")).await.expect_err("429");
        assert_eq!((error.kind(), error.message()), (ErrorKind::RateLimit, "slow down"));
        // The header has whole seconds, rounded up; some bodies say it to the millisecond.
        let wait = error.retry_after().expect("a time to wait");
        assert!((Duration::from_millis(1200)..=Duration::from_secs(2)).contains(&wait), "{wait:?}");
        assert_eq!(error.request_id(), Some("r1"));
    }
}

#[tokio::test]
async fn an_error_in_the_middle_carries_what_came_before() {
    for route in served() {
        let turn = Turn::text("half").then_error(Failure::new(529, "overloaded").code("overloaded_error"));
        let simulator = Simulator::scripted(Script::new().turn(turn));
        let error = streamed(&origin(route.dialect, &simulator), ask("x")).await.expect_err("a failure");
        assert_eq!((error.kind(), error.message()), (ErrorKind::Overloaded, "overloaded"), "{}", route.dialect.name());
        assert_eq!(error.partial().map(ChatResponse::text).as_deref(), Some("half"));
    }
}

#[tokio::test]
async fn a_required_key_is_required() {
    for route in served() {
        let simulator = Simulator::new().require_key("right");
        let error = unary(&origin(route.dialect, &simulator), ask("x")).await.expect_err("401");
        assert_eq!(error.kind(), ErrorKind::Authentication);
        let simulator = Simulator::new().require_key("any");
        unary(&origin(route.dialect, &simulator), ask("x")).await.expect("the right key");
    }
}

#[tokio::test]
async fn a_cut_body_is_truncated() {
    each_with(&[Fault::CutAt { bytes: 300 }], |result, name| {
        assert_eq!(result.expect_err(name).kind(), ErrorKind::Truncated, "{name}");
    })
    .await;
    each_with(&[Fault::EmptyBody], |result, name| {
        assert_eq!(result.expect_err(name).kind(), ErrorKind::Truncated, "{name}");
    })
    .await;
    each_with(&[Fault::CutAt { bytes: u64::MAX }], |result, name| {
        assert!(result.is_ok(), "{name}");
    })
    .await;
}

#[tokio::test]
async fn a_reset_is_a_broken_connection() {
    for bytes in [0, 300, u64::MAX] {
        each_with(&[Fault::ResetAt { bytes }], |result, name| match result {
            // A reset after the dialect's own end marker harms nobody.
            Ok(_) => assert_eq!(bytes, u64::MAX, "{name}"),
            Err(error) => assert_eq!((error.kind(), error.stage()), (ErrorKind::Network, Stage::Answered), "{name}"),
        })
        .await;
    }
}

#[tokio::test]
async fn garbage_is_no_answer() {
    // Whole frames before and after it: the garbage alone is what is wrong.
    each_with(&[Fault::Garbage { at: 0, text: Some("data: {]\n\n".into()) }], |result, name| {
        assert_eq!(result.expect_err(name).kind(), ErrorKind::Decode, "{name}");
    })
    .await;
}

#[tokio::test]
async fn a_page_in_the_providers_place_is_the_proxys_error() {
    each_with(&[Fault::page(StatusCode::BAD_GATEWAY, "<html>Bad Gateway</html>")], |result, name| {
        let error = result.expect_err(name);
        assert_eq!((error.kind(), error.status()), (ErrorKind::Provider, Some(StatusCode::BAD_GATEWAY)), "{name}");
    })
    .await;
}

#[tokio::test]
async fn a_wrong_content_type_is_what_the_head_says() {
    let wrong = Fault::WrongContentType { content_type: "application/pdf".into() };
    let simulator = Simulator::scripted(Script::new().turn(Turn::model().fault(wrong)));
    let response = send(&simulator, Timeouts::default(), true).await.expect("a head");
    assert_eq!(response.headers()["content-type"], "application/pdf");
}

#[tokio::test]
async fn pieces_of_any_size_are_the_answer() {
    for n in [1, 7] {
        let n = NonZeroUsize::new(n).expect("not zero");
        each_with(&[Fault::ChunkBytes { n }], |result, name| {
            assert_eq!(result.expect(name).text(), "Words enough to be cut in the middle.");
        })
        .await;
    }
}

#[tokio::test]
async fn a_refused_connection_was_not_sent() {
    each_with(&[Fault::Refuse], |result, name| {
        let error = result.expect_err(name);
        assert_eq!((error.kind(), error.stage()), (ErrorKind::Network, Stage::NotSent), "{name}");
    })
    .await;
}

#[tokio::test]
async fn a_connection_that_breaks_before_the_head_may_have_been_sent_over() {
    each_with(&[Fault::HangUp], |result, name| {
        let error = result.expect_err(name);
        assert_eq!((error.kind(), error.stage()), (ErrorKind::Network, Stage::MaybeSent), "{name}");
    })
    .await;
}

/// Sends a chat request of the first dialect, with time limits.
async fn send(simulator: &Simulator, limits: Timeouts, stream: bool) -> Result<Response<Body>, Error> {
    let route = served()[0];
    let mut chat = ask("x");
    chat.stream = stream;
    let endpoint = Endpoint { base_url: "http://sim.test".into(), ..Endpoint::default() };
    let encoded = route.dialect.encode(&chat, &endpoint).expect("encodes");
    let mut request = HttpRequest::post(encoded.uri).body(encoded.body).expect("a request");
    *request.headers_mut() = encoded.headers;
    request.extensions_mut().insert(limits);
    Loopback::new(simulator.clone()).send(request).await
}

#[tokio::test(start_paused = true)]
async fn slow_heads_and_stalls_meet_the_time_limits() {
    let script = Script::new()
        .turn(Turn::model().fault(Fault::SlowHeaders { ms: 60_000 }).times(2))
        .turn(Turn::model().fault(Fault::Stall { bytes: 10 }).times(3));
    let simulator = Simulator::scripted(script);
    let seconds = |n| Some(Duration::from_secs(n));

    let start = tokio::time::Instant::now();
    send(&simulator, Timeouts::default(), false).await.expect("late, but it comes");
    assert_eq!(start.elapsed().as_secs(), 60);
    let error = send(&simulator, Timeouts { first_byte: seconds(5), ..Timeouts::default() }, false).await.err();
    let error = error.expect("too late");
    assert_eq!((error.kind(), error.stage()), (ErrorKind::Timeout, Stage::MaybeSent));

    for limits in
        [Timeouts { idle: seconds(5), ..Timeouts::default() }, Timeouts { total: seconds(9), ..Timeouts::default() }]
    {
        let mut body = send(&simulator, limits, true).await.expect("a head").into_body();
        assert_eq!(body.next().await.expect("the start").expect("no error").len(), 10);
        let error = body.next().await.expect("an end").expect_err("too late");
        assert_eq!((error.kind(), error.stage()), (ErrorKind::Timeout, Stage::Answered));
        assert!(body.next().await.is_none(), "an error ends the body");
    }
    let cancelled = simulator.cancelled();
    let mut body = send(&simulator, Timeouts::default(), true).await.expect("a head").into_body();
    body.next().await.expect("the start").expect("no error");
    assert_eq!(simulator.in_flight(), 1);
    drop(body);
    assert_eq!((simulator.in_flight(), simulator.cancelled()), (0, cancelled + 1));
}

#[tokio::test(start_paused = true)]
async fn dropping_a_clients_stream_cancels() {
    for route in served() {
        let simulator =
            Simulator::scripted(Script::new().turn(Turn::text("a b c").delay_between(Duration::from_secs(1))));
        let mut request = ask("x");
        request.stream = true;
        let origin = origin(route.dialect, &simulator);
        let mut stream =
            origin.call(&Call::default(), &Request::Chat(request)).await.expect("a head").stream().expect("a stream");
        stream.next().await.expect("an event").expect("no error");
        assert_eq!((simulator.in_flight(), simulator.cancelled()), (1, 0));
        drop(stream);
        assert_eq!((simulator.in_flight(), simulator.cancelled()), (0, 1));
    }
}

#[tokio::test]
async fn what_was_read_to_its_end_was_not_cancelled() {
    for route in served() {
        let simulator = Simulator::new();
        let origin = origin(route.dialect, &simulator);
        streamed(&origin, ask("x")).await.expect("an answer");
        unary(&origin, ask("x")).await.expect("an answer");
        assert_eq!((simulator.in_flight(), simulator.cancelled(), simulator.served()), (0, 0, 2));
    }
}

#[tokio::test]
async fn other_paths_are_said_and_all_answers_are_marked() {
    let loopback = Loopback::new(Simulator::new());
    let get = async |path: &str| {
        let request = HttpRequest::get(format!("http://sim.test{path}")).body(Bytes::new()).expect("a request");
        let response = loopback.send(request).await.expect("an answer");
        assert_eq!(response.headers()["x-sabir-simulated"], "true");
        let status = response.status();
        let body: Vec<_> = response.into_body().collect().await;
        let body: serde_json::Value = serde_json::from_slice(body[0].as_ref().expect("a body")).expect("JSON");
        (status, body)
    };
    assert_eq!(get("/healthz").await, (StatusCode::OK, json!({"status": "ok"})));
    let (status, models) = get("/v1/models").await;
    assert_eq!((status, &models["data"][0]["id"]), (StatusCode::OK, &json!("simulator")));
    let (status, error) = get("/v2/nothing").await;
    assert_eq!(status, StatusCode::NOT_FOUND);
    let message = error["error"]["message"].as_str().expect("a message");
    for route in served() {
        assert!(message.contains(route.path), "{message}");
    }
}

#[tokio::test]
async fn a_thoughts_signature_arrives_where_the_dialect_has_one() {
    let Some(dialect) = sabir_dialects::dialect("anthropic-messages") else { panic!("the dialect is built in") };
    let simulator = Simulator::scripted(Script::new().turn(Turn::answer(Answer::text("t").reasoning("r")).times(2)));
    let origin = origin(dialect, &simulator);
    for response in [unary(&origin, ask("x")).await, streamed(&origin, ask("x")).await.map(|(r, _)| r)] {
        let response = response.expect("an answer");
        let Content::Reasoning(thought) = &response.parts[0].content else {
            panic!("no thought: {:?}", response.parts)
        };
        assert_eq!((thought.text.as_str(), thought.signature.as_deref()), ("r", Some(sabir_sim::model::SIGNATURE)));
    }
}

#[tokio::test(start_paused = true)]
async fn a_request_that_comes_again_with_its_key_is_answered_again_and_not_counted() {
    for route in served() {
        let script = Script::new()
            .turn(Turn::error(Failure::new(503, "overloaded")))
            .turn(Turn::text("first"))
            .turn(Turn::text("second"));
        let simulator = Simulator::scripted(script);
        let origin = origin(route.dialect, &simulator);
        let mut call = Call::default();
        let mut said = async |key: Option<&str>| {
            call.idempotency_key = key.map(str::to_owned);
            origin
                .call(&call, &Request::Chat(ask("Hello")))
                .await
                .and_then(sabir_core::Reply::whole)
                .map(|it| it.text())
        };
        assert!(said(Some("a")).await.is_err(), "{}", route.dialect.name());
        // A failure is not kept: who tries again wants an answer.
        for _ in 0..3 {
            assert_eq!(said(Some("a")).await.expect("an answer"), "first", "{}", route.dialect.name());
        }
        assert_eq!(said(Some("b")).await.expect("an answer"), "second");
        said(None).await.expect("the model's");
        assert_eq!((simulator.served(), simulator.repeated()), (4, 2), "{}", route.dialect.name());
    }
}

#[tokio::test]
async fn a_key_that_no_header_can_have_is_not_sent() {
    let simulator = Simulator::new();
    let origin = origin(served()[0].dialect, &simulator);
    let mut call = Call::default();
    call.idempotency_key = Some("two\nlines".to_owned());
    let error = origin.call(&call, &Request::Chat(ask("Hello"))).await.expect_err("no header");
    assert_eq!((error.kind(), simulator.served()), (ErrorKind::Configuration, 0));
}

#[tokio::test]
async fn what_a_server_does_not_know_it_refuses_in_its_dialect() {
    for route in served() {
        let simulator = Simulator::new().refuse(["no.such.field", "nobody"]);
        unary(&origin(route.dialect, &simulator), ask("Hello")).await.expect("it has neither");
    }
    let dialect = sabir_dialects::dialect("openai-chat").expect("built in");
    let simulator = Simulator::new().refuse(["messages.*.role=system"]);
    let refused = unary(&origin(dialect, &simulator), ask("Hello").system("Be brief.")).await.expect_err("refused");
    assert_eq!((refused.kind(), simulator.served()), (ErrorKind::InvalidRequest, 0), "{refused}");
    unary(&origin(dialect, &simulator), ask("Hello")).await.expect("it has none");
}
