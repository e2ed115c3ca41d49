//! A client's request being read: fields are taken out of it, and what is left are options.

use std::borrow::Cow;

use sabir_core::chat::Meta;
use sabir_core::dialect::without_values;
use sabir_core::{Error, ErrorKind, Result};
use serde_json::{Map, Value};

/// The fields of a request that have not been taken yet. A `null` is as good as absent.
#[derive(Debug)]
pub(crate) struct Taken(Map<String, Value>);

impl Taken {
    /// The fields of a body.
    pub(crate) fn body(body: &[u8]) -> Result<Self> {
        serde_json::from_slice(body).map(Self).map_err(|error| {
            let what = without_values(&error.to_string());
            invalid(format!("the body is not a JSON object: {what}"))
        })
    }

    /// The fields of an object inside a body.
    pub(crate) fn object(value: Value, path: &str) -> Result<Self> {
        match value {
            Value::Object(fields) => Ok(Self(fields)),
            _ => Err(wrong(path, "an object")),
        }
    }

    /// Takes a field.
    pub(crate) fn take(&mut self, name: &str) -> Option<Value> {
        self.0.shift_remove(name).filter(|value| !value.is_null())
    }

    /// Whether a field is there, be it `null`.
    pub(crate) fn has(&self, name: &str) -> bool {
        self.0.contains_key(name)
    }

    /// Takes a text.
    pub(crate) fn text(&mut self, name: &str) -> Result<Option<String>> {
        self.take(name).map(|value| text(value, name)).transpose()
    }

    /// Takes a text that must be there.
    pub(crate) fn required(&mut self, name: &str) -> Result<String> {
        self.text(name)?.ok_or_else(|| missing(name))
    }

    /// Takes a count.
    pub(crate) fn count(&mut self, name: &str) -> Result<Option<u32>> {
        let number = |value: Value| value.as_u64().and_then(|n| u32::try_from(n).ok());
        self.take(name).map(|value| number(value).ok_or_else(|| wrong(name, "a count"))).transpose()
    }

    /// Takes a list.
    pub(crate) fn list(&mut self, name: &str) -> Result<Option<Vec<Value>>> {
        self.take(name).map(|value| list(value, name)).transpose()
    }

    /// What has not been taken, as options of a format.
    pub(crate) fn rest(self, format: &str) -> Meta {
        let mut options = Meta::default();
        for (name, value) in self.0.into_iter().filter(|(_, value)| !value.is_null()) {
            options.set(format, name, value);
        }
        options
    }

    /// The fields that have not been taken and are not `null`.
    pub(crate) fn left(self) -> Map<String, Value> {
        self.0.into_iter().filter(|(_, value)| !value.is_null()).collect()
    }
}

/// A value that must be a text.
pub(crate) fn text(value: Value, path: &str) -> Result<String> {
    match value {
        Value::String(text) => Ok(text),
        _ => Err(wrong(path, "a text")),
    }
}

/// A value that must be a list.
pub(crate) fn list(value: Value, path: &str) -> Result<Vec<Value>> {
    match value {
        Value::Array(items) => Ok(items),
        _ => Err(wrong(path, "a list")),
    }
}

/// The error of a field that is something else than it must be.
pub(crate) fn wrong(path: &str, must_be: &str) -> Error {
    invalid(format!("{path} must be {must_be}"))
}

/// The error of a field that is not there.
pub(crate) fn missing(name: &str) -> Error {
    invalid(format!("{name} is missing"))
}

/// The error of a request that is wrong.
pub(crate) fn invalid(message: impl Into<String>) -> Error {
    Error::new(ErrorKind::InvalidRequest, message)
}

/// A parameter of a query, with its percent signs undone (RFC 3986 §2.1); `None` where it is absent or empty.
pub(crate) fn query<'a>(path: &'a str, name: &str) -> Option<Cow<'a, str>> {
    let (_, query) = path.split_once('?')?;
    let value = query.split('&').find_map(|pair| pair.strip_prefix(name)?.strip_prefix('='))?;
    Some(unescaped(value)).filter(|value| !value.is_empty())
}

/// A part of a path with its percent signs undone.
pub(crate) fn unescaped(text: &str) -> Cow<'_, str> {
    if !text.contains(['%', '+']) {
        return Cow::Borrowed(text);
    }
    let bytes = text.as_bytes();
    let mut out = Vec::with_capacity(bytes.len());
    let mut at = 0;
    while let Some(&byte) = bytes.get(at) {
        let digits = text.get(at + 1..at + 3).filter(|_| byte == b'%');
        let digits = digits.filter(|digits| digits.bytes().all(|b| b.is_ascii_hexdigit()));
        if let Some(escaped) = digits.and_then(|digits| u8::from_str_radix(digits, 16).ok()) {
            out.push(escaped);
            at += 3;
        } else {
            out.push(if byte == b'+' { b' ' } else { byte });
            at += 1;
        }
    }
    Cow::Owned(String::from_utf8_lossy(&out).into_owned())
}
