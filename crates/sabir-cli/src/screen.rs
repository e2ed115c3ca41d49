//! An answer as it comes: text to standard output, thoughts and notices to standard error.

use std::io::IsTerminal as _;

use sabir::chat::Event;

use crate::failure::Failure;
use crate::markdown::{Markdown, safe};
use crate::output::{notice, part_in_words, print, whisper};

/// Writes the events of answers.
#[derive(Debug)]
pub(crate) struct Screen {
    text: Text,
    dim: bool,
    thinking: bool,
    /// Whether the line that was written last has no end yet.
    open: bool,
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

impl Screen {
    /// Renders Markdown where standard output is a terminal, unless `plain` or `NO_COLOR` says otherwise.
    pub(crate) fn new(plain: bool) -> Self {
        let no_color = std::env::var_os("NO_COLOR").is_some_and(|value| !value.is_empty());
        let text = if !std::io::stdout().is_terminal() {
            Text::AsItIs
        } else if plain || no_color {
            Text::Plain
        } else {
            Text::Rendered(Markdown::new())
        };
        Self { text, dim: std::io::stderr().is_terminal() && !no_color, thinking: false, open: false }
    }

    /// What is written of one event.
    pub(crate) fn event(&mut self, event: &Event) -> Result<(), Failure> {
        if self.thinking && !matches!(event, Event::Reasoning(_) | Event::Usage(_)) {
            whisper(if self.dim { "\x1b[0m\n" } else { "\n" });
            self.thinking = false;
        }
        match event {
            Event::Text(delta) => return self.text(delta),
            Event::Reasoning(delta) => {
                if !self.thinking && self.dim {
                    whisper("\x1b[2m");
                }
                self.thinking = true;
                whisper(&if self.dim { safe(delta) } else { delta.as_str().into() });
            }
            Event::ToolEnd { call, .. } => {
                self.end()?;
                notice(&safe(&format!("[tool call] {} {}", call.name, call.arguments)));
            }
            Event::Part(part) => part_in_words(&part.content).iter().for_each(|line| notice(&safe(line))),
            Event::Done(_) => return self.end(),
            _ => {}
        }
        Ok(())
    }

    /// A piece of text.
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

    /// The answer is over, or broke off: what was held back is written, and its line ends.
    pub(crate) fn end(&mut self) -> Result<(), Failure> {
        if let Text::Rendered(markdown) = &mut self.text {
            let text = markdown.finish();
            self.write(&text)?;
        }
        if self.open { self.write("\n") } else { Ok(()) }
    }

    fn write(&mut self, text: &str) -> Result<(), Failure> {
        if !text.is_empty() {
            self.open = !text.ends_with('\n');
            print(text)?;
        }
        Ok(())
    }
}
