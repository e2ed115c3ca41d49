//! Where a calendar's days begin.

use super::words::offset;
use crate::field::{Kind, Leaf, Setting};
use crate::node::Node;
use crate::scope::Scope;

/// A time zone.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum TimeZone {
    /// So many seconds east of UTC, all the year.
    East(i32),
    /// One of the IANA database, whose clocks may change, by its name there. Only with the feature `zones`, and only one
    /// that is there.
    Named(String),
}

const ZONE: Leaf = Leaf {
    name: "a time zone",
    example: "UTC, +02:00 or Europe/Rome",
    pattern: "^(UTC|[+-][0-9]{2}:[0-9]{2}|[A-Za-z][A-Za-z0-9_+/-]*)$",
    number: false,
    secret: false,
};

impl Setting for TimeZone {
    const KIND: Kind = Kind::Leaf(&ZONE);

    fn read(node: Option<&Node>, scope: &mut Scope<'_>) -> Option<Self> {
        let node = node?;
        let text = node.text().unwrap_or_default();
        if let Some(east) = offset(text) {
            return Some(Self::East(east));
        }
        named(text, node, scope)
    }
}

#[cfg(feature = "zones")]
fn named(text: &str, node: &Node, scope: &mut Scope<'_>) -> Option<TimeZone> {
    let zones = jiff::tz::db();
    if let Ok(zone) = zones.get(text) {
        return Some(TimeZone::Named(zone.iana_name().unwrap_or(text).to_owned()));
    }
    let names: Vec<String> = zones.available().map(|name| name.as_str().to_owned()).collect();
    let hint = near(text, &names).map_or_else(String::new, |near| format!("; did you mean {near}?"));
    scope.fault(&node.source, format!("must be {} like {}, not {}{hint}", ZONE.name, ZONE.example, node.what()));
    None
}

/// The name that was probably meant: one that is a slip away, or that of the city that is said alone.
#[cfg(feature = "zones")]
fn near<'n>(said: &str, names: &'n [String]) -> Option<&'n str> {
    let lower: Vec<String> = names.iter().map(|name| name.to_lowercase()).collect();
    let city = said.trim().to_lowercase().replace(' ', "_");
    let is_city = |name: &&String| name.rsplit('/').next() == Some(&city);
    let slip = || sabir_dialects::providers::nearest(said, lower.iter().map(String::as_str));
    let near = lower.iter().find(is_city).map(String::as_str).or_else(slip)?;
    names.iter().find(|name| name.eq_ignore_ascii_case(near)).map(String::as_str)
}

#[cfg(not(feature = "zones"))]
fn named(text: &str, node: &Node, scope: &mut Scope<'_>) -> Option<TimeZone> {
    if text.starts_with(|first: char| first.is_ascii_alphabetic()) {
        scope.fault(&node.source, "may be a name only with the feature `zones`; write an offset like +02:00");
    } else {
        scope.expected(node, ZONE.name, "UTC or +02:00");
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Faults, Format, Loader};

    fn said(zone: &str) -> Result<Option<TimeZone>, Faults> {
        let text = format!("[[budgets]]\nname = \"all\"\nlimit = 5\nperiod = \"day\"\ntime_zone = \"{zone}\"\n");
        Ok(Loader::new().text("sabir.toml", &text, Format::Toml).load()?.budgets[0].time_zone.clone())
    }

    #[test]
    fn offsets_are_always_understood() {
        assert_eq!(said("+05:30").expect("an offset"), Some(TimeZone::East(19_800)));
        let faults = said("+5").expect_err("no offset").to_string();
        assert!(faults.contains("budgets[0].time_zone: must be a time zone like UTC"), "{faults}");
    }

    #[cfg(not(feature = "zones"))]
    #[test]
    fn names_need_the_database() {
        let faults = said("Europe/Rome").expect_err("no database").to_string();
        assert!(faults.contains("the feature `zones`"), "{faults}");
    }

    #[cfg(feature = "zones")]
    #[test]
    fn names_are_of_the_database_and_a_slip_is_told() {
        assert_eq!(said("europe/rome").expect("a name"), Some(TimeZone::Named("Europe/Rome".into())));
        let faults = said("Europe/Roma").expect_err("it is Rome").to_string();
        let told = "sabir.toml:5: budgets[0].time_zone: must be a time zone like UTC, +02:00 or Europe/Rome, not \
                    \"Europe/Roma\"; did you mean Europe/Rome?";
        assert!(faults.contains(told), "{faults}");
    }

    #[cfg(feature = "zones")]
    #[test]
    fn slips_and_lone_cities_are_understood() {
        let names: Vec<String> = jiff::tz::db().available().map(|name| name.as_str().to_owned()).collect();
        for (said, meant) in [
            ("Europe/Roma", Some("Europe/Rome")),
            ("europe/berln", Some("Europe/Berlin")),
            ("Kolkata", Some("Asia/Kolkata")),
            ("New York", Some("America/New_York")),
            ("Middle/Earth", None),
            ("", None),
        ] {
            assert_eq!(near(said, &names), meant, "{said}");
        }
    }
}
