//! Keys over HTTP: from a container's endpoint (ECS, EKS Pod Identity), and from an instance's metadata (`IMDSv2`).

use std::time::{Duration, SystemTime};

use bytes::Bytes;
use futures_util::StreamExt as _;
use http::header::{AUTHORIZATION, HeaderName, HeaderValue};
use http::{Method, Uri};
use sabir_core::transport::Timeouts;
use sabir_core::{Error, ErrorKind, Result, Secret, Transport};
use serde_json::Value;

use super::{Credentials, Found, configuration};
use crate::Env;

/// The most that such an endpoint may answer, in bytes.
const MOST: usize = 64 * 1024;

/// These endpoints are on the same machine: who is not there at once is not there.
const TIMEOUTS: Timeouts = Timeouts {
    connect: Some(Duration::from_secs(1)),
    first_byte: Some(Duration::from_secs(2)),
    idle: Some(Duration::from_secs(2)),
    total: Some(Duration::from_secs(5)),
};

const TOKEN: HeaderName = HeaderName::from_static("x-aws-ec2-metadata-token");
const TOKEN_TTL: HeaderName = HeaderName::from_static("x-aws-ec2-metadata-token-ttl-seconds");

/// The keys of a container; `None` where the environment names no endpoint.
pub(super) async fn container(env: &Env, transport: &dyn Transport) -> Result<Option<Found>> {
    let url = match env.get("AWS_CONTAINER_CREDENTIALS_RELATIVE_URI") {
        Some(path) => format!("http://169.254.170.2{path}"),
        None => match env.get("AWS_CONTAINER_CREDENTIALS_FULL_URI") {
            Some(url) => url,
            None => return Ok(None),
        },
    };
    let uri: Uri = url.parse().map_err(|_| configuration("AWS_CONTAINER_CREDENTIALS_FULL_URI is not a URL"))?;
    if !is_near(&uri) {
        return Err(configuration(
            "AWS_CONTAINER_CREDENTIALS_FULL_URI must be https, or an address of this machine or of AWS's agents",
        ));
    }
    let mut headers = Vec::new();
    if let Some(token) = container_token(env)? {
        headers.push((AUTHORIZATION, header(&token)?));
    }
    let body = fetch(transport, Method::GET, uri, headers, "the container's endpoint").await?;
    read_keys(&body, "the container's endpoint").map(Some)
}

/// Over plain HTTP keys are only asked for where AWS's SDKs ask: of this machine, and of ECS's and EKS's agents.
fn is_near(uri: &Uri) -> bool {
    let host = uri.host().unwrap_or_default().trim_matches(['[', ']']);
    let is_loopback = host.parse::<std::net::IpAddr>().is_ok_and(|address| address.is_loopback());
    let agents = ["169.254.170.2", "169.254.170.23", "fd00:ec2::23", "localhost"];
    uri.scheme_str() == Some("https") || is_loopback || agents.contains(&host)
}

/// The token that a container's endpoint wants; the file is written anew by the platform.
fn container_token(env: &Env) -> Result<Option<String>> {
    let Some(path) = env.get("AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE") else {
        return Ok(env.get("AWS_CONTAINER_AUTHORIZATION_TOKEN"));
    };
    let text = std::fs::read_to_string(path).map_err(|error| {
        let what = error.kind();
        configuration(format!("the file that AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE names cannot be read ({what})"))
    })?;
    Ok(Some(text.trim().to_owned()))
}

/// The keys of the role that this instance has; `None` where the environment forbids to ask.
pub(super) async fn instance(env: &Env, transport: &dyn Transport) -> Result<Option<Found>> {
    if env.get("AWS_EC2_METADATA_DISABLED").is_some_and(|word| word.eq_ignore_ascii_case("true")) {
        return Ok(None);
    }
    let who = "the instance's metadata service";
    let base = env.get("AWS_EC2_METADATA_SERVICE_ENDPOINT").unwrap_or_else(|| "http://169.254.169.254".to_owned());
    let at = |path: &str| -> Result<Uri> {
        let url = format!("{}/latest/{path}", base.trim_end_matches('/'));
        url.parse().map_err(|_| configuration("AWS_EC2_METADATA_SERVICE_ENDPOINT is not a URL"))
    };
    let lifetime = (TOKEN_TTL, HeaderValue::from_static("21600"));
    let token = fetch(transport, Method::PUT, at("api/token")?, vec![lifetime], who).await?;
    let token = header(std::str::from_utf8(&token).unwrap_or_default().trim())?;
    let roles = "meta-data/iam/security-credentials/";
    let role = fetch(transport, Method::GET, at(roles)?, vec![(TOKEN, token.clone())], who).await?;
    let role = std::str::from_utf8(&role).unwrap_or_default().lines().next().unwrap_or_default().trim();
    if role.is_empty() {
        return Err(configuration("this instance has no role: give it one with access to Bedrock"));
    }
    let body = fetch(transport, Method::GET, at(&format!("{roles}{role}"))?, vec![(TOKEN, token)], who).await?;
    read_keys(&body, who).map(Some)
}

fn header(text: &str) -> Result<HeaderValue> {
    let mut value = HeaderValue::from_str(text)
        .map_err(|_| configuration("the token for AWS's endpoint has characters that cannot be sent"))?;
    value.set_sensitive(true);
    Ok(value)
}

async fn fetch(
    transport: &dyn Transport,
    method: Method,
    uri: Uri,
    headers: Vec<(HeaderName, HeaderValue)>,
    who: &str,
) -> Result<Bytes> {
    let mut request = http::Request::new(Bytes::new());
    (*request.method_mut(), *request.uri_mut()) = (method, uri);
    request.headers_mut().extend(headers);
    request.extensions_mut().insert(TIMEOUTS);
    let from_there =
        |error: Error| Error::new(error.kind(), format!("AWS keys from {who}: {}", error.message())).with_source(error);
    let (head, mut body) = transport.send(request).await.map_err(from_there)?.into_parts();
    let mut all = Vec::new();
    while let Some(piece) = body.next().await {
        all.extend_from_slice(&piece.map_err(from_there)?);
        if all.len() > MOST {
            return Err(Error::new(
                ErrorKind::Decode,
                format!("{who} answers more than {MOST} bytes; it is not AWS's"),
            ));
        }
    }
    if !head.status.is_success() {
        let kind = if head.status.is_server_error() { ErrorKind::Provider } else { ErrorKind::Authentication };
        return Err(Error::new(kind, format!("{who} gives no AWS keys: it answers {}", head.status)));
    }
    Ok(all.into())
}

/// Reads `{"AccessKeyId", "SecretAccessKey", "Token", "Expiration"}`.
fn read_keys(body: &[u8], who: &str) -> Result<Found> {
    let json: Value = serde_json::from_slice(body).unwrap_or_default();
    let text = |key: &str| json[key].as_str().filter(|text| !text.is_empty());
    let (Some(access_key), Some(secret_key)) = (text("AccessKeyId"), text("SecretAccessKey")) else {
        let code = text("Code").or_else(|| text("code")).unwrap_or("no keys");
        return Err(Error::new(ErrorKind::Authentication, format!("{who} answers with {code} and not with AWS keys")));
    };
    let keys = Credentials {
        access_key: access_key.to_owned(),
        secret_key: Secret::new(secret_key),
        session_token: text("Token").map(Secret::new),
    };
    Ok(Found { keys, until: text("Expiration").and_then(time_of) })
}

/// A time as `2026-11-21T10:20:30Z` (RFC 3339, in UTC; fractions are left out).
pub(super) fn time_of(text: &str) -> Option<SystemTime> {
    let (date, time) = text.strip_suffix('Z')?.split_once('T')?;
    let numbers = |text: &str, separator: char| -> Option<[u64; 3]> {
        let parts: Vec<u64> = text.split(separator).map(|n| n.parse().ok()).collect::<Option<_>>()?;
        parts.try_into().ok()
    };
    let [year, month, day] = numbers(date, '-')?;
    let [hour, minute, second] = numbers(time.split('.').next()?, ':')?;
    let is_date = (1970..10_000).contains(&year) && (1..=12).contains(&month) && (1..=31).contains(&day);
    if !is_date || hour > 23 || minute > 59 || second > 60 {
        return None;
    }
    // Howard Hinnant, "chrono-Compatible Low-Level Date Algorithms", `days_from_civil`.
    let year = if month <= 2 { year - 1 } else { year };
    let (era, year_of_era) = (year / 400, year % 400);
    let shifted = if month > 2 { month - 3 } else { month + 9 };
    let day_of_era = year_of_era * 365 + year_of_era / 4 - year_of_era / 100 + (153 * shifted + 2) / 5 + day - 1;
    let days = (era * 146_097 + day_of_era).checked_sub(719_468)?;
    let seconds = days * 86_400 + hour * 3600 + minute * 60 + second;
    SystemTime::UNIX_EPOCH.checked_add(Duration::from_secs(seconds))
}
