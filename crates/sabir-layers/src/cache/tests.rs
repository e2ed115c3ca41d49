use sabir_core::chat::{ChatRequest, Cost, CostBasis, Event, EventStream, Finish, Part};
use sabir_core::embed::EmbedResponse;
use sabir_core::rerank::{RerankRequest, RerankResponse};
use sabir_core::{Error, ErrorKind};
use sabir_testkit::{
    ManualClock, Outcome, Scripted, Step, Task, answers, block_on_with, check_events, check_layer_on, collect,
    events_of,
};

use super::*;

const SECOND: Duration = Duration::from_secs(1);

fn cache(clock: &ManualClock) -> Cache {
    Cache::default().clock(clock.clone())
}

fn chat(words: &str, stream: bool) -> Request {
    let mut chat = ChatRequest::new("m").user(words);
    chat.stream = stream;
    Request::Chat(chat)
}

fn answer(words: &str) -> ChatResponse {
    let mut response = ChatResponse::default();
    response.parts = vec![Part::text(words)];
    (response.usage.input, response.usage.output) = (Some(3), Some(4));
    response.cost = Some(Cost { nano_usd: 9, basis: CostBasis::Reported });
    response
}

/// A different answer to each call, whole or streamed as asked for.
fn counting(clock: &ManualClock) -> Scripted {
    let calls = std::sync::atomic::AtomicU32::new(0);
    Scripted::answering(clock, move |_, request| {
        let n = calls.fetch_add(1, std::sync::atomic::Ordering::SeqCst);
        let answer = answer(&n.to_string());
        match request {
            Request::Chat(chat) if chat.stream => Outcome::events(events_of(&answer).into_iter().map(Ok)),
            _ => Outcome::whole(answer),
        }
    })
}

/// The whole answer, read from whatever it came as.
async fn read(reply: Result<Reply>) -> Result<ChatResponse> {
    match reply? {
        Reply::Whole(response) => Ok(*response),
        Reply::Stream(stream) => {
            let items = collect(stream).await;
            check_events(&items).expect("the stream contract");
            match items.into_iter().next_back() {
                Some(Ok(Event::Done(response))) => Ok(*response),
                Some(Err(error)) => Err(error),
                _ => unreachable!("the contract"),
            }
        }
        other => panic!("{other:?}"),
    }
}

#[test]
fn a_layer_that_has_nothing_to_object_to() {
    let clock = ManualClock::new();
    check_layer_on(&clock, |inner| cache(&clock).apply(inner)).assert_ok();
    check_layer_on(&clock, |inner| cache(&clock).only_deterministic().apply(inner)).assert_ok();
}

#[test]
fn who_asks_again_is_given_the_same_in_whatever_form() {
    for (first, second) in [(false, false), (false, true), (true, false), (true, true)] {
        let clock = ManualClock::new();
        let inner = counting(&clock);
        let outer = cache(&clock).apply(inner.shared());
        let ask =
            |stream| block_on_with(&clock, async { read(outer.call(&Call::to("p"), &chat("a", stream)).await).await });
        let miss = ask(first).expect("an answer");
        assert_eq!((miss.text().as_str(), miss.cached, miss.cost.unwrap().nano_usd), ("0", Some(Cached::Miss), 9));
        clock.advance(7 * SECOND);
        let hit = ask(second).expect("an answer");
        assert_eq!((hit.text().as_str(), hit.cached), ("0", Some(Cached::Hit { age: 7 * SECOND })));
        assert_eq!((hit.usage, hit.cost.unwrap().nano_usd, inner.calls()), (miss.usage, 0, 1));
        clock.advance(3_593 * SECOND);
        assert_eq!(ask(first).expect("an answer").text(), "1", "an hour is over");
    }
}

#[test]
fn every_answer_that_ends_by_itself_is_replayed_as_it_was() {
    let clock = ManualClock::new();
    for known in answers() {
        let inner = Scripted::answering(&clock, move |_, _| Outcome::events(known.events.clone().into_iter().map(Ok)));
        let outer = cache(&clock).cache_tool_calls().apply(inner.shared());
        let ask = || block_on_with(&clock, async { read(outer.call(&Call::to("p"), &chat("a", true)).await).await });
        let (first, second) = (ask().expect("an answer"), ask().expect("an answer"));
        let whole = matches!(first.finish.reason, FinishReason::Stop | FinishReason::ToolCalls);
        assert_eq!(inner.calls(), if whole { 1 } else { 2 }, "{}", known.name);
        assert_eq!((&first.parts, &first.finish, &first.usage), (&second.parts, &second.finish, &second.usage));
    }
}

#[test]
fn what_is_not_to_be_kept_is_asked_again() {
    let clock = ManualClock::new();
    let finished = |reason| {
        let mut response = answer("x");
        response.finish = Finish::new(reason);
        Outcome::whole(response)
    };
    let mut calls = answer("x");
    calls.parts.push(Part::tool_call("c", "f", "{}"));
    let broken = || Error::new(ErrorKind::Truncated, "cut").with_partial(answer("x"));
    for outcome in [
        finished(FinishReason::Length),
        finished(FinishReason::ContentFilter),
        finished(FinishReason::Pause),
        finished(FinishReason::ToolCalls),
        finished(FinishReason::Other("moonrise".into())),
        Outcome::whole(calls),
        Outcome::Fail(broken()),
        Outcome::events([Ok(Event::Text("x".into())), Err(broken())]),
    ] {
        let inner = Scripted::answering(&clock, move |_, _| outcome.clone());
        let outer = cache(&clock).apply(inner.shared());
        for n in 1..=2 {
            let _ = block_on_with(&clock, async { read(outer.call(&Call::to("p"), &chat("a", true)).await).await });
            assert_eq!(inner.calls(), n);
        }
    }
}

#[test]
fn tenants_tags_and_temperature() {
    let clock = ManualClock::new();
    let (mut mine, mut theirs, mut past) = (Call::to("p"), Call::to("p"), Call::to("p"));
    (mine.tenant, theirs.tenant) = ("me".into(), "they".into());
    past.tags.push(("cache".into(), "off".into()));
    let inner = counting(&clock);
    let layer = cache(&clock);
    let (outer, strict) = (layer.apply(inner.shared()), layer.only_deterministic().apply(inner.shared()));
    let ask = |outer: &Shared, call: &Call, request: &Request| {
        let answer = block_on_with(&clock, async { read(outer.call(call, request).await).await }).expect("an answer");
        (answer.text(), answer.cached.is_some())
    };
    let hot = chat("a", false);
    assert_eq!(ask(&outer, &mine, &hot), ("0".into(), true));
    assert_eq!(ask(&outer, &theirs, &hot), ("1".into(), true));
    assert_eq!(ask(&outer, &mine, &hot), ("0".into(), true));
    assert_eq!(ask(&outer, &past, &hot), ("2".into(), false));
    assert_eq!(ask(&strict, &mine, &hot), ("3".into(), false));
    let cold = Request::Chat(ChatRequest::new("m").user("a").temperature(0.0));
    assert_eq!(ask(&strict, &mine, &cold).0, ask(&outer, &mine, &cold).0, "layers of one value share what is kept");
}

#[test]
fn one_asks_and_the_others_wait() {
    let clock = ManualClock::new();
    for stream in [false, true] {
        let late = move |n: u32| {
            let answer = answer(&n.to_string());
            let steps =
                [Step::Wait(5 * SECOND)].into_iter().chain(events_of(&answer).into_iter().map(|e| Step::Item(Ok(e))));
            if stream { Outcome::Stream(steps.collect()) } else { Outcome::whole(answer).after(5 * SECOND) }
        };
        let inner = Scripted::new(&clock, (0..3).map(late));
        let outer = cache(&clock).apply(inner.shared());
        let (call, request) = (Call::to("p"), chat("a", stream));
        let ask = || Task::new(async { read(outer.call(&call, &request).await).await });
        let mut tasks: Vec<_> = (0..10).map(|_| ask()).collect();
        assert!(tasks.iter_mut().all(|task| task.until_idle().is_pending()));
        assert_eq!(inner.calls(), 1);
        // The leader goes away, and the next one leads.
        drop(tasks.remove(0));
        assert!(tasks.iter_mut().all(|task| task.until_idle().is_pending()));
        assert_eq!((inner.calls(), inner.dropped()), (2, 1));
        clock.advance(5 * SECOND);
        for (n, task) in tasks.iter_mut().enumerate() {
            let Poll::Ready(Ok(answer)) = task.until_idle() else { panic!("{n} still waits") };
            assert_eq!((answer.text(), matches!(answer.cached, Some(Cached::Miss))), ("1".into(), n == 0));
        }
    }
}

#[test]
fn where_the_leader_fails_the_next_one_asks() {
    let clock = ManualClock::new();
    let failed = Outcome::Fail(Error::new(ErrorKind::Overloaded, "no")).after(SECOND);
    let inner = Scripted::new(&clock, [failed.clone(), failed, Outcome::whole(answer("x")).after(SECOND)]);
    let outer = cache(&clock).apply(inner.shared());
    let (call, request) = (Call::to("p"), chat("a", false));
    let mut tasks: Vec<_> = (0..4).map(|_| Task::new(outer.call(&call, &request))).collect();
    assert!(tasks.iter_mut().all(|task| task.until_idle().is_pending()));
    let mut ended = Vec::new();
    for _ in 0..3 {
        clock.advance(SECOND);
        tasks.retain_mut(|task| match task.until_idle() {
            Poll::Ready(reply) => {
                ended.push(reply.is_ok());
                false
            }
            Poll::Pending => true,
        });
    }
    assert_eq!((ended, inner.calls()), (vec![false, false, true, true], 3));
}

#[test]
fn where_the_answer_is_not_kept_nobody_takes_turns() {
    let clock = ManualClock::new();
    let mut cut = answer("x");
    cut.finish = Finish::new(FinishReason::Length);
    let inner = Scripted::answering(&clock, move |_, _| Outcome::whole(cut.clone()).after(SECOND));
    let outer = cache(&clock).apply(inner.shared());
    let (call, request) = (Call::to("p"), chat("a", false));
    let mut tasks: Vec<_> = (0..6).map(|_| Task::new(outer.call(&call, &request))).collect();
    assert!(tasks.iter_mut().all(|task| task.until_idle().is_pending()));
    clock.advance(SECOND);
    assert!(tasks[0].until_idle().is_ready());
    assert!(tasks[1..].iter_mut().all(|task| task.until_idle().is_pending()));
    assert_eq!(inner.calls(), 6);
    clock.advance(SECOND);
    assert!(tasks[1..].iter_mut().all(|task| task.until_idle().is_ready()));
}

#[test]
fn a_stream_that_is_not_read_holds_nobody_up_for_ever() {
    let clock = ManualClock::new();
    let inner = counting(&clock);
    let outer = cache(&clock).max_follow(9 * SECOND).apply(inner.shared());
    let (call, request) = (Call::to("p"), chat("a", true));
    let stalled: EventStream =
        block_on_with(&clock, outer.call(&call, &request)).and_then(Reply::stream).expect("a stream");
    let second = block_on_with(&clock, async { read(outer.call(&call, &request).await).await }).expect("an answer");
    assert_eq!((second.text().as_str(), clock.now()), ("1", 9 * SECOND));
    // A stream that was read and is still held is over.
    let mut held =
        block_on_with(&clock, outer.call(&call, &chat("b", true))).and_then(Reply::stream).expect("a stream");
    while !matches!(block_on_with(&clock, poll_fn(|cx| held.as_mut().poll_next(cx))), Some(Ok(Event::Done(_)))) {}
    assert!(Task::new(outer.call(&call, &chat("b", true))).until_idle().is_ready());
    drop((stalled, held));
}

#[test]
fn the_size_is_bounded() {
    let clock = ManualClock::new();
    let inner = Scripted::answering(&clock, |_, _| Outcome::whole(answer(&"x".repeat(1_000))));
    let outer = cache(&clock).size(10_000).apply(inner.shared());
    let ask =
        |n: u32| block_on_with(&clock, outer.call(&Call::to("p"), &chat(&n.to_string(), false))).map(|_| inner.calls());
    for n in 0..100 {
        ask(n).expect("an answer");
    }
    assert_eq!(ask(99).expect("kept"), 100);
    assert_eq!(ask(0).expect("forgotten"), 101);
}

/// Answers what is no conversation, a different one each time.
#[derive(Debug, Default)]
struct Others(std::sync::atomic::AtomicU32);

impl Service for Others {
    async fn call<'a>(&'a self, _: &'a Call, request: &'a Request) -> Result<Reply> {
        let id = self.0.fetch_add(1, std::sync::atomic::Ordering::SeqCst).to_string();
        let (mut embed, mut rerank) = (EmbedResponse::default(), RerankResponse::default());
        (embed.id, rerank.id) = (id.clone(), id);
        Ok(if matches!(request, Request::Embed(_)) { Reply::Embed(embed.into()) } else { Reply::Rerank(rerank.into()) })
    }
}

#[test]
fn vectors_and_rankings_are_kept() {
    let clock = ManualClock::new();
    let outer = cache(&clock).apply(Shared::new(Others::default()));
    let embed = Request::Embed("a".into());
    let rerank = Request::Rerank(RerankRequest::default());
    let ask = |request: &Request| match block_on_with(&clock, outer.call(&Call::to("p"), request)).expect("a reply") {
        Reply::Embed(response) => (response.id, response.cost.map(|cost| cost.nano_usd)),
        Reply::Rerank(response) => (response.id, response.cost.map(|cost| cost.nano_usd)),
        other => panic!("{other:?}"),
    };
    assert_eq!([ask(&embed), ask(&rerank)], [("0".into(), None), ("1".into(), None)]);
    assert_eq!([ask(&embed), ask(&rerank)], [("0".into(), Some(0)), ("1".into(), Some(0))]);
}
