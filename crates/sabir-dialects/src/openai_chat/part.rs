//! The parts of a message's content, and calls, in this dialect's JSON, both ways.

use sabir_core::Feature;
use sabir_core::chat::{CacheMark, Content, Document, Media, Part, Reasoning, Source, to_base64};
use serde_json::{Value, json};

use super::NAME;
use super::thoughts::text_of;
use crate::openai::{read_citation, read_file, read_sound, write_file};
use crate::shared::feature_of;

/// Fields that were read into a part, or have a place of their own in it.
const PLACED: &[&str] =
    &["type", "detail", "reasoning_details", "message", "transcript", "id", "document_name", "file_id"];

/// A part as a client or a server sends it. What is of no known shape is kept as it is: whoever reads it may know it.
pub(super) fn read(json: Value) -> Part {
    let Some((kind, content)) = content_of(&json) else { return opaque(json) };
    let (kind, mut part) = (kind.to_owned(), Part::from(content));
    if let Some(detail) = json["image_url"].get("detail") {
        part.meta.set(NAME, "detail", detail.clone());
    }
    let fields = json.as_object().into_iter().flatten();
    for (field, value) in fields.filter(|(field, value)| !value.is_null() && **field != kind) {
        match read_mark(value).filter(|_| field == "cache_control") {
            Some(mark) => part.cache = Some(mark),
            None if PLACED.contains(&field.as_str()) => {}
            None => part.meta.set(NAME, field, value.clone()),
        }
    }
    part
}

/// What a part of the content is, and the field that says it.
fn content_of(json: &Value) -> Option<(&str, Content)> {
    if let Some(text) = json.as_str() {
        return Some(("text", Content::Text { text: text.to_owned() }));
    }
    let kind = json["type"].as_str()?;
    let inner = &json[kind];
    let text = || inner.as_str().map(str::to_owned);
    // What is no base64 stays an address: to say that it is wrong is up to whoever fetches it.
    let media_at = |url: &str| Media::from_url(url).unwrap_or_else(|_| Media::url(url));
    let media = || Some(media_at(inner.as_str().or_else(|| inner["url"].as_str())?));
    let content = match kind {
        "text" => Content::Text { text: text()? },
        "output_text" => return Some(("text", Content::Text { text: json["text"].as_str()?.to_owned() })),
        "refusal" => Content::Refusal { text: text()? },
        "image_url" => Content::Image(media()?),
        "video_url" => Content::Video(media()?),
        "input_audio" => Content::Audio(read_sound(inner)?),
        "file" => Content::Document(read_file(if inner.is_object() { inner } else { json })?),
        "document_url" => {
            let title = json["document_name"].as_str().map(str::to_owned);
            Content::Document(Document { media: media()?, title })
        }
        "thinking" => {
            let text = match inner {
                Value::Array(pieces) => pieces.iter().map(text_of).collect(),
                _ => text()?,
            };
            Content::Reasoning(Reasoning { text, ..Reasoning::default() })
        }
        _ => return None,
    };
    Some((kind, content))
}

/// A part of the content; what it cannot carry, and why, where it cannot. `by_url`: documents go by their address.
pub(super) fn write(part: &Part, by_url: bool) -> Result<Value, (Feature, &'static str)> {
    let mut json = match &part.content {
        Content::Text { text } => json!({"type": "text", "text": text}),
        Content::Image(media) => {
            let url = media.to_url().ok_or((Feature::FileIds, "an image needs an address or its bytes here"))?;
            let mut image = json!({ "url": url });
            if let Some(detail) = part.meta.get(NAME, "detail") {
                image["detail"] = detail.clone();
            }
            json!({"type": "image_url", "image_url": image})
        }
        Content::Video(media) => {
            let url = media.to_url().ok_or((Feature::FileIds, "a video needs an address or its bytes here"))?;
            json!({"type": "video_url", "video_url": {"url": url}})
        }
        Content::Audio(Media { source: Source::Bytes(bytes), mime }) => {
            let audio = json!({"data": to_base64(bytes), "format": format_of(mime.as_deref())});
            json!({"type": "input_audio", "input_audio": audio})
        }
        Content::Document(Document { media: Media { source: Source::FileId(id), .. }, .. }) if by_url => {
            json!({"type": "file", "file_id": id})
        }
        Content::Document(Document { media, title }) if by_url => {
            json!({"type": "document_url", "document_url": media.to_url(), "document_name": title})
        }
        // OpenAI takes a data: URL only; routers fetch others, and who does not says so.
        Content::Document(document) => json!({"type": "file", "file": write_file(document, false)}),
        Content::Opaque { dialect, json } if dialect == NAME => return Ok(json.clone()),
        Content::Audio(_) => return Err((Feature::MediaUrls, "sound needs its bytes here")),
        other => return Err((feature_of(other), "it has no place here in this dialect; left out")),
    };
    add_meta(&mut json, part);
    Ok(json)
}

/// The fields that a client put beside the known ones.
fn add_meta(json: &mut Value, part: &Part) {
    let Some(fields) = json.as_object_mut() else { return };
    let more = part.meta.of(NAME).into_iter().flatten();
    for (field, value) in more.filter(|(field, _)| !PLACED.contains(&field.as_str())) {
        fields.entry(field).or_insert_with(|| value.clone());
    }
}

/// `wav` and `mp3` are OpenAI's; others go by their subtype.
fn format_of(mime: Option<&str>) -> &str {
    match mime.map(|m| m.strip_prefix("audio/").unwrap_or(m)) {
        None | Some("wav" | "x-wav" | "wave" | "vnd.wave") => "wav",
        Some("mpeg" | "mp3" | "mpeg3") => "mp3",
        Some(other) => other,
    }
}

/// What is this dialect's alone.
pub(super) fn opaque(json: Value) -> Part {
    Content::Opaque { dialect: NAME.to_owned(), json }.into()
}

/// A call, as requests and answers hold it; null for any other part.
pub(super) fn call(part: &Part, is_custom: bool) -> Value {
    let Content::ToolCall(call) = &part.content else { return Value::Null };
    let mut json = call_json(&call.id, &call.name, &call.arguments, is_custom);
    add_meta(&mut json, part);
    json
}

/// A call of a function, or of a custom tool.
pub(super) fn call_json(id: &str, name: &str, arguments: &str, is_custom: bool) -> Value {
    if is_custom {
        json!({"id": id, "type": "custom", "custom": {"name": name, "input": arguments}})
    } else {
        json!({"id": id, "type": "function", "function": {"name": name, "arguments": arguments}})
    }
}

/// A mark in Anthropic's style: `{"type": "ephemeral", "ttl": "5m"}`.
pub(super) fn read_mark(json: &Value) -> Option<CacheMark> {
    let ttl = json.get("ttl").and_then(Value::as_str).map(str::to_owned);
    (json.get("type")? == "ephemeral").then_some(CacheMark { ttl })
}

/// What an answer says of a text in it: a source, or what is this dialect's alone.
pub(super) fn annotation(json: Value) -> Part {
    if json.get("url_citation").is_some() { read_citation(json) } else { opaque(json) }
}
