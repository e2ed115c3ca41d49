//! Content blocks, written: requests and answers share them.

use std::borrow::Cow;
use std::collections::BTreeSet;
use std::fmt;

use sabir_core::chat::{
    CacheMark, Citation, Content, Document, Part, Reasoning, ServerToolUse, ToolCall, ToolResult, from_base64,
};
use sabir_core::{Error, ErrorKind, Feature, Loss, Result};
use serde_json::value::RawValue;
use serde_json::{Map, Value, json};

use super::NAME;
use super::media::{self, Kind};
use super::wire::{Object, write_json};

/// Where a part stands, for losses and errors: `messages[2].parts[0].parts[1]`, or `parts[0]` in an answer.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Place {
    pub(super) message: Option<usize>,
    pub(super) part: usize,
    pub(super) inner: Option<usize>,
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
    /// Where the next block goes.
    pub(super) fn place(&mut self) -> &mut Vec<u8> {
        if !self.0.is_empty() {
            self.0.push(b',');
        }
        &mut self.0
    }

    /// Writes a block: one member of the union, an object.
    fn object(&mut self, member: &str, write: impl FnOnce(&mut Object<'_>)) {
        let mut block = Object::new(self.place());
        block.object(member, write);
        block.end();
    }

    fn value(&mut self, member: &str, value: &(impl serde::Serialize + ?Sized)) {
        let mut block = Object::new(self.place());
        block.field(member, value);
        block.end();
    }

    pub(super) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// The list, in brackets.
    pub(super) fn write_to(&self, out: &mut Vec<u8>) {
        out.push(b'[');
        out.extend_from_slice(&self.0);
        out.push(b']');
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
    answers: bool,
    /// Thoughts go back only with a signature.
    signed_only: bool,
    /// Names of documents that are taken: each may stand once in a conversation.
    names: BTreeSet<String>,
    calls_without_id: usize,
    results_without_id: usize,
}

impl Writer {
    /// Writes what we answer a client.
    pub(super) fn answering() -> Self {
        Self { answers: true, ..Self::default() }
    }

    /// Writes what we ask of a provider.
    pub(super) fn asking(signed_only: bool) -> Self {
        Self { signed_only, ..Self::default() }
    }

    pub(super) fn lose(&mut self, feature: Feature, place: impl fmt::Display, note: &str) {
        self.losses.push(Loss::new(feature, place.to_string(), note));
    }

    /// Writes the parts of one message or answer.
    pub(super) fn parts(&mut self, parts: &[Part], speaker: Speaker, mut place: Place, to: &mut Blocks) -> Result<()> {
        let mut i = 0;
        while let Some(part) = parts.get(i) {
            place.part = i;
            let start = i + usize::from(part.as_text().is_some());
            let ends_here = i < start && part.cache.is_some();
            let group = if ends_here { 0 } else { cited(&parts[start..], i == start) };
            if group > 0 && speaker != Speaker::System {
                self.cited(part.as_text(), &parts[start..start + group], place, to);
                i = start + group;
            } else {
                self.part(part, speaker, place, to)?;
                i += 1;
            }
            place.part = i - 1;
            self.mark(parts[i - 1].cache.as_ref(), place, to);
        }
        Ok(())
    }

    /// Writes a cache mark after the part that bears it.
    pub(super) fn mark(&mut self, mark: Option<&CacheMark>, place: impl fmt::Display, to: &mut Blocks) {
        match mark {
            Some(_) if to.0.is_empty() => self.lose(Feature::CacheMarks, place, "nothing stands before it"),
            Some(mark) => to.value("cachePoint", &cache_point(mark)),
            None => {}
        }
    }

    /// Writes a text with its citations, or citations alone.
    fn cited(&mut self, text: Option<&str>, citations: &[Part], mut place: Place, to: &mut Blocks) {
        let mut written = Vec::new();
        place.part += usize::from(text.is_some());
        for part in citations {
            self.lose_meta(part, place);
            written.extend(self.citation(part, place));
            place.part += 1;
        }
        match text {
            Some(text) if written.is_empty() => self.text(text, to),
            None if written.is_empty() => {}
            _ => to.object("citationsContent", |block| {
                if let Some(text) = text {
                    block.field("content", &json!([{ "text": text }]));
                }
                block.field("citations", &written);
            }),
        }
    }

    /// A citation in this dialect's shape. A provider is only given back its own.
    pub(super) fn citation(&mut self, part: &Part, place: Place) -> Option<Value> {
        let Content::Citation(citation) = &part.content else {
            return None;
        };
        if citation.json["location"].is_object() || citation.json["sourceContent"].is_array() {
            return Some(citation.json.clone());
        }
        let made = made_citation(citation).filter(|_| self.answers);
        if made.is_none() {
            self.lose(Feature::Citations, place, "only this dialect's own citations can be sent");
        } else if citation.span.is_some() {
            self.lose(Feature::Citations, place, "the place in the text is not in this dialect");
        }
        made
    }

    /// An empty text is refused, and says nothing.
    fn text(&mut self, text: &str, to: &mut Blocks) {
        if !text.is_empty() || self.answers {
            to.value("text", text);
        }
    }

    /// Writes any part but citations.
    fn part(&mut self, part: &Part, speaker: Speaker, place: Place, to: &mut Blocks) -> Result<()> {
        self.lose_meta(part, place);
        match &part.content {
            Content::Text { text } => self.text(text, to),
            Content::Opaque { dialect, json } if dialect == NAME => write_json(to.place(), json),
            Content::Opaque { .. } => self.lose(Feature::Opaque, place, "it has no meaning in this dialect"),
            _ if speaker == Speaker::System => {
                self.lose(Feature::SystemPrompt, place, "only text can be in a system prompt");
            }
            Content::Image(media) => self.medium(Kind::Image, part, media, None, place, to),
            Content::Audio(media) => self.medium(Kind::Audio, part, media, None, place, to),
            Content::Video(media) => self.medium(Kind::Video, part, media, None, place, to),
            Content::Document(document) => {
                let name = self.document_name(document, place);
                self.medium(Kind::Document, part, &document.media, Some(&name), place, to);
            }
            Content::ToolCall(call) => self.tool_call(part, call, place, to)?,
            Content::ToolResult(result) if speaker == Speaker::User && place.inner.is_none() => {
                self.tool_result(part, result, place, to)?;
            }
            Content::ToolResult(_) => self.lose(Feature::Tools, place, "a tool's result can only be the user's"),
            Content::Reasoning(thought) => self.reasoning(part, thought, place, to),
            Content::Refusal { text } => {
                self.lose(Feature::Refusals, place, "told as text");
                self.text(text, to);
            }
            Content::ServerToolUse(used) if part.meta.of(NAME).is_some() => {
                let input = object_text(&used.input).unwrap_or("{}");
                to.object("toolUse", |block| {
                    start_server_use(block, used);
                    block.raw("input", input.as_bytes());
                });
            }
            Content::ServerToolResult(result) if result.json["toolUseId"].is_string() => {
                to.value("toolResult", &result.json);
            }
            Content::ServerToolUse(_) | Content::ServerToolResult(_) => {
                self.lose(Feature::ServerTools, place, "it is another provider's tool");
            }
            _ => self.lose(Feature::Opaque, place, "it has no meaning in this dialect"),
        }
        Ok(())
    }

    /// An answer says all of a part; to a provider, what others said of it is of no use.
    pub(super) fn lose_meta(&mut self, part: &Part, place: Place) {
        for dialect in part.meta.dialects().filter(|d| self.answers && *d != NAME) {
            let path = format!("{place}.meta.{dialect}");
            self.losses.push(Loss::new(Feature::Signatures, path, "not in this dialect"));
        }
    }

    fn medium(
        &mut self,
        kind: Kind,
        part: &Part,
        media: &sabir_core::chat::Media,
        name: Option<&str>,
        place: Place,
        to: &mut Blocks,
    ) {
        let mut block = Vec::new();
        if let Some(loss) = media::write(kind, part, media, name, &mut block) {
            self.losses.push(Loss { path: place.to_string(), ..loss });
        }
        if !block.is_empty() {
            to.place().append(&mut block);
        }
    }

    /// A document must have a name of its own, of few characters: letters, digits, single blanks, `-_()[]`
    /// (Converse API, `DocumentBlock`; the underscore is not documented and taken).
    fn document_name(&mut self, document: &Document, place: Place) -> String {
        let title = document.title.as_deref().unwrap_or_default().trim();
        let mut name = String::new();
        for c in title.chars().take(200) {
            let c = if c.is_whitespace() { ' ' } else { c };
            match c {
                ' ' if name.ends_with(' ') => {}
                ' ' | '-' | '_' | '(' | ')' | '[' | ']' => name.push(c),
                c if c.is_alphanumeric() => name.push(c),
                _ => name.push('-'),
            }
        }
        if name.is_empty() {
            name = format!("document-{}", self.names.len() + 1);
        }
        if self.names.contains(&name) {
            name = format!("{name} ({})", self.names.len() + 1);
        }
        if document.title.as_deref().is_some_and(|title| title != name) {
            self.lose(
                Feature::Documents,
                place,
                "its title has characters that are not taken, or is another's; changed",
            );
        }
        self.names.insert(name.clone());
        name
    }

    fn tool_call(&mut self, part: &Part, call: &ToolCall, place: Place, to: &mut Blocks) -> Result<()> {
        let input = match object_text(&call.arguments) {
            Some(input) => input,
            None if self.answers => {
                self.lose(Feature::Tools, place, "arguments that are not a JSON object became {}");
                "{}"
            }
            None => {
                let what = format!("{place}: the arguments of a tool call must be a JSON object in this dialect");
                return Err(Error::new(ErrorKind::InvalidRequest, what));
            }
        };
        let id = self.call_id(&call.id);
        to.object("toolUse", |block| {
            block.field("toolUseId", &id).field("name", &call.name).raw("input", input.as_bytes());
            write_rest(block, part, &["toolUseId", "name", "input", "type"]);
        });
        Ok(())
    }

    fn tool_result(&mut self, part: &Part, result: &ToolResult, mut place: Place, to: &mut Blocks) -> Result<()> {
        let id = if result.call_id.is_empty() {
            self.results_without_id += 1;
            made_id(self.results_without_id - 1)
        } else {
            sendable_id(&result.call_id).into_owned()
        };
        let mut inner = Blocks::default();
        for (i, part) in result.parts.iter().enumerate() {
            place.inner = Some(i);
            match &part.content {
                Content::Text { text } if part.meta.get(NAME, "json").is_some() && is_json(text) => {
                    let mut block = Object::new(inner.place());
                    block.raw("json", text.as_bytes());
                    block.end();
                }
                Content::Citation(_) => self.lose(Feature::Citations, place, "not in a tool's result; left out"),
                Content::Audio(_) => self.lose(Feature::Audio, place, "not in a tool's result; left out"),
                Content::Reasoning(_) | Content::ToolCall(_) => {
                    self.lose(Feature::Tools, place, "not in a tool's result; left out");
                }
                _ => self.part(part, Speaker::User, place, &mut inner)?,
            }
            self.mark(part.cache.as_ref(), place, &mut inner);
        }
        to.object("toolResult", |block| {
            block.field("toolUseId", &id);
            inner.write_to(block.key("content"));
            if result.is_error {
                block.field("status", "error");
            } else if let Some(status) = part.meta.get(NAME, "status") {
                block.field("status", status);
            }
            write_rest(block, part, &["toolUseId", "content", "status"]);
        });
        Ok(())
    }

    fn reasoning(&mut self, part: &Part, thought: &Reasoning, place: Place, to: &mut Blocks) {
        // A request may carry back only what the models here themselves signed or sealed.
        let foreign = !self.answers && part.meta.dialects().next().is_some() && part.meta.of(NAME).is_none();
        if foreign && (thought.encrypted.is_some() || thought.signature.is_some()) {
            self.lose(Feature::Signatures, place, "signed or sealed by another provider; left out");
        } else if let Some(sealed) = &thought.encrypted {
            if from_base64(sealed).is_ok() {
                to.value("reasoningContent", &json!({ "redactedContent": sealed }));
            } else {
                self.lose(Feature::Signatures, place, "a sealed thought must be base64 in this dialect; left out");
            }
        } else if thought.signature.is_none() && self.signed_only {
            self.lose(Feature::Reasoning, place, "this model refuses thoughts without a signature; left out");
        } else {
            to.object("reasoningContent", |block| {
                block.object("reasoningText", |inner| {
                    inner.field("text", &thought.text);
                    if let Some(signature) = &thought.signature {
                        inner.field("signature", signature);
                    }
                });
            });
        }
    }

    /// The id of a call. An answer keeps what the provider said; a request is held to what Bedrock takes.
    pub(super) fn call_id<'c>(&mut self, id: &'c str) -> Cow<'c, str> {
        if id.is_empty() {
            self.calls_without_id += 1;
            return made_id(self.calls_without_id - 1).into();
        }
        if self.answers { id.into() } else { sendable_id(id) }
    }
}

/// How many parts at the beginning are citations of one text. `apart`: they have no text before them.
fn cited(parts: &[Part], apart: bool) -> usize {
    let mut count = 0;
    for part in parts {
        let begins = part.meta.get(NAME, "apart").is_some();
        if !matches!(part.content, Content::Citation(_)) || begins && (count > 0 || !apart) {
            break;
        }
        count += 1;
        if part.cache.is_some() {
            break;
        }
    }
    count
}

fn made_citation(citation: &Citation) -> Option<Value> {
    let mut made = Map::new();
    made.extend(citation.title.as_ref().map(|title| ("title".to_owned(), json!(title))));
    made.extend(citation.quote.as_ref().map(|quote| ("sourceContent".to_owned(), json!([{ "text": quote }]))));
    made.extend(citation.url.as_ref().map(|url| ("location".to_owned(), json!({ "web": { "url": url } }))));
    (!made.is_empty()).then_some(Value::Object(made))
}

/// What a mark is here.
pub(super) fn cache_point(mark: &CacheMark) -> Value {
    match &mark.ttl {
        Some(ttl) => json!({ "type": "default", "ttl": ttl }),
        None => json!({ "type": "default" }),
    }
}

/// The fields of a use of the service's own tool, but for its input.
pub(super) fn start_server_use(block: &mut Object<'_>, used: &ServerToolUse) {
    block.field("toolUseId", &used.id).field("name", &used.name).field("type", &used.kind);
}

/// What this dialect alone said of a part.
fn write_rest(block: &mut Object<'_>, part: &Part, own: &[&str]) {
    for (field, value) in part.meta.of(NAME).into_iter().flatten().filter(|(f, _)| !own.contains(&f.as_str())) {
        block.field(field, value);
    }
}

/// An id for a call that came without one, the same whenever it is made.
pub(super) fn made_id(number: usize) -> String {
    format!("tooluse_{number}")
}

/// Bedrock takes up to 64 letters, digits, `_` and `-` in ids; other providers put more into theirs. What is too long
/// keeps its beginning and gets a checksum of the whole (FNV-1a), so that call and result still meet.
fn sendable_id(id: &str) -> Cow<'_, str> {
    let fits = |c: char| c.is_ascii_alphanumeric() || c == '_' || c == '-';
    if id.len() <= 64 && id.chars().all(fits) {
        return id.into();
    }
    let clean = |c: char| if fits(c) { c } else { '_' };
    if id.chars().count() <= 64 {
        return id.chars().map(clean).collect();
    }
    let sum = id.bytes().fold(0xcbf2_9ce4_8422_2325_u64, |sum, b| (sum ^ u64::from(b)).wrapping_mul(0x0100_0000_01b3));
    format!("{}_{sum:016x}", id.chars().take(47).map(clean).collect::<String>()).into()
}

fn is_json(text: &str) -> bool {
    serde_json::from_str::<&RawValue>(text).is_ok()
}

/// JSON text, if it is an object; no text at all is the empty object.
pub(super) fn object_text(json: &str) -> Option<&str> {
    match json.trim() {
        "" => Some("{}"),
        text if text.starts_with('{') && is_json(text) => Some(text),
        _ => None,
    }
}
