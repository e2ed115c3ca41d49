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
    let text = String::from_utf8(stdin()?).map_err(|_| {
        Failure::usage("standard input is not text; give images and other files with `-a FILE`, or `-a -`")
    })?;
    Ok(Some(text).filter(|t| !t.trim().is_empty()))
}

/// What is sent along: a file, standard input (`-`), or what a provider fetches from a URL.
pub(crate) fn attached(file: &str) -> Result<Part, Failure> {
    if file == "-" {
        let name = "standard input";
        return Ok(match part(stdin()?, None).ok_or_else(|| Failure::usage(unknown(name)))? {
            Bare::Text(text) => Part::text(text),
            Bare::Medium(content) => content(name.to_owned()).into(),
        });
    }
    let has_scheme = |scheme: &str| file.get(..scheme.len()).is_some_and(|begin| begin.eq_ignore_ascii_case(scheme));
    if has_scheme("https://") || has_scheme("http://") || has_scheme("data:") {
        return url(file);
    }
    self::file(Path::new(file))
}

/// An image, sound or PDF at an address, by the ending of its path; an image, where that says nothing.
fn url(url: &str) -> Result<Part, Failure> {
    let mut media = Media::from_url(url).map_err(|error| Failure::usage(error.message().to_owned()))?;
    let path = url.split(['?', '#']).next().unwrap_or_default();
    let ending = path.rsplit_once('.').map_or("", |(_, ending)| ending).to_lowercase();
    if media.mime.is_none() {
        media.mime = kind_of_ending(&ending).map(str::to_owned);
    }
    Ok(match media.mime.as_deref() {
        Some("application/pdf") => Content::Document(Document { media, title: None }),
        Some(mime) if mime.starts_with("audio/") => Content::Audio(media),
        _ => Content::Image(media),
    }
    .into())
}

/// A file as a part: an image, sound or PDF by its content or its ending, else text under its name.
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
    match part(bytes, kind_of_ending(&ending)) {
        Some(Bare::Text(text)) => Ok(Part::text(text)),
        Some(Bare::Medium(content)) => Ok(content(name(path)).into()),
        None => Err(Failure::usage(unknown(&path.display().to_string()))),
    }
}

fn unknown(name: &str) -> String {
    format!("{name} is neither text nor an image, sound or PDF that is known")
}

/// What bytes are.
enum Bare {
    Text(String),
    /// Needs the name that it has.
    Medium(Box<dyn FnOnce(String) -> Content>),
}

/// What bytes are by how they begin, or else by what their name says; `None` where they are nothing that can be sent.
fn part(bytes: Vec<u8>, named: Option<&'static str>) -> Option<Bare> {
    let Some(mime) = kind_of_bytes(&bytes).or(named) else { return String::from_utf8(bytes).ok().map(Bare::Text) };
    let media = Media::bytes(bytes, mime);
    Some(Bare::Medium(Box::new(move |name| match mime.split('/').next() {
        Some("image") => Content::Image(media),
        Some("audio") => Content::Audio(media),
        _ => Content::Document(Document { media, title: Some(name) }),
    })))
}

fn kind_of_ending(ending: &str) -> Option<&'static str> {
    Some(match ending {
        "png" => "image/png",
        "jpg" | "jpeg" => "image/jpeg",
        "gif" => "image/gif",
        "webp" => "image/webp",
        "wav" => "audio/wav",
        "mp3" => "audio/mpeg",
        "pdf" => "application/pdf",
        _ => return None,
    })
}

/// By the bytes that a kind of file begins with: <https://mimesniff.spec.whatwg.org/#matching-a-mime-type-pattern>.
fn kind_of_bytes(bytes: &[u8]) -> Option<&'static str> {
    Some(match bytes {
        [0x89, b'P', b'N', b'G', b'\r', b'\n', 0x1a, b'\n', ..] => "image/png",
        [0xff, 0xd8, 0xff, ..] => "image/jpeg",
        [b'G', b'I', b'F', b'8', b'7' | b'9', b'a', ..] => "image/gif",
        [b'R', b'I', b'F', b'F', _, _, _, _, b'W', b'E', b'B', b'P', ..] => "image/webp",
        [b'R', b'I', b'F', b'F', _, _, _, _, b'W', b'A', b'V', b'E', ..] => "audio/wav",
        [b'I', b'D', b'3', ..] => "audio/mpeg",
        [b'%', b'P', b'D', b'F', b'-', ..] => "application/pdf",
        _ => return None,
    })
}

fn name(path: &Path) -> String {
    path.file_name().map_or_else(|| "file".to_owned(), |n| n.to_string_lossy().into_owned())
}
