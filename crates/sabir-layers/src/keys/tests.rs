use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use sabir_core::chat::{ChatRequest, ChatResponse, Part};
use sabir_core::{Call, Error, ErrorKind, Key, Layer, Reply, Request, Result, Service, Shared, Stage};
use sabir_testkit::{ManualClock, Outcome, Scripted, Task, block_on_with, check_layer_on, collect, events_of};

use super::*;

const SECOND: Duration = Duration::from_secs(1);

fn request(model: &str) -> Request {
    Request::Chat(ChatRequest::new(model).user("Hi"))
}

fn answer() -> ChatResponse {
    let mut answer = ChatResponse::default();
    answer.parts = vec![Part::text("Hello.")];
    answer
}

fn fails(kind: ErrorKind) -> Outcome {
    Outcome::Fail(Error::new(kind, "no"))
}

fn pool(clock: &ManualClock, rotation: Rotation) -> KeyPool {
    KeyPool::new([("a", "key-a"), ("b", "key-b"), ("c", "key-c")]).rotation(rotation).clock(clock.clone())
}

struct Bench {
    clock: ManualClock,
    inner: Scripted,
    pool: KeyPool,
    outer: Shared,
}

impl Bench {
    /// A pool of three whose keys are answered by name.
    fn new(answer: impl Fn(&str) -> Outcome + Send + Sync + 'static) -> Self {
        let clock = ManualClock::new();
        let pool = pool(&clock, Rotation::RoundRobin);
        let name = |call: &Call| call.key.as_ref().map(|key| key.name.clone()).unwrap_or_default();
        let inner = Scripted::answering(&clock, move |call, _| answer(&name(call)));
        let outer = Keys::new().pool("p", pool.clone()).apply(inner.shared());
        Self { clock, inner, pool, outer }
    }

    fn ask(&self, model: &str) -> Result<ChatResponse> {
        block_on_with(&self.clock, self.outer.call(&Call::to("p"), &request(model))).and_then(Reply::whole)
    }

    fn keys(&self) -> Vec<String> {
        self.inner.seen().iter().filter_map(|seen| Some(seen.call.key.as_ref()?.name.clone())).collect()
    }

    fn state(&self, name: &str) -> KeyState {
        self.pool.states().into_iter().find(|key| key.name == name).expect("it is there")
    }
}

#[test]
fn it_keeps_the_contract() {
    let clock = ManualClock::new();
    for rotation in [Rotation::RoundRobin, Rotation::Weighted, Rotation::LeastBusy] {
        let keys = || Keys::new().pool("testkit", pool(&clock, rotation));
        check_layer_on(&clock, |inner| keys().apply(inner)).assert_ok();
    }
}

#[test]
fn each_has_its_turn_and_weights_are_kept_exactly() {
    let clock = ManualClock::new();
    let turns = |keys: &KeyPool, calls: usize| -> Vec<String> {
        (0..calls).map(|_| keys.take("m", &[]).expect("a key").key.name.clone()).collect()
    };
    assert_eq!(turns(&pool(&clock, Rotation::RoundRobin), 6), ["a", "b", "c", "a", "b", "c"]);
    for weights in [[3, 1, 1], [7, 2, 1], [1, 1, 1], [5, 0, 2]] {
        let keys = ["a", "b", "c"].into_iter().zip(weights).map(|(name, n)| PoolKey::new(name, name).weight(n));
        let keys = KeyPool::new(keys).rotation(Rotation::Weighted).clock(clock.clone());
        let sum = weights.iter().sum::<u32>() as usize;
        // Whatever stretch of so many calls one looks at.
        for stretch in turns(&keys, sum * 5).chunks(sum) {
            let mut seen = BTreeMap::from([("a", 0), ("b", 0), ("c", 0)]);
            for name in stretch {
                *seen.get_mut(name.as_str()).expect("of the pool") += 1;
            }
            assert_eq!(seen.into_values().collect::<Vec<_>>(), weights);
        }
    }
}

#[test]
fn the_least_busy_is_the_one_with_the_fewest_calls_for_its_weight() {
    let keys = [PoolKey::new("big", "1").weight(2), PoolKey::new("small", "2")];
    let keys = KeyPool::new(keys).rotation(Rotation::LeastBusy).clock(ManualClock::new());
    let leases: Vec<_> = (0..6).filter_map(|_| keys.take("m", &[])).collect();
    let busy = |keys: &KeyPool| keys.states().iter().map(|key| key.in_flight).collect::<Vec<_>>();
    assert_eq!(busy(&keys), [4, 2]);
    drop(leases);
    assert_eq!(busy(&keys), [0, 0]);
}

#[test]
fn a_refused_key_is_drained_told_of_and_comes_back_only_when_asked_to() {
    let mut bench =
        Bench::new(|key| if key == "a" { fails(ErrorKind::Authentication) } else { Outcome::whole(answer()) });
    let told = Arc::new(Mutex::new(Vec::new()));
    let ears = told.clone();
    bench.pool = bench.pool.on_drain(move |name, error| ears.lock().unwrap().push((name.to_owned(), error.kind())));
    bench.outer = Keys::new().pool("p", bench.pool.clone()).apply(bench.inner.shared());

    let answer = bench.ask("m").expect("the second key answers");
    assert_eq!(bench.keys(), ["a", "b"]);
    let attempt = &answer.attempts[0];
    assert_eq!(
        (attempt.key.as_deref(), attempt.kind, answer.attempts.len()),
        (Some("a"), ErrorKind::Authentication, 1)
    );
    assert_eq!(bench.inner.seen().iter().map(|seen| seen.call.attempt).collect::<Vec<_>>(), [0, 1]);
    assert_eq!(bench.state("a").drained.as_deref(), Some("no"));
    for _ in 0..4 {
        bench.clock.advance(1000 * SECOND);
        bench.ask("m").expect("an answer");
    }
    let mut later = bench.keys()[2..].to_vec();
    later.sort();
    assert_eq!(later, ["b", "b", "c", "c"]);
    assert_eq!(*told.lock().unwrap(), [("a".to_owned(), ErrorKind::Authentication)]);

    assert!(bench.pool.restore("a") && !bench.pool.restore("z"));
    (0..6).for_each(|_| drop(bench.ask("m")));
    assert!(bench.state("a").drained.is_some(), "it was tried, and refused again");
    bench.pool.replace([("a", "key-a"), ("b", "key-b")]);
    assert_eq!(bench.state("a").drained, None);
}

#[test]
fn a_limited_key_rests_for_its_model_and_an_empty_account_for_all() {
    let limited = Error::new(ErrorKind::RateLimit, "slow down").with_retry_after(30 * SECOND);
    let bench = Bench::new(move |key| match key {
        "a" => Outcome::Fail(limited.clone()),
        "b" => fails(ErrorKind::Quota),
        _ => Outcome::whole(answer()),
    });
    assert_eq!(bench.ask("m").expect("the third key answers").attempts.len(), 2);
    assert_eq!(bench.state("a").rests, [("m".to_owned(), 30 * SECOND)]);
    assert_eq!(bench.state("b").rests, [(String::new(), 60 * SECOND)]);
    bench.ask("m").expect("an answer");
    assert_eq!(bench.keys(), ["a", "b", "c", "c"]);
    (0..3).for_each(|_| drop(bench.ask("other").expect("an answer")));
    assert!(bench.keys()[4..].contains(&"a".to_owned()), "another model has limits of its own");
    assert!(!bench.keys()[4..].contains(&"b".to_owned()));
    let before = bench.keys().len();
    bench.clock.advance(31 * SECOND);
    assert!(bench.state("a").rests.is_empty());
    (0..3).for_each(|_| drop(bench.ask("m").expect("an answer")));
    assert!(bench.keys()[before..].contains(&"a".to_owned()));
}

#[test]
fn where_none_is_left_the_error_says_when_one_is() {
    let bench = Bench::new(|key| {
        let wait = match key {
            "a" => 9,
            "b" => 4,
            _ => 20,
        };
        Outcome::Fail(Error::new(ErrorKind::RateLimit, key).with_retry_after(wait * SECOND))
    });
    let error = bench.ask("m").expect_err("all are limited");
    assert_eq!((error.kind(), error.message(), error.attempts().len()), (ErrorKind::RateLimit, "c", 2));
    assert_eq!((error.retry_after(), bench.keys().len()), (Some(4 * SECOND), 3));
    let error = bench.ask("m").expect_err("all rest");
    assert_eq!((error.stage(), error.retry_after(), bench.keys().len()), (Stage::NotSent, Some(4 * SECOND), 3));
    assert!(error.message().contains("all 3 keys of p rest"), "{error}");

    bench.pool.replace([] as [Key; 0]);
    assert_eq!(bench.ask("m").expect_err("no key").kind(), ErrorKind::Configuration);
    let refused = Bench::new(|_| fails(ErrorKind::Authentication));
    assert_eq!(refused.ask("m").expect_err("refused").attempts().len(), 2);
    let error = refused.ask("m").expect_err("none is left");
    assert_eq!((error.kind(), error.stage()), (ErrorKind::Authentication, Stage::NotSent));
}

#[test]
fn what_is_no_fault_of_the_key_changes_none() {
    for kind in [ErrorKind::InvalidRequest, ErrorKind::Provider, ErrorKind::Overloaded, ErrorKind::NotFound] {
        let bench = Bench::new(move |_| fails(kind));
        assert_eq!(bench.ask("m").expect_err("it fails").kind(), kind);
        assert_eq!(bench.keys(), ["a"]);
        assert!(bench.pool.states().iter().all(|key| key.drained.is_none() && key.rests.is_empty()));
    }
    let bench = Bench::new(|_| fails(ErrorKind::Permission));
    bench.ask("m").expect_err("none may");
    assert_eq!((bench.keys().len(), bench.state("a").drained), (3, None));
}

#[test]
fn replacing_keys_leaves_calls_under_way_alone() {
    let bench = Bench::new(|_| Outcome::whole(answer()).after(SECOND));
    let (call, asked) = (Call::to("p"), request("m"));
    let mut running = Task::new(bench.outer.call(&call, &asked));
    assert!(running.until_idle().is_pending());
    bench.pool.replace([("a", "another-key"), ("d", "key-d")]);
    assert_eq!(bench.state("a").in_flight, 0, "the key of this name is another one now");
    bench.pool.add(("a", "key-a"));
    assert!(bench.pool.remove("d") && !bench.pool.remove("d"));
    bench.clock.advance(SECOND);
    assert!(running.until_idle().is_ready());
    assert_eq!(bench.inner.seen()[0].call.key.as_ref().map(|key| key.secret.expose().to_owned()), Some("key-a".into()));

    // A key that was refused after it had been replaced says nothing of the new one.
    let bench = Bench::new(|_| fails(ErrorKind::Authentication).after(SECOND));
    let mut running = Task::new(bench.outer.call(&call, &asked));
    assert!(running.until_idle().is_pending());
    bench.pool.replace([("a", "another-key")]);
    bench.clock.advance(SECOND);
    assert!(running.until_idle().is_ready());
    assert_eq!(bench.state("a").drained, None);
}

#[test]
fn keys_in_use_are_given_back_whenever_a_call_is_left() {
    for stream in [false, true] {
        for polls in 0..6 {
            let bench = Bench::new(move |key| match key {
                "a" => fails(ErrorKind::Authentication).after(SECOND),
                _ if stream => Outcome::events(events_of(&answer()).into_iter().map(Ok)).after(SECOND),
                _ => Outcome::whole(answer()).after(SECOND),
            });
            let outer = bench.outer.clone();
            let mut task = Task::new(async move {
                let reply = outer.call(&Call::to("p"), &request("m")).await;
                if let Ok(Reply::Stream(stream)) = reply {
                    collect(stream).await;
                }
            });
            for _ in 0..polls {
                if task.poll_once().is_ready() {
                    break;
                }
                bench.clock.advance_to_next();
            }
            drop(task);
            assert!(bench.pool.states().iter().all(|key| key.in_flight == 0), "left after {polls} polls");
        }
    }
}

#[test]
fn a_stream_judges_its_key_by_its_end_and_dialects_share_an_account() {
    let bench = Bench::new(|_| Outcome::events([Err(Error::new(ErrorKind::Authentication, "it was revoked"))]));
    let mut streamed = ChatRequest::new("m").user("Hi");
    streamed.stream = true;
    let call = Call::to("p:openai-responses");
    let asked = Request::Chat(streamed);
    let reply = block_on_with(&bench.clock, bench.outer.call(&call, &asked)).and_then(Reply::stream).expect("a stream");
    assert_eq!(block_on_with(&bench.clock, collect(reply)).len(), 1);
    assert!(bench.state("a").drained.is_some());
    assert_eq!(bench.inner.calls(), 1);

    let mut own = Call::to("p");
    own.key = Some(Key { name: "own".into(), secret: "key-own".into() });
    drop(block_on_with(&bench.clock, bench.outer.call(&own, &asked)));
    drop(block_on_with(&bench.clock, bench.outer.call(&Call::to("q"), &asked)));
    assert_eq!(bench.keys(), ["a", "own"], "a call's own key stays, and a provider without a pool has none");
    assert!(!format!("{:?}", bench.pool).contains("key-b"));
}

#[test]
fn there_is_always_a_key_while_calls_begin_and_end_at_once() {
    for rotation in [Rotation::RoundRobin, Rotation::Weighted, Rotation::LeastBusy] {
        let keys = pool(&ManualClock::new(), rotation);
        std::thread::scope(|scope| {
            for _ in 0..4 {
                scope.spawn(|| (0..2000).for_each(|_| drop(keys.take("m", &[]).expect("all can be used"))));
            }
        });
        let states = keys.states();
        assert_eq!(states.iter().map(|key| key.calls).sum::<u64>(), 8000);
        assert!(states.iter().all(|key| key.in_flight == 0));
    }
}
