//! What model calls cost: the list prices of several thousand models as data, and receipts that add up.
//!
//! Money is whole nano-dollars (10⁻⁹ USD), prices are whole nano-dollars for a million tokens: nothing here is floating
//! point. A line is quantity × price ÷ 10⁶, half a nano-dollar rounded up; a total is the sum of its lines and is never
//! rounded again.
//!
//! ```
//! use sabir_core::chat::{ReceiptBasis, Usage};
//! use sabir_prices::{Options, Prices};
//!
//! let mut usage = Usage::default();
//! (usage.input, usage.cache_read, usage.output) = (Some(1_000), Some(4_000), Some(500));
//! let receipt = Prices::default().receipt("anthropic", "claude-sonnet-4-5", &usage, &Options::default());
//! // 1,000 at 3 dollars for a million, 4,000 at 0.30, 500 at 15.
//! assert_eq!(receipt.total, Some(3_000_000 + 1_200_000 + 7_500_000));
//! assert_eq!(receipt.basis, ReceiptBasis::ListPrice);
//! ```
//!
//! # What is exact, estimated, unknown
//!
//! | where | then |
//! |---|---|
//! | the model is not listed, nor is it under its id without a date | unknown: there is no total, and it is not zero |
//! | it is listed under its id without a date only | an estimate |
//! | the provider did not say how much input or output there was | unknown |
//! | a total that the provider states is less than its parts | the total is what is billed: the parts are cut to it, cheap ones first; an estimate |
//! | reasoning, or images that come in, have no price of their own | they are output, or input, as lists mean it |
//! | what is read from or written to a cache, or sound that comes in, has none | an estimate, at the price of input |
//! | sound or images that come out, what is kept for an hour, or a tool, have none | unknown |
//! | the input is above the size of a [`Tier`] | the whole call is at the price of the last such tier |
//! | a batch, or `flex`, has no price, or a long input | an estimate at the full price, which is more |
//! | `priority` has no price, or a long input | unknown |
//! | a service tier of another name | an estimate at the standard price |
//! | the price goes by the hour and the time is unknown | an estimate at the dearer one |
//! | the provider says what it cost | its figure stands beside the lines and is what [`Receipt::cost`] gives |

mod ceiling;
mod choose;
mod memo;
mod model;
mod names;
mod overlay;
mod price;
mod receipt;
mod table;
#[cfg(test)]
mod tests;
mod tiers;
mod usd;

use std::collections::BTreeMap;
use std::sync::{Arc, LazyLock};
use std::time::Duration;

use sabir_core::chat::{Attempt, Cost, Item, Line, Receipt, Usage};
use sabir_core::{Error, ErrorKind, Stage};

pub use ceiling::{Ceiling, Demand, Listed};
pub use model::{ModelPrices, OffPeak, Rates, Tier, Window};
pub use overlay::Overlay;
pub use price::Price;
pub use tiers::service_tier;
pub use usd::Usd;

use memo::Memo;
use table::Table;

/// A list of prices, and what was laid over it. Clones share both.
#[derive(Clone, Debug)]
pub struct Prices {
    table: Arc<Table>,
    /// The last one counts first.
    overlays: Vec<Arc<Overlay>>,
    /// Providers that charge what another one does.
    like: BTreeMap<String, String>,
    version: Arc<str>,
    memo: Arc<Memo>,
}

/// What a price depends on besides what was used.
#[derive(Clone, Copy, Debug, Default)]
#[non_exhaustive]
pub struct Options<'a> {
    /// The service tier, in the provider's word: `flex`, `priority`; see [`service_tier`].
    pub service_tier: Option<&'a str>,
    /// Whether it was part of a batch.
    pub batch: bool,
    /// When it was asked, since 1970 in UTC.
    pub time: Option<Duration>,
    /// The provider's own figure.
    pub reported: Option<Cost>,
}

static BUILT_IN: LazyLock<Arc<Table>> = LazyLock::new(|| {
    Arc::new(Table::new(include_str!("prices.txt").into()).expect("the repository's own rules keep it in order"))
});

pub(crate) fn built_in() -> Arc<Table> {
    BUILT_IN.clone()
}

impl Default for Prices {
    /// The list that was built in; [`Prices::version`] says of when.
    fn default() -> Self {
        Self::of(built_in())
    }
}

impl Prices {
    fn of(table: Arc<Table>) -> Self {
        let version = table.version().into();
        Self { table, overlays: Vec::new(), like: BTreeMap::new(), version, memo: Arc::default() }
    }

    /// Reads a list in the form of the one that is built in, as a newer release has it: the text of its file.
    ///
    /// ```
    /// use sabir_prices::Prices;
    /// let newer = Prices::read("#2027-01-31\n=openai\ngpt-6-luna\tin=0.1 out=0.5 read=0.01\n".into())?;
    /// assert_eq!(newer.version(), "2027-01-31");
    /// # Ok::<(), sabir_core::Error>(())
    /// ```
    ///
    /// # Errors
    /// [`ErrorKind::InvalidRequest`] where any line of it cannot be read or is out of order, or where it is longer than
    /// 16 MiB.
    pub fn read(text: String) -> Result<Self, Error> {
        let table = Table::new(text.into())?;
        table.check()?;
        Ok(Self::of(Arc::new(table)))
    }

    /// Lays prices over these.
    pub fn with(mut self, overlay: Overlay) -> Self {
        self.version = format!("{}+{}", self.version, overlay.version.as_deref().unwrap_or("own")).into();
        self.overlays.push(Arc::new(overlay));
        self.memo = Arc::default();
        self
    }

    /// Has the models of a provider cost what those of another do, where nothing is said of its own: of a second account.
    pub fn like(mut self, provider: impl Into<String>, other: impl Into<String>) -> Self {
        self.like.insert(provider.into(), other.into());
        self.memo = Arc::default();
        self
    }

    /// The date of the list, and the names of what was laid over it with `+` between.
    pub fn version(&self) -> &str {
        &self.version
    }

    /// Every provider and model that the list or what was laid over it names, in no order; a model may come twice.
    pub fn models(&self) -> impl Iterator<Item = (&str, &str)> {
        let listed = self.table.rows().flat_map(|(provider, lines)| {
            lines.lines().filter_map(move |line| Some((provider, line.split_once('\t')?.0)))
        });
        let laid = self.overlays.iter().flat_map(|overlay| overlay.models.keys());
        listed.chain(laid.filter_map(|name| name.split_once('/').filter(|(_, model)| *model != "*")))
    }

    /// The prices of a provider's model, by its id or, where that is not listed, by its id without a date.
    pub fn find(&self, provider: &str, model: &str) -> Option<ModelPrices> {
        self.listed(provider, model).map(|listed| listed.prices.clone())
    }

    /// The prices of a provider's model, as [`find`](Self::find), to be kept. What was looked up once is known.
    pub fn listed(&self, provider: &str, model: &str) -> Option<Arc<Listed>> {
        self.memo.of(provider, model, || self.search(provider, model))
    }

    /// Searches what was laid over the list, and the list.
    pub(crate) fn search(&self, provider: &str, model: &str) -> Option<Listed> {
        let (prices, exact) = self.look_up(provider, model)?;
        Some(Listed { prices, exact, version: self.version.clone() })
    }

    /// The prices, and whether they are those of the very model.
    fn look_up(&self, provider: &str, model: &str) -> Option<(ModelPrices, bool)> {
        self.of_its_own(provider, model).or_else(|| self.of_its_own(self.like.get(provider)?, model))
    }

    fn of_its_own(&self, provider: &str, model: &str) -> Option<(ModelPrices, bool)> {
        let id = names::own(provider, model);
        let plain = names::undated(id);
        let listed = names::provider(provider);
        let laid =
            |find: &dyn Fn(&Overlay) -> Option<ModelPrices>| self.overlays.iter().rev().find_map(|one| find(one));
        laid(&|one| one.find(provider, id).cloned())
            .map(|prices| (prices, true))
            .or_else(|| Some((laid(&|one| one.find(provider, plain?).cloned())?, false)))
            .or_else(|| Some((laid(&|one| one.all_of(provider).cloned())?, true)))
            .or_else(|| Some((self.table.find(listed, id)?, true)))
            .or_else(|| Some((self.table.find(listed, plain?)?, false)))
    }

    /// What a call of this model cost that used this.
    pub fn receipt(&self, provider: &str, model: &str, usage: &Usage, options: &Options<'_>) -> Receipt {
        Receipt::new(self.lines(provider, model, usage, options), self.version(), options.reported)
    }

    /// The lines of abandoned attempts, for [`Receipt::add`]. Of an attempt that was never sent, and of one that was
    /// refused before it was answered, nothing is billed; of one that was left or broke off without a word of its use
    /// there is a line that says so.
    pub fn attempts(&self, attempts: &[Attempt], options: &Options<'_>) -> Vec<Line> {
        let of = |(at, attempt): (usize, &Attempt)| {
            let lines = if !attempt.usage.is_unknown() {
                self.lines(&attempt.provider, &attempt.model, &attempt.usage, options)
            } else if may_be_billed(attempt) {
                vec![Line::new(Item::Attempt, None, None)]
            } else {
                Vec::new()
            };
            lines.into_iter().map(move |line| Line { attempt: Some(at), ..line })
        };
        attempts.iter().enumerate().flat_map(of).collect()
    }

    fn lines(&self, provider: &str, model: &str, usage: &Usage, options: &Options<'_>) -> Vec<Line> {
        let found = self.listed(provider, model);
        let exact = found.as_ref().is_none_or(|listed| listed.exact);
        receipt::lines(found.as_ref().map(|listed| &listed.prices), exact, usage, options)
    }
}

/// Providers bill what they answered, not what they refused.
fn may_be_billed(attempt: &Attempt) -> bool {
    let was_left = matches!(
        attempt.kind,
        ErrorKind::Timeout | ErrorKind::Cancelled | ErrorKind::Network | ErrorKind::Decode | ErrorKind::Truncated
    );
    attempt.stage != Stage::NotSent && was_left
}
