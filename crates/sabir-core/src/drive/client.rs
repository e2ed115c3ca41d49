//! We are the client: a request goes down as bytes, an answer comes up as words.

use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};

use bytes::{Bytes, BytesMut};
use futures_core::Stream;
use http::{HeaderMap, StatusCode};

use crate::chat::{ChatRequest, ChatResponse, Content, Event, EventStream, response_headers};
use crate::dialect::{Answer, Decoder, Dialect};
use crate::frame::Framer;
use crate::secret::Secret;
use crate::service::{Call, Reply, Request, Service};
use crate::transport::{Body, Timeouts, Transport};
use crate::{Endpoint, Error, ErrorKind, Loss, Result, Sink, Stage};

/// How much an answer may take. Both bounds hold for what a server sends, after decompression.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// Bytes of one frame of a stream. Real image events reach several megabytes.
    pub frame: usize,
    /// Bytes of a whole body.
    pub body: usize,
}

impl Default for Limits {
    /// 32 MiB a frame, 256 MiB a body.
    fn default() -> Self {
        Self {
            frame: 32 << 20,
            body: 256 << 20,
        }
    }
}

/// A provider, spoken to in its dialect over a transport: the service at the bottom of every stack.
#[derive(Clone, Debug)]
pub struct Origin {
    dialect: &'static dyn Dialect,
    endpoint: Arc<Endpoint>,
    transport: Arc<dyn Transport>,
    limits: Limits,
}

impl Origin {
    /// An origin.
    pub fn new(dialect: &'static dyn Dialect, endpoint: Endpoint, transport: Arc<dyn Transport>) -> Self {
        Self {
            dialect,
            endpoint: Arc::new(endpoint),
            transport,
            limits: Limits::default(),
        }
    }

    /// Sets how much an answer may take.
    #[must_use]
    pub fn with_limits(mut self, limits: Limits) -> Self {
        self.limits = limits;
        self
    }

    /// The endpoint.
    pub fn endpoint(&self) -> &Endpoint {
        &self.endpoint
    }

    async fn chat(&self, call: &Call, request: &ChatRequest) -> Result<Reply> {
        let encoded = self.dialect.encode(request, &self.endpoint)?;
        if request.strict {
            refuse_losses(&encoded.losses)?;
        }
        let (mut uri, mut headers) = (encoded.uri, encoded.headers);
        self.endpoint.authorize(&mut uri, &mut headers)?;
        let mut wire = http::Request::new(encoded.body);
        *wire.method_mut() = encoded.method;
        *wire.uri_mut() = uri;
        *wire.headers_mut() = headers;
        if call.timeouts != Timeouts::default() {
            wire.extensions_mut().insert(call.timeouts);
        }

        let (head, body) = self.transport.send(wire).await?.into_parts();
        let about = About {
            losses: encoded.losses,
            headers: head.headers,
            keep_raw: call.keep_raw,
        };
        let framing = self
            .dialect
            .framing(&about.headers)
            .filter(|_| request.stream && head.status.is_success());
        if let Some(framing) = framing {
            let framer = Framer::new(framing).with_limit(self.limits.frame);
            let stream = Streaming {
                body: Some(body),
                framer,
                decoder: self.dialect.decoder(),
                sink: Sink::streaming(),
                raw: about.keep_raw.then(BytesMut::new),
                about,
                endpoint: self.endpoint.clone(),
                model: request.model.clone(),
                failed: None,
                over: false,
            };
            return Ok(Reply::Stream(Box::pin(stream)));
        }
        let body = collect(body, self.limits.body).await?;
        let mut response = self.dialect.decode(Answer {
            status: head.status,
            headers: &about.headers,
            body: &body,
        })?;
        about.complete(&mut response, &self.endpoint.provider, Some(body));
        Ok(if request.stream {
            Reply::Stream(replay(response))
        } else {
            Reply::Whole(Box::new(response))
        })
    }
}

impl Service for Origin {
    async fn call<'a>(&'a self, call: &'a Call, request: &'a Request) -> Result<Reply> {
        if let Request::Chat(chat) = request {
            self.chat(call, chat)
                .await
                .map_err(|e| enrich(e, &self.endpoint.provider, &chat.model, self.endpoint.key.as_ref()))
        } else {
            let message = format!("the dialect {} answers chat requests only", self.dialect.name());
            Err(Error::new(ErrorKind::Unsupported, message)
                .with_provider(&self.endpoint.provider)
                .with_model(request.model()))
        }
    }
}

/// Decodes an answer that is all here, streamed or not: what the stack does, without a socket.
pub fn decode_whole(
    dialect: &dyn Dialect,
    status: StatusCode,
    headers: &HeaderMap,
    body: &[u8],
    streamed: bool,
) -> Result<ChatResponse> {
    let framing = dialect.framing(headers).filter(|_| streamed && status.is_success());
    let Some(framing) = framing else {
        return dialect.decode(Answer { status, headers, body });
    };
    let mut sink = Sink::whole();
    match decode_frames(dialect, framing, body, &mut sink) {
        Ok(()) => Ok(sink.into_response()),
        Err(error) => Err(error.with_partial(sink.take_partial())),
    }
}

fn decode_frames(dialect: &dyn Dialect, framing: crate::frame::Framing, body: &[u8], sink: &mut Sink) -> Result<()> {
    let mut framer = Framer::new(framing);
    let mut decoder = dialect.decoder();
    framer.push(Bytes::copy_from_slice(body));
    framer.finish();
    while let Some(frame) = framer.next()? {
        decoder.frame(frame, sink)?;
        if sink.has_ended() {
            return Ok(());
        }
    }
    decoder.finish(sink)
}

/// An answer that came whole where a stream was asked for, told as one.
pub fn replay(response: ChatResponse) -> EventStream {
    let mut sink = Sink::streaming();
    sink.identify(Some(&response.id), Some(&response.model));
    for part in &response.parts {
        match &part.content {
            Content::Text { text } if part.cache.is_none() => {
                sink.text(text);
                sink.part_end(None, part.meta.clone());
            }
            Content::Reasoning(r) if r.encrypted.is_none() && part.cache.is_none() => {
                sink.reasoning(&r.text);
                sink.part_end(r.signature.as_deref(), part.meta.clone());
            }
            Content::ToolCall(call) => {
                // At most as many as the unary decoder let through.
                let Ok(index) = sink.tool_start(&call.id, &call.name) else {
                    continue;
                };
                sink.tool_arguments(index, &call.arguments);
                sink.tool_part_meta(index, part.meta.clone());
                sink.tool_end(index);
            }
            _ => sink.part(part.clone()),
        }
    }
    sink.usage(response.usage.clone());
    sink.done(|done| *done = response);
    Box::pin(Queued(sink))
}

/// A stream of events that are all here.
struct Queued(Sink);

impl Stream for Queued {
    type Item = Result<Event>;

    fn poll_next(mut self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        Poll::Ready(self.0.pop().map(Ok))
    }
}

/// What is known of an answer besides its body.
#[derive(Debug)]
struct About {
    losses: Vec<Loss>,
    headers: HeaderMap,
    keep_raw: bool,
}

impl About {
    fn complete(&self, response: &mut ChatResponse, provider: &str, raw: Option<Bytes>) {
        provider.clone_into(&mut response.provider);
        response.losses.splice(0..0, self.losses.iter().cloned());
        response_headers(response, &self.headers);
        if self.keep_raw {
            response.raw = raw;
        }
    }
}

/// A streamed answer. Polled, never spawned: dropping it drops the body, and with it the request.
struct Streaming {
    body: Option<Body>,
    framer: Framer,
    decoder: Box<dyn Decoder>,
    sink: Sink,
    raw: Option<BytesMut>,
    about: About,
    endpoint: Arc<Endpoint>,
    model: String,
    /// The terminal error, to be given once the events before it are.
    failed: Option<Error>,
    over: bool,
}

impl Stream for Streaming {
    type Item = Result<Event>;

    fn poll_next(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        let this = &mut *self;
        loop {
            if let Some(event) = this.sink.pop() {
                return Poll::Ready(Some(Ok(event)));
            }
            if let Some(error) = this.failed.take() {
                return Poll::Ready(Some(Err(error)));
            }
            if this.over {
                return Poll::Ready(None);
            }
            match this.framer.next() {
                Ok(Some(frame)) => match this.decoder.frame(frame, &mut this.sink) {
                    Ok(()) if this.sink.has_ended() => this.end(cx),
                    Ok(()) => {}
                    Err(error) => this.fail(error),
                },
                Ok(None) => match this.body.as_mut() {
                    Some(body) => match ready!(body.as_mut().poll_next(cx)) {
                        Some(Ok(chunk)) => {
                            if let Some(raw) = &mut this.raw {
                                raw.extend_from_slice(&chunk);
                            }
                            this.framer.push(chunk);
                        }
                        Some(Err(error)) => this.fail(error.with_stage(Stage::Answered)),
                        None => {
                            this.body = None;
                            this.framer.finish();
                        }
                    },
                    None => match this.decoder.finish(&mut this.sink) {
                        Ok(()) => this.end(cx),
                        Err(error) => this.fail(error),
                    },
                },
                Err(error) => this.fail(error),
            }
        }
    }
}

impl Streaming {
    fn end(&mut self, cx: &mut Context<'_>) {
        self.over = true;
        // What the provider sends after its end marker is usually here already; reading it frees the connection
        // for the next call.
        if let Some(mut body) = self.body.take() {
            while let Poll::Ready(Some(Ok(_))) = body.as_mut().poll_next(cx) {}
        }
        let raw = self.raw.take().map(BytesMut::freeze);
        let (about, provider) = (&self.about, &self.endpoint.provider);
        self.sink.done(|response| about.complete(response, provider, raw));
    }

    fn fail(&mut self, error: Error) {
        self.over = true;
        self.body = None;
        let mut partial = self.sink.take_partial();
        self.about.complete(&mut partial, &self.endpoint.provider, None);
        let error = enrich(error, &self.endpoint.provider, &self.model, self.endpoint.key.as_ref());
        let error = match &partial.request_id {
            Some(id) if error.request_id().is_none() => error.with_request_id(id.clone()),
            _ => error,
        };
        self.failed = Some(error.with_partial(partial));
    }
}

fn enrich(error: Error, provider: &str, model: &str, key: Option<&Secret>) -> Error {
    let error = error.with_provider(provider).with_model(model);
    match key {
        Some(key) => error.scrubbed_of(key),
        None => error,
    }
}

fn refuse_losses(losses: &[Loss]) -> Result<()> {
    if losses.is_empty() {
        return Ok(());
    }
    let list = losses.iter().map(Loss::to_string).collect::<Vec<_>>().join("; ");
    Err(Error::new(
        ErrorKind::Unsupported,
        format!("strict: this cannot be carried: {list}"),
    ))
}

/// Reads a body to its end, within a bound.
async fn collect(mut body: Body, limit: usize) -> Result<Bytes> {
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
