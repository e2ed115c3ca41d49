//! How a conversation's body stands in the body of a question for its tokens.

use std::borrow::Cow;

use sabir_core::Result;
use serde_json::{Map, Value, json};

use super::Fields;
use crate::exchange::{Taken, invalid, missing, unsupported, write};

/// What is around a conversation's fields.
#[derive(Clone, Copy, Debug)]
pub(super) enum Wrapping {
    /// Nothing.
    Bare,
    /// `{"generateContentRequest": {"model": "models/…", …}}`. Clients may send the bare `contents`, too.
    GenerateContent,
    /// `{"input": {"converse": {…}}}`.
    Converse,
}

impl Wrapping {
    pub(super) fn wrap(self, body: Fields, model: &str) -> Fields {
        let (name, inner) = match self {
            Self::Bare => return body,
            Self::GenerateContent => {
                let mut inner = Map::from_iter([("model".to_owned(), json!(resource(model)))]);
                inner.extend(body);
                ("generateContentRequest", Value::Object(inner))
            }
            Self::Converse => ("input", json!({ "converse": body })),
        };
        Map::from_iter([(name.to_owned(), inner)])
    }

    pub(super) fn unwrap(self, body: &[u8]) -> Result<Cow<'_, [u8]>> {
        match self {
            Self::Bare => Ok(body.into()),
            Self::GenerateContent => {
                let mut fields = Taken::body(body)?;
                let names = ["generateContentRequest", "generate_content_request"];
                let Some((name, inner)) = names.iter().find_map(|name| Some((*name, fields.take(name)?))) else {
                    return Ok(body.into());
                };
                if fields.take("contents").is_some() {
                    return Err(invalid(format!("contents and {name} cannot both be counted; send one of them")));
                }
                object(inner, name)
            }
            Self::Converse => {
                let input = Taken::body(body)?.take("input").ok_or_else(|| missing("input"))?;
                let mut input = Taken::object(input, "input")?;
                if input.has("invokeModel") {
                    let message = "input.invokeModel: a model's own body cannot be counted here; send input.converse";
                    return Err(unsupported(message));
                }
                let inner = input.take("converse").ok_or_else(|| missing("input.converse"))?;
                object(inner, "input.converse")
            }
        }
    }
}

fn object(value: Value, path: &str) -> Result<Cow<'static, [u8]>> {
    let fields = Taken::object(value, path)?;
    let mut out = Vec::new();
    write(&mut out, &fields.left());
    Ok(out.into())
}

/// A model as Google names it in a body. Tuned models and endpoints are collections of their own.
fn resource(model: &str) -> Cow<'_, str> {
    match model.split_once('/') {
        Some(("models" | "tunedModels" | "endpoints" | "dynamic", _)) => model.into(),
        _ => format!("models/{model}").into(),
    }
}
