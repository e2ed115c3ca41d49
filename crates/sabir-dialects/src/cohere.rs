//! What Cohere's dialects have in common: errors (`{message, id, error_type?}`), counters, and why an answer ended.

use bytes::Bytes;
use http::{HeaderMap, StatusCode, Uri};
use sabir_core::chat::{ChatRequest, Finish, FinishReason, Meta, ResponseFormat, Usage};
use sabir_core::schema::{BOUNDS, SchemaRules};
use sabir_core::{Abilities, Endpoint, Error, ErrorKind, Result};
use serde_json::Value;
use serde_json::value::RawValue;

use crate::json::{Fields, Object, Wrong};
use crate::shared::{Complaint, Losses, of_kind, schema_format, status_of};

/// What an answer's schema may say, by Cohere's page on structured outputs: no bounds of numbers, lists and strings, and
/// of the ways to combine schemas `anyOf` alone.
pub(crate) fn abilities() -> Abilities {
    let schema = SchemaRules { only_any_of: true, unknown: BOUNDS, ..SchemaRules::default() };
    Abilities { schema, ..Abilities::default() }
}

/// Where requests go. A base URL may name a version of the API, whichever it is.
pub(crate) fn uri(endpoint: &Endpoint, path: &str) -> Result<Uri> {
    let base = endpoint.base_url.trim_end_matches('/');
    let base_url = base.strip_suffix("/v1").or(base.strip_suffix("/v2")).unwrap_or(base).to_owned();
    Endpoint { base_url, provider: endpoint.provider.clone(), ..Endpoint::default() }.url(path)
}

/// What was read and written; what is only Cohere's own becomes metadata. Cached tokens are part of the input,
/// reasoning of the output.
pub(crate) fn read_usage(dialect: &str, mut fields: Fields<'_>, meta: &mut Meta) -> Result<Usage, Wrong> {
    let mut usage = Usage::default();
    usage.cache_read = fields.count("cached_tokens");
    if let Some(mut tokens) = fields.object("tokens")? {
        let (input, output) = (tokens.count("input_tokens"), tokens.count("output_tokens"));
        usage.reasoning = tokens.count("reasoning_tokens");
        usage.input_from_total(input);
        usage.output_from_total(output);
        let rest = tokens.rest()?;
        if !rest.is_empty() {
            meta.set(dialect, "tokens", Value::Object(rest));
        }
    }
    for (key, value) in fields.rest()? {
        meta.set(dialect, key, value);
    }
    Ok(usage)
}

/// The fields of the object of counters that are no counters.
pub(crate) const BESIDE_TOKENS: &[&str] = &["api_version", "warnings", "billed_units"];

/// Writes the object of counters under `key`, if anything of it is known.
pub(crate) fn write_usage(to: &mut Object<'_>, key: &str, usage: &Usage, own: Option<&Meta>, dialect: &str) {
    let own = own.and_then(|meta| meta.of(dialect));
    let has = |field: &str| own.is_some_and(|own| own.contains_key(field));
    if usage.is_unknown() && !BESIDE_TOKENS.iter().any(|field| has(field)) {
        return;
    }
    to.object(key, |to| {
        for field in BESIDE_TOKENS {
            to.some(field, own.and_then(|own| own.get(*field)));
        }
        let more = own.and_then(|own| own.get("tokens")).and_then(Value::as_object);
        if !usage.is_unknown() || more.is_some() {
            to.object("tokens", |tokens| {
                tokens.some("input_tokens", usage.input_total()).some("output_tokens", usage.output_total());
                tokens.some("reasoning_tokens", usage.reasoning);
                tokens.meta(more, &["input_tokens", "output_tokens", "reasoning_tokens"]);
            });
        }
        to.some("cached_tokens", usage.cache_read);
    });
}

/// Writes the form of the answer, a schema under `key`.
pub(crate) fn write_format(request: &ChatRequest, key: &str, body: &mut Object<'_>, losses: &mut Losses) {
    match &request.response_format {
        Some(ResponseFormat::Text) => body.raw("response_format", r#"{"type":"text"}"#),
        Some(ResponseFormat::Json) => body.raw("response_format", r#"{"type":"json_object"}"#),
        _ => body,
    };
    if let Some(schema) = losses.schema(request) {
        body.object("response_format", |to| {
            to.field("type", "json_object").field(key, schema);
        });
    }
}

/// A form of the answer that has a word in the vocabulary, its schema under one of `keys`.
pub(crate) fn read_format(json: &RawValue, keys: &[&str]) -> Option<ResponseFormat> {
    let mut fields = Fields::read(json, true).ok()?;
    let kind = fields.string("type").ok()??;
    let mut schema = None;
    for key in keys {
        schema = schema.or(fields.value(key).ok()?);
    }
    if !fields.is_empty() {
        return None;
    }
    match (&*kind, schema) {
        ("text", None) => Some(ResponseFormat::Text),
        ("json_object", None) => Some(ResponseFormat::Json),
        ("json_object", Some(schema)) => Some(schema_format(schema)),
        _ => None,
    }
}

/// The word for why an answer ended. `calls`: the one for an answer that asks for tools.
pub(crate) fn finish_word<'f>(finish: &'f Finish, calls: &'f str, losses: &mut Losses) -> &'f str {
    const WORDS: &[&str] =
        &["COMPLETE", "STOP_SEQUENCE", "MAX_TOKENS", "ERROR", "ERROR_TOXIC", "ERROR_LIMIT", "USER_CANCEL", "TIMEOUT"];
    losses.stop_sequence(finish);
    if let Some(raw) = finish.raw.as_deref().filter(|raw| WORDS.contains(raw) || *raw == calls) {
        return raw;
    }
    match &finish.reason {
        FinishReason::Stop if finish.stop_sequence.is_some() => "STOP_SEQUENCE",
        FinishReason::Length => "MAX_TOKENS",
        FinishReason::ToolCalls => calls,
        FinishReason::ContentFilter => "ERROR_TOXIC",
        FinishReason::Error => "ERROR",
        FinishReason::Other(word) => word,
        FinishReason::Pause => {
            losses.finish();
            "COMPLETE"
        }
        _ => "COMPLETE",
    }
}

/// The error that an HTTP answer is.
pub(crate) fn failure(status: StatusCode, headers: &HeaderMap, body: &[u8]) -> Error {
    let error = Complaint::failure(status, headers, body);
    // 498 is Cohere's own: a token that is not valid, or an answer that was blocked.
    match (status.as_u16(), error.kind()) {
        (498, ErrorKind::InvalidRequest) if error.message().contains("token") => {
            of_kind(ErrorKind::Authentication, &error)
        }
        (498, ErrorKind::InvalidRequest) => of_kind(ErrorKind::ContentFiltered, &error),
        _ => error,
    }
}

/// The error in the body of a success, or in an event of a stream.
pub(crate) fn inside(body: &[u8]) -> Option<Error> {
    Complaint::read(body).map(Complaint::into_error)
}

/// An error in Cohere's shape, with the status that Cohere would send.
pub(crate) fn refuse(error: &Error) -> (StatusCode, Bytes) {
    let mut out = Vec::new();
    let mut body = Object::new(&mut out);
    body.field("message", error.message());
    body.some("id", error.request_id()).some("error_type", code_of(error));
    body.end();
    (status_of(error), out.into())
}

/// The code by which a client of ours tells the kinds apart that share a status, or have none.
pub(crate) fn code_of(error: &Error) -> Option<&str> {
    error.code().or(match error.kind() {
        ErrorKind::ContextTooLong => Some("TOO_MANY_TOKENS"),
        ErrorKind::ContentFiltered => Some("content_filter"),
        ErrorKind::RateLimit => Some("rate_limit"),
        ErrorKind::Overloaded => Some("overloaded"),
        _ => None,
    })
}
