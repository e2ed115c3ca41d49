//! Which tools the model calls, and with what.

use sabir_core::chat::{ChatRequest, FunctionTool, Tool, ToolChoice};
use sabir_core::{Error, ErrorKind, Result};
use serde_json::{Value, json};

use super::{instance, last_user_text};

/// A call to be made.
pub(super) struct Planned<'a> {
    pub(super) name: &'a str,
    pub(super) arguments: Value,
}

/// The calls that the request leads to; none where there are no functions or none may be called.
pub(super) fn calls(request: &ChatRequest) -> Result<Vec<Planned<'_>>> {
    let functions = || {
        request.tools.iter().filter_map(|tool| match tool {
            Tool::Function(function) => Some(function),
            _ => None,
        })
    };
    let allowed: Vec<&FunctionTool> = match &request.tool_choice {
        Some(ToolChoice::None) => return Ok(Vec::new()),
        Some(ToolChoice::Named(name)) => vec![functions().find(|f| f.name == *name).ok_or_else(|| unknown(name))?],
        Some(ToolChoice::Allowed { names, .. }) => {
            if let Some(name) = names.iter().find(|name| !functions().any(|f| f.name == **name)) {
                return Err(unknown(name));
            }
            functions().filter(|f| names.contains(&f.name)).collect()
        }
        _ => functions().collect(),
    };
    let text = last_user_text(request).to_lowercase();
    let mut chosen: Vec<&FunctionTool> = allowed.iter().copied().filter(|f| names(&text, &f.name)).collect();
    if chosen.is_empty() {
        chosen.extend(allowed.first());
    }
    if request.parallel_tool_calls == Some(false) {
        chosen.truncate(1);
    }
    Ok(chosen.into_iter().map(planned).collect())
}

/// Whether a text in lower case names a function, also with spaces for its joints: "get weather".
fn names(text: &str, function: &str) -> bool {
    let name = function.to_lowercase();
    !name.is_empty() && (text.contains(&name) || text.contains(&name.replace(['_', '-'], " ")))
}

fn planned(function: &FunctionTool) -> Planned<'_> {
    let arguments = function.parameters.as_ref().map(instance).filter(Value::is_object);
    Planned { name: &function.name, arguments: arguments.unwrap_or_else(|| json!({})) }
}

fn unknown(name: &str) -> Error {
    let message = format!("tool_choice asks for the function {name:?}, which is not among the tools; add it to tools");
    Error::new(ErrorKind::InvalidRequest, message)
}
