//! Width and height of an image, from the first bytes of its file.

/// Width and height in pixels of a PNG, GIF, JPEG or WebP; `None` for anything else, or where the header is cut.
pub(crate) fn dimensions(file: &[u8]) -> Option<(u32, u32)> {
    if file.starts_with(b"\x89PNG\r\n\x1a\n") {
        // PNG, 11.2.1: the first chunk is IHDR, its first two fields the size.
        return Some((be32(file, 16)?, be32(file, 20)?));
    }
    if file.starts_with(b"GIF8") {
        // GIF89a, 18: the logical screen.
        return Some((le16(file, 6)?, le16(file, 8)?));
    }
    if file.starts_with(b"\xff\xd8") {
        return jpeg(file);
    }
    if file.starts_with(b"RIFF") && file.get(8..12)? == b"WEBP" {
        return webp(file);
    }
    None
}

/// ITU T.81, B.2.2: the frame header, the first marker SOF.
fn jpeg(file: &[u8]) -> Option<(u32, u32)> {
    let mut at = 2;
    loop {
        if *file.get(at)? != 0xff {
            return None;
        }
        match *file.get(at + 1)? {
            0xff => at += 1,
            // Without a length.
            0x01 | 0xd0..=0xd8 => at += 2,
            // The picture itself, or its end: no frame came before it.
            0xd9 | 0xda => return None,
            // Tables between the frame markers.
            0xc4 | 0xc8 | 0xcc => at += 2 + skipped(file, at)?,
            0xc0..=0xcf => return Some((be16(file, at + 7)?, be16(file, at + 5)?)),
            _ => at += 2 + skipped(file, at)?,
        }
    }
}

/// The length of a segment, which includes its own two bytes.
fn skipped(file: &[u8], at: usize) -> Option<usize> {
    usize::try_from(be16(file, at + 2)?).ok().filter(|length| *length >= 2)
}

/// RFC 9649: the extended, the lossless and the simple form.
fn webp(file: &[u8]) -> Option<(u32, u32)> {
    match file.get(12..16)? {
        b"VP8X" => Some((1 + le24(file, 24)?, 1 + le24(file, 27)?)),
        b"VP8L" => {
            let bits = le16(file, 21)? | le16(file, 23)? << 16;
            Some((1 + (bits & 0x3fff), 1 + (bits >> 14 & 0x3fff)))
        }
        b"VP8 " => Some((le16(file, 26)? & 0x3fff, le16(file, 28)? & 0x3fff)),
        _ => None,
    }
}

fn be16(file: &[u8], at: usize) -> Option<u32> {
    Some(u16::from_be_bytes(file.get(at..at + 2)?.try_into().ok()?).into())
}

fn be32(file: &[u8], at: usize) -> Option<u32> {
    Some(u32::from_be_bytes(file.get(at..at + 4)?.try_into().ok()?))
}

fn le16(file: &[u8], at: usize) -> Option<u32> {
    Some(u16::from_le_bytes(file.get(at..at + 2)?.try_into().ok()?).into())
}

fn le24(file: &[u8], at: usize) -> Option<u32> {
    Some(le16(file, at)? | u32::from(*file.get(at + 2)?) << 16)
}

#[cfg(test)]
mod tests {
    use super::*;

    const PNG: &[u8] = b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR\0\0\x02\x80\0\0\x01\xe0";
    const GIF: &[u8] = b"GIF89a\x80\x02\xe0\x01";
    const JPEG: &[u8] = b"\xff\xd8\xff\xe0\0\x04AB\xff\xc4\0\x02\xff\xff\xc2\0\x11\x08\x01\xe0\x02\x80";
    const VP8X: &[u8] = b"RIFF\0\0\0\0WEBPVP8X\x0a\0\0\0\0\0\0\0\x7f\x02\0\xdf\x01\0";
    const VP8L: &[u8] = b"RIFF\0\0\0\0WEBPVP8L\0\0\0\0\x2f\x7f\xc2\x77\0";
    const VP8: &[u8] = b"RIFF\0\0\0\0WEBPVP8 \0\0\0\0\0\0\0\x9d\x01\x2a\x80\x02\xe0\x01";

    #[test]
    fn every_format_says_its_size() {
        for file in [PNG, GIF, JPEG, VP8X, VP8L, VP8] {
            assert_eq!(dimensions(file), Some((640, 480)), "{file:?}");
        }
    }

    #[test]
    fn a_cut_header_says_nothing_and_none_panics() {
        for file in [PNG, GIF, JPEG, VP8X, VP8L, VP8] {
            for end in 0..file.len() {
                assert_eq!(dimensions(&file[..end]), None, "{end} of {file:?}");
            }
            for at in 0..file.len() {
                for byte in [0, 0xff] {
                    let mut broken = file.to_vec();
                    broken[at] = byte;
                    let _ = dimensions(&broken);
                }
            }
        }
        let endless = [b"\xff\xd8".as_slice(), &[0xff; 10_000]].concat();
        assert_eq!(dimensions(&endless), None);
    }
}
