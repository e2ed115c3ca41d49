//! Floors that differ for some calls.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use http::{HeaderMap, Method};
use sabir_core::chat::{ChatRequest, ChatResponse, Part};
use sabir_core::raw::RawRequest;
use sabir_core::{Call, Clock, Error, ErrorKind, Foreseen, Layer, Passage, Request, Result, Service, Shared};
use sabir_layers::guard::{Guard, MaxSize, Redact};
use sabir_layers::{Backoff, Cache, Calls, Deadline, Hedge, Retry, Route, Routes, Stack, Timeout};
use sabir_testkit::{ManualClock, Outcome, Scripted, block_on_with, check_layer_on};

const SECOND: Duration = Duration::from_secs(1);

fn call_of(provider: &str, tags: &[(&str, &str)]) -> Call {
    let mut call = Call::to(provider);
    call.tags = tags.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
    call
}

fn chat(model: &str, text: &str) -> Request {
    Request::Chat(ChatRequest::new(model).user(text))
}

fn key(name: &str) -> Calls {
    Calls::new().tag("key", [name])
}

fn team(name: &str) -> Calls {
    Calls::new().tag("team", [name])
}

fn answers(clock: &ManualClock) -> Scripted {
    Scripted::answering(clock, |_, _| Outcome::whole(ChatResponse::default()))
}

/// Always fails, and may be tried again.
fn fails(clock: &ManualClock) -> Scripted {
    Scripted::answering(clock, |_, _| Outcome::Fail(Error::new(ErrorKind::Overloaded, "not now")))
}

/// Answers after so many seconds.
fn slow(clock: &ManualClock, seconds: u32) -> Scripted {
    Scripted::answering(clock, move |_, _| Outcome::whole(ChatResponse::default()).after(seconds * SECOND))
}

fn ask(clock: &ManualClock, outer: &Shared, call: &Call, request: &Request) -> Result<ChatResponse> {
    block_on_with(clock, outer.call(call, request))?.whole()
}

fn retry(clock: &ManualClock) -> Retry {
    Retry::default().clock(clock.clone()).seed(1).backoff(Backoff::new(SECOND, SECOND))
}

fn guard(most: usize) -> Stack {
    Stack::new().guard(Guard::new().check(MaxSize::request(most)))
}

#[test]
fn calls_that_nothing_is_said_of_are_as_they_were() {
    let clock = ManualClock::new();
    let own = || {
        let timeout = Timeout::default().clock(clock.clone());
        guard(1_000).retry(retry(&clock)).timeout(timeout).no_cache().no_hedge()
    };
    check_layer_on(&clock, |inner| Stack::new().for_calls(key("ada"), own()).apply(inner)).assert_ok();
    check_layer_on(&clock, |inner| Stack::new().for_calls(Calls::new(), own()).apply(inner)).assert_ok();
}

#[test]
fn the_first_that_says_something_of_a_floor_decides_it() {
    let clock = ManualClock::new();
    let usual = retry(&clock).attempts(2);
    let tries = |attempts: u32| Stack::new().retry(usual.clone().attempts(attempts));
    let stack = Stack::new()
        .retry(usual.clone())
        .for_calls(key("ada"), Stack::new().no_cache())
        .for_calls(key("ada"), tries(5))
        .for_calls(team("red"), tries(1));
    let inner = fails(&clock);
    let outer = stack.apply(inner.shared());
    for (tags, calls) in [
        (&[("key", "ada"), ("team", "red")][..], 5),
        (&[("key", "bob"), ("team", "red")], 1),
        (&[("key", "bob")], 2),
        (&[], 2),
    ] {
        let before = inner.calls();
        ask(&clock, &outer, &call_of("p", tags), &chat("m", "salt")).expect_err("it fails");
        assert_eq!(inner.calls() - before, calls, "{tags:?}");
    }
}

#[test]
fn each_floor_is_chosen_by_itself() {
    let clock = ManualClock::new();
    let by = |seconds: u32| Deadline::after(seconds * SECOND).clock(clock.clone());
    let limited = |seconds: u32| Timeout::default().whole(seconds * SECOND).clock(clock.clone());
    let stack = Stack::new()
        .timeout(limited(50))
        .for_calls(key("ada"), Stack::new().deadline(by(3)))
        .for_calls(Calls::new().models(["p/m"]), Stack::new().timeout(limited(7)).deadline(by(20)));
    let outer = stack.apply(slow(&clock, 1_000).shared());
    for (who, model, seconds) in [("ada", "m", 3), ("bob", "m", 7), ("bob", "n", 50), ("ada", "n", 3)] {
        let begun = clock.now();
        let error = ask(&clock, &outer, &call_of("p", &[("key", who)]), &chat(model, "salt")).expect_err("too late");
        assert_eq!(
            (error.kind(), clock.now().saturating_sub(begun)),
            (ErrorKind::Timeout, seconds * SECOND),
            "{who} {model}"
        );
    }
}

#[test]
fn guards_add_up_and_nobodys_is_lost() {
    let clock = ManualClock::new();
    let redacting = Stack::new().guard(Guard::new().check(Redact));
    let stack = guard(100).for_calls(key("ada"), guard(1_000)).for_calls(key("bob"), guard(10));
    let stack = stack.for_calls(team("red"), redacting);
    let inner = answers(&clock);
    let outer = stack.apply(inner.shared());
    let sent = |who: &str, of: &str, text: &str| {
        let call = call_of("p", &[("key", who), ("team", of)]);
        ask(&clock, &outer, &call, &chat("m", text)).map(|_| {
            let Some(Request::Chat(chat)) = inner.seen().pop().map(|seen| seen.request) else { panic!("a chat") };
            chat.messages[0].text()
        })
    };
    let refused = |who: &str, bytes: usize| sent(who, "blue", &"a".repeat(bytes)).is_err();
    assert!(refused("ada", 101), "a wide one of its own takes the narrow one of all not away");
    assert!(refused("bob", 11) && !refused("eve", 11) && !refused("bob", 10));
    let words = "a.b@example.com";
    for (who, of, told) in [("eve", "red", "[e-mail]"), ("eve", "blue", words), ("ada", "red", "[e-mail]")] {
        assert_eq!(sent(who, of, words).expect("it is short"), told, "{who} {of}");
    }
    assert!(sent("bob", "red", words).is_err(), "its own is asked, too");
}

#[test]
fn a_models_guard_holds_by_whichever_way_it_may_be_asked() {
    let clock = ManualClock::new();
    let routes = Routes::new([Route::named("fast", ["a/other", "b/m"]), Route::named("free", ["a/other"])]);
    let stack = Stack::new().for_calls(Calls::new().models(["b/m"]), guard(3));
    // However it was added.
    let stack = stack.routes(routes.clone().clock(clock.clone()));
    let inner = answers(&clock);
    let outer = stack.apply(inner.shared());
    let is_let_through =
        |provider: &str, model: &str| ask(&clock, &outer, &call_of(provider, &[]), &chat(model, "salt")).is_ok();
    assert!(!is_let_through("b", "m") && !is_let_through("b:its-dialect", "m") && !is_let_through("route", "fast"));
    assert!(is_let_through("b", "other") && is_let_through("route", "free"));
    // Routes may be set while it runs.
    routes.set(Route::named("free", ["b/m"]));
    assert!(!is_let_through("route", "free"));
    // What nobody reads may ask any model of its provider.
    let raw = RawRequest::new(Method::GET, "/files", HeaderMap::new(), Bytes::new());
    let raw = Request::Raw(Box::new(raw));
    let error = ask(&clock, &outer, &call_of("b", &[]), &raw).expect_err("it cannot be checked");
    assert_eq!(error.kind(), ErrorKind::Unsupported);
    let before = inner.calls();
    drop(ask(&clock, &outer, &call_of("a", &[]), &raw));
    assert_eq!(inner.calls() - before, 1, "another provider's is not concerned");
}

#[test]
fn below_the_routes_it_is_the_model_that_is_asked() {
    let clock = ManualClock::new();
    let own = Route::named("a/own", ["a/own", "b/m"]);
    let routes = Routes::new([Route::named("fast", ["a/m", "b/m"]), own]).clock(clock.clone());
    let limited = |seconds: u32| Timeout::default().whole(seconds * SECOND).clock(clock.clone());
    let stack = Stack::new()
        .routes(routes)
        .timeout(limited(10))
        .for_calls(Calls::new().models(["b/m"]), Stack::new().timeout(limited(2)))
        .for_calls(Calls::new().routes(["fast"]).models(["a/*"]), Stack::new().timeout(limited(5)));
    let outer = stack.apply(slow(&clock, 1_000).shared());
    for (to, model, seconds) in [("route", "fast", 7), ("a", "m", 10), ("b", "m", 2), ("a", "own", 12)] {
        let begun = clock.now();
        ask(&clock, &outer, &call_of(to, &[]), &chat(model, "salt")).expect_err("too slow");
        assert_eq!(clock.now().saturating_sub(begun), seconds * SECOND, "{to}/{model}");
    }
}

#[test]
fn what_is_retried_for_some_burdens_a_provider_as_what_is_for_all() {
    let clock = ManualClock::new();
    let usual = retry(&clock).attempts(2).budget(0.0, 4);
    let own = Stack::new().retry(usual.clone().attempts(9));
    let outer_of =
        |inner: &Scripted| Stack::new().retry(usual.clone()).for_calls(key("ada"), own.clone()).apply(inner.shared());
    let inner = fails(&clock);
    let outer = outer_of(&inner);
    let tries = |who: &str| {
        let before = inner.calls();
        ask(&clock, &outer, &call_of("p", &[("key", who)]), &chat("m", "salt")).expect_err("it fails");
        inner.calls() - before
    };
    assert_eq!((tries("bob"), tries("ada"), tries("bob"), tries("ada")), (2, 4, 1, 1), "four retries in all");
}

#[test]
fn second_calls_and_caches_can_be_left_out_and_what_is_known_is_shared() {
    let clock = ManualClock::new();
    let (hedge, cache) =
        (Hedge::default().clock(clock.clone()).after(SECOND).share(1.0), Cache::default().clock(clock.clone()));
    let sooner = Hedge::default().clock(clock.clone()).after(SECOND / 2).knowing(&hedge);
    let stack = Stack::new()
        .hedge(hedge)
        .cache(cache)
        .for_calls(key("ada"), Stack::new().no_hedge())
        .for_calls(key("bob"), Stack::new().hedge(sooner.share(0.0)))
        .for_calls(team("red"), Stack::new().no_cache());
    let inner = slow(&clock, 10);
    let outer = stack.apply(inner.shared());
    let calls = |tags: &[(&str, &str)], text: &str| {
        let before = inner.calls();
        ask(&clock, &outer, &call_of("p", tags), &chat("m", text)).expect("an answer");
        inner.calls() - before
    };
    assert_eq!((calls(&[], "one"), calls(&[], "one")), (2, 0), "a second call, and then none at all");
    assert_eq!((calls(&[("key", "ada")], "two"), calls(&[("key", "ada")], "two")), (1, 0));
    assert_eq!((calls(&[("team", "red")], "one"), calls(&[("team", "red")], "one")), (2, 2));
    // It earns no second call of its own; one that is left over from the others is there for it.
    assert_eq!(calls(&[("key", "bob")], "three"), 1);
    assert_eq!(calls(&[("key", "ada")], "one"), 0, "what was kept is everybody's");
}

#[test]
fn looking_at_a_call_shows_what_its_guards_say() {
    let clock = ManualClock::new();
    let routes = Routes::new([Route::named("fast", ["a/m", "b/m"])]).clock(clock.clone());
    let stack = Stack::new().routes(routes).for_calls(Calls::new().models(["b/*"]), guard(3));
    let stack = stack.for_calls(key("ada"), guard(2).timeout(Timeout::default()));
    let look = |call: Call, model: &str| {
        let seen = block_on_with(&clock, stack.foresee(vec![Foreseen::new(call, chat(model, "salt"))]));
        seen.iter().map(|one| (one.call.provider.clone(), one.verdicts.len())).collect::<Vec<_>>()
    };
    assert_eq!(look(call_of("route", &[]), "fast"), [("a".to_owned(), 1), ("b".to_owned(), 1)]);
    assert_eq!(look(call_of("a", &[]), "m"), [("a".to_owned(), 0)]);
    assert_eq!(look(call_of("b", &[("key", "ada")]), "m"), [("b".to_owned(), 2)]);
}

/// A guard takes the client's own bytes away where it looks, and nowhere else.
#[test]
fn bytes_go_through_where_no_guard_is_for_the_call() {
    let clock = ManualClock::new();
    let inner = Scripted::answering(&clock, |_, _| {
        let mut response = ChatResponse::default();
        response.parts = vec![Part::text("Hello.")];
        Outcome::whole(response)
    });
    let outer = Stack::new().for_calls(key("ada"), guard(1_000)).apply(inner.shared());
    for (who, passes) in [("ada", false), ("bob", true)] {
        let (mut call, request) = (call_of("p", &[("key", who)]), chat("m", "salt"));
        let passage = Passage::new("openai-chat", HeaderMap::new(), Bytes::new(), request.clone());
        call.passage = Some(Arc::new(passage));
        ask(&clock, &outer, &call, &request).expect("an answer");
        let seen = inner.seen().pop().expect("a call");
        assert_eq!(seen.call.passage.is_some(), passes, "{who}");
    }
}
