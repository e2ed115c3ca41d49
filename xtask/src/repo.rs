//! The repository as the rules see it: text files by path.

use std::path::{Path, PathBuf};
use std::{fs, io};

use crate::source::Source;

/// Folders that hold nothing of ours.
const NOT_OURS: &[&str] = &[".git", "target", "tmp"];

pub(crate) struct Repo {
    /// Where it is; commands are run here.
    pub root: PathBuf,
    /// Every text file, sorted by path.
    pub files: Vec<File>,
}

pub(crate) struct File {
    /// From the root, with `/`.
    pub path: String,
    pub text: String,
}

/// What a rule found.
#[derive(Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Problem {
    pub path: String,
    /// From 1; 0 where the whole file is meant.
    pub line: usize,
    /// What is wrong and what to do.
    pub message: String,
}

impl std::fmt::Display for Problem {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self.line {
            0 => write!(f, "{}: {}", self.path, self.message),
            line => write!(f, "{}:{line}: {}", self.path, self.message),
        }
    }
}

impl Repo {
    /// The repository this program was built from.
    pub(crate) fn here() -> io::Result<Self> {
        let root = Path::new(env!("CARGO_MANIFEST_DIR")).parent().expect("xtask is a folder of the repository");
        let mut files = Vec::new();
        collect(root, root, &mut files)?;
        files.sort_by(|a, b| a.path.cmp(&b.path));
        Ok(Self { root: root.to_owned(), files })
    }

    pub(crate) fn file(&self, path: &str) -> Option<&File> {
        self.files.iter().find(|file| file.path == path)
    }

    /// Whether there is such a file, or a folder with files in it.
    pub(crate) fn has(&self, path: &str) -> bool {
        let path = path.trim_end_matches('/');
        let inside = |file: &File| file.path.strip_prefix(path).is_some_and(|rest| rest.starts_with('/'));
        self.files.iter().any(|file| file.path == path || inside(file))
    }

    /// Every Rust file under one of these folders.
    pub(crate) fn rust_under<'a>(&'a self, folders: &'a [&str]) -> impl Iterator<Item = &'a File> {
        let under = |file: &File| folders.iter().any(|folder| file.path.starts_with(folder));
        self.files.iter().filter(move |file| file.has_extension("rs") && under(file))
    }

    /// A repository that exists only in a test.
    #[cfg(test)]
    pub(crate) fn of(files: &[(&str, &str)]) -> Self {
        let files = files.iter().map(|(path, text)| File { path: (*path).into(), text: (*text).into() }).collect();
        Self { root: PathBuf::new(), files }
    }
}

impl File {
    /// What a rule says about a line of this file.
    pub(crate) fn problem(&self, line: usize, message: impl Into<String>) -> Problem {
        Problem { path: self.path.clone(), line, message: message.into() }
    }

    pub(crate) fn source(&self) -> Source {
        Source::read(&self.path, &self.text)
    }

    /// `sabir-core` for `crates/sabir-core/src/lib.rs`.
    pub(crate) fn package(&self) -> Option<&str> {
        self.path.strip_prefix("crates/")?.split('/').next()
    }

    pub(crate) fn has_extension(&self, extension: &str) -> bool {
        self.path.rsplit_once('.').is_some_and(|(_, own)| own == extension)
    }

    /// Whether it says of itself, at its head, that it was generated.
    pub(crate) fn is_generated(&self) -> bool {
        self.text.lines().take(3).any(|line| line.contains("@generated"))
    }
}

fn collect(root: &Path, folder: &Path, files: &mut Vec<File>) -> io::Result<()> {
    for entry in fs::read_dir(folder)? {
        let entry = entry?;
        let path = entry.path();
        if entry.file_type()?.is_dir() {
            if !NOT_OURS.iter().any(|name| entry.file_name() == *name) {
                collect(root, &path, files)?;
            }
        } else if let Ok(text) = fs::read_to_string(&path) {
            let path = path.strip_prefix(root).expect("it was found under the root");
            files.push(File { path: path.to_string_lossy().replace('\\', "/"), text });
        }
    }
    Ok(())
}
