//! Who can be called.

use std::collections::BTreeMap;
use std::num::NonZeroU64;

use http::{HeaderName, Uri};

use super::calls::OwnTimeouts;
use crate::field::{Kind, Leaf, Setting, choice, section};
use crate::node::Node;
use crate::scope::Scope;
use crate::secret::SecretRef;
use crate::values::{Named, leaf, read_leaf};

section! {
    /// A provider: one that is built in, or one's own with a dialect and a base URL.
    ProviderConfig {
        /// Its name, where providers are written as a list.
        name: Option<String>;
        /// The built-in provider that it is like, where its name is another: a second account.
        like: Option<String>, also "type";
        /// The dialect it speaks: `openai-chat`, `anthropic-messages` …; one of your own speaks `openai-chat` unless
        /// said.
        dialect: Option<String>;
        /// Where its API begins.
        base_url: Option<Url>, env "*_BASE_URL";
        /// Its key.
        api_key: Option<SecretRef>, also "key", env "*_API_KEY";
        /// Several keys, by names under which limits and states speak of them. They are used in place of `api_key`.
        keys: Named<KeyConfig>, also "api_keys";
        /// How one of several keys is chosen.
        rotation: Rotation = "round_robin";
        /// How the key is sent; as the built-in provider wants it unless said.
        auth: Option<AuthConfig>;
        /// The model of requests that name none.
        model: Option<String>, also "default_model", env "*_MODEL";
        /// Headers for every request; values can be kept elsewhere, as keys can.
        headers: BTreeMap<String, SecretRef>;
        /// Where it departs from its dialect, by the names that the dialect documents.
        quirks: BTreeMap<String, String>, also "settings";
        /// Time limits of its own.
        timeouts: OwnTimeouts;
        /// Limits of all its calls together.
        limits: ProviderLimits, also "rate_limits";
    }

    /// A key among several.
    KeyConfig {
        /// Its name, where keys are written as a list.
        name: Option<String>;
        /// The key.
        key: SecretRef, also "api_key";
        /// Its share of the calls.
        weight: Option<u32>;
    }

    /// Limits of all calls of a provider together.
    ProviderLimits {
        /// Requests in any minute.
        requests_per_minute: Option<NonZeroU64>;
        /// Tokens in any minute, input and output together.
        tokens_per_minute: Option<NonZeroU64>;
        /// Tokens of input in any minute.
        input_tokens_per_minute: Option<NonZeroU64>;
        /// Tokens of output in any minute.
        output_tokens_per_minute: Option<NonZeroU64>;
        /// Calls at once.
        concurrent_calls: Option<NonZeroU64>, also "max_concurrent_calls";
    }
}

choice! {
    /// How one of several keys is chosen.
    Rotation {
        /// Each in its turn.
        RoundRobin = "round_robin";
        /// Each as often as its weight says.
        Weighted = "weighted";
        /// The one with the fewest calls in flight for its weight.
        LeastBusy = "least_busy";
    }
}

/// An `http://` or `https://` address without a user, a password or a trailing slash.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Url(pub String);

const URL: Leaf = Leaf {
    name: "an address",
    example: "https://api.example.com/v1",
    pattern: "^https?://[^@]+$",
    number: false,
    secret: false,
};

impl Setting for Url {
    const KIND: Kind = Kind::Leaf(&URL);

    fn read(node: Option<&Node>, scope: &mut Scope<'_>) -> Option<Self> {
        let node = node?;
        if node.text().is_some_and(|text| text.contains('@')) {
            // What stands there may be a password: it is not shown.
            scope.fault(&node.source, "must not have a user or a password in it; put the key in `api_key`");
            return None;
        }
        read_leaf(Some(node), scope, &URL, |text| {
            let uri: Uri = text.parse().ok()?;
            let known =
                matches!(uri.scheme_str(), Some("http" | "https")) && uri.host().is_some_and(|host| !host.is_empty());
            known.then(|| Self(text.trim_end_matches('/').to_owned()))
        })
    }
}

/// How a key is sent.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum AuthConfig {
    /// `Authorization: Bearer KEY` (RFC 6750).
    Bearer,
    /// In a header of this name.
    Header(HeaderName),
    /// In the query, under this name.
    Query(String),
    /// None is sent.
    None,
}

leaf!(
    AuthConfig, "bearer, none, header:NAME or query:NAME", "", "^(bearer|none|(header|query):.+)$", number: false,
    |text| match text.split_once(':') {
        None if text == "bearer" => Some(AuthConfig::Bearer),
        None if text == "none" => Some(AuthConfig::None),
        Some(("header", name)) => name.trim().parse().ok().map(AuthConfig::Header),
        Some(("query", name)) if !name.trim().is_empty() => Some(AuthConfig::Query(name.trim().to_owned())),
        _ => None,
    }
);
