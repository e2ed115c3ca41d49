//! Where a call goes, as far as policies tell places apart.

use std::collections::HashMap;
use std::fmt;
use std::sync::{Arc, PoisonError, RwLock};

use sabir_core::{Call, Request};

/// A provider, a model and, where there are several, a key: what limits, breakers and loads are kept by.
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Place {
    /// The provider's id.
    pub provider: String,
    /// The model.
    pub model: String,
    /// The key's name; empty where there is only one.
    pub key: String,
}

impl Place {
    /// Where this call of this request goes.
    pub fn of(call: &Call, request: &Request) -> Self {
        let key = call.key.as_ref().map(|key| key.name.clone()).unwrap_or_default();
        Self { provider: call.provider.clone(), model: request.model().to_owned(), key }
    }
}

/// `provider/model`, with the key's name behind where there is one.
impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.provider, self.model)?;
        if self.key.is_empty() { Ok(()) } else { write!(f, " ({})", self.key) }
    }
}

/// Something that every place has one of, made when it is first called. Clones share all of it.
///
/// The number of places is bounded: a caller who invents models would else fill the memory. Where there are too many,
/// one that nobody holds on to is forgotten.
#[derive(Debug)]
pub struct PerPlace<T>(Arc<RwLock<HashMap<Place, Arc<T>>>>);

/// More places than any set of providers, models and keys that is in use at once.
const MAX_PLACES: usize = 10_000;

impl<T> Clone for PerPlace<T> {
    fn clone(&self) -> Self {
        Self(self.0.clone())
    }
}

impl<T> Default for PerPlace<T> {
    fn default() -> Self {
        Self(Arc::default())
    }
}

impl<T> PerPlace<T> {
    /// What the place of this call has.
    pub fn get_or(&self, place: &Place, make: impl FnOnce() -> T) -> Arc<T> {
        if let Some(found) = self.0.read().unwrap_or_else(PoisonError::into_inner).get(place) {
            return found.clone();
        }
        let mut all = self.0.write().unwrap_or_else(PoisonError::into_inner);
        if all.len() >= MAX_PLACES
            && let Some(idle) =
                all.iter().find(|(_, held)| Arc::strong_count(held) == 1).map(|(place, _)| place.clone())
        {
            all.remove(&idle);
        }
        all.entry(place.clone()).or_insert_with(|| Arc::new(make())).clone()
    }

    /// All that there is, in the order of the places.
    pub fn all(&self) -> Vec<(Place, Arc<T>)> {
        let all = self.0.read().unwrap_or_else(PoisonError::into_inner);
        let mut all: Vec<_> = all.iter().map(|(place, held)| (place.clone(), held.clone())).collect();
        all.sort_by(|(a, _), (b, _)| a.cmp(b));
        all
    }
}
