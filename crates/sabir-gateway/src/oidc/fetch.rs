//! Where an issuer has its keys (`OpenID Connect` Discovery 1.0), and the keys themselves.

use bytes::Bytes;
use futures_util::StreamExt as _;
use http::{Request, StatusCode, Uri};
use sabir::transport::Transport;
use sabir::{Error, ErrorKind, Result};
use serde_json::Value;

use super::keys::Key;

/// The longest answer that is read, in bytes.
const LONGEST: usize = 256 << 10;

/// The issuer's keys as they are now: at `jwks_url`, or where the issuer says.
pub(super) async fn keys(transport: &dyn Transport, issuer: &str, jwks_url: Option<&str>) -> Result<Vec<Key>> {
    let found;
    let url = if let Some(url) = jwks_url {
        url
    } else {
        let about =
            json(transport, &format!("{}/.well-known/openid-configuration", issuer.trim_end_matches('/'))).await?;
        // Discovery §4.3: who answers for another is not believed.
        if about.get("issuer").and_then(Value::as_str) != Some(issuer) {
            return Err(wrong("the issuer gives itself another name than `gateway.oidc.issuer`"));
        }
        let url = about.get("jwks_uri").and_then(Value::as_str);
        found = url.ok_or_else(|| wrong("the issuer does not say where its keys are"))?.to_owned();
        &found
    };
    let keys = Key::all(&json(transport, url).await?);
    if keys.is_empty() {
        return Err(wrong("the issuer has no keys for RS256, ES256 or EdDSA"));
    }
    Ok(keys)
}

async fn json(transport: &dyn Transport, url: &str) -> Result<Value> {
    let uri: Uri = url.parse().map_err(|_| wrong("the issuer's keys are at no address"))?;
    if !is_secure(&uri) {
        return Err(wrong("the issuer's keys are not behind https"));
    }
    let request = Request::get(uri).header("accept", "application/json").body(Bytes::new());
    let response = transport.send(request.map_err(|_| wrong("the issuer's keys are at no address"))?).await?;
    if response.status() != StatusCode::OK {
        return Err(wrong(&format!("the issuer answers {}", response.status())));
    }
    let (mut body, mut all) = (response.into_body(), Vec::new());
    while let Some(piece) = body.next().await {
        let piece = piece?;
        if all.len() + piece.len() > LONGEST {
            return Err(wrong("the issuer's answer is too long"));
        }
        all.extend_from_slice(&piece);
    }
    serde_json::from_slice(&all).map_err(|_| wrong("the issuer's answer is no JSON"))
}

/// Who can change keys on their way is whoever it likes; on this machine nobody can.
fn is_secure(uri: &Uri) -> bool {
    let host = uri.host().unwrap_or_default();
    let address = host.trim_matches(['[', ']']).parse::<std::net::IpAddr>();
    let is_here = host == "localhost" || address.is_ok_and(|address| address.is_loopback());
    match uri.scheme_str() {
        Some("https") => true,
        Some("http") => is_here,
        _ => false,
    }
}

fn wrong(message: &str) -> Error {
    Error::new(ErrorKind::Provider, message)
}
