//! The body of a request on its way in.

use std::time::Duration;

use bytes::{Bytes, BytesMut};
use http::header::{CONTENT_ENCODING, CONTENT_LENGTH};
use http::{HeaderMap, StatusCode};
use http_body_util::BodyExt as _;
use sabir::{Error, ErrorKind, Result, Stage};

/// How many bytes of a body must come in a second, when `patience` has passed twice.
const SLOWEST: u64 = 8 << 10;

/// Reads a body to its end.
///
/// # Errors
/// `InvalidRequest` where it is longer than `longest`, is compressed, or breaks off; `Timeout` where nothing comes for as
/// long as `patience`, or so little that it would never end.
pub(crate) async fn read<B>(body: B, headers: &HeaderMap, longest: usize, patience: Duration) -> Result<Bytes>
where
    B: http_body::Body<Data = Bytes> + Send,
    B::Error: Into<Box<dyn std::error::Error + Send + Sync>>,
{
    if headers.get(CONTENT_ENCODING).is_some_and(|encoding| encoding != "identity") {
        let message = "a compressed request is not taken here; send it as it is";
        return Err(faulty(message, StatusCode::UNSUPPORTED_MEDIA_TYPE));
    }
    read_as_it_is(body, headers, longest, patience).await
}

/// Reads a body to its end, compressed or not.
///
/// # Errors
/// As [`read`].
pub(crate) async fn read_as_it_is<B>(body: B, headers: &HeaderMap, longest: usize, patience: Duration) -> Result<Bytes>
where
    B: http_body::Body<Data = Bytes> + Send,
    B::Error: Into<Box<dyn std::error::Error + Send + Sync>>,
{
    let announced = headers.get(CONTENT_LENGTH).and_then(|value| value.to_str().ok()?.parse::<u64>().ok());
    if announced.is_some_and(|length| length > longest as u64) {
        return Err(too_long(longest));
    }
    let mut body = std::pin::pin!(body);
    let (mut first, mut rest) = (Bytes::new(), BytesMut::new());
    let begun = tokio::time::Instant::now();
    loop {
        let come = u64::try_from(first.len() + rest.len()).unwrap_or(u64::MAX);
        let allowed = patience.saturating_mul(2).saturating_add(Duration::from_secs(come / SLOWEST));
        let left = patience.min(allowed.saturating_sub(begun.elapsed()));
        let Ok(frame) = tokio::time::timeout(left, body.frame()).await else {
            let message = if left == patience {
                format!("the request stopped in the middle for {} s", patience.as_secs())
            } else {
                format!("the request comes too slowly: less than {SLOWEST} bytes in a second")
            };
            let error = Error::new(ErrorKind::Timeout, message).with_status(StatusCode::REQUEST_TIMEOUT);
            return Err(error.with_stage(Stage::NotSent));
        };
        let Some(frame) = frame else { break };
        let frame = frame.map_err(|_| faulty("the request broke off", StatusCode::BAD_REQUEST))?;
        // Trailers have nothing to say here.
        let Ok(piece) = frame.into_data() else { continue };
        if first.len() + rest.len() + piece.len() > longest {
            return Err(too_long(longest));
        }
        // Most bodies come in one piece, which needs no copy.
        match (first.is_empty(), rest.is_empty()) {
            (true, true) => first = piece,
            (_, true) => {
                rest.extend_from_slice(&first);
                rest.extend_from_slice(&piece);
                first = Bytes::new();
            }
            _ => rest.extend_from_slice(&piece),
        }
    }
    Ok(if rest.is_empty() { first } else { rest.freeze() })
}

fn too_long(longest: usize) -> Error {
    let message = format!("the request is longer than the {longest} bytes that are taken here; send less at once");
    faulty(&message, StatusCode::PAYLOAD_TOO_LARGE)
}

fn faulty(message: &str, status: StatusCode) -> Error {
    Error::new(ErrorKind::InvalidRequest, message).with_status(status).with_stage(Stage::NotSent)
}
