use sabir_core::chat::{ChatRequest, Content, Part, Tool};
use sabir_core::count::Count;

/// The beginning of a request that its marks ask the provider to keep.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct CachedPrefix {
    /// Where the marks stand, as paths in the vocabulary: `tools[1]`, `messages[0].parts[2]`; `cache` where the provider
    /// is to place one itself.
    pub marks: Vec<String>,
    /// How many tokens stand up to the last mark, counted here.
    pub tokens: Count,
}

impl CachedPrefix {
    /// What is marked in a request; the function counts a beginning of it.
    pub(super) fn of(chat: &ChatRequest, count: impl FnOnce(ChatRequest) -> Count) -> Option<Self> {
        let tools = chat.tools.iter().enumerate().filter(|(_, tool)| bears_mark(tool));
        let mut marks: Vec<String> = tools.map(|(at, _)| format!("tools[{at}]")).collect();
        let mut last = None;
        for (message, said) in chat.messages.iter().enumerate() {
            for (part, _) in said.parts.iter().enumerate().filter(|(_, part)| is_marked(part)) {
                marks.push(format!("messages[{message}].parts[{part}]"));
                last = Some((message, part));
            }
        }
        if chat.cache.is_some() {
            marks.push("cache".to_owned());
            last = chat.messages.len().checked_sub(1).map(|at| (at, usize::MAX));
        }
        if marks.is_empty() {
            return None;
        }
        let mut prefix = chat.clone();
        prefix.messages.truncate(last.map_or(0, |(message, _)| message + 1));
        if let (Some((_, part)), Some(message)) = (last, prefix.messages.last_mut()) {
            message.parts.truncate(part.saturating_add(1));
        }
        Some(Self { marks, tokens: count(prefix) })
    }
}

fn bears_mark(tool: &Tool) -> bool {
    matches!(tool, Tool::Function(function) if function.cache.is_some())
}

fn is_marked(part: &Part) -> bool {
    let inside = matches!(&part.content, Content::ToolResult(result) if result.parts.iter().any(is_marked));
    part.cache.is_some() || inside
}
