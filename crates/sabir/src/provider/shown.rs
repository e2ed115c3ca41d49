//! An endpoint to be shown: no key is fetched, and a variable stands in its place.

use sabir_core::{Auth, Endpoint, Result, Secret};

use super::Provider;
use crate::Env;

/// What stands for the key of a provider that has no variable of its own.
const ANY_KEY: &str = "API_KEY";

impl Provider {
    /// The endpoint as it would be asked, with `$VARIABLE` where its key would stand.
    ///
    /// # Errors
    /// `Configuration` where nothing says where it is.
    pub(crate) fn endpoint_shown(&self, env: &Env, key_is_given: bool) -> Result<Endpoint> {
        let mut endpoint = self.endpoint_without_key(env)?;
        let has_own = endpoint.key.take().is_some() || key_is_given;
        if let Auth::Signed(_) | Auth::None = endpoint.auth {
            return Ok(endpoint);
        }
        let set = |names: &[&'static str]| names.iter().copied().find(|name| env.get(name).is_some());
        let token = set(self.token_env()).filter(|_| !has_own);
        if token.is_some() {
            endpoint.auth = Auth::Bearer;
        }
        let variable = token.or_else(|| set(self.key_env())).or_else(|| self.key_env().first().copied());
        if has_own || self.has_key(env) || self.key_required {
            endpoint.key = Some(Secret::new(format!("${}", variable.unwrap_or(ANY_KEY))));
        }
        Ok(endpoint)
    }

    /// Whether a request of it is signed after all else, so that the request as shown is not yet what is sent.
    pub(crate) fn signs(&self) -> bool {
        self.aws.is_some() || matches!(self.endpoint.auth, Auth::Signed(_))
    }
}
