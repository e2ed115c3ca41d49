//! The recordings as a corpus of translations: every recorded request and every recorded answer, through every other
//! dialect and back. What changes must be in the list of losses; what is known not to be is in `DEVIATIONS.txt`, with
//! the reason. `docs/translation.md` is made here.

mod abilities;
mod compare;
mod corpus;
mod facts;
mod generated;
mod goldens;
mod page;

use std::collections::BTreeMap;
use std::path::Path;

use corpus::Pairs;

#[test]
fn what_changes_on_the_way_is_in_the_list_of_losses() {
    let (requests, answers) = (corpus::requests(), corpus::answers());
    let mut known = deviations();
    let unknown = [("request", &requests), ("answer", &answers)].map(|(what, pairs)| unlisted(what, pairs, &mut known));
    let unknown = unknown.concat();
    // All of them, for those who want to look.
    if let Some(part) = std::env::var_os("SHOW").and_then(|part| part.into_string().ok()) {
        unknown.iter().filter(|line| line.contains(&part)).for_each(|line| println!("{line}"));
    }
    let first = unknown.iter().take(20).map(String::as_str).collect::<Vec<_>>().join("\n");
    assert!(unknown.is_empty(), "{} changes are in no list of losses:\n{first}", unknown.len());
    assert!(known.is_empty(), "these are no deviations any more, take them out: {known:?}");
    page::check(&requests, &answers);
}

/// The changes that no loss tells of and no deviation names, a line each.
fn unlisted(what: &str, pairs: &Pairs, known: &mut BTreeMap<String, String>) -> Vec<String> {
    let mut lines = Vec::new();
    for ((from, to), pair) in pairs {
        for (id, changes) in &pair.unlisted {
            if known.remove(&format!("{what} {id} > {to}")).is_none() {
                lines.push(format!("{what} {id} > {to} (from {from}): {}", changes.join("; ")));
            }
        }
    }
    lines
}

/// What is known to change without a word: `request ID > DIALECT: reason`.
fn deviations() -> BTreeMap<String, String> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("translation/DEVIATIONS.txt");
    let text = std::fs::read_to_string(path).expect("the file of deviations");
    let lines = text.lines().filter(|line| !line.starts_with('#') && !line.trim().is_empty());
    lines
        .map(|l| l.split_once(": ").map(|(id, why)| (id.to_owned(), why.to_owned())).expect("`which: reason`"))
        .collect()
}

#[test]
fn requests_that_services_took_have_no_fault() {
    // Its ids were replaced by hand, each occurrence by another.
    const EDITED: &[&str] = &["dd-trace-py-66ef3274d1bc9a17"];
    let mut failures = Vec::new();
    for (recording, asked) in corpus::asked().filter(|(recording, _)| !EDITED.contains(&&*recording.id)) {
        let abilities = recording.room().abilities(&sabir::Quirks::default());
        let traits = sabir::traits(&recording.provider, &asked.model);
        if let Err(error) = sabir::check::check(&asked, &abilities, &traits) {
            failures.push(format!("{} {} {}: {error}", recording.dialect, recording.provider, recording.id));
        }
    }
    assert!(failures.is_empty(), "{} would be refused:\n{}", failures.len(), failures.join("\n"));
}
