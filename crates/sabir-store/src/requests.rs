//! What a server was asked and how that ended, a row for each request.

use std::fmt::Debug;
use std::time::Duration;

/// Keeps rows about requests. Many threads write at once; who writes never waits.
pub trait RequestLog: Debug + Send + Sync + 'static {
    /// Keeps a row, soon. Where it cannot be, it is left out and counted.
    fn write(&self, row: RequestRow);

    /// How many rows were left out: there was no room for them in the queue, or none on the disk.
    fn left_out(&self) -> u64;
}

/// A request and how it ended. What is not known is `None` or empty.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct RequestRow {
    /// Its id, as the client was told it; the ledger has its attempts by the same.
    pub id: String,
    /// When it came: since 1970, UTC.
    pub time: Duration,
    /// The path that was asked, without its query.
    pub path: String,
    /// In which format it was asked: `openai-chat`.
    pub format: Option<String>,
    /// The name of the key that was shown.
    pub key: Option<String>,
    /// The team of that key.
    pub team: Option<String>,
    /// The model or route, as the client named it.
    pub route: Option<String>,
    /// Who answered; who was asked last, where nobody did.
    pub provider: Option<String>,
    /// The model that answered; the one that was asked, where none did.
    pub model: Option<String>,
    /// The HTTP status of the answer; `None` where the client was gone before there was one.
    pub status: Option<u16>,
    /// How many attempts it took.
    pub attempts: Option<u64>,
    /// Tokens of input.
    pub input_tokens: Option<u64>,
    /// Tokens of output.
    pub output_tokens: Option<u64>,
    /// What it cost, in nano-dollars.
    pub nano_usd: Option<u64>,
    /// Whether the answer came from the cache.
    pub cached: bool,
    /// The kind of error that it ended with.
    pub error: Option<String>,
    /// Whether the client went away before the end.
    pub left: bool,
    /// How long it was to the first byte of the answer.
    pub first_byte: Option<Duration>,
    /// How long it was to the end of the answer.
    pub took: Duration,
    /// The body of the request, where bodies are kept.
    pub request: Option<Vec<u8>>,
    /// The body of the answer as far as it went to the client, where bodies are kept.
    pub response: Option<Vec<u8>>,
}

impl RequestRow {
    /// About how many bytes of memory it takes.
    #[cfg(feature = "sqlite")]
    pub(crate) fn size(&self) -> usize {
        /// The row itself, and texts that are short.
        const HEAD: usize = 1_024;
        let bodies = [&self.request, &self.response].into_iter().flatten().map(Vec::len);
        bodies.fold(HEAD + self.path.len(), usize::saturating_add)
    }
}
