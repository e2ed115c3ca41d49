//! The ids under which a list has a model.

/// The list's name for a provider.
pub(crate) fn provider(id: &str) -> &str {
    match id {
        "google" => "gemini",
        "cohere-v1" => "cohere",
        id => id,
    }
}

/// The ids under which the very model may be listed: its own, and for Bedrock's ARNs what they end with.
pub(crate) fn own<'m>(provider: &str, model: &'m str) -> &'m str {
    match provider {
        "bedrock" => model.rsplit_once('/').map_or(model, |(_, id)| id),
        _ => model.strip_prefix("models/").unwrap_or(model),
    }
}

/// The id without what tells an edition of the same model: a date (`-20251001`, `-2026-04-23`, `@20251001`), `-latest`
/// or `@default`. OpenRouter's `:free` and Bedrock's regions are other prices, so that nothing else is taken off.
pub(crate) fn undated(id: &str) -> Option<&str> {
    let plain = id.split_once('@').map_or(id, |(id, _)| id);
    let plain = without_date(plain);
    let plain = plain.strip_suffix("-latest").unwrap_or(plain);
    (plain.len() < id.len() && !plain.is_empty()).then_some(plain)
}

fn without_date(id: &str) -> &str {
    for shape in ["-20dd-dd-dd", "-20dddddd"] {
        let Some((rest, end)) = id.len().checked_sub(shape.len()).and_then(|at| id.split_at_checked(at)) else {
            continue;
        };
        let fits = |(byte, shape): (u8, u8)| if shape == b'd' { byte.is_ascii_digit() } else { byte == shape };
        if end.bytes().zip(shape.bytes()).all(fits) {
            return rest;
        }
    }
    id
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_editions_lose_their_end() {
        for (id, plain) in [
            ("gpt-5.4-2026-03-05", Some("gpt-5.4")),
            ("claude-haiku-4-5-20251001", Some("claude-haiku-4-5")),
            ("claude-haiku-4-5@20251001", Some("claude-haiku-4-5")),
            ("mistral-large-latest", Some("mistral-large")),
            ("gpt-5.4", None),
            ("gpt-4-0613", None),
            ("meta-llama/llama-3:free", None),
            ("é-2025-10-01", Some("é")),
            ("-20251001", None),
            ("@", None),
            ("", None),
        ] {
            assert_eq!(undated(id), plain, "{id}");
        }
        assert_eq!(own("bedrock", "arn:aws:bedrock:us-east-1:1:inference-profile/us.a.b"), "us.a.b");
        assert_eq!(own("gemini", "models/gemini-2.5-pro"), "gemini-2.5-pro");
    }
}
