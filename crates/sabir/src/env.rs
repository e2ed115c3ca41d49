//! The environment as a value, so that what a client reads from it can be said, and tested.

use std::collections::BTreeMap;
use std::sync::Arc;

/// Where settings come from that the caller did not give: the process's environment, a map, or nowhere.
#[derive(Clone, Debug, Default)]
pub struct Env(Source);

#[derive(Clone, Default)]
enum Source {
    #[default]
    Process,
    Given(Arc<BTreeMap<String, String>>),
}

impl Env {
    /// The process's own environment.
    pub fn process() -> Self {
        Self(Source::Process)
    }

    /// No environment at all.
    pub fn none() -> Self {
        Self::from_iter::<[(&str, &str); 0]>([])
    }

    /// A variable that is set to something.
    pub fn get(&self, name: &str) -> Option<String> {
        let value = match &self.0 {
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
        Self(Source::Given(Arc::new(pairs.into_iter().map(|(n, v)| (n.into(), v.into())).collect())))
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
