//! A request of one dialect, made into another's; what cannot be carried is said.
#![expect(clippy::print_stdout, reason = "an example shows its result")]

use sabir::dialect::Asked;
use sabir::{Client, Endpoint, dialects, drive};

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let body = br#"{"model": "m", "max_completion_tokens": 200, "seed": 7, "logit_bias": {"50256": -100},
        "messages": [{"role": "system", "content": "Be brief."}, {"role": "user", "content": "Why is the sea salt?"}]}"#;
    let openai = dialects::dialect("openai-chat").expect("it is built in");
    let anthropic = dialects::dialect("anthropic-messages").expect("it is built in");

    let (method, headers) = (http::Method::POST, http::HeaderMap::new());
    let request = openai.accept(Asked { method: &method, path: "/v1/chat/completions", headers: &headers, body })?;
    let endpoint = Endpoint { base_url: "https://api.anthropic.com".into(), ..Endpoint::default() };
    let encoded = drive::encode(anthropic, &request, &endpoint)?;
    println!("{} {}\n{}", encoded.method, encoded.uri, String::from_utf8_lossy(&encoded.body));
    for loss in &encoded.losses {
        println!("lost: {loss}");
    }

    // What a model can be asked is data, to be looked at before.
    let client = Client::builder().build()?;
    let abilities = client.abilities("anthropic/claude-opus-5-5")?;
    println!("it can: {:?}", abilities.features);
    Ok(())
}
