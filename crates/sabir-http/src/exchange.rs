//! One recorded exchange: a line of JSON.
//!
//! ```json
//! {"request":{"method":"POST","url":"https://…","headers":[["name","value"]],"body":{"text":"…"}},
//!  "response":{"status":200,"headers":[["name","value"]],"chunks":[{"ms":12,"text":"…"}],"complete":true}}
//! ```
//!
//! Bytes that are UTF-8 stand under `text`, others under `base64`. `ms` counts from the request.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde::{Deserialize, Serialize};

#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct Exchange {
    pub(crate) request: Request,
    pub(crate) response: Response,
}

#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct Request {
    pub(crate) method: String,
    pub(crate) url: String,
    #[serde(default)]
    pub(crate) headers: Vec<(String, String)>,
    pub(crate) body: Blob,
}

#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct Response {
    pub(crate) status: u16,
    #[serde(default)]
    pub(crate) headers: Vec<(String, String)>,
    pub(crate) chunks: Vec<Chunk>,
    /// False when the body broke or was dropped before its end.
    pub(crate) complete: bool,
}

#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct Chunk {
    /// Milliseconds since the request was sent; informative.
    #[serde(default)]
    pub(crate) ms: u64,
    #[serde(flatten)]
    pub(crate) data: Blob,
}

#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Blob {
    Text(String),
    Base64(String),
}

impl Blob {
    pub(crate) fn new(bytes: &[u8]) -> Self {
        match std::str::from_utf8(bytes) {
            Ok(text) => Self::Text(text.to_owned()),
            Err(_) => Self::Base64(STANDARD.encode(bytes)),
        }
    }

    /// The bytes; `Err` where the base64 is damaged.
    pub(crate) fn bytes(self) -> Result<Vec<u8>, String> {
        match self {
            Self::Text(text) => Ok(text.into_bytes()),
            Self::Base64(text) => STANDARD.decode(text).map_err(|e| e.to_string()),
        }
    }
}
