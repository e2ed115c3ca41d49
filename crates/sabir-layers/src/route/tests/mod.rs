mod midstream;
mod policies;

use std::time::Duration;

use sabir_core::chat::{Attempt, ChatRequest, ChatResponse, Event, Part};
use sabir_core::{Call, Error, ErrorKind, Key, Layer, Reply, Request, Result, Service, Shared, Stage};
use sabir_testkit::{ManualClock, Outcome, Scripted, Step, Task, block_on_with, check_layer_on, collect, events_of};

use super::*;
use crate::{Hedge, KeyPool, Keys};

const SECOND: Duration = Duration::from_secs(1);

/// A route `fast` over providers that answer by their name.
struct Bench {
    clock: ManualClock,
    inner: Scripted,
    routes: Routes,
    outer: Shared,
}

impl Bench {
    fn new(route: Route, answer: impl Fn(&str) -> Outcome + Send + Sync + 'static) -> Self {
        let clock = ManualClock::new();
        let inner = Scripted::answering(&clock, move |call, _| answer(&call.provider));
        let routes = Routes::new([route]).clock(clock.clone()).seed(1);
        let outer = routes.apply(inner.shared());
        Self { clock, inner, routes, outer }
    }

    fn ask(&self) -> Result<ChatResponse> {
        self.send(&Call::to("route"), &request()).and_then(Reply::whole)
    }

    fn send(&self, call: &Call, request: &Request) -> Result<Reply> {
        block_on_with(&self.clock, self.outer.call(call, request))
    }

    /// Where the calls went, in order.
    fn went(&self) -> Vec<String> {
        self.inner.seen().into_iter().map(|seen| seen.call.provider).collect()
    }

    fn in_flight(&self) -> usize {
        self.routes.health("fast").iter().map(|target| target.in_flight).sum()
    }
}

fn request() -> Request {
    Request::Chat(ChatRequest::new("fast").user("Hi"))
}

fn streaming() -> Request {
    let mut request = ChatRequest::new("fast").user("Hi");
    request.stream = true;
    Request::Chat(request)
}

fn answer(text: &str) -> ChatResponse {
    let mut answer = ChatResponse::default();
    (answer.id, answer.model) = (format!("id-{text}"), format!("model-{text}"));
    answer.parts = vec![Part::text(text)];
    (answer.usage.input, answer.usage.output) = (Some(10), Some(5));
    answer
}

fn whole(text: &str) -> Outcome {
    Outcome::whole(answer(text))
}

fn fails(kind: ErrorKind) -> Outcome {
    Outcome::Fail(Error::new(kind, format!("it is {kind}")))
}

fn three() -> Route {
    Route::named("fast", ["a/one", "b/two", "c/three"])
}

const POLICIES: [Policy; 7] = [
    Policy::Ordered,
    Policy::Weighted,
    Policy::RoundRobin,
    Policy::LeastBusy,
    Policy::Latency,
    Policy::Cheapest,
    Policy::Sticky(Sticky::User),
];

#[test]
fn it_keeps_the_contract() {
    let clock = ManualClock::new();
    let modes = [MidStream::Fail, MidStream::Restart, MidStream::Continue, MidStream::ContinueOrRestart];
    for policy in POLICIES {
        // With one target: what fails there has nowhere to go.
        let route = Route::named("testkit/test-model", ["a/one"]).policy(policy.clone());
        check_layer_on(&clock, |inner| Routes::new([route.clone()]).clock(clock.clone()).apply(inner)).assert_ok();
    }
    for mode in modes {
        // With several: what does not fail goes nowhere else. Broken streams have a test of their own.
        let targets = ["a", "b"].map(|id| Target::new(id, "one").prefill(true));
        let route = Route::named("testkit/test-model", targets).mid_stream(mode);
        let report = check_layer_on(&clock, |inner| Routes::new([route.clone()]).clock(clock.clone()).apply(inner));
        let found: Vec<_> = report
            .violations()
            .iter()
            .filter(|found| mode == MidStream::Fail || found.check != "error midway")
            .collect();
        assert!(found.is_empty(), "{mode:?}: {found:?}");
    }
    check_layer_on(&clock, |inner| Routes::new([three()]).apply(inner)).assert_ok();
    // In the order in which they stand in a client.
    let route = Route::named("testkit/test-model", ["a/one"]).policy(Policy::Latency);
    let stack = |inner: Shared| {
        let hedge = Hedge::default().after(Duration::from_millis(3)).share(1.0).clock(clock.clone());
        let keys = Keys::new().pool("a", KeyPool::new([("k", "s"), ("l", "t")]).clock(clock.clone()));
        Routes::new([route.clone()]).clock(clock.clone()).apply(keys.apply(hedge.apply(inner)))
    };
    check_layer_on(&clock, stack).assert_ok();
}

#[test]
fn names_are_models_and_all_else_passes() {
    let bench = Bench::new(three(), whole);
    for (provider, model, goes_to) in [
        ("route", "fast", ("a", "one")),
        ("", "fast", ("a", "one")),
        ("openai", "fast", ("openai", "fast")),
        ("route", "slow", ("route", "slow")),
    ] {
        let request = Request::Chat(ChatRequest::new(model).user("Hi"));
        bench.send(&Call::to(provider), &request).expect("an answer");
        let seen = bench.inner.seen().pop().expect("a call");
        assert_eq!((seen.call.provider.as_str(), seen.request.model()), goes_to, "{provider}/{model}");
    }
    for (name, place) in [("fast", Some("fast")), ("route/fast", Some("fast")), ("x/fast", None), ("", None)] {
        assert_eq!(bench.routes.place(name), place.map(|model| ("route".to_owned(), model.to_owned())), "{name}");
    }
    bench.routes.set(Route::named("openai/gpt", ["c/three"]));
    bench.send(&Call::to("openai"), &Request::Chat(ChatRequest::new("gpt"))).expect("an answer");
    assert_eq!(bench.went().last().map(String::as_str), Some("c"), "a model's own name can be a route");
    assert_eq!(bench.routes.names(), ["fast", "openai/gpt"]);
    assert!(bench.routes.remove("openai/gpt") && !bench.routes.remove("openai/gpt"));
    bench.send(&Call::to("openai"), &Request::Chat(ChatRequest::new("gpt"))).expect("an answer");
    assert_eq!(bench.went().last().map(String::as_str), Some("openai"));
}

#[test]
fn errors_go_to_the_next_target_as_the_table_says() {
    use ErrorKind as K;
    let table = [
        (K::RateLimit, true),
        (K::Overloaded, true),
        (K::Timeout, true),
        (K::Provider, true),
        (K::Network, true),
        (K::Truncated, true),
        (K::Quota, true),
        (K::Authentication, true),
        (K::Permission, true),
        (K::Configuration, true),
        (K::NotFound, true),
        (K::Decode, true),
        (K::Unsupported, true),
        (K::ContextTooLong, true),
        (K::ContentFiltered, false),
        (K::InvalidRequest, false),
        (K::Cancelled, false),
        (K::BudgetExceeded, false),
    ];
    for (kind, moves_on) in table {
        let bench = Bench::new(three(), move |id| if id == "a" { fails(kind) } else { whole(id) });
        let reply = bench.ask();
        assert_eq!(bench.went().len(), 1 + usize::from(moves_on), "{kind}");
        match reply {
            Ok(answer) => {
                let attempt = &answer.attempts[0];
                let told = (attempt.provider.as_str(), attempt.model.as_str(), attempt.kind, answer.attempts.len());
                assert_eq!(told, ("a", "one", kind, 1));
            }
            Err(error) => assert_eq!((error.kind(), moves_on), (kind, false)),
        }
        let counts = bench.routes.health("fast")[0].failures == 1;
        assert_eq!(counts, moves_on && !matches!(kind, K::ContextTooLong | K::Unsupported), "{kind}");
    }
    let turned = Fallover::default().on_content_filtered(true).on_context_too_long(false);
    assert!(
        turned.moves_on(&Error::new(K::ContentFiltered, "")) && !turned.moves_on(&Error::new(K::ContextTooLong, ""))
    );
}

#[test]
fn no_target_is_tried_twice_and_all_attempts_are_told() {
    let bench = Bench::new(three(), |_| fails(ErrorKind::Overloaded));
    let mut call = Call::to("route");
    call.attempt = 4;
    call.key = Some(Key { name: "of the caller".into(), secret: "key".into() });
    let error = bench.send(&call, &request()).expect_err("all fail");
    assert_eq!((error.kind(), bench.went()), (ErrorKind::Overloaded, vec!["a".into(), "b".into(), "c".into()]));
    let told: Vec<_> = error.attempts().iter().map(|attempt| attempt.model.as_str()).collect();
    assert_eq!(told, ["one", "two"], "and the last one is the error");
    let seen = bench.inner.seen();
    assert_eq!(seen.iter().map(|seen| seen.call.attempt).collect::<Vec<_>>(), [4, 5, 6]);
    assert!(seen.iter().all(|seen| seen.call.key.is_none()), "a key is of one provider");

    let below = Error::new(ErrorKind::Overloaded, "again and again");
    let twice = [Attempt::failed(&Call::to("a"), "one", &below), Attempt::failed(&Call::to("a"), "one", &below)];
    let bench = Bench::new(three(), move |id| match id {
        "a" => Outcome::Fail(below.clone().with_attempts(twice.clone())),
        id => whole(id),
    });
    assert_eq!(bench.ask().expect("an answer").attempts.len(), 3);
    assert_eq!(bench.inner.seen()[1].call.attempt, 3, "each attempt has a number of its own");

    let none = Bench::new(Route::named("fast", [] as [Target; 0]), whole);
    assert_eq!(none.ask().expect_err("nobody to ask").kind(), ErrorKind::Configuration);
    assert!(!none.routes.is_available("fast") && !none.routes.is_available("slow"));
}

#[test]
fn a_short_wait_is_waited_for_and_a_long_one_goes_elsewhere() {
    let limited = |seconds: u32| Error::new(ErrorKind::RateLimit, "slow down").with_retry_after(seconds * SECOND);
    let once = |error: Error| {
        let asked = std::sync::atomic::AtomicBool::new(false);
        move |id: &str| match id {
            "a" if !asked.swap(true, std::sync::atomic::Ordering::Relaxed) => Outcome::Fail(error.clone()),
            id => whole(id),
        }
    };
    let bench = Bench::new(three(), once(limited(5)));
    let answer = bench.ask().expect("an answer");
    assert_eq!((bench.went(), bench.clock.now()), (vec!["a".into(), "a".into()], 5 * SECOND));
    assert_eq!((answer.attempts.len(), bench.inner.seen()[1].call.attempt), (1, 1));

    let bench = Bench::new(three(), once(limited(6)));
    bench.ask().expect("an answer");
    assert_eq!((bench.went(), bench.clock.now()), (vec!["a".into(), "b".into()], Duration::ZERO));
    assert_eq!(bench.routes.health("fast")[0].rests, Some(6 * SECOND));
    bench.ask().expect("an answer");
    assert_eq!(bench.went()[2..], ["b"], "it is left alone as long as it said");
    bench.clock.advance(6 * SECOND);
    bench.ask().expect("an answer");
    assert_eq!(bench.went()[3..], ["a"]);

    // Where it is limited again, or below was tried again already, the next one is asked.
    let bench = Bench::new(three(), move |id| if id == "a" { Outcome::Fail(limited(1)) } else { whole(id) });
    bench.ask().expect("an answer");
    assert_eq!(bench.went(), ["a", "a", "b"]);
    let before = Attempt::failed(&Call::to("a"), "one", &limited(1));
    let bench = Bench::new(three(), once(limited(1).with_attempts([before])));
    bench.ask().expect("an answer");
    assert_eq!(bench.went(), ["a", "b"]);
    let bench = Bench::new(three().fallover(Fallover::default().wait_up_to(Duration::ZERO)), once(limited(1)));
    bench.ask().expect("an answer");
    assert_eq!(bench.went(), ["a", "b"]);
}

#[test]
fn a_target_that_fails_rests_and_is_tried_when_nothing_else_is_left() {
    let bench = Bench::new(three().rest(2, 10 * SECOND), |id| match id {
        "a" => fails(ErrorKind::Provider),
        id => whole(id),
    });
    (0..3).for_each(|_| drop(bench.ask().expect("an answer")));
    assert_eq!(bench.went(), ["a", "b", "a", "b", "b"]);
    let health = &bench.routes.health("fast")[0];
    assert_eq!((health.failures, health.last_failure), (2, Some(ErrorKind::Provider)));
    assert_eq!((health.rests, bench.routes.is_available("fast")), (Some(10 * SECOND), true));
    bench.clock.advance(10 * SECOND);
    (0..2).for_each(|_| drop(bench.ask().expect("an answer")));
    assert_eq!(bench.went()[5..], ["a", "b", "b"], "one more failure, and it rests again");

    let bench = Bench::new(three().rest(1, 10 * SECOND), |_| fails(ErrorKind::Provider));
    bench.ask().expect_err("all fail");
    assert!(!bench.routes.is_available("fast"));
    bench.clock.advance(SECOND);
    bench.ask().expect_err("all fail");
    assert_eq!(bench.went()[3..], ["a", "b", "c"], "they rest, and still there is nothing else");
    let never = Bench::new(three().rest(0, 10 * SECOND), |_| fails(ErrorKind::Provider));
    (0..9).for_each(|_| drop(never.ask()));
    assert!(never.routes.is_available("fast"));
}

#[test]
fn a_success_ends_the_row_and_a_stream_that_breaks_off_is_a_failure() {
    let calls = std::sync::atomic::AtomicUsize::new(0);
    let bench = Bench::new(three().rest(3, 10 * SECOND), move |id| match id {
        "a" if calls.fetch_add(1, std::sync::atomic::Ordering::Relaxed) % 3 < 2 => fails(ErrorKind::Timeout),
        id => whole(id),
    });
    (0..9).for_each(|_| drop(bench.ask().expect("an answer")));
    assert_eq!(bench.went().iter().filter(|id| *id == "a").count(), 9, "never three in a row");

    let bench = Bench::new(three().rest(2, 10 * SECOND), |_| {
        let begun =
            [Ok(Event::Text("Hm".into())), Err(Error::new(ErrorKind::Network, "gone").with_partial(answer("Hm")))];
        Outcome::events(begun)
    });
    for failures in 1..=2 {
        let stream = bench.send(&Call::to("route"), &streaming()).and_then(Reply::stream).expect("a stream");
        assert_eq!(block_on_with(&bench.clock, collect(stream)).len(), 2);
        assert_eq!(bench.routes.health("fast")[0].failures, failures);
    }
    assert_eq!(bench.routes.health("fast")[0].rests, Some(10 * SECOND));
}

#[test]
fn a_stream_that_only_begins_is_not_held_back_for_ever() {
    let bench = Bench::new(three(), |_| {
        let usage = (1..9).map(|n| {
            let mut usage = sabir_core::chat::Usage::default();
            usage.output = Some(n);
            Step::Item(Ok(Event::Usage(usage.into())))
        });
        Outcome::Stream(usage.chain([Step::Forever]).collect())
    });
    let (call, asked) = (Call::to("route"), streaming());
    assert!(Task::new(bench.outer.call(&call, &asked)).until_idle().is_ready());
}

#[test]
fn what_is_known_of_a_place_outlives_a_change_of_the_route() {
    let bench =
        Bench::new(three().rest(1, 10 * SECOND), |id| if id == "a" { fails(ErrorKind::Quota) } else { whole(id) });
    bench.ask().expect("an answer");
    bench.routes.set(Route::named("fast", ["a/one", "b/other"]));
    bench.ask().expect("an answer");
    assert_eq!(bench.went()[2..], ["b"]);
    assert_eq!(bench.inner.seen()[2].request.model(), "other");
}

#[test]
fn the_keys_of_a_target_are_tried_before_the_next_target() {
    let clock = ManualClock::new();
    let pool = KeyPool::new([("first", "k1"), ("second", "k2")]).clock(clock.clone());
    let route = Route::named("fast", [Target::new("a", "one").keys(pool), Target::new("b", "two")]);
    let inner =
        Scripted::answering(&clock, |call, _| if call.provider == "a" { fails(ErrorKind::Quota) } else { whole("b") });
    let outer = Routes::new([route]).clock(clock.clone()).apply(inner.shared());
    let (call, asked) = (Call::to("route"), request());
    let answer = block_on_with(&clock, outer.call(&call, &asked)).and_then(Reply::whole).expect("an answer");
    let told: Vec<_> =
        answer.attempts.iter().map(|attempt| (attempt.provider.as_str(), attempt.key.as_deref())).collect();
    assert_eq!(told, [("a", Some("first")), ("a", Some("second"))]);
    assert_eq!(inner.seen()[2].call.key, None);
    let error =
        block_on_with(&clock, outer.call(&call, &asked)).and_then(Reply::whole).expect("an answer").attempts.remove(0);
    assert_eq!((error.kind, error.stage), (ErrorKind::RateLimit, Stage::NotSent), "both keys rest");
}

#[test]
fn a_stream_that_fails_before_its_content_goes_to_the_next_target_unseen() {
    let begins = || Event::Start { id: "id-a".into(), model: "model-a".into() };
    for told in [vec![], vec![Ok(begins())]] {
        let bench = Bench::new(three(), move |id| match id {
            "a" => {
                let broken = Err(Error::new(ErrorKind::Overloaded, "not now"));
                Outcome::events(told.clone().into_iter().chain([broken]))
            }
            id => Outcome::events(events_of(&answer(id)).into_iter().map(Ok)),
        });
        let stream = bench.send(&Call::to("route"), &streaming()).and_then(Reply::stream).expect("a stream");
        let items = block_on_with(&bench.clock, collect(stream));
        let mut want = events_of(&answer("b"));
        let Some(Ok(Event::Done(done))) = items.last() else { panic!("it ends well: {items:?}") };
        assert_eq!(done.attempts.len(), 1);
        want.pop();
        assert_eq!(items[..items.len() - 1], want.into_iter().map(Ok).collect::<Vec<_>>());
        assert_eq!((bench.went(), bench.in_flight()), (vec!["a".into(), "b".into()], 0));
    }
}

#[test]
fn calls_in_flight_are_counted_back_whenever_a_call_is_left() {
    let modes = [MidStream::Fail, MidStream::Restart, MidStream::Continue, MidStream::ContinueOrRestart];
    for mode in modes {
        for polls in 0..14 {
            let targets = ["a", "b", "c"].map(|id| Target::new(id, id).prefill(true));
            let route = Route::named("fast", targets).mid_stream(mode).policy(Policy::LeastBusy);
            let bench = Bench::new(route, |id| {
                let mut steps: Vec<Step> = Vec::new();
                for event in events_of(&answer(id)) {
                    steps.extend([Step::Wait(SECOND), Step::Item(Ok(event))]);
                }
                if id != "c" {
                    steps.truncate(4);
                    let partial = ChatResponse::clone(&answer(id));
                    steps.push(Step::Item(Err(Error::new(ErrorKind::Network, "gone").with_partial(partial))));
                }
                Outcome::Stream(steps).after(SECOND)
            });
            let outer = bench.outer.clone();
            let mut task = Task::new(async move {
                if let Ok(Reply::Stream(stream)) = outer.call(&Call::to("route"), &streaming()).await {
                    collect(stream).await;
                }
            });
            for _ in 0..polls {
                if task.poll_once().is_ready() {
                    break;
                }
                assert_eq!(bench.in_flight(), bench.inner.in_flight());
                bench.clock.advance_to_next();
            }
            drop(task);
            assert_eq!((bench.in_flight(), bench.inner.in_flight()), (0, 0), "{mode:?}, left after {polls} polls");
        }
    }
}
