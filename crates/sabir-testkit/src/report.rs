//! What a suite found.

use std::fmt;
use std::panic::{AssertUnwindSafe, catch_unwind};

/// What a suite found: which checks held, which did not, and which were left out and why.
#[derive(Clone, Debug, Default)]
#[must_use = "a report says nothing unless it is read; call assert_ok"]
pub struct Report {
    subject: String,
    passed: Vec<String>,
    violations: Vec<Finding>,
    skipped: Vec<Finding>,
    known: Vec<Known>,
}

/// One check that did not hold or was left out.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Finding {
    /// The check: `truncation`.
    pub check: &'static str,
    /// What it was tried on: `parallel calls`.
    pub case: String,
    /// What was wrong, or why it was left out.
    pub message: String,
}

#[derive(Clone, Debug)]
struct Known {
    check: String,
    case: String,
    reason: String,
}

impl fmt::Display for Finding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} ({}): {}", self.check, self.case, self.message)
    }
}

impl Report {
    pub(crate) fn new(subject: impl Into<String>) -> Self {
        Self { subject: subject.into(), ..Self::default() }
    }

    /// The checks that held, as `check (case)`.
    pub fn passed(&self) -> &[String] {
        &self.passed
    }

    /// The checks that did not hold.
    pub fn violations(&self) -> &[Finding] {
        &self.violations
    }

    /// The checks that were left out, or that are known to fail, with the reason.
    pub fn skipped(&self) -> &[Finding] {
        &self.skipped
    }

    /// Whether every check that was made held, and some were made.
    pub fn is_ok(&self) -> bool {
        self.violations.is_empty() && !self.passed.is_empty()
    }

    /// Fails the test where a check did not hold.
    ///
    /// # Panics
    /// With the whole report, unless [`is_ok`](Self::is_ok).
    #[track_caller]
    pub fn assert_ok(&self) {
        assert!(self.is_ok(), "{self}");
    }

    pub(crate) fn know(&mut self, check: &str, case: &str, reason: &str) {
        self.known.push(Known { check: check.into(), case: case.into(), reason: reason.into() });
    }

    /// Makes a check. A panic in it is a violation.
    pub(crate) fn check(&mut self, check: &'static str, case: &str, run: impl FnOnce() -> Result<(), String>) {
        let outcome = catch_unwind(AssertUnwindSafe(run)).unwrap_or_else(|panic| Err(words(&*panic)));
        self.note(check, case, outcome);
    }

    /// Notes how a check came out.
    pub(crate) fn note(&mut self, check: &'static str, case: &str, outcome: Result<(), String>) {
        let known = self.known.iter().find(|k| k.check == check && k.case == case);
        let finding = |message| Finding { check, case: case.to_owned(), message };
        match (outcome, known) {
            (Ok(()), None) => self.passed.push(format!("{check} ({case})")),
            (Err(message), None) => self.violations.push(finding(message)),
            (Err(_), Some(known)) => self.skipped.push(finding(known.reason.clone())),
            (Ok(()), Some(_)) => {
                let message = "this is listed as known to fail, and holds: take it off the list".to_owned();
                self.violations.push(finding(message));
            }
        }
    }

    /// Notes that a check could not be made.
    pub(crate) fn skip(&mut self, check: &'static str, case: &str, reason: impl Into<String>) {
        self.skipped.push(Finding { check, case: case.to_owned(), message: reason.into() });
    }
}

/// What failed, line by line, and the counts.
impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (held, failed, skipped) = (self.passed.len(), self.violations.len(), self.skipped.len());
        write!(f, "{}: {held} checks held, {failed} did not, {skipped} were left out", self.subject)?;
        self.violations.iter().try_for_each(|finding| write!(f, "\n  failed  {finding}"))?;
        self.skipped.iter().try_for_each(|finding| write!(f, "\n  left out  {finding}"))
    }
}

fn words(panic: &(dyn std::any::Any + Send)) -> String {
    let said = panic.downcast_ref::<String>().map(String::as_str).or_else(|| panic.downcast_ref::<&str>().copied());
    format!("it panicked: {}", said.unwrap_or("without words"))
}

#[cfg(test)]
mod tests {
    use super::Report;

    #[test]
    fn what_is_known_to_fail_is_counted_and_must_fail() {
        let mut report = Report::new("it");
        assert!(!report.is_ok(), "no check is no success");
        report.know("a", "1", "cannot");
        report.know("a", "2", "could not");
        report.check("a", "1", || Err("no".into()));
        report.check("b", "1", || Ok(()));
        assert!(report.is_ok());
        assert_eq!(report.skipped()[0].message, "cannot");
        report.check("a", "2", || Ok(()));
        report.check("c", "1", || panic!("oh"));
        let text = report.to_string();
        assert!(text.contains("1 checks held, 2 did not, 1 were left out"), "{text}");
        assert!(text.contains("a (2): this is listed as known to fail") && text.contains("it panicked: oh"), "{text}");
    }
}
