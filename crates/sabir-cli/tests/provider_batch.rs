//! `sabir batch --provider-batch`, against `sabir sim` in a process of its own.

mod support;

use std::io::{BufRead as _, BufReader};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use serde_json::Value;
use support::{Folder, Sim, command, run, sabir, text};

/// Each provider with batches, and a model of it.
const PROVIDERS: [(&str, &str); 3] = [
    ("openai", "openai/gpt-6-luna"),
    ("anthropic", "anthropic/claude-haiku-4-5"),
    ("gemini", "gemini/gemini-2.5-flash"),
];
const THREE: &str =
    "{\"id\":\"a\",\"prompt\":\"first\"}\n{\"id\":\"b\",\"prompt\":\"second\"}\n{\"prompt\":\"third\"}\n";

/// How many batches a simulator took, and how many lines it worked off.
fn taken(sim: &Sim) -> (usize, usize) {
    (sim.books("batch").len(), sim.books("text").len())
}

struct Batch {
    input: String,
    results: String,
    model: String,
    env: Vec<(&'static str, String)>,
}

impl Batch {
    fn new(folder: &Folder, sim: &Sim, model: &str, input: &str) -> Self {
        let home = folder.path().to_str().expect("text").to_owned();
        let results = format!("{home}/out.jsonl");
        let mut env = vec![("HOME", home)];
        for name in ["OPENAI_API_KEY", "ANTHROPIC_API_KEY", "GEMINI_API_KEY"] {
            env.push((name, "any-key".to_owned()));
        }
        env.push(("OPENAI_BASE_URL", sim.served.v1()));
        env.push(("ANTHROPIC_BASE_URL", sim.served.url.clone()));
        env.push(("GEMINI_BASE_URL", format!("{}/v1beta", sim.served.url)));
        Self { input: folder.file("in.jsonl", input.as_bytes()), results, model: model.to_owned(), env }
    }

    fn command(&self, poll: &str, more: &[&str]) -> Command {
        let mut arguments = vec!["batch", &self.input, "-o", &self.results, "--provider-batch", "--poll", poll];
        arguments.extend(["-m", &self.model]);
        arguments.extend(more);
        command(&arguments, &self.env())
    }

    fn env(&self) -> Vec<(&str, &str)> {
        self.env.iter().map(|(name, value)| (*name, value.as_str())).collect()
    }

    /// Runs it without pauses: its exit status, and what it told.
    fn run(&self, more: &[&str]) -> (Option<i32>, String) {
        let output = run(&mut self.command("0", more), "");
        (output.status.code(), text(&output.stderr))
    }

    fn journal(&self) -> String {
        format!("{}.journal", self.results)
    }

    fn results(&self) -> Vec<Value> {
        let text = std::fs::read_to_string(&self.results).expect("results");
        text.lines().map(|line| serde_json::from_str(line).expect("JSON")).collect()
    }

    /// Starts it, and waits until the batch is under way.
    fn under_way(&self) -> (Child, BufReader<std::process::ChildStderr>) {
        let mut child = self.command("3600", &[]).stderr(Stdio::piped()).spawn().expect("it runs");
        let (mut told, mut line) = (BufReader::new(child.stderr.take().expect("piped")), String::new());
        let begun = Instant::now();
        while !line.contains("are done.") {
            line.clear();
            assert!(told.read_line(&mut line).expect("text") > 0, "it ended");
            assert!(begun.elapsed() < Duration::from_secs(60), "it makes no way");
        }
        (child, told)
    }
}

#[test]
fn each_provider_works_a_batch_off_for_less() {
    for (provider, model) in PROVIDERS {
        let folder = Folder::new(&format!("provider-batch-{provider}"));
        let script =
            r#"{"turns":[{"when":{"user_contains":"second"},"error":{"status":400,"message":"no such thing"}}]}"#;
        let sim = Sim::start(&folder, script);
        let batch = Batch::new(&folder, &sim, model, THREE);
        let (status, told) = batch.run(&[]);
        assert_eq!(status, Some(1), "{provider}: {told}");
        assert!(told.contains("2 done, 1 failed, 0 sent twice; ") && told.contains("--retry-failed"), "{told}");
        assert_eq!(taken(&sim), (1, 3), "{provider}");
        let results = batch.results();
        assert_eq!([0, 1, 2].map(|at| results[at]["id"].clone()), ["a", "b", "3"]);
        assert_eq!(results[1]["error"]["kind"], "invalid_request", "{provider}: {}", results[1]);
        assert!(results[0]["response"]["text"].as_str().expect("a text").contains("first"), "{provider}");

        // Another batch, of what failed alone.
        let (status, told) = batch.run(&["--retry-failed"]);
        assert_eq!((status, taken(&sim)), (Some(0), (2, 4)), "{provider}: {told}");
        let results = batch.results();
        assert!(results.iter().all(|result| result["error"].is_null()), "{provider}");
        let (status, told) = batch.run(&[]);
        assert_eq!((status, taken(&sim)), (Some(0), (2, 4)), "done is done: {told}");

        // The same, line by line, costs twice as much.
        let cost = |results: &[Value]| -> u64 {
            results.iter().map(|result| result["cost"]["nano_usd"].as_u64().expect("a price")).sum()
        };
        let less = cost(&results);
        let plain = format!("{}.plain", batch.results);
        let arguments = ["batch", &batch.input, "-o", &plain, "-m", model];
        assert!(sabir(&arguments, "", &batch.env()).status.success());
        let whole = std::fs::read_to_string(&plain).expect("results");
        let whole: Vec<Value> = whole.lines().map(|line| serde_json::from_str(line).expect("JSON")).collect();
        assert!((cost(&whole)).abs_diff(2 * less) <= 6, "{provider}: {less} of {}", cost(&whole));

        // The ledger has both.
        let usage = sabir(&["usage", "--json"], "", &batch.env());
        let said: Value = serde_json::from_slice(&usage.stdout).expect("JSON");
        assert!(said.to_string().contains("attempts"), "{said}");
    }
}

#[test]
fn a_killed_process_goes_on_with_the_batch_that_is_there() {
    for (provider, model) in PROVIDERS {
        let folder = Folder::new(&format!("provider-batch-kill-{provider}"));
        let sim = Sim::start(&folder, r#"{"turns":[]}"#);
        let batch = Batch::new(&folder, &sim, model, THREE);
        let (mut child, _) = batch.under_way();
        child.kill().expect("ours");
        child.wait().expect("ours");
        // Line by line, all of it would be asked again.
        let arguments = ["batch", &batch.input, "-o", &batch.results, "-m", model];
        let plain = sabir(&arguments, "", &batch.env());
        assert_eq!(plain.status.code(), Some(2));
        assert!(text(&plain.stderr).contains("go on with --provider-batch"), "{}", text(&plain.stderr));
        let (status, told) = batch.run(&[]);
        assert_eq!((status, taken(&sim)), (Some(0), (1, 3)), "{provider}: {told}");
        assert!(told.contains("was submitted before") && told.contains("3 done, 0 failed"), "{told}");
    }
}

#[test]
fn a_batch_that_was_taken_and_not_written_down_is_found() {
    for (provider, model) in PROVIDERS {
        let folder = Folder::new(&format!("provider-batch-torn-{provider}"));
        let sim = Sim::start(&folder, r#"{"turns":[]}"#);
        let batch = Batch::new(&folder, &sim, model, THREE);
        assert_eq!(batch.run(&[]).0, Some(0));
        let whole = std::fs::read_to_string(batch.journal()).expect("a journal");
        let asked = whole.find("\"asked\"").expect("it was asked for");
        let cut = asked + whole[asked..].find('\n').expect("a line") + 1;
        // Half of what follows is torn.
        std::fs::write(batch.journal(), &whole[..cut + 7]).expect("written");
        let (status, told) = batch.run(&[]);
        if provider == "anthropic" {
            // It keeps no names.
            assert!(status == Some(1) && told.contains("--batch-id") && told.contains("--submit-again"), "{told}");
            let id = sim.books("batch")[0]["batch"].as_str().expect("an id").to_owned();
            let (status, told) = batch.run(&["--batch-id", &id]);
            assert_eq!(status, Some(0), "{told}");
        } else {
            assert!(status == Some(0) && told.contains("was taken before"), "{provider}: {told}");
        }
        assert_eq!(taken(&sim), (1, 3), "{provider}: nothing is submitted twice");
        assert_eq!(batch.results().len(), 3);
    }
}

#[test]
fn a_journal_that_was_torn_anywhere_is_gone_on_with() {
    let folder = Folder::new("provider-batch-torn-anywhere");
    let sim = Sim::start(&folder, r#"{"turns":[]}"#);
    let batch = Batch::new(&folder, &sim, "openai/gpt-6-luna", THREE);
    assert_eq!(batch.run(&[]).0, Some(0));
    let whole = std::fs::read(batch.journal()).expect("a journal");
    for cut in (0..whole.len()).filter(|at| whole[*at] == b'\n').flat_map(|at| [at, at + 1]) {
        std::fs::write(batch.journal(), &whole[..cut]).expect("written");
        let (status, told) = batch.run(&[]);
        assert_eq!(status, Some(0), "{cut}: {told}");
        assert_eq!(batch.results().len(), 3, "{cut}");
        assert!(told.contains("3 done, 0 failed"), "{cut}: {told}");
    }
}

#[cfg(unix)]
#[test]
fn ctrl_c_leaves_the_batch_and_says_how_to_go_on_or_to_cancel() {
    let folder = Folder::new("provider-batch-interrupt");
    let sim = Sim::start(&folder, r#"{"turns":[]}"#);
    let batch = Batch::new(&folder, &sim, "openai/gpt-6-luna", THREE);
    let (mut child, mut stderr) = batch.under_way();
    let interrupted = Command::new("kill").args(["-INT", &child.id().to_string()]).status().expect("there is a kill");
    assert!(interrupted.success());
    let mut told = String::new();
    std::io::Read::read_to_string(&mut stderr, &mut told).expect("text");
    assert_eq!(child.wait().expect("it ends").code(), Some(1), "{told}");
    for part in ["Stopped by Ctrl-C. openai goes on with batch_", "--cancel-batch", "the same command goes on"] {
        assert!(told.contains(part), "{part}: {told}");
    }
    let (status, told) = batch.run(&["--cancel-batch"]);
    assert!(status == Some(1) && told.contains("was cancelled") && told.contains("3 left"), "{told}");
    assert!(!std::path::Path::new(&batch.results).exists());
    // What is left is another batch.
    let (status, told) = batch.run(&[]);
    assert_eq!((status, taken(&sim)), (Some(0), (2, 3)), "{told}");
}

#[test]
fn what_cannot_be_one_batch_is_told_before_anything_is_sent() {
    let folder = Folder::new("provider-batch-usage");
    let sim = Sim::start(&folder, r#"{"turns":[]}"#);
    let two = |one: &str, other: &str| {
        format!("{{\"prompt\":\"secret\",\"model\":\"{one}\"}}\n{{\"prompt\":\"secret\",\"model\":\"{other}\"}}\n")
    };
    for (input, part) in [
        (two("openai/gpt-6-luna", "anthropic/claude-haiku-4-5"), "the lines ask anthropic, openai"),
        (two("openai/gpt-6-luna", "openai/gpt-6-sol"), "of one model"),
        (two("sim/x", "sim/x"), "no batches"),
        (two("groq/x", "groq/x"), "no batches"),
    ] {
        let batch = Batch::new(&folder, &sim, "openai/gpt-6-luna", &input);
        let (status, told) = batch.run(&[]);
        assert!(status.is_some_and(|status| status != 0) && told.contains(part), "{part}: {told}");
        assert!(!told.contains("secret") && !std::path::Path::new(&batch.journal()).exists(), "{told}");
    }
    assert_eq!(taken(&sim), (0, 0));
    let output = sabir(&["batch", "x", "-o", "y", "--poll", "1"], "", &[]);
    assert_eq!(output.status.code(), Some(2), "a word of these alone means nothing");
}

#[test]
fn batches_that_fail_or_expire_say_so_and_keep_what_was_done() {
    for (provider, _) in PROVIDERS {
        let folder = Folder::new(&format!("provider-batch-fails-{provider}"));
        let sim = Sim::start(&folder, r#"{"turns":[]}"#);
        if provider != "anthropic" {
            let batch = Batch::new(&folder, &sim, &format!("{provider}/simulated-batch-failed"), THREE);
            let (status, told) = batch.run(&[]);
            assert!(status == Some(1) && told.contains(&format!("{provider} failed the batch")), "{told}");
            assert!(told.contains("3 left") && !std::path::Path::new(&batch.results).exists(), "{told}");
            std::fs::remove_file(batch.journal()).expect("ours");
        }
        let batch = Batch::new(&folder, &sim, &format!("{provider}/simulated-batch-expired"), THREE);
        let (status, told) = batch.run(&[]);
        assert!(
            status == Some(1) && told.contains("expired") && told.contains("1 done, 2 failed"),
            "{provider}: {told}"
        );
        let results = batch.results();
        assert!(results[0]["error"].is_null(), "{provider}");
        assert_eq!(results[2]["error"]["kind"], "timeout", "{provider}: {}", results[2]);
    }
}

#[test]
fn a_batch_has_to_fit_into_the_budgets_as_a_whole() {
    let folder = Folder::new("provider-batch-budget");
    let sim = Sim::start(&folder, r#"{"turns":[]}"#);
    let lines = (0..50).map(|item| format!("{{\"prompt\":\"Number {item}\",\"max_tokens\":50}}\n"));
    let input = lines.collect::<Vec<_>>().concat();
    let mut batch = Batch::new(&folder, &sim, "openai/gpt-6-luna", &input);
    batch.env.push(("LLM_BUDGET_PERIOD", "day".to_owned()));
    batch.env.push(("LLM_MAX_BUDGET", "0.0005".to_owned()));
    let (status, told) = batch.run(&[]);
    assert!(status == Some(1) && told.contains("nothing was sent") && told.contains("budget"), "{status:?} {told}");
    assert_eq!(taken(&sim), (0, 0));
    batch.env.last_mut().expect("it has some").1 = "5".to_owned();
    let (status, told) = batch.run(&[]);
    assert_eq!((status, taken(&sim)), (Some(0), (1, 50)), "{told}");
}
