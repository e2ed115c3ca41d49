//! Strings of a format and a length.

use super::schema::Facets;

/// The longest string that is made to reach a `minLength`.
const LONGEST: u64 = 1024;

/// A string that the schema lets through; later items of an array get other strings.
pub(super) fn within(facets: &Facets<'_>, name: &str, nth: u64) -> String {
    let format = facets.get("format").and_then(|f| f.as_str()).unwrap_or_default();
    if let Some(text) = of_format(format, nth) {
        return text;
    }
    let mut text = format!("simulated {}", name.chars().take(64).collect::<String>());
    if nth > 0 {
        text = format!("{} {text}", nth + 1);
    }
    let most = facets.count("maxLength").and_then(|most| usize::try_from(most).ok()).unwrap_or(usize::MAX);
    if let Some((end, _)) = text.char_indices().nth(most) {
        text.truncate(end);
    }
    let least = facets.count("minLength").unwrap_or(0).min(LONGEST);
    let missing = least.saturating_sub(text.chars().count() as u64);
    text.extend((0..missing).map(|_| 'x'));
    text
}

/// The formats of JSON Schema (2020-12, §7.3).
fn of_format(format: &str, nth: u64) -> Option<String> {
    let n = nth + 1;
    Some(match format {
        "date-time" => format!("2026-01-{:02}T12:00:00Z", n.min(28)),
        "date" => format!("2026-01-{:02}", n.min(28)),
        "time" => format!("12:{:02}:00Z", nth.min(59)),
        "duration" => format!("PT{n}H"),
        "email" | "idn-email" => format!("simulated{n}@example.com"),
        "hostname" | "idn-hostname" => format!("host{n}.example.com"),
        "ipv4" => format!("192.0.2.{}", n.min(254)),
        "ipv6" => format!("2001:db8::{n:x}"),
        "uri" | "iri" | "url" => format!("https://example.com/{n}"),
        "uri-reference" | "iri-reference" | "json-pointer" => format!("/{n}"),
        "uri-template" => format!("/{n}/{{id}}"),
        "uuid" => format!("00000000-0000-4000-8000-{n:012x}"),
        "regex" => format!("^{n}$"),
        "byte" => "c2ltdWxhdGVk".to_owned(),
        _ => return None,
    })
}
