//! What is made from `data/models`: the static table of what models can do.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use crate::generate::rustfmt;
use crate::repo::Repo;

/// What public lists say.
pub(crate) const LIST: &str = "data/models/models.tsv";
/// What is known better.
const CORRECTIONS: &str = "data/models/corrections.tsv";
/// Where the code reads both.
pub(crate) const TABLE: &str = "crates/sabir-dialects/src/catalog/table.rs";

/// The flags; the place is the bit.
const FLAGS: [&str; 13] = [
    "tools", "vision", "structured_output", "reasoning", "adaptive_thinking", "budget_thinking", "thinking_always_on",
    "forced_tool_use", "sampling", "sampling_with_reasoning", "prefill", "mid_system", "tools_with_reasoning",
];

/// The efforts; the place is the bit.
const EFFORTS: [&str; 7] = ["none", "minimal", "low", "medium", "high", "xhigh", "max"];

/// One model of one provider. Unknown is what is not there.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
struct Model {
    context_window: Option<u32>,
    max_output: Option<u32>,
    flags: BTreeMap<String, bool>,
    efforts: Option<Vec<String>>,
}

/// Models by provider and id.
type Models = BTreeMap<(String, String), Model>;

/// The text of `table.rs`, as rustfmt leaves it.
pub(crate) fn table(repo: &Repo) -> Result<String, String> {
    let mut models = Models::new();
    for path in [LIST, CORRECTIONS] {
        let file = repo.file(path).ok_or_else(|| format!("{path} is missing"))?;
        read(&file.text, &mut models).map_err(|error| format!("{path}{error}"))?;
    }
    for ((provider, id), model) in &mut models {
        derive(provider, id, model);
    }
    rustfmt(&repo.root, &written(&models))
}

/// Reads rows over those that are there.
fn read(text: &str, models: &mut Models) -> Result<(), String> {
    for (at, line) in text.lines().enumerate() {
        if line.starts_with('#') || line.starts_with("provider\t") {
            continue;
        }
        let wrong = |what: &str| format!(":{}: {what}", at + 1);
        let [provider, id, context, output, flags, efforts] = line.split('\t').collect::<Vec<_>>()[..] else {
            return Err(wrong("a row has six columns, with a tab between"));
        };
        let model = models.entry((provider.to_owned(), id.to_owned())).or_default();
        for (limit, text) in [(&mut model.context_window, context), (&mut model.max_output, output)] {
            if let Some(text) = known(text) {
                *limit = Some(text.parse().map_err(|_| wrong(&format!("{text:?} is no number of tokens")))?);
            }
        }
        for flag in known(flags).into_iter().flat_map(str::split_whitespace) {
            let name = flag.trim_start_matches('!');
            if !FLAGS.contains(&name) {
                return Err(wrong(&format!("there is no flag {name}")));
            }
            model.flags.insert(name.to_owned(), name == flag);
        }
        if let Some(words) = known(efforts) {
            let words: Vec<String> = words.split_whitespace().map(str::to_owned).collect();
            if let Some(word) = words.iter().find(|word| !EFFORTS.contains(&word.as_str())) {
                return Err(wrong(&format!("there is no effort {word}")));
            }
            model.efforts = Some(words);
        }
    }
    Ok(())
}

fn known(column: &str) -> Option<&str> {
    Some(column).filter(|text| *text != "-")
}

/// What follows from what the lists say, where they do not say it outright.
fn derive(provider: &str, id: &str, model: &mut Model) {
    let is = |model: &Model, flag: &str, value: bool| model.flags.get(flag) == Some(&value);
    let is_unsaid = |model: &Model, flag: &str| !model.flags.contains_key(flag);
    let set = |model: &mut Model, flag: &str, value: bool| {
        model.flags.insert(flag.to_owned(), value);
    };
    let takes = |model: &Model, word: &str| model.efforts.as_ref().map(|words| words.iter().any(|w| w == word));

    // Anthropic's models think by a budget, by themselves, or both ways; the lists name the ways that there are.
    if provider == "anthropic" {
        if is(model, "adaptive_thinking", true) && is_unsaid(model, "budget_thinking") {
            set(model, "budget_thinking", false);
        }
        if is(model, "budget_thinking", true) && is_unsaid(model, "adaptive_thinking") {
            set(model, "adaptive_thinking", false);
            model.efforts.get_or_insert_default();
        }
    }
    // With OpenAI and Google, not to think is an effort: a model without it always thinks.
    let off_is_a_word = matches!(provider, "openai" | "azure" | "google")
        || provider == "vertex" && id.starts_with("gemini")
        || provider == "openrouter" && id.starts_with("openai/");
    if off_is_a_word && !is(model, "budget_thinking", true) && is_unsaid(model, "thinking_always_on") {
        match takes(model, "none") {
            Some(false) if is(model, "reasoning", true) => set(model, "thinking_always_on", true),
            // The lists know no more than that such a model refuses sampling parameters at its usual effort.
            Some(true) if is(model, "sampling", false) && provider != "google" => {
                model.flags.remove("sampling");
                set(model, "sampling_with_reasoning", false);
            }
            _ => {}
        }
    }
}

fn written(models: &Models) -> String {
    let mut text = format!(
        "//! @generated from `data/models` by `cargo xtask generate`; edit those files and run it again.\n\n\
         #![allow(clippy::unreadable_literal, reason = \"a machine writes it\")]\n\n\
         use super::row::{{Row, row}};\n\n\
         /// What the bits of [`Row`] mean, from the lowest.\n#[cfg(test)]\n\
         pub(super) const FLAGS: [&str; {}] = {FLAGS:?};\n\n\
         /// The models of every provider; both sorted by id.\npub(super) static TABLE: &[(&str, &[Row])] = &[",
        FLAGS.len()
    );
    let mut last = "";
    for ((provider, id), model) in models {
        if last != provider {
            let end = if last.is_empty() { "" } else { "])," };
            let _ = write!(text, "{end}({provider:?}, &[");
            last = provider;
        }
        let bits = |value: bool| {
            let set = |name: &&str| model.flags.get(*name) == Some(&value);
            FLAGS.iter().enumerate().filter(|(_, name)| set(name)).fold(0_u16, |bits, (at, _)| bits | 1 << at)
        };
        let efforts = model.efforts.as_ref().map_or(0, |words| {
            let place = |word: &String| EFFORTS.iter().position(|known| known == word);
            words.iter().filter_map(place).fold(0x80_u8, |bits, at| bits | 1 << at)
        });
        let (context, output) = (model.context_window.unwrap_or(0), model.max_output.unwrap_or(0));
        let (yes, no) = (bits(true), bits(false));
        let _ = write!(text, "row({id:?}, {yes:#x}, {no:#x}, {efforts:#x}, {context}, {output}),");
    }
    text + if last.is_empty() { "];\n" } else { "])];\n" }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn one(provider: &str, flags: &str, efforts: &str) -> Model {
        let mut models = Models::new();
        read(&format!("# why\n{provider}\tm\t-\t8\t{flags}\t{efforts}\n"), &mut models).expect("a good row");
        let (_, mut model) = models.pop_first().expect("one row");
        derive(provider, "m", &mut model);
        model
    }

    #[test]
    fn rows_are_read_strictly() {
        let mut models = Models::new();
        let good = "a\tm\t100\t-\ttools !sampling\tlow high\n";
        read(good, &mut models).expect("a good row");
        read("a\tm\t-\t8\tsampling\t-\n", &mut models).expect("a correction");
        let text = written(&models);
        assert!(text.contains("(\"a\", &[row(\"m\", 0x101, 0x0, 0x94, 100, 8),])];"), "{text}");
        for (bad, why) in [
            (good.replace('\t', " "), "six columns"),
            (good.replace("100", "many"), "no number"),
            (good.replace("tools", "tolls"), "no flag tolls"),
            (good.replace("low", "lo"), "no effort lo"),
        ] {
            let error = read(&bad, &mut Models::new()).expect_err("a bad row");
            assert!(error.starts_with(":1: ") && error.contains(why), "{error}");
        }
    }

    #[test]
    fn what_is_not_said_is_derived() {
        let flag = |model: &Model, name: &str| model.flags.get(name).copied();
        assert_eq!(flag(&one("anthropic", "adaptive_thinking", "low"), "budget_thinking"), Some(false));
        assert_eq!(flag(&one("openrouter", "adaptive_thinking", "low"), "budget_thinking"), None);
        let old = one("anthropic", "budget_thinking", "-");
        assert_eq!((flag(&old, "adaptive_thinking"), old.efforts), (Some(false), Some(Vec::new())));
        let both = one("anthropic", "budget_thinking adaptive_thinking", "low");
        assert_eq!(both.flags.values().copied().collect::<Vec<_>>(), [true, true]);
        assert_eq!(flag(&one("openai", "reasoning", "low"), "thinking_always_on"), Some(true));
        assert_eq!(flag(&one("deepseek", "reasoning", "low"), "thinking_always_on"), None);
        assert_eq!(flag(&one("google", "reasoning budget_thinking", "low"), "thinking_always_on"), None);
        let switched = one("openai", "reasoning !sampling", "none low");
        assert_eq!((flag(&switched, "sampling"), flag(&switched, "sampling_with_reasoning")), (None, Some(false)));
        assert_eq!(flag(&one("openai", "reasoning !sampling", "low"), "sampling"), Some(false));
    }
}
