//! A tool, asked for by the model, run by us, and its result given back.
#![expect(clippy::print_stdout, reason = "an example shows its result")]

use sabir::ChatRequest;
use sabir::chat::{Message, Tool};
use serde_json::{Value, json};

#[tokio::main(flavor = "current_thread")]
async fn main() -> sabir::Result<()> {
    let client = sabir_examples::client()?;
    let schema = json!({ "type": "object", "properties": { "city": { "type": "string" } }, "required": ["city"] });
    let weather = Tool::function("weather", "The weather in a city", schema);

    let mut request = ChatRequest::default().user("What is the weather in Valletta?").tool(weather);
    let answer = client.chat(request.clone()).await?;
    request = request.message(answer.to_message());
    for call in answer.tool_calls() {
        let arguments: Value = call.parse()?;
        println!("the model asks for {} with {arguments}", call.name);
        request = request.message(Message::tool_result(&call.id, "24 °C, a light breeze from the west"));
    }
    println!("{}", client.chat(request).await?.text());
    Ok(())
}
