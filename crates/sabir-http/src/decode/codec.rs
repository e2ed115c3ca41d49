//! The codings behind one call: some input, some output.

use brotli_decompressor::{BrotliDecompressStream, BrotliResult, BrotliState, StandardAlloc};
use miniz_oxide::inflate::stream::{InflateState, inflate};
use miniz_oxide::{DataFormat, MZError, MZFlush, MZStatus};
use zstd_safe::{DCtx, DParameter, InBuffer, OutBuffer};

use super::Step;
use super::gzip::Gzip;

type Brotli = BrotliState<StandardAlloc, StandardAlloc, StandardAlloc>;

/// The largest zstd window, 2^23 bytes: what RFC 9659 allows in HTTP.
const ZSTD_WINDOW_LOG: u32 = 23;

/// One coding and where it stands.
pub(super) enum Codec {
    Gzip(Gzip),
    /// zlib data, which is what HTTP calls `deflate`: not asked for, decoded when it comes.
    Zlib {
        state: Box<InflateState>,
        whole: bool,
    },
    Brotli {
        state: Box<Brotli>,
        whole: bool,
    },
    Zstd {
        context: DCtx<'static>,
        whole: bool,
    },
}

impl Codec {
    /// The codec that a `content-encoding` names. `None` for an unknown one or a list.
    pub(super) fn named(name: &str) -> Option<Self> {
        let is = |known: &str| name.eq_ignore_ascii_case(known);
        Some(if is("gzip") || is("x-gzip") {
            Self::Gzip(Gzip::default())
        } else if is("deflate") {
            Self::Zlib { state: InflateState::new_boxed(DataFormat::Zlib), whole: false }
        } else if is("br") {
            let alloc = StandardAlloc::default;
            Self::Brotli { state: Box::new(Brotli::new_strict(alloc(), alloc(), alloc())), whole: false }
        } else if is("zstd") {
            let mut context = DCtx::try_create()?;
            context.set_parameter(DParameter::WindowLogMax(ZSTD_WINDOW_LOG)).ok()?;
            Self::Zstd { context, whole: false }
        } else {
            return None;
        })
    }

    /// Decodes from `input` into `output` until one of them is used up or the coding ends.
    pub(super) fn step(&mut self, input: &[u8], output: &mut [u8]) -> Result<Step, String> {
        match self {
            Self::Gzip(gzip) => gzip.step(input, output),
            Self::Zlib { whole: true, .. } | Self::Brotli { whole: true, .. } => Ok(Step { read: 0, written: 0 }),
            Self::Zlib { state, whole } => {
                let (step, ended) = inflated(state, input, output)?;
                *whole = ended;
                Ok(step)
            }
            Self::Brotli { state, whole } => {
                let (mut input_left, mut read, mut room, mut written, mut total) = (input.len(), 0, output.len(), 0, 0);
                let result = BrotliDecompressStream(
                    &mut input_left, &mut read, input, &mut room, &mut written, output, &mut total, state,
                );
                match result {
                    BrotliResult::ResultFailure => return Err("the brotli data is damaged".to_owned()),
                    BrotliResult::ResultSuccess => *whole = true,
                    BrotliResult::NeedsMoreInput | BrotliResult::NeedsMoreOutput => {}
                }
                Ok(Step { read, written })
            }
            Self::Zstd { context, whole } => {
                let (mut from, mut to) = (InBuffer::around(input), OutBuffer::around(output));
                let hint = context
                    .decompress_stream(&mut to, &mut from)
                    .map_err(|code| format!("zstd says {}", zstd_safe::get_error_name(code)))?;
                let step = Step { read: from.pos(), written: to.pos() };
                // A call that does nothing after the end asks for the next frame's header; that is no new frame.
                if step.read > 0 || step.written > 0 {
                    *whole = hint == 0;
                }
                Ok(step)
            }
        }
    }

    /// Whether the coding is at its end.
    pub(super) fn is_whole(&self) -> bool {
        match self {
            Self::Gzip(gzip) => gzip.is_whole(),
            Self::Zlib { whole, .. } | Self::Brotli { whole, .. } | Self::Zstd { whole, .. } => *whole,
        }
    }
}

/// One call of inflate: how far it got, and whether the deflate data ended.
pub(super) fn inflated(state: &mut InflateState, input: &[u8], output: &mut [u8]) -> Result<(Step, bool), String> {
    let result = inflate(state, input, output, MZFlush::None);
    let ended = match result.status {
        Ok(status) => status == MZStatus::StreamEnd,
        // Nothing could be done without more input.
        Err(MZError::Buf) => false,
        Err(_) => return Err("the deflate data is damaged".to_owned()),
    };
    Ok((Step { read: result.bytes_consumed, written: result.bytes_written }, ended))
}
