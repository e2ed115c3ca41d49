//! Keys that are given for a time, or kept where a platform keeps them: what signs requests or fetches tokens.

pub mod aws;

#[cfg(test)]
mod tests;

use std::fmt;
use std::sync::Arc;

use bytes::Bytes;
use http::header::{AUTHORIZATION, HeaderValue};
use sabir_core::transport::BoxFuture;
use sabir_core::{Auth, Error, ErrorKind, Result, Secret, Signer};

/// Sends a bearer token (RFC 6750) that a hook is asked for before each request: for platforms whose tokens live for
/// an hour, such as Google Cloud's (Vertex AI) and Microsoft Entra's. The hook keeps the token as long as it is good.
///
/// ```
/// # async fn cached_or_fetched() -> sabir::Result<String> { Ok("ya29.…".into()) }
/// let auth = sabir::credentials::bearer(|| async { Ok(cached_or_fetched().await?.into()) });
/// ```
pub fn bearer<F, T>(hook: F) -> Auth
where
    F: Fn() -> T + Send + Sync + 'static,
    T: Future<Output = Result<Secret>> + Send + 'static,
{
    Auth::Signed(Arc::new(Bearer(hook)))
}

struct Bearer<F>(F);

impl<F> fmt::Debug for Bearer<F> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Bearer(hook)")
    }
}

impl<F, T> Signer for Bearer<F>
where
    F: Fn() -> T + Send + Sync + 'static,
    T: Future<Output = Result<Secret>> + Send + 'static,
{
    fn sign<'a>(&'a self, request: &'a mut http::Request<Bytes>) -> BoxFuture<'a, Result<()>> {
        let token = (self.0)();
        Box::pin(async move {
            let token = token.await?;
            let mut value = HeaderValue::from_str(&format!("Bearer {}", token.expose())).map_err(|_| {
                let message = "the token that the hook gave has characters that cannot be sent";
                Error::new(ErrorKind::Configuration, message)
            })?;
            value.set_sensitive(true);
            request.headers_mut().insert(AUTHORIZATION, value);
            Ok(())
        })
    }
}
