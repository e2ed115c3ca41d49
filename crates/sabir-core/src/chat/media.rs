use base64::Engine as _;
use base64::alphabet;
use base64::engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig};
use bytes::Bytes;
use serde::{Deserialize, Serialize};

use crate::{Error, ErrorKind, Result};

/// An image, sound, video or file: where it is, and what it is.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Media {
    /// Where it is.
    pub source: Source,
    /// MIME type (`image/png`); `None` where only the provider knows it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub mime: Option<String>,
}

/// Where a medium is.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum Source {
    /// At an address that the provider fetches.
    Url(String),
    /// Here. Written as base64 in JSON.
    Bytes(#[serde(with = "as_base64")] Bytes),
    /// With the provider, under its own id.
    FileId(String),
}

impl Media {
    /// A medium at an address.
    pub fn url(url: impl Into<String>) -> Self {
        Self { source: Source::Url(url.into()), mime: None }
    }

    /// A medium that is here.
    pub fn bytes(bytes: impl Into<Bytes>, mime: impl Into<String>) -> Self {
        Self { source: Source::Bytes(bytes.into()), mime: Some(mime.into()) }
    }

    /// A file that the provider holds.
    pub fn file_id(id: impl Into<String>) -> Self {
        Self { source: Source::FileId(id.into()), mime: None }
    }

    /// A medium from base64 text, as wire formats carry it. Padding and the URL-safe alphabet are accepted.
    pub fn base64(text: &str, mime: Option<&str>) -> Result<Self> {
        Ok(Self { source: Source::Bytes(from_base64(text)?), mime: mime.map(str::to_owned) })
    }

    /// A medium from a URL in which the medium itself may be contained (`data:image/png;base64,…`, RFC 2397).
    pub fn from_url(url: &str) -> Result<Self> {
        let Some(data) = url.strip_prefix("data:") else {
            return Ok(Self::url(url));
        };
        let (head, body) = data.split_once(',').ok_or_else(|| invalid("a data: URL has no comma"))?;
        match head.strip_suffix(";base64") {
            Some(mime) => Self::base64(body, Some(mime).filter(|m| !m.is_empty())),
            None => {
                Ok(Self { source: Source::Url(url.to_owned()), mime: Some(head.to_owned()).filter(|m| !m.is_empty()) })
            }
        }
    }

    /// The medium as a URL: its own, or a `data:` URL that contains it. `None` for a provider's file.
    pub fn to_url(&self) -> Option<String> {
        match &self.source {
            Source::Url(url) => Some(url.clone()),
            Source::Bytes(bytes) => {
                let mime = self.mime.as_deref().unwrap_or("application/octet-stream");
                Some(format!("data:{mime};base64,{}", to_base64(bytes)))
            }
            Source::FileId(_) => None,
        }
    }
}

const TOLERANT: GeneralPurposeConfig = GeneralPurposeConfig::new()
    .with_decode_padding_mode(DecodePaddingMode::Indifferent)
    .with_decode_allow_trailing_bits(true);
const STANDARD: GeneralPurpose = GeneralPurpose::new(&alphabet::STANDARD, TOLERANT);
const URL_SAFE: GeneralPurpose = GeneralPurpose::new(&alphabet::URL_SAFE, TOLERANT);

/// Bytes as base64 text (RFC 4648 §4, padded).
pub fn to_base64(bytes: &[u8]) -> String {
    STANDARD.encode(bytes)
}

/// Bytes from base64 text of either alphabet, padded or not; white space is skipped.
pub fn from_base64(text: &str) -> Result<Bytes> {
    let decoded = if text.contains(['-', '_']) {
        URL_SAFE.decode(text)
    } else if text.contains(|c: char| c.is_ascii_whitespace()) {
        STANDARD.decode(text.split_ascii_whitespace().collect::<String>())
    } else {
        STANDARD.decode(text)
    };
    decoded.map(Bytes::from).map_err(|e| invalid(&format!("media is not base64: {e}")))
}

fn invalid(message: &str) -> Error {
    Error::new(ErrorKind::InvalidRequest, message)
}

mod as_base64 {
    use bytes::Bytes;
    use serde::{Deserialize, Deserializer, Serializer};

    pub(super) fn serialize<S: Serializer>(bytes: &Bytes, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&super::to_base64(bytes))
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Bytes, D::Error> {
        let text = <std::borrow::Cow<'de, str>>::deserialize(deserializer)?;
        super::from_base64(&text).map_err(serde::de::Error::custom)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn data_urls_open_and_close() {
        let media = Media::from_url("data:image/png;base64,iVBORw0=").expect("valid");
        assert_eq!(media, Media::bytes(&b"\x89PNG\r"[..], "image/png"));
        assert_eq!(media.to_url().expect("bytes"), "data:image/png;base64,iVBORw0=");
        assert_eq!(Media::from_url("https://x.test/a.png").expect("valid"), Media::url("https://x.test/a.png"));
        assert!(Media::from_url("data:image/png;base64").is_err());
        assert!(Media::from_url("data:image/png;base64,***").is_err());
        assert_eq!(from_base64("a-_ ").ok(), None);
        assert_eq!(from_base64("aGk").expect("unpadded"), "hi");
        assert_eq!(from_base64("aG\nk=").expect("wrapped"), "hi");
    }
}
