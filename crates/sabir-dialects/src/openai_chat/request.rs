//! Requests as a client writes them.

use sabir_core::chat::{
    CacheMark, ChatRequest, Content, Message, Part, Reasoning, ResponseFormat, Role, Tool, ToolChoice, ToolResult,
};
use sabir_core::dialect::Encoded;
use sabir_core::{Endpoint, Feature, Quirks, Result};
use serde_json::{Map, Value, json};

use super::{NAME, part};
use crate::json::{List, Object, known, write_json};
use crate::openai::{put, write_format};
use crate::openai_answer::{options, write_settings};
use crate::openai_content::plain;
use crate::openai_reasoning::write_reasoning;
use crate::openai_tools::write_choice;
use crate::reasoning_details::details_of;
use crate::shared::{Losses, need_messages, no_arguments, path, write_function};
use crate::telling::Latest;
use crate::texts::Texts;

pub(super) fn encode(request: &ChatRequest, endpoint: &Endpoint) -> Result<Encoded> {
    need_messages(!request.messages.is_empty())?;
    let head = head(endpoint)?;
    let calls = request.tools.iter().any(|tool| matches!(tool, Tool::Function(_)));
    // Some models take no functions here unless they are told not to think.
    let thinks = !calls || endpoint.traits(&request.model).tools_with_reasoning != Some(false);
    let mut writer = Writer { quirks: &endpoint.quirks, losses: Losses::default() };
    let mut out = Vec::with_capacity(1024);
    writer.body(request, thinks, &mut out);
    Ok(Encoded { body: out.into(), losses: writer.losses.0, ..head })
}

/// Any request, still without its body.
pub(crate) fn head(endpoint: &Endpoint) -> Result<Encoded> {
    Ok(Encoded::post_json(endpoint.url("/chat/completions")?, Vec::new(), Vec::new()))
}

struct Writer<'a> {
    quirks: &'a Quirks,
    losses: Losses,
}

impl Writer<'_> {
    fn quirk(&self, name: &str, value: &str) -> bool {
        self.quirks.get(name) == Some(value)
    }

    fn lose(&mut self, feature: Feature, path: impl Into<String>, note: &str) {
        self.losses.lose(feature, path, note);
    }

    /// The whole body, its fields in OpenAI's order.
    fn body(&mut self, request: &ChatRequest, thinks: bool, out: &mut Vec<u8>) {
        let quirks = self.quirks;
        let options = options(request, NAME, quirks);
        let mut body = Object::with(out, Some(&options));
        body.some("model", Some(&request.model).filter(|model| !model.is_empty()));
        let messages = self.messages(&request.messages);
        body.items("messages", &messages);
        let (choice, allowed) = request.tool_choice.as_ref().map(|choice| self.choice(choice)).unzip();
        let mut tools = List::default();
        for (at, tool) in request.tools.iter().enumerate() {
            self.tool(at, tool, allowed.flatten(), &mut tools);
        }
        body.list("tools", &tools).some("tool_choice", choice);
        body.some("parallel_tool_calls", request.parallel_tool_calls);
        let named = |quirk, usual| quirks.get(quirk).unwrap_or(usual);
        let fields = [named("max_tokens_field", "max_tokens"), named("seed_field", "seed")];
        write_settings(&mut body, request, fields, self.quirk("top_k", "true"), &mut self.losses);
        let format = match &request.response_format {
            Some(ResponseFormat::JsonSchema { .. }) if self.quirk("json_schema", "false") => {
                self.lose(Feature::JsonSchema, "response_format", "this provider promises JSON only, of any schema");
                Some(&ResponseFormat::Json)
            }
            format => format.as_ref(),
        };
        body.some("response_format", format.map(|format| write_format(format, true)));
        let way = quirks.get("reasoning_request");
        write_reasoning(request.reasoning.as_ref(), way, thinks, &mut body, &mut self.losses);
        let user_field = named("user_field", "user");
        body.some(user_field, request.user.as_ref().filter(|_| user_field != "none"));
        body.some("metadata", Some(&request.metadata).filter(|labels| !labels.is_empty()));
        let takes_key = !self.quirk("cache_key", "false");
        body.some("prompt_cache_key", request.cache_key.as_ref().filter(|_| takes_key));
        body.some("cache_control", self.mark(request.cache.as_ref(), || "cache".to_owned()));
        body.some("stream", request.stream.then_some(true));
        body.end();
        self.losses.absent([
            (request.user.is_some() && user_field == "none", Feature::User, "user"),
            (request.cache_key.is_some() && !takes_key, Feature::CacheKey, "cache_key"),
        ]);
        self.losses.options(request, NAME);
    }

    /// The mark as JSON, where the provider takes marks.
    fn mark(&mut self, mark: Option<&CacheMark>, path: impl FnOnce() -> String) -> Option<Value> {
        let CacheMark { ttl } = mark?;
        if !self.quirk("cache_control", "anthropic-style") {
            self.lose(Feature::CacheMarks, path(), "this provider caches by itself");
            return None;
        }
        Some(known([("type", Some("ephemeral".into())), ("ttl", ttl.as_deref().map(Value::from))]).into())
    }

    fn messages(&mut self, messages: &[Message]) -> List {
        let mut list = List::with_room(1024);
        // Media in tool results wait here until all results of the turn are written.
        let mut moved = Vec::new();
        for (at, message) in messages.iter().enumerate() {
            self.message(at, message, &mut list, &mut moved);
        }
        flush(&mut moved, &mut list);
        list
    }

    /// One message: a `tool` message for each result in it, and one for all else.
    fn message(&mut self, at: usize, message: &Message, list: &mut List, moved: &mut Vec<Value>) {
        let role = match &message.role {
            Role::Developer if !self.quirk("system_role", "developer") => "system",
            // A tool speaks in results; what else it says is input.
            Role::Tool => "user",
            role => role.as_str(),
        };
        let own = message.meta.of(NAME);
        let only = only_text(message);
        let (mut said, mut speaks) = (Said::default(), only.is_some() || message.parts.is_empty());
        for (n, part) in message.parts.iter().enumerate().filter(|_| only.is_none()) {
            if let Content::ToolResult(result) = &part.content {
                let content = self.result((at, n), result, moved);
                let mark = self.mark(part.cache.as_ref(), || path(at, n));
                list.object(|to| {
                    to.field("role", "tool").field("tool_call_id", &result.call_id);
                    to.some("name", result.name.as_ref()).field("content", &content);
                    to.meta(own.filter(|_| message.role == Role::Tool), &[]).some("cache_control", mark);
                });
            } else {
                self.say((at, n), part, role == "assistant", &mut said);
                speaks = true;
            }
        }
        if !speaks {
            return;
        }
        flush(moved, list);
        said.fields.extend(own.cloned().unwrap_or_default());
        let has_content = role != "assistant" || !said.content.is_empty();
        let is_silent = said.calls.is_empty() && said.refusal.text.is_empty() && said.fields.is_empty();
        let mut to = Object::with(list.item(), Some(&said.fields));
        to.field("role", role);
        match only {
            Some(text) => to.field("content", text),
            None if has_content || is_silent => to.field("content", &plain(said.content, "text")),
            None => to.raw("content", "null"),
        };
        to.some("name", message.name.as_ref());
        to.some("refusal", Some(said.refusal.text).filter(|refusal| !refusal.is_empty()));
        for (field, list) in [("tool_calls", said.calls), ("reasoning_details", said.details)] {
            to.some(field, Some(list).filter(|list| !list.is_empty()));
        }
        to.end();
    }

    /// One part of a message that is no result.
    fn say(&mut self, at: (usize, usize), part: &Part, is_model: bool, said: &mut Said) {
        let fields = part.meta.get(NAME, "message").and_then(Value::as_object).into_iter().flatten();
        said.fields.extend(fields.map(|(field, value)| (field.clone(), value.clone())));
        if is_model {
            said.latest.say(|| path(at.0, at.1), &part.content, &mut self.losses);
        }
        match &part.content {
            Content::ToolCall(call) => {
                let is_custom = part.meta.get(NAME, "type").is_some_and(|kind| kind == "custom");
                said.calls.push(self.marked(part::call(part, call, is_custom), part, at));
            }
            Content::Refusal { text } if is_model => said.refusal.add(path(at.0, at.1), "", text, &mut self.losses),
            Content::Reasoning(thought) if is_model => self.echo(at, part, thought, said),
            Content::Audio(_) if is_model && part.meta.get(NAME, "id").is_some() => {
                said.fields.insert("audio".into(), json!({ "id": part.meta.get(NAME, "id") }));
            }
            content if is_model && is_media(content) => {
                self.lose(Feature::Images, path(at.0, at.1), "the model's own messages hold no media here");
            }
            _ => said.content.extend(self.piece(at, part)),
        }
    }

    /// A part in JSON; what cannot be carried is said.
    fn piece(&mut self, at: (usize, usize), part: &Part) -> Option<Value> {
        let by_url = self.quirk("document_part", "document_url");
        let json = part::write(part, by_url, &path(at.0, at.1), &mut self.losses)?;
        Some(self.marked(json, part, at))
    }

    fn marked(&mut self, mut json: Value, part: &Part, at: (usize, usize)) -> Value {
        if let Some(mark) = self.mark(part.cache.as_ref(), || path(at.0, at.1)) {
            json["cache_control"] = mark;
        }
        json
    }

    /// The reasoning of an earlier turn, sent back in the way that the provider wants it.
    fn echo(&mut self, at: (usize, usize), part: &Part, thought: &Reasoning, said: &mut Said) {
        let text = thought.text.as_str();
        match self.quirks.get("reasoning_echo") {
            Some("reasoning_details") => {
                let seals = [thought.signature.as_deref(), thought.encrypted.as_deref()];
                let details = Some(details_of(&part.meta, text, seals, NAME)).filter(|details| !details.is_empty());
                said.details.extend(details.unwrap_or_else(|| vec![json!({"type": "reasoning.text", "text": text})]));
                return;
            }
            Some("thinking") => {
                said.content.push(json!({"type": "thinking", "thinking": [{"type": "text", "text": text}]}));
            }
            Some(field @ ("reasoning_content" | "reasoning")) => match said.fields.get_mut(field) {
                Some(Value::String(all)) => all.push_str(text),
                _ => put(&mut said.fields, field, Some(text)),
            },
            _ if text.is_empty() && (thought.signature.is_some() || thought.encrypted.is_some()) => {}
            _ => {
                self.lose(Feature::Reasoning, path(at.0, at.1), "earlier reasoning is not sent back to this provider");
            }
        }
        if thought.signature.is_some() || thought.encrypted.is_some() {
            self.lose(Feature::Signatures, path(at.0, at.1), "signatures are not sent back to this provider");
        }
    }

    /// What a tool gave. Media in it are `moved`.
    fn result(&mut self, at: (usize, usize), result: &ToolResult, moved: &mut Vec<Value>) -> Value {
        let mut content = Vec::new();
        for part in &result.parts {
            let is_media = is_media(&part.content);
            if is_media {
                let note = "media in a result go in a message of the user's after it";
                self.lose(Feature::Images, path(at.0, at.1), note);
            }
            if is_media { &mut *moved } else { &mut content }.extend(self.piece(at, part));
        }
        if result.is_error {
            self.lose(Feature::ToolErrors, path(at.0, at.1), "that the tool failed is not told");
        }
        plain(content, "text")
    }

    /// How tools may be used, and which alone are sent, where the choice cannot be said in another way.
    fn choice<'r>(&mut self, choice: &'r ToolChoice) -> (Value, Option<&'r [String]>) {
        let forced = self.quirks.get("forced_tool").unwrap_or("required");
        match choice {
            ToolChoice::Required => (forced.into(), None),
            ToolChoice::Allowed { names, required } if self.quirk("allowed_tools", "false") => {
                self.lose(Feature::ToolChoice, "tool_choice", "only these tools are offered");
                (if *required { forced } else { "auto" }.into(), Some(names))
            }
            choice => (write_choice(choice, true), None),
        }
    }

    fn tool(&mut self, at: usize, tool: &Tool, allowed: Option<&[String]>, out: &mut List) {
        let path = || format!("tools[{at}]");
        let function = match tool {
            Tool::Function(function) if allowed.is_none_or(|names| names.contains(&function.name)) => function,
            Tool::Function(_) => return,
            Tool::Opaque { dialect, json } if dialect == NAME => return write_json(out.item(), json),
            _ => return self.lose(Feature::Opaque, path(), "a tool of another dialect alone"),
        };
        let takes_strict = !self.quirk("strict_tools", "false");
        if function.strict == Some(true) && !takes_strict {
            self.lose(Feature::StrictTools, path(), "not known to this provider");
        }
        let strict = function.strict.filter(|_| takes_strict).map(Value::from);
        let none = self.quirk("tool_parameters", "required").then(no_arguments);
        let mark = self.mark(function.cache.as_ref(), path);
        write_function(function, function.parameters.as_ref().or(none.as_ref()), [strict, mark], NAME, out);
    }
}

/// What the parts of one message come to.
#[derive(Default)]
struct Said {
    content: Vec<Value>,
    refusal: Texts,
    latest: Latest,
    calls: Vec<Value>,
    details: Vec<Value>,
    /// Other fields of the message.
    fields: Map<String, Value>,
}

/// The text of a message that is nothing but a text: the common case, written without a detour.
fn only_text(message: &Message) -> Option<&str> {
    match message.parts.as_slice() {
        [only] if only.cache.is_none() && only.meta.is_empty() => only.as_text(),
        _ => None,
    }
}

fn is_media(content: &Content) -> bool {
    matches!(content, Content::Image(_) | Content::Audio(_) | Content::Video(_) | Content::Document(_))
}

/// Writes what was moved out of results, as the user's.
fn flush(moved: &mut Vec<Value>, list: &mut List) {
    if !moved.is_empty() {
        list.object(|to| _ = to.field("role", "user").field("content", &std::mem::take(moved)));
    }
}
