use std::sync::{Mutex, PoisonError};

use sabir_core::Key;
use sabir_core::chat::Event;
use sabir_testkit::{ManualClock, Outcome, Scripted, Step, Task, block_on_with, check_layer_on, collect, events_of};

use super::*;
use crate::random::Random;
use crate::trial::{SECOND, answer, ask, text};

fn good() -> Outcome {
    Outcome::whole(answer())
}

fn bad() -> Outcome {
    Outcome::Fail(Error::new(ErrorKind::Provider, "it failed"))
}

/// A breaker over a service that does as it is told, on a clock that does not begin at nothing.
struct Bench {
    clock: ManualClock,
    inner: Scripted,
    breaker: Breaker,
    outer: Shared,
    changes: Arc<Mutex<Vec<State>>>,
}

impl Bench {
    fn new(set: impl FnOnce(Breaker) -> Breaker) -> Self {
        let clock = ManualClock::new();
        clock.advance(1_234 * SECOND);
        let inner = Scripted::new(&clock, []);
        let changes = Arc::new(Mutex::new(Vec::new()));
        let told = changes.clone();
        let breaker = set(Breaker::default()).clock(clock.clone()).on_change(move |place, state| {
            assert_eq!(place.to_string(), "p/m");
            told.lock().unwrap_or_else(PoisonError::into_inner).push(state);
        });
        let outer = breaker.apply(inner.shared());
        Self { clock, inner, breaker, outer, changes }
    }

    /// A call, read to its end. `None` where it was refused.
    fn call(&self, outcome: Outcome) -> Option<Result<()>> {
        let before = self.inner.calls();
        self.inner.push(outcome);
        let result = block_on_with(&self.clock, async {
            match self.outer.call(&Call::to("p"), &ask(true)).await? {
                Reply::Stream(stream) => collect(stream).await.into_iter().last().expect("a terminal item").map(|_| ()),
                _ => Ok(()),
            }
        });
        (self.inner.calls() > before).then_some(result)
    }

    fn calls(&self, good_ones: usize, bad_ones: usize) {
        (0..good_ones).for_each(|_| drop(self.call(good()).expect("let through")));
        (0..bad_ones).for_each(|_| drop(self.call(bad()).expect("let through")));
    }

    /// The error of a call that is refused.
    fn refusal(&self) -> Error {
        let error = block_on_with(&self.clock, self.outer.call(&Call::to("p"), &ask(false))).expect_err("open");
        assert_eq!((error.kind(), error.stage(), error.is_retryable()), (ErrorKind::Overloaded, Stage::NotSent, true));
        error
    }

    fn state(&self) -> State {
        let states = self.breaker.states();
        assert_eq!(states.len(), 1);
        states[0].1
    }

    fn is_open(&self) -> bool {
        matches!(self.state(), State::Open { .. })
    }
}

#[test]
fn it_is_a_layer() {
    let clock = ManualClock::new();
    check_layer_on(&clock, |inner| Breaker::default().clock(clock.clone()).apply(inner)).assert_ok();
}

#[test]
fn it_opens_where_half_of_ten_fail() {
    for (good_ones, bad_ones, open) in
        [(5, 4, false), (5, 5, true), (0, 9, false), (0, 10, true), (9, 8, false), (9, 9, true)]
    {
        let bench = Bench::new(|breaker| breaker);
        bench.calls(good_ones, bad_ones);
        assert_eq!(bench.is_open(), open, "{good_ones} good, {bad_ones} bad");
    }
    // Spread over more than the window, as many are not enough.
    let bench = Bench::new(|breaker| breaker);
    for _ in 0..50 {
        bench.calls(0, 1);
        bench.clock.advance(Duration::from_millis(3_400));
    }
    assert!(!bench.is_open());
    let bench = Bench::new(|breaker| breaker.opens_at(3, 0.9, 60 * SECOND));
    for _ in 0..3 {
        assert!(!bench.breaker.states().iter().any(|(_, state)| *state != State::Closed));
        bench.calls(0, 1);
        bench.clock.advance(20 * SECOND);
    }
    assert_eq!(bench.state(), State::HalfOpen, "20 s later");
}

#[test]
fn what_is_open_refuses_and_says_for_how_long() {
    let bench = Bench::new(|breaker| breaker);
    bench.calls(0, 10);
    bench.clock.advance(4 * SECOND);
    assert_eq!(bench.state(), State::Open { since: 4 * SECOND, left: 6 * SECOND });
    let error = bench.refusal();
    assert_eq!(error.retry_after(), Some(6 * SECOND));
    assert_eq!((error.provider(), error.model()), (Some("p"), Some("m")));
    assert!(error.message().starts_with("the breaker of p/m is open since 4.0s:"), "{error}");
    assert!(error.message().ends_with("in 6.0s"), "{error}");
    assert_eq!(bench.inner.calls(), 10);
    assert_eq!(*bench.changes.lock().unwrap(), [State::Open { since: Duration::ZERO, left: 10 * SECOND }]);
}

#[test]
fn a_probe_closes_it_or_doubles_the_time() {
    let bench = Bench::new(|breaker| breaker);
    bench.calls(0, 10);
    for seconds in [10, 20, 40, 80, 120, 120] {
        bench.clock.advance((SECOND * seconds).saturating_sub(Duration::from_millis(1)));
        bench.refusal();
        bench.clock.advance(Duration::from_millis(1));
        bench.call(bad()).expect("a probe").expect_err("it fails");
    }
    let State::Open { since, .. } = bench.state() else { panic!("{:?}", bench.state()) };
    assert_eq!(since, SECOND * (10 + 20 + 40 + 80 + 120 + 120), "since it opened first");
    bench.clock.advance(120 * SECOND);
    bench.call(good()).expect("a probe").expect("it answers");
    assert_eq!(bench.state(), State::Closed);
    // It begins anew: with no memory of what was, and with the first time.
    bench.calls(0, 9);
    assert_eq!(bench.state(), State::Closed);
    bench.calls(0, 1);
    assert_eq!(bench.refusal().retry_after(), Some(10 * SECOND));
    let changes = bench.changes.lock().unwrap();
    let word = |state: &State| match state {
        State::Closed => "closed",
        State::Open { .. } => "open",
        State::HalfOpen => "half",
    };
    let expected = "open half open half open half open half open half open half open half closed open";
    assert_eq!(changes.iter().map(word).collect::<Vec<_>>().join(" "), expected);
}

#[test]
fn as_many_probes_pass_as_are_set() {
    for probes in [1, 3] {
        let bench = Bench::new(|breaker| breaker.probes(probes));
        bench.calls(0, 10);
        bench.clock.advance(10 * SECOND);
        let (call, request) = (Call::to("p"), ask(false));
        let mut waiting: Vec<_> = (0..probes)
            .map(|_| {
                bench.inner.push(good().after(SECOND));
                Task::new(bench.outer.call(&call, &request))
            })
            .collect();
        assert!(waiting.iter_mut().all(|probe| probe.until_idle().is_pending()));
        let error = bench.refusal();
        assert!(error.message().contains("under way") && error.retry_after() == Some(SECOND), "{error}");
        // One that is left makes room.
        drop(waiting.pop());
        bench.inner.push(good().after(SECOND));
        let mut last = Task::new(bench.outer.call(&call, &request));
        assert!(last.until_idle().is_pending());
        bench.refusal();
        bench.clock.advance(SECOND);
        assert!(waiting.iter_mut().all(|probe| probe.until_idle().is_ready()));
        assert_eq!(bench.state(), State::HalfOpen, "not all have succeeded");
        assert!(last.until_idle().is_ready());
        assert_eq!(bench.state(), State::Closed);
    }
}

#[test]
fn only_what_the_place_does_counts() {
    use ErrorKind as K;
    let failed = |kind| Error::new(kind, "it failed");
    let counts = [K::Network, K::Timeout, K::Overloaded, K::Provider, K::Truncated, K::Decode];
    let does_not = [
        K::Configuration,
        K::Authentication,
        K::Permission,
        K::RateLimit,
        K::Quota,
        K::Cancelled,
        K::InvalidRequest,
        K::ContextTooLong,
        K::ContentFiltered,
        K::NotFound,
        K::BudgetExceeded,
        K::Unsupported,
    ];
    let mut cases: Vec<_> = counts.iter().map(|kind| (failed(*kind), false, true)).collect();
    cases.extend(does_not.iter().map(|kind| (failed(*kind), false, false)));
    cases.push((failed(K::RateLimit), true, true));
    // Refused connections are the place's doing; refusals of policies below are not.
    cases.push((failed(K::Network).with_stage(Stage::NotSent), false, true));
    cases.push((failed(K::Overloaded).with_stage(Stage::NotSent), false, false));
    cases.push((failed(K::RateLimit).with_stage(Stage::NotSent), true, false));
    for (error, rate_limits, opens) in cases {
        let partial = error.clone().with_partial(answer());
        let broken = Outcome::Stream(vec![text("Hello."), Step::Item(Err(partial))]);
        for outcome in [Outcome::Fail(error.clone()), broken] {
            let bench = Bench::new(|breaker| breaker.count_rate_limits(rate_limits));
            (0..10).for_each(|_| drop(bench.call(outcome.clone()).expect("let through")));
            assert_eq!(bench.is_open(), opens, "{error:?}");
            // Neither way: beside as many good ones they are not there at all.
            let bench = Bench::new(|breaker| breaker.count_rate_limits(rate_limits).opens_at(20, 0.5, 30 * SECOND));
            bench.calls(0, 9);
            (0..11).for_each(|_| drop(bench.call(outcome.clone()).expect("let through")));
            assert_eq!(bench.is_open(), opens, "{error:?}");
        }
    }
}

#[test]
fn a_stream_that_tells_something_closes_it_and_is_followed_to_its_end() {
    let bench = Bench::new(|breaker| breaker.opens_at(1, 0.5, 30 * SECOND));
    let read = |stream: &mut sabir_core::chat::EventStream| {
        block_on_with(&bench.clock, std::future::poll_fn(|cx| stream.as_mut().poll_next(cx)))
    };
    bench.calls(0, 1);
    bench.clock.advance(10 * SECOND);
    let start = Step::Item(Ok(Event::Start { id: String::new(), model: String::new() }));
    let broken = Step::Item(Err(Error::new(ErrorKind::Network, "cut").with_partial(answer())));
    bench.inner.push(Outcome::Stream(vec![start, text("Hello."), broken]));
    let reply = block_on_with(&bench.clock, bench.outer.call(&Call::to("p"), &ask(true)));
    let mut stream = reply.expect("a probe").stream().expect("a stream");
    read(&mut stream).expect("the start").expect("no error");
    assert_eq!(bench.state(), State::HalfOpen, "a greeting is no answer");
    read(&mut stream).expect("a text").expect("no error");
    assert_eq!(bench.state(), State::Closed);
    read(&mut stream).expect("a terminal item").expect_err("broken");
    assert!(bench.is_open(), "what fails later counts as any call");
}

#[test]
fn a_call_from_before_says_nothing_about_now() {
    let bench = Bench::new(|breaker| breaker);
    bench.inner.push(bad().after(15 * SECOND));
    let (call, request) = (Call::to("p"), ask(false));
    let mut old = Task::new(bench.outer.call(&call, &request));
    assert!(old.until_idle().is_pending());
    bench.calls(0, 10);
    bench.clock.advance(10 * SECOND);
    bench.inner.push(good().after(10 * SECOND));
    let mut probe = Task::new(bench.outer.call(&call, &request));
    assert!(probe.until_idle().is_pending());
    bench.clock.advance(5 * SECOND);
    assert!(old.until_idle().is_ready(), "it failed");
    assert_eq!(bench.state(), State::HalfOpen);
    bench.clock.advance(5 * SECOND);
    assert!(probe.until_idle().is_ready());
    assert_eq!(bench.state(), State::Closed);
}

#[test]
fn whoever_leaves_frees_the_probe() {
    let steps = vec![Step::Item(Ok(Event::Start { id: String::new(), model: String::new() })), Step::Forever];
    for outcome in [Outcome::Forever, Outcome::Stream(steps)] {
        let bench = Bench::new(|breaker| breaker);
        bench.calls(0, 10);
        bench.clock.advance(10 * SECOND);
        bench.inner.push(outcome);
        let mut probe = Task::new(async {
            let mut stream = bench.outer.call(&Call::to("p"), &ask(true)).await?.stream()?;
            loop {
                std::future::poll_fn(|cx| stream.as_mut().poll_next(cx)).await.expect("an item")?;
            }
        });
        let _: std::task::Poll<Result<()>> = probe.until_idle();
        bench.refusal();
        drop(probe);
        assert_eq!((bench.inner.in_flight(), bench.inner.dropped(), bench.clock.sleepers()), (0, 1, 0));
        assert_eq!(bench.state(), State::HalfOpen);
        bench.call(Outcome::events(events_of(&answer()).into_iter().map(Ok))).expect("a probe").expect("an answer");
        assert_eq!(bench.state(), State::Closed);
    }
}

#[test]
fn each_place_has_its_own() {
    let clock = ManualClock::new();
    let inner = Scripted::answering(&clock, |_, _| bad());
    let breaker = Breaker::default().clock(clock.clone()).opens_at(1, 0.5, SECOND);
    let outer = breaker.apply(inner.shared());
    let mut call = Call::to("p");
    call.key = Some(Key { name: "k".into(), secret: "s".into() });
    block_on_with(&clock, outer.call(&call, &ask(false))).expect_err("it fails");
    block_on_with(&clock, outer.call(&Call::to("q"), &ask(false))).expect_err("it fails");
    assert_eq!(inner.calls(), 2);
    let open = State::Open { since: Duration::ZERO, left: 10 * SECOND };
    let states: Vec<_> = breaker.states().into_iter().map(|(place, state)| (place.to_string(), state)).collect();
    assert_eq!(states, [("p/m (k)".to_owned(), open), ("q/m".to_owned(), open)]);
    // Another layer from the same value knows what this one knows.
    block_on_with(&clock, breaker.apply(inner.shared()).call(&Call::to("q"), &ask(false))).expect_err("open");
    assert_eq!(inner.calls(), 2);
}

/// Whatever happens, in any order: nothing passes while it is open, and never more probes than are set.
#[test]
fn nothing_passes_that_must_not() {
    for seed in 0..100 {
        let random = Random::seeded(seed);
        let probes = u32::try_from(1 + random.below(4)).expect("small");
        let rules = Rules { probes, calls: 3, open: SECOND, longest: 4 * SECOND, ..Breaker::default().rules };
        let (circuit, mut now, mut running) = (Circuit::default(), Duration::ZERO, Vec::new());
        let (mut refused, mut let_through) = (0, 0);
        for _ in 0..2_000 {
            now += Duration::from_millis(random.below(901));
            if random.below(2) == 0 && running.len() < 20 {
                let before = circuit.state(now);
                match circuit.admit(&rules, now).0 {
                    Ok(pass) => {
                        let_through += 1;
                        assert_eq!(pass.is_probe, before == State::HalfOpen, "seed {seed}");
                        running.push(pass);
                    }
                    Err(refusal) => {
                        refused += 1;
                        assert_ne!(before, State::Closed, "seed {seed}");
                        assert_eq!(refusal.left.is_some(), before != State::HalfOpen, "seed {seed}");
                    }
                }
            } else if !running.is_empty() {
                let at = random.index(running.len());
                let verdicts = [Verdict::Good, Verdict::Bad, Verdict::Bad, Verdict::Neither];
                let verdict = verdicts[random.index(verdicts.len())];
                circuit.settle(&rules, now, &mut running.swap_remove(at), verdict);
            }
            if circuit.state(now) == State::HalfOpen {
                let newest = running.iter().map(|pass| pass.era).max();
                let probing = running.iter().filter(|pass| pass.is_probe && Some(pass.era) == newest).count();
                assert!(probing <= probes as usize, "seed {seed}: {probing} probes");
            }
        }
        assert!(refused > 50 && let_through > 50, "seed {seed}: {refused} refused, {let_through} let through");
    }
}
