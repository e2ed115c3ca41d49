//! `bench-sabir unary|stream PORT COUNT [stack]`: that many calls, one after the other, on one warm connection; with the
//! standard stack of layers around the client, if wanted.

use sabir::chat::Event;
use sabir::layers::Stack;
use sabir::{ChatRequest, Client, Env};

fn main() -> sabir::Result<()> {
    let arguments: Vec<String> = std::env::args().collect();
    let [_, mode, port, count, stack @ ..] = arguments.as_slice() else { panic!("unary|stream PORT COUNT [stack]") };
    let mut client = Client::builder()
        .env(Env::none())
        .model("openai/gpt-6-luna")
        .key("sk-bench")
        .base_url(format!("http://127.0.0.1:{port}/v1"));
    if !stack.is_empty() {
        client = client.stack(Stack::standard());
    }
    let client = client.build()?;
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
    runtime.block_on(async {
        for _ in 0..count.parse::<u32>().expect("a number") {
            let request = ChatRequest::default().user("Why is the sea salt?");
            if mode == "stream" {
                let mut stream = client.stream(request).await?;
                let mut text = 0;
                while let Some(event) = stream.next().await {
                    if let Event::Text(delta) = event? {
                        text += delta.len();
                    }
                }
                assert!(text > 5000);
            } else {
                assert_eq!(client.chat(request).await?.usage.output_total(), Some(21));
            }
        }
        Ok(())
    })
}
