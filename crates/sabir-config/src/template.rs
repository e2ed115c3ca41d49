//! A file to begin with.

use std::fmt::Write as _;

use crate::Settings;
use crate::field::{Field, Kind, Section};

/// A configuration in TOML that begins with these lines, and has after them every field that has a default, with what it
/// is for, as comments: taken out of its comment, a line says what holds anyway.
///
/// ```
/// let file = sabir_config::template("model = \"openai/gpt-6-luna\"\n");
/// assert!(file.contains("# [retry]\n# # Tries in all, the first one counted in; 1 tries nothing again.\n# max_attempts = 3\n"));
/// ```
pub fn template(lines: &str) -> String {
    let mut file = "\
# Sabir's configuration, for the library, the gateway and the command.
# `sabir config check` says whether it is right, `sabir config show` what holds and where it came from.

"
    .to_owned();
    file.push_str(lines);
    file.push_str("\n# What follows holds as it is, or is off; take a line out of its comment to change it.\n");
    for field in Settings::SECTION.fields {
        if let Kind::Section(section) = field.kind {
            add(&mut file, field, section);
        }
    }
    file
}

fn add(file: &mut String, field: &Field, section: &Section) {
    let usual: Vec<(&Field, &str)> = section.fields.iter().filter_map(|field| Some((field, field.default?))).collect();
    if usual.is_empty() {
        return;
    }
    // Writing to a text cannot fail.
    let _ = write!(file, "\n{}\n# [{}]\n", commented("# ", field.about), field.name);
    for (field, default) in usual {
        let _ =
            writeln!(file, "{}\n# {} = {}", commented("# # ", field.about), field.name, written(field.kind, default));
    }
}

/// A default as it stands in TOML.
fn written(kind: Kind, default: &str) -> String {
    match kind {
        Kind::YesOrNo => default.to_owned(),
        Kind::Leaf(leaf) if leaf.number && default.bytes().all(|byte| byte.is_ascii_digit() || byte == b'.') => {
            default.to_owned()
        }
        _ => format!("{default:?}"),
    }
}

/// A sentence in lines that fit.
fn commented(mark: &str, about: &str) -> String {
    let mut lines = vec![mark.trim_end().to_owned()];
    for word in about.split_whitespace() {
        let line = lines.last_mut().expect("there is a line");
        if line.chars().count() + word.chars().count() >= 100 {
            lines.push(format!("{mark}{word}"));
        } else {
            line.push(' ');
            line.push_str(word);
        }
    }
    lines.join("\n")
}
