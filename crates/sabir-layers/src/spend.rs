//! Budgets that are not overshot, and a ledger of what was spent.
//!
//! Before a call is sent, the most that it can cost is reserved, of all budgets that concern it or of none: its input as
//! it is bounded, at the dearest price that may apply, and the longest answer that it allows. What does not fit is refused
//! ([`ErrorKind::BudgetExceeded`](sabir_core::ErrorKind::BudgetExceeded), [`Stage::NotSent`](sabir_core::Stage::NotSent)).
//! While a stream passes it is metered; at its end, however it ends, it is settled, and what was left over is there again.
//!
//! # What is charged
//!
//! One rule, in every dialect, for budgets and ledger alike:
//!
//! | how it ended | what is charged | since |
//! |---|---|---|
//! | answered | the provider's own figure, else its usage at list price; what it did not count is estimated | that is what is billed |
//! | refused or failed with a status (4xx, 429, 5xx) before anything was told | nothing | providers bill what they answer (Novita's page on billing has a table by status; Azure says so of 429) |
//! | never sent | nothing | nobody saw it |
//! | left, cut or broken off in the middle | its input, and what had arrived | the same table: who disconnects is billed for what was worked on; OpenRouter says which providers stop then |
//! | perhaps sent, without an answer | its input | caution: it may have been read |
//!
//! What is estimated says so ([`Usage::estimated`](sabir_core::chat::Usage::estimated)). What was reserved by a price and
//! has none in the end counts as it was reserved. A spend is of the window in which its attempt began.
//!
//! # What holds
//!
//! For hard budgets, at any time, spent and reserved together are no more than the budget allows, whatever the concurrency,
//! as far as the bound holds that was reserved for: text is bounded by its bytes, or by the upper bound of
//! [`sabir_tokens`] where the bytes do not fit; media by the latter. Not in it is what the provider alone knows: what its
//! own tools read, what it has stored of earlier calls, a surcharge that is on no list, and what it writes after a stream
//! was left and before it notices.
//!
//! | what | default |
//! |---|---|
//! | prices | [`Receipts::default`]: the list that was built in |
//! | store | [`Memory`], loaded from the ledger when a purse is first touched |
//! | ledger | none |
//! | longest answer | the request's `max_tokens`, else the model's ([`Spend::traits`]), else [`Budget::assume_output`] |
//! | first reservation of a stream | all of it; with [`Spend::steps`] less |
//!
//! ```
//! use sabir_layers::{Budget, Spend, Stack, Window};
//! use sabir_prices::Usd;
//!
//! let spend = Spend::default()
//!     .budget(Budget::per(Window::month(), Usd::dollars(500)).alerts([50, 80, 100]))
//!     .budget(Budget::per(Window::day(), "2.50".parse()?).each_client())
//!     .budget(Budget::per_request(Usd::cents(40)));
//! let stack = Stack::standard().spend(spend.clone()); // client.stack(stack)
//! # drop((stack, spend));
//! # Ok::<(), sabir_core::Error>(())
//! ```

mod admit;
mod alert;
mod attempt;
mod bill;
mod budget;
mod class;
mod demand;
mod funds;
mod gauge;
mod hold;
mod load;
#[cfg(all(test, sabir_model))]
mod model;
mod purse;
mod scope;
mod serve;
mod standing;
mod stream;
mod tariff;
#[cfg(test)]
mod tests;
mod window;
mod zone;

use std::collections::HashMap;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use sabir_core::chat::ChatRequest;
use sabir_core::{Clock, TraitsOf};
pub use sabir_prices::Usd;
use sabir_store::{Ledger, Memory, Store};
use sabir_tokens::{Counter, ModelId};

use self::alert::Alarm;
pub use self::alert::{Alert, AlertWebhook};
pub use self::budget::{Budget, WhenLedgerFails, WhenUnpriced};
use self::purse::Fund;
pub use self::standing::Standing;
use self::tariff::Tariff;
pub use self::window::Window;
use crate::{Metrics, PerPlace, Receipts, RuntimeClock};

/// The layer that keeps budgets and writes the ledger. Clones share what is spent; see the [module](self).
#[derive(Clone, Debug)]
pub struct Spend {
    funds: Vec<Arc<Fund>>,
    /// The numbers of those that are of calls with a label, by it, and of the others: a call looks only at those of its own
    /// labels, however many there are.
    labelled: HashMap<(String, String), Vec<usize>>,
    others: Vec<usize>,
    receipts: Receipts,
    ledger: Option<Arc<dyn Ledger>>,
    store: Arc<dyn Store>,
    prefix: String,
    /// Whether the store knows nothing of what was before.
    loads: bool,
    traits: Option<TraitsOf>,
    step: Option<u64>,
    counter: Arc<Counter>,
    alarm: Alarm,
    clock: Arc<dyn Clock>,
    /// Since 1970: what the ledger has of before is loaded, what comes after is counted here.
    born: Duration,
    /// How many were before it; see [`Spend::after`].
    generation: u32,
    tariffs: PerPlace<Mutex<Option<Arc<Tariff>>>>,
    metrics: Option<Metrics>,
}

impl Default for Spend {
    /// By the prices that were built in.
    fn default() -> Self {
        Self::by(&Receipts::default())
    }
}

impl Spend {
    /// By the prices of these receipts, now and whenever they are refreshed.
    pub fn by(receipts: &Receipts) -> Self {
        Self {
            funds: Vec::new(),
            labelled: HashMap::new(),
            others: Vec::new(),
            born: receipts.now(),
            receipts: receipts.clone(),
            ledger: None,
            store: Arc::new(Memory::default()),
            prefix: String::new(),
            loads: true,
            traits: None,
            step: None,
            counter: Arc::default(),
            alarm: Alarm::default(),
            clock: Arc::new(RuntimeClock::default()),
            generation: 0,
            tariffs: PerPlace::default(),
            metrics: None,
        }
    }

    /// Adds a budget. All budgets that concern a call hold at once.
    #[must_use]
    pub fn budget(mut self, budget: Budget) -> Self {
        let number = self.funds.len();
        match budget.scope.only.tags.first().cloned() {
            Some(tag) => self.labelled.entry(tag).or_default().push(number),
            None => self.others.push(number),
        }
        self.funds.push(Arc::new(Fund::new(budget, number, &self.prefix)));
        self
    }

    /// Writes every attempt into this ledger: a row before it is sent, its end before the caller sees it.
    #[must_use]
    pub fn ledger(mut self, ledger: Arc<dyn Ledger>) -> Self {
        self.ledger = Some(ledger);
        self
    }

    /// The ledger that is written, where there is one.
    pub fn kept_ledger(&self) -> Option<Arc<dyn Ledger>> {
        self.ledger.clone()
    }

    /// Keeps what is spent in this store, under keys that begin with `prefix`: so that several processes keep a budget
    /// together. It is taken to know what was spent before; nothing is loaded from the ledger.
    #[must_use]
    pub fn store(mut self, store: Arc<dyn Store>, prefix: impl Into<String>) -> Self {
        (self.store, self.prefix, self.loads) = (store, prefix.into(), false);
        let again = |(at, fund): (usize, &Arc<Fund>)| Arc::new(Fund::new(fund.budget.clone(), at, &self.prefix));
        self.funds = self.funds.iter().enumerate().map(again).collect();
        self
    }

    /// Where it is looked up how much a model writes at most. The `sabir` facade sets its catalog; without one, requests
    /// that do not say `max_tokens` need [`Budget::assume_output`].
    #[must_use]
    pub fn traits(mut self, traits: TraitsOf) -> Self {
        self.traits = Some(traits);
        self
    }

    pub(crate) fn has_traits(&self) -> bool {
        self.traits.is_some()
    }

    /// Reserves for so many tokens of a stream's answer at first, and as many again whenever they are nearly used up. More
    /// streams fit into a budget at once; where there is no more, a stream is cut. Thoughts that a provider hides are not
    /// seen until the end: not for models that think in secret.
    #[must_use]
    pub fn steps(mut self, tokens: u64) -> Self {
        self.step = Some(tokens.max(1));
        self
    }

    /// Counts in these metrics what a budget would have refused that only alerts ([`Metrics::would_refuse`]).
    #[must_use]
    pub fn meter(mut self, metrics: &Metrics) -> Self {
        self.metrics = Some(metrics.clone());
        self
    }

    /// Calls this for every alert of every budget. It must not wait.
    #[must_use]
    pub fn on_alert(mut self, call: impl Fn(&Alert) + Send + Sync + 'static) -> Self {
        self.alarm.call(call);
        self
    }

    /// Tells this server of every alert.
    #[must_use]
    pub fn webhook(mut self, webhook: AlertWebhook) -> Self {
        self.alarm.send(webhook);
        self
    }

    /// Takes the time from this clock, for latencies.
    #[must_use]
    pub fn clock(mut self, clock: impl Clock) -> Self {
        self.clock = Arc::new(clock);
        self
    }

    /// Takes the time of day, since 1970 in UTC, from elsewhere: windows go by it.
    #[must_use]
    pub fn time(mut self, time: impl Fn() -> Duration + Send + Sync + 'static) -> Self {
        self.receipts = self.receipts.time(move || Some(time()));
        self.born = self.now();
        self
    }

    fn now(&self) -> Duration {
        self.receipts.now()
    }

    /// About how many tokens a conversation is.
    fn input_of(&self, chat: Option<&ChatRequest>, provider: &str) -> u64 {
        chat.map_or(0, |chat| self.counter.count(chat, &ModelId::new(provider, chat.model.as_str())).tokens)
    }
}
