//! The many names of one model.

use std::borrow::Cow;

/// Regions that stand before a model's id in Bedrock's inference profiles.
const REGIONS: &[&str] = &["us", "us-gov", "eu", "apac", "jp", "au", "ca", "global"];

/// The ids under which a provider may have this model, the closest first.
pub(super) fn editions<'m>(provider: &str, model: &'m str) -> impl Iterator<Item = &'m str> {
    let own = match provider {
        // An ARN ends with the id.
        "bedrock" => model.rsplit_once('/').map_or(model, |(_, id)| id),
        _ => model,
    };
    let plain = match provider {
        "bedrock" => without_region(own),
        // `:free`, `:batch`: a way to be served. `:20b` elsewhere is another model.
        "openrouter" => own.split_once(':').map_or(own, |(id, _)| id),
        "vertex" => own.split_once('@').map_or(own, |(id, _)| id),
        _ => own,
    };
    let unversioned = if provider == "bedrock" { without_version(plain) } else { plain };
    let undated = without_date(unversioned);
    let undated = undated.strip_suffix("-latest").unwrap_or(undated);
    let mut last = None;
    // Most ids are plain: no name is looked up twice in a row.
    [own, plain, unversioned, undated].into_iter().filter(move |id| last.replace(*id) != Some(*id))
}

/// Who made a model that this provider only serves, and the maker's id for it.
pub(super) fn maker<'m>(provider: &str, model: &'m str) -> Option<(&'static str, Cow<'m, str>)> {
    match provider {
        "azure" if model.starts_with("claude-") => Some(("anthropic", model.into())),
        "azure" => Some(("openai", model.into())),
        "vertex" if model.starts_with("claude-") => {
            Some(("anthropic", model.split_once('@').map_or(model, |(id, _)| id).into()))
        }
        "vertex" => Some(("google", model.into())),
        "bedrock" => {
            let id = without_region(model.rsplit_once('/').map_or(model, |(_, id)| id));
            let (maker, id) = id.split_once('.')?;
            known_maker(maker).map(|maker| (maker, without_version(id).into()))
        }
        "openrouter" => {
            let (maker, id) = model.split_once('/')?;
            let id = id.split_once(':').map_or(id, |(id, _)| id);
            let maker = known_maker(maker)?;
            // OpenRouter writes `claude-opus-5.5` where Anthropic writes `claude-opus-5-5`.
            Some((maker, if maker == "anthropic" { id.replace('.', "-").into() } else { id.into() }))
        }
        _ => None,
    }
}

fn known_maker(name: &str) -> Option<&'static str> {
    ["anthropic", "google", "openai"].into_iter().find(|maker| *maker == name)
}

fn without_region(id: &str) -> &str {
    id.split_once('.').filter(|(region, _)| REGIONS.contains(region)).map_or(id, |(_, id)| id)
}

/// Without Bedrock's `-v1:0` or `-v1`.
fn without_version(id: &str) -> &str {
    let digits = |text: &str| !text.is_empty() && text.bytes().all(|b| b.is_ascii_digit());
    let is_version = |text: &str| match text.split_once(':') {
        Some((major, minor)) => digits(major) && digits(minor),
        None => digits(text),
    };
    id.rsplit_once("-v").filter(|(_, version)| is_version(version)).map_or(id, |(id, _)| id)
}

/// Without `-20251001` or `-2026-04-23`.
fn without_date(id: &str) -> &str {
    for shape in ["-dddd-dd-dd", "-dddddddd"] {
        let Some(at) = id.len().checked_sub(shape.len()).filter(|at| *at > 0 && id.is_char_boundary(*at)) else {
            continue;
        };
        let is_date = id[at..].bytes().zip(shape.bytes()).all(|(byte, shape)| match shape {
            b'd' => byte.is_ascii_digit(),
            mark => byte == mark,
        });
        if is_date && id[at..].starts_with("-20") {
            return &id[..at];
        }
    }
    id
}
