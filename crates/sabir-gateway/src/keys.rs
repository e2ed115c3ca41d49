//! Keys that the gateway gives to its own clients. Only their hashes are kept.

use std::collections::HashMap;
use std::fmt;
use std::sync::{Arc, PoisonError, RwLock};
use std::time::SystemTime;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use sabir::{Error, ErrorKind, Result, Secret};
use sha2::{Digest as _, Sha256};

/// What all keys begin with, so that a leaked one is known for what it is.
const PREFIX: &str = "sk-sabir-";

/// The SHA-256 of a key. A key has 256 random bits, so that a plain hash can neither be guessed nor looked up.
#[derive(Clone, Copy)]
pub(crate) struct Digest([u8; 32]);

impl Digest {
    pub(crate) fn of(key: &str) -> Self {
        Self(Sha256::digest(key.as_bytes()).into())
    }
}

/// In the same time wherever they differ.
impl PartialEq for Digest {
    fn eq(&self, other: &Self) -> bool {
        self.0.iter().zip(other.0).fold(0, |differing, (mine, theirs)| differing | (mine ^ theirs)) == 0
    }
}

impl fmt::Debug for Digest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("sha256:…")
    }
}

/// A key of the gateway's own, and what it is good for.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct VirtualKey {
    /// What it is called in logs, ledgers and errors.
    pub name: String,
    /// Whose calls it makes: budgets and caches are kept apart by it.
    pub tenant: String,
    /// The models it may ask, as clients name them or as `provider/model` by the provider's own id, which holds for all
    /// its names and dialects; `*` at the end stands for anything. Empty for all.
    pub models: Vec<String>,
    /// Labels of its calls.
    pub tags: Vec<(String, String)>,
    /// From when on it opens nothing.
    pub expires: Option<SystemTime>,
    /// Whether it opens nothing for now.
    pub disabled: bool,
    /// Whether it may ask a provider for anything it has, at `/raw/PROVIDER/…`, where it may ask all its models.
    pub raw: bool,
    /// Whether what a dialect cannot carry is an error for it, before anything is sent.
    pub strict: bool,
    /// The team it belongs to; a label of its calls.
    pub team: Option<String>,
    /// Who has it; a label of its calls.
    pub user: Option<String>,
    /// The models that its team may ask; it may ask none but those that are in both. Empty for all.
    pub team_models: Vec<String>,
    /// The MCP servers that it may use, at `/mcp/NAME`.
    pub mcp: Vec<String>,
}

impl VirtualKey {
    /// A key for all models, of a tenant of its own.
    pub fn new(name: impl Into<String>) -> Self {
        let name = name.into();
        Self { tenant: name.clone(), name, ..Self::default() }
    }

    /// Sets the models it may ask.
    #[must_use]
    pub fn models<M: Into<String>>(mut self, models: impl IntoIterator<Item = M>) -> Self {
        self.models = models.into_iter().map(Into::into).collect();
        self
    }

    /// Sets whose calls it makes: several keys may be of one tenant.
    #[must_use]
    pub fn tenant(mut self, tenant: impl Into<String>) -> Self {
        self.tenant = tenant.into();
        self
    }

    /// Adds a label.
    #[must_use]
    pub fn tag(mut self, name: impl Into<String>, value: impl Into<String>) -> Self {
        self.tags.push((name.into(), value.into()));
        self
    }

    /// Sets from when on it opens nothing.
    #[must_use]
    pub fn expires(mut self, time: SystemTime) -> Self {
        self.expires = Some(time);
        self
    }

    /// Whether a model of this name may be asked.
    pub fn allows(&self, model: &str) -> bool {
        self.opens(&[model])
    }

    /// Whether a model may be asked that has several names.
    pub(crate) fn opens(&self, names: &[&str]) -> bool {
        let among = |patterns: &[String]| {
            patterns.is_empty() || names.iter().any(|name| patterns.iter().any(|pattern| fits(pattern, name)))
        };
        among(&self.models) && among(&self.team_models)
    }
}

fn fits(pattern: &str, model: &str) -> bool {
    pattern.strip_suffix('*').map_or(pattern == model, |start| model.starts_with(start))
}

/// The keys of a gateway. Clones are the same keys; they may be changed while requests are answered.
#[derive(Clone, Debug, Default)]
pub struct Keys(Arc<RwLock<HashMap<[u8; 32], Held>>>);

/// A key, and from when on this one of its secrets opens nothing, though others may.
#[derive(Clone, Debug)]
struct Held {
    key: Arc<VirtualKey>,
    until: Option<SystemTime>,
}

impl Keys {
    /// No keys: nobody is let in.
    pub fn new() -> Self {
        Self::default()
    }

    /// Makes a key. It is given out this once: only its hash is kept.
    ///
    /// # Errors
    /// `Configuration` where the system has no randomness.
    pub fn issue(&self, about: VirtualKey) -> Result<Secret> {
        let key = Self::make()?;
        self.admit(key.expose(), about);
        Ok(key)
    }

    /// A new key, which opens nothing before it is [admitted](Self::admit), or its hash is
    /// ([`admit_hash`](Self::admit_hash)).
    ///
    /// # Errors
    /// As [`issue`](Self::issue).
    pub fn make() -> Result<Secret> {
        let mut random = [0; 32];
        getrandom::fill(&mut random).map_err(|error| {
            Error::new(ErrorKind::Configuration, format!("the system gives no random numbers: {error}"))
        })?;
        Ok(format!("{PREFIX}{}", URL_SAFE_NO_PAD.encode(random)).into())
    }

    /// The SHA-256 of a key: what is kept of it.
    pub fn hash(key: &Secret) -> [u8; 32] {
        Digest::of(key.expose()).0
    }

    /// Takes a key that was made elsewhere.
    pub fn admit(&self, key: &str, about: VirtualKey) {
        self.admit_hash(Digest::of(key).0, about, None);
    }

    /// Takes a key that was made elsewhere, by its SHA-256; from `until` on this one opens nothing, though others of the
    /// same name may: so one key can be put in the place of another while both are in use.
    pub fn admit_hash(&self, hash: [u8; 32], about: impl Into<Arc<VirtualKey>>, until: Option<SystemTime>) {
        self.write().insert(hash, Held { key: about.into(), until });
    }

    /// Changes what the keys of this name are good for; `false` where there are none.
    pub fn change(&self, name: &str, change: impl Fn(&mut VirtualKey)) -> bool {
        let mut keys = self.write();
        let found = keys.values_mut().filter(|held| held.key.name == name);
        found.map(|held| change(Arc::make_mut(&mut held.key))).count() > 0
    }

    /// Takes away the keys of this name; `false` where there are none.
    pub fn revoke(&self, name: &str) -> bool {
        let mut keys = self.write();
        let before = keys.len();
        keys.retain(|_, held| held.key.name != name);
        keys.len() < before
    }

    /// What all keys are good for, by name.
    pub fn list(&self) -> Vec<Arc<VirtualKey>> {
        let held = self.0.read().unwrap_or_else(PoisonError::into_inner);
        let mut all: Vec<_> = held.values().map(|held| held.key.clone()).collect();
        drop(held);
        all.sort_by(|one, other| one.name.cmp(&other.name));
        all
    }

    /// What a key is good for, or why it opens nothing. The table is asked by the hash: how long that takes tells
    /// nothing of any key.
    pub(crate) fn find(&self, key: &str) -> std::result::Result<Arc<VirtualKey>, &'static str> {
        let found = self.0.read().unwrap_or_else(PoisonError::into_inner).get(&Digest::of(key).0).cloned();
        let found = found.ok_or("this key is not known here; ask who runs the gateway for one")?;
        if found.key.disabled {
            return Err("this key is disabled; ask who runs the gateway");
        }
        let ends = [found.key.expires, found.until];
        if ends.into_iter().flatten().any(|end| SystemTime::now() >= end) {
            return Err("this key has expired; ask who runs the gateway for another");
        }
        Ok(found.key)
    }

    fn write(&self) -> std::sync::RwLockWriteGuard<'_, HashMap<[u8; 32], Held>> {
        self.0.write().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_lives_changes_and_ends() {
        let keys = Keys::new();
        let secret = keys.issue(VirtualKey::new("ada")).expect("a key");
        let other = keys.issue(VirtualKey::new("ada")).expect("a second of that name, to rotate");
        assert!(secret.expose().starts_with(PREFIX) && secret.expose().len() == PREFIX.len() + 43);
        assert_ne!(secret.expose(), other.expose());
        assert!(!format!("{keys:?}").contains(secret.expose()));
        assert_eq!(keys.find(secret.expose()).expect("known").name, "ada");
        assert!(keys.find("sk-sabir-guess").is_err());

        assert!(keys.change("ada", |key| key.disabled = true) && !keys.change("eve", |key| key.disabled = true));
        assert!(keys.find(other.expose()).expect_err("disabled").contains("disabled"));
        keys.change("ada", |key| (key.disabled, key.expires) = (false, Some(SystemTime::UNIX_EPOCH)));
        assert!(keys.find(secret.expose()).expect_err("too late").contains("expired"));
        keys.change("ada", |key| key.expires = None);
        assert!(keys.find(secret.expose()).is_ok());
        assert!(keys.revoke("ada") && !keys.revoke("ada"));
        assert!(keys.find(secret.expose()).is_err() && keys.list().is_empty());
    }

    #[test]
    fn one_key_takes_the_place_of_another_while_both_open() {
        let (keys, about) = (Keys::new(), Arc::new(VirtualKey::new("ada")));
        let (old, new) = (Keys::make().expect("a key"), Keys::make().expect("a key"));
        let tomorrow = SystemTime::now() + std::time::Duration::from_secs(86_400);
        keys.admit_hash(Keys::hash(&old), about.clone(), Some(tomorrow));
        keys.admit_hash(Keys::hash(&new), about.clone(), None);
        assert!(keys.find(old.expose()).is_ok() && keys.find(new.expose()).is_ok());
        keys.admit_hash(Keys::hash(&old), about, Some(SystemTime::UNIX_EPOCH));
        assert!(keys.find(old.expose()).expect_err("its time is over").contains("expired"));
        assert!(keys.find(new.expose()).is_ok());
    }

    #[test]
    fn a_key_may_ask_what_its_team_may_too() {
        let mut key = VirtualKey::new("k").models(["openai/*"]);
        key.team_models = vec!["fast".into(), "openai/gpt-*".into()];
        assert!(key.allows("openai/gpt-6") && !key.allows("openai/o4") && !key.allows("fast"));
        assert!(key.opens(&["fast", "openai/o4"]), "the team by the one name, the key by the other");
    }

    #[test]
    fn patterns_end_in_a_star_or_are_exact() {
        let key = VirtualKey::new("k").models(["openai/gpt-*", "fast"]);
        for (model, may) in [("openai/gpt-6", true), ("openai/o4", false), ("fast", true), ("faster", false)] {
            assert_eq!(key.allows(model), may, "{model}");
        }
        assert!(VirtualKey::new("k").allows("anything"));
    }

    #[test]
    fn digests_compare_whole() {
        let digest = Digest::of("key");
        let mut other = digest;
        assert!(digest == other);
        other.0[31] ^= 1;
        assert!(digest != other);
    }
}
