//! Where in a configuration the reader is: it finds what was said of a field, in the order explicit, environment, file,
//! default, and keeps what was found and what was wrong.

use std::collections::BTreeMap;

use sabir_dialects::providers::{self, nearest};

use crate::field::{Field, Kind, Section, Setting};
use crate::node::Node;
use crate::show::Shown;
use crate::{Fault, Source};

/// The environment, as a question.
pub(crate) type Ask<'a> = dyn Fn(&str) -> Option<String> + 'a;

/// All that is known while a configuration is read.
pub(crate) struct Known<'a> {
    pub(crate) env: &'a Ask<'a>,
    pub(crate) explicit: &'a BTreeMap<String, String>,
    pub(crate) faults: Vec<Fault>,
    pub(crate) shown: Vec<Shown>,
}

/// A place in a configuration.
pub(crate) struct Scope<'a> {
    pub(crate) path: String,
    pub(crate) known: Known<'a>,
}

/// The fields of one section.
pub(crate) struct Fields<'s, 'a> {
    scope: &'s mut Scope<'a>,
    section: &'static Section,
    node: Option<&'s Node>,
}

impl<'a> Scope<'a> {
    /// Tells what is wrong with a value.
    pub(crate) fn fault(&mut self, source: &Source, message: impl Into<String>) {
        let fault = Fault { source: source.clone(), field: self.path.clone(), message: message.into() };
        self.known.faults.push(fault);
    }

    /// Tells what a value should be.
    pub(crate) fn expected(&mut self, node: &Node, what: &str, example: &str) {
        let like = if example.is_empty() { String::new() } else { format!(" like {example}") };
        self.fault(&node.source, format!("must be {what}{like}, not {}", node.what()));
    }

    /// Tells of a word that is none of those that can be chosen.
    pub(crate) fn not_chosen(&mut self, node: &Node, words: &[&str]) {
        let near = node.text().and_then(|text| nearest(text, words.iter().copied()));
        let hint = near.map_or_else(String::new, |near| format!("; did you mean {near}?"));
        self.fault(&node.source, format!("must be one of {}, not {}{hint}", words.join(", "), node.what()));
    }

    /// Reads something that stands in this place, under a name.
    pub(crate) fn inner<T: Setting>(&mut self, name: &str, node: Option<&Node>) -> Option<T> {
        let length = self.path.len();
        if !self.path.is_empty() && !name.starts_with('[') {
            self.path.push('.');
        }
        self.path.push_str(name);
        let read = T::read(node.filter(|node| !node.is_null()), self);
        if let (Some(node), Some(_), false) = (node, &read, T::NESTED) {
            self.show(T::KIND, node);
        }
        self.path.truncate(length);
        read
    }

    /// Keeps what is shown of a value.
    pub(crate) fn show(&mut self, kind: Kind, node: &Node) {
        let shown = Shown::of(&self.path, kind, node);
        self.known.shown.extend(shown);
    }

    /// The fields of the section that stands here. Tells of names that no field has.
    pub(crate) fn fields<'s>(
        &'s mut self,
        node: Option<&'s Node>,
        section: &'static Section,
    ) -> Option<Fields<'s, 'a>> {
        let Some(node) = node else { return Some(Fields { scope: self, section, node: None }) };
        let Some(entries) = node.table() else {
            let names: Vec<&str> = section.fields.iter().take(3).map(|field| field.name).collect();
            self.fault(&node.source, format!("must have fields ({} …), not {}", names.join(", "), node.what()));
            return None;
        };
        for (key, _) in entries {
            let known =
                || section.fields.iter().flat_map(|field| [field.name].into_iter().chain(field.also.iter().copied()));
            if !known().any(|name| name == key.name) {
                let near = nearest(&key.name, known());
                let hint = near.map_or_else(
                    || {
                        format!(
                            "the fields here are {}",
                            section.fields.iter().map(|f| f.name).collect::<Vec<_>>().join(", ")
                        )
                    },
                    |near| format!("did you mean `{near}`?"),
                );
                let field = self.path_of(&key.name);
                let message = format!("is not known; {hint}");
                self.known.faults.push(Fault { source: key.source.clone(), field, message });
            }
        }
        Some(Fields { scope: self, section, node: Some(node) })
    }

    fn path_of(&self, name: &str) -> String {
        if self.path.is_empty() { name.to_owned() } else { format!("{}.{name}", self.path) }
    }

    /// The variables that can set a field here.
    fn variables(&self, field: &Field) -> Vec<String> {
        let of = |pattern: &&str| match pattern.strip_prefix('*') {
            None => vec![(*pattern).to_owned()],
            Some(end) => self.path.strip_prefix("providers.").map_or_else(Vec::new, |id| provider_variables(id, end)),
        };
        field.env.iter().flat_map(of).collect()
    }

    /// Whether anything under this place was said explicitly.
    pub(crate) fn said_explicitly(&self) -> bool {
        !self.named_explicitly().is_empty()
    }

    /// The names under this place of which something was said explicitly.
    pub(crate) fn named_explicitly(&self) -> Vec<String> {
        let below = |key: &String| key.strip_prefix(&self.path)?.strip_prefix('.').map(str::to_owned);
        let names = self.known.explicit.keys().filter_map(below);
        names.map(|rest| rest.split('.').next().unwrap_or_default().to_owned()).collect()
    }
}

/// The variables of a provider: those of its row, or its id in capitals.
fn provider_variables(id: &str, end: &str) -> Vec<String> {
    let Some(row) = providers::find(id) else {
        let id: String =
            id.chars().map(|c| if c.is_ascii_alphanumeric() { c.to_ascii_uppercase() } else { '_' }).collect();
        return vec![format!("{id}{end}")];
    };
    let names = match end {
        "_API_KEY" => row.key_env,
        "_BASE_URL" => row.base_url_env,
        _ => row.model_env,
    };
    names.iter().map(|name| (*name).to_owned()).collect()
}

impl Fields<'_, '_> {
    /// Reads a field of the section.
    pub(crate) fn read<T: Setting>(&mut self, name: &str) -> Option<T> {
        let field = self.section.fields.iter().find(|field| field.name == name).expect("the section declares it");
        let path = self.scope.path_of(name);
        let written = self.written(field, &path);
        let explicit = self.scope.known.explicit.get(&path).map(|text| Node::word(text, Source::Explicit));
        let from_env = || {
            let variables = self.scope.variables(field);
            let set = |name: String| Some((self.scope.known.env)(&name)).flatten().map(|text| (name, text));
            let (name, text) = variables.into_iter().find_map(set)?;
            Some(Node::word(text, Source::Variable(name.into())))
        };
        let found = explicit.or_else(from_env).or(written);
        let found = found.or_else(|| Some(Node::word(field.default?, Source::Default)));
        if found.is_none() && !T::OPTIONAL && !T::NESTED {
            let source = self.node.map_or_else(Source::default, |node| node.source.clone());
            let message = format!("is missing: {}", field.about.trim());
            self.scope.known.faults.push(Fault { source, field: path, message });
            return None;
        }
        let read = self.scope.inner(name, found.as_ref());
        // What is wrong was told; what holds without it is held against the rest.
        read.or_else(|| {
            let default = field.default.map(|text| Node::word(text, Source::Default));
            T::read(default.as_ref(), self.scope).filter(|_| default.is_some() || T::OPTIONAL)
        })
    }

    /// What the file says of a field, under whichever of its names.
    fn written(&mut self, field: &Field, path: &str) -> Option<Node> {
        let entries = self.node?.table()?;
        let mut said =
            entries.iter().filter(|(key, _)| key.name == field.name || field.also.contains(&key.name.as_str()));
        let (first, node) = said.next()?;
        for (again, _) in said {
            let message = format!("{} and {} are the same; keep one of them", first.name, again.name);
            self.scope.known.faults.push(Fault { source: again.source.clone(), field: path.to_owned(), message });
        }
        (!node.is_null()).then(|| node.clone())
    }
}
