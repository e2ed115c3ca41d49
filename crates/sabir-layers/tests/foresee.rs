//! Looking at a call: the layers say what they would do, and are the same afterwards.

use std::time::Duration;

use sabir_core::chat::{ChatRequest, ChatResponse};
use sabir_core::{Call, ErrorKind, Foreseen, Layer, Request, Service};
use sabir_layers::guard::{Guard, MaxSize};
use sabir_layers::{Budget, KeyPool, Keys, Limit, Limits, Policy, PromptCache, Route, Routes, Spend, Stack, Window};
use sabir_testkit::{ManualClock, Outcome, Scripted, block_on_with};

fn chat(text: &str) -> Request {
    Request::Chat(ChatRequest::new("both").user(text).max_tokens(10))
}

fn look(stack: &Stack, clock: &ManualClock, text: &str) -> Vec<Foreseen> {
    block_on_with(clock, stack.foresee(vec![Foreseen::new(Call::to("route"), chat(text))]))
}

fn shown(attempts: &[Foreseen]) -> Vec<String> {
    let one = |attempt: &Foreseen| {
        let key = attempt.call.key.as_ref().map_or("-", |key| &key.name);
        let refused = attempt.verdicts.iter().find_map(|verdict| Some((verdict.by, verdict.refused.as_ref()?.kind())));
        format!("{}/{} {key} {refused:?}", attempt.call.provider, attempt.request.model())
    };
    attempts.iter().map(one).collect()
}

#[test]
fn looking_shows_what_happens_then_and_takes_nothing() {
    let clock = ManualClock::new();
    let route = Route::named("both", ["openai/gpt-4o", "anthropic/claude-haiku-4-5"]).policy(Policy::RoundRobin);
    let pool = KeyPool::new([("first", "sk-1"), ("second", "sk-2")]).clock(clock.clone());
    let limits =
        Limits::default().clock(clock.clone()).limit(Limit::requests_per_minute(1).burst(1).for_provider("openai"));
    let spend = Spend::default().clock(clock.clone()).time(|| Duration::from_secs(1_700_000_000));
    let dollar = Budget::per(Window::day(), "1".parse().expect("a dollar"));
    let stack = Stack::new()
        .routes(Routes::new([route]).clock(clock.clone()))
        .prompt_cache(PromptCache::default().for_provider("anthropic"))
        .keys(Keys::new().pool("openai", pool))
        .limits(limits.refuse())
        .spend(spend.budget(dollar));
    let inner = Scripted::answering(&clock, |_, _| Outcome::whole(ChatResponse::default()));
    let outer = stack.apply(inner.shared());

    let expected = ["openai/gpt-4o first None", "anthropic/claude-haiku-4-5 - None"];
    for _ in 0..3 {
        let attempts = look(&stack, &clock, "salt");
        assert_eq!(shown(&attempts), expected, "looking again shows the same");
        let marked = |at: usize| matches!(&attempts[at].request, Request::Chat(chat) if chat.messages[0].parts[0].cache.is_some());
        assert_eq!((marked(0), marked(1)), (false, true), "marks are for who caches by them");
        assert_eq!(attempts[0].verdicts.iter().map(|verdict| verdict.by).collect::<Vec<_>>(), ["limits", "budgets"]);
    }
    assert_eq!(inner.calls(), 0);
    // What is asked goes where it was said to go, with the key that was said: no turn was taken.
    block_on_with(&clock, outer.call(&Call::to("route"), &chat("salt"))).expect("an answer");
    let seen = &inner.seen()[0].call;
    assert_eq!((&*seen.provider, seen.key.as_ref().map(|key| &*key.name)), ("openai", Some("first")));
    // The next turn is the other's, and the limit is used up.
    let refused = format!("openai/gpt-4o second {:?}", Some(("limits", ErrorKind::RateLimit)));
    assert_eq!(shown(&look(&stack, &clock, "salt")), [expected[1], &refused]);
}

#[test]
fn what_is_checked_here_is_checked_and_budgets_refuse_alone() {
    let clock = ManualClock::new();
    let spend = Spend::default().clock(clock.clone()).time(|| Duration::from_secs(1_700_000_000));
    let nothing = Budget::per_request("0.000000001".parse().expect("a nano-dollar"));
    let route = Routes::new([Route::named("both", ["openai/gpt-4o"])]).clock(clock.clone());
    let stack =
        Stack::new().guard(Guard::new().check(MaxSize::request(400))).routes(route).spend(spend.budget(nothing));
    let short = look(&stack, &clock, "salt");
    assert_eq!(shown(&short), [format!("openai/gpt-4o - {:?}", Some(("budgets", ErrorKind::BudgetExceeded)))]);
    assert!(!short[0].is_admitted());
    let long = look(&stack, &clock, &"salt ".repeat(1_000));
    assert_eq!(long[0].verdicts[0].by, "guard");
    assert!(long[0].verdicts[0].refused.is_some());
}
