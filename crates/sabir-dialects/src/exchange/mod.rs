//! What the formats of one question and one answer share: bodies read and written, options, addresses, errors.
#![cfg_attr(
    not(all(feature = "batches", feature = "count", feature = "embeddings", feature = "models", feature = "rerank")),
    allow(dead_code, unused_imports, reason = "each kind of format needs a part of it")
)]

mod refuse;
mod said;
mod taken;

use bytes::Bytes;
use http::{HeaderMap, Uri};
use sabir_core::chat::Meta;
use sabir_core::dialect::{Answer, Encoded, Responded, unreadable};
use sabir_core::{Endpoint, Error, ErrorKind, Feature, Loss, Result};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

pub(crate) use refuse::Shape;
pub(crate) use taken::{Taken, invalid, missing, query, text, unescaped, wrong};

/// Reads an answer. A status that is no success, or a body that is an error all the same, is that error.
pub(crate) fn read<'a, T: Deserialize<'a>>(answer: &Answer<'a>) -> Result<T> {
    if !answer.status.is_success() {
        return Err(said::decode(answer.status, answer.headers, answer.body));
    }
    serde_json::from_slice(answer.body)
        .map_err(|error| said::instead(answer.body).unwrap_or_else(|| unreadable("the answer", &error)))
}

/// The error that an answer without success is.
pub(crate) fn refused(answer: &Answer<'_>) -> Error {
    said::decode(answer.status, answer.headers, answer.body)
}

/// The error of an answer that is JSON and lacks what it is for.
pub(crate) fn lacking(body: &[u8], what: &str) -> Error {
    said::instead(body).unwrap_or_else(|| Error::new(ErrorKind::Decode, format!("the answer has no {what}")))
}

/// Options that say how an answer is to be written, not what it is to be: whoever asked gets it so written,
/// whatever the format in which it was come by. They are never lost.
fn only_form(name: &str, value: &Value) -> bool {
    match name {
        "api_version" | "method" | "style" | "return_documents" => true,
        "encoding_format" => value == "float" || value == "base64",
        "embedding_types" => value.as_array().is_some_and(|types| types.iter().all(|t| t == "float")),
        _ => false,
    }
}

/// The losses that the options of other formats are.
pub(crate) fn foreign(options: &Meta, own: &str) -> Vec<Loss> {
    let others = options.dialects().filter(|dialect| *dialect != own);
    let fields = others.flat_map(|dialect| options.of(dialect).into_iter().flatten().map(move |f| (dialect, f)));
    fields
        .filter(|(_, (name, value))| !only_form(name, value))
        .map(|(dialect, (name, _))| {
            let path = format!("options.{dialect}.{name}");
            Loss::new(Feature::Options, path, "an option of another format")
        })
        .collect()
}

/// A JSON object being written. An option of the caller's for this format stands in place of our own value.
pub(crate) struct Object<'a> {
    out: Vec<u8>,
    options: Option<&'a Map<String, Value>>,
    written: Vec<&'static str>,
}

impl<'a> Object<'a> {
    /// An object into which these options go, too.
    pub(crate) fn new(options: Option<&'a Map<String, Value>>) -> Self {
        let (out, written) = (vec![b'{'], Vec::new());
        Self { out, options, written }
    }

    /// Writes a field.
    pub(crate) fn field(&mut self, name: &'static str, value: &(impl Serialize + ?Sized)) -> &mut Self {
        self.written.push(name);
        match self.options.and_then(|options| options.get(name)) {
            Some(option) => self.put(name, option),
            None => self.put(name, value),
        }
        self
    }

    /// Writes a field that may be absent.
    pub(crate) fn maybe(&mut self, name: &'static str, value: Option<&(impl Serialize + ?Sized)>) -> &mut Self {
        if let Some(value) = value {
            self.field(name, value);
        }
        self
    }

    /// Writes a field whose value is JSON already.
    pub(crate) fn raw(&mut self, name: &'static str, json: &[u8]) -> &mut Self {
        self.key(name);
        self.written.push(name);
        self.out.extend_from_slice(json);
        self
    }

    fn key(&mut self, name: &str) {
        if self.out.len() > 1 {
            self.out.push(b',');
        }
        write(&mut self.out, name);
        self.out.push(b':');
    }

    fn put(&mut self, name: &str, value: &(impl Serialize + ?Sized)) {
        self.key(name);
        write(&mut self.out, value);
    }

    /// The object with the options that no field stood for, but for those that are ours to understand.
    pub(crate) fn end(mut self, ours: &[&str]) -> Vec<u8> {
        for (name, value) in self.options.into_iter().flatten() {
            if !self.written.contains(&name.as_str()) && !ours.contains(&name.as_str()) {
                self.put(name, value);
            }
        }
        self.out.push(b'}');
        self.out
    }
}

/// Writes a value as JSON.
pub(crate) fn write(out: &mut Vec<u8>, value: &(impl Serialize + ?Sized)) {
    serde_json::to_writer(out, value).expect("texts, numbers and maps with texts for keys are always JSON");
}

/// An answer of ours without headers of its own.
pub(crate) fn responded(body: impl Into<Bytes>, losses: Vec<Loss>) -> Responded {
    Responded { headers: HeaderMap::new(), body: body.into(), losses }
}

/// A request without a body.
pub(crate) fn get(uri: Uri) -> Encoded {
    Encoded { method: http::Method::GET, uri, headers: HeaderMap::new(), body: Bytes::new(), losses: Vec::new() }
}

/// The endpoint's base without the version that it may end in, and that version: `v1`, `v1beta`.
fn split_version(base: &str) -> (&str, Option<&str>) {
    let base = base.trim_end_matches('/');
    let version = |word: &str| word.strip_prefix('v').is_some_and(|v| v.starts_with(|c: char| c.is_ascii_digit()));
    match base.rsplit_once('/') {
        Some((root, last)) if version(last) => (root, Some(last)),
        _ => (base, None),
    }
}

/// A path behind the endpoint's base; the base's own version stands in place of ours.
pub(crate) fn versioned(endpoint: &Endpoint, version: &str, path: &str) -> Result<Uri> {
    match split_version(&endpoint.base_url).1 {
        Some(_) => endpoint.url(path),
        None => endpoint.url(&format!("/{version}{path}")),
    }
}

/// A path behind the endpoint's base, whatever version the base ends in: for services whose version hangs on what
/// is asked.
pub(crate) fn unversioned(endpoint: &Endpoint, path: &str) -> Result<Uri> {
    let root = Endpoint {
        provider: endpoint.provider.clone(),
        base_url: split_version(&endpoint.base_url).0.to_owned(),
        ..Endpoint::default()
    };
    root.url(path)
}

/// A text as a part of a path or query (RFC 3986 §2.1).
pub(crate) fn percent(text: &str) -> String {
    crate::percent::percent(text, "-._~/:")
}

/// A counter, which some services write as `2.0`.
pub(crate) fn count(value: Option<&Value>) -> Option<u64> {
    let value = value?;
    let whole = |n: f64| (n.fract() == 0.0 && (0.0..9e15).contains(&n)).then(|| format!("{n:.0}").parse().ok());
    value.as_u64().or_else(|| value.as_f64().and_then(whole).flatten())
}

/// The error of a request that cannot be carried and cannot do without what cannot.
pub(crate) fn unsupported(message: impl Into<String>) -> Error {
    Error::new(ErrorKind::Unsupported, message)
}

#[cfg(test)]
mod tests;
