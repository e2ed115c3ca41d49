//! Tells a sink what items say, whole or in deltas: one reading for both, and for the items of a request too, so that
//! they cannot differ.

use std::collections::{HashMap, HashSet};

use sabir_core::chat::{Citation, Content, Media, Meta, Part, Reasoning, ServerToolResult, ServerToolUse};
use sabir_core::{Result, Sink};
use serde_json::{Map, Value};

use super::NAME;
use super::wire::text_in;

/// What a piece of text is; with its number, where in its item it stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
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
    /// How many calls came without any id.
    unnamed: usize,
}

/// An item that has begun.
#[derive(Debug, Default)]
struct Open {
    /// The pieces that were told: which of their kind each is. Their own numbers may skip some.
    told: HashMap<(Kind, u64), usize>,
    /// How many pieces of each kind were told.
    counts: [usize; 3],
    annotations: Vec<Value>,
    call: Option<usize>,
    has_arguments: bool,
}

/// The provider's own tools. What one of them gave stands in these fields of its item.
const SERVER_TOOLS: &[&str] =
    &["web_search_call", "file_search_call", "code_interpreter_call", "mcp_call", "x_search_call"];
const RESULTS: &[&str] = &["outputs", "results", "output", "error"];

impl Open {
    fn has_told(&self, kind: Kind, nth: usize) -> bool {
        nth < self.counts[kind as usize]
    }
}

impl Teller {
    /// Whether an item is complete, or all of this many are.
    pub(super) fn has(&self, at: u64, of: usize) -> bool {
        self.done.contains(&at) || self.done.len() >= of
    }

    /// An item begins: a call can be told at once.
    pub(super) fn added(&mut self, at: u64, json: &Value, sink: &mut Sink) -> Result<()> {
        let name = text_in(json, "name").filter(|name| !name.is_empty());
        let id = text_in(json, "call_id").filter(|id| !id.is_empty());
        let is_call = matches!(text_in(json, "type"), Some("function_call" | "custom_tool_call"));
        if let (Some(name), Some(id), true) = (name, id, is_call) {
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
            let Open { told, counts, .. } = self.open.entry(at).or_default();
            told.entry((kind, number)).or_insert_with(|| {
                counts[kind as usize] += 1;
                counts[kind as usize] - 1
            });
        }
        match kind {
            Kind::Text => sink.text(text),
            Kind::Summary | Kind::Thought => sink.reasoning(text),
        }
    }

    /// More of a call's arguments. Those of a call that could not be told yet come whole at its end.
    pub(super) fn arguments(&mut self, at: u64, fragment: &str, sink: &mut Sink) {
        if let Some(Open { call: Some(call), has_arguments, .. }) = self.open.get_mut(&at) {
            *has_arguments |= !fragment.is_empty();
            sink.tool_arguments(*call, fragment);
        }
    }

    /// Where a text comes from; told when the text is whole.
    pub(super) fn annotation(&mut self, at: u64, json: Value) {
        self.open.entry(at).or_default().annotations.push(json);
    }

    /// All of them, from the piece that they belong to.
    pub(super) fn annotations(&mut self, at: u64, piece: &Value) {
        if let Some(all) = piece.get("annotations").and_then(Value::as_array).filter(|all| !all.is_empty()) {
            self.open.entry(at).or_default().annotations.clone_from(all);
        }
    }

    /// Closes the piece that is open; `next` is the item that goes on.
    pub(super) fn leave(&mut self, next: Option<u64>, sink: &mut Sink) {
        if let Some((at, kind, _)) = self.current {
            self.close(meta(None, next == Some(at), kind, Map::new()), None, sink);
            let annotations = self.open.get_mut(&at).map(|open| std::mem::take(&mut open.annotations));
            for json in annotations.into_iter().flatten() {
                sink.part(citation(json));
            }
        }
    }

    fn close(&mut self, meta: Meta, signature: Option<&str>, sink: &mut Sink) {
        self.current = None;
        sink.part_end(signature, meta);
    }

    fn is_current(&self, at: u64) -> bool {
        self.current.is_some_and(|(item, ..)| item == at)
    }

    /// Makes the nth piece of a kind the one that is open: `false` where it was told and closed before.
    fn open_piece(&mut self, at: u64, kind: Kind, nth: usize, open: &Open, text: &str, sink: &mut Sink) -> bool {
        if open.has_told(kind, nth) {
            return self.current.is_some_and(|(item, open_kind, number)| {
                item == at && open_kind == kind && open.told.get(&(kind, number)) == Some(&nth)
            });
        }
        if self.is_current(at) {
            self.leave(Some(at), sink);
        }
        match kind {
            Kind::Text => sink.text(text),
            Kind::Summary | Kind::Thought => sink.reasoning(text),
        }
        true
    }

    /// An item is complete: what has not been told of it is told.
    pub(super) fn item(&mut self, at: u64, json: Value, sink: &mut Sink) -> Result<()> {
        self.done.insert(at);
        let open = self.open.remove(&at).unwrap_or_default();
        if !self.is_current(at) {
            self.leave(None, sink);
        }
        let Value::Object(fields) = json else { return Ok(()) };
        match fields.get("type").and_then(Value::as_str).unwrap_or("message") {
            "message" => self.message(at, fields, open, sink),
            "reasoning" => self.reasoning(at, fields, &open, sink),
            "function_call" | "custom_tool_call" => return self.call(fields, &open, sink),
            "image_generation_call" => sink.part(image(fields)),
            kind if SERVER_TOOLS.contains(&kind) => server_tool(fields, sink),
            _ => sink.part(opaque(fields)),
        }
        Ok(())
    }

    fn message(&mut self, at: u64, mut fields: Map<String, Value>, mut open: Open, sink: &mut Sink) {
        let pieces = match fields.shift_remove("content") {
            Some(Value::Array(pieces)) => pieces,
            Some(Value::String(text)) => vec![serde_json::json!({"type": "output_text", "text": text})],
            _ => Vec::new(),
        };
        let rest = rest_of(fields, &["type", "role"]);
        let last = pieces.iter().rposition(|piece| !text_in(piece, "text").is_some_and(str::is_empty));
        let mut texts = 0;
        for (number, piece) in pieces.into_iter().enumerate() {
            let Value::Object(mut piece) = piece else { continue };
            let item = (Some(number) == last).then_some(&rest);
            match piece.get("type").and_then(Value::as_str) {
                Some("output_text" | "text" | "input_text") => {
                    let annotations = match piece.shift_remove("annotations") {
                        Some(Value::Array(all)) if !all.is_empty() => all,
                        _ => std::mem::take(&mut open.annotations),
                    };
                    let text = piece.shift_remove("text").unwrap_or_default();
                    let text = text.as_str().unwrap_or_default();
                    if text.is_empty() || !self.open_piece(at, Kind::Text, texts, &open, text, sink) {
                        texts += usize::from(!text.is_empty());
                        continue;
                    }
                    texts += 1;
                    self.close(meta(item, item.is_none(), Kind::Text, rest_of(piece, &["type"])), None, sink);
                    for json in annotations {
                        sink.part(citation(json));
                    }
                }
                Some("refusal") => {
                    let text = piece.get("refusal").and_then(Value::as_str).unwrap_or_default().to_owned();
                    let meta = meta(item, item.is_none(), Kind::Text, Map::new());
                    self.whole(at, Part { meta, ..Content::Refusal { text }.into() }, sink);
                }
                _ => {
                    let mut meta = meta(item, item.is_none(), Kind::Text, Map::new());
                    meta.set(NAME, "content", Value::Object(Map::new()));
                    self.whole(at, Part { meta, ..opaque(piece) }, sink);
                }
            }
        }
        if self.is_current(at) {
            self.close(meta(Some(&rest), false, Kind::Text, Map::new()), None, sink);
        }
    }

    /// A part that comes whole, after what is open of its item.
    fn whole(&mut self, at: u64, part: Part, sink: &mut Sink) {
        self.leave(Some(at), sink);
        sink.part(part);
    }

    fn reasoning(&mut self, at: u64, fields: Map<String, Value>, open: &Open, sink: &mut Sink) {
        let text = |name: &str| fields.get(name).and_then(Value::as_str).filter(|text| !text.is_empty());
        let (sealed, signature) = (text("encrypted_content"), text("signature"));
        let mut pieces = Vec::new();
        for (field, kind) in [("summary", Kind::Summary), ("content", Kind::Thought)] {
            let list = fields.get(field).and_then(Value::as_array).map_or(&[][..], Vec::as_slice);
            let texts = list.iter().filter_map(|piece| text_in(piece, "text")).filter(|text| !text.is_empty());
            pieces.extend(texts.enumerate().map(|(nth, text)| (kind, nth, text)));
        }
        if pieces.is_empty() && sealed.is_none() && signature.is_none() && open.told.is_empty() {
            return sink.part(opaque(fields));
        }
        let rest = rest_of(fields.clone(), &["type", "summary", "content", "encrypted_content", "signature"]);
        let last = pieces.len();
        for (n, (kind, nth, text)) in pieces.into_iter().enumerate() {
            let item = (n + 1 == last && sealed.is_none()).then_some(&rest);
            if !self.open_piece(at, kind, nth, open, text, sink) {
                continue;
            }
            self.close(meta(item, item.is_none(), kind, Map::new()), item.and(signature), sink);
        }
        if sealed.is_some() || last == 0 && signature.is_some() {
            let [encrypted, signature] = [sealed, signature].map(|text| text.map(str::to_owned));
            let reasoning = Reasoning { encrypted, signature, ..Reasoning::default() };
            let meta = meta(Some(&rest), false, Kind::Summary, Map::new());
            self.whole(at, Part { meta, ..Content::Reasoning(reasoning).into() }, sink);
        }
        if let Some((item, kind, _)) = self.current
            && item == at
        {
            self.close(meta(Some(&rest), false, kind, Map::new()), signature, sink);
        }
    }

    fn call(&mut self, mut fields: Map<String, Value>, open: &Open, sink: &mut Sink) -> Result<()> {
        let is_custom = fields.get("type").is_some_and(|kind| kind == "custom_tool_call");
        let mut take = |name: &str| match fields.shift_remove(name) {
            None | Some(Value::Null) => String::new(),
            Some(Value::String(text)) => text,
            Some(json) => json.to_string(),
        };
        let (mut id, name) = (take("call_id"), take("name"));
        let arguments = take(if is_custom { "input" } else { "arguments" });
        if id.is_empty() {
            fields.get("id").and_then(Value::as_str).unwrap_or_default().clone_into(&mut id);
        }
        if id.is_empty() {
            id = format!("call_{}", self.unnamed);
            self.unnamed += 1;
        }
        let call = match open.call {
            Some(call) => call,
            None => sink.tool_start(&id, &name)?,
        };
        if !open.has_arguments {
            sink.tool_arguments(call, &arguments);
        }
        if is_custom {
            sink.tool_meta(call, NAME, "type", "custom".into());
        }
        sink.tool_meta(call, NAME, "item", Value::Object(rest_of(fields, &["type"])));
        sink.tool_end(call);
        Ok(())
    }
}

/// The fields that say something, but for some.
pub(super) fn rest_of(fields: Map<String, Value>, known: &[&str]) -> Map<String, Value> {
    fields.into_iter().filter(|(name, value)| !known.contains(&name.as_str()) && says(value)).collect()
}

/// Whether a value is more than null or an empty list.
fn says(value: &Value) -> bool {
    !value.is_null() && value.as_array().is_none_or(|list| !list.is_empty())
}

/// What is kept of an item and of a content part, on the part that it becomes.
fn meta(item: Option<&Map<String, Value>>, continues: bool, kind: Kind, content: Map<String, Value>) -> Meta {
    let mut meta = Meta::default();
    if continues {
        meta.set(NAME, "continues", true.into());
    }
    if kind == Kind::Thought {
        meta.set(NAME, "kind", "reasoning_text".into());
    }
    if let Some(item) = item.filter(|item| !item.is_empty() || kind != Kind::Text) {
        meta.set(NAME, "item", Value::Object(item.clone()));
    }
    if !content.is_empty() {
        meta.set(NAME, "content", Value::Object(content));
    }
    meta
}

pub(super) fn opaque(fields: Map<String, Value>) -> Part {
    Content::Opaque { dialect: NAME.to_owned(), json: Value::Object(fields) }.into()
}

/// A generated image; one that is not there yet, or is no base64, stays the item it is.
fn image(mut fields: Map<String, Value>) -> Part {
    let mime = fields.get("output_format").and_then(Value::as_str).unwrap_or("png");
    let mime = format!("image/{mime}");
    let data = fields.get("result").and_then(Value::as_str).filter(|data| !data.is_empty());
    let Some(Ok(media)) = data.map(|data| Media::base64(data, Some(&mime))) else { return opaque(fields) };
    fields.shift_remove("result");
    Part::image(media).with_meta(NAME, "item", Value::Object(rest_of(fields, &[])))
}

fn server_tool(mut fields: Map<String, Value>, sink: &mut Sink) {
    let mut take = |name: &str| match fields.shift_remove(name) {
        Some(Value::String(text)) => text,
        _ => String::new(),
    };
    let (id, kind) = (take("id"), take("type"));
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
    let meta = Meta::default().with(NAME, "item", fields.into()).with(NAME, "input", field.into());
    let used = ServerToolUse { id: id.clone(), name, input, kind: kind.clone() };
    sink.part(Part { meta, ..Content::ServerToolUse(used).into() });
    if !results.is_empty() {
        let result = ServerToolResult { use_id: id, kind, json: Value::Object(results) };
        sink.part(Content::ServerToolResult(result).into());
    }
}

fn citation(json: Value) -> Part {
    let text = |name: &str| text_in(&json, name).filter(|text| !text.is_empty()).map(str::to_owned);
    let at = |name: &str| json.get(name).and_then(Value::as_u64);
    let (url, title) = (text("url"), text("title").or_else(|| text("filename")));
    let span = at("start_index").zip(at("end_index")).filter(|span| *span != (0, 0));
    Content::Citation(Citation { url, title, quote: None, span, json }).into()
}
