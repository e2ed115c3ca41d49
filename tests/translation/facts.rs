//! What a request or an answer says, taken apart into facts that can be found again in another: settings by their
//! names, and what is said in order, each with the place where it stood.

use std::collections::BTreeMap;

use sabir::chat::{
    ChatRequest, ChatResponse, Content, Effort, Message, Meta, Part, ReasoningRequest, ResponseFormat, Role, Tool,
    ToolChoice, Usage,
};
use serde_json::{Value, json};

/// Something that stands in an order: a part of a message or an answer, or a tool.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Said {
    /// Where it stands, as losses write it; texts of one speaker that stand side by side count as one.
    pub(crate) paths: Vec<String>,
    /// What is said, without where.
    pub(crate) what: Value,
}

/// All that is said.
#[derive(Debug, Default)]
pub(crate) struct Facts {
    /// Settings, counters and the like, by name.
    pub(crate) settings: BTreeMap<String, Value>,
    /// The conversation, or the parts of an answer.
    pub(crate) parts: Vec<Said>,
    /// The tools.
    pub(crate) tools: Vec<Said>,
}

/// The facts of a request. Not among them: the model (the one who asks names it anew), and whether it streams.
/// `between`: it goes from one dialect to another, whose remarks are losses by themselves.
pub(crate) fn of_request(request: &ChatRequest, between: bool) -> Facts {
    let mut settings = match serde_json::to_value(request) {
        Ok(Value::Object(fields)) => fields,
        other => panic!("a request is an object: {other:?}"),
    };
    for elsewhere in ["model", "messages", "tools", "stream", "strict", "options"] {
        settings.shift_remove(elsewhere);
    }
    synonyms(request, &mut settings);
    let mut facts = Facts { settings: settings.into_iter().collect(), ..Facts::default() };
    for dialect in request.options.dialects() {
        facts.settings.insert(format!("options.{dialect}"), json!(request.options.of(dialect)));
    }
    for (n, tool) in request.tools.iter().enumerate() {
        facts.tools.push(Said { paths: vec![format!("tools[{n}]")], what: of_tool(tool, between) });
    }
    let calls = Calls::of(&request.messages);
    for (at, message) in request.messages.iter().enumerate() {
        for said in of_message(at, message, &calls, between) {
            add(&mut facts.parts, said);
        }
    }
    facts
}

/// The facts of an answer. Not among them: what is known of how it came (latency, headers, attempts, the raw body),
/// and its id and creation time, which belong to the connection.
pub(crate) fn of_response(response: &ChatResponse, between: bool) -> Facts {
    let mut facts = Facts::default();
    let mut set = |name: &str, value: Value| {
        if !value.is_null() {
            facts.settings.insert(name.to_owned(), value);
        }
    };
    set("finish.reason", json!(response.finish.reason));
    set("finish.stop_sequence", json!(response.finish.stop_sequence));
    for (name, value) in counters(&response.usage) {
        set(name, json!(value));
    }
    for dialect in response.meta.dialects().filter(|_| !between) {
        set(&format!("meta.{dialect}"), json!(response.meta.of(dialect)));
    }
    let message = response.to_message();
    let calls = Calls::of(std::slice::from_ref(&message));
    for (n, part) in message.parts.iter().enumerate() {
        add(&mut facts.parts, Said { paths: vec![format!("parts[{n}]")], what: of_part(part, &calls, between) });
    }
    facts
}

/// Adds what is said. Whether a text comes in one part or in two, and with how much white space where they meet, is
/// the dialect's way of writing.
fn add(all: &mut Vec<Said>, mut said: Said) {
    let is_text = |what: &Value| matches!(what["type"].as_str(), Some("text" | "reasoning" | "refusal"));
    if is_text(&said.what) {
        let text = said.what["text"].as_str().unwrap_or_default();
        said.what["text"] = text.split_whitespace().collect::<String>().into();
    }
    if let Some(last) = all.last_mut() {
        let but_text = |what: &Value| {
            let mut what = what.clone();
            what["text"] = Value::Null;
            what
        };
        if said.what["type"] == "text" && but_text(&last.what) == but_text(&said.what) {
            let both = [&last.what, &said.what].map(|what| what["text"].as_str().unwrap_or_default().to_owned());
            last.what["text"] = both.concat().into();
            last.paths.extend(said.paths);
            return;
        }
    }
    // An empty text says nothing.
    if said.what["type"] != "text" || said.what["text"] != "" {
        all.push(said);
    }
}

fn counters(usage: &Usage) -> Vec<(&'static str, Option<u64>)> {
    vec![
        ("usage.input", usage.input_total()),
        ("usage.output", usage.output_total()),
        // A share of nothing is no share.
        ("usage.cache_read", usage.cache_read.filter(|count| *count > 0)),
        ("usage.cache_write", usage.cache_write.filter(|count| *count > 0)),
        ("usage.cache_write_1h", usage.cache_write_1h.filter(|count| *count > 0)),
        ("usage.reasoning", usage.reasoning.filter(|count| *count > 0)),
    ]
}

fn of_message(at: usize, message: &Message, calls: &Calls, between: bool) -> Vec<Said> {
    // The same everywhere but at one provider.
    let role = if message.role == Role::Developer { &Role::System } else { &message.role };
    let mut all: Vec<Said> = Vec::new();
    for (n, part) in message.parts.iter().enumerate() {
        let mut what = of_part(part, calls, between);
        // Results are the tool's, whoever hands them over.
        let is_result = matches!(part.content, Content::ToolResult(_));
        what["role"] = json!(if is_result { &Role::Tool } else { role });
        let mut paths = vec![format!("messages[{at}].parts[{n}]")];
        if let Some(name) = &message.name {
            what["name"] = json!(name);
            paths.push(format!("messages[{at}].name"));
        }
        if !between && !message.meta.is_empty() {
            what["message"] = json!(message.meta);
        }
        all.push(Said { paths, what });
    }
    all
}

fn of_part(part: &Part, calls: &Calls, between: bool) -> Value {
    let mut part = part.clone();
    match &mut part.content {
        Content::ToolCall(call) => call.id = calls.number(&call.id),
        Content::ToolResult(result) => {
            // An empty text says nothing.
            result.parts.retain(|part| part.as_text() != Some(""));
            result.name = calls.name(&result.call_id);
            result.call_id = calls.number(&result.call_id);
        }
        _ => {}
    }
    if let Content::Citation(citation) = &mut part.content
        && between
    {
        citation.json = Value::Null;
    }
    let mut what = json!(part);
    strip(&mut what, between);
    what
}

/// Takes remarks out of a value, wherever they stand in it: those on form, and where it goes between dialects all,
/// since each of those is a loss by itself.
fn strip(value: &mut Value, between: bool) {
    match value {
        Value::Object(fields) => {
            if let Some(Value::Object(meta)) = fields.get_mut("meta") {
                for remarks in meta.values_mut().filter_map(Value::as_object_mut) {
                    remarks.shift_remove(Meta::FORM);
                }
                meta.retain(|_, remarks| !between && remarks.as_object().is_none_or(|remarks| !remarks.is_empty()));
                if meta.is_empty() {
                    fields.shift_remove("meta");
                }
            }
            fields.values_mut().for_each(|field| strip(field, between));
        }
        Value::Array(items) => items.iter_mut().for_each(|item| strip(item, between)),
        _ => {}
    }
}

/// What has two words for one thing comes under one: what every provider does unasked is as if it were not asked.
fn synonyms(request: &ChatRequest, settings: &mut serde_json::Map<String, Value>) {
    if request.tool_choice == Some(ToolChoice::Auto) {
        settings.shift_remove("tool_choice");
    }
    // Where no tool may be called, none are called side by side.
    if request.parallel_tool_calls == Some(true) || request.tool_choice == Some(ToolChoice::None) {
        settings.shift_remove("parallel_tool_calls");
    }
    if request.response_format == Some(ResponseFormat::Text) {
        settings.shift_remove("response_format");
    }
    if let Some(format) = settings.get_mut("response_format").filter(|format| format["strict"] == false) {
        format.as_object_mut().map(|format| format.shift_remove("strict"));
    }
    // Where there is no other name, a schema's title is one.
    if let Some(format) = settings.get_mut("response_format").filter(|format| format["name"].is_null()) {
        let title = format["schema"]["title"].as_str().filter(|title| is_name(title));
        format["name"] = title.map_or(Value::Null, Value::from);
    }
    if let Some(reasoning) = &request.reasoning {
        let mut reasoning = reasoning.clone();
        if reasoning.effort == Some(Effort::None) {
            reasoning = ReasoningRequest { enabled: Some(false), ..ReasoningRequest::default() };
        } else if reasoning.effort.is_some() || reasoning.budget.is_some() {
            reasoning.enabled = None;
        }
        settings.insert("reasoning".into(), json!(reasoning));
    }
}

/// Whether OpenAI would take it for a schema's name.
fn is_name(title: &str) -> bool {
    (1..=64).contains(&title.len()) && title.chars().all(|c| c.is_ascii_alphanumeric() || c == '_' || c == '-')
}

fn of_tool(tool: &Tool, between: bool) -> Value {
    let mut what = json!(tool);
    strip(&mut what, between);
    if let Some(fields) = what.as_object_mut() {
        if fields.get("strict") == Some(&json!(false)) {
            fields.shift_remove("strict");
        }
        if fields.get("parameters") == Some(&json!({"type": "object", "properties": {}})) {
            fields.shift_remove("parameters");
        }
    }
    what
}

/// The calls of a conversation. Dialects without ids make new ones: what must hold is which result belongs to which.
struct Calls(Vec<(String, String)>);

impl Calls {
    fn of(messages: &[Message]) -> Self {
        let parts = messages.iter().flat_map(|message| &message.parts);
        let calls = parts.filter_map(|part| match &part.content {
            Content::ToolCall(call) => Some((call.id.clone(), call.name.clone())),
            _ => None,
        });
        Self(calls.collect())
    }

    fn number(&self, id: &str) -> String {
        let at = self.0.iter().position(|(known, _)| known == id);
        at.map_or_else(|| "of no call".to_owned(), |at| format!("call {at}"))
    }

    fn name(&self, id: &str) -> Option<String> {
        self.0.iter().find(|(known, _)| known == id).map(|(_, name)| name.clone())
    }
}
