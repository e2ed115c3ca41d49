//! How much a user of the library has to build, and what must not be in it.

use std::collections::BTreeSet;
use std::process::Command;

use crate::repo::{Problem, Repo};

/// What is promised of a set of packages, our own crates counted in.
struct Promise {
    packages: &'static [&'static str],
    /// More features than the default ones.
    features: &'static [&'static str],
    most: usize,
    never: &'static [&'static str],
}

const PROMISES: &[Promise] = &[
    // Whoever wants only the words and the dialects gets no runtime, no HTTP client, no TLS.
    Promise {
        packages: &["sabir-core", "sabir-dialects"],
        features: &["--all-features"],
        most: 30,
        never: &["tokio", "hyper", "reqwest", "rustls", "ring"],
    },
    Promise {
        packages: &["sabir"],
        features: &[],
        most: 80,
        never: &["reqwest", "openssl", "native-tls", "aws-lc-sys"],
    },
];

pub(crate) fn trees_are_light(repo: &Repo) -> Vec<Problem> {
    PROMISES.iter().flat_map(|promise| check(repo, promise)).collect()
}

fn check(repo: &Repo, promise: &Promise) -> Vec<Problem> {
    let manifest = |package: &str| format!("crates/{package}/Cargo.toml");
    if promise.packages.iter().any(|package| !repo.has(&manifest(package))) {
        return Vec::new();
    }
    let all = promise.packages.join(" + ");
    let about = |message: String| Problem { path: manifest(promise.packages[0]), line: 0, message };
    let tree = match tree(repo, promise) {
        Ok(tree) => tree,
        Err(error) => return vec![about(format!("cargo tree cannot say what {all} depends on: {error}"))],
    };
    let mut problems = Vec::new();
    if tree.len() > promise.most {
        let message =
            format!("{all} takes {} crates, at most {} are promised: see cargo tree", tree.len(), promise.most);
        problems.push(about(message));
    }
    for name in promise.never.iter().filter(|name| tree.iter().any(|package| package.split(' ').next() == Some(name))) {
        problems.push(about(format!("{all} must not pull in {name}: see cargo tree -i {name}")));
    }
    problems
}

/// `name version` of every package that is built for a user.
fn tree(repo: &Repo, promise: &Promise) -> Result<BTreeSet<String>, String> {
    let mut command = Command::new(std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
    command.current_dir(&repo.root).args(["tree", "--quiet", "--edges", "normal", "--prefix", "none", "--no-dedupe"]);
    command.args(promise.features);
    command.args(promise.packages.iter().flat_map(|package| ["-p", package]));
    let output = command.output().map_err(|error| error.to_string())?;
    if !output.status.success() {
        return Err(String::from_utf8_lossy(&output.stderr).trim().to_owned());
    }
    let text = String::from_utf8_lossy(&output.stdout);
    let packages: BTreeSet<String> = text
        .lines()
        .map(|line| line.split(' ').take(2).collect::<Vec<_>>().join(" "))
        .filter(|p| !p.is_empty())
        .collect();
    let missing = promise.packages.iter().find(|name| !packages.iter().any(|p| p.split(' ').next() == Some(name)));
    missing.map_or(Ok(packages.clone()), |name| Err(format!("its answer does not have {name} in it")))
}
