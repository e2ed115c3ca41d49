//! What is made of `providers.toml` is what `providers.toml` says.

use crate::generate::{self, README, ROWS, TABLE};
use crate::repo::{Problem, Repo};

pub(crate) fn table_is_fresh(repo: &Repo) -> Vec<Problem> {
    if !repo.has("crates/sabir-dialects") {
        return Vec::new();
    }
    let path = TABLE.to_owned();
    let made = match generate::rows(repo).and_then(|rows| generate::table(&repo.root, &rows)) {
        Ok(made) => made,
        Err(message) => {
            return vec![Problem { path: ROWS.to_owned(), line: 0, message }];
        }
    };
    match repo.file(TABLE) {
        Some(file) if file.text == made => Vec::new(),
        _ => vec![Problem { path, line: 0, message: stale() }],
    }
}

pub(crate) fn readme_is_fresh(repo: &Repo) -> Vec<Problem> {
    // A table that cannot be read is told by `table_is_fresh`.
    let Ok(rows) = generate::rows(repo) else {
        return Vec::new();
    };
    let problem = |line, message| vec![Problem { path: README.to_owned(), line, message }];
    let Some(readme) = repo.file(README) else {
        return problem(0, "is missing".to_owned());
    };
    match generate::readme(&readme.text, &rows) {
        Ok(made) if made == readme.text => Vec::new(),
        Ok(made) => {
            let same = made.lines().zip(readme.text.lines()).take_while(|(a, b)| a == b).count();
            problem(same + 1, stale())
        }
        Err(message) => problem(0, message),
    }
}

/// A quirk that no room reads is a quirk that does not work.
pub(crate) fn quirks_are_known(repo: &Repo) -> Vec<Problem> {
    let (Ok(rows), Some(file)) = (generate::rows(repo), repo.file(ROWS)) else {
        return Vec::new();
    };
    let mut problems = Vec::new();
    // The formats without a `wire` module (vectors, rerank) read quirks, too; the table of rows names them all.
    let reads = |file: &&crate::repo::File| {
        let inside = file.path.strip_prefix("crates/sabir-dialects/src/").and_then(|path| path.split_once('/'));
        inside.is_some_and(|(folder, _)| folder != "providers")
    };
    let sources: Vec<_> = repo.rust_under(&["crates/sabir-dialects/src/"]).filter(reads).collect();
    if sources.is_empty() {
        return problems;
    }
    let mut names: Vec<&String> = rows.iter().flat_map(|row| row.quirks.keys()).collect();
    names.sort_unstable();
    names.dedup();
    for name in names {
        let quoted = format!("\"{name}\"");
        if !sources.iter().any(|source| source.text.contains(&quoted)) {
            let line = file.text.lines().position(|line| line.starts_with(name.as_str())).map_or(0, |at| at + 1);
            problems.push(file.problem(line, format!("no room reads the quirk {name}; build it or take it out")));
        }
    }
    problems
}

fn stale() -> String {
    "is not what providers.toml says: run `cargo xtask generate`".to_owned()
}
