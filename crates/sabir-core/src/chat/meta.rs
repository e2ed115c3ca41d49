use std::collections::BTreeMap;

use serde::{Deserialize, Deserializer, Serialize, Serializer};
use serde_json::{Map, Value};

/// What one dialect alone has to say, kept under that dialect's name so that it survives every hop and is
/// only ever sent back to whom it came from.
///
/// ```
/// use sabir_core::chat::Meta;
/// let meta = Meta::default().with("gemini-generate", "thoughtSignature", "c2ln".into());
/// assert_eq!(meta.get("gemini-generate", "thoughtSignature").unwrap(), "c2ln");
/// ```
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Meta(
    /// Sorted by the dialects' names. Mostly it is one, for which a tree would have a kilobyte.
    Vec<(String, Map<String, Value>)>,
);

impl Serialize for Meta {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_map(self.0.iter().map(|(dialect, fields)| (dialect, fields)))
    }
}

impl<'de> Deserialize<'de> for Meta {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        BTreeMap::deserialize(deserializer).map(|fields| Self(fields.into_iter().collect()))
    }
}

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
        let form = self.entry(dialect).entry(Self::FORM);
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
        self.of(dialect)?.get(field)
    }

    /// All fields of one dialect, in the order in which they came.
    pub fn of(&self, dialect: &str) -> Option<&Map<String, Value>> {
        self.0.iter().find_map(|(name, fields)| (name == dialect).then_some(fields))
    }

    /// The dialects that have something here.
    pub fn dialects(&self) -> impl Iterator<Item = &str> {
        self.0.iter().map(|(dialect, _)| dialect.as_str())
    }

    /// Sets a field.
    pub fn set(&mut self, dialect: &str, field: impl Into<String>, value: Value) {
        self.entry(dialect).insert(field.into(), value);
    }

    fn entry(&mut self, dialect: &str) -> &mut Map<String, Value> {
        let at = self.0.binary_search_by(|(name, _)| name.as_str().cmp(dialect)).unwrap_or_else(|at| {
            if self.0.is_empty() {
                self.0.reserve_exact(1);
            }
            self.0.insert(at, (dialect.to_owned(), Map::new()));
            at
        });
        &mut self.0[at].1
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
            self.entry(&dialect).extend(fields);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn dialects_stand_in_their_order_whichever_came_first() {
        let meta = |names: [&str; 3]| {
            names
                .into_iter()
                .fold(Meta::default(), |meta, name| meta.with(name, "said", name.into()).with(name, "n", 1.into()))
        };
        let (one, other) = (meta(["b", "a", "c"]), meta(["c", "b", "a"]));
        assert_eq!(one, other);
        let json = r#"{"a":{"said":"a","n":1},"b":{"said":"b","n":1},"c":{"said":"c","n":1}}"#;
        assert_eq!(serde_json::to_string(&one).expect("JSON"), json);
        assert_eq!(serde_json::from_str::<Meta>(json).expect("read"), one);
        let mut merged = Meta::default().with("b", "said", "else".into()).with("b", "also", 2.into());
        merged.merge(one);
        assert_eq!(merged.dialects().collect::<Vec<_>>(), ["a", "b", "c"]);
        assert_eq!((merged.get("b", "said"), merged.get("b", "also")), (Some(&"b".into()), Some(&2.into())));
    }
}
