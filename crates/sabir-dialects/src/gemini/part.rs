//! The parts of a turn, read.
//!
//! A part is one payload and fields beside it. The payload is the content; the fields beside it (`thoughtSignature`,
//! `videoMetadata`, …) are metadata of the part under their own names, and fields of the payload that have no word
//! in the vocabulary are metadata under the payload's name.

use sabir_core::chat::{Content, Document, Media, Meta, Part, ServerToolResult, ServerToolUse, Source, ToolResult};
use serde_json::value::RawValue;

use super::{NAME, SIGNATURE, wire};
use crate::json::{Fields, object_text, string_of};
use crate::lenient::List;
use crate::mime::mime_of;
use crate::proto_json::{camel, map_of, value};
use crate::shared::opaque;

/// How ids of calls begin that were made here, where the wire has none. They are not sent back.
pub(super) const MADE: &str = "call_gemini_";

/// An id for the `n`th call of an answer. The answer's id keeps calls of different turns apart.
pub(super) fn made_id(answer: &str, n: usize) -> String {
    let plain = answer.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'_'));
    if plain && (1..=40).contains(&answer.len()) { format!("{MADE}{answer}_{n}") } else { format!("{MADE}{n}") }
}

pub(super) const LINE_ENDS: [char; 2] = ['\n', '\r'];

/// JSON without its line ends and indentation: those are the body's, not the model's, and an event of a stream is one
/// line. Strings in JSON have neither.
pub(super) fn on_one_line(json: &str) -> String {
    json.split(LINE_ENDS).map(str::trim).collect()
}

/// Metadata beside a payload.
pub(super) fn beside(part: &wire::Part<'_>) -> Meta {
    let mut meta = Meta::default();
    if !part.signature.is_empty() {
        meta.set(NAME, SIGNATURE, (*part.signature).into());
    }
    for (name, raw) in &part.rest {
        meta.set(NAME, name.clone(), value(raw));
    }
    meta
}

/// A part that is neither text nor a call. What is of no known kind is kept as it is.
pub(super) fn read(mut part: wire::Part<'_>) -> Part {
    let payload = part.rest.iter().position(|(name, _)| PAYLOADS.contains(&&**name));
    if let Some((name, raw)) = payload.map(|at| part.rest.remove(at)) {
        let mut meta = beside(&part);
        if let Some(content) = content(&name, raw, &mut meta) {
            if part.thought.0 {
                meta.set(NAME, "thought", true.into());
            }
            return Part { content, cache: None, meta };
        }
        part.rest.push((name, raw));
    }
    let mut json = map_of(&part.rest);
    if part.thought.0 {
        json.insert("thought".to_owned(), true.into());
    }
    if !part.signature.is_empty() {
        json.insert(SIGNATURE.to_owned(), (*part.signature).into());
    }
    opaque(NAME, json)
}

pub(super) const PAYLOADS: &[&str] = &[
    "inlineData", "fileData", "functionResponse", "executableCode", "codeExecutionResult", "toolCall", "toolResponse",
];

fn content(name: &str, raw: &RawValue, meta: &mut Meta) -> Option<Content> {
    let mut fields = Fields::read(raw, false).ok()?.renamed(camel);
    let content = match name {
        "inlineData" => {
            let mime = fields.filled("mimeType");
            let media = Media::base64(&fields.need("data").ok()?, mime.as_deref()).ok()?;
            of_kind(mime.as_deref(), media, &mut fields)
        }
        "fileData" => {
            let uri = fields.string("fileUri").ok()?.unwrap_or_default();
            let (said, guessed) = (fields.filled("mimeType"), mime_of(&uri));
            // A type that the address tells is sent, as Google wants one, and not kept when it comes.
            let is_held = uri.contains("://generativelanguage.googleapis.com/") || !uri.contains("://");
            let source = if is_held { Source::FileId(uri) } else { Source::Url(uri) };
            let mime = said.clone().filter(|said| guessed != Some(said));
            of_kind(said.as_deref().or(guessed), Media { source, mime }, &mut fields)
        }
        "functionResponse" => {
            let call_id = fields.string("id").ok()?.unwrap_or_default();
            let (text, is_error) = fields.take("response").map_or((None, false), unwrapped);
            let media = fields.take("parts").map(|json| serde_json::from_str::<List<wire::Part<'_>>>(json.get()));
            let media = media.and_then(Result::ok).unwrap_or_default().0.into_iter().map(read);
            let parts = text.map(Part::text).into_iter().chain(media).collect();
            Content::ToolResult(ToolResult { call_id, name: fields.filled("name"), parts, is_error })
        }
        _ => {
            let (kind, id, json) = (name.to_owned(), fields.filled("id").unwrap_or_default(), on_one_line(raw.get()));
            let tool = fields.filled("toolType").filter(|_| name == "toolCall");
            return Some(if matches!(name, "executableCode" | "toolCall") {
                let name = tool.unwrap_or_else(|| "code_execution".to_owned());
                Content::ServerToolUse(ServerToolUse { id, name, input: json, kind })
            } else {
                Content::ServerToolResult(ServerToolResult { use_id: id, kind, json: value(raw) })
            });
        }
    };
    let rest = fields.rest().ok()?;
    if !rest.is_empty() {
        meta.set(NAME, name, rest.into());
    }
    Some(content)
}

/// Media by their MIME type; what is of no other kind is a document.
fn of_kind(mime: Option<&str>, media: Media, fields: &mut Fields<'_>) -> Content {
    match mime.and_then(|mime| mime.split('/').next()) {
        Some("image") => Content::Image(media),
        Some("audio") => Content::Audio(media),
        Some("video") => Content::Video(media),
        _ => Content::Document(Document { media, title: fields.filled("displayName") }),
    }
}

/// The text of a result, and whether the tool failed. `{"result": "text"}` and `{"error": "text"}` are wrappings, as
/// results are objects here; any other object is the text itself.
fn unwrapped(response: &RawValue) -> (Option<String>, bool) {
    let whole = response.get();
    let Ok(mut fields) = Fields::read(response, false) else { return (Some(whole.to_owned()), false) };
    let (result, error) = (fields.take("result"), fields.take("error"));
    let is_error = error.is_some();
    let inner = error.or(result).filter(|_| fields.is_empty() && !(is_error && result.is_some()));
    let text = match inner.map(|inner| (string_of(inner), inner.get())) {
        Some((Some(text), _)) if object_text(&text).is_none() => text,
        Some((None, json)) if is_error && json.starts_with('{') => json.to_owned(),
        _ => return (Some(whole.to_owned()).filter(|whole| whole.len() > 2), false),
    };
    (Some(text), is_error)
}
