//! The profile files, `~/.aws/credentials` and `~/.aws/config` (AWS SDKs and Tools Reference Guide, "Shared config and
//! credentials files").

use std::collections::BTreeMap;
use std::io::Read as _;
use std::path::PathBuf;

use sabir_core::{Error, Result, Secret};

use super::{Credentials, configuration};
use crate::Env;

/// The most that is read of a file, in bytes. Real ones have a few kilobytes.
const MOST: u64 = 1 << 20;

/// What the files say of a profile.
#[derive(Default)]
pub(super) struct Profile {
    name: String,
    pub(super) region: Option<String>,
    settings: BTreeMap<String, String>,
}

/// Reads the profile that is named here, or by `AWS_PROFILE`, or is the default. What the credentials file says goes
/// before what the config file says.
///
/// # Errors
/// `Configuration` where a file cannot be read, or neither has a profile that is named.
pub(super) fn load(env: &Env, name: Option<&str>) -> Result<Profile> {
    let named = name.map(str::to_owned).or_else(|| env.first(["AWS_PROFILE", "AWS_DEFAULT_PROFILE"]));
    let name = named.as_deref().unwrap_or("default");
    let mut settings = BTreeMap::new();
    let mut found = false;
    let files = [("AWS_CONFIG_FILE", "config", true), ("AWS_SHARED_CREDENTIALS_FILE", "credentials", false)];
    for (variable, usual, prefixed) in files {
        if let Some(path) = path(env, variable, usual)
            && let Some(text) = read(&path, variable)?
        {
            found |= section(&text, name, prefixed, &mut settings);
        }
    }
    if !found && named.is_some() {
        let message = format!("there is no AWS profile {name:?}; `aws configure --profile {name}` makes one");
        return Err(configuration(message));
    }
    Ok(Profile { name: name.to_owned(), region: settings.get("region").cloned(), settings })
}

impl Profile {
    /// Its keys; `None` where it has none and does not say where to get any.
    ///
    /// # Errors
    /// `Configuration` for half of a pair of keys, or a way to get keys that is not known here.
    pub(super) fn keys(self) -> Result<Option<Credentials>> {
        let (name, mut settings) = (self.name, self.settings);
        let pair = (settings.remove("aws_access_key_id"), settings.remove("aws_secret_access_key"));
        if let (Some(access_key), Some(secret_key)) = pair {
            let session_token = settings.remove("aws_session_token").map(Secret::new);
            return Ok(Some(Credentials { access_key, secret_key: Secret::new(secret_key), session_token }));
        }
        let elsewhere = ["credential_process", "sso_session", "sso_start_url", "web_identity_token_file", "role_arn"];
        if let Some(way) = elsewhere.into_iter().find(|way| settings.contains_key(*way)) {
            let message = format!(
                "the AWS profile {name:?} gets its keys by {way}, which is not known here; put them into the \
                 environment: aws configure export-credentials --profile {name} --format env"
            );
            return Err(configuration(message));
        }
        match pair {
            (None, None) => Ok(None),
            _ => Err(configuration(format!(
                "the AWS profile {name:?} has only one of aws_access_key_id and aws_secret_access_key"
            ))),
        }
    }
}

/// Where a file is: where the environment says, else under the home directory.
fn path(env: &Env, variable: &str, usual: &str) -> Option<PathBuf> {
    let home = || env.first(["HOME", "USERPROFILE"]).map(PathBuf::from);
    match env.get(variable) {
        Some(given) => match given.strip_prefix("~/") {
            Some(rest) => Some(home()?.join(rest)),
            None => Some(given.into()),
        },
        None => Some(home()?.join(".aws").join(usual)),
    }
}

/// A file's text; `None` where there is no such file.
fn read(path: &PathBuf, variable: &str) -> Result<Option<String>> {
    let failed = |what: &str| -> Error {
        configuration(format!("the AWS file {} {what}; {variable} can name another", path.display()))
    };
    let file = match std::fs::File::open(path) {
        Ok(file) => file,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(failed(&format!("cannot be read ({})", error.kind()))),
    };
    let mut text = String::new();
    match file.take(MOST + 1).read_to_string(&mut text) {
        Ok(length) if length as u64 > MOST => Err(failed("is too long")),
        Ok(_) => Ok(Some(text)),
        Err(error) => Err(failed(&format!("cannot be read ({})", error.kind()))),
    }
}

/// Takes over the settings of a section, later ones over earlier ones. `prefixed`: sections are called
/// `[profile NAME]`, but for `[default]`. Returns whether there is one.
fn section(text: &str, name: &str, prefixed: bool, settings: &mut BTreeMap<String, String>) -> bool {
    let (mut found, mut inside) = (false, false);
    for line in text.trim_start_matches('\u{feff}').lines() {
        // What is indented belongs to a setting with parts, none of which is of use here.
        if line.starts_with([' ', '\t', '#', ';']) {
            continue;
        }
        if let Some(header) = line.trim().strip_prefix('[') {
            let header = header.split(']').next().unwrap_or_default().trim();
            let called = match header.strip_prefix("profile").filter(|rest| rest.starts_with([' ', '\t'])) {
                Some(called) if prefixed => Some(called.trim().trim_matches('"')),
                None if !prefixed || header == "default" => Some(header),
                _ => None,
            };
            inside = called == Some(name);
            found |= inside;
        } else if let Some((key, value)) = line.split_once('=').filter(|_| inside) {
            let value = [" #", " ;", "\t#", "\t;"].iter().fold(value, |v, mark| v.split(mark).next().unwrap_or(v));
            if !value.trim().is_empty() {
                settings.insert(key.trim().to_ascii_lowercase(), value.trim().to_owned());
            }
        }
    }
    found
}
