use std::sync::Arc;

use sabir_core::ModelTraits;
use sabir_prices::{Ceiling, Listed, Options, Prices};
use sabir_tokens::ModelId;

/// What is known of one place's prices, found once for each list of prices.
#[derive(Debug)]
pub(super) struct Tariff {
    prices: Prices,
    /// Whose tokens are counted.
    pub(super) id: ModelId,
    listed: Option<Arc<Listed>>,
    /// For calls that ask for no service tier.
    standard: Option<Arc<Ceiling>>,
    /// The most that an answer can have, in tokens.
    pub(super) max_output: Option<u64>,
}

impl Tariff {
    pub(super) fn new(prices: &Prices, provider: &str, model: &str, traits: &ModelTraits) -> Self {
        let listed = prices.listed(provider, model);
        Self {
            prices: prices.clone(),
            id: ModelId::new(provider, model),
            standard: listed.as_ref().and_then(|listed| listed.ceiling(&Options::default())).map(Arc::new),
            listed,
            // What it writes is in its context.
            max_output: traits.max_output.or(traits.context_window),
        }
    }

    pub(super) fn is_of(&self, prices: &Prices) -> bool {
        self.prices.is_same(prices)
    }

    /// The dearest prices that may apply; `None` where they are unknown.
    pub(super) fn ceiling(&self, tier: Option<&str>) -> Option<Arc<Ceiling>> {
        if tier.is_none() {
            return self.standard.clone();
        }
        let mut options = Options::default();
        options.service_tier = tier;
        self.listed.as_ref()?.ceiling(&options).map(Arc::new)
    }

    /// The prices of an answer that names this provider and model, either of which may be empty: those of the model that
    /// it names, and of the one asked for where that one is not listed and the provider is the one asked.
    pub(super) fn of_answer(&self, provider: &str, model: &str) -> Option<Arc<Listed>> {
        let is_ours = provider.is_empty() || provider == self.id.provider;
        if is_ours && (model.is_empty() || model == self.id.model) {
            return self.listed.clone();
        }
        let provider = if is_ours { &self.id.provider } else { provider };
        let found = self.prices.listed(provider, model);
        if is_ours { found.or_else(|| self.listed.clone()) } else { found }
    }
}
