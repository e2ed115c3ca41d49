//! The rules of the house, one a file. Each reads the repository and says what is wrong, where, and what to do.
//!
//! A rule about a crate that does not exist has nothing to say; a rule about a page that is missing says so.

mod architecture;
mod imports;
mod machine;
mod models;
mod providers;
mod rooms;
pub(crate) mod sizes;
mod tree;
mod words;

use crate::repo::{Problem, Repo};

type Rule = fn(&Repo) -> Vec<Problem>;

/// Every rule.
pub(crate) const ALL: &[Rule] = &[
    imports::crates_keep_to_the_law,
    rooms::rooms_are_apart,
    rooms::wire_is_private,
    tree::trees_are_light,
    sizes::files_are_small,
    sizes::rooms_are_small,
    sizes::the_median_is_small,
    words::nothing_is_left_to_do,
    words::nothing_unwraps,
    words::what_is_ignored_says_why,
    providers::table_is_fresh,
    providers::readme_is_fresh,
    providers::quirks_are_known,
    models::catalog_is_fresh,
    models::prices_are_fresh,
    architecture::paths_exist,
    architecture::invariants_name_what_exists,
    machine::nothing_names_the_machine,
];

/// What every rule found, by file and line.
pub(crate) fn check(repo: &Repo) -> Vec<Problem> {
    let mut problems: Vec<Problem> = ALL.iter().flat_map(|rule| rule(repo)).collect();
    problems.sort();
    problems
}
