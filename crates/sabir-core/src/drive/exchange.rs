//! Both mirrors for what is one question and one answer: vectors, orders of documents, lists of models, counts of
//! tokens.

use bytes::Bytes;
use http::header::{CONTENT_TYPE, HeaderValue};

use super::client::Limits;
use super::common::{collect, cut_or_garbled, enrich, refuse_losses, send};
use super::host::{Begun, Host, Open};
use super::server::{Losses, refused};
use crate::chat::Cost;
use crate::count::CountRequest;
use crate::dialect::{Answer, Asked};
use crate::embed::EmbedRequest;
use crate::error::request_id;
use crate::exchange::{Exchange, Listing, Question};
use crate::rerank::RerankRequest;
use crate::service::{Call, Reply, Request, Service, Shared};
use crate::transport::{Body, Transport, whole};
use crate::{Answering, Endpoint, Error, ErrorKind, Loss, Result};

/// Asks a provider one question in a format.
///
/// # Errors
/// All that can go wrong, with provider, model and how far the call got.
pub async fn ask<Q: Question>(
    exchange: &dyn Exchange<Request = Q, Response = Q::Answer>,
    endpoint: &Endpoint,
    transport: &dyn Transport,
    call: &Call,
    request: &Q,
    limits: Limits,
) -> Result<Q::Answer> {
    let answered = async {
        let mut encoded = exchange.encode(request, endpoint)?;
        encoded.losses.splice(0..0, endpoint.notices.iter().cloned());
        if request.strict() {
            refuse_losses(&encoded.losses)?;
        }
        let losses = std::mem::take(&mut encoded.losses);
        let (head, body) = send(encoded, endpoint, transport, call).await?;
        let body = collect(body, limits.body).await?;
        let (status, headers) = (head.status, &head.headers);
        let answered = exchange.decode(Answer { status, headers, body: &body });
        let mut answer = answered.map_err(|error| cut_or_garbled(error, status, &body))?;
        request.check(&answer)?;
        request.complete(&mut answer, &endpoint.provider, request_id(headers), losses);
        Ok(answer)
    };
    let model = Some(request.model()).filter(|model| !model.is_empty());
    answered.await.map_err(|error| enrich(error, &endpoint.provider, model, endpoint.key.as_ref()))
}

/// A question that a [`Service`] answers.
pub trait Served: Question + Sized {
    /// The question as a service's request.
    fn wrap(self) -> Request;

    /// The question in a service's request; `None` where it is another.
    fn unwrap(request: &Request) -> Option<&Self>;

    /// The answer in a service's reply, with who answered (and what was lost on its way so far) and what it cost.
    ///
    /// # Errors
    /// `Provider` where the reply is something else.
    fn answer(reply: Reply) -> Result<(Self::Answer, Answering, Option<Cost>)>;
}

macro_rules! served {
    ($($question:ident = $variant:ident, $answer:ident, |$it:ident| ($model:expr, $cost:expr);)+) => {$(
        impl Served for $question {
            fn wrap(self) -> Request {
                Request::$variant(self)
            }

            fn unwrap(request: &Request) -> Option<&Self> {
                match request {
                    Request::$variant(question) => Some(question),
                    _ => None,
                }
            }

            fn answer(reply: Reply) -> Result<(Self::Answer, Answering, Option<Cost>)> {
                let mut answer = reply.$answer()?;
                let losses = std::mem::take(&mut answer.losses);
                let $it = &answer;
                let (by, cost) = (Answering { losses, ..Answering::of(&$it.provider, $model) }, $cost);
                Ok((answer, by, cost))
            }
        }
    )+};
}
served! {
    EmbedRequest = Embed, embed, |it| (&it.model, it.cost);
    RerankRequest = Rerank, rerank, |it| (&it.model, it.cost);
    CountRequest = Count, count, |it| ("", None);
}

/// Answers one HTTP request in a format, from a service. Never fails: an error is an answer in the format's shape.
pub async fn serve_exchange<Q: Served>(
    exchange: &dyn Exchange<Request = Q, Response = Q::Answer>,
    service: &Shared,
    call: &Call,
    request: http::Request<Bytes>,
) -> http::Response<Body> {
    host(exchange, &Open(service), call.clone(), request).await
}

/// As [`serve_exchange`], from whoever answers at a host.
pub(super) async fn host<Q: Served>(
    exchange: &dyn Exchange<Request = Q, Response = Q::Answer>,
    host: &dyn Host,
    mut call: Call,
    request: http::Request<Bytes>,
) -> http::Response<Body> {
    let answered = async {
        let mut wanted = accept(exchange, &request)?.wrap();
        host.admit(&mut call, &mut wanted)?;
        let (answer, mut by, cost) = Q::answer(host.service().call(&call, &wanted).await?)?;
        let wanted = Q::unwrap(&wanted).ok_or_else(|| Error::new(ErrorKind::Provider, "a question was exchanged"))?;
        let begun = Begun::after(&call);
        if by.provider.is_empty() {
            by.provider.clone_from(&begun.by.provider);
        }
        if by.model.is_empty() && !by.provider.is_empty() {
            wanted.model().clone_into(&mut by.model);
        }
        by.is_cached = begun.by.is_cached;
        let mut response = respond(exchange, &answer, wanted, std::mem::take(&mut by.losses));
        response.extensions_mut().insert(Begun { by, cost, ..begun });
        Ok(response)
    };
    answered.await.unwrap_or_else(|error| refuse(exchange, &error))
}

/// Answers one HTTP request for a list of models, or for one of them. Never fails: an error is an answer in the format's
/// shape.
pub(super) async fn list(exchange: &Listing, host: &dyn Host, request: http::Request<Bytes>) -> http::Response<Body> {
    let answered = async {
        let wanted = accept(exchange, &request)?;
        let mut answer = host.models(wanted.clone()).await?;
        wanted.pick(&mut answer)?;
        Ok(respond(exchange, &answer, &wanted, Vec::new()))
    };
    answered.await.unwrap_or_else(|error| refuse(exchange, &error))
}

fn accept<Q: 'static, A: 'static>(
    exchange: &dyn Exchange<Request = Q, Response = A>,
    request: &http::Request<Bytes>,
) -> Result<Q> {
    exchange.accept(Asked {
        method: request.method(),
        path: request.uri().path_and_query().map_or("/", |p| p.as_str()),
        headers: request.headers(),
        body: request.body(),
    })
}

fn respond<Q: 'static, A: 'static>(
    exchange: &dyn Exchange<Request = Q, Response = A>,
    answer: &A,
    wanted: &Q,
    mut losses: Vec<Loss>,
) -> http::Response<Body> {
    let answered = exchange.respond(answer, wanted);
    let mut response = http::Response::new(whole(answered.body));
    *response.headers_mut() = answered.headers;
    response.headers_mut().entry(CONTENT_TYPE).or_insert(HeaderValue::from_static("application/json"));
    losses.extend(answered.losses);
    response.extensions_mut().insert(Losses(losses));
    response
}

/// An error as an answer in a format's own shape.
pub fn refuse<Q: 'static, A: 'static>(
    exchange: &dyn Exchange<Request = Q, Response = A>,
    error: &Error,
) -> http::Response<Body> {
    let (status, body) = exchange.refuse(error);
    refused(status, body, error)
}

#[cfg(test)]
mod tests;
