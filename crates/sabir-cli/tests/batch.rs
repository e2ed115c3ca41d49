//! `sabir batch`, against `sabir sim` in a process of its own.

mod support;

use std::collections::{BTreeMap, BTreeSet};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant, SystemTime};

use serde_json::Value;
use support::{Folder, Sim, command, run, sabir, text};

/// Asked at once.
const AT_ONCE: u64 = 16;

/// What a simulator was asked: text, key, and whether it came again.
fn asked(sim: &Sim) -> Vec<(String, String, bool)> {
    let word = |value: &Value| value.as_str().expect("a text").to_owned();
    let lines = sim.books("text").into_iter();
    lines.map(|line| (word(&line["text"]), word(&line["idempotency_key"]), line["repeated"] == true)).collect()
}

/// A batch's folder, its files and its environment.
struct Batch<'a> {
    input: String,
    results: String,
    journal: String,
    env: Vec<(&'a str, String)>,
}

impl Batch<'_> {
    fn new(folder: &Folder, url: &str, input: &str) -> Self {
        let results = folder.path().join("out.jsonl").to_str().expect("text").to_owned();
        let home = folder.path().to_str().expect("text").to_owned();
        let env =
            vec![("OPENAI_API_KEY", "sk-any".to_owned()), ("OPENAI_BASE_URL", format!("{url}/v1")), ("HOME", home)];
        Self { input: folder.file("in.jsonl", input.as_bytes()), journal: format!("{results}.journal"), results, env }
    }

    fn command(&self, more: &[&str]) -> Command {
        let at_once = AT_ONCE.to_string();
        let mut arguments =
            vec!["batch", &self.input, "-o", &self.results, "-m", "openai/gpt-6-luna", "--concurrency", &at_once];
        arguments.extend(more);
        let env: Vec<(&str, &str)> = self.env.iter().map(|(name, value)| (*name, value.as_str())).collect();
        command(&arguments, &env)
    }

    fn results(&self) -> Vec<Value> {
        let text = std::fs::read_to_string(&self.results).expect("results");
        text.lines().map(|line| serde_json::from_str(line).expect("JSON")).collect()
    }

    /// The journal's whole lines.
    fn journal(&self) -> Vec<Value> {
        let text = std::fs::read_to_string(&self.journal).unwrap_or_default();
        text.split_inclusive('\n')
            .filter(|line| line.ends_with('\n'))
            .map(|line| serde_json::from_str(line).expect("JSON"))
            .collect()
    }
}

/// So many lines.
fn lines(count: u64, line: impl Fn(u64) -> String) -> String {
    (0..count).map(line).collect::<Vec<_>>().concat()
}

/// The items that have answers, and those that are on their way.
fn read(journal: &[Value]) -> (BTreeSet<u64>, BTreeSet<u64>) {
    let (mut done, mut under_way) = (BTreeSet::new(), BTreeSet::new());
    for line in journal {
        if let Some(item) = line["sent"].as_u64() {
            under_way.insert(item);
        } else if let Some(item) = line["done"]["item"].as_u64() {
            under_way.remove(&item);
            assert!(done.insert(item), "{item} has one answer");
        }
    }
    (done, under_way)
}

/// How many results the journal has.
fn answered(batch: &Batch<'_>) -> usize {
    let journal = std::fs::read(&batch.journal).unwrap_or_default();
    journal.split(|byte| *byte == b'\n').filter(|line| line.starts_with(b"{\"done\"")).count()
}

#[test]
fn killed_at_any_moment_it_asks_nothing_again_whose_answer_was_kept() {
    const ITEMS: u64 = 2_000;
    const KILLS: usize = 3;
    let folder = Folder::new("batch-kill");
    // A few milliseconds an answer, so that some are on their way at any moment.
    let sim = Sim::start(&folder, r#"{"turns":[{"repeat":"forever","delay_before_ms":20}]}"#);
    let input = lines(ITEMS, |item| format!("{{\"id\":\"q{item}\",\"prompt\":\"Question number {item}.\"}}\n"));
    let batch = Batch::new(&folder, &sim.served.url, &input);
    let seed = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).expect("after 1970").subsec_nanos();
    println!("seed {seed}");
    let mut random = u64::from(seed) | 1;
    let mut in_doubt: BTreeSet<u64> = BTreeSet::new();
    let mut expected_twice = 0;
    for kill in 0..KILLS {
        random ^= random << 13;
        random ^= random >> 7;
        random ^= random << 17;
        // Somewhere in the next quarter of the batch; the journal grows as answers come.
        let goal = (kill as u64) * ITEMS / 4 + random % (ITEMS / 4);
        let mut child = batch.command(&[]).stderr(Stdio::null()).spawn().expect("it runs");
        let begun = Instant::now();
        while (answered(&batch) as u64) < goal.max(1) {
            assert!(begun.elapsed() < Duration::from_secs(120), "it makes no way");
            std::thread::yield_now();
        }
        child.kill().expect("ours");
        child.wait().expect("ours");
        // Sent by this process and before, and not answered: what may be asked again.
        let journal = batch.journal();
        let since = journal.iter().rposition(|line| line["resumed"].is_u64()).unwrap_or(0);
        let (done, _) = read(&journal);
        let sent_now = read(&journal[since..]).1;
        expected_twice +=
            in_doubt.iter().filter(|item| journal[since..].iter().any(|line| line["sent"] == **item)).count();
        in_doubt = in_doubt.union(&sent_now).copied().filter(|item| !done.contains(item)).collect();
        assert!(sent_now.len() as u64 <= AT_ONCE, "{} on their way", sent_now.len());
    }
    expected_twice += in_doubt.len();
    let output = run(&mut batch.command(&[]), "");
    let told = text(&output.stderr);
    assert!(output.status.success(), "{told}");

    // Each item once, in order, and its own answer.
    let results = batch.results();
    assert_eq!(results.len() as u64, ITEMS);
    for (item, result) in results.iter().enumerate() {
        assert_eq!(result["id"], format!("q{item}"));
        assert_eq!(result["error"], Value::Null);
        let answer = result["response"]["text"].as_str().expect("a text");
        assert!(answer.contains(&format!("Question number {item}.")), "{answer}");
        assert!(result["usage"]["input_total"].as_u64() > Some(0) && result["cost"]["nano_usd"].is_u64());
    }

    // The provider's own books: who came more than once was on its way at a kill, and came with the same key, so that a
    // provider that knows such keys does the work once.
    let mut times: BTreeMap<String, Vec<(String, bool)>> = BTreeMap::new();
    for (text, key, repeated) in asked(&sim) {
        times.entry(text).or_default().push((key, repeated));
    }
    assert_eq!(times.len() as u64, ITEMS);
    let mut again = 0;
    for (text, asked) in &times {
        again += asked.len() - 1;
        assert!(asked.iter().all(|(key, _)| *key == asked[0].0), "{text}: {asked:?}");
        assert_eq!(asked.iter().filter(|(_, repeated)| !repeated).count(), 1, "{text}: the work was done once");
    }
    println!("{KILLS} kills: {ITEMS} results, {again} asked again, {expected_twice} counted as sent twice");
    assert!(again <= expected_twice, "{again} came again, and no more than {expected_twice} were on their way");
    assert!(again as u64 <= KILLS as u64 * AT_ONCE);
    assert!(told.contains(&format!("2,000 done, 0 failed, {expected_twice} sent twice; ")), "{told}");

    // Done is done.
    let before = sim.books("text").len();
    let output = run(&mut batch.command(&[]), "");
    assert!(output.status.success());
    assert_eq!(sim.books("text").len(), before, "nothing is asked again");

    // The ledger has an attempt for each.
    let env: Vec<(&str, &str)> = batch.env.iter().map(|(name, value)| (*name, value.as_str())).collect();
    let usage = sabir(&["usage", "--json"], "", &env);
    let said = text(&usage.stdout);
    assert!(usage.status.success() && said.contains("attempts"), "{said} {}", text(&usage.stderr));
}

#[test]
fn broken_lines_are_told_before_anything_is_sent() {
    let folder = Folder::new("batch-broken");
    let sim = Sim::start(&folder, r#"{"turns":[]}"#);
    let input = "{\"id\":\"a\",\"prompt\":\"Hi\"}\n\n{\"id\":\"a\",\"prompt\":\"secret words\"}\n{oh\n{\"id\":\"b\",\"prompt\":\"Hi\",\"model\":\"nowhere/x\"}\n";
    let batch = Batch::new(&folder, &sim.served.url, input);
    let output = run(&mut batch.command(&[]), "");
    let told = text(&output.stderr);
    assert_eq!(output.status.code(), Some(2), "{told}");
    for part in ["line 3: its id is another", "line 4: no JSON", "line 5: unknown provider \"nowhere\""] {
        assert!(told.contains(part), "{told}");
    }
    assert!(!told.contains("secret") && sim.books("text").is_empty());
    assert!(batch.journal().is_empty(), "nothing is begun");
}

#[test]
fn what_fails_is_in_the_results_and_can_be_asked_again() {
    let folder = Folder::new("batch-failed");
    let script = r#"{"turns":[
        {"when":{"user_contains":"second"},"error":{"status":400,"message":"no such thing"}},
        {"when":{"user_contains":"third"},"error":{"status":503,"message":"overloaded","retry_after":0.01}}]}"#;
    let sim = Sim::start(&folder, script);
    let input = "{\"prompt\":\"first\"}\n{\"prompt\":\"second\"}\n{\"prompt\":\"third\"}\n";
    let batch = Batch::new(&folder, &sim.served.url, input);
    let output = run(&mut batch.command(&[]), "");
    let told = text(&output.stderr);
    assert_eq!(output.status.code(), Some(1), "{told}");
    assert!(told.contains("2 done, 1 failed, 0 sent twice; ") && told.contains("--retry-failed"), "{told}");
    let results = batch.results();
    assert_eq!(results[1]["error"]["kind"], "invalid_request");
    assert_eq!(results[1]["response"], Value::Null);
    assert_eq!([0, 2].map(|item| results[item]["id"].clone()), ["1", "3"]);
    // What passes was tried again by the stack: with the first one, four requests.
    assert_eq!(sim.books("text").len(), 4);

    let output = run(&mut batch.command(&[]), "");
    assert_eq!((output.status.code(), sim.books("text").len()), (Some(1), 4), "a failure is a result");
    let output = run(&mut batch.command(&["--retry-failed"]), "");
    let told = text(&output.stderr);
    assert!(output.status.success() && told.contains("3 done, 0 failed, 0 sent twice; "), "{told}");
    let books = asked(&sim);
    let keys: BTreeSet<&String> = books.iter().filter(|(text, ..)| text == "second").map(|(_, key, _)| key).collect();
    assert_eq!((books.len(), keys.len()), (5, 2), "another try is another request");
    assert_eq!(batch.results()[1]["error"], Value::Null);
}

#[test]
fn a_wrong_key_stops_it_and_costs_nothing() {
    let folder = Folder::new("batch-stops");
    let script = r#"{"turns":[{"error":{"status":401,"message":"wrong key"},"repeat":"forever"}]}"#;
    let sim = Sim::start(&folder, script);
    let input = lines(500, |item| format!("{{\"prompt\":\"{item}\"}}\n"));
    let batch = Batch::new(&folder, &sim.served.url, &input);
    let output = run(&mut batch.command(&[]), "");
    let told = text(&output.stderr);
    assert_eq!(output.status.code(), Some(1), "{told}");
    assert!(
        told.contains("0 done, 0 failed, 500 left") && told.contains("Stopped: ") && told.contains("goes on"),
        "{told}"
    );
    assert!(sim.books("text").len() as u64 <= AT_ONCE, "{}", sim.books("text").len());
    assert!(!std::path::Path::new(&batch.results).exists());
}

#[test]
fn a_journal_is_of_one_batch_and_results_are_not_written_over() {
    let folder = Folder::new("batch-other");
    let sim = Sim::start(&folder, r#"{"turns":[]}"#);
    let batch = Batch::new(&folder, &sim.served.url, "{\"prompt\":\"one\"}\n");
    assert!(run(&mut batch.command(&[]), "").status.success());
    // The input is another now.
    let other = Batch::new(&folder, &sim.served.url, "{\"prompt\":\"two\"}\n");
    let output = run(&mut other.command(&[]), "");
    assert!(output.status.code() == Some(2) && text(&output.stderr).contains("another input"));
    std::fs::remove_file(&batch.journal).expect("ours");
    let output = run(&mut other.command(&[]), "");
    assert!(output.status.code() == Some(2) && text(&output.stderr).contains("no result of this batch"));
    assert_eq!(sim.books("text").len(), 1);
}

#[test]
fn a_journal_that_was_torn_anywhere_is_gone_on_with() {
    let folder = Folder::new("batch-torn");
    let sim = Sim::start(&folder, r#"{"turns":[]}"#);
    let batch = Batch::new(&folder, &sim.served.url, "{\"prompt\":\"one\"}\n{\"prompt\":\"two\"}\n");
    assert!(run(&mut batch.command(&[]), "").status.success());
    let whole = std::fs::read(&batch.journal).expect("a journal");
    // Every 97th byte, and those around the lines' ends.
    let ends: BTreeSet<usize> = (0..whole.len()).filter(|at| whole[*at] == b'\n').flat_map(|at| [at, at + 1]).collect();
    let cuts: BTreeSet<usize> = (1..whole.len()).step_by(whole.len() / 12).chain(ends).collect();
    for cut in cuts {
        std::fs::write(&batch.journal, &whole[..cut]).expect("written");
        let output = run(&mut batch.command(&[]), "");
        assert!(output.status.success(), "{cut}: {}", text(&output.stderr));
        assert_eq!(batch.results().len(), 2, "{cut}");
    }
}

#[cfg(unix)]
#[test]
fn ctrl_c_waits_for_what_is_paid_and_says_how_to_go_on() {
    let folder = Folder::new("batch-interrupt");
    let sim = Sim::start(&folder, r#"{"turns":[{"repeat":"forever","delay_before_ms":30}]}"#);
    let input = lines(300, |item| format!("{{\"prompt\":\"{item}\"}}\n"));
    let batch = Batch::new(&folder, &sim.served.url, &input);
    let child = batch.command(&[]).stderr(Stdio::piped()).spawn().expect("it runs");
    let begun = Instant::now();
    while answered(&batch) < 20 {
        assert!(begun.elapsed() < Duration::from_secs(60), "it makes no way");
        std::thread::yield_now();
    }
    // While it runs, nobody else can.
    let second = run(&mut batch.command(&[]), "");
    assert!(second.status.code() == Some(1) && text(&second.stderr).contains("another process runs this batch"));
    let interrupted = Command::new("kill").args(["-INT", &child.id().to_string()]).status().expect("there is a kill");
    assert!(interrupted.success());
    let output = child.wait_with_output().expect("it ends");
    let told = text(&output.stderr);
    assert_eq!(output.status.code(), Some(1), "{told}");
    assert!(told.contains("Stopped by Ctrl-C.") && told.contains("the same command goes on"), "{told}");
    // All that was sent was waited for.
    assert_eq!(sim.books("text").len(), answered(&batch));
    let output = run(&mut batch.command(&[]), "");
    assert!(output.status.success() && text(&output.stderr).contains("300 done, 0 failed, 0 sent twice; "));
    assert_eq!((sim.books("text").len(), batch.results().len()), (300, 300));
}

#[test]
fn a_budget_that_is_used_up_leaves_the_rest() {
    let folder = Folder::new("batch-budget");
    let sim = Sim::start(&folder, r#"{"turns":[]}"#);
    let input = lines(200, |item| format!("{{\"prompt\":\"Number {item}\",\"max_tokens\":50}}\n"));
    let mut batch = Batch::new(&folder, &sim.served.url, &input);
    batch.env.push(("LLM_MAX_BUDGET", "0.001".to_owned()));
    batch.env.push(("LLM_BUDGET_PERIOD", "day".to_owned()));
    let output = run(&mut batch.command(&[]), "");
    let told = text(&output.stderr);
    assert_eq!(output.status.code(), Some(1), "{told}");
    assert!(told.contains("Stopped: ") && told.contains("budget") && told.contains("goes on"), "{told}");
    let some = answered(&batch);
    println!("{some} of 200 for a tenth of a cent");
    assert!((1..200).contains(&some), "{told}");
    // What was asked was answered, and what was not sent cost nothing.
    assert_eq!(sim.books("text").len(), some);
    let more = ("LLM_MAX_BUDGET", "5".to_owned());
    batch.env.retain(|(name, _)| *name != "LLM_MAX_BUDGET");
    batch.env.push(more);
    let output = run(&mut batch.command(&[]), "");
    assert!(output.status.success(), "{}", text(&output.stderr));
    assert_eq!((sim.books("text").len(), batch.results().len()), (200, 200));
}
