//! We are the client: a request goes down as bytes, an answer comes up as words.

use std::borrow::Cow;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};

use bytes::{Bytes, BytesMut};
use futures_core::Stream;
use http::header::{CONTENT_TYPE, HeaderValue};
use http::{HeaderMap, StatusCode};

use super::common::{collect, cut_or_garbled, enrich, refuse_losses, send};
use super::exchange::ask;
use super::passing::Pieces;
use crate::chat::{ChatRequest, ChatResponse, Content, Event, EventStream, Events, RateLimit, Wire, rate_limits};
use crate::check::check;
use crate::dialect::{Answer, Decoder, Dialect, Encoded, truncated};
use crate::error::request_id;
use crate::exchange::{Counting, Embedding, Reranking};
use crate::frame::{Framer, Framing};
use crate::raw::{RawReply, RawRequest};
use crate::remarks::lost_from_request;
use crate::service::{Call, Reply, Request, Service};
use crate::transport::{Body, Transport};
use crate::{Answering, Endpoint, Error, ErrorKind, Loss, ModelTraits, Passage, Passed, Result, Sink, Stage};

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
        Self { frame: 32 << 20, body: 256 << 20 }
    }
}

/// A provider, spoken to in its dialect over a transport: the service at the bottom of every stack.
#[derive(Clone, Debug)]
pub struct Origin {
    dialect: Option<&'static dyn Dialect>,
    embedding: Option<&'static Embedding>,
    reranking: Option<&'static Reranking>,
    counting: Option<&'static Counting>,
    endpoint: Arc<Endpoint>,
    transport: Arc<dyn Transport>,
    limits: Limits,
}

impl Origin {
    /// An origin.
    pub fn new(dialect: &'static dyn Dialect, endpoint: Endpoint, transport: Arc<dyn Transport>) -> Self {
        Self { dialect: Some(dialect), ..Self::without_chat(endpoint, transport) }
    }

    /// An origin that holds no conversations.
    pub fn without_chat(endpoint: Endpoint, transport: Arc<dyn Transport>) -> Self {
        Self {
            dialect: None,
            embedding: None,
            reranking: None,
            counting: None,
            endpoint: Arc::new(endpoint),
            transport,
            limits: Limits::default(),
        }
    }

    /// Sets the format in which it is asked for vectors. Without one it gives none.
    #[must_use]
    pub fn with_embedding(mut self, embedding: &'static Embedding) -> Self {
        self.embedding = Some(embedding);
        self
    }

    /// Sets the format in which it is asked to order documents. Without one it does not.
    #[must_use]
    pub fn with_reranking(mut self, reranking: &'static Reranking) -> Self {
        self.reranking = Some(reranking);
        self
    }

    /// Sets the format in which it is asked how many tokens a conversation is. Without one it does not count.
    #[must_use]
    pub fn with_counting(mut self, counting: &'static Counting) -> Self {
        self.counting = Some(counting);
        self
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

    async fn chat(&self, dialect: &'static dyn Dialect, call: &Call, request: &ChatRequest) -> Result<Reply> {
        let asked = call.passage.as_deref().filter(|passage| passage.says(dialect.name(), request));
        let fitted = fit(dialect, request, &self.endpoint)?;
        let as_it_is = asked.and_then(|passage| pass(dialect, passage, &fitted, &self.endpoint));
        let gives_back = |passage| dialect.gives_back(passage, request, &self.endpoint);
        let passes = as_it_is.is_some() || asked.is_some_and(gives_back);
        let mut encoded = as_it_is.map_or_else(|| write(dialect, fitted, &self.endpoint), Ok)?;
        if request.strict {
            refuse_losses(&encoded.losses)?;
        }
        let losses = std::mem::take(&mut encoded.losses);
        let (head, body) = send(encoded, &self.endpoint, &*self.transport, call).await?;
        let headers = head.headers;
        let about = About::of(losses, &headers, call.keep_raw);
        let by = || Answering::of(&self.endpoint.provider, &request.model);
        if request.stream && head.status.is_success() {
            call.trail.answers(Answering { losses: about.losses.clone(), ..by() });
        }
        let framing = dialect.framing(&headers).filter(|_| request.stream && head.status.is_success());
        if let Some(framing) = framing {
            let pieces = passes && is_framed_as_asked(dialect, request, framing);
            let framer = Framer::new(framing).with_limit(self.limits.frame);
            let stream = Streaming {
                body: Some(body),
                framer,
                decoder: dialect.decoder(),
                sink: Sink::streaming(),
                raw: about.keep_raw.then(BytesMut::new),
                pieces: pieces.then(Pieces::default),
                about,
                endpoint: self.endpoint.clone(),
                model: request.model.clone(),
                room: self.limits.body,
                failed: None,
                over: false,
            };
            return if request.stream { Ok(Reply::Stream(Box::pin(stream))) } else { fold(stream).await };
        }
        let body = collect(body, self.limits.body).await?;
        let answer = Answer { status: head.status, headers: &headers, body: &body };
        let mut response = dialect.decode(answer).map_err(|error| cut_or_garbled(error, head.status, &body))?;
        if response.model.is_empty() && !request.stream {
            call.trail.answers(by());
        }
        let to_client = passes.then(|| Box::new(Passed::new(body.clone(), &response, about.losses.clone())));
        about.complete(&mut response, &self.endpoint.provider, Some(body));
        response.passed = to_client;
        Ok(if request.stream { Reply::Stream(replay(response)) } else { Reply::Whole(Box::new(response)) })
    }
}

impl Service for Origin {
    async fn call<'a>(&'a self, call: &'a Call, request: &'a Request) -> Result<Reply> {
        if let Some(key) = &call.key {
            let endpoint = Endpoint { key: Some(key.secret.clone()), ..(*self.endpoint).clone() };
            let with_key = Self { endpoint: Arc::new(endpoint), ..self.clone() };
            return Box::pin(with_key.ask(call, request)).await;
        }
        self.ask(call, request).await
    }
}

impl Origin {
    /// Sends a request on as it is, with the endpoint's key.
    async fn raw(&self, call: &Call, raw: &RawRequest) -> Result<Reply> {
        let endpoint = &*self.endpoint;
        let sent = async {
            let mut encoded =
                Encoded::post_json(endpoint.url(raw.path_behind(&endpoint.base_url))?, Bytes::new(), vec![]);
            (encoded.method, encoded.headers, encoded.body) =
                (raw.method.clone(), raw.headers.clone(), raw.body.clone());
            send(encoded, endpoint, &*self.transport, call).await
        };
        let (head, body) = sent.await.map_err(|error| {
            // What it does is not known, so nothing is known to be the same when it is done twice.
            let may_repeat = error.stage() == Stage::NotSent && error.is_retryable();
            enrich(error.with_retryable(may_repeat), &endpoint.provider, None, endpoint.key.as_ref())
        })?;
        Ok(Reply::Raw(Box::new(RawReply::new(head.status, head.headers, body))))
    }

    async fn ask(&self, call: &Call, request: &Request) -> Result<Reply> {
        let (endpoint, transport) = (&*self.endpoint, &*self.transport);
        match (request, (self.dialect, self.embedding, self.reranking, self.counting)) {
            // In boxes: what is waited for in its place is copied into each that waits.
            (Request::Chat(chat), (Some(dialect), ..)) => Box::pin(self.chat(dialect, call, chat))
                .await
                .map_err(|e| enrich(e, &endpoint.provider, Some(&chat.model), endpoint.key.as_ref())),
            (Request::Embed(embed), (_, Some(format), ..)) => {
                Box::pin(ask(format, endpoint, transport, call, embed, self.limits))
                    .await
                    .map(|it| Reply::Embed(Box::new(it)))
            }
            (Request::Rerank(rerank), (.., Some(format), _)) => {
                Box::pin(ask(format, endpoint, transport, call, rerank, self.limits))
                    .await
                    .map(|it| Reply::Rerank(Box::new(it)))
            }
            (Request::Count(count), (.., Some(format))) => {
                Box::pin(ask(format, endpoint, transport, call, count, self.limits))
                    .await
                    .map(|it| Reply::Count(Box::new(it)))
            }
            (Request::Raw(raw), _) => Box::pin(self.raw(call, raw)).await,
            _ => {
                let what = match request {
                    Request::Chat(_) => "holds no conversations",
                    Request::Embed(_) => "embeds nothing",
                    Request::Rerank(_) => "orders no documents",
                    Request::Count(_) => "counts no tokens",
                    Request::Raw(_) => "takes no raw requests",
                };
                let message = format!("{} {what}, as far as is known here; ask another provider", endpoint.provider);
                Err(Error::new(ErrorKind::Unsupported, message)
                    .with_provider(&endpoint.provider)
                    .with_model(request.model()))
            }
        }
    }
}

/// What is asked, made to fit what is known of the model, as the dialect's HTTP request; with what was lost on both
/// ways.
///
/// # Errors
/// As [`check`], [`ModelTraits::fit`](crate::ModelTraits::fit) and [`Dialect::encode`].
pub fn encode(dialect: &dyn Dialect, request: &ChatRequest, endpoint: &Endpoint) -> Result<Encoded> {
    write(dialect, fit(dialect, request, endpoint)?, endpoint)
}

/// A request as a model takes it, and what had to be changed for that.
type Fitted<'r> = (Cow<'r, ChatRequest>, Vec<Loss>);

fn fit<'r>(dialect: &dyn Dialect, request: &'r ChatRequest, endpoint: &Endpoint) -> Result<Fitted<'r>> {
    let traits = if ModelTraits::matter_to(request) { endpoint.traits(&request.model) } else { ModelTraits::default() };
    check(request, &dialect.abilities(&endpoint.quirks), &traits)?;
    traits.fit(request)
}

fn write(dialect: &dyn Dialect, (request, losses): Fitted<'_>, endpoint: &Endpoint) -> Result<Encoded> {
    let mut encoded = dialect.encode(&request, endpoint)?;
    encoded.losses.splice(0..0, endpoint.notices.iter().cloned().chain(losses));
    lost_from_request(dialect.name(), &request, &mut encoded.losses);
    Ok(encoded)
}

/// Whether a stream that comes in these frames is what our own answer to the request would say that it is.
fn is_framed_as_asked(dialect: &dyn Dialect, request: &ChatRequest, framing: Framing) -> bool {
    let kind = HeaderValue::from_static(dialect.encoder(request).content_type());
    dialect.framing(&HeaderMap::from_iter([(CONTENT_TYPE, kind)])) == Some(framing)
}

/// The client's own bytes as the request to a provider of its dialect. `None` where they do not say what [`encode`] would,
/// or are not known to.
fn pass(dialect: &dyn Dialect, passage: &Passage, fitted: &Fitted<'_>, endpoint: &Endpoint) -> Option<Encoded> {
    let (Cow::Borrowed(request), losses) = fitted else { return None };
    let mut passed = dialect.pass(passage, request, endpoint).filter(|_| losses.is_empty())?;
    passed.losses.splice(0..0, endpoint.notices.iter().cloned());
    Some(passed)
}

/// Some servers stream whether they are asked to or not, and say so.
fn says_stream(headers: &HeaderMap) -> bool {
    headers.get(CONTENT_TYPE).is_some_and(|kind| kind.as_bytes().starts_with(b"text/event-stream"))
}

/// An answer that streams where a whole one was asked for.
async fn fold(stream: Streaming) -> Result<Reply> {
    let mut stream = Box::pin(stream);
    while let Some(event) = std::future::poll_fn(|cx| stream.as_mut().poll_next(cx)).await {
        if let Event::Done(response) = event? {
            return Ok(Reply::Whole(response));
        }
    }
    Err(truncated())
}

/// Decodes an answer that is all here, streamed or not: what the stack does, without a socket.
pub fn decode_whole(
    dialect: &dyn Dialect,
    status: StatusCode,
    headers: &HeaderMap,
    body: &[u8],
    streamed: bool,
) -> Result<ChatResponse> {
    let framing = dialect.framing(headers).filter(|_| status.is_success() && (streamed || says_stream(headers)));
    let Some(framing) = framing else {
        let decoded = dialect.decode(Answer { status, headers, body });
        return decoded.map_err(|error| cut_or_garbled(error, status, body));
    };
    let mut sink = Sink::whole();
    match decode_frames(dialect, framing, body, &mut sink) {
        Ok(()) => Ok(sink.into_response()),
        Err(error) => Err(error.with_partial(sink.take_partial())),
    }
}

fn decode_frames(dialect: &dyn Dialect, framing: Framing, body: &[u8], sink: &mut Sink) -> Result<()> {
    let mut framer = Framer::new(framing);
    let mut decoder = dialect.decoder();
    framer.push(Bytes::copy_from_slice(body));
    for body_is_over in [false, true] {
        if body_is_over {
            framer.finish();
        }
        while let Some(frame) = framer.next()? {
            decoder.frame(frame, sink).map_err(|e| cut_short(e, body_is_over))?;
            if sink.has_ended() {
                return Ok(());
            }
        }
    }
    decoder.finish(sink)
}

/// What cannot be read after the body's end is the half of a frame: the answer was cut, not garbled.
fn cut_short(error: Error, body_is_over: bool) -> Error {
    if body_is_over && error.kind() == ErrorKind::Decode { truncated() } else { error }
}

/// An answer that came whole where a stream was asked for, told as one.
pub fn replay(response: ChatResponse) -> EventStream {
    Box::pin(Queued(told(response)))
}

/// The events of what had come of an answer, without the end.
pub(super) fn retell(response: ChatResponse) -> Vec<Event> {
    let mut sink = told(response);
    std::iter::from_fn(|| sink.pop()).filter(|event| !matches!(event, Event::Done(_))).collect()
}

fn told(response: ChatResponse) -> Sink {
    let mut sink = Sink::streaming();
    sink.identify(Some(&response.id), Some(&response.model));
    for part in &response.parts {
        match &part.content {
            Content::Text { text } if part.cache.is_none() && !text.is_empty() => {
                sink.text(text);
                sink.part_end(None, part.meta.clone());
            }
            Content::Reasoning(r) if r.encrypted.is_none() && part.cache.is_none() && !r.text.is_empty() => {
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
    sink
}

/// A stream of events that are all here.
struct Queued(Sink);

impl Events for Queued {}

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
    request_id: Option<String>,
    rate_limits: Vec<RateLimit>,
    keep_raw: bool,
}

impl About {
    /// The headers themselves are not kept: as long as one of them lives, so does the buffer that they were read into.
    fn of(losses: Vec<Loss>, headers: &HeaderMap, keep_raw: bool) -> Self {
        let request_id = request_id(headers).map(str::to_owned);
        Self { losses, request_id, rate_limits: rate_limits(headers), keep_raw }
    }

    fn complete(&self, response: &mut ChatResponse, provider: &str, raw: Option<Bytes>) {
        provider.clone_into(&mut response.provider);
        response.losses.splice(0..0, self.losses.iter().cloned());
        if response.request_id.is_none() {
            response.request_id.clone_from(&self.request_id);
        }
        response.rate_limits.clone_from(&self.rate_limits);
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
    /// Where the client may have the bytes.
    pieces: Option<Pieces>,
    about: About,
    endpoint: Arc<Endpoint>,
    model: String,
    /// How many more bytes the body may have.
    room: usize,
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
                    Ok(()) => {
                        if let Some(pieces) = &mut this.pieces {
                            // One that the body's end alone ended: what comes after it would be of the same frame.
                            let end = this.body.is_some().then(|| this.framer.read());
                            pieces.read_to(end);
                        }
                    }
                    Err(error) => this.fail(cut_short(error, this.body.is_none())),
                },
                Ok(None) => match this.body.as_mut() {
                    Some(body) => match ready!(body.as_mut().poll_next(cx)) {
                        Some(Ok(chunk)) if chunk.len() > this.room => this.fail(too_long()),
                        Some(Ok(chunk)) => {
                            this.room -= chunk.len();
                            if let Some(raw) = &mut this.raw {
                                raw.extend_from_slice(&chunk);
                            }
                            if let Some(pieces) = &mut this.pieces {
                                pieces.push(chunk.clone());
                            }
                            this.framer.push(chunk);
                        }
                        Some(Err(error)) => this.fail(error),
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

impl Events for Streaming {
    fn wire(mut self: Pin<&mut Self>) -> Wire {
        let this = &mut *self;
        match &mut this.pieces {
            None => Wire::Apart,
            Some(pieces) if this.sink.is_told() && !pieces.is_held() => Wire::Bytes(pieces.take()),
            Some(_) => Wire::Held,
        }
    }
}

impl Streaming {
    fn end(&mut self, cx: &mut Context<'_>) {
        self.over = true;
        // What the provider sends after its end marker is usually here already; reading it frees the connection
        // for the next call.
        if let Some(mut body) = self.body.take() {
            for _ in 0..4 {
                let Poll::Ready(Some(Ok(rest))) = body.as_mut().poll_next(cx) else {
                    break;
                };
                if let Some(pieces) = &mut self.pieces {
                    pieces.push(rest);
                }
            }
        }
        if let Some(pieces) = &mut self.pieces {
            pieces.read_all();
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
        let error = enrich(
            error.with_stage(Stage::Answered),
            &self.endpoint.provider,
            Some(&self.model),
            self.endpoint.key.as_ref(),
        );
        let error = match &partial.request_id {
            Some(id) if error.request_id().is_none() => error.with_request_id(id.clone()),
            _ => error,
        };
        self.failed = Some(error.with_partial(partial));
    }
}

fn too_long() -> Error {
    Error::new(ErrorKind::Decode, "the answer is longer than the limit for a body; raise the limit if that is right")
}
