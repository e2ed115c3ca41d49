//! Content blocks, read: requests and answers share them.

use sabir_core::chat::{
    CacheMark, Citation, Content, Part, Reasoning, ServerToolResult, ServerToolUse, ToolCall, ToolResult,
};
use serde_json::Value;
use serde_json::value::RawValue;

use super::NAME;
use super::media::{self, Kind};
use super::wire::{Fields, Wrong, value_of};

/// Where blocks stand: it decides what a `toolResult` is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum From {
    /// In a client's request, said by the person or the operator.
    User,
    /// In a client's request, said by the model before.
    Assistant,
    /// In a provider's answer.
    Answer,
}

impl From {
    fn strict(self) -> bool {
        self != Self::Answer
    }
}

/// The members of the union that have a word in the vocabulary.
const KNOWN: [&str; 10] = [
    "text",
    "toolUse",
    "toolResult",
    "reasoningContent",
    "citationsContent",
    "cachePoint",
    "image",
    "document",
    "audio",
    "video",
];

/// Reads a list of blocks.
pub(super) fn blocks(list: Vec<&RawValue>, from: From) -> Result<Vec<Part>, Wrong> {
    let mut parts = Vec::with_capacity(list.len());
    for (i, json) in list.into_iter().enumerate() {
        block(json, from, &mut parts).map_err(|e| e.within(format_args!("[{i}]")))?;
    }
    Ok(parts)
}

/// Reads one block: usually one part; one more for each citation; none for a cache mark, which is set on the part
/// before it.
pub(super) fn block(json: &RawValue, from: From, parts: &mut Vec<Part>) -> Result<(), Wrong> {
    let fields = Fields::read(json, from.strict())?;
    let Some((name, value)) = fields.member(&KNOWN) else {
        return opaque(json, parts);
    };
    let part = match name {
        "text" => Some(Part::text(string(value, from).map_err(|e| e.within(name))?)),
        "cachePoint" => return cache_point(json, value, from, parts),
        "citationsContent" => return cited(value, from, parts).map_err(|e| e.within(name)),
        "toolUse" => Some(tool_use(value, from).map_err(|e| e.within(name))?),
        "toolResult" if from == From::User => Some(tool_result(value).map_err(|e| e.within(name))?),
        "toolResult" => Some(server_result(value, from).map_err(|e| e.within(name))?),
        "reasoningContent" => reasoning(value, from).map_err(|e| e.within(name))?,
        _ => {
            let kind = [Kind::Image, Kind::Document, Kind::Audio, Kind::Video];
            let kind = kind.into_iter().find(|kind| kind.name() == name).unwrap_or(Kind::Document);
            media::read(kind, value, from.strict()).map_err(|e| e.within(name))?
        }
    };
    match part {
        Some(part) => parts.push(part),
        None => return opaque(json, parts),
    }
    Ok(())
}

/// The block is kept as it is.
fn opaque(json: &RawValue, parts: &mut Vec<Part>) -> Result<(), Wrong> {
    let (dialect, json) = (NAME.to_owned(), value_of(json)?);
    parts.push(Content::Opaque { dialect, json }.into());
    Ok(())
}

fn string(json: &RawValue, from: From) -> Result<String, Wrong> {
    match serde_json::from_str(json.get()) {
        Ok(text) => Ok(text),
        Err(_) if from.strict() => Err(Wrong::new(": is not a string")),
        Err(_) => Ok(json.get().to_owned()),
    }
}

/// Reads a mark of the kind that there is; `None` for a kind that is new.
pub(super) fn cache_mark(json: &RawValue, strict: bool) -> Result<Option<CacheMark>, Wrong> {
    let mut fields = Fields::read(json, strict)?;
    let plain = fields.text("type")?.as_deref() == Some("default");
    let ttl = fields.text("ttl")?.map(Into::into);
    Ok((plain && fields.rest()?.is_empty()).then_some(CacheMark { ttl }))
}

fn cache_point(whole: &RawValue, json: &RawValue, from: From, parts: &mut Vec<Part>) -> Result<(), Wrong> {
    let mark = cache_mark(json, from.strict()).map_err(|e| e.within("cachePoint"))?;
    match (parts.last_mut(), mark) {
        (Some(last), Some(mark)) if last.cache.is_none() => last.cache = Some(mark),
        _ => return opaque(whole, parts),
    }
    Ok(())
}

/// The service marks the uses of tools of its own by a `type`; a call for the client has none, or `tool_use`.
pub(super) fn is_servers(kind: Option<&str>) -> bool {
    kind.is_some_and(|kind| !kind.is_empty() && kind != "tool_use")
}

fn tool_use(json: &RawValue, from: From) -> Result<Part, Wrong> {
    let mut fields = Fields::read(json, from.strict())?;
    let kind = fields.text("type")?.filter(|kind| is_servers(Some(kind)));
    let (id, name) = (fields.need("toolUseId")?.into_owned(), fields.need("name")?.into_owned());
    let input = match fields.take("input") {
        Some(input) if from.strict() && !input.get().starts_with('{') => {
            return Err(Wrong::new("input: is not an object"));
        }
        Some(input) => input.get().to_owned(),
        None => "{}".to_owned(),
    };
    let mut part = match kind {
        Some(kind) => server_use(id, name, input, kind.into_owned()),
        None => Content::ToolCall(ToolCall { id, name, arguments: input }).into(),
    };
    for (field, value) in fields.rest()? {
        part.meta.set(NAME, field, value);
    }
    Ok(part)
}

/// The use of one of the service's own tools. The metadata tell it from another provider's.
pub(super) fn server_use(id: String, name: String, input: String, kind: String) -> Part {
    let meta = kind.clone();
    Part::from(Content::ServerToolUse(ServerToolUse { id, name, input, kind })).with_meta(NAME, "type", meta.into())
}

fn server_result(json: &RawValue, from: From) -> Result<Part, Wrong> {
    let mut fields = Fields::read(json, from.strict())?;
    let use_id = fields.need("toolUseId")?.into_owned();
    let kind = fields.text("type")?.map_or_else(|| "toolResult".to_owned(), Into::into);
    Ok(Content::ServerToolResult(ServerToolResult { use_id, kind, json: value_of(json)? }).into())
}

fn tool_result(json: &RawValue) -> Result<Part, Wrong> {
    let mut fields = Fields::read(json, true)?;
    let call_id = fields.need("toolUseId")?.into_owned();
    let mut parts = Vec::new();
    for (i, item) in fields.list("content")?.into_iter().enumerate() {
        let value = Fields::read(item, true).map(|fields| fields.peek("json"));
        match value.map_err(|e| e.within(format_args!("content[{i}]")))? {
            Some(json) => parts.push(Part::text(json.get()).with_meta(NAME, "json", true.into())),
            None => block(item, From::User, &mut parts).map_err(|e| e.within(format_args!("content[{i}]")))?,
        }
    }
    let status = fields.text("status")?;
    let is_error = status.as_deref() == Some("error");
    let mut part = Part::from(Content::ToolResult(ToolResult { call_id, name: None, parts, is_error }));
    if let Some(status) = status.filter(|_| !is_error) {
        part.meta.set(NAME, "status", (*status).into());
    }
    for (field, value) in fields.rest()? {
        part.meta.set(NAME, field, value);
    }
    Ok(part)
}

fn reasoning(json: &RawValue, from: From) -> Result<Option<Part>, Wrong> {
    let mut fields = Fields::read(json, from.strict())?;
    if let Some(mut thought) = fields.object("reasoningText")? {
        let text = thought.need("text").map_err(|e| e.within("reasoningText"))?.into_owned();
        let signature = thought.text("signature").map_err(|e| e.within("reasoningText"))?;
        let signature = signature.filter(|s| !s.is_empty()).map(Into::into);
        return Ok(Some(Content::Reasoning(Reasoning { text, signature, encrypted: None }).into()));
    }
    let sealed = fields.text("redactedContent")?.map(Into::into);
    Ok(sealed.map(|sealed| Content::Reasoning(Reasoning { encrypted: Some(sealed), ..Reasoning::default() }).into()))
}

fn cited(json: &RawValue, from: From, parts: &mut Vec<Part>) -> Result<(), Wrong> {
    let mut fields = Fields::read(json, from.strict())?;
    let mut text = String::new();
    for item in fields.list("content")? {
        let mut item = Fields::read(item, from.strict()).map_err(|e| e.within("content"))?;
        text.push_str(&item.text("text").map_err(|e| e.within("content"))?.unwrap_or_default());
    }
    let mut all = Vec::new();
    for citation in fields.list("citations")? {
        all.push(value_of(citation)?);
    }
    let apart = text.is_empty();
    if !apart {
        parts.push(Part::text(text));
    }
    parts.extend(citations(all, apart));
    Ok(())
}

/// The citations of one block. Where the block has no text of its own, the first says so.
pub(super) fn citations(all: Vec<Value>, apart: bool) -> impl Iterator<Item = Part> {
    all.into_iter().enumerate().map(move |(i, json)| {
        let part = Part::from(Content::Citation(citation(json)));
        if apart && i == 0 { part.with_meta(NAME, "apart", true.into()) } else { part }
    })
}

/// A citation: its common fields, and the whole for the way back.
fn citation(json: Value) -> Citation {
    let text = |value: &Value| value.as_str().map(str::to_owned);
    let address = |value: &Value| text(value).filter(|url| url.contains("://"));
    let quotes = json["sourceContent"].as_array();
    let quote: String = quotes.into_iter().flatten().filter_map(|piece| piece["text"].as_str()).collect();
    Citation {
        url: text(&json["location"]["web"]["url"]).or_else(|| address(&json["source"])),
        title: text(&json["title"]),
        quote: (!quote.is_empty()).then_some(quote),
        // The offsets of this dialect are in the source, not in the answer.
        span: None,
        json,
    }
}
