//! What Tab completes: commands, models, roles, files, conversations.

use std::path::{Path, PathBuf};

use reedline::{Completer, Span, Suggestion};

use super::command::{ROWS, Takes};
use crate::log::{Find, Store};

/// The most that is suggested at once; a folder may hold any number of files.
const MOST: usize = 200;

/// What there is to choose from.
#[derive(Clone, Debug, Default)]
pub(super) struct Names {
    /// Providers, each with a slash at its end, and names of the configuration's.
    pub(super) providers: Vec<String>,
    /// Models, as requests write them.
    pub(super) models: Vec<String>,
    pub(super) roles: Vec<String>,
    /// Where conversations are kept.
    pub(super) log: Option<PathBuf>,
}

impl Completer for Names {
    fn complete(&mut self, line: &str, pos: usize) -> Vec<Suggestion> {
        let Some(before) = line.get(..pos) else { return Vec::new() };
        let found = self.found(before);
        found
            .into_iter()
            .map(|Found { begin, value, what, is_whole }| Suggestion {
                value,
                description: what,
                span: Span::new(begin, pos),
                append_whitespace: is_whole,
                ..Suggestion::default()
            })
            .collect()
    }
}

/// One thing that may have been meant.
#[derive(Debug)]
struct Found {
    /// Where what it takes the place of begins, in bytes.
    begin: usize,
    value: String,
    what: Option<String>,
    /// Whether something else follows.
    is_whole: bool,
}

impl Names {
    /// What may be meant by the text before the cursor.
    fn found(&self, before: &str) -> Vec<Found> {
        if !before.starts_with('/') || before.contains('\n') {
            return Vec::new();
        }
        let Some((name, rest)) = before.split_once(' ') else {
            let rows = ROWS.iter().filter(|row| row.name.starts_with(before));
            let found = |row: &super::command::Row| Found {
                begin: 0,
                value: row.name.to_owned(),
                what: Some(row.what.to_owned()),
                is_whole: row.takes != Takes::Nothing,
            };
            return rows.map(found).collect();
        };
        let rest = rest.trim_start();
        let begin = before.len() - rest.len();
        let named = |values: Vec<String>| values.into_iter().map(|value| (value, None)).collect();
        let values: Vec<(String, Option<String>)> = match ROWS.iter().find(|row| row.name == name).map(|row| row.takes)
        {
            // A provider first, and its models behind the slash: all models at once are hundreds.
            Some(Takes::Model) if rest.contains('/') => named(beginning(&self.models, rest)),
            Some(Takes::Model) => named(beginning(&self.providers, rest)),
            Some(Takes::Role) => named(beginning(&self.roles, rest)),
            Some(Takes::File) => named(files(rest)),
            Some(Takes::Conversation) => {
                self.log.as_deref().and_then(|log| conversations(log, rest)).unwrap_or_default()
            }
            _ => Vec::new(),
        };
        values.into_iter().map(|(value, what)| Found { begin, value, what, is_whole: false }).collect()
    }
}

fn beginning(names: &[String], with: &str) -> Vec<String> {
    names.iter().filter(|name| name.starts_with(with)).take(MOST).cloned().collect()
}

/// The last conversations whose id begins so, each with its last question; `None` where the log cannot be read.
fn conversations(log: &Path, begin: &str) -> Option<Vec<(String, Option<String>)>> {
    /// How many exchanges are looked at.
    const LAST: u64 = 100;
    /// How much of a question is shown, in characters.
    const SHOWN: usize = 50;
    // One that is not there is not made.
    let store = log.exists().then(|| Store::open_there(log).ok())??;
    let mut found: Vec<(String, Option<String>)> = Vec::new();
    for entry in store.list(&Find { most: Some(LAST), ..Find::default() }).ok()? {
        let id = &entry.kept.conversation;
        if id.starts_with(begin) && found.iter().all(|(known, _)| known != id) {
            let asked = store.asked(&entry).ok()?;
            let shown = asked.chars().map(|c| if c.is_control() { ' ' } else { c }).take(SHOWN).collect();
            found.push((id.clone(), Some(shown)));
        }
    }
    Some(found)
}

/// The files whose path begins so, in order; a folder's ends in a slash. Hidden ones are not shown before their dot is
/// written.
fn files(begin: &str) -> Vec<String> {
    let (folder, name) = begin.rfind('/').map_or(("", begin), |slash| begin.split_at(slash + 1));
    let at = if folder.is_empty() { PathBuf::from(".") } else { at_home(folder) };
    let Ok(entries) = std::fs::read_dir(at) else { return Vec::new() };
    let mut found: Vec<String> = entries
        .flatten()
        .filter_map(|entry| {
            let own = entry.file_name().into_string().ok()?;
            let is_shown = own.starts_with(name) && (!own.starts_with('.') || name.starts_with('.'));
            // What could move the cursor is not shown.
            let is_shown = is_shown && !own.chars().any(char::is_control);
            let slash = if is_shown && entry.path().is_dir() { "/" } else { "" };
            is_shown.then(|| format!("{folder}{own}{slash}"))
        })
        .collect();
    found.sort_unstable();
    found.truncate(MOST);
    found
}

/// A path that is written with `~/`, as a shell would read it.
pub(super) fn at_home(path: &str) -> PathBuf {
    match (path.strip_prefix("~/"), std::env::var_os("HOME")) {
        (Some(rest), Some(home)) => PathBuf::from(home).join(rest),
        _ => PathBuf::from(path),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn names() -> Names {
        let all = |names: &[&str]| names.iter().map(|&name| name.to_owned()).collect();
        Names {
            providers: all(&["fast", "openai/", "sim/"]),
            models: all(&["openai/a", "openai/b", "sim/a"]),
            roles: all(&["terse", "teacher"]),
            log: None,
        }
    }

    fn values(line: &str) -> Vec<String> {
        let suggested = names().complete(line, line.len());
        assert!(suggested.iter().all(|one| line[one.span.start..].len() == one.span.end - one.span.start), "{line}");
        suggested.into_iter().map(|one| format!("{}{}", &line[..one.span.start], one.value)).collect()
    }

    #[test]
    fn commands_and_their_words_are_completed() {
        assert_eq!(values("/").len(), ROWS.len());
        assert_eq!(values("/s"), ["/system", "/save"]);
        assert_eq!(values("/model o"), ["/model openai/"]);
        assert_eq!(values("/model openai/"), ["/model openai/a", "/model openai/b"]);
        assert_eq!(values("/model  fa"), ["/model  fast"]);
        assert_eq!(values("/role te"), ["/role terse", "/role teacher"]);
        for none in ["", "s", "/nothing x", "/new x", "/system o", "hello /mo", "/model o\n", "/rôle t"] {
            assert_eq!(values(none), Vec::<String>::new(), "{none}");
        }
        assert_eq!(names().complete("/ü", 2), [], "a cursor within a letter");
    }

    #[test]
    fn files_are_completed_folder_by_folder() {
        let folder = std::env::temp_dir().join(format!("sabir-complete-{}", std::process::id()));
        std::fs::create_dir_all(folder.join("notes of may")).expect("a folder");
        for file in ["note.txt", ".hidden", "other"] {
            std::fs::write(folder.join(file), "").expect("written");
        }
        let root = format!("/attach {}/", folder.display());
        let under = |names: &[&str]| names.iter().map(|name| format!("{root}{name}")).collect::<Vec<_>>();
        assert_eq!(values(&format!("{root}note")), under(&["note.txt", "notes of may/"]));
        assert_eq!(values(&format!("{root}notes of")), under(&["notes of may/"]));
        assert_eq!(values(&root), under(&["note.txt", "notes of may/", "other"]));
        assert_eq!(values(&format!("{root}.h")), under(&[".hidden"]));
        assert_eq!(values(&format!("{root}none/")), under(&[]));
        std::fs::remove_dir_all(folder).expect("removed");
    }
}
