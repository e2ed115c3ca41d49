//! Streamed answers, written as a server: the events that OpenAI's own clients fold.

use sabir_core::chat::{ChatRequest, Content, Event, Meta, Part};
use sabir_core::dialect::Encoder;
use sabir_core::{Error, Loss};
use serde_json::{Map, Value, json};

use super::item::{Items, annotation, call_words, is_custom, minted, offers_custom};
use super::response::{blank, body};
use super::{NAME, error};

/// Writes events. The id of an item that streams is one of our own, as its provider's is known at its end only; the
/// last event has the provider's.
#[derive(Debug)]
pub(super) struct EventEncoder {
    request: ChatRequest,
    id: String,
    model: String,
    has_started: bool,
    sequence: u64,
    /// How many items have begun.
    items: usize,
    group: Option<Group>,
    /// Parts that are items of their own, until it is known that nothing more belongs to them.
    held: Vec<Part>,
    calls: Vec<Call>,
    losses: Vec<Loss>,
}

/// A message or reasoning item that is being written.
#[derive(Debug)]
struct Group {
    kind: &'static str,
    index: usize,
    id: String,
    parts: Vec<Part>,
    /// How many pieces have begun, and where in `parts` the last does.
    pieces: usize,
    start: usize,
    last: Piece,
    continues: bool,
    annotations: usize,
}

/// How far the last piece of an item is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Piece {
    Growing,
    /// Its text is whole; what is said of it may follow.
    Whole,
    Over,
}

#[derive(Debug)]
struct Call {
    number: usize,
    index: usize,
    is_custom: bool,
}

impl EventEncoder {
    pub(super) fn new(request: &ChatRequest) -> Self {
        Self {
            request: request.clone(),
            id: String::new(),
            model: String::new(),
            has_started: false,
            sequence: 0,
            items: 0,
            group: None,
            held: Vec::new(),
            calls: Vec::new(),
            losses: Vec::new(),
        }
    }

    fn start(&mut self, out: &mut Vec<u8>) {
        if !std::mem::replace(&mut self.has_started, true) {
            let response = Value::Object(blank(&self.id, &self.model, "in_progress", &self.request));
            self.emit("response.created", json!({ "response": response }), out);
            self.emit("response.in_progress", json!({ "response": response }), out);
        }
    }

    fn emit(&mut self, kind: &str, fields: Value, out: &mut Vec<u8>) {
        let event = joined(json!({"type": kind, "sequence_number": self.sequence}), fields);
        self.sequence += 1;
        out.extend_from_slice(format!("event: {kind}\ndata: {event}\n\n").as_bytes());
    }

    fn delta(&mut self, kind: &str, place: &str, text: &str, out: &mut Vec<u8>) {
        let number = self.sequence;
        let head =
            format!("event: {kind}\ndata: {{\"type\":\"{kind}\",\"sequence_number\":{number},{place},\"delta\":");
        self.sequence += 1;
        out.extend_from_slice(head.as_bytes());
        serde_json::to_writer(&mut *out, text).expect("a string can always be written to memory");
        out.extend_from_slice(b"}\n\n");
    }

    fn added(&mut self, index: usize, item: &Value, out: &mut Vec<u8>) {
        self.emit("response.output_item.added", json!({"output_index": index, "item": item}), out);
    }

    fn done(&mut self, index: usize, item: &Value, out: &mut Vec<u8>) {
        self.emit("response.output_item.done", json!({"output_index": index, "item": item}), out);
    }

    /// More of a text or thought.
    fn grow(&mut self, kind: &'static str, text: &str, out: &mut Vec<u8>) {
        if !self.group.as_ref().is_some_and(|group| group.kind == kind && group.last == Piece::Growing) {
            let part = if kind == "message" { Part::text("") } else { Part::reasoning("") };
            self.piece(kind, part, out);
        }
        let Some(group) = &mut self.group else { return };
        match group.parts.last_mut().map(|part| &mut part.content) {
            Some(Content::Text { text: all }) => all.push_str(text),
            Some(Content::Reasoning(reasoning)) => reasoning.text.push_str(text),
            _ => {}
        }
        let (event, more) = match kind {
            "message" => ("response.output_text.delta", ",\"logprobs\":[]"),
            _ => ("response.reasoning_summary_text.delta", ""),
        };
        let place = format!("{}{more}", group.place());
        self.delta(event, &place, text, out);
    }

    /// A piece begins, in the item that goes on or in a new one.
    fn piece(&mut self, kind: &'static str, part: Part, out: &mut Vec<u8>) {
        self.end_piece(out);
        if !self.group.as_ref().is_some_and(|group| group.kind == kind && group.continues) {
            self.begin(kind, out);
        }
        let Some(group) = &mut self.group else { return };
        (group.last, group.continues, group.annotations) = (Piece::Growing, false, 0);
        group.pieces += 1;
        group.start = group.parts.len();
        let (event, blank) = match &part.content {
            Content::Refusal { .. } => ("response.content_part.added", json!({"type": "refusal", "refusal": ""})),
            Content::Reasoning(_) => {
                ("response.reasoning_summary_part.added", json!({"type": "summary_text", "text": ""}))
            }
            _ => (
                "response.content_part.added",
                json!({"type": "output_text", "text": "", "annotations": [], "logprobs": []}),
            ),
        };
        group.parts.push(part);
        let fields = group.placed(json!({ "part": blank }));
        self.emit(event, fields, out);
    }

    /// A message or reasoning item begins.
    fn begin(&mut self, kind: &'static str, out: &mut Vec<u8>) {
        self.end_item(out);
        let index = self.items;
        self.items += 1;
        let id = minted(kind, index);
        let item = match kind {
            "message" => json!({"type": kind, "id": id, "status": "in_progress", "role": "assistant", "content": []}),
            _ => json!({"type": kind, "id": id, "summary": []}),
        };
        self.added(index, &item, out);
        self.group = Some(Group {
            kind,
            index,
            id,
            parts: Vec::new(),
            pieces: 0,
            start: 0,
            last: Piece::Over,
            continues: false,
            annotations: 0,
        });
    }

    /// The item of some parts, with an id of ours.
    fn item(&self, parts: &[Part], index: usize, id: &str) -> Value {
        let mut items = Items::answered(&self.request.tools, index);
        for part in parts {
            let mut part = part.clone();
            if let (Content::Reasoning(_), Some(kept)) = (&part.content, part.meta.of(NAME).cloned()) {
                // All thoughts stream as summaries: which are none is known at their end only.
                part.meta = Meta::default();
                kept.into_iter()
                    .filter(|(name, _)| name != "kind")
                    .for_each(|(name, value)| part.meta.set(NAME, name, value));
            }
            items.part(&part, "");
        }
        items.flush();
        let mut item = items.out.into_iter().next().unwrap_or_else(|| Map::new().into());
        item["id"] = id.into();
        item
    }

    /// Ends the last piece: all that is said of it is known.
    fn end_piece(&mut self, out: &mut Vec<u8>) {
        let Some(mut group) = self.group.take() else { return };
        if std::mem::replace(&mut group.last, Piece::Over) != Piece::Over {
            let item = self.item(&group.parts[group.start..], group.index, &group.id);
            let is_message = group.kind == "message";
            let piece = &item[if is_message { "content" } else { "summary" }][0];
            let (text, part) = match (is_message, piece["type"].as_str()) {
                (true, Some("refusal")) => ("response.refusal.done", "response.content_part.done"),
                (true, _) => ("response.output_text.done", "response.content_part.done"),
                _ => ("response.reasoning_summary_text.done", "response.reasoning_summary_part.done"),
            };
            let words = match text {
                "response.refusal.done" => json!({"refusal": piece["refusal"]}),
                "response.output_text.done" => json!({"text": piece["text"], "logprobs": []}),
                _ => json!({"text": piece["text"]}),
            };
            self.emit(text, group.placed(words), out);
            self.emit(part, group.placed(json!({ "part": piece })), out);
        }
        self.group = Some(group);
    }

    /// Ends what is being written.
    fn end_item(&mut self, out: &mut Vec<u8>) {
        self.end_piece(out);
        if let Some(group) = self.group.take() {
            let item = self.item(&group.parts, group.index, &group.id);
            self.done(group.index, &item, out);
        }
        if self.held.is_empty() {
            return;
        }
        let held = std::mem::take(&mut self.held);
        let mut items = Items::answered(&self.request.tools, self.items);
        for part in &held {
            items.part(part, "");
        }
        items.flush();
        for item in items.out {
            let index = self.items;
            self.items += 1;
            self.added(index, &item, out);
            self.done(index, &item, out);
        }
    }

    fn part_end(&mut self, signature: Option<&str>, meta: &Meta, out: &mut Vec<u8>) {
        let growing = self.group.as_ref().filter(|group| group.last == Piece::Growing).map(|group| group.kind);
        if signature.is_some() && growing != Some("reasoning") {
            // A signature alone is a thought of its own.
            self.begin("reasoning", out);
            if let Some(group) = &mut self.group {
                group.parts.push(Part::reasoning(""));
            }
        } else if growing.is_none() {
            return;
        }
        let Some(group) = &mut self.group else { return };
        if group.last == Piece::Growing {
            group.last = Piece::Whole;
        }
        group.close(signature, meta);
    }

    fn call_start(&mut self, number: usize, id: &str, name: &str, is_custom: bool, out: &mut Vec<u8>) {
        self.end_item(out);
        let (kind, input) = call_words(is_custom);
        let index = self.items;
        self.items += 1;
        let mut item = json!({"type": kind, "id": minted(kind, index), "call_id": id, "name": name});
        item[input] = "".into();
        if !is_custom {
            item["status"] = "in_progress".into();
        }
        self.added(index, &item, out);
        self.calls.push(Call { number, index, is_custom });
    }

    fn call_grow(&mut self, number: usize, fragment: &str, out: &mut Vec<u8>) {
        let Some(call) = self.calls.iter().find(|call| call.number == number) else { return };
        let (id, index) = (minted(call_words(call.is_custom).0, call.index), call.index);
        let event = call_event(call.is_custom, "delta");
        self.delta(&event, &format!("\"item_id\":\"{id}\",\"output_index\":{index}"), fragment, out);
    }

    fn call_end(&mut self, number: usize, part: &Part, out: &mut Vec<u8>) {
        let Some(at) = self.calls.iter().position(|call| call.number == number) else { return };
        let Call { index, is_custom, .. } = self.calls.remove(at);
        let Content::ToolCall(call) = &part.content else { return };
        let (kind, input) = call_words(is_custom);
        let id = minted(kind, index);
        let mut fields = json!({"item_id": id, "output_index": index});
        if !is_custom {
            fields["name"] = call.name.clone().into();
        }
        fields[input] = call.arguments.clone().into();
        self.emit(&call_event(is_custom, "done"), fields, out);
        let item = self.item(std::slice::from_ref(part), index, &id);
        self.done(index, &item, out);
    }

    /// A part that comes whole.
    fn part(&mut self, part: &Part, out: &mut Vec<u8>) {
        match &part.content {
            Content::Text { text } => {
                self.piece("message", Part::text(""), out);
                self.grow("message", text, out);
                self.part_end(None, &part.meta, out);
            }
            Content::Refusal { text } => {
                self.piece("message", part.clone(), out);
                let Some(group) = &mut self.group else { return };
                group.last = Piece::Whole;
                group.continues = goes_on(part);
                let place = group.place();
                self.delta("response.refusal.delta", &place, text, out);
            }
            Content::Citation(citation) => {
                let group = self.group.as_mut().filter(|group| group.kind == "message" && group.last != Piece::Over);
                if let (Some(group), Some(annotation)) = (group, annotation(citation, true)) {
                    group.last = Piece::Whole;
                    let more = json!({"annotation_index": group.annotations, "annotation": annotation});
                    group.annotations += 1;
                    group.parts.push(part.clone());
                    let fields = group.placed(more);
                    self.emit("response.output_text.annotation.added", fields, out);
                }
            }
            Content::Reasoning(_) => {
                self.end_piece(out);
                if !self.group.as_ref().is_some_and(|group| group.kind == "reasoning" && group.continues) {
                    self.begin("reasoning", out);
                }
                if let Some(group) = &mut self.group {
                    group.parts.push(part.clone());
                    group.continues = goes_on(part);
                }
            }
            Content::ToolCall(call) => {
                let is_custom = is_custom(&self.request.tools, part, &call.name);
                // No event will name its number.
                self.call_start(usize::MAX, &call.id, &call.name, is_custom, out);
                self.call_grow(usize::MAX, &call.arguments, out);
                self.call_end(usize::MAX, part, out);
            }
            content => {
                if !matches!(content, Content::ServerToolResult(_)) || self.held.is_empty() {
                    self.end_item(out);
                }
                self.held.push(part.clone());
            }
        }
    }
}

impl Group {
    fn close(&mut self, signature: Option<&str>, meta: &Meta) {
        let Some(part) = self.parts.last_mut() else { return };
        part.meta.merge(meta.clone());
        if let (Content::Reasoning(reasoning), Some(signature)) = (&mut part.content, signature) {
            reasoning.signature = Some(signature.to_owned());
        }
        self.continues = goes_on(part);
    }

    fn number_field(&self) -> &'static str {
        if self.kind == "message" { "content_index" } else { "summary_index" }
    }

    /// Where the last piece stands, as fields of an event.
    fn place(&self) -> String {
        let (id, index, field, number) = (&self.id, self.index, self.number_field(), self.pieces - 1);
        format!("\"item_id\":\"{id}\",\"output_index\":{index},\"{field}\":{number}")
    }

    /// That, with more fields.
    fn placed(&self, more: Value) -> Value {
        let mut fields = json!({"item_id": self.id, "output_index": self.index});
        fields[self.number_field()] = (self.pieces - 1).into();
        joined(fields, more)
    }
}

impl Encoder for EventEncoder {
    fn event(&mut self, event: &Event, out: &mut Vec<u8>) {
        match event {
            Event::Start { id, model } => (self.id, self.model) = (id.clone(), model.clone()),
            Event::Done(response) if !self.has_started => {
                (self.id, self.model) = (response.id.clone(), response.model.clone());
            }
            _ => {}
        }
        self.start(out);
        match event {
            Event::Text(text) => self.grow("message", text, out),
            Event::Reasoning(text) => self.grow("reasoning", text, out),
            Event::PartEnd { signature, meta } => self.part_end(signature.as_deref(), meta, out),
            Event::ToolStart { index, id, name } => {
                let is_custom = offers_custom(&self.request.tools, name);
                self.call_start(*index, id, name, is_custom, out);
            }
            Event::ToolArguments { index, fragment } => self.call_grow(*index, fragment, out),
            Event::ToolEnd { index, call, meta } => {
                let part = Part { meta: meta.clone(), ..Content::ToolCall(call.clone()).into() };
                self.call_end(*index, &part, out);
            }
            Event::Part(part) => self.part(part, out),
            Event::Done(response) => {
                self.end_item(out);
                let (body, losses) = body(response, &self.request);
                self.losses = losses;
                let is_cut = body.get("status").is_some_and(|status| status == "incomplete");
                let kind = if is_cut { "response.incomplete" } else { "response.completed" };
                self.emit(kind, json!({ "response": body }), out);
            }
            _ => {}
        }
    }

    /// As OpenAI does it: the error, which its clients raise at, and the response that failed.
    fn error(&mut self, error: &Error, out: &mut Vec<u8>) {
        self.start(out);
        let shape = error::shape(error);
        let fields = json!({"code": shape["code"], "message": shape["message"], "param": null, "error": shape});
        self.emit("error", fields, out);
        let mut response = blank(&self.id, &self.model, "failed", &self.request);
        let code = if shape["code"].is_null() { "server_error".into() } else { shape["code"].clone() };
        response.insert("error".into(), json!({"code": code, "message": shape["message"]}));
        self.emit("response.failed", json!({ "response": response }), out);
    }

    fn losses(&mut self) -> Vec<Loss> {
        std::mem::take(&mut self.losses)
    }
}

fn goes_on(part: &Part) -> bool {
    part.meta.get(NAME, "continues").is_some()
}

fn call_event(is_custom: bool, what: &str) -> String {
    let kind = if is_custom { "custom_tool_call_input" } else { "function_call_arguments" };
    format!("response.{kind}.{what}")
}

/// An object with the fields of another after its own.
fn joined(mut object: Value, more: Value) -> Value {
    if let (Value::Object(object), Value::Object(more)) = (&mut object, more) {
        object.extend(more);
    }
    object
}
