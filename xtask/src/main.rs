//! The repository's own chores.
//!
//! `cargo xtask tidy` checks the rules of the house that no compiler knows; the same rules run as a test.
//! `cargo xtask generate` rewrites what is made from `providers.toml`, `data/models` and `data/prices`.
#![allow(clippy::print_stdout, clippy::print_stderr, reason = "a command for people")]

mod generate;
mod models;
mod prices;
mod repo;
mod rules;
mod source;

use std::process::ExitCode;

use repo::Repo;

fn main() -> ExitCode {
    let repo = match Repo::here() {
        Ok(repo) => repo,
        Err(error) => {
            eprintln!("the repository cannot be read: {error}");
            return ExitCode::FAILURE;
        }
    };
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    match arguments.iter().map(String::as_str).collect::<Vec<_>>()[..] {
        ["tidy"] => tidy(&repo),
        ["generate"] => match generate::write(&repo) {
            Ok(()) => ExitCode::SUCCESS,
            Err(error) => {
                eprintln!("{error}");
                ExitCode::FAILURE
            }
        },
        _ => {
            eprintln!("usage: cargo xtask tidy | generate");
            ExitCode::from(2)
        }
    }
}

fn tidy(repo: &Repo) -> ExitCode {
    let problems = rules::check(repo);
    for problem in &problems {
        eprintln!("{problem}");
    }
    if !problems.is_empty() {
        eprintln!("{} to put right", problems.len());
        return ExitCode::FAILURE;
    }
    println!("tidy: {} rules hold; median source file {} lines", rules::ALL.len(), rules::sizes::median(repo));
    ExitCode::SUCCESS
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_repository_is_tidy() {
        let repo = Repo::here().expect("the repository can be read");
        let problems: Vec<String> = rules::check(&repo).iter().map(ToString::to_string).collect();
        assert!(problems.is_empty(), "\n{}\n", problems.join("\n"));
    }
}
