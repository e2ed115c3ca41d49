//! `sabir record` and `sabir replay`, against `sabir sim`, with `sabir chat` as the client.

mod support;

use std::process::Stdio;

use support::{Folder, Served, command, run, sabir, text};

fn serve(arguments: &[&str]) -> Served {
    Served::start(command(arguments, &[]).stderr(Stdio::null()))
}

const KEY: &str = "plainlookingkey0123456789";

/// What `sabir chat` is answered there, and its notices.
fn ask(base: &str, more: &[&str]) -> (bool, String, String) {
    let env = [("OPENAI_API_KEY", KEY), ("OPENAI_BASE_URL", base), ("SABIR_RETRY_ATTEMPTS", "1")];
    let arguments = [&["chat", "-m", "openai/gpt-6-luna"], more].concat();
    let output = run(&mut command(&arguments, &env), "");
    (output.status.success(), text(&output.stdout), text(&output.stderr))
}

#[test]
fn what_was_recorded_is_played_back_without_the_provider_and_without_keys() {
    let folder = Folder::new("record");
    let to = folder.path().join("session").to_str().expect("text").to_owned();
    // Some time between two events, so that they come one by one.
    let script = folder.file("script.json", br#"{"turns":[{"repeat":"forever","delay_between_ms":3}]}"#);
    let sim = serve(&["sim", "--port", "0", "--script", &script]);
    let upstream = sim.v1();
    let record = serve(&["record", "--to", &to, &upstream, "--port", "0"]);
    let streamed = ask(&record.url, &["count to 5"]);
    assert!(streamed.0 && streamed.1.contains("1, 2, 3, 4, 5"), "{streamed:?}");
    // The upstream's path may be in the client's base URL, too.
    let whole = ask(&record.v1(), &["--no-stream", &format!("Say {KEY}")]);
    assert!(whole.0 && whole.1.contains(KEY), "{whole:?}");
    drop(record);
    drop(sim);

    let kept = std::fs::read_to_string(format!("{to}/exchanges.jsonl")).expect("a recording");
    assert_eq!(kept.lines().count(), 2);
    assert!(!kept.contains(KEY), "no key, wherever it was said");
    let stream: serde_json::Value = serde_json::from_str(kept.lines().next().expect("one")).expect("JSON");
    assert!(stream["response"]["chunks"].as_array().expect("pieces").len() > 1, "as it came: {stream}");

    let replay = serve(&["replay", &to, "--port", "0"]);
    assert_eq!(ask(&replay.url, &["count to 5"]).1, streamed.1);
    assert!(ask(&replay.url, &["--no-stream", &format!("Say {KEY}")]).1.contains("[scrubbed]"));
    // Each once, and nothing else.
    let (ok, _, why) = ask(&replay.url, &["count to 5"]);
    assert!(!ok && why.contains("asked for once more"), "{why}");
    let (ok, _, why) = ask(&replay.url, &["count to 6"]);
    assert!(!ok && why.contains("the nearest differs in messages[0].content"), "{why}");
    assert!(!why.contains("count to"), "{why}");
    let repeating = serve(&["replay", &to, "--port", "0", "--repeat"]);
    for _ in 0..3 {
        assert_eq!(ask(&repeating.url, &["count to 5"]).1, streamed.1);
    }

    let list = text(&sabir(&["replay", &to, "--list"], "", &[]).stdout);
    assert!(list.starts_with("1 POST http://127.0.0.1:") && list.lines().count() == 2, "{list}");
    let body = text(&sabir(&["replay", &to, "--body", "1"], "", &[]).stdout);
    let decoded = sabir(&["wire", "decode", "--dialect", "openai-chat", "--stream"], &body, &[]);
    assert!(decoded.status.success() && text(&decoded.stdout).contains("1, 2, 3, 4, 5"), "{decoded:?}");
}

#[test]
fn a_recording_is_not_written_over_and_an_upstream_is_a_url_or_a_provider() {
    let folder = Folder::new("record-usage");
    folder.file("exchanges.jsonl", b"");
    let to = folder.path().to_str().expect("text");
    for (upstream, part) in [("http://127.0.0.1:1", "has a recording already"), ("opnai", "did you mean \"openai\"")] {
        let output = sabir(&["record", "--to", to, upstream, "--port", "0"], "", &[]);
        let told = text(&output.stderr);
        assert!(output.status.code() == Some(2) && told.contains(part), "{told}");
    }
    let output = sabir(&["replay", &format!("{to}/nowhere")], "", &[]);
    assert_eq!(output.status.code(), Some(2), "{}", text(&output.stderr));
}
