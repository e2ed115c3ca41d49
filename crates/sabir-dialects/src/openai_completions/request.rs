//! Requests as a client writes them.

use bytes::Bytes;
use sabir_core::chat::{ChatRequest, Content, Message, Part, Role};
use sabir_core::dialect::Encoded;
use sabir_core::{Endpoint, Error, ErrorKind, Feature, Loss, Result};
use serde_json::{Map, Value, json};

use super::NAME;

pub(super) fn encode(request: &ChatRequest, endpoint: &Endpoint) -> Result<Encoded> {
    let uri = endpoint.url("/completions")?;
    let (mut body, mut losses) = (Map::new(), Vec::new());
    let options = request.options.of(NAME);
    let option = |name: &str| options.and_then(|options| options.get(name));
    put(&mut body, "model", Some(request.model.as_str()).filter(|model| !model.is_empty()));
    let prompt = match option("prompt") {
        Some(prompts) => prompts.clone(),
        None => prompt(&request.messages, &mut losses)?,
    };
    body.insert("prompt".into(), prompt);
    put(&mut body, "max_tokens", request.max_tokens);
    put(&mut body, "temperature", request.temperature);
    put(&mut body, "top_p", request.top_p);
    let knows_top_k = endpoint.quirks.get("top_k") == Some("true");
    put(&mut body, "top_k", request.top_k.filter(|_| knows_top_k));
    put(&mut body, "presence_penalty", request.presence_penalty);
    put(&mut body, "frequency_penalty", request.frequency_penalty);
    put(&mut body, "stop", Some(request.stop.clone()).filter(|stop| !stop.is_empty()));
    put(&mut body, "seed", request.seed);
    put(&mut body, "user", request.user.as_deref());
    if request.stream {
        body.insert("stream".into(), true.into());
        if endpoint.quirks.get("stream_options") != Some("false") {
            // Asked for always, so that what a stream used is known; the server side hands it on where asked.
            let mut wanted = option("stream_options").cloned().filter(Value::is_object).unwrap_or_else(|| json!({}));
            wanted["include_usage"] = true.into();
            body.insert("stream_options".into(), wanted);
        }
    }
    unsupported(request, knows_top_k, &mut losses);
    for (name, value) in options.into_iter().flatten().filter(|(name, _)| *name != "stream_options") {
        body.insert(name.clone(), value.clone());
    }
    Ok(Encoded::post_json(uri, Bytes::from(Value::Object(body).to_string()), losses))
}

/// The one message's text, or the token numbers that it is.
fn prompt(messages: &[Message], losses: &mut Vec<Loss>) -> Result<Value> {
    let [Message { role: Role::User, parts, name, .. }] = messages else {
        let message = format!(
            "this dialect takes one prompt and no conversation: send one message of the user's (there are {} \
             messages), or use a chat dialect",
            messages.len()
        );
        return Err(Error::new(ErrorKind::Unsupported, message));
    };
    if name.is_some() {
        losses.push(Loss::new(Feature::Names, "messages[0].name", "not in this dialect"));
    }
    if let [Part { content: Content::Opaque { dialect, json }, .. }] = parts.as_slice()
        && dialect == NAME
    {
        return Ok(json.clone());
    }
    let (mut prompt, mut texts) = (String::new(), 0);
    for (n, part) in parts.iter().enumerate() {
        let mut lose = |feature, note: &str| losses.push(Loss::new(feature, format!("messages[0].parts[{n}]"), note));
        if part.cache.is_some() {
            lose(Feature::CacheMarks, "not in this dialect");
        }
        match &part.content {
            Content::Text { text } => {
                prompt.push_str(text);
                texts += 1;
                if texts == 2 {
                    lose(Feature::Other("parts".to_owned()), "texts are joined to one prompt");
                }
            }
            Content::Image(_) => lose(Feature::Images, "a prompt is text"),
            Content::Audio(_) => lose(Feature::Audio, "a prompt is text"),
            Content::Video(_) => lose(Feature::Video, "a prompt is text"),
            Content::Document(_) => lose(Feature::Documents, "a prompt is text"),
            Content::Opaque { .. } => lose(Feature::Opaque, "a part of one dialect alone"),
            _ => lose(Feature::Tools, "a prompt is text"),
        }
    }
    Ok(prompt.into())
}

fn unsupported(request: &ChatRequest, knows_top_k: bool, losses: &mut Vec<Loss>) {
    let mut lose = |feature, path: String| losses.push(Loss::new(feature, path, "not in this dialect"));
    for at in 0..request.tools.len() {
        let is_opaque = matches!(request.tools[at], sabir_core::chat::Tool::Opaque { .. });
        lose(if is_opaque { Feature::Opaque } else { Feature::Tools }, format!("tools[{at}]"));
    }
    let absent = [
        (request.tool_choice.is_some(), Feature::ToolChoice, "tool_choice"),
        (request.parallel_tool_calls.is_some(), Feature::ParallelTools, "parallel_tool_calls"),
        (request.top_k.is_some() && !knows_top_k, Feature::TopK, "top_k"),
        (request.response_format.is_some(), Feature::JsonOutput, "response_format"),
        (request.reasoning.is_some(), Feature::ReasoningEffort, "reasoning"),
        (request.cache.is_some(), Feature::CacheMarks, "cache"),
        (request.cache_key.is_some(), Feature::CacheKey, "cache_key"),
        (!request.metadata.is_empty(), Feature::Metadata, "metadata"),
    ];
    for (_, feature, path) in absent.into_iter().filter(|(is_set, ..)| *is_set) {
        lose(feature, path.to_owned());
    }
    for dialect in request.options.dialects().filter(|dialect| *dialect != NAME) {
        lose(Feature::Options, format!("options.{dialect}"));
    }
}

fn put(fields: &mut Map<String, Value>, name: &str, value: Option<impl Into<Value>>) {
    if let Some(value) = value {
        fields.insert(name.to_owned(), value.into());
    }
}
