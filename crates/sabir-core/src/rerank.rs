//! Documents put in order of how well they answer a query.

use serde::{Deserialize, Serialize};

use crate::Loss;
use crate::chat::{Cost, Meta, Usage};

/// What is to be ordered.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct RerankRequest {
    /// The model, as in a chat request.
    pub model: String,
    /// What is searched for.
    pub query: String,
    /// The documents.
    pub documents: Vec<String>,
    /// How many of the best to return; all where `None`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub top_n: Option<u32>,
    /// What one dialect alone has.
    #[serde(skip_serializing_if = "Meta::is_empty")]
    pub options: Meta,
    /// Whether something that cannot be carried is an error, before anything is sent, and not a loss.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub strict: bool,
}

/// The documents' order, best first.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
#[non_exhaustive]
pub struct RerankResponse {
    /// The provider's id of the answer.
    pub id: String,
    /// The model that answered.
    pub model: String,
    /// The provider that answered.
    pub provider: String,
    /// Best first.
    pub ranking: Vec<Ranked>,
    /// What it used.
    pub usage: Usage,
    /// What it cost, where known.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub cost: Option<Cost>,
    /// What could not be carried.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub losses: Vec<Loss>,
    /// The provider's id of the request.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub request_id: Option<String>,
}

/// One document's place.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Ranked {
    /// Its number in the request, from 0.
    pub index: u32,
    /// How well it answers, in the model's own scale; higher is better.
    pub score: f64,
}
