//! The parts of a turn, written: requests and answers share them.

use std::borrow::Cow;
use std::collections::HashMap;

use sabir_core::Feature;
use sabir_core::chat::{Content, Media, Part, Reasoning, Source, ToolResult, from_base64, to_base64};

use super::part::{LINE_ENDS, MADE, PAYLOADS, on_one_line};
use super::{NAME, SIGNATURE};
use crate::json::{List, Object, object_text};
use crate::mime::mime_of;
use crate::shared::{Losses, feature_of};

/// Writes parts, and collects what could not be written.
#[derive(Debug, Default)]
pub(super) struct Parts {
    pub(super) losses: Losses,
    /// We answer a client; otherwise we ask a provider.
    pub(super) answers: bool,
    /// The names of the functions that were called, by the calls' ids.
    pub(super) called: HashMap<String, String>,
}

impl Parts {
    /// A part as JSON; `None`, and a loss, for what cannot be written.
    pub(super) fn write(&mut self, part: &Part, path: &str) -> Option<Vec<u8>> {
        let own = part.meta.of(NAME);
        let signed = own.and_then(|own| own.get(SIGNATURE)?.as_str());
        let mut out = Vec::new();
        let mut to = Object::new(&mut out);
        match &part.content {
            Content::Text { text } => {
                to.field("text", text);
            }
            Content::Refusal { text } => {
                self.losses.lose(Feature::Refusals, path, "sent as text");
                to.field("text", text);
            }
            Content::Reasoning(reasoning) => self.reasoning(reasoning, signed, path, &mut to)?,
            Content::ServerToolUse(used)
                if PAYLOADS.contains(&used.kind.as_str()) && object_text(&used.input).is_some() =>
            {
                to.raw(&used.kind, &used.input);
            }
            Content::ServerToolResult(result) if PAYLOADS.contains(&result.kind.as_str()) => {
                to.field(&result.kind, &result.json);
            }
            Content::Opaque { dialect, json } if dialect == NAME => return Some(json.to_string().into_bytes()),
            content => {
                let Some(payload) = payload_of(content) else {
                    self.losses.part(path, content);
                    return None;
                };
                to.object(payload, |to| {
                    self.payload(content, path, to);
                    to.meta(own.and_then(|own| own.get(payload)?.as_object()), &[]);
                });
            }
        }
        let is_done = matches!(part.content, Content::Reasoning(_)) || self.signature(signed, path) != signed;
        to.meta(own, &[if is_done { SIGNATURE } else { "" }, payload_of(&part.content).unwrap_or_default()]);
        to.end();
        Some(out)
    }

    /// A signature, which Google's own format holds as bytes; `None`, and a loss, for what cannot be read as such.
    pub(super) fn signature<'s>(&mut self, signature: Option<&'s str>, path: &str) -> Option<&'s str> {
        let is_readable = signature.is_none_or(|signature| from_base64(signature).is_ok());
        if !is_readable {
            self.losses.lose(Feature::Signatures, path, "a signature must be base64 in this dialect; left out");
        }
        signature.filter(|_| is_readable)
    }

    fn reasoning(&mut self, reasoning: &Reasoning, own: Option<&str>, path: &str, to: &mut Object<'_>) -> Option<()> {
        if reasoning.encrypted.is_some() {
            self.losses.lose(Feature::Signatures, path, "a sealed thought of another provider");
            if reasoning.text.is_empty() {
                return None;
            }
        }
        if reasoning.text.is_empty() && own.is_none() && reasoning.signature.is_none() {
            self.losses.lose(Feature::Reasoning, path, "an empty thought; left out");
            return None;
        }
        // A client sends back whatever it was given; Google refuses a signature that is not its own.
        let signature = own.or(reasoning.signature.as_deref().filter(|_| self.answers));
        if signature.is_none() && reasoning.signature.is_some() {
            self.losses.lose(Feature::Signatures, path, "the signature is another provider's");
        }
        let signature = self.signature(signature, path);
        to.field("text", &reasoning.text).field("thought", &true).some(SIGNATURE, signature);
        Some(())
    }

    fn payload(&mut self, content: &Content, path: &str, to: &mut Object<'_>) {
        match content {
            Content::ToolCall(call) => {
                self.called.insert(call.id.clone(), call.name.clone());
                let mut args = object_text(&call.arguments).map(Cow::Borrowed);
                if let Some(args) = args.as_mut().filter(|args| self.answers && args.contains(LINE_ENDS)) {
                    *args = on_one_line(args).into();
                    self.losses.lose(Feature::Tools, path, "line ends between tokens of the arguments are left out");
                }
                if args.is_none() && !call.arguments.trim().is_empty() {
                    self.losses.lose(Feature::Tools, path, "arguments that are not a JSON object became {}");
                }
                to.some("id", sent_id(&call.id)).field("name", &call.name).raw("args", args.as_deref().unwrap_or("{}"));
            }
            Content::ToolResult(result) => self.result(result, path, to),
            Content::Image(media) | Content::Audio(media) | Content::Video(media) => {
                let is_told = write_media(media, to);
                if !is_told {
                    let note = "Google is told no MIME type, so that it has to find out what it is; give one";
                    self.losses.lose(feature_of(content), path, note);
                }
            }
            Content::Document(document) => {
                write_media(&document.media, to);
                to.some("displayName", document.title.as_ref());
            }
            _ => {}
        }
    }

    fn result(&mut self, result: &ToolResult, path: &str, to: &mut Object<'_>) {
        let name = result.name.as_ref().or_else(|| self.called.get(&result.call_id)).cloned();
        let name = name.unwrap_or_else(|| {
            let note = "no call with this id came before; its id stands for the function's name";
            self.losses.lose(Feature::Tools, path, note);
            result.call_id.clone()
        });
        let (mut text, mut media) = (result.is_error.then(String::new), List::default());
        for (at, part) in result.parts.iter().enumerate() {
            let path = format!("{path}.parts[{at}]");
            self.losses.absent([(part.cache.is_some(), Feature::CacheMarks, &*path)]);
            match part.as_text() {
                Some(said) => {
                    let text = text.get_or_insert_default();
                    if !text.is_empty() && !said.is_empty() {
                        self.losses.joined(&*path);
                    }
                    if !media.is_empty() {
                        self.losses.order(path, "the text of a result stands before its media");
                    }
                    text.push_str(said);
                }
                None => media.add(self.write(part, &path)),
            }
        }
        to.some("id", sent_id(&result.call_id)).field("name", &name);
        match text.as_deref().map(|text| object_text(text).ok_or(text)) {
            None => to.raw("response", "{}"),
            Some(Ok(json)) if !result.is_error => to.raw("response", json),
            Some(said) => to.object("response", |to| {
                let word = if result.is_error { "error" } else { "result" };
                match said {
                    Ok(json) => to.raw(word, json),
                    Err(text) => to.field(word, text),
                };
            }),
        };
        to.list("parts", &media);
    }
}

/// The name of a part's payload that is an object.
fn payload_of(content: &Content) -> Option<&'static str> {
    match content {
        Content::ToolCall(_) => Some("functionCall"),
        Content::ToolResult(_) => Some("functionResponse"),
        Content::Image(media) | Content::Audio(media) | Content::Video(media) => Some(place_of(media)),
        Content::Document(document) => Some(place_of(&document.media)),
        _ => None,
    }
}

fn place_of(media: &Media) -> &'static str {
    if matches!(media.source, Source::Bytes(_)) { "inlineData" } else { "fileData" }
}

/// Returns whether their MIME type is told.
fn write_media(media: &Media, to: &mut Object<'_>) -> bool {
    let mime = media.mime.as_deref();
    match &media.source {
        Source::Bytes(bytes) => {
            to.field("mimeType", mime.unwrap_or("application/octet-stream")).field("data", &to_base64(bytes));
            true
        }
        Source::Url(uri) | Source::FileId(uri) => {
            let mime = mime.or_else(|| mime_of(uri));
            to.some("mimeType", mime).field("fileUri", uri);
            mime.is_some()
        }
        _ => false,
    }
}

/// An id that the provider or the client gave; ids of ours are not sent.
fn sent_id(id: &str) -> Option<&str> {
    Some(id).filter(|id| !id.is_empty() && !id.starts_with(MADE))
}
