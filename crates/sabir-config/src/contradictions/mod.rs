//! What cannot hold together, each with the reason. A setting that would have no effect is one of them: who wrote it
//! believes that it has.

mod calls;
mod command;
mod costs;
mod doubts;
mod gateway;
mod models;
mod policies;
mod providers;
mod tools;

use std::sync::Arc;

use crate::sections::Settings;
use crate::show::Shown;
use crate::{Fault, Source};

/// Where what was read stands.
pub(crate) struct Sources<'a> {
    pub(crate) shown: &'a [Shown],
    pub(crate) file: Option<&'a Arc<str>>,
    /// What a program registers besides providers.
    pub(crate) services: &'a [String],
}

impl Sources<'_> {
    /// Where a field was said, or the first of those below it, or of those beside it.
    fn of(&self, field: &str) -> Source {
        let said = |prefix: &str, shown: &&Shown| {
            let rest = shown.field.strip_prefix(prefix);
            shown.source != Source::Default && rest.is_some_and(|rest| rest.is_empty() || rest.starts_with(['.', '[']))
        };
        let mut prefix = field;
        loop {
            if let Some(first) = self.shown.iter().filter(|shown| said(prefix, shown)).min_by_key(|shown| &shown.source)
            {
                return first.source.clone();
            }
            let Some(end) = prefix.rfind(['.', '[']) else { break };
            prefix = &prefix[..end];
        }
        self.file.map_or(Source::Default, |file| Source::File { file: file.clone(), line: 1 })
    }

    /// How much what was said of a field weighs: see [`Source::rank`]. Nothing was said of it at 0.
    fn rank(&self, field: &str) -> u8 {
        self.shown.iter().find(|shown| shown.field == field).map_or(0, |shown| shown.source.rank())
    }

    /// Whether a field was said by somebody.
    fn is_said(&self, field: &str) -> bool {
        self.rank(field) > 0
    }
}

/// What was found.
pub(crate) struct Found<'a> {
    sources: &'a Sources<'a>,
    pub(crate) faults: Vec<Fault>,
    /// Values that hold otherwise than they were read, because another weighs more; without a value where none holds.
    pub(crate) amended: Vec<(String, Option<Shown>)>,
}

impl Found<'_> {
    fn fault(&mut self, field: impl Into<String>, message: impl Into<String>) {
        let field = field.into();
        let fault = Fault { source: self.sources.of(&field), field, message: message.into() };
        self.faults.push(fault);
    }

    /// Shows a field with another value, which came from where `by` was said, or without any.
    fn amend(&mut self, field: &str, value: Option<String>, by: &str) {
        let source = self.sources.of(by);
        let shown = value.map(|value| Shown { field: field.to_owned(), value, source });
        self.amended.push((field.to_owned(), shown));
    }

    /// Tells of a time that is longer than one that it is part of.
    fn at_most(&mut self, section: &str, part: (&str, std::time::Duration), whole: (&str, std::time::Duration)) {
        if part.1 > whole.1 {
            // Of two that do not go together the one is told that somebody said.
            let told = if self.sources.is_said(&format!("{section}.{}", part.0)) { part.0 } else { whole.0 };
            let message = format!("{} ({:?}) is longer than {} ({:?})", part.0, part.1, whole.0, whole.1);
            self.fault(format!("{section}.{told}"), message);
        }
    }
}

/// All contradictions. Where two fields say the same and one weighs more, the other is brought into line.
pub(crate) fn find<'a>(settings: &mut Settings, sources: &'a Sources<'a>) -> Found<'a> {
    let mut found = Found { sources, faults: Vec::new(), amended: Vec::new() };
    providers::check(settings, &mut found);
    models::check(settings, &mut found);
    calls::check(settings, &mut found);
    costs::check(settings, &mut found);
    command::check(settings, &mut found);
    tools::check(settings, &mut found);
    gateway::check(settings, &mut found);
    policies::check(settings, &mut found);
    found
}

/// What may well be meant and may be a slip.
pub(crate) fn doubts(settings: &Settings, sources: &Sources<'_>) -> Vec<Fault> {
    doubts::find(settings, sources)
}
