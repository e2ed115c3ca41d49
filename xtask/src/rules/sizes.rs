//! Files that fit in a head.

use crate::repo::{File, Problem, Repo};
use crate::rules::rooms;

/// Lines of one file, without its tests.
const FILE: usize = 600;
/// Lines of one room, without its tests.
const ROOM: usize = 1200;
/// Rooms that are longer than that, and how long each may be: to be lowered, never raised.
const LONG_ROOMS: &[(&str, usize)] =
    &[("anthropic", 1352), ("bedrock", 1548), ("gemini", 1730), ("openai_responses", 1701)];
/// The median file.
const MEDIAN: usize = 200;

pub(crate) fn files_are_small(repo: &Repo) -> Vec<Problem> {
    let sized = sources(repo).map(|file| (file, file.source().lines_without_tests()));
    sized
        .filter(|(_, lines)| *lines > FILE)
        .map(|(file, lines)| {
            file.problem(0, format!("{lines} lines without its tests, at most {FILE}: split it by idea"))
        })
        .collect()
}

pub(crate) fn rooms_are_small(repo: &Repo) -> Vec<Problem> {
    let names = rooms::names(repo);
    let mut problems = Vec::new();
    for room in &names {
        let files = sources(repo).filter(|file| rooms::of(file, &names) == Some(room));
        let lines: usize = files.map(|file| file.source().lines_without_tests()).sum();
        let limit = LONG_ROOMS.iter().find(|(long, _)| long == room).map_or(ROOM, |(_, limit)| *limit);
        if lines > limit {
            let path = format!("crates/sabir-dialects/src/{room}");
            let message = format!("{lines} lines without its tests, at most {limit}: say it shorter");
            problems.push(Problem { path, line: 0, message });
        }
    }
    problems
}

pub(crate) fn the_median_is_small(repo: &Repo) -> Vec<Problem> {
    let median = median(repo);
    let message = format!("the median source file has {median} lines, at most {MEDIAN}: split the long ones by idea");
    Vec::from_iter((median > MEDIAN).then_some(Problem { path: "crates".into(), line: 0, message }))
}

/// Lines of the median source file, without its tests.
pub(crate) fn median(repo: &Repo) -> usize {
    let mut sizes: Vec<usize> = sources(repo).map(|file| file.source().lines_without_tests()).collect();
    sizes.sort_unstable();
    sizes.get(sizes.len() / 2).copied().unwrap_or(0)
}

/// What people write and read: no tests' files, nothing generated.
fn sources(repo: &Repo) -> impl Iterator<Item = &File> {
    let own = |file: &&File| {
        let inside = file.path.split('/').nth(2) == Some("src");
        inside && !file.path.ends_with("/tests.rs") && !file.path.contains("/tests/") && !file.is_generated()
    };
    repo.rust_under(&["crates/"]).filter(own)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn long_files_and_rooms_are_seen() {
        let (lines, tests) = ("x\n".repeat(500), format!("#[cfg(test)]\nmod tests {{\n{}}}\n", "x\n".repeat(500)));
        let repo = Repo::of(&[
            ("crates/a/src/lib.rs", &format!("{lines}{tests}")),
            ("crates/a/src/long.rs", &lines.repeat(2)),
            ("crates/a/src/made.rs", &format!("// @generated\n{}", lines.repeat(2))),
            ("crates/sabir-dialects/src/room/wire.rs", &lines),
            ("crates/sabir-dialects/src/room/stream.rs", &lines),
            ("crates/sabir-dialects/src/room/tests.rs", &lines),
        ]);
        let long: Vec<String> = files_are_small(&repo).into_iter().map(|problem| problem.path).collect();
        assert_eq!(long, ["crates/a/src/long.rs"]);
        assert!(rooms_are_small(&repo).is_empty());
        assert_eq!((median(&repo), the_median_is_small(&repo).len()), (500, 1));
        let repo = Repo::of(&[
            ("crates/sabir-dialects/src/room/wire.rs", &lines),
            ("crates/sabir-dialects/src/room/stream.rs", &lines.repeat(2)),
        ]);
        assert_eq!(rooms_are_small(&repo).len(), 1);
    }
}
