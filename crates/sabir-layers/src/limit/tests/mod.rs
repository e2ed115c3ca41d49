mod learned;

use std::future::poll_fn;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::task::{Context, Poll, Wake, Waker};

use sabir_core::chat::{ChatRequest, ChatResponse, Event, EventStream, RateLimit, Usage};
use sabir_core::embed::EmbedRequest;
use sabir_core::transport::BoxFuture;
use sabir_core::{Error, ErrorKind, Key, Reply, Result, Secret, Service, Stage};
use sabir_store::{Cell, Taken};
use sabir_testkit::{ManualClock, Outcome, Scripted, Step, Task, block_on_with, check_layer_on};

use super::gate::Kind;
use super::*;
use crate::trial::Far;

const SECOND: Duration = Duration::from_secs(1);

fn limits(clock: &ManualClock) -> Limits {
    Limits::default().clock(clock.clone())
}

fn chat(model: &str) -> Request {
    Request::Chat(ChatRequest::new(model).user("12345678").max_tokens(98))
}

fn answer(usage: Option<(u64, u64)>) -> ChatResponse {
    let mut response = ChatResponse::default();
    response.usage.input = usage.map(|usage| usage.0);
    response.usage.output = usage.map(|usage| usage.1);
    response
}

fn answering(clock: &ManualClock) -> Scripted {
    Scripted::answering(clock, |_, _| Outcome::whole(answer(None)))
}

/// The same numbers in every run.
struct Random(u64);

impl Random {
    fn below(&mut self, end: u64) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0 % end
    }

    fn millis(&mut self, end: u64) -> Duration {
        Duration::from_millis(self.below(end))
    }
}

/// Runs all tasks to their end, the oldest first, while the clock goes on by itself. What is left is `None`.
fn run<T>(clock: &ManualClock, tasks: Vec<Task<'_, T>>) -> Vec<T> {
    let mut tasks: Vec<_> = tasks.into_iter().map(Some).collect();
    let mut done: Vec<Option<T>> = tasks.iter().map(|_| None).collect();
    loop {
        let mut moved = false;
        for (task, done) in tasks.iter_mut().zip(&mut done) {
            if let Some(running) = task.as_mut().filter(|task| task.is_woken()) {
                moved = true;
                if let Poll::Ready(output) = running.until_idle() {
                    (*task, *done) = (None, Some(output));
                }
            }
        }
        if tasks.iter().all(Option::is_none) {
            return done.into_iter().flatten().collect();
        }
        assert!(moved || clock.advance_to_next(), "deadlock: {clock:?}");
    }
}

/// Nobody waits, nobody is inside.
fn assert_nothing_left(limits: &Limits) {
    for (place, lane) in limits.lanes.all() {
        assert!(lane.is_free(), "somebody still waits at {place}");
        for gate in &lane.gates {
            if let Kind::Calls { taken, .. } = gate.kind() {
                assert_eq!(taken.load(Ordering::SeqCst), 0, "somebody is still inside {place}");
            }
        }
    }
}

/// Over any span: no more than the burst and what the rate lets through in it, to the nanosecond.
fn assert_law(admitted: &[(Duration, u64)], amount: u64, per: Duration, burst: u64) {
    let (amount, per, burst) = (u128::from(amount), per.as_nanos(), u128::from(burst));
    for (at, (start, _)) in admitted.iter().enumerate() {
        let mut sum = 0;
        for (end, units) in &admitted[at..] {
            sum += u128::from(*units);
            let span = end.saturating_sub(*start).as_nanos();
            assert!(sum * per <= burst * per + span * amount, "{sum} between {start:?} and {end:?}");
        }
    }
}

#[test]
fn a_layer_that_has_nothing_to_object_to() {
    let clock = ManualClock::new();
    let loose = [
        Limit::requests_per_minute(1_000),
        Limit::tokens_per_minute(1_000_000).for_provider("testkit"),
        Limit::concurrent(8).together(),
    ];
    check_layer_on(&clock, |inner| limits(&clock).apply(inner)).assert_ok();
    check_layer_on(&clock, |inner| loose.iter().cloned().fold(limits(&clock), Limits::limit).apply(inner)).assert_ok();
    check_layer_on(&clock, |inner| limits(&clock).limit(Limit::concurrent(1)).apply(inner)).assert_ok();
}

#[test]
fn a_thousand_callers_keep_the_rate_and_their_order() {
    for (seed, amount, per, burst) in [(1, 60, 60, 60), (2, 1_000, 7, 1), (3, 7, 3, 20), (4, 90, 60, 333)] {
        let (clock, mut random) = (ManualClock::new(), Random(seed * 7_919));
        let rule = Limit::requests(amount, SECOND * per).burst(burst).for_provider("p");
        let limits = limits(&clock).limit(rule).max_wait(Duration::from_secs(100_000)).max_waiting(1_000);
        let inner = answering(&clock);
        let outer = limits.apply(inner.shared());
        let calls: Vec<_> = (0..1_000).map(|n| (Call::to("p"), chat(&format!("{n}")))).collect();
        let mut arrivals = Vec::new();
        let tasks = calls.iter().enumerate().map(|(n, (call, request))| {
            let (arrival, outer, clock) = (random.millis(30_000), &outer, clock.clone());
            arrivals.push((arrival, n));
            Task::new(async move {
                clock.sleep(arrival).await;
                outer.call(call, request).await.map(|_| ())
            })
        });
        let all_through = run(&clock, tasks.collect()).iter().all(Result::is_ok);
        assert!(all_through, "nobody starves");
        let seen = inner.seen();
        arrivals.sort_unstable();
        let order: Vec<_> = seen.iter().map(|seen| seen.request.model().parse::<usize>().unwrap()).collect();
        assert_eq!(order, arrivals.iter().map(|(_, n)| *n).collect::<Vec<_>>(), "first come, first served");
        let admitted: Vec<_> = seen.iter().map(|seen| (seen.at, 1)).collect();
        assert_law(&admitted, amount, SECOND * per, burst);
        // And none waits longer than it must: not idle while somebody waits.
        for (at, (arrival, _)) in arrivals.iter().enumerate() {
            let after_burst = u32::try_from((at as u64 + 1).saturating_sub(burst)).unwrap();
            let forced = SECOND * per * after_burst / u32::try_from(amount).unwrap();
            assert!(seen[at].at <= *arrival + forced + Duration::from_millis(1), "{at}");
        }
        assert_nothing_left(&limits);
    }
}

#[test]
fn many_gates_many_callers_some_of_whom_leave() {
    for seed in 1..=8 {
        let (clock, mut random) = (ManualClock::new(), Random(seed * 104_729));
        let limits = limits(&clock)
            .limit(Limit::requests(40, SECOND).burst(5).for_provider("p"))
            .limit(Limit::tokens(400, SECOND).burst(300).each_model())
            .limit(Limit::concurrent(3).for_model("p/b"))
            .limit(Limit::concurrent(7).together())
            .count_with(|_, request| match request {
                Request::Chat(chat) => chat.top_k.unwrap_or(0),
                _ => 0,
            })
            .max_wait(Duration::from_secs(10_000));
        let inner = Scripted::answering(&clock, |_, request| match request {
            Request::Chat(chat) => {
                Outcome::whole(answer(None)).after(Duration::from_millis(chat.seed.unwrap().unsigned_abs()))
            }
            _ => Outcome::Forever,
        });
        let outer = limits.apply(inner.shared());
        let calls: Vec<_> = (0..300)
            .map(|n| {
                let mut request =
                    ChatRequest::new(["a", "b", "c"][usize::try_from(random.below(3)).unwrap()]).max_tokens(0);
                // Either tokens are short, or the places of calls are.
                request.top_k = Some(random.below(if seed % 2 == 0 { 300 } else { 30 }));
                request.seed = i64::try_from(random.below(400)).ok();
                request.user = Some(n.to_string());
                let patience = (random.below(4) == 0).then(|| random.millis(3_000));
                (Call::to("p"), Request::Chat(request), random.millis(5_000), patience)
            })
            .collect();
        let tasks = calls.iter().map(|(call, request, arrival, patience)| {
            let (outer, clock) = (&outer, clock.clone());
            Task::new(async move {
                clock.sleep(*arrival).await;
                let mut call = Box::pin(outer.call(call, request));
                let mut leave: Option<BoxFuture<'_, ()>> = patience.map(|patience| clock.sleep(patience));
                poll_fn(|cx| {
                    if let Poll::Ready(reply) = call.as_mut().poll(cx) {
                        return Poll::Ready(reply.is_ok());
                    }
                    match leave.as_mut().map(|leave| leave.as_mut().poll(cx)) {
                        Some(Poll::Ready(())) => Poll::Ready(true),
                        _ => Poll::Pending,
                    }
                })
                .await
            })
        });
        assert!(run(&clock, tasks.collect()).into_iter().all(|ok| ok), "nobody is refused, nobody starves");
        assert_nothing_left(&limits);
        let seen = inner.seen();
        assert_law(&seen.iter().map(|seen| (seen.at, 1)).collect::<Vec<_>>(), 40, SECOND, 5);
        for model in ["a", "b", "c"] {
            let of: Vec<_> = seen.iter().filter(|seen| seen.request.model() == model).collect();
            let tokens = |seen: &&&sabir_testkit::Seen| match &seen.request {
                Request::Chat(chat) => (seen.at, chat.top_k.unwrap()),
                _ => unreachable!(),
            };
            assert_law(&of.iter().map(|seen| tokens(&seen)).collect::<Vec<_>>(), 400, SECOND, 300);
            // Those of one place go in the order in which they came.
            let arrival = |seen: &sabir_testkit::Seen| {
                let (_, _, arrival, _) = calls.iter().find(|(_, request, _, _)| *request == seen.request).unwrap();
                *arrival
            };
            assert!(of.windows(2).all(|pair| arrival(pair[0]) <= arrival(pair[1])), "{model}");
        }
    }
}

/// Waits in this thread.
fn block<T>(future: impl Future<Output = T>) -> T {
    struct Unpark(std::thread::Thread);
    impl Wake for Unpark {
        fn wake(self: Arc<Self>) {
            self.0.unpark();
        }
    }
    let waker = Waker::from(Arc::new(Unpark(std::thread::current())));
    let mut future = std::pin::pin!(future);
    let begun = std::time::Instant::now();
    loop {
        if let Poll::Ready(output) = future.as_mut().poll(&mut Context::from_waker(&waker)) {
            return output;
        }
        assert!(begun.elapsed() < 20 * SECOND, "nobody woke this thread");
        std::thread::park_timeout(20 * SECOND);
    }
}

#[test]
fn threads_do_not_get_in_each_others_way() {
    let clock = ManualClock::new();
    let limits = limits(&clock)
        .limit(Limit::requests_per_minute(1_000).for_provider("p"))
        .limit(Limit::concurrent(3).for_provider("p"))
        .limit(Limit::concurrent(2).for_model("p/m"))
        .max_wait(SECOND / 100);
    let inside = Arc::new(AtomicUsize::new(0));
    let outer = limits.apply(Shared::new(Busy(inside.clone())));
    let through: usize = std::thread::scope(|scope| {
        let ask = |model: &'static str| {
            let outer = &outer;
            move || (0..200).filter(|_| block(outer.call(&Call::to("p"), &chat(model))).is_ok()).count()
        };
        let threads: Vec<_> = ["m", "m", "m", "n", "n", "n"].map(|model| scope.spawn(ask(model))).into_iter().collect();
        threads.into_iter().map(|thread| thread.join().unwrap()).sum()
    });
    assert_eq!((through, inside.load(Ordering::SeqCst)), (1_000, 0), "the burst and no more; time stands still");
    assert_nothing_left(&limits);
}

/// Counts who is inside.
#[derive(Debug)]
struct Busy(Arc<AtomicUsize>);

impl Service for Busy {
    async fn call<'a>(&'a self, _: &'a Call, _: &'a Request) -> Result<Reply> {
        assert!(self.0.fetch_add(1, Ordering::SeqCst) < 3, "three at once");
        std::thread::yield_now();
        self.0.fetch_sub(1, Ordering::SeqCst);
        Ok(Reply::Whole(Box::default()))
    }
}

#[test]
fn a_caller_that_waits_elsewhere_holds_nobody_up() {
    let clock = ManualClock::new();
    let limits = limits(&clock)
        .limit(Limit::requests_per_minute(100).for_provider("p"))
        .limit(Limit::requests_per_minute(1).for_model("p/slow"))
        .max_wait(Duration::from_secs(3_600));
    let outer = limits.apply(answering(&clock).shared());
    let (call, slow, quick) = (Call::to("p"), chat("slow"), chat("quick"));
    let mut first = Task::new(outer.call(&call, &slow));
    let mut second = Task::new(outer.call(&call, &slow));
    assert!(first.until_idle().is_ready() && second.until_idle().is_pending());
    assert!(Task::new(outer.call(&call, &quick)).until_idle().is_ready());
    assert!(Task::new(outer.call(&call, &slow)).until_idle().is_pending());
    clock.advance(Duration::from_secs(60));
    assert!(second.until_idle().is_ready());
}

#[test]
fn who_leaves_the_line_lets_the_next_one_go() {
    let clock = ManualClock::new();
    let limits = limits(&clock).limit(Limit::concurrent(1));
    let inner = Scripted::new(&clock, [Outcome::Forever, Outcome::whole(answer(None))]);
    let outer = limits.apply(inner.shared());
    let (call, request) = (Call::to("p"), chat("m"));
    let mut waiting: Vec<_> = (0..3).map(|_| Task::new(outer.call(&call, &request))).collect();
    assert!(waiting.iter_mut().all(|task| task.until_idle().is_pending()));
    assert_eq!(inner.calls(), 1);
    drop(waiting.remove(1));
    drop(waiting.remove(0));
    assert!(waiting[0].is_woken() && waiting[0].until_idle().is_ready());
    drop(waiting);
    assert_nothing_left(&limits);
}

#[test]
fn a_permit_is_free_at_the_end_of_a_stream_whether_read_or_left() {
    let clock = ManualClock::new();
    let limits = limits(&clock).limit(Limit::concurrent(1)).refuse();
    let start = || Step::Item(Ok(Event::Start { id: String::new(), model: String::new() }));
    let done = Step::Item(Ok(Event::Done(Box::new(answer(None)))));
    let broken = Step::Item(Err(Error::new(ErrorKind::Network, "cut")));
    let streams = [vec![start(), done], vec![start(), Step::Forever], vec![start(), broken]];
    let inner = Scripted::new(&clock, streams.map(Outcome::Stream));
    let outer = limits.apply(inner.shared());
    let (call, request) = (Call::to("p"), chat("m"));
    let open = || block_on_with(&clock, outer.call(&call, &request)).and_then(Reply::stream);
    let next = |stream: &mut EventStream| block_on_with(&clock, poll_fn(|cx| stream.as_mut().poll_next(cx)));
    let mut kept = Vec::new();
    for read in [2, 1, 2] {
        let mut stream = open().expect("the place is free");
        next(&mut stream);
        assert!(open().is_err_and(|error| error.kind() == ErrorKind::RateLimit), "one at once");
        if read == 2 {
            next(&mut stream);
            kept.push(stream);
        }
    }
    assert_nothing_left(&limits);
}

#[test]
fn a_refusal_says_which_limit_and_when_to_come_again() {
    let clock = ManualClock::new();
    let layer = limits(&clock).limit(Limit::requests_per_minute(2).for_provider("p")).refuse();
    let outer = layer.apply(answering(&clock).shared());
    let (call, request) = (Call::to("p"), chat("m"));
    let ask = || block_on_with(&clock, outer.call(&call, &request));
    assert!(ask().is_ok() && ask().is_ok());
    clock.advance(SECOND / 2);
    let error = ask().expect_err("two a minute");
    assert_eq!(error.message(), "the limit of 2 requests a minute for p is reached; try again in 29.5s");
    assert_eq!((error.kind(), error.stage()), (ErrorKind::RateLimit, Stage::NotSent));
    assert_eq!(error.retry_after(), Some(59 * SECOND / 2));
    assert_eq!((error.provider(), error.model(), error.is_retryable()), (Some("p"), Some("m"), true));
    clock.advance(59 * SECOND / 2);
    assert!(ask().is_ok());
    assert!(block_on_with(&clock, outer.call(&Call::to("q"), &request)).is_ok(), "another provider");
}

#[test]
fn who_cannot_be_in_time_is_refused_at_once() {
    let clock = ManualClock::new();
    let limits = limits(&clock).limit(Limit::requests_per_minute(6).burst(1)).max_wait(25 * SECOND).max_waiting(2);
    let outer = limits.apply(answering(&clock).shared());
    let (call, request) = (Call::to("p"), chat("m"));
    let mut tasks: Vec<_> = (0..4).map(|_| Task::new(outer.call(&call, &request))).collect();
    assert!(tasks[0].until_idle().is_ready());
    assert!(tasks[1].until_idle().is_pending() && tasks[2].until_idle().is_pending());
    let Poll::Ready(Err(late)) = tasks[3].until_idle() else { panic!("three wait for 30 s") };
    assert_eq!(late.retry_after(), Some(30 * SECOND));
    clock.advance(10 * SECOND);
    assert!(tasks[1].until_idle().is_ready() && tasks[2].until_idle().is_pending());
    clock.advance(10 * SECOND);
    assert!(tasks[2].until_idle().is_ready());
    assert_eq!(clock.now(), 20 * SECOND);
}

#[test]
fn a_line_has_a_bound_and_patience_an_end() {
    let clock = ManualClock::new();
    let limits = limits(&clock).limit(Limit::concurrent(1)).max_wait(25 * SECOND).max_waiting(1);
    let outer = limits.apply(Scripted::answering(&clock, |_, _| Outcome::Forever).shared());
    let (call, request) = (Call::to("p"), chat("m"));
    let mut tasks: Vec<_> = (0..3).map(|_| Task::new(outer.call(&call, &request))).collect();
    assert!(tasks[0].until_idle().is_pending() && tasks[1].until_idle().is_pending());
    let Poll::Ready(Err(full)) = tasks[2].until_idle() else { panic!("the line is full") };
    let said =
        "the limit of 1 calls at once for p/m is reached and 1 calls wait for it, as many as may; try again later";
    assert_eq!((full.message(), full.retry_after()), (said, None));
    clock.advance(25 * SECOND);
    let Poll::Ready(Err(late)) = tasks[1].until_idle() else { panic!("it waited for 25 s") };
    assert_eq!(late.stage(), Stage::NotSent);
    drop(tasks);
    assert_nothing_left(&limits);
}

#[test]
fn tokens_are_settled_by_what_was_used() {
    let clock = ManualClock::new();
    // A request takes 100: two of input, 98 of output.
    let done = |usage| Step::Item(Ok(Event::Done(Box::new(answer(usage)))));
    let mut cut = answer(Some((2, 18)));
    cut.usage.output = Some(18);
    let cut = Error::new(ErrorKind::Truncated, "cut").with_partial(cut);
    for (name, outcome, left) in [
        ("used less", Outcome::whole(answer(Some((10, 10)))), 280),
        ("used more", Outcome::whole(answer(Some((100, 100)))), 100),
        ("unknown", Outcome::whole(answer(None)), 200),
        ("stream", Outcome::Stream(vec![done(Some((10, 10)))]), 280),
        ("stream cut", Outcome::Stream(vec![Step::Item(Err(cut))]), 280),
        ("stream left", Outcome::Stream(vec![Step::Forever]), 200),
        ("refused", Outcome::Fail(Error::new(ErrorKind::InvalidRequest, "no")), 200),
        ("not sent", Outcome::Fail(Error::new(ErrorKind::Network, "no").with_stage(Stage::NotSent)), 300),
    ] {
        let store = Memory::default();
        let limits = limits(&clock).limit(Limit::tokens_per_minute(300)).store(Arc::new(store.clone()), "").refuse();
        let outer = limits.apply(Scripted::new(&clock, [outcome]).shared());
        if let Ok(Reply::Stream(mut stream)) = block_on_with(&clock, outer.call(&Call::to("p"), &chat("m"))) {
            let _ = Task::new(poll_fn(|cx| stream.as_mut().poll_next(cx))).until_idle();
        }
        let take = |tokens| {
            let key = "limit:300 tokens a minute:300:\"p\"\"m\"\"\"";
            let mut cells = [Cell::rate(key, sabir_store::Rate::new(300, 60 * SECOND, 300), tokens)];
            store.take(&mut cells, clock.now()).now().unwrap().unwrap()
        };
        // More than all would go alone.
        assert!(left == 300 || take(left + 1) != Taken::All, "{name}");
        assert_eq!(take(left), Taken::All, "{name}");
    }
}

#[test]
fn what_is_more_than_a_limit_ever_holds_goes_alone() {
    let clock = ManualClock::new();
    let limits = limits(&clock).limit(Limit::tokens_per_minute(60).for_provider("p")).refuse();
    let outer = limits.apply(answering(&clock).shared());
    let ask = |request: &Request| block_on_with(&clock, outer.call(&Call::to("p"), request));
    let small = Request::Embed(EmbedRequest::from("1234"));
    assert!(ask(&small).is_ok());
    assert_eq!(ask(&chat("big")).expect_err("the limit is not full").retry_after(), Some(SECOND));
    clock.advance(SECOND);
    assert!(ask(&chat("big")).is_ok());
    assert_eq!(ask(&small).expect_err("not paid off").retry_after(), Some(41 * SECOND));
}

#[test]
fn keys_and_models_are_counted_as_the_limits_say() {
    let clock = ManualClock::new();
    let limits = limits(&clock).limit(Limit::requests_per_minute(1).for_provider("p").each_key()).refuse();
    let outer = limits.apply(answering(&clock).shared());
    let ask = |key: &str, model: &str| {
        let mut call = Call::to("p");
        call.key = Some(Key { name: key.into(), secret: Secret::new("sk-secret") });
        block_on_with(&clock, outer.call(&call, &chat(model))).map(|_| ())
    };
    assert!(ask("a", "m").is_ok() && ask("b", "m").is_ok());
    let error = ask("a", "another").expect_err("one for each key");
    assert!(error.message().starts_with("the limit of 1 requests a minute for p (a) is reached"), "{error}");
}

fn told(name: &str, limit: u64, remaining: u64, reset: &str) -> RateLimit {
    RateLimit { name: name.into(), limit: Some(limit), remaining: Some(remaining), reset: Some(reset.into()) }
}

#[test]
fn a_store_may_be_elsewhere_and_shared() {
    let clock = ManualClock::new();
    let store: Arc<dyn Store> = Arc::new(Far(Memory::default(), clock.clone()));
    let two = || limits(&clock).limit(Limit::requests_per_minute(2)).limit(Limit::concurrent(1)).refuse();
    let replicas = [two().store(store.clone(), "x:"), two().store(store.clone(), "x:"), two().store(store, "y:")];
    let outer = replicas.clone().map(|limits| limits.apply(answering(&clock).shared()));
    let ask = |at: usize| block_on_with(&clock, outer[at].call(&Call::to("p"), &chat("m"))).map(|_| ());
    let (call, request) = (Call::to("p"), chat("m"));
    let mut left = Task::new(outer[0].call(&call, &request));
    assert!(left.until_idle().is_pending());
    drop(left);
    assert_nothing_left(&replicas[0]);
    assert!(ask(0).is_ok() && ask(1).is_ok());
    assert!(ask(0).is_err() && ask(1).is_err());
    assert!(ask(2).is_ok());
}

#[test]
fn a_usage_that_no_sum_can_hold_does_no_harm() {
    let clock = ManualClock::new();
    let limits = limits(&clock).limit(Limit::tokens_per_minute(1_000)).refuse();
    let inner = Scripted::answering(&clock, |_, _| {
        let mut response = answer(Some((u64::MAX, u64::MAX)));
        response.rate_limits = vec![told("tokens", u64::MAX, 0, "1ns"), told("requests", 1, u64::MAX, "1d")];
        Outcome::whole(response)
    });
    let outer = limits.apply(inner.shared());
    let ask = || block_on_with(&clock, outer.call(&Call::to("p"), &chat("m")));
    assert!(ask().is_ok());
    assert!(ask().expect_err("in debt").retry_after().is_some());
    assert_eq!(Usage::default().total(), None);
}

#[test]
fn limits_of_labels_hold_for_calls_that_have_them_and_go_on_when_the_rules_change() {
    let clock = ManualClock::new();
    let of_red = |calls| Limit::requests_per_minute(calls).for_tag("team", "red");
    let before = limits(&clock).refuse().limit(of_red(1)).limit(Limit::concurrent(5));
    let mut red = Call::to("p");
    red.tags = vec![("key".into(), "ada".into()), ("team".into(), "red".into())];
    let ask = |limits: &Limits, call: &Call| {
        let service = limits.apply(Shared::new(answering(&clock)));
        block_on_with(&clock, service.call(call, &chat("m"))).map(drop)
    };
    ask(&before, &red).expect("the first");
    ask(&before, &Call::to("p")).expect("not of that team");
    let refused = ask(&before, &red).expect_err("the second");
    assert_eq!(refused.kind(), ErrorKind::RateLimit);
    assert!(refused.message().contains("1 requests a minute of team \"red\""), "{refused}");

    let after = limits(&clock).refuse().limit(of_red(1)).limit(Limit::requests_per_minute(9).together()).after(&before);
    ask(&after, &red).expect_err("what was used stays used");
    let changed = limits(&clock).refuse().limit(of_red(2)).after(&before);
    ask(&changed, &red).expect("another limit");
    assert_nothing_left(&before);
}

#[test]
fn a_limit_that_is_watched_refuses_nothing() {
    let clock = ManualClock::new();
    let watched = Limit::requests_per_minute(1).for_tag("key", "ada").watched();
    let metrics = Metrics::new();
    let limits = limits(&clock).refuse().limit(watched).limit(Limit::requests_per_minute(3).together()).meter(&metrics);
    let mut call = Call::to("p");
    call.tags = vec![("key".into(), "ada".into())];
    let service = limits.apply(Shared::new(answering(&clock)));
    let ask = || block_on_with(&clock, service.call(&call, &chat("m"))).map(drop);
    for _ in 0..3 {
        ask().expect("the watched one refuses nothing");
    }
    assert!(ask().expect_err("the other does").message().contains("3 requests a minute"));
    let rule = "1 requests a minute of key \"ada\"".to_owned();
    assert_eq!(metrics.would_refuse(), [("ada".to_owned(), rule, 2)], "what was refused by another is not counted");
    let text = metrics.prometheus();
    let line = "sabir_would_refuse_total{key=\"ada\",rule=\"1 requests a minute of key \\\"ada\\\"\"} 2\n";
    assert!(text.contains(line), "{text}");
}
