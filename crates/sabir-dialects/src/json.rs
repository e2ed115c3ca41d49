//! JSON, field by field: what several rooms read and write their formats with. No room's format is known here.

#[cfg(test)]
mod tests;
mod wrong;

use std::borrow::Cow;
use std::fmt;
use std::ops::Deref;

use http::StatusCode;
use sabir_core::chat::Meta;
use sabir_core::dialect::without_values;
use sabir_core::{Error, ErrorKind, Result};
use serde::de::{DeserializeOwned, Deserializer, MapAccess, Visitor};
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;
use serde_json::{Map, Value};

pub(crate) use self::wrong::Wrong;

/// A string, borrowed where it has no escapes.
#[derive(Debug, Deserialize)]
pub(crate) struct Text<'a>(#[serde(borrow)] pub(crate) Cow<'a, str>);

impl Deref for Text<'_> {
    type Target = str;

    fn deref(&self) -> &str {
        &self.0
    }
}

/// The fields of an object, each still JSON text, so that what is passed on keeps its bytes. Known fields are
/// taken out; the rest is what only the dialect's own understand.
#[derive(Debug)]
pub(crate) struct Fields<'a> {
    fields: Vec<(Text<'a>, &'a RawValue)>,
    strict: bool,
}

impl<'a> Fields<'a> {
    /// Reads an object. `strict`: what is missing or of the wrong type is an error, as it is in a client's request;
    /// otherwise the best is made of it, as it is of a provider's answer.
    pub(crate) fn read(json: &'a RawValue, strict: bool) -> Result<Self, Wrong> {
        let read = serde_json::from_str::<Pairs<'a>>(json.get());
        let Pairs(fields) = read.map_err(|_| Wrong::new(": is not an object"))?;
        Ok(Self { fields, strict })
    }

    /// The same fields under other names, for a format whose fields may be spelled in several ways.
    pub(crate) fn renamed(mut self, name: impl Fn(Cow<'a, str>) -> Cow<'a, str>) -> Self {
        for (key, _) in &mut self.fields {
            key.0 = name(std::mem::take(&mut key.0));
        }
        self
    }

    /// Reads a client's request.
    pub(crate) fn of_request(body: &'a [u8]) -> Result<Self> {
        if let Some(fields) = Self::at_once(body, true) {
            return Ok(fields);
        }
        let json: &RawValue = serde_json::from_slice(body).map_err(|e| {
            let message = format!("the body is not JSON: {}", without_values(&e.to_string()));
            Error::new(ErrorKind::InvalidRequest, message)
        })?;
        Self::read(json, true).map_err(|e| e.within("the body").invalid())
    }

    /// Reads a provider's answer, or one event of it.
    pub(crate) fn of_answer(body: &'a [u8]) -> Result<Self> {
        let body = body.trim_ascii();
        if body.is_empty() {
            return Err(Error::new(ErrorKind::Decode, "the answer is empty"));
        }
        if let Some(fields) = Self::at_once(body, false) {
            return Ok(fields);
        }
        let json: &RawValue =
            serde_json::from_slice(body).map_err(|e| sabir_core::dialect::unreadable("the answer", &e))?;
        Self::read(json, false).map_err(|e| e.within("the body").unreadable())
    }

    /// Reads a body that is an object, in one pass over it; whoever has `None` looks what it is instead.
    fn at_once(body: &'a [u8], strict: bool) -> Option<Self> {
        let Pairs(fields) = serde_json::from_slice(body).ok()?;
        Some(Self { fields, strict })
    }

    /// Takes a field; `null` counts as absent. Of a field that stands twice the last counts.
    pub(crate) fn take(&mut self, key: &str) -> Option<&'a RawValue> {
        let at = self.fields.iter().rposition(|(name, _)| name.0 == key)?;
        let (_, value) = self.fields.remove(at);
        self.fields.retain(|(name, _)| name.0 != key);
        Some(value).filter(|v| v.get() != "null")
    }

    /// Takes over the fields of another object; they win.
    pub(crate) fn extend(&mut self, other: Self) {
        self.fields.extend(other.fields);
    }

    /// Takes a field, if `read` makes something of it; else it is left where it is.
    pub(crate) fn take_if<T>(&mut self, key: &str, read: impl FnOnce(&'a RawValue) -> Option<T>) -> Option<T> {
        let value = read(self.peek(key)?)?;
        self.take(key);
        Some(value)
    }

    /// Takes a field that `read` understands as a value; one that it does not is left where it is.
    pub(crate) fn understood<T>(&mut self, key: &str, read: impl FnOnce(&Value) -> Option<T>) -> Option<T> {
        self.take_if(key, |json| read(&value_of(json).ok()?))
    }

    /// Takes a field that is of a type; another is left where it is.
    pub(crate) fn typed<T: DeserializeOwned>(&mut self, key: &str) -> Option<T> {
        self.take_if(key, |json| serde_json::from_str(json.get()).ok())
    }

    /// A field that is left where it is; `null` counts as absent.
    pub(crate) fn peek(&self, key: &str) -> Option<&'a RawValue> {
        let (_, value) = self.fields.iter().rfind(|(name, _)| name.0 == key)?;
        Some(*value).filter(|v| v.get() != "null")
    }

    /// Takes a string.
    pub(crate) fn text(&mut self, key: &str) -> Result<Option<Cow<'a, str>>, Wrong> {
        let Some(value) = self.take(key) else { return Ok(None) };
        match serde_json::from_str::<Text<'a>>(value.get()) {
            Ok(text) => Ok(Some(text.0)),
            Err(_) if self.strict => Err(Wrong::new(format!("{key}: is not a string"))),
            Err(_) => Ok(Some(value.get().into())),
        }
    }

    /// Takes a string that is to be kept.
    pub(crate) fn string(&mut self, key: &str) -> Result<Option<String>, Wrong> {
        Ok(self.text(key)?.map(Cow::into_owned))
    }

    /// Takes a string that is to be kept; an empty one counts as absent, as does what is none.
    pub(crate) fn filled(&mut self, key: &str) -> Option<String> {
        self.string(key).ok()?.filter(|text| !text.is_empty())
    }

    /// Takes a string that should be there.
    pub(crate) fn need(&mut self, key: &str) -> Result<Cow<'a, str>, Wrong> {
        match self.text(key)? {
            Some(text) => Ok(text),
            None if self.strict => Err(Wrong::new(format!("{key}: is missing"))),
            None => Ok(Cow::Borrowed("")),
        }
    }

    /// Takes a value of any type.
    pub(crate) fn get<T: DeserializeOwned>(&mut self, key: &str) -> Result<Option<T>, Wrong> {
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

    /// Takes a value as it is.
    pub(crate) fn value(&mut self, key: &str) -> Result<Option<Value>, Wrong> {
        let value = self.take(key).map(value_of).transpose();
        value.map_err(|e| e.within(key))
    }

    /// Takes a count. Some clients write every number with a fraction.
    pub(crate) fn count(&mut self, key: &str) -> Option<u64> {
        count_of(self.take(key)?.get())
    }

    /// Takes an object.
    pub(crate) fn object(&mut self, key: &str) -> Result<Option<Self>, Wrong> {
        let Some(json) = self.take(key) else { return Ok(None) };
        match Self::read(json, self.strict) {
            Ok(object) => Ok(Some(object)),
            Err(e) if self.strict => Err(e.within(key)),
            Err(_) => Ok(None),
        }
    }

    /// Reads what is in an object, if it is there. What is wrong in it is said with its place.
    pub(crate) fn inside<T>(
        &mut self,
        key: &str,
        read: impl FnOnce(&mut Self) -> Result<T, Wrong>,
    ) -> Result<Option<T>, Wrong> {
        let Some(mut object) = self.object(key)? else { return Ok(None) };
        read(&mut object).map(Some).map_err(|e| e.within(key))
    }

    /// Reads the items of a list one by one. What is wrong in one is said with its place.
    pub(crate) fn each(
        &mut self,
        key: &str,
        mut read: impl FnMut(&'a RawValue) -> Result<(), Wrong>,
    ) -> Result<(), Wrong> {
        for (i, item) in self.list(key)?.into_iter().enumerate() {
            read(item).map_err(|e| e.within(format_args!("{key}[{i}]")))?;
        }
        Ok(())
    }

    /// Takes a list, each item still JSON text.
    pub(crate) fn list(&mut self, key: &str) -> Result<Vec<&'a RawValue>, Wrong> {
        let Some(value) = self.take(key) else {
            return Ok(Vec::new());
        };
        match serde_json::from_str(value.get()) {
            Ok(list) => Ok(list),
            Err(_) if self.strict => Err(Wrong::new(format!("{key}: is not a list"))),
            Err(_) => Ok(vec![value]),
        }
    }

    /// Takes a list of objects.
    pub(crate) fn objects(&mut self, key: &str) -> Result<Vec<Self>, Wrong> {
        let strict = self.strict;
        let objects = self.list(key)?.into_iter().enumerate();
        let objects =
            objects.map(|(i, json)| Self::read(json, strict).map_err(|e| e.within(format_args!("{key}[{i}]"))));
        objects.collect()
    }

    /// The name of the first field that is there: which member of a union it is.
    pub(crate) fn first(&self) -> Option<Cow<'a, str>> {
        let (name, _) = self.fields.iter().find(|(_, value)| value.get() != "null")?;
        Some(name.0.clone())
    }

    /// Whether nothing is left but nulls.
    pub(crate) fn is_empty(&self) -> bool {
        self.fields.iter().all(|(_, value)| value.get() == "null")
    }

    /// What was not taken, without nulls.
    pub(crate) fn rest(self) -> Result<Map<String, Value>, Wrong> {
        let mut rest = Map::new();
        for (key, value) in self.fields.into_iter().filter(|(_, v)| v.get() != "null") {
            let value = value_of(value).map_err(|e| e.within(&key.0))?;
            rest.insert(key.0.into_owned(), value);
        }
        Ok(rest)
    }

    /// Takes all that is left.
    pub(crate) fn left(&mut self) -> Self {
        Self { fields: std::mem::take(&mut self.fields), strict: self.strict }
    }

    /// Takes what is left, without nulls, as the option `key` of a dialect; nothing where nothing is left.
    pub(crate) fn keep(&mut self, key: &str, dialect: &str, options: &mut Meta) -> Result<(), Wrong> {
        let left = self.left().rest()?;
        if !left.is_empty() {
            options.set(dialect, key, Value::Object(left));
        }
        Ok(())
    }

    /// Whether what is missing or of the wrong type is an error.
    pub(crate) fn is_strict(&self) -> bool {
        self.strict
    }

    /// What was not taken, as metadata of a dialect.
    pub(crate) fn meta(self, dialect: &str) -> Result<Meta, Wrong> {
        let mut meta = Meta::default();
        for (field, value) in self.rest()? {
            meta.set(dialect, field, value);
        }
        Ok(meta)
    }
}

/// A JSON text as a value. Text that was read as JSON can only be nested too deeply.
pub(crate) fn value_of(json: &RawValue) -> Result<Value, Wrong> {
    serde_json::from_str(json.get()).map_err(|_| Wrong::new(": is nested too deeply"))
}

/// JSON text as a value; `None` where it is nested too deeply.
pub(crate) fn parsed(json: &RawValue) -> Option<Value> {
    value_of(json).ok()
}

/// Their fields over ours, object by object; a null of theirs takes a field of ours away.
pub(crate) fn merged(ours: Value, theirs: Value) -> Value {
    let (mut ours, theirs) = match (ours, theirs) {
        (Value::Object(ours), Value::Object(theirs)) => (ours, theirs),
        (_, theirs) => return theirs,
    };
    for (key, theirs) in theirs {
        if theirs.is_null() {
            ours.shift_remove(&key);
        } else {
            let place = ours.entry(key).or_insert(Value::Null);
            *place = merged(place.take(), theirs);
        }
    }
    Value::Object(ours)
}

/// A count that may be written with a fraction; `None` for anything below zero or beyond what a float holds exactly.
pub(crate) fn count_of(json: &str) -> Option<u64> {
    const EXACT: f64 = 9_007_199_254_740_992.0;
    json.parse().ok().or_else(|| {
        let number = json.parse::<f64>().ok()?;
        let is_count = (0.0..=EXACT).contains(&number);
        #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "it is within 0 and 2^53")]
        is_count.then_some(number as u64)
    })
}

/// The text of a JSON string; `None` for any other JSON.
pub(crate) fn string_of(json: &RawValue) -> Option<String> {
    serde_json::from_str(json.get()).ok()
}

/// The text of a JSON string; of other JSON its own.
pub(crate) fn text_of(json: &RawValue) -> String {
    string_of(json).unwrap_or_else(|| json.get().to_owned())
}

/// The text, if it is a JSON object.
pub(crate) fn object_text(text: &str) -> Option<&str> {
    let text = text.trim();
    let is_object = text.starts_with('{') && serde_json::from_str::<&RawValue>(text).is_ok();
    is_object.then_some(text)
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

/// A schema's title, where it would pass for a name elsewhere.
pub(crate) fn title_of(schema: &Value) -> Option<&str> {
    let plain = |b: u8| b.is_ascii_alphanumeric() || b == b'_' || b == b'-';
    let title = schema["title"].as_str()?;
    ((1..=64).contains(&title.len()) && title.bytes().all(plain)).then_some(title)
}

/// Writes an object field by field, in the order of the calls: the same fields always give the same bytes.
#[derive(Debug)]
pub(crate) struct Object<'o> {
    out: &'o mut Vec<u8>,
    first: bool,
    instead: Option<&'o Map<String, Value>>,
}

impl<'o> Object<'o> {
    pub(crate) fn new(out: &'o mut Vec<u8>) -> Self {
        Self::with(out, None)
    }

    /// An object of which some fields are given: they are written at its end, and nothing else under their names.
    /// A given `null` only leaves the field out.
    pub(crate) fn with(out: &'o mut Vec<u8>, instead: Option<&'o Map<String, Value>>) -> Self {
        out.push(b'{');
        Self { out, first: true, instead }
    }

    /// Writes a field whose value `write` writes.
    pub(crate) fn write(&mut self, key: &str, write: impl FnOnce(&mut Vec<u8>)) -> &mut Self {
        if self.instead.is_none_or(|given| !given.contains_key(key)) {
            write(self.key(key));
        }
        self
    }

    /// Writes a field.
    pub(crate) fn field<T: Serialize + ?Sized>(&mut self, key: &str, value: &T) -> &mut Self {
        self.write(key, |out| write_json(out, value))
    }

    /// Writes a field, if it has a value.
    pub(crate) fn some<T: Serialize>(&mut self, key: &str, value: Option<T>) -> &mut Self {
        match value {
            Some(value) => self.field(key, &value),
            None => self,
        }
    }

    /// Writes a field that is JSON text already.
    pub(crate) fn raw(&mut self, key: &str, json: impl AsRef<[u8]>) -> &mut Self {
        self.write(key, |out| out.extend_from_slice(json.as_ref()))
    }

    /// Writes a field that is an object.
    pub(crate) fn object(&mut self, key: &str, fields: impl FnOnce(&mut Object<'_>)) -> &mut Self {
        self.write(key, |out| {
            let mut object = Object::new(out);
            fields(&mut object);
            object.end();
        })
    }

    /// Writes a field that is a list of what `items` has written, separated by commas; nothing where that is nothing.
    pub(crate) fn list(&mut self, key: &str, items: &List) -> &mut Self {
        if items.0.is_empty() { self } else { self.items(key, items) }
    }

    /// Writes a field that is such a list, be it empty.
    pub(crate) fn items(&mut self, key: &str, items: &List) -> &mut Self {
        self.write(key, |out| {
            out.push(b'[');
            out.extend_from_slice(&items.0);
            out.push(b']');
        })
    }

    /// Writes what a dialect alone said of a part, but for the fields that stand already, and notes of form.
    pub(crate) fn meta(&mut self, meta: Option<&Map<String, Value>>, known: &[&str]) -> &mut Self {
        let is_new = |key: &str| key != Meta::FORM && !known.contains(&key);
        for (key, value) in meta.into_iter().flatten().filter(|(key, _)| is_new(key)) {
            self.field(key, value);
        }
        self
    }

    /// Ends the object, with the fields that were given.
    pub(crate) fn end(mut self) {
        for (key, value) in self.instead.take().into_iter().flatten().filter(|(_, v)| !v.is_null()) {
            write_json(self.key(key), value);
        }
        self.out.push(b'}');
    }

    fn key(&mut self, key: &str) -> &mut Vec<u8> {
        if !self.first {
            self.out.push(b',');
        }
        self.first = false;
        write_json(self.out, key);
        self.out.push(b':');
        self.out
    }
}

/// An object of those fields that have a value.
pub(crate) fn known<const N: usize>(fields: [(&str, Option<Value>); N]) -> Map<String, Value> {
    fields.into_iter().filter_map(|(key, value)| Some((key.to_owned(), value?))).collect()
}

/// An object of one field, as a value. (`json!` copies what it is given.)
pub(crate) fn wrapped(key: &str, value: impl Into<Value>) -> Value {
    Value::Object(Map::from_iter([(key.to_owned(), value.into())]))
}

/// An object of one field.
#[derive(Clone, Copy, Debug)]
pub(crate) struct One<'k, T>(pub(crate) &'k str, pub(crate) T);

impl<T: Serialize> Serialize for One<'_, T> {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_map([(self.0, &self.1)])
    }
}

/// The items of a list, written one by one.
#[derive(Debug, Default)]
pub(crate) struct List(Vec<u8>);

impl List {
    /// A list with room for this many bytes.
    pub(crate) fn with_room(bytes: usize) -> Self {
        Self(Vec::with_capacity(bytes))
    }

    /// Where the next item goes.
    pub(crate) fn item(&mut self) -> &mut Vec<u8> {
        if !self.0.is_empty() {
            self.0.push(b',');
        }
        &mut self.0
    }

    /// Writes an object as the next item.
    pub(crate) fn object(&mut self, fields: impl FnOnce(&mut Object<'_>)) {
        let mut object = Object::new(self.item());
        fields(&mut object);
        object.end();
    }

    /// Writes JSON text as the next item, if there is any.
    pub(crate) fn add(&mut self, json: Option<Vec<u8>>) {
        if let Some(json) = json {
            self.item().extend(json);
        }
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// The items, separated by commas.
    pub(crate) fn items(&self) -> &[u8] {
        &self.0
    }

    /// The list.
    pub(crate) fn json(&self) -> Vec<u8> {
        [b"[", &*self.0, b"]"].concat()
    }
}

/// Writes a value of the vocabulary's or of `serde_json`'s own.
pub(crate) fn write_json<T: Serialize + ?Sized>(out: &mut Vec<u8>, value: &T) {
    serde_json::to_writer(out, value).expect("strings, numbers and maps keyed by strings always serialize");
}

/// A value as JSON text.
pub(crate) fn json_of<T: Serialize + ?Sized>(value: &T) -> Vec<u8> {
    let mut text = Vec::new();
    write_json(&mut text, value);
    text
}

/// The most characters of a provider's message that are kept.
const LONGEST: usize = 300;

/// What an error's body says that is no JSON: the title of a page, else the first line that says anything.
pub(crate) fn plain_words(status: StatusCode, body: &[u8]) -> String {
    let text = String::from_utf8_lossy(body);
    let text = text.trim();
    if text.is_empty() {
        return format!("HTTP {} with an empty body", status.as_u16());
    }
    if text.starts_with(['{', '[']) {
        return format!("HTTP {} with a body that gives no reason", status.as_u16());
    }
    let lower = text.to_ascii_lowercase();
    let title = lower.find("<title").and_then(|at| {
        let start = at + lower[at..].find('>')? + 1;
        let end = start + lower[start..].find("</title")?;
        Some(text[start..end].trim()).filter(|title| !title.is_empty())
    });
    let line = text.lines().map(str::trim).find(|line| !line.is_empty() && !line.starts_with("<!"));
    let said = title.or(line).unwrap_or("a body without words");
    match said.char_indices().nth(LONGEST) {
        Some((end, _)) => format!("{}…", &said[..end]),
        None => said.to_owned(),
    }
}
