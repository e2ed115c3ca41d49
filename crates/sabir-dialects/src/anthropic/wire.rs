//! The format's own types: its objects, read and written field by field, its hot event, its counters.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::fmt;

use sabir_core::chat::Usage;
use sabir_core::dialect::without_values;
use serde::de::{DeserializeOwned, Deserializer, MapAccess, Visitor};
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;
use serde_json::{Map, Value};

/// What is wrong with a JSON text, and where: `messages[1].content[0].source: is missing`. Never shows a value.
#[derive(Debug)]
pub(super) struct Wrong(String);

impl Wrong {
    pub(super) fn new(what: impl Into<String>) -> Self {
        Self(what.into())
    }

    /// The same, as seen from one level further out.
    pub(super) fn within(self, place: impl fmt::Display) -> Self {
        let joint = if self.0.starts_with('[') || self.0.starts_with(':') { "" } else { "." };
        Self(format!("{place}{joint}{}", self.0))
    }
}

impl fmt::Display for Wrong {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.0.trim_start_matches(": "))
    }
}

/// The fields of an object, each still JSON text, so that what is passed on keeps its bytes. Known fields are
/// taken out; the rest is what only the provider understands.
#[derive(Debug)]
pub(super) struct Fields<'a> {
    fields: Vec<(Text<'a>, &'a RawValue)>,
    strict: bool,
}

/// A string, borrowed where it has no escapes.
#[derive(Debug, Deserialize)]
pub(super) struct Text<'a>(#[serde(borrow)] pub(super) Cow<'a, str>);

impl<'a> Fields<'a> {
    /// Reads an object. `strict`: what is missing or of the wrong type is an error, as it is in a client's request;
    /// otherwise the best is made of it, as it is of a provider's answer.
    pub(super) fn read(json: &'a RawValue, strict: bool) -> Result<Self, Wrong> {
        let read = serde_json::from_str::<Pairs<'a>>(json.get());
        let Pairs(fields) = read.map_err(|_| Wrong::new(": is not an object"))?;
        Ok(Self { fields, strict })
    }

    /// Takes a field; `null` counts as absent. Of a field that stands twice the last counts.
    pub(super) fn take(&mut self, key: &str) -> Option<&'a RawValue> {
        let at = self.fields.iter().rposition(|(name, _)| name.0 == key)?;
        let (_, value) = self.fields.remove(at);
        self.fields.retain(|(name, _)| name.0 != key);
        Some(value).filter(|v| v.get() != "null")
    }

    /// A field that is left where it is; `null` counts as absent.
    pub(super) fn peek(&self, key: &str) -> Option<&'a RawValue> {
        let (_, value) = self.fields.iter().rfind(|(name, _)| name.0 == key)?;
        Some(*value).filter(|v| v.get() != "null")
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
        let object = self.take(key).map(|json| Self::read(json, strict).map_err(|e| e.within(key)));
        object.transpose()
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

    /// An object that says its type.
    pub(super) fn typed(out: &'o mut Vec<u8>, kind: &str) -> Self {
        let mut object = Self::new(out);
        object.field("type", kind);
        object
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
    pub(super) fn raw(&mut self, key: &str, json: &str) -> &mut Self {
        self.key(key).extend_from_slice(json.as_bytes());
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

/// What the frequent events of a stream have in common. Everything else is read from [`Fields`].
#[derive(Debug, Deserialize)]
pub(super) struct StreamEvent<'a> {
    #[serde(rename = "type", borrow, default)]
    pub(super) kind: Cow<'a, str>,
    pub(super) index: Option<u64>,
    #[serde(borrow)]
    pub(super) delta: Option<Delta<'a>>,
}

/// The frequent deltas.
#[derive(Debug, Deserialize)]
pub(super) struct Delta<'a> {
    #[serde(rename = "type", borrow, default)]
    pub(super) kind: Cow<'a, str>,
    #[serde(borrow)]
    pub(super) text: Option<Text<'a>>,
    #[serde(borrow)]
    pub(super) thinking: Option<Text<'a>>,
    #[serde(borrow)]
    pub(super) partial_json: Option<Text<'a>>,
}

/// The provider's own counters. Each report replaces the one before, field by field.
#[derive(Clone, Debug, Default)]
pub(super) struct Counters {
    input: Option<u64>,
    cache_read: Option<u64>,
    cache_write: Option<u64>,
    cache_write_5m: Option<u64>,
    cache_write_1h: Option<u64>,
    output: Option<u64>,
    thinking: Option<u64>,
    tools: BTreeMap<String, u64>,
    /// What `message_start` said of the output: a beginning, not a count.
    provisional: Option<u64>,
    /// What is not a counter: the service tier, the region.
    pub(super) rest: Map<String, Value>,
}

impl Counters {
    /// Takes in a `usage` object.
    pub(super) fn update(&mut self, usage: Map<String, Value>) {
        for (key, value) in usage {
            let number = |field: &str| value.get(field).and_then(Value::as_u64);
            match key.as_str() {
                "input_tokens" => set(&mut self.input, value.as_u64()),
                "cache_read_input_tokens" => set(&mut self.cache_read, value.as_u64()),
                "cache_creation_input_tokens" => set(&mut self.cache_write, value.as_u64()),
                "output_tokens" => set(&mut self.output, value.as_u64()),
                "cache_creation" => {
                    set(&mut self.cache_write_5m, number("ephemeral_5m_input_tokens"));
                    set(&mut self.cache_write_1h, number("ephemeral_1h_input_tokens"));
                }
                "output_tokens_details" => set(&mut self.thinking, number("thinking_tokens")),
                "server_tool_use" => {
                    let uses = value.as_object().into_iter().flatten();
                    self.tools.extend(uses.filter_map(|(tool, n)| Some((tool.clone(), n.as_u64()?))));
                }
                _ if value.is_null() => {}
                _ => {
                    self.rest.insert(key, value);
                }
            }
        }
    }

    /// What is counted as output so far is only a beginning.
    pub(super) fn output_is_provisional(&mut self) {
        self.provisional = self.output.take();
    }

    /// No report follows: a provisional count is better than none.
    pub(super) fn settle(&mut self) {
        self.output = self.output.or(self.provisional);
    }

    /// The counters in buckets that do not overlap: input excludes the cache already, output includes thoughts.
    pub(super) fn usage(&self) -> Usage {
        let mut usage = Usage::default();
        usage.input = self.input;
        usage.cache_read = self.cache_read;
        // A later total may stand beside an earlier breakdown; the total wins.
        if let Some(total) = self.cache_write {
            usage.cache_write_1h = self.cache_write_1h.map(|hour| hour.min(total));
            usage.cache_write = Some(total - usage.cache_write_1h.unwrap_or_default());
        } else {
            (usage.cache_write, usage.cache_write_1h) = (self.cache_write_5m, self.cache_write_1h);
        }
        usage.reasoning = self.thinking;
        usage.output_from_total(self.output);
        usage.tools.clone_from(&self.tools);
        usage
    }
}

fn set(counter: &mut Option<u64>, later: Option<u64>) {
    *counter = later.or(*counter);
}
