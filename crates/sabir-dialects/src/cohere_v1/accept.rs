//! Requests, read from a client: the reverse of `request`.

use sabir_core::Result;
use sabir_core::chat::{ChatRequest, Content, Message, Meta, Part, Role, ToolCall, ToolResult};
use serde_json::Value;

use super::NAME;
use super::request::plain_output;
use super::tools::read_tool;
use super::wire::read_call;
use crate::cohere::read_format;
use crate::json::{Fields, Wrong};
use crate::shared::Calls;

/// What a client asks of us.
pub(super) fn accept(body: &[u8]) -> Result<ChatRequest> {
    let mut fields = Fields::of_request(body)?;
    let read = read_request(&mut fields).and_then(|mut request| {
        for (key, value) in fields.rest()? {
            // An empty list says what none says.
            if value.as_array().is_none_or(|list| !list.is_empty()) {
                request.options.set(NAME, key, value);
            }
        }
        Ok(request)
    });
    read.map_err(|e| e.invalid())
}

fn read_request(fields: &mut Fields<'_>) -> Result<ChatRequest, Wrong> {
    let mut request = ChatRequest::new(fields.text("model")?.unwrap_or_default());
    let message = fields.need("message")?;
    let mut talk = Talk::default();
    if let Some(preamble) = fields.text("preamble")? {
        talk.messages.push(Message::system(preamble));
    }
    for (i, entry) in fields.objects("chat_history")?.into_iter().enumerate() {
        talk.entry(entry).map_err(|e| e.within(format_args!("chat_history[{i}]")))?;
    }
    let results = fields.objects("tool_results")?;
    let pending = talk.calls.are_open();
    if results.is_empty() || (!message.is_empty() && !pending) {
        talk.messages.push(Message::user(message.clone()));
    }
    if !results.is_empty() {
        let results = talk.results(results).map_err(|e| e.within("tool_results"))?;
        talk.messages.push(Message::new(Role::Tool, results));
        if pending && !message.is_empty() {
            talk.messages.push(Message::user(message));
        }
    }
    request.messages = talk.messages;
    for (i, tool) in fields.list("tools")?.into_iter().enumerate() {
        let tool = read_tool(tool).map_err(|e| e.within(format_args!("tools[{i}]")))?;
        request.tools.push(tool);
    }
    request.temperature = fields.get("temperature")?;
    request.max_tokens = fields.get("max_tokens")?;
    request.top_k = fields.get("k")?;
    request.top_p = fields.get("p")?;
    request.seed = fields.get("seed")?;
    request.stop = fields.get("stop_sequences")?.unwrap_or_default();
    request.frequency_penalty = fields.get("frequency_penalty")?;
    request.presence_penalty = fields.get("presence_penalty")?;
    request.stream = fields.get("stream")?.unwrap_or_default();
    request.response_format = fields.peek("response_format").and_then(|json| read_format(json, &["schema"]));
    if request.response_format.is_some() {
        fields.take("response_format");
    }
    Ok(request)
}

/// The conversation as it is read.
#[derive(Default)]
struct Talk {
    messages: Vec<Message>,
    calls: Calls,
}

impl Talk {
    fn entry(&mut self, mut entry: Fields<'_>) -> Result<(), Wrong> {
        let role = match &*entry.need("role")?.to_ascii_uppercase() {
            "USER" => Role::User,
            "CHATBOT" => Role::Assistant,
            "SYSTEM" => Role::System,
            "TOOL" => Role::Tool,
            _ => return Err(Wrong::new("role: is not USER, CHATBOT, SYSTEM or TOOL")),
        };
        let text = entry.text("message")?;
        let mut parts = Vec::new();
        if role == Role::Tool {
            let results = entry.objects("tool_results")?;
            parts = self.results(results).map_err(|e| e.within("tool_results"))?;
        } else if role == Role::Assistant {
            for (i, call) in entry.objects("tool_calls")?.into_iter().enumerate() {
                let call = self.call(call).map_err(|e| e.within(format_args!("tool_calls[{i}]")))?;
                parts.push(call);
            }
        }
        if let Some(text) = text.filter(|text| !text.is_empty() || parts.is_empty()) {
            parts.insert(0, Part::text(text));
        }
        let mut meta = entry.meta(NAME)?;
        if role == Role::System && self.messages.is_empty() {
            meta.set_form(NAME, "in_history", true.into());
        }
        self.messages.push(Message { meta, ..Message::new(role, parts) });
        Ok(())
    }

    fn call(&mut self, mut call: Fields<'_>) -> Result<Part, Wrong> {
        // Not in the format, but some clients number their calls.
        let own = call.peek("id").and_then(crate::json::string_of);
        let (name, arguments) = read_call(&mut call)?;
        Ok(self.calls.call(own, name, arguments, call.meta(NAME)?, NAME))
    }

    /// Results, each with the id of its call. A call that stands nowhere is put before them.
    fn results(&mut self, results: Vec<Fields<'_>>) -> Result<Vec<Part>, Wrong> {
        let (mut parts, mut implied) = (Vec::new(), Vec::new());
        for (i, mut result) in results.into_iter().enumerate() {
            let within = |e: Wrong| e.within(format_args!("[{i}]"));
            let Some(mut call) = result.object("call").map_err(within)? else {
                return Err(Wrong::new(format!("[{i}].call: is missing")));
            };
            let (name, arguments) = read_call(&mut call).map_err(|e| within(e.within("call")))?;
            let call_id = if let Some(id) = self.answer(&name, &arguments) {
                id
            } else {
                implied.push(self.calls.call(None, name.clone(), arguments.clone(), Meta::default(), NAME));
                self.answer(&name, &arguments).unwrap_or_default()
            };
            let outputs = result.list("outputs").map_err(within)?.into_iter();
            let outputs = outputs.map(|output| {
                let text = plain_output(output.get()).or_else(|| crate::json::string_of(output));
                Part::text(text.unwrap_or_else(|| output.get().to_owned()))
            });
            let result = ToolResult { call_id, parts: outputs.collect(), ..ToolResult::default() };
            parts.push(Content::ToolResult(result).into());
        }
        if !implied.is_empty() {
            let mut message = Message::new(Role::Assistant, implied);
            message.meta.set_form(NAME, "implied", true.into());
            self.messages.push(message);
        }
        Ok(parts)
    }

    /// The id of the first call that this result can belong to and that has none yet: one with the same arguments
    /// before any other.
    fn answer(&mut self, name: &str, arguments: &str) -> Option<String> {
        let value = |json: &str| serde_json::from_str::<Value>(json).ok();
        let wanted = value(arguments);
        let same =
            |call: &ToolCall| call.name == name && (call.arguments == arguments || value(&call.arguments) == wanted);
        self.calls.answer(same).or_else(|| self.calls.answer(|call| call.name == name))
    }
}
