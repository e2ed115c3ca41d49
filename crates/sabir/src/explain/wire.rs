use std::fmt::{self, Write as _};

use bytes::Bytes;
use http::{HeaderMap, Method, Uri};
use sabir_core::chat::ChatRequest;
use sabir_core::drive::encode;
use sabir_core::{Error, ErrorKind, Loss, Result};

use crate::{Env, Provider};

/// A request as a provider would get it, with a variable in the place of the key: `$OPENAI_API_KEY`.
#[derive(Clone)]
#[non_exhaustive]
pub struct WireRequest {
    /// The method.
    pub method: Method,
    /// Where it goes.
    pub uri: Uri,
    /// The headers. What a caller has set stands for itself and is marked as sensitive; see [`headers_shown`](Self::headers_shown).
    pub headers: HeaderMap,
    /// The body.
    pub body: Bytes,
    /// The variable that stands for the key; `None` where none is sent, or it is signed.
    pub key_variable: Option<String>,
    /// Whether it is signed, or gets a token that is fetched, just before it is sent: then it cannot be sent as it is.
    pub is_signed: bool,
    /// What the request loses or has rewritten on the way into the dialect, and to fit the model.
    pub losses: Vec<Loss>,
}

impl WireRequest {
    pub(super) fn of(provider: &Provider, env: &Env, key_is_given: bool, chat: &ChatRequest) -> Result<Self> {
        let endpoint = provider.endpoint_shown(env, key_is_given)?;
        let dialect = provider.dialect().ok_or_else(|| {
            let message = format!("{} holds no conversations, as far as is known here; ask another", provider.id());
            Error::new(ErrorKind::Unsupported, message).with_provider(provider.id())
        })?;
        let mut encoded = encode(dialect, chat, &endpoint)?;
        endpoint.authorize(&mut encoded.uri, &mut encoded.headers)?;
        Ok(Self {
            method: encoded.method,
            uri: encoded.uri,
            headers: encoded.headers,
            body: encoded.body,
            key_variable: endpoint.key.as_ref().map(|key| key.expose().trim_start_matches('$').to_owned()),
            is_signed: provider.signs(),
            losses: encoded.losses,
        })
    }

    /// The headers as they may be shown: in the place of the key its variable, of what else is sensitive its beginning.
    pub fn headers_shown(&self) -> impl Iterator<Item = (&str, String)> {
        self.headers.iter().map(|(name, value)| {
            let text = value.to_str().unwrap_or("(not text)");
            let variable = self.key_variable.as_ref().map(|variable| format!("${variable}"));
            let is_ours = variable.is_some_and(|variable| text.ends_with(&variable));
            let hides = value.is_sensitive() && !is_ours;
            (name.as_str(), if hides { sabir_core::Secret::new(text).masked() } else { text.to_owned() })
        })
    }

    /// A command for a POSIX shell that sends it: the key is the variable that holds it. What is sensitive besides stands
    /// there masked, and has to be put in.
    pub fn curl(&self) -> String {
        let uri = self.uri.to_string();
        let mut out = format!("curl -sS -X {} {}", self.method, self.quoted(&uri));
        for (name, value) in self.headers_shown() {
            // Writing to a string does not fail.
            let _ = write!(out, " \\\n  -H {}", self.quoted(&format!("{name}: {value}")));
        }
        if !self.body.is_empty() {
            let body = String::from_utf8_lossy(&self.body).replace('\'', r"'\''");
            let _ = write!(out, " \\\n  -d '{body}'");
        }
        out.push('\n');
        out
    }

    /// A word of a shell: in double quotes with all that means something there escaped, but for the key's variable.
    fn quoted(&self, text: &str) -> String {
        let escaped = |text: &str| {
            let mut out = String::with_capacity(text.len());
            for c in text.chars() {
                if matches!(c, '"' | '\\' | '$' | '`') {
                    out.push('\\');
                }
                out.push(c);
            }
            out
        };
        let variable = self.key_variable.as_ref().map(|variable| format!("${variable}"));
        let inside = match variable.as_deref().and_then(|variable| text.split_once(variable).map(|it| (it, variable))) {
            Some(((before, after), variable)) => [&*escaped(before), variable, &*escaped(after)].concat(),
            None => escaped(text),
        };
        format!("\"{inside}\"")
    }
}

/// Without the body, which holds the prompt.
impl fmt::Debug for WireRequest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("WireRequest")
            .field("method", &self.method)
            .field("uri", &self.uri)
            .field("headers", &self.headers)
            .field("bytes", &self.body.len())
            .field("losses", &self.losses)
            .finish_non_exhaustive()
    }
}
