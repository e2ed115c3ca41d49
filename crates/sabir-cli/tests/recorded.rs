//! Recorded vectors, orders of documents and lists of models, through `sabir wire decode` as a person runs it.

use std::io::Write as _;
use std::process::{Command, Stdio};

use serde_json::Value;

/// The exit status of `sabir wire decode`, and what it wrote.
fn decode(dialect: &str, status: &str, body: &str) -> (Option<i32>, Value) {
    let mut child = Command::new(env!("CARGO_BIN_EXE_sabir"))
        .args(["wire", "decode", "--dialect", dialect, "--status", status])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .expect("the command runs");
    child.stdin.take().expect("a pipe").write_all(body.as_bytes()).expect("it reads");
    let output = child.wait_with_output().expect("it ends");
    (output.status.code(), serde_json::from_slice(&output.stdout).unwrap_or_default())
}

#[test]
fn every_recorded_answer_is_decoded_as_the_oracle_says() {
    let mut failures = Vec::new();
    for dialect in
        ["openai-embeddings", "cohere-embed", "gemini-embed", "cohere-rerank", "jina-rerank", "openai-models"]
    {
        let path = format!("{}/../../tests/recordings/{dialect}.jsonl", env!("CARGO_MANIFEST_DIR"));
        let lines = std::fs::read_to_string(&path).unwrap_or_else(|error| panic!("{path}: {error}"));
        for line in lines.lines() {
            let recorded: Value = serde_json::from_str(line).expect("a line of JSON");
            let (response, expected) = (&recorded["response"], &recorded["expected_line"]["expected"]);
            let body = response["body"].as_str().expect("a text");
            let (code, said) = decode(dialect, &response["status"].to_string(), body);
            for (what, got, wanted) in compared(expected, &said) {
                if got != wanted {
                    failures.push(format!("{dialect} {}: {what} {got}, not {wanted}", recorded["id"]));
                }
            }
            let wanted = i32::from(!expected["error"].is_null());
            if code != Some(wanted) {
                failures.push(format!("{dialect} {}: exit status {code:?}, not {wanted}", recorded["id"]));
            }
        }
    }
    assert!(failures.is_empty(), "{} differ:\n{}", failures.len(), failures.join("\n"));
}

/// What the oracle says, beside what the command said.
fn compared(expected: &Value, said: &Value) -> Vec<(&'static str, Value, Value)> {
    let error = &expected["error"];
    if !error.is_null() {
        return vec![("status", said["error"]["status"].clone(), error["status"].clone())];
    }
    let length = |value: &Value| Value::from(value.as_array().map_or(0, Vec::len));
    let mut all = Vec::new();
    let embeddings = &expected["embeddings"];
    if !embeddings.is_null() {
        // Cohere names what kinds of numbers it gives.
        let kind = embeddings.as_object().and_then(|kinds| kinds.values().next()).filter(|kind| kind.is_object());
        let wanted = kind.unwrap_or(embeddings);
        all.push(("vectors", length(&said["vectors"]), wanted["count"].clone()));
        all.push(("dimensions", length(&said["vectors"][0]), wanted["dim"].clone()));
    }
    let ranking = &expected["ranking"];
    if !ranking.is_null() {
        let order = |list: &Value| list.as_array().into_iter().flatten().map(|row| row["index"].clone()).collect();
        all.push(("order", order(&said["ranking"]), order(ranking)));
    }
    let models = &expected["models"];
    if !models.is_null() {
        let names = said["models"].as_array().into_iter().flatten().map(|model| model["id"].clone()).collect();
        all.push(("models", names, models.clone()));
    }
    let input = &expected["usage"]["input"];
    if !input.is_null() {
        all.push(("input", said["usage"]["input_total"].clone(), input.clone()));
    }
    all
}
