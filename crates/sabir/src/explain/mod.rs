//! What a call would be, without making it.
//!
//! ```
//! # async fn example() -> sabir::Result<()> {
//! let client = sabir::Client::new("openai/gpt-6-luna")?;
//! let explained = client.explain("Why is the sea salt?").await?;
//! let first = &explained.candidates[0];
//! println!("{} {}", first.name(), first.input.tokens);
//! # Ok(()) }
//! ```

mod cached;
mod wire;

use sabir_core::chat::{ChatRequest, Receipt, Usage};
use sabir_core::count::Count;
use sabir_core::service::Request;
use sabir_core::{Error, Foreseen, Result, Verdict};
use sabir_prices::{Options, Prices};

pub use self::cached::CachedPrefix;
pub use self::wire::WireRequest;
use crate::Client;
use crate::registry::Registered;

/// A call that was looked at and not made; see [`Client::explain`].
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Explained {
    /// The model as it was asked for.
    pub asked: String,
    /// The route that it names, where it names one.
    pub route: Option<String>,
    /// Who would be asked, in order: the first, and those after it only where it fails.
    pub candidates: Vec<Candidate>,
}

/// One provider and model that would be asked.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Candidate {
    /// The provider's id.
    pub provider: String,
    /// The model's name there.
    pub model: String,
    /// The dialect in which it would be asked; `None` for a service of the program's own.
    pub dialect: Option<&'static str>,
    /// What the key is called, where it is one of several.
    pub key: Option<String>,
    /// The request as the layers would have made it.
    pub request: ChatRequest,
    /// The request in the provider's dialect; `None` for a service of the program's own.
    pub wire: Option<WireRequest>,
    /// Why it cannot be asked, before any layer was: faults of the request, no base URL.
    pub fault: Option<Error>,
    /// What the layers say that may refuse it.
    pub verdicts: Vec<Verdict>,
    /// How many tokens the request is, counted here.
    pub input: Count,
    /// The most that it may write: as asked, else as the model is known to; `None` where nothing is known.
    pub max_output: Option<u64>,
    /// What is marked for the provider's prompt cache; `None` where nothing is.
    pub cached: Option<CachedPrefix>,
}

impl Candidate {
    /// As requests write it: `provider/model`.
    pub fn name(&self) -> String {
        format!("{}/{}", self.provider, self.model)
    }

    /// Whether it would be asked, as far as is known here.
    pub fn is_admitted(&self) -> bool {
        self.fault.is_none() && self.verdicts.iter().all(|verdict| verdict.refused.is_none())
    }

    /// The least and the most that it may cost by these prices: no answer to the fewest tokens of input, and the longest
    /// one to the most. The second is `None` where it is not known how long that is. The prices of caches are left out.
    pub fn cost(&self, prices: &Prices) -> (Receipt, Option<Receipt>) {
        let provider = self.provider.split_once(':').map_or(&*self.provider, |(id, _)| id);
        let receipt = |input, output| {
            let mut usage = Usage::default();
            (usage.input, usage.output) = (Some(input), Some(output));
            prices.receipt(provider, &self.model, &usage, &Options::default())
        };
        (receipt(self.input.low, 0), self.max_output.map(|output| receipt(self.input.high, output)))
    }
}

impl Client {
    /// What a call would be: who would be asked in which order, the bytes that would be sent, what they leave out, how
    /// many tokens they are, and whether limits and budgets would let it through now. Nothing is sent, counted or spent,
    /// and no key is fetched.
    ///
    /// # Errors
    /// `Configuration` where the model cannot be placed. What is wrong with one candidate stands at that one.
    pub async fn explain(&self, request: impl Into<ChatRequest>) -> Result<Explained> {
        let chat = request.into();
        let asked = chat.model.clone();
        let (mut call, mut request) = (self.begin(), Request::Chat(chat));
        self.settle(&mut call, &mut request)?;
        let mut attempts = vec![Foreseen::new(call, request)];
        for layer in self.layers().iter().rev() {
            attempts = layer.foresee(attempts).await;
        }
        let route = attempts.first().and_then(|attempt| attempt.route.clone());
        let candidates = attempts.into_iter().filter_map(|attempt| self.candidate(attempt)).collect();
        Ok(Explained { asked, route, candidates })
    }

    fn candidate(&self, attempt: Foreseen) -> Option<Candidate> {
        let Foreseen { call, request: Request::Chat(request), verdicts, .. } = attempt else { return None };
        let (provider, model) = (call.place().into_owned(), request.model.clone());
        let named = ChatRequest { model: format!("{provider}/{model}"), ..request.clone() };
        // Where it cannot be placed there is a fault to tell of, and a count says nothing.
        let input = self.count_tokens_locally(named).map(|counted| counted.input).unwrap_or_default();
        let mut candidate = Candidate {
            max_output: request.max_tokens.or_else(|| self.longest(&provider, &model)),
            cached: CachedPrefix::of(&request, |prefix| {
                let prefix = ChatRequest { model: format!("{provider}/{model}"), ..prefix };
                self.count_tokens_locally(prefix).map(|counted| counted.input).unwrap_or_default()
            }),
            key: call.key.as_ref().map(|key| key.name.clone()),
            dialect: None,
            wire: None,
            fault: None,
            provider,
            model,
            request,
            verdicts,
            input,
        };
        match self.registry().find(&candidate.provider) {
            Ok(Registered::Provider(provider)) => {
                candidate.dialect = provider.dialect().map(sabir_core::Dialect::name);
                match WireRequest::of(&provider, self.env(), call.key.is_some(), &candidate.request) {
                    Ok(wire) => candidate.wire = Some(wire),
                    Err(error) => candidate.fault = Some(error),
                }
            }
            Ok(Registered::Service(_)) => {}
            Err(error) => candidate.fault = Some(error),
        }
        Some(candidate)
    }

    fn longest(&self, provider: &str, model: &str) -> Option<u64> {
        sabir_dialects::catalog::traits(self.registry().own_id(provider), model).max_output
    }
}
