//! A request that asks for a value, in one of the ways.

use std::borrow::Cow;

use sabir_core::chat::{
    ChatRequest, ChatResponse, Content, FunctionTool, Message, Part, ResponseFormat, Role, Tool, ToolChoice, ToolResult,
};
use sabir_core::{Abilities, Error, ErrorKind, Feature, Result};
use serde_json::Value;

use super::shape::Shape;
use super::{Way, once_more};

/// What is asked, and how.
#[derive(Debug)]
pub(super) struct Asked {
    pub(super) request: ChatRequest,
    pub(super) way: Way,
    tool: String,
}

/// The caller insists on a way that cannot take this schema.
fn refused(name: &str) -> Error {
    let message = format!(
        "the schema of {name} leads back to itself or leaves its properties open, which this model's own way does not \
         take; leave the way open, or take Way::Tool"
    );
    Error::new(ErrorKind::Unsupported, message)
}

impl Asked {
    pub(super) fn new(request: &ChatRequest, shape: &Shape, abilities: &Abilities, way: Option<Way>) -> Result<Self> {
        let fitted = abilities.schema.fit(&shape.schema);
        let has = |feature| abilities.features.has(&feature);
        let way = way.unwrap_or(match &fitted {
            Some(_) if has(Feature::JsonSchema) => Way::Schema,
            _ if has(Feature::Tools) && has(Feature::ToolChoice) => Way::Tool,
            _ => Way::Words,
        });
        let mut asked = Self { request: request.clone(), way, tool: shape.name.clone() };
        match way {
            Way::Schema => {
                let schema = fitted.ok_or_else(|| refused(&shape.name))?.schema;
                let (name, strict) = (shape.name.clone(), Some(true));
                asked.request.response_format =
                    Some(ResponseFormat::JsonSchema { name, schema, description: None, strict });
            }
            Way::Tool => asked.by_tool(&shape.schema),
            Way::Words => asked.by_words(&shape.schema, has(Feature::JsonOutput)),
        }
        Ok(asked)
    }

    fn by_tool(&mut self, schema: &Value) {
        let description = schema["description"].as_str().unwrap_or("Takes the answer, as data");
        let tool = FunctionTool {
            name: self.tool.clone(),
            description: Some(description.to_owned()),
            parameters: Some(schema.clone()),
            ..FunctionTool::default()
        };
        self.request.tools.push(Tool::Function(tool));
        self.request.tool_choice = Some(ToolChoice::Named(self.tool.clone()));
    }

    fn by_words(&mut self, schema: &Value, json_mode: bool) {
        let words = format!(
            "Answer with one JSON object and nothing else: no words around it, no code fence. It follows this JSON \
             Schema:\n{schema}"
        );
        let at = self.request.split_system().0.len();
        self.request.messages.insert(at, Message::system(words));
        if json_mode {
            self.request.response_format = Some(ResponseFormat::Json);
        }
    }

    /// The JSON in an answer, or what stands there instead.
    pub(super) fn json<'a>(&self, answer: &'a ChatResponse) -> Result<Cow<'a, str>, String> {
        // A model that was to call a tool and wrote the JSON instead has said the same.
        if let Some(call) = answer.tool_calls().find(|call| call.name == self.tool) {
            return Ok(call.arguments.as_str().into());
        }
        let text = answer.text();
        match object_in(&text) {
            Some(json) => Ok(json.to_owned().into()),
            None if text.trim().is_empty() => Err("it is empty".into()),
            None => Err("there is no JSON object in it".into()),
        }
    }

    /// The JSON of an answer that is not whole yet.
    pub(super) fn json_so_far<'a>(&self, answer: &'a ChatResponse) -> Option<Cow<'a, str>> {
        if let Some(call) = answer.tool_calls().find(|call| call.name == self.tool) {
            return Some(call.arguments.as_str().into());
        }
        let text = answer.text();
        text.find('{').map(|at| text[at..].to_owned().into())
    }

    /// Asks once more, and says why.
    pub(super) fn again(&mut self, answer: &ChatResponse, wrong: &str) {
        self.request.messages.push(answer.to_message());
        let calls = answer.tool_calls().map(|call| {
            let result = ToolResult {
                call_id: call.id.clone(),
                name: Some(call.name.clone()),
                parts: vec![Part::text(wrong)],
                is_error: true,
            };
            Part::from(Content::ToolResult(result))
        });
        let results: Vec<Part> = calls.collect();
        if !results.is_empty() {
            self.request.messages.push(Message::new(Role::Tool, results));
        }
        self.request.messages.push(once_more(wrong));
    }
}

/// The JSON object in a text: the whole of it, or what stands between the first brace and the last.
fn object_in(text: &str) -> Option<&str> {
    let (from, to) = (text.find('{')?, text.rfind('}')?);
    (from < to).then(|| &text[from..=to])
}
