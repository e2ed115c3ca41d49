//! Requests as a server reads them.

use sabir_core::Result;
use sabir_core::chat::{ChatRequest, Content, Message, Role};
use sabir_core::dialect::Asked;
use serde_json::Value;

use super::NAME;
use crate::json::{Fields, Wrong};
use crate::openai_answer::read_settings;

pub(super) fn accept(asked: Asked<'_>) -> Result<ChatRequest> {
    let fields = Fields::of_request(asked.body)?;
    read_request(fields, asked.path).map_err(|e| e.invalid())
}

fn read_request(mut fields: Fields<'_>, path: &str) -> Result<ChatRequest, Wrong> {
    let mut request = ChatRequest::new(fields.string("model")?.unwrap_or_default());
    let prompt = fields.value("prompt")?;
    let several = prompt.as_ref().and_then(Value::as_array).filter(|all| all.len() > 1 && all[0].is_string());
    if several.is_some() {
        request.options.set(NAME, "prompt", prompt.clone().unwrap_or_default());
    }
    match prompt {
        Some(prompt) => request.messages.push(read_prompt(prompt)?),
        // A prompt that the server keeps is named in the path.
        None if path.contains("/prompts/") => {}
        None => {
            return Err(Wrong::new("prompt: is missing; it must be a string, or a list of strings or token numbers"));
        }
    }
    read_settings(&mut fields, &mut request)?;
    request.options.merge(fields.meta(NAME)?);
    Ok(request)
}

/// The first prompt, as a message.
fn read_prompt(prompt: Value) -> Result<Message, Wrong> {
    let first = match &prompt {
        Value::Array(all) => match all.as_slice() {
            [first, rest @ ..] if first.is_string() && rest.iter().all(Value::is_string) => first,
            [Value::Number(_) | Value::Array(_), ..] => {
                let content = Content::Opaque { dialect: NAME.to_owned(), json: prompt };
                return Ok(Message::new(Role::User, [content.into()]));
            }
            _ => return Err(Wrong::new("prompt: must hold strings, or token numbers")),
        },
        one => one,
    };
    first.as_str().map(Message::user).ok_or_else(|| Wrong::new("prompt: must be a string or a list"))
}
