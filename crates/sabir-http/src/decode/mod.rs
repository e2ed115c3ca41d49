//! Content codings (RFC 9110 §8.4): decoded piece by piece, as soon as there is something to give, and bounded.

#[cfg(feature = "compression")]
mod codec;
#[cfg(feature = "compression")]
mod gzip;

use bytes::{Buf, Bytes, BytesMut};
use http::HeaderMap;
use http::header::{CONTENT_ENCODING, CONTENT_LENGTH};
use sabir_core::{Error, ErrorKind, Result, Stage};

#[cfg(feature = "compression")]
use codec::Codec;

/// No coding is known without the feature.
#[cfg(not(feature = "compression"))]
enum Codec {}

#[cfg(not(feature = "compression"))]
impl Codec {
    fn named(_: &str) -> Option<Self> {
        None
    }

    fn step(&mut self, _: &[u8], _: &mut [u8]) -> Result<Step, String> {
        match *self {}
    }

    fn is_whole(&self) -> bool {
        match *self {}
    }
}

/// How far one call of a codec got.
#[derive(Clone, Copy, Debug)]
struct Step {
    read: usize,
    written: usize,
}

/// The most that is decoded in one piece, in bytes: what one poll may hold in memory.
const PIECE: usize = 16 << 10;

/// Decodes one body.
pub(crate) struct Decoder {
    codec: Codec,
    input: Bytes,
    fed: bool,
    /// Whether the codec may hold more output for the input it has read.
    more: bool,
    expanded: u64,
    limit: u64,
}

impl Decoder {
    /// The decoder for a response, with the headers that describe the coded body taken out. `None`, with the
    /// headers left, where there is no coding or one that we do not know.
    pub(crate) fn for_headers(headers: &mut HeaderMap, limit: u64) -> Option<Self> {
        let codec = Codec::named(headers.get(CONTENT_ENCODING)?.to_str().ok()?.trim())?;
        headers.remove(CONTENT_ENCODING);
        headers.remove(CONTENT_LENGTH);
        Some(Self { codec, input: Bytes::new(), fed: false, more: false, expanded: 0, limit })
    }

    /// Takes the next piece of the coded body. All of the one before must have been decoded.
    pub(crate) fn feed(&mut self, data: Bytes) {
        self.fed |= !data.is_empty();
        self.input = data;
    }

    /// The next decoded piece; `None` when more must be fed first.
    pub(crate) fn next_piece(&mut self) -> Result<Option<Bytes>> {
        while self.more || !self.input.is_empty() {
            // Text expands about fourfold; a small event needs no large buffer.
            let mut out = BytesMut::zeroed((self.input.len() * 4).clamp(512, PIECE));
            let step = self.codec.step(&self.input, &mut out).map_err(|why| {
                Error::new(ErrorKind::Decode, format!("the compressed answer cannot be read: {why}"))
                    .with_stage(Stage::Answered)
            })?;
            self.input.advance(step.read);
            self.more = step.written == out.len();
            if step.written > 0 {
                return self.checked(out, step.written).map(Some);
            }
            if step.read == 0 && !self.input.is_empty() {
                let error = Error::new(ErrorKind::Decode, "the compressed answer goes on after its end");
                return Err(error.with_stage(Stage::Answered));
            }
        }
        Ok(None)
    }

    fn checked(&mut self, mut out: BytesMut, written: usize) -> Result<Bytes> {
        self.expanded += written as u64;
        if self.expanded > self.limit {
            let message = format!(
                "the compressed answer expands to more than {} bytes; raise the limit if that is right",
                self.limit
            );
            return Err(Error::new(ErrorKind::Decode, message).with_stage(Stage::Answered));
        }
        out.truncate(written);
        Ok(out.freeze())
    }

    /// Whether the body ended where its coding does. A body of no bytes at all (to `HEAD`, or a 304) is whole.
    pub(crate) fn finish(&self) -> Result<()> {
        if !self.fed || self.codec.is_whole() {
            return Ok(());
        }
        let error = Error::new(ErrorKind::Truncated, "the compressed answer stopped before its end");
        Err(error.with_stage(Stage::Answered))
    }
}
