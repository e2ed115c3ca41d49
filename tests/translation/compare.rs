//! What has changed on the way, and is not in the list of losses.

use sabir::chat::from_base64;
use sabir::{Feature, Loss};
use serde_json::Value;

use super::facts::{Facts, Said};

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
    let (before, after) = (without_lost_remarks(&before.parts, losses), &after.parts);
    let mut parts = Vec::new();
    in_order(&before, after, losses, &mut parts);
    if !parts.is_empty() {
        let after = apart(&before, after.clone(), &listed(&before, losses));
        let (before, after) = at_rest(before, &after, losses);
        let mut fewer = Vec::new();
        in_order(&before, &after, losses, &mut fewer);
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

/// Without the remarks of which a loss says that they are gone. A loss of remarks excuses nothing else.
fn without_lost_remarks(all: &[Said], losses: &[Loss]) -> Vec<Said> {
    let mut all = all.to_vec();
    for loss in losses.iter().filter(|loss| loss.feature == Feature::Meta) {
        let Some((place, dialect)) = loss.path.rsplit_once(".meta.") else { continue };
        let of_place = all.iter_mut().filter(|said| said.paths.iter().any(|path| path == place));
        for what in of_place.filter_map(|said| said.what.as_object_mut()) {
            let meta = what.get_mut("meta").and_then(Value::as_object_mut);
            if meta.is_some_and(|meta| meta.shift_remove(dialect).is_some() && meta.is_empty()) {
                what.shift_remove("meta");
            }
        }
    }
    all
}

/// What stood where it stands: without what a loss says to have another place now, as long as it has one.
fn at_rest(before: Vec<Said>, after: &[Said], losses: &[Loss]) -> (Vec<Said>, Vec<Said>) {
    let orders: Vec<Loss> = losses.iter().filter(|loss| loss.feature == Feature::Order).cloned().collect();
    let moved = listed(&before, &orders);
    let (mut rest, mut after) = (Vec::new(), after.to_vec());
    for (said, is_moved) in before.into_iter().zip(moved) {
        let came_out = after.iter().position(|other| other.what == said.what);
        match came_out.filter(|_| is_moved) {
            Some(at) => drop(after.remove(at)),
            None => rest.push(said),
        }
    }
    (rest, after)
}

/// Texts that came out as one, because what kept them apart (a part between them, a mark) is gone or has become text
/// itself, told apart again: the pieces that they were, and what is new between those.
fn apart(before: &[Said], after: Vec<Said>, listed: &[bool]) -> Vec<Said> {
    let (mut next, mut all) = (0, Vec::new());
    for said in after {
        let Some(mut rest) = text_of(&said) else {
            all.push(said);
            continue;
        };
        let mut piece = |like: &Said, text: &str| {
            if !text.is_empty() {
                let mut like = like.clone();
                like.what["text"] = text.into();
                all.push(like);
            }
        };
        for (at, was) in before.iter().enumerate().skip(next) {
            let Some(text) = text_of(was).filter(|_| was.what["role"] == said.what["role"]) else { continue };
            let Some(found) = rest.find(text) else { continue };
            // What is not at once there stands behind what something else has become, and that is in the list.
            if found == 0 || listed[next..at].contains(&true) {
                piece(&said, &rest[..found]);
                // Where it is in the list it may have lost more than its end: a mark, a name.
                piece(if listed[at] { was } else { &said }, text);
                rest = &rest[found + text.len()..];
                next = at + 1;
            }
        }
        piece(&said, rest);
    }
    all
}

fn text_of(said: &Said) -> Option<&str> {
    said.what["text"].as_str().filter(|text| said.what["type"] == "text" && !text.is_empty())
}

/// Which of them a loss speaks of.
fn listed(all: &[Said], losses: &[Loss]) -> Vec<bool> {
    all.iter().map(|said| said.paths.iter().any(|path| is_listed(path, losses))).collect()
}

/// Gives each part the place that the same part, or the same call, had in `before`, of which losses speak; any other
/// has none.
pub(crate) fn placed_as(before: &Facts, after: &mut Facts) {
    let mut before: Vec<&Said> = before.parts.iter().collect();
    for said in &mut after.parts {
        let is_call = |what: &Value| what["type"] == "tool_call" && what["id"] == said.what["id"];
        let same = before.iter().position(|other| other.what == said.what);
        let same = same.or_else(|| before.iter().position(|other| is_call(&other.what) && is_call(&said.what)));
        said.paths = same.map_or_else(|| vec!["none".to_owned()], |at| before.remove(at).paths.clone());
    }
}

/// Joins texts with the first of their kind, and thoughts alike.
pub(crate) fn join(facts: &mut Facts) {
    let mut joined: Vec<Said> = Vec::new();
    for said in facts.parts.drain(..) {
        let kind = &said.what["type"];
        let first =
            joined.iter_mut().find(|first| first.what["type"] == *kind && (kind == "text" || kind == "reasoning"));
        match first {
            Some(first) => {
                let texts = [&first.what["text"], &said.what["text"]].map(|text| text.as_str().unwrap_or_default());
                first.what["text"] = texts.concat().into();
            }
            None => joined.push(said),
        }
    }
    facts.parts = joined;
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
    // What a loss says to have left a result may stand behind it, in a message of its own; what was a file, elsewhere.
    let moved: Vec<&Value> =
        before.iter().zip(&listed).filter(|(_, is_listed)| **is_listed).flat_map(movable).collect();
    let is_new = |said: &&Said| !moved.iter().any(|inner| is_that(&said.what, inner));
    let kept = longest(before, after, &listed);
    let mut next = 0;
    let mut excuse = false;
    for (at, partner) in kept.into_iter().enumerate() {
        match partner {
            Some(partner) => {
                strangers(after[next..partner].iter().filter(is_new), excuse, changes);
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
    strangers(after[next..].iter().filter(is_new), excuse, changes);
}

/// The parts of a tool's result, or a file.
fn movable<'s>((said, _): (&'s Said, &bool)) -> impl Iterator<Item = &'s Value> {
    let file = Some(&said.what).filter(|what| what["type"] == "document");
    said.what["parts"].as_array().into_iter().flatten().chain(file)
}

/// Whether a part, whoever says it, is this one, or the text of this file.
fn is_that(what: &Value, part: &Value) -> bool {
    if what["type"] == "text" && part["type"] == "document" {
        let bytes = from_base64(part["source"]["bytes"].as_str().unwrap_or_default()).unwrap_or_default();
        let text = String::from_utf8_lossy(&bytes).split_whitespace().collect::<String>();
        return !text.is_empty() && what["text"] == *text;
    }
    let fields = what.as_object().into_iter().flatten().filter(|(field, _)| !matches!(field.as_str(), "role" | "name"));
    part.as_object().is_some_and(|part| fields.clone().eq(part.iter()))
}

fn strangers<'s>(added: impl Iterator<Item = &'s Said>, excuse: bool, changes: &mut Vec<String>) {
    if !excuse {
        changes.extend(added.map(|said| format!("added {}: {}", said.paths[0], short(Some(&said.what)))));
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

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn said(all: &[(&str, Value)]) -> Facts {
        let said = |(path, what): &(&str, Value)| Said { paths: vec![(*path).to_owned()], what: what.clone() };
        Facts { parts: all.iter().map(said).collect(), ..Facts::default() }
    }

    fn text(text: &str) -> Value {
        json!({"type": "text", "text": text, "role": "user"})
    }

    fn lost(feature: Feature, path: &str) -> Loss {
        Loss::new(feature, path, "lost")
    }

    #[test]
    fn what_no_loss_speaks_of_is_seen_behind_what_one_does() {
        let source = json!({"type": "citation", "url": "u"});
        let before = said(&[("p[0]", text("one")), ("p[1]", source.clone()), ("p[2]", text("two"))]);
        let gone = [lost(Feature::Citations, "p[1]")];
        let moved = [lost(Feature::Order, "p[1]")];
        let count = |after: &[(&str, Value)], losses: &[Loss]| unlisted(&before, &said(after), losses, &[]).len();
        // What was apart may be one text, where what stood between is gone or elsewhere.
        assert_eq!(count(&[("p[0]", text("onetwo"))], &gone), 0);
        assert_eq!(count(&[("p[0]", text("onetwo")), ("p[1]", source.clone())], &moved), 0);
        assert_eq!(count(&[("p[0]", text("one")), ("p[1]", text("[u]")), ("p[2]", text("two"))], &gone), 0);
        // But it must be all there, with nothing besides, and as it was.
        assert_ne!(count(&[("p[0]", text("one"))], &gone), 0);
        assert_ne!(count(&[("p[0]", text("onetw"))], &gone), 0);
        assert_ne!(count(&[("p[0]", text("twoone"))], &gone), 0);
        assert_ne!(count(&[("p[0]", text("onetwothree"))], &gone), 0);
        assert_ne!(count(&[("p[0]", text("onetwo"))], &[]), 0);
        assert_ne!(count(&[("p[0]", text("onetwo"))], &moved[..0]), 0);
        let other = json!({"type": "text", "text": "two", "role": "system"});
        assert_ne!(count(&[("p[0]", text("one")), ("p[1]", other)], &gone), 0);
        // What moved is said to be elsewhere, not to be another.
        let twice = [("p[0]", text("onetwo")), ("p[1]", source.clone()), ("p[2]", source)];
        assert_ne!(count(&twice, &moved), 0);
    }

    #[test]
    fn marks_that_are_lost_excuse_nothing_else() {
        let marked = |text: &str| json!({"type": "text", "text": text, "role": "user", "cache": {}});
        let before = said(&[("p[0]", text("one")), ("p[1]", marked("two")), ("p[2]", marked("three"))]);
        let all = [lost(Feature::CacheMarks, "p[1]"), lost(Feature::CacheMarks, "p[2]")];
        let joined = |text_of: &str| said(&[("p[0]", text(text_of))]);
        assert_eq!(unlisted(&before, &joined("onetwothree"), &all, &[]), [""; 0]);
        assert_ne!(unlisted(&before, &joined("onetwothree"), &all[1..], &[]), [""; 0]);
        assert_ne!(unlisted(&before, &joined("twothree"), &all, &[]), [""; 0]);
    }

    #[test]
    fn remarks_that_are_lost_excuse_no_more_than_remarks() {
        let call = |name: &str| json!({"type": "tool_call", "name": name, "meta": {"d": {"caller": 1}}});
        let bare = |name: &str| json!({"type": "tool_call", "name": name});
        let before = said(&[("p[0]", call("f"))]);
        let losses = [lost(Feature::Meta, "p[0].meta.d")];
        let changes = |what: Value, losses: &[Loss]| unlisted(&before, &said(&[("p[0]", what)]), losses, &[]).len();
        assert_eq!((changes(bare("f"), &losses), changes(call("f"), &[])), (0, 0));
        assert_ne!(changes(bare("f"), &[]), 0);
        assert_ne!(changes(bare("g"), &losses), 0);
        assert_ne!(changes(call("f"), &losses), 0, "a loss that is none");
        assert_ne!(changes(bare("f"), &[lost(Feature::Meta, "p[0].meta.e")]), 0);
    }
}
