//! The log of what the administrator changed: who, what and when, before and after. One line of JSON each; lines are only
//! ever added.

use std::fs::{File, OpenOptions};
use std::io::{Read as _, Seek as _, SeekFrom, Write as _};
use std::path::PathBuf;
use std::time::SystemTime;

use sabir::config::Config;
use sabir::{Error, ErrorKind, Result};
use serde_json::{Value, json};

use crate::administrator::Who;

use super::change::{self, owners, rfc3339};

/// How much of its end is read, in bytes.
const READ: u64 = 1 << 20;

fn path(config: &Config) -> Result<PathBuf> {
    let mut path = change::state(config)?.as_os_str().to_owned();
    path.push(".audit");
    Ok(path.into())
}

/// Notes a change; it is on the disk when this returns.
pub(super) fn note(
    config: &Config,
    who: &Who,
    action: &str,
    (kind, name): (&str, &str),
    before: &Value,
    after: &Value,
) -> Result<()> {
    // Where no state is kept, only a reload can be asked for, which changes nothing but what the file says.
    let Ok(path) = path(config) else { return Ok(()) };
    let time = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
    let who = match who {
        Who::Key => json!("admin"),
        // An object: no subject can pass itself off as who has the key.
        #[cfg(feature = "oidc")]
        Who::Subject(subject) => {
            json!({ "subject": subject, "issuer": config.gateway.oidc.as_ref().map(|said| &said.issuer) })
        }
    };
    let mut line = json!({ "time": rfc3339(time), "who": who, "action": action });
    for (name, value) in [(kind, &Value::from(name)), ("before", &masked(before)), ("after", &masked(after))] {
        if !value.is_null() && value != "" {
            line[name] = value.clone();
        }
    }
    let written = owners(OpenOptions::new().append(true).create(true)).open(&path).and_then(|mut file| {
        file.write_all(format!("{line}\n").as_bytes())?;
        file.sync_data()
    });
    written.map_err(|error| {
        let message = format!("nothing is changed: the change cannot be noted in {}: {error}", path.display());
        Error::new(ErrorKind::Provider, message)
    })
}

/// Hashes as far as they tell one from another.
fn masked(key: &Value) -> Value {
    let mut key = key.clone();
    for one in key.get_mut("hash").and_then(Value::as_array_mut).into_iter().flatten() {
        if let Some(short) = one.get("hash").and_then(Value::as_str).and_then(|hash| hash.get(..19)) {
            one["hash"] = Value::from(short);
        }
    }
    key
}

/// The last changes, the last one first.
pub(super) fn read(config: &Config) -> Result<Value> {
    let path = path(config)?;
    let end = || -> std::io::Result<Vec<u8>> {
        let mut file = match File::open(&path) {
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(Vec::new()),
            opened => opened?,
        };
        let length = file.metadata()?.len();
        file.seek(SeekFrom::Start(length.saturating_sub(READ)))?;
        let mut text = Vec::new();
        file.take(READ).read_to_end(&mut text)?;
        Ok(text)
    };
    let text =
        end().map_err(|error| Error::new(ErrorKind::Provider, format!("cannot read {}: {error}", path.display())))?;
    // The first line may be cut; it is no JSON then.
    let lines = text.split(|byte| *byte == b'\n').rev();
    let changes: Vec<Value> = lines.filter_map(|line| serde_json::from_slice(line).ok()).collect();
    Ok(json!({ "object": "list", "data": changes }))
}
