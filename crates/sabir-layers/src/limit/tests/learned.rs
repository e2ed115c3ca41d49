//! What providers say of their own limits.

use super::*;

#[test]
fn limits_are_learned_from_answers() {
    let clock = ManualClock::new();
    for learn in [true, false] {
        for stream in [true, false] {
            let limits = limits(&clock).limit(Limit::requests_per_minute(600)).learn(learn).refuse();
            let mut last = answer(None);
            last.rate_limits = vec![told("requests", 60, 1, "59s")];
            let outcome =
                if stream { Outcome::events([Ok(Event::Done(Box::new(last)))]) } else { Outcome::whole(last) };
            let outer = limits.apply(Scripted::answering(&clock, move |_, _| outcome.clone()).shared());
            let ask = |model: &str| match block_on_with(&clock, outer.call(&Call::to("p"), &chat(model)))? {
                Reply::Stream(stream) => {
                    block_on_with(&clock, sabir_testkit::collect(stream)).pop().unwrap().map(|_| ())
                }
                _ => Ok(()),
            };
            assert!(ask("m").is_ok() && ask("m").is_ok(), "one is left");
            let third = ask("m");
            assert_eq!(third.is_ok(), !learn);
            if let Err(error) = third {
                let said = "p/m says that its own limit is reached; try again in 1s";
                assert_eq!((error.message(), error.retry_after()), (said, Some(SECOND)));
            }
            assert!(ask("another").is_ok());
        }
    }
}

#[test]
fn a_learned_limit_raises_nothing() {
    let clock = ManualClock::new();
    let limits = limits(&clock).limit(Limit::requests_per_minute(1)).refuse();
    let mut generous = answer(None);
    generous.rate_limits = vec![told("requests", 1_000, 999, "60ms")];
    let outer = limits.apply(Scripted::answering(&clock, move |_, _| Outcome::whole(generous.clone())).shared());
    let ask = || block_on_with(&clock, outer.call(&Call::to("p"), &chat("m")));
    assert!(ask().is_ok() && ask().is_err());
}

#[test]
fn a_refusal_of_the_provider_closes_the_place_and_those_who_come_wait() {
    let clock = ManualClock::new();
    let refused = Error::new(ErrorKind::RateLimit, "slow down")
        .with_rate_limits(vec![told("requests", 60, 0, "60s")])
        .with_retry_after(3 * SECOND);
    let inner = Scripted::new(&clock, [Outcome::Fail(refused), Outcome::whole(answer(None))]);
    let outer = limits(&clock).apply(inner.shared());
    let ask = || block_on_with(&clock, outer.call(&Call::to("p"), &chat("m")));
    assert!(ask().is_err());
    assert!(ask().is_ok());
    assert_eq!(clock.now(), 3 * SECOND);
}

#[test]
fn dates_are_read_where_it_is_known_what_day_it_is() {
    let clock = ManualClock::new();
    let mut last = answer(None);
    last.rate_limits = vec![told("requests", 60, 0, "1970-01-01T00:00:20Z")];
    let inner = Scripted::answering(&clock, move |_, _| Outcome::whole(last.clone()));
    let today = clock.clone();
    let outer = limits(&clock).dates(move || today.now()).apply(inner.shared());
    let ask = || block_on_with(&clock, outer.call(&Call::to("p"), &chat("m")));
    assert!(ask().is_ok() && ask().is_ok());
    assert_eq!(clock.now(), 20 * SECOND);
}
