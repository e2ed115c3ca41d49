//! Requests, read from a client: the reverse of `request`.

use sabir_core::Result;
use sabir_core::chat::{ChatRequest, Message, ResponseFormat};
use sabir_core::dialect::Asked;
use serde_json::Value;

use super::NAME;
use super::request::{WAIT, WAIT_HEADER};
use crate::json::{Fields, Wrong, string_of};
use crate::shared::schema_format;

/// What a client asks of us.
pub(super) fn accept(asked: Asked<'_>) -> Result<ChatRequest> {
    let mut fields = Fields::of_request(asked.body)?;
    let read = read_request(&mut fields, asked.path).and_then(|mut request| {
        if asked.headers.get(WAIT_HEADER).is_some_and(|wait| wait == "true") {
            request.options.set(NAME, WAIT, true.into());
        }
        for (key, value) in fields.rest()? {
            // An empty object says what none says.
            if value.as_object().is_none_or(|object| !object.is_empty()) {
                request.options.set(NAME, key, value);
            }
        }
        Ok(request)
    });
    read.map_err(|e| e.invalid())
}

fn read_request(fields: &mut Fields<'_>, path: &str) -> Result<ChatRequest, Wrong> {
    let path = path.split('?').next().unwrap_or_default().trim_end_matches('/');
    let in_path = path.split_once("/models/").map(|(_, model)| model.trim_end_matches("/pipeline/text-generation"));
    let model = fields.text("model")?.or(in_path.map(Into::into)).unwrap_or_default();
    let mut request = ChatRequest::new(model);
    request.messages = read_inputs(fields)?;
    request.stream = fields.get("stream")?.unwrap_or_default();
    if path.ends_with("/generate") || path.ends_with("/generate_stream") {
        request.stream = path.ends_with("_stream");
        request.options.set(NAME, "route", "generate".into());
    }
    if let Some(mut parameters) = fields.object("parameters")? {
        read_parameters(&mut parameters, &mut request).map_err(|e| e.within("parameters"))?;
        let rest = parameters.rest().map_err(|e| e.within("parameters"))?;
        let rest = rest.into_iter().filter(|(_, value)| value.as_array().is_none_or(|list| !list.is_empty()));
        let rest: serde_json::Map<_, _> = rest.collect();
        if !rest.is_empty() {
            request.options.set(NAME, "parameters", Value::Object(rest));
        }
    }
    Ok(request)
}

/// The prompt; or, for the conversational models of old, what was said so far and what is said now.
fn read_inputs(fields: &mut Fields<'_>) -> Result<Vec<Message>, Wrong> {
    let json = fields.take("inputs").ok_or_else(|| Wrong::new("inputs: is missing"))?;
    if let Some(text) = string_of(json) {
        return Ok(vec![Message::user(text)]);
    }
    let wrong = |_| Wrong::new("inputs: is neither a string nor a conversation");
    let mut talk = Fields::read(json, true).map_err(wrong)?;
    let within = |e: Wrong| e.within("inputs");
    let said: Vec<String> = talk.get("past_user_inputs").map_err(within)?.unwrap_or_default();
    let mut answered: Vec<String> = talk.get("generated_responses").map_err(within)?.unwrap_or_default();
    answered.reverse();
    let mut messages = Vec::new();
    for text in said {
        messages.push(Message::user(text));
        messages.extend(answered.pop().map(Message::assistant));
    }
    messages.push(Message::user(talk.need("text").map_err(within)?));
    Ok(messages)
}

fn read_parameters(parameters: &mut Fields<'_>, request: &mut ChatRequest) -> Result<(), Wrong> {
    // What we say ourselves where nobody says otherwise.
    for (key, ours) in [("details", "true"), ("return_full_text", "false")] {
        if parameters.peek(key).is_some_and(|said| said.get() == ours) {
            parameters.take(key);
        }
    }
    request.max_tokens = parameters.get("max_new_tokens")?;
    request.temperature = parameters.get("temperature")?;
    match (parameters.peek("do_sample").map(serde_json::value::RawValue::get), request.temperature) {
        (Some("false"), None) => {
            parameters.take("do_sample");
            request.temperature = Some(0.0);
        }
        (Some("true"), Some(_)) => {
            parameters.take("do_sample");
        }
        _ => {}
    }
    request.top_k = parameters.get("top_k")?;
    request.top_p = parameters.get("top_p")?;
    request.frequency_penalty = parameters.get("frequency_penalty")?;
    request.stop = parameters.get("stop")?.unwrap_or_default();
    request.seed = parameters.get("seed")?;
    request.response_format = parameters.peek("grammar").and_then(|grammar| read_grammar(grammar.get()));
    if request.response_format.is_some() {
        parameters.take("grammar");
    }
    Ok(())
}

/// A grammar that is a schema.
fn read_grammar(json: &str) -> Option<ResponseFormat> {
    let mut grammar: Value = serde_json::from_str(json).ok()?;
    let (schema, own) = match grammar["type"].as_str()? {
        "json" => (grammar.get_mut("value")?.take(), None),
        "json_schema" => {
            let name = grammar["value"]["name"].as_str().map(str::to_owned);
            (grammar["value"].get_mut("schema")?.take(), name)
        }
        _ => return None,
    };
    if schema == serde_json::json!({"type": "object"}) {
        return Some(ResponseFormat::Json);
    }
    let mut format = schema_format(schema);
    if let (Some(own), ResponseFormat::JsonSchema { name, .. }) = (own, &mut format) {
        *name = own;
    }
    Some(format)
}
