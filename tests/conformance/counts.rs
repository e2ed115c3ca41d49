//! The formats of counts against the descriptions of their services. There are no recordings of them: what is held
//! against the descriptions are requests and answers of our own.

use sabir::count::{Count, CountRequest, CountResponse};
use sabir::{Endpoint, ErrorKind};
use serde_json::Value;

use crate::schemas::{Body, Schemas, Slot};

/// The format, and the bundle and operation that describe it.
const DESCRIBED: [(&str, &str, &str); 4] = [
    ("openai-count", "openai", "responses.input_tokens"),
    ("anthropic-count", "anthropic", "messages.count_tokens"),
    ("gemini-count", "gemini", "countTokens"),
    ("bedrock-count", "bedrock", "count-tokens"),
];

#[test]
fn counts_are_asked_for_and_answered_as_the_services_describe() {
    let slot = |(_, bundle, operation), body| Slot { bundle, operation, body };
    let bodies = [Body::Request, Body::Response];
    let schemas = Schemas::of(DESCRIBED.iter().flat_map(|row| bodies.map(|body| slot(*row, body))));
    for row in DESCRIBED {
        let mut formats = sabir::dialects::countings().iter().filter(|format| format.name() == row.0);
        let format = *formats.next().expect("it is built");
        let endpoint = Endpoint { base_url: "http://described.test/v1".into(), ..Endpoint::default() };
        let check = |body, bytes: &[u8]| {
            let value: Value = serde_json::from_slice(bytes).expect("JSON");
            schemas.check([slot(row, body)].into_iter(), &value).expect("it is described")
        };
        let mut refused = Vec::new();
        for (name, chat) in crate::asked::chats() {
            match format.encode(&CountRequest { chat }, &endpoint) {
                Ok(encoded) => refused.extend(check(Body::Request, &encoded.body).err().map(|why| (name, why))),
                Err(error) => assert_eq!(error.kind(), ErrorKind::Unsupported, "{} {name}: {error}", row.0),
            }
        }
        assert!(refused.is_empty(), "{}: {refused:#?}", row.0);
        let mut answer = CountResponse::default();
        answer.input = Count::exact(42);
        let body = format.respond(&answer, &CountRequest::default()).body;
        assert_eq!(check(Body::Response, &body), Ok(()), "{}", row.0);
        assert!(
            check(Body::Response, br#"{"input_tokens":"many","totalTokens":"many","inputTokens":"many"}"#).is_err()
        );
    }
}
