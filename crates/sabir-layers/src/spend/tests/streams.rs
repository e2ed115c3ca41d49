//! Streams that are metered, topped up and cut.

use sabir_core::Stage;
use sabir_testkit::collect;

use super::*;
use crate::trial::Far;

/// A stream of so many pieces, about eight tokens each, and the end.
fn pieces(count: usize, usage: (u64, u64)) -> Outcome {
    let all = (0..count).map(|_| text("the salt of the land and the sea "));
    Outcome::events(all.chain([Ok(Event::Done(Box::new(used(usage.0, usage.1))))]))
}

fn items(house: &House) -> Vec<Result<Event>> {
    let events = house.call(&Call::to("p"), &stream()).expect("a stream").stream().expect("a stream");
    block_on_with(&house.clock, collect(events))
}

#[test]
fn a_stream_is_settled_by_its_end() {
    let house = House::new(|spend| spend.budget(daily(10_000_000)), [pieces(20, (50, 80))]);
    let items = items(&house);
    assert!(matches!(items.last(), Some(Ok(Event::Done(done))) if done.receipt.is_some()));
    assert_eq!(items.len(), 21);
    assert_eq!(house.stands().0, 50 * INPUT + 80 * OUTPUT);
    assert_eq!(house.rows.last(), (How::Answered, 50 * INPUT + 80 * OUTPUT));
}

#[test]
fn one_that_would_pass_its_budget_is_cut_with_what_had_arrived() {
    // Some 1,320 tokens of input may be, and 500 of output are assumed: more there is not.
    let house = House::new(|spend| spend.budget(daily(2_500_000).assume_output(400)), [pieces(500, (50, 4_000))]);
    let request = Request::Chat(ChatRequest { stream: true, max_tokens: None, ..chat() });
    let events = house.call(&Call::to("p"), &request).expect("a stream").stream().expect("a stream");
    let items = block_on_with(&house.clock, collect(events));
    let Some(Err(error)) = items.last() else { panic!("it is cut: {:?}", items.last()) };
    assert_eq!((error.kind(), error.stage()), (ErrorKind::BudgetExceeded, Stage::Answered));
    assert!(error.message().starts_with("the answer was cut after about 400 tokens"), "{error}");
    let arrived = error.partial().expect("what had arrived").text();
    assert_eq!(arrived.len(), (items.len() - 1) * "the salt of the land and the sea ".len());
    // Of a model whose vocabulary nobody knows a token may be a byte.
    assert!(items.len() > 10, "{}", items.len());
    assert_eq!((house.inner.dropped(), house.inner.in_flight()), (1, 0), "the provider is told");
    let (spent, reserved, _) = house.stands();
    assert_eq!((house.rows.last(), reserved), ((How::Cut, spent), 0));
    assert!(spent <= 400 * OUTPUT + 200 * INPUT, "{spent}");
}

#[test]
fn small_steps_let_more_streams_in_and_are_topped_up() {
    let build = |spend: Spend| spend.budget(daily(30_000_000)).steps(100);
    let long = Request::Chat(ChatRequest { stream: true, max_tokens: Some(9_000), ..chat() });
    let house = House::new(build, [pieces(300, (50, 2_400)), pieces(1, (1, 1))]);
    let events = house.call(&Call::to("p"), &long).expect("a stream").stream().expect("a stream");
    let (_, first, _) = house.stands();
    assert!(first < 1_400 * INPUT + 100 * OUTPUT, "not for 9,000: {first}");
    let items = block_on_with(&house.clock, collect(events));
    assert!(matches!(items.last(), Some(Ok(Event::Done(_)))), "{:?}", items.last());
    assert_eq!(house.stands(), (50 * INPUT + 2_400 * OUTPUT, 0, 30_000_000 - 50 * INPUT - 2_400 * OUTPUT));
    let raised = house.rows.all()[0].0.reserved.expect("a price");
    assert!(first < raised && raised >= 2_400 * OUTPUT, "what is lost counts with what was reserved last: {raised}");
}

#[test]
fn a_top_up_that_cannot_be_written_down_is_none() {
    let build = |spend: Spend| spend.budget(daily(30_000_000)).steps(100);
    let long = Request::Chat(ChatRequest { stream: true, max_tokens: Some(9_000), ..chat() });
    let house = House::new(build, [pieces(300, (50, 2_400))]);
    let events = house.call(&Call::to("p"), &long).expect("a stream").stream().expect("a stream");
    let (_, first, _) = house.stands();
    house.rows.fail(true);
    let items = block_on_with(&house.clock, collect(events));
    let Some(Err(error)) = items.last() else { panic!("it is cut") };
    assert!(error.message().contains("cut after about 100 tokens: the ledger cannot be written"), "{error}");
    assert!(error.partial().is_some() && items.len() < 100, "{} items", items.len());
    let (spent, reserved, _) = house.stands();
    assert!(reserved == 0 && spent <= first, "{spent} of {first}");
}

#[test]
fn a_store_that_is_elsewhere_may_take_its_time() {
    let clock = ManualClock::new();
    let store = Arc::new(Far(Memory::default(), clock.clone()));
    let rows = Arc::new(Rows::default());
    let rung = Arc::new(Mutex::new(Vec::new()));
    let told = rung.clone();
    let spend = spend(&clock)
        .ledger(rows.clone())
        .budget(daily(30_000_000).alerts([1]))
        .steps(100)
        .store(store, "x:")
        .on_alert(move |alert| told.lock().expect("a lock").push(alert.percent));
    let inner = Scripted::new(&clock, [pieces(300, (50, 2_400)), pieces(300, (50, 2_400)), pieces(1, (1, 1))]);
    let house = House { outer: spend.apply(inner.shared()), clock, spend, rows, inner };
    let long = Request::Chat(ChatRequest { stream: true, max_tokens: Some(9_000), ..chat() });
    let open = || house.call(&Call::to("p"), &long).expect("a stream").stream().expect("a stream");
    let items = block_on_with(&house.clock, collect(open()));
    assert!(matches!(items.last(), Some(Ok(Event::Done(_)))), "{:?}", items.last());
    assert_eq!(items.len(), 301);
    assert_eq!(*rung.lock().expect("a lock"), [0_u8; 0], "it cannot be asked without waiting");
    let mut left = open();
    assert_eq!(*rung.lock().expect("a lock"), [1], "and so it is asked by the next");
    // Left while it waits for more money: what was on its way is there again.
    let mut task = sabir_testkit::Task::new(async {
        while let Some(item) = std::future::poll_fn(|cx| left.as_mut().poll_next(cx)).await {
            item.expect("no error");
        }
    });
    assert!(task.until_idle().is_pending());
    drop(task);
    drop(left);
    let (settled, reserved, _) = house.stands();
    assert_eq!((house.rows.sum(), reserved), (settled, 0));
}

#[test]
fn a_provider_that_does_not_keep_to_its_bound_is_cut_in_the_end() {
    // Of 100 tokens that were asked for, thousands come; it is topped up until there is no more.
    let house = House::new(|spend| spend.budget(daily(6_000_000)), [pieces(5_000, (50, 40_000))]);
    let items = items(&house);
    let Some(Err(error)) = items.last() else { panic!("it is cut") };
    assert_eq!(error.kind(), ErrorKind::BudgetExceeded);
    let (spent, reserved, _) = house.stands();
    assert!(reserved == 0 && house.rows.last() == (How::Cut, spent), "{spent}");
    assert!(house.inner.dropped() == 1);
}

#[test]
fn one_that_ends_without_a_word_is_over() {
    let house = House::new(|spend| spend.budget(daily(10_000_000)), [Outcome::events([text("a"), text("b")])]);
    assert_eq!(items(&house).len(), 2);
    assert_eq!(house.rows.last().0, How::Failed(ErrorKind::Truncated));
    assert_eq!(house.stands().1, 0);
    // An error that forgot what had arrived.
    let told = [text("the salt of the sea"), Err(failed(ErrorKind::Overloaded))];
    let house = House::new(|spend| spend.budget(daily(10_000_000)), [Outcome::events(told)]);
    assert!(items(&house).pop().is_some_and(|item| item.is_err()));
    assert!(house.rows.last().1 > 5 * OUTPUT);
}
