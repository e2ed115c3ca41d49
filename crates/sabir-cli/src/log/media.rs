//! Media in messages: taken out, so that each is kept once, and put back.

use bytes::Bytes;
use sabir::chat::{Content, Media, Message, Part, Source};

/// Takes the bytes of all media out of a message, in their order; they are empty in it from then on.
pub(super) fn take_out(message: &mut Message) -> Vec<Bytes> {
    let mut taken = Vec::new();
    each(&mut message.parts, &mut |bytes| taken.push(std::mem::take(bytes)));
    taken
}

/// Puts media back where [`take_out`] took them; `false` where there are not as many as places.
pub(super) fn put_back(message: &mut Message, media: Vec<Bytes>) -> bool {
    let mut media = media.into_iter();
    let mut is_whole = true;
    each(&mut message.parts, &mut |place| match media.next() {
        Some(bytes) => *place = bytes,
        None => is_whole = false,
    });
    is_whole && media.next().is_none()
}

fn each(parts: &mut [Part], with: &mut impl FnMut(&mut Bytes)) {
    for part in parts {
        match &mut part.content {
            Content::Image(media) | Content::Audio(media) | Content::Video(media) => own(media, with),
            Content::Document(document) => own(&mut document.media, with),
            Content::ToolResult(result) => each(&mut result.parts, with),
            _ => {}
        }
    }
}

fn own(media: &mut Media, with: &mut impl FnMut(&mut Bytes)) {
    if let Source::Bytes(bytes) = &mut media.source {
        with(bytes);
    }
}
