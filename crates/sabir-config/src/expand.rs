//! `${VARIABLE}` in the values of a file.

use crate::Fault;
use crate::node::{Node, Value};
use crate::scope::Ask;

/// Puts in what variables hold: `${NAME}`, or `${NAME:-text}` for where it is not set or empty. `$${` is a plain `${`.
/// What is put in is not looked at again.
pub(crate) fn expand(node: &mut Node, path: &str, env: &Ask<'_>, faults: &mut Vec<Fault>) {
    match &mut node.value {
        Value::Text(text) if text.contains("${") => match expanded(text, env) {
            Ok(whole) => *text = whole,
            Err(message) => {
                faults.push(Fault { source: node.source.clone(), field: path.to_owned(), message });
                node.value = Value::Null;
            }
        },
        Value::List(items) => {
            for (at, item) in items.iter_mut().enumerate() {
                expand(item, &format!("{path}[{at}]"), env, faults);
            }
        }
        Value::Table(entries) => {
            for (key, item) in entries {
                let path = if path.is_empty() { key.name.clone() } else { format!("{path}.{}", key.name) };
                expand(item, &path, env, faults);
            }
        }
        _ => {}
    }
}

fn expanded(text: &str, env: &Ask<'_>) -> Result<String, String> {
    let (mut rest, mut whole) = (text, String::new());
    while let Some(at) = rest.find("${") {
        let (before, after) = (&rest[..at], &rest[at + 2..]);
        if let Some(before) = before.strip_suffix('$') {
            whole.push_str(before);
            whole.push_str("${");
            rest = after;
            continue;
        }
        whole.push_str(before);
        let Some((inside, after)) = after.split_once('}') else {
            return Err("`${` has no `}`; write `$${` for the characters themselves".to_owned());
        };
        let (name, default) = match inside.split_once(":-") {
            Some((name, default)) => (name, Some(default)),
            None => (inside, None),
        };
        let is_name = !name.is_empty() && name.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_');
        if !is_name {
            return Err(format!("`${{{name}}}` names no variable; write `${{NAME}}` or `${{NAME:-default}}`"));
        }
        match env(name).as_deref().or(default) {
            Some(value) => whole.push_str(value),
            None => return Err(format!("the variable {name} is not set; set it, or write `${{{name}:-default}}`")),
        }
        rest = after;
    }
    whole.push_str(rest);
    Ok(whole)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn variables_are_put_in() {
        let env = |name: &str| (name == "PORT").then(|| "80${X}".to_owned());
        for (text, expected) in [
            ("a ${PORT} b", Ok("a 80${X} b")),
            ("${HOST:-localhost}:${PORT}", Ok("localhost:80${X}")),
            ("${HOST:-}", Ok("")),
            ("$${PORT} $5", Ok("${PORT} $5")),
            ("${HOST}", Err("the variable HOST is not set; set it, or write `${HOST:-default}`")),
            ("${", Err("`${` has no `}`; write `$${` for the characters themselves")),
            ("${a b}", Err("`${a b}` names no variable; write `${NAME}` or `${NAME:-default}`")),
        ] {
            assert_eq!(expanded(text, &env), expected.map(str::to_owned).map_err(str::to_owned), "{text}");
        }
    }
}
