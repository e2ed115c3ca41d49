//! What is in the log, for people and for programs.

use std::fmt::Write as _;

use sabir::chat::{Content, Document, Media, Message, Part, Source};
use serde_json::{Value, json};

use crate::log::{Entry, Hit, Outcome};
use crate::output;
use crate::table::dollars;
use crate::usage::when::moment;

/// How much of a question is shown in a list, in characters.
const SHOWN: usize = 60;

/// A row of the list.
pub(super) fn row(entry: &Entry, asked: &str) -> Vec<String> {
    let cost = entry.answer.as_ref().and_then(|answer| answer.cost);
    vec![
        entry.kept.conversation.clone(),
        moment(entry.time),
        entry.model.clone(),
        cost.map(|cost| dollars(cost.nano_usd)).unwrap_or_default(),
        format!("{}{}", how(entry), brief(asked)),
    ]
}

/// The list.
pub(super) fn table(rows: &[Vec<String>]) -> String {
    let head = ["ID", "ASKED (UTC)", "MODEL", "COST", "QUESTION"];
    crate::table::table(&head, &[false, false, false, true, false], rows)
}

/// What is to be said of an answer that is not whole.
fn how(entry: &Entry) -> &'static str {
    match entry.outcome {
        Outcome::Answered => "",
        Outcome::Partial => "[partial] ",
        Outcome::Failed => "[failed] ",
    }
}

/// Nothing that a terminal would take for a command.
fn plain(text: &str) -> String {
    text.chars().filter(|c| !c.is_control() || matches!(c, '\n' | '\t')).collect()
}

/// The beginning of a text, in one line.
fn brief(text: &str) -> String {
    let text = plain(text);
    let mut words = String::new();
    for word in text.split_whitespace() {
        if !words.is_empty() {
            words.push(' ');
        }
        words.push_str(word);
        if words.chars().count() > SHOWN {
            return words.chars().take(SHOWN - 1).chain(['…']).collect();
        }
    }
    words
}

/// An exchange of the list.
pub(super) fn entry_json(entry: &Entry, asked: &str) -> Value {
    let mut object = exchange(entry);
    object["asked"] = asked.into();
    object
}

fn exchange(entry: &Entry) -> Value {
    let answer = entry.answer.as_ref();
    json!({
        "conversation": entry.kept.conversation,
        "number": entry.kept.number,
        "time": format!("{}Z", moment(entry.time).replace(' ', "T")),
        "model": entry.model,
        "outcome": entry.outcome.word(),
        "error": entry.error,
        "request": serde_json::from_str::<Value>(&entry.request).unwrap_or_default(),
        "answered_by": answer.map(|answer| &answer.model),
        "finish_reason": answer.map(|answer| &answer.finish.reason),
        "usage": answer.map(|answer| output::usage(&answer.usage)),
        "cost": answer.and_then(|answer| answer.cost),
    })
}

/// A conversation, for a person.
pub(super) fn conversation(id: &str, exchanges: &[(Entry, Vec<Message>)]) -> String {
    let mut text = format!("conversation {id}\n");
    for (entry, messages) in exchanges {
        // Writing to a text does not fail.
        let _ = write!(text, "\n{}, {}", moment(entry.time), entry.model);
        if let Some(cost) = entry.answer.as_ref().and_then(|answer| answer.cost) {
            let _ = write!(text, ", {}", dollars(cost.nano_usd));
        }
        text.push('\n');
        for message in messages {
            let said = message.parts.iter().filter_map(words).collect::<Vec<_>>().join("\n");
            let _ = write!(text, "\n[{}]\n{}\n", message.role, plain(said.trim_end()));
        }
        if entry.outcome != Outcome::Answered {
            let why = entry.error.as_deref().unwrap_or("it broke off");
            let _ = write!(text, "\n[{}] {}\n", entry.outcome.word(), plain(why));
        }
    }
    text
}

/// A part in words.
fn words(part: &Part) -> Option<String> {
    Some(match &part.content {
        Content::Text { text } => text.clone(),
        Content::Reasoning(reasoning) if !reasoning.text.is_empty() => format!("[thought] {}", reasoning.text),
        Content::Image(media) => format!("[image{}]", of(media)),
        Content::Audio(media) => format!("[audio{}]", of(media)),
        Content::Video(media) => format!("[video{}]", of(media)),
        Content::Document(Document { media, title }) => {
            format!("[document {}{}]", title.as_deref().unwrap_or("without a title"), of(media))
        }
        Content::ToolCall(call) => format!("[tool call] {} {}", call.name, call.arguments),
        Content::ToolResult(result) => format!("[tool result] {}", result.text()),
        other => output::part_in_words(other)?,
    })
}

/// Where a medium is, or how large.
fn of(media: &Media) -> String {
    match &media.source {
        Source::Url(url) if !url.starts_with("data:") => format!(" at {url}"),
        Source::Bytes(bytes) => {
            let kind = media.mime.as_deref().unwrap_or("of an unknown kind");
            format!(", {kind}, {} bytes", crate::table::grouped(bytes.len() as u64))
        }
        _ => String::new(),
    }
}

/// A conversation, for a program: every exchange with the messages that it added.
pub(super) fn conversation_json(id: &str, exchanges: &[(Entry, Vec<Message>)]) -> Value {
    let exchanges = exchanges.iter().map(|(entry, messages)| {
        let mut object = exchange(entry);
        object["messages"] = json!(messages);
        object
    });
    json!({ "conversation": id, "exchanges": exchanges.collect::<Vec<_>>() })
}

/// What was found, for a person.
pub(super) fn hit(hit: &Hit) -> String {
    let (id, time, model) = (&hit.entry.kept.conversation, moment(hit.entry.time), &hit.entry.model);
    let snippet = plain(&hit.snippet);
    let snippet = snippet.split_whitespace().collect::<Vec<_>>().join(" ");
    format!("{id}  {time}  {model}\n  {}: {snippet}\n", hit.role)
}

/// What was found, for a program.
pub(super) fn hit_json(hit: &Hit) -> Value {
    let mut object = exchange(&hit.entry);
    object["role"] = json!(hit.role);
    object["snippet"] = hit.snippet.as_str().into();
    object
}
