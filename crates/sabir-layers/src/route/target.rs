//! One of the places that a route leads to.

use crate::{KeyPool, Place};

/// A provider and a model that a route leads to, and what its policy is to know of them.
///
/// ```
/// use sabir_layers::Target;
/// let target = Target::new("groq", "llama-3.3-70b").weight(3).price(790);
/// assert_eq!(Target::from("groq/llama-3.3-70b").model, target.model); // what stands before the first slash is the provider
/// ```
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Target {
    /// The provider's own id (no alias of it), perhaps with a dialect behind it.
    pub provider: String,
    /// The model, as the provider names it.
    pub model: String,
    /// Its share of the calls, for the policies that know shares. 0 keeps it for when the others fail.
    pub weight: u32,
    /// What a token costs, in nano-dollars (1 $ for a million tokens is 1,000), by whatever mix of input and output
    /// suits the caller. Only the order matters.
    pub price: Option<u64>,
    /// Whether the model goes on with an answer that was begun: a last message of the assistant's. See
    /// [`MidStream::Continue`](crate::MidStream).
    pub prefill: bool,
    /// Keys for this target alone; else the provider's own.
    pub keys: Option<KeyPool>,
}

impl Target {
    /// A model of a provider's, with weight 1.
    pub fn new(provider: impl Into<String>, model: impl Into<String>) -> Self {
        Self { provider: provider.into(), model: model.into(), weight: 1, price: None, prefill: false, keys: None }
    }

    /// Sets its share of the calls.
    #[must_use]
    pub fn weight(mut self, weight: u32) -> Self {
        self.weight = weight;
        self
    }

    /// Sets what a token costs, in nano-dollars.
    #[must_use]
    pub fn price(mut self, nano_usd: u64) -> Self {
        self.price = Some(nano_usd);
        self
    }

    /// Sets whether the model goes on with an answer that was begun.
    #[must_use]
    pub fn prefill(mut self, prefill: bool) -> Self {
        self.prefill = prefill;
        self
    }

    /// Sets keys for this target alone. What stands between the route and the provider (a retry) sees each of these
    /// tries; where many share a provider, a [`Keys`](crate::Keys) layer below retry changes keys sooner.
    #[must_use]
    pub fn keys(mut self, pool: KeyPool) -> Self {
        self.keys = Some(pool);
        self
    }

    pub(super) fn place(&self) -> Place {
        Place { provider: self.provider.clone(), model: self.model.clone(), key: String::new() }
    }
}

/// `provider/model`.
impl From<&str> for Target {
    fn from(place: &str) -> Self {
        let (provider, model) = place.split_once('/').unwrap_or((place, ""));
        Self::new(provider, model)
    }
}
