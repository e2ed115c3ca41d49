//! One vector on the wire: a list of numbers, or bytes in base64.

use std::fmt;

use sabir_core::chat::{from_base64, to_base64};
use serde::de::{Error, SeqAccess, Unexpected, Visitor};
use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// A vector as it comes: numbers (floats, or quantised to integers), or base64 of little-endian floats of 32 bits or
/// of signed bytes.
#[derive(Debug)]
pub(super) struct Vector(pub(super) Vec<f32>);

impl<'de> Deserialize<'de> for Vector {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Either;
        impl<'de> Visitor<'de> for Either {
            type Value = Vec<f32>;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a list of numbers or base64")
            }

            fn visit_str<E: Error>(self, text: &str) -> Result<Vec<f32>, E> {
                from_text(text).map_err(E::custom)
            }

            fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<Vec<f32>, A::Error> {
                let mut numbers = Vec::new();
                while let Some(number) = items.next_element::<f32>()? {
                    if !number.is_finite() {
                        return Err(A::Error::invalid_value(
                            Unexpected::Other("a number beyond 32 bits"),
                            &"a float of 32 bits",
                        ));
                    }
                    numbers.push(number);
                }
                Ok(numbers)
            }
        }
        deserializer.deserialize_any(Either).map(Self)
    }
}

/// A vector from base64. The text does not say what its bytes are. Floats of 32 bits (`OpenAI`) are told from signed
/// bytes (`Perplexity`) by their magnitudes: an embedding's are near one, those of bytes read as floats are all over
/// the range, so that the majority decides.
fn from_text(text: &str) -> Result<Vec<f32>, &'static str> {
    if !text.len().is_multiple_of(4) {
        return Err("the base64 of a vector is cut: its length is no multiple of 4");
    }
    let bytes = from_base64(text).map_err(|_| "a vector is not base64")?;
    let (words, rest) = bytes.as_chunks::<4>();
    let floats = || words.iter().map(|word| f32::from_le_bytes(*word));
    let likely = floats().filter(|x| *x == 0.0 || (1e-12..1e9).contains(&x.abs())).count();
    if likely * 2 < words.len() {
        return Ok(bytes.iter().map(|byte| f32::from(byte.cast_signed())).collect());
    }
    if !rest.is_empty() {
        return Err("a vector's bytes are cut: they are no whole floats of 32 bits");
    }
    if floats().any(|x| !x.is_finite()) {
        return Err("a vector has a number that is not finite");
    }
    Ok(floats().collect())
}

/// A vector as it goes, in base64 of little-endian floats of 32 bits.
pub(super) struct Base64<'a>(pub(super) &'a [f32]);

impl Serialize for Base64<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let bytes: Vec<u8> = self.0.iter().flat_map(|x| x.to_le_bytes()).collect();
        serializer.serialize_str(&to_base64(&bytes))
    }
}

/// A vector as it goes, in whole numbers.
pub(super) struct Whole<'a>(pub(super) &'a [f32]);

impl Serialize for Whole<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        #[expect(clippy::cast_possible_truncation, reason = "whole numbers of a byte, as `fit` says of them")]
        serializer.collect_seq(self.0.iter().map(|x| *x as i16))
    }
}

/// Whether all numbers are whole and in a range, as vectors quantised to bytes are.
pub(super) fn fit(vectors: &[Vec<f32>], low: f32, high: f32) -> bool {
    vectors.iter().flatten().all(|x| x.fract() == 0.0 && (low..=high).contains(x))
}
