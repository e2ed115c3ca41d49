//! Media: formats are bare words here, MIME types in the vocabulary.

use std::borrow::Cow;

use sabir_core::chat::{Content, Document, Media, Meta, Part, Source, to_base64};
use sabir_core::{Feature, Loss};
use serde_json::value::RawValue;

use super::NAME;
use super::wire::{Fields, Object, Wrong, value_of};

/// What kind a medium is: the block's name, the beginning of its MIME types, and what is lost without it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    Image,
    Audio,
    Video,
    Document,
}

impl Kind {
    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Image => "image",
            Self::Audio => "audio",
            Self::Video => "video",
            Self::Document => "document",
        }
    }

    pub(super) fn feature(self) -> Feature {
        match self {
            Self::Image => Feature::Images,
            Self::Audio => Feature::Audio,
            Self::Video => Feature::Video,
            Self::Document => Feature::Documents,
        }
    }
}

/// Formats whose MIME type is not the kind and the format. Of several types of one format, the first is given.
const TYPES: &[(&str, &str)] = &[
    ("pdf", "application/pdf"),
    ("csv", "text/csv"),
    ("doc", "application/msword"),
    ("docx", "application/vnd.openxmlformats-officedocument.wordprocessingml.document"),
    ("xls", "application/vnd.ms-excel"),
    ("xlsx", "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet"),
    ("html", "text/html"),
    ("txt", "text/plain"),
    ("md", "text/markdown"),
    ("jpeg", "image/jpg"),
    ("mp3", "audio/mpeg"),
    ("mp3", "audio/mp3"),
    ("mpeg", "audio/x-mpeg"),
    ("mkv", "audio/x-matroska"),
    ("wav", "audio/x-wav"),
    ("wav", "audio/wave"),
    ("m4a", "audio/x-m4a"),
    ("flac", "audio/x-flac"),
    ("mkv", "video/x-matroska"),
    ("mov", "video/quicktime"),
    ("flv", "video/x-flv"),
    ("wmv", "video/x-ms-wmv"),
    ("three_gp", "video/3gpp"),
];

/// Types that are read as the plain form and only ever met from elsewhere.
const ALIASES: &[&str] = &["image/jpg", "audio/x-wav", "audio/wave", "audio/x-m4a", "audio/x-flac", "audio/mp3"];

fn mime_of(kind: Kind, format: &str) -> String {
    let known = TYPES.iter().find(|(name, mime)| {
        let fits = mime.starts_with(kind.name()) || kind == Kind::Document && !is_medium(mime);
        *name == format && fits && !ALIASES.contains(mime)
    });
    known.map_or_else(|| format!("{}/{format}", kind.name()), |(_, mime)| (*mime).to_owned())
}

fn is_medium(mime: &str) -> bool {
    ["image/", "audio/", "video/"].iter().any(|kind| mime.starts_with(kind))
}

/// The format of a medium: by its type, else by how its bytes begin.
fn format_of(kind: Kind, media: &Media) -> Option<Cow<'_, str>> {
    let Some(mime) = media.mime.as_deref() else {
        let Source::Bytes(bytes) = &media.source else {
            return None;
        };
        let begins: &[(&[u8], &str)] = match kind {
            Kind::Image => &[(b"\x89PNG", "png"), (b"\xff\xd8\xff", "jpeg"), (b"GIF8", "gif"), (b"RIFF", "webp")],
            Kind::Document => &[(b"%PDF", "pdf")],
            _ => &[],
        };
        return begins.iter().find(|(start, _)| bytes.starts_with(start)).map(|(_, format)| (*format).into());
    };
    let mime = mime.split(';').next().unwrap_or_default().trim();
    if let Some((format, _)) = TYPES.iter().find(|(_, known)| *known == mime) {
        return Some((*format).into());
    }
    match mime.split_once('/')? {
        (main, format) if main == kind.name() => Some(format.into()),
        ("text", _) if kind == Kind::Document => Some("txt".into()),
        _ => None,
    }
}

/// Reads a medium's block; `None` for a source that has no word in the vocabulary.
pub(super) fn read(kind: Kind, json: &RawValue, strict: bool) -> Result<Option<Part>, Wrong> {
    let mut fields = Fields::read(json, strict)?;
    let mime = fields.text("format")?.map(|format| mime_of(kind, &format));
    let mut source = fields.object("source")?.ok_or_else(|| Wrong::new("source: is missing"))?;
    let mut meta = Meta::default();
    let media = if let Some(bytes) = source.text("bytes")? {
        Media::base64(&bytes, mime.as_deref()).map_err(|_| Wrong::new("source.bytes: is not base64"))?
    } else if let Some(mut place) = source.object("s3Location")? {
        let url = place.need("uri")?.into_owned();
        if let Some(owner) = place.take("bucketOwner") {
            meta.set(NAME, "bucketOwner", value_of(owner)?);
        }
        Media { source: Source::Url(url), mime }
    } else if let Some(text) = source.text("text")? {
        meta.set(NAME, "source", "text".into());
        Media { source: Source::Bytes(text.into_owned().into()), mime }
    } else {
        return Ok(None);
    };
    let mut part = Part::from(match kind {
        Kind::Image => Content::Image(media),
        Kind::Audio => Content::Audio(media),
        Kind::Video => Content::Video(media),
        Kind::Document => Content::Document(Document { media, title: fields.text("name")?.map(Into::into) }),
    });
    for (field, value) in fields.rest()? {
        meta.set(NAME, field, value);
    }
    part.meta = meta;
    Ok(Some(part))
}

/// Writes a medium's block. Of what cannot be carried nothing is written, and what is lost with it is returned; so it
/// is where the medium is carried as another type.
pub(super) fn write(kind: Kind, part: &Part, media: &Media, name: Option<&str>, to: &mut Vec<u8>) -> Option<Loss> {
    let refused = |feature: Feature, note: &str| Some(Loss::new(feature, String::new(), note));
    let meta = |field: &str| part.meta.get(NAME, field);
    match &media.source {
        Source::Url(url) if !url.starts_with("s3://") => {
            return refused(Feature::MediaUrls, "only bytes and s3:// addresses are taken; left out");
        }
        Source::FileId(_) => return refused(Feature::FileIds, "another provider's file; left out"),
        _ => {}
    }
    let mut format = format_of(kind, media);
    let mut loss = None;
    if format.is_none() && (kind != Kind::Document || media.mime.is_some()) {
        match &media.source {
            Source::Bytes(bytes) if kind == Kind::Document && std::str::from_utf8(bytes).is_ok() => {
                loss = refused(kind.feature(), "sent as plain text");
                format = Some("txt".into());
            }
            _ => return refused(kind.feature(), "its MIME type is not known or not taken; left out"),
        }
    }
    let mut block = Object::new(to);
    let mut body = Object::new(block.key(kind.name()));
    if let Some(format) = format {
        body.field("format", &*format);
    }
    if let Some(name) = name {
        body.field("name", name);
    }
    body.object("source", |source| write_source(source, media, meta("source").is_some(), meta("bucketOwner")));
    let own = ["format", "name", "source", "bucketOwner"];
    for (field, value) in part.meta.of(NAME).into_iter().flatten().filter(|(f, _)| !own.contains(&f.as_str())) {
        body.field(field, value);
    }
    body.end();
    block.end();
    loss
}

/// Writes where a medium is.
pub(super) fn write_source(to: &mut Object<'_>, media: &Media, as_text: bool, owner: Option<&serde_json::Value>) {
    match &media.source {
        Source::Bytes(bytes) => match std::str::from_utf8(bytes) {
            Ok(text) if as_text => to.field("text", text),
            _ => to.field("bytes", &to_base64(bytes)),
        },
        Source::Url(url) => to.object("s3Location", |place| {
            place.field("uri", url);
            if let Some(owner) = owner {
                place.field("bucketOwner", owner);
            }
        }),
        _ => to,
    };
}

/// The format of an image that is sent in pieces.
pub(super) fn image_format(media: &Media) -> Option<Cow<'_, str>> {
    format_of(Kind::Image, media)
}
