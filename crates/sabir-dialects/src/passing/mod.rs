//! A client's own body, on its way to a provider of the same dialect.

#[cfg(feature = "openai-chat")]
mod openai_chat;

use bytes::Bytes;
use sabir_core::chat::{ChatRequest, Message};
use sabir_core::dialect::Encoded;
use sabir_core::{Dialect, Endpoint, Passage, Result};

/// The most fields of one object: each is compared with those before it.
const MOST_FIELDS: usize = 64;

/// The client's own body, to where a request of the dialect goes and with its headers; only the model's name is another's.
/// `None` where the dialect would say anything else than the body does.
pub(crate) fn pass(
    dialect: &dyn Dialect,
    passage: &Passage,
    request: &ChatRequest,
    endpoint: &Endpoint,
) -> Option<Encoded> {
    let plain = Plain::read(passage.body())?;
    let has_quirks = endpoint.quirks.names().next().is_some();
    let body = match dialect.name() {
        #[cfg(feature = "openai-chat")]
        crate::openai_chat::NAME if openai_chat::is_usual(&plain, request, endpoint) => {
            plain.with_model(&request.model)
        }
        // What is not said there is set by us; of what the one names a header is made, the other is one.
        "anthropic-messages"
            if !has_quirks && request.max_tokens.is_some() && !plain.has(&["anthropic_version", "betas"]) =>
        {
            plain.with_model(&request.model)
        }
        // The model stands in the path.
        "gemini-generate" if !has_quirks && !plain.has(&["model"]) => Some(passage.body().clone()),
        "cohere-v2-chat" | "ollama-chat" | "ollama-generate" | "openai-responses" if !has_quirks => {
            plain.with_model(&request.model)
        }
        _ => None,
    }?;
    let mut encoded = head(dialect, request, endpoint).ok()?;
    let version = |headers: &http::HeaderMap| headers.get("anthropic-version").cloned();
    let theirs = version(passage.headers()).filter(|_| dialect.name() == "anthropic-messages");
    if theirs.is_some() && theirs != version(&encoded.headers).or_else(|| version(&endpoint.headers)) {
        return None;
    }
    (encoded.body, encoded.losses) = (body, Vec::new());
    Some(encoded)
}

/// Where a request goes and with which headers, with a body that is none of it.
fn head(dialect: &dyn Dialect, request: &ChatRequest, endpoint: &Endpoint) -> Result<Encoded> {
    #[cfg(feature = "openai-chat")]
    if dialect.name() == crate::openai_chat::NAME {
        return crate::openai_chat::head(endpoint);
    }
    // It depends on nothing else.
    let mut short = ChatRequest::new(request.model.as_str()).message(Message::user("-")).max_tokens(1);
    (short.stream, short.options) = (request.stream, request.options.clone());
    dialect.encode(&short, endpoint)
}

/// Whether what is answered in the dialect may go to the client as it comes.
pub(crate) fn gives_back(dialect: &dyn Dialect, passage: &Passage, request: &ChatRequest, endpoint: &Endpoint) -> bool {
    match dialect.name() {
        #[cfg(feature = "openai-chat")]
        crate::openai_chat::NAME => {
            Plain::read(passage.body()).is_some_and(|plain| openai_chat::gives_back(&plain, request, endpoint))
        }
        "anthropic-messages" | "cohere-v2-chat" | "gemini-generate" | "ollama-chat" | "ollama-generate"
        | "openai-responses" => endpoint.quirks.names().next().is_none(),
        _ => {
            // Without Chat Completions nothing depends on what was asked.
            let _ = (passage, request);
            false
        }
    }
}

/// The text of an object that all readers read alike: nowhere in it is a name said twice, or written in escapes, so that
/// what was read here and what the provider reads are the same. Names that differ only in case and underscores are one:
/// there are readers that take them for each other.
#[derive(Debug)]
pub(crate) struct Plain<'b> {
    body: &'b Bytes,
    /// The names of the outermost fields.
    names: Vec<&'b [u8]>,
    /// Where the model's name stands, with its quotes.
    model: Option<(usize, usize)>,
}

impl<'b> Plain<'b> {
    /// Reads a body that was read as JSON before. `None` where it is not plain.
    pub(crate) fn read(body: &'b Bytes) -> Option<Self> {
        let mut plain = Self { body, names: Vec::new(), model: None };
        // Of each object or list that is open: where its names begin; `None` for a list.
        let mut open: Vec<Option<usize>> = Vec::new();
        let mut names: Vec<&[u8]> = Vec::new();
        let (mut at, mut is_name) = (0, false);
        while let Some(byte) = body.get(at) {
            match byte {
                b'"' => {
                    let end = end_of_text(body, at)?;
                    let text = &body[at + 1..end];
                    if is_name {
                        let first = (*open.last()?)?;
                        let before = &names[first..];
                        let is_new = before.len() < MOST_FIELDS && before.iter().all(|name| !is_same(name, text));
                        if !is_new || text.contains(&b'\\') {
                            return None;
                        }
                        names.push(text);
                        is_name = false;
                    } else if open.len() == 1 && names.last() == Some(&&b"model"[..]) {
                        plain.model = Some((at, end + 1));
                    }
                    at = end;
                }
                b'{' => {
                    open.push(Some(names.len()));
                    is_name = true;
                }
                b'[' => {
                    open.push(None);
                    is_name = false;
                }
                b'}' | b']' => {
                    let closed = open.pop()?;
                    if open.is_empty() {
                        plain.names.clone_from(&names);
                    }
                    names.truncate(closed.unwrap_or(names.len()));
                    is_name = false;
                }
                b',' => is_name = open.last()?.is_some(),
                _ => {}
            }
            at += 1;
        }
        Some(plain)
    }

    /// Whether any of these is among the outermost fields.
    pub(crate) fn has(&self, names: &[&str]) -> bool {
        self.names.iter().any(|name| names.iter().any(|wanted| is_same(name, wanted.as_bytes())))
    }

    /// The body with this model in the place of the one it names, and every other byte as it was. `None` where it names
    /// none.
    pub(crate) fn with_model(&self, model: &str) -> Option<Bytes> {
        let (start, end) = self.model?;
        let name = serde_json::to_string(model).ok()?;
        if self.body[start..end] == *name.as_bytes() {
            return Some(self.body.clone());
        }
        Some([&self.body[..start], name.as_bytes(), &self.body[end..]].concat().into())
    }
}

/// Where a text that begins at `at` has its other quote.
fn end_of_text(body: &[u8], at: usize) -> Option<usize> {
    let mut end = at + 1;
    loop {
        match body.get(end)? {
            b'"' => return Some(end),
            b'\\' => end += 2,
            _ => end += 1,
        }
    }
}

fn is_same(one: &[u8], other: &[u8]) -> bool {
    let letters = |name| <[u8]>::iter(name).filter(|byte| **byte != b'_').map(u8::to_ascii_lowercase);
    letters(one).eq(letters(other))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn with_model(body: &'static str, model: &str) -> Option<String> {
        let body = Bytes::from_static(body.as_bytes());
        let passed = Plain::read(&body)?.with_model(model)?;
        Some(String::from_utf8(passed.to_vec()).expect("text"))
    }

    #[test]
    fn only_the_models_name_is_another() {
        for (body, expected) in [
            (r#"{"model":"openai/m","x":1}"#, r#"{"model":"n","x":1}"#),
            (
                r#" { "x" : {"model":"no"} , "model" : "a\"b" , "y":["model","q"] } "#,
                r#" { "x" : {"model":"no"} , "model" : "n" , "y":["model","q"] } "#,
            ),
            (
                r#"{"messages":[{"model":"a","content":"\"model\":\"b\""}],"model":"m"}"#,
                r#"{"messages":[{"model":"a","content":"\"model\":\"b\""}],"model":"n"}"#,
            ),
        ] {
            assert_eq!(with_model(body, "n").as_deref(), Some(expected));
        }
        assert_eq!(with_model(r#"{"a":{"model":"m"}}"#, "n"), None);
        assert_eq!(with_model(r#"{"model":["m"]}"#, "n"), None);
        assert_eq!(with_model(r#"{"model":"m"}"#, "a\"\n").as_deref(), Some("{\"model\":\"a\\\"\\n\"}"));
        let body = Bytes::from_static(br#"{"model":"m"}"#);
        let same = Plain::read(&body).and_then(|plain| plain.with_model("m")).expect("it names one");
        assert_eq!(same.as_ptr(), body.as_ptr(), "nothing is copied");
    }

    #[test]
    fn what_is_said_twice_is_not_plain() {
        for body in [
            r#"{"model":"a","model":"b"}"#,
            r#"{"model":"a","Model":"b"}"#,
            r#"{"max_tokens":1,"maxTokens":2}"#,
            r#"{"a":[{"role":"user","x":{},"role":"system"}]}"#,
            r#"{"a":1,"\u0061":2}"#,
            "{\"a",
            "}",
            "{,\"",
        ] {
            assert!(Plain::read(&Bytes::from_static(body.as_bytes())).is_none(), "{body}");
        }
        for body in [r#"{"a":{"b":1},"b":{"a":2},"c":[{"a":1},{"a":2}]}"#, "{}", "[1,2]", r#"{"a":["b","b"]}"#] {
            assert!(Plain::read(&Bytes::from_static(body.as_bytes())).is_some(), "{body}");
        }
        let many: Vec<String> = (0..=MOST_FIELDS).map(|n| format!(r#""{n}":0"#)).collect();
        assert!(Plain::read(&format!("{{{}}}", many.join(",")).into()).is_none());
    }

    #[test]
    fn the_outermost_fields_are_known() {
        let body = Bytes::from_static(br#"{"a":{"b":1},"max_tokens":[{"c":2}]}"#);
        let plain = Plain::read(&body).expect("plain");
        assert!(plain.has(&["z", "a"]) && plain.has(&["max_tokens"]) && !plain.has(&["b", "c"]));
    }
}
