//! `docs/configuration.md`, made of the definitions of the fields.

use std::fmt::Write as _;
use std::path::Path;

use sabir_config::Settings;
use sabir_config::field::{Field, Kind, Section};

/// Compares the page with the definitions. With `SABIR_BLESS` in the environment it is written instead.
#[test]
fn the_page_says_what_the_fields_say() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs/configuration.md");
    let fresh = page();
    if std::env::var_os("SABIR_BLESS").is_some() {
        return std::fs::write(&path, &fresh).expect("the page can be written");
    }
    let committed = std::fs::read_to_string(&path).unwrap_or_default();
    assert!(
        committed == fresh,
        "docs/configuration.md says something else; write it anew with `SABIR_BLESS=1 cargo test -p sabir-config --test page`"
    );
}

fn page() -> String {
    let mut page = include_str!("page.md").to_owned();
    table(&mut page, "", "The file as a whole", Settings::SECTION);
    page
}

/// The fields of a section, then those of the sections in it.
fn table(page: &mut String, path: &str, title: &str, section: &Section) {
    let _ = write!(
        page,
        "\n### {title}\n\n{}\n\n| field | what it takes | default | |\n| --- | --- | --- | --- |\n",
        section.about.trim()
    );
    for field in section.fields {
        let names: Vec<String> =
            std::iter::once(&field.name).chain(field.also).map(|name| format!("`{name}`")).collect();
        let default = field.default.map_or_else(String::new, |default| format!("`{default}`"));
        let env = match field.env {
            [] => String::new(),
            names => format!(" Variable: `{}`.", names.join("`, `")),
        };
        let about = field.about.trim().replace('|', "\\|");
        let _ = writeln!(page, "| {} | {} | {default} | {about}{env} |", names.join(", "), takes(field.kind));
    }
    for field in section.fields {
        if let Some((inner, below)) = inside(field) {
            let path = format!("{path}{below}");
            table(page, &format!("{path}."), &format!("`{path}`"), inner);
        }
    }
}

fn takes(kind: Kind) -> String {
    match kind {
        Kind::YesOrNo => "true or false".to_owned(),
        Kind::Leaf(leaf) => leaf.name.to_owned(),
        Kind::Choice(choices) => {
            let words: Vec<String> =
                choices.iter().map(|choice| format!("`{}`: {}", choice.word, choice.about.trim())).collect();
            words.join("<br>")
        }
        Kind::Section(_) => "a section".to_owned(),
        Kind::Short(_) => "a model, or a section".to_owned(),
        Kind::List(item) => format!("a list of: {}", takes(*item)),
        Kind::OneOrMore(item) => format!("{}, or a list of them", takes(*item)),
        Kind::Map(item) => format!("by name: {}", takes(*item)),
        Kind::Named(_) => "sections by name, or a list of them".to_owned(),
        Kind::Parameters => "arguments by name, or a JSON Schema".to_owned(),
        Kind::Prices => "as in the example above".to_owned(),
        _ => String::new(),
    }
}

/// The section that stands in a field, and how it is reached.
fn inside(field: &Field) -> Option<(&'static Section, String)> {
    fn of(kind: Kind, path: String) -> Option<(&'static Section, String)> {
        match kind {
            Kind::Section(section) | Kind::Short(section) => Some((section, path)),
            Kind::List(item) => of(*item, format!("{path}[]")),
            Kind::Map(item) | Kind::Named(item) => of(*item, format!("{path}.NAME")),
            _ => None,
        }
    }
    of(field.kind, field.name.to_owned())
}
