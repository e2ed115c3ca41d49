//! Media: formats are bare words here, MIME types in the vocabulary.

use sabir_core::Feature;
use sabir_core::chat::{Content, Document, Media, Meta, Part, Source, to_base64};

use super::NAME;
use crate::blocks::Place;
use crate::formats::{format_of, mime_of};
use crate::json::{Fields, List, Wrong};
use crate::shared::{Losses, feature_of};

/// How the names begin that documents get which have none: each must have one here.
pub(super) const MADE_NAME: &str = "document-";

/// Reads a medium's block; `None` for a source that has no word in the vocabulary.
pub(super) fn read(kind: &str, fields: &mut Fields<'_>) -> Result<Option<Part>, Wrong> {
    let mime = fields.text("format")?.map(|format| mime_of(kind, &format));
    let mut source = fields.object("source")?.ok_or_else(|| Wrong::new("source: is missing"))?;
    let mut meta = Meta::default();
    let media = if let Some(bytes) = source.text("bytes")? {
        Media::base64(&bytes, mime.as_deref()).map_err(|_| Wrong::new("source.bytes: is not base64"))?
    } else if let Some(mut place) = source.object("s3Location")? {
        if let Some(owner) = place.value("bucketOwner")? {
            meta.set(NAME, "bucketOwner", owner);
        }
        Media { source: Source::Url(place.need("uri")?.into_owned()), mime }
    } else if let Some(text) = source.string("text")? {
        meta.set_form(NAME, "source", "text".into());
        Media { source: Source::Bytes(text.into()), mime }
    } else {
        return Ok(None);
    };
    let mut title = fields.string("name")?;
    let is_made = |name: &mut String| name.strip_prefix(MADE_NAME).is_some_and(|n| n.parse::<usize>().is_ok());
    if let Some(name) = title.take_if(is_made) {
        meta.set_form(NAME, "name", name.into());
    }
    let mut part = Part::from(match kind {
        "image" => Content::Image(media),
        "audio" => Content::Audio(media),
        "video" => Content::Video(media),
        _ => Content::Document(Document { media, title }),
    });
    part.meta = meta;
    part.meta.merge(fields.left().meta(NAME)?);
    Ok(Some(part))
}

/// Writes a medium's block. What cannot be carried is left out, which is said.
pub(super) fn write(part: &Part, name: Option<&str>, place: Place, losses: &mut Losses, to: &mut List) {
    let (kind, media) = match &part.content {
        Content::Image(media) => ("image", media),
        Content::Audio(media) => ("audio", media),
        Content::Video(media) => ("video", media),
        Content::Document(document) => ("document", &document.media),
        _ => return,
    };
    let text = match &media.source {
        Source::Url(url) if !url.starts_with("s3://") => {
            return losses.lose(Feature::MediaUrls, place, "only bytes and s3:// addresses are taken; left out");
        }
        Source::FileId(_) => return losses.lose(Feature::FileIds, place, "another provider's file; left out"),
        Source::Bytes(bytes) if kind == "document" => std::str::from_utf8(bytes).ok(),
        _ => None,
    };
    let format = match format_of(kind, media) {
        None if kind == "document" && media.mime.is_none() => None,
        None if text.is_some() => {
            losses.lose(Feature::Documents, place, "sent as plain text");
            Some("txt".into())
        }
        None => {
            let note = "its MIME type is not known or not taken; left out";
            return losses.lose(feature_of(&part.content), place, note);
        }
        known => known,
    };
    super::block::member(to, kind, |block| {
        block.some("format", format).some("name", name);
        block.object("source", |source| {
            match (&media.source, text.filter(|_| part.meta.form(NAME, "source").is_some())) {
                (_, Some(text)) => source.field("text", text),
                (Source::Bytes(bytes), None) => source.field("bytes", &to_base64(bytes)),
                (Source::Url(url), None) => source.object("s3Location", |place| {
                    place.field("uri", url).some("bucketOwner", part.meta.get(NAME, "bucketOwner"));
                }),
                _ => source,
            };
        });
        block.meta(part.meta.of(NAME), &["format", "name", "source", "bucketOwner"]);
    });
}
