//! Texts and images turned into vectors.

use serde::{Deserialize, Serialize};

use crate::Loss;
use crate::chat::{Cost, Media, Meta, Usage};

/// What is to be embedded.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct EmbedRequest {
    /// The model, as in a chat request.
    pub model: String,
    /// What to embed, one vector each.
    pub inputs: Vec<EmbedInput>,
    /// What the vectors are for, where the model tells the purposes apart.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub purpose: Option<EmbedPurpose>,
    /// Length of the vectors, where the model can shorten them.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub dimensions: Option<u32>,
    /// The end user's opaque id.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub user: Option<String>,
    /// What one dialect alone has.
    #[serde(skip_serializing_if = "Meta::is_empty")]
    pub options: Meta,
    /// Whether something that cannot be carried is an error, before anything is sent, and not a loss.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub strict: bool,
}

/// One thing to embed.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum EmbedInput {
    /// A text.
    Text(String),
    /// A text that is tokens already.
    Tokens(Vec<u32>),
    /// An image.
    Image(Media),
}

impl From<&str> for EmbedRequest {
    fn from(text: &str) -> Self {
        Self::from([text])
    }
}

impl From<String> for EmbedRequest {
    fn from(text: String) -> Self {
        Self::from([text])
    }
}

impl<T: Into<String>> From<Vec<T>> for EmbedRequest {
    fn from(texts: Vec<T>) -> Self {
        texts.into_iter().collect()
    }
}

impl<T: Into<String>, const N: usize> From<[T; N]> for EmbedRequest {
    fn from(texts: [T; N]) -> Self {
        texts.into_iter().collect()
    }
}

impl<T: Into<String>> FromIterator<T> for EmbedRequest {
    fn from_iter<I: IntoIterator<Item = T>>(texts: I) -> Self {
        let inputs = texts.into_iter().map(|text| EmbedInput::Text(text.into())).collect();
        Self { inputs, ..Self::default() }
    }
}

crate::chat::open_words! {
    /// What vectors are for.
    pub enum EmbedPurpose {
        /// Texts that will be searched.
        Document = "document",
        /// What is searched for.
        Query = "query",
        /// Sorting into classes.
        Classification = "classification",
        /// Grouping.
        Clustering = "clustering",
        /// Comparing with one another.
        Similarity = "similarity",
    }
}

/// Vectors, in the order of the inputs.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
#[non_exhaustive]
pub struct EmbedResponse {
    /// The provider's id of the answer.
    pub id: String,
    /// The model that answered.
    pub model: String,
    /// The provider that answered.
    pub provider: String,
    /// The vectors.
    pub vectors: Vec<Vec<f32>>,
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
