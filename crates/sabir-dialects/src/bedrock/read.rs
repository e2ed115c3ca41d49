//! Content blocks, read: requests and answers share them.

use sabir_core::chat::{
    CacheMark, Citation, Content, Part, Reasoning, ServerToolResult, ServerToolUse, ToolCall, ToolResult,
};
use serde_json::Value;
use serde_json::value::RawValue;

use super::{NAME, media};
use crate::blocks::Speaker;
use crate::json::{Fields, Wrong, string_of, value_of};

/// Reads a list of blocks. `from`: who says them in a client's request; nobody, in a provider's answer.
pub(super) fn blocks(fields: &mut Fields<'_>, key: &str, from: Option<Speaker>) -> Result<Vec<Part>, Wrong> {
    let mut parts = Vec::new();
    fields.each(key, |json| block(json, from, &mut parts))?;
    Ok(parts)
}

/// Reads one block: usually one part; one more for each citation; none for a cache mark, which is set on the part
/// before it. A block that there is no word for is kept as it is.
pub(super) fn block(json: &RawValue, from: Option<Speaker>, parts: &mut Vec<Part>) -> Result<(), Wrong> {
    let mut fields = Fields::read(json, from.is_some())?;
    let member = fields.first().unwrap_or_default();
    let part = match &*member {
        "text" => Some(Part::text(fields.need("text")?)),
        "toolUse" => fields.inside("toolUse", tool_use)?,
        "toolResult" if from == Some(Speaker::User) => fields.inside("toolResult", tool_result)?,
        "toolResult" => fields.value("toolResult")?.map(server_result),
        "reasoningContent" => fields.inside("reasoningContent", reasoning)?.flatten(),
        "citationsContent" => {
            if let Some(mut all) = fields.inside("citationsContent", cited)? {
                parts.append(&mut all);
                return Ok(());
            }
            None
        }
        "cachePoint" => match (fields.inside("cachePoint", cache_mark)?.flatten(), parts.last_mut()) {
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

/// Reads a mark of the kind that there is; `None` for a kind that is new.
pub(super) fn cache_mark(fields: &mut Fields<'_>) -> Result<Option<CacheMark>, Wrong> {
    let is_plain = fields.text("type")?.as_deref() == Some("default");
    let ttl = fields.string("ttl")?;
    Ok((is_plain && fields.is_empty()).then_some(CacheMark { ttl }))
}

/// The service marks the uses of tools of its own by a `type`; a call for the client has none, or `tool_use`.
pub(super) fn is_servers(kind: &str) -> bool {
    !kind.is_empty() && kind != "tool_use"
}

fn tool_use(fields: &mut Fields<'_>) -> Result<Part, Wrong> {
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

fn server_result(json: Value) -> Part {
    let text = |key: &str| json[key].as_str().map(str::to_owned);
    let (use_id, kind) =
        (text("toolUseId").unwrap_or_default(), text("type").unwrap_or_else(|| "toolResult".to_owned()));
    Content::ServerToolResult(ServerToolResult { use_id, kind, json }).into()
}

fn tool_result(fields: &mut Fields<'_>) -> Result<Part, Wrong> {
    let call_id = fields.need("toolUseId")?.into_owned();
    let mut parts = Vec::new();
    fields.each("content", |item| match Fields::read(item, true)?.peek("json") {
        Some(json) => {
            parts.push(with_form(Part::text(json.get()), "json", true.into()));
            Ok(())
        }
        None => block(item, Some(Speaker::User), &mut parts),
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

fn reasoning(fields: &mut Fields<'_>) -> Result<Option<Part>, Wrong> {
    let open = fields.inside("reasoningText", |thought| {
        let signature = thought.string("signature")?.filter(|signature| !signature.is_empty());
        Ok(Reasoning { text: thought.need("text")?.into_owned(), signature, encrypted: None })
    })?;
    let sealed = fields.string("redactedContent")?;
    let sealed = sealed.map(|sealed| Reasoning { encrypted: Some(sealed), ..Reasoning::default() });
    Ok(open.or(sealed).map(|thought| Content::Reasoning(thought).into()))
}

fn cited(fields: &mut Fields<'_>) -> Result<Vec<Part>, Wrong> {
    let mut text = String::new();
    for mut piece in fields.objects("content")? {
        text.push_str(&piece.text("text").map_err(|e| e.within("content"))?.unwrap_or_default());
    }
    let json: Result<Vec<Value>, Wrong> = fields.list("citations")?.into_iter().map(value_of).collect();
    let is_apart = text.is_empty();
    let text = Some(Part::text(text)).filter(|_| !is_apart);
    Ok(text.into_iter().chain(citations(json?, is_apart)).collect())
}

/// The citations of one block. Where the block has no text of its own, the first says so.
pub(super) fn citations(all: Vec<Value>, is_apart: bool) -> impl Iterator<Item = Part> {
    all.into_iter().enumerate().map(move |(i, json)| {
        let part = Part::from(Content::Citation(citation(json)));
        if is_apart && i == 0 { with_form(part, "apart", true.into()) } else { part }
    })
}

/// A citation: its common fields, and the whole for the way back.
fn citation(json: Value) -> Citation {
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
