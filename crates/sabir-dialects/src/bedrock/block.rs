//! Content blocks, read and written: requests and answers share them.

use std::collections::BTreeSet;

use sabir_core::Feature;
use sabir_core::chat::{
    CacheMark, Citation, Content, Meta, Part, Reasoning, ServerToolResult, ServerToolUse, ToolCall, ToolResult,
    from_base64,
};
use serde_json::value::RawValue;
use serde_json::{Value, from_str, json};

use super::{NAME, media};
use crate::blocks::{Outcome, Place, Speaker, cache_mark, object_text, read_cache_mark};
use crate::json::{Fields, List, Object, One, Wrong, known, string_of, value_of, write_json};
use crate::shared::feature_of;

/// The kind of mark for the cache that there is.
const MARK: &str = "default";

/// Reads a list of blocks. `from`: who says them in a client's request; nobody, in a provider's answer.
pub(super) fn read_blocks(fields: &mut Fields<'_>, key: &str, from: Option<Speaker>) -> Result<Vec<Part>, Wrong> {
    let mut parts = Vec::new();
    fields.each(key, |json| read_block(json, from, &mut parts))?;
    Ok(parts)
}

/// Reads one block: usually one part; one more for each citation; none for a cache mark, which is set on the part
/// before it. A block that there is no word for is kept as it is.
pub(super) fn read_block(json: &RawValue, from: Option<Speaker>, parts: &mut Vec<Part>) -> Result<(), Wrong> {
    let mut fields = Fields::read(json, from.is_some())?;
    let member = fields.first().unwrap_or_default();
    let part = match &*member {
        "text" => Some(Part::text(fields.need("text")?)),
        "toolUse" => fields.inside("toolUse", read_tool_use)?,
        "toolResult" if from == Some(Speaker::User) => fields.inside("toolResult", read_tool_result)?,
        "toolResult" => fields.value("toolResult")?.map(read_server_result),
        "reasoningContent" => fields.inside("reasoningContent", read_reasoning)?.flatten(),
        "citationsContent" => {
            if let Some(mut all) = fields.inside("citationsContent", read_cited)? {
                parts.append(&mut all);
                return Ok(());
            }
            None
        }
        "cachePoint" => match (fields.inside("cachePoint", read_cache_point)?.flatten(), parts.last_mut()) {
            (Some(mark), Some(last)) if last.cache.is_none() => {
                last.cache = Some(mark);
                return Ok(());
            }
            _ => None,
        },
        kind @ ("image" | "document" | "audio" | "video") => {
            fields.inside(kind, |medium| media::read(kind, medium))?.flatten()
        }
        _ => None,
    };
    parts.push(match part {
        Some(part) => part,
        None => Content::Opaque { dialect: NAME.to_owned(), json: value_of(json)? }.into(),
    });
    Ok(())
}

/// Reads a mark for the cache; `None` for a kind that is new.
pub(super) fn read_cache_point(fields: &mut Fields<'_>) -> Result<Option<CacheMark>, Wrong> {
    read_cache_mark(fields, MARK)
}

/// The service marks the uses of tools of its own by a `type`; a call for the client has none, or `tool_use`.
pub(super) fn is_servers(kind: &str) -> bool {
    !kind.is_empty() && kind != "tool_use"
}

fn read_tool_use(fields: &mut Fields<'_>) -> Result<Part, Wrong> {
    let kind = fields.string("type")?.filter(|kind| is_servers(kind));
    let (id, name) = (fields.need("toolUseId")?.into_owned(), fields.need("name")?.into_owned());
    let input = match fields.take("input") {
        Some(input) if fields.is_strict() && !input.get().starts_with('{') => {
            return Err(Wrong::new("input: is not an object"));
        }
        // A stream brings it as text, in pieces.
        Some(input) => string_of(input).unwrap_or_else(|| input.get().to_owned()),
        None => String::new(),
    };
    let input = if input.trim().is_empty() { "{}".to_owned() } else { input };
    let part: Part = match kind {
        // The metadata tell it from another provider's.
        Some(kind) => {
            let form = kind.as_str().into();
            with_form(Content::ServerToolUse(ServerToolUse { id, name, input, kind }).into(), "type", form)
        }
        None => Content::ToolCall(ToolCall { id, name, arguments: input }).into(),
    };
    with_rest(part, fields)
}

/// What is left of a block is metadata of its part.
fn with_rest(mut part: Part, fields: &mut Fields<'_>) -> Result<Part, Wrong> {
    part.meta.merge(fields.left().meta(NAME)?);
    Ok(part)
}

fn read_server_result(json: Value) -> Part {
    let text = |key: &str| json[key].as_str().map(str::to_owned);
    let (use_id, kind) =
        (text("toolUseId").unwrap_or_default(), text("type").unwrap_or_else(|| "toolResult".to_owned()));
    Content::ServerToolResult(ServerToolResult { use_id, kind, json }).into()
}

fn read_tool_result(fields: &mut Fields<'_>) -> Result<Part, Wrong> {
    let call_id = fields.need("toolUseId")?.into_owned();
    let mut parts = Vec::new();
    fields.each("content", |item| match Fields::read(item, true)?.peek("json") {
        Some(json) => {
            parts.push(with_form(Part::text(json.get()), "json", true.into()));
            Ok(())
        }
        None => read_block(item, Some(Speaker::User), &mut parts),
    })?;
    let status = fields.string("status")?;
    let is_error = status.as_deref() == Some("error");
    let mut part = Content::ToolResult(ToolResult { call_id, name: None, parts, is_error }).into();
    if let Some(status) = status.filter(|_| !is_error) {
        part = with_form(part, "status", status.into());
    }
    with_rest(part, fields)
}

/// Notes of a part how it was written.
fn with_form(mut part: Part, field: &str, value: Value) -> Part {
    part.meta.set_form(NAME, field, value);
    part
}

fn read_reasoning(fields: &mut Fields<'_>) -> Result<Option<Part>, Wrong> {
    let open = fields.inside("reasoningText", |thought| {
        let signature = thought.string("signature")?.filter(|signature| !signature.is_empty());
        Ok(Reasoning { text: thought.need("text")?.into_owned(), signature, encrypted: None })
    })?;
    let sealed = fields.string("redactedContent")?;
    let sealed = sealed.map(|sealed| Reasoning { encrypted: Some(sealed), ..Reasoning::default() });
    Ok(open.or(sealed).map(|thought| Content::Reasoning(thought).into()))
}

fn read_cited(fields: &mut Fields<'_>) -> Result<Vec<Part>, Wrong> {
    let mut text = String::new();
    for mut piece in fields.objects("content")? {
        text.push_str(&piece.text("text").map_err(|e| e.within("content"))?.unwrap_or_default());
    }
    let json: Result<Vec<Value>, Wrong> = fields.list("citations")?.into_iter().map(value_of).collect();
    let is_apart = text.is_empty();
    let text = Some(Part::text(text)).filter(|_| !is_apart);
    Ok(text.into_iter().chain(read_citations(json?, is_apart)).collect())
}

/// The citations of one block. Where the block has no text of its own, the first says so.
pub(super) fn read_citations(all: Vec<Value>, is_apart: bool) -> impl Iterator<Item = Part> {
    all.into_iter().enumerate().map(move |(i, json)| {
        let part = Part::from(Content::Citation(read_citation(json)));
        if is_apart && i == 0 { with_form(part, "apart", true.into()) } else { part }
    })
}

/// A citation: its common fields, and the whole for the way back.
fn read_citation(json: Value) -> Citation {
    let text = |value: &Value| value.as_str().map(str::to_owned);
    let quotes = json["sourceContent"].as_array();
    let quote: String = quotes.into_iter().flatten().filter_map(|piece| piece["text"].as_str()).collect();
    Citation {
        url: text(&json["location"]["web"]["url"])
            .or_else(|| text(&json["source"]).filter(|address| address.contains("://"))),
        title: text(&json["title"]),
        quote: (!quote.is_empty()).then_some(quote),
        // The offsets of this dialect are in the source, not in the answer.
        span: None,
        json,
    }
}

/// The most characters of an id that are taken (API reference, `ToolUseBlock`).
const LONGEST_ID: usize = 64;

/// Writes parts as blocks, and collects what could not be written.
#[derive(Debug, Default)]
pub(super) struct Writer {
    pub(super) outcome: Outcome,
    /// Thoughts go back only with a signature.
    pub(super) signed_only: bool,
    /// Names of documents that are taken: each may stand once in a conversation.
    pub(super) names: BTreeSet<String>,
}

/// A text that citations may still follow, or citations without a text.
type Cited<'p> = (Option<&'p str>, Vec<Value>);

/// Writes a block: one member of the union, an object.
pub(super) fn member(to: &mut List, member: &str, write: impl FnOnce(&mut Object<'_>)) {
    to.object(|block| {
        block.object(member, write);
    });
}

impl Writer {
    /// Writes the parts of one message or answer.
    pub(super) fn parts(&mut self, parts: &[Part], speaker: Speaker, mut place: Place, to: &mut List) {
        let mut open = Cited::default();
        for (i, part) in parts.iter().enumerate() {
            place.part = i;
            let cites = matches!(part.content, Content::Citation(_)) && speaker != Speaker::System;
            if !cites || part.meta.form(NAME, "apart").is_some() {
                self.cited(std::mem::take(&mut open), to);
            }
            let before = to.items().len();
            match &part.content {
                Content::Text { text } => open.0 = Some(text),
                Content::Citation(citation) if cites => open.1.extend(self.citation(citation, place)),
                _ => self.part(part, speaker, place, to),
            }
            if let Some(mark) = &part.cache {
                self.cited(std::mem::take(&mut open), to);
                self.mark(mark, before, place, to);
            }
        }
        self.cited(std::mem::take(&mut open), to);
    }

    /// Writes a text with its citations, or citations alone.
    fn cited(&mut self, (text, citations): Cited<'_>, to: &mut List) {
        match text {
            // An empty text is refused, and says nothing.
            Some("") if self.outcome.asks && citations.is_empty() => {}
            Some(text) if citations.is_empty() => write_json(to.item(), &One("text", text)),
            None if citations.is_empty() => {}
            _ => member(to, "citationsContent", |block| {
                block.some("content", text.map(|text| json!([{ "text": text }]))).field("citations", &citations);
            }),
        }
    }

    /// Writes a cache mark after the part that bears it; `before` is how long the list was before that.
    fn mark(&mut self, mark: &CacheMark, before: usize, place: Place, to: &mut List) {
        if to.items().len() == before {
            self.outcome.lose(Feature::CacheMarks, place, "what bears the mark is left out, and the mark with it");
        } else {
            write_json(to.item(), &cache_point(mark));
        }
    }

    /// A citation in this dialect's shape. A provider is only given back its own.
    pub(super) fn citation(&mut self, citation: &Citation, place: Place) -> Option<Value> {
        if citation.json["location"].is_object() || citation.json["sourceContent"].is_array() {
            return Some(citation.json.clone());
        }
        let Citation { url, title, quote, span, .. } = citation;
        let made = known([
            ("title", title.as_deref().map(Value::from)),
            ("sourceContent", quote.as_ref().map(|quote| json!([{ "text": quote }]))),
            ("location", url.as_ref().map(|url| json!({ "web": { "url": url } }))),
        ]);
        if self.outcome.asks || made.is_empty() {
            self.outcome.lose(Feature::Citations, place, "only this dialect's own citations can be sent");
            return None;
        }
        if span.is_some() {
            self.outcome.lose(Feature::Citations, place, "the place in the text is not in this dialect");
        }
        Some(made.into())
    }

    /// Writes any part but citations.
    pub(super) fn part(&mut self, part: &Part, speaker: Speaker, place: Place, to: &mut List) {
        match &part.content {
            Content::Text { text } => self.cited((Some(text), Vec::new()), to),
            Content::Opaque { dialect, json } if dialect == NAME => write_json(to.item(), json),
            _ if speaker == Speaker::System => self.outcome.no_prompt(place),
            Content::Image(_) | Content::Audio(_) | Content::Video(_) => {
                media::write(part, None, place, &mut self.outcome.losses, to);
            }
            Content::Document(document) => {
                let made = || part.meta.form(NAME, "name")?.as_str();
                let name = self.document_name(document.title.as_deref().or_else(made), place);
                media::write(part, Some(&name), place, &mut self.outcome.losses, to);
            }
            Content::ToolCall(call) => {
                let input = self.arguments(call, place);
                if input.is_none() && self.outcome.asks {
                    return;
                }
                let id = self.outcome.call_id(&call.id, LONGEST_ID, made_id);
                member(to, "toolUse", |block| {
                    block.field("toolUseId", &id).field("name", &call.name);
                    match input {
                        Some(object) => block.raw("input", object),
                        None => block.field("input", &call.arguments),
                    };
                    block.meta(part.meta.of(NAME), &["toolUseId", "name", "input", "type"]);
                });
            }
            Content::ToolResult(result) if speaker == Speaker::User && place.inner.is_none() => {
                self.tool_result(part, result, place, to);
            }
            Content::Reasoning(thought) => self.reasoning(&part.meta, thought, place, to),
            Content::Refusal { text } => {
                self.outcome.lose(Feature::Refusals, place, "told as text");
                self.cited((Some(text), Vec::new()), to);
            }
            Content::ServerToolUse(used) if part.meta.of(NAME).is_some() => member(to, "toolUse", |block| {
                block.field("toolUseId", &used.id).field("name", &used.name).field("type", &used.kind);
                block.raw("input", object_text(&used.input).unwrap_or("{}"));
            }),
            Content::ServerToolResult(result) if result.json["toolUseId"].is_string() => {
                write_json(to.item(), &One("toolResult", &result.json));
            }
            content => self.outcome.losses.part(place, content),
        }
    }

    /// Arguments that are broken go as the text that they are, as a stream brings them: told as none, they would
    /// call a tool that the model did not call so.
    pub(super) fn arguments<'c>(&mut self, call: &'c ToolCall, place: Place) -> Option<&'c str> {
        self.outcome.arguments(call, place, "arguments that are not a JSON object are told as text")
    }

    /// A document must have a name of its own, of few characters: letters, digits, single blanks, `-_()[]`
    /// (Converse API, `DocumentBlock`; the underscore is not documented and taken).
    fn document_name(&mut self, wanted: Option<&str>, place: Place) -> String {
        let clean = |c: char| if c.is_alphanumeric() || " -_()[]".contains(c) { c } else { '-' };
        let words: Vec<&str> = wanted.unwrap_or_default().split_whitespace().collect();
        let number = self.names.len() + 1;
        let mut name: String = words.join(" ").chars().take(200).map(clean).collect();
        if name.is_empty() {
            name = format!("{}{number}", media::MADE_NAME);
        }
        if self.names.contains(&name) {
            name = format!("{name} ({number})");
        }
        if wanted.is_some_and(|wanted| wanted != name) {
            let note = "its title has characters that are not taken, or is another's; changed";
            self.outcome.lose(Feature::Documents, place, note);
        }
        self.names.insert(name.clone());
        name
    }

    fn tool_result(&mut self, part: &Part, result: &ToolResult, mut place: Place, to: &mut List) {
        let id = self.outcome.result_id(&result.call_id, LONGEST_ID, made_id);
        let mut inner = List::default();
        for (i, part) in result.parts.iter().enumerate() {
            place.inner = Some(i);
            let before = inner.items().len();
            match &part.content {
                Content::Text { text }
                    if part.meta.form(NAME, "json").is_some() && from_str::<&RawValue>(text).is_ok() =>
                {
                    inner.object(|block| {
                        block.raw("json", text);
                    });
                }
                Content::Citation(_) | Content::Audio(_) | Content::Reasoning(_) | Content::ToolCall(_) => {
                    self.outcome.lose(feature_of(&part.content), place, "not in a tool's result; left out");
                }
                _ => self.part(part, Speaker::User, place, &mut inner),
            }
            if let Some(mark) = &part.cache {
                self.mark(mark, before, place, &mut inner);
            }
        }
        let status = result.is_error.then(|| "error".into());
        member(to, "toolResult", |block| {
            block.field("toolUseId", &id).raw("content", inner.json());
            block.some("status", status.as_ref().or(part.meta.form(NAME, "status")));
            block.meta(part.meta.of(NAME), &["toolUseId", "content", "status"]);
        });
    }

    fn reasoning(&mut self, meta: &Meta, thought: &Reasoning, place: Place, to: &mut List) {
        let Reasoning { text, signature, encrypted } = thought;
        let note = self.signed_only.then_some("this model refuses thoughts without a signature; left out");
        if !self.outcome.takes(thought, (meta, NAME), note, place) {
            return;
        }
        if encrypted.as_ref().is_some_and(|sealed| from_base64(sealed).is_err()) {
            let note = "a sealed thought must be base64 in this dialect; left out";
            return self.outcome.lose(Feature::Signatures, place, note);
        }
        member(to, "reasoningContent", |block| {
            match encrypted {
                Some(sealed) => block.field("redactedContent", sealed),
                None => block.object("reasoningText", |inner| {
                    inner.field("text", text).some("signature", signature.as_ref());
                }),
            };
        });
    }
}

/// The block that a mark is.
pub(super) fn cache_point(mark: &CacheMark) -> Value {
    json!({ "cachePoint": cache_mark(MARK, mark) })
}

/// An id for a call that came without one, the same whenever it is made.
pub(super) fn made_id(number: usize) -> String {
    format!("tooluse_{number}")
}
