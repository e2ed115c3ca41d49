//! Formats of media as bare words (`jpeg`, `docx`), and the MIME types that they are.

use std::borrow::Cow;

use sabir_core::chat::{Media, Source};

use crate::shared::image_mime;

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
    ("jpeg", "image/jpeg"),
    ("jpeg", "image/jpg"),
    ("mp3", "audio/mpeg"),
    ("mpeg", "audio/x-mpeg"),
    ("mkv", "audio/x-matroska"),
    ("wav", "audio/wav"),
    ("wav", "audio/wave"),
    ("mkv", "video/x-matroska"),
    ("mov", "video/quicktime"),
    ("flv", "video/x-flv"),
    ("wmv", "video/x-ms-wmv"),
    ("three_gp", "video/3gpp"),
];

/// The MIME type that a format is, of a medium of this kind: `image`, `audio`, `video` or `document`.
pub(crate) fn mime_of(kind: &str, format: &str) -> String {
    let known = TYPES.iter().find(|(name, mime)| *name == format && (mime.starts_with(kind) || kind == "document"));
    known.map_or_else(|| format!("{kind}/{format}"), |(_, mime)| (*mime).to_owned())
}

/// The format of a medium: by its type, else by how its bytes begin.
pub(crate) fn format_of<'m>(kind: &str, media: &'m Media) -> Option<Cow<'m, str>> {
    let mime = match (&media.mime, &media.source) {
        (Some(mime), _) => mime.split(';').next().unwrap_or_default().trim(),
        (None, Source::Bytes(bytes)) if kind == "image" => image_mime(bytes)?,
        (None, Source::Bytes(bytes)) if kind == "document" && bytes.starts_with(b"%PDF") => "application/pdf",
        _ => return None,
    };
    if let Some((format, _)) = TYPES.iter().find(|(_, known)| *known == mime) {
        return Some((*format).into());
    }
    match mime.split_once('/')? {
        // But for `x-aac`, which is a format of its own.
        (main, format) if main == kind => {
            Some(format.strip_prefix("x-").filter(|plain| *plain != "aac").unwrap_or(format).into())
        }
        ("text", _) if kind == "document" => Some("txt".into()),
        _ => None,
    }
}
