//! From parts to items: of the model's own turns in a request, and of an answer.

use sabir_core::chat::{Citation, Content, Part, Reasoning, Source, Tool, to_base64};
use sabir_core::{Feature, Loss};
use serde_json::{Map, Value, json};

use super::NAME;
use super::wire::text_in;

type Fields = Map<String, Value>;

/// Writes items, one after the other.
#[derive(Debug)]
pub(super) struct Items<'a> {
    pub out: Vec<Value>,
    pub losses: Vec<Loss>,
    /// What the tools are: calls of custom ones are other items.
    tools: &'a [Tool],
    /// An answer has ids and states on every item; a request has those that came.
    is_answer: bool,
    /// How many items stand before the first.
    first: usize,
    group: Option<Group>,
    /// The ids of the calls of custom tools, whose results are other items too.
    pub custom: Vec<String>,
}

/// A message or reasoning item that is being put together.
#[derive(Debug)]
struct Group {
    is_message: bool,
    continues: bool,
    item: Fields,
    content: Vec<Value>,
    summary: Vec<Value>,
    /// `encrypted_content` and `signature`.
    sealed: Fields,
}

impl<'a> Items<'a> {
    /// For a request.
    pub(super) fn asked(tools: &'a [Tool]) -> Self {
        Self { out: Vec::new(), losses: Vec::new(), tools, is_answer: false, first: 0, group: None, custom: Vec::new() }
    }

    /// For an answer, or what comes in it after the `first` items.
    pub(super) fn answered(tools: &'a [Tool], first: usize) -> Self {
        Self { is_answer: true, first, ..Self::asked(tools) }
    }

    pub(super) fn lose(&mut self, feature: Feature, path: &str, note: &str) {
        self.losses.push(Loss::new(feature, path, note));
    }

    /// One part of the model's.
    pub(super) fn part(&mut self, part: &Part, path: &str) {
        if part.cache.is_some() {
            self.lose(Feature::CacheMarks, path, "marks stand on input here");
        }
        match &part.content {
            Content::Text { text } => {
                let mut piece = json!({"type": "output_text", "text": text, "annotations": []});
                extend(&mut piece, part, "content");
                self.message(part).content.push(piece);
            }
            Content::Refusal { text } => self.message(part).content.push(json!({"type": "refusal", "refusal": text})),
            Content::Citation(citation) => self.citation(citation, path),
            Content::Reasoning(reasoning) => self.reasoning(part, reasoning, path),
            Content::Opaque { dialect, json } if dialect == NAME => {
                if part.meta.get(NAME, "content").is_some() {
                    self.message(part).content.push(json.clone());
                } else {
                    self.flush();
                    self.out.push(json.clone());
                }
            }
            _ => {
                self.flush();
                match self.whole(part) {
                    Ok(item) => self.out.push(item),
                    Err((feature, note)) => self.lose(feature, path, note),
                }
            }
        }
    }

    /// Ends what is being put together.
    pub(super) fn flush(&mut self) {
        let Some(group) = self.group.take() else { return };
        let kind = if group.is_message { "message" } else { "reasoning" };
        let is_bare = group.item.is_empty() && !self.is_answer;
        let plain = match group.content.as_slice() {
            [only] if is_bare && group.is_message && only["annotations"] == json!([]) => text_in(only, "text"),
            _ => None,
        };
        if let Some(text) = plain {
            return self.out.push(json!({"role": "assistant", "content": text}));
        }
        let mut item = self.begin(kind, &group.item);
        if group.is_message {
            item.insert("role".into(), "assistant".into());
            item.insert("content".into(), group.content.into());
        } else {
            item.insert("summary".into(), group.summary.into());
            if !group.content.is_empty() {
                item.insert("content".into(), group.content.into());
            }
            item.extend(group.sealed);
        }
        self.out.push(item.into());
    }

    /// An item's type, id and state, and what else is known of it.
    fn begin(&self, kind: &str, known: &Fields) -> Fields {
        let mut item = Fields::from_iter([("type".to_owned(), kind.into())]);
        if self.is_answer {
            item.insert("id".into(), minted(kind, self.first + self.out.len()).into());
            if kind != "reasoning" && kind != "custom_tool_call" {
                item.insert("status".into(), "completed".into());
            }
        }
        item.extend(known.clone());
        item
    }

    /// The message that a part goes into: the one before it where that goes on, else a new one.
    fn message(&mut self, part: &Part) -> &mut Group {
        self.grouped(part, true)
    }

    fn grouped(&mut self, part: &Part, is_message: bool) -> &mut Group {
        if self.group.as_ref().is_some_and(|group| group.is_message != is_message || !group.continues) {
            self.flush();
        }
        let group = self.group.get_or_insert_with(|| Group {
            is_message,
            continues: true,
            item: Fields::new(),
            content: Vec::new(),
            summary: Vec::new(),
            sealed: Fields::new(),
        });
        group.continues = part.meta.get(NAME, "continues").is_some();
        group.item.extend(kept(part, "item").cloned().unwrap_or_default());
        group
    }

    fn citation(&mut self, citation: &Citation, path: &str) {
        let text = self.group.as_mut().filter(|group| group.is_message).and_then(|group| group.content.last_mut());
        match (text.and_then(|text| text.get_mut("annotations")), annotation(citation, self.is_answer)) {
            (Some(Value::Array(all)), Some(json)) => all.push(json),
            (_, None) => self.lose(Feature::Citations, path, "a citation needs an address here"),
            (..) => self.lose(Feature::Citations, path, "a citation stands after its text here"),
        }
    }

    fn reasoning(&mut self, part: &Part, reasoning: &Reasoning, path: &str) {
        if !self.is_answer && part.meta.of(NAME).is_none() {
            let is_sealed = reasoning.signature.is_some() || reasoning.encrypted.is_some();
            let feature = if is_sealed { Feature::Signatures } else { Feature::Reasoning };
            return self.lose(feature, path, "thoughts of another origin are not taken back here");
        }
        let is_plain = part.meta.get(NAME, "kind").is_some();
        let group = self.grouped(part, false);
        if !reasoning.text.is_empty() {
            let (list, kind) =
                if is_plain { (&mut group.content, "reasoning_text") } else { (&mut group.summary, "summary_text") };
            list.push(json!({"type": kind, "text": reasoning.text}));
        }
        for (field, value) in [("encrypted_content", &reasoning.encrypted), ("signature", &reasoning.signature)] {
            if let Some(value) = value {
                group.sealed.insert(field.into(), value.clone().into());
            }
        }
    }

    /// A part that is an item of its own.
    fn whole(&mut self, part: &Part) -> Result<Value, (Feature, &'static str)> {
        let empty = Fields::new();
        let known = kept(part, "item").unwrap_or(&empty);
        match &part.content {
            Content::ToolCall(call) => {
                let is_custom = is_custom(self.tools, part, &call.name);
                if is_custom {
                    self.custom.push(call.id.clone());
                }
                let (kind, input) = call_words(is_custom);
                let mut item = self.begin(kind, known);
                item.insert("call_id".into(), call.id.clone().into());
                item.insert("name".into(), call.name.clone().into());
                item.insert(input.into(), call.arguments.clone().into());
                Ok(item.into())
            }
            Content::ServerToolUse(used) if part.meta.of(NAME).is_some() => {
                let mut item = Fields::from_iter([("type".to_owned(), used.kind.clone().into())]);
                if !used.id.is_empty() {
                    item.insert("id".into(), used.id.clone().into());
                }
                item.extend(known.clone());
                let input = || serde_json::from_str(&used.input).unwrap_or_default();
                match part.meta.get(NAME, "input").and_then(Value::as_str) {
                    Some("arguments") => drop(item.insert("arguments".into(), used.input.clone().into())),
                    Some("action") => drop(item.insert("action".into(), input())),
                    _ => match input() {
                        Value::Object(asked) => item.extend(asked),
                        _ => return Err((Feature::ServerTools, "its input is no object")),
                    },
                }
                Ok(item.into())
            }
            Content::ServerToolResult(result) => match self.out.pop() {
                Some(Value::Object(mut item)) if item.get("id").is_some_and(|id| *id == result.use_id) => {
                    item.extend(result.json.as_object().cloned().unwrap_or_default());
                    Ok(item.into())
                }
                last => {
                    self.out.extend(last);
                    Err((Feature::ServerTools, "what another provider's tool gave"))
                }
            },
            Content::ServerToolUse(_) => Err((Feature::ServerTools, "another provider's tool")),
            Content::Image(media) if self.is_answer || !known.is_empty() => {
                let Source::Bytes(bytes) = &media.source else {
                    return Err((Feature::MediaUrls, "an image of the model's must be here"));
                };
                let mut item = self.begin("image_generation_call", known);
                item.insert("result".into(), to_base64(bytes).into());
                Ok(item.into())
            }
            Content::Image(_) => Err((Feature::Images, "the model's turns hold no images of another origin")),
            Content::Audio(_) => Err((Feature::Audio, "the model's turns hold no sound")),
            Content::Video(_) => Err((Feature::Video, "the model's turns hold no videos")),
            Content::Document(_) => Err((Feature::Documents, "the model's turns hold no files")),
            Content::Opaque { .. } => Err((Feature::Opaque, "a part of another dialect alone")),
            _ => Err((Feature::Tools, "a result is no part of the model's turns")),
        }
    }
}

/// An id of our own for an item of an answer, by its number.
pub(super) fn minted(kind: &str, number: usize) -> String {
    let prefix = match kind {
        "message" => "msg",
        "reasoning" => "rs",
        "function_call" => "fc",
        "custom_tool_call" => "ctc",
        _ => "ig",
    };
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

/// Whether a call is one of a custom tool: by what its provider said, or by the tool that was offered.
pub(super) fn is_custom(tools: &[Tool], part: &Part, name: &str) -> bool {
    part.meta.get(NAME, "type").is_some_and(|kind| kind == "custom") || offers_custom(tools, name)
}

pub(super) fn offers_custom(tools: &[Tool], name: &str) -> bool {
    tools.iter().any(|tool| match tool {
        Tool::Opaque { dialect, json } => dialect == NAME && json["type"] == "custom" && json["name"] == name,
        _ => false,
    })
}

/// An object kept on a part under this dialect's name.
pub(super) fn kept<'p>(part: &'p Part, field: &str) -> Option<&'p Fields> {
    part.meta.get(NAME, field).and_then(Value::as_object)
}

/// Puts the fields kept on a part into its JSON, beside those that are there.
pub(super) fn extend(json: &mut Value, part: &Part, field: &str) {
    if let (Some(fields), Some(more)) = (json.as_object_mut(), kept(part, field)) {
        for (name, value) in more {
            fields.entry(name).or_insert_with(|| value.clone());
        }
    }
}

/// A citation as OpenAI writes it; `None` for one without an address. In an answer all fields are there.
pub(super) fn annotation(citation: &Citation, is_answer: bool) -> Option<Value> {
    let kind = text_in(&citation.json, "type");
    let is_flat = kind.is_some() && kind.is_none_or(|kind| citation.json.get(kind).is_none());
    let own =
        matches!(kind, Some("url_citation" | "file_citation" | "container_file_citation" | "file_path")) && is_flat;
    if own && !(is_answer && kind == Some("url_citation")) {
        return Some(citation.json.clone());
    }
    let url = citation.url.as_ref()?;
    // Where the passage stands must be said; 0 to 0 where nobody did.
    let (start, end) = citation.span.unwrap_or_default();
    let title = citation.title.as_deref().unwrap_or(url);
    let mut json = json!({"type": "url_citation", "url": url, "title": title, "start_index": start, "end_index": end});
    if let (true, Value::Object(fields), Value::Object(said)) = (own, &mut json, &citation.json) {
        fields.extend(said.clone());
    }
    Some(json)
}
