//! What budgets and ledger say of calls in every dialect, however they end: what is charged is what the provider says, or
//! the input and what had arrived, or nothing.

use std::collections::BTreeMap;
use std::future::poll_fn;
use std::num::NonZeroUsize;
use std::sync::{Arc, Mutex};

use sabir::chat::{Event, EventStream, Usage};
use sabir::drive::Origin;
use sabir::layers::{Budget, Receipts, Spend, Window};
use sabir::prices::{ModelPrices, Overlay, Price, Prices, Rates, Usd};
use sabir::store::{Dimension, Ended, Filter, Group, Ledger, Opened, Outcome, Spent};
use sabir::{Call, ChatRequest, Dialect, Endpoint, ErrorKind, Layer, Reply, Request, Result, Service, Shared};
use sabir_sim::{Chunking, Failure, Fault, Loopback, Script, Simulator, Turn};

/// Nano-dollars a token.
const INPUT: u64 = 1_000;
const OUTPUT: u64 = 2_000;
const MOST: Usd = Usd::dollars(1);

#[derive(Debug, Default)]
struct Rows(Mutex<Vec<Ended>>);

impl Ledger for Rows {
    fn open(&self, _: &Opened) -> Result<()> {
        Ok(())
    }

    fn raise(&self, _: &Opened) -> Result<()> {
        Ok(())
    }

    fn close(&self, _: &Opened, ended: &Ended) -> Result<()> {
        self.0.lock().expect("a lock").push(ended.clone());
        Ok(())
    }

    fn spent(&self, _: &Filter) -> Result<Spent> {
        Ok(Spent::default())
    }

    fn report(&self, _: &Filter, _: &[Dimension]) -> Result<Vec<Group>> {
        Ok(Vec::new())
    }
}

/// A simulated provider of one dialect, with a budget in front.
struct House {
    simulator: Simulator,
    spend: Spend,
    rows: Arc<Rows>,
    outer: Shared,
}

impl House {
    fn new(dialect: &'static dyn Dialect, turn: Turn, build: impl FnOnce(Spend) -> Spend) -> Self {
        let simulator = Simulator::scripted(Script::new().turn(turn.forever()));
        let endpoint = Endpoint {
            provider: "sim".into(),
            base_url: "http://sim.test".into(),
            key: Some("any".into()),
            ..Endpoint::default()
        };
        let origin = Origin::new(dialect, endpoint, Arc::new(Loopback::new(simulator.clone())));
        let standard = Rates {
            input: Some(Price(INPUT * 1_000_000)),
            output: Some(Price(OUTPUT * 1_000_000)),
            ..Rates::default()
        };
        let models = BTreeMap::from([("sim/*".to_owned(), ModelPrices { standard, ..ModelPrices::default() })]);
        let receipts = Receipts::new(Prices::default().with(Overlay { version: None, models }));
        let rows = Arc::new(Rows::default());
        let spend = build(Spend::by(&receipts)).ledger(rows.clone());
        let outer = spend.apply(Shared::new(origin));
        Self { simulator, spend, rows, outer }
    }

    async fn ask(&self, stream: bool) -> Result<Reply> {
        let mut chat = ChatRequest::new("m").user("Why is the sea salt?").max_tokens(10_000);
        chat.stream = stream;
        self.outer.call(&Call::to("sim"), &Request::Chat(chat)).await
    }

    /// How the only attempt ended, what it used and what it is charged; nothing is held any more.
    async fn charged(&self) -> (Outcome, Usage, u64) {
        let rows = self.rows.0.lock().expect("a lock").clone();
        let [row] = rows.as_slice() else { panic!("one row and not {rows:?}") };
        let cost = row.cost.expect("it has a price").nano_usd;
        for purse in self.spend.standing().await.expect("a store") {
            assert_eq!((purse.spent, purse.reserved), (Usd(cost), Usd(0)), "{purse:?}");
        }
        (row.outcome, row.usage.clone(), cost)
    }
}

fn words() -> Turn {
    let text = Turn::text("Rivers wash the salt out of the rocks and carry it into the sea. ".repeat(100));
    text.chunking(Chunking::Chars(NonZeroUsize::new(40).expect("not zero")))
}

fn daily(spend: Spend) -> Spend {
    spend.budget(Budget::per(Window::month(), MOST))
}

async fn next(events: &mut EventStream) -> Option<Result<Event>> {
    poll_fn(|cx| events.as_mut().poll_next(cx)).await
}

/// What these buckets come to.
fn price(usage: &Usage) -> u64 {
    usage.input_total().expect("known") * INPUT + usage.output_total().expect("known") * OUTPUT
}

/// The dialects that hold conversations.
fn dialects() -> &'static [&'static dyn Dialect] {
    let all = sabir::dialects::dialects();
    assert!(all.len() >= 11, "{}", all.len());
    all
}

#[tokio::test(start_paused = true)]
async fn an_answer_is_charged_as_the_provider_counts_it() {
    for dialect in dialects() {
        for stream in [false, true] {
            let house = House::new(*dialect, words(), daily);
            let answer = match house.ask(stream).await.expect("an answer") {
                Reply::Stream(mut events) => loop {
                    if let Event::Done(done) = next(&mut events).await.expect("an end").expect("no error") {
                        break *done;
                    }
                },
                reply => reply.whole().expect("an answer"),
            };
            let (how, usage, cost) = house.charged().await;
            assert_eq!((how, cost), (Outcome::Answered, price(&usage)), "{} {stream}", dialect.name());
            if answer.usage.total().is_some() {
                assert_eq!(
                    (usage.input_total(), usage.output_total()),
                    (answer.usage.input_total(), answer.usage.output_total())
                );
            } else {
                assert!(usage.estimated, "{}", dialect.name());
            }
            assert_eq!(answer.receipt.expect("a receipt").total, Some(cost), "{} {stream}", dialect.name());
        }
    }
}

#[tokio::test(start_paused = true)]
async fn who_leaves_in_the_middle_is_charged_for_input_and_what_had_arrived() {
    for dialect in dialects() {
        let house = House::new(*dialect, words(), daily);
        let mut events = house.ask(true).await.expect("a stream").stream().expect("a stream");
        let mut arrived = 0;
        while arrived < 800 {
            if let Event::Text(text) = next(&mut events).await.expect("it goes on").expect("no error") {
                arrived += text.len();
            }
        }
        drop(events);
        let (how, usage, cost) = house.charged().await;
        let (input, output) = (usage.input_total().expect("counted"), usage.output_total().expect("counted"));
        assert_eq!((how, usage.estimated, cost), (Outcome::Dropped, true, price(&usage)), "{}", dialect.name());
        assert!((5..300).contains(&input), "{}: {usage:?}", dialect.name());
        assert!((100..400).contains(&output), "{}: about 180 tokens are {arrived} bytes: {usage:?}", dialect.name());
        assert_eq!((house.simulator.in_flight(), house.simulator.cancelled()), (0, 1), "{}", dialect.name());
    }
}

#[tokio::test(start_paused = true)]
async fn refusals_are_free_and_what_broke_off_is_not() {
    let says = |status, message: &str| Turn::error(Failure::new(status, message));
    for dialect in dialects() {
        for stream in [false, true] {
            for turn in [says(400, "no"), says(401, "no"), says(429, "slow down"), says(500, "no"), says(529, "no")] {
                let house = House::new(*dialect, turn, daily);
                house.ask(stream).await.expect_err("a refusal");
                let (how, _, cost) = house.charged().await;
                assert!(matches!(how, Outcome::Failed(_)) && cost == 0, "{} {stream}: {how:?} {cost}", dialect.name());
            }
            let house = House::new(*dialect, words().fault(Fault::Refuse), daily);
            house.ask(stream).await.expect_err("nobody is there");
            assert_eq!(house.charged().await.2, 0, "{}: it was never sent", dialect.name());
            let house = House::new(*dialect, words().fault(Fault::HangUp), daily);
            house.ask(stream).await.expect_err("nobody answers");
            let (_, usage, cost) = house.charged().await;
            assert_eq!((usage.output_total(), cost), (Some(0), price(&usage)), "{}", dialect.name());
            assert!(cost > 5 * INPUT, "{}: it may have been read", dialect.name());
        }
        let house = House::new(*dialect, words().fault(Fault::CutAt { bytes: 4_000 }), daily);
        let mut events = house.ask(true).await.expect("a stream").stream().expect("a stream");
        let error = loop {
            match next(&mut events).await.expect("a terminal item") {
                Err(error) => break error,
                Ok(event) => assert!(!matches!(event, Event::Done(_))),
            }
        };
        let (how, usage, cost) = house.charged().await;
        assert_eq!((how, cost), (Outcome::Failed(error.kind()), price(&usage)), "{}", dialect.name());
        assert!(usage.output_total() > Some(20), "{}: {usage:?}", dialect.name());
    }
}

#[tokio::test(start_paused = true)]
async fn a_stream_that_would_pass_its_budget_is_cut() {
    // Room for the input as it is bounded and some 700 tokens of about 1,500.
    let most = Usd(1_400 * INPUT + 700 * OUTPUT);
    for dialect in dialects() {
        let build = |spend: Spend| spend.budget(Budget::per(Window::month(), most)).steps(100);
        let house = House::new(*dialect, words(), build);
        let events = house.ask(true).await.expect("a stream").stream().expect("a stream");
        let items = sabir_testkit::collect(events).await;
        sabir_testkit::check_events(&items).expect("the contract");
        let Some(Err(error)) = items.last() else { panic!("{}: {:?}", dialect.name(), items.last()) };
        assert_eq!(error.kind(), ErrorKind::BudgetExceeded, "{}", dialect.name());
        assert!(!error.partial().expect("what had arrived").text().is_empty());
        let (how, _, cost) = house.charged().await;
        assert!(how == Outcome::Cut && cost <= most.0, "{}: {how:?} {cost}", dialect.name());
        assert_eq!((house.simulator.in_flight(), house.simulator.cancelled()), (0, 1), "{}", dialect.name());
    }
}
