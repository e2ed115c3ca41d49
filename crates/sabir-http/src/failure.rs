//! From what went wrong below to an [`Error`] that says what, where, how far it got and what to do.
//! A message names the host and never the path or the query, which may hold a key.

use std::error::Error as StdError;
use std::io;

use http::Uri;
use http::uri::Authority;
use hyper_util::client::legacy;
use sabir_core::transport::Timeouts;
use sabir_core::{Error, ErrorKind, Stage};

use crate::BoxError;
use crate::connect::ProxyFailure;
use crate::timer::Limit;

/// `host` or `host:port`, as the URL has it, without credentials.
pub(crate) fn host_of(uri: &Uri) -> String {
    uri.authority().map(host).unwrap_or_default()
}

fn host(authority: &Authority) -> String {
    match authority.port() {
        Some(port) => format!("{}:{port}", authority.host()),
        None => authority.host().to_owned(),
    }
}

/// No answer came. `taken`: whether a connection had begun to write the request.
pub(crate) fn of_send(error: legacy::Error, uri: &Uri, taken: bool) -> Error {
    let host = host_of(uri);
    let (kind, message, stage) = if error.is_connect() {
        let message = match find::<ProxyFailure>(&error) {
            Some(failure) => through_proxy(failure, &host),
            None => unreachable_host(&error, &host),
        };
        (connect_kind(&error), message, Stage::NotSent)
    } else if taken {
        let message = format!(
            "{host} broke the connection before it answered ({}); it may have received the request",
            why(&error)
        );
        (ErrorKind::Network, message, Stage::MaybeSent)
    } else {
        let message =
            format!("the connection to {host} failed before the request was sent ({}); try again", why(&error));
        (ErrorKind::Network, message, Stage::NotSent)
    };
    Error::new(kind, message).with_stage(stage).with_source(error)
}

/// The body broke.
pub(crate) fn of_body(error: impl Into<BoxError>, authority: &Authority) -> Error {
    let error = error.into();
    let host = host(authority);
    let cut = find::<hyper::Error>(&*error).is_some_and(hyper::Error::is_incomplete_message)
        || find::<io::Error>(&*error).is_some_and(|e| e.kind() == io::ErrorKind::UnexpectedEof);
    let (kind, message) = if cut {
        (ErrorKind::Truncated, format!("{host} closed the connection before the end of its answer"))
    } else {
        (ErrorKind::Network, format!("the connection to {host} broke in the middle of its answer ({})", why(&*error)))
    };
    Error::new(kind, message).with_stage(Stage::Answered).with_source(error)
}

/// A limit passed before the answer's head came (`taken` as above).
pub(crate) fn late_head(limit: Limit, timeouts: &Timeouts, uri: &Uri, taken: bool) -> Error {
    let host = host_of(uri);
    let (message, stage) = match limit {
        Limit::Connect => (
            format!(
                "no connection to {host} within {}; check the address and the network, or raise the connect limit",
                shown(timeouts.connect)
            ),
            Stage::NotSent,
        ),
        Limit::Total => (
            format!(
                "the call to {host} was not answered within {} in all; raise the total limit if it needs longer",
                shown(timeouts.total)
            ),
            if taken { Stage::MaybeSent } else { Stage::NotSent },
        ),
        Limit::FirstByte | Limit::Idle => (
            format!(
                "{host} took the request and sent nothing for {}; raise the first-byte limit if the model needs longer, or stream",
                shown(timeouts.first_byte)
            ),
            Stage::MaybeSent,
        ),
    };
    Error::new(ErrorKind::Timeout, message).with_stage(stage)
}

/// A limit passed inside the body.
pub(crate) fn late_piece(limit: Limit, timeouts: &Timeouts, authority: &Authority) -> Error {
    let host = host(authority);
    let message = match limit {
        Limit::Total => {
            format!(
                "the answer of {host} did not end within {} in all; raise the total limit if it needs longer",
                shown(timeouts.total)
            )
        }
        _ => format!(
            "{host} stopped in the middle of its answer for {}; raise the idle limit if it needs longer",
            shown(timeouts.idle)
        ),
    };
    Error::new(ErrorKind::Timeout, message).with_stage(Stage::Answered)
}

fn shown(limit: Option<std::time::Duration>) -> String {
    limit.map(|l| format!("{l:?}")).unwrap_or_default()
}

fn connect_kind(error: &legacy::Error) -> ErrorKind {
    match find::<io::Error>(error) {
        Some(e) if e.kind() == io::ErrorKind::TimedOut => ErrorKind::Timeout,
        _ if find::<rustls::pki_types::InvalidDnsNameError>(error).is_some() => ErrorKind::Configuration,
        _ => ErrorKind::Network,
    }
}

fn unreachable_host(error: &(dyn StdError + 'static), host: &str) -> String {
    if let Some(tls) = find::<rustls::Error>(error) {
        return format!("no TLS connection to {host}: {}", of_tls(tls));
    }
    if is_dns(error) {
        return format!(
            "cannot find {host}: the name does not resolve ({}); check the base URL and the network",
            why(error)
        );
    }
    match find::<io::Error>(error).map(io::Error::kind) {
        Some(io::ErrorKind::ConnectionRefused) => {
            format!("cannot reach {host}: connection refused; is the server running and the base URL right?")
        }
        Some(io::ErrorKind::TimedOut) => format!("cannot reach {host}: no answer; check the address and the network"),
        Some(io::ErrorKind::UnexpectedEof | io::ErrorKind::ConnectionReset) => {
            format!(
                "cannot reach {host}: it closed the connection at once; is the base URL's scheme (http or https) right?"
            )
        }
        _ => format!("cannot reach {host}: {}; check the base URL and the network", why(error)),
    }
}

fn through_proxy(failure: &ProxyFailure, host: &str) -> String {
    let proxy = &failure.proxy;
    let reached = !is_dns(failure) && find::<io::Error>(failure).is_none();
    let cause = why(failure);
    match cause.contains("authorization required") {
        true => format!(
            "the proxy {proxy} wants credentials to reach {host}; write them in its URL as http://user:password@host:port"
        ),
        false if reached => format!("the proxy {proxy} would not connect to {host} ({cause}); check that it may"),
        false => format!("cannot reach the proxy {proxy} on the way to {host}: {cause}; check the proxy settings"),
    }
}

fn of_tls(error: &rustls::Error) -> String {
    use rustls::{CertificateError, InvalidMessage};
    match error {
        rustls::Error::InvalidCertificate(CertificateError::UnknownIssuer) => {
            "its certificate is signed by nobody we trust; name the file of its root certificate in SSL_CERT_FILE if the \
             server is yours"
                .to_owned()
        }
        rustls::Error::InvalidMessage(InvalidMessage::InvalidContentType) => {
            "it does not speak TLS; is the base URL meant to begin with http://?".to_owned()
        }
        other => format!("{other}; check the base URL and the server's certificate"),
    }
}

/// `HttpConnector` has no typed error for this; its own name for it is all there is.
fn is_dns(error: &(dyn StdError + 'static)) -> bool {
    causes(error).any(|e| e.to_string() == "dns error")
}

/// The innermost cause, in one line.
fn why(error: &(dyn StdError + 'static)) -> String {
    let innermost = causes(error).last().unwrap_or(error);
    match innermost.downcast_ref::<io::Error>() {
        // The operating system's words without their number.
        Some(e) if e.raw_os_error().is_some() => e.kind().to_string(),
        _ => innermost.to_string(),
    }
}

pub(crate) fn find<'a, T: StdError + 'static>(error: &'a (dyn StdError + 'static)) -> Option<&'a T> {
    causes(error).find_map(<dyn StdError>::downcast_ref)
}

/// The error and its causes. An `io::Error` hides what it wraps from `source`, so it is opened.
fn causes<'a>(error: &'a (dyn StdError + 'static)) -> impl Iterator<Item = &'a (dyn StdError + 'static)> {
    std::iter::successors(Some(error), |&e| match e.downcast_ref::<io::Error>().and_then(io::Error::get_ref) {
        Some(inner) => Some(inner as &(dyn StdError + 'static)),
        None => e.source(),
    })
}
