//! JSON written field by field, without a tree in between: the order of the calls is the order of the bytes.

use serde::Serialize;
use serde_json::{Map, Value};

/// Writes any value that has a JSON form.
///
/// # Panics
/// For a value that has none (a map with keys that are no strings); the vocabulary has no such value.
pub fn write<T: Serialize + ?Sized>(out: &mut Vec<u8>, value: &T) {
    serde_json::to_writer(out, value).expect("the vocabulary's values all have a JSON form");
}

/// An object being written. [`end`](Self::end) closes it.
#[derive(Debug)]
pub struct Object<'a> {
    out: &'a mut Vec<u8>,
    is_empty: bool,
    last_word: Option<&'a Map<String, Value>>,
}

impl<'a> Object<'a> {
    /// Opens an object.
    pub fn new(out: &'a mut Vec<u8>) -> Self {
        out.push(b'{');
        Self { out, is_empty: true, last_word: None }
    }

    /// Gives some fields the last word: a field of the same name is left out, and they stand at the end.
    #[must_use]
    pub fn with_last_word(mut self, fields: Option<&'a Map<String, Value>>) -> Self {
        self.last_word = fields.filter(|fields| !fields.is_empty());
        self
    }

    /// Writes a field.
    pub fn field<T: Serialize + ?Sized>(&mut self, key: &str, value: &T) -> &mut Self {
        if let Some(out) = self.key(key) {
            write(out, value);
        }
        self
    }

    /// Writes a field that has a value.
    pub fn some<T: Serialize>(&mut self, key: &str, value: Option<T>) -> &mut Self {
        if let Some(value) = value {
            self.field(key, &value);
        }
        self
    }

    /// Writes a field that is JSON text already.
    pub fn raw(&mut self, key: &str, json: &str) -> &mut Self {
        if let Some(out) = self.key(key) {
            out.extend_from_slice(json.as_bytes());
        }
        self
    }

    /// Writes a key; the value is to be written to what is returned. `None` where another field has the last word.
    pub fn key(&mut self, key: &str) -> Option<&mut Vec<u8>> {
        if self.last_word.is_some_and(|fields| fields.contains_key(key)) {
            return None;
        }
        self.open(key);
        Some(self.out)
    }

    /// Closes the object.
    pub fn end(mut self) {
        for (key, value) in self.last_word.into_iter().flatten() {
            self.open(key);
            write(self.out, value);
        }
        self.out.push(b'}');
    }

    fn open(&mut self, key: &str) {
        if !std::mem::take(&mut self.is_empty) {
            self.out.push(b',');
        }
        write(self.out, key);
        self.out.push(b':');
    }
}

/// A list being written. [`end`](Self::end) closes it.
#[derive(Debug)]
pub struct List<'a> {
    out: &'a mut Vec<u8>,
    is_empty: bool,
}

impl<'a> List<'a> {
    /// Opens a list.
    pub fn new(out: &'a mut Vec<u8>) -> Self {
        out.push(b'[');
        Self { out, is_empty: true }
    }

    /// Begins an item, which is to be written to what is returned.
    pub fn item(&mut self) -> &mut Vec<u8> {
        if !std::mem::take(&mut self.is_empty) {
            self.out.push(b',');
        }
        self.out
    }

    /// Closes the list.
    pub fn end(self) {
        self.out.push(b']');
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fields_stand_in_order_and_the_last_word_wins() {
        let mut out = Vec::new();
        let mine = Map::from_iter([("b".to_owned(), Value::from(9)), ("z".to_owned(), Value::Null)]);
        let mut object = Object::new(&mut out).with_last_word(Some(&mine));
        object.field("a", "x\"y").field("b", &1).some("c", None::<bool>).some("d", Some(true)).raw("e", "[1]");
        assert!(object.key("z").is_none());
        object.end();
        assert_eq!(String::from_utf8(out).expect("text"), r#"{"a":"x\"y","d":true,"e":[1],"b":9,"z":null}"#);
        let mut out = Vec::new();
        let mut list = List::new(&mut out);
        Object::new(list.item()).end();
        write(list.item(), &None::<u8>);
        list.end();
        assert_eq!(out, b"[{},null]");
    }
}
