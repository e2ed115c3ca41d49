//! The format's own types, as they are met: any field may be missing, null, or of another type than Google's, and
//! none of that is fatal. Fields that have no place here are kept as they came. Strings are borrowed from the body.

use serde_json::Value;
use serde_json::value::RawValue;

use crate::lenient::{Count, Flag, List, Text};
use crate::proto_json::open_objects;

open_objects! {
    /// A whole answer, or a chunk of a streamed one: the two are the same.
    Chunk {
        candidates: Option<List<Candidate<'a>>> = "candidates",
        usage: Option<Usage<'a>> = "usageMetadata",
        model: Text<'a> = "modelVersion",
        id: Text<'a> = "responseId",
        error: Option<&'a RawValue> = "error",
    }
    Candidate {
        index: Count = "index",
        content: Turn<'a> = "content",
        finish: Text<'a> = "finishReason",
    }
    /// A turn of the conversation.
    Turn {
        role: Text<'a> = "role",
        parts: List<Part<'a>> = "parts",
    }
    Part {
        text: Option<Text<'a>> = "text",
        thought: Flag = "thought",
        signature: Text<'a> = "thoughtSignature",
        call: Option<Call<'a>> = "functionCall",
    }
    Call {
        id: Text<'a> = "id",
        name: Text<'a> = "name",
        args: Option<&'a RawValue> = "args",
        pieces: List<Piece<'a>> = "partialArgs",
        goes_on: Flag = "willContinue",
    }
    /// A part of streamed arguments.
    Piece {
        path: Text<'a> = "jsonPath",
        text: Option<Text<'a>> = "stringValue",
        number: Option<Value> = "numberValue",
        flag: Option<Flag> = "boolValue",
    }
    Usage {
        prompt: Count = "promptTokenCount",
        cached: Count = "cachedContentTokenCount",
        candidates: Count = "candidatesTokenCount",
        thoughts: Count = "thoughtsTokenCount",
        tool_use: Count = "toolUsePromptTokenCount",
        total: Count = "totalTokenCount",
        prompt_details: List<Detail<'a>> = "promptTokensDetails",
        cached_details: List<Detail<'a>> = "cacheTokensDetails",
        candidates_details: List<Detail<'a>> = "candidatesTokensDetails",
    }
    /// The count of one modality.
    Detail {
        modality: Text<'a> = "modality",
        count: Count = "tokenCount",
    }
}
