//! Sources: Google's `groundingMetadata` and `citationMetadata` as citations, and citations as `groundingMetadata`.
//!
//! The metadata as it came stays with the answer; citations are what it means in common words. Their spans count
//! bytes of the text.

use sabir_core::chat::{Citation, Content, Part};
use serde_json::{Map, Value, json};

/// The most citations of one answer: a list of sources may be named again for every passage.
const MOST: usize = 512;
/// The longest text that is copied into a citation, in bytes; longer ones stay in the metadata alone.
const LONGEST: usize = 4096;

/// The citations that the metadata mean.
pub(super) fn citations(grounding: Option<&Value>, cited: Option<&Value>) -> Vec<Part> {
    let mut found = Vec::new();
    if let Some(grounding) = grounding {
        let chunks = list(grounding, &["groundingChunks"]);
        let mut used = vec![false; chunks.len()];
        'supports: for support in list(grounding, &["groundingSupports"]) {
            let segment = support.get("segment");
            let index = |name: &str| segment?.get(name).and_then(Value::as_u64);
            let span = index("endIndex").map(|end| (index("startIndex").unwrap_or(0), end));
            for at in list(support, &["groundingChunkIndices"]) {
                if found.len() == MOST {
                    break 'supports;
                }
                let at = at.as_u64().and_then(|at| usize::try_from(at).ok());
                let Some((at, chunk)) = at.and_then(|at| Some((at, chunks.get(at)?))) else {
                    continue;
                };
                used[at] = true;
                found.extend(of_chunk(chunk, span));
            }
        }
        let unused = chunks.iter().zip(used).filter(|(_, used)| !used);
        found.extend(unused.filter_map(|(chunk, _)| of_chunk(chunk, None)).take(MOST.saturating_sub(found.len())));
    }
    for source in cited.map_or(&[][..], |cited| list(cited, &["citations", "citationSources"])) {
        if found.len() == MOST {
            break;
        }
        let index = |name: &str| source.get(name).and_then(Value::as_u64);
        let span = index("endIndex").map(|end| (index("startIndex").unwrap_or(0), end));
        found.extend(citation(text(source, "uri"), text(source, "title"), None, span));
    }
    found
}

fn list<'v>(value: &'v Value, names: &[&str]) -> &'v [Value] {
    let found = names.iter().find_map(|name| value.get(*name)?.as_array());
    found.map_or(&[], Vec::as_slice)
}

fn text(value: &Value, name: &str) -> Option<String> {
    let text = value.get(name)?.as_str().filter(|text| !text.is_empty() && text.len() <= LONGEST)?;
    Some(text.to_owned())
}

/// A source is of the web, of the caller's own documents, or a place on a map.
fn of_chunk(chunk: &Value, span: Option<(u64, u64)>) -> Option<Part> {
    let source = ["web", "retrievedContext", "maps", "image"].iter().find_map(|kind| chunk.get(*kind))?;
    let url = text(source, "uri").or_else(|| text(source, "sourceUri"));
    citation(url, text(source, "title"), text(source, "text"), span)
}

fn citation(
    url: Option<String>,
    title: Option<String>,
    quote: Option<String>,
    span: Option<(u64, u64)>,
) -> Option<Part> {
    let says = url.is_some() || title.is_some() || quote.is_some();
    let citation = Citation { url, title, quote, span, json: Value::Null };
    says.then(|| Content::Citation(citation).into())
}

/// Citations as `groundingMetadata`, for an answer whose provider gave none.
pub(super) fn metadata(citations: &[Citation]) -> Value {
    let (mut chunks, mut supports) = (Vec::new(), Vec::new());
    for citation in citations {
        let mut source = Map::new();
        let fields = [("uri", &citation.url), ("title", &citation.title), ("text", &citation.quote)];
        for (name, value) in fields {
            source.extend(value.clone().map(|value| (name.to_owned(), value.into())));
        }
        if let Some((start, end)) = citation.span {
            supports.push(json!({
                "segment": {"startIndex": start, "endIndex": end},
                "groundingChunkIndices": [chunks.len()],
            }));
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
