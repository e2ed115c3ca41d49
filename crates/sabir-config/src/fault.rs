//! What is wrong with a configuration: all of it at once.

use std::fmt;

use sabir_core::{Error, ErrorKind};

use crate::Source;

/// One thing that is wrong, where it stands, and what to do.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Fault {
    /// Where it stands.
    pub source: Source,
    /// The field, with those around it: `retry.max_attempts`; empty for a file as a whole.
    pub field: String,
    /// What is wrong, and what to do.
    pub message: String,
}

/// `sabir.toml:3: retry.max_attempts: must be …`.
impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.source != Source::Default {
            write!(f, "{}: ", self.source)?;
        }
        if !self.field.is_empty() {
            write!(f, "{}: ", self.field)?;
        }
        f.write_str(&self.message)
    }
}

/// The most that is told at once.
const MOST: usize = 100;

/// All that is wrong, by where it stands. Never empty.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Faults(Vec<Fault>);

impl Faults {
    /// These faults; nothing where there are none.
    pub(crate) fn of(mut faults: Vec<Fault>) -> Option<Self> {
        faults.sort_by(|a, b| (&a.source, &a.field).cmp(&(&b.source, &b.field)));
        faults.dedup();
        if let Some(more) = faults.len().checked_sub(MOST).filter(|more| *more > 0) {
            faults.truncate(MOST);
            let message = format!("and {more} more that is wrong");
            faults.push(Fault { source: Source::Default, field: String::new(), message });
        }
        (!faults.is_empty()).then_some(Self(faults))
    }

    /// One fault of a file as a whole, or of a line of it.
    pub(crate) fn one(source: Source, message: impl Into<String>) -> Self {
        Self(vec![Fault { source, field: String::new(), message: message.into() }])
    }

    /// All of them.
    pub fn all(&self) -> &[Fault] {
        &self.0
    }
}

/// One a line.
impl fmt::Display for Faults {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (at, fault) in self.0.iter().enumerate() {
            let end = if at == 0 { "" } else { "\n" };
            write!(f, "{end}{fault}")?;
        }
        Ok(())
    }
}

impl std::error::Error for Faults {}

/// An error of kind `Configuration` that names them all.
impl From<Faults> for Error {
    fn from(faults: Faults) -> Self {
        Self::new(ErrorKind::Configuration, faults.to_string())
    }
}
