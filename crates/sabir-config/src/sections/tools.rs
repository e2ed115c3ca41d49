//! What a model may call: commands, and servers of the Model Context Protocol.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use crate::field::{Kind, Setting, choice, section};
use crate::node::{Node, Value};
use crate::scope::Scope;
use crate::secret::SecretRef;
use crate::sections::Url;
use crate::units::Size;

pub use parameters::Parameters;

mod parameters;

section! {
    /// A command that a model may call as a tool. It gets the arguments as a JSON object on its standard input.
    ToolConfig {
        /// What it does, for the model to read.
        description: String;
        /// The program and its arguments as a list of words, in which `{{name}}` stands for the argument of that name;
        /// or one line, which goes to the shell as it is, without any argument in it.
        command: ToolCommand, also "cmd";
        /// Its arguments: by name, a type and what it is for (`city = "string: The city"`; types are `string`,
        /// `integer`, `number`, `boolean`, `a|b` for words to choose from, and any of them with `[]` for a list or `?`
        /// for what may be left out); or a JSON Schema.
        parameters: Parameters;
        /// The longest that a call may take.
        timeout: Duration = "60s";
        /// Whether a person is asked before each call.
        confirm: Confirm = "always";
        /// The most that it may write; what is more is cut off.
        max_output: Size = "64KiB";
    }

    /// A server of the Model Context Protocol: a program that is started, or an address.
    McpConfig {
        /// The program that is started; it is spoken to by its standard input and output.
        command: Option<String>, also "cmd";
        /// The program's arguments.
        args: Vec<String>;
        /// The program's variables, besides `HOME`, `PATH` and the like; values can be kept elsewhere, as keys can.
        env: BTreeMap<String, SecretRef>;
        /// Where the server is, where it is not started: the address of its streamable HTTP.
        url: Option<Url>;
        /// Headers for every request to it; values can be kept elsewhere, as keys can.
        headers: BTreeMap<String, SecretRef>;
        /// How long it may take to start and to list its tools.
        start_timeout: Duration = "20s";
        /// The longest that a call may take.
        timeout: Duration = "60s";
        /// Whether a person is asked before each call.
        confirm: Confirm = "always";
        /// The most text that a call may give; what is more is cut off.
        max_output: Size = "256KiB";
    }
}

choice! {
    /// Whether a person is asked before a tool is called.
    Confirm {
        /// Before each call.
        Always = "always";
        /// Before none.
        Never = "never";
    }
}

/// What is run.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum ToolCommand {
    /// A line for the shell, which has no argument of the model's in it.
    Line(String),
    /// A program and its arguments; `{{name}}` stands for the model's argument.
    Words(Vec<String>),
}

impl ToolCommand {
    /// The names that stand in `{{…}}` in the words.
    pub fn placeholders(&self) -> BTreeSet<&str> {
        let texts = match self {
            Self::Line(line) => std::slice::from_ref(line),
            Self::Words(words) => words,
        };
        let inside = |text: &str| text.split_once("}}").map(|(name, _)| name.len());
        let mut names = BTreeSet::new();
        for text in texts {
            for after in text.split("{{").skip(1) {
                names.extend(inside(after).map(|end| after[..end].trim()));
            }
        }
        names
    }
}

impl Setting for ToolCommand {
    const KIND: Kind = Kind::OneOrMore(&String::KIND);

    fn read(node: Option<&Node>, scope: &mut Scope<'_>) -> Option<Self> {
        match node {
            Some(Node { value: Value::List(items), source }) => {
                let words: Option<Vec<String>> = items.iter().map(|item| item.text().map(str::to_owned)).collect();
                let words = words.filter(|words| words.first().is_some_and(|program| !program.is_empty()));
                if words.is_none() {
                    scope.fault(source, "has no program; write a list of words, of which the first names it");
                }
                words.map(Self::Words)
            }
            _ => String::read(node, scope).map(Self::Line),
        }
    }
}
