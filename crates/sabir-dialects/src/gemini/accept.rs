//! Requests as a server reads them.

use std::borrow::Cow;

use sabir_core::chat::{
    ChatRequest, Content, FunctionTool, Message, Part, ResponseFormat, Role, Tool, ToolChoice, ToolResult,
};
use sabir_core::dialect::Asked;
use sabir_core::{Error, ErrorKind, Result, Sink};
use serde::Deserialize;
use serde_json::value::RawValue;
use serde_json::{Map, Value};

use super::part::made_id;
use super::tell::Teller;
use super::{ALT, NAME, PARAMETERS, SEPARATE, TURN, wire};
use crate::google_model;
use crate::google_thinking::read_thinking;
use crate::json::{Fields, Wrong, count_of, string_of};
use crate::lenient::List;
use crate::openapi_schema as schema;
use crate::proto_json::{camel, value, word};
use crate::shared::{Calls, schema_format};

pub(super) fn accept(asked: Asked<'_>) -> Result<ChatRequest> {
    let mut request = ChatRequest::default();
    read_path(asked.path, &mut request)?;
    let mut fields = Fields::of_request(asked.body)?.renamed(spelled);
    let read = read_body(&mut fields, &mut request).and_then(|()| {
        for (name, value) in fields.rest()? {
            request.options.set(NAME, name, value);
        }
        Ok(())
    });
    read.map_err(|e| e.invalid())?;
    Ok(request)
}

/// A field of the body as we spell it; one that Google does not have is left as it is.
fn spelled(name: Cow<'_, str>) -> Cow<'_, str> {
    const GOOGLES: &[&str] = &[
        "system_instruction", "tool_config", "generation_config", "safety_settings", "cached_content", "service_tier",
        "continuation_token",
    ];
    if GOOGLES.contains(&&*name) { camel(name) } else { name }
}

/// `…/models/MODEL:METHOD?alt=sse`: the model, and how the answer is to come.
fn read_path(path: &str, request: &mut ChatRequest) -> Result<()> {
    let (path, query) = path.split_once('?').unwrap_or((path, ""));
    let Some((model, method)) = google_model::in_path(path) else { return Ok(()) };
    request.model = model;
    request.stream = method == "streamGenerateContent";
    if !request.stream && method != "generateContent" {
        let message = format!("this server has no method {method:?} for models; use generateContent");
        return Err(Error::new(ErrorKind::NotFound, message));
    }
    // What is not asked for as events comes as one list.
    if request.stream && !query.split(['&', ';']).any(|pair| matches!(pair, "alt=sse" | "$alt=sse" | "%24alt=sse")) {
        request.options.set(NAME, ALT, "json".into());
    }
    Ok(())
}

fn read_body(fields: &mut Fields<'_>, request: &mut ChatRequest) -> Result<(), Wrong> {
    // The path says it too.
    if let Some(model) = fields.text("model")?.filter(|_| request.model.is_empty()) {
        model.trim_start_matches("models/").clone_into(&mut request.model);
    }
    let mut conversation = Conversation::default();
    if let Some(system) = fields.take("systemInstruction") {
        // A turn, or text alone.
        let parts = match string_of(system) {
            Some(text) => vec![Part::text(text)],
            None => conversation.parts(read::<wire::Turn<'_>>(system)?.parts)?,
        };
        conversation.messages.extend((!parts.is_empty()).then(|| Message::new(Role::System, parts)));
    }
    let turns = fields.take("contents").map(read::<List<wire::Turn<'_>>>).transpose()?.unwrap_or_default().0;
    if turns.is_empty() {
        return Err(Wrong::new("contents: is missing or empty; it must hold at least one turn"));
    }
    for (at, turn) in turns.into_iter().enumerate() {
        conversation.turn(turn).map_err(|e| e.within(format_args!("contents[{at}]")))?;
    }
    request.messages = conversation.messages;
    for (at, entry) in fields.objects("tools")?.into_iter().enumerate() {
        read_tools(entry.renamed(camel), &mut request.tools).map_err(|e| e.within(format_args!("tools[{at}]")))?;
    }
    if let Some(config) = fields.object("generationConfig")? {
        let left = read_config(config.renamed(camel), request).map_err(|e| e.within("generationConfig"))?;
        keep("generationConfig", left, request);
    }
    if let Some(config) = fields.object("toolConfig")? {
        let mut left = config.renamed(camel).rest()?;
        request.tool_choice = read_within(&mut left, "functionCallingConfig", read_choice);
        keep("toolConfig", left, request);
    }
    request.metadata = fields.typed("labels").unwrap_or_default();
    Ok(())
}

fn read<'a, T: Deserialize<'a>>(json: &'a RawValue) -> Result<T, Wrong> {
    serde_json::from_str(json.get()).map_err(|_| Wrong::new(": is nested too deeply"))
}

/// Keeps what has no word as an option.
fn keep(name: &str, left: Map<String, Value>, request: &mut ChatRequest) {
    if !left.is_empty() {
        request.options.set(NAME, name, left.into());
    }
}

/// Reads an inner object; what is read is taken out of it.
fn read_within<T>(
    outer: &mut Map<String, Value>,
    name: &str,
    read: impl FnOnce(&mut Map<String, Value>) -> Option<T>,
) -> Option<T> {
    let inner = outer.get_mut(name)?.as_object_mut()?;
    let fields = std::mem::take(inner).into_iter().filter(|(_, value)| !value.is_null());
    *inner = fields.map(|(name, value)| (camel(name.into()).into_owned(), value)).collect();
    let found = read(inner);
    if inner.is_empty() {
        outer.shift_remove(name);
    }
    found
}

/// The turns as messages. Calls without ids get some, and results find their calls.
#[derive(Default)]
struct Conversation {
    messages: Vec<Message>,
    calls: Calls,
    /// How many calls there were, and results of none.
    count: usize,
}

impl Conversation {
    /// A turn: the results in it are a message of the tools', and what else is in it one of its speaker's.
    fn turn(&mut self, turn: wire::Turn<'_>) -> Result<(), Wrong> {
        let speaker = match &*turn.role {
            "model" => Role::Assistant,
            "user" | "" | "function" => Role::User,
            _ => return Err(Wrong::new("role: is neither user nor model")),
        };
        let start = self.messages.len();
        let follows_result = self.messages.last().is_some_and(|last| last.role == Role::Tool);
        for part in self.parts(turn.parts)? {
            let is_result = matches!(part.content, Content::ToolResult(_));
            let role = if is_result { Role::Tool } else { speaker.clone() };
            match self.messages[start..].last_mut() {
                Some(last) if last.role == role => last.parts.push(part),
                _ => self.messages.push(Message::new(role, [part])),
            }
        }
        if self.messages.len() == start {
            self.messages.push(Message::new(speaker, []));
        }
        for (n, message) in self.messages[start..].iter_mut().enumerate() {
            if n > 0 {
                message.meta.set_form(NAME, TURN, "same".into());
            } else if follows_result && message.role == Role::Tool {
                message.meta.set_form(NAME, TURN, "new".into());
            }
            if &*turn.role == "function" {
                message.meta.set_form(NAME, "role", "function".into());
            }
        }
        Ok(())
    }

    fn parts(&mut self, parts: List<wire::Part<'_>>) -> Result<Vec<Part>, Wrong> {
        let (mut sink, mut teller) = (Sink::whole(), Teller::of_turn(self.count));
        teller.parts(parts.0, &mut sink).map_err(|e| Wrong::new(e.message()))?;
        teller.close(&mut sink);
        self.count = teller.calls;
        let mut parts = sink.into_response().parts;
        for part in &mut parts {
            match &mut part.content {
                Content::ToolCall(call) => self.calls.open(call.clone()),
                Content::ToolResult(result) => self.answers(result),
                _ => {}
            }
        }
        Ok(parts)
    }

    /// Finds the call that a result answers: by its id, or the oldest of its name.
    fn answers(&mut self, result: &mut ToolResult) {
        let found = self.calls.answer(|call| match result.call_id.as_str() {
            "" => result.name.as_ref().is_none_or(|wanted| call.name == *wanted),
            wanted => call.id == wanted,
        });
        if let Some(id) = found {
            // What the call tells is not repeated.
            result.name.take_if(|name| self.calls.name_of(&id) == Some(name));
            result.call_id = id;
        } else if result.call_id.is_empty() {
            result.call_id = made_id("", self.count);
            self.count += 1;
        }
    }
}

fn read_tools(mut entry: Fields<'_>, tools: &mut Vec<Tool>) -> Result<(), Wrong> {
    let follows = matches!(tools.last(), Some(Tool::Function(_)));
    for (n, function) in entry.objects("functionDeclarations")?.into_iter().enumerate() {
        let place = format_args!("functionDeclarations[{n}]");
        let mut function = read_function(function.renamed(camel)).map_err(|e| e.within(place))?;
        if n == 0 && follows {
            function.meta.set_form(NAME, SEPARATE, true.into());
        }
        tools.push(Tool::Function(function));
    }
    for (name, json) in entry.rest()? {
        let json = Map::from_iter([(name, json)]).into();
        tools.push(Tool::Opaque { dialect: NAME.to_owned(), json });
    }
    Ok(())
}

/// Google's own form of a schema stays beside its translation, and goes in its place to whom it came from.
fn read_function(mut fields: Fields<'_>) -> Result<FunctionTool, Wrong> {
    let mut function = FunctionTool {
        name: fields.need("name")?.into_owned(),
        description: fields.string("description")?,
        parameters: fields.value("parametersJsonSchema")?,
        ..FunctionTool::default()
    };
    let own = fields.take(PARAMETERS).map(value);
    function.meta = fields.meta(NAME)?;
    if let Some(own) = own {
        function.parameters.get_or_insert_with(|| schema::to_json_schema(&own));
        if schema::says_more(&own) {
            function.meta.set(NAME, PARAMETERS, own);
        } else {
            function.meta.set_form(NAME, PARAMETERS, own);
        }
    }
    Ok(function)
}

/// Takes a choice of tools that has a word out of the fields.
fn read_choice(calling: &mut Map<String, Value>) -> Option<ToolChoice> {
    let names = calling.get("allowedFunctionNames").and_then(Value::as_array);
    let names: Vec<String> = names.into_iter().flatten().filter_map(Value::as_str).map(str::to_owned).collect();
    let mode = word(calling.get("mode")?, &["", "AUTO", "ANY", "NONE", "VALIDATED"])?.to_ascii_uppercase();
    let choice = match (mode.as_str(), names.as_slice()) {
        ("AUTO", []) => ToolChoice::Auto,
        ("NONE", []) => ToolChoice::None,
        ("ANY", []) => ToolChoice::Required,
        ("ANY", [name]) => ToolChoice::Named(name.clone()),
        ("ANY", _) => ToolChoice::Allowed { names, required: true },
        ("VALIDATED", [_, ..]) => ToolChoice::Allowed { names, required: false },
        _ => return None,
    };
    calling.retain(|name, _| name != "mode" && name != "allowedFunctionNames");
    Some(choice)
}

/// Returns what has no word.
fn read_config(mut config: Fields<'_>, request: &mut ChatRequest) -> Result<Map<String, Value>, Wrong> {
    request.temperature = config.get("temperature")?;
    request.top_p = config.get("topP")?;
    request.presence_penalty = config.get("presencePenalty")?;
    request.frequency_penalty = config.get("frequencyPenalty")?;
    request.stop = config.get("stopSequences")?.unwrap_or_default();
    request.seed = config.get("seed")?;
    let mut whole = |name: &str| config.take_if(name, |json| count_of(json.get()));
    (request.max_tokens, request.top_k) = (whole("maxOutputTokens"), whole("topK"));
    let mut left = config.rest()?;
    // One answer is what there is anyway.
    left.retain(|name, value| name != "candidateCount" || *value != 1);
    request.response_format = read_format(&mut left);
    request.reasoning = read_within(&mut left, "thinkingConfig", read_thinking);
    Ok(left)
}

/// Google's own form of a schema stays beside its translation, and goes in its place to whom it came from.
fn read_format(config: &mut Map<String, Value>) -> Option<ResponseFormat> {
    let format = match config.get("responseMimeType")?.as_str()? {
        "text/plain" => ResponseFormat::Text,
        "application/json" => {
            let names = ["responseJsonSchema", "_responseJsonSchema"];
            let schema = names.iter().find_map(|name| config.shift_remove(*name));
            let schema = schema.or_else(|| config.get("responseSchema").map(schema::to_json_schema));
            schema.map_or(ResponseFormat::Json, schema_format)
        }
        _ => return None,
    };
    config.shift_remove("responseMimeType");
    Some(format)
}
