//! Nothing that is committed may speak of the place where it was written.

use crate::repo::{Problem, Repo};
use crate::source::numbered;

/// In halves, so that this file does not have them.
const PLACES: &[&str] = &[concat!("/wo", "rk/"), concat!("sha", "red/"), concat!("fa", "rm-")];

pub(crate) fn nothing_names_the_machine(repo: &Repo) -> Vec<Problem> {
    // Recordings are the words of others.
    let written = repo.files.iter().filter(|file| !file.has_extension("jsonl"));
    let mut problems = Vec::new();
    for file in written {
        for (line, text) in numbered(&file.text) {
            for place in PLACES.iter().filter(|place| text.contains(**place)) {
                problems.push(file.problem(line, format!("{place} means nothing to a reader; take it out")));
            }
        }
    }
    problems
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn places_are_seen() {
        let text = format!("a\nsee {}main\n", PLACES[0]);
        let problems = nothing_names_the_machine(&Repo::of(&[("README.md", &text)]));
        assert_eq!(problems.len(), 1);
        assert_eq!(problems[0].line, 2);
    }
}
