use std::io;
use std::sync::Arc;
use std::time::Duration;

use sabir_core::chat::{Cached, ChatResponse, Cost, CostBasis};
use sabir_core::drive::client::replay;
use sabir_core::embed::EmbedResponse;
use sabir_core::rerank::RerankResponse;
use sabir_core::{Answering, Reply, Request};

/// An answer that is kept.
#[derive(Clone, Debug)]
pub(super) enum Kept {
    Chat(Arc<ChatResponse>),
    Embed(Arc<EmbedResponse>),
    Rerank(Arc<RerankResponse>),
}

/// Nothing was billed for an answer that was here.
const FREE: Option<Cost> = Some(Cost { nano_usd: 0, basis: CostBasis::ListPrice });

impl Kept {
    /// What is kept of an answer: nothing of how it came.
    pub(super) fn chat(response: &ChatResponse) -> Self {
        let mut response = response.clone();
        (response.cost, response.receipt, response.cached, response.latency) = (FREE, None, None, None);
        response.passed = None;
        response.attempts.clear();
        response.rate_limits.clear();
        Self::Chat(Arc::new(response))
    }

    /// What is kept of a reply that is no conversation, if anything.
    pub(super) fn other(reply: &Reply) -> Option<Self> {
        match reply {
            Reply::Embed(response) => {
                let mut response = response.clone();
                response.cost = FREE;
                Some(Self::Embed(Arc::new(*response)))
            }
            Reply::Rerank(response) => {
                let mut response = response.clone();
                response.cost = FREE;
                Some(Self::Rerank(Arc::new(*response)))
            }
            _ => None,
        }
    }

    /// Whose answer it was.
    pub(super) fn answering(&self) -> Answering {
        let by = match self {
            Self::Chat(response) => Answering::of(&response.provider, &response.model),
            Self::Embed(response) => Answering::of(&response.provider, &response.model),
            Self::Rerank(response) => Answering::of(&response.provider, &response.model),
        };
        Answering { is_cached: true, ..by }
    }

    /// The answer to this request, in the form that it asks for.
    pub(super) fn reply(&self, request: &Request, age: Duration) -> Reply {
        match self {
            Self::Chat(response) => {
                let mut response = ChatResponse::clone(response);
                response.cached = Some(Cached::Hit { age });
                match request {
                    Request::Chat(chat) if chat.stream => Reply::Stream(replay(response)),
                    _ => Reply::Whole(Box::new(response)),
                }
            }
            Self::Embed(response) => Reply::Embed(Box::new(EmbedResponse::clone(response))),
            Self::Rerank(response) => Reply::Rerank(Box::new(RerankResponse::clone(response))),
        }
    }

    /// About how many bytes it takes: those of its JSON; of vectors and rankings, those of their numbers.
    pub(super) fn size(&self) -> usize {
        match self {
            Self::Chat(response) => {
                let mut length = Length(0);
                // A length cannot fail; what has no JSON counts as far as it came.
                let _ = serde_json::to_writer(&mut length, &**response);
                length.0.saturating_add(response.raw.as_deref().map_or(0, <[u8]>::len))
            }
            Self::Embed(response) => response.vectors.iter().map(|vector| vector.len() * 4 + 24).sum(),
            Self::Rerank(response) => response.ranking.len() * 16,
        }
    }
}

/// Counts what is written.
struct Length(usize);

impl io::Write for Length {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0 += bytes.len();
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}
