//! YAML 1.2, of the events of `saphyr-parser`. Anchors and aliases are read; merge keys (`<<`), which YAML 1.2 does not
//! have, tags of one's own and several documents in a file are not.

use std::collections::{HashMap, HashSet};

use saphyr_parser::{Event, Parser, ScalarStyle, Span, Tag};

use super::{DEEPEST, Lines};
use crate::fault::Faults;
use crate::node::{Key, Node, Value};

/// The most values that a file may come to, with what its aliases stand for.
const MOST: usize = 50_000;

pub(super) fn read(text: &str, lines: &Lines) -> Result<Node, Faults> {
    let mut reader = Reader { events: Parser::new_from_str(text), lines, anchors: HashMap::new(), left: MOST };
    let mut whole = None;
    loop {
        let (event, span) = reader.next()?;
        match event {
            Event::StreamEnd => break,
            Event::StreamStart | Event::DocumentStart(_) | Event::DocumentEnd | Event::Nothing => {}
            _ if whole.is_some() => return Err(reader.fault(span, "a second document begins here; keep one")),
            event => whole = Some(reader.node(event, span, DEEPEST)?),
        }
    }
    Ok(whole.unwrap_or_else(|| Node { value: Value::Null, source: lines.at(0) }))
}

struct Reader<'t> {
    events: Parser<'t, saphyr_parser::StrInput<'t>>,
    lines: &'t Lines,
    /// What aliases stand for, with how many values that is.
    anchors: HashMap<usize, (Node, usize)>,
    /// How many values may still come.
    left: usize,
}

impl<'t> Reader<'t> {
    fn next(&mut self) -> Result<(Event<'t>, Span), Faults> {
        match self.events.next_event() {
            Some(Ok(next)) => Ok(next),
            Some(Err(error)) => {
                let message = format!("cannot be read as YAML: {}", error.info());
                Err(Faults::one(self.lines.line(error.marker().line()), message))
            }
            None => Err(Faults::one(self.lines.line(1), "cannot be read as YAML: it ends too early")),
        }
    }

    fn fault(&self, span: Span, message: impl Into<String>) -> Faults {
        Faults::one(self.lines.line(span.start.line()), message)
    }

    fn node(&mut self, event: Event<'t>, span: Span, depth: usize) -> Result<Node, Faults> {
        if depth == 0 {
            return Err(self.fault(span, format!("stands in more than {DEEPEST} lists and tables")));
        }
        let before = self.left;
        self.take(1, span)?;
        let source = self.lines.line(span.start.line());
        let (value, anchor) = match event {
            Event::Scalar(text, style, anchor, tag) => {
                let as_text = self.is_text(tag.as_deref(), span)? || style != ScalarStyle::Plain;
                (if as_text { Value::Text(text.into_owned()) } else { plain(&text) }, anchor)
            }
            Event::SequenceStart(anchor, tag) => {
                self.is_text(tag.as_deref(), span)?;
                let mut items = Vec::new();
                loop {
                    let (event, span) = self.next()?;
                    if event == Event::SequenceEnd {
                        break;
                    }
                    items.push(self.node(event, span, depth - 1)?);
                }
                (Value::List(items), anchor)
            }
            Event::MappingStart(anchor, tag) => {
                self.is_text(tag.as_deref(), span)?;
                (Value::Table(self.entries(depth)?), anchor)
            }
            Event::Alias(anchor) => {
                let Some((node, size)) = self.anchors.get(&anchor).cloned() else {
                    return Err(self.fault(span, "an alias that stands for nothing yet"));
                };
                self.take(size, span)?;
                return Ok(node);
            }
            _ => return Err(self.fault(span, "a value is missing here")),
        };
        let node = Node { value, source };
        if anchor > 0 {
            self.anchors.insert(anchor, (node.clone(), before - self.left));
        }
        Ok(node)
    }

    fn entries(&mut self, depth: usize) -> Result<Vec<(Key, Node)>, Faults> {
        let (mut entries, mut names) = (Vec::new(), HashSet::new());
        loop {
            let (event, span) = self.next()?;
            let name = match event {
                Event::MappingEnd => return Ok(entries),
                Event::Scalar(name, ..) => name.into_owned(),
                _ => return Err(self.fault(span, "the name of a field must be a word")),
            };
            if !names.insert(name.clone()) {
                return Err(self.fault(span, format!("{name:?} stands here twice")));
            }
            let source = self.lines.line(span.start.line());
            let (event, span) = self.next()?;
            entries.push((Key { name, source }, self.node(event, span, depth - 1)?));
        }
    }

    fn take(&mut self, values: usize, span: Span) -> Result<(), Faults> {
        let left = self.left.checked_sub(values);
        self.left = left.ok_or_else(|| self.fault(span, format!("comes to more than {MOST} values")))?;
        Ok(())
    }

    /// Whether a tag says that this is text. Only YAML's own tags are known.
    fn is_text(&self, tag: Option<&Tag>, span: Span) -> Result<bool, Faults> {
        match tag {
            Some(tag) if !tag.is_yaml_core_schema() => {
                Err(self
                    .fault(span, format!("the tag {tag} is not read; write ${{VARIABLE}} or file:PATH for a secret")))
            }
            tag => Ok(tag.is_some_and(|tag| tag.suffix == "str")),
        }
    }
}

/// A word without quotes, by YAML's core schema: `no` and `off` are words.
fn plain(text: &str) -> Value {
    match text {
        "" | "~" | "null" | "Null" | "NULL" => Value::Null,
        "true" | "True" | "TRUE" => Value::Bool(true),
        "false" | "False" | "FALSE" => Value::Bool(false),
        _ if is_number(text) => Value::Number(text.to_owned()),
        _ => Value::Text(text.to_owned()),
    }
}

fn is_number(text: &str) -> bool {
    text.starts_with(|c: char| c.is_ascii_digit() || "+-.".contains(c))
        && text.bytes().all(|byte| byte.is_ascii_digit() || b"+-.eE".contains(&byte))
        && text.parse::<f64>().is_ok()
}
