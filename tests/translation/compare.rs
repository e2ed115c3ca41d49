//! What has changed on the way, and is not in the list of losses.

use sabir::{Feature, Loss};
use serde_json::Value;

use super::facts::{Facts, Said, add};

/// The changes between what was said and what came out that no loss tells of.
/// `always`: the settings that the dialect writes unasked.
pub(crate) fn unlisted(before: &Facts, after: &Facts, losses: &[Loss], always: &[&str]) -> Vec<String> {
    let mut changes = Vec::new();
    let names = before.settings.keys().chain(after.settings.keys().filter(|name| !before.settings.contains_key(*name)));
    for name in names {
        let (was, is) = (before.settings.get(name), after.settings.get(name));
        if was != is && !is_listed(name, losses) && !(always.contains(&&**name) && is_more(was, is)) {
            changes.push(format!("{name}: {} -> {}", short(was), short(is)));
        }
    }
    in_order(&before.tools, &after.tools, losses, &mut changes);
    let mut parts = Vec::new();
    in_order(&before.parts, &after.parts, losses, &mut parts);
    if !parts.is_empty() {
        // Where what stood between two texts is lost, they stand side by side, and count as one.
        let mut fewer = Vec::new();
        in_order(&left(&before.parts, &after.parts, losses), &after.parts, losses, &mut fewer);
        changes.extend(if fewer.is_empty() { fewer } else { parts });
    }
    changes
}

/// Whether a setting came out as it was, with more beside it.
fn is_more(was: Option<&Value>, is: Option<&Value>) -> bool {
    let Some(was) = was else { return true };
    let (was, is) = (was.as_object(), is.and_then(Value::as_object));
    was.zip(is).is_some_and(|(was, is)| was.iter().all(|(field, value)| is.get(field) == Some(value)))
}

/// What is left of what was said without what is listed, and nothing of whose kind came out.
fn left(before: &[Said], after: &[Said], losses: &[Loss]) -> Vec<Said> {
    let mut left = Vec::new();
    for (said, is_listed) in before.iter().zip(listed(before, losses)) {
        if !is_listed || after.iter().any(|other| other.what["type"] == said.what["type"]) {
            add(&mut left, said.clone());
        }
    }
    left
}

/// Which of them a loss speaks of.
fn listed(all: &[Said], losses: &[Loss]) -> Vec<bool> {
    all.iter().map(|said| said.paths.iter().any(|path| is_listed(path, losses))).collect()
}

/// Whether something changed at all.
pub(crate) fn differ(before: &Facts, after: &Facts) -> bool {
    let whats = |said: &[Said]| said.iter().map(|said| said.what.clone()).collect::<Vec<_>>();
    before.settings != after.settings
        || whats(&before.tools) != whats(&after.tools)
        || whats(&before.parts) != whats(&after.parts)
}

/// Whether a loss speaks of this place, of something in it, or of all around it.
fn is_listed(path: &str, losses: &[Loss]) -> bool {
    let is_in = |inner: &str, outer: &str| {
        inner.strip_prefix(outer).is_some_and(|rest| rest.is_empty() || rest.starts_with(['.', '[']))
    };
    let mut losses = losses.iter().filter(|loss| loss.feature != Feature::Meta);
    losses.any(|loss| is_in(&loss.path, path) || is_in(path, &loss.path))
}

/// What stands in an order: what no loss speaks of must come out as it was and in its order; what one speaks of may
/// be gone, or come out as something else in its place.
fn in_order(before: &[Said], after: &[Said], losses: &[Loss], changes: &mut Vec<String>) {
    let listed = listed(before, losses);
    let kept = longest(before, after, &listed);
    let mut next = 0;
    let mut excuse = false;
    for (at, partner) in kept.into_iter().enumerate() {
        match partner {
            Some(partner) => {
                strangers(&after[next..partner], excuse, changes);
                next = partner + 1;
                excuse = listed[at];
            }
            None if listed[at] => excuse = true,
            None => {
                // What stands there instead, most likely: shown beside it, and not again.
                let near = after.get(next).filter(|_| !excuse);
                changes.push(format!(
                    "{}: {}",
                    before[at].paths[0],
                    change(&before[at].what, near.map(|said| &said.what))
                ));
                excuse = true;
            }
        }
    }
    strangers(&after[next..], excuse, changes);
}

fn strangers(added: &[Said], excuse: bool, changes: &mut Vec<String>) {
    if !excuse {
        changes.extend(added.iter().map(|said| format!("added {}: {}", said.paths[0], short(Some(&said.what)))));
    }
}

/// For each before, which after is the same: the longest common order.
fn longest(before: &[Said], after: &[Said], listed: &[bool]) -> Vec<Option<usize>> {
    let (rows, columns) = (before.len(), after.len());
    let mut best = vec![vec![0_u32; columns + 1]; rows + 1];
    for i in (0..rows).rev() {
        for j in (0..columns).rev() {
            let same = before[i].what == after[j].what;
            // What no loss speaks of goes first where both could be the partner.
            let worth = if listed[i] { 2 } else { 3 };
            let taken = if same { best[i + 1][j + 1] + worth } else { 0 };
            best[i][j] = taken.max(best[i + 1][j]).max(best[i][j + 1]);
        }
    }
    let (mut i, mut j) = (0, 0);
    let mut partners = vec![None; rows];
    while i < rows && j < columns {
        let same = before[i].what == after[j].what;
        let worth = if listed[i] { 2 } else { 3 };
        if same && best[i][j] == best[i + 1][j + 1] + worth {
            partners[i] = Some(j);
            (i, j) = (i + 1, j + 1);
        } else if best[i][j] == best[i + 1][j] {
            i += 1;
        } else {
            j += 1;
        }
    }
    partners
}

/// The fields that differ, or the whole.
fn change(was: &Value, is: Option<&Value>) -> String {
    if let (Some(was), Some(is)) = (was.as_object(), is.and_then(Value::as_object))
        && was.get("type") == is.get("type")
    {
        let keys = was.keys().chain(is.keys().filter(|key| !was.contains_key(*key)));
        let differing = keys.filter(|key| was.get(*key) != is.get(*key));
        let said: Vec<_> =
            differing.map(|key| format!("{key} {} -> {}", short(was.get(key)), short(is.get(key)))).collect();
        return said.join(", ");
    }
    format!("{} -> {}", short(Some(was)), short(is))
}

fn short(value: Option<&Value>) -> String {
    let text = value.map_or_else(|| "nothing".to_owned(), Value::to_string);
    if text.chars().count() <= 160 {
        return text;
    }
    text.chars().take(160).chain("…".chars()).collect()
}
