//! `sabir explain`: what would be sent, to whom and at what cost, without sending it.

mod support;

use serde_json::Value;
use support::{Folder, command, run, sabir, text};

const KEY: &str = "sk-test-0123456789abcdef";

fn explained(arguments: &[&str], input: &str, env: &[(&str, &str)]) -> Value {
    let output = sabir(&[&["explain", "--json"], arguments].concat(), input, env);
    assert_eq!(output.status.code(), Some(0), "{}", text(&output.stderr));
    assert!(!text(&output.stdout).contains(KEY), "a key is shown");
    serde_json::from_slice(&output.stdout).expect("JSON")
}

#[test]
fn a_question_is_shown_as_it_would_be_sent() {
    let env = [("OPENAI_API_KEY", KEY)];
    let said = explained(&["-m", "openai/gpt-4o", "-s", "Be brief.", "Why is the sea salt?"], "", &env);
    let first = &said["candidates"][0];
    assert_eq!(
        (&first["provider"], &first["model"], &first["admitted"]),
        (&"openai".into(), &"gpt-4o".into(), &true.into())
    );
    let request = &first["request"];
    assert_eq!((&request["method"], &request["key_variable"]), (&"POST".into(), &"OPENAI_API_KEY".into()));
    assert!(request["url"].as_str().expect("a URL").starts_with("https://api.openai.com/v1/"), "{request}");
    assert_eq!(request["headers"]["authorization"], "Bearer $OPENAI_API_KEY");
    assert_eq!((&request["body"]["model"], &request["body"]["stream"]), (&"gpt-4o".into(), &true.into()));
    // OpenAI's vocabulary is public: the count is exact, and so the cost has an end.
    assert_eq!(first["input"]["precision"], "exact");
    let (low, high) = (first["nano_usd"]["low"].as_u64(), first["nano_usd"]["high"].as_u64());
    assert!(low > Some(0) && low < high, "{first}");

    // Nothing is known of this model, and that is said.
    let unknown = explained(&["-m", "openai/no-such-model", "salt"], "", &env);
    assert_eq!(unknown["candidates"][0]["nano_usd"]["low"], Value::Null);
    let words = text(&sabir(&["explain", "-m", "openai/no-such-model", "salt"], "", &env).stdout);
    assert!(words.contains("cost     unknown"), "{words}");
}

#[test]
fn the_command_that_is_shown_is_what_is_sent() {
    let hostile = "It's `id` $HOME \"quoted\" \\ and\nmore";
    let env = [("ANTHROPIC_API_KEY", KEY)];
    let shown = sabir(&["explain", "--curl", "-m", "anthropic/claude-haiku-5-5", hostile], "", &env);
    let shown = text(&shown.stdout);
    assert!(shown.contains("\"x-api-key: $ANTHROPIC_API_KEY\"") && !shown.contains(KEY), "{shown}");
    // A shell with a curl that writes out what it was given.
    let script = format!("curl() {{ printf '%s\\n' \"$@\"; }}\n{shown}");
    let mut shell = std::process::Command::new("sh");
    let given = text(&run(shell.args(["-c", &script]).env("ANTHROPIC_API_KEY", KEY), "").stdout);
    assert!(given.contains(&format!("x-api-key: {KEY}")), "{given}");
    let body: Value = serde_json::from_str(given.lines().last().expect("a body")).expect("JSON");
    assert!(body["messages"].to_string().contains(&serde_json::json!(hostile).to_string()[1..20]), "{body}");
    assert_eq!(
        body["messages"][0]["content"][0]["text"].as_str().or(body["messages"][0]["content"].as_str()),
        Some(hostile)
    );
}

#[test]
fn routes_marks_limits_and_budgets_are_told_of_each_candidate() {
    let folder = Folder::new("explain");
    let config = folder.file(
        "sabir.toml",
        br#"
[aliases]
fast = ["anthropic/claude-haiku-5-5", "openai/gpt-4o"]
[prompt_cache]
providers = ["anthropic"]
[limits]
requests_per_minute = 60
[[budgets]]
name = "tiny"
limit = "0.000001"
period = "day"
scope = "provider"
only = ["openai"]
[providers.anthropic.keys]
first = { key = "sk-ant-0123456789abcdef" }
"#,
    );
    let data = folder.path().to_str().expect("text");
    let env = [("OPENAI_API_KEY", KEY), ("XDG_DATA_HOME", data)];
    let said = explained(&["--config", &config, "-m", "fast", "-s", "Be brief.", "Why?"], "", &env);
    assert_eq!((&said["route"], said["candidates"].as_array().map(Vec::len)), (&"fast".into(), Some(2)));
    let [claude, gpt] = [&said["candidates"][0], &said["candidates"][1]];
    assert_eq!(
        (&claude["provider"], &claude["key"], &claude["admitted"]),
        (&"anthropic".into(), &"first".into(), &true.into())
    );
    assert!(claude["cached"]["marks"].as_array().is_some_and(|marks| !marks.is_empty()), "{claude}");
    assert!(claude["request"]["body"].to_string().contains("cache_control"), "{claude}");
    assert_eq!((&gpt["provider"], &gpt["cached"], &gpt["admitted"]), (&"openai".into(), &Value::Null, &false.into()));
    let verdict = |of: &Value, by: &str| {
        let all = of["verdicts"].as_array().expect("verdicts").clone();
        all.into_iter().find(|verdict| verdict["by"] == by)
    };
    let limits = verdict(claude, "limits").expect("a limit");
    assert!(limits["refused"].is_null() && limits["holds"][0].as_str().is_some_and(|it| it.contains("60")), "{limits}");
    let budget = verdict(gpt, "budgets").expect("a budget");
    assert_eq!(budget["refused"]["kind"], "budget_exceeded", "{budget}");

    // Where all are refused, so is the question, and a shell can tell.
    let mut alone = command(&["explain", "--config", &config, "-m", "openai/gpt-4o", "Why?"], &env);
    let refused = run(&mut alone, "");
    assert_eq!(refused.status.code(), Some(1));
    assert!(text(&refused.stdout).contains("would be refused: "), "{}", text(&refused.stdout));
}

#[test]
fn requests_in_any_dialect_are_taken_and_what_they_lose_is_told() {
    let env = [("GEMINI_API_KEY", KEY)];
    let body = r#"{"model":"x","messages":[{"role":"user","content":"hi"}],"logit_bias":{"1":2},"max_tokens":9}"#;
    let arguments = ["--request", "-", "--dialect", "openai-chat", "-m", "gemini/gemini-3-flash"];
    let said = explained(&arguments, body, &env);
    let first = &said["candidates"][0];
    assert_eq!((&first["dialect"], &first["max_output"]), (&"gemini-generate".into(), &9.into()));
    assert!(first["losses"].to_string().contains("options.openai-chat"), "{first}");
    for (arguments, input, status, said) in [
        (&["explain", "--request", "-"][..], "{\"messages\":5}", 2, "name its --dialect"),
        (&["explain"], "", 2, "nothing to ask"),
        (&["explain", "-m", "nobody/x", "hi"], "", 2, "unknown provider"),
    ] {
        let output = sabir(arguments, input, &env);
        assert_eq!(output.status.code(), Some(status), "{arguments:?}");
        assert!(text(&output.stderr).contains(said), "{arguments:?}: {}", text(&output.stderr));
    }
}
