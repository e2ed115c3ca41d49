//! The parts of a message's content, and calls, in this dialect's JSON, both ways.

use sabir_core::Feature;
use sabir_core::chat::{CacheMark, Content, Document, Media, Part, Reasoning, Source, ToolCall, to_base64};
use serde_json::{Map, Value, json};

use super::NAME;
use super::thoughts::text_of;

/// Metadata of a part that has its place inside the part, or is no field of it.
const PLACED: &[&str] = &["detail", "reasoning_details", "message", "type", "transcript", "id"];

/// A part of the content; what it cannot carry, and why, where it cannot.
pub(super) fn encode(part: &Part) -> Result<Value, (Feature, &'static str)> {
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
        Content::Audio(media) => match &media.source {
            Source::Bytes(bytes) => {
                let audio = json!({"data": to_base64(bytes), "format": format_of(media.mime.as_deref())});
                json!({"type": "input_audio", "input_audio": audio})
            }
            _ => return Err((Feature::MediaUrls, "sound needs its bytes here")),
        },
        Content::Video(media) => {
            let url = media.to_url().ok_or((Feature::FileIds, "a video needs an address or its bytes here"))?;
            json!({"type": "video_url", "video_url": {"url": url}})
        }
        Content::Document(document) => file(document),
        Content::Opaque { dialect, json } if dialect == NAME => return Ok(json.clone()),
        Content::Opaque { .. } => return Err((Feature::Opaque, "a part of another dialect alone")),
        Content::ServerToolUse(_) | Content::ServerToolResult(_) => {
            return Err((Feature::ServerTools, "not in this dialect's requests"));
        }
        Content::Citation(_) => return Err((Feature::Citations, "citations are not sent back")),
        Content::Refusal { .. } => return Err((Feature::Refusals, "only the model refuses")),
        Content::Reasoning(_) => return Err((Feature::Reasoning, "only the model's own messages hold reasoning")),
        _ => return Err((Feature::Tools, "a call or result has no place here")),
    };
    add_meta(&mut json, part);
    Ok(json)
}

/// The fields that a client put beside the known ones.
fn add_meta(json: &mut Value, part: &Part) {
    let Some(fields) = json.as_object_mut() else { return };
    for (field, value) in part.meta.of(NAME).into_iter().flatten() {
        if !PLACED.contains(&field.as_str()) {
            fields.entry(field).or_insert_with(|| value.clone());
        }
    }
}

/// The text of a plain document, which this dialect has no part for.
pub(super) fn plain_document(part: &Part) -> Option<&str> {
    match &part.content {
        Content::Document(Document { media: Media { source: Source::Bytes(bytes), mime: Some(mime) }, .. })
            if mime.starts_with("text/") =>
        {
            std::str::from_utf8(bytes).ok()
        }
        _ => None,
    }
}

fn file(document: &Document) -> Value {
    let mut file = Map::new();
    if let Source::FileId(id) = &document.media.source {
        file.insert("file_id".into(), id.clone().into());
    } else {
        // OpenAI takes a data: URL only; routers fetch others, and who does not says so.
        file.insert("file_data".into(), document.media.to_url().into());
        // Wanted beside file_data.
        let name = document.title.clone().unwrap_or_else(|| unnamed(document.media.mime.as_deref()));
        file.insert("filename".into(), name.into());
    }
    json!({"type": "file", "file": file})
}

/// The name of a file that has none.
fn unnamed(mime: Option<&str>) -> String {
    let ending = mime.and_then(|m| m.split(['/', ';']).nth(1)).unwrap_or("pdf");
    format!("document.{ending}")
}

/// `wav` and `mp3` are OpenAI's; others go by their subtype.
fn format_of(mime: Option<&str>) -> &str {
    match mime.map(|m| m.strip_prefix("audio/").unwrap_or(m)) {
        None | Some("wav" | "x-wav" | "wave" | "vnd.wave") => "wav",
        Some("mpeg" | "mp3" | "mpeg3") => "mp3",
        Some(other) => other,
    }
}

/// Sound as an answer holds it.
pub(super) fn audio_of(part: &Part, media: &Media) -> Option<Value> {
    let Source::Bytes(bytes) = &media.source else {
        return None;
    };
    let kept = |field: &str| part.meta.get(NAME, field).cloned().unwrap_or_else(|| "".into());
    let (id, transcript) = (kept("id"), kept("transcript"));
    Some(json!({"id": id, "data": to_base64(bytes), "expires_at": 0, "transcript": transcript}))
}

/// A call, as requests and answers hold it.
pub(super) fn call(part: &Part, is_custom: bool) -> Value {
    let Content::ToolCall(ToolCall { id, name, arguments }) = &part.content else {
        return Value::Null;
    };
    let mut json = if is_custom {
        json!({"id": id, "type": "custom", "custom": {"name": name, "input": arguments}})
    } else {
        json!({"id": id, "type": "function", "function": {"name": name, "arguments": arguments}})
    };
    add_meta(&mut json, part);
    json
}

/// A detail of reasoning without its text, which went out before.
pub(super) fn without_text(mut detail: Value) -> Value {
    if let Value::Object(fields) = &mut detail {
        fields.retain(|field, _| !matches!(field.as_str(), "text" | "summary"));
    }
    detail
}

/// A part as a client sends it. What is of no known shape is kept as it is: whoever answers may know it.
pub(super) fn accept(json: Value) -> Part {
    let Value::Object(mut fields) = json else {
        return match json {
            Value::String(text) => Part::text(text),
            json => Content::Opaque { dialect: NAME.to_owned(), json }.into(),
        };
    };
    let kind = fields.get("type").and_then(Value::as_str).unwrap_or_default().to_owned();
    let content = match kind.as_str() {
        "text" => match fields.shift_remove("text") {
            Some(Value::String(text)) => Some(Content::Text { text }),
            _ => None,
        },
        "refusal" => take_text(&mut fields, "refusal").map(|text| Content::Refusal { text }),
        "image_url" => fields.get("image_url").and_then(|image| Some(media_of(url_in(image)?))).map(Content::Image),
        "video_url" => fields.get("video_url").and_then(|video| Some(media_of(url_in(video)?))).map(Content::Video),
        "input_audio" => fields.get("input_audio").and_then(audio).map(Content::Audio),
        "file" => fields.get("file").and_then(document).map(Content::Document),
        "thinking" => fields.get("thinking").and_then(Value::as_array).map(|pieces| {
            let text = pieces.iter().map(text_of).collect();
            Content::Reasoning(Reasoning { text, ..Reasoning::default() })
        }),
        _ => None,
    };
    let Some(content) = content else {
        return Content::Opaque { dialect: NAME.to_owned(), json: Value::Object(fields) }.into();
    };
    let mut part = Part::from(content);
    if let Some(detail) = fields.get("image_url").and_then(|image| image.get("detail")) {
        part.meta.set(NAME, "detail", detail.clone());
    }
    for (field, value) in fields {
        match (field.as_str(), &value) {
            ("type", _) | (_, Value::Null) => {}
            (name, _) if name == kind => {}
            ("cache_control", _) if cache_mark(&value).is_some() => part.cache = cache_mark(&value),
            _ => part.meta.set(NAME, field, value),
        }
    }
    part
}

/// A mark in Anthropic's style: `{"type": "ephemeral", "ttl": "5m"}`.
pub(super) fn cache_mark(json: &Value) -> Option<CacheMark> {
    let ttl = json.get("ttl").and_then(Value::as_str).map(str::to_owned);
    (json.get("type")? == "ephemeral").then_some(CacheMark { ttl })
}

/// The mark as JSON.
pub(super) fn cache_control(mark: &CacheMark) -> Value {
    match &mark.ttl {
        Some(ttl) => json!({"type": "ephemeral", "ttl": ttl}),
        None => json!({"type": "ephemeral"}),
    }
}

fn take_text(fields: &mut Map<String, Value>, name: &str) -> Option<String> {
    match fields.shift_remove(name)? {
        Value::String(text) => Some(text),
        _ => None,
    }
}

fn url_in(json: &Value) -> Option<&str> {
    json.as_str().or_else(|| json.get("url")?.as_str())
}

/// What is no base64 stays an address: to say that it is wrong is up to whoever fetches it.
fn media_of(url: &str) -> Media {
    Media::from_url(url).unwrap_or_else(|_| Media::url(url))
}

fn audio(json: &Value) -> Option<Media> {
    let mime = match json.get("format")?.as_str()? {
        "mp3" => "audio/mpeg".to_owned(),
        format => format!("audio/{format}"),
    };
    Media::base64(json.get("data")?.as_str()?, Some(&mime)).ok()
}

fn document(json: &Value) -> Option<Document> {
    let text = |field: &str| json.get(field).and_then(Value::as_str);
    let media = match (text("file_id"), text("file_data")) {
        (Some(id), _) => Media::file_id(id),
        (None, Some(data)) => media_of(data),
        (None, None) => return None,
    };
    let title = text("filename").filter(|name| *name != unnamed(media.mime.as_deref())).map(str::to_owned);
    Some(Document { media, title })
}
