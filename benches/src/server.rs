//! A server that answers at once with bytes made before: what is measured is the client. Keep-alive, one write a
//! unary answer, a burst of 1,000 events a streamed one; of a stream that is asked to `hold` only the beginning.
#![expect(clippy::print_stdout, reason = "the caller reads the port")]

use std::fmt::Write as _;
use std::io::{Read as _, Write as _};
use std::net::{TcpListener, TcpStream};

fn main() {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
    println!("{}", listener.local_addr().expect("bound").port());
    let answers: &Answers = Box::leak(Box::new(Answers { unary: unary(), burst: burst() }));
    for stream in listener.incoming().flatten() {
        std::thread::spawn(move || serve(stream, answers));
    }
}

struct Answers {
    unary: Vec<u8>,
    burst: Vec<u8>,
}

fn serve(mut stream: TcpStream, answers: &Answers) {
    stream.set_nodelay(true).expect("a socket");
    let mut request = Vec::new();
    let mut buffer = vec![0; 16384];
    loop {
        let Ok(read @ 1..) = stream.read(&mut buffer) else { return };
        request.extend_from_slice(&buffer[..read]);
        let Some(head) = request.windows(4).position(|w| w == b"\r\n\r\n") else { continue };
        let text = String::from_utf8_lossy(&request[..head]).to_lowercase();
        let length =
            text.lines().find_map(|l| l.strip_prefix("content-length: ")?.trim().parse::<usize>().ok()).unwrap_or(0);
        if request.len() < head + 4 + length {
            continue;
        }
        let body = String::from_utf8_lossy(&request[head + 4..]);
        let answer = match (body.contains("\"stream\":true"), body.contains("\"content\":\"hold\"")) {
            (false, _) => &answers.unary[..],
            (true, false) => &answers.burst,
            (true, true) => &answers.burst[..1000],
        };
        if stream.write_all(answer).is_err() {
            return;
        }
        request.clear();
    }
}

fn unary() -> Vec<u8> {
    let body = r#"{"id":"chatcmpl-BENCH","object":"chat.completion","created":1753000000,"model":"gpt-6-luna-2026-05-01","choices":[{"index":0,"message":{"role":"assistant","content":"The sea is salt because rivers carry dissolved minerals into it, and only the water leaves again.","refusal":null,"annotations":[]},"logprobs":null,"finish_reason":"stop"}],"usage":{"prompt_tokens":14,"completion_tokens":21,"total_tokens":35,"prompt_tokens_details":{"cached_tokens":0,"audio_tokens":0},"completion_tokens_details":{"reasoning_tokens":0,"audio_tokens":0,"accepted_prediction_tokens":0,"rejected_prediction_tokens":0}},"service_tier":"default","system_fingerprint":"fp_bench"}"#;
    format!("HTTP/1.1 200 OK\r\ncontent-type: application/json\r\nx-request-id: req_bench\r\ncontent-length: {}\r\n\r\n{body}", body.len()).into_bytes()
}

fn burst() -> Vec<u8> {
    let mut body = String::new();
    for number in 0..1000 {
        let padding = &"x9YzQ4rT"[number % 8..];
        let _ = write!(
            body,
            "data: {{\"id\":\"chatcmpl-BENCH\",\"object\":\"chat.completion.chunk\",\"created\":1753000000,\"model\":\"gpt-6-luna-2026-05-01\",\"service_tier\":\"default\",\"system_fingerprint\":\"fp_bench\",\"choices\":[{{\"index\":0,\"delta\":{{\"content\":\" word{number}\"}},\"logprobs\":null,\"finish_reason\":null}}],\"usage\":null,\"obfuscation\":\"{padding}\"}}\n\n"
        );
    }
    body.push_str("data: {\"id\":\"chatcmpl-BENCH\",\"object\":\"chat.completion.chunk\",\"created\":1753000000,\"model\":\"gpt-6-luna-2026-05-01\",\"choices\":[{\"index\":0,\"delta\":{},\"logprobs\":null,\"finish_reason\":\"stop\"}],\"usage\":null}\n\n");
    body.push_str("data: {\"id\":\"chatcmpl-BENCH\",\"object\":\"chat.completion.chunk\",\"created\":1753000000,\"model\":\"gpt-6-luna-2026-05-01\",\"choices\":[],\"usage\":{\"prompt_tokens\":14,\"completion_tokens\":1000,\"total_tokens\":1014}}\n\ndata: [DONE]\n\n");
    let head = format!(
        "HTTP/1.1 200 OK\r\ncontent-type: text/event-stream; charset=utf-8\r\ncontent-length: {}\r\n\r\n",
        body.len()
    );
    [head.into_bytes(), body.into_bytes()].concat()
}
