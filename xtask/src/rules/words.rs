//! Words that must not be in the source.

use crate::repo::{Problem, Repo};
use crate::source::{numbered, words};

const EVERYWHERE: &[&str] = &["crates/", "xtask/", "examples/", "tests/", "benches/", "fuzz/"];
/// Macros that mean "not finished".
const UNFINISHED: &[&str] = &["todo!", "unimplemented!", "dbg!"];
/// Notes to oneself, which belong into an issue.
const NOTES: &[&str] = &["FIXME", "XXX", "HACK"];

pub(crate) fn nothing_is_left_to_do(repo: &Repo) -> Vec<Problem> {
    // This file has to name them.
    let files = repo.rust_under(EVERYWHERE).filter(|file| file.path != "xtask/src/rules/words.rs");
    let mut problems = Vec::new();
    for file in files {
        let source = file.source();
        for (line, text) in numbered(&source.code) {
            for word in UNFINISHED.iter().filter(|word| text.contains(&format!("{word}("))) {
                problems.push(file.problem(line, format!("{word}: finish it or take it out")));
            }
        }
        for (line, text) in numbered(&source.comments) {
            for word in NOTES.iter().filter(|note| words(text).any(|(_, word)| word == **note)) {
                problems.push(file.problem(line, format!("{word}: do it now, or write an issue")));
            }
        }
    }
    problems
}

pub(crate) fn nothing_unwraps(repo: &Repo) -> Vec<Problem> {
    let mut problems = Vec::new();
    for file in repo.rust_under(&["crates/", "xtask/", "examples/"]) {
        let source = file.source();
        let unwraps =
            numbered(&source.code).filter(|(line, text)| text.contains(".unwrap()") && !source.is_test(*line));
        problems.extend(unwraps.map(|(line, _)| {
            file.problem(line, "unwrap: return an error, or `expect` with the reason why it cannot fail")
        }));
    }
    problems
}

pub(crate) fn what_is_ignored_says_why(repo: &Repo) -> Vec<Problem> {
    let mut problems = Vec::new();
    for file in repo.rust_under(EVERYWHERE) {
        let source = file.source();
        let ignored = numbered(&source.code).filter(|(_, text)| text.contains("#[ignore]"));
        problems.extend(ignored.map(|(line, _)| file.problem(line, "say why: #[ignore = \"…\"]")));
    }
    problems
}

#[cfg(test)]
mod tests {
    use super::*;

    fn found(rule: fn(&Repo) -> Vec<Problem>, text: &str) -> Vec<usize> {
        rule(&Repo::of(&[("crates/a/src/lib.rs", text)])).iter().map(|problem| problem.line).collect()
    }

    #[test]
    fn words_are_seen_where_they_count() {
        assert_eq!(
            found(
                nothing_is_left_to_do,
                "fn a() {\n    todo!()\n}\n// FIXME: b\n// sk-XXXX\nlet c = \"HACK dbg!(\";\n"
            ),
            [2, 4]
        );
        assert_eq!(
            found(
                nothing_unwraps,
                "a.unwrap();\n// b.unwrap()\nc.unwrap_or(1);\n#[cfg(test)]\nmod tests { d.unwrap() }\n"
            ),
            [1]
        );
        assert_eq!(found(what_is_ignored_says_why, "#[ignore]\n#[ignore = \"needs a network\"]\n"), [1]);
    }
}
