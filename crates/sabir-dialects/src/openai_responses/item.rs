//! From parts to items: of the model's own turns in a request, and of an answer.

use sabir_core::Feature;
use sabir_core::chat::{Citation, Content, Meta, Part, Reasoning, Source, Tool, to_base64};
use serde_json::{Map, Value, json};

use super::NAME;
use crate::openai::write_citation;
use crate::openai_tools::custom_tools;
use crate::shared::Losses;

/// Writes items, one after the other.
#[derive(Debug, Default)]
pub(super) struct Items {
    pub(super) out: Vec<Value>,
    pub(super) losses: Losses,
    /// An answer has ids and states on every item; a request has those that came.
    is_answer: bool,
    /// All thoughts are summaries.
    pub(super) streams: bool,
    /// How many items stand before `out`.
    pub(super) first: usize,
    group: Option<Group>,
    /// The names of custom tools, whose calls are other items, and the ids of those calls, whose results are too.
    custom_tools: Vec<String>,
    pub(super) custom_calls: Vec<String>,
}

/// A message or reasoning item that is being put together.
#[derive(Debug, Default)]
struct Group {
    is_message: bool,
    continues: bool,
    item: Map<String, Value>,
    content: Vec<Value>,
    summary: Vec<Value>,
    /// `encrypted_content` and `signature`.
    sealed: Map<String, Value>,
}

impl Items {
    /// For a request, or for an answer.
    pub(super) fn new(tools: &[Tool], is_answer: bool) -> Self {
        Self { is_answer, custom_tools: custom_tools(tools, NAME), ..Self::default() }
    }

    /// One part of the model's.
    pub(super) fn part(&mut self, part: &Part, path: &str) {
        if part.cache.is_some() {
            self.losses.lose(Feature::CacheMarks, path, "marks stand on input here");
        }
        let mut piece = match &part.content {
            Content::Text { text } => json!({"type": "output_text", "text": text, "annotations": []}),
            Content::Refusal { text } => json!({"type": "refusal", "refusal": text}),
            Content::Opaque { dialect, json } if dialect == NAME && part.meta.get(NAME, "content").is_some() => {
                json.clone()
            }
            Content::Citation(citation) => return drop(self.citation(citation, path)),
            Content::Reasoning(reasoning) => return self.reasoning(part, reasoning, path),
            content => {
                self.flush();
                return match self.whole(part) {
                    Some(item) => self.out.push(item),
                    None => self.losses.part(path, content),
                };
            }
        };
        extend(&mut piece, kept(&part.meta, "content"));
        self.group(part, true).content.push(piece);
    }

    /// Ends what is being put together.
    pub(super) fn flush(&mut self) {
        let Some(group) = self.group.take() else { return };
        let is_bare = group.item.is_empty() && !self.is_answer;
        if let [only] = &group.content[..]
            && is_bare
            && group.is_message
            && only["annotations"] == json!([])
        {
            return self.out.push(json!({"role": "assistant", "content": only["text"]}));
        }
        let mut item = self.begin(if group.is_message { "message" } else { "reasoning" }, &group.item);
        if group.is_message {
            item.insert("role".into(), "assistant".into());
        } else {
            item.insert("summary".into(), group.summary.into());
        }
        if group.is_message || !group.content.is_empty() {
            item.insert("content".into(), group.content.into());
        }
        item.extend(group.sealed);
        self.out.push(item.into());
    }

    /// Whether the next piece belongs to the item that is being put together.
    pub(super) fn goes_on(&self, is_message: bool) -> bool {
        self.group.as_ref().is_some_and(|group| group.continues && group.is_message == is_message)
    }

    /// The pieces of that item that a client sees one by one.
    pub(super) fn pieces(&self) -> &[Value] {
        self.group.as_ref().map_or(&[], |group| if group.is_message { &group.content } else { &group.summary })
    }

    /// An item's type, id and state, and what else is known of it.
    fn begin(&self, kind: &str, known: &Map<String, Value>) -> Map<String, Value> {
        let mut item = Map::from_iter([("type".to_owned(), kind.into())]);
        if self.is_answer {
            item.insert("id".into(), minted(kind, self.first + self.out.len()).into());
            if kind != "reasoning" && kind != "custom_tool_call" {
                item.insert("status".into(), "completed".into());
            }
        }
        item.extend(known.clone());
        item
    }

    /// What a part goes into: the item before it where that goes on, else a new one.
    fn group(&mut self, part: &Part, is_message: bool) -> &mut Group {
        if !self.goes_on(is_message) {
            self.flush();
        }
        let group = self.group.get_or_insert_with(|| Group { is_message, ..Group::default() });
        group.continues = part.meta.form(NAME, "continues").is_some();
        group.item.extend(item_of(&part.meta));
        group
    }

    /// Puts a citation on the text before it. Returns its number there, and what is written of it.
    pub(super) fn citation(&mut self, citation: &Citation, path: &str) -> Option<(usize, Value)> {
        let text = self.group.as_mut().and_then(|group| group.content.last_mut());
        let all = text.and_then(|text| text.get_mut("annotations")?.as_array_mut());
        match (all, write_citation(citation, false)) {
            (Some(all), Some(json)) => {
                if citation.quote.is_some() && json.get("content").is_none() {
                    self.losses.lose(Feature::Citations, format!("{path}.quote"), "only where it stands is told here");
                }
                all.push(json.clone());
                return Some((all.len() - 1, json));
            }
            (_, None) => self.losses.lose(Feature::Citations, path, "a citation needs an address here"),
            (..) => self.losses.lose(Feature::Citations, path, "a citation stands after its text here"),
        }
        None
    }

    fn reasoning(&mut self, part: &Part, reasoning: &Reasoning, path: &str) {
        let Reasoning { text, signature, encrypted } = reasoning;
        if !self.is_answer && part.meta.of(NAME).is_none() {
            let is_sealed = signature.is_some() || encrypted.is_some();
            let feature = if is_sealed { Feature::Signatures } else { Feature::Reasoning };
            return self.losses.lose(feature, path, "thoughts of another origin are not taken back here");
        }
        let is_plain = !self.streams && part.meta.form(NAME, "kind").is_some();
        let group = self.group(part, false);
        if !text.is_empty() && is_plain {
            group.content.push(json!({"type": "reasoning_text", "text": text}));
        } else if !text.is_empty() {
            group.summary.push(json!({"type": "summary_text", "text": text}));
        }
        for (field, value) in [("encrypted_content", encrypted), ("signature", signature)] {
            group.sealed.extend(value.as_ref().map(|value| (field.to_owned(), value.as_str().into())));
        }
    }

    /// A part that is an item of its own; `None` for one that is none.
    pub(super) fn whole(&mut self, part: &Part) -> Option<Value> {
        let known = &item_of(&part.meta);
        let item = match &part.content {
            Content::ToolCall(call) => {
                let is_custom = self.is_custom(part, &call.name);
                self.custom_calls.extend(is_custom.then(|| call.id.clone()));
                let (kind, input) = call_words(is_custom);
                let mut item = self.begin(kind, known);
                item.extend(
                    [("call_id", &call.id), ("name", &call.name), (input, &call.arguments)]
                        .map(|(field, text)| (field.to_owned(), text.as_str().into())),
                );
                item
            }
            Content::ServerToolUse(used) if part.meta.of(NAME).is_some() => {
                let mut item = Map::from_iter([("type".to_owned(), used.kind.as_str().into())]);
                item.extend(Some(&used.id).filter(|id| !id.is_empty()).map(|id| ("id".to_owned(), id.as_str().into())));
                item.extend(known.clone());
                let input = || serde_json::from_str(&used.input).unwrap_or_default();
                match (part.meta.form(NAME, "input").and_then(Value::as_str), input()) {
                    (Some("arguments"), _) => drop(item.insert("arguments".into(), used.input.as_str().into())),
                    (Some("action"), input) => drop(item.insert("action".into(), input)),
                    (_, Value::Object(asked)) => item.extend(asked),
                    _ => return None,
                }
                item
            }
            Content::ServerToolResult(result) => {
                let last = self.out.pop_if(|last| last["id"] == *result.use_id)?;
                let Value::Object(mut item) = last else { return None };
                item.extend(result.json.as_object().cloned().unwrap_or_default());
                item
            }
            Content::Image(media) if self.is_answer || !known.is_empty() => {
                let Source::Bytes(bytes) = &media.source else { return None };
                let mut item = self.begin("image_generation_call", known);
                item.insert("result".into(), to_base64(bytes).into());
                item
            }
            Content::Opaque { dialect, json } if dialect == NAME => return Some(json.clone()),
            _ => return None,
        };
        Some(item.into())
    }

    /// Whether a call is one of a custom tool: by what its provider said, or by the tool that was offered.
    pub(super) fn is_custom(&self, part: &Part, name: &str) -> bool {
        part.meta.get(NAME, "type").is_some() || self.offers_custom(name)
    }

    /// Whether a tool of this name is a custom one.
    pub(super) fn offers_custom(&self, name: &str) -> bool {
        self.custom_tools.iter().any(|custom| custom == name)
    }
}

/// An id of our own for an item of an answer, by its number.
pub(super) fn minted(kind: &str, number: usize) -> String {
    let prefixes = [("message", "msg"), ("reasoning", "rs"), ("function_call", "fc"), ("custom_tool_call", "ctc")];
    let prefix = prefixes.iter().find(|(of, _)| *of == kind).map_or("ig", |(_, prefix)| *prefix);
    format!("{prefix}_sabir{number}")
}

/// Whether an id is one of those: nobody upstream knows it.
pub(super) fn is_minted(id: &Value) -> bool {
    id.as_str().and_then(|id| id.split_once("_sabir")).is_some_and(|(_, n)| n.bytes().all(|b| b.is_ascii_digit()))
}

/// The type of a call's item, and the field of its arguments.
pub(super) fn call_words(is_custom: bool) -> (&'static str, &'static str) {
    if is_custom { ("custom_tool_call", "input") } else { ("function_call", "arguments") }
}

/// An object kept under this dialect's name.
pub(super) fn kept<'m>(meta: &'m Meta, field: &str) -> impl Iterator<Item = (&'m String, &'m Value)> {
    meta.get(NAME, field).and_then(Value::as_object).into_iter().flatten()
}

/// What an item said besides its content.
pub(super) fn item_of(meta: &Meta) -> Map<String, Value> {
    let form = meta.form(NAME, "item").and_then(Value::as_object).into_iter().flatten();
    form.chain(kept(meta, "item")).map(|(name, value)| (name.clone(), value.clone())).collect()
}

/// Puts kept fields into the JSON of a part, beside those that are there.
pub(super) fn extend<'k>(json: &mut Value, kept: impl IntoIterator<Item = (&'k String, &'k Value)>) {
    for (name, value) in kept {
        if json.get(name).is_none() {
            json[name] = value.clone();
        }
    }
}
