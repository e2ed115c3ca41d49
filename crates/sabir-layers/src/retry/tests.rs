use std::sync::{Mutex, PoisonError};

use sabir_core::chat::{ChatResponse, Event};
use sabir_testkit::{
    ManualClock, Outcome, Scripted, Step, Task, block_on_with, check_events, check_layer_on, collect, events_of,
};

use super::*;
use crate::trial::{SECOND, answer, ask};

fn retry(clock: &ManualClock) -> Retry {
    Retry::default().clock(clock.clone()).seed(1)
}

/// An error of a kind, as far as it usually gets.
fn failing(kind: ErrorKind) -> Error {
    Error::new(kind, "it failed")
}

/// What comes of a call, how many tries it took, and when it was over.
fn run(retry: &Retry, clock: &ManualClock, outcomes: Vec<Outcome>, stream: bool) -> (Result<ChatResponse>, usize) {
    let inner = Scripted::new(clock, outcomes);
    let result = block_on_with(clock, async {
        match retry.apply(inner.shared()).call(&Call::to("p"), &ask(stream)).await? {
            Reply::Stream(stream) => {
                let items = collect(stream).await;
                check_events(&items).expect("the contract");
                match items.into_iter().last().expect("a terminal item")? {
                    Event::Done(response) => Ok(*response),
                    other => panic!("{other:?}"),
                }
            }
            reply => reply.whole(),
        }
    });
    assert_eq!((inner.in_flight(), clock.sleepers()), (0, 0));
    (result, inner.calls())
}

#[test]
fn it_is_a_layer() {
    let clock = ManualClock::new();
    check_layer_on(&clock, |inner| retry(&clock).apply(inner)).assert_ok();
}

#[test]
fn what_passes_by_itself_is_tried_again_and_told() {
    for stream in [false, true] {
        let clock = ManualClock::new();
        let last =
            if stream { Outcome::events(events_of(&answer()).into_iter().map(Ok)) } else { Outcome::whole(answer()) };
        let outcomes = vec![
            Outcome::Fail(failing(ErrorKind::Overloaded)),
            Outcome::Fail(failing(ErrorKind::Network).with_stage(Stage::NotSent)),
            last,
        ];
        let (result, calls) = run(&retry(&clock), &clock, outcomes, stream);
        let response = result.expect("an answer");
        assert_eq!((response.text().as_str(), calls), ("Hello.", 3));
        let told: Vec<_> = response.attempts.iter().map(|a| (a.provider.as_str(), a.kind, a.stage)).collect();
        let expected = [("p", ErrorKind::Overloaded, Stage::Answered), ("p", ErrorKind::Network, Stage::NotSent)];
        assert_eq!(told, expected);
        assert!(clock.now() <= Duration::from_millis(300), "{clock:?}");
    }
}

#[test]
fn every_try_has_its_number() {
    let clock = ManualClock::new();
    let inner = Scripted::answering(&clock, |_, _| Outcome::Fail(failing(ErrorKind::Provider)));
    let mut call = Call::to("p");
    call.attempt = 4;
    let error = block_on_with(&clock, retry(&clock).apply(inner.shared()).call(&call, &ask(false)));
    assert_eq!(inner.seen().iter().map(|seen| seen.call.attempt).collect::<Vec<_>>(), [4, 5, 6]);
    assert_eq!(error.expect_err("all failed").attempts().len(), 2);
}

#[test]
fn what_does_not_pass_by_itself_is_not_tried_again() {
    use ErrorKind as K;
    let passing = [K::RateLimit, K::Timeout, K::Overloaded, K::Provider, K::Network, K::Truncated];
    let lasting = [
        K::Configuration,
        K::Authentication,
        K::Permission,
        K::Quota,
        K::Cancelled,
        K::InvalidRequest,
        K::ContextTooLong,
        K::ContentFiltered,
        K::NotFound,
        K::Decode,
        K::BudgetExceeded,
        K::Unsupported,
    ];
    for (kinds, expected) in [(&passing[..], 3), (&lasting[..], 1)] {
        for kind in kinds {
            let clock = ManualClock::new();
            let outcomes = vec![Outcome::Fail(failing(*kind)); 5];
            let (result, calls) = run(&retry(&clock), &clock, outcomes, false);
            assert_eq!((result.expect_err("it fails").kind(), calls), (*kind, expected));
        }
    }
    // The provider's own word wins, but no word makes money.
    for (error, expected) in [
        (failing(K::InvalidRequest).with_retryable(true), 3),
        (failing(K::Overloaded).with_retryable(false), 1),
        (failing(K::Quota).with_retryable(true), 1),
    ] {
        let clock = ManualClock::new();
        assert_eq!(run(&retry(&clock), &clock, vec![Outcome::Fail(error); 5], false).1, expected);
    }
}

#[test]
fn what_may_be_paid_for_twice_is_a_setting() {
    let unavailable = http_status(503);
    for (error, expected) in [
        (failing(ErrorKind::Network).with_stage(Stage::NotSent), 3),
        (failing(ErrorKind::Network).with_stage(Stage::MaybeSent), 1),
        (failing(ErrorKind::Truncated), 1),
        (unavailable, 3),
    ] {
        let clock = ManualClock::new();
        let retry = retry(&clock).retry_maybe_sent(false);
        assert_eq!(run(&retry, &clock, vec![Outcome::Fail(error.clone()); 5], false).1, expected, "{error:?}");
    }
}

/// An error as a provider's status makes it.
fn http_status(status: u16) -> Error {
    let status = http::StatusCode::from_u16(status).expect("a status");
    failing(sabir_core::error::kind_for(status.as_u16(), None, "")).with_status(status)
}

#[test]
fn a_time_to_wait_is_waited_for_in_full_or_not_at_all() {
    let busy = |seconds| Outcome::Fail(failing(ErrorKind::RateLimit).with_retry_after(SECOND * seconds));
    let clock = ManualClock::new();
    let (result, calls) = run(&retry(&clock), &clock, vec![busy(7), busy(60), Outcome::whole(answer())], false);
    assert!(result.is_ok() && calls == 3);
    assert_eq!(clock.now(), 67 * SECOND);
    let clock = ManualClock::new();
    let (result, calls) = run(&retry(&clock), &clock, vec![busy(61), Outcome::whole(answer())], false);
    assert_eq!((result.expect_err("too long").retry_after(), calls), (Some(61 * SECOND), 1));
    assert_eq!(clock.now(), Duration::ZERO);
    // Less than the backoff is no reason to come sooner.
    let clock = ManualClock::new();
    let backoff = Backoff::new(100 * SECOND, 100 * SECOND);
    run(&retry(&clock).backoff(backoff).attempts(20).budget(20.0, 0), &clock, vec![busy(0); 20], false).0.unwrap_err();
    assert!(clock.now() > 400 * SECOND, "{clock:?}");
}

#[test]
fn a_stream_is_tried_again_until_it_has_told_something() {
    let start = || Ok(Event::Start { id: String::new(), model: String::new() });
    let broken = || Err(failing(ErrorKind::Overloaded).with_partial(ChatResponse::default()));
    let whole = || Outcome::events(events_of(&answer()).into_iter().map(Ok));
    let clock = ManualClock::new();
    let (result, calls) = run(&retry(&clock), &clock, vec![Outcome::events([broken()]), whole()], true);
    assert_eq!((result.expect("an answer").attempts.len(), calls), (1, 2));
    // An error after the first event passes, with the attempts before it.
    let clock = ManualClock::new();
    let outcomes = vec![Outcome::events([broken()]), Outcome::events([start(), broken()]), whole()];
    let (result, calls) = run(&retry(&clock), &clock, outcomes, true);
    assert_eq!((result.expect_err("told already").attempts().len(), calls), (1, 2));
    // No item at all is no stream.
    let clock = ManualClock::new();
    let (result, calls) = run(&retry(&clock), &clock, vec![Outcome::events([]), whole()], true);
    assert_eq!((result.expect("an answer").attempts[0].kind, calls), (ErrorKind::Truncated, 2));
}

/// Any provider that fails now and then, any settings: the tries of a call, the waits before them, and all retries
/// together keep to their bounds.
#[test]
fn no_settings_and_no_provider_break_the_bounds() {
    for seed in 0..60 {
        let random = Random::seeded(seed);
        let small = |most: u64| u32::try_from(random.below(most + 1)).expect("small");
        let (attempts, share, reserve) = (small(6), small(1_000), small(15));
        let backoff =
            Backoff::new(Duration::from_millis(random.below(501)), Duration::from_millis(random.below(5_001)));
        let health = random.below(11);
        let clock = ManualClock::new();
        let luck = Mutex::new(Random::seeded(seed + 1_000));
        let inner = Scripted::answering(&clock, move |_, _| {
            let luck = luck.lock().unwrap_or_else(PoisonError::into_inner);
            match luck.below(10) {
                n if n < health => Outcome::whole(answer()),
                9 => Outcome::Fail(
                    failing(ErrorKind::RateLimit).with_retry_after(Duration::from_millis(luck.below(901))),
                ),
                _ => Outcome::Fail(failing(ErrorKind::Network)),
            }
        });
        let layer = retry(&clock).attempts(attempts).backoff(backoff).budget(f64::from(share) / 1_000.0, reserve);
        let outer = layer.apply(inner.shared());
        let calls = 200;
        for _ in 0..calls {
            let before = inner.calls();
            let _ = block_on_with(&clock, outer.call(&Call::to("p"), &ask(false)));
            let tries = &inner.seen()[before..];
            assert!(
                tries.len() <= usize::try_from(attempts.max(1)).expect("small"),
                "seed {seed}: {} tries",
                tries.len()
            );
            for (n, pair) in tries.windows(2).enumerate() {
                let ceiling = backoff.ceiling(u32::try_from(n).expect("small")).max(Duration::from_millis(900));
                let waited = pair[1].at.saturating_sub(pair[0].at);
                assert!(waited <= ceiling, "seed {seed}: waited {waited:?}");
            }
        }
        let bound = f64::from(calls) * f64::from(share) / 1_000.0 + f64::from(reserve.max(1));
        #[expect(clippy::cast_precision_loss, reason = "a small number")]
        let extra = inner.calls() as f64 - f64::from(calls);
        assert!(extra <= bound + 1e-6, "seed {seed}: {extra} retries, at most {bound} allowed");
    }
}

#[test]
fn one_provider_does_not_use_up_what_another_has() {
    let clock = ManualClock::new();
    let inner = Scripted::answering(&clock, |_, _| Outcome::Fail(failing(ErrorKind::Provider)));
    let outer = retry(&clock).apply(inner.shared());
    let extra = |provider: &str, calls: usize| {
        let before = inner.calls();
        for _ in 0..calls {
            let _ = block_on_with(&clock, outer.call(&Call::to(provider), &ask(false)));
        }
        inner.calls() - before - calls
    };
    // 10 are kept, and each call earns a fifth; the first one's has no room.
    assert_eq!(extra("down", 100), 29);
    assert_eq!(extra("well", 1), 2);
}

#[test]
fn whoever_leaves_while_it_waits_leaves_nothing() {
    let clock = ManualClock::new();
    let busy = failing(ErrorKind::RateLimit).with_retry_after(SECOND);
    // In the backoff, in the second try, before the first event, and in the stream.
    let cases: [(&[Duration], Outcome); 4] = [
        (&[], Outcome::Forever),
        (&[SECOND], Outcome::Forever),
        (&[SECOND], Outcome::Stream(vec![Step::Forever])),
        (&[SECOND, SECOND], Outcome::whole(answer()).after(5 * SECOND)),
    ];
    for (turns, second) in cases {
        let inner = Scripted::new(&clock, [Outcome::Fail(busy.clone()), second]);
        let outer = retry(&clock).apply(inner.shared());
        let (call, request) = (Call::to("p"), ask(true));
        let mut task = Task::new(outer.call(&call, &request));
        assert!(task.until_idle().is_pending());
        for turn in turns {
            clock.advance(*turn);
            assert!(task.until_idle().is_pending());
        }
        drop(task);
        assert_eq!((inner.in_flight(), clock.sleepers()), (0, 0));
        assert_eq!(inner.calls(), 1 + usize::from(!turns.is_empty()));
        assert_eq!(inner.dropped(), usize::from(!turns.is_empty()));
    }
}
