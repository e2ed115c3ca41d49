//! What a person sees and types: the command on a pseudo-terminal.
#![cfg(unix)]

mod support;
#[path = "support/terminal.rs"]
mod terminal;

use support::{Folder, sabir, text};
use terminal::Terminal;

const MARKDOWN: &str = "**bold** and `code` and *soft* and [a](http://b)";

const TOOLS: &str = r#"
[tools.double]
description = "Twice a text"
command = ["printf", "%s%s", "--", "{{text}}", "{{text}}"]
parameters = { text = "string: What to double" }

[tools.upper]
description = "A text in capitals"
command = "tr a-z A-Z"
parameters = { text = "string" }
"#;

#[test]
fn markdown_is_rendered_on_a_terminal() {
    let folder = Folder::new("terminal-markdown");
    let ended = Terminal::start(&["chat", "-m", "sim/m", MARKDOWN], &[], folder.path()).end();
    assert!(ended.status.success(), "{}", ended.contents());
    assert!(ended.contents().contains("You said: “bold and code and soft and a (http://b)”"), "{}", ended.contents());
    assert!(ended.cell("bold").bold() && !ended.cell("and code").bold());
    assert_eq!(ended.cell("code").fgcolor(), vt100::Color::Idx(6));
    assert!(ended.cell("soft").italic() && ended.cell("a (http").underline());
}

#[test]
fn plain_means_plain() {
    let folder = Folder::new("terminal-plain");
    for (arguments, env) in [(vec!["--plain"], vec![]), (vec![], vec![("NO_COLOR", "1")])] {
        let arguments = [vec!["chat", "-m", "sim/m", MARKDOWN], arguments].concat();
        let ended = Terminal::start(&arguments, &env, folder.path()).end();
        assert!(ended.contents().contains(&format!("“{MARKDOWN}”")), "{}", ended.contents());
        assert!(!ended.raw.contains('\x1b'), "{:?}", ended.raw);
    }
    let piped = sabir(&["chat", "-m", "sim/m", MARKDOWN], "", &[]);
    assert!(text(&piped.stdout).contains(&format!("“{MARKDOWN}”")));
    assert!(!text(&piped.stdout).contains('\x1b') && !text(&piped.stderr).contains('\x1b'));
}

#[test]
fn an_error_is_red_on_a_terminal_and_plain_in_a_pipe() {
    let folder = Folder::new("terminal-error");
    let arguments = ["chat", "-m", "openai/m", "hi"];
    let ended = Terminal::start(&arguments, &[], folder.path()).end();
    assert_eq!(ended.status.code(), Some(2));
    assert_eq!(ended.cell("error").fgcolor(), vt100::Color::Idx(1));
    assert_eq!(ended.cell("hint").fgcolor(), vt100::Color::Idx(6));
    let piped = text(&sabir(&arguments, "", &[]).stderr);
    assert!(piped.starts_with("error: ") && piped.contains("\n  hint: `export OPENAI_API_KEY=…`"), "{piped}");
    assert!(!piped.contains('\x1b'));
}

#[test]
fn a_tool_is_called_when_a_person_says_yes() {
    let folder = Folder::new("terminal-yes");
    folder.file("sabir.toml", TOOLS.as_bytes());
    let mut terminal = Terminal::start(&["chat", "-m", "sim/m", "-t", "double", "Use double"], &[], folder.path());
    let shown = terminal.wait_for("Call double? [y]es, [n]o, [a]lways: ");
    assert!(shown.contains("[tool call] double {\"text\":"), "{shown}");
    terminal.keys("perhaps\n");
    terminal.wait_for("perhaps");
    terminal.keys("y\n");
    terminal.wait_for("[tool result] double");
    let ended = terminal.end();
    assert!(ended.status.success(), "{}", ended.contents());
    assert!(ended.contents().contains("The tool double gave: “"), "{}", ended.contents());
}

#[test]
fn a_tool_is_not_called_when_a_person_says_no() {
    let folder = Folder::new("terminal-no");
    folder.file("sabir.toml", TOOLS.as_bytes());
    let mut terminal = Terminal::start(&["chat", "-m", "sim/m", "-t", "upper", "Use upper"], &[], folder.path());
    terminal.wait_for("Call upper? [y]es, [n]o, [a]lways: ");
    terminal.keys("n\n");
    let shown = terminal.wait_for("[tool error] upper");
    assert!(shown.contains("the call was not allowed: the user said no"), "{shown}");
    let ended = terminal.end();
    assert!(ended.status.success(), "{}", ended.contents());
    assert!(ended.contents().contains("The tool upper failed with: “"), "{}", ended.contents());
}

#[test]
fn init_asks_for_what_it_writes() {
    let folder = Folder::new("terminal-init");
    let mut terminal = Terminal::start(&["config", "init"], &[], folder.path());
    terminal.wait_for("Which provider? [openai]");
    terminal.keys("anthropc\n");
    terminal.wait_for("did you mean anthropic?");
    terminal.keys("anthropic\n");
    terminal.wait_for("Which model?");
    terminal.keys("claude-test\n");
    terminal.wait_for("Where is the key?");
    terminal.keys("\n");
    terminal.wait_for("sabir.toml is written.");
    assert!(terminal.end().status.success());
    let written = std::fs::read_to_string(folder.path().join("sabir.toml")).expect("a file");
    assert!(
        written.contains("model = \"anthropic/claude-test\"\n# The key comes from ANTHROPIC_API_KEY.\n"),
        "{written}"
    );
}
