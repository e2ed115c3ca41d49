//! Where an answer is cut: at a stop sequence, and at the most tokens it may have.

use sabir_core::chat::{Content, Finish, FinishReason, Part};

use super::count::{self, CHARS};

/// Cuts the text at the first stop sequence that is met; the sequence itself is not said.
pub(super) fn stop_at(stops: &[String], parts: &mut Vec<Part>, finish: &mut Finish) {
    for at in 0..parts.len() {
        let Content::Text { text } = &mut parts[at].content else {
            continue;
        };
        let met = stops.iter().filter(|s| !s.is_empty()).filter_map(|s| Some((text.find(s.as_str())?, s)));
        if let Some((place, stop)) = met.min_by_key(|(place, _)| *place) {
            text.truncate(place);
            parts.truncate(at + 1);
            finish.reason = FinishReason::Stop;
            finish.stop_sequence = Some(stop.clone());
            return;
        }
    }
}

/// Cuts the answer where it passes the most tokens it may have. Thoughts count; a call may end in the middle.
pub(super) fn cut_to(most: Option<u64>, parts: &mut Vec<Part>, finish: &mut Finish) {
    let Some(mut left) = most else { return };
    for at in 0..parts.len() {
        let needed = count::part(&parts[at]);
        if needed <= left {
            left -= needed;
            continue;
        }
        let keep = if left == 0 { at } else { at + usize::from(shorten(&mut parts[at], left)) };
        parts.truncate(keep);
        *finish = Finish::new(FinishReason::Length);
        return;
    }
}

/// Cuts a part to so many tokens; `false` where nothing sensible is left of it.
fn shorten(part: &mut Part, tokens: u64) -> bool {
    let (text, tokens) = match &mut part.content {
        Content::Text { text } => (text, tokens),
        Content::Reasoning(reasoning) => {
            // An unfinished thought has no signature yet.
            reasoning.signature = None;
            (&mut reasoning.text, tokens)
        }
        Content::ToolCall(call) => {
            let name = count::tokens(&call.name);
            (&mut call.arguments, tokens.saturating_sub(name))
        }
        _ => return false,
    };
    let keep = usize::try_from(tokens.saturating_mul(CHARS)).unwrap_or(usize::MAX);
    if let Some((end, _)) = text.char_indices().nth(keep) {
        text.truncate(end);
    }
    tokens > 0
}
