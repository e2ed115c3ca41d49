//! Where a provider is and how it is to be spoken to: data, made of a row and of the caller's settings.

use std::sync::Arc;

use http::header::{AUTHORIZATION, HeaderName, HeaderValue};
use http::{HeaderMap, Uri};

use crate::{Error, ErrorKind, Loss, ModelTraits, Result, Secret, Signer, TraitsOf};

/// One provider as it is to be called.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Endpoint {
    /// The provider's id.
    pub provider: String,
    /// Where its API begins, without a trailing slash: `https://api.openai.com/v1`.
    pub base_url: String,
    /// How it wants the key.
    pub auth: Auth,
    /// The key.
    pub key: Option<Secret>,
    /// Headers to send with every request.
    pub headers: HeaderMap,
    /// Where this provider departs from its dialect, by the names that the dialect's room documents.
    pub quirks: Quirks,
    /// Where it is known what its models can do.
    pub traits: TraitsOf,
    /// What was changed in the caller's own settings (a base URL that is served no more), told with every answer.
    pub notices: Vec<Loss>,
}

/// How a provider wants its key.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub enum Auth {
    /// `Authorization: Bearer KEY` (RFC 6750).
    #[default]
    Bearer,
    /// In a header of its own.
    Header(HeaderName),
    /// In the query, under this name.
    Query(String),
    /// By a signature of the whole request, or a token that has to be fetched: after all else, just before it is sent.
    Signed(Arc<dyn Signer>),
    /// It wants none.
    None,
}

/// Named departures from a dialect, as `name = value`.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Quirks(Vec<(String, String)>);

impl Quirks {
    /// The value of a quirk; `None` where the provider follows its dialect.
    pub fn get(&self, name: &str) -> Option<&str> {
        self.0.iter().find(|(n, _)| n == name).map(|(_, v)| v.as_str())
    }

    /// Sets a quirk.
    pub fn set(&mut self, name: impl Into<String>, value: impl Into<String>) {
        let (name, value) = (name.into(), value.into());
        match self.0.iter_mut().find(|(n, _)| *n == name) {
            Some(quirk) => quirk.1 = value,
            None => self.0.push((name, value)),
        }
    }

    /// The names that are set.
    pub fn names(&self) -> impl Iterator<Item = &str> {
        self.0.iter().map(|(n, _)| n.as_str())
    }
}

impl<N: Into<String>, V: Into<String>> FromIterator<(N, V)> for Quirks {
    fn from_iter<I: IntoIterator<Item = (N, V)>>(pairs: I) -> Self {
        Self(pairs.into_iter().map(|(n, v)| (n.into(), v.into())).collect())
    }
}

impl Endpoint {
    /// What is known of one of its models.
    pub fn traits(&self, model: &str) -> ModelTraits {
        (self.traits.0)(&self.provider, model)
    }

    /// The base URL with a path after it.
    pub fn url(&self, path: &str) -> Result<Uri> {
        let base = self.base_url.trim_end_matches('/');
        Uri::from_maybe_shared([base, path].concat().into_bytes()).ok().filter(|uri: &Uri| uri.host().is_some()).ok_or_else(|| {
            let message =
                format!("the base URL {base:?} of {} is not a URL; write one like https://host/v1", self.provider);
            Error::new(ErrorKind::Configuration, message)
        })
    }

    /// Puts the endpoint's headers and its key into a request. A header that the dialect has set stays: it has seen
    /// the endpoint's.
    pub fn authorize(&self, uri: &mut Uri, headers: &mut HeaderMap) -> Result<()> {
        for (name, value) in &self.headers {
            headers.entry(name).or_insert_with(|| value.clone());
        }
        let Some(key) = &self.key else { return Ok(()) };
        match &self.auth {
            Auth::Bearer => {
                headers.insert(AUTHORIZATION, secret_value(&["Bearer ", key.expose()].concat())?);
            }
            Auth::Header(name) => {
                headers.insert(name, secret_value(key.expose())?);
            }
            Auth::Query(name) => {
                let joint = if uri.query().is_some() { '&' } else { '?' };
                *uri = format!("{uri}{joint}{name}={}", key.expose()).parse().map_err(|_| unsendable())?;
            }
            Auth::Signed(_) | Auth::None => {}
        }
        Ok(())
    }
}

/// A header value that `Debug` does not show.
fn secret_value(text: &str) -> Result<HeaderValue> {
    let mut value = HeaderValue::from_str(text).map_err(|_| unsendable())?;
    value.set_sensitive(true);
    Ok(value)
}

fn unsendable() -> Error {
    Error::new(
        ErrorKind::Configuration,
        "the key has characters that cannot be sent; check it for line breaks or spaces",
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    fn authorized(auth: Auth, key: &str) -> Result<(Uri, HeaderMap)> {
        let endpoint =
            Endpoint { auth, key: Some(key.into()), base_url: "https://x.test/v1/".into(), ..Endpoint::default() };
        let (mut uri, mut headers) = (endpoint.url("/chat")?, HeaderMap::new());
        endpoint.authorize(&mut uri, &mut headers)?;
        Ok((uri, headers))
    }

    #[test]
    fn keys_go_where_they_are_wanted_and_stay_hidden() {
        let (uri, headers) = authorized(Auth::Bearer, "k1-secret").expect("valid");
        assert_eq!(
            (uri.to_string().as_str(), headers[AUTHORIZATION].to_str().expect("text")),
            ("https://x.test/v1/chat", "Bearer k1-secret")
        );
        assert!(!format!("{headers:?}").contains("k1-secret"));
        let (_, headers) = authorized(Auth::Header(HeaderName::from_static("x-api-key")), "k2").expect("valid");
        assert_eq!(headers["x-api-key"], "k2");
        let (uri, _) = authorized(Auth::Query("key".into()), "k3").expect("valid");
        assert_eq!(uri.to_string(), "https://x.test/v1/chat?key=k3");
        let error = authorized(Auth::Bearer, "line\nbreak").expect_err("unsendable");
        assert_eq!(error.kind(), ErrorKind::Configuration);
        assert!(!error.to_string().contains("break\""));
    }

    #[test]
    fn a_signer_is_equal_to_itself_alone() {
        #[derive(Debug)]
        struct Never(u8);
        impl Signer for Never {
            fn sign<'a>(
                &'a self,
                _: &'a mut http::Request<bytes::Bytes>,
            ) -> crate::transport::BoxFuture<'a, Result<()>> {
                Box::pin(std::future::ready(Err(Error::new(ErrorKind::Authentication, self.0.to_string()))))
            }
        }
        let (one, other): (Arc<dyn Signer>, Arc<dyn Signer>) = (Arc::new(Never(1)), Arc::new(Never(1)));
        assert_eq!(Auth::Signed(one.clone()), Auth::Signed(one.clone()));
        assert_ne!(Auth::Signed(one.clone()), Auth::Signed(other));
        let (uri, headers) = authorized(Auth::Signed(one), "k4").expect("valid");
        assert!(headers.is_empty() && uri.query().is_none(), "a signer has its turn later");
    }

    #[test]
    fn a_base_that_is_no_url_is_said() {
        for base in ["", "localhost", "/v1", "http://"] {
            let endpoint = Endpoint { provider: "custom".into(), base_url: base.into(), ..Endpoint::default() };
            let error = endpoint.url("/chat/completions");
            if base == "localhost" {
                // `localhost/chat` parses as a path or authority only with a scheme.
                assert!(error.is_err());
            }
            assert!(error.is_err(), "{base:?}: {error:?}");
        }
    }
}
