//! Templates of questions: whether they say something, and ask somebody who is known.

use super::Found;
use super::models::known;
use crate::sections::Settings;

pub(super) fn check(settings: &Settings, found: &mut Found<'_>) {
    for (name, template) in &settings.templates {
        let at = format!("templates.{name}");
        a_word(name, &at, found);
        if template.system.is_none() && template.prompt.is_none() {
            found.fault(&at, "asks nothing; say `prompt`, `system`, or both");
        }
        let own = |model: &str| settings.aliases.contains_key(model) || settings.routes.contains_key(model);
        if let Some(model) = template.model.as_deref().filter(|model| !own(model)) {
            match (model.split_once('/'), &settings.provider) {
                (Some((id, _)), None) => known(settings, id, &format!("{at}.model"), found),
                (None, None) => known(settings, model, &format!("{at}.model"), found),
                _ => {}
            }
        }
        if template.defaults.contains_key("input") {
            found.fault(
                format!("{at}.defaults.input"),
                "is what is asked and piped in; give the parameter another name",
            );
        }
    }
    for name in settings.roles.keys() {
        a_word(name, &format!("roles.{name}"), found);
    }
}

fn a_word(name: &str, at: &str, found: &mut Found<'_>) {
    if name.is_empty() || name.contains(char::is_whitespace) {
        found.fault(at, "a name has no space in it, and is not empty");
    }
}
