//! `sabir chat`, as a person runs it.

mod support;

use std::io::Read as _;
use std::process::{Command, Output, Stdio};

use serde_json::{Value, json};
use support::{Folder, Sim, command, text};

/// A home of its own, for a log and a configuration.
struct Home(Folder);

impl Home {
    fn new(name: &str) -> Self {
        Self(Folder::new(name))
    }

    fn command(&self, arguments: &[&str]) -> Command {
        let mut command = command(arguments, &[]);
        command.env("XDG_DATA_HOME", self.0.path()).env("XDG_CONFIG_HOME", self.0.path()).current_dir(self.0.path());
        command
    }

    fn sabir(&self, arguments: &[&str], input: &str) -> Output {
        support::run(&mut self.command(arguments), input)
    }

    /// A command that finds a simulator in place of OpenAI.
    fn command_to(&self, sim: &Sim, arguments: &[&str]) -> Command {
        let mut command = self.command(arguments);
        command.env("OPENAI_BASE_URL", sim.served.v1()).env("OPENAI_API_KEY", "k");
        command
    }

    fn sabir_to(&self, sim: &Sim, arguments: &[&str]) -> Output {
        support::run(&mut self.command_to(sim, arguments), "")
    }

    /// What it answers, where all goes well and nothing else is said.
    fn says(&self, arguments: &[&str], input: &str) -> String {
        let output = self.sabir(arguments, input);
        assert_eq!((output.status.code(), text(&output.stderr).as_str()), (Some(0), ""), "{arguments:?}");
        text(&output.stdout)
    }

    /// What it says is wrong, and the exit status.
    fn refuses(&self, arguments: &[&str], input: &str) -> (Option<i32>, String) {
        let output = self.sabir(arguments, input);
        assert_eq!(text(&output.stdout), "", "{arguments:?}");
        let said = text(&output.stderr);
        assert!(!said.contains("panicked"), "{said}");
        (output.status.code(), said.trim_end().to_owned())
    }

    fn config(&self, text: &str) {
        self.0.file("sabir.toml", text.as_bytes());
    }
}

fn wrong(text: &str) -> (Option<i32>, String) {
    (Some(2), format!("error: {text}"))
}

/// What every answer of the simulator begins with.
const NOTICE: &str = "This is Sabir's simulator, not a language model.";
const SIM: [&str; 3] = ["chat", "-m", "sim/x"];

fn with<'a>(more: &[&'a str]) -> Vec<&'a str> {
    SIM.iter().chain(more).copied().collect()
}

#[test]
fn files_pipes_and_urls_are_sent_along() {
    let home = Home::new("attach");
    let notes = home.0.file("notes.txt", b"deep");
    let picture = home.0.file("unnamed", b"\x89PNG\r\n\x1a\n0000");
    let sheet = home.0.file("sheet.pdf", b"%PDF-1.4");
    let arguments = with(&["-a", &notes, "-f", &picture, "--file", &sheet, "-a", "https://x.test/b.jpg?w=1", "Look:"]);
    let sent = "You said: “notes.txt: ``` deep ``` Look:  piped” (6 words). You also sent an image (image/png, 12 bytes), \
        a document “sheet.pdf” (application/pdf, 8 bytes), an image (image/jpeg, at a URL).";
    assert_eq!(home.says(&arguments, "piped"), format!("{NOTICE} {sent}\n"));
    let piped = home.says(&with(&["-a", "-", "What is it?"]), "GIF89a0000");
    let sent = "You said: “What is it?” (3 words). You also sent an image (image/gif, 10 bytes).";
    assert_eq!(piped, format!("{NOTICE} {sent}\n"));
    let cases = [
        (with(&["-a", "/no/such/file", "x"]), "cannot read /no/such/file: No such file or directory (os error 2)"),
        (with(&[]), "nothing to ask: give a prompt, a file with -a, or text on standard input"),
    ];
    for (arguments, says) in cases {
        assert_eq!(home.refuses(&arguments, ""), wrong(says));
    }
    let binary = home.0.file("x.bin", &[0xff, 0x00]);
    let says = format!("{binary} is neither text nor an image, sound or PDF that is known");
    assert_eq!(home.refuses(&with(&["-a", &binary]), ""), wrong(&says));
}

#[test]
fn an_answer_of_a_form_is_json() {
    let home = Home::new("schema");
    let answer = home.says(&with(&["--schema", "name, age int, tags list of str", "Ada"]), "");
    let value: Value = serde_json::from_str(&answer).expect("JSON");
    assert!(value["name"].is_string() && value["age"].is_i64() && value["tags"].is_array(), "{answer}");
    let several: Value =
        serde_json::from_str(&home.says(&with(&["--schema-multi", "year int", "x"]), "")).expect("JSON");
    assert!(several[0]["year"].is_i64(), "{several}");
    let file =
        home.0.file("person.json", br#"{"type":"object","properties":{"ok":{"type":"boolean"}},"required":["ok"]}"#);
    let whole: Value = serde_json::from_str(&home.says(&with(&["--json", "--schema", &file, "x"]), "")).expect("JSON");
    assert!(whole["value"]["ok"].is_boolean() && whole["usage"]["output_total"].is_u64(), "{whole}");

    for (schema, says) in [
        (
            "name, age itn",
            "the schema, line 1, column 7: \"itn\" is no type: there are str, int, float, bool and list of one of them; did you mean int?",
        ),
        ("{\"type\": }", "the schema is not JSON: expected value at line 1 column 10"),
        (
            "{\"type\": \"objct\"}",
            "this is no JSON Schema: \"objct\" is not valid under any of the schemas listed in the 'anyOf' keyword, at \"/type\"",
        ),
        ("no/such.json", "cannot read no/such.json: No such file or directory (os error 2)"),
    ] {
        assert_eq!(home.refuses(&with(&["--schema", schema, "x"]), ""), wrong(says));
    }
}

#[test]
fn an_answer_that_does_not_hold_is_asked_for_again_and_then_an_error() {
    let home = Home::new("schema-wrong");
    let turns =
        [r#"{"age": "old"}"#, r#"{"age": 36}"#, "no", "never"].map(|said| json!({ "answer": { "text": said } }));
    let sim = Sim::start(&home.0, &json!({ "turns": turns }).to_string());
    let ask = ["chat", "-m", "openai/m", "--schema", "age int", "Ada"];
    let output = home.sabir_to(&sim, &ask);
    assert_eq!(
        (output.status.code(), text(&output.stdout).as_str()),
        (Some(0), "{\"age\":36}\n"),
        "{}",
        text(&output.stderr)
    );
    let output = home.sabir_to(&sim, &ask);
    assert_eq!((output.status.code(), text(&output.stdout).as_str()), (Some(1), ""));
    let says = "error: decode: the answer is not the value that was asked for: there is no JSON object in it";
    assert!(text(&output.stderr).starts_with(says), "{}", text(&output.stderr));
}

#[test]
fn several_models_answer_under_their_names() {
    let home = Home::new("several");
    let answer = home.says(&["chat", "-m", "sim/a", "-m", "sim/b", "hello"], "");
    let said = format!("Hello! {NOTICE} You said: “hello” (1 word).\n");
    assert_eq!(answer, format!("== sim/a ==\n{said}\n== sim/b ==\n{said}"));
    let answers: Value =
        serde_json::from_str(&home.says(&["chat", "--json", "-m", "sim/a", "-m", "sim/b", "hi"], "")).expect("JSON");
    assert_eq!((&answers[0]["asked"], &answers[1]["asked"]), (&json!("sim/a"), &json!("sim/b")));
    assert_ne!(answers[0]["conversation"], answers[1]["conversation"]);

    let output = home.sabir(&["chat", "-m", "openai/a", "-m", "sim/b", "hello"], "");
    assert_eq!(output.status.code(), Some(1));
    assert!(text(&output.stdout).starts_with("== openai/a ==\n\n== sim/b ==\n"), "{}", text(&output.stdout));
    assert!(text(&output.stderr).contains("OPENAI_API_KEY"), "{}", text(&output.stderr));
    let output = home.sabir(&["chat", "--json", "-m", "openai/a", "-m", "sim/b", "hello"], "");
    assert_eq!(output.status.code(), Some(1));
    let answers: Value = serde_json::from_slice(&output.stdout).expect("JSON");
    assert_eq!(answers[0]["error"]["kind"], "configuration");
    assert!(answers[1]["text"].is_string());
}

#[test]
fn templates_roles_and_names_of_models() {
    let home = Home::new("templates");
    home.config(
        "[aliases]\nfast = \"sim/quick\"\n\
         [roles]\nterse = \"Answer in one sentence.\"\n\
         [templates.translate]\nsystem = \"Into {{language}}.\"\nprompt = \"Text: {{ input }}\"\nmodel = \"fast\"\n\
         defaults = { language = \"German\" }\n\
         [templates.list]\nprompt = \"Three {{what}} of {{where}}.\"\nschema = \"names list\"\nmodel = \"sim/x\"\n",
    );
    let request = |arguments: &[&str], input: &str| -> Value {
        home.says(arguments, input);
        let shown = home.says(&["logs", "show", "--json"], "");
        serde_json::from_str(&shown).expect("JSON")
    };
    let asked = request(&["chat", "-T", "translate"], "the {{sea}}");
    let exchange = &asked["exchanges"][0];
    assert_eq!(exchange["model"], "fast");
    assert_eq!(exchange["messages"][0]["parts"][0]["text"], "Into German.");
    assert_eq!(exchange["messages"][1]["parts"][0]["text"], "Text: the {{sea}}");
    let asked = request(&["chat", "-T", "translate", "-p", "language=French", "-r", "terse", "-m", "sim/y", "hi"], "");
    let exchange = &asked["exchanges"][0];
    assert_eq!(
        (&exchange["model"], &exchange["messages"][0]["parts"][0]["text"]),
        (&json!("sim/y"), &json!("Answer in one sentence."))
    );
    let names = home.says(&["chat", "-T", "list", "-p", "what=ships", "-p", "where=Malta", "More."], "");
    assert!(serde_json::from_str::<Value>(&names).expect("JSON")["names"].is_array(), "{names}");

    let cases: &[(&[&str], &str)] = &[
        (&["-T", "transalte", "x"], "there is no template \"transalte\"; did you mean translate?"),
        (&["-T", "zzz", "x"], "there is no template \"zzz\"; there are list, translate"),
        (&["-r", "ters", "x"], "there is no role \"ters\"; did you mean terse?"),
        (
            &["-T", "translate", "-p", "langauge=French", "x"],
            "the template \"translate\" has no parameter \"langauge\"; did you mean language?",
        ),
        (
            &["-T", "translate"],
            "the template \"translate\" needs something to work on: a prompt, or text on standard input",
        ),
        (&["-T", "list"], "the template \"list\" needs -p what=… -p where=…"),
        (
            &["-m", "fats", "x"],
            "configuration: there is no model \"fats\" in the configuration; did you mean \"fast\"?",
        ),
    ];
    for (arguments, says) in cases {
        let arguments: Vec<&str> = ["chat"].iter().chain(*arguments).copied().collect();
        assert_eq!(home.refuses(&arguments, ""), wrong(says));
    }
}

#[test]
fn what_a_call_may_cost_is_a_bound() {
    let home = Home::new("cost");
    home.config("[prices.models.\"sim/*\".standard]\ninput = \"1\"\noutput = \"1000\"\n");
    let paid = home.sabir(&with(&["--max-cost", "1", "--max-tokens", "20", "-u", "--no-log", "hello"]), "");
    assert_eq!(paid.status.code(), Some(0), "{}", text(&paid.stderr));
    assert_eq!(
        text(&paid.stderr),
        "note: the answer was cut at the token limit\n\
         input    2  tokens  $0.000002\noutput  20  tokens      $0.02\ntotal   22  tokens  $0.020002  list price\n"
    );

    let dear = with(&["--max-cost", "0.01", "--max-tokens", "20", "hello"]);
    let (status, said) = home.refuses(&dear, "");
    let says =
        "error: budget_exceeded: this call may cost $0.021205016, more than all of the budget of --max-cost $0.01";
    assert_eq!((status, said.lines().next()), (Some(1), Some(says)));
    // Of the simulator's model it is not known how much it writes: it is cut where the money ends.
    let cut = home.sabir(&with(&["--max-cost", "0.60", "Count to 1000, please, one after another"]), "");
    assert_eq!(cut.status.code(), Some(1));
    assert!(text(&cut.stdout).contains("1, 2, 3"), "{}", text(&cut.stdout));
    assert!(text(&cut.stderr).contains("no more in its budgets (--max-cost $0.6)"), "{}", text(&cut.stderr));
    let log = home.says(&["logs"], "");
    assert!(log.contains("[partial] Count to 1000"), "{log}");

    let free = Home::new("cost-unknown");
    let (status, said) = free.refuses(&with(&["--max-cost", "0.01", "hello"]), "");
    assert_eq!(status, Some(1));
    assert!(said.starts_with("error: budget_exceeded: no price of sim/x is known"), "{said}");
    let output = free.sabir(&with(&["--max-cost", "cheap", "hello"]), "");
    assert_eq!(output.status.code(), Some(2), "{}", text(&output.stderr));
}

#[test]
fn options_of_sampling_and_of_the_dialect_are_sent() {
    let home = Home::new("options");
    let arguments =
        with(&["--temperature", "0.5", "--top-p", "0.9", "--seed", "-7", "--stop", "END", "--effort", "low", "hi"]);
    let output = home.sabir(&arguments, "");
    assert_eq!(output.status.code(), Some(0), "{}", text(&output.stderr));
    let shown: Value = serde_json::from_str(&home.says(&["logs", "show", "--json"], "")).expect("JSON");
    assert_eq!(
        shown["exchanges"][0]["request"],
        json!({ "model": "sim/x", "messages": [], "temperature": 0.5, "top_p": 0.9, "stop": ["END"], "seed": -7,
            "reasoning": { "effort": "low" } })
    );
    assert_eq!(
        home.refuses(&with(&["-o", "a=1", "hi"]), ""),
        wrong("sim has no dialect, and so no options of one (-o)")
    );
    let sim = Sim::start(&home.0, &json!({ "turns": [] }).to_string());
    let output = home.sabir_to(&sim, &["chat", "-m", "openai/m", "-o", "service_tier=flex", "-o", "n=1", "hi"]);
    assert_eq!(output.status.code(), Some(0), "{}", text(&output.stderr));
    let shown: Value = serde_json::from_str(&home.says(&["logs", "show", "--json"], "")).expect("JSON");
    let options = &shown["exchanges"][0]["request"]["options"];
    assert_eq!(options, &json!({ "openai-chat": { "service_tier": "flex", "n": 1 } }));
}

#[cfg(unix)]
#[test]
fn ctrl_c_stops_the_answer_and_what_came_is_kept() {
    let home = Home::new("ctrl-c");
    // Some words come, and then nothing.
    let slow = json!({ "answer": { "text": "word ".repeat(500) }, "faults": [{ "kind": "stall", "bytes": 4_000 }] });
    let sim = Sim::start(&home.0, &json!({ "turns": [slow] }).to_string());
    let mut child = home
        .command_to(&sim, &["chat", "-m", "openai/m", "Count."])
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("it starts");
    let mut first = [0];
    let mut stdout = child.stdout.take().expect("piped");
    stdout.read_exact(&mut first).expect("the answer begins");
    let kill = Command::new("kill").args(["-INT", &child.id().to_string()]).status().expect("kill runs");
    assert!(kill.success());
    let mut rest = String::new();
    stdout.read_to_string(&mut rest).expect("text");
    let output = child.wait_with_output().expect("it ends");
    assert_eq!(output.status.code(), Some(130), "{}", text(&output.stderr));
    let printed = format!("{}{rest}", char::from(first[0]));
    assert!(printed.starts_with("word ") && printed.ends_with(" \n"), "{printed}");
    assert_eq!(text(&output.stderr), "note: stopped by Ctrl-C; the answer is not whole\n");

    let shown: Value = serde_json::from_str(&home.says(&["logs", "show", "--json"], "")).expect("JSON");
    let exchange = &shown["exchanges"][0];
    let kept = &exchange["messages"][1]["parts"][0]["text"];
    assert_eq!((&exchange["outcome"], kept), (&json!("partial"), &json!(printed.trim_end_matches('\n'))));
    let output = home.sabir_to(&sim, &["chat", "-c", "Go on."]);
    assert_eq!(output.status.code(), Some(0), "{}", text(&output.stderr));
    let shown: Value = serde_json::from_str(&home.says(&["logs", "show", "--json"], "")).expect("JSON");
    assert_eq!(shown["exchanges"].as_array().map(Vec::len), Some(2));
}

#[test]
fn what_layers_tell_of_is_in_the_log() {
    let folder = Folder::new("logging");
    let file = |name: &str, logging: &str| {
        folder.file(name, format!("[trace]\ncontent = \"nothing\"\n[logging]\n{logging}\n").as_bytes())
    };
    let logged = |config: &str, env: &[(&str, &str)]| {
        let mut command = command(&["--config", config, "chat", "--no-log", "-m", "sim/m", "harbour"], env);
        let output = support::run(command.env("HOME", folder.path()), "");
        assert!(output.status.success(), "{output:?}");
        text(&output.stderr)
    };
    let plain = logged(&file("text.toml", "level = \"info\""), &[]);
    assert!(plain.contains("INFO") && plain.contains("gen_ai.request.model"), "{plain}");
    assert!(!plain.contains("harbour") && !plain.contains('\u{1b}'), "{plain}");
    let json = logged(&file("json.toml", "format = \"json\""), &[]);
    let line = json.lines().find(|line| line.starts_with('{')).expect("a line of JSON");
    assert_eq!(serde_json::from_str::<Value>(line).expect("JSON")["level"], "INFO");
    let quiet = logged(&file("quiet.toml", ""), &[("LLM_LOG_LEVEL", "warn")]);
    assert!(!quiet.contains("INFO"), "{quiet}");
}
