//! Sources: Google's `groundingMetadata` and `citationMetadata` as citations, and citations as `groundingMetadata`.
//!
//! The metadata as it came stays with the answer; citations are what it means in common words. Their spans count
//! bytes of the text.

use sabir_core::chat::{Citation, Content, Part};
use serde_json::{Map, Value, json};

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

/// Citations as `groundingMetadata`, for an answer whose provider gave none.
pub(crate) fn metadata(citations: &[&Citation]) -> Value {
    let (mut chunks, mut supports) = (Vec::new(), Vec::new());
    for citation in citations {
        let fields = [("uri", &citation.url), ("title", &citation.title), ("text", &citation.quote)];
        let source: Map<String, Value> =
            fields.into_iter().filter_map(|(name, text)| Some((name.to_owned(), text.clone()?.into()))).collect();
        if let Some((start, end)) = citation.span {
            let segment = json!({"startIndex": start, "endIndex": end});
            supports.push(json!({"segment": segment, "groundingChunkIndices": [chunks.len()]}));
        }
        // Only what the caller's documents say can be quoted.
        let kind = if citation.quote.is_some() { "retrievedContext" } else { "web" };
        chunks.push(json!({ kind: source }));
    }
    let mut metadata = json!({ "groundingChunks": chunks });
    if !supports.is_empty() {
        metadata["groundingSupports"] = supports.into();
    }
    metadata
}
