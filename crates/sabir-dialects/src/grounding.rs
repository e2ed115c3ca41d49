//! Sources: Google's `groundingMetadata` and `citationMetadata` as citations, and citations as `groundingMetadata`.
//!
//! The metadata as it came stays with the answer; citations are what it means in common words. Their spans count
//! bytes of the text.

use sabir_core::Feature;
use sabir_core::chat::{Citation, Content, Part};
use serde_json::{Map, Value, json};

use crate::json::known;
use crate::shared::Losses;

/// The most citations of one answer: a list of sources may be named again for every passage.
const MOST: usize = 512;
/// How many bytes of text are copied into the citations of one answer; all else stays in the metadata alone.
const LONGEST: usize = 2 << 20;

/// The citations that the candidate's fields mean.
pub(crate) fn citations(candidate: &Map<String, Value>) -> Vec<Part> {
    let field = |name: &str| candidate.get(name).unwrap_or(&Value::Null);
    let (grounding, cited) = (field("groundingMetadata"), field("citationMetadata"));
    let chunks = list(&grounding["groundingChunks"]);
    let mut used = vec![false; chunks.len()];
    let (mut found, mut room) = (Vec::new(), LONGEST);
    'supports: for support in list(&grounding["groundingSupports"]) {
        for at in list(&support["groundingChunkIndices"]) {
            if found.len() == MOST {
                break 'supports;
            }
            let at = at.as_u64().and_then(|at| usize::try_from(at).ok()).filter(|at| *at < chunks.len());
            let Some(at) = at else { continue };
            used[at] = true;
            found.extend(of_chunk(&chunks[at], &support["segment"], &mut room));
        }
    }
    let unused = chunks.iter().zip(used).filter(|(_, used)| !used);
    found.extend(unused.filter_map(|(chunk, _)| of_chunk(chunk, &Value::Null, &mut room)));
    let sources = list(&cited["citations"]).iter().chain(list(&cited["citationSources"]));
    found.extend(sources.filter_map(|source| citation(source, source, &mut room)));
    found.truncate(MOST);
    found
}

fn list(value: &Value) -> &[Value] {
    value.as_array().map_or(&[], Vec::as_slice)
}

/// A source is of the web, of the caller's own documents, or a place on a map.
fn of_chunk(chunk: &Value, segment: &Value, room: &mut usize) -> Option<Part> {
    let source = ["web", "retrievedContext", "maps", "image"].iter().find_map(|kind| chunk.get(*kind))?;
    citation(source, segment, room)
}

/// `room`: how many bytes of text may still be copied.
fn citation(source: &Value, segment: &Value, room: &mut usize) -> Option<Part> {
    let mut text = |name: &str| {
        let text = source[name].as_str().filter(|text| (1..=*room).contains(&text.len()))?;
        *room -= text.len();
        Some(text.to_owned())
    };
    let span = segment["endIndex"].as_u64().map(|end| (segment["startIndex"].as_u64().unwrap_or(0), end));
    let (url, title, quote) = (text("uri").or_else(|| text("sourceUri")), text("title"), text("text"));
    let says = url.is_some() || title.is_some() || quote.is_some();
    says.then(|| Content::Citation(Citation { url, title, quote, span, json: Value::Null }).into())
}

/// The citations of an answer as `groundingMetadata`, which stands behind all texts, for an answer whose provider gave
/// none. `None` where none names a source; which does not, is lost.
pub(crate) fn write(parts: &[Part], losses: &mut Losses) -> Option<Value> {
    let names = |cited: &Citation| cited.url.is_some() || cited.title.is_some() || cited.quote.is_some();
    losses.sources_last(parts, names);
    let (mut chunks, mut supports) = (Vec::new(), Vec::new());
    for (at, part) in parts.iter().enumerate() {
        let Content::Citation(citation) = &part.content else { continue };
        if !names(citation) {
            losses.lose(Feature::Citations, format!("parts[{at}]"), "it names no source; left out");
            continue;
        }
        let text = |text: &Option<String>| text.as_deref().map(Value::from);
        let source =
            known([("uri", text(&citation.url)), ("title", text(&citation.title)), ("text", text(&citation.quote))]);
        if let Some((start, end)) = citation.span {
            let segment = json!({"startIndex": start, "endIndex": end});
            supports.push(json!({"segment": segment, "groundingChunkIndices": [chunks.len()]}));
        }
        // Only what the caller's documents say can be quoted.
        let kind = if citation.quote.is_some() { "retrievedContext" } else { "web" };
        chunks.push(json!({ kind: source }));
    }
    if chunks.is_empty() {
        return None;
    }
    let supports = Some(supports).filter(|supports| !supports.is_empty()).map(Value::from);
    Some(known([("groundingChunks", Some(chunks.into())), ("groundingSupports", supports)]).into())
}
