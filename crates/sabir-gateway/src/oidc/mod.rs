//! Administrators by the tokens of a service that speaks `OpenID Connect`: its keys are fetched, kept, and asked for anew
//! where a token names another.

mod fetch;
mod keys;
#[cfg(test)]
mod tests;
mod token;

use std::sync::{Arc, PoisonError, RwLock};
use std::time::{Duration, Instant, SystemTime};

use http::StatusCode;
use sabir::config::OidcConfig;
use sabir::transport::{Timeouts, Transport};
use sabir_http::HttpTransport;
use tokio::sync::Mutex;

use self::keys::Key;
use self::token::Token;

/// How often the keys are asked for at most, whatever tokens name.
const RESPITE: Duration = Duration::from_secs(60);
/// How long keys are believed: one that the issuer takes back opens nothing any more after that.
const FRESH: Duration = Duration::from_secs(3_600);
/// How long the issuer may take to answer.
const PATIENCE: Duration = Duration::from_secs(10);

/// What tokens are held against.
#[derive(Debug)]
pub(crate) struct Oidc {
    said: OidcConfig,
    transport: Arc<dyn Transport>,
    held: RwLock<Option<Held>>,
    /// When the keys were asked for last, and what went wrong; who has it asks.
    asked: Mutex<Option<Asked>>,
}

#[derive(Debug)]
struct Held {
    keys: Vec<Key>,
    at: Instant,
}

#[derive(Debug)]
struct Asked {
    at: Instant,
    failed: Option<String>,
}

/// Why a token opens nothing, in a line that has nothing of the token.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Refusal {
    pub(crate) status: StatusCode,
    pub(crate) why: String,
}

impl From<&'static str> for Refusal {
    fn from(why: &'static str) -> Self {
        Self { status: StatusCode::UNAUTHORIZED, why: why.to_owned() }
    }
}

impl Oidc {
    /// Fetches nothing yet.
    pub(crate) fn new(said: &OidcConfig) -> sabir::Result<Self> {
        let limits = Timeouts { connect: Some(PATIENCE), total: Some(PATIENCE), ..Timeouts::default() };
        let transport = HttpTransport::builder().timeouts(limits).build()?;
        Ok(Self::over(said, Arc::new(transport)))
    }

    fn over(said: &OidcConfig, transport: Arc<dyn Transport>) -> Self {
        Self { said: said.clone(), transport, held: RwLock::default(), asked: Mutex::default() }
    }

    /// Whether it was made of the same.
    pub(crate) fn is_of(&self, said: &OidcConfig) -> bool {
        let all = |said: &OidcConfig| {
            let OidcConfig { issuer, audience, claim, value, jwks_url, .. } = said.clone();
            (issuer, audience, claim, value, jwks_url)
        };
        all(&self.said) == all(said)
    }

    /// Whether what was shown is for this and not a key.
    pub(crate) fn is_meant(shown: &str) -> bool {
        token::is_one(shown)
    }

    /// Who shows this token at this moment, if that is an administrator.
    pub(crate) async fn subject(&self, token: &str, now: Instant) -> Result<String, Refusal> {
        let token = Token::read(token)?;
        let since_1970 = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
        // Before keys are asked for: a token that says itself that it is for others is not worth asking.
        token.is_for(&self.said.issuer, &self.said.audience, since_1970)?;
        let key = self.key(&token, now).await?;
        if !key.has_signed(token.signed, &token.signature) {
            return Err("the token is not signed by its issuer".into());
        }
        let subject = token.subject()?;
        if !token.says(&self.said.claim, &self.said.value) {
            let why = format!("the token is of no administrator: its claim `{}` does not say so", self.said.claim);
            return Err(Refusal { status: StatusCode::FORBIDDEN, why });
        }
        Ok(subject)
    }

    async fn key(&self, token: &Token<'_>, now: Instant) -> Result<Key, Refusal> {
        if let Some(key) = self.held(token, now) {
            return Ok(key);
        }
        let mut asked = self.asked.lock().await;
        // Who waited finds what another has fetched.
        if let Some(key) = self.held(token, now) {
            return Ok(key);
        }
        let is_due = asked.as_ref().is_none_or(|asked| now.saturating_duration_since(asked.at) >= RESPITE);
        if is_due {
            // Noted before: whoever asks and goes away has asked.
            *asked = Some(Asked { at: now, failed: Some("the last time it was not waited for".to_owned()) });
            let fetched =
                fetch::keys(&*self.transport, &self.said.issuer, self.said.jwks_url.as_ref().map(|url| &*url.0));
            let failed = match fetched.await {
                Ok(keys) => {
                    *self.held.write().unwrap_or_else(PoisonError::into_inner) = Some(Held { keys, at: now });
                    None
                }
                Err(error) => Some(error.message().to_owned()),
            };
            *asked = Some(Asked { at: now, failed });
        }
        if let Some(key) = self.held(token, now) {
            return Ok(key);
        }
        match asked.as_ref().and_then(|asked| asked.failed.as_ref()) {
            Some(failed) => Err(Refusal {
                status: StatusCode::SERVICE_UNAVAILABLE,
                why: format!(
                    "the keys of the tokens' issuer could not be fetched: {failed}; they are asked for once a minute"
                ),
            }),
            None => Err("the token's key is none of its issuer's; a new one is looked for once a minute".into()),
        }
    }

    /// The key of a token, if it is among those that are kept and they are not too old.
    fn held(&self, token: &Token<'_>, now: Instant) -> Option<Key> {
        let held = self.held.read().unwrap_or_else(PoisonError::into_inner);
        let held = held.as_ref().filter(|held| now.saturating_duration_since(held.at) < FRESH)?;
        Key::find(&held.keys, token.key.as_deref(), token.algorithm).cloned()
    }
}
