mod ends;
mod many;
mod purses;
mod random;
mod rules;
mod streams;
#[cfg(feature = "zones")]
mod zones;

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use sabir_core::chat::{ChatRequest, ChatResponse, Event, Part};
use sabir_core::{Call, Error, ErrorKind, Layer as _, Reply, Request, Result, Service as _, Shared};
use sabir_prices::{ModelPrices, Overlay, Price, Prices, Rates};
use sabir_store::{Dimension, Ended, Filter, Group, Ledger, Opened, Outcome as How, Spent};
use sabir_testkit::{ManualClock, Outcome, Scripted, block_on_with};

use super::*;

/// 2026-11-21, noon.
const NOON: Duration = Duration::from_secs(20_778 * 86_400 + 43_200);
/// A dollar for a million.
const INPUT: u64 = 1_000;
const OUTPUT: u64 = 2_000;

/// `p/m` costs a dollar for a million tokens in, and two for a million out.
fn prices() -> Receipts {
    let standard =
        Rates { input: Some(Price(INPUT * 1_000_000)), output: Some(Price(OUTPUT * 1_000_000)), ..Rates::default() };
    let models = BTreeMap::from([("p/m".to_owned(), ModelPrices { standard, ..ModelPrices::default() })]);
    Receipts::new(Prices::default().with(Overlay { version: None, models }))
}

fn spend(clock: &ManualClock) -> Spend {
    let time = clock.clone();
    let mut spend = Spend::by(&prices()).clock(clock.clone()).time(move || NOON + time.now());
    // Nothing was before; where something was, a thread reads it, for which no manual clock waits.
    spend.loads = false;
    spend
}

fn chat() -> ChatRequest {
    ChatRequest::new("m").user("Why is the sea salt?").max_tokens(100)
}

fn stream() -> Request {
    let mut chat = chat();
    chat.stream = true;
    Request::Chat(chat)
}

fn used(input: u64, output: u64) -> ChatResponse {
    let mut response = ChatResponse::default();
    response.parts = vec![Part::text("Rivers.")];
    (response.usage.input, response.usage.output) = (Some(input), Some(output));
    response
}

#[expect(clippy::unnecessary_wraps, reason = "an item of a stream")]
fn text(words: &str) -> Result<Event> {
    Ok(Event::Text(words.into()))
}

fn failed(kind: ErrorKind) -> Error {
    Error::new(kind, "it failed")
}

/// A ledger in memory, that may be told to fail.
#[derive(Debug, Default)]
struct Rows {
    rows: Mutex<Vec<(Opened, Option<Ended>)>>,
    fails: Mutex<bool>,
}

impl Rows {
    fn all(&self) -> Vec<(Opened, Option<Ended>)> {
        self.rows.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    fn fail(&self, fails: bool) {
        *self.fails.lock().expect("a lock") = fails;
    }

    fn check(&self) -> Result<()> {
        let fails = *self.fails.lock().expect("a lock");
        if fails { Err(Error::new(ErrorKind::Provider, "the disk is full")) } else { Ok(()) }
    }

    /// What all closed rows come to.
    fn sum(&self) -> u64 {
        let closed = self.all().into_iter().filter_map(|(_, ended)| ended);
        closed.filter_map(|ended| ended.cost).map(|cost| cost.nano_usd).sum()
    }

    /// How the last row ended, and what it cost.
    fn last(&self) -> (How, u64) {
        let (_, ended) = self.all().pop().expect("a row");
        let ended = ended.expect("it is closed");
        (ended.outcome, ended.cost.expect("a cost").nano_usd)
    }
}

impl Ledger for Rows {
    fn open(&self, attempt: &Opened) -> Result<()> {
        self.check()?;
        self.rows.lock().expect("a lock").push((attempt.clone(), None));
        Ok(())
    }

    fn raise(&self, attempt: &Opened) -> Result<()> {
        self.check()?;
        let mut rows = self.rows.lock().expect("a lock");
        let row = rows.iter_mut().find(|(row, _)| (&row.call, row.attempt) == (&attempt.call, attempt.attempt));
        row.expect("it was opened").0.reserved = attempt.reserved;
        Ok(())
    }

    fn close(&self, attempt: &Opened, ended: &Ended) -> Result<()> {
        self.check()?;
        let mut rows = self.rows.lock().expect("a lock");
        let row = rows.iter_mut().find(|(row, _)| (&row.call, row.attempt) == (&attempt.call, attempt.attempt));
        row.expect("it was opened").1.get_or_insert_with(|| ended.clone());
        Ok(())
    }

    fn spent(&self, of: &Filter) -> Result<Spent> {
        self.check()?;
        let mut spent = Spent::default();
        let matches = |row: &Opened| {
            let is = |named: &Option<String>, value: &str| named.as_deref().is_none_or(|named| named == value);
            of.from.is_none_or(|from| row.time >= from)
                && of.until.is_none_or(|until| row.time < until)
                && is(&of.tenant, &row.tenant)
                && is(&of.key, &row.key)
                && is(&of.provider, &row.provider)
                && is(&of.model, &row.model)
                && of.tags.iter().all(|tag| row.tags.contains(tag))
        };
        for (_, ended) in self.all().into_iter().filter(|(row, _)| matches(row)) {
            spent.settled += ended.and_then(|ended| ended.cost).map_or(0, |cost| cost.nano_usd);
        }
        Ok(spent)
    }

    fn report(&self, _: &Filter, _: &[Dimension]) -> Result<Vec<Group>> {
        self.check()?;
        let mut group = Group::default();
        (group.names, group.nano_usd) = (vec![String::new()], 77);
        Ok(vec![group])
    }
}

/// A layer around a script, and all there is to look at.
struct House {
    clock: ManualClock,
    spend: Spend,
    rows: Arc<Rows>,
    inner: Scripted,
    outer: Shared,
}

impl House {
    fn new(build: impl FnOnce(Spend) -> Spend, outcomes: impl IntoIterator<Item = Outcome>) -> Self {
        let (clock, rows) = (ManualClock::new(), Arc::new(Rows::default()));
        let spend = build(spend(&clock).ledger(rows.clone()));
        let inner = Scripted::new(&clock, outcomes);
        let outer = spend.apply(inner.shared());
        Self { clock, spend, rows, inner, outer }
    }

    fn call(&self, call: &Call, request: &Request) -> Result<Reply> {
        block_on_with(&self.clock, self.outer.call(call, request))
    }

    fn ask(&self) -> Result<ChatResponse> {
        self.call(&Call::to("p"), &Request::Chat(chat()))?.whole()
    }

    /// The only purse: spent, reserved and left.
    fn stands(&self) -> (u64, u64, u64) {
        let standing = block_on_with(&self.clock, self.spend.standing()).expect("a store");
        let [purse] = standing.as_slice() else { panic!("one purse and not {standing:?}") };
        (purse.spent.0, purse.reserved.0, purse.left.0)
    }
}

fn daily(nano: u64) -> Budget {
    Budget::per(Window::day(), Usd(nano))
}
