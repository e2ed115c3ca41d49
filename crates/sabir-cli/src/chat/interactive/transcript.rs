//! A conversation as a file.

use std::fmt::Write as _;
use std::fs::OpenOptions;
use std::io::Write as _;
use std::path::Path;

use sabir::Conversation;
use sabir::chat::{Content, Message, Part};

use crate::failure::Failure;
use crate::output::part_in_words;

/// Writes a conversation to a file that is not there yet: as JSON, where its name ends so, else as Markdown.
pub(super) fn save(conversation: &Conversation, path: &Path) -> Result<(), Failure> {
    let cannot = |error: &std::io::Error| Failure::usage(format!("cannot write {}: {error}", path.display()));
    let is_json = path.extension().is_some_and(|ending| ending.eq_ignore_ascii_case("json"));
    let text = if is_json {
        let json = serde_json::to_string_pretty(conversation);
        json.map_err(|error| Failure::failed(format!("this conversation is no JSON: {error}")))? + "\n"
    } else {
        markdown(conversation)
    };
    let mut file = OpenOptions::new().write(true).create_new(true).open(path).map_err(|error| cannot(&error))?;
    file.write_all(text.as_bytes()).map_err(|error| cannot(&error))
}

fn markdown(conversation: &Conversation) -> String {
    let system = conversation.system.clone().map(Message::system);
    let mut text = String::new();
    for message in system.iter().chain(&conversation.messages) {
        let said: Vec<String> = message.parts.iter().filter_map(words).collect();
        let between = if text.is_empty() { "" } else { "\n" };
        // Writing to a text does not fail.
        let _ = write!(text, "{between}## {}\n\n{}\n", message.role, said.join("\n\n").trim_end());
    }
    text
}

/// A part in words; thoughts are left out.
fn words(part: &Part) -> Option<String> {
    match &part.content {
        Content::Text { text } => Some(text.clone()),
        Content::Document(document) => Some(format!("[document {}]", document.title.as_deref().unwrap_or_default())),
        Content::ToolCall(call) => Some(format!("[tool call] {} {}", call.name, call.arguments)),
        Content::ToolResult(result) => Some(format!("[tool result] {}", result.text())),
        other => part_in_words(other),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_conversation_is_markdown_or_json() {
        let folder = std::env::temp_dir().join(format!("sabir-transcript-{}", std::process::id()));
        std::fs::create_dir_all(&folder).expect("a folder");
        let mut conversation = Conversation::new().system("Be brief.");
        conversation.push("Why?").push(Message::assistant("Because."));
        let (words, data) = (folder.join("a.md"), folder.join("a.json"));
        save(&conversation, &words).expect("written");
        save(&conversation, &data).expect("written");
        let text = std::fs::read_to_string(&words).expect("read");
        assert_eq!(text, "## system\n\nBe brief.\n\n## user\n\nWhy?\n\n## assistant\n\nBecause.\n");
        let read: Conversation = serde_json::from_slice(&std::fs::read(&data).expect("read")).expect("JSON");
        assert_eq!(read, conversation);
        assert!(save(&conversation, &words).is_err(), "what is there stays");
        std::fs::remove_dir_all(folder).expect("removed");
    }
}
