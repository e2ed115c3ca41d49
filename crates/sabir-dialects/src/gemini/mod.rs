//! `gemini-generate`: Google's `generateContent` and `streamGenerateContent`, of the Gemini API and of Vertex AI
//! (`POST {base}/models/MODEL:generateContent`).
//!
//! | quirk | value | meaning |
//! |---|---|---|
//! | `path_prefix` | `publishers/google` | what stands before `/models/` in the path, as on Vertex AI |
//!
//! A stream is server-sent events (`alt=sse`) or one JSON array in pieces; both are read, and a client gets what it
//! asked for. There is no end marker: an answer is whole where the body ends behind a reason to finish.
//!
//! Calls have ids only lately. Where the wire has none, one is made (`call_gemini_…`, from the answer's id and the
//! call's number) that is the same in a stream and a whole answer; such ids are not sent back.
//!
//! Metadata kept under this dialect's name. On parts: `thoughtSignature`, which goes back byte for byte with the part
//! that it came with (on a thought it is the thought's signature too); any field beside a part's payload
//! (`videoMetadata`, …); fields of the payload that have no word, under the payload's name (`functionCall`,
//! `functionResponse`, `inlineData`, `fileData`). On tools: `parameters` (Google's own form of the schema, where it
//! has hints to Google alone). On answers: every field of the candidate that has no word (`groundingMetadata`,
//! `safetyRatings`, …), `response` and `usageMetadata` for the fields of those objects. As form, on messages: `turn`
//! (`same` continues the turn before, `new` does not), `role`; on tools: `separate`, `parameters`. Options are fields
//! of the body; those of `generationConfig` and `toolConfig` are put among ours, and `alt` is the answer's form, not a
//! field.
//!
//! `executableCode` and `toolCall` parts are uses of the provider's own tools, their input the payload as it came;
//! `codeExecutionResult` and `toolResponse` are what those gave.

mod accept;
mod part;
mod request;
mod response;
mod stream;
mod tell;
mod usage;
mod wire;
mod write;

#[cfg(test)]
mod tests;

use http::HeaderMap;
use http::header::CONTENT_TYPE;
use sabir_core::frame::Framing;
use sabir_core::{Abilities, Feature, Features};

use crate::room::room;

/// The dialect's name, and the namespace of its options and metadata.
pub const NAME: &str = "gemini-generate";

/// A part's signature, on the wire and among its metadata.
const SIGNATURE: &str = "thoughtSignature";
/// Among the options: `json` for a stream that comes as a list.
const ALT: &str = "alt";
/// Among a message's metadata: whether it stands in the turn before.
const TURN: &str = "turn";
/// Among a tool's metadata: its parameters in Google's own form.
const PARAMETERS: &str = "parameters";
/// Among a tool's metadata: it begins a list of its own.
const SEPARATE: &str = "separate";

/// Among an answer's metadata: the fields of the answer itself. All others are the candidate's.
const ANSWER_FIELDS: &str = "response";
/// Among an answer's metadata: the fields of its usage.
const USAGE_FIELDS: &str = "usageMetadata";

/// What a request cannot carry here.
const LOST: &[Feature] = &[
    Feature::ParallelTools,
    Feature::StrictTools,
    Feature::Signatures,
    Feature::Citations,
    Feature::Refusals,
    Feature::CacheMarks,
    Feature::CacheKey,
    Feature::SystemMidway,
    Feature::Names,
    Feature::User,
];

room! {
    /// Google's Gemini, as client and as server.
    Gemini {
        name: NAME,
        paths: [":generateContent", ":streamGenerateContent"],
        quirks: ["path_prefix"],
        abilities: Abilities {
            features: Features::OF_REQUESTS.without(LOST),
            free_arguments: false,
            ..crate::bounds::gemini()
        },
        encode: request::encode,
        accept: accept::accept,
        decode: response::decode,
        respond: response::respond,
        framing: framing,
        decoder: stream::ChunkDecoder::default,
        encoder: stream::ChunkEncoder::new,
        refuse: crate::google_error::refuse,
    }
}

/// JSON is a list in pieces, or one object that stands for it; anything that is no page is events.
fn framing(headers: &HeaderMap) -> Option<Framing> {
    let kind = headers.get(CONTENT_TYPE).and_then(|kind| kind.to_str().ok()).unwrap_or_default();
    match kind.split(';').next().unwrap_or_default().trim() {
        "application/json" => Some(Framing::JsonArray),
        "text/html" => None,
        _ => Some(Framing::Sse),
    }
}
