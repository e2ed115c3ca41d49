//! The environment as a value, so that what a client reads from it can be said, and tested.

use std::collections::BTreeMap;
use std::sync::Arc;

use sabir_core::{Result, Secret};

/// Where settings come from that the caller did not give: the process's environment, a map, or nowhere; and keys that it
/// does not have from where they are kept.
#[derive(Clone, Debug, Default)]
pub struct Env {
    source: Source,
    stored: Option<Stored>,
}

/// Looks for the key of a provider, by the provider's id.
#[derive(Clone)]
struct Stored(Arc<Look>);

type Look = dyn Fn(&str) -> Result<Option<Secret>> + Send + Sync;

#[derive(Clone, Default)]
enum Source {
    #[default]
    Process,
    Given(Arc<BTreeMap<String, String>>),
}

impl Env {
    /// The process's own environment.
    pub fn process() -> Self {
        Self::default()
    }

    /// No environment at all.
    pub fn none() -> Self {
        Self::from_iter::<[(&str, &str); 0]>([])
    }

    /// The same, with keys for providers that neither the caller nor a variable gives one: what this function says for
    /// the provider's id. It is asked when a provider is first called.
    ///
    /// ```
    /// use sabir::Env;
    /// let env = Env::process().stored_keys(|id| Ok((id == "openai").then(|| "sk-…".into())));
    /// # drop(env);
    /// ```
    #[must_use]
    pub fn stored_keys(mut self, key: impl Fn(&str) -> Result<Option<Secret>> + Send + Sync + 'static) -> Self {
        self.stored = Some(Stored(Arc::new(key)));
        self
    }

    /// The key that is kept for a provider, by its id.
    pub(crate) fn stored_key(&self, id: &str) -> Result<Option<Secret>> {
        self.stored.as_ref().map_or(Ok(None), |stored| (stored.0)(id))
    }

    /// A variable that is set to something.
    pub fn get(&self, name: &str) -> Option<String> {
        let value = match &self.source {
            Source::Process => std::env::var(name).ok(),
            Source::Given(map) => map.get(name).cloned(),
        };
        value.map(|v| v.trim().to_owned()).filter(|v| !v.is_empty())
    }

    /// The first of several variables that is set.
    pub fn first<'a>(&self, names: impl IntoIterator<Item = &'a str>) -> Option<String> {
        names.into_iter().find_map(|name| self.get(name))
    }
}

impl<N: Into<String>, V: Into<String>> FromIterator<(N, V)> for Env {
    fn from_iter<I: IntoIterator<Item = (N, V)>>(pairs: I) -> Self {
        let map = pairs.into_iter().map(|(n, v)| (n.into(), v.into())).collect();
        Self { source: Source::Given(Arc::new(map)), stored: None }
    }
}

impl std::fmt::Debug for Stored {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Stored")
    }
}

/// Names only: the values may be keys.
impl std::fmt::Debug for Source {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Process => f.write_str("Process"),
            Self::Given(map) => f.debug_set().entries(map.keys()).finish(),
        }
    }
}
