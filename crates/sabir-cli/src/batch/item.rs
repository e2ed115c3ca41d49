//! One line of a batch: who it is, and what it asks.

use http::{HeaderMap, Method, Uri};
use sabir::ChatRequest;
use sabir::dialect::Asked;
use sabir::dialects::spoken;
use sabir::drive::Format;
use serde::Deserialize;
use serde_json::{Map, Value};

/// A line of a batch.
#[derive(Debug)]
pub(super) struct Item {
    /// The caller's own name for it, else its number among the lines.
    pub(super) id: String,
    pub(super) request: ChatRequest,
}

/// The plain form.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Plain {
    prompt: String,
    #[serde(default)]
    system: Option<String>,
    #[serde(default)]
    model: String,
    #[serde(default)]
    max_tokens: Option<u64>,
}

impl Item {
    /// Reads a line in any of its forms: `{"id","prompt"}`, OpenAI's `{"custom_id","method","url","body"}`, Anthropic's
    /// `{"custom_id","params"}`, or a request in Sabir's vocabulary with an `id` beside its fields.
    ///
    /// # Errors
    /// What is wrong with it, in one line that has none of its values.
    pub(super) fn read(line: &str, number: u64) -> Result<Self, String> {
        let mut fields: Map<String, Value> = serde_json::from_str(line).map_err(|e| format!("no JSON object: {e}"))?;
        let name = ["custom_id", "id"].into_iter().find_map(|field| fields.remove(field));
        let id = match name {
            None | Some(Value::Null) => number.to_string(),
            Some(Value::String(id)) if !id.is_empty() => id,
            Some(Value::Number(id)) => id.to_string(),
            Some(_) => return Err("its id is neither a text nor a number".to_owned()),
        };
        let mut request = if fields.contains_key("body") {
            openai(&fields)?
        } else if let Some(params) = fields.get("params") {
            accepted("/v1/messages", params)?
        } else if fields.contains_key("prompt") {
            let plain: Plain = serde_json::from_value(fields.into()).map_err(|e| told(&e))?;
            let mut request = ChatRequest::new(plain.model);
            if let Some(system) = plain.system {
                request = request.system(system);
            }
            request.max_tokens = plain.max_tokens;
            request.user(plain.prompt)
        } else if fields.contains_key("messages") {
            serde_json::from_value(fields.into()).map_err(|e| told(&e))?
        } else {
            return Err("it has neither `prompt`, `messages`, `body` nor `params`".to_owned());
        };
        if request.messages.is_empty() {
            return Err("it has no messages".to_owned());
        }
        // An answer is kept whole.
        request.stream = false;
        Ok(Self { id, request })
    }
}

/// A line of OpenAI's batches (platform.openai.com/docs/api-reference/batch/request-input).
fn openai(fields: &Map<String, Value>) -> Result<ChatRequest, String> {
    if fields.get("method").is_some_and(|method| method != "POST") {
        return Err("its method is not POST".to_owned());
    }
    let url = fields.get("url").and_then(Value::as_str).unwrap_or("/v1/chat/completions");
    accepted(url, &fields["body"])
}

/// A body as the dialect at this path reads it.
fn accepted(url: &str, body: &Value) -> Result<ChatRequest, String> {
    let uri: Uri = url.parse().map_err(|_| "its url is none".to_owned())?;
    let headers = HeaderMap::new();
    let dialect = match spoken(&Method::POST, &uri, &headers) {
        Some(Format::Chat(dialect)) => dialect,
        Some(other) => return Err(format!("its url is of {}; batches are of conversations", other.name())),
        None => return Err("its url is of nothing that is known, as /v1/chat/completions is".to_owned()),
    };
    let body = body.to_string();
    let asked = Asked { method: &Method::POST, path: url, headers: &headers, body: body.as_bytes() };
    dialect.accept(asked).map_err(|error| error.message().to_owned())
}

/// Which field is wrong, without its value.
fn told(error: &serde_json::Error) -> String {
    sabir::dialect::without_values(&error.to_string())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_form_is_read() {
        for (line, id, model, text) in [
            (r#"{"id":"a","prompt":"Hi","model":"sim/x"}"#, "a", "sim/x", "Hi"),
            (r#"{"prompt":"Hi"}"#, "7", "", "Hi"),
            (
                r#"{"id":5,"model":"sim/x","messages":[{"role":"user","parts":[{"type":"text","text":"Hi"}]}]}"#,
                "5",
                "sim/x",
                "Hi",
            ),
            (
                r#"{"custom_id":"c","method":"POST","url":"/v1/chat/completions","body":{"model":"m","stream":true,"messages":[{"role":"user","content":"Hi"}]}}"#,
                "c",
                "m",
                "Hi",
            ),
            (r#"{"custom_id":"c","url":"/v1/responses","body":{"model":"m","input":"Hi"}}"#, "c", "m", "Hi"),
            (
                r#"{"custom_id":"d","params":{"model":"m","max_tokens":9,"messages":[{"role":"user","content":"Hi"}]}}"#,
                "d",
                "m",
                "Hi",
            ),
        ] {
            let item = Item::read(line, 7).unwrap_or_else(|why| panic!("{line}: {why}"));
            assert_eq!((item.id.as_str(), item.request.model.as_str()), (id, model), "{line}");
            assert_eq!(item.request.messages.last().expect("one").text(), text, "{line}");
            assert!(!item.request.stream, "{line}");
        }
    }

    #[test]
    fn what_is_wrong_is_said_without_what_was_written() {
        for (line, part) in [
            ("secret", "no JSON object"),
            ("[]", "no JSON object"),
            (r#"{"id":{},"prompt":"secret"}"#, "id"),
            (r#"{"prompt":["secret"]}"#, "invalid type"),
            (r#"{"prompt":"secret","other":1}"#, "unknown field"),
            (r#"{"say":"secret"}"#, "neither"),
            (r#"{"messages":[]}"#, "no messages"),
            (r#"{"custom_id":"a","url":"/v1/embeddings","body":{"input":"secret","model":"m"}}"#, "conversations"),
            (r#"{"custom_id":"a","url":"/nowhere","body":{}}"#, "nothing that is known"),
            (r#"{"custom_id":"a","method":"GET","body":{}}"#, "POST"),
            (r#"{"custom_id":"a","body":{"model":"m","messages":"secret"}}"#, "messages"),
        ] {
            let why = Item::read(line, 1).expect_err(line);
            assert!(why.contains(part) && !why.contains("secret") && !why.contains('\n'), "{line}: {why}");
        }
    }
}
