//! How an answer is written: its text to standard output, all else to standard error, as it comes or at the end.

use std::io::IsTerminal as _;

use sabir::ChatResponse;
use sabir::chat::{Event, FinishReason};

use crate::failure::Failure;
use crate::output::{notice, part_in_words, print, whisper};

/// Writes one answer.
#[derive(Debug)]
pub(super) struct Writer {
    /// What is held back until [`release`](Self::release); `None` where it is written at once.
    held: Option<Vec<Piece>>,
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

impl Writer {
    /// Writes as it comes.
    pub(super) fn live() -> Self {
        Self { held: None, dim: std::io::stderr().is_terminal(), is_thinking: false, is_open: false }
    }

    /// Holds everything back.
    pub(super) fn held() -> Self {
        Self { held: Some(Vec::new()), ..Self::live() }
    }

    /// Writes what was held back, and what comes from now on at once.
    pub(super) fn release(&mut self) -> Result<(), Failure> {
        for piece in self.held.take().unwrap_or_default() {
            match piece {
                Piece::Text(text) => print(&text)?,
                Piece::Aside(text) => whisper(&text),
            }
        }
        Ok(())
    }

    /// An event of the answer.
    pub(super) fn event(&mut self, event: &Event) -> Result<(), Failure> {
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
                self.aside(delta);
            }
            Event::ToolEnd { call, .. } => self.line(&format!("[tool call] {} {}", call.name, call.arguments)),
            Event::Part(part) => part_in_words(&part.content).iter().for_each(|line| self.line(line)),
            Event::Done(_) => self.end()?,
            _ => {}
        }
        Ok(())
    }

    /// An answer that came whole.
    pub(super) fn whole(&mut self, response: &ChatResponse) -> Result<(), Failure> {
        if let Some(reasoning) = response.reasoning() {
            self.line(&reasoning);
        }
        self.text(&response.text())?;
        self.end()?;
        for call in response.tool_calls() {
            self.line(&format!("[tool call] {} {}", call.name, call.arguments));
        }
        for line in response.parts.iter().filter_map(|part| part_in_words(&part.content)) {
            self.line(&line);
        }
        Ok(())
    }

    /// More of the answer's text: the one door through which it goes.
    pub(super) fn text(&mut self, delta: &str) -> Result<(), Failure> {
        if delta.is_empty() {
            return Ok(());
        }
        self.is_open = !delta.ends_with('\n');
        match &mut self.held {
            Some(held) => {
                held.push(Piece::Text(delta.to_owned()));
                Ok(())
            }
            None => print(delta),
        }
    }

    /// The answer is over, or broke off: ends a line that is begun.
    pub(super) fn end(&mut self) -> Result<(), Failure> {
        if self.is_thinking {
            self.end_thought();
        }
        if self.is_open { self.text("\n") } else { Ok(()) }
    }

    /// What a person should know of how the answer ended.
    pub(super) fn remark(&mut self, response: &ChatResponse) {
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
    pub(super) fn line(&mut self, line: &str) {
        match &mut self.held {
            Some(held) => held.push(Piece::Aside(format!("{line}\n"))),
            None => notice(line),
        }
    }

    fn end_thought(&mut self) {
        self.aside(if self.dim { "\x1b[0m\n" } else { "\n" });
        self.is_thinking = false;
    }

    fn aside(&mut self, text: &str) {
        match &mut self.held {
            Some(held) => held.push(Piece::Aside(text.to_owned())),
            None => whisper(text),
        }
    }
}
