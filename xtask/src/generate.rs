//! What is made from `providers.toml`: the static table of `sabir-dialects`, and the list in the README.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::io::Write as _;
use std::path::Path;
use std::process::{Command, Stdio};

use serde::Deserialize;
use toml::{Table, Value};

use crate::repo::Repo;

/// Where the rows are written by hand.
pub(crate) const ROWS: &str = "crates/sabir-dialects/providers.toml";
/// Where the code reads them.
pub(crate) const TABLE: &str = "crates/sabir-dialects/src/providers/table.rs";
/// Where people read them.
pub(crate) const README: &str = "README.md";

const BEGIN: &str = "<!-- providers:begin -->";
const END: &str = "<!-- providers:end -->";

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Rows {
    provider: Vec<Row>,
}

/// One row as it is written; `providers.toml` says what each field means.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Row {
    id: String,
    #[serde(default)]
    aliases: Vec<String>,
    name: String,
    dialect: String,
    #[serde(default)]
    also: Table,
    #[serde(default)]
    embed: String,
    #[serde(default)]
    rerank: String,
    #[serde(default)]
    models: String,
    #[serde(default)]
    count: String,
    #[serde(default)]
    batches: String,
    base_url: String,
    #[serde(default)]
    base_path: String,
    moved: Option<(String, String)>,
    base_url_env: Vec<String>,
    key_env: Vec<String>,
    #[serde(default)]
    token_env: Vec<String>,
    #[serde(default)]
    header_env: BTreeMap<String, Vec<String>>,
    model_env: Vec<String>,
    auth: String,
    key: Key,
    model: String,
    cheap_model: String,
    #[serde(default)]
    headers: Table,
    #[serde(default)]
    pub quirks: Table,
    #[serde(default)]
    retired: String,
}

#[derive(Deserialize, PartialEq, Eq)]
#[serde(rename_all = "lowercase")]
enum Key {
    Required,
    Optional,
}

/// The rows of `providers.toml`, in its order.
pub(crate) fn rows(repo: &Repo) -> Result<Vec<Row>, String> {
    let file = repo.file(ROWS).ok_or_else(|| format!("{ROWS} is missing"))?;
    toml::from_str::<Rows>(&file.text).map(|rows| rows.provider).map_err(|error| error.to_string())
}

/// Rewrites everything that is generated.
pub(crate) fn write(repo: &Repo) -> Result<(), String> {
    let rows = rows(repo)?;
    let put = |path: &str, text: &str| {
        std::fs::write(repo.root.join(path), text).map_err(|error| format!("{path} cannot be written: {error}"))
    };
    put(TABLE, &table(&repo.root, &rows)?)?;
    put(crate::models::TABLE, &crate::models::table(repo)?)?;
    put(crate::prices::TABLE, &crate::prices::table(repo)?)?;
    if let Some(file) = repo.file(README) {
        put(README, &readme(&file.text, &rows)?)?;
    }
    Ok(())
}

/// The text of `table.rs`, as rustfmt leaves it.
pub(crate) fn table(root: &Path, rows: &[Row]) -> Result<String, String> {
    let mut text = String::from(
        "//! @generated from `providers.toml` by `cargo xtask generate`; edit that file and run it again.\n\n\
         use super::{AuthRow, ProviderRow};\n\n\
         pub(super) static TABLE: &[ProviderRow] = &[",
    );
    for row in rows {
        text.push_str(&row_literal(row)?);
    }
    text.push_str("];\n");
    rustfmt(root, &text)
}

fn row_literal(row: &Row) -> Result<String, String> {
    let auth = match row.auth.split_once(':') {
        None if row.auth == "bearer" => "AuthRow::Bearer".to_owned(),
        None if row.auth == "aws" => "AuthRow::Aws".to_owned(),
        None if row.auth == "none" => "AuthRow::None".to_owned(),
        Some(("header", name)) => format!("AuthRow::Header({name:?})"),
        Some(("query", name)) => format!("AuthRow::Query({name:?})"),
        _ => {
            let known = "bearer, aws, none, header:NAME or query:NAME";
            return Err(format!("{}: auth is {known}, not {:?}", row.id, row.auth));
        }
    };
    let retired = if row.retired.is_empty() { "None".to_owned() } else { format!("Some({:?})", row.retired) };
    let Row {
        id,
        aliases,
        name,
        dialect,
        embed,
        rerank,
        models,
        count,
        batches,
        base_url,
        base_path,
        moved,
        base_url_env,
        key_env,
        token_env,
        model_env,
        model,
        cheap_model,
        ..
    } = row;
    let header_env: Vec<String> = row.header_env.iter().map(|(name, env)| format!("({name:?}, &{env:?}),")).collect();
    let header_env = header_env.concat();
    Ok(format!(
        "ProviderRow {{ id: {id:?}, aliases: &{aliases:?}, name: {name:?}, dialect: {dialect:?}, also: {}, \
         embed: {embed:?}, rerank: {rerank:?}, models: {models:?}, count: {count:?}, batches: {batches:?}, base_url: {base_url:?}, base_path: {base_path:?}, \
         moved: {moved:?}, base_url_env: &{base_url_env:?}, key_env: &{key_env:?}, token_env: &{token_env:?}, \
         header_env: &[{header_env}], model_env: &{model_env:?}, auth: {auth}, key_required: {}, model: {model:?}, cheap_model: {cheap_model:?}, \
         headers: {}, quirks: {}, retired: {retired} }},",
        pairs(id, &row.also)?,
        row.key == Key::Required,
        pairs(id, &row.headers)?,
        pairs(id, &row.quirks)?,
    ))
}

/// A table of strings as a slice of pairs.
fn pairs(id: &str, table: &Table) -> Result<String, String> {
    let mut text = String::from("&[");
    for (key, value) in table {
        let Value::String(value) = value else {
            return Err(format!("{id}: {key} has to be a string"));
        };
        let _ = write!(text, "({key:?}, {value:?}),");
    }
    Ok(text + "]")
}

pub(crate) fn rustfmt(root: &Path, text: &str) -> Result<String, String> {
    let told = |error: std::io::Error| format!("rustfmt cannot be run ({error}): rustup component add rustfmt");
    let mut child = Command::new("rustfmt")
        .args(["--edition", "2024", "--config-path"])
        .arg(root.join("rustfmt.toml"))
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .map_err(told)?;
    // rustfmt reads everything before it writes anything, so this cannot wait for itself.
    child.stdin.take().expect("it is piped").write_all(text.as_bytes()).map_err(told)?;
    let output = child.wait_with_output().map_err(told)?;
    if !output.status.success() {
        return Err(format!("the table is no Rust: {}", String::from_utf8_lossy(&output.stderr)));
    }
    String::from_utf8(output.stdout).map_err(|error| error.to_string())
}

/// The README with the list of providers between its marks replaced.
pub(crate) fn readme(text: &str, rows: &[Row]) -> Result<String, String> {
    let marks = text.find(BEGIN).zip(text.find(END)).filter(|(begin, end)| begin < end);
    let (begin, end) = marks.ok_or_else(|| format!("needs the lines {BEGIN} and {END}, the providers go between"))?;
    Ok(format!("{}\n\n{}\n{}", &text[..begin + BEGIN.len()], list(rows), &text[end..]))
}

fn list(rows: &[Row]) -> String {
    let mut text = String::from("| Provider | `id/model` | Speaks | Key variables |\n| --- | --- | --- | --- |\n");
    let quoted = |names: &[String]| names.iter().map(|name| format!("`{name}`")).collect::<Vec<_>>().join(", ");
    // A service that is gone is named in its error, not in the list of those that can be called.
    for row in rows.iter().filter(|row| row.retired.is_empty()) {
        let mut ids = vec![row.id.clone()];
        ids.extend(row.aliases.iter().cloned());
        let optional = if row.key == Key::Optional { " (optional)" } else { "" };
        let formats = std::iter::once(&row.dialect).chain(row.also.keys()).chain([&row.embed, &row.rerank, &row.count]);
        let formats: Vec<String> = formats.filter(|format| !format.is_empty()).cloned().collect();
        let keys: Vec<String> = row.key_env.iter().chain(&row.token_env).cloned().collect();
        let _ =
            writeln!(text, "| {} | {} | {} | {}{optional} |", row.name, quoted(&ids), quoted(&formats), quoted(&keys));
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    const ROW: &str = "[[provider]]\nid = \"a\"\nname = \"A\"\ndialect = \"d\"\nbase_url = \"\"\nbase_url_env = []\nkey_env = [\"A_KEY\"]\nmodel_env = []\nauth = \"header:x\"\nkey = \"optional\"\nmodel = \"\"\ncheap_model = \"\"\n";

    fn read(text: &str) -> Result<Vec<Row>, String> {
        rows(&Repo::of(&[(ROWS, text)]))
    }

    #[test]
    fn rows_are_read_strictly() {
        assert_eq!(read(ROW).expect("a good row").len(), 1);
        assert!(read(&format!("{ROW}ket = 1")).is_err());
        assert!(read(&ROW.replace("optional", "perhaps")).is_err());
        let row = &read(&ROW.replace("header:x", "basic")).expect("a string")[0];
        assert!(row_literal(row).expect_err("no such way").contains("a: auth is"));
        let row = &read(&format!("{ROW}quirks = {{ b = true }}")).expect("a table")[0];
        assert!(row_literal(row).expect_err("no string").contains("b has to be a string"));
        let signed = ROW.replace("header:x", "aws").replace("dialect = \"d\"", "dialect = \"\"\nembed = \"e\"");
        let row = &read(&signed).expect("a good row")[0];
        let literal = row_literal(row).expect("a good row");
        assert!(literal.contains("also: &[], embed") && literal.contains("moved: None, "), "{literal}");
        assert!(literal.contains("auth: AuthRow::Aws") && literal.contains("embed: \"e\", rerank: \"\""), "{literal}");
        assert!(list(std::slice::from_ref(row)).contains("| A | `a` | `e` |"));
    }

    #[test]
    fn a_row_may_say_more() {
        let more = "also = { f = \"/p\" }\nmoved = [\"old\", \"new\"]\ntoken_env = [\"A_TOKEN\"]\nheader_env = { h = [\"A_H\"] }\n";
        let rows = read(&format!("{ROW}{more}")).expect("a good row");
        let literal = row_literal(&rows[0]).expect("a good row");
        for said in ["also: &[(\"f\", \"/p\"),]", "moved: Some((\"old\", \"new\"))", "&[(\"h\", &[\"A_H\"]),]"] {
            assert!(literal.contains(said), "{said} in {literal}");
        }
        assert!(list(&rows).contains("| A | `a` | `d`, `f` | `A_KEY`, `A_TOKEN` (optional) |"), "{}", list(&rows));
        assert!(read(&format!("{ROW}moved = [\"old\"]")).is_err());
        let gone = read(&format!("{ROW}retired = \"it is gone\"")).expect("a good row");
        assert!(!list(&gone).contains("| A |"), "{}", list(&gone));
    }

    #[test]
    fn the_readme_keeps_all_but_the_list() {
        let rows = read(ROW).expect("a good row");
        let old = format!("head\n{BEGIN}\nold\n{END}\ntail\n");
        let new = readme(&old, &rows).expect("it has its marks");
        assert!(new.starts_with("head\n") && new.ends_with("\ntail\n") && !new.contains("old"));
        assert!(new.contains("| A | `a` | `d` | `A_KEY` (optional) |"));
        assert_eq!(readme(&new, &rows).expect("it still has them"), new);
        assert!(readme("no marks", &rows).is_err());
    }
}
