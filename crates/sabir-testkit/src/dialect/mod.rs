//! The suite for dialects.

mod errors;
mod hostile;
mod requests;
mod stream;
mod whole;
mod wire;

pub(crate) use whole::equal;

use sabir_core::chat::ChatRequest;
use sabir_core::dialect::Asked;
use sabir_core::{Dialect, Endpoint};

use crate::player::{Player, endpoint};
use crate::{Answer, Report, answers};

/// Checks a dialect: every answer and request of the kit, both ways, whole and streamed, whole and cut.
pub fn check_dialect(dialect: &'static dyn Dialect) -> Report {
    DialectKit::new(dialect).run()
}

/// The suite for dialects, with its settings.
///
/// | check | what it asks |
/// |---|---|
/// | `contract` | the stream of an answer keeps the stream contract |
/// | `stream keeps`, `whole keeps` | what was answered is read back, but for the losses that were stated |
/// | `stream is whole` | the folded stream is the unary answer |
/// | `splits` | however the bytes are cut, the same events come |
/// | `truncation` | a part of the bytes is an error that carries what had arrived, or already the whole answer |
/// | `line ends` | CRLF, CR and comments change nothing (server-sent events) |
/// | `error midway` | an error inside a stream is that error, last |
/// | `refusal` | an error as an answer is that error |
/// | `request` | a request is accepted as it was meant, but for the losses that were stated |
/// | `same bytes` | the same request gives the same bytes, also once it was accepted where nothing was lost |
/// | `foreign` | what is another dialect's own is stated as a loss |
/// | `bounds` | a frame without an end is an error before it is all read |
/// | `damage` | damaged bytes never panic, and end in exactly one terminal |
/// | `no answer` | empty, HTML and odd JSON bodies are errors |
#[derive(Clone, Debug)]
pub struct DialectKit {
    dialect: &'static dyn Dialect,
    endpoint: Endpoint,
    known: Vec<[String; 3]>,
    mutations: usize,
    answers: Vec<Answer>,
}

impl DialectKit {
    /// The suite for a dialect.
    pub fn new(dialect: &'static dyn Dialect) -> Self {
        Self { dialect, endpoint: endpoint(), known: Vec::new(), mutations: 2000, answers: answers() }
    }

    /// Sets the endpoint that requests are encoded for: its quirks are tried.
    #[must_use]
    pub fn endpoint(mut self, endpoint: Endpoint) -> Self {
        self.endpoint = endpoint;
        self
    }

    /// Names a check that cannot hold on a case, and why. It must fail: a check that holds after all is a violation,
    /// so that the list stays true.
    #[must_use]
    pub fn known(mut self, check: &str, case: &str, reason: &str) -> Self {
        self.known.push([check.into(), case.into(), reason.into()]);
        self
    }

    /// Sets how many damaged copies are tried in all; 2,000 unless set.
    #[must_use]
    pub fn mutations(mut self, count: usize) -> Self {
        self.mutations = count;
        self
    }

    /// Sets the answers to try; [`answers`] unless set.
    #[must_use]
    pub fn answers(mut self, answers: Vec<Answer>) -> Self {
        self.answers = answers;
        self
    }

    /// Runs the suite.
    pub fn run(&self) -> Report {
        let mut report = Report::new(self.dialect.name());
        for [check, case, reason] in &self.known {
            report.know(check, case, reason);
        }
        for answer in &self.answers {
            stream::check(self, answer, &mut report);
        }
        errors::check(self, &mut report);
        requests::check(self, &mut report);
        hostile::check(self, &self.answers, &mut report);
        report
    }

    fn player(&self) -> Player {
        Player::with(self.dialect, self.endpoint.clone())
    }

    /// A request as the dialect's server would have it: encoded and accepted, so that what a client says on the wire
    /// (usage in streams, for one) is there.
    fn asked(&self, stream: bool) -> Result<ChatRequest, String> {
        let mut request = ChatRequest::new(crate::player::MODEL).user("Hello").max_tokens(100);
        request.stream = stream;
        self.round_trip(&request).map(|trip| trip.accepted)
    }

    fn round_trip(&self, request: &ChatRequest) -> Result<RoundTrip, String> {
        let encoded = self.dialect.encode(request, &self.endpoint).map_err(|e| format!("it cannot be encoded: {e}"))?;
        let asked = Asked {
            method: &encoded.method,
            path: encoded.uri.path_and_query().map_or("/", |path| path.as_str()),
            headers: &encoded.headers,
            body: &encoded.body,
        };
        let accepted = self.dialect.accept(asked).map_err(|e| format!("what was encoded is not accepted: {e}"))?;
        Ok(RoundTrip { encoded, accepted })
    }
}

struct RoundTrip {
    encoded: sabir_core::dialect::Encoded,
    accepted: ChatRequest,
}
