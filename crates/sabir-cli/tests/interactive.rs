//! `sabir chat` without a prompt: a person at a pseudo-terminal asks one question after another.
#![cfg(unix)]

mod support;
#[path = "support/terminal.rs"]
mod terminal;

use std::path::Path;

use support::{Folder, Sim, sabir, text};
use terminal::Terminal;

/// What a terminal sends for Alt-Enter, Ctrl-C and Ctrl-D.
const ALT_ENTER: &str = "\x1b\r";
const CTRL_C: &str = "\x03";
const CTRL_D: &str = "\x04";

/// `sabir chat` with these arguments, at home in this folder, at its first prompt.
fn chat(folder: &Folder, arguments: &[&str]) -> Terminal {
    let home = folder.path().to_str().expect("text");
    let mut terminal =
        Terminal::start(&[&["chat", "-m", "sim/m"], arguments].concat(), &[("HOME", home)], folder.path());
    at_prompt(&mut terminal);
    terminal
}

/// Waits until a line can be typed: what is typed before is not typed at the prompt.
fn at_prompt(terminal: &mut Terminal) {
    terminal.wait_until("a prompt", |contents| contents.trim_end().ends_with('>'));
}

/// Types a line, and waits for what comes of it and the next prompt.
fn say(terminal: &mut Terminal, line: &str, answer: &str) {
    terminal.keys(&format!("{line}\r"));
    terminal.wait_for(answer);
    at_prompt(terminal);
}

/// Asks again what had the second answer of a conversation, and waits for the other one.
fn again(terminal: &mut Terminal) {
    terminal.keys("/retry\r");
    terminal.wait_until("another answer", |contents| contents.matches("This is answer number 2").count() == 2);
    at_prompt(terminal);
}

/// What `sabir logs` says of the conversations there.
fn logs(folder: &Folder, arguments: &[&str]) -> String {
    let home = folder.path().to_str().expect("text");
    text(&sabir(&[&["logs"], arguments].concat(), "", &[("HOME", home)]).stdout)
}

fn history(folder: &Folder) -> std::path::PathBuf {
    folder.path().join(".local/share/sabir/history")
}

#[test]
fn questions_are_asked_one_after_another() {
    let folder = Folder::new("interactive-turns");
    let mut terminal = chat(&folder, &[]);
    say(&mut terminal, "I like **rivers**", "You said: “I like rivers” (3 words).");
    say(&mut terminal, "and lakes", "You said: “and lakes” (2 words). This is answer number 2");
    say(&mut terminal, "/usage", "2 answers; tokens: ");
    say(&mut terminal, "/new", "a new conversation");
    say(&mut terminal, "and seas", "You said: “and seas” (2 words).");
    terminal.keys(CTRL_D);
    let ended = terminal.end();
    assert!(ended.status.success(), "{}", ended.contents());
    assert!(ended.cell("rivers” (3").bold(), "{}", ended.contents());
    let last = &ended.contents()[ended.contents().find("and seas").expect("there")..];
    assert!(!last.contains("answer number"), "{last}");
    let leave = ended.contents().trim_end().lines().last().map(str::to_owned).expect("a line");
    assert!(leave.starts_with("`sabir chat --id ") && leave.ends_with("` goes on with this."), "{leave}");

    let listed = logs(&folder, &["--json"]);
    let ids: Vec<String> = listed
        .lines()
        .map(|line| serde_json::from_str::<serde_json::Value>(line).expect("JSON")["conversation"].to_string())
        .collect();
    assert!(ids.len() == 3 && ids[0] != ids[1] && ids[1] == ids[2], "{listed}");
    let kept = std::fs::read_to_string(history(&folder)).expect("a history");
    assert_eq!(kept, "I like **rivers**\nand lakes\n/usage\n/new\nand seas\n");
    let mode =
        std::os::unix::fs::PermissionsExt::mode(&std::fs::metadata(history(&folder)).expect("there").permissions());
    assert_eq!(mode & 0o777, 0o600);
}

#[test]
fn a_command_changes_the_model_and_what_it_is_told() {
    let folder = Folder::new("interactive-commands");
    folder.file("sabir.toml", b"[roles]\nterse = \"Answer in one sentence.\"\n[aliases]\nfast = \"sim/quick\"\n");
    folder.file("note.txt", b"Sea salt.");
    let mut terminal = chat(&folder, &[]);
    say(&mut terminal, "/modle", "there is no command /modle; did you mean /model?");
    say(&mut terminal, "/model sim/other", "sim/other> ");
    say(&mut terminal, "/model fa\t", "fast> ");
    say(&mut terminal, "/model nowhere/x", "error: configuration");
    say(&mut terminal, "/role tercse", "did you mean terse?");
    say(&mut terminal, "/role terse", "terse from now on");
    terminal.keys("/attach no");
    say(&mut terminal, "\t", "note.txt goes along with the next question");
    say(&mut terminal, "What is it?", "What is it?”");
    say(&mut terminal, "/save talk.md", "talk.md is written");
    say(&mut terminal, "/undo", "are taken back");
    say(&mut terminal, "/tools", "the model may call nothing");
    terminal.keys("/quit\r");
    let ended = terminal.end();
    assert!(ended.status.success(), "{}", ended.contents());
    let saved = std::fs::read_to_string(folder.path().join("talk.md")).expect("saved");
    assert!(
        saved.starts_with("## system\n\nAnswer in one sentence.\n\n## user\n\nnote.txt:\n```\nSea salt."),
        "{saved}"
    );
    assert!(saved.contains("What is it?\n\n## assistant\n\n"), "{saved}");
    assert!(logs(&folder, &[]).contains("fast"), "{}", logs(&folder, &[]));
}

#[test]
fn a_question_may_have_many_lines() {
    let folder = Folder::new("interactive-lines");
    let mut terminal = chat(&folder, &[]);
    terminal.keys(&format!("one{ALT_ENTER}two"));
    terminal.wait_for("… two");
    terminal.keys(" \\\r");
    terminal.wait_for("two \\");
    say(&mut terminal, "three", "You said: “one two  three” (3 words).");
    terminal.keys("\x1b[200~```\nlet four = 4;\n\x1b[201~");
    terminal.wait_for("let four");
    say(&mut terminal, "\r```", "let four = 4;  ” (6 words)");
    // What is typed while an answer comes ends with this one: the terminal is not raw then.
    terminal.keys("five\n");
    terminal.wait_for("You said: “five” (1 word).");
    at_prompt(&mut terminal);
    terminal.keys(CTRL_D);
    assert!(terminal.end().status.success());
    let kept = logs(&folder, &["search", "three", "--json"]);
    assert!(kept.contains("one"), "{kept}");
}

#[test]
fn ctrl_c_stops_an_answer_and_clears_a_line() {
    let folder = Folder::new("interactive-stop");
    // Minutes long.
    let words = format!("Slowly {}", "on and ".repeat(300));
    let script =
        format!(r#"{{"turns":[{{"answer":{{"text":"{words}"}},"delay_between_ms":500,"chunking":{{"chars":5}}}}]}}"#);
    let sim = Sim::start(&folder, &script);
    let home = folder.path().to_str().expect("text");
    let url = sim.served.v1();
    let env = [("HOME", home), ("OPENAI_API_KEY", "sk-any"), ("OPENAI_BASE_URL", url.as_str())];
    let mut terminal = Terminal::start(&["chat", "-m", "openai/m"], &env, folder.path());
    at_prompt(&mut terminal);
    terminal.keys("never asked");
    terminal.wait_for("never asked");
    terminal.keys(CTRL_C);
    at_prompt(&mut terminal);
    terminal.keys("tell me\r");
    terminal.wait_for("Slowly");
    terminal.keys(CTRL_C);
    terminal.wait_for("note: stopped by Ctrl-C; the answer is not whole");
    at_prompt(&mut terminal);
    say(&mut terminal, "and now?", "You said: “and now?” (2 words). This is answer number 2");
    again(&mut terminal);
    terminal.keys(CTRL_D);
    let ended = terminal.end();
    assert!(ended.status.success(), "{}", ended.contents());
    let log = logs(&folder, &["--json"]);
    assert!(log.contains("\"outcome\":\"partial\"") && !log.contains("never asked"), "{log}");
}

#[test]
fn a_conversation_of_the_log_is_gone_on_with_and_another_way() {
    let folder = Folder::new("interactive-continue");
    let home = folder.path().to_str().expect("text");
    for words in ["the first", "the second"] {
        let asked = sabir(&["chat", "-m", "sim/old", words], "", &[("HOME", home)]);
        assert!(asked.status.success(), "{}", text(&asked.stderr));
    }
    let mut terminal = chat(&folder, &[]);
    let listed = logs(&folder, &["--json"]);
    let first = listed.lines().find(|line| line.contains("the first")).expect("in the log");
    let first: serde_json::Value = serde_json::from_str(first).expect("JSON");
    let id = first["conversation"].as_str().expect("an id");
    terminal.keys(&format!("/continue {}", &id[..11]));
    say(&mut terminal, "\t", &format!("conversation {id} with 1 question; sim/old is asked"));
    say(&mut terminal, "/undo", "are taken back");
    terminal.keys("/continue\r");
    terminal.wait_until("the last one", |contents| contents.matches("; sim/old is asked").count() == 2);
    at_prompt(&mut terminal);
    say(&mut terminal, "go on", "You said: “go on” (2 words). This is answer number 2");
    again(&mut terminal);
    say(&mut terminal, "/usage", "2 answers; tokens: ");
    terminal.keys(CTRL_D);
    assert!(terminal.end().status.success());
    let ids: std::collections::BTreeSet<String> = logs(&folder, &["--json"])
        .lines()
        .map(|line| serde_json::from_str::<serde_json::Value>(line).expect("JSON")["conversation"].to_string())
        .collect();
    assert_eq!(ids.len(), 3, "what was asked again is a conversation of its own");
}

#[test]
fn a_tool_is_allowed_in_the_middle_of_it() {
    let folder = Folder::new("interactive-tool");
    folder.file(
        "sabir.toml",
        b"[tools.upper]\ndescription = \"Capitals\"\ncommand = \"tr a-z A-Z\"\nparameters = { text = \"string\" }\n",
    );
    let mut terminal = chat(&folder, &["-t", "upper"]);
    terminal.keys("Use upper\r");
    terminal.wait_for("Call upper? [y]es, [n]o, [a]lways: ");
    terminal.keys("y\n");
    terminal.wait_for("The tool upper gave: “");
    at_prompt(&mut terminal);
    say(&mut terminal, "/new", "a new conversation");
    terminal.keys("Use upper once more\r");
    terminal.wait_until("another call", |contents| contents.matches("Call upper?").count() == 2);
    terminal.keys(CTRL_C);
    terminal.wait_for("note: stopped by Ctrl-C");
    at_prompt(&mut terminal);
    // Nobody else reads what is typed now.
    say(&mut terminal, "/tools", "\nupper");
    terminal.keys(CTRL_D);
    assert!(terminal.end().status.success());
}

#[test]
fn a_budget_holds_for_all_of_it() {
    let folder = Folder::new("interactive-budget");
    folder.file("sabir.toml", b"[prices.models.\"sim/*\".standard]\ninput = \"1\"\noutput = \"1000\"\n");
    let mut terminal = chat(&folder, &["--max-cost", "0.05", "--max-tokens", "30"]);
    say(&mut terminal, "hello", "You said: “hello”");
    say(&mut terminal, "hello again", "error: budget_exceeded");
    terminal.keys(CTRL_D);
    assert!(terminal.end().status.success());
}

#[test]
fn who_wants_nothing_kept_leaves_nothing() {
    let folder = Folder::new("interactive-nothing");
    let mut terminal = chat(&folder, &["--no-log", "-i", "hello"]);
    terminal.wait_for("You said: “hello”");
    say(&mut terminal, "/id", "this is not in the log");
    terminal.keys(CTRL_D);
    assert!(terminal.end().status.success());
    assert!(!Path::new(&history(&folder)).exists() && logs(&folder, &[]).is_empty());
}

#[test]
fn a_pipe_never_opens_it() {
    for (arguments, says) in
        [(&["chat", "-m", "sim/m"][..], "nothing to ask"), (&["chat", "-i"], "--interactive needs a terminal")]
    {
        let output = sabir(arguments, "", &[]);
        assert_eq!(output.status.code(), Some(2));
        assert!(text(&output.stderr).contains(says), "{}", text(&output.stderr));
    }
    let output = sabir(&["chat", "-m", "sim/m"], "piped", &[]);
    assert!(output.status.success() && text(&output.stdout).contains("You said: “piped”"));
}
