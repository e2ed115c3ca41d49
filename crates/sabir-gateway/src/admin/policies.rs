//! What the administrator sets besides keys: teams, routes, budgets, limits and policies, as they stand in a configuration.

use http::StatusCode;
use sabir::config::Config;
use sabir::{Error, ErrorKind, Result};
use serde_json::{Map, Value, json};

use super::change::Kind;
use super::{Hand, change};
use crate::Gateway;

const KINDS: [Kind; 5] = [
    Kind { one: "team", many: "teams" },
    Kind { one: "route", many: "routes" },
    Kind { one: "budget", many: "budgets" },
    Kind { one: "limit", many: "limits" },
    Kind { one: "policy", many: "policies" },
];

/// The longest name, in bytes.
const LONGEST_NAME: usize = 128;

/// The kind that a path names.
pub(super) fn kind(many: &str) -> Option<Kind> {
    KINDS.into_iter().find(|kind| kind.many == many)
}

/// All of a kind that were set here. Those that stand in the configuration are shown with it.
pub(super) fn list(config: &Config, kind: Kind) -> Result<Value> {
    let whole = config.gateway.state.as_deref().map(change::read).transpose()?.unwrap_or_default();
    let set = whole.get(kind.many).and_then(Value::as_object).into_iter().flatten();
    let data: Vec<Value> = set.map(|(name, said)| shown(kind, name, said)).collect();
    Ok(json!({ "object": "list", "data": data }))
}

/// Sets one, in the place of the one that has its name.
pub(super) fn set(
    gateway: &Gateway,
    operator: &Hand<'_>,
    (kind, name): (Kind, &str),
    said: Map<String, Value>,
) -> Result<(StatusCode, Value)> {
    may_be_named(kind, name)?;
    let after = Value::Object(said);
    let mut status = StatusCode::OK;
    change::make(gateway, operator, "set", (kind, name), |before| {
        if before.is_none() {
            if change::is_there(&operator.live().config(), (kind, name)) {
                return Err(change::not_set(operator, (kind, name)));
            }
            status = StatusCode::CREATED;
        }
        Ok(Some(after.clone()))
    })?;
    Ok((status, shown(kind, name, &after)))
}

/// Changes fields of one. What is `null` is taken away.
pub(super) fn change(
    gateway: &Gateway,
    operator: &Hand<'_>,
    (kind, name): (Kind, &str),
    said: Map<String, Value>,
) -> Result<Value> {
    let mut after = Value::Null;
    change::make(gateway, operator, "change", (kind, name), |before| {
        after = change::merged(before.ok_or_else(|| change::not_set(operator, (kind, name)))?, said);
        Ok(Some(after.clone()))
    })?;
    Ok(shown(kind, name, &after))
}

/// Takes one away.
pub(super) fn remove(gateway: &Gateway, operator: &Hand<'_>, (kind, name): (Kind, &str)) -> Result<Value> {
    change::make(gateway, operator, "remove", (kind, name), |before| {
        before.map(|_| None).ok_or_else(|| change::not_set(operator, (kind, name)))
    })?;
    Ok(json!({ "object": kind.one, "name": name, "removed": true }))
}

fn shown(kind: Kind, name: &str, said: &Value) -> Value {
    let mut shown = json!({ "object": kind.one, "name": name });
    for (field, value) in said.as_object().into_iter().flatten().filter(|(field, _)| *field != "name") {
        shown[field] = value.clone();
    }
    shown
}

/// It stands in a path, as it is.
fn may_be_named(kind: Kind, name: &str) -> Result<()> {
    let is_plain = |byte: u8| byte.is_ascii_alphanumeric() || b"-._~@+".contains(&byte);
    if (1..=LONGEST_NAME).contains(&name.len()) && name.bytes().all(is_plain) {
        return Ok(());
    }
    let message = format!("a {} is named by letters, digits and - . _ ~ @ +, {LONGEST_NAME} at most", kind.one);
    Err(Error::new(ErrorKind::InvalidRequest, message))
}
