//! What holds of every field, whichever it is.

use sabir_config::field::{Field, Kind, Section};
use sabir_config::{Format, Loader, Settings, Source};

/// Every field that takes one word or number and is reached by names that are fixed.
fn fields(section: &'static Section, path: &str, all: &mut Vec<(String, &'static Field)>) {
    for field in section.fields {
        let path = format!("{path}{}", field.name);
        match field.kind {
            Kind::Section(inner) => fields(inner, &format!("{path}."), all),
            Kind::Leaf(_) | Kind::Choice(_) | Kind::YesOrNo => all.push((path, field)),
            _ => {}
        }
    }
}

/// Something that the field takes: the first of its examples.
fn example(field: &Field) -> &'static str {
    match field.kind {
        Kind::YesOrNo => "true",
        Kind::Choice(choices) => choices[0].word,
        Kind::Leaf(leaf) if leaf.example.is_empty() => "words",
        Kind::Leaf(leaf) => leaf.example.split([',', ' ']).next().expect("an example"),
        _ => unreachable!("no other kind is asked"),
    }
}

/// What stands beside a field so that it has an effect.
const BESIDE: &[(&str, &str)] = &[
    ("provider", "openai"),
    ("model", "openai/m"),
    ("cost_control.max_budget", "100"),
    ("guard.webhook.url", "https://example.com"),
    ("ledger.path", "spend.db"),
    ("gateway.request_log.path", "requests.db"),
];

/// The source that a field has, said in each of these ways at once.
fn source(path: &str, field: &Field, file: bool, variable: Option<&str>, explicit: bool) -> Source {
    let value = BESIDE.iter().find(|(beside, _)| *beside == path).map_or_else(|| example(field), |(_, value)| *value);
    // These sections are off unless they are there.
    let optional = |name: &str| {
        ["guard.", "ledger.", "gateway.request_log."].into_iter().find(|section| name.starts_with(section))
    };
    let beside = BESIDE
        .iter()
        .filter(|(beside, _)| *beside != path && optional(beside).is_none_or(|section| path.starts_with(section)));
    let mut loader = beside.fold(Loader::new(), |loader, (beside, value)| loader.set(*beside, *value));
    if file {
        loader = loader.text("f.toml", format!("{path} = {value:?}\n"), Format::Toml);
    }
    if let Some(name) = variable {
        loader = loader.env([(name, value)]);
    }
    if explicit {
        loader = loader.set(path, value);
    }
    let config = loader.load().unwrap_or_else(|faults| panic!("{path}: {faults}"));
    config.source(path).unwrap_or_else(|| panic!("{path} is not shown")).clone()
}

#[test]
fn every_field_is_taken_from_who_weighs_most() {
    let mut all = Vec::new();
    fields(Settings::SECTION, "", &mut all);
    assert!(all.len() > 60, "{}", all.len());
    // What does not go alone, or not with the defaults of its neighbours.
    let not_alone = [
        "gateway.oidc.audience", "gateway.oidc.claim", "gateway.oidc.issuer", "gateway.oidc.jwks_url",
        "gateway.oidc.value", "gateway.tls.certificate", "gateway.tls.key", "hedge.after", "hedge.min_delay",
        "prompt_cache.ttl", "retry.initial_delay", "retry.max_retries", "timeouts.connect", "timeouts.total",
    ];
    for (path, field) in all.iter().filter(|(path, _)| !not_alone.contains(&path.as_str())) {
        let line = Source::File { file: "f.toml".into(), line: 1 };
        assert_eq!(source(path, field, true, None, false), line, "{path}");
        if let Some(name) = field.env.first() {
            assert_eq!(source(path, field, true, Some(name), false), Source::Variable((*name).into()), "{path}");
            assert_eq!(source(path, field, true, Some(name), true), Source::Explicit, "{path}");
        }
        assert_eq!(source(path, field, true, None, true), Source::Explicit, "{path}");
    }
}

#[test]
fn every_field_says_what_it_is_for_and_has_a_name_of_its_own() {
    fn check(section: &Section, path: &str) {
        let mut names: Vec<&str> = Vec::new();
        for field in section.fields {
            let at = format!("{path}{}", field.name);
            assert!(field.about.trim().len() > 3 && field.about.trim().ends_with('.'), "{at}: {:?}", field.about);
            for name in std::iter::once(&field.name).chain(field.also) {
                assert!(!names.contains(name), "{at}: {name} is there twice");
                names.push(name);
            }
            let mut kind = field.kind;
            loop {
                kind = match kind {
                    Kind::List(item) | Kind::Map(item) | Kind::Named(item) | Kind::OneOrMore(item) => *item,
                    Kind::Section(inner) | Kind::Short(inner) => break check(inner, &format!("{at}.")),
                    _ => break,
                };
            }
        }
    }
    check(Settings::SECTION, "");
}
