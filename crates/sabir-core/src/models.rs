//! What models a provider has.

use serde::{Deserialize, Serialize};

use crate::chat::Meta;
use crate::{Error, ErrorKind, Result};

/// Which models there are, or what is known of one.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct ModelsRequest {
    /// Where to go on, as the last page said.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub page: Option<String>,
    /// The one model that is asked for, by the provider's name of it: the answer holds it alone. There may be more said
    /// of it than in the list.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub model: Option<String>,
}

impl ModelsRequest {
    /// A request for what is known of one model.
    pub fn one(model: impl Into<String>) -> Self {
        Self { model: Some(model.into()), ..Self::default() }
    }

    /// Leaves nothing in a list but the model that is asked for, if one is.
    ///
    /// # Errors
    /// `NotFound` where it is not in the list.
    pub fn pick(&self, list: &mut ModelsResponse) -> Result<()> {
        let Some(asked) = &self.model else { return Ok(()) };
        let found = list.models.iter().position(|model| model.id == *asked).ok_or_else(|| {
            Error::new(ErrorKind::NotFound, format!("there is no model {asked:?}; ask for the list")).with_model(asked)
        })?;
        list.models = vec![list.models.swap_remove(found)];
        list.next_page = None;
        Ok(())
    }
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
