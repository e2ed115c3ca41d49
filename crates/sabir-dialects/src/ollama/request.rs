//! Requests, written for the provider.

use std::collections::HashMap;

use sabir_core::chat::{
    ChatRequest, Content, Effort, Message, ReasoningRequest, ResponseFormat, Role, Tool, ToolResult,
};
use sabir_core::dialect::Encoded;
use sabir_core::{Endpoint, Error, ErrorKind, Feature, Result};
use serde_json::{Map, Value};

use super::said::Said;
use super::{Api, prompt};
use crate::json::{List, Object, object_text};
use crate::shared::{Losses, path, write_tool};

/// What is asked.
pub(super) fn encode(api: Api, request: &ChatRequest, endpoint: &Endpoint) -> Result<Encoded> {
    let base = endpoint.base_url.trim_end_matches('/');
    let endpoint = Endpoint {
        base_url: ["/api", "/v1"].iter().find_map(|end| base.strip_suffix(end)).unwrap_or(base).to_owned(),
        provider: endpoint.provider.clone(),
        ..Endpoint::default()
    };
    let uri = endpoint.url(if api == Api::Chat { "/api/chat" } else { "/api/generate" })?;
    let mut writer = Writer { api, losses: Losses::default(), calls: HashMap::new() };
    let mut out = Vec::new();
    writer.body(request, &mut out)?;
    Ok(Encoded::post_json(uri, out, writer.losses.0))
}

struct Writer<'r> {
    api: Api,
    losses: Losses,
    /// Name of each call so far, and whether its id was made here, by id.
    calls: HashMap<&'r str, (&'r str, bool)>,
}

impl<'r> Writer<'r> {
    fn body(&mut self, request: &'r ChatRequest, out: &mut Vec<u8>) -> Result<()> {
        let mut given = request.options.of(self.api.name()).cloned().unwrap_or_default();
        let options = match given.shift_remove("options") {
            Some(Value::Object(options)) => options,
            _ => Map::new(),
        };
        let mut body = Object::with(out, Some(&given));
        body.field("model", &request.model);
        if self.api == Api::Chat {
            let mut messages = List::default();
            for (at, message) in request.messages.iter().enumerate() {
                self.message(at, message, &mut messages)?;
            }
            body.raw("messages", messages.json());
            let (offered, mut tools) = (self.losses.offered(request), List::default());
            for (at, tool) in request.tools.iter().enumerate() {
                write_tool(at, tool, offered.as_deref(), self.api.name(), &mut tools, &mut self.losses);
                if matches!(tool, Tool::Function(function) if function.strict == Some(true)) {
                    let note = "arguments cannot be held to a schema in this dialect";
                    self.losses.lose(Feature::StrictTools, format!("tools[{at}]"), note);
                }
            }
            body.list("tools", &tools);
        } else {
            prompt::write(request, &mut body, &mut self.losses);
        }
        if request.response_format == Some(ResponseFormat::Json) {
            body.field("format", "json");
        }
        body.some("format", self.losses.schema(request));
        let mut settings = Vec::new();
        let mut to = Object::with(&mut settings, Some(&options));
        to.some("temperature", request.temperature).some("top_k", request.top_k).some("top_p", request.top_p);
        to.some("num_predict", request.max_tokens).some("seed", request.seed);
        if !request.stop.is_empty() {
            to.field("stop", &request.stop);
        }
        to.some("presence_penalty", request.presence_penalty).some("frequency_penalty", request.frequency_penalty);
        to.end();
        if settings != b"{}" {
            body.raw("options", settings);
        }
        if let Some(think) = request.reasoning.as_ref().and_then(|reasoning| self.think(reasoning)) {
            body.field("think", &think);
        }
        body.field("stream", &request.stream);
        body.end();
        self.losses.settings(request, self.api.name());
        Ok(())
    }

    /// One message: a message of the tool's for each result in it, and one for all else.
    fn message(&mut self, at: usize, message: &'r Message, out: &mut List) -> Result<()> {
        self.losses.marks(at, message);
        let meta = message.meta.of(self.api.name());
        let mut rest = Vec::new();
        for (n, part) in message.parts.iter().enumerate() {
            match &part.content {
                Content::ToolResult(result) => self.result(at, n, message, result, out),
                _ => rest.push((n, part)),
            }
        }
        if rest.is_empty() && !message.parts.is_empty() {
            return Ok(());
        }
        let role = match &message.role {
            Role::System | Role::Developer => "system",
            Role::Assistant => "assistant",
            _ => "user",
        };
        let (mut said, mut calls) = (Said::in_request(), List::default());
        for (n, part) in rest {
            if let Content::ToolCall(call) = &part.content
                && role == "assistant"
            {
                let Some(arguments) = object_text(&call.arguments) else {
                    let what =
                        format!("{}: the arguments of a tool call must be a JSON object in this dialect", path(at, n));
                    return Err(Error::new(ErrorKind::InvalidRequest, what));
                };
                let own = part.meta.of(self.api.name());
                let made = part.meta.form(self.api.name(), "made_id").is_some();
                self.calls.insert(&call.id, (&call.name, made));
                calls.object(|to| {
                    to.some("id", Some(&call.id).filter(|id| !made && !id.is_empty()));
                    to.object("function", |to| {
                        to.field("name", &call.name).raw("arguments", arguments);
                    });
                    to.meta(own, &["id", "function"]);
                });
                continue;
            }
            if !calls.is_empty() {
                self.losses.order(path(at, n), "calls stand behind all else in this dialect");
            }
            said.say(path(at, n), role == "assistant", part, &mut self.losses);
        }
        out.object(|to| {
            to.field("role", role);
            said.write(to, "content");
            to.list("tool_calls", &calls).meta(meta, &["role", "content", "thinking", "images", "tool_calls"]);
        });
        Ok(())
    }

    fn result(&mut self, at: usize, n: usize, message: &Message, result: &ToolResult, out: &mut List) {
        if result.is_error {
            self.losses.lose(Feature::ToolErrors, path(at, n), "that the tool failed is not told");
        }
        let mut said = Said::in_request();
        for part in &result.parts {
            said.say(path(at, n), false, part, &mut self.losses);
        }
        let call = self.calls.get(result.call_id.as_str());
        let name = call.map(|(name, _)| *name).or(result.name.as_deref());
        let has_id = !result.call_id.is_empty() && !call.is_some_and(|(_, made)| *made);
        let meta = message.meta.of(self.api.name()).filter(|_| message.role == Role::Tool);
        out.object(|to| {
            to.field("role", "tool");
            said.write(to, "content");
            to.some("tool_name", name.filter(|_| message.meta.form(self.api.name(), "nameless").is_none()));
            to.some("tool_call_id", Some(&result.call_id).filter(|_| has_id));
            to.meta(meta, &["role", "content", "images", "tool_name", "tool_call_id"]);
        });
    }

    fn think(&mut self, reasoning: &ReasoningRequest) -> Option<Value> {
        if reasoning.enabled == Some(false) || reasoning.effort == Some(Effort::None) {
            return Some(false.into());
        }
        if reasoning.budget.is_some() {
            let note = "thinking is not limited in tokens here; it is on";
            self.losses.lose(Feature::ReasoningBudget, "reasoning.budget", note);
        }
        let near = match reasoning.effort.as_ref() {
            Some(effort @ (Effort::Low | Effort::Medium | Effort::High | Effort::Max)) => {
                return Some(effort.as_str().into());
            }
            Some(Effort::Minimal) => "low",
            Some(Effort::XHigh) => "high",
            Some(_) => "medium",
            None => return (reasoning.enabled.is_some() || reasoning.budget.is_some()).then(|| true.into()),
        };
        let note = "told as low, medium, high or max, whichever is near";
        self.losses.lose(Feature::ReasoningEffort, "reasoning.effort", note);
        Some(near.into())
    }
}
