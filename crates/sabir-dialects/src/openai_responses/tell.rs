//! Tells a sink what items say, whole or in deltas: one reading for both, and for the items of a request too, so that
//! they cannot differ.

use std::collections::{HashMap, HashSet};

use sabir_core::chat::{Content, Media, Meta, Part, Reasoning, ServerToolResult, ServerToolUse};
use sabir_core::{Result, Sink};
use serde_json::{Map, Value, json};

use super::NAME;
use super::accept::read_piece;
use super::item::call_words;
use crate::openai::read_citation;
use crate::shared::opaque;

/// What a piece of text is; with its number, where in its item it stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    Text,
    Summary,
    Thought,
}

/// What has to be kept between the events of one answer.
#[derive(Debug, Default)]
pub(super) struct Teller {
    open: HashMap<u64, Open>,
    done: HashSet<u64>,
    /// The piece whose deltas are being told: item, kind and number.
    current: Option<(u64, Kind, u64)>,
    /// How many calls came.
    calls: usize,
}

/// An item that has begun.
#[derive(Debug, Default)]
struct Open {
    /// How many pieces of each kind were told. The provider's own numbers may skip some.
    told: [usize; 3],
    annotations: Vec<Value>,
    call: Option<usize>,
    has_arguments: bool,
}

/// The provider's own tools. What one of them gave stands in these fields of its item.
const SERVER_TOOLS: &[&str] =
    &["web_search_call", "file_search_call", "code_interpreter_call", "mcp_call", "x_search_call"];
const RESULTS: &[&str] = &["outputs", "results", "output", "error"];

impl Teller {
    /// Whether an item is complete, or all of this many are.
    pub(super) fn has(&self, at: u64, of: usize) -> bool {
        self.done.contains(&at) || self.done.len() >= of
    }

    /// An item begins: a call can be told at once.
    pub(super) fn added(&mut self, at: u64, json: &Value, sink: &mut Sink) -> Result<()> {
        if let [Some("function_call" | "custom_tool_call"), Some(id), Some(name)] =
            ["type", "call_id", "name"].map(|field| text_of(&json[field]))
        {
            self.leave(None, sink);
            let call = sink.tool_start(id, name)?;
            self.open.insert(at, Open { call: Some(call), ..Open::default() });
        }
        Ok(())
    }

    /// More of a text or thought.
    pub(super) fn delta(&mut self, at: u64, kind: Kind, number: u64, text: &str, sink: &mut Sink) {
        if text.is_empty() {
            return;
        }
        if self.current != Some((at, kind, number)) {
            self.leave(Some(at), sink);
            self.current = Some((at, kind, number));
            self.open.entry(at).or_default().told[kind as usize] += 1;
        }
        tell(kind, text, sink);
    }

    /// More of a call's arguments. Those of a call that could not be told yet come whole at its end.
    pub(super) fn arguments(&mut self, at: u64, fragment: &str, sink: &mut Sink) {
        if let Some(Open { call: Some(call), has_arguments, .. }) = self.open.get_mut(&at) {
            *has_arguments |= !fragment.is_empty();
            sink.tool_arguments(*call, fragment);
        }
    }

    /// Where the text of an item comes from; told when the text is whole.
    pub(super) fn annotations(&mut self, at: u64) -> &mut Vec<Value> {
        &mut self.open.entry(at).or_default().annotations
    }

    /// Closes the piece that is open; `next` is the item that goes on.
    pub(super) fn leave(&mut self, next: Option<u64>, sink: &mut Sink) {
        if let Some((at, kind, _)) = self.current {
            self.close(meta(None, next == Some(at), kind), None, sink);
            let annotations = self.open.get_mut(&at).map(|open| std::mem::take(&mut open.annotations));
            annotations.into_iter().flatten().for_each(|json| sink.part(read_citation(json)));
        }
    }

    fn close(&mut self, meta: Meta, signature: Option<&str>, sink: &mut Sink) {
        self.current = None;
        sink.part_end(signature, meta);
    }

    /// An item is complete: what has not been told of it is told.
    pub(super) fn item(&mut self, at: u64, json: Value, sink: &mut Sink) -> Result<()> {
        self.done.insert(at);
        let open = self.open.remove(&at).unwrap_or_default();
        if self.current.is_some_and(|(item, ..)| item != at) {
            self.leave(None, sink);
        }
        let Value::Object(fields) = json else { return Ok(()) };
        match fields.get("type").and_then(Value::as_str).unwrap_or("message") {
            "message" => self.message(at, fields, open, sink),
            "reasoning" => self.reasoning(at, fields, open.told, sink),
            "function_call" | "custom_tool_call" => return self.call(fields, &open, sink),
            "image_generation_call" => sink.part(image(fields)),
            kind if SERVER_TOOLS.contains(&kind) => server_tool(fields, sink),
            _ => sink.part(opaque(NAME, fields)),
        }
        Ok(())
    }

    fn message(&mut self, at: u64, mut fields: Map<String, Value>, mut open: Open, sink: &mut Sink) {
        let pieces = match fields.shift_remove("content") {
            Some(Value::Array(pieces)) => pieces,
            Some(Value::String(text)) => vec![json!({"type": "output_text", "text": text})],
            _ => Vec::new(),
        };
        let mut parts = Vec::new();
        for mut piece in pieces.into_iter().filter(Value::is_object) {
            if !matches!(piece["type"].as_str(), Some("output_text" | "text" | "input_text" | "refusal")) {
                parts.push((Kind::Text, opaque(NAME, piece).with_meta(NAME, "content", json!({}))));
                continue;
            }
            let annotations = match piece.get_mut("annotations").map(Value::take) {
                Some(Value::Array(all)) if !all.is_empty() => all,
                _ => std::mem::take(&mut open.annotations),
            };
            let part = read_piece(piece);
            if part.as_text().is_some_and(|text| !text.is_empty()) || matches!(part.content, Content::Refusal { .. }) {
                parts.push((Kind::Text, part));
                parts.extend(annotations.into_iter().map(|json| (Kind::Text, read_citation(json))));
            }
        }
        self.parts(at, parts, &rest_of(fields, &["type", "role"]), open.told, sink);
    }

    fn reasoning(&mut self, at: u64, fields: Map<String, Value>, told: [usize; 3], sink: &mut Sink) {
        let mut parts: Vec<(Kind, Part)> = Vec::new();
        for (field, kind) in [("summary", Kind::Summary), ("content", Kind::Thought)] {
            let pieces = fields.get(field).and_then(Value::as_array).into_iter().flatten();
            parts.extend(pieces.filter_map(|piece| Some((kind, Part::reasoning(text_of(&piece["text"])?)))));
        }
        let [encrypted, signature] =
            ["encrypted_content", "signature"].map(|field| fields.get(field).and_then(text_of).map(str::to_owned));
        match (&encrypted, &signature, parts.last_mut()) {
            (None, None, None) if told == [0; 3] => return sink.part(opaque(NAME, fields)),
            (None, None, None) => {}
            (None, _, Some((_, Part { content: Content::Reasoning(last), .. }))) => last.signature = signature,
            _ => {
                let sealed = Reasoning { encrypted, signature, ..Reasoning::default() };
                parts.push((Kind::Summary, Content::Reasoning(sealed).into()));
            }
        }
        let rest = rest_of(fields, &["type", "summary", "content", "encrypted_content", "signature"]);
        self.parts(at, parts, &rest, told, sink);
    }

    /// Tells the parts of an item that were not told yet. What else it says of itself stands on the last.
    fn parts(
        &mut self,
        at: u64,
        parts: Vec<(Kind, Part)>,
        item: &Map<String, Value>,
        told: [usize; 3],
        sink: &mut Sink,
    ) {
        let last = parts.iter().rposition(|(_, part)| !matches!(part.content, Content::Citation(_)));
        let (mut seen, mut is_new) = ([0; 3], true);
        for (n, (kind, part)) in parts.into_iter().enumerate() {
            let item = (Some(n) == last).then_some(item);
            let mut meta = meta(item, item.is_none(), kind);
            meta.merge(part.meta);
            let (text, signature) = match part.content {
                Content::Text { text } => (text, None),
                Content::Reasoning(thought) if !thought.text.is_empty() => (thought.text, thought.signature),
                Content::Citation(citation) if is_new => {
                    sink.part(Content::Citation(citation).into());
                    continue;
                }
                Content::Citation(_) => continue,
                content => {
                    self.leave(Some(at), sink);
                    sink.part(Part { meta, ..content.into() });
                    continue;
                }
            };
            seen[kind as usize] += 1;
            let (nth, told) = (seen[kind as usize], told[kind as usize]);
            let is_open = self.current.is_some_and(|(of, open, _)| (of, open) == (at, kind)) && nth == told;
            is_new = is_open || nth > told;
            if nth > told {
                self.leave(Some(at), sink);
                tell(kind, &text, sink);
            }
            if is_new {
                self.close(meta, signature.as_deref(), sink);
            }
        }
        if let Some((_, kind, _)) = self.current.filter(|(of, ..)| *of == at) {
            self.close(meta(Some(item), false, kind), None, sink);
        }
    }

    fn call(&mut self, mut fields: Map<String, Value>, open: &Open, sink: &mut Sink) -> Result<()> {
        let is_custom = fields.get("type").is_some_and(|kind| kind == "custom_tool_call");
        let (_, input) = call_words(is_custom);
        let [mut id, name, arguments] = ["call_id", "name", input].map(|field| take_text(&mut fields, field));
        if id.is_empty() {
            id = fields.get("id").and_then(text_of).map_or_else(|| format!("call_{}", self.calls), str::to_owned);
        }
        self.calls += 1;
        let call = open.call.map_or_else(|| sink.tool_start(&id, &name), Ok)?;
        if !open.has_arguments {
            sink.tool_arguments(call, &arguments);
        }
        let mut meta = Meta::default();
        if is_custom {
            meta.set(NAME, "type", "custom".into());
        }
        keep(&mut meta, rest_of(fields, &["type"]));
        sink.tool_part_meta(call, meta);
        sink.tool_end(call);
        Ok(())
    }
}

/// A text that says something.
fn text_of(json: &Value) -> Option<&str> {
    json.as_str().filter(|text| !text.is_empty())
}

/// Takes a text; what is none is its JSON.
fn take_text(fields: &mut Map<String, Value>, name: &str) -> String {
    match fields.shift_remove(name) {
        None | Some(Value::Null) => String::new(),
        Some(Value::String(text)) => text,
        Some(json) => json.to_string(),
    }
}

fn tell(kind: Kind, text: &str, sink: &mut Sink) {
    match kind {
        Kind::Text => sink.text(text),
        Kind::Summary | Kind::Thought => sink.reasoning(text),
    }
}

/// The fields that say something, more than null or an empty list, but for some.
pub(super) fn rest_of(fields: Map<String, Value>, known: &[&str]) -> Map<String, Value> {
    fields.into_iter().filter(|(name, value)| !known.contains(&name.as_str()) && says(value)).collect()
}

fn says(value: &Value) -> bool {
    !value.is_null() && value.as_array().is_none_or(|list| !list.is_empty())
}

/// What is kept of an item, on the part that it becomes.
fn meta(item: Option<&Map<String, Value>>, continues: bool, kind: Kind) -> Meta {
    let mut meta = Meta::default();
    if continues {
        meta.set_form(NAME, "continues", true.into());
    }
    if kind == Kind::Thought {
        meta.set_form(NAME, "kind", "reasoning_text".into());
    }
    if let Some(item) = item {
        keep(&mut meta, item.clone());
        // A thought without a mark is one of another origin.
        if kind != Kind::Text && meta.is_empty() {
            meta.set_form(NAME, "item", json!({}));
        }
    }
    meta
}

/// Keeps what an item says besides its content. Its id and its state are no more than form.
pub(super) fn keep(meta: &mut Meta, item: Map<String, Value>) {
    let (form, rest): (Map<_, _>, Map<_, _>) =
        item.into_iter().partition(|(name, _)| matches!(name.as_str(), "id" | "status"));
    if !form.is_empty() {
        meta.set_form(NAME, "item", form.into());
    }
    if !rest.is_empty() {
        meta.set(NAME, "item", rest.into());
    }
}

/// A generated image; one that is not there yet, or is no base64, stays the item it is.
fn image(mut fields: Map<String, Value>) -> Part {
    let text = |name: &str| fields.get(name).and_then(text_of);
    let mime = format!("image/{}", text("output_format").unwrap_or("png"));
    let Some(Ok(media)) = text("result").map(|data| Media::base64(data, Some(&mime))) else {
        return opaque(NAME, fields);
    };
    fields.shift_remove("result");
    let mut part = Part::image(media);
    keep(&mut part.meta, rest_of(fields, &["type"]));
    part
}

fn server_tool(mut fields: Map<String, Value>, sink: &mut Sink) {
    let [id, kind] = ["id", "type"].map(|field| take_text(&mut fields, field));
    let name = fields.get("name").and_then(Value::as_str).unwrap_or(kind.trim_end_matches("_call")).to_owned();
    let (results, mut fields): (Map<_, _>, Map<_, _>) =
        fields.into_iter().partition(|(name, value)| RESULTS.contains(&name.as_str()) && says(value));
    let (field, input) = match (fields.shift_remove("arguments"), fields.shift_remove("action")) {
        (Some(Value::String(text)), _) => ("arguments", text),
        (_, Some(action)) => ("action", action.to_string()),
        _ => {
            // What is asked for is the item itself: a query, a program.
            let status = fields.shift_remove("status");
            let asked = std::mem::take(&mut fields);
            fields.extend(status.map(|status| ("status".to_owned(), status)));
            ("", Value::Object(asked).to_string())
        }
    };
    let mut meta = Meta::default();
    keep(&mut meta, fields);
    meta.set_form(NAME, "input", field.into());
    let used = ServerToolUse { id: id.clone(), name, input, kind: kind.clone() };
    sink.part(Part { meta, ..Content::ServerToolUse(used).into() });
    if !results.is_empty() {
        let result = ServerToolResult { use_id: id, kind, json: results.into() };
        sink.part(Content::ServerToolResult(result).into());
    }
}
