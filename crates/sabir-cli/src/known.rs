//! What is known of models: their prices and what they can do, together.

use std::collections::BTreeSet;

use sabir::dialects::{catalog, providers};
use sabir::prices::{ModelPrices, Prices};
use sabir::{ModelTraits, traits};

/// One model of one provider.
#[derive(Debug)]
pub(crate) struct Known {
    pub(crate) provider: String,
    pub(crate) id: String,
    /// `None` where no price is known.
    pub(crate) prices: Option<ModelPrices>,
    pub(crate) traits: ModelTraits,
}

impl Known {
    /// As requests write it.
    pub(crate) fn name(&self) -> String {
        format!("{}/{}", self.provider, self.id)
    }

    fn of(prices: &Prices, provider: &str, id: &str) -> Self {
        Self {
            provider: provider.to_owned(),
            id: id.to_owned(),
            prices: prices.find(provider, id),
            traits: traits(provider, id),
        }
    }
}

/// Every model of which a price or an ability is known, in order.
pub(crate) fn all(prices: &Prices) -> Vec<Known> {
    names(prices).into_iter().map(|(provider, id)| Known::of(prices, provider, id)).collect()
}

fn names(prices: &Prices) -> BTreeSet<(&str, &str)> {
    let mut names: BTreeSet<(&str, &str)> = prices.models().collect();
    for (provider, id) in catalog::models() {
        names.insert((provider, id));
    }
    names
}

/// How many names are suggested at most.
const SUGGESTED: usize = 3;

/// Models that may have been meant, as requests write them: of that provider the one that is written nearly so and those
/// that have the word in them, else the same id of other providers.
pub(crate) fn near(prices: &Prices, provider: &str, id: &str) -> Vec<String> {
    let names = names(prices);
    let own = || names.iter().filter(|(known, _)| *known == provider).map(|(_, id)| *id);
    let nearest = providers::nearest(id, own());
    let word = id.to_lowercase();
    let inside = own().filter(|known| word.len() > 2 && known.to_lowercase().contains(&word));
    let elsewhere = names.iter().filter(|(known, same)| *known != provider && *same == id);
    let mut found: Vec<String> = Vec::new();
    let of_it = nearest.into_iter().chain(inside).map(|id| format!("{provider}/{id}"));
    for name in of_it.chain(elsewhere.map(|(provider, id)| format!("{provider}/{id}"))) {
        if !found.contains(&name) {
            found.push(name);
        }
    }
    found.truncate(SUGGESTED);
    found
}

/// The end of a message about a model that is not known.
pub(crate) fn did_you_mean(prices: &Prices, provider: &str, id: &str) -> String {
    match near(prices, provider, id).as_slice() {
        [] => format!("`sabir models --provider {provider}` lists those that are known"),
        [one] => format!("did you mean {one}?"),
        [rest @ .., last] => format!("did you mean {} or {last}?", rest.join(", ")),
    }
}
