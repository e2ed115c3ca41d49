//! The formats in which providers are asked how many tokens a conversation is: Anthropic's, OpenAI's, Gemini's,
//! Vertex AI's, Bedrock's.
//!
//! Each is a dialect of conversations, reshaped: the dialect writes and reads the conversation, and what is here
//! leaves out the fields that the endpoint does not take, wraps the rest as the endpoint wants it, and changes the
//! path. Options, metadata and quirks are the dialect's.
#![cfg_attr(
    not(all(feature = "anthropic", feature = "bedrock", feature = "gemini", feature = "openai-responses")),
    allow(dead_code, unused_imports, reason = "each format needs a part of it")
)]

mod formats;
mod wrap;

use std::collections::BTreeMap;

use bytes::Bytes;
use http::uri::PathAndQuery;
use http::{StatusCode, Uri};
use sabir_core::chat::ChatRequest;
use sabir_core::count::{Count, CountRequest, CountResponse};
use sabir_core::dialect::{Answer, Asked, Encoded, Responded};
use sabir_core::exchange::Counting;
use sabir_core::{Dialect, Endpoint, Error, ErrorKind, Exchange, Feature, Loss, Result};
use serde_json::{Map, Value, json};

use super::exchange::{count, invalid, lacking, read, responded};
use wrap::Wrapping;

/// The formats for counts of tokens, in the order in which they are documented.
pub fn all() -> &'static [&'static Counting] {
    formats::ALL
}

type Fields = Map<String, Value>;

/// A format for counts: a dialect, and where its endpoint for counts differs from the one for conversations.
#[derive(Debug)]
struct Counter {
    name: &'static str,
    dialect: &'static dyn Dialect,
    paths: &'static [&'static str],
    /// How the dialect's path ends, and the path of counts in its place.
    ends: (&'static str, &'static str),
    /// Fields that are not taken and have no bearing on the input.
    idle: &'static [&'static str],
    lost: &'static [Lost],
    wrapping: Wrapping,
    /// A field of the answer that is the same in all, and its value.
    mark: Option<(&'static str, &'static str)>,
    /// The field of the answer that is the count.
    total: &'static str,
    /// The field of the answer that says how much of it is cached.
    cached: Option<&'static str>,
    /// Whether the provider calls its answer an estimate.
    estimates: bool,
}

/// A field that is not taken though it has a bearing on the input.
#[derive(Debug)]
struct Lost {
    field: &'static str,
    /// The field in it that has; all of it where there is none.
    within: Option<&'static str>,
    feature: Feature,
    /// Where the vocabulary has it; `None` for an option.
    path: Option<&'static str>,
}

impl Counter {
    /// The body that counts are asked for with, made of the one that a conversation is asked for with.
    fn reshape(&self, body: &[u8], chat: &ChatRequest, losses: &mut Vec<Loss>) -> Result<Bytes> {
        let mut body: Fields =
            serde_json::from_slice(body).map_err(|_| invalid("the request is nested too deeply to be counted"))?;
        for field in self.idle {
            body.shift_remove(*field);
        }
        for lost in self.lost {
            let Some(value) = body.shift_remove(lost.field) else { continue };
            if lost.within.is_none_or(|name| value.get(name).is_some()) {
                let option = || format!("options.{}.{}", self.dialect.name(), lost.field);
                let path = lost.path.map_or_else(option, str::to_owned);
                losses.push(Loss::new(lost.feature.clone(), path, "not counted: the count does not take it"));
            }
        }
        Ok(Value::Object(self.wrapping.wrap(body, &chat.model)).to_string().into())
    }

    fn uri(&self, uri: Uri) -> Result<Uri> {
        let (from, to) = self.ends;
        let path = uri.path().strip_suffix(from).map(|path| format!("{path}{to}"));
        let path = path.and_then(|path| PathAndQuery::try_from(path).ok());
        let mut parts = uri.into_parts();
        let known = path.is_some();
        parts.path_and_query = path;
        Uri::from_parts(parts).ok().filter(|_| known).ok_or_else(|| {
            let message = format!("{} knows no path for counts beside the one for conversations", self.name);
            Error::new(ErrorKind::Configuration, message)
        })
    }

    /// The path at which the conversation itself would be asked for.
    fn path_back(&self, path: &str) -> String {
        let (place, query) = path.split_at(path.find('?').unwrap_or(path.len()));
        let (to, from) = self.ends;
        place.strip_suffix(from).map_or_else(|| path.to_owned(), |start| format!("{start}{to}{query}"))
    }
}

impl Exchange for Counter {
    type Request = CountRequest;
    type Response = CountResponse;

    fn name(&self) -> &'static str {
        self.name
    }

    fn quirks(&self) -> &'static [&'static str] {
        self.dialect.quirks()
    }

    fn paths(&self) -> &'static [&'static str] {
        self.paths
    }

    fn of_dialect(&self) -> Option<&'static str> {
        Some(self.dialect.name())
    }

    fn encode(&self, request: &CountRequest, endpoint: &Endpoint) -> Result<Encoded> {
        let chat = input_of(&request.chat);
        // A conversation may be counted with its answer, whether or not the model would go on from it.
        let mut traits = endpoint.traits(&chat.model);
        traits.prefill = None;
        let (chat, mut losses) = traits.fit(&chat)?;
        let mut encoded = self.dialect.encode(&chat, endpoint)?;
        losses.append(&mut encoded.losses);
        encoded.body = self.reshape(&encoded.body, &chat, &mut losses)?;
        encoded.uri = self.uri(encoded.uri)?;
        encoded.losses = losses;
        Ok(encoded)
    }

    fn decode(&self, answer: Answer<'_>) -> Result<CountResponse> {
        if !answer.status.is_success() {
            let status = answer.status;
            let odd = |_| Err(Error::new(ErrorKind::Provider, format!("the answer was {status}")).with_status(status));
            return self.dialect.decode(answer).map_or_else(Err, odd);
        }
        let mut fields: Fields = read(&answer)?;
        let mut taken = |name: &str| count(fields.shift_remove(name).as_ref());
        let mut response = CountResponse::default();
        let input = Count::exact(taken(self.total).ok_or_else(|| lacking(answer.body, self.total))?);
        response.input = if self.estimates { input.doubtful() } else { input };
        response.cached = self.cached.and_then(taken);
        if let Some((name, _)) = self.mark {
            fields.shift_remove(name);
        }
        for (name, value) in fields.into_iter().filter(|(_, value)| !value.is_null()) {
            response.meta.set(self.name, name, value);
        }
        Ok(response)
    }

    fn accept(&self, asked: Asked<'_>) -> Result<CountRequest> {
        let body = self.wrapping.unwrap(asked.body)?;
        let path = self.path_back(asked.path);
        let chat = self.dialect.accept(Asked { path: &path, body: &body, ..asked })?;
        Ok(CountRequest { chat })
    }

    fn respond(&self, response: &CountResponse, _: &CountRequest) -> Responded {
        let mut fields = Fields::new();
        fields.extend(self.mark.map(|(name, value)| (name.to_owned(), json!(value))));
        fields.insert(self.total.to_owned(), response.input.tokens.into());
        let mut losses = Vec::new();
        match (self.cached, response.cached) {
            (Some(name), Some(cached)) => drop(fields.insert(name.to_owned(), cached.into())),
            (None, Some(_)) => losses.push(Loss::new(Feature::Usage, "cached", "no field in this format")),
            (_, None) => {}
        }
        for (name, value) in response.meta.of(self.name).into_iter().flatten() {
            fields.entry(name).or_insert_with(|| value.clone());
        }
        if response.meta.dialects().any(|dialect| dialect != self.name) {
            losses.push(Loss::new(Feature::Usage, "meta", "counters of another format"));
        }
        responded(Value::Object(fields).to_string(), losses)
    }

    fn refuse(&self, error: &Error) -> (StatusCode, Bytes) {
        self.dialect.refuse(error)
    }
}

/// The request without what has no bearing on its input: some of it would be refused, and none of it is missed.
fn input_of(chat: &ChatRequest) -> ChatRequest {
    ChatRequest {
        max_tokens: None,
        temperature: None,
        top_p: None,
        top_k: None,
        stop: Vec::new(),
        seed: None,
        presence_penalty: None,
        frequency_penalty: None,
        cache_key: None,
        user: None,
        metadata: BTreeMap::new(),
        stream: false,
        ..chat.clone()
    }
}

#[cfg(test)]
mod tests;
