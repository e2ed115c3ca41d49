//! The answers that every dialect is tried on.

use sabir_core::chat::{ChatResponse, Citation, Content, Event, Finish, FinishReason, Part, Reasoning, Usage};

use crate::player::MODEL;

/// An answer: whole, and as the events that tell it.
#[derive(Clone, Debug)]
pub struct Answer {
    /// What is special about it.
    pub name: &'static str,
    /// The whole answer.
    pub response: ChatResponse,
    /// The events of its stream, `Done` included.
    pub events: Vec<Event>,
}

/// The answers that every dialect is tried on.
pub fn answers() -> Vec<Answer> {
    let call = |id, name, arguments| Part::tool_call(id, name, arguments);
    let weather = || call("call_1", "weather", r#"{"city":"Málaga","days":[1,2.50]}"#);
    let clock = || call("call_2", "clock", r#"{"zone":"Europe/Madrid"}"#);
    let signed = Content::Reasoning(Reasoning {
        text: "I should be brief.".into(),
        signature: Some("c2lnbmF0dXJl+/==".into()),
        encrypted: None,
    });
    let cited = Content::Citation(Citation {
        url: Some("https://example.com/sea".into()),
        title: Some("The sea".into()),
        ..Citation::default()
    });
    let tools = FinishReason::ToolCalls;
    let unicode = "Grüße 世界 👩‍🚀 \"q\" \\ a\nb\r\n\tc\u{2028}d\u{0}\u{7f} </s> data: x\n\ndata: [DONE]";

    let mut all = vec![
        answer("text", [Part::text("Hello, world.")]),
        answer("unicode", [Part::text(unicode)]),
        answer("thought", [Part::reasoning("Let me think."), Part::text("Done.")]),
        answer("signed thought", [signed.into(), Part::text("Yes.")]),
        answer("two texts", [Part::text("One."), Part::text("Two.")]),
        answer("one call", [weather()]).finish(tools.clone()),
        answer("text and calls", [Part::text("I look."), weather(), clock()]).finish(tools.clone()),
        answer("interleaved calls", [weather(), clock()]).finish(tools.clone()).interleaved(),
        answer("text after a call", [Part::text("I look."), weather(), Part::text("Wait.")]).finish(tools.clone()),
        answer("call without arguments", [call("call_1", "now", "{}")]).finish(tools.clone()),
        answer("spelling of arguments", [call("call_1", "add", r#"{ "b": 1.0, "a": 1e3 }"#)]).finish(tools),
        answer("call cut off", [call("call_1", "add", r#"{"a": "un"#)]).finish(FinishReason::Length),
        answer("refusal", [Content::Refusal { text: "I will not.".into() }.into()]).finish(FinishReason::ContentFilter),
        answer("citation", [Part::text("The sea is salt."), cited.into()]),
        answer("length", [Part::text("And so")]).finish(FinishReason::Length),
        answer("unknown finish", [Part::text("Well")]).finish(FinishReason::Other("moonrise".into())),
        answer("empty", []),
    ];
    let mut counted = answer("detailed usage", [Part::text("Counted.")]);
    let usage = &mut counted.response.usage;
    (usage.input, usage.cache_read, usage.cache_write) = (Some(11), Some(70), Some(30));
    (usage.output, usage.reasoning) = (Some(7), Some(5));
    let mut uncounted = answer("unknown usage", [Part::text("Not counted.")]);
    uncounted.response.usage = Usage::default();
    for mut answer in [counted, uncounted] {
        answer.events = events_of(&answer.response);
        all.push(answer);
    }
    all
}

fn answer(name: &'static str, parts: impl Into<Vec<Part>>) -> Answer {
    let mut response = ChatResponse::default();
    response.id = "resp_1".into();
    response.model = MODEL.into();
    response.parts = parts.into();
    (response.usage.input, response.usage.output) = (Some(11), Some(7));
    let events = events_of(&response);
    Answer { name, response, events }
}

impl Answer {
    fn finish(mut self, reason: FinishReason) -> Self {
        let raw = matches!(reason, FinishReason::Other(_)).then(|| reason.to_string());
        self.response.finish = Finish { reason, raw, stop_sequence: None };
        self.events = events_of(&self.response);
        self
    }

    /// The calls' fragments take turns: first all starts, then the fragments in turn, then all ends.
    fn interleaved(mut self) -> Self {
        let (mut starts, mut fragments, mut ends, mut rest) = (Vec::new(), Vec::new(), Vec::new(), Vec::new());
        for event in std::mem::take(&mut self.events) {
            match event {
                Event::Start { .. } => starts.insert(0, event),
                Event::ToolStart { .. } => starts.push(event),
                Event::ToolArguments { .. } => fragments.push(event),
                Event::ToolEnd { .. } => ends.push(event),
                _ => rest.push(event),
            }
        }
        let mut turns = std::collections::BTreeMap::<usize, usize>::new();
        fragments.sort_by_cached_key(|event| match event {
            Event::ToolArguments { index, .. } => {
                let turn = turns.entry(*index).or_default();
                *turn += 1;
                (*turn, *index)
            }
            _ => (0, 0),
        });
        self.events = [starts, fragments, ends, rest].concat();
        self
    }
}

/// The stream that tells an answer, in small deltas.
pub fn events_of(response: &ChatResponse) -> Vec<Event> {
    let mut events = vec![Event::Start { id: response.id.clone(), model: response.model.clone() }];
    let mut index = 0;
    for part in &response.parts {
        let meta = part.meta.clone();
        match &part.content {
            Content::Text { text } => {
                events.extend(pieces(text).map(Event::Text));
                events.push(Event::PartEnd { signature: None, meta });
            }
            Content::Reasoning(thought) if thought.encrypted.is_none() => {
                events.extend(pieces(&thought.text).map(Event::Reasoning));
                events.push(Event::PartEnd { signature: thought.signature.clone(), meta });
            }
            Content::ToolCall(call) => {
                events.push(Event::ToolStart { index, id: call.id.clone(), name: call.name.clone() });
                events.extend(pieces(&call.arguments).map(|fragment| Event::ToolArguments { index, fragment }));
                events.push(Event::ToolEnd { index, call: call.clone(), meta });
                index += 1;
            }
            _ => events.push(Event::Part(part.clone().into())),
        }
    }
    if response.usage != Usage::default() {
        events.push(Event::Usage(response.usage.clone().into()));
    }
    events.push(Event::Done(Box::new(response.clone())));
    events
}

/// A text in pieces of a few characters, as models write it.
fn pieces(text: &str) -> impl Iterator<Item = String> {
    let mut rest = text.chars().peekable();
    std::iter::from_fn(move || {
        rest.peek()?;
        Some(rest.by_ref().take(6).collect())
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::check_events;

    #[test]
    fn every_answer_keeps_the_contract() {
        let all = answers();
        for answer in &all {
            let items: Vec<_> = answer.events.iter().cloned().map(Ok).collect();
            assert_eq!(check_events(&items), Ok(()), "{}", answer.name);
        }
        let names: std::collections::BTreeSet<_> = all.iter().map(|answer| answer.name).collect();
        assert_eq!(names.len(), all.len(), "each has a name of its own");
    }

    #[test]
    fn interleaved_calls_take_turns() {
        let answer = answers().into_iter().find(|answer| answer.name == "interleaved calls").expect("it is there");
        let turns = answer.events.iter().filter_map(|event| match event {
            Event::ToolArguments { index, .. } => Some(*index),
            _ => None,
        });
        assert_eq!(turns.take(4).collect::<Vec<_>>(), [0, 1, 0, 1]);
    }
}
