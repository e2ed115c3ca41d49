//! The providers as data: who speaks which dialect, where, with which key, and with which quirks.
//!
//! `providers.toml` is the source; `cargo xtask generate` writes `table.rs` from it.

mod suggest;
mod table;

pub use suggest::nearest;

use http::{HeaderName, HeaderValue};
use sabir_core::{Auth, Endpoint, TraitsOf};

/// One row of `providers.toml`.
#[derive(Clone, Copy, Debug)]
#[non_exhaustive]
pub struct ProviderRow {
    /// Its name in a model reference: the `openai` of `openai/gpt-6-luna`.
    pub id: &'static str,
    /// Other names that are accepted for it.
    pub aliases: &'static [&'static str],
    /// Its name for people.
    pub name: &'static str,
    /// The dialect it speaks, by that dialect's name; empty where it holds no conversations.
    pub dialect: &'static str,
    /// The further dialects that it serves, each with the path that stands in place of the base URL's own; empty where
    /// it is the same.
    pub also: &'static [(&'static str, &'static str)],
    /// The format in which it gives vectors, by that format's name; empty where it gives none.
    pub embed: &'static str,
    /// The format in which it orders documents, by that format's name; empty where it orders none.
    pub rerank: &'static str,
    /// The format in which it lists its models, by that format's name; empty where it lists none.
    pub models: &'static str,
    /// The format in which it is asked how many tokens a conversation is, by that format's name; empty where it does not
    /// count.
    pub count: &'static str,
    /// The format in which it takes batches of conversations, by that format's name; empty where it takes none.
    pub batches: &'static str,
    /// Where its API begins, without a trailing slash; empty where the user has to say.
    pub base_url: &'static str,
    /// What is put behind a base URL that has no path of its own; empty for most.
    pub base_path: &'static str,
    /// A host that is gone, and the base URL that is used in place of one there.
    pub moved: Option<(&'static str, &'static str)>,
    /// Environment variables that replace the base URL; the first that is set wins.
    pub base_url_env: &'static [&'static str],
    /// Environment variables that hold the key; the first that is set wins.
    pub key_env: &'static [&'static str],
    /// Environment variables that hold a bearer token, which is sent in place of the key; the first that is set wins.
    pub token_env: &'static [&'static str],
    /// Headers whose values stand in environment variables, of which the first that is set wins.
    pub header_env: &'static [(&'static str, &'static [&'static str])],
    /// Environment variables that name the default model; the first that is set wins.
    pub model_env: &'static [&'static str],
    /// How the key is sent.
    pub auth: AuthRow,
    /// Whether it refuses to be called without a key.
    pub key_required: bool,
    /// The default model; empty where it depends on what the server has loaded.
    pub model: &'static str,
    /// The small default model; empty where it depends on what the server has loaded.
    pub cheap_model: &'static str,
    /// Headers that go with every request, as names and values.
    pub headers: &'static [(&'static str, &'static str)],
    /// Where it departs from its dialect, by the names that the dialect's room documents.
    pub quirks: &'static [(&'static str, &'static str)],
    /// Why the service is gone and what to use instead; `None` while it is there.
    pub retired: Option<&'static str>,
}

/// How a row's provider wants its key.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum AuthRow {
    /// `Authorization: Bearer KEY` (RFC 6750).
    Bearer,
    /// In this header.
    Header(&'static str),
    /// In the query, under this name.
    Query(&'static str),
    /// By an AWS identity: a signature (Signature Version 4), or one of Bedrock's bearer keys.
    Aws,
    /// It wants none.
    None,
}

/// Every row, in the order of `providers.toml`.
pub fn rows() -> &'static [ProviderRow] {
    table::TABLE
}

/// The row with this id or alias. Exact: nothing is guessed.
pub fn find(id: &str) -> Option<&'static ProviderRow> {
    rows().iter().find(|row| row.id == id || row.aliases.contains(&id))
}

/// The row that stands for a dialect or format where none is named: its inventor's, by whose id the format's name
/// begins (`gemini-embed`), else the first that speaks it.
pub fn inventor(format: &str) -> Option<&'static ProviderRow> {
    let row = format.split_once('-').and_then(|(inventor, _)| find(inventor));
    row.or_else(|| rows().iter().find(|row| row.speaks(format)))
}

/// The id or alias that was probably meant: at most two slips away (one, for names of up to four letters), else
/// one that begins like `id`, or begins it. For error messages only.
pub fn did_you_mean(id: &str) -> Option<&'static str> {
    nearest(id, rows().iter().flat_map(|row| std::iter::once(row.id).chain(row.aliases.iter().copied())))
}

impl ProviderRow {
    /// The value of a quirk; `None` where the provider follows its dialect.
    pub fn quirk(&self, name: &str) -> Option<&'static str> {
        self.quirks.iter().find(|(known, _)| *known == name).map(|(_, value)| *value)
    }

    /// Whether it speaks this dialect or format.
    pub fn speaks(&self, format: &str) -> bool {
        let formats = [self.embed, self.rerank, self.models, self.count, self.batches];
        !format.is_empty() && (formats.contains(&format) || self.dialects().any(|(dialect, _)| dialect == format))
    }

    /// The dialects that it serves, its usual one first, each with the path that stands in place of the base URL's
    /// own; empty where it is the same.
    pub fn dialects(&self) -> impl Iterator<Item = (&'static str, &'static str)> + Clone {
        let usual = Some((self.dialect, "")).filter(|(dialect, _)| !dialect.is_empty());
        usual.into_iter().chain(self.also.iter().copied())
    }

    /// A dialect that it serves, by its name or by the name without its inventor's (`responses`), and that path. Where
    /// two names end alike the first is meant.
    pub fn dialect_called(&self, name: &str) -> Option<(&'static str, &'static str)> {
        let short = |dialect: &str| dialect.split_once('-').is_some_and(|(_, short)| short == name);
        let mut dialects = self.dialects();
        self.dialects().find(|(dialect, _)| *dialect == name).or_else(|| dialects.find(|(dialect, _)| short(dialect)))
    }

    /// The base URL of one of its further dialects, of its base URL and that dialect's path. A base URL whose path is
    /// not the row's (a proxy's) gets the path behind it.
    pub fn base_url_with(&self, base: &str, path: &str) -> String {
        let base = base.trim_end_matches('/');
        if path.is_empty() || base.ends_with(path) {
            return base.to_owned();
        }
        let own = path_of(self.base_url).unwrap_or(self.base_path);
        // Many take their usual dialect with and without a version.
        let root = base.strip_suffix(own).filter(|_| !own.is_empty()).or_else(|| base.strip_suffix("/v1"));
        root.unwrap_or(base).to_owned() + path
    }

    /// The base URL in place of one whose host is gone.
    pub fn moved(&self, base: &str) -> Option<&'static str> {
        let (gone, now) = self.moved?;
        let host = base.split_once("://").map_or(base, |(_, rest)| rest).split(['/', ':']).next()?;
        host.eq_ignore_ascii_case(gone).then_some(now)
    }

    /// The row as an endpoint, still without a key.
    #[expect(clippy::missing_panics_doc, reason = "a test makes the endpoint of every row")]
    pub fn endpoint(&self) -> Endpoint {
        let name = |text: &'static str| HeaderName::from_bytes(text.as_bytes()).expect("a test reads every row");
        Endpoint {
            provider: self.id.into(),
            base_url: self.base_url.into(),
            auth: match self.auth {
                // Who has an AWS identity signs; this crate has no clock to sign by.
                AuthRow::Bearer | AuthRow::Aws => Auth::Bearer,
                AuthRow::Header(header) => Auth::Header(name(header)),
                AuthRow::Query(parameter) => Auth::Query(parameter.into()),
                AuthRow::None => Auth::None,
            },
            key: None,
            headers: self.headers.iter().map(|(key, value)| (name(key), HeaderValue::from_static(value))).collect(),
            quirks: self.quirks.iter().copied().collect(),
            traits: TraitsOf(crate::catalog::traits),
            notices: Vec::new(),
        }
    }

    /// A base URL as a user writes it, made whole: without a scheme it is `http://` and gets the port of the row's
    /// own base URL (`OLLAMA_HOST=box` means `http://box:11434/v1`), without a path it gets [`Self::base_path`].
    pub fn whole_base_url(&self, given: &str) -> String {
        let given = given.trim().trim_end_matches('/');
        let mut url = if given.contains("://") { given.to_owned() } else { format!("http://{given}") };
        let host_start = url.find("://").map_or(0, |at| at + 3);
        if url[host_start..].contains('/') || given.is_empty() {
            return url;
        }
        if !given.contains("://")
            && port(&url[host_start..]).is_none()
            && let Some(own) = self.base_url.split("://").nth(1).and_then(port)
        {
            url.push(':');
            url.push_str(own);
        }
        url + self.base_path
    }
}

/// The path of a URL, where it has one.
fn path_of(url: &str) -> Option<&str> {
    let at = url.find("://")? + 3;
    url[at..].find('/').map(|slash| &url[at + slash..])
}

/// The port in `host:port/path`, where there is one.
fn port(authority: &str) -> Option<&str> {
    let authority = authority.split('/').next().unwrap_or_default();
    // An IPv6 address stands in brackets and has colons of its own.
    let after_host = &authority[authority.rfind(']').map_or(0, |at| at + 1)..];
    after_host.split_once(':').map(|(_, port)| port)
}

#[cfg(test)]
mod tests;
