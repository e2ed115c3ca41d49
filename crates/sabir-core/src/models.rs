//! What models a provider has.

use serde::{Deserialize, Serialize};

use crate::chat::Meta;

/// Which models there are.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct ModelsRequest {
    /// Where to go on, as the last page said.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub page: Option<String>,
}

/// One page of models, in the provider's order.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
#[non_exhaustive]
pub struct ModelsResponse {
    /// The models.
    pub models: Vec<ModelInfo>,
    /// Where the next page begins; `None` on the last.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub next_page: Option<String>,
}

/// One model, as its provider tells of it.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
#[non_exhaustive]
pub struct ModelInfo {
    /// Its name, as requests write it.
    pub id: String,
    /// Its name for people.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    /// When it was made, in seconds since 1970.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub created: Option<u64>,
    /// The most tokens it takes.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub context: Option<u64>,
    /// The most tokens it writes.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub max_output: Option<u64>,
    /// What one dialect alone says of it.
    #[serde(skip_serializing_if = "Meta::is_empty")]
    pub meta: Meta,
}
