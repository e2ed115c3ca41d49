//! The simulator as a service: scripts, the stream contract, counting.

use std::num::NonZeroUsize;
use std::time::Duration;

use futures_util::StreamExt as _;
use sabir_core::chat::{ChatRequest, ChatResponse, Effort, Event, Fold, Tool};
use sabir_core::embed::{EmbedInput, EmbedRequest};
use sabir_core::rerank::RerankRequest;
use sabir_core::{Call, Error, ErrorKind, Reply, Request, Service};
use sabir_sim::{Answer, Chunking, Failure, Script, Simulator, Turn};
use serde_json::json;
use tokio::time::Instant;

fn ask(text: &str) -> ChatRequest {
    ChatRequest::new("gpt-x").user(text)
}

async fn unary(simulator: &Simulator, request: ChatRequest) -> Result<ChatResponse, Error> {
    simulator.call(&Call::default(), &Request::Chat(request)).await?.whole()
}

async fn events(simulator: &Simulator, mut request: ChatRequest) -> Vec<Result<Event, Error>> {
    request.stream = true;
    let reply = simulator.call(&Call::default(), &Request::Chat(request)).await.expect("it begins");
    reply.stream().expect("a stream").collect().await
}

#[tokio::test]
async fn a_stream_folds_to_the_unary_answer_however_it_is_cut() {
    let tool =
        Tool::function("f", "", json!({"properties": {"city": {"type": "string"}, "days": {"type": "integer"}}}));
    for chunking in [Chunking::Whole, Chunking::Words, Chunking::Chars(NonZeroUsize::MIN)] {
        let simulator = Simulator::scripted(Script::new().turn(Turn::model().chunking(chunking).forever()));
        for request in [ask("Héllo  you"), ask("x").effort(Effort::High), ask("f").tool(tool.clone())] {
            let whole = unary(&simulator, request.clone()).await.expect("an answer");
            let events = events(&simulator, request).await;
            let mut fold = Fold::default();
            for event in &events[..events.len() - 1] {
                let event = event.as_ref().expect("no error");
                assert!(!matches!(event, Event::Done(_)), "one terminal event");
                fold.apply(event);
            }
            let Some(Ok(Event::Done(done))) = events.last() else { panic!("no end") };
            assert_eq!(**done, whole);
            assert_eq!((&fold.response().parts, &fold.response().usage), (&whole.parts, &whole.usage));
            assert_eq!(chunking == Chunking::Whole, events.len() < 8, "{}", events.len());
        }
    }
}

#[tokio::test]
async fn turns_are_taken_in_order_by_those_whom_they_fit() {
    let simulator = Simulator::scripted(
        Script::new()
            .turn(Turn::text("for claude").when_model("claude"))
            .turn(Turn::text("twice").times(2))
            .turn(Turn::text("for rain").when_user("rain").forever())
            .turn(Turn::text("never").times(0))
            .strict(),
    );
    for expected in ["twice", "twice"] {
        assert_eq!(unary(&simulator, ask("rain")).await.expect("a turn").text(), expected);
    }
    for _ in 0..3 {
        assert_eq!(unary(&simulator, ask("more rain")).await.expect("a turn").text(), "for rain");
    }
    let error = unary(&simulator, ask("sun")).await.expect_err("strict");
    assert_eq!((error.code(), error.is_retryable()), (Some("script_exhausted"), false));
    assert!(error.message().contains("gpt-x") && error.message().contains("add a turn"), "{error}");
    assert_eq!(unary(&simulator, ChatRequest::new("claude-9").user("x")).await.expect("a turn").text(), "for claude");
    simulator.push(Turn::text("pushed"));
    assert_eq!(unary(&simulator, ask("sun")).await.expect("a turn").text(), "pushed");
    assert_eq!((simulator.served(), simulator.requests().len()), (8, 8));
    assert_eq!(simulator.chats()[7], ask("sun"));
}

#[tokio::test]
async fn errors_come_before_or_in_the_middle() {
    let failure = || Failure::new(529, "overloaded").code("overloaded_error");
    let simulator = Simulator::scripted(
        Script::new().turn(Turn::error(failure())).turn(Turn::text("a b c").then_error(failure()).times(2)),
    );
    let mut streamed = ask("x");
    streamed.stream = true;
    let before = simulator.call(&Call::default(), &Request::Chat(streamed)).await.expect_err("before the stream");
    assert_eq!((before.kind(), before.status().map(|s| s.as_u16())), (ErrorKind::Overloaded, Some(529)));

    let mut events = events(&simulator, ask("x")).await;
    let error = events.pop().expect("a terminal").expect_err("which is an error");
    assert_eq!(error.partial().map(ChatResponse::text).as_deref(), Some("a b c"));
    assert!(events.iter().all(|e| e.as_ref().is_ok_and(|e| !matches!(e, Event::Done(_)))));
    assert_eq!(unary(&simulator, ask("x")).await.expect_err("unary").kind(), ErrorKind::Overloaded);
}

#[tokio::test(start_paused = true)]
async fn delays_are_kept_on_tokios_clock() {
    let turn = || Turn::text("a b c").delay_before(Duration::from_secs(60)).delay_between(Duration::from_secs(5));
    let simulator = Simulator::scripted(Script::new().turn(turn()).turn(turn()));
    let start = Instant::now();
    unary(&simulator, ask("x")).await.expect("an answer");
    assert_eq!(start.elapsed().as_secs(), 60);
    let start = Instant::now();
    let count = events(&simulator, ask("x")).await.len();
    assert_eq!(start.elapsed().as_secs(), 60 + 5 * (count as u64 - 1));

    let slow = Simulator::new().pace(Duration::from_secs(1));
    let start = Instant::now();
    let count = events(&slow, ask("x")).await.len();
    assert_eq!(start.elapsed().as_secs(), count as u64 - 1);
}

#[tokio::test(start_paused = true)]
async fn dropping_cancels_and_is_counted() {
    let turn =
        Turn::answer(Answer::text("a b c")).delay_before(Duration::from_secs(1)).delay_between(Duration::from_secs(1));
    let simulator = Simulator::scripted(Script::new().turn(turn.forever()));
    let mut request = ask("x");
    request.stream = true;
    let request = Request::Chat(request);
    let call = Call::default();

    let waiting = simulator.call(&call, &request);
    assert!(tokio::time::timeout(Duration::from_millis(10), waiting).await.is_err());
    assert_eq!((simulator.in_flight(), simulator.cancelled()), (0, 1));

    let mut stream = simulator.call(&call, &request).await.expect("it begins").stream().expect("a stream");
    stream.next().await.expect("an event").expect("no error");
    assert_eq!((simulator.in_flight(), simulator.cancelled()), (1, 1));
    drop(stream);
    assert_eq!((simulator.in_flight(), simulator.cancelled()), (0, 2));

    // One that was read to its end was not cancelled, though it is dropped without being asked for more.
    let mut stream = simulator.call(&call, &request).await.expect("it begins").stream().expect("a stream");
    while !matches!(stream.next().await, Some(Ok(Event::Done(_)))) {}
    assert_eq!((simulator.in_flight(), simulator.cancelled()), (0, 2));
}

#[tokio::test]
async fn vectors_of_like_texts_are_alike_and_rankings_follow_the_query() {
    let simulator = Simulator::new();
    let mut request = EmbedRequest { model: "e".into(), dimensions: Some(u32::MAX), ..EmbedRequest::default() };
    request.inputs = ["salt sea", "sea salt", "quantum"].map(|t| EmbedInput::Text(t.into())).into();
    let Ok(Reply::Embed(embedded)) = simulator.call(&Call::default(), &Request::Embed(request)).await else {
        panic!("no vectors")
    };
    assert_eq!(embedded.vectors[0], embedded.vectors[1]);
    assert_ne!(embedded.vectors[0], embedded.vectors[2]);
    assert_eq!(embedded.vectors[0].len(), 4096);

    let documents = ["the moon", "the salt of the sea"].map(str::to_owned).into();
    let request = RerankRequest { query: "sea salt".into(), documents, top_n: Some(1), ..RerankRequest::default() };
    let Ok(Reply::Rerank(ranked)) = simulator.call(&Call::default(), &Request::Rerank(request)).await else {
        panic!("no ranking")
    };
    assert_eq!((ranked.ranking.len(), ranked.ranking[0].index), (1, 1));
}
