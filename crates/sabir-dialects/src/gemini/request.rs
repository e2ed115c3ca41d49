//! Requests as a client writes them.

use sabir_core::chat::{
    ChatRequest, Content, Effort, FunctionTool, Message, Part, ReasoningRequest, ResponseFormat, Role, Tool, ToolChoice,
};
use sabir_core::dialect::Encoded;
use sabir_core::{Endpoint, Error, ErrorKind, Feature, Result};
use serde_json::{Map, Value, json};

use super::part::{Parts, pass_unsigned};
use super::wire::{self, Writer};
use super::{ALT, NAME, PARAMETERS, SEPARATE, TURN};

/// The most stop sequences that Google takes.
const MOST_STOPS: usize = 5;

pub(super) fn encode(request: &ChatRequest, endpoint: &Endpoint) -> Result<Encoded> {
    let uri = endpoint.url(&path(request, endpoint)?)?;
    let mut encoding = Encoding { request, parts: Parts::default() };
    let body = encoding.body()?;
    Ok(Encoded::post_json(uri, body, encoding.parts.losses))
}

/// `/models/MODEL:generateContent`, behind the publisher where the row names one.
fn path(request: &ChatRequest, endpoint: &Endpoint) -> Result<String> {
    let model = request.model.strip_prefix("models/").unwrap_or(&request.model);
    if model.is_empty() {
        return Err(invalid("the request names no model; set one"));
    }
    let prefix = endpoint.quirks.get("path_prefix").filter(|prefix| !endpoint.base_url.ends_with(prefix));
    // Tuned models and endpoints are collections of their own.
    let place = match model.split_once('/') {
        Some(("tunedModels" | "endpoints" | "dynamic", _)) => "",
        _ => "models/",
    };
    let mut path = prefix.map_or_else(String::new, |prefix| format!("/{prefix}"));
    path.push('/');
    path.push_str(place);
    for byte in model.bytes() {
        match byte {
            b'/' | b':' | b'-' | b'_' | b'.' | b'~' | b'@' => path.push(char::from(byte)),
            _ if byte.is_ascii_alphanumeric() => path.push(char::from(byte)),
            _ => path.extend(['%', hex(byte >> 4), hex(byte & 15)]),
        }
    }
    let as_array = request.options.get(NAME, ALT).is_some_and(|alt| alt == "json");
    path.push_str(match (request.stream, as_array) {
        (false, _) => ":generateContent",
        (true, true) => ":streamGenerateContent",
        (true, false) => ":streamGenerateContent?alt=sse",
    });
    Ok(path)
}

fn hex(digit: u8) -> char {
    char::from_digit(u32::from(digit), 16).unwrap_or_default().to_ascii_uppercase()
}

/// The generation of a Gemini model: 2.5 for `gemini-2.5-flash`; `None` for a name that does not say.
fn generation(model: &str) -> Option<f32> {
    let behind = model.rsplit('/').next()?.strip_prefix("gemini-")?;
    let end = behind.find(|c: char| !c.is_ascii_digit() && c != '.').unwrap_or(behind.len());
    behind[..end].parse().ok()
}

struct Encoding<'r> {
    request: &'r ChatRequest,
    parts: Parts,
}

/// A turn on the wire.
struct Turn {
    role: String,
    parts: Vec<String>,
    /// It ends in a result.
    has_results: bool,
}

impl Encoding<'_> {
    fn lose(&mut self, feature: Feature, path: &str, note: &str) {
        self.parts.lose(feature, path, note);
    }

    fn body(&mut self) -> Result<String> {
        let request = self.request;
        let mut fields: Vec<(String, String)> = Vec::new();
        let mut put = |name: &str, json: String| fields.push((name.to_owned(), json));
        let system = self.system();
        if !system.is_empty() {
            put("systemInstruction", format!("{{\"parts\":{}}}", wire::list(&system)));
        }
        put("contents", wire::list(&self.contents()?));
        let tools = self.tools();
        if !tools.is_empty() {
            put("tools", Value::from(tools).to_string());
        }
        let mut options = request.options.of(NAME).cloned().unwrap_or_default();
        options.shift_remove(ALT);
        let nested = [("toolConfig", self.tool_config()), ("generationConfig", self.generation_config(&options))];
        for (name, mut config) in nested {
            if let Some(Value::Object(own)) = options.get_mut(name) {
                merge(&mut config, std::mem::take(own));
                options.shift_remove(name);
            }
            if !config.is_empty() {
                put(name, Value::Object(config).to_string());
            }
        }
        if !request.metadata.is_empty() {
            put("labels", wire::text(&request.metadata));
        }
        for (name, value) in options {
            fields.retain(|(known, _)| *known != name);
            fields.push((name, value.to_string()));
        }
        self.left_out();
        let mut out = Writer::new();
        for (name, json) in &fields {
            out.raw(name, json);
        }
        Ok(out.end())
    }

    /// What this dialect has no field for.
    fn left_out(&mut self) {
        let request = self.request;
        let never = [
            (
                request.parallel_tool_calls == Some(false),
                Feature::ParallelTools,
                "parallel_tool_calls",
                "several calls may come at once",
            ),
            (request.user.is_some(), Feature::User, "user", "not in this dialect"),
            (request.cache.is_some(), Feature::CacheMarks, "cache", "Google caches by itself"),
            (request.cache_key.is_some(), Feature::CacheKey, "cache_key", "not in this dialect"),
        ];
        for (is_asked, feature, path, note) in never {
            if is_asked {
                self.lose(feature, path, note);
            }
        }
        for dialect in request.options.dialects().filter(|dialect| *dialect != NAME) {
            self.lose(Feature::Options, &format!("options.{dialect}"), "options of another dialect");
        }
    }

    fn system(&mut self) -> Vec<String> {
        let mut parts = Vec::new();
        for (at, message) in self.request.split_system().0.iter().enumerate() {
            if message.role == Role::Developer {
                self.lose(Feature::SystemPrompt, &format!("messages[{at}].role"), "sent as the operator's");
            }
            self.lose_name(at, message);
            for (n, part) in message.parts.iter().enumerate() {
                parts.extend(self.parts.write(part, &format!("messages[{at}].parts[{n}]")));
            }
        }
        parts
    }

    fn lose_name(&mut self, at: usize, message: &Message) {
        if message.name.is_some() {
            self.lose(Feature::Names, &format!("messages[{at}].name"), "not in this dialect");
        }
    }

    fn contents(&mut self) -> Result<Vec<String>> {
        let (lead, rest) = self.request.split_system();
        let wants_signatures = generation(&self.request.model).is_some_and(|generation| generation >= 3.0);
        let mut turns: Vec<Turn> = Vec::new();
        for (at, message) in rest.iter().enumerate().map(|(at, message)| (at + lead.len(), message)) {
            let role = match &message.role {
                Role::Assistant => "model",
                Role::User | Role::Tool => "user",
                Role::System | Role::Developer => {
                    self.lose(Feature::SystemMidway, &format!("messages[{at}]"), "sent as the user's");
                    "user"
                }
                other => {
                    let message = format!("messages[{at}].role: this dialect has no {other:?}; use user or assistant");
                    return Err(invalid(&message));
                }
            };
            let role = message.meta.get(NAME, "role").and_then(Value::as_str).unwrap_or(role);
            self.lose_name(at, message);
            let mut parts = message.parts.clone();
            if wants_signatures && role == "model" {
                pass_unsigned(&mut parts);
            }
            self.turn(at, message, role, &parts, &mut turns);
        }
        if turns.is_empty() {
            return Err(invalid("the request has no message besides the operator's; add one of the user's"));
        }
        let written = turns.into_iter().map(|turn| {
            let mut out = Writer::new();
            out.field("role", &turn.role).raw("parts", &wire::list(&turn.parts));
            out.end()
        });
        Ok(written.collect())
    }

    /// Writes a message as a turn, or as the rest of the one before: all results of a turn's calls belong into one.
    fn turn(&mut self, at: usize, message: &Message, role: &str, parts: &[Part], turns: &mut Vec<Turn>) {
        let asked = message.meta.get(NAME, TURN).and_then(Value::as_str);
        let mut joins = asked == Some("same");
        if parts.is_empty() && !joins {
            let (role, parts) = (role.to_owned(), Vec::new());
            turns.push(Turn { role, parts, has_results: false });
        }
        for (n, part) in parts.iter().enumerate() {
            let is_result = matches!(part.content, Content::ToolResult(_));
            // Only the user's side gives results.
            let role = if is_result && role == "model" { "user" } else { role };
            let Some(json) = self.parts.write(part, &format!("messages[{at}].parts[{n}]")) else {
                continue;
            };
            match turns.last_mut() {
                Some(last)
                    if last.role == role && (joins || (is_result && last.has_results && asked != Some("new"))) =>
                {
                    last.parts.push(json);
                    last.has_results = is_result;
                }
                _ => turns.push(Turn { role: role.to_owned(), parts: vec![json], has_results: is_result }),
            }
            joins = true;
        }
    }

    /// Functions that follow each other are one entry.
    fn tools(&mut self) -> Vec<Value> {
        let mut entries: Vec<Value> = Vec::new();
        for (at, tool) in self.request.tools.iter().enumerate() {
            match tool {
                Tool::Function(function) => {
                    let declared = self.function(at, function);
                    let is_apart = function.meta.get(NAME, SEPARATE).is_some();
                    match entries.last_mut().and_then(|entry| entry.get_mut("functionDeclarations")) {
                        Some(Value::Array(list)) if !is_apart => list.push(declared),
                        _ => entries.push(json!({"functionDeclarations": [declared]})),
                    }
                }
                Tool::Opaque { dialect, json } if dialect == NAME => entries.push(json.clone()),
                _ => self.lose(Feature::Opaque, &format!("tools[{at}]"), "a tool of another dialect alone"),
            }
        }
        entries
    }

    fn function(&mut self, at: usize, function: &FunctionTool) -> Value {
        let own = function.meta.of(NAME);
        let mut fields = Map::new();
        fields.insert("name".into(), function.name.clone().into());
        fields.extend(function.description.clone().map(|text| ("description".into(), text.into())));
        if own.is_none_or(|own| !own.contains_key(PARAMETERS)) {
            fields.extend(function.parameters.clone().map(|schema| ("parametersJsonSchema".into(), schema)));
        }
        let own = own.into_iter().flatten().filter(|(name, _)| *name != SEPARATE);
        fields.extend(own.map(|(name, value)| (name.clone(), value.clone())));
        if function.strict == Some(true) {
            self.lose(Feature::StrictTools, &format!("tools[{at}].strict"), "not in this dialect");
        }
        if function.cache.is_some() {
            self.lose(Feature::CacheMarks, &format!("tools[{at}]"), "Google caches by itself");
        }
        fields.into()
    }

    fn tool_config(&self) -> Map<String, Value> {
        let (mode, names) = match &self.request.tool_choice {
            Some(ToolChoice::Auto) => ("AUTO", None),
            Some(ToolChoice::None) => ("NONE", None),
            Some(ToolChoice::Required) => ("ANY", None),
            Some(ToolChoice::Named(name)) => ("ANY", Some(json!([name]))),
            Some(ToolChoice::Allowed { names, required: true }) => ("ANY", Some(json!(names))),
            // Names are taken in these two modes alone, and this one leaves calls to the model.
            Some(ToolChoice::Allowed { names, .. }) => ("VALIDATED", Some(json!(names))),
            _ => return Map::new(),
        };
        let mut calling = json!({ "mode": mode });
        if let Some(names) = names {
            calling["allowedFunctionNames"] = names;
        }
        Map::from_iter([("functionCallingConfig".to_owned(), calling)])
    }

    fn generation_config(&mut self, options: &Map<String, Value>) -> Map<String, Value> {
        let request = self.request;
        let mut config = Map::new();
        let mut put = |name: &str, value: Option<Value>| config.extend(value.map(|value| (name.to_owned(), value)));
        put("temperature", request.temperature.map(Value::from));
        put("topP", request.top_p.map(Value::from));
        put("topK", request.top_k.map(Value::from));
        put("maxOutputTokens", request.max_tokens.map(Value::from));
        let stops = &request.stop[..request.stop.len().min(MOST_STOPS)];
        put("stopSequences", (!stops.is_empty()).then(|| json!(stops)));
        let seed = request.seed.and_then(|seed| i32::try_from(seed).ok());
        put("seed", seed.map(Value::from));
        put("presencePenalty", request.presence_penalty.map(Value::from));
        put("frequencyPenalty", request.frequency_penalty.map(Value::from));
        let own = |name: &str| options.get("generationConfig").and_then(|own| own.get(name));
        match &request.response_format {
            Some(ResponseFormat::Text) => put("responseMimeType", Some("text/plain".into())),
            Some(ResponseFormat::Json) => put("responseMimeType", Some("application/json".into())),
            Some(ResponseFormat::JsonSchema { schema, .. }) => {
                put("responseMimeType", Some("application/json".into()));
                if own("responseSchema").is_none() {
                    put("responseJsonSchema", Some(schema.clone()));
                }
            }
            _ => {}
        }
        let candidates = own("candidateCount").and_then(Value::as_u64);
        put("thinkingConfig", self.thinking());
        if let Some(ResponseFormat::JsonSchema { description: Some(_), .. }) = &request.response_format {
            self.lose(Feature::JsonSchema, "response_format.description", "not in this dialect");
        }
        if request.stop.len() > MOST_STOPS {
            self.lose(Feature::Stop, "stop", "only the first five are sent: Google takes no more");
        }
        if request.seed.is_some() && seed.is_none() {
            self.lose(Feature::Seed, "seed", "not sent: Google takes seeds of 32 bits");
        }
        if candidates.is_some_and(|count| count > 1) {
            let path = format!("options.{NAME}.generationConfig.candidateCount");
            self.lose(Feature::Choices, &path, "only the first answer is read");
        }
        config
    }

    /// Models of the second generation count thinking in tokens, later ones take words. For the words, tokens are
    /// those that Google's own OpenAI-compatible service takes for them.
    fn thinking(&mut self) -> Option<Value> {
        let ReasoningRequest { effort, budget, enabled } = self.request.reasoning.as_ref()?;
        let generation = generation(&self.request.model);
        let counts = generation.is_some_and(|generation| generation < 3.0);
        let is_off = *budget == Some(0) || *enabled == Some(false) || *effort == Some(Effort::None);
        if is_off {
            if generation.is_none() || counts {
                return Some(json!({"thinkingBudget": 0}));
            }
            self.lose(Feature::ReasoningEffort, "reasoning", "this model always thinks; it is told to do so least");
            return Some(json!({"thinkingLevel": "MINIMAL"}));
        }
        let mut config = Map::new();
        match (budget, effort) {
            (Some(budget), effort) => {
                config.insert("thinkingBudget".into(), (*budget).into());
                if effort.is_some() {
                    self.lose(Feature::ReasoningEffort, "reasoning.effort", "Google takes words or tokens, not both");
                }
            }
            (None, Some(effort)) if counts => {
                let tokens = match effort {
                    Effort::Minimal | Effort::Low => 1024,
                    Effort::Medium => 8192,
                    _ => 24576,
                };
                config.insert("thinkingBudget".into(), tokens.into());
            }
            (None, Some(Effort::Max)) => {
                self.lose(Feature::ReasoningEffort, "reasoning.effort", "max is sent as XHIGH");
                config.insert("thinkingLevel".into(), "XHIGH".into());
            }
            (None, Some(effort)) => {
                config.insert("thinkingLevel".into(), effort.as_str().to_ascii_uppercase().into());
            }
            // As much as the model likes: the default but for the smallest models of this generation.
            (None, None) if counts => {
                config.insert("thinkingBudget".into(), (-1).into());
            }
            (None, None) => {}
        }
        // Who asks for thoughts wants to see them, as with other providers.
        config.insert("includeThoughts".into(), true.into());
        Some(config.into())
    }
}

/// Puts `own` into `config`; it wins where both say something.
fn merge(config: &mut Map<String, Value>, own: Map<String, Value>) {
    for (name, value) in own {
        match (config.get_mut(&name), value) {
            (Some(Value::Object(config)), Value::Object(own)) => merge(config, own),
            (_, value) => {
                config.insert(name, value);
            }
        }
    }
}

fn invalid(message: &str) -> Error {
    Error::new(ErrorKind::InvalidRequest, message)
}
