//! What the dialects of content blocks, Anthropic's and Bedrock's, say in the same way.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::fmt;

use sabir_core::chat::{
    CacheMark, ChatRequest, Content, Effort, Finish, FinishReason, FunctionTool, Message, Meta, Part, ReasoningRequest,
    Role, ToolCall, ToolChoice, Usage,
};
use sabir_core::schema::{BOUNDS, SchemaRules};
use sabir_core::{Error, ErrorKind, Feature, Result, Sink};
use serde_json::value::RawValue;
use serde_json::{Value, json};

use crate::json::{Fields, List, Wrong, known};
use crate::shared::{Losses, no_arguments};

mod encoder;
pub(crate) mod outcome;

pub(crate) use encoder::{Around, BlockEncoder, BlockEvents, Grown, Names, Pieces};
pub(crate) use outcome::Outcome;

/// Who speaks, as far as it decides which blocks may be written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Speaker {
    System,
    User,
    Assistant,
}

impl Speaker {
    /// Who speaks in the message of this number. A tool's results are the user's to tell.
    pub(crate) fn of(message: &Message, at: usize) -> Result<Self> {
        match &message.role {
            Role::System | Role::Developer => Ok(Self::System),
            Role::User | Role::Tool => Ok(Self::User),
            Role::Assistant => Ok(Self::Assistant),
            other => {
                let what = format!("messages[{at}].role: there is no {other:?} in this dialect");
                Err(Error::new(ErrorKind::InvalidRequest, what))
            }
        }
    }

    /// The role on the wire.
    pub(crate) fn word(self) -> &'static str {
        match self {
            Self::System => "system",
            Self::User => "user",
            Self::Assistant => "assistant",
        }
    }
}

/// Where a part stands, for losses and errors: `messages[2].parts[0].parts[1]`, or `parts[0]` in an answer.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Place {
    pub(crate) message: Option<usize>,
    pub(crate) part: usize,
    pub(crate) inner: Option<usize>,
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(message) = self.message {
            write!(f, "messages[{message}].")?;
        }
        write!(f, "parts[{}]", self.part)?;
        self.inner.map_or(Ok(()), |inner| write!(f, ".parts[{inner}]"))
    }
}

impl From<Place> for String {
    fn from(place: Place) -> Self {
        place.to_string()
    }
}

/// Reads one message on the wire: tool results become messages of the tool's, in the order in which they stand.
/// What else is said of the message stays with its first.
fn read_message(
    json: &RawValue,
    dialect: &str,
    messages: &mut Vec<Message>,
    read_content: impl FnOnce(&mut Fields<'_>, Speaker) -> Result<Vec<Part>, Wrong>,
) -> Result<(), Wrong> {
    let mut fields = Fields::read(json, true)?;
    let (role, speaker) = match &*fields.need("role")? {
        "user" => (Role::User, Speaker::User),
        "assistant" => (Role::Assistant, Speaker::Assistant),
        "system" => (Role::System, Speaker::System),
        _ => return Err(Wrong::new("role: is not user, assistant or system")),
    };
    if fields.peek("content").is_none() {
        return Err(Wrong::new("content: is missing"));
    }
    let parts = read_content(&mut fields, speaker)?;
    let start = messages.len();
    if role != Role::User || parts.is_empty() {
        messages.push(Message::new(role, parts));
    } else {
        for part in parts {
            let is_result = matches!(part.content, Content::ToolResult(_));
            let role = if is_result { Role::Tool } else { Role::User };
            match messages[start..].last_mut() {
                Some(message) if message.role == role => message.parts.push(part),
                _ => messages.push(Message::new(role, [part])),
            }
        }
    }
    messages[start].meta = fields.meta(dialect)?;
    Ok(())
}

/// Reads `system` and `messages`, of which `read_content` reads what is in a field.
pub(crate) fn read_conversation(
    fields: &mut Fields<'_>,
    dialect: &str,
    messages: &mut Vec<Message>,
    read_content: impl Fn(&mut Fields<'_>, &str, Speaker) -> Result<Vec<Part>, Wrong>,
) -> Result<(), Wrong> {
    let system = read_content(fields, "system", Speaker::System)?;
    if !system.is_empty() {
        messages.push(Message::new(Role::System, system));
    }
    if fields.peek("messages").is_none() {
        return Err(Wrong::new("messages: is missing"));
    }
    fields.each("messages", |json| {
        read_message(json, dialect, messages, |message, speaker| read_content(message, "content", speaker))
    })
}

/// Reads a function, of which the parameters are read already.
pub(crate) fn read_function(
    fields: &mut Fields<'_>,
    dialect: &str,
    parameters: Option<Value>,
) -> Result<FunctionTool, Wrong> {
    Ok(FunctionTool {
        name: fields.need("name")?.into_owned(),
        description: fields.string("description")?,
        parameters: parameters.filter(|schema| *schema != no_arguments()),
        strict: fields.get("strict")?,
        cache: None,
        meta: fields.left().meta(dialect)?,
    })
}

/// A mark for the cache, of the one kind that there is.
pub(crate) fn cache_mark(kind: &str, mark: &CacheMark) -> Value {
    match &mark.ttl {
        Some(ttl) => json!({ "type": kind, "ttl": ttl }),
        None => json!({ "type": kind }),
    }
}

/// Reads a mark for the cache; `None` for one of another kind, or that says more.
pub(crate) fn read_cache_mark(fields: &mut Fields<'_>, kind: &str) -> Result<Option<CacheMark>, Wrong> {
    let is_plain = fields.text("type")?.as_deref() == Some(kind);
    let ttl = fields.string("ttl")?;
    Ok((is_plain && fields.is_empty()).then_some(CacheMark { ttl }))
}

/// One turn on the wire: who speaks, and the messages that it is made of, with their numbers.
#[derive(Debug)]
pub(crate) struct Turn<'r> {
    pub(crate) speaker: Speaker,
    pub(crate) messages: Vec<(usize, &'r Message)>,
}

/// The system prompt and the turns of a conversation. `joins` says whether a message becomes part of the turn of the
/// same speaker that it follows; `mid_system`, whether the system may speak in between.
pub(crate) fn turns<'r>(
    request: &'r ChatRequest,
    mid_system: bool,
    losses: &mut Losses,
    joins: impl Fn(&Turn<'r>, &Message) -> bool,
) -> Result<(Turn<'r>, Vec<Turn<'r>>)> {
    let lead = request.split_system().0.len();
    let mut system = Turn { speaker: Speaker::System, messages: Vec::new() };
    let mut turns: Vec<Turn<'r>> = Vec::new();
    for (i, message) in request.messages.iter().enumerate() {
        let speaker = Speaker::of(message, i)?;
        if message.name.is_some() {
            losses.lose(Feature::Names, format!("messages[{i}].name"), "not in this dialect");
        }
        if speaker == Speaker::System && (i < lead || !mid_system) {
            if i >= lead {
                let note = "moved to the end of the system prompt";
                losses.lose(Feature::SystemMidway, format!("messages[{i}]"), note);
            }
            system.messages.push((i, message));
            continue;
        }
        match turns.last_mut() {
            Some(turn) if turn.speaker == speaker && joins(turn, message) => turn.messages.push((i, message)),
            _ => turns.push(Turn { speaker, messages: vec![(i, message)] }),
        }
    }
    Ok((system, turns))
}

/// Writes turns as `messages`. `content` writes what is said in one, as JSON; one in which nothing is said is left out, as
/// empty content is refused wherever it stands.
pub(crate) fn write_turns(
    turns: &[Turn<'_>],
    dialect: &str,
    mut content: impl FnMut(&Turn<'_>) -> Option<Vec<u8>>,
) -> List {
    let mut messages = List::default();
    for turn in turns {
        let Some(said) = content(turn) else { continue };
        messages.object(|to| {
            to.field("role", turn.speaker.word()).raw("content", said);
            to.meta(turn.messages.iter().find_map(|(_, message)| message.meta.of(dialect)), &["role", "content"]);
        });
    }
    messages
}

/// The most blocks of a stream that may be open at once. Anthropic's protocol has one, Bedrock has few.
pub(crate) const MAX_OPEN: usize = 1024;

/// Adds what a delta brings to what is there of a block: text to text, items to a list, fields that are not null to an
/// object, and a list to what it is the content of. Anything else is replaced.
pub(crate) fn join(all: &mut Value, more: Value) {
    match (all, more) {
        (all @ Value::Null, more @ Value::Object(_)) => {
            *all = json!({});
            join(all, more);
        }
        (Value::Object(all), Value::Object(more)) => {
            for (key, more) in more.into_iter().filter(|(_, more)| !more.is_null()) {
                join(all.entry(key).or_insert(Value::Null), more);
            }
        }
        (Value::String(all), Value::String(more)) => all.push_str(&more),
        (Value::Array(all), Value::Array(more)) => all.extend(more),
        (Value::Object(all), more @ Value::Array(_)) => join(all.entry("content").or_insert(Value::Null), more),
        (all, more) => *all = more,
    }
}

/// Tells parts that came whole, in the words in which a stream tells them.
pub(crate) fn tell(parts: impl IntoIterator<Item = Part>, sink: &mut Sink) -> Result<()> {
    for part in parts {
        match &part.content {
            Content::Text { text } => {
                sink.text(text);
                sink.part_end(None, part.meta);
            }
            Content::Reasoning(thought) if thought.encrypted.is_none() => {
                sink.reasoning(&thought.text);
                sink.part_end(thought.signature.as_deref().filter(|s| !s.is_empty()), part.meta);
            }
            Content::ToolCall(call) => {
                let number = start_call(call, part.meta, sink)?;
                sink.tool_arguments(number, &call.arguments);
                sink.tool_end(number);
            }
            _ => sink.part(part),
        }
    }
    Ok(())
}

/// Begins a call, with what is said of it. Returns its number.
pub(crate) fn start_call(call: &ToolCall, meta: Meta, sink: &mut Sink) -> Result<usize> {
    let number = sink.tool_start(&call.id, &call.name)?;
    sink.tool_part_meta(number, meta);
    Ok(number)
}

/// JSON text, if it is an object; no text at all is the empty object.
pub(crate) fn object_text(json: &str) -> Option<&str> {
    if json.trim().is_empty() { Some("{}") } else { crate::json::object_text(json) }
}

/// Claude's own field for thoughts. An effort asks for thoughts, which Claude gives only where they are switched on.
pub(crate) fn thinking(reasoning: &ReasoningRequest) -> Option<Value> {
    let ReasoningRequest { effort, budget, enabled } = reasoning;
    match (effort, budget, enabled) {
        (Some(Effort::None), ..) | (_, Some(0), _) | (_, _, Some(false)) => Some(json!({ "type": "disabled" })),
        (_, Some(budget), _) => Some(json!({ "type": "enabled", "budget_tokens": budget })),
        (_, None, Some(true)) | (Some(_), None, None) => Some(json!({ "type": "adaptive" })),
        (None, None, None) => None,
    }
}

/// Claude's word for how tools may be used, and the tool's name where one alone may be. An error for a choice that is
/// new.
pub(crate) fn choice_word(choice: &ToolChoice) -> Result<(&'static str, Option<&str>)> {
    match choice {
        ToolChoice::Auto | ToolChoice::Allowed { required: false, .. } => Ok(("auto", None)),
        ToolChoice::Required | ToolChoice::Allowed { required: true, .. } => Ok(("any", None)),
        ToolChoice::Named(name) => Ok(("tool", Some(name))),
        ToolChoice::None => Ok(("none", None)),
        _ => Err(Error::new(ErrorKind::Unsupported, "tool_choice: this dialect has no such choice")),
    }
}

/// Claude's field for how tools may be used, and whether several at once; `None` where neither is said.
pub(crate) fn claude_choice(choice: Option<&ToolChoice>, parallel: Option<bool>) -> Result<Option<Value>> {
    let (kind, name) = match choice {
        Some(choice) => choice_word(choice)?,
        None if parallel.is_none() => return Ok(None),
        None => ("auto", None),
    };
    let disabled = parallel.filter(|_| kind != "none").map(|parallel| !parallel);
    Ok(Some(Value::Object(known([
        ("type", Some(kind.into())),
        ("name", name.map(Value::from)),
        ("disable_parallel_tool_use", disabled.map(Value::from)),
    ]))))
}

/// The tools that alone may be used, where that is said by sending no others.
pub(crate) fn allowed<'r>(request: &'r ChatRequest, losses: &mut Losses) -> Option<&'r [String]> {
    let Some(ToolChoice::Allowed { names, .. }) = &request.tool_choice else {
        return None;
    };
    losses.lose(Feature::ToolChoice, "tool_choice", "imitated by sending only the allowed tools");
    Some(names)
}

/// Why an answer ends, in one of `words`: its own if it is there and means that, else the first that means it.
pub(crate) fn stop_word(finish: &Finish, words: &[&'static str], losses: &mut Losses) -> &'static str {
    let means = |word: &&str| Finish::from_raw(word).reason == finish.reason;
    let own = words.iter().copied().find(|word| Some(*word) == finish.raw.as_deref()).filter(means);
    let sequence = finish.stop_sequence.as_ref().filter(|_| finish.reason == FinishReason::Stop);
    own.or(sequence.map(|_| "stop_sequence")).or_else(|| words.iter().copied().find(means)).unwrap_or_else(|| {
        let note = format!("{} is told as end_turn", finish.reason);
        losses.lose(Feature::from("finish_reason"), "finish", &note);
        "end_turn"
    })
}

/// The counters as these dialects have them: the input excludes the cache, the output includes thoughts.
#[derive(Debug)]
pub(crate) struct Counters {
    pub(crate) input: u64,
    pub(crate) cache_read: Option<u64>,
    /// What was written into the cache, for however long.
    pub(crate) cache_write: Option<u64>,
    /// What of that was written for minutes, and for an hour.
    pub(crate) minutes: Option<u64>,
    pub(crate) hour: Option<u64>,
    pub(crate) output: u64,
    pub(crate) reasoning: Option<u64>,
    pub(crate) tools: BTreeMap<String, u64>,
}

impl Counters {
    /// The counters of an answer. The two that clients require are zero where they are unknown, which is said; so is
    /// what cannot be told apart, but for what is `kept` besides the cache and tools.
    pub(crate) fn of(usage: &Usage, kept: &str, losses: &mut Losses) -> Self {
        let usage = losses.summed(usage).into_owned();
        for (_, path) in
            [(usage.input, "usage.input"), (usage.output, "usage.output")].iter().filter(|(count, _)| count.is_none())
        {
            losses.lose(Feature::Usage, *path, "unknown; clients of this dialect are told 0");
        }
        losses.usage(&usage, &["cache_read", "cache_write", "cache_write_1h", "tools", kept]);
        let sum = |buckets: &[Option<u64>]| buckets.iter().flatten().fold(0_u64, |sum, n| sum.saturating_add(*n));
        let (minutes, hour) = (usage.cache_write, usage.cache_write_1h);
        Self {
            input: sum(&[usage.input, usage.audio_input, usage.image_input]),
            cache_read: usage.cache_read,
            cache_write: minutes.or(hour).map(|_| sum(&[minutes, hour])),
            minutes,
            hour,
            output: sum(&[usage.output, usage.reasoning, usage.audio_output, usage.image_output]),
            reasoning: usage.reasoning,
            tools: usage.tools,
        }
    }
}

/// An error's message, with the dialect's own words for the two errors that clients know by their words alone.
pub(crate) fn known_words<'e>(error: &'e Error, too_long: &str, filtered: &str) -> Cow<'e, str> {
    let words = match error.kind() {
        ErrorKind::ContextTooLong => too_long,
        ErrorKind::ContentFiltered => filtered,
        _ => "",
    };
    match error.message() {
        message if message.to_ascii_lowercase().contains(&words.to_ascii_lowercase()) => message.into(),
        message => format!("{words}: {message}").into(),
    }
}

/// Settings that have no place in these dialects, but for the one that is `kept`, and options of others.
pub(crate) fn lose_settings(request: &ChatRequest, dialect: &str, kept: &str, losses: &mut Losses) {
    let absent = [
        (request.seed.is_some(), Feature::Seed, "seed"),
        (request.presence_penalty.is_some(), Feature::PresencePenalty, "presence_penalty"),
        (request.frequency_penalty.is_some(), Feature::FrequencyPenalty, "frequency_penalty"),
        (request.cache.is_some(), Feature::CacheMarks, "cache"),
        (request.cache_key.is_some(), Feature::CacheKey, "cache_key"),
        (!request.metadata.is_empty(), Feature::Metadata, "metadata"),
    ];
    for (_, feature, path) in absent.into_iter().filter(|(is_set, _, path)| *is_set && *path != kept) {
        losses.lose(feature, path, "not in this dialect");
    }
    for other in request.options.dialects().filter(|other| *other != dialect) {
        for (field, _) in request.options.of(other).into_iter().flatten() {
            losses.lose(Feature::Options, format!("options.{other}.{field}"), "an option of another dialect");
        }
    }
}

/// What no request can carry in either dialect.
pub(crate) const LOST: &[Feature] = &[
    Feature::JsonOutput,
    Feature::Citations,
    Feature::Refusals,
    Feature::CacheKey,
    Feature::SystemMidway,
    Feature::Names,
    Feature::Seed,
    Feature::PresencePenalty,
    Feature::FrequencyPenalty,
];

/// What schemas of answers take (Anthropic, "Structured outputs", limitations).
pub(crate) const STRICT: SchemaRules =
    SchemaRules { all_required: false, closed: true, no_recursion: true, only_any_of: true, unknown: BOUNDS };
