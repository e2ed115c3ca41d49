//! `ARCHITECTURE.md` speaks of what exists.

use crate::repo::{File, Problem, Repo};
use crate::source::{numbered, words};

const PAGE: &str = "ARCHITECTURE.md";

pub(crate) fn paths_exist(repo: &Repo) -> Vec<Problem> {
    let Some(page) = repo.file(PAGE) else { return missing() };
    let mut problems = Vec::new();
    for (line, text) in numbered(&page.text) {
        for path in paths(text).filter(|path| !repo.has(path)) {
            problems.push(page.problem(line, format!("{path} does not exist; write where it is now")));
        }
    }
    problems
}

pub(crate) fn invariants_name_what_exists(repo: &Repo) -> Vec<Problem> {
    // One missing page is one problem: `paths_exist` tells it.
    let Some(page) = repo.file(PAGE) else { return Vec::new() };
    let mut problems = Vec::new();
    let mut invariants = numbered(&page.text).filter(|(_, text)| is_invariant(text)).peekable();
    if invariants.peek().is_none() {
        return vec![page.problem(0, "has no line that begins \"Invariant:\"; write down what must always hold")];
    }
    let sources: Vec<String> = repo.rust_under(&["crates/", "xtask/"]).map(|file: &File| file.source().code).collect();
    let known = |name: &str| sources.iter().any(|code| words(code).any(|(_, word)| word == name));
    for (line, text) in invariants {
        for name in names(text).filter(|name| !known(name)) {
            problems
                .push(page.problem(line, format!("`{name}` is nowhere in the source; write what it is called now")));
        }
    }
    problems
}

fn missing() -> Vec<Problem> {
    vec![Problem { path: PAGE.into(), line: 0, message: "is missing; draw the flow and write the invariants".into() }]
}

/// Markup before the word does not count.
fn is_invariant(line: &str) -> bool {
    line.trim_start_matches(|c: char| c.is_whitespace() || "-*>".contains(c)).starts_with("Invariant:")
}

/// Every `crates/…` of a line.
fn paths(line: &str) -> impl Iterator<Item = &str> {
    let separator = |c: char| !(c.is_ascii_alphanumeric() || "/_-.*".contains(c));
    line.split(separator)
        .filter(|word| word.starts_with("crates/"))
        // What is meant by a pattern is the folder before it.
        .map(|word| word.split('*').next().unwrap_or(word).trim_end_matches(['.', '/']))
}

/// What is in backticks and looks like a type or a path to one: every part of it.
fn names(line: &str) -> impl Iterator<Item = &str> {
    let quoted = line.split('`').skip(1).step_by(2);
    let typed = quoted.filter(|text| {
        let path = text.trim_end_matches("()").chars().all(|c| c.is_alphanumeric() || "_:".contains(c));
        path && (text.contains("::") || text.starts_with(|c: char| c.is_uppercase()))
    });
    typed.flat_map(|text| words(text).map(|(_, word)| word))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_page_that_lies_is_seen() {
        let page = "See crates/a/src/lib.rs, crates/*/src and `crates/gone`.\n\nInvariant: `Kept::call()` and `Lost` and `not this`.\n`Elsewhere`\n";
        let repo = Repo::of(&[("ARCHITECTURE.md", page), ("crates/a/src/lib.rs", "struct Kept; fn call() {} // Lost")]);
        let told = |problems: Vec<Problem>| problems.iter().map(ToString::to_string).collect::<Vec<_>>();
        let paths = told(paths_exist(&repo));
        assert!(paths.len() == 1 && paths[0].starts_with("ARCHITECTURE.md:1: crates/gone"), "{paths:?}");
        let names = told(invariants_name_what_exists(&repo));
        assert!(names.len() == 1 && names[0].starts_with("ARCHITECTURE.md:3: `Lost`"), "{names:?}");
        assert_eq!(paths_exist(&Repo::of(&[])).len(), 1);
        assert_eq!(invariants_name_what_exists(&Repo::of(&[("ARCHITECTURE.md", "")])).len(), 1);
    }
}
