//! Who can be called: the built-in providers, and those registered at run time.

use std::collections::BTreeMap;
use std::sync::{Arc, PoisonError, RwLock};

use sabir_core::{Call, Error, ErrorKind, Result, Service, Shared};
use sabir_dialects::providers;

use crate::Provider;
use crate::provider::unknown;

/// The providers of a client. Cloning shares it: a provider registered in one clone is there in all, and calls made
/// after that go to it.
#[derive(Clone, Debug, Default)]
pub struct Registry {
    added: Arc<RwLock<BTreeMap<String, Registered>>>,
    spoken: Arc<RwLock<Spoken>>,
    without_builtin: bool,
}

/// Providers in another of their dialects, by `id:dialect`, each behind the provider that it was made of.
type Spoken = BTreeMap<String, (Arc<Provider>, Arc<Provider>)>;

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
        self.register_as(provider.id().to_owned(), provider);
    }

    /// Adds a provider under an id or an alias, as it is called.
    pub(crate) fn register_as(&self, id: String, provider: Provider) {
        self.insert(id, Registered::Provider(Arc::new(provider)));
    }

    /// Adds any service under an id: a simulator, a fake, a client of one's own.
    pub fn register_service(&self, id: impl Into<String>, service: impl Service) {
        self.insert(id.into(), Registered::Service(Shared::new(service)));
    }

    /// A provider, registered or built in. Behind its id may stand one of its dialects: `openai:openai-responses`, or
    /// without the inventor's name `openai:responses`.
    ///
    /// # Errors
    /// `Configuration` for an id that is not known, with the one that was probably meant, or for a dialect that the
    /// provider does not serve, with those that it does.
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
        let own = self.parts(id).0;
        let added = self.added.read().unwrap_or_else(PoisonError::into_inner);
        let is_added = added.contains_key(id) || (!id.contains(':') && added.contains_key(own));
        drop(added);
        is_added
            || (!self.without_builtin && providers::find(id).is_some())
            || (id.contains(':') && self.find(id).is_ok())
    }

    /// The id by which a provider is known wherever it is spoken of, of any of its names: of an alias (`claude`) its own,
    /// and of `id:dialect` the id. What was registered under a name is called so, whatever else is. A name that nobody
    /// has stays.
    ///
    /// ```
    /// let registry = sabir::Registry::new();
    /// assert_eq!(["claude", "openai:responses", "nobody"].map(|name| registry.own_id(name)), ["anthropic", "openai", "nobody"]);
    /// ```
    pub fn own_id<'i>(&self, name: &'i str) -> &'i str {
        self.parts(name).0
    }

    /// Has a call go to the provider of this name, by its own id and with the dialect apart, by its whole name. Two names
    /// of one provider are one to all that a call meets on its way: limits, budgets, permissions, ledgers, figures.
    pub fn aim(&self, call: &mut Call, name: &str) {
        let (id, dialect) = self.parts(name);
        id.clone_into(&mut call.provider);
        call.dialect = dialect.map(|dialect| self.whole_dialect(id, dialect).unwrap_or_else(|| dialect.to_owned()));
    }

    /// A provider's own id, and the dialect that a name says behind it, as it is written there.
    pub(crate) fn parts<'i>(&self, name: &'i str) -> (&'i str, Option<&'i str>) {
        let added = self.added.read().unwrap_or_else(PoisonError::into_inner);
        if added.contains_key(name) {
            return (name, None);
        }
        let (base, dialect) = name.split_once(':').map_or((name, None), |(base, dialect)| (base, Some(dialect)));
        if added.contains_key(base) {
            return (base, dialect);
        }
        (providers::find(base).map_or(base, |row| row.id), dialect)
    }

    /// A dialect's name, of one that may stand there without its inventor's.
    fn whole_dialect(&self, id: &str, dialect: &str) -> Option<String> {
        match self.find(id).ok()? {
            Registered::Provider(provider) => provider.dialect_called(dialect).map(str::to_owned),
            Registered::Service(_) => None,
        }
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
        if let Some((base, dialect)) = id.split_once(':') {
            return self.find_spoken(id, base, dialect).map(Registered::Provider);
        }
        // Under its own id, so that all its names are the same one.
        let own = self.parts(id).0;
        if let Some(found) = self.added.read().unwrap_or_else(PoisonError::into_inner).get(own) {
            return Ok(found.clone());
        }
        if self.without_builtin || providers::find(own).is_none() {
            return Err(unknown(id, self.did_you_mean(id).as_deref()));
        }
        let provider = Provider::builtin(own)?;
        let mut added = self.added.write().unwrap_or_else(PoisonError::into_inner);
        Ok(added.entry(own.to_owned()).or_insert_with(|| Registered::Provider(Arc::new(provider))).clone())
    }

    /// A provider in another of its dialects: the same one for as long as the provider is.
    fn find_spoken(&self, id: &str, base: &str, dialect: &str) -> Result<Arc<Provider>> {
        let Registered::Provider(usual) = self.find(base)? else {
            let message = format!("{base:?} is a service, not a provider with dialects; write {base}/MODEL");
            return Err(Error::new(ErrorKind::Configuration, message));
        };
        if let Some((of, spoken)) = self.spoken.read().unwrap_or_else(PoisonError::into_inner).get(id)
            && Arc::ptr_eq(of, &usual)
        {
            return Ok(spoken.clone());
        }
        let spoken = Arc::new((*usual).clone().with_dialect(dialect)?);
        let mut all = self.spoken.write().unwrap_or_else(PoisonError::into_inner);
        all.insert(id.to_owned(), (usual, spoken.clone()));
        Ok(spoken)
    }

    fn insert(&self, id: String, registered: Registered) {
        self.added.write().unwrap_or_else(PoisonError::into_inner).insert(id, registered);
    }
}
