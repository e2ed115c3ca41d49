//! The stream contract, as a check over the items of one stream.

mod violation;

use std::future::poll_fn;

pub use violation::Violation;

use sabir_core::chat::{ChatResponse, Content, Event, EventStream, Fold, Meta, Part, Usage};
use sabir_core::{Error, Result};

use crate::diff::first_difference;

/// Checks all items of one stream against the contract: see [`Event`] and [`Violation`].
pub fn check_events(items: &[Result<Event>]) -> Result<(), Violation> {
    let mut seen = Seen::default();
    for (at, item) in items.iter().enumerate() {
        let terminal = match item {
            Ok(Event::Done(answer)) => seen.done(answer),
            Ok(event) => {
                seen.event(at, event)?;
                continue;
            }
            Err(error) => seen.failed(error),
        };
        terminal?;
        let after = at + 1;
        return if after < items.len() { Err(Violation::AfterTerminal { at: after }) } else { Ok(()) };
    }
    Err(Violation::NoTerminal { items: items.len() })
}

/// Reads a stream to its end, and a little past its terminal item where it goes on.
pub async fn collect(mut stream: EventStream) -> Vec<Result<Event>> {
    // Enough to show that there was more than one terminal, whatever the stream does.
    const PAST_TERMINAL: usize = 8;
    let (mut items, mut past) = (Vec::new(), 0);
    while past <= PAST_TERMINAL {
        let Some(item) = poll_fn(|cx| stream.as_mut().poll_next(cx)).await else {
            break;
        };
        past += usize::from(past > 0 || matches!(item, Ok(Event::Done(_)) | Err(_)));
        items.push(item);
    }
    items
}

/// What the events have told so far.
#[derive(Default)]
struct Seen {
    /// Where the answer begins: at 0, or after the last restart.
    begun: usize,
    fold: Fold,
    start: Option<(String, String)>,
    usage: Usage,
    open: bool,
    calls: Vec<Call>,
}

struct Call {
    id: String,
    name: String,
    fragments: String,
    running: bool,
    /// Where it stands among the parts.
    part: usize,
}

impl Seen {
    fn event(&mut self, at: usize, event: &Event) -> Result<(), Violation> {
        match event {
            Event::Start { .. } if at > self.begun => return Err(Violation::LateStart { at }),
            Event::Start { id, model } => self.start = Some((id.clone(), model.clone())),
            Event::Text(delta) | Event::Reasoning(delta) => {
                if delta.is_empty() {
                    return Err(Violation::EmptyDelta { at });
                }
                self.open = true;
            }
            Event::PartEnd { signature, .. } => {
                if !self.open && signature.is_none() {
                    return Err(Violation::NothingToEnd { at });
                }
                self.open = false;
            }
            Event::ToolStart { index, id, name } => {
                let expected = self.calls.len();
                if *index != expected {
                    return Err(Violation::ToolIndex { at, index: *index, expected });
                }
                self.begin(id, name, true);
            }
            Event::ToolArguments { index, fragment } => {
                if fragment.is_empty() {
                    return Err(Violation::EmptyDelta { at });
                }
                self.running(at, *index)?.fragments.push_str(fragment);
            }
            Event::ToolEnd { index, call: whole, .. } => {
                let call = self.running(at, *index)?;
                call.running = false;
                if (&call.id, &call.name) != (&whole.id, &whole.name) {
                    return Err(Violation::ToolRenamed { at, index: *index });
                }
                if call.fragments != whole.arguments {
                    let (fragments, call) = (call.fragments.clone(), whole.arguments.clone());
                    return Err(Violation::ToolArguments { index: *index, fragments, call });
                }
            }
            Event::Part(part) => match &part.content {
                Content::ToolCall(call) => self.begin(&call.id, &call.name, false),
                _ => self.open = false,
            },
            Event::Usage(usage) => self.usage.clone_from(usage),
            // What was told before it does not count, and the answer begins anew.
            Event::Restart(_) => {
                *self = Self { begun: at + 1, ..Self::default() };
                return Ok(());
            }
            _ => {}
        }
        self.fold.apply(event);
        Ok(())
    }

    fn begin(&mut self, id: &str, name: &str, running: bool) {
        self.open = false;
        let part = self.fold.response().parts.len();
        self.calls.push(Call { id: id.into(), name: name.into(), fragments: String::new(), running, part });
    }

    fn running(&mut self, at: usize, index: usize) -> Result<&mut Call, Violation> {
        let call = self.calls.get_mut(index).filter(|call| call.running);
        call.ok_or(Violation::ToolNotRunning { at, index })
    }

    fn done(&self, answer: &ChatResponse) -> Result<(), Violation> {
        if let Some(index) = self.calls.iter().position(|call| call.running) {
            return Err(Violation::ToolNotEnded { index });
        }
        if let Some((id, model)) = &self.start {
            for (start, answer) in [(id, &answer.id), (model, &answer.model)] {
                if !start.is_empty() && start != answer {
                    return Err(Violation::StartDiffers { start: start.clone(), answer: answer.clone() });
                }
            }
        }
        if let Some(difference) = differ(&self.fold.response().parts, &answer.parts) {
            return Err(Violation::PartsDiffer { difference });
        }
        let (told, said) = (serde_json::json!(self.usage), serde_json::json!(answer.usage));
        match first_difference(&told, &said) {
            Some(difference) => Err(Violation::UsageDiffers { difference }),
            None => Ok(()),
        }
    }

    fn failed(&self, error: &Error) -> Result<(), Violation> {
        let mut told = self.fold.response().parts.clone();
        let Some(partial) = error.partial() else {
            let parts = told.len();
            return if parts == 0 { Ok(()) } else { Err(Violation::NoPartial { parts, error: error.to_string() }) };
        };
        let mut arrived = partial.parts.clone();
        // What is said of a part when it ends may have arrived for one that was still open.
        let running = self.calls.iter().filter(|call| call.running).map(|call| call.part);
        let open = running.chain(self.open.then(|| told.len().saturating_sub(1)));
        for at in open.collect::<Vec<_>>() {
            for part in [told.get_mut(at), arrived.get_mut(at)].into_iter().flatten() {
                part.meta = Meta::default();
                if let Content::Reasoning(thought) = &mut part.content {
                    thought.signature = None;
                }
            }
        }
        match differ(&told, &arrived) {
            Some(difference) => Err(Violation::PartialDiffers { difference }),
            None => Ok(()),
        }
    }
}

fn differ(told: &[Part], said: &[Part]) -> Option<String> {
    if told == said {
        return None;
    }
    let (told, said) = (serde_json::json!(told), serde_json::json!(said));
    Some(first_difference(&told, &said).unwrap_or_else(|| "in something that JSON does not show".to_owned()))
}
