//! Content blocks, read: requests and answers share them. `writer` is the way back.

use std::borrow::Cow;

use sabir_core::chat::{
    CacheMark, Citation, Content, Document, Media, Meta, Part, Reasoning, ServerToolResult, ServerToolUse, ToolCall,
    ToolResult,
};
use serde_json::Value;
use serde_json::value::RawValue;

use super::NAME;
use super::wire::{Fields, Wrong, value_of};

/// Reads content: a string, or a list of blocks. `outer`: it is a message's, in which tool results may be.
pub(super) fn read_content(json: &RawValue, strict: bool, outer: bool) -> Result<Vec<Part>, Wrong> {
    if let Ok(text) = serde_json::from_str::<String>(json.get()) {
        return Ok(vec![Part::text(text)]);
    }
    let blocks: Vec<&RawValue> =
        serde_json::from_str(json.get()).map_err(|_| Wrong::new(": is neither a string nor a list of blocks"))?;
    let mut parts = Vec::with_capacity(blocks.len());
    for (i, block) in blocks.into_iter().enumerate() {
        read_block(block, strict, outer, &mut parts).map_err(|e| e.within(format_args!("[{i}]")))?;
    }
    Ok(parts)
}

/// Reads one block: usually one part, and one more for each citation.
pub(super) fn read_block(json: &RawValue, strict: bool, outer: bool, parts: &mut Vec<Part>) -> Result<(), Wrong> {
    let mut fields = Fields::read(json, strict)?;
    let kind = fields.need("type")?;
    let mut citations = Vec::new();
    let content = match &*kind {
        "text" => {
            let text = fields.need("text")?.into_owned();
            for citation in fields.list("citations")? {
                citations.push(read_citation(value_of(citation)?));
            }
            Content::Text { text }
        }
        "thinking" => Content::Reasoning(Reasoning {
            text: fields.need("thinking")?.into_owned(),
            signature: fields.text("signature")?.map(Cow::into_owned),
            encrypted: None,
        }),
        "redacted_thinking" => {
            Content::Reasoning(Reasoning { encrypted: Some(fields.need("data")?.into_owned()), ..Reasoning::default() })
        }
        "tool_use" => Content::ToolCall(ToolCall {
            id: fields.need("id")?.into_owned(),
            name: fields.need("name")?.into_owned(),
            arguments: read_input(&mut fields, strict)?,
        }),
        "tool_result" if outer => Content::ToolResult(read_tool_result(&mut fields, strict)?),
        "image" | "document" => {
            let Some(media) = read_source(&mut fields)? else {
                return opaque(json, parts);
            };
            if kind == "image" {
                Content::Image(media)
            } else {
                let title = fields.text("title")?.map(Cow::into_owned);
                Content::Document(Document { media, title })
            }
        }
        _ if kind.ends_with("_tool_use") => Content::ServerToolUse(ServerToolUse {
            id: fields.need("id")?.into_owned(),
            name: fields.need("name")?.into_owned(),
            input: read_input(&mut fields, strict)?,
            kind: kind.into_owned(),
        }),
        _ if kind.ends_with("_tool_result") => {
            let use_id = fields.need("tool_use_id")?.into_owned();
            let (kind, json) = (kind.into_owned(), value_of(json)?);
            parts.push(Content::ServerToolResult(ServerToolResult { use_id, kind, json }).into());
            return Ok(());
        }
        _ => return opaque(json, parts),
    };
    let mut part = Part::from(content);
    part.cache = take_cache(&mut fields)?;
    part.meta = meta_of(fields)?;
    parts.push(part);
    parts.append(&mut citations);
    Ok(())
}

/// The block is kept as it is.
fn opaque(json: &RawValue, parts: &mut Vec<Part>) -> Result<(), Wrong> {
    let (dialect, json) = (NAME.to_owned(), value_of(json)?);
    parts.push(Content::Opaque { dialect, json }.into());
    Ok(())
}

/// What is left of an object, as metadata.
pub(super) fn meta_of(fields: Fields<'_>) -> Result<Meta, Wrong> {
    let mut meta = Meta::default();
    for (field, value) in fields.rest()? {
        meta.set(NAME, field, value);
    }
    Ok(meta)
}

/// Takes `cache_control` where it is no more than a mark; another kind stays among what only the provider knows.
pub(super) fn take_cache(fields: &mut Fields<'_>) -> Result<Option<CacheMark>, Wrong> {
    let Some(control) = fields.peek("cache_control") else {
        return Ok(None);
    };
    let mut control = Fields::read(control, true).map_err(|e| e.within("cache_control"))?;
    let is_mark = control.text("type")?.as_deref() == Some("ephemeral");
    let ttl = control.text("ttl")?.map(Cow::into_owned);
    if !is_mark || !control.rest()?.is_empty() {
        return Ok(None);
    }
    fields.take("cache_control");
    Ok(Some(CacheMark { ttl }))
}

/// The input of a tool, byte for byte.
fn read_input(fields: &mut Fields<'_>, strict: bool) -> Result<String, Wrong> {
    match fields.take("input") {
        Some(input) if strict && !input.get().starts_with('{') => Err(Wrong::new("input: is not an object")),
        Some(input) => Ok(input.get().to_owned()),
        None if strict => Err(Wrong::new("input: is missing")),
        None => Ok("{}".to_owned()),
    }
}

fn read_tool_result(fields: &mut Fields<'_>, strict: bool) -> Result<ToolResult, Wrong> {
    let parts = match fields.take("content") {
        Some(content) => read_content(content, strict, false).map_err(|e| e.within("content"))?,
        None => Vec::new(),
    };
    Ok(ToolResult {
        call_id: fields.need("tool_use_id")?.into_owned(),
        name: None,
        parts,
        is_error: fields.get("is_error")?.unwrap_or_default(),
    })
}

/// Reads where a medium is; `None` for a kind of source that has no word in the vocabulary.
fn read_source(fields: &mut Fields<'_>) -> Result<Option<Media>, Wrong> {
    let mut source = fields.object("source")?.ok_or_else(|| Wrong::new("source: is missing"))?;
    let read = |source: &mut Fields<'_>| {
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
    };
    read(&mut source).map_err(|e: Wrong| e.within("source"))
}

/// A citation: its common fields, and the whole for the way back.
pub(super) fn read_citation(json: Value) -> Part {
    let text = |names: [&str; 2]| names.iter().find_map(|n| json[*n].as_str()).map(str::to_owned);
    Content::Citation(Citation {
        url: text(["url", "source"]),
        title: text(["title", "document_title"]),
        quote: text(["cited_text", "cited_text"]),
        // The offsets of this dialect are in the source, not in the answer.
        span: None,
        json,
    })
    .into()
}

/// A citation of this dialect's, as it came. The types of all of them end alike.
pub(super) fn own_citation(part: &Part) -> Option<&Value> {
    match &part.content {
        Content::Citation(c) if c.json["type"].as_str()?.ends_with("_location") => Some(&c.json),
        _ => None,
    }
}
