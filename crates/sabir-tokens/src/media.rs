//! Sound, moving pictures and files, as far as their bytes tell.

use sabir_core::chat::{Media, Source};

use crate::Count;

/// Whether a file is plain text, and so counts as text.
pub(crate) fn is_text(media: &Media) -> bool {
    media.mime.as_deref().is_some_and(|mime| mime.starts_with("text/") || mime == "application/json")
}

/// Sound. Gemini counts 32 tokens a second ("Understand and count tokens"), OpenAI 10 (its page on prices, input of
/// the audio models); a second has 1,000 bytes (speech, Opus) to 176,400 (CD).
pub(crate) fn audio(media: &Media) -> Count {
    match &media.source {
        Source::Bytes(bytes) => {
            let bytes = bytes.len() as u64;
            Count::estimate(bytes / 1000, bytes / 20_000, (bytes / 30).saturating_add(32))
        }
        _ => Count::estimate(1_000, 1, 100_000),
    }
}

/// Moving pictures. Gemini counts 263 tokens a second (same page), or 70 at low resolution; a second has 20,000 bytes to
/// some millions.
pub(crate) fn video(media: &Media) -> Count {
    match &media.source {
        Source::Bytes(bytes) => {
            let bytes = bytes.len() as u64;
            Count::estimate(bytes / 1000, bytes / 100_000, (bytes / 20).saturating_add(300))
        }
        _ => Count::estimate(10_000, 1, 1_000_000),
    }
}

/// A file that is no text. Gemini counts 258 tokens a page ("Document understanding"), from Gemini 3 on up to 560 ("Media
/// resolution"), Anthropic 1,500 to 3,000 for the
/// text of a page ("PDF support") and an image for its looks, OpenAI the text and an image.
pub(crate) fn document(media: &Media) -> Count {
    match &media.source {
        Source::Bytes(bytes) => {
            let pages = pages(bytes).max(1);
            // Where pages are packed they cannot be told apart: no page is smaller than 1,000 bytes.
            let most = pages.max(bytes.len() as u64 / 1000 + 1);
            Count::estimate(pages.saturating_mul(1_500), 10, most.saturating_mul(4_800))
        }
        _ => Count::estimate(5_000, 10, 500_000),
    }
}

/// The pages of a PDF, as far as it says so in the open (ISO 32000-1, 7.7.3.3: `/Type /Page`).
fn pages(file: &[u8]) -> u64 {
    let starts = file.windows(5).enumerate().filter(|(_, word)| *word == b"/Type").map(|(at, _)| &file[at + 5..]);
    let is_page = |after: &[u8]| {
        let name = after.strip_prefix(b" ").unwrap_or(after);
        name.starts_with(b"/Page") && !name.get(5).is_some_and(u8::is_ascii_alphabetic)
    };
    starts.filter(|after| is_page(after)).count() as u64
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pages_are_counted_and_hostile_files_are_only_bytes() {
        assert_eq!(pages(b"<</Type /Pages>> <</Type/Page /Parent>> <</Type /Page>>"), 2);
        assert_eq!(pages(&b"/Type".repeat(1000)), 0);
        let two = Media::bytes(&b"%PDF-1.4 <</Type/Page>> <</Type /Page>>"[..], "application/pdf");
        assert_eq!(document(&two).tokens, 3_000);
        for media in [Media::bytes(&b""[..], ""), Media::url("https://x.test"), Media::file_id("f")] {
            for count in [audio(&media), video(&media), document(&media)] {
                assert!(count.low <= count.tokens && count.tokens <= count.high);
            }
        }
    }
}
