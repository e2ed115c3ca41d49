//! The streamable HTTP of the Model Context Protocol over our own transport: one pool, one TLS, the same bounds.

use std::collections::HashMap;
use std::future::Future;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use futures_util::StreamExt as _;
use futures_util::stream::BoxStream;
use http::header::{ACCEPT, AUTHORIZATION, CONTENT_TYPE};
use http::{HeaderName, HeaderValue, Method, Request, Response, StatusCode};
use rmcp::model::{ClientJsonRpcMessage, ServerJsonRpcMessage};
use rmcp::transport::common::http_header::{
    EVENT_STREAM_MIME_TYPE, HEADER_LAST_EVENT_ID, HEADER_SESSION_ID, JSON_MIME_TYPE,
};
use rmcp::transport::streamable_http_client::{
    SseError, StreamableHttpClient, StreamableHttpError, StreamableHttpPostResponse,
};
use sabir::Error;
use sabir::frame::{Framer, Framing};
use sabir::http::HttpTransport;
use sabir::transport::{Body, Timeouts, Transport as _};
use sse_stream::Sse;

/// The longest answer that is read, and the longest event of a stream, in bytes: 16 MiB.
const LONGEST: usize = 16 << 20;
/// The most of a refusal's words that is shown, in characters.
const MOST_WORDS: usize = 200;

type Failed = StreamableHttpError<Error>;

/// Our transport, as the protocol's client wants it.
#[derive(Clone, Debug)]
pub(super) struct Http(Arc<HttpTransport>);

impl Http {
    pub(super) fn new() -> Result<Self, Error> {
        // How long anything may take is a matter of the call, which is dropped when it took too long.
        let limits = Timeouts {
            connect: Some(Duration::from_secs(10)),
            first_byte: Some(Duration::MAX),
            idle: Some(Duration::MAX),
            total: None,
        };
        Ok(Self(Arc::new(HttpTransport::builder().proxy_from_env(true).timeouts(limits).build()?)))
    }

    async fn send(&self, asked: Asked, body: Bytes) -> Result<Response<Body>, Failed> {
        let mut request = Request::builder().method(asked.method).uri(&*asked.uri);
        if let Some(headers) = request.headers_mut() {
            headers.insert(ACCEPT, HeaderValue::from_static("text/event-stream, application/json"));
            if !body.is_empty() {
                headers.insert(CONTENT_TYPE, HeaderValue::from_static(JSON_MIME_TYPE));
            }
            headers.extend(asked.headers);
            let named = [
                (HeaderName::from_bytes(HEADER_SESSION_ID.as_bytes()).ok(), asked.session.as_deref()),
                (HeaderName::from_bytes(HEADER_LAST_EVENT_ID.as_bytes()).ok(), asked.last_event.as_deref()),
                (Some(AUTHORIZATION), asked.auth.map(|key| format!("Bearer {key}")).as_deref()),
            ]
            .map(|(name, value)| Some((name?, HeaderValue::from_str(value?).ok()?)));
            headers.extend(named.into_iter().flatten());
        }
        let request = request.body(body).map_err(|_| said("its address cannot be asked"))?;
        self.0.send(request).await.map_err(StreamableHttpError::Client)
    }
}

/// A request, but for its body.
struct Asked {
    method: Method,
    uri: Arc<str>,
    session: Option<Arc<str>>,
    last_event: Option<String>,
    auth: Option<String>,
    headers: HashMap<HeaderName, HeaderValue>,
}

impl StreamableHttpClient for Http {
    type Error = Error;

    async fn post_message(
        &self,
        uri: Arc<str>,
        message: ClientJsonRpcMessage,
        session_id: Option<Arc<str>>,
        auth_header: Option<String>,
        custom_headers: HashMap<HeaderName, HeaderValue>,
    ) -> Result<StreamableHttpPostResponse, Failed> {
        let in_session = session_id.is_some();
        let body = serde_json::to_vec(&message)?;
        let asked = Asked {
            method: Method::POST,
            uri,
            session: session_id,
            last_event: None,
            auth: auth_header,
            headers: custom_headers,
        };
        let response = self.send(asked, body.into()).await?;
        let (head, body) = response.into_parts();
        match head.status {
            StatusCode::ACCEPTED | StatusCode::NO_CONTENT => return Ok(StreamableHttpPostResponse::Accepted),
            StatusCode::NOT_FOUND if in_session => return Err(StreamableHttpError::SessionExpired),
            _ => {}
        }
        let session = head.headers.get(HEADER_SESSION_ID).and_then(|id| id.to_str().ok()).map(str::to_owned);
        let kind = head.headers.get(CONTENT_TYPE).and_then(|kind| kind.to_str().ok()).unwrap_or_default();
        if head.status.is_success() && kind.starts_with(EVENT_STREAM_MIME_TYPE) {
            return Ok(StreamableHttpPostResponse::Sse(events(body), session));
        }
        let bytes = whole(body).await?;
        let parsed = serde_json::from_slice::<ServerJsonRpcMessage>(&bytes);
        let wants_answer = matches!(message, ClientJsonRpcMessage::Request(_));
        match parsed {
            // A refusal in the protocol's own words has more to say than its status.
            Ok(parsed) if head.status.is_success() || matches!(parsed, ServerJsonRpcMessage::Error(_)) => {
                Ok(StreamableHttpPostResponse::Json(parsed, session))
            }
            _ if head.status.is_success() && !wants_answer => Ok(StreamableHttpPostResponse::Accepted),
            _ => Err(refused(head.status, &bytes)),
        }
    }

    async fn delete_session(
        &self,
        uri: Arc<str>,
        session_id: Arc<str>,
        auth_header: Option<String>,
        custom_headers: HashMap<HeaderName, HeaderValue>,
    ) -> Result<(), Failed> {
        let asked = Asked {
            method: Method::DELETE,
            uri,
            session: Some(session_id),
            last_event: None,
            auth: auth_header,
            headers: custom_headers,
        };
        let response = self.send(asked, Bytes::new()).await?;
        match response.status() {
            status if status.is_success() || status == StatusCode::METHOD_NOT_ALLOWED => Ok(()),
            status => Err(refused(status, &[])),
        }
    }

    fn get_stream(
        &self,
        uri: Arc<str>,
        session_id: Option<Arc<str>>,
        last_event_id: Option<String>,
        auth_header: Option<String>,
        custom_headers: HashMap<HeaderName, HeaderValue>,
    ) -> impl Future<Output = Result<BoxStream<'static, Result<Sse, SseError>>, Failed>> + Send + '_ {
        let asked = Asked {
            method: Method::GET,
            uri,
            session: session_id,
            last_event: last_event_id,
            auth: auth_header,
            headers: custom_headers,
        };
        async move {
            let response = self.send(asked, Bytes::new()).await?;
            let kind = response.headers().get(CONTENT_TYPE).and_then(|kind| kind.to_str().ok()).unwrap_or_default();
            match response.status() {
                StatusCode::METHOD_NOT_ALLOWED => Err(StreamableHttpError::ServerDoesNotSupportSse),
                status if !status.is_success() => Err(refused(status, &[])),
                _ if kind.starts_with(EVENT_STREAM_MIME_TYPE) => Ok(events(response.into_body())),
                _ => Err(StreamableHttpError::UnexpectedContentType(Some(kind.to_owned()))),
            }
        }
    }
}

/// A body as events, each of bounded length.
fn events(body: Body) -> BoxStream<'static, Result<Sse, SseError>> {
    let framer = Framer::new(Framing::Sse).with_limit(LONGEST);
    let failed = |error: Error| SseError::Body(Box::new(error));
    let stream = futures_util::stream::try_unfold((body, framer), move |(mut body, mut framer)| async move {
        loop {
            if let Some(frame) = framer.next().map_err(failed)? {
                let mut event = Sse::default().data(String::from_utf8_lossy(frame.data));
                event.event = (!frame.event.is_empty()).then(|| frame.event.to_owned());
                return Ok(Some((event, (body, framer))));
            }
            match body.next().await {
                Some(piece) => framer.push(piece.map_err(failed)?),
                None => return Ok(None),
            }
        }
    });
    stream.boxed()
}

/// A body of bounded length.
async fn whole(mut body: Body) -> Result<Vec<u8>, Failed> {
    let mut bytes = Vec::new();
    while let Some(piece) = body.next().await {
        bytes.extend_from_slice(&piece.map_err(StreamableHttpError::Client)?);
        if bytes.len() > LONGEST {
            return Err(StreamableHttpError::ResponseBodyTooLarge { max_size: LONGEST });
        }
    }
    Ok(bytes)
}

/// Another answer than the protocol's.
fn refused(status: StatusCode, body: &[u8]) -> Failed {
    let words: String = String::from_utf8_lossy(body).chars().take(MOST_WORDS).collect();
    said(&format!("HTTP {status} {words}"))
}

fn said(what: &str) -> Failed {
    StreamableHttpError::UnexpectedServerResponse(what.trim().to_owned().into())
}
