//! What a file is, where nobody says it: by the ending of its address, or by its first bytes.

/// The MIME type that an address tells by its ending; `None` for what is no address, or has another ending.
pub(crate) fn mime_of(uri: &str) -> Option<&'static str> {
    let path = uri.split(['?', '#']).next().filter(|path| path.contains("://"))?;
    let (_, ending) = path.rsplit_once('/')?.1.rsplit_once('.')?;
    let (_, mime) = ENDINGS.iter().find(|(known, _)| ending.eq_ignore_ascii_case(known))?;
    Some(mime)
}

const ENDINGS: &[(&str, &str)] = &[
    ("png", "image/png"),
    ("jpg", "image/jpeg"),
    ("jpeg", "image/jpeg"),
    ("webp", "image/webp"),
    ("gif", "image/gif"),
    ("heic", "image/heic"),
    ("wav", "audio/wav"),
    ("mp3", "audio/mpeg"),
    ("ogg", "audio/ogg"),
    ("flac", "audio/flac"),
    ("m4a", "audio/mp4"),
    ("mp4", "video/mp4"),
    ("webm", "video/webm"),
    ("mov", "video/quicktime"),
    ("pdf", "application/pdf"),
    ("txt", "text/plain"),
    ("html", "text/html"),
    ("htm", "text/html"),
    ("csv", "text/csv"),
    ("md", "text/markdown"),
];

/// What an image is, by its first bytes.
pub(crate) fn image_mime(bytes: &[u8]) -> Option<&'static str> {
    match bytes {
        [0x89, b'P', b'N', b'G', ..] => Some("image/png"),
        [0xff, 0xd8, 0xff, ..] => Some("image/jpeg"),
        [b'G', b'I', b'F', b'8', ..] => Some("image/gif"),
        [b'R', b'I', b'F', b'F', _, _, _, _, b'W', b'E', b'B', b'P', ..] => Some("image/webp"),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn files_are_known_by_their_ends_and_beginnings() {
        assert_eq!(mime_of("https://sea.test/tide.PDF?at=noon"), Some("application/pdf"));
        assert_eq!(mime_of("https://sea.test/v1.5/tide"), None, "the dot is another segment's");
        assert_eq!(mime_of("files/tide.png"), None, "a name is no address");
        assert_eq!(image_mime(b"GIF89a"), Some("image/gif"));
        assert_eq!(image_mime(b"%PDF"), None);
    }
}
