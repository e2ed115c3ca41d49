//! The law, under anything that may happen.

use std::task::Poll;

use sabir_core::chat::EventStream;
use sabir_core::transport::BoxFuture;
use sabir_testkit::{Step, Task};

use super::*;
use crate::random::Random;

/// Something under way.
enum Way<'a> {
    Asked(Task<'a, Result<Reply>>),
    Streams(EventStream),
}

/// An answer that a provider may give to a request of so many tokens.
fn outcome(random: &Random, most: u64) -> Outcome {
    let usage = (10 + random.below(40), random.below(most + 1));
    let done = || {
        let mut done = used(usage.0, usage.1);
        // Some do not say, some have a figure of their own.
        match random.below(4) {
            0 => done.usage.output = None,
            1 => done.cost = sabir_core::chat::Cost::reported("0.00001"),
            _ => {}
        }
        Box::new(done)
    };
    let error = || {
        let kinds =
            [ErrorKind::Timeout, ErrorKind::Overloaded, ErrorKind::RateLimit, ErrorKind::Network, ErrorKind::Decode];
        failed(kinds[random.index(kinds.len())])
    };
    let outcome = match random.below(6) {
        0 => Outcome::Fail(error()),
        1 => Outcome::Forever,
        _ => {
            let mut steps = Vec::new();
            for _ in 0..random.below(60) {
                steps.push(match random.below(8) {
                    0 => Step::Wait(Duration::from_secs(random.below(600))),
                    _ => Step::Item(text("some words of an answer ")),
                });
            }
            steps.push(match random.below(5) {
                0 => Step::Forever,
                1 => Step::Item(Err(error())),
                _ => Step::Item(Ok(Event::Done(done()))),
            });
            Outcome::Stream(steps)
        }
    };
    let outcome = match outcome {
        Outcome::Stream(_) if random.below(3) == 0 => Outcome::Whole(done()),
        outcome => outcome,
    };
    outcome.after(Duration::from_secs(random.below(60)))
}

/// What holds after every step.
fn check(house: &House, seed: u64) {
    let standing = block_on_with(&house.clock.clone(), house.spend.standing()).expect("a store");
    for one in standing {
        let is_hard = !one.budget.contains("soft");
        assert!(!is_hard || one.spent + one.reserved <= one.most, "seed {seed}: {one:?}");
    }
}

#[test]
fn spent_and_reserved_never_pass_and_come_to_what_is_written() {
    for seed in 0..60 {
        run(seed);
    }
}

fn run(seed: u64) {
    let random = Random::seeded(seed);
    let steps = random.below(2) == 0;
    let build = |spend: Spend| {
        let spend = spend
            .budget(daily(3_000_000 + random.below(9_000_000)).assume_output(200))
            .budget(Budget::per(Window::rolling(Duration::from_secs(7_200)), Usd(6_000_000)).assume_output(300))
            .budget(Budget::per(Window::hour(), Usd(4_000_000)).each_client().assume_output(200))
            .budget(Budget::per(Window::week(), Usd(1_000)).soft().named("soft"))
            .budget(Budget::per_request(Usd(2_500_000)).assume_output(200));
        if steps { spend.steps(50) } else { spend }
    };
    let house = House::new(build, []);
    let calls: Vec<(Call, Request)> = (0..80)
        .map(|_| {
            let mut call = Call::to("p");
            call.tenant = ["a", "b"][random.index(2)].into();
            let mut chat = chat();
            chat.max_tokens = (random.below(4) > 0).then(|| 1 + random.below(400));
            chat.stream = random.below(3) > 0;
            (call, Request::Chat(chat))
        })
        .collect();
    let mut ways: Vec<Way<'_>> = Vec::new();
    let mut next = calls.iter();
    loop {
        match random.below(8) {
            0 | 1 => {
                let Some((call, request)) = next.next() else { break };
                let Request::Chat(chat) = request else { unreachable!("all are conversations") };
                let mut outcome = outcome(&random, chat.max_tokens.unwrap_or(100));
                if !chat.stream {
                    outcome = whole(outcome);
                }
                house.inner.push(outcome);
                let asked = house.outer.call(call, request);
                let boxed: BoxFuture<'_, _> = Box::pin(asked);
                ways.push(Way::Asked(Task::new(boxed)));
            }
            2 if !ways.is_empty() => drop(ways.swap_remove(random.index(ways.len()))),
            3 => house.clock.advance(Duration::from_secs(random.below(900))),
            _ if !ways.is_empty() => {
                let at = random.index(ways.len());
                advance(&mut ways, at);
            }
            _ => {}
        }
        check(&house, seed);
    }
    drop(ways);
    check(&house, seed);
    let all = block_on_with(&house.clock.clone(), house.spend.standing()).expect("a store");
    assert!(all.iter().all(|one| one.reserved == Usd(0)), "seed {seed}: {all:?}");
    // The week has all of it.
    let week = all.iter().find(|one| one.budget == "soft").expect("it was touched");
    assert_eq!(week.spent.0, house.rows.sum(), "seed {seed}");
    assert!(house.rows.all().iter().all(|(_, ended)| ended.is_some()), "seed {seed}");
}

/// The same without a stream.
fn whole(outcome: Outcome) -> Outcome {
    match outcome {
        Outcome::After(time, then) => Outcome::After(time, Box::new(whole(*then))),
        Outcome::Stream(_) => Outcome::whole(used(10, 1)),
        other => other,
    }
}

/// Polls one of them; what is over is forgotten.
fn advance(ways: &mut Vec<Way<'_>>, at: usize) {
    let next = match &mut ways[at] {
        Way::Asked(task) => match task.poll_once() {
            Poll::Pending => return,
            Poll::Ready(Ok(Reply::Stream(events))) => Some(Way::Streams(events)),
            Poll::Ready(_) => None,
        },
        Way::Streams(events) => {
            let polled = Task::new(std::future::poll_fn(|cx| events.as_mut().poll_next(cx))).poll_once();
            match polled {
                Poll::Ready(Some(Ok(Event::Done(_)) | Err(_)) | None) => None,
                _ => return,
            }
        }
    };
    match next {
        Some(way) => ways[at] = way,
        None => drop(ways.swap_remove(at)),
    }
}
