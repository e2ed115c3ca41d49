//! Content blocks, read and written: requests and answers share them.

use sabir_core::chat::{
    CacheMark, Citation, Content, Document, Media, Meta, Part, Reasoning, ServerToolResult, ServerToolUse, Source,
    ToolCall, ToolResult, to_base64,
};
use sabir_core::{Error, ErrorKind, Feature};
use serde_json::value::RawValue;
use serde_json::{Value, json};

use super::NAME;
use crate::blocks::outcome::sendable_id;
use crate::blocks::{Outcome, Place, Speaker, cache_mark, object_text, read_cache_mark};
use crate::json::{Fields, List, Object, Wrong, string_of, value_of, write_json};

/// The kind of mark for the cache that there is.
const MARK: &str = "ephemeral";

/// Takes the content in a field: a string, or a list of blocks. `outer`: it is a message's, in which results of tools
/// may be.
pub(super) fn take_content(fields: &mut Fields<'_>, key: &str, outer: bool) -> Result<Vec<Part>, Wrong> {
    let Some(json) = fields.take(key) else { return Ok(Vec::new()) };
    if let Some(text) = string_of(json) {
        return Ok(vec![Part::text(text)]);
    }
    let blocks: Vec<&RawValue> = serde_json::from_str(json.get())
        .map_err(|_| Wrong::new(format!("{key}: is neither a string nor a list of blocks")))?;
    let mut parts = Vec::with_capacity(blocks.len());
    for (i, block) in blocks.into_iter().enumerate() {
        let read = read_block(block, fields.is_strict(), outer);
        let (part, citations) = read.map_err(|e| e.within(format_args!("{key}[{i}]")))?;
        parts.push(part);
        parts.extend(citations);
    }
    Ok(parts)
}

/// Reads one block, and the citations of a text.
pub(super) fn read_block(json: &RawValue, strict: bool, outer: bool) -> Result<(Part, Vec<Part>), Wrong> {
    let mut fields = Fields::read(json, strict)?;
    let kind = fields.need("type")?;
    let mut citations = Vec::new();
    let content = match &*kind {
        "text" => {
            let text = fields.need("text")?.into_owned();
            fields.each("citations", |json| value_of(json).map(|json| citations.push(read_citation(json))))?;
            Content::Text { text }
        }
        "thinking" => {
            let (text, signature) = (fields.need("thinking")?.into_owned(), fields.string("signature")?);
            Content::Reasoning(Reasoning { text, signature, encrypted: None })
        }
        "redacted_thinking" => {
            Content::Reasoning(Reasoning { encrypted: Some(fields.need("data")?.into_owned()), ..Reasoning::default() })
        }
        "tool_result" if outer => Content::ToolResult(ToolResult {
            parts: take_content(&mut fields, "content", false)?,
            call_id: fields.need("tool_use_id")?.into_owned(),
            name: None,
            is_error: fields.get("is_error")?.unwrap_or_default(),
        }),
        "image" | "document" => match fields.inside("source", read_source)? {
            None => return Err(Wrong::new("source: is missing")),
            Some(None) => return own(json),
            Some(Some(media)) if kind == "image" => Content::Image(media),
            Some(Some(media)) => Content::Document(Document { media, title: fields.string("title")? }),
        },
        _ if kind.ends_with("tool_use") => {
            let (id, name) = (fields.need("id")?.into_owned(), fields.need("name")?.into_owned());
            let input = read_input(&mut fields)?;
            match &*kind {
                "tool_use" => Content::ToolCall(ToolCall { id, name, arguments: input }),
                _ => Content::ServerToolUse(ServerToolUse { id, name, input, kind: kind.into_owned() }),
            }
        }
        _ if kind.ends_with("_tool_result") => {
            let (use_id, kind) = (fields.need("tool_use_id")?.into_owned(), kind.into_owned());
            let result = ServerToolResult { use_id, kind, json: value_of(json)? };
            return Ok((Content::ServerToolResult(result).into(), citations));
        }
        _ => return own(json),
    };
    let cache = take_cache(&mut fields)?;
    Ok((Part { content, cache, meta: fields.meta(NAME)? }, citations))
}

/// A block that has no meaning beyond this dialect.
fn own(json: &RawValue) -> Result<(Part, Vec<Part>), Wrong> {
    let (dialect, json) = (NAME.to_owned(), value_of(json)?);
    Ok((Content::Opaque { dialect, json }.into(), Vec::new()))
}

/// Takes `cache_control` where it is no more than a mark; another kind stays among what only the provider knows.
pub(super) fn take_cache(fields: &mut Fields<'_>) -> Result<Option<CacheMark>, Wrong> {
    let Some(control) = fields.peek("cache_control") else { return Ok(None) };
    let mut control = Fields::read(control, true).map_err(|e| e.within("cache_control"))?;
    let mark = read_cache_mark(&mut control, MARK)?;
    Ok(fields.take_if("cache_control", |_| mark))
}

/// The input of a tool, byte for byte.
fn read_input(fields: &mut Fields<'_>) -> Result<String, Wrong> {
    match fields.take("input") {
        Some(input) if !fields.is_strict() || input.get().starts_with('{') => Ok(input.get().to_owned()),
        Some(_) => Err(Wrong::new("input: is not an object")),
        None if fields.is_strict() => Err(Wrong::new("input: is missing")),
        None => Ok("{}".to_owned()),
    }
}

/// Reads where a medium is; `None` for a kind of source that has no word in the vocabulary.
fn read_source(source: &mut Fields<'_>) -> Result<Option<Media>, Wrong> {
    let kind = source.need("type")?;
    let mime = source.text("media_type")?;
    Ok(Some(match &*kind {
        "base64" => {
            Media::base64(&source.need("data")?, mime.as_deref()).map_err(|_| Wrong::new("data: is not base64"))?
        }
        "text" => Media::bytes(source.need("data")?.into_owned(), "text/plain"),
        "url" => Media::url(source.need("url")?),
        "file" => Media::file_id(source.need("file_id")?),
        _ => return Ok(None),
    }))
}

/// A citation: its common fields, and the whole for the way back.
fn read_citation(json: Value) -> Part {
    let text = |name: &str| json[name].as_str().map(str::to_owned);
    let citation = Citation {
        url: text("url").or_else(|| text("source")),
        title: text("title").or_else(|| text("document_title")),
        quote: text("cited_text"),
        // The offsets of this dialect are in the source, not in the answer.
        span: None,
        json: Value::Null,
    };
    Content::Citation(Citation { json, ..citation }).into()
}

/// Writes parts as blocks, and collects what could not be written.
#[derive(Debug, Default)]
pub(super) struct Writer {
    pub(super) outcome: Outcome,
    /// The API version is 2026-10-21, which refuses some blocks.
    pub(super) modern: bool,
    /// Thoughts may go without a signature.
    pub(super) unsigned: bool,
    /// The answer's id, from which ids of calls are made.
    pub(super) answer_id: String,
}

impl Writer {
    /// Writes the messages of one turn as one list, in which the results of tools must stand first.
    pub(super) fn blocks(&mut self, speaker: Speaker, messages: &[(Place, &[Part])]) -> List {
        let (mut results, mut rest) = (List::default(), List::default());
        for (place, parts) in messages {
            let at = |n| match place.inner {
                Some(_) => Place { inner: Some(n), ..*place },
                None => Place { part: n, ..*place },
            };
            let mut parts = parts.iter().enumerate().peekable();
            while let Some((n, part)) = parts.next() {
                match &part.content {
                    Content::Text { text } => {
                        let mut cited = Vec::new();
                        while let Some((n, part)) = parts.next_if(|(_, p)| matches!(p.content, Content::Citation(_))) {
                            cited.extend(self.citation(part, speaker, at(n)));
                        }
                        // An empty block is refused, and says nothing.
                        if !text.is_empty() || !cited.is_empty() {
                            let cited = Some(cited).filter(|all| !all.is_empty());
                            write_block(&mut rest, "text", part, |to| to.field("text", text).some("citations", cited));
                        }
                    }
                    Content::ToolResult(result) if speaker == Speaker::User && place.inner.is_none() => {
                        self.tool_result(part, result, at(n), &mut results);
                    }
                    _ => self.part(part, speaker, at(n), &mut rest),
                }
            }
        }
        if !rest.is_empty() {
            results.item().extend_from_slice(rest.items());
        }
        results
    }

    pub(super) fn citation<'p>(&mut self, part: &'p Part, speaker: Speaker, place: Place) -> Option<&'p Value> {
        // The types of all of this dialect's citations end alike.
        let is_own = |json: &Value| json["type"].as_str().is_some_and(|kind| kind.ends_with("_location"));
        let own = match &part.content {
            Content::Citation(citation) if is_own(&citation.json) => Some(&citation.json),
            _ => None,
        };
        let note = match own {
            Some(_) if self.modern && speaker == Speaker::User => "not taken on a user's text since 2026-10-21",
            Some(_) => return own,
            None => "only this dialect's own citations can be sent",
        };
        self.outcome.lose(Feature::Citations, place, note);
        None
    }

    /// Writes any part but text and the results of tools.
    pub(super) fn part(&mut self, part: &Part, speaker: Speaker, place: Place, to: &mut List) {
        match &part.content {
            _ if speaker == Speaker::System => self.outcome.no_prompt(place),
            Content::Document(_) if self.modern && speaker == Speaker::Assistant => {
                self.outcome.lose(Feature::Documents, place, "not taken from the assistant since 2026-10-21");
            }
            Content::Image(media) if self.outcome.asks => self.media("image", part, media, None, place, to),
            Content::Document(document) if self.outcome.asks => {
                self.media("document", part, &document.media, document.title.as_deref(), place, to);
            }
            Content::ToolCall(call) => {
                let note = "arguments that are not a JSON object became {}";
                let input = self.outcome.arguments(call, place, note).unwrap_or("{}");
                let id = self.outcome.call_id(&call.id, usize::MAX, |number| made_id(&self.answer_id, number));
                write_block(to, "tool_use", part, |to| {
                    to.field("id", &*id).field("name", &call.name).raw("input", input)
                });
            }
            Content::Reasoning(thought) => self.reasoning(part, thought, place, to),
            Content::Refusal { text } => {
                self.outcome.lose(Feature::Refusals, place, "sent as text");
                write_block(to, "text", part, |to| to.field("text", text));
            }
            Content::ServerToolUse(used) if used.kind.ends_with("_tool_use") => {
                let input = object_text(&used.input).unwrap_or("{}");
                let ServerToolUse { id, name, kind, .. } = used;
                write_block(to, kind, part, |to| to.field("id", id).field("name", name).raw("input", input));
            }
            Content::ServerToolResult(result)
                if result.kind.ends_with("_tool_result") && result.json["type"] == *result.kind =>
            {
                write_json(to.item(), &result.json);
            }
            Content::Opaque { dialect, json } if dialect == NAME => write_json(to.item(), json),
            other => self.outcome.losses.part(place, other),
        }
    }

    fn reasoning(&mut self, part: &Part, thought: &Reasoning, place: Place, to: &mut List) {
        let Reasoning { text, signature, encrypted } = thought;
        let asks = self.outcome.asks;
        let note = (asks && !self.unsigned).then_some("thoughts without a signature are refused; left out");
        if !self.outcome.takes(thought, (&part.meta, NAME), note, place) {
            return;
        }
        if let Some(sealed) = encrypted {
            if !asks && !text.is_empty() {
                self.part(&Part::reasoning(text), Speaker::Assistant, place, to);
            }
            write_block(to, "redacted_thinking", part, |to| to.field("data", sealed));
            return;
        }
        // Clients expect a signature, even an empty one.
        let signature = signature.as_deref().or((!asks).then_some(""));
        write_block(to, "thinking", part, |to| to.field("thinking", text).some("signature", signature));
    }

    fn media(&mut self, kind: &str, part: &Part, media: &Media, title: Option<&str>, place: Place, to: &mut List) {
        self.outcome.losses.untold_type(&place.to_string(), &part.content);
        let mime = media.mime.as_deref();
        let here = |mime, bytes| json!({ "type": "base64", "media_type": mime, "data": to_base64(bytes) });
        let is_pdf = |bytes: &[u8]| mime.map_or(bytes.starts_with(b"%PDF"), |mime| mime == "application/pdf");
        let source = match (&media.source, mime) {
            (Source::Url(url), _) => json!({ "type": "url", "url": url }),
            (Source::FileId(id), _) => json!({ "type": "file", "file_id": id }),
            (Source::Bytes(bytes), Some(mime)) if kind == "image" => here(mime, bytes),
            (Source::Bytes(bytes), _) if kind == "document" && is_pdf(bytes) => here("application/pdf", bytes),
            (Source::Bytes(bytes), _) if kind == "document" => {
                let Ok(text) = std::str::from_utf8(bytes) else {
                    return self.outcome.lose(Feature::Documents, place, "only PDF and plain text are taken; left out");
                };
                if mime.is_some_and(|mime| mime != "text/plain") {
                    self.outcome.lose(Feature::Documents, place, "sent as plain text");
                }
                json!({ "type": "text", "media_type": "text/plain", "data": text })
            }
            _ => {
                let what = format!("{place}: this dialect needs the medium's MIME type, such as image/png");
                self.outcome.refused.get_or_insert(Error::new(ErrorKind::InvalidRequest, what));
                return;
            }
        };
        write_block(to, kind, part, |to| to.field("source", &source).some("title", title));
    }

    fn tool_result(&mut self, part: &Part, result: &ToolResult, place: Place, to: &mut List) {
        let id = self.outcome.result_id(&result.call_id, usize::MAX, |number| made_id(&self.answer_id, number));
        let plain = plain_text(&result.parts);
        let place = Place { inner: Some(0), ..place };
        let inner = plain.map_or_else(|| self.blocks(Speaker::User, &[(place, &result.parts)]), |_| List::default());
        let failed = result.is_error.then_some(true);
        write_block(to, "tool_result", part, |to| {
            to.field("tool_use_id", &*id).some("content", plain).list("content", &inner).some("is_error", failed)
        });
    }
}

/// An id for a call that came without one, the same whenever it is made.
fn made_id(answer_id: &str, number: usize) -> String {
    match answer_id {
        "" => format!("toolu_{number}"),
        id => format!("toolu_{}_{number}", sendable_id(id, usize::MAX)),
    }
}

/// The text, if the parts are one text and nothing besides.
pub(super) fn plain_text(parts: &[Part]) -> Option<&str> {
    match parts {
        [part] if part.cache.is_none() && part.meta.of(NAME).is_none() => part.as_text(),
        _ => None,
    }
}

/// Writes a block: its type, what `write` writes, its mark, and what this dialect alone said of the part.
fn write_block(
    to: &mut List,
    kind: &str,
    part: &Part,
    write: impl for<'t, 'o> FnOnce(&'t mut Object<'o>) -> &'t mut Object<'o>,
) {
    to.object(|to| {
        write(to.field("type", kind));
        write_rest(to, part.cache.as_ref(), &part.meta, &["type"]);
    });
}

/// Writes the mark for the cache, unless this dialect has its own word for it, and what else it alone said.
pub(super) fn write_rest(to: &mut Object<'_>, cache: Option<&CacheMark>, meta: &Meta, written: &[&str]) {
    to.some("cache_control", cache.filter(|_| meta.get(NAME, "cache_control").is_none()).map(cache_control));
    to.meta(meta.of(NAME), written);
}

/// A mark for the cache.
pub(super) fn cache_control(mark: &CacheMark) -> Value {
    cache_mark(MARK, mark)
}
