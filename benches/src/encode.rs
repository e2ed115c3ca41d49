//! `bench-encode DIALECT`: a request with 100 messages and 50 tools, checked and written once. Prints its bytes; 0 where
//! the dialect holds no conversations.
#![expect(clippy::print_stdout, reason = "the caller reads the count")]

use sabir::chat::{Message, Part, Role, Tool};
use sabir::{ChatRequest, Dialect, Endpoint, ErrorKind, drive};
use serde_json::json;

fn main() {
    let name = std::env::args().nth(1).expect("DIALECT");
    let dialect = sabir::dialects::dialect(&name).unwrap_or_else(|| panic!("no dialect {name}"));
    let endpoint = Endpoint { base_url: "http://there".into(), ..Endpoint::default() };
    println!("{}", counted_encode(dialect, &request(), &endpoint));
}

/// What is counted: callgrind knows it by its name.
#[inline(never)]
fn counted_encode(dialect: &dyn Dialect, request: &ChatRequest, endpoint: &Endpoint) -> usize {
    match drive::encode(dialect, request, endpoint) {
        Ok(encoded) => encoded.body.len(),
        Err(error) if error.kind() == ErrorKind::Unsupported => 0,
        Err(error) => panic!("{error}"),
    }
}

/// Twenty-five rounds of a question, a call, its result and an answer, of about the length that agents have.
fn request() -> ChatRequest {
    let words = |n: usize| "Sea salt comes from rivers, which wash it out of the rocks over long times. ".repeat(n);
    let mut request = ChatRequest::new("m");
    for round in 0..25 {
        let id = format!("call_{round}");
        let call = Part::tool_call(&id, "tool_7", json!({"query": words(1), "limit": 10}).to_string());
        request = request.user(words(2)).message(Message::new(Role::Assistant, [Part::text("Let me see."), call]));
        request = request.message(Message::tool_result(&id, words(10))).message(Message::assistant(words(4)));
    }
    for n in 0..50 {
        let property = json!({"type": "string", "description": words(1)});
        let schema = json!({"type": "object", "properties": {"query": property, "limit": {"type": "integer"}},
            "required": ["query"]});
        request = request.tool(Tool::function(format!("tool_{n}"), words(2), schema));
    }
    request
}
