//! Where in an answer an event of its stream stands, for losses that are found on the way.

use sabir_core::chat::{Content, Event};

/// Counts the parts of a streamed answer, as [`Fold`](sabir_core::chat::Fold) makes them.
#[derive(Debug, Default)]
pub(crate) struct Places {
    begun: usize,
    /// Whether the last one is a thought, where it may still grow.
    open: Option<bool>,
    calls: Vec<usize>,
}

impl Places {
    /// The number of the part that an event tells of; that of the last part where it tells of none. Every event must
    /// be told, once.
    pub(crate) fn of(&mut self, event: &Event) -> usize {
        match event {
            Event::Text(_) | Event::Reasoning(_) => {
                let is_thought = Some(matches!(event, Event::Reasoning(_)));
                self.begun += usize::from(std::mem::replace(&mut self.open, is_thought) != is_thought);
            }
            // A signature that comes alone is a thought of its own.
            Event::PartEnd { signature, .. } => {
                let is_thought = self.open.take() == Some(true);
                self.begun += usize::from(signature.is_some() && !is_thought);
            }
            Event::ToolStart { .. } => self.call(),
            Event::Part(part) if matches!(part.content, Content::ToolCall(_)) => self.call(),
            Event::Part(_) => (self.open, self.begun) = (None, self.begun + 1),
            Event::ToolArguments { index, .. } | Event::ToolEnd { index, .. } => {
                return self.calls.get(*index).copied().unwrap_or_default();
            }
            _ => {}
        }
        self.begun.saturating_sub(1)
    }

    fn call(&mut self) {
        self.calls.push(self.begun);
        (self.open, self.begun) = (None, self.begun + 1);
    }
}

#[cfg(test)]
mod tests {
    use sabir_core::chat::{Fold, Meta, Part, Reasoning, ToolCall};

    use super::*;

    #[test]
    fn each_event_is_where_the_fold_puts_it() {
        let call = ToolCall { id: "1".into(), name: "f".into(), arguments: "{}".into() };
        let end =
            |signature: Option<&str>| Event::PartEnd { signature: signature.map(str::to_owned), meta: Meta::default() };
        let start = |index| Event::ToolStart { index, id: "1".into(), name: "f".into() };
        let events = [
            (Event::Reasoning("a".into()), 0),
            (Event::Reasoning("b".into()), 0),
            (end(Some("s")), 0),
            (Event::Text("c".into()), 1),
            (end(None), 1),
            (end(Some("t")), 2),
            (start(0), 3),
            (Event::Part(Box::new(Content::Reasoning(Reasoning::default()).into())), 4),
            (start(1), 5),
            (Event::ToolEnd { index: 0, call: call.clone(), meta: Meta::default() }, 3),
            (Event::ToolEnd { index: 1, call, meta: Meta::default() }, 5),
            (Event::Part(Box::new(Part::tool_call("2", "g", "{}"))), 6),
            (Event::Text("d".into()), 7),
        ];
        let (mut places, mut fold) = (Places::default(), Fold::default());
        for (event, at) in events {
            let before = fold.response().parts.clone();
            fold.apply(&event);
            assert_eq!(places.of(&event), at, "{event:?}");
            let changed = fold.response().parts.iter().zip(&before).position(|(now, then)| now != then);
            if fold.response().parts != before {
                assert_eq!(changed.unwrap_or(before.len()), at, "{event:?}");
            }
        }
    }
}
