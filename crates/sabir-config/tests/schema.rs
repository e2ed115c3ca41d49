//! The JSON Schema says of a file what reading it says.

use std::path::Path;

use sabir_config::{Format, Loader, Source, schema, template};
use serde_json::{Value, json};

fn validator() -> jsonschema::Validator {
    let schema = schema();
    assert!(jsonschema::meta::is_valid(&schema), "a schema must be one");
    jsonschema::validator_for(&schema).expect("a schema")
}

fn files(folder: &str) -> Vec<(String, String)> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests").join(folder);
    let files = std::fs::read_dir(folder).expect("a folder").map(|entry| entry.expect("an entry").path());
    let toml = files.filter(|path| path.extension().is_some_and(|ending| ending == "toml"));
    toml.map(|path| (path.display().to_string(), std::fs::read_to_string(path).expect("text"))).collect()
}

#[test]
fn what_is_right_is_right_by_the_schema() {
    let validator = validator();
    for (name, text) in files("spec") {
        let value: Value = toml::from_str(&text).expect("TOML");
        let errors: Vec<String> =
            validator.iter_errors(&value).map(|error| format!("{error} at {}", error.instance_path())).collect();
        assert!(errors.is_empty(), "{name}: {errors:#?}");
    }
    for right in
        [json!({}), json!({"retry": null, "timeout": "${LIMIT:-30s}", "limits": {"requests_per_minute": "60"}})]
    {
        assert!(validator.is_valid(&right), "{right}");
    }
}

/// Names that are not known, and words and numbers of the wrong form. What contradicts what is beyond a schema.
#[test]
fn what_is_wrong_by_its_form_is_wrong_by_the_schema() {
    let validator = validator();
    let mut told = 0;
    for (name, text) in files("broken") {
        let faults = Loader::new().text("f", text.clone(), Format::Toml).load().expect_err("broken");
        let by_form = |message: &str| message.starts_with("is not known") || message.starts_with("must be");
        let is_key = |field: &str| field.ends_with("api_key");
        if !faults.all().iter().any(|fault| by_form(&fault.message) && !is_key(&fault.field)) {
            continue;
        }
        let Ok(value) = toml::from_str::<Value>(&text) else { continue };
        told += 1;
        // A number is not held against what it must be: TOML's whole numbers would do for most.
        if !["no-attempts", "share-above-one", "float-money"].iter().any(|known| name.contains(known)) {
            assert!(!validator.is_valid(&value), "{name}");
        }
    }
    assert!(told >= 10, "{told}");
}

/// Every field has a sentence, and every default is one that can be read.
#[test]
fn every_default_holds() {
    let config = Loader::new().load().expect("defaults are right");
    assert!(config.show().len() > 25 && config.show().iter().all(|shown| shown.source == Source::Default));
}

#[test]
fn what_the_template_has_in_comments_is_right() {
    let whole = template("model = \"openai/gpt-6-luna\"\n");
    let commented = Loader::new().text("f", whole.clone(), Format::Toml).load().expect("right");
    let lines = whole.lines().map(|line| match line.strip_prefix("# ") {
        Some(said) if said.starts_with('[') || (said.contains(" = ") && !said.starts_with(['#', '`'])) => said,
        _ => line,
    });
    let said = Loader::new().text("f", lines.collect::<Vec<_>>().join("\n"), Format::Toml).load();
    let said = said.unwrap_or_else(|faults| panic!("{faults}"));
    // They say what holds anyway.
    for shown in commented.show() {
        let again = said.show().iter().find(|again| again.field == shown.field).expect(&shown.field);
        assert_eq!(again.value, shown.value, "{}", shown.field);
    }
    assert!(said.show().iter().filter(|shown| shown.source != Source::Default).count() > 30);
}
