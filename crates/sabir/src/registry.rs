//! Who can be called: the built-in providers, and those registered at run time.

use std::collections::BTreeMap;
use std::sync::{Arc, PoisonError, RwLock};

use sabir_core::{Error, ErrorKind, Result, Service, Shared};
use sabir_dialects::providers;

use crate::Provider;
use crate::provider::unknown;

/// The providers of a client. Cloning shares it: a provider registered in one clone is there in all, and calls made
/// after that go to it.
#[derive(Clone, Debug, Default)]
pub struct Registry {
    added: Arc<RwLock<BTreeMap<String, Registered>>>,
    without_builtin: bool,
}

/// Something that can be called by an id.
#[derive(Clone, Debug)]
pub(crate) enum Registered {
    Provider(Arc<Provider>),
    Service(Shared),
}

impl Registry {
    /// The built-in providers.
    pub fn new() -> Self {
        Self::default()
    }

    /// No providers at all: only those registered will be there.
    pub fn empty() -> Self {
        Self { without_builtin: true, ..Self::default() }
    }

    /// Adds a provider under its id, in place of one that was there.
    pub fn register(&self, provider: Provider) {
        self.insert(provider.id().to_owned(), Registered::Provider(Arc::new(provider)));
    }

    /// Adds any service under an id: a simulator, a fake, a client of one's own.
    pub fn register_service(&self, id: impl Into<String>, service: impl Service) {
        self.insert(id.into(), Registered::Service(Shared::new(service)));
    }

    /// A provider, registered or built in.
    ///
    /// # Errors
    /// `Configuration` for an id that is not known, with the one that was probably meant.
    pub fn get(&self, id: &str) -> Result<Provider> {
        match self.find(id)? {
            Registered::Provider(provider) => Ok((*provider).clone()),
            Registered::Service(_) => Err(Error::new(
                ErrorKind::Configuration,
                format!("{id:?} is a service, not a provider with a key and a URL"),
            )),
        }
    }

    /// Whether an id names a provider here.
    pub fn contains(&self, id: &str) -> bool {
        self.added.read().unwrap_or_else(PoisonError::into_inner).contains_key(id)
            || (!self.without_builtin && providers::find(id).is_some())
    }

    /// All ids, registered ones first.
    pub fn ids(&self) -> Vec<String> {
        let mut ids: Vec<String> = self.added.read().unwrap_or_else(PoisonError::into_inner).keys().cloned().collect();
        if !self.without_builtin {
            let builtin = providers::rows().iter().filter(|row| row.retired.is_none()).map(|row| row.id.to_owned());
            let builtin: Vec<String> = builtin.filter(|id| !ids.contains(id)).collect();
            ids.extend(builtin);
        }
        ids
    }

    /// The id that was probably meant, for error messages.
    pub(crate) fn did_you_mean(&self, id: &str) -> Option<String> {
        let ids = self.ids();
        providers::nearest(id, ids.iter().map(String::as_str)).map(str::to_owned)
    }

    /// What a call of this id goes to. A built-in row becomes a registered provider when it is first used, so that
    /// it stays the same one from then on.
    pub(crate) fn find(&self, id: &str) -> Result<Registered> {
        if let Some(found) = self.added.read().unwrap_or_else(PoisonError::into_inner).get(id) {
            return Ok(found.clone());
        }
        if self.without_builtin {
            return Err(unknown(id, self.did_you_mean(id).as_deref()));
        }
        if providers::find(id).is_none() {
            return Err(unknown(id, self.did_you_mean(id).as_deref()));
        }
        let provider = Provider::builtin(id)?;
        let mut added = self.added.write().unwrap_or_else(PoisonError::into_inner);
        Ok(added.entry(id.to_owned()).or_insert_with(|| Registered::Provider(Arc::new(provider))).clone())
    }

    fn insert(&self, id: String, registered: Registered) {
        self.added.write().unwrap_or_else(PoisonError::into_inner).insert(id, registered);
    }
}
