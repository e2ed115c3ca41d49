//! An answer by a JSON Schema.
#![expect(clippy::print_stdout, reason = "an example shows its result")]

use sabir::ChatRequest;
use sabir::chat::ResponseFormat;
use serde_json::{Value, json};

#[tokio::main(flavor = "current_thread")]
async fn main() -> sabir::Result<()> {
    let client = sabir_examples::client()?;
    let schema = json!({
        "type": "object",
        "properties": { "port": { "type": "string" }, "depth_m": { "type": "integer", "minimum": 1 } },
        "required": ["port", "depth_m"],
        "additionalProperties": false,
    });
    let format = ResponseFormat::JsonSchema { name: "port".into(), schema, description: None, strict: Some(true) };
    let answer = client.chat(ChatRequest::default().user("Describe a port.").response_format(format)).await?;
    let port: Value = serde_json::from_str(&answer.text()).expect("the simulator answers by the schema");
    println!("{} is {} m deep", port["port"], port["depth_m"]);
    Ok(())
}
