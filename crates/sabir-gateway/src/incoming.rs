//! The body of a request on its way in.

use std::pin::Pin;
use std::time::Duration;

use bytes::{Bytes, BytesMut};
use http::header::{CONNECTION, CONTENT_ENCODING, CONTENT_LENGTH, EXPECT, HeaderValue};
use http::request::Parts;
use http::{HeaderMap, Response, StatusCode, Version};
use http_body_util::BodyExt as _;
use sabir::transport::Body;
use sabir::{Error, ErrorKind, Result, Stage};

/// How many bytes of a body must come in a second, when `patience` has passed twice.
const SLOWEST: u64 = 8 << 10;

/// How much of what nobody wants is read, in bytes, and how long at most.
pub(crate) const FORGOTTEN: usize = 256 << 10;
pub(crate) const FORGETTING: Duration = Duration::from_secs(2);

/// Reads a body to its end.
///
/// # Errors
/// `InvalidRequest` where it is longer than `longest`, is compressed, or breaks off; `Timeout` where nothing comes for as
/// long as `patience`, or so little that it would never end.
pub(crate) async fn read<B>(body: Pin<&mut B>, headers: &HeaderMap, longest: usize, patience: Duration) -> Result<Bytes>
where
    B: http_body::Body<Data = Bytes> + Send,
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
pub(crate) async fn read_as_it_is<B>(
    mut body: Pin<&mut B>,
    headers: &HeaderMap,
    longest: usize,
    patience: Duration,
) -> Result<Bytes>
where
    B: http_body::Body<Data = Bytes> + Send,
{
    let announced = headers.get(CONTENT_LENGTH).and_then(|value| value.to_str().ok()?.parse::<u64>().ok());
    if announced.is_some_and(|length| length > longest as u64) {
        return Err(too_long(longest));
    }
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

/// What becomes of the rest of a request that is answered before its end.
#[derive(Clone, Copy)]
pub(crate) struct Left {
    version: Version,
    /// The client sends no body before it is told to (RFC 9110 §10.1.1).
    waits: bool,
}

impl Left {
    pub(crate) fn of(head: &Parts) -> Self {
        Self { version: head.version, waits: head.headers.contains_key(EXPECT) }
    }

    /// The answer, when the rest has come, or saying that the connection ends with it.
    pub(crate) async fn forget<B>(self, body: Pin<&mut B>, mut response: Response<Body>) -> Response<Body>
    where
        B: http_body::Body<Data = Bytes>,
    {
        let hopeless = self.waits || response.status() == StatusCode::REQUEST_TIMEOUT;
        if !body.is_end_stream() && (hopeless || !forget(body).await) && self.version <= Version::HTTP_11 {
            response.headers_mut().insert(CONNECTION, HeaderValue::from_static("close"));
        }
        response
    }
}

/// Reads what is left of a request that was refused before its end, so that its connection can be used again: one that
/// is closed on unread bytes may take the answer with it, and the next request, which is on its way already
/// (RFC 9112 §9.6). Whether all of it came; much of it is not waited for.
async fn forget<B>(mut body: Pin<&mut B>) -> bool
where
    B: http_body::Body<Data = Bytes>,
{
    let all = async {
        let mut come = 0;
        while let Some(frame) = body.frame().await {
            let Ok(frame) = frame else { return false };
            come += frame.data_ref().map_or(0, Bytes::len);
            if come > FORGOTTEN {
                return false;
            }
        }
        true
    };
    tokio::time::timeout(FORGETTING, all).await.unwrap_or(false)
}

fn too_long(longest: usize) -> Error {
    let message = format!("the request is longer than the {longest} bytes that are taken here; send less at once");
    faulty(&message, StatusCode::PAYLOAD_TOO_LARGE)
}

fn faulty(message: &str, status: StatusCode) -> Error {
    Error::new(ErrorKind::InvalidRequest, message).with_status(status).with_stage(Stage::NotSent)
}
