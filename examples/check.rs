//! A request that cannot be sent as it is: every fault at once, before anything is sent.
#![expect(clippy::print_stdout, reason = "an example shows its result")]

use sabir::chat::{Message, Tool, ToolChoice};
use sabir::{Abilities, ChatRequest, ModelTraits, check};
use serde_json::json;

fn main() {
    let mut request = ChatRequest::new("m").user("Hi").message(Message::tool_result("call_7", "24 °C"));
    request = request.tool(Tool::function("the weather", "The weather", json!({"type": "object"})));
    request.tool_choice = Some(ToolChoice::Named("wether".into()));
    match check::check(&request, &Abilities::default(), &ModelTraits::default()) {
        Ok(()) => println!("it can be sent"),
        Err(error) => error.faults().iter().for_each(|fault| println!("{fault}")),
    }
}
