//! How an answer is written: its text to standard output, all else to standard error, as it comes or at the end.

use std::io::IsTerminal as _;

use sabir::ChatResponse;
use sabir::chat::{Event, FinishReason};

use crate::failure::Failure;
use crate::markdown::{Markdown, safe};
use crate::output::{notice, part_in_words, print, whisper};

/// Writes answers.
#[derive(Debug)]
pub(crate) struct Writer {
    /// What is held back until [`release`](Self::release); `None` where it is written at once.
    held: Option<Vec<Piece>>,
    text: Text,
    /// Whether thoughts are shown in a faint colour.
    dim: bool,
    is_thinking: bool,
    /// Whether a line of text is begun.
    is_open: bool,
}

#[derive(Debug)]
enum Piece {
    Text(String),
    Aside(String),
}

/// How text is written.
#[derive(Debug)]
enum Text {
    /// To a pipe or a file: as it is.
    AsItIs,
    /// To a terminal that shows it plain.
    Plain,
    /// To a terminal.
    Rendered(Markdown),
}

impl Writer {
    /// Writes as it comes; renders Markdown where standard output is a terminal, unless `plain` or `NO_COLOR` says
    /// otherwise.
    pub(crate) fn live(plain: bool) -> Self {
        let no_color = std::env::var_os("NO_COLOR").is_some_and(|value| !value.is_empty());
        let text = if !std::io::stdout().is_terminal() {
            Text::AsItIs
        } else if plain || no_color {
            Text::Plain
        } else {
            Text::Rendered(Markdown::new())
        };
        let dim = std::io::stderr().is_terminal() && !no_color;
        Self { held: None, text, dim, is_thinking: false, is_open: false }
    }

    /// Holds everything back.
    pub(crate) fn held(plain: bool) -> Self {
        Self { held: Some(Vec::new()), ..Self::live(plain) }
    }

    /// Writes what was held back, and what comes from now on at once.
    pub(crate) fn release(&mut self) -> Result<(), Failure> {
        for piece in self.held.take().unwrap_or_default() {
            match piece {
                Piece::Text(text) => print(&text)?,
                Piece::Aside(text) => whisper(&text),
            }
        }
        Ok(())
    }

    /// An event of the answer.
    pub(crate) fn event(&mut self, event: &Event) -> Result<(), Failure> {
        if self.is_thinking && !matches!(event, Event::Reasoning(_) | Event::Usage(_)) {
            self.end_thought();
        }
        match event {
            Event::Text(delta) => self.text(delta)?,
            Event::Reasoning(delta) => {
                if !self.is_thinking && self.dim {
                    self.aside("\x1b[2m");
                }
                self.is_thinking = true;
                self.aside(&if self.dim { safe(delta) } else { delta.as_str().into() });
            }
            Event::ToolEnd { call, .. } => {
                self.end()?;
                self.line(&safe(&format!("[tool call] {} {}", call.name, call.arguments)));
            }
            Event::Part(part) => part_in_words(&part.content).iter().for_each(|line| self.line(&safe(line))),
            Event::Done(_) => self.end()?,
            _ => {}
        }
        Ok(())
    }

    /// An answer that came whole.
    pub(crate) fn whole(&mut self, response: &ChatResponse) -> Result<(), Failure> {
        if let Some(reasoning) = response.reasoning() {
            self.line(&safe(&reasoning));
        }
        self.text(&response.text())?;
        self.end()?;
        for call in response.tool_calls() {
            self.line(&safe(&format!("[tool call] {} {}", call.name, call.arguments)));
        }
        for line in response.parts.iter().filter_map(|part| part_in_words(&part.content)) {
            self.line(&safe(&line));
        }
        Ok(())
    }

    /// More of the answer's text: the one door through which it goes.
    pub(crate) fn text(&mut self, delta: &str) -> Result<(), Failure> {
        match &mut self.text {
            Text::AsItIs => self.write(delta),
            Text::Plain => self.write(&safe(delta)),
            Text::Rendered(markdown) => {
                let text = markdown.push(delta);
                self.write(&text)
            }
        }
    }

    /// Text that is no Markdown: a value.
    pub(crate) fn verbatim(&mut self, text: &str) -> Result<(), Failure> {
        match &self.text {
            Text::AsItIs => self.write(text),
            _ => self.write(&safe(text)),
        }
    }

    /// The answer is over, or broke off: what was held back of its text is written, and a line that is begun ends.
    pub(crate) fn end(&mut self) -> Result<(), Failure> {
        if self.is_thinking {
            self.end_thought();
        }
        if let Text::Rendered(markdown) = &mut self.text {
            let text = markdown.finish();
            self.write(&text)?;
        }
        if self.is_open { self.write("\n") } else { Ok(()) }
    }

    /// What a person should know of how the answer ended.
    pub(crate) fn remark(&mut self, response: &ChatResponse) {
        for loss in &response.losses {
            self.line(&format!("note: {loss}"));
        }
        match &response.finish.reason {
            FinishReason::Length => self.line("note: the answer was cut at the token limit"),
            FinishReason::ContentFilter => self.line("note: the provider filtered the answer"),
            _ => {}
        }
    }

    /// A line beside the answer.
    pub(crate) fn line(&mut self, line: &str) {
        match &mut self.held {
            Some(held) => held.push(Piece::Aside(format!("{line}\n"))),
            None => notice(line),
        }
    }

    fn end_thought(&mut self) {
        self.aside(if self.dim { "\x1b[0m\n" } else { "\n" });
        self.is_thinking = false;
    }

    fn write(&mut self, text: &str) -> Result<(), Failure> {
        if text.is_empty() {
            return Ok(());
        }
        self.is_open = !text.ends_with('\n');
        match &mut self.held {
            Some(held) => {
                held.push(Piece::Text(text.to_owned()));
                Ok(())
            }
            None => print(text),
        }
    }

    fn aside(&mut self, text: &str) {
        match &mut self.held {
            Some(held) => held.push(Piece::Aside(text.to_owned())),
            None => whisper(text),
        }
    }
}
