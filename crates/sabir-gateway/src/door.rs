//! Who is let in, and as whom.

use std::borrow::Cow;
use std::sync::Arc;

use http::header::AUTHORIZATION;
use http::{HeaderMap, StatusCode, Uri};
use sabir::{Call, Error, ErrorKind, Result, Stage};

use crate::keys::{Keys, VirtualKey};

/// The headers in which official clients send a bare key: Anthropic's, Azure's, Google's.
const KEY_HEADERS: [&str; 3] = ["x-api-key", "api-key", "x-goog-api-key"];

/// The label of a call that has the name of the key it was made with.
pub(crate) const KEY_TAG: &str = "key";

/// Who asks: the holder of a key, or anybody at a gateway that asks for none.
#[derive(Debug)]
pub(crate) struct Guest(Option<Arc<VirtualKey>>);

/// Lets a request in.
pub(crate) fn let_in(keys: Option<&Keys>, headers: &HeaderMap, uri: &Uri) -> Result<Guest> {
    let Some(keys) = keys else { return Ok(Guest(None)) };
    let Some(shown) = shown(headers, uri) else {
        return Err(stay_out("no key was sent; send yours as the SDK's API key (Authorization: Bearer sk-sabir-…)"));
    };
    keys.find(&shown).map(|key| Guest(Some(key))).map_err(stay_out)
}

fn stay_out(why: &str) -> Error {
    Error::new(ErrorKind::Authentication, why).with_status(StatusCode::UNAUTHORIZED).with_stage(Stage::NotSent)
}

/// The key that a request shows, wherever a client of any dialect puts one.
pub(crate) fn shown<'a>(headers: &'a HeaderMap, uri: &'a Uri) -> Option<Cow<'a, str>> {
    let text = |name: &str| headers.get(name).and_then(|value| value.to_str().ok());
    let bare = || KEY_HEADERS.iter().find_map(|name| text(name));
    let in_query = || uri.query()?.split('&').find_map(|pair| pair.strip_prefix("key="));
    bearer(headers).or_else(bare).or_else(in_query).map(Cow::Borrowed)
}

/// What a request shows as its bearer (RFC 6750).
pub(crate) fn bearer(headers: &HeaderMap) -> Option<&str> {
    let (scheme, key) = headers.get(AUTHORIZATION)?.to_str().ok()?.split_once(' ')?;
    scheme.eq_ignore_ascii_case("bearer").then(|| key.trim())
}

impl Guest {
    /// Writes into a call whose it is.
    pub(crate) fn sign(&self, call: &mut Call) {
        let Some(key) = &self.0 else { return };
        call.tenant.clone_from(&key.tenant);
        call.tags.push((KEY_TAG.to_owned(), key.name.clone()));
        let own = [("team", &key.team), ("user", &key.user)];
        call.tags.extend(own.into_iter().filter_map(|(tag, value)| Some((tag.to_owned(), value.clone()?))));
        call.tags.extend(key.tags.iter().cloned());
    }

    /// Whether this one may ask a model: by the name it was asked with, or by its provider and name there.
    ///
    /// # Errors
    /// `Permission` where it may not.
    pub(crate) fn may_ask(&self, asked: &str, provider: &str, model: &str) -> Result<()> {
        let Some(key) = &self.0 else { return Ok(()) };
        if key.opens(&[asked, &format!("{provider}/{model}")]) {
            return Ok(());
        }
        let may = if key.models.is_empty() { &key.team_models } else { &key.models };
        let message = format!("the key {:?} may not ask {asked:?}; it may ask {}", key.name, may.join(", "));
        Err(Error::new(ErrorKind::Permission, message)
            .with_status(StatusCode::FORBIDDEN)
            .with_model(asked)
            .with_stage(Stage::NotSent))
    }

    /// Whether its key says that nothing may be lost of what it asks.
    pub(crate) fn is_strict(&self) -> bool {
        self.0.as_ref().is_some_and(|key| key.strict)
    }

    /// Whether its key says that it may ask a provider for anything.
    pub(crate) fn may_raw(&self) -> bool {
        self.0.as_ref().is_some_and(|key| key.raw)
    }

    /// Whether this one may use an MCP server; `for_all` are those that are open to whoever needs no key.
    #[cfg(feature = "config")]
    pub(crate) fn may_use(&self, server: &str, for_all: &[String]) -> bool {
        let servers = self.0.as_deref().map_or(for_all, |key| &key.mcp);
        servers.iter().any(|name| name == server)
    }

    /// The name of its key; `None` at a gateway that asks for none.
    pub(crate) fn name(&self) -> Option<&str> {
        self.0.as_deref().map(|key| key.name.as_str())
    }

    /// The team of its key, where it has one.
    pub(crate) fn team(&self) -> Option<&str> {
        self.0.as_deref()?.team.as_deref()
    }

    /// Whether a listed model is shown to this one.
    pub(crate) fn sees(&self, name: &str) -> bool {
        self.0.as_ref().is_none_or(|key| key.allows(name))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn key_of(headers: &[(&'static str, &'static str)], uri: &'static str) -> Option<String> {
        let mut map = HeaderMap::new();
        for (name, value) in headers {
            map.insert(*name, http::HeaderValue::from_static(value));
        }
        shown(&map, &Uri::from_static(uri)).map(Cow::into_owned)
    }

    #[test]
    fn every_dialects_way_of_sending_a_key_is_taken() {
        for header in [
            ("authorization", "Bearer k1"),
            ("authorization", "bearer  k1 "),
            ("x-api-key", "k1"),
            ("api-key", "k1"),
            ("x-goog-api-key", "k1"),
        ] {
            assert_eq!(key_of(&[header], "/v1/x").as_deref(), Some("k1"), "{header:?}");
        }
        assert_eq!(key_of(&[], "/v1beta/models/m:generateContent?alt=sse&key=k1").as_deref(), Some("k1"));
        assert_eq!(key_of(&[("authorization", "AWS4-HMAC-SHA256 Credential=k1")], "/"), None);
        assert_eq!(key_of(&[], "/v1/x?monkey=k1"), None);
    }

    #[test]
    fn a_key_opens_what_it_may() {
        let keys = Keys::new();
        let secret = keys.issue(VirtualKey::new("ada").models(["fast", "openai/*"]).tenant("team")).expect("a key");
        let mut headers = HeaderMap::new();
        let refused = let_in(Some(&keys), &headers, &Uri::from_static("/")).expect_err("no key");
        assert_eq!((refused.kind(), refused.stage()), (ErrorKind::Authentication, Stage::NotSent));
        headers.insert("x-api-key", secret.expose().parse().expect("a header"));
        let guest = let_in(Some(&keys), &headers, &Uri::from_static("/")).expect("let in");
        let mut call = Call::default();
        guest.sign(&mut call);
        assert_eq!((call.tenant.as_str(), &call.tags[..]), ("team", &[("key".to_owned(), "ada".to_owned())][..]));
        assert!(guest.may_ask("fast", "anthropic", "m").is_ok());
        assert!(guest.may_ask("m", "openai", "m").is_ok(), "by its place");
        let refused = guest.may_ask("slow", "anthropic", "m").expect_err("not this one");
        assert_eq!(refused.kind(), ErrorKind::Permission);
        assert!(refused.message().contains("fast, openai/*"), "{refused}");
        assert!(guest.sees("openai/gpt") && !guest.sees("anthropic/m"));
        assert!(Guest(None).sees("anything") && Guest(None).may_ask("m", "p", "m").is_ok());
    }
}
