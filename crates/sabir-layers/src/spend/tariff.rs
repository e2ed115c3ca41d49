use std::sync::{Arc, Mutex, PoisonError};

use sabir_core::{Call, ModelTraits, Request};
use sabir_prices::{Ceiling, Listed, Options, Prices};
use sabir_tokens::ModelId;

use super::Spend;

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

impl Spend {
    /// What is known of the prices of a call.
    pub(super) fn tariff(&self, call: &Call, request: &Request) -> Arc<Tariff> {
        let (_, held) = self.tariffs.of(call, request, Mutex::default);
        let mut held = held.lock().unwrap_or_else(PoisonError::into_inner);
        let is_new = |prices: &_| held.as_ref().is_none_or(|tariff| !tariff.is_of(prices));
        let (provider, model) = (call.provider.as_str(), request.model());
        let made = self.receipts.look(|prices| {
            is_new(prices).then(|| {
                let traits = (self.traits.unwrap_or_default().0)(provider, model);
                Arc::new(Tariff::new(prices, provider, model, &traits))
            })
        });
        if let Some(made) = made {
            *held = Some(made);
        }
        held.as_ref().expect("it was made just now, or before").clone()
    }
}
