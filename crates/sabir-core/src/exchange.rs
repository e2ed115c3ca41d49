//! A wire format of one question and one answer, both ways: vectors, orders of documents, lists of models, counts of
//! tokens.
//! What [`Dialect`](crate::Dialect) is for conversations, without the streams.

use bytes::Bytes;
use http::StatusCode;

use crate::count::{CountRequest, CountResponse};
use crate::dialect::{Answer, Asked, Encoded, Responded};
use crate::embed::{EmbedRequest, EmbedResponse};
use crate::models::{ModelsRequest, ModelsResponse};
use crate::rerank::{RerankRequest, RerankResponse};
use crate::{Endpoint, Error, ErrorKind, Loss, Result};

/// One wire format of one question and one answer.
pub trait Exchange: std::fmt::Debug + Send + Sync + 'static {
    /// What is asked, in Sabir's words.
    type Request;
    /// What is answered, in Sabir's words.
    type Response;

    /// Its name: `openai-embeddings`, `cohere-rerank`. Also the namespace of its options.
    fn name(&self) -> &'static str;

    /// The quirks that a provider's row may name for it.
    fn quirks(&self) -> &'static [&'static str] {
        &[]
    }

    /// How the paths end at which clients ask for this (`/count_tokens`), the usual whole path first: a server that
    /// finds formats by their paths finds it by them, under any prefix.
    fn paths(&self) -> &'static [&'static str] {
        &[]
    }

    /// The dialect of the conversations that this is about, where it is about those: the same request in another dialect
    /// may come to another count.
    fn of_dialect(&self) -> Option<&'static str> {
        None
    }

    /// What is asked, as this format's HTTP request. The same request gives the same bytes.
    fn encode(&self, request: &Self::Request, endpoint: &Endpoint) -> Result<Encoded>;

    /// What was answered. A status that is no success is an error, read from the body.
    fn decode(&self, answer: Answer<'_>) -> Result<Self::Response>;

    /// What a client asks of us.
    fn accept(&self, asked: Asked<'_>) -> Result<Self::Request>;

    /// What we answer. `request` is what was asked.
    fn respond(&self, response: &Self::Response, request: &Self::Request) -> Responded;

    /// An error in this format's own shape.
    fn refuse(&self, error: &Error) -> (StatusCode, Bytes);
}

/// A wire format for vectors.
pub type Embedding = dyn Exchange<Request = EmbedRequest, Response = EmbedResponse>;
/// A wire format for orders of documents.
pub type Reranking = dyn Exchange<Request = RerankRequest, Response = RerankResponse>;
/// A wire format for lists of models.
pub type Listing = dyn Exchange<Request = ModelsRequest, Response = ModelsResponse>;
/// A wire format for counts of tokens.
pub type Counting = dyn Exchange<Request = CountRequest, Response = CountResponse>;

/// What an [`Exchange`] asks, as far as the drivers need to know it.
pub trait Question: Send + Sync + 'static {
    /// What answers it.
    type Answer: Send + 'static;

    /// The model asked for; empty where none is.
    fn model(&self) -> &str;

    /// Whether a loss is an error before anything is sent.
    fn strict(&self) -> bool {
        false
    }

    /// Whether an answer can be one to this question: as many vectors as inputs, no document that was not sent.
    ///
    /// # Errors
    /// `Decode` where it cannot.
    fn check(&self, answer: &Self::Answer) -> Result<()> {
        let _ = answer;
        Ok(())
    }

    /// Writes into an answer what is known of it besides its body.
    fn complete(&self, answer: &mut Self::Answer, provider: &str, request_id: Option<&str>, losses: Vec<Loss>);
}

impl Question for EmbedRequest {
    type Answer = EmbedResponse;

    fn model(&self) -> &str {
        &self.model
    }

    fn strict(&self) -> bool {
        self.strict
    }

    fn check(&self, answer: &EmbedResponse) -> Result<()> {
        let (asked, given) = (self.inputs.len(), answer.vectors.len());
        (asked == given)
            .then_some(())
            .ok_or_else(|| misfit(format!("{asked} inputs were sent and {given} vectors came back")))
    }

    fn complete(&self, answer: &mut EmbedResponse, provider: &str, request_id: Option<&str>, losses: Vec<Loss>) {
        provider.clone_into(&mut answer.provider);
        answer.request_id = answer.request_id.take().or_else(|| request_id.map(str::to_owned));
        answer.losses.splice(0..0, losses);
    }
}

impl Question for RerankRequest {
    type Answer = RerankResponse;

    fn model(&self) -> &str {
        &self.model
    }

    fn strict(&self) -> bool {
        self.strict
    }

    fn check(&self, answer: &RerankResponse) -> Result<()> {
        let sent = self.documents.len();
        let stranger = answer.ranking.iter().find(|r| r.index as usize >= sent);
        stranger.map_or(Ok(()), |r| {
            Err(misfit(format!("{sent} documents were sent and one numbered {} came back", r.index)))
        })
    }

    fn complete(&self, answer: &mut RerankResponse, provider: &str, request_id: Option<&str>, losses: Vec<Loss>) {
        provider.clone_into(&mut answer.provider);
        answer.request_id = answer.request_id.take().or_else(|| request_id.map(str::to_owned));
        answer.losses.splice(0..0, losses);
    }
}

impl Question for ModelsRequest {
    type Answer = ModelsResponse;

    fn model(&self) -> &str {
        self.model.as_deref().unwrap_or_default()
    }

    fn check(&self, answer: &ModelsResponse) -> Result<()> {
        match answer.models.len() {
            count if self.model.is_some() && count != 1 => {
                Err(misfit(format!("one model was asked for and {count} came back")))
            }
            _ => Ok(()),
        }
    }

    /// A service that is asked about one model need not say its name again.
    fn complete(&self, answer: &mut ModelsResponse, _: &str, _: Option<&str>, _: Vec<Loss>) {
        if let (Some(asked), [model]) = (&self.model, answer.models.as_mut_slice())
            && model.id.is_empty()
        {
            model.id.clone_from(asked);
        }
    }
}

impl Question for CountRequest {
    type Answer = CountResponse;

    fn model(&self) -> &str {
        &self.chat.model
    }

    fn strict(&self) -> bool {
        self.chat.strict
    }

    fn complete(&self, answer: &mut CountResponse, provider: &str, request_id: Option<&str>, losses: Vec<Loss>) {
        provider.clone_into(&mut answer.provider);
        answer.request_id = answer.request_id.take().or_else(|| request_id.map(str::to_owned));
        answer.losses.splice(0..0, losses);
    }
}

fn misfit(what: String) -> Error {
    Error::new(ErrorKind::Decode, what)
}
