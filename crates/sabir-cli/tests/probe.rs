//! `sabir probe`, against `sabir sim` with some of it refused.

mod support;

use serde_json::Value;
use support::{Folder, Served, command, run, sabir, text};

fn sim(more: &[&str]) -> Served {
    Served::start(&mut command(&[&["sim", "--port", "0"], more].concat(), &[]))
}

/// The verdicts by what they are of, the quirks, and the exit status.
fn probe(url: &str, more: &[&str]) -> (Value, Value, Option<i32>) {
    let output = sabir(&[&["probe", url, "--json"], more].concat(), "", &[]);
    let said: Value = serde_json::from_str(&text(&output.stdout)).unwrap_or_else(|_| panic!("{output:?}"));
    let verdicts = said["checks"].as_array().expect("checks").iter();
    let verdicts =
        verdicts.map(|check| (check["check"].as_str().expect("a name").to_owned(), check["verdict"].clone()));
    (Value::Object(verdicts.collect()), said["quirks"].clone(), output.status.code())
}

#[test]
fn a_server_that_keeps_to_its_dialect_has_no_quirks() {
    let sim = sim(&[]);
    let (verdicts, quirks, status) = probe(&sim.v1(), &[]);
    assert_eq!((status, &quirks), (Some(0), &serde_json::json!({ "system_role": "developer" })));
    let names = [
        "list of models", "answers", "usage", "max_tokens", "system role", "text as a list of parts", "stream",
        "usage in a stream", "[DONE] at the end", "stop", "tools", "tools in a stream", "strict tools",
        "parallel tools", "forced tool", "named tool", "JSON", "JSON schema", "seed", "user", "developer role",
    ];
    for name in names {
        assert_eq!(verdicts[name], "yes", "{name}: {verdicts}");
    }
}

#[test]
fn what_is_refused_is_asked_in_other_ways_and_the_row_that_is_written_works() {
    let folder = Folder::new("probe");
    let refused = [
        "max_tokens",
        "stream_options",
        "seed",
        "tool_choice=required",
        "response_format.type=json_schema",
        "messages.*.role=developer",
        "tools.*.function.strict",
        "user",
        "stop",
    ];
    let refuse: Vec<&str> = refused.iter().flat_map(|field| ["--refuse", field]).collect();
    let sim = sim(&refuse);
    let row = folder.path().join("row.toml").to_str().expect("text").to_owned();
    let (verdicts, quirks, status) = probe(&sim.v1(), &["--write", &row, "--name", "mine", "--model", "m"]);
    assert_eq!(status, Some(0), "{verdicts}");
    let expected = serde_json::json!({ "forced_tool": "any", "json_schema": "false", "max_tokens_field": "max_completion_tokens",
        "seed_field": "random_seed", "stream_options": "false", "strict_tools": "false", "user_field": "safety_identifier" });
    assert_eq!(quirks, expected);
    for (name, verdict) in [
        ("max_tokens", "quirk"),
        ("stream", "quirk"),
        ("usage in a stream", "no"),
        ("stop", "no"),
        ("developer role", "no"),
        ("tools", "yes"),
    ] {
        assert_eq!(verdicts[name], verdict, "{name}: {verdicts}");
    }

    // What was written is a configuration with which such a server can be asked.
    let check = sabir(&["--config", &row, "config", "check"], "", &[]);
    assert!(check.status.success(), "{}", text(&check.stderr));
    let home = [("HOME", folder.path().to_str().expect("text"))];
    let asked = sabir(&["--config", &row, "chat", "-m", "mine/m", "--max-tokens", "50", "count to 5"], "", &home);
    assert!(text(&asked.stdout).contains("1, 2, 3, 4, 5"), "{}", text(&asked.stderr));
}

#[test]
fn a_stream_without_its_end_is_told() {
    let folder = Folder::new("probe-end");
    let chunk = r#"data: {\"id\":\"c\",\"model\":\"m\",\"choices\":[{\"index\":0,\"delta\":{\"content\":\"Pepper.\"},\"finish_reason\":\"stop\"}]}\n\n"#;
    let fault = format!(r#"{{"kind":"status","status":200,"content_type":"text/event-stream","body":"{chunk}"}}"#);
    let script =
        format!(r#"{{"turns":[{{"when":{{"user_contains":"pepper"}},"repeat":"forever","faults":[{fault}]}}]}}"#);
    let sim = sim(&["--script", &folder.file("script.json", script.as_bytes())]);
    let (verdicts, ..) = probe(&sim.v1(), &[]);
    // Everything was told and the end's own mark was not: some servers are so.
    assert_eq!((&verdicts["stream"], &verdicts["[DONE] at the end"]), (&Value::from("yes"), &Value::from("no")));
    assert_eq!(verdicts["usage in a stream"], "no");
}

#[test]
fn other_dialects_are_looked_at_too_and_nobody_there_is_said() {
    let sim = sim(&[]);
    for dialect in ["anthropic-messages", "openai-responses"] {
        let url = if dialect == "anthropic-messages" { sim.url.clone() } else { sim.v1() };
        let (verdicts, _, status) = probe(&url, &["--dialect", dialect, "--model", "m"]);
        assert_eq!(status, Some(0), "{dialect}: {verdicts}");
        for name in ["answers", "stream", "tools", "forced tool", "JSON schema", "max_tokens"] {
            assert_eq!(verdicts[name], "yes", "{dialect} {name}: {verdicts}");
        }
        assert_eq!(verdicts["seed"], "no", "{dialect} has none");
    }
    let output = run(&mut command(&["probe", "http://127.0.0.1:1/v1", "--model", "m"], &[]), "");
    let said = text(&output.stderr);
    let is_said = |line: &str| ["error: ", "  cause: ", "  hint: "].iter().any(|begin| line.starts_with(begin));
    assert_eq!(output.status.code(), Some(1), "{said}");
    assert!(said.contains("is the server running") && said.lines().all(is_said), "{said}");
}
