use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::ModelPrices;

/// Prices of one's own, laid over a list: a discount that was agreed, a model of one's own, a server that costs
/// nothing.
///
/// A model's prices are replaced as a whole. It is named `provider/model`; `provider/*` is for all of a provider's
/// models that nothing else names, and stands before the list.
///
/// ```
/// use sabir_prices::{Overlay, Prices};
///
/// let overlay: Overlay = serde_json::from_str(r#"{
///     "version": "agreed-2027",
///     "models": {
///         "openai/gpt-6-luna": {"standard": {"input": "0.08", "output": "0.4", "cache_read": "0.008"}},
///         "vllm/*": {"standard": {"input": 0, "output": 0}}
///     }
/// }"#)?;
/// let prices = Prices::default().with(overlay);
/// assert!(prices.version().ends_with("+agreed-2027"));
/// assert_eq!(prices.find("vllm", "any").unwrap().standard.input.unwrap().0, 0);
/// # Ok::<(), serde_json::Error>(())
/// ```
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Overlay {
    /// What receipts call it; `own` where it has no name.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub version: Option<String>,
    /// The prices, by `provider/model`.
    pub models: BTreeMap<String, ModelPrices>,
}

impl Overlay {
    pub(crate) fn find(&self, provider: &str, model: &str) -> Option<&ModelPrices> {
        self.models.get(&format!("{provider}/{model}"))
    }

    pub(crate) fn all_of(&self, provider: &str) -> Option<&ModelPrices> {
        self.models.get(&format!("{provider}/*"))
    }
}
