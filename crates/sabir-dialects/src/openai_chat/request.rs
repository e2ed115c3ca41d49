//! Requests as a client writes them.

use sabir_core::chat::{
    ChatRequest, Content, Effort, FunctionTool, Message, Part, ReasoningRequest, ResponseFormat, Role, Tool,
    ToolChoice, ToolResult,
};
use sabir_core::dialect::Encoded;
use sabir_core::json::{List, Object, write};
use sabir_core::{Endpoint, Feature, Loss, Quirks, Result};
use serde_json::{Map, Value, json};

use super::thoughts::details_of;
use super::{NAME, part};

type Fields = Map<String, Value>;

pub(super) fn encode(request: &ChatRequest, endpoint: &Endpoint) -> Result<Encoded> {
    let uri = endpoint.url("/chat/completions")?;
    let calls = request.tools.iter().any(|tool| matches!(tool, Tool::Function(_)));
    let thinks = !calls || endpoint.traits(&request.model).tools_with_reasoning != Some(false);
    let mut writer = Writer { quirks: &endpoint.quirks, thinks, losses: Vec::new() };
    let mut out = Vec::with_capacity(1024);
    writer.body(request, &mut out);
    Ok(Encoded::post_json(uri, out, writer.losses))
}

struct Writer<'a> {
    quirks: &'a Quirks,
    /// Some models take no functions here unless they are told not to think.
    thinks: bool,
    losses: Vec<Loss>,
}

impl Writer<'_> {
    fn quirk(&self, name: &str, value: &str) -> bool {
        self.quirks.get(name) == Some(value)
    }

    fn lose(&mut self, feature: Feature, path: impl Into<String>, note: &str) {
        self.losses.push(Loss::new(feature, path, note));
    }

    /// The whole body, its fields in OpenAI's order.
    fn body(&mut self, request: &ChatRequest, out: &mut Vec<u8>) {
        let mut options = request.options.of(NAME).cloned().unwrap_or_default();
        let stream_options = options.shift_remove("stream_options");
        let mut body = Object::new(out).with_last_word(Some(&options));
        body.some("model", Some(request.model.as_str()).filter(|model| !model.is_empty()));
        if let Some(out) = body.key("messages") {
            self.messages(&request.messages, out);
        }
        let tools: Vec<Value> = request.tools.iter().enumerate().filter_map(|(at, t)| self.tool(at, t)).collect();
        body.some("tools", Some(tools).filter(|tools| !tools.is_empty()));
        body.some("tool_choice", request.tool_choice.as_ref().map(|choice| self.tool_choice(choice)));
        body.some("parallel_tool_calls", request.parallel_tool_calls);
        body.some(self.quirks.get("max_tokens_field").unwrap_or("max_tokens"), request.max_tokens);
        body.some("temperature", request.temperature);
        body.some("top_p", request.top_p);
        if self.quirk("top_k", "true") {
            body.some("top_k", request.top_k);
        } else if request.top_k.is_some() {
            self.lose(Feature::TopK, "top_k", "not in this dialect");
        }
        body.some("presence_penalty", request.presence_penalty);
        body.some("frequency_penalty", request.frequency_penalty);
        body.some("stop", Some(&request.stop).filter(|stop| !stop.is_empty()));
        body.some(self.quirks.get("seed_field").unwrap_or("seed"), request.seed);
        body.some("response_format", request.response_format.as_ref().map(|format| self.format(format)));
        self.reasoning(request, &mut body);
        body.some(self.quirks.get("user_field").unwrap_or("user"), request.user.as_deref());
        body.some("metadata", Some(&request.metadata).filter(|labels| !labels.is_empty()));
        self.cache(request, &mut body);
        if request.stream {
            body.field("stream", &true);
            if !self.quirk("stream_options", "false") {
                // Asked for always, so that what a stream used is known; the server side hands it on where asked.
                let mut options = stream_options.unwrap_or_else(|| json!({}));
                options["include_usage"] = true.into();
                body.field("stream_options", &options);
            }
        }
        for dialect in request.options.dialects().filter(|dialect| *dialect != NAME) {
            self.lose(Feature::Options, format!("options.{dialect}"), "options of another dialect");
        }
        body.end();
    }

    fn cache(&mut self, request: &ChatRequest, body: &mut Object<'_>) {
        if let Some(key) = &request.cache_key {
            if self.quirk("cache_key", "false") {
                self.lose(Feature::CacheKey, "cache_key", "not known to this provider");
            } else {
                body.field("prompt_cache_key", key);
            }
        }
        if let Some(mark) = &request.cache {
            if self.takes_marks() {
                body.field("cache_control", &part::cache_control(mark));
            } else {
                self.lose(Feature::CacheMarks, "cache", "this provider caches by itself");
            }
        }
    }

    fn takes_marks(&self) -> bool {
        self.quirk("cache_control", "anthropic-style")
    }

    fn messages(&mut self, messages: &[Message], out: &mut Vec<u8>) {
        let mut list = List::new(out);
        // Media in tool results wait here until all results of the turn are written.
        let mut moved = Vec::new();
        for (at, message) in messages.iter().enumerate() {
            self.message(at, message, &mut list, &mut moved);
        }
        flush_moved(&mut list, &mut moved);
        list.end();
    }

    /// One message: a `tool` message for each result in it, and one for all else.
    fn message(&mut self, at: usize, message: &Message, list: &mut List<'_>, moved: &mut Vec<Value>) {
        let mut said = Said::default();
        let role = match &message.role {
            Role::Developer if !self.quirk("system_role", "developer") => "system",
            // A tool speaks in results; what else it says is input.
            Role::Tool => "user",
            role => role.as_str(),
        };
        let mut has_rest = message.parts.is_empty();
        let plain = plain_text(message);
        for (n, part) in message.parts.iter().enumerate().filter(|_| plain.is_none()) {
            if let Content::ToolResult(result) = &part.content {
                let fields = self.result((at, n), result, message, moved);
                let fields = self.with_mark(fields, part, at, n);
                write(list.item(), &fields);
            } else {
                self.say((at, n), part, role == "assistant", &mut said);
                has_rest = true;
            }
        }
        if !has_rest && plain.is_none() {
            return;
        }
        flush_moved(list, moved);
        said.fields.extend(message.meta.of(NAME).cloned().unwrap_or_default());
        let is_silent = role == "assistant"
            && said.content.is_empty()
            && !(said.calls.is_empty() && said.refusal.is_empty() && said.fields.is_empty());
        let mut object = Object::new(list.item()).with_last_word(Some(&said.fields));
        object.field("role", role);
        match plain {
            Some(text) => object.field("content", text),
            None if is_silent => object.field("content", &Value::Null),
            None => object.field("content", &content(said.content)),
        };
        object.some("name", message.name.as_deref());
        object.some("refusal", Some(said.refusal).filter(|refusal| !refusal.is_empty()));
        object.some("tool_calls", Some(said.calls).filter(|calls| !calls.is_empty()));
        object.some("reasoning_details", Some(said.details).filter(|details| !details.is_empty()));
        object.end();
    }

    /// One part of a message that is no result.
    fn say(&mut self, at: (usize, usize), part: &Part, is_model: bool, said: &mut Said) {
        for (field, value) in part.meta.get(NAME, "message").and_then(Value::as_object).into_iter().flatten() {
            said.fields.insert(field.clone(), value.clone());
        }
        match &part.content {
            Content::ToolCall(_) => {
                let is_custom = part.meta.get(NAME, "type").is_some_and(|kind| kind == "custom");
                let call = part::call(part, is_custom);
                let call = self.with_mark(call, part, at.0, at.1);
                said.calls.push(call);
            }
            Content::Refusal { text } if is_model => said.refusal.push_str(text),
            Content::Reasoning(_) if is_model => self.echo(at, part, said),
            Content::Audio(_) if is_model && part.meta.get(NAME, "id").is_some() => {
                said.fields.insert("audio".into(), json!({ "id": part.meta.get(NAME, "id") }));
            }
            Content::Image(_) | Content::Audio(_) | Content::Video(_) | Content::Document(_) if is_model => {
                self.lose(Feature::Images, path(at), "the model's own messages hold no media here");
            }
            _ => {
                let encoded = match part::plain_document(part) {
                    Some(text) => {
                        self.lose(Feature::Documents, path(at), "a document of plain text goes as text");
                        Ok(json!({"type": "text", "text": text}))
                    }
                    None => part::encode(part),
                };
                match encoded {
                    Ok(json) => {
                        let json = self.with_mark(json, part, at.0, at.1);
                        said.content.push(json);
                    }
                    Err((feature, note)) => self.lose(feature, path(at), note),
                }
            }
        }
    }

    /// The reasoning of an earlier turn, sent back in the way that the provider wants it.
    fn echo(&mut self, at: (usize, usize), part: &Part, said: &mut Said) {
        let Content::Reasoning(reasoning) = &part.content else {
            return;
        };
        let is_sealed = reasoning.signature.is_some() || reasoning.encrypted.is_some();
        match self.quirks.get("reasoning_echo") {
            Some("reasoning_details") => said.details.extend(
                details_of(part, reasoning)
                    .unwrap_or_else(|| vec![json!({"type": "reasoning.text", "text": reasoning.text})]),
            ),
            Some("thinking") => {
                let piece = json!({"type": "text", "text": reasoning.text});
                said.content.push(json!({"type": "thinking", "thinking": [piece]}));
            }
            Some(field @ ("reasoning_content" | "reasoning")) => match said.fields.get_mut(field) {
                Some(Value::String(text)) => text.push_str(&reasoning.text),
                _ => {
                    said.fields.insert(field.into(), reasoning.text.clone().into());
                }
            },
            _ if reasoning.text.is_empty() => {}
            _ => self.lose(Feature::Reasoning, path(at), "earlier reasoning is not sent back to this provider"),
        }
        if is_sealed && !self.quirk("reasoning_echo", "reasoning_details") {
            self.lose(Feature::Signatures, path(at), "signatures are not sent back to this provider");
        }
    }

    fn result(&mut self, at: (usize, usize), result: &ToolResult, message: &Message, moved: &mut Vec<Value>) -> Value {
        let mut texts = Vec::new();
        for part in &result.parts {
            match &part.content {
                Content::Image(_) | Content::Audio(_) | Content::Video(_) | Content::Document(_) => {
                    self.lose(Feature::Images, path(at), "media in a result go in a message of the user's after it");
                    match part::encode(part) {
                        Ok(json) => moved.push(json),
                        Err((feature, note)) => self.lose(feature, path(at), note),
                    }
                }
                _ => match part::encode(part) {
                    Ok(json) => {
                        let json = self.with_mark(json, part, at.0, at.1);
                        texts.push(json);
                    }
                    Err((feature, note)) => self.lose(feature, path(at), note),
                },
            }
        }
        if result.is_error {
            self.lose(Feature::ToolErrors, path(at), "that the tool failed is not told");
        }
        let mut fields = Fields::new();
        fields.insert("role".into(), "tool".into());
        fields.insert("tool_call_id".into(), result.call_id.clone().into());
        put(&mut fields, "name", result.name.as_deref());
        fields.insert("content".into(), content(texts));
        if message.role == Role::Tool {
            fields.extend(message.meta.of(NAME).cloned().unwrap_or_default());
        }
        Value::Object(fields)
    }

    /// Puts a part's cache mark on its JSON, where the provider takes marks.
    fn with_mark(&mut self, mut json: Value, part: &Part, at: usize, n: usize) -> Value {
        if let Some(mark) = &part.cache {
            if self.takes_marks() {
                json["cache_control"] = part::cache_control(mark);
            } else {
                self.lose(Feature::CacheMarks, path((at, n)), "this provider caches by itself");
            }
        }
        json
    }

    fn tool(&mut self, at: usize, tool: &Tool) -> Option<Value> {
        let path = || format!("tools[{at}]");
        let FunctionTool { name, description, parameters, strict, cache, meta } = match tool {
            Tool::Function(function) => function,
            Tool::Opaque { dialect, json } if dialect == NAME => return Some(json.clone()),
            _ => {
                self.lose(Feature::Opaque, path(), "a tool of another dialect alone");
                return None;
            }
        };
        let mut function = Fields::new();
        put(&mut function, "name", Some(name.as_str()));
        put(&mut function, "description", description.as_deref());
        put(&mut function, "parameters", parameters.clone());
        if self.quirk("strict_tools", "false") {
            if *strict == Some(true) {
                self.lose(Feature::StrictTools, path(), "not known to this provider");
            }
        } else {
            put(&mut function, "strict", *strict);
        }
        let mut fields = meta.of(NAME).cloned().unwrap_or_default();
        if let Some(Value::Object(more)) = fields.shift_remove("function") {
            function.extend(more);
        }
        let mut json = json!({"type": "function", "function": function});
        if let Some(json) = json.as_object_mut() {
            json.extend(fields);
        }
        if let Some(mark) = cache {
            if self.takes_marks() {
                json["cache_control"] = part::cache_control(mark);
            } else {
                self.lose(Feature::CacheMarks, path(), "this provider caches by itself");
            }
        }
        Some(json)
    }

    fn tool_choice(&self, choice: &ToolChoice) -> Value {
        let named = |name: &String| json!({"type": "function", "function": {"name": name}});
        match choice {
            ToolChoice::None => "none".into(),
            ToolChoice::Required => self.quirks.get("forced_tool").unwrap_or("required").into(),
            ToolChoice::Named(name) => named(name),
            ToolChoice::Allowed { names, required } => {
                let mode = if *required { "required" } else { "auto" };
                let tools: Vec<Value> = names.iter().map(named).collect();
                json!({"type": "allowed_tools", "allowed_tools": {"mode": mode, "tools": tools}})
            }
            _ => "auto".into(),
        }
    }

    fn format(&mut self, format: &ResponseFormat) -> Value {
        match format {
            ResponseFormat::Json => json!({"type": "json_object"}),
            ResponseFormat::JsonSchema { .. } if self.quirk("json_schema", "false") => {
                self.lose(Feature::JsonSchema, "response_format", "this provider promises JSON only, of any schema");
                json!({"type": "json_object"})
            }
            ResponseFormat::JsonSchema { name, schema, description, strict } => {
                let mut fields = Fields::new();
                // OpenAI wants a name; dialects without one leave it empty.
                put(&mut fields, "name", Some(if name.is_empty() { "response" } else { name.as_str() }));
                put(&mut fields, "description", description.as_deref());
                put(&mut fields, "schema", Some(schema.clone()));
                put(&mut fields, "strict", *strict);
                json!({"type": "json_schema", "json_schema": fields})
            }
            _ => json!({"type": "text"}),
        }
    }

    fn reasoning(&mut self, request: &ChatRequest, body: &mut Object<'_>) {
        let nothing = ReasoningRequest::default();
        let wanted = match &request.reasoning {
            Some(wanted) => wanted,
            None if self.thinks => return,
            None => &nothing,
        };
        let effort = wanted.effort.as_ref();
        let is_off = wanted.enabled == Some(false) || effort == Some(&Effort::None);
        if !self.thinks && !is_off {
            body.field("reasoning_effort", "none");
            let note = "this model does not think where it has functions; over the dialect openai-responses it does";
            self.lose(Feature::Reasoning, "reasoning", note);
            return;
        }
        let word = effort.filter(|effort| **effort != Effort::None).map(Effort::as_str);
        match self.quirks.get("reasoning_request").unwrap_or("effort") {
            "thinking" => {
                let kind = if is_off { "disabled" } else { "enabled" };
                body.field("thinking", &json!({ "type": kind }));
                body.some("reasoning_effort", word);
                self.no_budget(request);
            }
            "enable_thinking" => {
                body.field("enable_thinking", &!is_off);
                body.some("thinking_budget", wanted.budget);
                if word.is_some() && wanted.budget.is_none() {
                    let note = "this provider counts thinking in tokens; it is on";
                    self.lose(Feature::ReasoningEffort, "reasoning.effort", note);
                }
            }
            "openrouter" => {
                let mut fields = Fields::new();
                put(&mut fields, "effort", effort.map(Effort::as_str));
                put(&mut fields, "max_tokens", wanted.budget);
                put(&mut fields, "enabled", wanted.enabled);
                body.field("reasoning", &fields);
            }
            "none" => self.lose(Feature::ReasoningEffort, "reasoning", "this provider cannot be asked for it"),
            _ => {
                body.some("reasoning_effort", if is_off { Some("none") } else { word });
                if wanted.enabled == Some(true) && word.is_none() {
                    self.lose(Feature::Reasoning, "reasoning.enabled", "asked for by effort here; the model decides");
                }
                self.no_budget(request);
            }
        }
    }

    fn no_budget(&mut self, request: &ChatRequest) {
        if request.reasoning.as_ref().is_some_and(|wanted| wanted.budget.is_some()) {
            self.lose(Feature::ReasoningBudget, "reasoning.budget", "this provider takes efforts, not tokens");
        }
    }
}

/// What the parts of one message come to.
#[derive(Default)]
struct Said {
    content: Vec<Value>,
    refusal: String,
    calls: Vec<Value>,
    details: Vec<Value>,
    /// Other fields of the message.
    fields: Fields,
}

/// A single plain text is a string, as every server knows it; anything else is a list.
fn content(mut parts: Vec<Value>) -> Value {
    match parts.as_mut_slice() {
        [] => "".into(),
        [Value::Object(only)] if only.len() == 2 && only["type"] == "text" => {
            only.get_mut("text").map(Value::take).unwrap_or_default()
        }
        _ => parts.into(),
    }
}

/// The text of a message that is nothing but a text: the common case, written without a detour.
fn plain_text(message: &Message) -> Option<&str> {
    match message.parts.as_slice() {
        [only] if only.cache.is_none() && only.meta.is_empty() => only.as_text(),
        _ => None,
    }
}

fn flush_moved(list: &mut List<'_>, moved: &mut Vec<Value>) {
    if !moved.is_empty() {
        write(list.item(), &json!({"role": "user", "content": std::mem::take(moved)}));
    }
}

fn path((message, part): (usize, usize)) -> String {
    format!("messages[{message}].parts[{part}]")
}

fn put(fields: &mut Fields, name: &str, value: Option<impl Into<Value>>) {
    if let Some(value) = value {
        fields.insert(name.to_owned(), value.into());
    }
}
