//! What was spent, from the ledger: each key's own at `/v1/usage`, everybody's for the administrator.

use std::time::{Duration, SystemTime};

use http::request::Parts;
use http::{Response, StatusCode};
use sabir::config::Moment;
use sabir::ledger::{Dimension, Filter, Group};
use sabir::transport::Body;
use sabir::{Client, Error, ErrorKind, Result, Stage};
use serde_json::{Map, Value, json};

use crate::Gateway;
use crate::door::KEY_TAG;
use crate::own::{error, json_of};

/// Answers what the key that is shown has spent; at a gateway that asks for none, what everybody has.
pub(crate) async fn own(gateway: &Gateway, head: &Parts) -> Response<Body> {
    let guest = match gateway.guest(head) {
        Ok(guest) => guest,
        Err(refused) => return error(StatusCode::UNAUTHORIZED, refused.message()),
    };
    let asked = Asked::of(head.uri.query().unwrap_or_default()).and_then(|mut asked| match guest.name() {
        Some(_) if !asked.of.tags.is_empty() => Err(faulty("a key sees its own usage alone; take `key` and `tag` out")),
        Some(name) => {
            asked.of.tags.push((KEY_TAG.to_owned(), name.to_owned()));
            Ok(asked)
        }
        None => Ok(asked),
    });
    answer(gateway.client(), asked).await
}

/// Answers what was spent by all who are asked about.
pub(crate) async fn of_all(client: Client, head: &Parts) -> Response<Body> {
    answer(client, Asked::of(head.uri.query().unwrap_or_default())).await
}

async fn answer(client: Client, asked: Result<Asked>) -> Response<Body> {
    let mut asked = match asked {
        Ok(asked) => asked,
        Err(wrong) => return error(StatusCode::BAD_REQUEST, wrong.message()),
    };
    // Rows have a provider's own id, whatever alias it was asked by.
    asked.of.provider = asked.of.provider.map(|name| client.registry().own_id(&name).to_owned());
    // It may read from a disk.
    let read = tokio::task::spawn_blocking(move || {
        let groups = client.usage(&asked.of, &asked.by)?;
        let total = client.usage(&asked.of, &[])?.into_iter().next().unwrap_or_default();
        Ok::<_, Error>((asked.names, groups, total))
    });
    match read.await {
        Ok(Ok((names, groups, total))) => json_of(StatusCode::OK, &shown(&names, &groups, &total)),
        Ok(Err(failed)) if failed.kind() == ErrorKind::Configuration => {
            error(StatusCode::NOT_FOUND, "no account is kept of what is spent here; the gateway needs a `ledger`")
        }
        _ => error(StatusCode::INTERNAL_SERVER_ERROR, "the ledger cannot be read at this moment; try again later"),
    }
}

fn shown(names: &[String], groups: &[Group], total: &Group) -> Value {
    let groups = groups.iter().map(|group| {
        let mut said = Map::new();
        for (name, value) in names.iter().zip(&group.names) {
            said.insert(name.clone(), value.as_str().into());
        }
        sums(group, &mut said);
        Value::Object(said)
    });
    let mut all = Map::new();
    sums(total, &mut all);
    json!({ "object": "usage", "by": names, "groups": groups.collect::<Vec<_>>(), "total": all })
}

fn sums(group: &Group, said: &mut Map<String, Value>) {
    let usd = format!("{}.{:09}", group.nano_usd / 1_000_000_000, group.nano_usd % 1_000_000_000);
    for (name, value) in [
        ("attempts", json!(group.attempts)),
        ("failed", json!(group.failed)),
        ("input_tokens", json!(group.usage.input_total())),
        ("output_tokens", json!(group.usage.output_total())),
        ("usd", usd.into()),
        ("unpriced", json!(group.unpriced)),
    ] {
        said.insert(name.to_owned(), value);
    }
}

/// What a query asks for.
struct Asked {
    of: Filter,
    by: Vec<Dimension>,
    names: Vec<String>,
}

/// The most that a report is grouped by at once.
const MOST: usize = 5;

impl Asked {
    /// `since=7d&until=2027-01-31&by=day,model&provider=openai&model=gpt-6&key=ada&tag=team:red`.
    fn of(query: &str) -> Result<Self> {
        let mut asked = Self { of: Filter::default(), by: Vec::new(), names: Vec::new() };
        for pair in query.split('&').filter(|pair| !pair.is_empty()) {
            let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
            let value = decoded(value).ok_or_else(|| faulty("the query is not written as a query is"))?;
            match name {
                "since" => asked.of.from = Some(moment(&value)?),
                "until" => asked.of.until = Some(moment(&value)?),
                "by" => asked.names.extend(value.split(',').map(|name| name.trim().to_owned())),
                "provider" => asked.of.provider = Some(value),
                "model" => asked.of.model = Some(value),
                // A key is sent in the query by some clients, too: theirs are known by their beginning.
                "key" if value.starts_with("sk-sabir-") => {}
                "key" | "team" | "user" => asked.of.tags.push((name.to_owned(), value)),
                "tag" => {
                    let (tag, value) = value.split_once(':').ok_or_else(|| faulty("write `tag=NAME:VALUE`"))?;
                    asked.of.tags.push((tag.to_owned(), value.to_owned()));
                }
                _ => {
                    let message = "the query may have since, until, by, provider, model, key, team, user and tag";
                    return Err(faulty(message));
                }
            }
        }
        if asked.names.is_empty() {
            asked.names = vec!["day".to_owned(), "model".to_owned()];
        }
        if asked.names.len() > MOST {
            return Err(faulty("`by` may have five names at most"));
        }
        asked.by = asked.names.iter().map(|name| dimension(name)).collect::<Result<_>>()?;
        Ok(asked)
    }
}

fn dimension(name: &str) -> Result<Dimension> {
    Ok(match name {
        "day" => Dimension::Day(0),
        "month" => Dimension::Month(0),
        "provider" => Dimension::Provider,
        "model" => Dimension::Model,
        "key" | "team" | "user" => Dimension::Tag(name.to_owned()),
        _ => match name.strip_prefix("tag:").filter(|tag| !tag.is_empty()) {
            Some(tag) => Dimension::Tag(tag.to_owned()),
            None => return Err(faulty("`by` is of day, month, provider, model, key, team, user and tag:NAME")),
        },
    })
}

/// A day, a moment, or so long ago: `2027-01-31`, `2027-01-31T12:00:00Z`, `7d`.
fn moment(text: &str) -> Result<Duration> {
    if let Some(Moment(time)) = Moment::of(text) {
        return Ok(time);
    }
    let wrong = || faulty("a time is a day (2027-01-31), a moment (2027-01-31T12:00:00Z) or so long ago (12h, 7d, 4w)");
    let unit = match text.chars().last() {
        Some('h') => 3_600,
        Some('d') => 86_400,
        Some('w') => 604_800,
        _ => return Err(wrong()),
    };
    let number: u64 = text[..text.len() - 1].parse().map_err(|_| wrong())?;
    let ago = number.checked_mul(unit).map(Duration::from_secs).ok_or_else(wrong)?;
    let now = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
    Ok(now.saturating_sub(ago))
}

fn faulty(message: &str) -> Error {
    Error::new(ErrorKind::InvalidRequest, message).with_stage(Stage::NotSent)
}

/// A value of a query (WHATWG URL, application/x-www-form-urlencoded).
pub(crate) fn decoded(text: &str) -> Option<String> {
    let (mut bytes, mut rest) = (Vec::with_capacity(text.len()), text.as_bytes());
    while let Some((byte, after)) = rest.split_first() {
        rest = match byte {
            b'%' => {
                let digits = std::str::from_utf8(after.get(..2)?).ok()?;
                let is_hex = digits.bytes().all(|digit| digit.is_ascii_hexdigit());
                bytes.push(u8::from_str_radix(digits, 16).ok().filter(|_| is_hex)?);
                &after[2..]
            }
            b'+' => {
                bytes.push(b' ');
                after
            }
            byte => {
                bytes.push(*byte);
                after
            }
        };
    }
    String::from_utf8(bytes).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_query_says_what_of_and_by_what() {
        let asked = Asked::of("since=2027-01-31&by=day,tag:env&model=gpt-6&tag=env:a%20b&team=red").expect("right");
        assert_eq!(asked.of.from, Some(Duration::from_secs(1_801_353_600)));
        assert_eq!(asked.by, [Dimension::Day(0), Dimension::Tag("env".into())]);
        assert_eq!(asked.of.tags, [("env".into(), "a b".into()), ("team".into(), "red".into())]);
        assert_eq!(Asked::of("").expect("right").names, ["day", "model"]);
        for wrong in
            ["by=colour", "since=soon", "since=%zz", "limit=5", "tag=x", "by=tag:", "since=\u{e9}", "since=-1d"]
        {
            assert!(Asked::of(wrong).is_err(), "{wrong}");
        }
        assert!(moment("99999999999999999999w").is_err());
    }
}
