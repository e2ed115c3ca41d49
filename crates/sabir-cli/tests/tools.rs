//! `sabir chat -t` and `sabir tools`, with the built-in simulator, which calls the tools that its prompt names.
#![cfg(unix)]

mod support;

use std::fs::File;
use std::io::Read as _;
use std::process::{Command, Output};
use std::time::{Duration, Instant};

use serde_json::Value;
use support::{Folder, command, run, text};

const TOOLS: &str = r#"
[tools.echo]
description = "Gives a text back"
command = ["printf", "%s", "--", "{{text}}"]
parameters = { text = "string: What to give back", times = "integer?" }
confirm = "never"

[tools.read]
description = "Gives its arguments back"
command = "cat"
parameters = { text = "string" }
confirm = "never"

[tools.break]
description = "Fails"
command = "echo out; echo broken >&2; exit 3"
confirm = "never"

[tools.hang]
description = "Takes forever"
command = ["tail", "-f", "/dev/null"]
timeout = "200ms"
confirm = "never"

[tools.brood]
description = "Starts another that takes long, too"
command = "exec 3>alive; echo begun >&3; sleep 300 & sleep 300"
timeout = "1s"
confirm = "never"

[tools.flood]
description = "Writes without end"
command = ["yes"]
max_output = 10
confirm = "never"

[tools.none]
description = "Is not there"
command = ["no-such-program"]
confirm = "never"

[tools.danger]
description = "Has to be asked for"
command = "touch danger"

[mcp.silent]
command = "tail"
args = ["-f", "/dev/null"]
start_timeout = "300ms"
confirm = "never"

[mcp.nonsense]
command = "sh"
args = ["-c", "echo 'no JSON'; echo 'I am no server' >&2"]
confirm = "never"

[mcp.gone]
command = "no-such-program"
confirm = "never"

[mcp.unreachable]
url = "http://127.0.0.1:1/mcp"
headers = { authorization = "Bearer sk-very-secret-indeed" }
confirm = "never"

[mcp.keyless]
command = "cat"
env = { KEY = "file:no-such-file" }
confirm = "never"
"#;

fn sabir(name: &str, arguments: &[&str]) -> (Output, Folder) {
    let folder = Folder::new(name);
    folder.file("sabir.toml", TOOLS.as_bytes());
    let mut command = command(arguments, &[("PATH", "/usr/bin:/bin")]);
    (run(command.current_dir(folder.path()), ""), folder)
}

fn chat(tool: &str, more: &[&str]) -> (Output, Folder) {
    let prompt = format!("Call {tool}");
    let arguments = [&["chat", "-m", "sim/m", "-t", tool, &prompt], more].concat();
    sabir(&format!("tools-{}", tool.replace('.', "-")), &arguments)
}

#[test]
fn commands_are_called_and_their_results_are_the_models_to_read() {
    for (tool, in_answer, in_notices) in [
        ("echo", "The tool echo gave: “", "[tool result] echo ("),
        ("read", "The tool read gave: “{\"text\":", "[tool call] read {\"text\":"),
        ("break", "The tool break failed with: “it ended with exit status: 3 out  broken", "[tool error] break ("),
        ("hang", "failed with: “the command took longer than 200ms and was ended”", "[tool error] hang ("),
        ("flood", "gave: “y y y y y  [cut off after 10 bytes]”", "[tool result] flood ("),
        ("none", "failed with: “cannot run no-such-program: ", "[tool error] none ("),
    ] {
        let (output, _folder) = chat(tool, &[]);
        let (answer, notices) = (text(&output.stdout), text(&output.stderr));
        assert!(output.status.success(), "{tool}: {notices}");
        assert!(answer.contains(in_answer), "{tool}: {answer}");
        assert!(notices.contains(in_notices), "{tool}: {notices}");
    }
}

/// Both processes hold a pipe, which ends when the last of them does.
#[test]
fn nothing_is_left_of_a_command_that_took_too_long() {
    let begun = Instant::now();
    let folder = Folder::new("tools-brood");
    folder.file("sabir.toml", TOOLS.as_bytes());
    let pipe = folder.path().join("alive");
    assert!(Command::new("mkfifo").arg(&pipe).status().expect("it runs").success());
    // Opened for both, it waits for nobody at the other end.
    let both = File::options().read(true).write(true).open(&pipe).expect("a pipe");
    let mut end = File::open(&pipe).expect("a pipe");
    let mut command = command(&["chat", "-m", "sim/m", "-t", "brood", "Call brood"], &[("PATH", "/usr/bin:/bin")]);
    let output = run(command.current_dir(folder.path()), "");
    assert!(text(&output.stdout).contains("took longer than 1s and was ended"), "{output:?}");
    drop(both);
    let mut said = String::new();
    end.read_to_string(&mut said).expect("text");
    assert_eq!(said, "begun\n");
    assert!(begun.elapsed() < Duration::from_secs(100), "they ended by themselves");
}

#[test]
fn what_has_to_be_asked_for_is_refused_where_nobody_can_be_asked() {
    let (output, folder) = chat("danger", &[]);
    assert_eq!(output.status.code(), Some(2));
    assert_eq!(
        text(&output.stderr),
        "error: danger asks before each call, and there is no terminal to ask on\n  \
         hint: give --yes, or set tools.danger.confirm = \"never\"\n"
    );
    assert!(!folder.path().join("danger").exists());
    drop(folder);
    let (output, folder) = chat("danger", &["--yes"]);
    assert!(output.status.success(), "{}", text(&output.stderr));
    assert!(folder.path().join("danger").exists());
}

#[test]
fn turns_have_an_end_and_json_has_the_last_answer() {
    let (output, _folder) = chat("echo", &["--max-turns", "1"]);
    assert!(text(&output.stderr).contains("still asks for tools after 1 turns; --max-turns allows more"));
    let (output, _folder) = chat("echo", &["--json"]);
    let answer: Value = serde_json::from_slice(&output.stdout).expect("JSON");
    assert!(answer["text"].as_str().expect("text").contains("The tool echo gave"), "{answer}");
}

#[test]
fn names_that_are_not_there_are_told_with_those_that_are_near() {
    for (tool, expected) in [
        ("ecoh", "error: there is no tool \"ecoh\"\n  hint: did you mean echo?\n"),
        ("xyz.abc", "error: there is no tool \"xyz.abc\"\n  hint: there are: break, brood, danger, "),
    ] {
        let (output, _folder) = chat(tool, &[]);
        assert_eq!(output.status.code(), Some(2));
        let said = text(&output.stderr);
        assert!(said.starts_with(expected), "{said}");
    }
}

#[test]
fn a_server_that_is_none_is_told_in_a_line_or_two() {
    for (server, begins, contains) in [
        ("silent", "error: the MCP server silent gave no answer within 300ms\n", "mcp.silent.start_timeout"),
        ("nonsense", "error: the MCP server nonsense did not start: ", "cause: it said: I am no server"),
        ("gone", "error: cannot start the MCP server gone (no-such-program): ", "No such file"),
        ("unreachable", "error: the MCP server unreachable at http://127.0.0.1:1/mcp did not answer as one: ", ""),
        ("keyless", "error: configuration: cannot read ", "no-such-file"),
    ] {
        let (output, _folder) = chat(server, &[]);
        let said = text(&output.stderr);
        assert!(!output.status.success(), "{said}");
        assert!(said.starts_with(begins) && said.contains(contains), "{server}: {said}");
        assert!(said.lines().count() <= 3 && said.len() < 800 && !said.contains("very-secret"), "{server}: {said}");
    }
}

#[test]
fn tools_are_listed_and_secrets_are_not() {
    let (output, _folder) = sabir("tools-list", &["tools"]);
    let listed = text(&output.stdout);
    for line in
        ["echo         command     never    text times", "danger       shell line  always", "silent       MCP server"]
    {
        assert!(listed.contains(line), "{listed}");
    }
    let (output, _folder) = sabir("tools-list-json", &["tools", "echo", "--json"]);
    let tool: Value = serde_json::from_slice(&output.stdout).expect("JSON");
    assert_eq!(tool["parameters"]["required"], serde_json::json!(["text"]), "{tool}");
    let (output, _folder) = sabir("tools-show", &["config", "show"]);
    assert!(!text(&output.stdout).contains("very-secret"), "{}", text(&output.stdout));
}
