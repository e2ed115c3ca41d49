//! What is admitted, and what is said where it is not.

use sabir_core::chat::{CostBasis, Notice};
use sabir_core::{ErrorKind, Stage};
use sabir_testkit::check_layer_on;

use super::*;

#[test]
fn alone_and_with_everything_it_changes_nothing() {
    let clock = ManualClock::new();
    check_layer_on(&clock, |inner| spend(&clock).apply(inner)).assert_ok();
    check_layer_on(&clock, |inner| {
        let rows: Arc<dyn Ledger> = Arc::new(Rows::default());
        let all = spend(&clock)
            .ledger(rows)
            .budget(daily(u64::MAX / 2).when_unpriced(WhenUnpriced::Allow).assume_output(10_000).alerts([50]))
            .budget(Budget::per_request(Usd::dollars(100)).soft())
            .steps(10_000);
        all.apply(inner)
    })
    .assert_ok();
}

#[test]
fn a_call_is_reserved_settled_and_written_down() {
    let house = House::new(|spend| spend.budget(daily(10_000_000)), [Outcome::whole(used(50, 10))]);
    let answer = house.ask().expect("it fits");
    let cost = 50 * INPUT + 10 * OUTPUT;
    assert_eq!(answer.cost.map(|cost| (cost.nano_usd, cost.basis)), Some((cost, CostBasis::ListPrice)));
    assert_eq!(answer.receipt.expect("a receipt").total, Some(cost));
    assert_eq!(house.stands(), (cost, 0, 10_000_000 - cost));
    let rows = house.rows.all();
    let [(opened, Some(ended))] = rows.as_slice() else { panic!("one closed row and not {rows:?}") };
    assert_eq!((opened.attempt, opened.call.len(), opened.time), (0, 32, NOON));
    assert_eq!((&*opened.provider, &*opened.model), ("p", "m"));
    assert!(opened.reserved.expect("a price") >= cost);
    assert_eq!((ended.outcome, ended.usage.output), (How::Answered, Some(10)));
}

#[test]
fn attempts_of_one_call_share_its_id_and_are_numbered() {
    let house = House::new(|spend| spend, [Outcome::Fail(failed(ErrorKind::Overloaded)), Outcome::whole(used(1, 1))]);
    let call = Call::to("p");
    let again = call.clone();
    assert!(house.call(&call, &Request::Chat(chat())).is_err());
    assert!(house.call(&again, &Request::Chat(chat())).is_ok());
    let rows = house.rows.all();
    assert_eq!((rows[0].0.attempt, rows[1].0.attempt), (0, 1));
    assert_eq!(rows[0].0.call, rows[1].0.call);
    let other = sabir_core::call_id(NOON);
    assert_ne!(rows[0].0.call, other, "ids are of one call");
    let time = u64::try_from(NOON.as_millis()).expect("it fits");
    assert!(other.starts_with(&format!("{time:012x}")) && other.len() == 32, "{other}");
}

#[test]
fn what_does_not_fit_is_refused_in_one_clear_line() {
    // Framing and text are at most 1,220 tokens by their bytes, some 60 as counted for most vocabularies.
    let house =
        House::new(|spend| spend.budget(daily(3_000_000).named("pocket money")), [Outcome::whole(used(900, 800))]);
    house.ask().expect("it fits");
    assert_eq!(house.stands(), (2_500_000, 0, 500_000));
    let error = house.ask().expect_err("it does not fit");
    assert_eq!((error.kind(), error.stage()), (ErrorKind::BudgetExceeded, Stage::NotSent));
    assert_eq!(error.retry_after(), Some(Duration::from_secs(43_200)));
    let message = error.message();
    assert!(
        message.starts_with("the budget of pocket money has $0.0005 left, and this call may cost $0.00"),
        "{message}"
    );
    assert!(message.ends_with("; its window ends in 12h"), "{message}");
    assert_eq!((house.inner.calls(), house.rows.all().len()), (1, 1), "nothing was sent");
    assert_eq!(house.stands(), (2_500_000, 0, 500_000), "and nothing is held");
    // The next day it is all there again.
    house.clock.advance(Duration::from_secs(43_200));
    house.inner.push(Outcome::whole(used(1, 1)));
    house.ask().expect("a new day");
    assert_eq!(house.stands().0, 3_000);
}

#[test]
fn what_would_never_fit_says_so() {
    let house = House::new(|spend| spend.budget(daily(100)), []);
    let error = house.ask().expect_err("too much");
    assert!(error.message().contains("more than all of the budget of $0.0000001 a day"), "{error}");
    assert_eq!(error.retry_after(), None);
    let house = House::new(|spend| spend.budget(Budget::per_request(Usd(100))), []);
    let error = house.ask().expect_err("too much");
    assert!(error.message().contains("more than the budget of $0.0000001 a request"), "{error}");
}

#[test]
fn a_call_of_its_own_budget_fits_or_not() {
    let fits = Budget::per_request(Usd(2_000_000));
    let house = House::new(|spend| spend.budget(fits.clone()), [Outcome::whole(used(1, 1))]);
    house.ask().expect("it fits");
    let dear = Request::Chat(chat().max_tokens(1_000));
    assert!(house.call(&Call::to("p"), &dear).is_err());
    let house = House::new(|spend| spend.budget(fits.soft()), [Outcome::whole(used(1, 1))]);
    let answer = house.call(&Call::to("p"), &dear).expect("it passes").whole().expect("an answer");
    assert!(matches!(answer.notices.as_slice(), [Notice::OverBudget { most: 2_000_000, .. }]), "{:?}", answer.notices);
}

#[test]
fn soft_ones_say_so_and_others_are_counted() {
    let metrics = Metrics::new();
    let build = |spend: Spend| {
        let large = Budget::per_request(Usd::dollars(1)).alert_only();
        let small = Budget::per_request(Usd(1)).alert_only();
        let spend = spend.budget(daily(1_000).soft()).budget(daily(1_000).alert_only().named("small"));
        spend.budget(daily(10_000_000).alert_only()).budget(large).budget(small).meter(&metrics)
    };
    let house = House::new(build, [Outcome::whole(used(50, 10)), Outcome::whole(used(50, 10))]);
    house.ask().expect("it passes");
    let answer = house.ask().expect("it passes");
    let [Notice::OverBudget { budget, most, used }] = answer.notices.as_slice() else { panic!("{:?}", answer.notices) };
    assert_eq!((budget.as_str(), *most), ("$0.000001 a day", 1_000));
    assert!(*used > 140_000);
    let counted = metrics.would_refuse();
    let times: Vec<u64> = counted.iter().map(|(_, _, times)| *times).collect();
    assert_eq!(times, [2, 2], "what has room is not counted: {counted:?}");
    assert!(counted.iter().any(|(key, rule, _)| key.is_empty() && rule.contains("small")), "{counted:?}");
}

#[test]
fn what_only_alerts_lets_through_what_it_knows_nothing_of_and_counts_it() {
    let ask = |then: Option<WhenUnpriced>, request: ChatRequest| {
        let metrics = Metrics::new();
        let budget = daily(10_000_000).alert_only();
        let budget = then.map_or(budget.clone(), |then| budget.when_unpriced(then));
        let house = House::new(|spend| spend.budget(budget).meter(&metrics), [Outcome::whole(used(50, 10))]);
        house.call(&Call::to("p"), &Request::Chat(request)).expect("it passes");
        metrics.would_refuse().iter().map(|(_, _, times)| *times).sum::<u64>()
    };
    let mut unpriced = chat();
    unpriced.model = "unheard of".into();
    assert_eq!(ask(Some(WhenUnpriced::Refuse), unpriced.clone()), 1);
    assert_eq!(ask(None, unpriced), 0, "it was not said to refuse them");
    assert_eq!(ask(None, ChatRequest::new("m").user("Why?")), 1, "an answer of any length");
    assert_eq!(ask(Some(WhenUnpriced::Refuse), chat()), 0);
}

#[test]
fn unpriced_models_are_refused_allowed_or_assumed() {
    let ask = |then: Option<WhenUnpriced>| {
        let budget = match then {
            Some(then) => daily(10_000_000).when_unpriced(then),
            None => daily(10_000_000),
        };
        let house = House::new(|spend| spend.budget(budget), [Outcome::whole(used(50, 10))]);
        let mut unknown = chat();
        unknown.model = "unheard of".into();
        house.call(&Call::to("p"), &Request::Chat(unknown)).map(|_| (house.stands(), house.rows.all()))
    };
    let refused = ask(None).expect_err("no price");
    assert!(refused.message().starts_with("no price of p/unheard of is known"), "{refused}");
    assert!(refused.message().contains("`on_unknown_price` in a configuration"), "{refused}");
    let (stands, rows) = ask(Some(WhenUnpriced::Allow)).expect("allowed");
    assert_eq!((stands.0, rows[0].0.reserved), (0, None));
    assert_eq!(rows[0].1.as_ref().expect("closed").cost, None, "an unknown price is not zero");
    let assume = WhenUnpriced::Assume { input: Price(1_000_000), output: Price(3_000_000) };
    let (stands, rows) = ask(Some(assume)).expect("assumed");
    assert_eq!((stands.0, rows[0].0.reserved), (50 + 30 + 16, None));
}

#[test]
fn an_answer_of_unknown_length_is_refused_or_assumed() {
    let silent = || Request::Chat(ChatRequest::new("m").user("Why?"));
    let house = House::new(|spend| spend.budget(daily(10_000_000)), []);
    let error = house.call(&Call::to("p"), &silent()).expect_err("it may be of any length");
    assert!(error.message().contains("set the request's max_tokens, or `Budget::assume_output`"), "{error}");
    // What is assumed has to hold: a whole answer is asked for with it.
    let house = House::new(|spend| spend.budget(daily(10_000_000).assume_output(300)), [Outcome::whole(used(1, 1))]);
    house.call(&Call::to("p"), &silent()).expect("it fits");
    let seen = house.inner.seen();
    let Request::Chat(chat) = &seen[0].request else { panic!("a conversation") };
    assert_eq!(chat.max_tokens, Some(300));
    // What the catalog knows is known.
    let traits = TraitsOf(|_, _| {
        let mut traits = sabir_core::ModelTraits::default();
        traits.max_output = Some(500);
        traits
    });
    let house = House::new(|spend| spend.budget(daily(10_000_000)).traits(traits), [Outcome::whole(used(1, 1))]);
    house.call(&Call::to("p"), &silent()).expect("it fits");
    let reserved = house.rows.all()[0].0.reserved.expect("a price");
    assert!((500 * OUTPUT..700 * OUTPUT + 1_300 * INPUT).contains(&reserved), "{reserved}");
}

#[test]
fn a_ledger_that_fails_refuses_or_is_told_of() {
    let house = House::new(|spend| spend.budget(daily(10_000_000)), [Outcome::whole(used(1, 1))]);
    house.rows.fail(true);
    let error = house.ask().expect_err("nothing passes that is not written");
    assert!(error.message().ends_with("lets nothing through that is not written down: the disk is full"), "{error}");
    assert_eq!((error.stage(), house.inner.calls(), house.stands().0), (Stage::NotSent, 0, 0));
    let lax = daily(10_000_000).when_ledger_fails(WhenLedgerFails::GoOn);
    let house = House::new(|spend| spend.budget(lax), [Outcome::whole(used(1, 1))]);
    house.rows.fail(true);
    let answer = house.ask().expect("it goes on");
    assert_eq!(answer.notices, [Notice::Unrecorded { reason: "the disk is full".into() }]);
    assert_eq!(house.stands().0, 3_000, "budgets count it all the same");
}

#[test]
fn whether_a_call_would_pass_can_be_asked() {
    let house = House::new(|spend| spend.budget(daily(500_000)), []);
    let call = Call::to("p");
    let would = |chat: ChatRequest| block_on_with(&house.clock, house.spend.would_admit(&call, &Request::Chat(chat)));
    would(chat().max_tokens(1)).expect_err("the bound is too wide, and so is the count");
    let house = House::new(|spend| spend.budget(daily(5_000_000)), []);
    let would = |chat: ChatRequest| block_on_with(&house.clock, house.spend.would_admit(&call, &Request::Chat(chat)));
    would(chat()).expect("it fits");
    assert!(would(chat().max_tokens(10_000)).is_err());
    assert_eq!((house.stands(), house.inner.calls(), house.rows.all().len()), ((0, 0, 5_000_000), 0, 0));
}

#[test]
fn receipts_above_add_what_was_abandoned() {
    let mut tried = failed(ErrorKind::Truncated);
    let mut partial = used(10, 5);
    partial.provider = "p".into();
    tried = tried.with_partial(partial);
    let house = House::new(|spend| spend, [Outcome::Fail(tried), Outcome::whole(used(1, 1))]);
    let retry = crate::Retry::default().clock(house.clock.clone());
    let outer = prices().apply(retry.apply(house.outer.clone()));
    let reply = block_on_with(&house.clock, outer.call(&Call::to("p"), &Request::Chat(chat())));
    let answer = reply.expect("an answer").whole().expect("a whole one");
    let sum = 11 * INPUT + 6 * OUTPUT;
    assert_eq!(answer.cost.map(|cost| cost.nano_usd), Some(sum));
    assert_eq!((answer.receipt.expect("a receipt").total, house.rows.sum()), (Some(sum), sum));
}
