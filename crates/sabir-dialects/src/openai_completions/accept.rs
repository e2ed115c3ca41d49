//! Requests as a server reads them.

use sabir_core::chat::{ChatRequest, Content, Message, Role};
use sabir_core::dialect::{Asked, without_values};
use sabir_core::{Error, ErrorKind, Result};
use serde::de::DeserializeOwned;
use serde_json::{Map, Value};

use super::NAME;

pub(super) fn accept(asked: Asked<'_>) -> Result<ChatRequest> {
    let body: Map<String, Value> = serde_json::from_slice(asked.body).map_err(|e| wrong("the body", &e))?;
    let mut request = ChatRequest::default();
    for (name, value) in body {
        if value.is_null() {
            continue;
        }
        match name.as_str() {
            "model" => request.model = read(&name, value)?,
            "prompt" => prompt(&mut request, value)?,
            "max_tokens" => request.max_tokens = Some(read(&name, value)?),
            "temperature" => request.temperature = Some(read(&name, value)?),
            "top_p" => request.top_p = Some(read(&name, value)?),
            "top_k" if value.is_u64() => request.top_k = value.as_u64(),
            "presence_penalty" => request.presence_penalty = Some(read(&name, value)?),
            "frequency_penalty" => request.frequency_penalty = Some(read(&name, value)?),
            "stop" => {
                let many = if value.is_string() { Value::Array(vec![value]) } else { value };
                request.stop = read(&name, many)?;
            }
            "seed" => request.seed = Some(read(&name, value)?),
            "user" => request.user = Some(read(&name, value)?),
            "stream" => request.stream = read(&name, value)?,
            // One answer is what there is anyway.
            "n" if value == 1 => {}
            _ => request.options.set(NAME, name, value),
        }
    }
    // A prompt that the server keeps is named in the path.
    if request.messages.is_empty() && !asked.path.contains("/prompts/") {
        return Err(invalid(
            "`prompt` is missing; it must be a string, or a list of strings or token numbers".to_owned(),
        ));
    }
    Ok(request)
}

fn prompt(request: &mut ChatRequest, value: Value) -> Result<()> {
    let message = match &value {
        Value::String(text) => Message::user(text),
        Value::Array(all) => match all.as_slice() {
            [Value::String(only)] => Message::user(only),
            [Value::String(first), rest @ ..] if rest.iter().all(Value::is_string) => {
                let message = Message::user(first);
                request.options.set(NAME, "prompt", value);
                message
            }
            [Value::Number(_) | Value::Array(_), ..] => {
                let json = value.clone();
                Message::new(Role::User, [Content::Opaque { dialect: NAME.to_owned(), json }.into()])
            }
            _ => return Err(invalid("`prompt` must hold strings, or token numbers".to_owned())),
        },
        _ => return Err(invalid("`prompt` must be a string or a list".to_owned())),
    };
    request.messages = vec![message];
    Ok(())
}

fn read<T: DeserializeOwned>(path: &str, value: Value) -> Result<T> {
    serde_json::from_value(value).map_err(|e| wrong(&format!("`{path}`"), &e))
}

fn wrong(what: &str, error: &serde_json::Error) -> Error {
    invalid(format!("{what} is not what this dialect takes: {}", without_values(&error.to_string())))
}

fn invalid(message: String) -> Error {
    Error::new(ErrorKind::InvalidRequest, message)
}
