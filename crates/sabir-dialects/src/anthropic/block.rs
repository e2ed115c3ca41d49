//! Content blocks, read: requests and answers share them. `writer` is the way back.

use sabir_core::chat::{
    CacheMark, Citation, Content, Document, Media, Part, Reasoning, ServerToolResult, ServerToolUse, ToolCall,
    ToolResult,
};
use serde_json::Value;
use serde_json::value::RawValue;

use super::NAME;
use crate::json::{Fields, Wrong, string_of, value_of};

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
            fields.each("citations", |citation| {
                citations.push(read_citation(value_of(citation)?));
                Ok(())
            })?;
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
    let is_mark = control.text("type")?.as_deref() == Some("ephemeral");
    let mark = CacheMark { ttl: control.string("ttl")? };
    Ok(fields.take_if("cache_control", |_| (is_mark && control.is_empty()).then_some(mark)))
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
