use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

/// What one dialect alone has to say, kept under that dialect's name so that it survives every hop and is
/// only ever sent back to whom it came from.
///
/// ```
/// use sabir_core::chat::Meta;
/// let meta = Meta::default().with("gemini-generate", "thoughtSignature", "c2ln".into());
/// assert_eq!(meta.get("gemini-generate", "thoughtSignature").unwrap(), "c2ln");
/// ```
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Meta(BTreeMap<String, Map<String, Value>>);

impl Meta {
    /// The field for what only tells how something was written (an id that was made up, an upper-case word): to
    /// another dialect it is no loss.
    pub const FORM: &str = "form";

    /// What a dialect noted of the form.
    pub fn form(&self, dialect: &str, field: &str) -> Option<&Value> {
        self.get(dialect, Self::FORM)?.get(field)
    }

    /// Notes something of the form.
    pub fn set_form(&mut self, dialect: &str, field: &str, value: Value) {
        let form = self.0.entry(dialect.to_owned()).or_default().entry(Self::FORM);
        if let Value::Object(notes) = form.or_insert_with(|| Value::Object(Map::new())) {
            notes.insert(field.to_owned(), value);
        }
    }

    /// Whether nothing is kept.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// One field of one dialect.
    pub fn get(&self, dialect: &str, field: &str) -> Option<&Value> {
        self.0.get(dialect)?.get(field)
    }

    /// All fields of one dialect, in the order in which they came.
    pub fn of(&self, dialect: &str) -> Option<&Map<String, Value>> {
        self.0.get(dialect)
    }

    /// The dialects that have something here.
    pub fn dialects(&self) -> impl Iterator<Item = &str> {
        self.0.keys().map(String::as_str)
    }

    /// Sets a field.
    pub fn set(&mut self, dialect: &str, field: impl Into<String>, value: Value) {
        if let Some(fields) = self.0.get_mut(dialect) {
            fields.insert(field.into(), value);
        } else {
            self.0.insert(dialect.to_owned(), Map::from_iter([(field.into(), value)]));
        }
    }

    /// Sets a field, by value.
    #[must_use]
    pub fn with(mut self, dialect: &str, field: impl Into<String>, value: Value) -> Self {
        self.set(dialect, field, value);
        self
    }

    /// Takes over all fields of another; its fields win.
    pub fn merge(&mut self, other: Self) {
        for (dialect, fields) in other.0 {
            self.0.entry(dialect).or_default().extend(fields);
        }
    }
}
