//! The formats of one question and one answer: vectors, orders of documents, lists of models, counts of tokens.

use std::process::ExitCode;

use http::{HeaderMap, Method, StatusCode};
use sabir::dialect::{Answer, Asked, Encoded};
use sabir::{Endpoint, Exchange, Result};
use serde::de::DeserializeOwned;
use serde_json::{Value, json};

use super::encode::not_ours;
use super::names::{Format, Named};
use crate::failure::{Failure, Outcome};
use crate::{input, output};

/// Writes what an answer says.
pub(super) fn decode(named: &Named<Format>, status: StatusCode, headers: &HeaderMap) -> Outcome {
    let body = input::stdin()?;
    let answer = Answer { status, headers, body: &body };
    let provider = named.provider.as_ref().map(sabir::Provider::id).unwrap_or_default();
    written(match named.dialect {
        Format::Embed(format) => format.decode(answer).map(|mut said| {
            provider.clone_into(&mut said.provider);
            with_usage(json!(said), &said.usage)
        }),
        Format::Rerank(format) => format.decode(answer).map(|mut said| {
            provider.clone_into(&mut said.provider);
            with_usage(json!(said), &said.usage)
        }),
        Format::Models(format) => format.decode(answer).map(|said| json!(said)),
        Format::Count(format) => format.decode(answer).map(|mut said| {
            provider.clone_into(&mut said.provider);
            json!(said)
        }),
    })
}

/// Writes what a client asks.
pub(super) fn accept(named: &Named<Format>, path: &str) -> Outcome {
    let body = input::stdin()?;
    let method = if let Format::Models(_) = named.dialect { Method::GET } else { Method::POST };
    let asked = Asked { method: &method, path, headers: &HeaderMap::new(), body: &body };
    written(match named.dialect {
        Format::Embed(format) => format.accept(asked).map(|request| json!(request)),
        Format::Rerank(format) => format.accept(asked).map(|request| json!(request)),
        Format::Models(format) => format.accept(asked).map(|request| json!(request)),
        Format::Count(format) => format.accept(asked).map(|request| json!(request)),
    })
}

/// The HTTP request of what standard input asks.
pub(super) fn encode(named: &Named<Format>, endpoint: &Endpoint) -> Result<Encoded, Failure> {
    match named.dialect {
        Format::Embed(format) => asked(format, endpoint),
        Format::Rerank(format) => asked(format, endpoint),
        Format::Models(format) => asked(format, endpoint),
        Format::Count(format) => asked(format, endpoint),
    }
}

fn asked<Q: DeserializeOwned + 'static, A: 'static>(
    format: &dyn Exchange<Request = Q, Response = A>,
    endpoint: &Endpoint,
) -> Result<Encoded, Failure> {
    let request: Q = serde_json::from_slice(&input::stdin()?).map_err(|e| not_ours(&e))?;
    Ok(format.encode(&request, endpoint)?)
}

/// An answer whose usage has its totals, too.
fn with_usage(mut said: Value, usage: &sabir::chat::Usage) -> Value {
    said["usage"] = output::usage(usage);
    said
}

fn written(said: Result<Value>) -> Outcome {
    let (value, status) = match said {
        Ok(value) => (value, ExitCode::SUCCESS),
        Err(error) => (output::error(&error), ExitCode::FAILURE),
    };
    output::print_json(&value)?;
    Ok(status)
}
