//! Questions that are asked again and again: their parameters filled in.

use std::collections::BTreeMap;

use sabir::config::{Config, TemplateConfig};
use sabir::dialects::providers::nearest;

use crate::failure::Failure;

/// The parameter that stands for what is asked and piped in.
const INPUT: &str = "input";

/// A template with its parameters filled in.
#[derive(Debug)]
pub(super) struct Filled {
    pub(super) system: Option<String>,
    /// The question; what was asked and piped in is in it or follows it.
    pub(super) prompt: String,
}

/// The template of a name.
pub(super) fn find<'a>(config: &'a Config, name: &str) -> Result<&'a TemplateConfig, Failure> {
    config.templates.get(name).ok_or_else(|| unknown("template", "templates", name, config.templates.keys()))
}

/// The instructions of a name.
pub(super) fn role<'a>(config: &'a Config, name: &str) -> Result<&'a String, Failure> {
    config.roles.get(name).ok_or_else(|| unknown("role", "roles", name, config.roles.keys()))
}

fn unknown<'a>(what: &str, section: &str, name: &str, known: impl Iterator<Item = &'a String> + Clone) -> Failure {
    let names: Vec<&str> = known.clone().map(String::as_str).collect();
    let hint = match nearest(name, known.map(String::as_str)) {
        Some(near) => format!("did you mean {near}?"),
        None if names.is_empty() => format!("the configuration has none in `{section}`"),
        None => format!("there are {}", names.join(", ")),
    };
    Failure::usage(format!("there is no {what} {name:?}; {hint}"))
}

/// Fills in a template's parameters.
pub(super) fn fill(
    name: &str,
    config: &TemplateConfig,
    given: &[(String, String)],
    input: &str,
) -> Result<Filled, Failure> {
    let (system, prompt) = (config.system.as_deref().unwrap_or_default(), config.prompt.as_deref().unwrap_or_default());
    let places: Vec<&str> = places(system).chain(places(prompt)).collect();
    for (param, _) in given {
        if param == INPUT || !places.contains(&param.as_str()) {
            let own = places.iter().copied().filter(|place| *place != INPUT);
            let hint = match nearest(param, own.clone()) {
                Some(near) => format!("did you mean {near}?"),
                None if own.clone().next().is_none() => "it has none".to_owned(),
                None => format!("it has {}", own.collect::<Vec<_>>().join(", ")),
            };
            return Err(Failure::usage(format!("the template {name:?} has no parameter {param:?}; {hint}")));
        }
    }
    let mut values: BTreeMap<&str, &str> =
        config.defaults.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect();
    values.extend(given.iter().map(|(name, value)| (name.as_str(), value.as_str())));
    let mut missing: Vec<&str> = places.iter().copied().filter(|at| *at != INPUT && !values.contains_key(at)).collect();
    missing.sort_unstable();
    missing.dedup();
    if !missing.is_empty() {
        let wanted: Vec<String> = missing.iter().map(|name| format!("-p {name}=…")).collect();
        return Err(Failure::usage(format!("the template {name:?} needs {}", wanted.join(" "))));
    }
    if places.contains(&INPUT) {
        if input.is_empty() {
            let message =
                format!("the template {name:?} needs something to work on: a prompt, or text on standard input");
            return Err(Failure::usage(message));
        }
        values.insert(INPUT, input);
    }
    let mut prompt = filled(prompt, &values);
    if !places.contains(&INPUT) && !input.is_empty() {
        prompt =
            [prompt, input.to_owned()].into_iter().filter(|text| !text.is_empty()).collect::<Vec<_>>().join("\n\n");
    }
    let system = config.system.as_ref().map(|system| filled(system, &values));
    Ok(Filled { system, prompt })
}

/// A text in pieces: words, and names that stood in `{{ }}`.
enum Piece<'a> {
    Words(&'a str),
    Name(&'a str),
}

/// Braces around something that is no name are words.
fn pieces(text: &str) -> impl Iterator<Item = Piece<'_>> {
    let mut rest = text;
    std::iter::from_fn(move || {
        if rest.is_empty() {
            return None;
        }
        let Some(open) = rest.find("{{") else { return Some(Piece::Words(std::mem::take(&mut rest))) };
        if open > 0 {
            let (words, after) = rest.split_at(open);
            rest = after;
            return Some(Piece::Words(words));
        }
        // A name ends soon; one look does not go on to the end of the text.
        let inside =
            rest[2..].split(|c: char| !(c.is_alphanumeric() || matches!(c, '_' | '-' | ' '))).next().unwrap_or("");
        let (name, end) = (inside.trim(), 2 + inside.len());
        if !name.is_empty() && !name.contains(' ') && rest[end..].starts_with("}}") {
            rest = &rest[end + 2..];
            return Some(Piece::Name(name));
        }
        let (words, after) = rest.split_at(1);
        rest = after;
        Some(Piece::Words(words))
    })
}

fn places(text: &str) -> impl Iterator<Item = &str> {
    pieces(text).filter_map(|piece| match piece {
        Piece::Name(name) => Some(name),
        Piece::Words(_) => None,
    })
}

/// What is filled in is not looked at for places.
fn filled(text: &str, values: &BTreeMap<&str, &str>) -> String {
    let of = |piece| match piece {
        Piece::Words(words) => words,
        Piece::Name(name) => values.get(name).copied().unwrap_or_default(),
    };
    pieces(text).map(of).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn places_are_names_in_two_braces() {
        let values = BTreeMap::from([("a", "1"), ("b-c", "{{a}}")]);
        for (text, is) in [
            ("{{a}} and {{ b-c }}", "1 and {{a}}"),
            ("{{{a}}}", "{1}"),
            ("{{", "{{"),
            ("{{}} {{ }} {{a b}} {{a}", "{{}} {{ }} {{a b}} {{a}"),
            ("{% if x %}{{ x.y }}", "{% if x %}{{ x.y }}"),
            ("é{{a}}é", "é1é"),
        ] {
            assert_eq!(filled(text, &values), is, "{text}");
        }
        assert_eq!(places("{{a}}{{x}} {{ a }}").collect::<Vec<_>>(), ["a", "x", "a"]);
    }

    /// Many braces are looked at once each.
    #[test]
    fn braces_without_end_take_linear_time() {
        let text = "{{a ".repeat(200_000);
        assert_eq!(filled(&text, &BTreeMap::new()), text);
        let text = "{".repeat(800_000);
        assert_eq!(filled(&text, &BTreeMap::new()), text);
        let text = format!("{}{}", "{{".repeat(2), "a".repeat(800_000));
        assert_eq!(filled(&text, &BTreeMap::new()), text);
    }
}
