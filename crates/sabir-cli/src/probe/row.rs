//! What was found, as a provider of the configuration.

use std::fmt::Write as _;

use super::ask::{Quirks, Server};

/// TOML that the configuration loads.
pub(super) fn toml(name: &str, server: &Server, model: &str, key_env: Option<&str>, quirks: &Quirks) -> String {
    // Writing to a string does not fail.
    let mut text = String::from("# As `sabir probe` found it.\n");
    let _ = writeln!(text, "[providers.{}]", quoted(name));
    for (field, value) in [("dialect", &*server.dialect), ("base_url", &*server.url), ("model", model)] {
        let _ = writeln!(text, "{field} = {}", quoted(value));
    }
    let _ = match key_env {
        Some(variable) => writeln!(text, "api_key = {}", quoted(&format!("${{{variable}}}"))),
        None => writeln!(text, "auth = \"none\""),
    };
    if !quirks.is_empty() {
        let _ = writeln!(text, "\n[providers.{}.quirks]", quoted(name));
        for (quirk, value) in quirks {
            let _ = writeln!(text, "{quirk} = {}", quoted(value));
        }
    }
    text
}

/// A basic string of TOML, whose escapes are those of JSON.
fn quoted(text: &str) -> String {
    serde_json::Value::from(text).to_string()
}
