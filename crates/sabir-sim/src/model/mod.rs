//! The built-in "model": a pure function from a request to an answer. The same request gives the same answer, and
//! every text says that it is simulated.

mod count;
mod instance;
mod limit;
mod reasoning;
mod text;
mod tools;

#[cfg(test)]
mod tests;

use sabir_core::chat::{
    ChatRequest, ChatResponse, Content, Finish, FinishReason, Message, Part, ResponseFormat, Role, ToolResult,
};
use sabir_core::count::{Count, CountResponse};
use sabir_core::{Error, ErrorKind, Result};
use serde_json::{Value, json};

pub(crate) use count::usage;
pub use instance::instance;

/// What every text of the simulator begins with.
pub const NOTICE: &str = "This is Sabir's simulator, not a language model.";

/// The signature under every simulated thought.
pub const SIGNATURE: &str = "c2ltdWxhdGVkIHNpZ25hdHVyZQ==";

/// Counts a request, as its answer would count it.
///
/// # Errors
/// As [`answer`], for a request without messages.
pub fn count_tokens(request: &ChatRequest) -> Result<CountResponse> {
    has_messages(request)?;
    let mut counted = CountResponse::default();
    counted.input = Count::exact(count::input(request));
    Ok(counted)
}

fn has_messages(request: &ChatRequest) -> Result<()> {
    if request.messages.is_empty() {
        let message = "messages is empty: a request needs at least one message";
        return Err(Error::new(ErrorKind::InvalidRequest, message));
    }
    Ok(())
}

/// Answers a request.
///
/// * Tools that may be used are called, with arguments made from their schemas: the tools that the user's text names,
///   or else the first; several at once where that is allowed. After a tool's result, the answer tells the result.
/// * A response format of JSON is answered in JSON; one with a schema, by an instance of it (see [`instance`]).
/// * `max_tokens` and stop sequences hold; four characters are one token.
/// * Where reasoning is asked for, a signed thought comes first.
/// * Any other answer tells what the request held. Told to "count to 20", it counts.
///
/// # Errors
/// `InvalidRequest` for what providers refuse too: no messages, a tool choice that names no tool of the request.
pub fn answer(request: &ChatRequest) -> Result<ChatResponse> {
    has_messages(request)?;
    let seed = fingerprint(request);
    let mut parts = Vec::new();
    if reasoning::is_wanted(request) {
        parts.push(reasoning::thought(request));
    }
    let calls = if results(request).is_empty() { tools::calls(request)? } else { Vec::new() };
    let mut finish = Finish::new(FinishReason::Stop);
    if calls.is_empty() {
        parts.push(Part::text(said(request)));
    } else {
        finish.reason = FinishReason::ToolCalls;
        for (number, call) in calls.iter().enumerate() {
            let id = format!("call_{seed:016x}_{number}");
            parts.push(Part::tool_call(id, call.name, call.arguments.to_string()));
        }
    }
    limit::stop_at(&request.stop, &mut parts, &mut finish);
    limit::cut_to(request.max_tokens, &mut parts, &mut finish);

    let mut response = ChatResponse::default();
    response.id = format!("sim-{seed:016x}");
    response.model.clone_from(&request.model);
    response.usage = usage(request, &parts);
    response.parts = parts;
    response.finish = finish;
    Ok(response)
}

/// The answer's text: prose, or JSON where that is asked for.
fn said(request: &ChatRequest) -> String {
    match &request.response_format {
        Some(ResponseFormat::Json) => {
            let said = text::quoted(&last_user_text(request));
            json!({ "simulated": true, "note": NOTICE, "you_said": said }).to_string()
        }
        Some(ResponseFormat::JsonSchema { schema, .. }) => instance(schema).to_string(),
        _ => text::reply(request),
    }
}

/// The text of the last message in which the person says something.
pub(crate) fn last_user_text(request: &ChatRequest) -> String {
    let mut theirs = request.messages.iter().rev().filter(|m| m.role == Role::User).map(Message::text);
    theirs.find(|text| !text.is_empty()).unwrap_or_default()
}

/// The tool results that the conversation ends with, in order; none where someone spoke since.
fn results(request: &ChatRequest) -> Vec<&ToolResult> {
    let is_result = |part: &Part| matches!(part.content, Content::ToolResult(_));
    let after = request.messages.iter().rposition(|m| !m.parts.iter().any(is_result)).map_or(0, |at| at + 1);
    let parts = request.messages[after..].iter().flat_map(|m| &m.parts);
    parts
        .filter_map(|p| match &p.content {
            Content::ToolResult(result) => Some(result),
            _ => None,
        })
        .collect()
}

/// FNV-1a (64 bits) of the request. Whether it streams, and what a dialect adds to say so, makes no other answer.
pub(crate) fn fingerprint(request: &ChatRequest) -> u64 {
    let mut json = serde_json::to_value(request).unwrap_or(Value::Null);
    if let Value::Object(fields) = &mut json {
        fields.remove("stream");
        fields.remove("options");
    }
    fnv(json.to_string().as_bytes())
}

/// FNV-1a, 64 bits.
pub(crate) fn fnv(bytes: &[u8]) -> u64 {
    bytes.iter().fold(0xcbf2_9ce4_8422_2325, |hash, byte| (hash ^ u64::from(*byte)).wrapping_mul(0x0100_0000_01b3))
}
