//! Files of any format, as one kind of tree.

mod json;
mod toml;
mod yaml;

use std::sync::Arc;

use crate::fault::Faults;
use crate::node::Node;
use crate::{Format, Source};

/// The longest file that is read, in bytes: a configuration is written by people.
pub(crate) const LONGEST: usize = 1 << 20;
/// How deep tables and lists may stand in each other.
const DEEPEST: usize = 32;

/// Reads a file's text.
pub(crate) fn read(text: &str, format: Format, file: &Arc<str>) -> Result<Node, Faults> {
    let text = text.strip_prefix('\u{feff}').unwrap_or(text);
    let lines = Lines::of(text, file);
    if text.len() > LONGEST {
        return Err(Faults::one(lines.at(0), format!("is longer than {LONGEST} bytes; it is no configuration")));
    }
    match format {
        Format::Toml => toml::read(text, &lines),
        Format::Yaml => yaml::read(text, &lines),
        Format::Json => json::read(text, &lines),
    }
}

/// Where the lines of a file begin.
struct Lines {
    file: Arc<str>,
    begins: Vec<usize>,
}

impl Lines {
    fn of(text: &str, file: &Arc<str>) -> Self {
        let ends = text.bytes().enumerate().filter(|(_, byte)| *byte == b'\n');
        Self { file: file.clone(), begins: std::iter::once(0).chain(ends.map(|(at, _)| at + 1)).collect() }
    }

    /// The line of a byte.
    fn at(&self, byte: usize) -> Source {
        self.line(self.begins.partition_point(|begin| *begin <= byte))
    }

    /// A line, from 1.
    fn line(&self, line: usize) -> Source {
        Source::File { file: self.file.clone(), line: line.max(1) }
    }

    fn fault(&self, byte: usize, message: impl Into<String>) -> Faults {
        Faults::one(self.at(byte), message)
    }
}
