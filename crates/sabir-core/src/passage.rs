//! Bytes that go through as they came, where who asks and who answers speak one dialect and nobody between them changes
//! what is said.

use std::fmt;

use bytes::Bytes;
use http::HeaderMap;

use crate::chat::{ChatRequest, ChatResponse};
use crate::{Loss, Request};

/// A request as its client wrote it, beside what it was read as.
pub struct Passage {
    dialect: &'static str,
    headers: HeaderMap,
    body: Bytes,
    request: Request,
}

impl Passage {
    /// What a client wrote in a dialect, and what it says, for whoever is to answer it.
    pub fn new(dialect: &'static str, headers: HeaderMap, body: Bytes, request: Request) -> Self {
        Self { dialect, headers, body, request }
    }

    /// The client's headers, its key among them.
    pub fn headers(&self) -> &HeaderMap {
        &self.headers
    }

    /// The body, which names the model as the client does.
    pub fn body(&self) -> &Bytes {
        &self.body
    }

    /// What was asked, as the layers see it.
    pub fn request(&self) -> &Request {
        &self.request
    }

    /// Whether a request says what the body says, but for the model's name, in this dialect.
    pub fn says(&self, dialect: &str, request: &ChatRequest) -> bool {
        let Request::Chat(asked) = &self.request else { return false };
        // What is kept alive here cannot share its place with another.
        self.dialect == dialect && (std::ptr::eq(asked, request) || asked.is_but_for_the_model(request))
    }
}

/// Shows neither the prompt nor a key.
impl fmt::Debug for Passage {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Passage")
            .field("dialect", &self.dialect)
            .field("bytes", &self.body.len())
            .finish_non_exhaustive()
    }
}

/// The body of a whole answer, beside what it was read as.
#[derive(Clone, PartialEq)]
pub struct Passed {
    body: Bytes,
    /// Without what is known of the answer besides its body.
    says: ChatResponse,
    /// What was lost although the body goes on whole.
    losses: Vec<Loss>,
}

impl Passed {
    /// A body, and what it says.
    pub fn new(body: Bytes, says: &ChatResponse, losses: Vec<Loss>) -> Self {
        Self { body, says: says.clone(), losses }
    }

    /// The body, where an answer still says the same and is nobody else's, and what was lost of it.
    pub fn of(self, answer: &ChatResponse) -> Option<(Bytes, Vec<Loss>)> {
        let Self { body, says, losses } = self;
        let is_same = answer.parts == says.parts
            && answer.finish == says.finish
            && answer.usage == says.usage
            && answer.meta == says.meta
            && (&answer.id, &answer.model) == (&says.id, &says.model);
        (is_same && answer.cached.is_none_or(|cached| cached == crate::chat::Cached::Miss)).then_some((body, losses))
    }
}

/// Does not show what was answered.
impl fmt::Debug for Passed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Passed").field("bytes", &self.body.len()).finish_non_exhaustive()
    }
}
