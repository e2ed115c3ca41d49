//! Who may depend on whom: the table of the rooms, as `Cargo.toml` files obey it.

use toml::Table;

use crate::repo::{File, Problem, Repo};

/// What one crate may depend on. Tests and benches are free.
struct Law {
    package: &'static str,
    /// Crates of this workspace.
    ours: &'static [&'static str],
    theirs: Theirs,
}

/// Crates of others.
enum Theirs {
    /// These and no more.
    Only(&'static [&'static str]),
    /// Anything but these.
    Not(&'static [&'static str]),
}

const PURE: &[&str] =
    &["base64", "bytes", "futures-core", "futures-util", "http", "memchr", "zeroize", "serde", "serde_json"];
const NETWORK: &[&str] = &["hyper", "hyper-util", "reqwest", "rustls", "tokio-rustls", "ureq", "axum"];

const LAWS: &[Law] = &[
    // The vocabulary: no IO, clock, environment or runtime.
    Law { package: "sabir-core", ours: &[], theirs: Theirs::Only(PURE) },
    // Pure functions over bytes and vocabulary; hashes are for signing.
    Law {
        package: "sabir-dialects",
        ours: &["sabir-core"],
        theirs: Theirs::Only(&["base64", "bytes", "hmac", "http", "memchr", "serde", "serde_json", "sha2"]),
    },
    Law { package: "sabir-store", ours: &["sabir-core"], theirs: Theirs::Not(NETWORK) },
    Law { package: "sabir-tokens", ours: &["sabir-core"], theirs: Theirs::Not(NETWORK) },
    // Numbers in, numbers out.
    Law { package: "sabir-prices", ours: &["sabir-core"], theirs: Theirs::Only(&["serde", "serde_json"]) },
    // It holds data and reads files; what is made of it is the facade's.
    Law {
        package: "sabir-config",
        ours: &["sabir-core", "sabir-dialects", "sabir-prices"],
        theirs: Theirs::Not(NETWORK),
    },
    // A layer never sees JSON of a dialect, nor a socket.
    Law {
        package: "sabir-layers",
        ours: &["sabir-core", "sabir-prices", "sabir-store", "sabir-tokens"],
        theirs: Theirs::Not(NETWORK),
    },
    Law { package: "sabir-http", ours: &["sabir-core"], theirs: Theirs::Not(&["reqwest", "native-tls", "openssl"]) },
    Law {
        package: "sabir-sim",
        ours: &["sabir-core", "sabir-dialects", "sabir-http"],
        theirs: Theirs::Not(&["reqwest"]),
    },
    Law { package: "sabir-testkit", ours: &["sabir-core", "sabir-dialects"], theirs: Theirs::Not(NETWORK) },
    Law {
        package: "sabir",
        ours: &[
            "sabir-config", "sabir-core", "sabir-dialects", "sabir-http", "sabir-layers", "sabir-prices",
            "sabir-store", "sabir-testkit", "sabir-tokens",
        ],
        theirs: Theirs::Not(&["reqwest", "axum"]),
    },
    Law { package: "sabir-gateway", ours: &["sabir", "sabir-http", "sabir-sim"], theirs: Theirs::Not(&["reqwest"]) },
    Law { package: "sabir-cli", ours: &["sabir", "sabir-gateway", "sabir-sim"], theirs: Theirs::Not(&["reqwest"]) },
];

pub(crate) fn crates_keep_to_the_law(repo: &Repo) -> Vec<Problem> {
    let manifests = repo.files.iter().filter(|file| {
        let mut parts = file.path.split('/');
        parts.next() == Some("crates") && parts.nth(1) == Some("Cargo.toml") && parts.next().is_none()
    });
    manifests.flat_map(|file| keeps_to_the_law(repo, file)).collect()
}

fn keeps_to_the_law(repo: &Repo, file: &File) -> Vec<Problem> {
    let manifest: Table = match file.text.parse() {
        Ok(manifest) => manifest,
        Err(error) => return vec![file.problem(0, format!("is no TOML: {error}"))],
    };
    let folder = file.package().unwrap_or_default();
    let name = manifest.get("package").and_then(|package| package.get("name")).and_then(|name| name.as_str());
    if name != Some(folder) {
        return vec![file.problem(0, format!("the package is to be called like its folder, {folder}"))];
    }
    let Some(law) = LAWS.iter().find(|law| law.package == folder) else {
        return vec![file.problem(0, "has no law; say in xtask/src/rules/imports.rs what it may depend on, and why")];
    };
    let ours = |dependency: &str| repo.has(&format!("crates/{dependency}")) || dependency.starts_with("sabir");
    let mut problems = Vec::new();
    for (key, package) in dependencies(&manifest) {
        let allowed = if ours(&package) {
            law.ours.contains(&package.as_str())
        } else {
            match law.theirs {
                Theirs::Only(list) => list.contains(&package.as_str()),
                Theirs::Not(list) => !list.contains(&package.as_str()),
            }
        };
        if !allowed {
            let line = file.text.lines().position(|line| line.trim_start().starts_with(&key)).map_or(0, |at| at + 1);
            let message = format!("{folder} may not depend on {package}: move the code to the room that may");
            problems.push(file.problem(line, message));
        }
    }
    problems
}

/// Every dependency but those of tests, as its key and its package's name.
fn dependencies(manifest: &Table) -> Vec<(String, String)> {
    let mut tables = vec![manifest];
    if let Some(targets) = manifest.get("target").and_then(toml::Value::as_table) {
        tables.extend(targets.values().filter_map(toml::Value::as_table));
    }
    let sections = ["dependencies", "build-dependencies"];
    let listed = tables.into_iter().flat_map(|table| sections.map(|section| table.get(section)));
    listed
        .filter_map(|section| section?.as_table())
        .flatten()
        .map(|(key, value)| {
            let package = value.get("package").and_then(toml::Value::as_str).unwrap_or(key);
            (key.clone(), package.to_owned())
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn messages(package: &str, rest: &str) -> Vec<String> {
        let manifest = format!("[package]\nname = \"{package}\"\n{rest}");
        let repo = Repo::of(&[(&format!("crates/{package}/Cargo.toml"), &manifest)]);
        crates_keep_to_the_law(&repo).iter().map(ToString::to_string).collect()
    }

    #[test]
    fn the_law_is_kept() {
        assert!(
            messages("sabir-core", "[dependencies]\nserde.workspace = true\n[dev-dependencies]\ntokio = \"1\"")
                .is_empty()
        );
        let broken = messages("sabir-core", "[dependencies]\ntokio.workspace = true");
        assert_eq!(broken.len(), 1);
        assert!(
            broken[0].starts_with("crates/sabir-core/Cargo.toml:4: sabir-core may not depend on tokio"),
            "{broken:?}"
        );
    }

    #[test]
    fn no_way_around_it() {
        for (package, rest) in [
            ("sabir-sim", "[dependencies]\nsabir = { path = \"../sabir\" }"),
            ("sabir", "[dependencies]\nsabir-gateway = { path = \"..\", optional = true }"),
            ("sabir-layers", "[dependencies]\nhidden = { package = \"sabir-http\", path = \"..\" }"),
            ("sabir-layers", "[target.'cfg(unix)'.dependencies]\nhyper = \"1\""),
            ("sabir-dialects", "[build-dependencies]\nsabir-http = { path = \"..\" }"),
            ("sabir-dialects", "[dependencies]\nfutures-util = \"0.3\""),
            ("sabir-new", ""),
        ] {
            assert_eq!(messages(package, rest).len(), 1, "{package} {rest}");
        }
    }
}
