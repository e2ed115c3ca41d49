//! What a model may call.

use super::Found;
use crate::sections::{McpConfig, Settings, ToolCommand, ToolConfig};

/// The names that every provider takes for a tool: OpenAI's rule, which is the narrowest.
const LONGEST_NAME: usize = 64;

pub(super) fn check(settings: &Settings, found: &mut Found<'_>) {
    for (name, tool) in &settings.tools {
        let at = format!("tools.{name}");
        let is_plain = |c: char| c.is_ascii_alphanumeric() || c == '_' || c == '-';
        if name.is_empty() || name.len() > LONGEST_NAME || !name.chars().all(is_plain) {
            let message = format!("a tool's name is at most {LONGEST_NAME} letters, digits, `_` and `-`");
            found.fault(&at, message);
        }
        if settings.mcp.contains_key(name) {
            found.fault(&at, format!("there is an MCP server {name:?}, too; give one of them another name"));
        }
        self::tool(tool, &at, found);
    }
    for (name, server) in &settings.mcp {
        let at = format!("mcp.{name}");
        if name.is_empty() || name.contains('.') {
            found.fault(&at, "a server's name has no point in it: behind that stands the name of a tool");
        }
        self::server(server, &at, found);
    }
}

fn tool(tool: &ToolConfig, at: &str, found: &mut Found<'_>) {
    let names = tool.command.placeholders();
    match &tool.command {
        ToolCommand::Line(_) if !names.is_empty() => {
            let message = "the model's arguments are not put into a shell line, where they could be commands; write a \
                           list of words, or read them as JSON from standard input";
            return found.fault(format!("{at}.command"), message);
        }
        ToolCommand::Words(words) if words.first().is_some_and(|program| program.contains("{{")) => {
            return found.fault(format!("{at}.command"), "the model cannot choose the program; name one");
        }
        _ => {}
    }
    for name in names {
        if !tool.parameters.has(name) {
            let message = format!("`{{{{{name}}}}}` is no argument; `parameters` must have it");
            found.fault(format!("{at}.command"), message);
        }
    }
}

fn server(server: &McpConfig, at: &str, found: &mut Found<'_>) {
    match (&server.command, &server.url) {
        (None, None) => found.fault(at, "say how it is reached: `command`, a program to start, or `url`"),
        (Some(_), Some(_)) => {
            found.fault(format!("{at}.url"), "there is a `command`, too; keep one of them");
        }
        (None, Some(_)) if !server.args.is_empty() || !server.env.is_empty() => {
            let field = if server.args.is_empty() { "env" } else { "args" };
            found.fault(format!("{at}.{field}"), "is for a program that is started, and there is no `command`");
        }
        (Some(_), None) if !server.headers.is_empty() => {
            found.fault(format!("{at}.headers"), "are for an address, and there is no `url`");
        }
        _ => {}
    }
}
