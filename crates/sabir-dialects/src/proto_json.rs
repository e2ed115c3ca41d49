//! JSON as protocol buffers map to it: a field goes by either spelling, `camelCase` or `snake_case`, an enum by its word
//! or its number; fields that are not known are kept. Whatever a field is, none of that is fatal.

use std::borrow::Cow;

use serde_json::value::RawValue;
use serde_json::{Map, Value};

use crate::json::value_of;

/// Fields that have no place of their own, without nulls.
pub(crate) type Rest<'a> = Vec<(Cow<'a, str>, &'a RawValue)>;

/// Objects with known fields, under their names in `camelCase`, and others; anything that is no object has none.
macro_rules! open_objects {
    ($($(#[$meta:meta])* $name:ident { $($field:ident: $type:ty = $key:literal,)* })+) => {$(
        $(#[$meta])*
        #[derive(Debug, Default)]
        pub(crate) struct $name<'a> {
            $(pub(crate) $field: $type,)*
            pub(crate) rest: $crate::proto_json::Rest<'a>,
        }

        impl<'de: 'a, 'a> $crate::lenient::Lenient<'de> for $name<'a> {
            fn of_map<A: serde::de::MapAccess<'de>>(mut map: A) -> Result<Self, A::Error> {
                let mut found = Self::default();
                while let Some($crate::lenient::Text(key)) = map.next_key()? {
                    let key = $crate::proto_json::camel(key);
                    match &*key {
                        $($key => found.$field = map.next_value()?,)*
                        _ => {
                            let raw: &'de serde_json::value::RawValue = map.next_value()?;
                            if raw.get() != "null" {
                                found.rest.push((key, raw));
                            }
                        }
                    }
                }
                Ok(found)
            }
        }

        impl<'de: 'a, 'a> serde::Deserialize<'de> for $name<'a> {
            fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                $crate::lenient::leniently(deserializer)
            }
        }
    )+};
}

pub(crate) use open_objects;

pub(crate) fn map_of(rest: &Rest<'_>) -> Map<String, Value> {
    rest.iter().map(|(name, raw)| (name.clone().into_owned(), value(raw))).collect()
}

/// Raw JSON as a value; what cannot be read (too deep) is null.
pub(crate) fn value(raw: &RawValue) -> Value {
    value_of(raw).unwrap_or_default()
}

/// The word of an enum that may come as its number.
pub(crate) fn word<'w>(said: &'w Value, by_number: &[&'w str]) -> Option<&'w str> {
    let numbered = || by_number.get(usize::try_from(said.as_u64()?).ok()?).copied();
    said.as_str().or_else(numbered)
}

/// `snake_case` as `camelCase`.
pub(crate) fn camel(name: Cow<'_, str>) -> Cow<'_, str> {
    // What begins with one is spelled so (`_responseJsonSchema`).
    if !name.contains('_') || name.starts_with('_') {
        return name;
    }
    let mut words = name.split('_');
    let mut out = words.next().unwrap_or_default().to_owned();
    for word in words {
        let mut letters = word.chars();
        out.extend(letters.next().map(|first| first.to_ascii_uppercase()));
        out.push_str(letters.as_str());
    }
    Cow::Owned(out)
}
