//! How far something long is: a bar on a terminal, a line now and then elsewhere. Both on standard error.

use std::io::IsTerminal as _;
use std::time::{Duration, Instant};

use indicatif::{ProgressBar, ProgressStyle};

use crate::output::notice;
use crate::table::grouped;

/// How long it is between two lines where there is no terminal.
const EVERY: Duration = Duration::from_secs(10);

/// How far something is.
pub(crate) struct Progress {
    total: u64,
    bar: Option<ProgressBar>,
    told: Instant,
}

impl Progress {
    /// Something of so many steps, of which some were made before.
    pub(crate) fn new(total: u64, before: u64) -> Self {
        let bar = std::io::stderr().is_terminal().then(|| {
            let bar = ProgressBar::new(total).with_position(before);
            // What is left is told by the pace of what is done now.
            bar.reset_eta();
            let style = ProgressStyle::with_template("{bar:30} {human_pos}/{human_len}  {elapsed}, {eta} left  {msg}");
            match style {
                Ok(style) => bar.with_style(style),
                Err(_) => bar,
            }
        });
        Self { total, bar, told: Instant::now() }
    }

    /// So many steps are made; `words` say how they went.
    pub(crate) fn at(&mut self, made: u64, words: impl FnOnce() -> String) {
        if let Some(bar) = &self.bar {
            bar.set_position(made);
            bar.set_message(words());
        } else if self.told.elapsed() >= EVERY {
            self.told = Instant::now();
            notice(&format!("{} of {}: {}", grouped(made), grouped(self.total), words()));
        }
    }

    /// Says something above the bar.
    pub(crate) fn say(&self, line: &str) {
        match &self.bar {
            Some(bar) => bar.suspend(|| notice(line)),
            None => notice(line),
        }
    }

    /// Takes the bar away.
    pub(crate) fn end(self) {
        if let Some(bar) = self.bar {
            bar.finish_and_clear();
        }
    }
}
