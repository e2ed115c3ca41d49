//! AWS Signature Version 4 (AWS IAM User Guide, "Signing AWS API requests"), with the signature in a header, as all
//! services but S3 want it: the path is normalised and encoded once more.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::time::{Duration, SystemTime};

use http::header::{AUTHORIZATION, HOST, HeaderMap, HeaderName, HeaderValue};
use sabir_core::{Error, ErrorKind, Result, Secret};
use sha2::{Digest, Sha256};

const DATE: HeaderName = HeaderName::from_static("x-amz-date");
const TOKEN: HeaderName = HeaderName::from_static("x-amz-security-token");

/// Headers that are not signed: those that a proxy or the transport may change.
const UNSIGNED: &[&str] = &[
    "accept-encoding", "authorization", "connection", "content-length", "expect", "transfer-encoding", "user-agent",
    "x-amzn-trace-id",
];

/// Keys of an AWS identity. `Debug` does not show the secret ones.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Credentials {
    /// The access key's id (`AKIA…`): not secret, it is sent with every request.
    pub access_key: String,
    /// The secret key: only signatures made with it are sent.
    pub secret_key: Secret,
    /// The token of a session, for keys that are given for a time.
    pub session_token: Option<Secret>,
}

/// What a signature is good for, besides one request at one time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Scope<'a> {
    /// The region: `us-east-1`.
    pub region: &'a str,
    /// The service's name for signing: `bedrock`.
    pub service: &'a str,
}

/// Signs a request as it is about to be sent: adds `x-amz-date`, `x-amz-security-token` for keys of a session, and
/// `authorization`. All other headers must be there already, and none may be changed afterwards.
///
/// # Errors
/// `Configuration` for keys that cannot stand in a header, or a clock that is before 1970.
pub fn sign<B: AsRef<[u8]>>(
    request: &mut http::Request<B>,
    credentials: &Credentials,
    scope: Scope<'_>,
    time: SystemTime,
) -> Result<()> {
    let stamp = stamp(time)?;
    let headers = request.headers_mut();
    headers.remove(AUTHORIZATION);
    headers.insert(DATE, header(&stamp)?);
    match &credentials.session_token {
        Some(token) => {
            let mut value = header(token.expose())?;
            value.set_sensitive(true);
            headers.insert(TOKEN, value);
        }
        None => drop(headers.remove(TOKEN)),
    }
    let uri = request.uri();
    let host = request.headers().get(HOST).map_or_else(|| host_of(uri).into(), |host| text_of(host));
    let (canonical, signed) = canonical_request(
        request.method().as_str(),
        uri.path(),
        uri.query().unwrap_or_default(),
        request.headers(),
        &host,
        request.body().as_ref(),
    );
    let day = &stamp[..8];
    let within = format!("{day}/{}/{}/aws4_request", scope.region, scope.service);
    let to_sign = format!("AWS4-HMAC-SHA256\n{stamp}\n{within}\n{}", hex(&Sha256::digest(canonical.as_bytes())));
    let mut key = hmac(format!("AWS4{}", credentials.secret_key.expose()).as_bytes(), day.as_bytes());
    for part in [scope.region, scope.service, "aws4_request"] {
        key = hmac(&key, part.as_bytes());
    }
    let signature = hex(&hmac(&key, to_sign.as_bytes()));
    let authorization = format!(
        "AWS4-HMAC-SHA256 Credential={}/{within}, SignedHeaders={signed}, Signature={signature}",
        credentials.access_key
    );
    let mut value = header(&authorization)?;
    value.set_sensitive(true);
    request.headers_mut().insert(AUTHORIZATION, value);
    Ok(())
}

fn header(text: &str) -> Result<HeaderValue> {
    HeaderValue::from_str(text).map_err(|_| {
        let message = "the AWS keys or the region have characters that cannot be sent; check them for line breaks";
        Error::new(ErrorKind::Configuration, message)
    })
}

/// The host as the transport sends it: without the port that the scheme has anyway.
fn host_of(uri: &http::Uri) -> String {
    let host = uri.host().unwrap_or_default();
    match (uri.port_u16(), uri.scheme_str()) {
        (None, _) | (Some(443), Some("https")) | (Some(80), Some("http")) => host.to_owned(),
        (Some(port), _) => format!("{host}:{port}"),
    }
}

fn text_of(value: &HeaderValue) -> Cow<'_, str> {
    String::from_utf8_lossy(value.as_bytes())
}

/// The request in the one form that both sides agree on, and the names of the headers in it.
fn canonical_request(
    method: &str,
    path: &str,
    query: &str,
    headers: &HeaderMap,
    host: &str,
    body: &[u8],
) -> (String, String) {
    let mut lines: BTreeMap<&str, String> = BTreeMap::new();
    lines.insert("host", one_space(host));
    for name in headers.keys().map(HeaderName::as_str).filter(|name| *name != "host" && !UNSIGNED.contains(name)) {
        let values: Vec<String> = headers.get_all(name).iter().map(|value| one_space(&text_of(value))).collect();
        lines.insert(name, values.join(","));
    }
    let signed = lines.keys().copied().collect::<Vec<_>>().join(";");
    let mut canonical = format!("{method}\n{}\n{}\n", canonical_path(path), canonical_query(query));
    for (name, value) in &lines {
        let _ = writeln!(canonical, "{name}:{value}");
    }
    let _ = write!(canonical, "\n{signed}\n{}", hex(&Sha256::digest(body)));
    (canonical, signed)
}

/// Without white space around it, and with one blank where several are.
fn one_space(value: &str) -> String {
    value.split_ascii_whitespace().collect::<Vec<_>>().join(" ")
}

/// Without empty, `.` and `..` segments, and encoded once more: `%3A` becomes `%253A`.
fn canonical_path(path: &str) -> String {
    let mut segments: Vec<&str> = Vec::new();
    for segment in path.split('/') {
        match segment {
            "" | "." => {}
            ".." => drop(segments.pop()),
            segment => segments.push(segment),
        }
    }
    let mut canonical = String::new();
    for segment in &segments {
        canonical.push('/');
        encode(segment, b"", &mut canonical);
    }
    if canonical.is_empty() || path.ends_with('/') {
        canonical.push('/');
    }
    canonical
}

/// Sorted by name, then by value. What is encoded already stays as it is.
fn canonical_query(query: &str) -> String {
    let mut pairs: Vec<(String, String)> = Vec::new();
    for pair in query.split('&').filter(|pair| !pair.is_empty()) {
        let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
        let mut encoded = (String::new(), String::new());
        encode(name, b"%", &mut encoded.0);
        encode(value, b"%", &mut encoded.1);
        pairs.push(encoded);
    }
    pairs.sort();
    pairs.iter().map(|(name, value)| format!("{name}={value}")).collect::<Vec<_>>().join("&")
}

/// Percent-encodes all but RFC 3986's unreserved characters, and those in `keep`.
fn encode(text: &str, keep: &[u8], out: &mut String) {
    for byte in text.bytes() {
        if byte.is_ascii_alphanumeric() || b"-_.~".contains(&byte) || keep.contains(&byte) {
            out.push(byte.into());
        } else {
            let _ = write!(out, "%{byte:02X}");
        }
    }
}

/// HMAC with SHA-256 (RFC 2104). Written out, as it is ten lines and its crate brings three more.
fn hmac(key: &[u8], message: &[u8]) -> [u8; 32] {
    let mut block = [0; 64];
    if key.len() > block.len() {
        block[..32].copy_from_slice(&Sha256::digest(key));
    } else {
        block[..key.len()].copy_from_slice(key);
    }
    let inner = Sha256::new().chain_update(block.map(|b| b ^ 0x36)).chain_update(message).finalize();
    Sha256::new().chain_update(block.map(|b| b ^ 0x5c)).chain_update(inner).finalize().into()
}

fn hex(bytes: &[u8]) -> String {
    let mut text = String::with_capacity(bytes.len() * 2);
    for byte in bytes {
        let _ = write!(text, "{byte:02x}");
    }
    text
}

/// The time as `20150830T123600Z`.
fn stamp(time: SystemTime) -> Result<String> {
    let since = time.duration_since(SystemTime::UNIX_EPOCH);
    let since: Duration = since.map_err(|_| {
        Error::new(ErrorKind::Configuration, "the clock is before 1970; AWS refuses signatures of another time")
    })?;
    let (days, seconds) = (since.as_secs() / 86_400, since.as_secs() % 86_400);
    let (year, month, day) = civil(days);
    let (hour, minute, second) = (seconds / 3600, seconds / 60 % 60, seconds % 60);
    Ok(format!("{year:04}{month:02}{day:02}T{hour:02}{minute:02}{second:02}Z"))
}

/// Year, month and day of a number of days since 1970 (Howard Hinnant, "chrono-Compatible Low-Level Date Algorithms",
/// `civil_from_days`).
fn civil(days: u64) -> (u64, u64, u64) {
    let z = days + 719_468;
    let (era, day_of_era) = (z / 146_097, z % 146_097);
    let year_of_era = (day_of_era - day_of_era / 1460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
    let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let shifted = (5 * day_of_year + 2) / 153;
    let month = if shifted < 10 { shifted + 3 } else { shifted - 9 };
    let year = year_of_era + era * 400 + u64::from(month <= 2);
    (year, month, day_of_year - (153 * shifted + 2) / 5 + 1)
}

#[cfg(test)]
mod tests;
