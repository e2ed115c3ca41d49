use sabir_core::chat::{Cached, ChatRequest, ChatResponse, CostBasis, Event, FinishReason, ReceiptBasis};
use sabir_core::{Error, ErrorKind, Stage};
use sabir_testkit::{ManualClock, Outcome, Scripted, block_on_with, check_layer_on, collect};

use super::*;
use crate::{Cache, Retry, Stack};

fn ask(stream: bool) -> Request {
    let mut chat = ChatRequest::new("gpt-6-luna").user("salt");
    chat.stream = stream;
    Request::Chat(chat)
}

/// 100 tokens in and 10 out.
fn answer(model: &str) -> ChatResponse {
    let mut response = ChatResponse::default();
    response.model = model.into();
    response.finish.reason = FinishReason::Stop;
    (response.usage.input, response.usage.output) = (Some(100), Some(10));
    response
}

/// The answer to one call of OpenAI.
fn asked(clock: &ManualClock, outer: &Shared, stream: bool) -> ChatResponse {
    let reply = block_on_with(clock, outer.call(&Call::to("openai"), &ask(stream))).expect("an answer");
    match reply {
        Reply::Stream(stream) => match block_on_with(clock, collect(stream)).pop() {
            Some(Ok(Event::Done(response))) => *response,
            other => panic!("the last item is {other:?}"),
        },
        reply => reply.whole().expect("a whole one"),
    }
}

#[test]
fn it_changes_nothing() {
    let clock = ManualClock::new();
    check_layer_on(&clock, |inner| Receipts::default().apply(inner)).assert_ok();
}

#[test]
fn whole_answers_and_streams_are_priced_alike() {
    let clock = ManualClock::new();
    let done = || [Ok(Event::Done(Box::new(answer("gpt-6-luna-2027-01-01"))))];
    let outcomes = [Outcome::whole(answer("gpt-6-luna")), Outcome::events(done()), Outcome::whole(answer("renamed"))];
    let outer = Receipts::default().apply(Scripted::new(&clock, outcomes).shared());
    let mut answers = [false, true, false].map(|stream| asked(&clock, &outer, stream));
    // GPT-6 Luna: 0.10 in, 0.50 out. 100 × 100 + 10 × 500.
    for answer in &mut answers {
        assert_eq!(answer.cost.take().map(|cost| cost.nano_usd), Some(15_000), "{}", answer.model);
        assert_eq!(answer.receipt.as_ref().and_then(|receipt| receipt.total), Some(15_000));
    }
    let bases = answers.map(|answer| answer.receipt.expect("a receipt").basis);
    assert_eq!(bases, [ReceiptBasis::ListPrice, ReceiptBasis::Estimate, ReceiptBasis::ListPrice]);
}

#[test]
fn abandoned_attempts_are_on_it() {
    let clock = ManualClock::new();
    let late = Outcome::Fail(Error::new(ErrorKind::Timeout, "late").with_stage(Stage::MaybeSent));
    let refused = Outcome::Fail(Error::new(ErrorKind::Overloaded, "not now").with_stage(Stage::Answered));
    let mut partial = answer("");
    partial.usage.output = Some(2);
    let broken = Error::new(ErrorKind::Overloaded, "not any more").with_stage(Stage::Answered).with_partial(partial);
    let inner = Scripted::new(&clock, [refused, Outcome::Fail(broken), late, Outcome::whole(answer("gpt-6-luna"))]);
    let stack = Stack::new().retry(Retry::default().attempts(5).clock(clock.clone())).receipts(Receipts::default());
    let answer = asked(&clock, &stack.apply(inner.shared()), false);
    let receipt = answer.receipt.expect("a receipt");
    // 100 × 100 + 2 × 500 of the second attempt; of the third nobody knows.
    let lines: Vec<_> = receipt.lines.iter().map(|line| (line.attempt, line.nano_usd)).collect();
    let own = [(None, Some(10_000)), (None, Some(5_000))];
    assert_eq!(lines, [&own[..], &[(Some(1), Some(10_000)), (Some(1), Some(1_000)), (Some(2), None)]].concat());
    assert_eq!(answer.cost, Some(Cost { nano_usd: 26_000, basis: CostBasis::Estimate }));
}

#[test]
fn a_cost_that_is_there_stays_and_what_is_cached_costs_nothing() {
    let clock = ManualClock::new();
    let own = Some(Cost { nano_usd: 7, basis: CostBasis::Reported });
    let mut said = answer("gpt-6-luna");
    said.cost = own;
    let inner = Scripted::new(&clock, [Outcome::whole(said)]);
    let stack = Stack::new().receipts(Receipts::default()).cache(Cache::default().clock(clock.clone()));
    let outer = stack.apply(inner.shared());
    let first = asked(&clock, &outer, false);
    let receipt = first.receipt.expect("a receipt");
    assert_eq!((first.cost, receipt.reported, receipt.basis), (own, own, ReceiptBasis::Exact));
    assert_eq!(receipt.total, Some(15_000), "by the list, beside it");
    let second = asked(&clock, &outer, true);
    assert!(matches!(second.cached, Some(Cached::Hit { .. })));
    assert_eq!((second.cost.map(|cost| cost.nano_usd), second.receipt), (Some(0), None));
}

#[test]
fn what_is_unknown_has_a_receipt_and_no_cost() {
    let clock = ManualClock::new();
    let inner = Scripted::new(&clock, [Outcome::whole(ChatResponse::default()), Outcome::whole(answer("gpt-6-luna"))]);
    let receipts = Receipts::default();
    let outer = receipts.apply(inner.shared());
    let silent = asked(&clock, &outer, false);
    assert_eq!((silent.cost, silent.receipt.map(|receipt| receipt.basis)), (None, Some(ReceiptBasis::Unknown)));
    receipts.refresh(Prices::read("#later\n=openai\ngpt-6-luna\tin=1 out=1\n".into()).expect("a list"));
    let receipt = asked(&clock, &outer, false).receipt.expect("a receipt");
    assert_eq!((receipt.total, receipt.prices.as_str()), (Some(110_000), "later"));
}

#[test]
fn what_had_arrived_of_a_broken_stream_is_priced() {
    let clock = ManualClock::new();
    let mut partial = answer("gpt-6-luna");
    partial.usage.output = Some(2);
    let broken =
        |partial| Err(Error::new(ErrorKind::Truncated, "cut").with_stage(Stage::Answered).with_partial(partial));
    let inner =
        Scripted::new(&clock, [Outcome::events([broken(partial)]), Outcome::events([broken(ChatResponse::default())])]);
    let outer = Receipts::default().apply(inner.shared());
    let costs = [(); 2].map(|()| {
        let reply = block_on_with(&clock, outer.call(&Call::to("openai"), &ask(true))).expect("a stream");
        let items = block_on_with(&clock, collect(reply.stream().expect("a stream")));
        let [Err(error)] = &items[..] else { panic!("{items:?}") };
        error.partial().expect("what had arrived").cost.map(|cost| cost.nano_usd)
    });
    // 100 × 100 + 2 × 500; of the other nothing is known.
    assert_eq!(costs, [Some(11_000), None]);
}

#[test]
fn the_tier_and_the_hour_count() {
    let clock = ManualClock::new();
    let mut flex = answer("gpt-6-luna");
    flex.meta.set("openai-chat", "service_tier", "flex".into());
    let mut deepseek = answer("deepseek-flash");
    deepseek.provider = "deepseek".into();
    let inner = Scripted::new(&clock, [Outcome::whole(flex), Outcome::whole(deepseek)]);
    // Sunday, the fourth of January 1970.
    let outer = Receipts::default().time(|| Some(Duration::from_secs(3 * 86_400))).apply(inner.shared());
    // 0.05 in, 0.25 out; on weekends 0.15 in, 0.60 out.
    assert_eq!(asked(&clock, &outer, false).cost.map(|cost| cost.nano_usd), Some(7_500));
    let cost = asked(&clock, &outer, false).cost.expect("a cost");
    assert_eq!(cost, Cost { nano_usd: 21_000, basis: CostBasis::ListPrice });
}
