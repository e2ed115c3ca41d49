//! The parts of a message's content in OpenAI's dialects, both ways. Chat Completions says what a part is in a field
//! called as its type (`{"type": "file", "file": {…}}`), and those who speak it have added kinds of their own; Responses
//! says it beside the type (`{"type": "input_file", …}`).

use sabir_core::Feature;
use sabir_core::chat::{Content, Document, Media, Reasoning, Source, to_base64};
use serde_json::{Map, Value, json};

use crate::openai::put;
use crate::reasoning_details::text_of;
use crate::shared::{Losses, feature_of};

/// What a part of the content is, in Chat Completions (`is_nested`) or Responses; `None` for what has no word in the
/// vocabulary.
pub(crate) fn content_of(json: &Value, is_nested: bool) -> Option<Content> {
    let kind = json["type"].as_str()?;
    let inner = &json[kind];
    let text = |field: &str| json[field].as_str().map(str::to_owned);
    let media = || {
        let url = inner.as_str().or_else(|| inner["url"].as_str())?;
        // What is no base64 stays an address: to say that it is wrong is up to whoever fetches it.
        Some(Media::from_url(url).unwrap_or_else(|_| Media::url(url)))
    };
    Some(match (kind, is_nested) {
        ("text" | "output_text", _) | ("input_text", false) => Content::Text { text: text("text")? },
        ("refusal", _) => Content::Refusal { text: text("refusal")? },
        ("input_audio", _) => Content::Audio(read_sound(inner)?),
        ("image_url", true) => Content::Image(media()?),
        ("video_url", true) => Content::Video(media()?),
        ("file", true) => Content::Document(read_file(if inner.is_object() { inner } else { json })?),
        ("document_url", true) => Content::Document(Document { media: media()?, title: text("document_name") }),
        ("thinking", true) => {
            let text = match inner {
                Value::Array(pieces) => pieces.iter().map(text_of).collect(),
                _ => text("thinking")?,
            };
            Content::Reasoning(Reasoning { text, ..Reasoning::default() })
        }
        ("input_image", false) => Content::Image(match text("file_id") {
            Some(id) => Media::file_id(id),
            None => Media::from_url(&text("image_url")?).ok()?,
        }),
        ("input_file", false) => Content::Document(read_file(json)?),
        _ => return None,
    })
}

/// Writes a part as Chat Completions has it; `None`, and a loss, for what cannot be said there. `by_url`: documents go by
/// their address.
pub(crate) fn write_nested(content: &Content, by_url: bool, path: &str, losses: &mut Losses) -> Option<Value> {
    let at_url = |kind: &str, media: &Media| Some(json!({"type": kind, kind: {"url": media.to_url()?}}));
    let written = match content {
        Content::Text { text } => Ok(json!({"type": "text", "text": text})),
        Content::Image(media) => {
            at_url("image_url", media).ok_or((Feature::FileIds, "an image needs an address or its bytes here"))
        }
        Content::Video(media) => {
            at_url("video_url", media).ok_or((Feature::FileIds, "a video needs an address or its bytes here"))
        }
        Content::Audio(Media { source: Source::Bytes(bytes), mime }) => {
            let sound = json!({"data": to_base64(bytes), "format": format_of(mime.as_deref())});
            Ok(json!({"type": "input_audio", "input_audio": sound}))
        }
        Content::Audio(_) => Err((Feature::MediaUrls, "sound needs its bytes here")),
        Content::Document(Document { media, title }) if by_url => Ok(match &media.source {
            Source::FileId(id) => json!({"type": "file", "file_id": id}),
            _ => json!({"type": "document_url", "document_url": media.to_url(), "document_name": title}),
        }),
        // OpenAI takes a data: URL only; routers fetch others, and who does not says so.
        Content::Document(document) => Ok(json!({"type": "file", "file": write_file(document, false)})),
        other => Err((feature_of(other), "it has no place here in this dialect; left out")),
    };
    match written {
        Ok(json) => {
            losses.untold_type(path, content);
            Some(json)
        }
        Err((feature, note)) => {
            losses.lose(feature, path, note);
            None
        }
    }
}

/// Writes a part as Responses has it, what has no place there as text; `None`, and a loss, for what is no text either.
pub(crate) fn write_flat(content: &Content, path: &str, losses: &mut Losses) -> Option<Value> {
    let json = match content {
        Content::Image(Media { source: Source::FileId(id), .. }) => json!({"type": "input_image", "file_id": id}),
        Content::Image(media) => json!({"type": "input_image", "image_url": media.to_url()}),
        Content::Document(document) => {
            let mut file = Map::from_iter([("type".to_owned(), "input_file".into())]);
            file.extend(write_file(document, true));
            file.into()
        }
        content => json!({"type": "input_text", "text": losses.words(path.to_owned(), content)?}),
    };
    losses.untold_type(path, content);
    Some(json)
}

/// A single plain text of this type is a string, as every server knows it; anything else is a list.
pub(crate) fn plain(mut pieces: Vec<Value>, kind: &str) -> Value {
    match pieces.as_mut_slice() {
        [] => "".into(),
        [Value::Object(only)] if only.len() == 2 && only["type"] == kind => {
            only.get_mut("text").map(Value::take).unwrap_or_default()
        }
        _ => pieces.into(),
    }
}

/// Reads a file: one that the provider has, an address, or the file itself, as a `data:` URL or as base64 alone.
fn read_file(json: &Value) -> Option<Document> {
    let text = |field: &str| json.get(field)?.as_str().filter(|text| !text.is_empty());
    let media = match (text("file_id"), text("file_url"), text("file_data")) {
        (Some(id), ..) => Media::file_id(id),
        (None, Some(url), _) => Media::url(url),
        (None, None, Some(data)) if data.starts_with("data:") || data.contains("://") => Media::from_url(data).ok()?,
        (None, None, data) => Media::base64(data?, None).ok()?,
    };
    let title = text("filename").filter(|name| *name != unnamed(&media)).map(str::to_owned);
    Some(Document { media, title })
}

/// Writes a file. `takes_urls`: an address has a field of its own.
fn write_file(document: &Document, takes_urls: bool) -> Map<String, Value> {
    let (media, mut fields) = (&document.media, Map::new());
    let mut name = document.title.clone();
    match &media.source {
        Source::FileId(id) => put(&mut fields, "file_id", Some(id.as_str())),
        Source::Url(url) if takes_urls => put(&mut fields, "file_url", Some(url.as_str())),
        _ => {
            // Wanted beside file_data.
            put(&mut fields, "filename", Some(name.take().unwrap_or_else(|| unnamed(media))));
            put(&mut fields, "file_data", media.to_url());
        }
    }
    put(&mut fields, "filename", name);
    fields
}

/// The name of a file that has none.
fn unnamed(media: &Media) -> String {
    format!("document.{}", media.mime.as_deref().and_then(|mime| mime.split(['/', ';']).nth(1)).unwrap_or("pdf"))
}

/// Reads sound, `{data, format}`.
fn read_sound(json: &Value) -> Option<Media> {
    let mime = match json.get("format")?.as_str()? {
        "mp3" => "audio/mpeg".to_owned(),
        format => format!("audio/{format}"),
    };
    Media::base64(json.get("data")?.as_str()?, Some(&mime)).ok()
}

/// `wav` and `mp3` are OpenAI's; others go by their subtype.
fn format_of(mime: Option<&str>) -> &str {
    match mime.map(|m| m.strip_prefix("audio/").unwrap_or(m)) {
        None | Some("wav" | "x-wav" | "wave" | "vnd.wave") => "wav",
        Some("mpeg" | "mp3" | "mpeg3") => "mp3",
        Some(other) => other,
    }
}
