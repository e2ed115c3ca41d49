//! A change of what the administrator set: checked as a whole, noted, written, and then in force; or not at all.

use std::fs::{File, OpenOptions};
use std::io::{Read as _, Write as _};
use std::path::Path;
use std::time::Duration;

use sabir::config::Config;
use sabir::{Error, ErrorKind, Result};
use serde_json::{Map, Value, json};

use super::{Hand, audit};
use crate::Gateway;

/// The longest state that is read, in bytes: as much as a configuration may have.
const LONGEST: u64 = 1 << 20;

/// What can be set, by the words of the API and of the state.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Kind {
    pub(super) one: &'static str,
    pub(super) many: &'static str,
}

pub(super) const KEY: Kind = Kind { one: "key", many: "keys" };

/// Makes a change to one of a kind: `becomes` gives what is kept of it from what was; nothing to take it away.
pub(super) fn make(
    gateway: &Gateway,
    operator: &Hand<'_>,
    action: &str,
    (kind, name): (Kind, &str),
    becomes: impl FnOnce(Option<Map<String, Value>>) -> Result<Option<Value>>,
) -> Result<()> {
    let config = operator.live().config();
    let path = state(&config)?;
    let mut whole = read(path)?;
    let many = whole.as_object_mut().map(|whole| whole.entry(kind.many).or_insert_with(|| json!({})));
    let many = many
        .and_then(Value::as_object_mut)
        .ok_or_else(|| Error::new(ErrorKind::Provider, format!("{} has no {} in it", path.display(), kind.many)))?;
    let before = many.get(name).cloned();
    let after = becomes(before.as_ref().and_then(Value::as_object).cloned())?;
    match &after {
        Some(one) => drop(many.insert(name.to_owned(), one.clone())),
        None => drop(many.remove(name)),
    }
    let text = format!("{whole:#}\n");
    operator.live().loader().clone().state(text.as_str()).load()?;
    // Before it is in force: a change that nobody can find afterwards must not be.
    let (before, after) = (before.unwrap_or_default(), after.unwrap_or_default());
    audit::note(&config, &operator.who, action, (kind.one, name), &before, &after)?;
    write(path, &text).map_err(|error| {
        Error::new(ErrorKind::Provider, format!("the change is not in force: cannot write {}: {error}", path.display()))
    })?;
    gateway.reload()
}

pub(super) fn state(config: &Config) -> Result<&Path> {
    config.gateway.state.as_deref().ok_or_else(|| {
        let message = "nothing can be kept here: `gateway.state` names no file; keys are those of the configuration";
        Error::new(ErrorKind::InvalidRequest, message).with_status(http::StatusCode::CONFLICT)
    })
}

/// Whether one of this name holds. Of rules of the limits only the state has names.
pub(super) fn is_there(config: &Config, (kind, name): (Kind, &str)) -> bool {
    match kind.many {
        "keys" => config.gateway.keys.contains_key(name),
        "teams" => config.gateway.teams.contains_key(name),
        "routes" => config.routes.contains_key(name),
        "policies" => config.policies.contains_key(name),
        "budgets" => config.budgets.iter().any(|budget| budget.name == name),
        _ => false,
    }
}

/// Of one that was not set here: it stands in the configuration, or nowhere.
pub(super) fn not_set(operator: &Hand<'_>, (kind, name): (Kind, &str)) -> Error {
    if is_there(&operator.live().config(), (kind, name)) {
        let message = format!("the {} {name:?} stands in the configuration; change it there", kind.one);
        return Error::new(ErrorKind::InvalidRequest, message).with_status(http::StatusCode::CONFLICT);
    }
    Error::new(ErrorKind::NotFound, format!("there is no {} {name:?}", kind.one))
}

/// What was with these fields; without those that are `null`.
pub(super) fn merged(mut before: Map<String, Value>, said: Map<String, Value>) -> Value {
    for (field, value) in said {
        match value {
            Value::Null => drop(before.remove(&field)),
            value => drop(before.insert(field, value)),
        }
    }
    Value::Object(before)
}

/// All that was set.
pub(super) fn read(path: &Path) -> Result<Value> {
    let cannot = |why: String| Error::new(ErrorKind::Provider, format!("cannot read {}: {why}", path.display()));
    let file = match File::open(path) {
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(json!({})),
        opened => opened.map_err(|error| cannot(error.to_string()))?,
    };
    let mut text = String::new();
    file.take(LONGEST).read_to_string(&mut text).map_err(|error| cannot(error.to_string()))?;
    serde_json::from_str(&text).map_err(|error| cannot(error.to_string()))
}

/// Puts a new file in the place of the old: whoever reads sees the one or the other, also after a crash.
fn write(path: &Path, text: &str) -> std::io::Result<()> {
    let mut beside = path.as_os_str().to_owned();
    beside.push(".new");
    let mut file = owners(OpenOptions::new().write(true).create(true).truncate(true)).open(&beside)?;
    file.write_all(text.as_bytes())?;
    file.sync_all()?;
    std::fs::rename(&beside, path)?;
    #[cfg(unix)]
    if let Some(folder) = path.parent() {
        // The name survives the machine as well.
        File::open(if folder.as_os_str().is_empty() { Path::new(".") } else { folder })?.sync_all()?;
    }
    Ok(())
}

/// A file that is made is its owner's alone.
pub(super) fn owners(options: &mut OpenOptions) -> &mut OpenOptions {
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(options, 0o600);
    options
}

/// A moment since 1970 by RFC 3339, in UTC.
pub(super) fn rfc3339(time: Duration) -> String {
    let (days, seconds) = (time.as_secs() / 86_400, time.as_secs() % 86_400);
    // After Howard Hinnant, `civil_from_days`.
    let days = days + 719_468;
    let (era, of_era) = (days / 146_097, days % 146_097);
    let of_era_year = (of_era - of_era / 1_460 + of_era / 36_524 - of_era / 146_096) / 365;
    let of_year = of_era - (365 * of_era_year + of_era_year / 4 - of_era_year / 100);
    let shifted = (5 * of_year + 2) / 153;
    let day = of_year - (153 * shifted + 2) / 5 + 1;
    let month = if shifted < 10 { shifted + 3 } else { shifted - 9 };
    let year = of_era_year + era * 400 + u64::from(month <= 2);
    let (hour, minute, second) = (seconds / 3_600, seconds / 60 % 60, seconds % 60);
    format!("{year:04}-{month:02}-{day:02}T{hour:02}:{minute:02}:{second:02}Z")
}

#[cfg(test)]
mod tests {
    use sabir::config::Moment;

    use super::*;

    #[test]
    fn moments_are_read_as_they_are_written() {
        for seconds in (0..4_200_000_000_u64).step_by(7_654_321) {
            let text = rfc3339(Duration::from_secs(seconds));
            assert_eq!(Moment::of(&text), Some(Moment(Duration::from_secs(seconds))), "{text}");
        }
    }
}
