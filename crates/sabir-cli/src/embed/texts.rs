//! Which texts are embedded, and what they are called.

use std::path::PathBuf;

use sha2::{Digest as _, Sha256};

use crate::failure::Failure;
use crate::input;

/// Where texts come from.
#[derive(Debug, clap::Args)]
pub(super) struct Source {
    /// The texts; without any, standard input has one a line
    texts: Vec<String>,
    /// Standard input is one text, not one a line
    #[arg(long, conflicts_with = "texts")]
    whole: bool,
    /// Files, one text each, by name or pattern (`notes/**/*.md`)
    #[arg(long, value_name = "GLOB", num_args = 1.., conflicts_with_all = ["texts", "whole"])]
    files: Vec<String>,
}

/// One text.
#[derive(Debug)]
pub(super) struct Text {
    /// What it is called: its content's hash, or the path of its file.
    pub(super) id: String,
    /// SHA-256 of the text.
    pub(super) hash: [u8; 32],
    pub(super) content: String,
}

impl Text {
    /// A text of a name, or of none.
    pub(super) fn new(name: Option<String>, text: String) -> Self {
        let hash: [u8; 32] = Sha256::digest(text.as_bytes()).into();
        let hex = || hash.iter().fold(String::with_capacity(64), |hex, byte| format!("{hex}{byte:02x}"));
        Self { id: name.unwrap_or_else(hex), hash, content: text }
    }
}

impl Source {
    /// All of them; there is at least one.
    pub(super) fn texts(&self) -> Result<Vec<Text>, Failure> {
        let texts = self.read()?;
        if texts.is_empty() {
            return Err(Failure::usage("nothing to embed: give texts, --files, or text on standard input"));
        }
        Ok(texts)
    }

    fn read(&self) -> Result<Vec<Text>, Failure> {
        if !self.files.is_empty() {
            return files(&self.files)?.into_iter().map(|path| file(&path)).collect();
        }
        if !self.texts.is_empty() {
            return Ok(self.texts.iter().map(|text| Text::new(None, text.clone())).collect());
        }
        let piped = input::piped_text()?.unwrap_or_default();
        if self.whole {
            return Ok((!piped.is_empty()).then(|| Text::new(None, piped)).into_iter().collect());
        }
        let lines = piped.lines().filter(|line| !line.trim().is_empty());
        Ok(lines.map(|line| Text::new(None, line.to_owned())).collect())
    }
}

fn file(path: &PathBuf) -> Result<Text, Failure> {
    let shown = path.display();
    let bytes = std::fs::read(path).map_err(|error| Failure::usage(format!("cannot read {shown}: {error}")))?;
    let text = String::from_utf8(bytes)
        .map_err(|_| Failure::usage(format!("{shown} is not text; only texts are embedded from files")))?;
    if text.trim().is_empty() {
        return Err(Failure::usage(format!("{shown} is empty; leave it out")));
    }
    Ok(Text::new(Some(shown.to_string()), text))
}

/// The files that patterns mean, each once, in the patterns' order.
pub(crate) fn files(patterns: &[String]) -> Result<Vec<PathBuf>, Failure> {
    let mut all = Vec::new();
    for pattern in patterns {
        let plain = PathBuf::from(pattern);
        // A file may be called what would be a pattern.
        let found = if plain.exists() { vec![plain] } else { matching(pattern)? };
        let files: Vec<PathBuf> = found.into_iter().filter(|path| path.is_file()).collect();
        if files.is_empty() {
            return Err(Failure::usage(format!("{pattern} is no file, and no file is meant by it")));
        }
        all.extend(files);
    }
    let mut seen = std::collections::HashSet::new();
    all.retain(|path| seen.insert(path.clone()));
    Ok(all)
}

fn matching(pattern: &str) -> Result<Vec<PathBuf>, Failure> {
    let wrong = |error: glob::PatternError| Failure::usage(format!("{pattern} is no pattern of files: {}", error.msg));
    let paths = glob::glob(pattern).map_err(wrong)?;
    // What cannot be looked into has nothing that is meant.
    Ok(paths.filter_map(Result::ok).collect())
}
