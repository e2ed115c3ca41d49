//! A request, looked at before it is sent: every fault at once, each with its place.
//!
//! Only what no provider can make sense of, or what this model is known to refuse, is a fault; what a dialect merely
//! has no place for is a [`Loss`](crate::Loss).

use std::collections::{HashMap, HashSet};
use std::fmt;

use serde_json::value::RawValue;

use crate::chat::{ChatRequest, Content, Media, Part, Role, Source, Tool, ToolChoice};
use crate::{Abilities, Error, ErrorKind, Feature, ModelTraits, Result};

/// One thing that is wrong with a request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Fault {
    /// Where, as a path in the vocabulary: `messages[2].parts[0]`, `tools[1].name`.
    pub path: String,
    /// What is wrong, and what to do. Never shows what was said.
    pub what: String,
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.path, self.what)
    }
}

/// The most bytes of text that any vocabulary in use puts into one token: long runs of one character.
const BYTES_IN_A_TOKEN: u64 = 128;

/// Looks for all faults of a request to one model.
///
/// # Errors
/// `InvalidRequest`, or `Unsupported` where all that is wrong is the model; [`Error::faults`] has each by itself.
pub fn check(request: &ChatRequest, abilities: &Abilities, traits: &ModelTraits) -> Result<()> {
    let model = if request.model.is_empty() { "the model" } else { &request.model };
    let mut look = Look { model, abilities, traits, faults: Vec::new(), refused: 0 };
    look.conversation(request);
    look.tools(request);
    look.limits(request);
    if look.faults.is_empty() {
        return Ok(());
    }
    let kind = if look.refused == look.faults.len() { ErrorKind::Unsupported } else { ErrorKind::InvalidRequest };
    Err(Error::of_faults(kind, look.faults))
}

struct Look<'a> {
    model: &'a str,
    abilities: &'a Abilities,
    traits: &'a ModelTraits,
    faults: Vec<Fault>,
    /// How many of the faults are none of the request, but of the choice of the model.
    refused: usize,
}

impl<'a> Look<'a> {
    fn fault(&mut self, path: impl Into<String>, what: impl Into<String>) {
        self.faults.push(Fault { path: path.into(), what: what.into() });
    }

    fn refused(&mut self, path: impl Into<String>, what: impl Into<String>) {
        self.refused += 1;
        self.fault(path, what);
    }

    /// The order of the conversation. What is held by the provider (an earlier answer, a stored prompt) is not seen
    /// here: where options speak of it, a result may answer a call that does not stand here.
    fn conversation(&mut self, request: &'a ChatRequest) {
        let held = !request.options.is_empty();
        if request.messages.is_empty() && !held {
            self.fault("messages", "is empty; say something, for example with `.user(…)`");
        }
        if self.abilities.turns {
            self.turns(request);
        }
        let mut calls: HashMap<&str, Option<String>> = HashMap::new();
        for (at, message) in request.messages.iter().enumerate() {
            for (n, part) in message.parts.iter().enumerate() {
                let path = || format!("messages[{at}].parts[{n}]");
                match &part.content {
                    Content::ToolCall(call) => {
                        if message.role != Role::Assistant {
                            self.fault(path(), "a call is the assistant's to make");
                        }
                        if call.name.is_empty() {
                            self.fault(path(), "the call names no function");
                        }
                        if !self.abilities.free_arguments && !is_json_object(&call.arguments) {
                            self.fault(path(), "the arguments of the call are not a JSON object");
                        }
                        if !call.id.is_empty() && calls.insert(&call.id, None).is_some_and(|open| open.is_none()) {
                            self.fault(path(), format!("a second call has the id {:?}", call.id));
                        }
                    }
                    Content::ToolResult(result) => {
                        self.result(path(), &result.call_id, held, &mut calls);
                        self.media_of(&result.parts, &path);
                    }
                    _ => self.medium(part, &path),
                }
            }
        }
    }

    /// Messages of the person's and the model's, where they must take turns: the person first.
    fn turns(&mut self, request: &'a ChatRequest) {
        let speaks = |role: &Role| matches!(role, Role::User | Role::Assistant | Role::Tool);
        let mut before = &Role::Assistant;
        for (at, message) in request.messages.iter().enumerate().filter(|(_, message)| speaks(&message.role)) {
            if message.role == Role::Tool {
                // Results are the person's to tell.
                before = &Role::User;
                continue;
            }
            if message.role == *before {
                let what = match before {
                    Role::User => "is the user's again; user and assistant must take turns here: join the two",
                    _ if at == 0 => "is the assistant's; the user must begin here",
                    _ => "is the assistant's again; user and assistant must take turns here: join the two",
                };
                self.fault(format!("messages[{at}]"), what);
            }
            before = &message.role;
        }
    }

    fn result(&mut self, path: String, id: &'a str, held: bool, calls: &mut HashMap<&'a str, Option<String>>) {
        match calls.get_mut(id) {
            Some(answered @ None) => *answered = Some(path),
            Some(Some(first)) => {
                let what = format!("the call {id:?} was answered before, at {first}");
                self.fault(path, what);
            }
            None if held => {}
            None => self.fault(path, format!("the result answers no call: none before it has the id {id:?}")),
        }
    }

    fn media_of(&mut self, parts: &[Part], path: &impl Fn() -> String) {
        for part in parts {
            self.medium(part, path);
        }
    }

    fn medium(&mut self, part: &Part, path: &impl Fn() -> String) {
        let (media, feature, what): (&Media, _, _) = match &part.content {
            Content::Image(media) => (media, Feature::Images, "images"),
            Content::Audio(media) => (media, Feature::Audio, "sound"),
            Content::Video(media) => (media, Feature::Video, "moving pictures"),
            Content::Document(document) => (&document.media, Feature::Documents, "documents"),
            _ => return,
        };
        if feature == Feature::Images && self.traits.vision == Some(false) {
            return self.refused(path(), format!("{} takes no {what}; ask another model", self.model));
        }
        let Source::Bytes(bytes) = &media.source else { return };
        if bytes.is_empty() {
            self.fault(path(), "the medium is empty");
        }
        if let Some(most) = self.abilities.inline_bytes.filter(|most| bytes.len() > *most) {
            let what = format!("the medium has {} bytes, and {most} can be sent within a request", bytes.len());
            self.fault(path(), what);
        }
        let known = self.abilities.images;
        if let Some(mime) = media.mime.as_deref().filter(|_| feature == Feature::Images && !known.is_empty())
            && !known.contains(&mime)
        {
            self.fault(path(), format!("an image of the type {mime} is not taken; send one of {}", known.join(", ")));
        }
    }

    fn tools(&mut self, request: &ChatRequest) {
        if !request.tools.is_empty() && self.traits.tools == Some(false) {
            self.refused("tools", format!("{} takes no tools; ask another model", self.model));
        }
        let mut names = HashSet::new();
        for (n, tool) in request.tools.iter().enumerate() {
            let Tool::Function(function) = tool else { continue };
            if let Some(what) = self.bad_name(&function.name) {
                self.fault(format!("tools[{n}].name"), what);
            } else if !names.insert(function.name.as_str()) {
                self.fault(format!("tools[{n}].name"), format!("a second tool is called {:?}", function.name));
            }
            if function.parameters.as_ref().is_some_and(|schema| !(schema.is_object() || schema.is_boolean())) {
                self.fault(format!("tools[{n}].parameters"), "a JSON Schema is an object");
            }
        }
        let wanted = match &request.tool_choice {
            Some(ToolChoice::Named(name)) => std::slice::from_ref(name),
            Some(ToolChoice::Allowed { names, .. }) => names,
            Some(ToolChoice::Required) if request.tools.is_empty() && request.options.is_empty() => {
                return self.fault("tool_choice", "a tool must be called, and there is none");
            }
            _ => return,
        };
        let has_opaque = request.tools.iter().any(|tool| !matches!(tool, Tool::Function(_)));
        if let Some(stranger) = wanted.iter().find(|name| !names.contains(name.as_str())).filter(|_| !has_opaque) {
            self.fault("tool_choice", format!("no tool is called {stranger:?}"));
        }
    }

    fn bad_name(&self, name: &str) -> Option<String> {
        let (longest, also) = (self.abilities.tool_name, self.abilities.tool_name_also);
        if name.is_empty() {
            return Some("the tool has no name".to_owned());
        }
        if name.chars().count() > longest {
            return Some(format!("is longer than the {longest} characters that are taken here"));
        }
        let stray =
            name.chars().find(|c| !(c.is_ascii_alphanumeric() || matches!(c, '_' | '-') || also.contains(*c)))?;
        let also = also.chars().fold(String::new(), |all, c| all + " " + c.encode_utf8(&mut [0; 4]));
        Some(format!("has {stray:?} in it; letters, digits and _ -{also} are taken here"))
    }

    fn limits(&mut self, request: &ChatRequest) {
        if request.max_tokens == Some(0) {
            self.fault("max_tokens", "is 0: no answer fits");
        }
        if let (Some(wanted), Some(most)) = (request.max_tokens, self.traits.max_output)
            && wanted > most
        {
            self.fault("max_tokens", format!("is {wanted}, and {} writes {most} at most", self.model));
        }
        let texts = request.messages.iter().flat_map(|message| &message.parts).filter_map(Part::as_text);
        let least = texts.map(|text| text.len() as u64).sum::<u64>() / BYTES_IN_A_TOKEN;
        if let Some(window) = self.traits.context_window.filter(|window| least > *window) {
            let what = format!("is at least {least} tokens long, and {} reads {window} at most", self.model);
            self.fault("messages", what);
        }
        let dials = [
            ("temperature", request.temperature, 0.0..=2.0),
            ("top_p", request.top_p, 0.0..=1.0),
            ("presence_penalty", request.presence_penalty, -2.0..=2.0),
            ("frequency_penalty", request.frequency_penalty, -2.0..=2.0),
        ];
        for (name, value, range) in dials {
            if let Some(value) = value.filter(|value| !value.is_finite()) {
                let (low, high) = range.into_inner();
                self.fault(
                    name,
                    format!("is {value}, which is no number that can be sent; it goes from {low} to {high}"),
                );
            }
        }
    }
}

/// Arguments of a function without any may be left empty.
fn is_json_object(text: &str) -> bool {
    let text = text.trim();
    text.is_empty() || (text.starts_with('{') && serde_json::from_str::<&RawValue>(text).is_ok())
}

#[cfg(test)]
mod tests;
