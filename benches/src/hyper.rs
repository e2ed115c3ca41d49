//! The same calls with plain hyper, a linear scan for lines, and typed serde: the floor that Sabir is held against.

use bytes::Bytes;
use http_body_util::{BodyExt as _, Full};
use hyper_util::client::legacy::Client;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::TokioExecutor;
use serde::Deserialize;

#[derive(Deserialize)]
struct Chunk {
    choices: Vec<Choice>,
}

#[derive(Deserialize)]
struct Choice {
    #[serde(alias = "message")]
    delta: Delta,
}

#[derive(Deserialize)]
struct Delta {
    content: Option<String>,
}

fn main() {
    let arguments: Vec<String> = std::env::args().collect();
    let [_, mode, port, count] = arguments.as_slice() else { panic!("unary|stream PORT COUNT") };
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
    runtime.block_on(async {
        let mut connector = HttpConnector::new();
        connector.set_nodelay(true);
        let client: Client<_, Full<Bytes>> = Client::builder(TokioExecutor::new()).build(connector);
        for _ in 0..count.parse::<u32>().expect("a number") {
            let stream = mode == "stream";
            let body = serde_json::json!({ "model": "gpt-6-luna", "messages": [{ "role": "user", "content": "Why is the sea salt?" }], "stream": stream });
            let request = http::Request::post(format!("http://127.0.0.1:{port}/v1/chat/completions"))
                .header("content-type", "application/json")
                .header("authorization", "Bearer sk-bench")
                .body(Full::from(body.to_string()))
                .expect("a request");
            let mut body = client.request(request).await.expect("an answer").into_body();
            let (mut buffer, mut text) = (Vec::new(), 0);
            while let Some(frame) = body.frame().await {
                buffer.extend_from_slice(frame.expect("a frame").data_ref().expect("data"));
                let mut start = 0;
                while stream && let Some(end) = memchr::memchr(b'\n', &buffer[start..]) {
                    if let Some(data) = buffer[start..start + end].strip_prefix(b"data: ").filter(|d| *d != b"[DONE]") {
                        text += content(data);
                    }
                    start += end + 1;
                }
                buffer.drain(..start);
            }
            if !stream {
                text = content(&buffer);
            }
            assert!(text > 50);
        }
    });
}

fn content(json: &[u8]) -> usize {
    let chunk: Chunk = serde_json::from_slice(json).expect("a chunk");
    chunk.choices.first().and_then(|c| c.delta.content.as_ref()).map_or(0, String::len)
}
