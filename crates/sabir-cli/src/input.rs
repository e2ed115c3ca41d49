//! What the command reads: prompts, files, standard input.

use std::io::{IsTerminal as _, Read as _};
use std::path::Path;

use sabir::chat::{Content, Document, Media, Part};

use crate::failure::Failure;

/// All of standard input.
pub(crate) fn stdin() -> Result<Vec<u8>, Failure> {
    let mut bytes = Vec::new();
    std::io::stdin().lock().read_to_end(&mut bytes).map_err(|e| Failure::io("cannot read standard input", &e))?;
    Ok(bytes)
}

/// Standard input as text, where it is a pipe or a file.
pub(crate) fn piped_text() -> Result<Option<String>, Failure> {
    if std::io::stdin().is_terminal() {
        return Ok(None);
    }
    let text = String::from_utf8(stdin()?)
        .map_err(|_| Failure::usage("standard input is not text; give images and other files with `-f FILE`"))?;
    Ok(Some(text).filter(|t| !t.trim().is_empty()))
}

/// A file as a part: an image, sound or PDF by its ending, else text under its name.
pub(crate) fn file(path: &Path) -> Result<Part, Failure> {
    let part = bare(path)?;
    Ok(match part.as_text() {
        Some(text) => Part::text(format!("{}:\n```\n{}\n```\n", name(path), text.trim_end())),
        None => part,
    })
}

/// The same, with text as it stands.
pub(crate) fn bare(path: &Path) -> Result<Part, Failure> {
    let bytes = std::fs::read(path).map_err(|e| Failure::usage(format!("cannot read {}: {e}", path.display())))?;
    let ending = path.extension().map(|e| e.to_string_lossy().to_lowercase()).unwrap_or_default();
    let content = match ending.as_str() {
        "png" => Content::Image(Media::bytes(bytes, "image/png")),
        "jpg" | "jpeg" => Content::Image(Media::bytes(bytes, "image/jpeg")),
        "gif" => Content::Image(Media::bytes(bytes, "image/gif")),
        "webp" => Content::Image(Media::bytes(bytes, "image/webp")),
        "wav" => Content::Audio(Media::bytes(bytes, "audio/wav")),
        "mp3" => Content::Audio(Media::bytes(bytes, "audio/mpeg")),
        "pdf" => Content::Document(Document { media: Media::bytes(bytes, "application/pdf"), title: Some(name(path)) }),
        _ => {
            let text = String::from_utf8(bytes).map_err(|_| {
                Failure::usage(format!("{} is neither text nor an image, sound or PDF that is known", path.display()))
            })?;
            return Ok(Part::text(text));
        }
    };
    Ok(content.into())
}

fn name(path: &Path) -> String {
    path.file_name().map_or_else(|| "file".to_owned(), |n| n.to_string_lossy().into_owned())
}
