//! What several rooms say in the same way: what cannot be carried, with which status an error goes, how a function is
//! written. No room's format is known here.

use std::borrow::Cow;
use std::collections::{HashMap, VecDeque};
use std::time::Duration;

use http::header::CONTENT_TYPE;
use http::{HeaderMap, HeaderValue, StatusCode};
use sabir_core::chat::{
    ChatRequest, ChatResponse, Citation, Content, Document, Finish, FunctionTool, Message, Meta, Part, ResponseFormat,
    Role, Source, Tool, ToolCall, ToolChoice, Usage,
};
use sabir_core::dialect::Answer;
use sabir_core::drive::client::decode_whole;
use sabir_core::error::kind_for;
use sabir_core::{Dialect, Error, ErrorKind, Feature, Loss, Result, Sink};
use serde_json::value::RawValue;
use serde_json::{Value, json};

use crate::json::{Fields, List, Object, Wrong, plain_words, title_of, value_of, write_json};
#[allow(unused_imports, reason = "each room uses some of it")]
pub(crate) use crate::mime::image_mime;

#[cfg(test)]
pub(crate) mod trial;

/// What could not be carried, as it is found.
#[derive(Debug, Default)]
pub(crate) struct Losses(pub(crate) Vec<Loss>);

impl Losses {
    pub(crate) fn lose(&mut self, feature: Feature, path: impl Into<String>, note: &str) {
        self.0.push(Loss::new(feature, path, note));
    }

    /// Something that has a place, but not this one.
    pub(crate) fn order(&mut self, path: impl Into<String>, note: &str) {
        self.lose(Feature::Order, path, note);
    }

    /// Sources that are `told`, but at the end of an answer, where they did not stand.
    pub(crate) fn sources_last(&mut self, parts: &[Part], told: impl Fn(&Citation) -> bool) {
        let last = parts.iter().rposition(|part| !matches!(part.content, Content::Citation(_)));
        for (at, part) in parts.iter().enumerate().take(last.unwrap_or_default()) {
            if matches!(&part.content, Content::Citation(citation) if told(citation)) {
                self.order(format!("parts[{at}]"), "sources are told at the end of an answer");
            }
        }
    }

    /// A text that cannot be told from the one beside it.
    pub(crate) fn joined(&mut self, path: impl Into<String>) {
        self.lose(Feature::Other("separate_texts".into()), path, "there is one text here; joined");
    }

    /// The sequence at which an answer stopped, where only is told that it was one.
    pub(crate) fn stop_sequence(&mut self, finish: &Finish) {
        if finish.stop_sequence.is_some() {
            self.lose(Feature::Stop, "finish.stop_sequence", "which sequence it was is not told");
        }
    }

    /// A finish that has no word.
    pub(crate) fn finish(&mut self) {
        self.lose(Feature::Other("finish".into()), "finish", "told as a plain end");
    }

    /// Settings of a request that none of the rooms here has a place for, and options of other dialects.
    pub(crate) fn settings(&mut self, request: &ChatRequest, dialect: &str) {
        let gone = [
            (request.parallel_tool_calls.is_some(), Feature::ParallelTools, "parallel_tool_calls"),
            (request.cache.is_some(), Feature::CacheMarks, "cache"),
            (request.cache_key.is_some(), Feature::CacheKey, "cache_key"),
            (request.user.is_some(), Feature::User, "user"),
            (!request.metadata.is_empty(), Feature::Metadata, "metadata"),
        ];
        self.absent(gone);
        self.options(request, dialect);
    }

    /// Settings of a request that have no place, where they are there.
    pub(crate) fn absent<'p>(&mut self, settings: impl IntoIterator<Item = (bool, Feature, &'p str)>) {
        for (_, feature, path) in settings.into_iter().filter(|(is_there, ..)| *is_there) {
            self.lose(feature, path, "not in this dialect");
        }
    }

    /// Options of other dialects.
    pub(crate) fn options(&mut self, request: &ChatRequest, dialect: &str) {
        for other in request.options.dialects().filter(|other| *other != dialect) {
            self.lose(Feature::Options, format!("options.{other}"), "options of another dialect");
        }
    }

    /// The name of a message's speaker, and marks for a cache.
    pub(crate) fn marks(&mut self, at: usize, message: &Message) {
        if message.name.is_some() {
            self.lose(Feature::Names, format!("messages[{at}].name"), "speakers have no names in this dialect");
        }
        for n in (0..message.parts.len()).filter(|n| message.parts[*n].cache.is_some()) {
            self.lose(Feature::CacheMarks, path(at, n), "not in this dialect");
        }
    }

    /// The schema that an answer must follow; what stands beside it is lost.
    pub(crate) fn schema<'r>(&mut self, request: &'r ChatRequest) -> Option<&'r Value> {
        let Some(ResponseFormat::JsonSchema { name, schema, description, strict }) = &request.response_format else {
            return None;
        };
        if *strict == Some(true) {
            let note = "how strictly a schema is kept cannot be said; the service decides";
            self.lose(Feature::JsonSchema, "response_format.strict", note);
        }
        // The title is read as the name: where there is no other, nothing is lost.
        if !name.is_empty() && Some(name.as_str()) != title_of(schema) {
            self.lose(Feature::JsonSchema, "response_format.name", "a schema has no name in this dialect");
        }
        if description.is_some() {
            self.lose(Feature::JsonSchema, "response_format.description", "not in this dialect");
        }
        Some(schema)
    }

    /// The names of the tools that are offered, where a choice of tools cannot be said but in this way.
    pub(crate) fn offered(&mut self, request: &ChatRequest) -> Option<Vec<String>> {
        let (offered, note) = match request.tool_choice.as_ref()? {
            ToolChoice::None => (Some(Vec::new()), "the tools are left out"),
            ToolChoice::Required => (None, "a call cannot be forced in this dialect"),
            ToolChoice::Named(name) => (Some(vec![name.clone()]), "this tool cannot be named; it alone is offered"),
            ToolChoice::Allowed { names, .. } => (Some(names.clone()), "only these tools are offered"),
            _ => return None,
        };
        self.lose(Feature::ToolChoice, "tool_choice", note);
        offered
    }

    /// Whether a tool is not among those offered, which is said.
    pub(crate) fn is_withheld(&mut self, at: usize, function: &FunctionTool, offered: Option<&[String]>) -> bool {
        let is_withheld = offered.is_some_and(|offered| !offered.contains(&function.name));
        if is_withheld {
            self.lose(Feature::ToolChoice, format!("tools[{at}]"), "left out: the choice is told by what is offered");
        }
        is_withheld
    }

    /// The usage for a dialect whose totals are what their parts come to: where the provider stated a total that is
    /// less than its parts, it takes their place, as it is what is billed.
    pub(crate) fn summed<'u>(&mut self, usage: &'u Usage) -> Cow<'u, Usage> {
        let mut summed = Cow::Borrowed(usage);
        let mut lose = |count: &mut Option<u64>, what: &str| {
            if count.take() > Some(0) {
                let note = "more than the provider's own total, which alone is told";
                self.lose(Feature::Usage, format!("usage.{what}"), note);
            }
        };
        if let Some(total) = usage.input_stated {
            let usage = summed.to_mut();
            lose(&mut usage.cache_read, "cache_read");
            lose(&mut usage.cache_write, "cache_write");
            lose(&mut usage.cache_write_1h, "cache_write_1h");
            lose(&mut usage.audio_input, "audio");
            lose(&mut usage.image_input, "image");
            (usage.input, usage.input_stated) = (Some(total), None);
        }
        if let Some(total) = usage.output_stated {
            let usage = summed.to_mut();
            lose(&mut usage.reasoning, "reasoning");
            lose(&mut usage.audio_output, "audio");
            lose(&mut usage.image_output, "image");
            (usage.output, usage.output_stated) = (Some(total), None);
        }
        summed
    }

    /// Counters that are part of a total and cannot be told apart. `kept` can; a share of nothing is none.
    pub(crate) fn usage(&mut self, usage: &Usage, kept: &[&str]) {
        let split = [
            (usage.cache_read > Some(0), "cache_read"),
            (usage.cache_write > Some(0), "cache_write"),
            (usage.cache_write_1h > Some(0), "cache_write_1h"),
            (usage.reasoning > Some(0), "reasoning"),
            (usage.audio_input.max(usage.audio_output) > Some(0), "audio"),
            (usage.image_input.max(usage.image_output) > Some(0), "image"),
            (usage.tools.values().any(|uses| *uses > 0), "tools"),
        ];
        for (_, what) in split.into_iter().filter(|(is_there, what)| *is_there && !kept.contains(what)) {
            self.lose(Feature::Usage, format!("usage.{what}"), "not counted apart in this dialect");
        }
    }

    /// Any part that cannot be said where it stands.
    pub(crate) fn part(&mut self, path: impl Into<String>, content: &Content) {
        self.lose(feature_of(content), path, "it has no place here in this dialect; left out");
    }

    /// The type of a medium that is elsewhere, in a dialect that has no word for it.
    pub(crate) fn untold_type(&mut self, path: &str, content: &Content) {
        let media = match content {
            Content::Image(media) | Content::Audio(media) | Content::Video(media) => media,
            Content::Document(document) => &document.media,
            _ => return,
        };
        if media.mime.is_some() && !matches!(media.source, Source::Bytes(_)) {
            self.lose(Feature::MediaUrls, format!("{path}.mime"), "the server looks for itself what is there");
        }
    }

    /// The signature or seal of a thought.
    pub(crate) fn signature(&mut self, path: impl Into<String>) {
        self.lose(Feature::Signatures, path, "thoughts are neither signed nor sealed in this dialect");
    }

    /// The words that a part of a request is, a document of plain text included; `None` where it is none, which
    /// is said.
    pub(crate) fn words<'p>(&mut self, path: String, content: &'p Content) -> Option<&'p str> {
        match content {
            Content::Text { text } => return Some(text),
            Content::Refusal { text } => {
                self.lose(Feature::Refusals, path, "told as text");
                return Some(text);
            }
            Content::Document(document) => {
                if let Some(text) = plain_text(document) {
                    self.lose(Feature::Documents, path, "a document of plain text goes as text");
                    return Some(text);
                }
            }
            _ => {}
        }
        self.part(path, content);
        None
    }
}

/// Refuses a request of which nothing can be said: what would be sent is no request of the dialect's.
pub(crate) fn need_messages(says: bool) -> Result<()> {
    if says {
        return Ok(());
    }
    let what = "messages: there is nothing that can be said in this dialect; say something with `.user(…)`, or use the \
                dialect whose options speak of what is to be said";
    Err(Error::new(ErrorKind::Unsupported, what))
}

/// What is a dialect's alone.
pub(crate) fn opaque(dialect: &str, json: impl Into<Value>) -> Part {
    Content::Opaque { dialect: dialect.to_owned(), json: json.into() }.into()
}

/// What is lost with a part.
pub(crate) fn feature_of(content: &Content) -> Feature {
    match content {
        Content::Image(_) => Feature::Images,
        Content::Audio(_) => Feature::Audio,
        Content::Video(_) => Feature::Video,
        Content::Document(_) => Feature::Documents,
        Content::Reasoning(_) => Feature::Reasoning,
        Content::ToolCall(_) | Content::ToolResult(_) => Feature::Tools,
        Content::Citation(_) => Feature::Citations,
        Content::Refusal { .. } => Feature::Refusals,
        Content::ServerToolUse(_) | Content::ServerToolResult(_) => Feature::ServerTools,
        _ => Feature::Opaque,
    }
}

/// Where a part of a request stands.
pub(crate) fn path(at: usize, n: usize) -> String {
    format!("messages[{at}].parts[{n}]")
}

/// The text of a document that is one.
pub(crate) fn plain_text(document: &Document) -> Option<&str> {
    let is_text = document.media.mime.as_deref().is_none_or(|mime| mime.starts_with("text/"));
    match &document.media.source {
        Source::Bytes(bytes) if is_text => std::str::from_utf8(bytes).ok(),
        _ => None,
    }
}

/// A schema that has no name on the wire, as a form of the answer.
pub(crate) fn schema_format(schema: Value) -> ResponseFormat {
    let name = title_of(&schema).unwrap_or_default().to_owned();
    ResponseFormat::JsonSchema { name, schema, description: None, strict: None }
}

/// A conversation as one prompt. What the user alone says goes as it is; else each turn is named, which is said.
pub(crate) fn one_prompt(mut turns: Vec<(&Message, String)>, losses: &mut Losses) -> String {
    match turns.as_mut_slice() {
        [] => return String::new(),
        [(message, text)] if message.role == Role::User => return std::mem::take(text),
        _ => {}
    }
    let note = "the conversation goes as one prompt, each turn named";
    losses.lose(Feature::Other("turns".into()), "messages", note);
    let mut prompt = Vec::new();
    for (message, text) in &turns {
        let speaker = match &message.role {
            Role::System | Role::Developer => "System",
            Role::Assistant => "Assistant",
            Role::Tool => "Tool",
            _ => "User",
        };
        prompt.push(format!("{speaker}: {text}"));
    }
    // What the model began it goes on with.
    if turns.last().is_none_or(|(last, _)| last.role != Role::Assistant) {
        prompt.push("Assistant:".to_owned());
    }
    prompt.join("\n\n")
}

/// The schema of a function without arguments.
pub(crate) fn no_arguments() -> Value {
    json!({"type": "object", "properties": {}})
}

/// Reads `{"type": "function", "function": {name, description, parameters}}`; anything else is the dialect's own.
pub(crate) fn read_tool(json: &RawValue, dialect: &str) -> Result<Tool, Wrong> {
    let mut fields = Fields::read(json, true)?;
    let kind = fields.text("type")?;
    if kind.is_some_and(|kind| kind != "function") || fields.peek("function").is_none() {
        return Ok(Tool::Opaque { dialect: dialect.to_owned(), json: value_of(json)? });
    }
    let mut function = fields.object("function")?.ok_or_else(|| Wrong::new("function: is missing"))?;
    let mut tool = read_function(&mut function, dialect).map_err(|e| e.within("function"))?;
    tool.parameters = tool.parameters.filter(|schema| *schema != no_arguments());
    let mut meta = fields.meta(dialect)?;
    meta.merge(tool.meta);
    Ok(Tool::Function(FunctionTool { meta, ..tool }))
}

/// Reads `{name, description, parameters}`; what else is in it is metadata under `function`.
pub(crate) fn read_function(fields: &mut Fields<'_>, dialect: &str) -> Result<FunctionTool, Wrong> {
    let mut tool = FunctionTool {
        parameters: fields.value("parameters")?,
        name: fields.need("name")?.into_owned(),
        description: fields.string("description")?,
        ..FunctionTool::default()
    };
    fields.keep("function", dialect, &mut tool.meta)?;
    Ok(tool)
}

/// Writes a tool as [`read_tool`] reads it, if it is offered.
pub(crate) fn write_tool(
    at: usize,
    tool: &Tool,
    offered: Option<&[String]>,
    dialect: &str,
    out: &mut List,
    losses: &mut Losses,
) {
    let function = match tool {
        Tool::Function(function) => function,
        Tool::Opaque { dialect: own, json } if own == dialect => return write_json(out.item(), json),
        _ => return losses.lose(Feature::Opaque, format!("tools[{at}]"), "a tool of another dialect alone"),
    };
    if losses.is_withheld(at, function, offered) {
        return;
    }
    if function.cache.is_some() {
        losses.lose(Feature::CacheMarks, format!("tools[{at}].cache"), "not in this dialect");
    }
    let parameters = function.parameters.clone().unwrap_or_else(no_arguments);
    write_function(function, Some(&parameters), [None, None], dialect, out);
}

/// Writes a function as [`read_tool`] reads it, with these words on whether it is `strict`, and a mark for a cache.
pub(crate) fn write_function(
    function: &FunctionTool,
    parameters: Option<&Value>,
    [strict, mark]: [Option<Value>; 2],
    dialect: &str,
    out: &mut List,
) {
    let FunctionTool { name, description, meta, .. } = function;
    let meta = meta.of(dialect);
    out.object(|to| {
        to.field("type", "function");
        to.object("function", |to| {
            to.field("name", name).some("description", description.as_ref());
            to.some("parameters", parameters).some("strict", strict);
            to.meta(meta.and_then(|meta| meta.get("function")).and_then(Value::as_object), &[]);
        });
        to.meta(meta, &["type", "function"]).some("cache_control", mark);
    });
}

/// The id of a call that came without one: the same whenever it is made.
pub(crate) fn made_id(number: usize, name: &str) -> String {
    format!("call_{number}_{name}")
}

/// How many open calls are looked at for the one that a result belongs to.
const NEAR: usize = 256;

/// The calls of a conversation, for results that tell theirs by less than an id.
#[derive(Debug, Default)]
pub(crate) struct Calls {
    made: usize,
    names: HashMap<String, String>,
    open: VecDeque<ToolCall>,
}

impl Calls {
    /// One more call. Without an id of its own it gets one, and its metadata says so.
    pub(crate) fn call(
        &mut self,
        id: Option<String>,
        name: String,
        arguments: String,
        mut meta: Meta,
        dialect: &str,
    ) -> Part {
        let id = id.unwrap_or_else(|| {
            meta.set_form(dialect, "made_id", true.into());
            made_id(self.made, &name)
        });
        self.made += 1;
        let call = ToolCall { id, name, arguments };
        self.open(call.clone());
        Part { meta, ..Content::ToolCall(call).into() }
    }

    /// A call that waits for its result.
    pub(crate) fn open(&mut self, call: ToolCall) {
        self.names.insert(call.id.clone(), call.name.clone());
        self.open.push_back(call);
    }

    /// The id of the first open call that fits; it is open no more.
    pub(crate) fn answer(&mut self, fits: impl Fn(&ToolCall) -> bool) -> Option<String> {
        let at = self.open.iter().take(NEAR).position(fits)?;
        Some(self.open.remove(at)?.id)
    }

    /// Whether a call has no result yet.
    pub(crate) fn are_open(&self) -> bool {
        !self.open.is_empty()
    }

    /// The name of a call.
    pub(crate) fn name_of(&self, id: &str) -> Option<&str> {
        self.names.get(id).map(String::as_str)
    }
}

/// Reads the body of a success with `tell`, or as the stream that it is: some servers call one JSON. What is no success
/// is an error, which `fail` reads.
pub(crate) fn decode(
    dialect: &dyn Dialect,
    answer: Answer<'_>,
    fail: impl FnOnce(StatusCode, &HeaderMap, &[u8]) -> Error,
    tell: impl FnOnce(&[u8], &mut Sink) -> Result<()>,
) -> Result<ChatResponse> {
    if !answer.status.is_success() {
        return Err(fail(answer.status, answer.headers, answer.body));
    }
    let (body, mut headers) = (answer.body.trim_ascii(), HeaderMap::new());
    // Without headers it is read as what it is.
    let has_events = [&b"data:"[..], b"event:", b":"].iter().any(|start| body.starts_with(start));
    if body.starts_with(b"[") {
        headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
    }
    if has_events || (!headers.is_empty() && dialect.framing(&headers).is_some()) {
        return decode_whole(dialect, StatusCode::OK, &headers, body, true);
    }
    let mut sink = Sink::whole();
    match tell(body, &mut sink) {
        Ok(()) => Ok(sink.into_response()),
        Err(error) => Err(error.with_partial(sink.into_response())),
    }
}

/// Writes a server-sent event: its name, and its data, in which `type` says it again.
pub(crate) fn write_event(out: &mut Vec<u8>, name: &str, data: impl FnOnce(&mut Object<'_>)) {
    out.extend_from_slice(b"event: ");
    out.extend_from_slice(name.as_bytes());
    out.extend_from_slice(b"\ndata: ");
    let mut object = Object::new(out);
    object.field("type", name);
    data(&mut object);
    object.end();
    out.extend_from_slice(b"\n\n");
}

/// What an error's body says.
#[derive(Debug)]
pub(crate) struct Complaint {
    pub(crate) message: String,
    pub(crate) code: Option<String>,
    /// The provider's id of the request.
    pub(crate) id: Option<String>,
    /// How long to wait before the next try.
    pub(crate) wait: Option<Duration>,
}

impl Complaint {
    /// Reads an error in any of the shapes that were met: words under `error`, `message` or `detail`, an object with
    /// a `message` there, or a list of either.
    pub(crate) fn read(body: &[u8]) -> Option<Self> {
        // Google's streaming endpoints wrap it in a list.
        let listed: Vec<&RawValue> = serde_json::from_slice(body).unwrap_or_default();
        let mut fields = Fields::of_answer(listed.first().map_or(body, |first| first.get().as_bytes())).ok()?;
        let id = fields.string("id").ok()?.or(fields.string("request_id").ok()?);
        let wait: Option<f64> = fields.get("estimated_time").ok()?;
        let wait = wait.and_then(|seconds| Duration::try_from_secs_f64(seconds).ok());
        let mut code = fields.string("error_type").ok()?.or(fields.string("code").ok()?);
        for key in ["error", "message", "detail"] {
            let Some(value) = fields.value(key).ok()? else { continue };
            code = code.or_else(|| code_of(&value));
            let message = words(&value);
            if !message.is_empty() {
                return Some(Self { message, code, id, wait });
            }
        }
        None
    }

    /// As an error that came without a status.
    pub(crate) fn into_error(self) -> Error {
        let mut error = Error::new(kind_for(0, self.code.as_deref(), &self.message), self.message);
        if let Some(id) = self.id {
            error = error.with_request_id(id);
        }
        match self.code {
            Some(code) => error.with_code(code),
            None => error,
        }
    }

    /// The error that an HTTP answer is.
    pub(crate) fn failure(status: StatusCode, headers: &HeaderMap, body: &[u8]) -> Error {
        let Some(said) = Self::read(body) else {
            return sabir_core::error::said(status, headers, None, &plain_words(status, body));
        };
        let mut error = sabir_core::error::said(status, headers, said.code.as_deref(), &said.message);
        if let Some(id) = said.id.filter(|_| error.request_id().is_none()) {
            error = error.with_request_id(id);
        }
        match said.wait.filter(|_| error.retry_after().is_none()) {
            Some(wait) => error.with_retry_after(wait),
            None => error,
        }
    }
}

/// The code in an error that may be an object: Anthropic's finer one first, a number last.
fn code_of(error: &Value) -> Option<String> {
    let finer = &error["details"]["error_code"];
    let code = [finer, &error["code"], &error["type"], &error["status"]].into_iter().find_map(Value::as_str);
    code.map(str::to_owned).or_else(|| error["code"].as_u64().map(|code| code.to_string()))
}

/// The words of an error that may be an object or a list.
fn words(value: &Value) -> String {
    match value {
        Value::String(text) => text.clone(),
        Value::Array(all) => all.iter().map(words).collect::<Vec<_>>().join("; "),
        other => ["message", "msg"].iter().find_map(|key| other[*key].as_str()).unwrap_or_default().to_owned(),
    }
}

/// The same error of another kind.
pub(crate) fn of_kind(kind: ErrorKind, error: &Error) -> Error {
    let mut other = Error::new(kind, error.message());
    other = error.status().map_or(other.clone(), |status| other.with_status(status));
    other = error.code().map_or(other.clone(), |code| other.with_code(code));
    other = error.request_id().map_or(other.clone(), |id| other.with_request_id(id));
    error.retry_after().map_or(other.clone(), |wait| other.with_retry_after(wait))
}

/// The status with which an error goes: its own, else the usual one of its kind.
pub(crate) fn status_of(error: &Error) -> StatusCode {
    let own = error.status().filter(|status| status.is_client_error() || status.is_server_error());
    own.unwrap_or_else(|| usual_status(error.kind()))
}

/// The usual status of a kind of error.
pub(crate) fn usual_status(kind: ErrorKind) -> StatusCode {
    match kind {
        ErrorKind::Authentication => StatusCode::UNAUTHORIZED,
        ErrorKind::Quota | ErrorKind::BudgetExceeded => StatusCode::PAYMENT_REQUIRED,
        ErrorKind::Permission => StatusCode::FORBIDDEN,
        ErrorKind::NotFound => StatusCode::NOT_FOUND,
        ErrorKind::RateLimit => StatusCode::TOO_MANY_REQUESTS,
        ErrorKind::Unsupported | ErrorKind::InvalidRequest | ErrorKind::ContextTooLong | ErrorKind::ContentFiltered => {
            StatusCode::BAD_REQUEST
        }
        ErrorKind::Overloaded => StatusCode::SERVICE_UNAVAILABLE,
        ErrorKind::Timeout => StatusCode::GATEWAY_TIMEOUT,
        ErrorKind::Network | ErrorKind::Decode | ErrorKind::Truncated => StatusCode::BAD_GATEWAY,
        // 499, "client closed request", for one that nobody waits for.
        ErrorKind::Cancelled => StatusCode::from_u16(499).unwrap_or(StatusCode::BAD_REQUEST),
        _ => StatusCode::INTERNAL_SERVER_ERROR,
    }
}
