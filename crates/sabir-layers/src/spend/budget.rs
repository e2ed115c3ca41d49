use std::fmt;

use sabir_prices::{Price, Usd};

use super::Window;
use super::scope::{Each, Scope};

/// How much may be spent: by one call, or by many in a time.
///
/// ```
/// use sabir_layers::{Budget, Window};
/// use sabir_prices::Usd;
///
/// let budgets = [
///     Budget::per_request("0.25".parse()?),
///     Budget::per(Window::month(), Usd::dollars(500)).alerts([50, 80, 100]),
///     Budget::per(Window::day().east(3_600), Usd::dollars(20)).each_client(),
///     Budget::per(Window::hour(), Usd::dollars(2)).for_model("openai/gpt-6-luna").soft(),
/// ];
/// assert_eq!(budgets[2].to_string(), "$20 a day (UTC+01:00) for each client");
/// # Ok::<(), sabir_core::Error>(())
/// ```
///
/// It is hard unless it is said to be otherwise: what could pass it is refused before it is sent.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Budget {
    name: Option<String>,
    pub(super) most: Usd,
    /// `None` for one of a single call.
    pub(super) window: Option<Window>,
    pub(super) scope: Scope,
    pub(super) mode: Mode,
    unpriced: Option<WhenUnpriced>,
    ledger_fails: Option<WhenLedgerFails>,
    pub(super) assume_output: Option<u64>,
    /// In percent, rising.
    pub(super) alerts: Vec<u8>,
}

/// What becomes of a call that could pass a budget.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Mode {
    Hard,
    Soft,
    AlertOnly,
}

/// What becomes of a call whose model has no known price.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum WhenUnpriced {
    /// It is refused. So it is by hard budgets, unless they say otherwise.
    Refuse,
    /// It is let through and counts for nothing. So it is by the others.
    Allow,
    /// It counts at these prices.
    Assume {
        /// Of input.
        input: Price,
        /// Of output.
        output: Price,
    },
}

/// What becomes of a call where the ledger cannot be written or read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum WhenLedgerFails {
    /// It is refused. So it is by hard budgets, unless they say otherwise: what is not written down is spent again after
    /// a restart.
    Refuse,
    /// It goes on, and its answer says so ([`Notice::Unrecorded`](sabir_core::chat::Notice::Unrecorded)).
    GoOn,
}

impl Budget {
    /// At most so much for each call.
    pub fn per_request(most: Usd) -> Self {
        Self {
            name: None,
            most,
            window: None,
            scope: Scope::default(),
            mode: Mode::Hard,
            unpriced: None,
            ledger_fails: None,
            assume_output: None,
            alerts: Vec::new(),
        }
    }

    /// At most so much in a time, for all calls together unless `for_…` or `each_…` says otherwise.
    pub fn per(window: Window, most: Usd) -> Self {
        Self { window: Some(window), ..Self::per_request(most) }
    }

    /// What it is called wherever it is spoken of, and kept under in a shared store. Without a name it is known by what it
    /// says and by its place among the others.
    #[must_use]
    pub fn named(mut self, name: impl Into<String>) -> Self {
        self.name = Some(name.into());
        self
    }

    /// Lets calls through that pass it, and says so on their answers
    /// ([`Notice::OverBudget`](sabir_core::chat::Notice::OverBudget)).
    #[must_use]
    pub fn soft(mut self) -> Self {
        self.mode = Mode::Soft;
        self
    }

    /// Does nothing but alert: what it would refuse, were it hard, goes on and is counted
    /// ([`Metrics::would_refuse`](crate::Metrics::would_refuse)).
    #[must_use]
    pub fn alert_only(mut self) -> Self {
        self.mode = Mode::AlertOnly;
        self
    }

    /// What becomes of calls of models without a known price.
    #[must_use]
    pub fn when_unpriced(mut self, then: WhenUnpriced) -> Self {
        self.unpriced = Some(then);
        self
    }

    /// What becomes of calls while the ledger cannot be written or read.
    #[must_use]
    pub fn when_ledger_fails(mut self, then: WhenLedgerFails) -> Self {
        self.ledger_fails = Some(then);
        self
    }

    /// The longest answer, in tokens, of models of which it is not known, where the request says nothing. It is no guess:
    /// an answer that comes whole is asked for with it as its `max_tokens`, and a stream is cut there unless the budget
    /// has more. Without it, a hard budget refuses such calls.
    #[must_use]
    pub fn assume_output(mut self, tokens: u64) -> Self {
        self.assume_output = Some(tokens);
        self
    }

    /// Alerts, once for each window and purse, when so many percent are spent. It counts what is settled, not what is
    /// reserved.
    #[must_use]
    pub fn alerts(mut self, percent: impl IntoIterator<Item = u8>) -> Self {
        self.alerts.extend(percent);
        self.alerts.sort_unstable();
        self.alerts.dedup();
        self
    }

    /// Only calls of this client ([`Call::tenant`](sabir_core::Call::tenant)).
    #[must_use]
    pub fn for_client(mut self, client: impl Into<String>) -> Self {
        self.scope.only.tenant = Some(client.into());
        self
    }

    /// Only calls with the key of this name.
    #[must_use]
    pub fn for_key(mut self, name: impl Into<String>) -> Self {
        self.scope.only.key = Some(name.into());
        self
    }

    /// Only calls of this provider, by its own id (no alias of it), in whichever dialect.
    #[must_use]
    pub fn for_provider(mut self, provider: impl Into<String>) -> Self {
        self.scope.only.provider = Some(provider.into());
        self
    }

    /// Only calls of this model: `provider/model`, or a model's name without a slash for whichever provider has it.
    #[must_use]
    pub fn for_model(mut self, model: &str) -> Self {
        if let Some((provider, model)) = model.split_once('/') {
            self.scope.only.provider = Some(provider.to_owned());
            self.scope.only.model = Some(model.to_owned());
        } else {
            self.scope.only.model = Some(model.to_owned());
        }
        self
    }

    /// Only calls with this label.
    #[must_use]
    pub fn for_tag(mut self, name: impl Into<String>, value: impl Into<String>) -> Self {
        self.scope.only.tags.push((name.into(), value.into()));
        self
    }

    /// Each client has a purse of its own.
    #[must_use]
    pub fn each_client(self) -> Self {
        self.each(Each::Client)
    }

    /// Each key has a purse of its own.
    #[must_use]
    pub fn each_key(self) -> Self {
        self.each(Each::Provider).each(Each::Key)
    }

    /// Each provider has a purse of its own.
    #[must_use]
    pub fn each_provider(self) -> Self {
        self.each(Each::Provider)
    }

    /// Each model of each provider has a purse of its own.
    #[must_use]
    pub fn each_model(self) -> Self {
        self.each(Each::Provider).each(Each::Model)
    }

    /// Each value of this label has a purse of its own; calls without the label share one.
    #[must_use]
    pub fn each_tag(self, name: impl Into<String>) -> Self {
        self.each(Each::Tag(name.into()))
    }

    fn each(mut self, each: Each) -> Self {
        if !self.scope.each.contains(&each) {
            self.scope.each.push(each);
        }
        self
    }

    /// The provider that it is about, where it names one.
    pub(super) fn provider(&self) -> Option<String> {
        self.scope.only.provider.clone()
    }

    pub(super) fn has_name(&self) -> bool {
        self.name.is_some()
    }

    pub(super) fn is_hard(&self) -> bool {
        self.mode == Mode::Hard
    }

    pub(super) fn unpriced(&self) -> WhenUnpriced {
        self.unpriced.unwrap_or(if self.is_hard() { WhenUnpriced::Refuse } else { WhenUnpriced::Allow })
    }

    pub(super) fn refuses_without_ledger(&self) -> bool {
        let usual = if self.is_hard() { WhenLedgerFails::Refuse } else { WhenLedgerFails::GoOn };
        self.mode != Mode::AlertOnly && self.ledger_fails.unwrap_or(usual) == WhenLedgerFails::Refuse
    }

    /// What its purses are kept under; `number` is its place among the others.
    pub(super) fn id(&self, number: usize) -> String {
        match (&self.name, &self.window) {
            (Some(name), _) => format!("{name:?}"),
            (None, Some(window)) => format!("{number}/{window:?}{:?}{:?}", self.scope.only, self.scope.each),
            (None, None) => number.to_string(),
        }
    }
}

/// `$20 a day for each client`, or its name.
impl fmt::Display for Budget {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(name) = &self.name {
            return f.write_str(name);
        }
        match &self.window {
            Some(window) => write!(f, "{} {}{}", self.most, In(window), self.scope)?,
            None => write!(f, "{} a request{}", self.most, self.scope)?,
        }
        let mut word = " for each";
        for each in &self.scope.each {
            write!(f, "{word} {each}")?;
            word = " and";
        }
        Ok(())
    }
}

/// `a day`, but `in any 24h`.
struct In<'a>(&'a Window);

impl fmt::Display for In<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.0.span().is_some() {
            f.write_str("in ")?;
        }
        self.0.fmt(f)
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[test]
    fn budgets_say_what_they_are() {
        for (budget, said) in [
            (Budget::per_request(Usd::cents(25)), "$0.25 a request"),
            (
                Budget::per(Window::rolling(Duration::from_secs(7_200)), Usd(1)).each_key(),
                "$0.000000001 in any 2h for each provider and key",
            ),
            (Budget::per(Window::day(), Usd::dollars(1)).named("pocket money").each_key(), "pocket money"),
            (Budget::per(Window::week(), Usd::dollars(1)).for_tag("team", "red"), "$1 a week for team \"red\""),
        ] {
            assert_eq!(budget.to_string(), said);
        }
    }

    #[test]
    fn only_hard_ones_refuse_by_themselves() {
        let hard = Budget::per_request(Usd(1));
        assert_eq!((hard.unpriced(), hard.refuses_without_ledger()), (WhenUnpriced::Refuse, true));
        let soft = hard.soft();
        assert_eq!((soft.unpriced(), soft.refuses_without_ledger()), (WhenUnpriced::Allow, false));
        assert!(soft.when_ledger_fails(WhenLedgerFails::Refuse).refuses_without_ledger());
    }
}
