//! Who is an administrator: whoever has the administrator's key or, with the feature `oidc`, a token that says so.

#[cfg(feature = "oidc")]
use std::time::Instant;

use http::StatusCode;
use http::request::Parts;
use sabir::Secret;

use crate::door;
use crate::keys::Digest;

/// By what an administrator is known.
#[derive(Clone, Default)]
pub(crate) struct Administrators {
    key: Option<Digest>,
    #[cfg(feature = "oidc")]
    tokens: Option<std::sync::Arc<crate::oidc::Oidc>>,
}

/// An administrator.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Who {
    /// Has the key.
    Key,
    /// Has a token that is about this subject.
    #[cfg(feature = "oidc")]
    Subject(String),
}

/// Why somebody is none.
#[derive(Debug)]
pub(crate) enum NotOne {
    /// There is no way to be one.
    Nobody,
    /// Did not show that.
    Refused(StatusCode, String),
}

impl Administrators {
    /// The key opens. Only its hash is kept.
    pub(crate) fn admit_key(&mut self, key: &Secret) {
        self.key = Some(Digest::of(key.expose()));
    }

    /// Tokens open.
    #[cfg(feature = "oidc")]
    pub(crate) fn admit_tokens(&mut self, tokens: std::sync::Arc<crate::oidc::Oidc>) {
        self.tokens = Some(tokens);
    }

    /// What tokens are held against.
    #[cfg(feature = "oidc")]
    pub(crate) fn tokens(&self) -> Option<std::sync::Arc<crate::oidc::Oidc>> {
        self.tokens.clone()
    }

    #[cfg(feature = "oidc")]
    fn are_none(&self) -> bool {
        self.key.is_none() && self.tokens.is_none()
    }

    #[cfg(not(feature = "oidc"))]
    fn are_none(&self) -> bool {
        self.key.is_none()
    }

    /// Which administrator asks by this request.
    #[cfg_attr(not(feature = "oidc"), expect(clippy::unused_async, reason = "an issuer is asked where there is one"))]
    pub(crate) async fn admit(&self, head: &Parts) -> Result<Who, NotOne> {
        if self.are_none() {
            return Err(NotOne::Nobody);
        }
        let shown = door::shown(&head.headers, &head.uri);
        if let (Some(key), Some(shown)) = (self.key, &shown)
            && key == Digest::of(shown)
        {
            return Ok(Who::Key);
        }
        #[cfg(feature = "oidc")]
        if let (Some(tokens), Some(token)) = (&self.tokens, door::bearer(&head.headers))
            && crate::oidc::Oidc::is_meant(token)
        {
            let subject = tokens.subject(token, Instant::now()).await;
            return subject.map(Who::Subject).map_err(|refusal| NotOne::Refused(refusal.status, refusal.why));
        }
        let what = if self.key.is_some() { "the administrator's key" } else { "an administrator's token" };
        Err(NotOne::Refused(StatusCode::UNAUTHORIZED, format!("this is for the administrator: send {what}")))
    }
}
