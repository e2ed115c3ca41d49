//! What an answer says of itself beside its body.

use std::fmt::Write as _;
use std::sync::Arc;
use std::time::SystemTime;

use http::header::{HeaderName, HeaderValue};
use http::{HeaderMap, Response};
use sabir::chat::ChatResponse;
use sabir::drive::{Answered, Losses};
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
    let answered = response.extensions_mut().remove::<Answered>();
    let losses = response.extensions_mut().remove::<Losses>();
    let headers = response.headers_mut();
    set(headers, REQUEST_ID, id);
    if let Some(Answered(answer)) = answered {
        tell_of(&answer, headers);
    }
    if let Some(Losses(losses)) = losses.filter(|losses| !losses.0.is_empty()) {
        set(headers, LOSSES, &listed(losses.iter().map(|loss| loss.path.as_str())));
    }
}

fn tell_of(answer: &ChatResponse, headers: &mut HeaderMap) {
    if !answer.provider.is_empty() {
        set(headers, PROVIDER, &answer.provider);
    }
    if !answer.model.is_empty() {
        set(headers, MODEL, &answer.model);
    }
    headers.insert(ATTEMPTS, (answer.attempts.len() + 1).into());
    if let Some(cost) = answer.cost {
        set(headers, COST, &dollars(cost.nano_usd));
    }
    if answer.cached.is_some() {
        headers.insert(CACHE, HeaderValue::from_static("hit"));
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
        let mut response = Response::new(whole(""));
        response.extensions_mut().insert(Answered(Box::new(answer)));
        let lost = vec![Loss::new(Feature::TopK, "top_k", "no word"), Loss::new(Feature::User, "usér", "no word")];
        response.extensions_mut().insert(Losses(lost));
        tell(&mut response, &request_id());
        let said = |name: &str| response.headers().get(name).map(|value| value.to_str().expect("text"));
        assert_eq!(said("x-sabir-provider"), Some("openai"));
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
