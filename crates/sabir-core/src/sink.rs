//! Where a decoder tells what it read: each word is folded into the answer, and, for a stream, queued as an event.

use std::collections::VecDeque;

use crate::chat::{ChatResponse, Content, Event, Finish, Fold, Meta, Part, Usage};
use crate::{Error, ErrorKind, Loss, Result};

/// The most calls in one answer. Real answers have tens; a hostile one must not grow without end.
pub const MAX_TOOL_CALLS: usize = 4096;

/// Where a decoder tells what it read. Unary and streamed answers go through the same words, so that the two
/// cannot come to differ.
#[derive(Debug, Default)]
pub struct Sink {
    fold: Fold,
    queue: VecDeque<Event>,
    /// Calls that have started and not ended, by number.
    running: VecDeque<usize>,
    streaming: bool,
    started: bool,
    ended: bool,
}

impl Sink {
    /// A sink for a whole answer: nothing is queued.
    pub fn whole() -> Self {
        Self::default()
    }

    /// A sink for a streamed answer.
    pub fn streaming() -> Self {
        Self { streaming: true, ..Self::default() }
    }

    /// Tells who answers, as soon and as often as the dialect says it; what is known stays.
    pub fn identify(&mut self, id: Option<&str>, model: Option<&str>) {
        let response = self.fold.response_mut();
        if let Some(id) = id.filter(|_| response.id.is_empty()) {
            id.clone_into(&mut response.id);
        }
        if let Some(model) = model.filter(|_| response.model.is_empty()) {
            model.clone_into(&mut response.model);
        }
    }

    /// More of a text. An empty delta says nothing.
    pub fn text(&mut self, delta: &str) {
        if !delta.is_empty() {
            self.close_if(|c| !matches!(c, Content::Text { .. }));
            self.fold.text(delta);
            self.queue(|| Event::Text(delta.to_owned()));
        }
    }

    /// More of a thought. An empty delta says nothing.
    pub fn reasoning(&mut self, delta: &str) {
        if !delta.is_empty() {
            self.close_if(|c| !matches!(c, Content::Reasoning(_)));
            self.fold.reasoning(delta);
            self.queue(|| Event::Reasoning(delta.to_owned()));
        }
    }

    /// Closes the open text or thought; a signature alone makes a thought of its own.
    pub fn part_end(&mut self, signature: Option<&str>, meta: Meta) {
        if self.fold.has_open_part() || signature.is_some() {
            self.fold.part_end(signature, meta.clone());
            self.queue(|| Event::PartEnd { signature: signature.map(str::to_owned), meta });
        }
    }

    /// A call begins. Returns its number.
    pub fn tool_start(&mut self, id: &str, name: &str) -> Result<usize> {
        if self.fold.calls() >= MAX_TOOL_CALLS {
            return Err(Error::new(ErrorKind::Decode, format!("the answer has more than {MAX_TOOL_CALLS} tool calls")));
        }
        self.part_end(None, Meta::default());
        let index = self.fold.tool_start(id, name);
        self.running.push_back(index);
        self.queue(|| Event::ToolStart { index, id: id.to_owned(), name: name.to_owned() });
        Ok(index)
    }

    /// More of a call's arguments.
    pub fn tool_arguments(&mut self, index: usize, fragment: &str) {
        if fragment.is_empty() {
            return;
        }
        if let Some(call) = self.fold.call_mut(index) {
            call.arguments.push_str(fragment);
            self.queue(|| Event::ToolArguments { index, fragment: fragment.to_owned() });
        }
    }

    /// What the dialect says of a call.
    pub fn tool_meta(&mut self, index: usize, dialect: &str, field: &str, value: serde_json::Value) {
        if let Some(part) = self.fold.call_part_mut(index) {
            part.meta.set(dialect, field, value);
        }
    }

    /// All that the dialects say of a call.
    pub fn tool_part_meta(&mut self, index: usize, meta: Meta) {
        if let Some(part) = self.fold.call_part_mut(index) {
            part.meta = meta;
        }
    }

    /// A call is complete. No arguments at all mean none: `{}`.
    pub fn tool_end(&mut self, index: usize) {
        let Some(at) = self.running.iter().position(|i| *i == index) else {
            return;
        };
        self.running.remove(at);
        self.end_call(index);
    }

    fn end_call(&mut self, index: usize) {
        let Some(part) = self.fold.call_part_mut(index) else {
            return;
        };
        let meta = part.meta.clone();
        let Content::ToolCall(call) = &mut part.content else {
            return;
        };
        let was_empty = call.arguments.trim().is_empty();
        if was_empty {
            "{}".clone_into(&mut call.arguments);
        }
        if self.streaming {
            let call = call.clone();
            if was_empty {
                self.queue(|| Event::ToolArguments { index, fragment: "{}".to_owned() });
            }
            self.queue(|| Event::ToolEnd { index, call, meta });
        }
    }

    /// All calls that are still running are complete.
    pub fn tools_end(&mut self) {
        // All at once: taking each out of the front would move the others each time.
        for index in std::mem::take(&mut self.running) {
            self.end_call(index);
        }
    }

    /// A call that came whole.
    pub fn tool_call(&mut self, id: &str, name: &str, arguments: &str) -> Result<usize> {
        let index = self.tool_start(id, name)?;
        self.tool_arguments(index, arguments);
        self.tool_end(index);
        Ok(index)
    }

    /// A part that came whole.
    pub fn part(&mut self, part: Part) {
        self.part_end(None, Meta::default());
        self.queue(|| Event::Part(Box::new(part.clone())));
        self.fold.part(part);
    }

    /// What was used so far, by the dialect's latest word.
    pub fn usage(&mut self, usage: Usage) {
        if self.fold.response().usage != usage {
            self.queue(|| Event::Usage(Box::new(usage.clone())));
            self.fold.response_mut().usage = usage;
        }
    }

    /// Why the answer ends, in the dialect's word. A later word replaces an earlier one.
    pub fn finish(&mut self, finish: Finish) {
        self.fold.response_mut().finish = finish;
    }

    /// Something that has no place in the vocabulary.
    pub fn loss(&mut self, loss: Loss) {
        self.fold.response_mut().losses.push(loss);
    }

    /// The dialect's own end marker was met: the answer is whole.
    pub fn end(&mut self) {
        self.ended = true;
    }

    /// Whether the end marker was met.
    pub fn has_ended(&self) -> bool {
        self.ended
    }

    /// What has been told so far.
    pub fn response(&self) -> &ChatResponse {
        self.fold.response()
    }

    /// What has been told so far, for what has no word here.
    pub fn response_mut(&mut self) -> &mut ChatResponse {
        self.fold.response_mut()
    }

    /// The whole answer: open parts are closed, and the finish is settled.
    pub fn into_response(mut self) -> ChatResponse {
        self.settle();
        self.fold.into_response()
    }

    /// The next event of a streamed answer.
    pub(crate) fn pop(&mut self) -> Option<Event> {
        self.queue.pop_front()
    }

    /// Whether every event was taken out.
    pub(crate) fn is_told(&self) -> bool {
        self.queue.is_empty()
    }

    /// Queues the terminal event.
    pub(crate) fn done(&mut self, complete: impl FnOnce(&mut ChatResponse)) {
        self.settle();
        self.announce();
        let mut response = std::mem::take(&mut self.fold).into_response();
        complete(&mut response);
        self.queue.push_back(Event::Done(Box::new(response)));
    }

    /// What had arrived, for an error.
    pub(crate) fn take_partial(&mut self) -> ChatResponse {
        std::mem::take(&mut self.fold).into_response()
    }

    fn settle(&mut self) {
        self.tools_end();
        self.part_end(None, Meta::default());
        self.fold.response_mut().settle_finish();
    }

    fn close_if(&mut self, other: impl Fn(&Content) -> bool) {
        if self.fold.has_open_part() && self.fold.response().parts.last().is_some_and(|p| other(&p.content)) {
            self.part_end(None, Meta::default());
        }
    }

    fn announce(&mut self) {
        if !self.started {
            self.started = true;
            let response = self.fold.response();
            let start = Event::Start { id: response.id.clone(), model: response.model.clone() };
            self.queue.push_back(start);
        }
    }

    fn queue(&mut self, event: impl FnOnce() -> Event) {
        if self.streaming {
            self.announce();
            self.queue.push_back(event());
        }
    }
}
