//! Streamed answers, written as a server: the events that OpenAI's own clients fold.

use sabir_core::chat::{ChatRequest, Citation, Content, Event, Meta, Part, Reasoning};
use sabir_core::dialect::Encoder;
use sabir_core::{Error, Loss};
use serde_json::{Value, json};

use super::error;
use super::item::{Items, call_words, minted};
use super::response::{blank, body};
use crate::shared::write_event;

/// Writes events. The id of an item that streams is one of our own, as its provider's is known at its end only; the
/// last event has the provider's.
#[derive(Debug, Default)]
pub(super) struct EventEncoder {
    request: ChatRequest,
    id: String,
    model: String,
    has_started: bool,
    sequence: u64,
    /// Puts the items together. What stands in it whole is held until it is known that nothing more belongs to it.
    items: Items,
    /// The message or reasoning item that streams, and its last piece.
    item: Option<Item>,
    piece: Option<Piece>,
    /// The calls that stream, by their number.
    calls: Vec<(usize, Piece)>,
    losses: Vec<Loss>,
}

#[derive(Clone, Debug)]
struct Item {
    id: String,
    index: usize,
}

/// A piece of an item: one of its texts, or a call's arguments.
#[derive(Debug)]
struct Piece {
    item: Item,
    words: &'static Words,
    number: usize,
    text: String,
    /// Its text is whole; what is said of it may follow.
    is_whole: bool,
}

/// What the events of a piece are called: its number, itself, its text; and the field that has it whole.
#[derive(Debug, PartialEq, Eq)]
struct Words {
    number: &'static str,
    part: &'static str,
    text: &'static str,
    field: &'static str,
}

const TEXT: &Words = &Words { number: "content_index", part: "content_part", text: "output_text", field: "text" };
const REFUSAL: &Words = &Words { text: "refusal", field: "refusal", ..*TEXT };
/// All thoughts stream as summaries: which are none is known at their end only.
const SUMMARY: &Words =
    &Words { number: "summary_index", part: "reasoning_summary_part", text: "reasoning_summary_text", field: "text" };
const CALL: &Words = &Words { number: "", part: "", text: "function_call_arguments", field: "arguments" };
const CUSTOM_CALL: &Words = &Words { text: "custom_tool_call_input", field: "input", ..*CALL };

impl Words {
    fn is_message(&self) -> bool {
        self.number == TEXT.number
    }

    /// A piece of which nothing is known yet.
    fn blank(&self) -> Value {
        match self {
            TEXT => json!({"type": "output_text", "text": "", "annotations": [], "logprobs": []}),
            REFUSAL => json!({"type": "refusal", "refusal": ""}),
            _ => json!({"type": "summary_text", "text": ""}),
        }
    }
}

impl Piece {
    fn new(item: Item, words: &'static Words, number: usize) -> Self {
        Self { item, words, number, text: String::new(), is_whole: false }
    }

    /// Fields of an event of this piece's: where it stands, and one more.
    fn with(&self, field: &str, value: Value) -> Value {
        let mut fields = json!({"item_id": self.item.id, "output_index": self.item.index});
        if !self.words.number.is_empty() {
            fields[self.words.number] = self.number.into();
        }
        fields[field] = value;
        fields
    }

    /// Writes more of it.
    fn write_delta(&self, sequence: &mut u64, text: &str, out: &mut Vec<u8>) {
        let words = self.words;
        write_event(out, &format!("response.{}.delta", words.text), |to| {
            to.field("sequence_number", sequence).field("item_id", &self.item.id);
            to.field("output_index", &self.item.index);
            if !words.number.is_empty() {
                to.field(words.number, &self.number);
            }
            if words == TEXT {
                to.raw("logprobs", "[]");
            }
            to.field("delta", text);
        });
        *sequence += 1;
    }
}

impl EventEncoder {
    pub(super) fn new(request: &ChatRequest) -> Self {
        let mut items = Items::new(&request.tools, true);
        items.streams = true;
        Self { items, request: request.clone(), ..Self::default() }
    }

    fn emit(&mut self, kind: &str, fields: &Value, out: &mut Vec<u8>) {
        write_event(out, kind, |to| {
            to.field("sequence_number", &self.sequence).meta(fields.as_object(), &[]);
        });
        self.sequence += 1;
    }

    fn start(&mut self, out: &mut Vec<u8>) {
        if !std::mem::replace(&mut self.has_started, true) {
            let response = json!({"response": blank(&self.id, &self.model, "in_progress", &self.request)});
            self.emit("response.created", &response, out);
            self.emit("response.in_progress", &response, out);
        }
    }

    /// An item begins. Returns its number.
    fn added(&mut self, json: &Value, out: &mut Vec<u8>) -> usize {
        let index = self.items.first;
        self.items.first += 1;
        self.emit("response.output_item.added", &json!({"output_index": index, "item": json}), out);
        index
    }

    /// An item begins that streams, and has no id yet.
    fn begin(&mut self, mut json: Value, out: &mut Vec<u8>) -> Item {
        self.end_item(out);
        let id = minted(json["type"].as_str().unwrap_or_default(), self.items.first);
        json["id"] = id.as_str().into();
        Item { index: self.added(&json, out), id }
    }

    fn done(&mut self, index: usize, json: &Value, out: &mut Vec<u8>) {
        self.emit("response.output_item.done", &json!({"output_index": index, "item": json}), out);
    }

    /// A message or reasoning item begins.
    fn begin_item(&mut self, is_message: bool, out: &mut Vec<u8>) -> Item {
        let json = if is_message {
            json!({"type": "message", "id": "", "status": "in_progress", "role": "assistant", "content": []})
        } else {
            json!({"type": "reasoning", "id": "", "summary": []})
        };
        let item = self.begin(json, out);
        self.item = Some(item.clone());
        item
    }

    /// A piece begins, in the item that goes on or in a new one.
    fn begin_piece(&mut self, words: &'static Words, out: &mut Vec<u8>) {
        self.end_piece(out);
        let open = self.item.clone().filter(|_| self.items.goes_on(words.is_message()));
        let item = open.unwrap_or_else(|| self.begin_item(words.is_message(), out));
        let piece = Piece::new(item, words, self.items.pieces().len());
        self.emit(&format!("response.{}.added", words.part), &piece.with("part", words.blank()), out);
        self.piece = Some(piece);
    }

    /// More of a text, thought or refusal.
    fn grow(&mut self, words: &'static Words, text: &str, out: &mut Vec<u8>) {
        if !self.piece.as_ref().is_some_and(|piece| piece.words == words && !piece.is_whole) {
            self.begin_piece(words, out);
        }
        let Some(piece) = &mut self.piece else { return };
        piece.text.push_str(text);
        piece.write_delta(&mut self.sequence, text, out);
    }

    /// The text of the piece is whole. A signature without a thought is one of its own.
    fn part_end(&mut self, signature: Option<&str>, meta: &Meta, out: &mut Vec<u8>) {
        let growing = self.piece.as_mut().filter(|piece| !piece.is_whole);
        let signature = signature.map(str::to_owned);
        let content = match growing {
            Some(piece) if signature.is_none() || piece.words == SUMMARY => {
                piece.is_whole = true;
                let text = std::mem::take(&mut piece.text);
                match piece.words {
                    TEXT => Content::Text { text },
                    REFUSAL => Content::Refusal { text },
                    _ => Content::Reasoning(Reasoning { text, signature, encrypted: None }),
                }
            }
            _ if signature.is_some() => {
                self.begin_item(false, out);
                Content::Reasoning(Reasoning { signature, ..Reasoning::default() })
            }
            _ => return,
        };
        self.items.part(&Part { meta: meta.clone(), ..content.into() }, "");
    }

    /// Ends the piece: all that is said of it is known.
    fn end_piece(&mut self, out: &mut Vec<u8>) {
        self.part_end(None, &Meta::default(), out);
        let Some(piece) = self.piece.take() else { return };
        let (words, part) = (piece.words, self.items.pieces().last().cloned().unwrap_or_default());
        let mut fields = piece.with(words.field, part[words.field].clone());
        if words == TEXT {
            fields["logprobs"] = json!([]);
        }
        self.emit(&format!("response.{}.done", words.text), &fields, out);
        self.emit(&format!("response.{}.done", words.part), &piece.with("part", part), out);
    }

    /// Ends what is being written.
    fn end_item(&mut self, out: &mut Vec<u8>) {
        self.end_piece(out);
        self.items.flush();
        for mut json in std::mem::take(&mut self.items.out) {
            let index = match self.item.take() {
                Some(item) => {
                    json["id"] = item.id.into();
                    item.index
                }
                None => self.added(&json, out),
            };
            self.done(index, &json, out);
        }
    }

    fn call_start(&mut self, number: usize, id: &str, name: &str, is_custom: bool, out: &mut Vec<u8>) {
        let (kind, input) = call_words(is_custom);
        let mut json = json!({"type": kind, "id": "", "call_id": id, "name": name, input: ""});
        if !is_custom {
            json["status"] = "in_progress".into();
        }
        let words = if is_custom { CUSTOM_CALL } else { CALL };
        let item = self.begin(json, out);
        self.calls.push((number, Piece::new(item, words, 0)));
    }

    fn call_grow(&mut self, number: usize, fragment: &str, out: &mut Vec<u8>) {
        if let Some((_, call)) = self.calls.iter().find(|(of, _)| *of == number) {
            call.write_delta(&mut self.sequence, fragment, out);
        }
    }

    fn call_end(&mut self, number: usize, part: &Part, out: &mut Vec<u8>) {
        let Some(at) = self.calls.iter().position(|(of, _)| *of == number) else { return };
        let (_, piece) = self.calls.remove(at);
        let (Content::ToolCall(call), Some(mut json)) = (&part.content, self.items.whole(part)) else { return };
        let mut fields = piece.with(piece.words.field, call.arguments.as_str().into());
        if piece.words == CALL {
            fields["name"] = call.name.as_str().into();
        }
        self.emit(&format!("response.{}.done", piece.words.text), &fields, out);
        json["id"] = piece.item.id.into();
        self.done(piece.item.index, &json, out);
    }

    /// A part that comes whole.
    fn part(&mut self, part: &Part, out: &mut Vec<u8>) {
        match &part.content {
            Content::Text { text } | Content::Refusal { text } => {
                let words = if part.as_text().is_some() { TEXT } else { REFUSAL };
                self.begin_piece(words, out);
                self.grow(words, text, out);
                self.part_end(None, &part.meta, out);
            }
            Content::Citation(citation) => self.citation(citation, out),
            Content::ToolCall(call) => {
                let is_custom = self.items.is_custom(part, &call.name);
                // No event will name its number.
                self.call_start(usize::MAX, &call.id, &call.name, is_custom, out);
                self.call_grow(usize::MAX, &call.arguments, out);
                self.call_end(usize::MAX, part, out);
            }
            Content::Reasoning(_) => {
                self.end_piece(out);
                if !self.items.goes_on(false) {
                    self.begin_item(false, out);
                }
                self.items.part(part, "");
            }
            content => {
                if self.item.is_some() || !matches!(content, Content::ServerToolResult(_)) {
                    self.end_item(out);
                }
                self.items.part(part, "");
            }
        }
    }

    fn citation(&mut self, citation: &Citation, out: &mut Vec<u8>) {
        self.part_end(None, &Meta::default(), out);
        let Some(piece) = self.piece.as_ref().filter(|piece| piece.words == TEXT) else { return };
        if let Some((number, annotation)) = self.items.citation(citation, "") {
            let mut fields = piece.with("annotation_index", number.into());
            fields["annotation"] = annotation;
            self.emit("response.output_text.annotation.added", &fields, out);
        }
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
            Event::Text(text) => self.grow(TEXT, text, out),
            Event::Reasoning(text) => self.grow(SUMMARY, text, out),
            Event::PartEnd { signature, meta } => self.part_end(signature.as_deref(), meta, out),
            Event::ToolStart { index, id, name } => {
                let is_custom = self.items.offers_custom(name);
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
                self.losses = losses.0;
                let is_cut = body["status"] == "incomplete";
                let kind = if is_cut { "response.incomplete" } else { "response.completed" };
                self.emit(kind, &json!({ "response": body }), out);
            }
            _ => {}
        }
    }

    /// As OpenAI does it: the error, which its clients raise at, and the response that failed.
    fn error(&mut self, error: &Error, out: &mut Vec<u8>) {
        self.start(out);
        let shape = error::shape(error);
        let fields = json!({"code": shape["code"], "message": shape["message"], "param": null, "error": shape});
        self.emit("error", &fields, out);
        let mut response = blank(&self.id, &self.model, "failed", &self.request);
        let code = shape["code"].as_str().unwrap_or("server_error");
        response["error"] = json!({"code": code, "message": shape["message"]});
        self.emit("response.failed", &json!({ "response": response }), out);
    }

    fn losses(&mut self) -> Vec<Loss> {
        std::mem::take(&mut self.losses)
    }
}
