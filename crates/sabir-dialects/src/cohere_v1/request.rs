//! Requests, written for the provider.

use std::collections::HashMap;

use sabir_core::chat::{ChatRequest, Content, Message, Role, ToolCall, ToolResult};
use sabir_core::dialect::Encoded;
use sabir_core::{Endpoint, Error, ErrorKind, Feature, Result};
use serde_json::Value;

use super::NAME;
use super::tools::write_tool;
use crate::cohere::write_format;
use crate::json::{List, Object, object_text};
use crate::shared::{Losses, path};

/// What is asked.
pub(super) fn encode(request: &ChatRequest, endpoint: &Endpoint) -> Result<Encoded> {
    let uri = crate::cohere::uri(endpoint, "/v1/chat")?;
    let (mut writer, mut out) = (Writer::default(), Vec::new());
    writer.body(request, &mut out)?;
    Ok(Encoded::post_json(uri, out, writer.losses.0))
}

#[derive(Default)]
struct Writer<'r> {
    losses: Losses,
    /// The calls so far, to be repeated with their results.
    calls: HashMap<&'r str, &'r ToolCall>,
    history: List,
    preamble: Option<String>,
    /// What comes last: the user's words, results, or both.
    message: Option<String>,
    results: List,
}

impl<'r> Writer<'r> {
    fn body(&mut self, request: &'r ChatRequest, out: &mut Vec<u8>) -> Result<()> {
        self.conversation(&request.messages)?;
        let offered = self.losses.offered(request);
        let mut tools = List::default();
        for (at, tool) in request.tools.iter().enumerate() {
            write_tool(at, tool, offered.as_deref(), &mut tools, &mut self.losses);
        }
        let mut body = Object::with(out, request.options.of(NAME));
        body.field("message", self.message.as_deref().unwrap_or_default());
        body.some("model", Some(&request.model).filter(|model| !model.is_empty()));
        body.some("preamble", self.preamble.take()).list("chat_history", &self.history).list("tools", &tools);
        body.list("tool_results", &self.results);
        body.some("temperature", request.temperature).some("max_tokens", request.max_tokens);
        body.some("k", request.top_k).some("p", request.top_p).some("seed", request.seed);
        if !request.stop.is_empty() {
            body.field("stop_sequences", &request.stop);
        }
        body.some("frequency_penalty", request.frequency_penalty);
        body.some("presence_penalty", request.presence_penalty);
        write_format(request, "schema", &mut body, &mut self.losses);
        body.field("stream", &request.stream);
        body.end();
        if request.reasoning.is_some() {
            self.losses.lose(Feature::ReasoningEffort, "reasoning", "there are no thoughts in this dialect");
        }
        self.losses.settings(request, NAME);
        Ok(())
    }

    fn conversation(&mut self, messages: &'r [Message]) -> Result<()> {
        for (at, message) in messages.iter().enumerate() {
            self.losses.marks(at, message);
            match &message.role {
                Role::Assistant => self.assistant(at, message),
                Role::System | Role::Developer => {
                    let text = self.text(at, message);
                    if at == 0 && message.meta.form(NAME, "in_history").is_none() {
                        self.preamble = Some(text);
                    } else {
                        self.entry("SYSTEM", &text, message);
                    }
                }
                _ => self.user(at, message, &messages[at + 1..])?,
            }
        }
        if self.message.is_none() && self.results.is_empty() {
            let what = "the last message must be the user's or a tool's result in this dialect";
            return Err(Error::new(ErrorKind::Unsupported, what));
        }
        Ok(())
    }

    fn user(&mut self, at: usize, message: &'r Message, after: &[Message]) -> Result<()> {
        let mut results = List::default();
        for (n, part) in message.parts.iter().enumerate() {
            if let Content::ToolResult(result) = &part.content {
                self.result(at, n, result, &mut results)?;
            }
        }
        let speaks = message.parts.iter().any(|part| !matches!(part.content, Content::ToolResult(_)));
        if !results.is_empty() && !speaks && after.is_empty() {
            self.results = results;
            return Ok(());
        }
        if !results.is_empty() {
            self.history.object(|to| {
                to.field("role", "TOOL").list("tool_results", &results);
                to.meta(message.meta.of(NAME), &["role", "tool_results"]);
            });
            if !speaks {
                return Ok(());
            }
        }
        let text = self.text(at, message);
        // The results of calls that stand nowhere else go beside the question.
        if after.is_empty() || matches!(after, [call, results] if is_implied(call) && results.role == Role::Tool) {
            self.message = Some(text);
        } else {
            self.entry("USER", &text, message);
        }
        Ok(())
    }

    fn assistant(&mut self, at: usize, message: &'r Message) {
        let mut calls = List::default();
        for (n, part) in message.parts.iter().enumerate() {
            let Content::ToolCall(call) = &part.content else {
                continue;
            };
            self.calls.insert(&call.id, call);
            if is_implied(message) {
                continue;
            }
            let meta = part.meta.of(NAME);
            if part.meta.form(NAME, "made_id").is_none() && part.meta.get(NAME, "id").is_none() {
                self.losses.lose(
                    Feature::Tools,
                    path(at, n),
                    "calls have no ids in this dialect; results tell them by name",
                );
            }
            let arguments = object_text(&call.arguments);
            if arguments.is_none() {
                self.losses.lose(Feature::Tools, path(at, n), "arguments that are not a JSON object became {}");
            }
            calls.object(|to| {
                to.field("name", &call.name).raw("parameters", arguments.unwrap_or("{}"));
                to.meta(meta, &["name", "parameters"]);
            });
        }
        if is_implied(message) {
            return;
        }
        let text = self.text(at, message);
        self.history.object(|to| {
            to.field("role", "CHATBOT").field("message", &text).list("tool_calls", &calls);
            to.meta(message.meta.of(NAME), &["role", "message", "tool_calls"]);
        });
    }

    fn entry(&mut self, role: &str, text: &str, message: &Message) {
        self.history.object(|to| {
            to.field("role", role).field("message", text);
            to.meta(message.meta.of(NAME), &["role", "message"]);
        });
    }

    /// All words of a message, calls and results excepted.
    fn text(&mut self, at: usize, message: &Message) -> String {
        let mut texts: Vec<&str> = Vec::new();
        let mut has_calls = false;
        for (n, part) in message.parts.iter().enumerate() {
            match &part.content {
                Content::ToolCall(_) if message.role == Role::Assistant => has_calls = true,
                Content::ToolResult(_) if message.role != Role::Assistant => {}
                _ => {
                    if let Some(words) = self.losses.words(path(at, n), &part.content) {
                        if has_calls {
                            self.losses.order(path(at, n), "calls stand behind all text in this dialect");
                        }
                        texts.push(words);
                    }
                }
            }
        }
        if texts.len() > 1 {
            self.losses.joined(format!("messages[{at}]"));
        }
        texts.join("\n\n")
    }

    fn result(&mut self, at: usize, n: usize, result: &ToolResult, out: &mut List) -> Result<()> {
        let call = self.calls.get(result.call_id.as_str()).copied();
        let (name, arguments) = match (call, &result.name) {
            (Some(call), _) => (call.name.as_str(), object_text(&call.arguments).unwrap_or("{}")),
            (None, Some(name)) => (name.as_str(), "{}"),
            (None, None) => {
                let what = format!(
                    "{}: the call that this result answers is not in the conversation, and this dialect repeats it",
                    path(at, n)
                );
                return Err(Error::new(ErrorKind::InvalidRequest, what));
            }
        };
        if result.is_error {
            self.losses.lose(Feature::ToolErrors, path(at, n), "that the tool failed is not told");
        }
        let mut outputs = List::default();
        for part in &result.parts {
            if let Some(words) = self.losses.words(path(at, n), &part.content) {
                match output_object(words) {
                    Some(json) => outputs.item().extend_from_slice(json.as_bytes()),
                    None => outputs.object(|to| {
                        to.field("output", words);
                    }),
                }
            }
        }
        out.object(|to| {
            to.object("call", |to| {
                to.field("name", name).raw("parameters", arguments);
            });
            to.raw("outputs", outputs.json());
        });
        Ok(())
    }
}

/// Whether a message of the model's stands for the calls that their results bring along.
fn is_implied(message: &Message) -> bool {
    message.meta.form(NAME, "implied").is_some()
}

/// A text that goes as the object that it is; any other goes as `{"output": text}`.
pub(super) fn output_object(text: &str) -> Option<&str> {
    object_text(text).filter(|json| plain_output(json).is_none())
}

/// The text of `{"output": text}`.
pub(super) fn plain_output(json: &str) -> Option<String> {
    let json: Value = serde_json::from_str(json).ok()?;
    let output = json.get("output").and_then(Value::as_str)?;
    (json.as_object()?.len() == 1).then(|| output.to_owned())
}
