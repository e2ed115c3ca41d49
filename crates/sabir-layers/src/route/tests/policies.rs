use std::collections::BTreeMap;

use sabir_core::transport::BoxFuture;
use sabir_testkit::join_all;

use super::super::sticky::score;
use super::*;

fn route(policy: Policy, weights: &[u32]) -> Route {
    let targets =
        ["a", "b", "c", "d", "e"].iter().zip(weights).map(|(id, weight)| Target::new(*id, "m").weight(*weight));
    Route::named("fast", targets).policy(policy)
}

fn counts(went: &[String]) -> BTreeMap<&str, usize> {
    went.iter().fold(BTreeMap::new(), |mut counts, id| {
        *counts.entry(id.as_str()).or_default() += 1;
        counts
    })
}

fn of_user(user: &str) -> Request {
    let mut chat = ChatRequest::new("fast").user("Hi");
    chat.user = Some(user.into());
    Request::Chat(chat)
}

#[test]
fn weights_are_the_shares_of_the_calls() {
    for weights in [&[7, 2, 1][..], &[1, 1, 1, 1], &[1, 0, 99], &[3, 5]] {
        let bench = Bench::new(route(Policy::Weighted, weights), whole);
        let calls = 8_000;
        (0..calls).for_each(|_| drop(bench.ask().expect("an answer")));
        let (went, sum) = (bench.went(), weights.iter().sum::<u32>() as usize);
        let counts = counts(&went);
        for (id, weight) in ["a", "b", "c", "d"].iter().zip(weights) {
            let (fair, got) = (calls * *weight as usize / sum, counts.get(id).copied().unwrap_or_default());
            // Four standard deviations of a fair draw.
            let slack = 4 * (calls / 4).isqrt();
            assert!(got.abs_diff(fair) <= slack && (*weight > 0 || got == 0), "{weights:?}: {id} {got} for {fair}");
        }
    }
}

#[test]
fn what_fails_is_taken_over_by_weight_too() {
    let route = route(Policy::Weighted, &[1000, 3, 1, 0]).rest(0, SECOND);
    let bench = Bench::new(route, |id| if id == "a" { fails(ErrorKind::Provider) } else { whole(id) });
    (0..4000).for_each(|_| drop(bench.ask().expect("an answer")));
    let went = bench.went();
    let counts = counts(&went);
    assert!(counts["b"].abs_diff(3000) < 120 && counts["c"].abs_diff(1000) < 120, "{counts:?}");
    assert!(!counts.contains_key("d"), "without weight it is for when all others fail");
}

#[test]
fn each_in_its_turn_and_the_next_ones_follow() {
    let bench = Bench::new(route(Policy::RoundRobin, &[1, 1, 1]), whole);
    (0..6).for_each(|_| drop(bench.ask().expect("an answer")));
    assert_eq!(bench.went(), ["a", "b", "c", "a", "b", "c"]);
    let bench = Bench::new(route(Policy::RoundRobin, &[1, 1, 1]), |_| fails(ErrorKind::Provider));
    (0..2).for_each(|_| drop(bench.ask()));
    assert_eq!(bench.went(), ["a", "b", "c", "b", "c", "a"]);
}

#[test]
fn the_least_busy_has_the_fewest_calls_for_its_weight() {
    let bench = Bench::new(route(Policy::LeastBusy, &[2, 1, 1, 0]), |id| whole(id).after(SECOND));
    let outer = &bench.outer;
    let calls = (0..16).map(|_| -> BoxFuture<'_, ()> {
        Box::pin(async move {
            outer.call(&Call::to("route"), &request()).await.expect("an answer");
        })
    });
    let mut running = Task::new(join_all(calls.collect()));
    assert!(running.until_idle().is_pending());
    let busy: Vec<_> = bench.routes.health("fast").iter().map(|target| target.in_flight).collect();
    assert_eq!(busy, [8, 4, 4, 0]);
    bench.clock.advance(SECOND);
    assert!(running.until_idle().is_ready());
    assert_eq!(bench.in_flight(), 0);
}

#[test]
fn the_faster_of_two_gets_nearly_all_calls() {
    for (stream, slow) in [(false, "a"), (false, "b"), (true, "a"), (true, "b")] {
        let bench = Bench::new(route(Policy::Latency, &[1, 1]), move |id| {
            let outcome = if stream { Outcome::events(events_of(&answer(id)).into_iter().map(Ok)) } else { whole(id) };
            outcome.after(if id == slow { 800 } else { 200 } * Duration::from_millis(1))
        });
        let asked = if stream { streaming() } else { request() };
        for _ in 0..200 {
            match bench.send(&Call::to("route"), &asked).expect("an answer") {
                Reply::Stream(stream) => drop(block_on_with(&bench.clock, collect(stream))),
                _ => bench.clock.advance(Duration::from_millis(1)),
            }
        }
        let went = bench.went();
        let counts = counts(&went);
        assert!((1..=12).contains(&counts[slow]), "it is tried from time to time, and seldom: {counts:?}");
        let health = &bench.routes.health("fast")[usize::from(slow == "a")];
        let took = if stream { health.first_event } else { health.latency }.expect("it was measured");
        assert!(took.abs_diff(Duration::from_millis(200)) < Duration::from_millis(20), "{took:?}");
    }
}

#[test]
fn a_target_that_hangs_is_slow_and_one_that_fails_at_once_is_not_fast() {
    let bench = Bench::new(route(Policy::Latency, &[1, 1]).rest(0, SECOND), |id| match id {
        "a" => Outcome::Forever,
        id => whole(id).after(SECOND),
    });
    for _ in 0..20 {
        let (outer, call, asked) = (bench.outer.clone(), Call::to("route"), request());
        let mut task = Task::new(async move { outer.call(&call, &asked).await.map(drop) });
        for _ in 0..3 {
            if task.until_idle().is_ready() {
                break;
            }
            bench.clock.advance(SECOND);
        }
    }
    let went = bench.went();
    assert!(counts(&went)["a"] <= 7, "{:?}", counts(&went));

    let bench = Bench::new(route(Policy::Latency, &[1, 1]).rest(2, 60 * SECOND), |id| match id {
        "a" => fails(ErrorKind::Provider),
        id => whole(id).after(SECOND),
    });
    (0..20).for_each(|_| drop(bench.ask().expect("an answer")));
    let went = bench.went();
    assert!(counts(&went)["a"] <= 2, "{:?}", counts(&went));
}

#[test]
fn the_cheapest_is_first_and_what_has_no_price_is_last() {
    let targets = [Target::new("a", "m"), Target::new("b", "m").price(300), Target::new("c", "m").price(20)];
    let bench = Bench::new(Route::named("fast", targets).policy(Policy::Cheapest), |_| fails(ErrorKind::Provider));
    bench.ask().expect_err("all fail");
    assert_eq!(bench.went(), ["c", "b", "a"]);
}

#[test]
fn a_caller_stays_and_only_a_share_moves_with_the_targets() {
    let all: Vec<Target> = (0..8).map(|n| Target::new(format!("p{n}"), "m")).collect();
    let best = |targets: &[Target], key: &str| {
        let best = targets.iter().max_by(|a, b| score(a, key).total_cmp(&score(b, key)));
        best.expect("there are some").provider.clone()
    };
    let keys: Vec<String> = (0..8000).map(|n| format!("user-{n}")).collect();
    let without_last = &all[..7];
    let (mut moved, mut shares) = (0, BTreeMap::<String, u32>::new());
    for key in &keys {
        let (before, after) = (best(&all, key), best(without_last, key));
        *shares.entry(before.clone()).or_default() += 1;
        assert!(before == after || before == "p7", "{key} went from {before} to {after} for no reason");
        moved += u32::from(before != after);
    }
    assert!(shares.values().all(|share| share.abs_diff(1000) < 130), "{shares:?}");
    assert_eq!(moved, shares["p7"], "just those of the target that is gone");

    // A weight is a share here, too, and changing it moves callers in one direction only.
    let heavy = [Target::new("p0", "m").weight(3), Target::new("p1", "m")];
    let even = [Target::new("p0", "m"), Target::new("p1", "m")];
    let share = keys.iter().filter(|key| best(&heavy, key) == "p0").count();
    assert!(share.abs_diff(6000) < 160, "{share}");
    assert!(keys.iter().all(|key| best(&even, key) == "p1" || best(&heavy, key) == "p0"));
}

type Ask<'a> = &'a dyn Fn(&str) -> (Call, Request);

#[test]
fn callers_are_told_apart_by_user_tag_or_tenant() {
    let tagged = |value: &str| {
        let mut call = Call::to("route");
        call.tags = vec![("other".into(), "x".into()), ("session".into(), value.into())];
        (call, request())
    };
    let tenant = |value: &str| {
        let mut call = Call::to("route");
        value.clone_into(&mut call.tenant);
        (call, request())
    };
    let ways: [(Sticky, Ask<'_>); 3] = [
        (Sticky::User, &|user| (Call::to("route"), of_user(user))),
        (Sticky::Tag("session".into()), &tagged),
        (Sticky::Tenant, &tenant),
    ];
    for (by, ask) in ways {
        let bench = Bench::new(route(Policy::Sticky(by.clone()), &[1, 1, 1]), whole);
        let mut homes = std::collections::BTreeSet::new();
        for user in ["ann", "bob", "cyd", "dan", "eve", "flo"] {
            let (call, asked) = ask(user);
            let before = bench.went().len();
            (0..5).for_each(|_| drop(bench.send(&call, &asked).expect("an answer")));
            let went = bench.went();
            assert!(went[before..].iter().all(|id| *id == went[before]), "{by:?}: {user} wanders");
            homes.insert(went[before].clone());
        }
        assert!(homes.len() > 1, "{by:?}: all live together");
        let before = bench.went().len();
        (0..60).for_each(|_| drop(bench.ask().expect("an answer")));
        assert_eq!(counts(&bench.went()[before..]).len(), 3, "who says nothing goes anywhere");
    }
    let home = |bench: &Bench| {
        bench.send(&Call::to("route"), &of_user("ann")).expect("an answer");
        bench.went().pop().expect("a call")
    };
    let one = Bench::new(route(Policy::Sticky(Sticky::User), &[1, 1, 1]), whole);
    let first = home(&one);
    let broken = Bench::new(route(Policy::Sticky(Sticky::User), &[1, 1, 1]), move |id| {
        if id == first { fails(ErrorKind::Provider) } else { whole(id) }
    });
    let second = home(&broken);
    assert_eq!((home(&broken), home(&broken)), (second.clone(), second), "the second home is the same, too");
}

#[test]
fn whatever_fails_no_target_is_tried_twice_in_a_call() {
    use ErrorKind as K;
    let kinds = [K::Overloaded, K::Quota, K::NotFound, K::Network, K::InvalidRequest, K::ContextTooLong];
    for policy in POLICIES {
        let chance = Random::seeded(11);
        let route = route(policy.clone(), &[3, 1, 0, 2, 5]).rest(2, 3 * SECOND);
        let bench = Bench::new(route, move |id| match chance.index(kinds.len() + 1) {
            at if at < kinds.len() => fails(kinds[at]),
            _ => whole(id),
        });
        let mut before = 0;
        for n in 0..300_u32 {
            let tried = match bench.send(&Call::to("route"), &of_user(&n.to_string())).and_then(Reply::whole) {
                Ok(answer) => answer.attempts.len() + 1,
                Err(error) => error.attempts().len() + 1,
            };
            let went = bench.went().split_off(before);
            let apart: std::collections::BTreeSet<_> = went.iter().collect();
            assert_eq!((apart.len(), tried), (went.len(), went.len()), "{policy:?}: {went:?}");
            before += went.len();
            bench.clock.advance(SECOND);
        }
        assert_eq!(bench.in_flight(), 0);
    }
}

#[test]
fn targets_are_put_in_order_while_calls_begin_and_end_at_once() {
    for policy in [Policy::LeastBusy, Policy::Latency, Policy::RoundRobin, Policy::Weighted] {
        let bench = Bench::new(route(policy, &[3, 1, 2, 2, 5]), whole);
        std::thread::scope(|scope| {
            for _ in 0..4 {
                scope.spawn(|| {
                    for _ in 0..500 {
                        let (call, asked) = (Call::to("route"), request());
                        sabir_testkit::block_on(bench.outer.call(&call, &asked)).expect("an answer");
                    }
                });
            }
        });
        assert_eq!((bench.in_flight(), bench.inner.calls()), (0, 2000));
    }
}
