//! Streams of JSON, one text a line.

use sabir_core::frame::Frame;
use serde_json::value::RawValue;

use crate::json::Object;

/// The JSON of a line, if there is any: of server-sent events, whose content type did not say so, their data.
pub(crate) fn json_of<'f>(frame: &Frame<'f>) -> Option<&'f [u8]> {
    let data = frame.data.trim_ascii();
    let data = data.strip_prefix(b"data:").map_or(data, <[u8]>::trim_ascii);
    let is_none = data.is_empty() || data == b"[DONE]" || data.starts_with(b"event:") || data.starts_with(b":");
    (!is_none).then_some(data)
}

/// Whether a body that calls itself one JSON text is lines of it.
pub(crate) fn are_lines(body: &[u8]) -> bool {
    let first = body.split(|b| *b == b'\n').next().unwrap_or_default();
    first.len() < body.len() && serde_json::from_slice::<&RawValue>(first).is_ok()
}

/// Writes an object as a line. A line end in it can only be white space between tokens.
pub(crate) fn write(out: &mut Vec<u8>, fields: impl FnOnce(&mut Object<'_>)) {
    let start = out.len();
    let mut object = Object::new(out);
    fields(&mut object);
    object.end();
    for byte in out[start..].iter_mut().filter(|byte| matches!(byte, b'\n' | b'\r')) {
        *byte = b' ';
    }
    out.push(b'\n');
}
