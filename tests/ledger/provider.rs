//! A provider that keeps its own books: what each call was answered, by its name.

use std::collections::HashMap;
use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::{TcpListener, TcpStream};
use std::sync::{Arc, Mutex};

use serde_json::{Value, json};

/// Tokens in and out, by the name of the call.
pub(crate) type Books = Arc<Mutex<HashMap<String, (u64, u64)>>>;

/// Answers from now on; its port, and its books.
pub(crate) fn start() -> (u16, Books) {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
    let port = listener.local_addr().expect("bound").port();
    let books = Books::default();
    let theirs = books.clone();
    std::thread::spawn(move || {
        for stream in listener.incoming().flatten() {
            let books = theirs.clone();
            // Whoever is killed hangs up in the middle.
            std::thread::spawn(move || serve(&stream, &books));
        }
    });
    (port, books)
}

fn serve(mut stream: &TcpStream, books: &Books) -> std::io::Result<()> {
    stream.set_nodelay(true)?;
    let mut reader = BufReader::new(stream);
    loop {
        let mut length = 0;
        let mut line = String::new();
        while line != "\r\n" {
            line.clear();
            if reader.read_line(&mut line)? == 0 {
                return Ok(());
            }
            if let Some(said) = line.to_ascii_lowercase().strip_prefix("content-length:") {
                length = said.trim().parse().expect("a length");
            }
        }
        let mut body = vec![0; length];
        reader.read_exact(&mut body)?;
        let request: Value = serde_json::from_slice(&body).expect("JSON");
        let name = request["messages"][0]["content"].as_str().expect("a name").to_owned();
        let sum = name.bytes().fold(7_u64, |sum, byte| (sum * 31 + u64::from(byte)) % 9_973);
        let (input, output) = (sum + 1, sum % 89 + 1);
        let twice = books.lock().expect("free").insert(name, (input, output));
        assert_eq!(twice, None, "nobody asks twice");
        let usage = json!({ "prompt_tokens": input, "completion_tokens": output, "total_tokens": input + output });
        let (kind, body) = if request["stream"] == true {
            ("text/event-stream", streamed(&usage))
        } else {
            let choice = json!({ "message": { "content": "Salt." }, "finish_reason": "stop" });
            let answer = json!({ "id": "c", "model": "gpt-6-luna", "choices": [choice], "usage": usage });
            ("application/json", answer.to_string())
        };
        let head = format!("HTTP/1.1 200 OK\r\ncontent-type: {kind}\r\ncontent-length: {}\r\n\r\n", body.len());
        // In two pieces, so that who is killed may have one of them.
        let (first, second) = body.split_at(body.len() / 2);
        stream.write_all([head.as_bytes(), first.as_bytes()].concat().as_slice())?;
        stream.write_all(second.as_bytes())?;
    }
}

fn streamed(usage: &Value) -> String {
    let chunk = |choices: Value, usage: &Value| {
        let chunk = json!({ "id": "c", "model": "gpt-6-luna", "choices": choices, "usage": usage });
        format!("data: {chunk}\n\n")
    };
    let words = ["Sa", "lt", "."].map(|word| chunk(json!([{ "delta": { "content": word } }]), &Value::Null));
    let stop = chunk(json!([{ "delta": {}, "finish_reason": "stop" }]), &Value::Null);
    words.concat() + &stop + &chunk(json!([]), usage) + "data: [DONE]\n\n"
}
