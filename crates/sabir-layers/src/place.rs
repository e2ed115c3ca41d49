//! Where a call goes, as far as policies tell places apart.

use std::collections::HashMap;
use std::fmt;
use std::sync::{Arc, Mutex, PoisonError, RwLock};

use sabir_core::{Call, Request};

/// A provider, a model and, where there are several, a key: what limits, breakers and loads are kept by.
///
/// The dialect is no part of it. It is another path at the same host, with the same key: a provider's rate limits count
/// all paths together, so what is learned by one holds for the other, and where a model fails or is overloaded it does so
/// behind both.
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Place {
    /// The provider's own id.
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

impl Place {
    /// Whether a call goes here.
    pub(crate) fn is_of(&self, call: &Call, request: &Request) -> bool {
        let key = call.key.as_ref().map_or("", |key| &key.name);
        self.provider == call.provider && self.model == request.model() && self.key == key
    }
}

/// Something that every place has one of, made when it is first called. Clones share all of it.
///
/// The number of places is bounded: a caller who invents models would else fill the memory. Where there are too many,
/// one that nobody holds on to is forgotten.
#[derive(Debug)]
pub struct PerPlace<T>(Arc<Places<T>>);

#[derive(Debug)]
struct Places<T> {
    all: RwLock<HashMap<Place, Arc<T>>>,
    /// The one that was asked for last: most programs call the same place again and again.
    last: Mutex<Option<Known<T>>>,
}

/// A place and what it has.
type Known<T> = (Arc<Place>, Arc<T>);

/// More places than any set of providers, models and keys that is in use at once.
const MAX_PLACES: usize = 10_000;

impl<T> Clone for PerPlace<T> {
    fn clone(&self) -> Self {
        Self(self.0.clone())
    }
}

impl<T> Default for PerPlace<T> {
    fn default() -> Self {
        Self(Arc::new(Places { all: RwLock::default(), last: Mutex::default() }))
    }
}

impl<T> PerPlace<T> {
    /// What the place of this call has, and the place.
    pub fn of(&self, call: &Call, request: &Request, make: impl FnOnce() -> T) -> (Arc<Place>, Arc<T>) {
        self.find(|place| place.is_of(call, request), || Place::of(call, request), make)
    }

    /// What the provider of this call has, whatever the model and key.
    pub fn of_provider(&self, call: &Call, make: impl FnOnce() -> T) -> Arc<T> {
        let place = || Place { provider: call.provider.clone(), ..Place::default() };
        self.find(|place| place.provider == call.provider, place, make).1
    }

    /// What a place has.
    pub fn get_or(&self, place: &Place, make: impl FnOnce() -> T) -> Arc<T> {
        if let Some(found) = self.0.all.read().unwrap_or_else(PoisonError::into_inner).get(place) {
            return found.clone();
        }
        let mut all = self.0.all.write().unwrap_or_else(PoisonError::into_inner);
        if all.len() >= MAX_PLACES
            && let Some(idle) =
                all.iter().find(|(_, held)| Arc::strong_count(held) == 1).map(|(place, _)| place.clone())
        {
            all.remove(&idle);
        }
        all.entry(place.clone()).or_insert_with(|| Arc::new(make())).clone()
    }

    fn find(
        &self,
        is_last: impl FnOnce(&Place) -> bool,
        place: impl FnOnce() -> Place,
        make: impl FnOnce() -> T,
    ) -> Known<T> {
        let mut last = self.0.last.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(known) = last.as_ref().filter(|(place, _)| is_last(place)) {
            return known.clone();
        }
        let place = Arc::new(place());
        let held = self.get_or(&place, make);
        last.insert((place, held)).clone()
    }

    /// All that there is, in the order of the places.
    pub fn all(&self) -> Vec<(Place, Arc<T>)> {
        let all = self.0.all.read().unwrap_or_else(PoisonError::into_inner);
        let mut all: Vec<_> = all.iter().map(|(place, held)| (place.clone(), held.clone())).collect();
        all.sort_by(|(a, _), (b, _)| a.cmp(b));
        all
    }
}

#[cfg(test)]
mod tests {
    use sabir_core::Key;
    use sabir_core::chat::ChatRequest;

    use super::*;

    #[test]
    fn every_place_keeps_its_own_whoever_was_last() {
        let (kept, mut made) = (PerPlace::default(), 0);
        let mut ask = |provider: &str, model: &str, key: Option<&str>| {
            let mut call = Call::to(provider);
            call.key = key.map(|name| Key { name: name.into(), secret: "secret".into() });
            let (place, held) = kept.of(&call, &Request::Chat(ChatRequest::new(model)), || {
                made += 1;
                made
            });
            (place.to_string(), *held)
        };
        assert_eq!(ask("a", "m", None), ("a/m".into(), 1));
        assert_eq!(ask("a", "m", None), ("a/m".into(), 1));
        assert_eq!(ask("a", "n", None), ("a/n".into(), 2));
        assert_eq!(ask("a", "m", Some("k")), ("a/m (k)".into(), 3));
        assert_eq!(ask("b", "m", None), ("b/m".into(), 4));
        assert_eq!(ask("a", "m", None), ("a/m".into(), 1));
        let purses = PerPlace::default();
        assert_eq!((*purses.of_provider(&Call::to("a"), || 1), *purses.of_provider(&Call::to("b"), || 2)), (1, 2));
        assert_eq!(*purses.of_provider(&Call::to("a"), || 3), 1);
    }

    #[test]
    fn places_that_nobody_holds_make_room() {
        let kept = PerPlace::default();
        for n in 0..=MAX_PLACES {
            kept.get_or(&Place { model: n.to_string(), ..Place::default() }, || n);
        }
        assert_eq!(kept.all().len(), MAX_PLACES);
    }
}
