//! The format's own types: its objects, read and written field by field, and its frequent event.

use std::borrow::Cow;
use std::fmt;

use sabir_core::dialect::without_values;
use serde::de::{DeserializeOwned, Deserializer, MapAccess, Visitor};
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;
use serde_json::{Map, Value};

/// What is wrong with a JSON text, and where: `messages[1].content[0].toolUse.name: is missing`. Never shows a value.
#[derive(Debug)]
pub(super) struct Wrong(String);

impl Wrong {
    pub(super) fn new(what: impl Into<String>) -> Self {
        Self(what.into())
    }

    /// The same, as seen from one level further out.
    pub(super) fn within(self, place: impl fmt::Display) -> Self {
        let joint = if self.0.starts_with(['[', ':']) { "" } else { "." };
        Self(format!("{place}{joint}{}", self.0))
    }
}

impl fmt::Display for Wrong {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.0.trim_start_matches(": "))
    }
}

/// A string, borrowed where it has no escapes.
#[derive(Debug, Deserialize)]
pub(super) struct Text<'a>(#[serde(borrow)] pub(super) Cow<'a, str>);

/// The fields of an object, each still JSON text, so that what is passed on keeps its bytes. Known fields are taken
/// out; the rest is what only the provider understands.
#[derive(Debug)]
pub(super) struct Fields<'a> {
    fields: Vec<(Text<'a>, &'a RawValue)>,
    strict: bool,
}

impl<'a> Fields<'a> {
    /// Reads an object. `strict`: what is missing or of the wrong type is an error, as it is in a client's request;
    /// otherwise the best is made of it, as it is of a provider's answer.
    pub(super) fn read(json: &'a RawValue, strict: bool) -> Result<Self, Wrong> {
        let read = serde_json::from_str::<Pairs<'a>>(json.get());
        let Pairs(fields) = read.map_err(|_| Wrong::new(": is not an object"))?;
        Ok(Self { fields, strict })
    }

    /// Looks at a field; `null` counts as absent. Of a field that stands twice the last counts.
    pub(super) fn peek(&self, key: &str) -> Option<&'a RawValue> {
        let (_, value) = self.fields.iter().rfind(|(name, _)| name.0 == key)?;
        Some(*value).filter(|v| v.get() != "null")
    }

    /// Takes a field.
    pub(super) fn take(&mut self, key: &str) -> Option<&'a RawValue> {
        let value = self.peek(key);
        self.fields.retain(|(name, _)| name.0 != key);
        value
    }

    /// Which of the members of a union is there.
    pub(super) fn member(&self, known: &[&'static str]) -> Option<(&'static str, &'a RawValue)> {
        known.iter().find_map(|key| Some((*key, self.peek(key)?)))
    }

    /// Takes a string.
    pub(super) fn text(&mut self, key: &str) -> Result<Option<Cow<'a, str>>, Wrong> {
        let Some(value) = self.take(key) else { return Ok(None) };
        match serde_json::from_str::<Text<'a>>(value.get()) {
            Ok(text) => Ok(Some(text.0)),
            Err(_) if self.strict => Err(Wrong::new(format!("{key}: is not a string"))),
            Err(_) => Ok(Some(value.get().into())),
        }
    }

    /// Takes a string that should be there.
    pub(super) fn need(&mut self, key: &str) -> Result<Cow<'a, str>, Wrong> {
        match self.text(key)? {
            Some(text) => Ok(text),
            None if self.strict => Err(Wrong::new(format!("{key}: is missing"))),
            None => Ok(Cow::Borrowed("")),
        }
    }

    /// Takes a value of any type.
    pub(super) fn get<T: DeserializeOwned>(&mut self, key: &str) -> Result<Option<T>, Wrong> {
        let Some(value) = self.take(key) else { return Ok(None) };
        match serde_json::from_str(value.get()) {
            Ok(value) => Ok(Some(value)),
            Err(_) if !self.strict => Ok(None),
            Err(e) => {
                let what = e.to_string();
                let what = what.split(" at line ").next().unwrap_or_default();
                Err(Wrong::new(format!("{key}: {}", without_values(what))))
            }
        }
    }

    /// Takes an object.
    pub(super) fn object(&mut self, key: &str) -> Result<Option<Self>, Wrong> {
        let strict = self.strict;
        self.take(key).map(|json| Self::read(json, strict).map_err(|e| e.within(key))).transpose()
    }

    /// Takes a list, each item still JSON text.
    pub(super) fn list(&mut self, key: &str) -> Result<Vec<&'a RawValue>, Wrong> {
        let Some(value) = self.take(key) else {
            return Ok(Vec::new());
        };
        serde_json::from_str(value.get()).map_err(|_| Wrong::new(format!("{key}: is not a list")))
    }

    /// What was not taken, without nulls.
    pub(super) fn rest(self) -> Result<Map<String, Value>, Wrong> {
        let mut rest = Map::new();
        for (key, value) in self.fields.into_iter().filter(|(_, v)| v.get() != "null") {
            let value = value_of(value).map_err(|e| e.within(&key.0))?;
            rest.insert(key.0.into_owned(), value);
        }
        Ok(rest)
    }
}

/// A JSON text as a value. Text that was read as JSON can only be nested too deeply.
pub(super) fn value_of(json: &RawValue) -> Result<Value, Wrong> {
    serde_json::from_str(json.get()).map_err(|_| Wrong::new(": is nested too deeply"))
}

struct Pairs<'a>(Vec<(Text<'a>, &'a RawValue)>);

impl<'de: 'a, 'a> Deserialize<'de> for Pairs<'a> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Collect;
        impl<'de> Visitor<'de> for Collect {
            type Value = Vec<(Text<'de>, &'de RawValue)>;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("an object")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
                let mut fields = Vec::new();
                while let Some(field) = map.next_entry()? {
                    fields.push(field);
                }
                Ok(fields)
            }
        }
        deserializer.deserialize_map(Collect).map(Pairs)
    }
}

/// Writes an object field by field, in the order of the calls: the same fields always give the same bytes.
#[derive(Debug)]
pub(super) struct Object<'o> {
    out: &'o mut Vec<u8>,
    first: bool,
}

impl<'o> Object<'o> {
    pub(super) fn new(out: &'o mut Vec<u8>) -> Self {
        out.push(b'{');
        Self { out, first: true }
    }

    /// Writes a key; its value goes to what is returned.
    pub(super) fn key(&mut self, key: &str) -> &mut Vec<u8> {
        if !self.first {
            self.out.push(b',');
        }
        self.first = false;
        write_json(self.out, key);
        self.out.push(b':');
        self.out
    }

    pub(super) fn field<T: Serialize + ?Sized>(&mut self, key: &str, value: &T) -> &mut Self {
        write_json(self.key(key), value);
        self
    }

    /// Writes a field that is JSON text already.
    pub(super) fn raw(&mut self, key: &str, json: &[u8]) -> &mut Self {
        self.key(key).extend_from_slice(json);
        self
    }

    /// Writes an object into a field.
    pub(super) fn object(&mut self, key: &str, write: impl FnOnce(&mut Object<'_>)) -> &mut Self {
        let mut object = Object::new(self.key(key));
        write(&mut object);
        object.end();
        self
    }

    pub(super) fn end(self) {
        self.out.push(b'}');
    }
}

/// Writes a value of the vocabulary's or of `serde_json`'s own.
pub(super) fn write_json<T: Serialize + ?Sized>(out: &mut Vec<u8>, value: &T) {
    serde_json::to_writer(out, value).expect("strings, numbers and maps keyed by strings always serialize");
}

/// The frequent event, `contentBlockDelta`.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct DeltaEvent<'a> {
    #[serde(default)]
    pub(super) content_block_index: u64,
    #[serde(borrow)]
    pub(super) delta: Delta<'a>,
}

/// The frequent members of its union.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Delta<'a> {
    #[serde(borrow)]
    pub(super) text: Option<Text<'a>>,
    #[serde(borrow)]
    pub(super) tool_use: Option<InputDelta<'a>>,
    #[serde(borrow)]
    pub(super) reasoning_content: Option<ReasoningDelta<'a>>,
}

/// More of a call's input.
#[derive(Debug, Deserialize)]
pub(super) struct InputDelta<'a> {
    #[serde(borrow)]
    pub(super) input: Option<Text<'a>>,
}

/// More of a thought.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct ReasoningDelta<'a> {
    #[serde(borrow)]
    pub(super) text: Option<Text<'a>>,
    #[serde(borrow)]
    pub(super) signature: Option<Text<'a>>,
    #[serde(borrow)]
    pub(super) redacted_content: Option<Text<'a>>,
}
