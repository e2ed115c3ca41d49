//! `sabir bench`, against the built-in simulator and against `sabir sim`.

mod support;

use serde_json::Value;
use support::{Folder, Sim, sabir, text};

fn figures(arguments: &[&str], home: &Folder) -> (Value, Option<i32>) {
    let output = sabir(arguments, "", &[("HOME", home.path().to_str().expect("text"))]);
    let said = text(&output.stdout);
    (serde_json::from_str(&said).unwrap_or_else(|_| panic!("{output:?}")), output.status.code())
}

#[test]
fn figures_are_of_all_requests_and_a_picture_is_drawn() {
    let folder = Folder::new("bench");
    let svg = folder.path().join("latency.svg").to_str().expect("text").to_owned();
    let arguments =
        ["bench", "sim/any", "--requests", "50", "--stream", "--json", "--svg", &svg, "--prompt", "count to 9"];
    let (said, status) = figures(&arguments, &folder);
    assert_eq!((status, &said["answered"], &said["failed"]), (Some(0), &Value::from(50), &Value::from(0)));
    let of = |name: &str, percentile: &str| said[name][percentile].as_f64().expect("a time");
    for name in ["total_ms", "first_token_ms", "between_tokens_ms"] {
        assert!(of(name, "p50") <= of(name, "p95") && of(name, "p95") <= of(name, "p99"), "{said}");
        assert!(of(name, "p99") <= of(name, "most"), "{said}");
    }
    assert!(of("first_token_ms", "p50") <= of("total_ms", "p50"));
    assert!(said["output_tokens"].as_u64() >= Some(50), "{said}");
    let picture = std::fs::read_to_string(svg).expect("a picture");
    assert!(picture.starts_with("<svg ") && picture.contains("first token") && picture.ends_with("</svg>\n"));
}

#[test]
fn a_rate_is_kept_and_errors_are_told_by_kind() {
    let folder = Folder::new("bench-rate");
    let script = r#"{"turns":[{"error":{"status":429,"message":"slow down"},"repeat":5},
        {"error":{"status":500,"message":"no"},"repeat":3}]}"#;
    let sim = Sim::start(&folder, script);
    let url = sim.served.v1();
    let arguments = ["bench", &url, "--requests", "40", "--rate", "100", "--json", "--input-tokens", "200"];
    let (said, status) = figures(&arguments, &folder);
    assert_eq!((status, &said["answered"]), (Some(1), &Value::from(32)), "{said}");
    assert_eq!(said["errors"], serde_json::json!({ "rate_limit": 5, "provider": 3 }));
    // The last is due after 0.39 s; nothing is sent before it is due.
    assert!(said["seconds"].as_f64() >= Some(0.39), "{said}");
    assert!(said["input_tokens"].as_u64() > Some(32 * 150), "{said}");
}
