//! JSON types that take any JSON: what is missing, null or of another type than a format says is nothing, and never
//! fatal. Strings are borrowed from the body. For the hot path; what is read once is read with [`Fields`].
//!
//! [`Fields`]: crate::json::Fields

use std::borrow::Cow;
use std::fmt;
use std::marker::PhantomData;
use std::ops::Deref;

use serde::Deserialize;
use serde::de::value::{MapAccessDeserializer, SeqAccessDeserializer};
use serde::de::{Deserializer, Error, IgnoredAny, MapAccess, SeqAccess, Visitor};
use serde_json::{Number, Value};

/// A string or number as text; a list or object is its JSON text (arguments as an object), anything else is empty.
#[derive(Clone, Debug, Default)]
pub(crate) struct Text<'a>(pub(crate) Cow<'a, str>);

/// A counter, as a number or as a string of digits; null, negative and anything else is unknown.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Count(pub(crate) Option<u64>);

/// An object; anything else counts as missing.
#[derive(Debug)]
pub(crate) struct Object<T>(pub(crate) Option<Box<T>>);

/// `true`, or anything else.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Flag(pub(crate) bool);

/// A list; an object is a list of one, anything else is empty.
#[derive(Debug)]
pub(crate) struct List<T>(pub(crate) Vec<T>);

impl Deref for Text<'_> {
    type Target = str;

    fn deref(&self) -> &str {
        &self.0
    }
}

impl<T> Default for Object<T> {
    fn default() -> Self {
        Self(None)
    }
}

impl<T> Default for List<T> {
    fn default() -> Self {
        Self(Vec::new())
    }
}

/// What can be made of any JSON value; nothing, unless an implementation says otherwise.
pub(crate) trait Lenient<'de>: Default {
    fn of_text(_: Cow<'de, str>) -> Self {
        Self::default()
    }
    fn of_number(_: Number) -> Self {
        Self::default()
    }
    fn of_flag(_: bool) -> Self {
        Self::default()
    }
    fn of_map<A: MapAccess<'de>>(map: A) -> Result<Self, A::Error> {
        IgnoredAny.visit_map(map).map(|_| Self::default())
    }
    fn of_list<A: SeqAccess<'de>>(list: A) -> Result<Self, A::Error> {
        IgnoredAny.visit_seq(list).map(|_| Self::default())
    }
}

impl<'de> Lenient<'de> for Text<'de> {
    fn of_text(text: Cow<'de, str>) -> Self {
        Self(text)
    }
    fn of_number(number: Number) -> Self {
        Self(number.to_string().into())
    }
    fn of_map<A: MapAccess<'de>>(map: A) -> Result<Self, A::Error> {
        let value = Value::deserialize(MapAccessDeserializer::new(map))?;
        Ok(Self(value.to_string().into()))
    }
    fn of_list<A: SeqAccess<'de>>(list: A) -> Result<Self, A::Error> {
        let value = Value::deserialize(SeqAccessDeserializer::new(list))?;
        Ok(Self(value.to_string().into()))
    }
}

impl Lenient<'_> for Flag {
    fn of_flag(flag: bool) -> Self {
        Self(flag)
    }
}

impl Lenient<'_> for Count {
    fn of_text(text: Cow<'_, str>) -> Self {
        Self(text.parse().ok())
    }
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "checked to be in range")]
    fn of_number(number: Number) -> Self {
        let whole = || number.as_f64().filter(|n| (0.0..1e15).contains(n)).map(|n| n as u64);
        Self(number.as_u64().or_else(whole))
    }
}

impl<'de, T: Deserialize<'de>> Lenient<'de> for Object<T> {
    fn of_map<A: MapAccess<'de>>(map: A) -> Result<Self, A::Error> {
        Box::deserialize(MapAccessDeserializer::new(map)).map(|value| Self(Some(value)))
    }
}

/// An object in its place, for a field of the hot path: `#[serde(deserialize_with = "leniently")]`.
impl<'de, T: Deserialize<'de>> Lenient<'de> for Option<T> {
    fn of_map<A: MapAccess<'de>>(map: A) -> Result<Self, A::Error> {
        T::deserialize(MapAccessDeserializer::new(map)).map(Some)
    }
}

impl<'de, T: Deserialize<'de>> Lenient<'de> for List<T> {
    fn of_list<A: SeqAccess<'de>>(list: A) -> Result<Self, A::Error> {
        Vec::deserialize(SeqAccessDeserializer::new(list)).map(Self)
    }
    fn of_map<A: MapAccess<'de>>(map: A) -> Result<Self, A::Error> {
        T::deserialize(MapAccessDeserializer::new(map)).map(|one| Self(vec![one]))
    }
}

/// Reads whatever stands there.
pub(crate) fn leniently<'de, T: Lenient<'de>, D: Deserializer<'de>>(deserializer: D) -> Result<T, D::Error> {
    deserializer.deserialize_any(Any(PhantomData))
}

/// Objects of which any field may be missing, null, or of another type than a format says.
#[allow(unused_macros, reason = "each room uses some of it")]
macro_rules! lenient_objects {
    ($($(#[$meta:meta])* $name:ident { $($(#[$on_field:meta])* $field:ident: $type:ty,)* })*) => {$(
        #[derive(Debug, Default, serde::Deserialize)]
        #[serde(default, bound(deserialize = "'de: 'a"))]
        $(#[$meta])*
        pub(crate) struct $name<'a> {
            $($(#[$on_field])* pub(crate) $field: $type,)*
        }
    )*};
}

#[allow(unused_imports, reason = "each room uses some of it")]
pub(crate) use lenient_objects;

struct Any<T>(PhantomData<T>);

impl<'de, T: Lenient<'de>> Visitor<'de> for Any<T> {
    type Value = T;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("any JSON")
    }
    fn visit_borrowed_str<E: Error>(self, text: &'de str) -> Result<T, E> {
        Ok(T::of_text(Cow::Borrowed(text)))
    }
    fn visit_str<E: Error>(self, text: &str) -> Result<T, E> {
        Ok(T::of_text(Cow::Owned(text.to_owned())))
    }
    fn visit_u64<E: Error>(self, number: u64) -> Result<T, E> {
        Ok(T::of_number(number.into()))
    }
    fn visit_i64<E: Error>(self, number: i64) -> Result<T, E> {
        Ok(T::of_number(number.into()))
    }
    fn visit_f64<E: Error>(self, number: f64) -> Result<T, E> {
        Ok(Number::from_f64(number).map(T::of_number).unwrap_or_default())
    }
    fn visit_bool<E: Error>(self, flag: bool) -> Result<T, E> {
        Ok(T::of_flag(flag))
    }
    fn visit_unit<E: Error>(self) -> Result<T, E> {
        Ok(T::default())
    }
    fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<T, A::Error> {
        T::of_map(map)
    }
    fn visit_seq<A: SeqAccess<'de>>(self, list: A) -> Result<T, A::Error> {
        T::of_list(list)
    }
}

macro_rules! deserialize_leniently {
    ($([$($generics:tt)*] $type:ty),+) => {
        $(impl<$($generics)*> Deserialize<'de> for $type {
            fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                leniently(deserializer)
            }
        })+
    };
}

deserialize_leniently!(
    ['de: 'a, 'a] Text<'a>, ['de] Count, ['de] Flag,
    ['de, T: Deserialize<'de>] Object<T>, ['de, T: Deserialize<'de>] List<T>
);
