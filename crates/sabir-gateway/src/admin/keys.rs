//! Keys that the administrator issues while the gateway runs.

use std::time::{Duration, SystemTime};

use sabir::config::{Config, GatewayKey, KeyHash, Source};
use sabir::{Error, ErrorKind, Result, Secret};
use serde_json::{Map, Value, json};

use super::change::KEY;
use super::{Hand, change};
use crate::{Gateway, Keys};

/// What may be said of a key. Its secret is made here: one that is sent would be known to others.
const FIELDS: [&str; 11] =
    ["models", "mcp", "team", "user", "tags", "expires", "disabled", "raw", "strict", "budgets", "limits"];

/// How long the old key opens beside the new one, unless it is said.
const OVERLAP: Duration = Duration::from_secs(86_400);
/// The longest that may be said.
const LONGEST_OVERLAP: Duration = Duration::from_secs(366 * 86_400);

/// All keys, without their secrets.
pub(super) fn list(config: &Config) -> Value {
    let keys = config.gateway.keys.iter().map(|(name, key)| shown(config, name, key));
    json!({ "object": "list", "data": keys.collect::<Vec<_>>() })
}

fn shown(config: &Config, name: &str, key: &GatewayKey) -> Value {
    let state = config.gateway.state.as_deref().map(|path| path.display().to_string());
    let is_issued = config.show().iter().any(|shown| {
        let below = shown.field.strip_prefix("gateway.keys.").and_then(|rest| rest.strip_prefix(name));
        below.is_some_and(|rest| rest.starts_with(['.', '[']))
            && matches!(&shown.source, Source::File { file, .. } if Some(&**file) == state.as_deref())
    });
    let hashes = key.hash.iter().flat_map(|hashes| hashes.iter()).map(|one| {
        // Enough to tell them apart.
        json!({ "hash": one.hash.to_string()[..19], "expires": one.expires.map(|end| end.0.as_secs()) })
    });
    json!({
        "object": "key",
        "name": name,
        "from": if is_issued { "issued" } else { "configuration" },
        "team": key.team,
        "user": key.user,
        "models": key.models,
        "mcp": key.mcp,
        "tags": key.tags,
        "expires": key.expires.map(|end| end.0.as_secs()),
        "disabled": key.disabled,
        "raw": key.raw,
        "strict": key.strict,
        "budgets": key.budgets.len(),
        "hashes": hashes.collect::<Vec<_>>(),
    })
}

/// Makes a key. Its secret is in the answer, this once.
pub(super) fn issue(gateway: &Gateway, operator: &Hand<'_>, mut said: Map<String, Value>) -> Result<Value> {
    let Some(Value::String(name)) = said.remove("name") else {
        return Err(wrong("a key needs a `name`"));
    };
    only_known(&said)?;
    if change::is_there(&operator.live().config(), (KEY, &name)) {
        let message = format!("there is a key {name:?} already; rotate it, or take another name");
        return Err(Error::new(ErrorKind::InvalidRequest, message).with_status(http::StatusCode::CONFLICT));
    }
    let secret = Keys::make()?;
    said.insert("hash".into(), json!([{ "hash": hash(&secret) }]));
    change::make(gateway, operator, "issue", (KEY, &name), |_| Ok(Some(Value::Object(said))))?;
    Ok(json!({ "object": "key", "name": name, "key": secret.expose() }))
}

/// Changes what a key is good for. What is `null` is taken away.
pub(super) fn change(gateway: &Gateway, operator: &Hand<'_>, name: &str, said: Map<String, Value>) -> Result<Value> {
    only_known(&said)?;
    change::make(gateway, operator, "change", (KEY, name), |before| {
        Ok(Some(change::merged(before.ok_or_else(|| change::not_set(operator, (KEY, name)))?, said)))
    })?;
    named(operator, name)
}

/// Takes a key away.
pub(super) fn revoke(gateway: &Gateway, operator: &Hand<'_>, name: &str) -> Result<Value> {
    change::make(gateway, operator, "revoke", (KEY, name), |before| {
        before.map(|_| None).ok_or_else(|| change::not_set(operator, (KEY, name)))
    })?;
    Ok(json!({ "object": "key", "name": name, "revoked": true }))
}

/// Puts a new secret in the place of the old, which opens for a while beside it.
pub(super) fn rotate(gateway: &Gateway, operator: &Hand<'_>, name: &str, said: &Map<String, Value>) -> Result<Value> {
    if let Some(other) = said.keys().find(|field| *field != "overlap_seconds") {
        return Err(wrong(&format!("{other} is not known here; `overlap_seconds` is")));
    }
    let overlap = match said.get("overlap_seconds") {
        None => OVERLAP,
        Some(seconds) => {
            seconds.as_u64().map(Duration::from_secs).filter(|time| *time <= LONGEST_OVERLAP).ok_or_else(|| {
                wrong(&format!("`overlap_seconds` is a whole number up to {}", LONGEST_OVERLAP.as_secs()))
            })?
        }
    };
    let secret = Keys::make()?;
    let now = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
    let end = now.saturating_add(overlap);
    change::make(gateway, operator, "rotate", (KEY, name), |before| {
        let mut key = before.ok_or_else(|| change::not_set(operator, (KEY, name)))?;
        let mut hashes = vec![json!({ "hash": hash(&secret) })];
        for mut old in key.get("hash").and_then(Value::as_array).cloned().unwrap_or_default() {
            let ends = old.get("expires").and_then(Value::as_str).and_then(sabir::config::Moment::of);
            let sooner = ends.map_or(end, |ends| ends.0.min(end));
            // What is over is forgotten.
            if sooner > now {
                old["expires"] = change::rfc3339(sooner).into();
                hashes.push(old);
            }
        }
        key.insert("hash".into(), hashes.into());
        Ok(Some(Value::Object(key)))
    })?;
    Ok(json!({ "object": "key", "name": name, "key": secret.expose(), "old_expires": end.as_secs() }))
}

fn named(operator: &Hand<'_>, name: &str) -> Result<Value> {
    let config = operator.live().config();
    let key = config.gateway.keys.get(name).ok_or_else(|| change::not_set(operator, (KEY, name)))?;
    Ok(shown(&config, name, key))
}

fn hash(key: &Secret) -> String {
    KeyHash(Keys::hash(key)).to_string()
}

fn only_known(said: &Map<String, Value>) -> Result<()> {
    match said.keys().find(|field| !FIELDS.contains(&field.as_str())) {
        Some(other) => Err(wrong(&format!("{other:?} cannot be said of a key here; {} can", FIELDS.join(", ")))),
        None => Ok(()),
    }
}

fn wrong(message: &str) -> Error {
    Error::new(ErrorKind::InvalidRequest, message)
}
