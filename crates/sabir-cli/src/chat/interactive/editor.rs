//! The line that is typed: its keys, its history, and when it is whole.

use std::borrow::Cow;
use std::path::Path;

use reedline::{
    ColumnarMenu, EditCommand, Emacs, KeyCode, KeyModifiers, MenuBuilder as _, Prompt, PromptEditMode,
    PromptHistorySearch, Reedline, ReedlineEvent, ReedlineMenu, Signal, SimpleMatchHighlighter, ValidationResult,
    Validator, default_emacs_keybindings,
};

use super::completion::Names;
use super::history;
use crate::failure::Failure;
use crate::markdown::safe;

/// The name of the menu that Tab opens.
const MENU: &str = "completion";

/// What a person did at the prompt.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Typed {
    Line(String),
    /// The line was cleared.
    Nothing,
    End,
}

/// Reads lines from the terminal.
pub(super) struct Editor(Option<Reedline>);

impl Editor {
    /// One whose history is kept in that file, or nowhere.
    pub(super) fn open(history: Option<&Path>, names: Names) -> Self {
        let mut keys = default_emacs_keybindings();
        let open = ReedlineEvent::UntilFound(vec![ReedlineEvent::Menu(MENU.to_owned()), ReedlineEvent::MenuNext]);
        keys.add_binding(KeyModifiers::NONE, KeyCode::Tab, open);
        keys.add_binding(KeyModifiers::SHIFT, KeyCode::BackTab, ReedlineEvent::MenuPrevious);
        keys.add_binding(KeyModifiers::ALT, KeyCode::Enter, ReedlineEvent::Edit(vec![EditCommand::InsertNewline]));
        // The Enter that was pressed while an answer came.
        keys.add_binding(KeyModifiers::CONTROL, KeyCode::Char('j'), ReedlineEvent::Enter);
        let no_color = std::env::var_os("NO_COLOR").is_some_and(|value| !value.is_empty());
        let reedline = Reedline::create()
            .with_edit_mode(Box::new(Emacs::new(keys)))
            .with_validator(Box::new(Whole))
            // Nothing in a question has a colour.
            .with_highlighter(Box::new(SimpleMatchHighlighter::default()))
            .with_completer(Box::new(names))
            .with_menu(ReedlineMenu::EngineCompleter(Box::new(ColumnarMenu::default().with_name(MENU))))
            .with_quick_completions(true)
            .with_partial_completions(true)
            .with_ansi_colors(!no_color)
            // What is pasted is a line to be looked at, whatever line ends are in it.
            .use_bracketed_paste(true)
            .with_history_exclusion_prefix(Some(" ".to_owned()));
        Self(Some(match history.and_then(history::open) {
            Some(history) => reedline.with_history(history),
            None => reedline,
        }))
    }

    /// Waits for a line, behind the model's name. The thread is not the runtime's: servers of tools are answered
    /// meanwhile.
    pub(super) async fn read(&mut self, model: &str) -> Result<Typed, Failure> {
        let Some(mut reedline) = self.0.take() else { return Ok(Typed::End) };
        let prompt = Behind(safe(model).into_owned());
        let read = tokio::task::spawn_blocking(move || {
            let signal = reedline.read_line(&prompt);
            // A history that cannot be written keeps nobody from going on.
            let _ = reedline.sync_history();
            (reedline, signal)
        });
        let (reedline, signal) = read.await.map_err(|error| Failure::failed(format!("the prompt broke: {error}")))?;
        self.0 = Some(reedline);
        match signal {
            Ok(Signal::Success(line)) => Ok(Typed::Line(line)),
            Ok(Signal::CtrlD) => Ok(Typed::End),
            Ok(_) => Ok(Typed::Nothing),
            Err(error) => Err(Failure::failed(format!("cannot read from the terminal: {error}"))
                .hint("`sabir chat PROMPT` asks without one")),
        }
    }
}

/// Says when Enter ends the line: not behind a backslash, and not within a fence of code.
struct Whole;

impl Validator for Whole {
    fn validate(&self, line: &str) -> ValidationResult {
        if is_whole(line) { ValidationResult::Complete } else { ValidationResult::Incomplete }
    }
}

fn is_fence(line: &str) -> bool {
    line.trim_start().starts_with("```")
}

fn is_whole(text: &str) -> bool {
    !text.ends_with('\\') && text.lines().filter(|line| is_fence(line)).count() % 2 == 0
}

/// A question as it is sent: without the backslashes behind which a line went on. Code keeps its own.
pub(super) fn as_sent(text: &str) -> String {
    let mut is_code = false;
    let lines = text.trim().lines().map(|line| {
        is_code ^= is_fence(line);
        if is_code { line } else { line.strip_suffix('\\').unwrap_or(line) }
    });
    lines.collect::<Vec<_>>().join("\n")
}

/// The prompt: who is asked.
struct Behind(String);

impl Prompt for Behind {
    fn render_prompt_left(&self) -> Cow<'_, str> {
        Cow::Borrowed(&self.0)
    }

    fn render_prompt_right(&self) -> Cow<'_, str> {
        Cow::Borrowed("")
    }

    fn render_prompt_indicator(&self, _mode: PromptEditMode) -> Cow<'_, str> {
        Cow::Borrowed("> ")
    }

    fn render_prompt_multiline_indicator(&self) -> Cow<'_, str> {
        Cow::Borrowed("… ")
    }

    fn render_prompt_history_search_indicator(&self, search: PromptHistorySearch) -> Cow<'_, str> {
        Cow::Owned(format!(" (search: {}) ", search.term))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_goes_on_behind_a_backslash_and_within_code() {
        for (text, whole) in [
            ("", true),
            ("hello", true),
            ("hello \\", false),
            ("hello \\\nworld", true),
            ("```rust\nfn main() {}", false),
            ("see:\n  ```\na\n  ```", true),
            ("the word ``` within", true),
        ] {
            assert_eq!(is_whole(text), whole, "{text}");
        }
    }

    #[test]
    fn backslashes_at_the_ends_of_lines_are_not_sent() {
        for (text, sent) in [
            (" one \\\ntwo ", "one \ntwo"),
            ("a\\b\\\nc", "a\\b\nc"),
            ("x\\\n```sh\nls \\\n  -l\n```\ny\\\nz", "x\n```sh\nls \\\n  -l\n```\ny\nz"),
        ] {
            assert_eq!(as_sent(text), sent, "{text}");
        }
    }
}
