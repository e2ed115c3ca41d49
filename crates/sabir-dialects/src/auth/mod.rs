//! Pure signing: keys and the time are arguments, and nothing is fetched. Keys that go as they are (bearer, header,
//! query) are put in by [`Endpoint::authorize`](sabir_core::Endpoint::authorize).

#[cfg(feature = "bedrock")]
pub mod sigv4;
