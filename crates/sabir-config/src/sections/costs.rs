//! What may be spent, and what things cost.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::time::Duration;

use sabir_prices::{ModelPrices, Overlay, Prices};

use crate::field::{Kind, Setting, choice, section};
use crate::node::Node;
use crate::scope::Scope;
use crate::sections::Settings;
use crate::sections::gateway::CallerBudget;
use crate::sections::words::period;
use crate::sections::zone::TimeZone;
use crate::units::{Money, Share};
use crate::values::leaf;

section! {
    /// One limit for a request and one for everything.
    CostControl {
        /// What one request may cost at most.
        max_cost_per_request: Option<Money>, env "LLM_MAX_COST_PER_REQUEST";
        /// What all requests together may cost within the period.
        max_budget: Option<Money>, env "LLM_MAX_BUDGET";
        /// The period: a duration, which rolls, or `hour`, `day`, `week`, `month`, `year`, which begin by the calendar.
        budget_period: Option<Period>, env "LLM_BUDGET_PERIOD";
        /// What becomes of a request whose price is not known.
        on_unknown_price: UnknownPrice = "refuse";
    }

    /// A budget.
    BudgetConfig {
        /// Its name, in errors and reports.
        name: String;
        /// What may be spent within the period.
        limit: Option<Money>, also "max_budget";
        /// The period: a duration, which rolls, or `hour`, `day`, `week`, `month`, `year`, which begin by the calendar.
        period: Period = "month", also "budget_period";
        /// Where the calendar's days begin: `UTC`, an offset like `+02:00`, or a name of the IANA database like `Europe/Rome`,
        /// whose clocks may change.
        time_zone: Option<TimeZone>, also "timezone";
        /// What one request may cost at most.
        per_request: Option<Money>, also "max_cost_per_request";
        /// What is counted alone.
        scope: BudgetScope = "all";
        /// The tag by whose values it is counted, where the scope is `tag`.
        tag: Option<String>;
        /// Only these clients, keys, models or values of the tag; all of them unless said.
        only: Vec<String>;
        /// What happens at the limit.
        mode: BudgetMode = "hard";
        /// At which shares of the limit somebody is told.
        thresholds: Vec<Share>, also "alert_at";
        /// What becomes of a request whose price is not known.
        on_unknown_price: UnknownPrice = "refuse";
        /// What becomes of a request while the ledger cannot be written or read. Unless said, a hard budget refuses it and
        /// the others let it pass.
        on_ledger_failure: Option<LedgerFailure>;
    }

    /// Keeping account of what was spent.
    LedgerConfig {
        /// The file in which it is kept.
        path: PathBuf, also "file";
        /// How long its rows are kept; for good unless said.
        keep: Option<Duration>, also "retention";
    }

    /// What models cost.
    PricesConfig {
        /// Whether answers say what they cost.
        receipts: bool = "true";
        /// What receipts call the prices below.
        version: Option<String>;
        /// Prices by `provider/model`, or `provider/*` for all that nothing else names, in dollars for a million.
        models: PriceTable;
    }
}

choice! {
    /// What a budget counts alone.
    BudgetScope {
        /// Everything together.
        All = "all";
        /// Each client.
        Client = "client";
        /// Each key.
        Key = "key";
        /// Each provider.
        Provider = "provider";
        /// Each model.
        Model = "model";
        /// Each value of a tag.
        Tag = "tag";
    }

    /// What happens at a budget's limit.
    BudgetMode {
        /// What would pass it is refused before it is sent.
        Hard = "hard";
        /// What is under way may pass it; what comes after is refused.
        Soft = "soft";
        /// Somebody is told, and nothing is refused.
        Alert = "alert";
    }

    /// What becomes of a request whose price is not known.
    UnknownPrice {
        /// It is refused: what cannot be counted cannot be bounded.
        Refuse = "refuse";
        /// It passes, uncounted.
        Allow = "allow";
    }

    /// What becomes of a request while the ledger cannot be written or read.
    LedgerFailure {
        /// It is refused: what is not written down is spent again after a restart.
        Refuse = "refuse";
        /// It passes, and its answer says so.
        GoOn = "go_on";
    }
}

/// The time that a budget is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Period {
    /// At any moment, so long before it.
    Rolling(Duration),
    /// From one beginning by the calendar to the next.
    Calendar(CalendarUnit),
}

/// A unit of the calendar.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum CalendarUnit {
    /// From the full hour.
    Hour,
    /// From midnight.
    Day,
    /// From Monday (ISO 8601).
    Week,
    /// From the first of the month.
    Month,
    /// From the first of January.
    Year,
}

leaf!(
    Period, "a duration or one of hour, day, week, month and year", "24h or month",
    "^(hour|day|week|month|year|([0-9]+(ms|s|m|h|d|w))+)$", number: false, period
);

impl CostControl {
    /// The limits as a budget of the name `cost_control`; `None` where there are none. Over any 24 hours, unless the
    /// period says otherwise.
    pub fn budget(&self) -> Option<BudgetConfig> {
        if self.max_budget.is_none() && self.max_cost_per_request.is_none() {
            return None;
        }
        Some(BudgetConfig {
            name: "cost_control".to_owned(),
            limit: self.max_budget,
            period: self.budget_period.unwrap_or(Period::Rolling(Duration::from_secs(86_400))),
            time_zone: None,
            per_request: self.max_cost_per_request,
            scope: BudgetScope::All,
            tag: None,
            only: Vec::new(),
            mode: BudgetMode::Hard,
            thresholds: Vec::new(),
            on_unknown_price: self.on_unknown_price,
            on_ledger_failure: None,
        })
    }
}

impl CallerBudget {
    /// As a budget of this name, of nobody yet.
    pub fn named(&self, name: impl Into<String>) -> BudgetConfig {
        BudgetConfig {
            name: name.into(),
            limit: self.limit,
            period: self.period,
            time_zone: self.time_zone.clone(),
            per_request: self.per_request,
            scope: BudgetScope::All,
            tag: None,
            only: Vec::new(),
            mode: self.mode,
            thresholds: self.thresholds.clone(),
            on_unknown_price: self.on_unknown_price,
            on_ledger_failure: None,
        }
    }

    /// As a budget of this name, of all calls with this label.
    pub fn of_tag(&self, name: impl Into<String>, tag: &str, value: &str) -> BudgetConfig {
        let (scope, tag, only) = (BudgetScope::Tag, Some(tag.to_owned()), vec![value.to_owned()]);
        BudgetConfig { scope, tag, only, ..self.named(name) }
    }
}

impl Settings {
    /// The list of prices with what is said here laid over it. A second account of a provider (`like`) costs what the
    /// first does.
    pub fn all_prices(&self) -> Prices {
        let laid = self.prices.overlay().into_iter().fold(Prices::default(), Prices::with);
        let accounts = self.providers.iter().filter_map(|(id, said)| Some((id.as_str(), said.like.as_deref()?)));
        accounts.fold(laid, |prices, (id, like)| prices.like(id, like))
    }
}

impl PricesConfig {
    /// The prices to lay over the list; `None` where there are none.
    pub fn overlay(&self) -> Option<Overlay> {
        let models = self.models.0.clone();
        (!models.is_empty()).then(|| Overlay { version: self.version.clone(), models })
    }
}

/// Prices by model.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct PriceTable(pub BTreeMap<String, ModelPrices>);

impl Setting for PriceTable {
    const KIND: Kind = Kind::Prices;
    const OPTIONAL: bool = true;

    fn read(node: Option<&Node>, scope: &mut Scope<'_>) -> Option<Self> {
        let Some(node) = node else { return Some(Self::default()) };
        let Some(entries) = node.table() else {
            scope.expected(node, "prices by model", "");
            return None;
        };
        let mut models = BTreeMap::new();
        for (key, node) in entries {
            match serde_json::from_value(node.json()) {
                Ok(prices) => drop(models.insert(key.name.clone(), prices)),
                Err(error) => scope.fault(&node.source, format!("the prices of {} cannot be read: {error}", key.name)),
            }
        }
        Some(Self(models))
    }
}
