//! The parts of a turn, both ways.
//!
//! A part is one payload and fields beside it. The payload is the content; the fields beside it (`thoughtSignature`,
//! `videoMetadata`, …) are metadata of the part under their own names, and fields of the payload that have no word
//! in the vocabulary are metadata under the payload's name.

use std::collections::HashMap;

use sabir_core::chat::{
    Content, Document, Media, Meta, Part, Reasoning, ServerToolResult, ServerToolUse, Source, ToolCall, ToolResult,
    to_base64,
};
use sabir_core::{Feature, Loss};
use serde::Deserialize;
use serde_json::value::RawValue;
use serde_json::{Map, Value};

use super::wire::{self, Rest, Writer, camel, value};
use super::{NAME, SIGNATURE};

/// How ids of calls begin that were made here, where the wire has none. They are not sent back.
pub(super) const MADE: &str = "call_gemini_";

/// The signature by which Google lets calls pass that its models did not make.
const UNSIGNED: &str = "skip_thought_signature_validator";

/// An id for the `n`th call of an answer. The answer's id keeps calls of different turns apart.
pub(super) fn made_id(answer: &str, n: usize) -> String {
    let plain = answer.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'_'));
    if plain && (1..=40).contains(&answer.len()) { format!("{MADE}{answer}_{n}") } else { format!("{MADE}{n}") }
}

/// Fields that have no place of their own, as metadata.
pub(super) fn meta_of(rest: &Rest<'_>, meta: &mut Meta) {
    for (name, raw) in rest {
        meta.set(NAME, camel(name), value(raw));
    }
}

/// Metadata beside a payload.
pub(super) fn beside(part: &wire::Part<'_>) -> Meta {
    let mut meta = Meta::default();
    if !part.signature.is_empty() {
        meta.set(NAME, SIGNATURE, (*part.signature).into());
    }
    meta_of(&part.rest, &mut meta);
    meta
}

/// Fields of a payload that have no word, under the payload's name.
pub(super) fn set_inner(meta: &mut Meta, payload: &str, rest: &Rest<'_>) {
    if !rest.is_empty() {
        let fields: Map<String, Value> =
            rest.iter().map(|(name, raw)| (camel(name).into_owned(), value(raw))).collect();
        meta.set(NAME, payload, fields.into());
    }
}

/// A part that is neither text nor a call. What is of no known kind is kept as it is.
pub(super) fn read(mut part: wire::Part<'_>) -> Part {
    let payload = part.rest.iter().position(|(name, _)| PAYLOADS.contains(&&*camel(name)));
    let Some((name, raw)) = payload.map(|at| part.rest.remove(at)) else {
        return opaque(&part, None);
    };
    let name = camel(&name).into_owned();
    let mut meta = beside(&part);
    let Some(content) = content(&name, raw, &mut meta) else {
        return opaque(&part, Some((&name, raw)));
    };
    if part.thought.0 {
        meta.set(NAME, "thought", true.into());
    }
    Part { content, cache: None, meta }
}

const PAYLOADS: &[&str] = &[
    "inlineData",
    "fileData",
    "functionResponse",
    "executableCode",
    "codeExecutionResult",
    "toolCall",
    "toolResponse",
];

fn content(name: &str, raw: &RawValue, meta: &mut Meta) -> Option<Content> {
    Some(match name {
        "inlineData" => {
            let blob: wire::Blob<'_> = parsed(raw)?;
            set_inner(meta, name, &blob.rest);
            let media = Media::base64(&blob.data, Some(&*blob.mime).filter(|mime| !mime.is_empty())).ok()?;
            of_kind(media, &blob.name, name, meta)
        }
        "fileData" => {
            let file: wire::File<'_> = parsed(raw)?;
            set_inner(meta, name, &file.rest);
            let uri = file.uri.0.into_owned();
            let guessed = mime_of(&uri);
            let mime = Some(&*file.mime).filter(|mime| !mime.is_empty() && guessed != Some(*mime));
            let held = uri.contains("://generativelanguage.googleapis.com/") || !uri.contains("://");
            let source = if held { Source::FileId(uri) } else { Source::Url(uri) };
            let mime = mime.map(str::to_owned);
            let kind = guessed.map(str::to_owned).filter(|_| mime.is_none());
            let content = of_kind(Media { source, mime: kind.or_else(|| mime.clone()) }, &file.name, name, meta);
            with_mime(content, mime)
        }
        "functionResponse" => {
            let output: wire::Output<'_> = parsed(raw)?;
            set_inner(meta, name, &output.rest);
            let (text, is_error) = unwrapped(output.response);
            let mut parts: Vec<Part> = text.map(Part::text).into_iter().collect();
            parts.extend(output.parts.0.into_iter().map(read));
            Content::ToolResult(ToolResult {
                call_id: output.id.0.into_owned(),
                name: Some(output.name.0.into_owned()).filter(|name| !name.is_empty()),
                parts,
                is_error,
            })
        }
        "executableCode" | "toolCall" => {
            let json = value(raw);
            let field = |name: &str| json.get(name).and_then(Value::as_str).unwrap_or_default().to_owned();
            let tool = if name == "toolCall" { field("toolType") } else { "code_execution".to_owned() };
            Content::ServerToolUse(ServerToolUse {
                id: field("id"),
                name: tool,
                input: raw.get().to_owned(),
                kind: name.to_owned(),
            })
        }
        _ => {
            let json = value(raw);
            let use_id = json.get("id").and_then(Value::as_str).unwrap_or_default().to_owned();
            Content::ServerToolResult(ServerToolResult { use_id, kind: name.to_owned(), json })
        }
    })
}

/// An object; `None` for anything else.
fn parsed<'a, T: Deserialize<'a>>(raw: &'a RawValue) -> Option<T> {
    serde_json::from_str::<wire::Object<T>>(raw.get()).ok()?.0
}

/// The part as it came.
fn opaque(part: &wire::Part<'_>, payload: Option<(&str, &RawValue)>) -> Part {
    let mut json = Map::new();
    json.extend(payload.map(|(name, raw)| (name.to_owned(), value(raw))));
    json.extend(part.rest.iter().map(|(name, raw)| (camel(name).into_owned(), value(raw))));
    if part.thought.0 {
        json.insert("thought".to_owned(), true.into());
    }
    if !part.signature.is_empty() {
        json.insert(SIGNATURE.to_owned(), (*part.signature).into());
    }
    let dialect = NAME.to_owned();
    Content::Opaque { dialect, json: json.into() }.into()
}

/// Media by their MIME type; what is of no other kind is a document.
fn of_kind(media: Media, title: &str, payload: &str, meta: &mut Meta) -> Content {
    let kind = media.mime.as_deref().and_then(|mime| mime.split('/').next()).unwrap_or_default();
    let title = Some(title.to_owned()).filter(|title| !title.is_empty());
    let content = match kind {
        "image" => Content::Image(media),
        "audio" => Content::Audio(media),
        "video" => Content::Video(media),
        _ => return Content::Document(Document { media, title }),
    };
    if let Some(title) = title {
        let mut fields = meta.get(NAME, payload).and_then(Value::as_object).cloned().unwrap_or_default();
        fields.insert("displayName".to_owned(), title.into());
        meta.set(NAME, payload, fields.into());
    }
    content
}

fn with_mime(mut content: Content, mime: Option<String>) -> Content {
    match &mut content {
        Content::Image(media) | Content::Audio(media) | Content::Video(media) => media.mime = mime,
        Content::Document(document) => document.media.mime = mime,
        _ => {}
    }
    content
}

/// The MIME type that an address tells by its ending. It is sent, as Google wants one, and not kept when it comes.
pub(super) fn mime_of(uri: &str) -> Option<&'static str> {
    let path = uri.split(['?', '#']).next().unwrap_or_default();
    if !path.contains("://") {
        return None;
    }
    let (_, ending) = path.rsplit_once('/')?.1.rsplit_once('.')?;
    Some(match ending.to_ascii_lowercase().as_str() {
        "png" => "image/png",
        "jpg" | "jpeg" => "image/jpeg",
        "webp" => "image/webp",
        "gif" => "image/gif",
        "heic" => "image/heic",
        "wav" => "audio/wav",
        "mp3" => "audio/mpeg",
        "ogg" => "audio/ogg",
        "flac" => "audio/flac",
        "m4a" => "audio/mp4",
        "mp4" => "video/mp4",
        "webm" => "video/webm",
        "mov" => "video/quicktime",
        "pdf" => "application/pdf",
        "txt" => "text/plain",
        "html" | "htm" => "text/html",
        "csv" => "text/csv",
        "md" => "text/markdown",
        _ => return None,
    })
}

/// The text of a result, and whether the tool failed. `{"result": "text"}` and `{"error": "text"}` are wrappings, as
/// results are objects here; any other object is the text itself.
fn unwrapped(response: Option<&RawValue>) -> (Option<String>, bool) {
    let Some(raw) = response else { return (None, false) };
    let rest = serde_json::from_str(raw.get()).map_or_else(|_| Rest::new(), |wire::Any { rest }| rest);
    if raw.get().len() == 2 {
        return (None, false);
    }
    if let [(name, inner)] = rest.as_slice()
        && matches!(name.as_ref(), "result" | "error")
    {
        let is_error = name == "error";
        match serde_json::from_str::<String>(inner.get()) {
            Ok(text) if !is_object(&text) => return (Some(text), is_error),
            Err(_) if is_error && is_object(inner.get()) => return (Some(inner.get().to_owned()), true),
            _ => {}
        }
    }
    (Some(raw.get().to_owned()), false)
}

fn is_object(text: &str) -> bool {
    text.trim_start().starts_with('{') && serde_json::from_str::<&RawValue>(text).is_ok()
}

/// Writes parts, and collects what could not be written.
#[derive(Debug, Default)]
pub(super) struct Parts {
    pub(super) losses: Vec<Loss>,
    /// We answer a client; otherwise we ask a provider.
    pub(super) answers: bool,
    /// The names of the functions that were called, by the calls' ids.
    pub(super) called: HashMap<String, String>,
}

impl Parts {
    pub(super) fn lose(&mut self, feature: Feature, path: &str, note: &str) {
        self.losses.push(Loss::new(feature, path, note));
    }

    /// A part as JSON text; `None`, and a loss, for what cannot be written.
    pub(super) fn write(&mut self, part: &Part, path: &str) -> Option<String> {
        if part.cache.is_some() {
            self.lose(Feature::CacheMarks, path, "Google caches by itself, or under a name given as `cachedContent`");
        }
        if self.answers {
            for dialect in part.meta.dialects().filter(|dialect| *dialect != NAME) {
                self.losses.push(Loss::new(Feature::Opaque, format!("{path}.meta.{dialect}"), "another dialect's own"));
            }
        }
        let mut out = Writer::new();
        let mut payload = "";
        match &part.content {
            Content::Text { text } => {
                out.field("text", text);
            }
            Content::Refusal { text } => {
                self.lose(Feature::Refusals, path, "sent as text");
                out.field("text", text);
            }
            Content::Reasoning(reasoning) => self.reasoning(reasoning, part, path, &mut out)?,
            Content::ToolCall(call) => {
                payload = "functionCall";
                let json = self.call(call, part, path);
                out.raw(payload, &json);
            }
            Content::ToolResult(result) => {
                payload = "functionResponse";
                let json = self.result(result, part, path);
                out.raw(payload, &json);
            }
            Content::Image(_) | Content::Audio(_) | Content::Video(_) | Content::Document(_) => {
                payload = self.media(part, path, &mut out);
            }
            Content::ServerToolUse(used) if PAYLOADS.contains(&used.kind.as_str()) && is_object(&used.input) => {
                out.raw(&used.kind, &used.input);
            }
            Content::ServerToolResult(result) if PAYLOADS.contains(&result.kind.as_str()) => {
                out.field(&result.kind, &result.json);
            }
            Content::ServerToolUse(_) | Content::ServerToolResult(_) => {
                self.lose(Feature::ServerTools, path, "it is another provider's tool");
                return None;
            }
            Content::Opaque { dialect, json } if dialect == NAME => return Some(json.to_string()),
            Content::Citation(_) => {
                self.lose(Feature::Citations, path, "citations are not sent back");
                return None;
            }
            _ => {
                self.lose(Feature::Opaque, path, "it has no meaning in this dialect");
                return None;
            }
        }
        let is_thought = matches!(part.content, Content::Reasoning(_));
        for (name, field) in part.meta.of(NAME).into_iter().flatten() {
            if name != payload && !(is_thought && name == SIGNATURE) {
                out.field(name, field);
            }
        }
        Some(out.end())
    }

    fn reasoning(&mut self, reasoning: &Reasoning, part: &Part, path: &str, out: &mut Writer) -> Option<()> {
        if reasoning.encrypted.is_some() {
            self.lose(Feature::Signatures, path, "a sealed thought of another provider");
            if reasoning.text.is_empty() {
                return None;
            }
        }
        out.field("text", &reasoning.text).raw("thought", "true");
        let own = part.meta.get(NAME, SIGNATURE).and_then(Value::as_str);
        // A client sends back whatever it was given; Google refuses a signature that is not its own.
        let signature = own.or(reasoning.signature.as_deref().filter(|_| self.answers));
        if signature.is_none() && reasoning.signature.is_some() {
            self.lose(Feature::Signatures, path, "the signature is another provider's");
        }
        out.some(SIGNATURE, signature);
        Some(())
    }

    fn call(&mut self, call: &ToolCall, part: &Part, path: &str) -> String {
        self.called.insert(call.id.clone(), call.name.clone());
        let mut out = Writer::new();
        out.some("id", sent_id(&call.id)).field("name", &call.name);
        match serde_json::from_str::<&RawValue>(&call.arguments) {
            Ok(raw) if raw.get().starts_with('{') => {
                out.raw("args", raw.get());
            }
            _ => {
                if !call.arguments.trim().is_empty() {
                    self.lose(Feature::Tools, path, "arguments that are not a JSON object became {}");
                }
                out.raw("args", "{}");
            }
        }
        inner(part, "functionCall", &mut out);
        out.end()
    }

    fn result(&mut self, result: &ToolResult, part: &Part, path: &str) -> String {
        let name = result.name.as_ref().or_else(|| self.called.get(&result.call_id)).cloned();
        let name = name.unwrap_or_else(|| {
            self.lose(Feature::Tools, path, "no call with this id came before; its id stands for the function's name");
            result.call_id.clone()
        });
        let mut texts = Vec::new();
        let mut media = Vec::new();
        for (at, inner) in result.parts.iter().enumerate() {
            let path = format!("{path}.parts[{at}]");
            match &inner.content {
                Content::Text { text } => {
                    if inner.cache.is_some() {
                        self.lose(Feature::CacheMarks, &path, "Google caches by itself");
                    }
                    texts.push(text.as_str());
                }
                _ => media.extend(self.write(inner, &path)),
            }
        }
        let text = texts.concat();
        let mut response = Writer::new();
        let response = match (is_object(&text), result.is_error) {
            (true, false) => text.trim().to_owned(),
            (true, true) => {
                response.raw("error", text.trim());
                response.end()
            }
            (false, is_error) => {
                response.field(if is_error { "error" } else { "result" }, &text);
                response.end()
            }
        };
        let mut out = Writer::new();
        out.some("id", sent_id(&result.call_id)).field("name", &name);
        let is_empty = texts.is_empty() && !result.is_error;
        out.raw("response", if is_empty { "{}" } else { &response });
        if !media.is_empty() {
            out.raw("parts", &wire::list(&media));
        }
        inner(part, "functionResponse", &mut out);
        out.end()
    }

    /// Returns the payload's name.
    fn media(&mut self, part: &Part, path: &str, out: &mut Writer) -> &'static str {
        let (media, title, kind) = match &part.content {
            Content::Document(document) => (&document.media, document.title.as_deref(), None),
            Content::Image(media) => (media, None, Some(Feature::Images)),
            Content::Audio(media) => (media, None, Some(Feature::Audio)),
            Content::Video(media) => (media, None, Some(Feature::Video)),
            _ => return "",
        };
        let mut json = Writer::new();
        let name = match &media.source {
            Source::Bytes(bytes) => {
                let mime = media.mime.as_deref().unwrap_or("application/octet-stream");
                json.field("mimeType", mime).field("data", &to_base64(bytes));
                "inlineData"
            }
            Source::Url(uri) | Source::FileId(uri) => {
                let mime = media.mime.as_deref().or_else(|| mime_of(uri));
                if let (None, Some(kind)) = (mime, kind) {
                    self.lose(
                        kind,
                        path,
                        "Google is told no MIME type, so that it has to find out what it is; give one",
                    );
                }
                json.some("mimeType", mime).field("fileUri", uri);
                "fileData"
            }
            _ => return "",
        };
        json.some("displayName", title);
        inner(part, name, &mut json);
        out.raw(name, &json.end());
        name
    }
}

/// Fields of a payload that have no word in the vocabulary.
fn inner(part: &Part, payload: &str, out: &mut Writer) {
    for (name, field) in part.meta.get(NAME, payload).and_then(Value::as_object).into_iter().flatten() {
        out.field(name, field);
    }
}

/// An id that the provider or the client gave; ids of ours are not sent.
fn sent_id(id: &str) -> Option<&str> {
    Some(id).filter(|id| !id.is_empty() && !id.starts_with(MADE))
}

/// A turn's first call, marked as one that needs no signature, where none of its calls has one: models from the third
/// generation on refuse unsigned calls.
pub(super) fn pass_unsigned(parts: &mut [Part]) {
    let is_call = |part: &Part| matches!(part.content, Content::ToolCall(_));
    if parts.iter().any(|part| is_call(part) && part.meta.get(NAME, SIGNATURE).is_some()) {
        return;
    }
    if let Some(first) = parts.iter_mut().find(|part| is_call(part)) {
        first.meta.set(NAME, SIGNATURE, UNSIGNED.into());
    }
}
