//! The rooms of `sabir-dialects`: one dialect each, none knows another, and what is on the wire stays inside.

use crate::repo::{File, Problem, Repo};
use crate::source::{line_of, words};

const ROOMS: &str = "crates/sabir-dialects/src/";

/// The folders that have a `wire` module, or a `stream` module where the wire's types are a family's.
pub(super) fn names(repo: &Repo) -> Vec<&str> {
    let room = |file: &'_ File| -> Option<usize> {
        let rest = file.path.strip_prefix(ROOMS)?;
        let (name, inside) = rest.split_once('/')?;
        ["wire.rs", "wire/mod.rs", "stream.rs"].contains(&inside).then_some(name.len())
    };
    let mut names: Vec<&str> =
        repo.files.iter().filter_map(|file| room(file).map(|length| &file.path[ROOMS.len()..][..length])).collect();
    names.sort_unstable();
    names.dedup();
    names
}

/// The room a file stands in.
pub(super) fn of<'a>(file: &File, rooms: &[&'a str]) -> Option<&'a str> {
    let (name, _) = file.path.strip_prefix(ROOMS)?.split_once('/')?;
    rooms.iter().copied().find(|room| *room == name)
}

pub(crate) fn rooms_are_apart(repo: &Repo) -> Vec<Problem> {
    let rooms = names(repo);
    let mut problems = Vec::new();
    for file in repo.rust_under(&[ROOMS]) {
        let Some(own) = of(file, &rooms) else { continue };
        let source = file.source();
        for (at, path) in paths(&source.code) {
            let from_above = matches!(path[0], "crate" | "super" | "sabir_dialects");
            let other = path.iter().find(|part| !matches!(**part, "crate" | "super" | "self" | "sabir_dialects"));
            if let Some(other) = other.filter(|other| from_above && **other != own && rooms.contains(other)) {
                let message =
                    format!("room {own} uses room {other}; say it again here, or move what both need to sabir-core");
                problems.push(file.problem(line_of(&source.code, at), message));
            }
        }
    }
    problems
}

pub(crate) fn wire_is_private(repo: &Repo) -> Vec<Problem> {
    let rooms = names(repo);
    let mut problems = Vec::new();
    for file in repo.rust_under(&["crates/", "examples/", "tests/", "benches/", "fuzz/"]) {
        let source = file.source();
        let code = &source.code;
        if of(file, &rooms).is_some() {
            for (at, _) in code.match_indices("pub mod wire").chain(code.match_indices("pub(crate) mod wire")) {
                problems.push(file.problem(line_of(code, at), "a room keeps its wire to itself; write `mod wire`"));
            }
        } else if !file.path.starts_with(ROOMS) {
            for (at, path) in paths(code) {
                let reaches = path.windows(2).any(|pair| rooms.contains(&pair[0]) && pair[1] == "wire");
                if reaches {
                    let message = "names the wire module of a room; use the vocabulary instead";
                    problems.push(file.problem(line_of(code, at), message));
                }
            }
        }
    }
    problems
}

/// Every `a::b::c` of the code with where it ends; the groups of `use a::{b, c::d}` are multiplied out.
fn paths(code: &str) -> Vec<(usize, Vec<&str>)> {
    let mut found = Vec::new();
    // What stands before the group that is open, for each open brace.
    let mut prefixes: Vec<Vec<&str>> = Vec::new();
    let mut current: Vec<&str> = Vec::new();
    let mut last_end = 0;
    for (at, word) in words(code).chain(std::iter::once((code.len(), ""))) {
        let between = &code[last_end..at];
        let mut joined = false;
        if between.trim() == "::" {
            joined = true;
        } else {
            if !current.is_empty() {
                found.push((last_end, current.clone()));
            }
            let mut group = between.trim_start().starts_with("::");
            for mark in between.chars() {
                match mark {
                    '{' => prefixes.push(if std::mem::take(&mut group) { current.clone() } else { Vec::new() }),
                    '}' => drop(prefixes.pop()),
                    _ => {}
                }
            }
            current = prefixes.last().cloned().unwrap_or_default();
        }
        if joined || !word.is_empty() {
            current.push(word);
        }
        last_end = at + word.len();
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    const WIRES: [(&str, &str); 2] =
        [("crates/sabir-dialects/src/anthropic/wire.rs", ""), ("crates/sabir-dialects/src/openai_chat/wire.rs", "")];

    fn apart(code: &str) -> usize {
        let file = ("crates/sabir-dialects/src/anthropic/request.rs", code);
        rooms_are_apart(&Repo::of(&[WIRES[0], WIRES[1], file])).len()
    }

    #[test]
    fn a_room_that_uses_another_is_seen() {
        for code in [
            "use crate::openai_chat::mod_x;",
            "use super::super::openai_chat;",
            "fn f() { crate::openai_chat::g() }",
            "use crate::{json, openai_chat::wire};",
            "use crate::{\n    anthropic::a,\n    openai_chat,\n};",
            "use sabir_dialects::{anthropic, openai_chat};",
        ] {
            assert_eq!(apart(code), 1, "{code}");
        }
        for code in [
            "use super::wire;",
            "use crate::anthropic::x;",
            "// crate::openai_chat\nlet openai_chat = 1;",
            "fn f() { g::<crate::x>({ openai_chat }) }",
        ] {
            assert_eq!(apart(code), 0, "{code}");
        }
    }

    #[test]
    fn a_wire_outside_is_seen() {
        let wire = |path: &str, code: &str| wire_is_private(&Repo::of(&[WIRES[0], WIRES[1], (path, code)])).len();
        assert_eq!(wire("crates/sabir/src/a.rs", "use sabir_dialects::anthropic::wire::Body;"), 1);
        assert_eq!(wire("crates/sabir/src/a.rs", "use sabir_dialects::anthropic::{stream, wire};"), 1);
        assert_eq!(wire("crates/sabir-dialects/src/anthropic/mod.rs", "pub mod wire;"), 1);
        assert_eq!(wire("crates/sabir-dialects/src/anthropic/mod.rs", "mod wire;"), 0);
        assert_eq!(wire("crates/sabir-cli/src/a.rs", "use crate::commands::wire;"), 0);
    }
}
