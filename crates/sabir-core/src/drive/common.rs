//! What every call to a provider does, whatever it asks.

use bytes::{Bytes, BytesMut};
use http::header::{HeaderName, HeaderValue};

use crate::dialect::Encoded;
use crate::secret::Secret;
use crate::service::Call;
use crate::transport::{Body, Timeouts, Transport};
use crate::{Auth, Endpoint, Error, ErrorKind, Loss, Result, Stage};

/// The field of draft-ietf-httpapi-idempotency-key-header.
const IDEMPOTENCY_KEY: HeaderName = HeaderName::from_static("idempotency-key");

/// Puts the endpoint's key into a request and sends it, within the call's time limits.
pub(super) async fn send(
    encoded: Encoded,
    endpoint: &Endpoint,
    transport: &dyn Transport,
    call: &Call,
) -> Result<(http::response::Parts, Body)> {
    let (mut uri, mut headers) = (encoded.uri, encoded.headers);
    endpoint.authorize(&mut uri, &mut headers)?;
    if let Some(key) = &call.idempotency_key {
        let value = HeaderValue::from_str(key).map_err(|_| {
            Error::new(ErrorKind::Configuration, "the idempotency key has characters that no header can have")
        })?;
        headers.insert(IDEMPOTENCY_KEY, value);
    }
    let mut wire = http::Request::new(encoded.body);
    *wire.method_mut() = encoded.method;
    *wire.uri_mut() = uri;
    *wire.headers_mut() = headers;
    if call.timeouts != Timeouts::default() {
        wire.extensions_mut().insert(call.timeouts);
    }
    if let Auth::Signed(signer) = &endpoint.auth {
        signer.sign(&mut wire).await.map_err(|error| error.with_stage(Stage::NotSent))?;
    }
    Ok(transport.send(wire).await?.into_parts())
}

/// Says of an error where it comes from, and masks the key in it.
pub(super) fn enrich(error: Error, provider: &str, model: Option<&str>, key: Option<&Secret>) -> Error {
    let mut error = error.with_provider(provider);
    if let Some(model) = model {
        error = error.with_model(model);
    }
    match key {
        Some(key) => error.scrubbed_of(key),
        None => error,
    }
}

/// Strict: what cannot be carried is an error, before anything is sent.
pub(super) fn refuse_losses(losses: &[Loss]) -> Result<()> {
    if losses.is_empty() {
        return Ok(());
    }
    let list = losses.iter().map(Loss::to_string).collect::<Vec<_>>().join("; ");
    Err(Error::new(ErrorKind::Unsupported, format!("strict: this cannot be carried: {list}")))
}

/// A whole answer of which only the beginning came was cut, not garbled: asked for again, it may come whole.
pub(super) fn cut_or_garbled(error: Error, status: http::StatusCode, body: &[u8]) -> Error {
    let is_cut = || serde_json::from_slice::<serde::de::IgnoredAny>(body).is_err_and(|e| e.is_eof());
    if error.kind() == ErrorKind::Decode && status.is_success() && is_cut() {
        let message = format!("the answer stopped in the middle, after {} bytes of its body", body.len());
        return Error::new(ErrorKind::Truncated, message).with_source(error);
    }
    error
}

/// Reads a body to its end, within a bound.
pub(super) async fn collect(mut body: Body, limit: usize) -> Result<Bytes> {
    let mut next = async || std::future::poll_fn(|cx| body.as_mut().poll_next(cx)).await.transpose();
    let Some(first) = next().await? else {
        return Ok(Bytes::new());
    };
    let Some(second) = next().await? else {
        return within(first, limit);
    };
    let mut all = BytesMut::from(first);
    all.extend_from_slice(&second);
    while let Some(more) = next().await? {
        all.extend_from_slice(&more);
        if all.len() > limit {
            break;
        }
    }
    within(all.freeze(), limit)
}

fn within(body: Bytes, limit: usize) -> Result<Bytes> {
    if body.len() > limit {
        return Err(Error::new(
            ErrorKind::Decode,
            format!("the answer is longer than {limit} bytes; raise the limit if that is right"),
        ));
    }
    Ok(body)
}
