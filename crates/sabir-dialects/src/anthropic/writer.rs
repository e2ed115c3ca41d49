//! Content blocks, written: the reverse of `block`.

use std::borrow::Cow;
use std::fmt;

use sabir_core::chat::{CacheMark, Content, Media, Part, Reasoning, Source, ToolResult, to_base64};
use sabir_core::{Error, ErrorKind, Feature, Loss, Result};
use serde_json::value::RawValue;

use super::NAME;
use super::block::own_citation;
use super::wire::{Object, write_json};

/// Where a part stands, for losses and errors: `messages[2].parts[0].parts[1]`, or `parts[0]` in an answer.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Place {
    pub(super) message: Option<usize>,
    pub(super) part: usize,
    pub(super) inner: Option<usize>,
}

impl Place {
    /// Moves to the part of this number, on the level where the place is.
    fn set(&mut self, part: usize) {
        *self.inner.as_mut().unwrap_or(&mut self.part) = part;
    }
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(message) = self.message {
            write!(f, "messages[{message}].")?;
        }
        write!(f, "parts[{}]", self.part)?;
        self.inner.map_or(Ok(()), |inner| write!(f, ".parts[{inner}]"))
    }
}

/// A list of blocks being written.
#[derive(Debug, Default)]
pub(super) struct Blocks(Vec<u8>);

impl Blocks {
    fn next(&mut self, kind: &str) -> Object<'_> {
        Object::typed(self.place(), kind)
    }

    /// Where the next block goes.
    fn place(&mut self) -> &mut Vec<u8> {
        if !self.0.is_empty() {
            self.0.push(b',');
        }
        &mut self.0
    }

    pub(super) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Takes over the blocks of another list.
    pub(super) fn append(&mut self, other: &Self) {
        if !other.is_empty() {
            self.place().extend_from_slice(&other.0);
        }
    }

    /// The blocks, separated by commas.
    pub(super) fn as_bytes(&self) -> &[u8] {
        &self.0
    }
}

/// Who speaks, as far as it decides which blocks may be written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Speaker {
    System,
    User,
    Assistant,
}

/// Writes parts as blocks, and collects what could not be written.
#[derive(Debug, Default)]
pub(super) struct Writer {
    pub(super) losses: Vec<Loss>,
    /// We answer a client; otherwise we ask a provider.
    pub(super) answers: bool,
    /// The API version is 2026-10-21, which refuses some blocks.
    pub(super) modern: bool,
    /// Thoughts may go without a signature.
    pub(super) unsigned: bool,
    /// The answer's id, from which ids of calls are made.
    pub(super) answer_id: String,
    pub(super) calls_without_id: usize,
    pub(super) results_without_id: usize,
}

impl Writer {
    pub(super) fn lose(&mut self, feature: Feature, place: impl fmt::Display, note: &str) {
        self.losses.push(Loss::new(feature, place.to_string(), note));
    }

    /// Writes the parts of one message. Tool results go to `results`, everything else to `rest`.
    pub(super) fn parts(
        &mut self,
        parts: &[Part],
        speaker: Speaker,
        mut place: Place,
        results: &mut Blocks,
        rest: &mut Blocks,
    ) -> Result<()> {
        let mut i = 0;
        while let Some(part) = parts.get(i) {
            place.set(i);
            i += 1;
            match &part.content {
                Content::Text { text } => {
                    let cited = parts[i..].iter().take_while(|p| is_citation(p)).count();
                    self.text(part, text, &parts[i..i + cited], speaker, place, rest);
                    i += cited;
                }
                Content::ToolResult(result) => self.tool_result(part, result, speaker, place, results)?,
                _ => self.part(part, speaker, place, rest)?,
            }
        }
        Ok(())
    }

    fn text(&mut self, part: &Part, text: &str, cited: &[Part], speaker: Speaker, mut place: Place, to: &mut Blocks) {
        let at = place.inner.unwrap_or(place.part);
        let mut own = Vec::new();
        for (i, citation) in cited.iter().enumerate() {
            place.set(at + 1 + i);
            match own_citation(citation) {
                Some(_) if self.modern && speaker == Speaker::User && !self.answers => {
                    self.lose(Feature::Citations, place, "not taken on a user's text since 2026-10-21");
                }
                Some(json) => own.push(json),
                None => self.lose(Feature::Citations, place, "only this dialect's own citations can be sent"),
            }
        }
        // An empty block is refused, and says nothing.
        if text.is_empty() && own.is_empty() {
            return;
        }
        let mut block = to.next("text");
        block.field("text", text);
        if !own.is_empty() {
            block.field("citations", &own);
        }
        finish(block, part);
    }

    /// Writes any part but text and tool results.
    pub(super) fn part(&mut self, part: &Part, speaker: Speaker, place: Place, to: &mut Blocks) -> Result<()> {
        if speaker == Speaker::System {
            self.lose(Feature::SystemPrompt, place, "only text can be in a system prompt");
            return Ok(());
        }
        match &part.content {
            Content::Image(media) => self.media("image", part, media, None, place, to)?,
            Content::Document(document) => {
                if self.modern && speaker == Speaker::Assistant && place.inner.is_none() && !self.answers {
                    self.lose(Feature::Documents, place, "not taken from the assistant since 2026-10-21");
                } else {
                    self.media("document", part, &document.media, document.title.as_deref(), place, to)?;
                }
            }
            Content::Audio(_) => self.lose(Feature::Audio, place, "this dialect has no sound"),
            Content::Video(_) => self.lose(Feature::Video, place, "this dialect has no moving pictures"),
            Content::ToolCall(call) => {
                let input = match object_text(&call.arguments) {
                    Some(input) => input,
                    None if self.answers => {
                        self.lose(Feature::Tools, place, "arguments that are not a JSON object became {}");
                        "{}"
                    }
                    None => {
                        let what =
                            format!("{place}: the arguments of a tool call must be a JSON object in this dialect");
                        return Err(Error::new(ErrorKind::InvalidRequest, what));
                    }
                };
                let id = self.call_id(&call.id);
                let mut block = to.next("tool_use");
                block.field("id", &*id).field("name", &call.name).raw("input", input);
                finish(block, part);
            }
            Content::Reasoning(thought) => self.reasoning(part, thought, place, to),
            Content::Refusal { text } => {
                self.lose(Feature::Refusals, place, "sent as text");
                let mut block = to.next("text");
                block.field("text", text);
                finish(block, part);
            }
            Content::ServerToolUse(used) if used.kind.ends_with("_tool_use") => {
                let mut block = to.next(&used.kind);
                let input = object_text(&used.input).unwrap_or("{}");
                block.field("id", &used.id).field("name", &used.name).raw("input", input);
                finish(block, part);
            }
            Content::ServerToolResult(result)
                if result.kind.ends_with("_tool_result") && result.json["type"] == *result.kind =>
            {
                write_json(to.place(), &result.json);
            }
            Content::Opaque { dialect, json } if dialect == NAME => write_json(to.place(), json),
            Content::Citation(_) => self.lose(Feature::Citations, place, "there is no text before it"),
            Content::ServerToolUse(_) | Content::ServerToolResult(_) => {
                self.lose(Feature::ServerTools, place, "it is another provider's tool");
            }
            _ => self.lose(Feature::Opaque, place, "it has no meaning in this dialect"),
        }
        Ok(())
    }

    fn reasoning(&mut self, part: &Part, thought: &Reasoning, place: Place, to: &mut Blocks) {
        // A request may carry back only what Anthropic itself signed or sealed.
        let foreign = !self.answers && part.meta.dialects().next().is_some() && part.meta.of(NAME).is_none();
        if let Some(sealed) = thought.encrypted.as_deref().filter(|_| !foreign) {
            if self.answers && !thought.text.is_empty() {
                let mut block = to.next("thinking");
                block.field("thinking", &thought.text).field("signature", "");
                block.end();
            }
            let mut block = to.next("redacted_thinking");
            block.field("data", sealed);
            finish(block, part);
        } else if foreign && (thought.encrypted.is_some() || thought.signature.is_some()) {
            self.lose(Feature::Signatures, place, "signed or sealed by another provider; left out");
        } else if thought.signature.is_some() || self.answers || self.unsigned {
            let mut block = to.next("thinking");
            block.field("thinking", &thought.text);
            if thought.signature.is_some() || self.answers {
                block.field("signature", thought.signature.as_deref().unwrap_or_default());
            }
            finish(block, part);
        } else {
            self.lose(Feature::Reasoning, place, "thoughts without a signature are refused; left out");
        }
    }

    fn media(
        &mut self,
        kind: &str,
        part: &Part,
        media: &Media,
        title: Option<&str>,
        place: Place,
        to: &mut Blocks,
    ) -> Result<()> {
        if self.answers {
            let feature = if kind == "image" { Feature::Images } else { Feature::Documents };
            self.lose(feature, place, "an answer in this dialect has no media");
            return Ok(());
        }
        let text = match &media.source {
            Source::Bytes(bytes) if kind == "document" && !is_pdf(media.mime.as_deref(), bytes) => {
                let Ok(text) = std::str::from_utf8(bytes) else {
                    self.lose(Feature::Documents, place, "only PDF and plain text are taken; left out");
                    return Ok(());
                };
                if media.mime.as_deref().is_some_and(|mime| mime != "text/plain") {
                    self.lose(Feature::Documents, place, "sent as plain text");
                }
                Some(text)
            }
            _ => None,
        };
        let mut block = to.next(kind);
        let mut source = Object::new(block.key("source"));
        match (&media.source, text) {
            (_, Some(text)) => {
                source.field("type", "text").field("media_type", "text/plain").field("data", text);
            }
            (Source::Bytes(bytes), None) => {
                let mime = if kind == "document" { Some("application/pdf") } else { media.mime.as_deref() };
                let Some(mime) = mime else {
                    let what = format!("{place}: an image needs its MIME type, such as image/png");
                    return Err(Error::new(ErrorKind::InvalidRequest, what));
                };
                source.field("type", "base64").field("media_type", mime).field("data", &to_base64(bytes));
            }
            (Source::FileId(id), None) => {
                source.field("type", "file").field("file_id", id);
            }
            (Source::Url(url), None) => {
                source.field("type", "url").field("url", url);
            }
            (_, None) => {
                let what = format!("{place}: this dialect cannot say where the medium is");
                return Err(Error::new(ErrorKind::Unsupported, what));
            }
        }
        source.end();
        if let Some(title) = title {
            block.field("title", title);
        }
        finish(block, part);
        Ok(())
    }

    fn tool_result(
        &mut self,
        part: &Part,
        result: &ToolResult,
        speaker: Speaker,
        mut place: Place,
        to: &mut Blocks,
    ) -> Result<()> {
        if speaker != Speaker::User || place.inner.is_some() {
            self.lose(Feature::Tools, place, "a tool's result can only be the user's");
            return Ok(());
        }
        let id = if result.call_id.is_empty() {
            self.results_without_id += 1;
            made_id(&self.answer_id, self.results_without_id - 1)
        } else {
            sendable_id(&result.call_id).into_owned()
        };
        let mut inner = Blocks::default();
        let plain = plain_text(&result.parts);
        if plain.is_none() {
            place.inner = Some(0);
            self.parts(&result.parts, speaker, place, &mut Blocks::default(), &mut inner)?;
        }
        let mut block = to.next("tool_result");
        block.field("tool_use_id", &id);
        if let Some(text) = plain {
            block.field("content", text);
        } else if !inner.is_empty() {
            let out = block.key("content");
            out.push(b'[');
            out.extend_from_slice(inner.as_bytes());
            out.push(b']');
        }
        if result.is_error {
            block.field("is_error", &true);
        }
        finish(block, part);
        Ok(())
    }

    /// The id of a call. An answer keeps what the provider said; a request is held to Anthropic's alphabet.
    fn call_id<'c>(&mut self, id: &'c str) -> Cow<'c, str> {
        if id.is_empty() {
            self.calls_without_id += 1;
            return made_id(&self.answer_id, self.calls_without_id - 1).into();
        }
        if self.answers { id.into() } else { sendable_id(id) }
    }
}

/// The text, if the parts are one text and nothing besides.
pub(super) fn plain_text(parts: &[Part]) -> Option<&str> {
    match parts {
        [part] if part.cache.is_none() && part.meta.of(NAME).is_none() => part.as_text(),
        _ => None,
    }
}

/// An id for a call that came without one, the same whenever it is made.
pub(super) fn made_id(answer_id: &str, number: usize) -> String {
    match answer_id {
        "" => format!("toolu_{number}"),
        id => format!("toolu_{}_{number}", sendable_id(id)),
    }
}

/// Anthropic takes letters, digits, `_` and `-` in ids; other providers put more into theirs.
fn sendable_id(id: &str) -> Cow<'_, str> {
    let fits = |c: char| c.is_ascii_alphanumeric() || c == '_' || c == '-';
    if id.chars().all(fits) {
        return id.into();
    }
    id.chars().map(|c| if fits(c) { c } else { '_' }).collect()
}

/// JSON text, if it is an object; no text at all is the empty object.
pub(super) fn object_text(json: &str) -> Option<&str> {
    match json.trim() {
        "" => Some("{}"),
        text if text.starts_with('{') && serde_json::from_str::<&RawValue>(text).is_ok() => Some(text),
        _ => None,
    }
}

fn is_citation(part: &Part) -> bool {
    matches!(part.content, Content::Citation(_))
}

fn is_pdf(mime: Option<&str>, bytes: &[u8]) -> bool {
    mime.map_or_else(|| bytes.starts_with(b"%PDF"), |mime| mime == "application/pdf")
}

/// Writes `cache_control`.
pub(super) fn write_cache(object: &mut Object<'_>, mark: Option<&CacheMark>) {
    if let Some(mark) = mark {
        let mut control = Object::typed(object.key("cache_control"), "ephemeral");
        if let Some(ttl) = &mark.ttl {
            control.field("ttl", ttl);
        }
        control.end();
    }
}

/// Fields that a block writes itself; metadata cannot write them a second time.
const OWN_FIELDS: [&str; 13] = [
    "type",
    "text",
    "thinking",
    "signature",
    "data",
    "id",
    "name",
    "input",
    "source",
    "title",
    "tool_use_id",
    "content",
    "is_error",
];

/// Ends a block: the cache mark, and what this dialect alone said of the part.
fn finish(mut block: Object<'_>, part: &Part) {
    write_cache(&mut block, part.cache.as_ref());
    for (field, value) in part.meta.of(NAME).into_iter().flatten() {
        let written = OWN_FIELDS.contains(&field.as_str()) || (field == "cache_control" && part.cache.is_some());
        if !written {
            block.field(field, value);
        }
    }
    block.end();
}
