//! Calls of an answer that come in fragments: which of the calls that have begun each fragment belongs to.

use std::collections::HashMap;

use sabir_core::chat::{Content, ToolCall};
use sabir_core::{Result, Sink};

/// A fragment of a call: the number, the id and the name that the provider gives the call, as far as it repeats them,
/// and more of its arguments.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Fragment<'f> {
    pub(crate) index: Option<u64>,
    pub(crate) id: &'f str,
    pub(crate) name: &'f str,
    pub(crate) arguments: &'f str,
}

/// The calls that have begun.
#[derive(Debug, Default)]
pub(crate) struct Begun {
    /// Where each stands in the answer; its number in the sink is the one in the list.
    places: Vec<usize>,
    /// The last call of each index.
    latest: HashMap<u64, usize>,
}

impl Begun {
    /// The number of the last call that has this index.
    pub(crate) fn at(&self, index: u64) -> Option<usize> {
        self.latest.get(&index).copied()
    }

    /// A call begins. Returns its number.
    pub(crate) fn begin(&mut self, fragment: Fragment<'_>, sink: &mut Sink) -> Result<usize> {
        let number = sink.tool_start(fragment.id, fragment.name)?;
        self.places.push(sink.response().parts.len() - 1);
        self.latest.extend(fragment.index.map(|index| (index, number)));
        Ok(number)
    }

    /// The number of the call that a fragment belongs to; `None` where it begins another. An id of its own makes a new
    /// call, whatever the index; so does another name, or a second whole object, where there is no id. An id or a name
    /// may also come after the call had begun.
    pub(crate) fn find(&self, fragment: Fragment<'_>, sink: &mut Sink) -> Option<usize> {
        let Fragment { index, id, name, arguments } = fragment;
        let number = match index {
            Some(index) => self.at(index),
            None if id.is_empty() => self.places.len().checked_sub(1),
            None => self.places.iter().rposition(|place| call_at(*place, sink).is_some_and(|call| call.id == id)),
        }?;
        let begun = call_at(*self.places.get(number)?, sink)?;
        let is_other = if id.is_empty() || begun.id.is_empty() {
            let repeats = begun.arguments.ends_with('}') && arguments.starts_with('{');
            !name.is_empty() && !begun.name.is_empty() && (name != begun.name || repeats)
        } else {
            id != begun.id
        };
        if is_other {
            return None;
        }
        for (known, late) in [(&mut begun.id, id), (&mut begun.name, name)] {
            if known.is_empty() {
                late.clone_into(known);
            }
        }
        Some(number)
    }
}

/// A call that has begun, by where it stands in the answer.
fn call_at(place: usize, sink: &mut Sink) -> Option<&mut ToolCall> {
    match &mut sink.response_mut().parts.get_mut(place)?.content {
        Content::ToolCall(call) => Some(call),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fragments_find_their_calls() {
        let (mut begun, mut sink) = (Begun::default(), Sink::whole());
        let mut told = |index, id, name, arguments| {
            let fragment = Fragment { index, id, name, arguments };
            let number = match begun.find(fragment, &mut sink) {
                Some(number) => number,
                None => begun.begin(fragment, &mut sink).expect("few calls"),
            };
            sink.tool_arguments(number, arguments);
            number
        };
        assert_eq!(told(Some(0), "", "tide", "{\"a\":"), 0);
        assert_eq!(told(Some(0), "late", "", "1}"), 0, "an id that comes late is the call's");
        assert_eq!(told(Some(0), "other", "tide", "{}"), 1, "another id is another call, whatever its index");
        assert_eq!(told(None, "late", "", ""), 0, "without an index the id tells");
        assert_eq!(told(None, "", "moon", "{}"), 2, "another name is another call");
        assert_eq!(told(None, "", "", ""), 2, "what says nothing goes on with the last");
        assert_eq!(told(None, "", "moon", "{}"), 3, "a second whole object is another call");
    }
}
