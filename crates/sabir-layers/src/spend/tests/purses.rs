//! Windows, purses, alerts, and what was before.

use sabir_core::transport::{Body, BoxFuture, Transport};
use sabir_testkit::Task;

use super::*;

const HOUR: Duration = Duration::from_secs(3_600);

#[test]
fn each_has_a_purse_of_its_own() {
    let outcomes = (0..6).map(|_| Outcome::whole(used(1_000, 0)));
    let house = House::new(|spend| spend.budget(daily(2_000_000).each_client().for_provider("p")), outcomes);
    let ask = |tenant: &str| {
        let mut call = Call::to("p");
        call.tenant = tenant.into();
        house.call(&call, &Request::Chat(chat())).map(|_| ())
    };
    ask("acme").expect("a full purse");
    ask("acme").expect_err("it has a million left, and this may cost more");
    ask("other").expect("a purse of its own");
    house.call(&Call::to("q"), &Request::Chat(chat())).expect("it does not concern q");
    let standing = block_on_with(&house.clock, house.spend.standing()).expect("a store");
    let names: Vec<(&str, u64)> = standing.iter().map(|one| (one.purse.as_str(), one.spent.0)).collect();
    assert_eq!(names, [("client \"acme\"", 1_000_000), ("client \"other\"", 1_000_000)]);
    let error = ask("acme").expect_err("still");
    assert!(
        error.message().contains("a day for provider \"p\" for each client (client \"acme\") has $0.001 left"),
        "{error}"
    );
}

#[test]
fn a_window_that_slides_gives_back_what_is_older() {
    let outcomes = (0..3).map(|_| Outcome::whole(used(1_000, 0)));
    let build = |spend: Spend| spend.budget(Budget::per(Window::rolling(HOUR), Usd(3_000_000)));
    let house = House::new(build, outcomes);
    house.ask().expect("it fits");
    house.clock.advance(HOUR / 2);
    house.ask().expect("it fits");
    assert_eq!(house.stands(), (2_000_000, 0, 1_000_000));
    let error = house.ask().expect_err("it does not");
    assert!(error.message().ends_with("; enough of it comes back within 31min"), "{error}");
    house.clock.advance(error.retry_after().expect("a time to wait"));
    house.ask().expect("it fits again");
    assert_eq!(house.stands().0, 2_000_000);
}

#[test]
fn a_call_is_of_the_window_in_which_it_began() {
    let house = House::new(|spend| spend.budget(daily(10_000_000)), [Outcome::whole(used(50, 0)).after(13 * HOUR)]);
    house.ask().expect("an answer, the next day");
    assert_eq!(block_on_with(&house.clock, house.spend.standing()).expect("a store").len(), 0, "yesterday's is over");
    house.inner.push(Outcome::whole(used(7, 0)));
    house.ask().expect("an answer");
    assert_eq!(house.stands().0, 7_000);
}

#[test]
fn alerts_come_once_for_each_threshold_and_window() {
    let rung = Arc::new(Mutex::new(Vec::new()));
    let told = rung.clone();
    let build = |spend: Spend| {
        let alerted = spend.budget(daily(2_000_000).alerts([100, 50, 80]).soft());
        alerted.on_alert(move |alert| told.lock().expect("a lock").push((alert.percent, alert.spent.0)))
    };
    let house = House::new(build, (0..9).map(|_| Outcome::whole(used(450, 0))));
    for _ in 0..6 {
        house.ask().expect("it passes");
    }
    assert_eq!(*rung.lock().expect("a lock"), [(50, 1_350_000), (80, 1_800_000), (100, 2_250_000)]);
    house.clock.advance(12 * HOUR);
    for _ in 0..3 {
        house.ask().expect("it passes");
    }
    assert_eq!(rung.lock().expect("a lock").len(), 4, "a new window");
}

/// Tells a channel what it is sent.
#[derive(Debug)]
struct Told(std::sync::mpsc::SyncSender<String>);

impl Transport for Told {
    fn send(&self, request: http::Request<bytes::Bytes>) -> BoxFuture<'_, Result<http::Response<Body>>> {
        let key = request.headers().get("authorization").and_then(|key| key.to_str().ok()).unwrap_or_default();
        let said = format!("{} {key} {}", request.uri(), String::from_utf8_lossy(request.body()));
        Box::pin(async move {
            self.0.send(said).expect("somebody listens");
            Err(failed(ErrorKind::Network))
        })
    }
}

fn alerted(transport: Told) -> House {
    let webhook = AlertWebhook::new("https://hooks.test/budget", transport).expect("a URL").key("secret");
    let build = |spend: Spend| spend.budget(daily(2_000_000).alerts([50])).webhook(webhook);
    House::new(build, [Outcome::whole(used(1_000, 0))])
}

#[test]
fn a_webhook_is_told_without_a_runtime_and_within_one() {
    for is_within in [false, true] {
        let (tell, told) = std::sync::mpsc::sync_channel(1);
        let house = alerted(Told(tell));
        assert!(!format!("{:?}", house.spend).contains("hooks.test/budget"));
        if is_within {
            let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).build().expect("a runtime");
            runtime.block_on(async { house.ask().map(|_| ()) }).expect("an answer");
            let said = told.recv().expect("it is told");
            assert!(said.starts_with("https://hooks.test/budget Bearer secret {"), "{said}");
        } else {
            house.ask().expect("an answer");
            let said = told.recv().expect("it is told");
            assert!(said.contains("\"percent\":50,\"most_nano_usd\":2000000,\"spent_nano_usd\":1000000"), "{said}");
        }
    }
    assert!(AlertWebhook::new("nowhere", Told(std::sync::mpsc::sync_channel(1).0)).is_err());
}

/// A ledger with rows of another process, and a layer that begins at noon.
fn second_process(budget: Budget) -> (House, Arc<Rows>) {
    let house = House::new(|spend| spend, (0..4).map(|_| Outcome::whole(used(1_000, 0))));
    for (back, team) in [(30, "red"), (11, "red"), (1, "blue"), (0, "red")] {
        let mut call = Call::to("p");
        call.tags = vec![("team".into(), team.into())];
        house.call(&call, &Request::Chat(chat())).expect("an answer");
        let mut rows = house.rows.rows.lock().expect("a lock");
        rows.last_mut().expect("a row").0.time = NOON.saturating_sub(back * HOUR);
    }
    let (clock, rows) = (ManualClock::new(), house.rows.clone());
    let mut spend = spend(&clock).ledger(rows.clone()).budget(budget);
    spend.loads = true;
    let inner = Scripted::answering(&clock, |_, _| Outcome::whole(used(1, 0)));
    (House { outer: spend.apply(inner.shared()), clock, spend, rows: rows.clone(), inner }, rows)
}

/// Asks where another thread reads the ledger.
fn ask_in_runtime(house: &House, team: &str) -> Result<()> {
    let runtime = tokio::runtime::Builder::new_current_thread().build().expect("a runtime");
    let mut call = Call::to("p");
    if !team.is_empty() {
        call.tags = vec![("team".into(), team.into())];
    }
    runtime.block_on(house.outer.call(&call, &Request::Chat(chat()))).map(|_| ())
}

#[test]
fn what_was_spent_before_this_process_began_is_loaded_once() {
    // The row of noon itself is of this process or later.
    let (house, _) = second_process(daily(10_000_000));
    ask_in_runtime(&house, "red").expect("it fits");
    assert_eq!(house.stands().0, 2_000_000 + 1_000);
    ask_in_runtime(&house, "red").expect("it fits");
    assert_eq!(house.stands().0, 2_000_000 + 2_000);
    let (house, _) = second_process(daily(10_000_000).each_tag("team"));
    ask_in_runtime(&house, "blue").expect("it fits");
    assert_eq!(house.stands().0, 1_000_000 + 1_000);
    let (house, _) = second_process(daily(10_000_000).each_tag("team"));
    ask_in_runtime(&house, "").expect("it fits");
    assert_eq!(house.stands().0, 77 + 1_000, "those without a label, as the ledger reports them");
    let (house, _) = second_process(Budget::per(Window::rolling(24 * HOUR), Usd(10_000_000)));
    ask_in_runtime(&house, "").expect("it fits");
    assert_eq!(house.stands().0, 2_000_000 + 1_000);
    // What was spent eleven hours ago counts for thirteen hours more, and not for a whole day.
    house.clock.advance(16 * HOUR);
    assert_eq!(house.stands().0, 1_000_000 + 1_000);
    house.clock.advance(24 * HOUR);
    assert_eq!(house.stands().0, 0);
    let (house, _) = second_process(daily(3_000_000));
    assert!(ask_in_runtime(&house, "red").is_err(), "what was spent counts");
}

#[test]
fn a_ledger_that_cannot_be_read_refuses_and_is_asked_again() {
    let (house, rows) = second_process(daily(10_000_000));
    rows.fail(true);
    let error = ask_in_runtime(&house, "red").expect_err("it cannot be known");
    assert!(error.message().ends_with("a day cannot be read: the disk is full"), "{error}");
    assert_eq!((house.inner.calls(), house.stands().0), (0, 0));
    rows.fail(false);
    ask_in_runtime(&house, "red").expect("it can be read");
    assert_eq!(house.stands().0, 2_000_000 + 1_000);
}

#[test]
fn a_shared_store_is_one_budget() {
    let (clock, store) = (ManualClock::new(), Arc::new(Memory::default()));
    let one = || spend(&clock).budget(daily(2_000_000)).store(store.clone(), "shared:");
    let inner = Scripted::answering(&clock, |_, _| Outcome::whole(used(1_000, 0)));
    let outer = [one().apply(inner.shared()), one().apply(inner.shared())];
    let (call, request) = (Call::to("p"), Request::Chat(chat()));
    let ask = |at: usize| Task::new(outer[at].call(&call, &request)).until_idle();
    assert!(matches!(ask(0), std::task::Poll::Ready(Ok(_))));
    assert!(matches!(ask(1), std::task::Poll::Ready(Err(_))), "the other one has spent it");
}

#[test]
fn other_prices_hold_from_then_on() {
    let receipts = prices();
    let clock = ManualClock::new();
    let spend = Spend::by(&receipts).clock(clock.clone()).time(|| NOON).budget(daily(100_000_000));
    let inner = Scripted::answering(&clock, |_, _| Outcome::whole(used(1_000, 0)));
    let outer = spend.apply(inner.shared());
    let (call, request) = (Call::to("p"), Request::Chat(chat()));
    let cost = || {
        let answer = block_on_with(&clock, outer.call(&call, &request)).expect("an answer").whole().expect("whole");
        answer.cost.map(|cost| cost.nano_usd)
    };
    assert_eq!(cost(), Some(1_000_000));
    let mut models = BTreeMap::new();
    let standard = Rates { input: Some(Price(7_000_000_000)), output: Some(Price(0)), ..Rates::default() };
    models.insert("p/m".to_owned(), ModelPrices { standard, ..ModelPrices::default() });
    receipts.refresh(Prices::default().with(Overlay { version: None, models }));
    assert_eq!(cost(), Some(7_000_000));
}

#[test]
fn a_budget_that_stays_keeps_its_purse_when_others_change() {
    let answers = || [Outcome::whole(used(20, 50)), Outcome::whole(used(20, 50))];
    let house = House::new(|spend| spend.budget(daily(10_000_000).named("all")), answers());
    house.ask().expect("answered");
    let (spent, ..) = house.stands();
    assert!(spent > 0);
    let same = spend(&house.clock).budget(daily(9).named("new").for_client("x")).budget(daily(10_000_000).named("all"));
    let same = same.after(&house.spend);
    let standing = block_on_with(&house.clock, same.standing()).expect("a store");
    assert_eq!(standing.iter().map(|purse| purse.spent.0).collect::<Vec<_>>(), [spent]);
    let changed = spend(&house.clock).budget(daily(20_000_000).named("all")).after(&house.spend);
    assert!(
        block_on_with(&house.clock, changed.standing()).expect("a store").is_empty(),
        "read from the ledger, if any"
    );
}

#[test]
fn a_budget_of_a_label_is_found_by_it_and_pays_once() {
    let budgets = |spend: Spend| {
        let of = |name: &str| daily(10_000_000).named(name).for_tag("key", name);
        (0..100).fold(spend, |spend, n| spend.budget(of(&n.to_string()))).budget(daily(90_000_000).named("all"))
    };
    let house = House::new(budgets, [Outcome::whole(used(20, 50))]);
    let mut call = Call::to("p");
    call.tags = vec![("key".into(), "7".into()), ("key".into(), "7".into()), ("team".into(), "7".into())];
    house.call(&call, &Request::Chat(chat())).expect("answered");
    let standing = block_on_with(&house.clock, house.spend.standing()).expect("a store");
    let spent: Vec<_> = standing.iter().map(|purse| (purse.budget.as_str(), purse.spent.0)).collect();
    let once = 20 * INPUT + 50 * OUTPUT;
    assert_eq!(spent, [("7", once), ("all", once)]);
}
