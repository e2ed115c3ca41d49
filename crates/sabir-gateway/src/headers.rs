//! What an answer says of itself beside its body.

use std::fmt::Write as _;
use std::sync::Arc;
use std::time::SystemTime;

use http::header::{HeaderName, HeaderValue};
use http::{HeaderMap, Response};
use sabir::chat::{Cached, ChatResponse};
use sabir::drive::{Answered, Begun, Losses};
use sabir::transport::Body;

const REQUEST_ID: HeaderName = HeaderName::from_static("x-sabir-request-id");
const PROVIDER: HeaderName = HeaderName::from_static("x-sabir-provider");
const MODEL: HeaderName = HeaderName::from_static("x-sabir-model");
const ATTEMPTS: HeaderName = HeaderName::from_static("x-sabir-attempts");
const COST: HeaderName = HeaderName::from_static("x-sabir-cost");
const CACHE: HeaderName = HeaderName::from_static("x-sabir-cache");
const LOSSES: HeaderName = HeaderName::from_static("x-sabir-losses");

/// The longest list of losses in a header, in bytes: servers in between take 8 KiB for all headers together.
const LONGEST: usize = 1_024;

/// Writes the headers.
pub(crate) fn tell(response: &mut Response<Body>, id: &str) {
    let extensions = response.extensions_mut();
    let (answered, losses) = (extensions.remove::<Answered>(), extensions.remove::<Losses>());
    let begun = if answered.is_none() { extensions.remove::<Begun>() } else { None };
    let headers = response.headers_mut();
    set(headers, REQUEST_ID, id);
    if let Some(Answered(answer)) = answered {
        of_whole(&answer).tell(headers);
    } else if let Some(begun) = begun {
        of_begun(&begun).tell(headers);
    }
    if let Some(Losses(losses)) = losses.filter(|losses| !losses.0.is_empty()) {
        set(headers, LOSSES, &listed(losses.iter().map(|loss| loss.path.as_str())));
    }
}

/// What is known of an answer.
struct Known<'a> {
    provider: &'a str,
    model: &'a str,
    attempts: usize,
    nano_usd: Option<u64>,
    is_cached: bool,
}

fn of_whole(answer: &ChatResponse) -> Known<'_> {
    Known {
        provider: &answer.provider,
        model: &answer.model,
        attempts: answer.attempts.len() + 1,
        nano_usd: answer.cost.map(|cost| cost.nano_usd),
        is_cached: matches!(answer.cached, Some(Cached::Hit { .. })),
    }
}

fn of_begun(Begun { by, attempts, cost, .. }: &Begun) -> Known<'_> {
    Known {
        provider: &by.provider,
        model: &by.model,
        attempts: usize::try_from(*attempts).unwrap_or(usize::MAX),
        // Nothing is billed for what was here.
        nano_usd: cost.map(|cost| cost.nano_usd).or(by.is_cached.then_some(0)),
        is_cached: by.is_cached,
    }
}

impl Known<'_> {
    fn tell(&self, headers: &mut HeaderMap) {
        for (name, text) in [(PROVIDER, self.provider), (MODEL, self.model)] {
            if !text.is_empty() {
                set(headers, name, text);
            }
        }
        headers.insert(ATTEMPTS, self.attempts.into());
        if let Some(nano) = self.nano_usd {
            set(headers, COST, &dollars(nano));
        }
        if self.is_cached {
            headers.insert(CACHE, HeaderValue::from_static("hit"));
        }
    }
}

/// What a header cannot carry is left out of it.
fn set(headers: &mut HeaderMap, name: HeaderName, text: &str) {
    if let Ok(value) = HeaderValue::from_str(text) {
        headers.insert(name, value);
    }
}

/// Nano-dollars as dollars, exactly: `0.000000250`.
fn dollars(nano: u64) -> String {
    format!("{}.{:09}", nano / 1_000_000_000, nano % 1_000_000_000)
}

/// Names with commas between them; where there are too many, how many more there are.
fn listed<'a>(names: impl ExactSizeIterator<Item = &'a str>) -> String {
    let all = names.len();
    let mut list = String::new();
    for (at, name) in names.enumerate() {
        let name: String = name.chars().map(|c| if c.is_ascii_graphic() { c } else { '?' }).collect();
        if list.len() + name.len() + 2 > LONGEST {
            let _ = write!(list, "{}and {} more", if at > 0 { ", " } else { "" }, all - at);
            break;
        }
        list.push_str(if at > 0 { ", " } else { "" });
        list.push_str(&name);
    }
    list
}

/// An id for a request: another for each, also of other processes. It is the call's in the ledger.
pub(crate) fn request_id() -> Arc<str> {
    sabir::call_id(SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default())
}

#[cfg(test)]
mod tests {
    use sabir::transport::whole;
    use sabir::{Feature, Loss};

    use super::*;

    #[test]
    fn an_answer_tells_of_itself() {
        let mut answer = ChatResponse::default();
        answer.provider = "openai".into();
        answer.model = "gpt\n6".into();
        answer.cost = sabir::chat::Cost::reported("0.00000025");
        answer.cached = Some(Cached::Miss);
        let mut response = Response::new(whole(""));
        response.extensions_mut().insert(Answered(Box::new(answer)));
        let lost = vec![Loss::new(Feature::TopK, "top_k", "no word"), Loss::new(Feature::User, "usér", "no word")];
        response.extensions_mut().insert(Losses(lost));
        tell(&mut response, &request_id());
        let said = |name: &str| response.headers().get(name).map(|value| value.to_str().expect("text"));
        assert_eq!(said("x-sabir-provider"), Some("openai"));
        assert_eq!(said("x-sabir-cache"), None, "what was not there is no hit");
        assert_eq!(said("x-sabir-model"), None, "a line break would be another header");
        assert_eq!(said("x-sabir-cost"), Some("0.000000250"));
        assert_eq!(said("x-sabir-attempts"), Some("1"));
        assert_eq!(said("x-sabir-losses"), Some("top_k, us?r"));
        assert!(said("x-sabir-request-id").is_some_and(|id| id.len() == 32));
    }

    #[test]
    fn a_long_list_is_cut_and_says_so() {
        let names = vec!["messages[0].parts[0].meta"; 100];
        let list = listed(names.into_iter());
        assert!(list.len() <= LONGEST + 20 && list.ends_with("more"), "{list}");
    }

    #[test]
    fn requests_are_told_apart() {
        assert_ne!(request_id(), request_id());
    }
}
