//! Requests as a server reads them.

use std::collections::{BTreeMap, VecDeque};

use sabir_core::chat::{
    ChatRequest, Content, Effort, FunctionTool, Message, Part, ReasoningRequest, ResponseFormat, Role, Tool, ToolCall,
    ToolChoice, ToolResult,
};
use sabir_core::dialect::{Asked, without_values};
use sabir_core::{Error, ErrorKind, Result};
use serde::de::DeserializeOwned;
use serde_json::value::RawValue;
use serde_json::{Map, Value};

use super::part::{self, made_id};
use super::wire::{self, camel, value};
use super::{ALT, NAME, PARAMETERS, SEPARATE, TURN, schema};

type Fields = Map<String, Value>;

/// The body's fields.
const FIELDS: &[&str] = &[
    "contents",
    "systemInstruction",
    "tools",
    "toolConfig",
    "generationConfig",
    "labels",
    "safetySettings",
    "cachedContent",
    "serviceTier",
    "continuationToken",
];

pub(super) fn accept(asked: Asked<'_>) -> Result<ChatRequest> {
    let body: wire::Any<'_> = serde_json::from_slice(asked.body).map_err(|e| wrong("the body", &e))?;
    let mut request = ChatRequest::default();
    path(asked.path, &mut request)?;
    let mut conversation = Conversation::default();
    let mut system = None;
    for (name, raw) in body.rest {
        let spelled = camel(&name);
        // A field that Google does not have is left as it is spelled.
        let name = if FIELDS.contains(&&*spelled) { spelled } else { name.clone() };
        match name.as_ref() {
            "contents" => conversation.contents(raw)?,
            "systemInstruction" => system = Some(instruction(raw)?),
            "tools" => request.tools = tools(&name, raw)?,
            "toolConfig" => tool_config(read(&name, raw)?, &mut request),
            "generationConfig" => generation_config(read(&name, raw)?, &mut request)?,
            "labels" => match serde_json::from_str::<BTreeMap<String, String>>(raw.get()) {
                Ok(labels) => request.metadata = labels,
                Err(_) => request.options.set(NAME, name, value(raw)),
            },
            // The path says it too.
            "model" => {
                if request.model.is_empty() {
                    let model: String = read(&name, raw)?;
                    model.trim_start_matches("models/").clone_into(&mut request.model);
                }
            }
            _ => request.options.set(NAME, name, value(raw)),
        }
    }
    if conversation.messages.is_empty() {
        return Err(invalid("`contents` is missing or empty; it must hold at least one turn"));
    }
    request.messages.extend(system.filter(|parts| !parts.is_empty()).map(|parts| Message::new(Role::System, parts)));
    request.messages.extend(conversation.messages);
    Ok(request)
}

/// `…/models/MODEL:METHOD?alt=sse`: the model, and how the answer is to come.
fn path(path: &str, request: &mut ChatRequest) -> Result<()> {
    let (path, query) = path.split_once('?').unwrap_or((path, ""));
    let Some((place, method)) = path.rsplit_once(':') else { return Ok(()) };
    match method {
        "generateContent" => {}
        "streamGenerateContent" => {
            request.stream = true;
            // What is not asked for as events comes as one list.
            if !query.split(['&', ';']).any(|pair| matches!(pair, "alt=sse" | "$alt=sse" | "%24alt=sse")) {
                request.options.set(NAME, ALT, "json".into());
            }
        }
        other => {
            let message = format!("this server has no method {other:?} for models; use generateContent");
            return Err(Error::new(ErrorKind::NotFound, message));
        }
    }
    let model = place.split_once("/models/").map(|(_, model)| model);
    let collection = || {
        let at = ["/tunedModels/", "/endpoints/", "/dynamic/"].iter().find_map(|name| place.find(name))?;
        Some(&place[at + 1..])
    };
    request.model = unescaped(model.or_else(collection).unwrap_or_default());
    Ok(())
}

fn unescaped(text: &str) -> String {
    let mut out = Vec::with_capacity(text.len());
    let mut rest = text.as_bytes();
    while let [first, tail @ ..] = rest {
        let hex = tail.get(..2).filter(|_| *first == b'%').and_then(|hex| std::str::from_utf8(hex).ok());
        if let Some(byte) = hex.and_then(|hex| u8::from_str_radix(hex, 16).ok()) {
            out.push(byte);
            rest = &tail[2..];
        } else {
            out.push(*first);
            rest = tail;
        }
    }
    String::from_utf8_lossy(&out).into_owned()
}

/// The turns as messages. Calls without ids get some, and results find their calls.
#[derive(Default)]
struct Conversation {
    messages: Vec<Message>,
    calls: usize,
    /// Calls that wait for their results, as ids and names.
    waiting: VecDeque<(String, String)>,
    last_was_result: bool,
}

impl Conversation {
    fn contents(&mut self, raw: &RawValue) -> Result<()> {
        let turns: wire::List<wire::Turn<'_>> = serde_json::from_str(raw.get()).map_err(|e| wrong("`contents`", &e))?;
        for (at, turn) in turns.0.into_iter().enumerate() {
            self.turn(at, turn)?;
        }
        Ok(())
    }

    /// A turn: the results in it are a message of the tools', and what else is in it one of its speaker's.
    fn turn(&mut self, at: usize, turn: wire::Turn<'_>) -> Result<()> {
        let speaker = match &*turn.role {
            "model" => Role::Assistant,
            "user" | "" | "function" => Role::User,
            other => {
                let message = format!("`contents[{at}].role` is {other:?}; it must be user or model");
                return Err(invalid(&message));
            }
        };
        if turn.parts.0.is_empty() {
            self.messages.push(Message::new(speaker.clone(), []));
            self.last_was_result = false;
        }
        for (n, part) in turn.parts.0.into_iter().enumerate() {
            let part = self.part(part);
            let is_result = matches!(part.content, Content::ToolResult(_));
            let joins = n > 0;
            let role = if is_result { Role::Tool } else { speaker.clone() };
            match self.messages.last_mut() {
                Some(last) if joins && last.role == role => last.parts.push(part),
                _ => {
                    let mut message = Message::new(role, [part]);
                    if joins {
                        message.meta.set(NAME, TURN, "same".into());
                    } else if is_result && self.last_was_result {
                        message.meta.set(NAME, TURN, "new".into());
                    }
                    if &*turn.role == "function" {
                        message.meta.set(NAME, "role", "function".into());
                    }
                    self.messages.push(message);
                }
            }
            self.last_was_result = is_result;
        }
        Ok(())
    }

    fn part(&mut self, mut part: wire::Part<'_>) -> Part {
        if let Some(call) = part.call.0.take() {
            let mut meta = part::beside(&part);
            part::set_inner(&mut meta, "functionCall", &call.rest);
            let id = if call.id.is_empty() { made_id("", self.calls) } else { call.id.0.into_owned() };
            self.calls += 1;
            self.waiting.push_back((id.clone(), call.name.to_string()));
            let call = ToolCall {
                id,
                name: call.name.0.into_owned(),
                arguments: call.args.map_or("{}", RawValue::get).to_owned(),
            };
            return Part { meta, ..Content::ToolCall(call).into() };
        }
        if part.text.is_none() && !part.rest.is_empty() {
            let mut read = part::read(part);
            if let Content::ToolResult(result) = &mut read.content {
                self.answers(result);
            }
            return read;
        }
        let meta = part::beside(&part);
        let text = part.text.take().unwrap_or_default().0.into_owned();
        let content = if part.thought.0 {
            let signature = Some(part.signature.0.into_owned()).filter(|signature| !signature.is_empty());
            Content::Reasoning(sabir_core::chat::Reasoning { text, signature, encrypted: None })
        } else {
            Content::Text { text }
        };
        Part { content, cache: None, meta }
    }

    /// Finds the call that a result answers: by its id, or the oldest of its name.
    fn answers(&mut self, result: &mut ToolResult) {
        let is_it = |(id, name): &(String, String)| match result.call_id.as_str() {
            "" => result.name.as_ref().is_none_or(|wanted| name == wanted),
            wanted => id == wanted,
        };
        if let Some((id, name)) = self.waiting.iter().position(is_it).and_then(|at| self.waiting.remove(at)) {
            result.call_id = id;
            // What the call tells is not repeated.
            if result.name.as_ref() == Some(&name) {
                result.name = None;
            }
        } else if result.call_id.is_empty() {
            result.call_id = made_id("", self.calls);
            self.calls += 1;
        }
    }
}

/// The operator's words: a turn, or text alone.
fn instruction(raw: &RawValue) -> Result<Vec<Part>> {
    if let Ok(text) = serde_json::from_str::<String>(raw.get()) {
        return Ok(vec![Part::text(text)]);
    }
    let turn: wire::Object<wire::Turn<'_>> =
        serde_json::from_str(raw.get()).map_err(|e| wrong("`systemInstruction`", &e))?;
    let mut conversation = Conversation::default();
    let parts = turn.0.unwrap_or_default().parts.0.into_iter();
    Ok(parts.map(|part| conversation.part(part)).collect())
}

fn tools(path: &str, raw: &RawValue) -> Result<Vec<Tool>> {
    let entries: Vec<Fields> = read(path, raw)?;
    let mut tools: Vec<Tool> = Vec::new();
    for (at, entry) in entries.into_iter().enumerate() {
        let mut is_first = matches!(tools.last(), Some(Tool::Function(_)));
        for (name, json) in entry {
            if json.is_null() {
                continue;
            }
            if camel(&name) != "functionDeclarations" {
                let json = Value::Object(Map::from_iter([(camel(&name).into_owned(), json)]));
                let dialect = NAME.to_owned();
                tools.push(Tool::Opaque { dialect, json });
                continue;
            }
            let path = format!("{path}[{at}].functionDeclarations");
            let declared: Vec<Fields> = serde_json::from_value(json).map_err(|e| wrong(&format!("`{path}`"), &e))?;
            for (n, fields) in declared.into_iter().enumerate() {
                let mut function = function(&format!("{path}[{n}]"), fields)?;
                if std::mem::take(&mut is_first) {
                    function.meta.set(NAME, SEPARATE, true.into());
                }
                tools.push(Tool::Function(function));
            }
        }
    }
    Ok(tools)
}

fn function(path: &str, fields: Fields) -> Result<FunctionTool> {
    let mut function = FunctionTool::default();
    for (name, value) in fields.into_iter().filter(|(_, value)| !value.is_null()) {
        match (camel(&name).as_ref(), value) {
            ("name", Value::String(text)) => function.name = text,
            ("description", Value::String(text)) => function.description = Some(text),
            ("parametersJsonSchema", schema) => function.parameters = Some(schema),
            (PARAMETERS, own) => {
                function.parameters.get_or_insert_with(|| schema::to_json_schema(&own));
                function.meta.set(NAME, PARAMETERS, own);
            }
            (name, value) => function.meta.set(NAME, name, value),
        }
    }
    if function.name.is_empty() {
        return Err(invalid(&format!("`{path}.name` is missing or no string")));
    }
    Ok(function)
}

/// What has a word is taken out of the fields; what is left is kept as an option.
fn tool_config(config: Fields, request: &mut ChatRequest) {
    let mut left = Fields::new();
    for (name, value) in config.into_iter().filter(|(_, value)| !value.is_null()) {
        let name = camel(&name).into_owned();
        match value {
            Value::Object(calling) if name == "functionCallingConfig" => {
                let calling = calling_config(calling, request);
                if !calling.is_empty() {
                    left.insert(name, calling.into());
                }
            }
            value => {
                left.insert(name, value);
            }
        }
    }
    if !left.is_empty() {
        request.options.set(NAME, "toolConfig", left.into());
    }
}

fn calling_config(calling: Fields, request: &mut ChatRequest) -> Fields {
    let mut left: Fields = calling.into_iter().map(|(name, value)| (camel(&name).into_owned(), value)).collect();
    left.retain(|_, value| !value.is_null());
    let names = left.get("allowedFunctionNames").and_then(Value::as_array);
    let names: Vec<String> = names.into_iter().flatten().filter_map(Value::as_str).map(str::to_owned).collect();
    let mode = match left.get("mode") {
        Some(Value::String(word)) => word.to_ascii_uppercase(),
        Some(Value::Number(number)) => {
            let words = ["", "AUTO", "ANY", "NONE", "VALIDATED"];
            let word = number.as_u64().and_then(|n| words.get(usize::try_from(n).ok()?));
            word.copied().unwrap_or_default().to_owned()
        }
        _ => String::new(),
    };
    let choice = match (mode.as_str(), names.as_slice()) {
        ("AUTO", []) => ToolChoice::Auto,
        ("NONE", []) => ToolChoice::None,
        ("ANY", []) => ToolChoice::Required,
        ("ANY", [name]) => ToolChoice::Named(name.clone()),
        ("ANY", _) => ToolChoice::Allowed { names, required: true },
        ("VALIDATED", [_, ..]) => ToolChoice::Allowed { names, required: false },
        _ => return left,
    };
    request.tool_choice = Some(choice);
    left.shift_remove("mode");
    left.shift_remove("allowedFunctionNames");
    left
}

fn generation_config(config: Fields, request: &mut ChatRequest) -> Result<()> {
    let mut left: Fields = config.into_iter().map(|(name, value)| (camel(&name).into_owned(), value)).collect();
    left.retain(|_, value| !value.is_null());
    request.temperature = take(&mut left, "temperature")?;
    request.top_p = take(&mut left, "topP")?;
    request.presence_penalty = take(&mut left, "presencePenalty")?;
    request.frequency_penalty = take(&mut left, "frequencyPenalty")?;
    request.stop = take(&mut left, "stopSequences")?.unwrap_or_default();
    request.max_tokens = whole(&mut left, "maxOutputTokens")?;
    request.top_k = whole(&mut left, "topK")?;
    request.seed = take(&mut left, "seed")?;
    // One answer is what there is anyway.
    if left.get("candidateCount").is_some_and(|count| *count == 1) {
        left.shift_remove("candidateCount");
    }
    request.response_format = format(&mut left);
    if let Some(Value::Object(wanted)) = left.get_mut("thinkingConfig") {
        let (reasoning, rest) = thinking(std::mem::take(wanted));
        request.reasoning = reasoning;
        if rest.is_empty() {
            left.shift_remove("thinkingConfig");
        } else {
            left.insert("thinkingConfig".to_owned(), rest.into());
        }
    }
    if !left.is_empty() {
        request.options.set(NAME, "generationConfig", left.into());
    }
    Ok(())
}

fn take<T: DeserializeOwned>(fields: &mut Fields, name: &str) -> Result<Option<T>> {
    let value = fields.shift_remove(name).map(serde_json::from_value).transpose();
    value.map_err(|e| wrong(&format!("`generationConfig.{name}`"), &e))
}

/// A whole number, which some clients write as `40.0`.
fn whole(fields: &mut Fields, name: &str) -> Result<Option<u64>> {
    match fields.get(name).and_then(Value::as_f64) {
        #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "checked to be whole and in range")]
        Some(number) if number.fract() == 0.0 && (0.0..1e15).contains(&number) => {
            fields.shift_remove(name);
            Ok(Some(number as u64))
        }
        _ => take(fields, name),
    }
}

/// Google's own form of a schema stays beside its translation, and goes in its place to whom it came from.
fn format(fields: &mut Fields) -> Option<ResponseFormat> {
    let mime = fields.get("responseMimeType").and_then(Value::as_str)?.to_owned();
    let schema = match mime.as_str() {
        "application/json" => {
            let standard =
                ["responseJsonSchema", "_responseJsonSchema"].iter().find_map(|name| fields.shift_remove(*name));
            standard.or_else(|| fields.get("responseSchema").map(schema::to_json_schema))
        }
        "text/plain" => None,
        _ => return None,
    };
    fields.shift_remove("responseMimeType");
    Some(match schema {
        Some(schema) => ResponseFormat::JsonSchema { name: name_of(&schema), schema, description: None, strict: None },
        None if mime == "text/plain" => ResponseFormat::Text,
        None => ResponseFormat::Json,
    })
}

/// Other dialects want a name for a schema: its title, where that can be one.
fn name_of(schema: &Value) -> String {
    let fits = |title: &&str| {
        title.len() <= 64 && title.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'_'))
    };
    schema.get("title").and_then(Value::as_str).filter(fits).unwrap_or_default().to_owned()
}

/// How much to think, and what there is no word for.
fn thinking(wanted: Fields) -> (Option<ReasoningRequest>, Fields) {
    let mut left: Fields = wanted.into_iter().map(|(name, value)| (camel(&name).into_owned(), value)).collect();
    left.retain(|_, value| !value.is_null());
    let shows = left.get("includeThoughts").is_some_and(|shows| *shows == true);
    let budget = left.get("thinkingBudget").and_then(Value::as_i64);
    let level = left.get("thinkingLevel").and_then(Value::as_str).map(str::to_ascii_lowercase);
    let mut reasoning = ReasoningRequest::default();
    match (budget, level) {
        (Some(0), None) => {
            left.shift_remove("thinkingBudget");
            reasoning.effort = Some(Effort::None);
            return (Some(reasoning), left);
        }
        (Some(-1), None) => reasoning.enabled = Some(true),
        (Some(budget), None) if budget > 0 => reasoning.budget = u64::try_from(budget).ok(),
        (None, Some(level)) if level != "thinking_level_unspecified" => {
            reasoning.effort = Some(Effort::from(level.as_str()));
        }
        (None, None) if shows => reasoning.enabled = Some(true),
        _ => return (None, left),
    }
    left.shift_remove("thinkingBudget");
    left.shift_remove("thinkingLevel");
    // Thoughts are shown to whom asks for them; who did not is not to see any.
    if shows {
        left.shift_remove("includeThoughts");
    } else {
        left.insert("includeThoughts".to_owned(), false.into());
    }
    (Some(reasoning), left)
}

fn read<T: DeserializeOwned>(path: &str, raw: &RawValue) -> Result<T> {
    serde_json::from_str(raw.get()).map_err(|e| wrong(&format!("`{path}`"), &e))
}

fn wrong(what: &str, error: &serde_json::Error) -> Error {
    invalid(&format!("{what} is not what this dialect takes: {}", without_values(&error.to_string())))
}

fn invalid(message: &str) -> Error {
    Error::new(ErrorKind::InvalidRequest, message)
}
