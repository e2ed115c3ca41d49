//! What the model says: what it is, and what it was sent.

use sabir_core::chat::{ChatRequest, Content, Media, Message, Part, Role, Source, ToolResult};

use super::{NOTICE, last_user_text, results};

/// The most of a text that is repeated back, in characters.
const QUOTED: usize = 400;

/// How far it counts when told to.
const COUNTED: u32 = 1000;

/// The answer in prose.
pub(super) fn reply(request: &ChatRequest) -> String {
    let results = results(request);
    if !results.is_empty() {
        let told: String = results.iter().map(|r| told(r, request)).collect();
        return format!("{NOTICE}{told}");
    }
    let said = last_user_text(request);
    let greeting = if greets(&said) { "Hello! " } else { "" };
    let body = if let Some(end) = counts_to(&said) {
        let numbers: Vec<String> = (1..=end).map(|n| n.to_string()).collect();
        format!("Counting: {}.", numbers.join(", "))
    } else if said.trim().is_empty() {
        "You sent no text.".to_owned()
    } else {
        format!("You said: “{}” ({}).", quoted(&said), amount(said.split_whitespace().count(), "word"))
    };
    format!("{greeting}{NOTICE} {body}{}{}{}", media(request), system(request), turns(request))
}

/// A text as it is repeated back: in one line, the beginning where it is long.
pub(super) fn quoted(text: &str) -> String {
    let mut out: String = text.trim().chars().take(QUOTED).map(|c| if c.is_control() { ' ' } else { c }).collect();
    if text.trim().chars().nth(QUOTED).is_some() {
        out.push('…');
    }
    out
}

fn told(result: &ToolResult, request: &ChatRequest) -> String {
    let asked = request.messages.iter().flat_map(|m| &m.parts).find_map(|p| match &p.content {
        Content::ToolCall(call) if call.id == result.call_id => Some(call.name.as_str()),
        _ => None,
    });
    let name = result.name.as_deref().or(asked).unwrap_or("you called");
    let verb = if result.is_error { "failed with" } else { "gave" };
    let media: Vec<String> = result.parts.iter().filter_map(described).collect();
    let with = if media.is_empty() { String::new() } else { format!(", with {}", media.join(", ")) };
    format!(" The tool {name} {verb}: “{}”{with}.", quoted(&result.text()))
}

fn greets(text: &str) -> bool {
    let first = text.split(|c: char| !c.is_alphabetic()).find(|word| !word.is_empty()).unwrap_or_default();
    ["hello", "hi", "hey", "salut", "hola", "ciao"].iter().any(|word| first.eq_ignore_ascii_case(word))
}

fn counts_to(text: &str) -> Option<u32> {
    let lower = text.to_lowercase();
    let digits: String = lower.split_once("count to ")?.1.chars().take_while(char::is_ascii_digit).take(9).collect();
    digits.parse().ok().map(|n: u32| n.min(COUNTED))
}

fn media(request: &ChatRequest) -> String {
    let Some(last) = request.messages.iter().rfind(|m| m.role == Role::User) else {
        return String::new();
    };
    let sent: Vec<String> = last.parts.iter().filter_map(described).collect();
    if sent.is_empty() { String::new() } else { format!(" You also sent {}.", sent.join(", ")) }
}

fn described(part: &Part) -> Option<String> {
    let (what, media, title) = match &part.content {
        Content::Image(media) => ("an image", media, None),
        Content::Audio(media) => ("a sound", media, None),
        Content::Video(media) => ("a video", media, None),
        Content::Document(document) => ("a document", &document.media, document.title.as_deref()),
        _ => return None,
    };
    let title = title.map(|t| format!(" “{}”", quoted(t))).unwrap_or_default();
    Some(format!("{what}{title} ({})", whereabouts(media)))
}

fn whereabouts(media: &Media) -> String {
    let place = match &media.source {
        Source::Url(_) => "at a URL".to_owned(),
        Source::Bytes(bytes) => amount(bytes.len(), "byte"),
        Source::FileId(_) => "by its file id".to_owned(),
        _ => "from elsewhere".to_owned(),
    };
    match &media.mime {
        Some(mime) => format!("{}, {place}", quoted(mime)),
        None => place,
    }
}

fn system(request: &ChatRequest) -> String {
    let is_operator = |m: &&Message| matches!(m.role, Role::System | Role::Developer);
    let words: usize = request.messages.iter().filter(is_operator).map(|m| m.text().split_whitespace().count()).sum();
    if words == 0 {
        return String::new();
    }
    format!(" Your system prompt has {}; a model would follow it.", amount(words, "word"))
}

fn turns(request: &ChatRequest) -> String {
    let earlier = request.messages.iter().filter(|m| m.role == Role::Assistant).count();
    if earlier == 0 {
        return String::new();
    }
    format!(" This is answer number {} of our conversation.", earlier + 1)
}

fn amount(count: usize, unit: &str) -> String {
    format!("{count} {unit}{}", if count == 1 { "" } else { "s" })
}
