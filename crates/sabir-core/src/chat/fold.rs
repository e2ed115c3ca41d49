use super::{ChatResponse, Content, Event, Part, Reasoning, ToolCall};

/// Folds events into the answer they tell of: the one definition of what a stream means.
#[derive(Clone, Debug, Default)]
pub struct Fold {
    response: ChatResponse,
    /// Where in `response.parts` each call stands, by its number.
    calls: Vec<usize>,
    /// Whether the last part is a text or thought that may still grow.
    open: bool,
}

impl Fold {
    /// What has been told so far.
    pub fn response(&self) -> &ChatResponse {
        &self.response
    }

    /// What has been told so far, for what events do not carry (finish, losses).
    pub fn response_mut(&mut self) -> &mut ChatResponse {
        &mut self.response
    }

    /// The answer.
    pub fn into_response(self) -> ChatResponse {
        self.response
    }

    /// Takes one event in. An index that no `ToolStart` announced is ignored.
    pub fn apply(&mut self, event: &Event) {
        match event {
            Event::Start { id, model } => {
                self.response.id.clone_from(id);
                self.response.model.clone_from(model);
            }
            Event::Text(delta) => self.text(delta),
            Event::Reasoning(delta) => self.reasoning(delta),
            Event::PartEnd { signature, meta } => self.part_end(signature.as_deref(), meta.clone()),
            Event::ToolStart { id, name, .. } => {
                self.tool_start(id, name);
            }
            Event::ToolArguments { index, fragment } => {
                if let Some(call) = self.call_mut(*index) {
                    call.arguments.push_str(fragment);
                }
            }
            Event::ToolEnd { index, call, meta } => {
                if let Some(part) = self.calls.get(*index).and_then(|at| self.response.parts.get_mut(*at)) {
                    part.content = Content::ToolCall(call.clone());
                    part.meta = meta.clone();
                }
            }
            Event::Part(part) => self.part((**part).clone()),
            Event::Usage(usage) => self.response.usage.clone_from(usage),
            Event::Restart(_) => *self = Self::default(),
            Event::Done(response) => self.response = (**response).clone(),
        }
    }

    pub(crate) fn text(&mut self, delta: &str) {
        if let Some(Part { content: Content::Text { text }, .. }) = self.open_part() {
            text.push_str(delta);
        } else {
            self.push(Part::text(delta), true);
        }
    }

    pub(crate) fn reasoning(&mut self, delta: &str) {
        if let Some(Part { content: Content::Reasoning(reasoning), .. }) = self.open_part() {
            reasoning.text.push_str(delta);
        } else {
            self.push(Part::reasoning(delta), true);
        }
    }

    /// Closes the open part. A signature with no thought open makes a thought of its own: some providers
    /// send the signature alone.
    pub(crate) fn part_end(&mut self, signature: Option<&str>, meta: super::Meta) {
        let thought_is_open = matches!(self.open_part(), Some(Part { content: Content::Reasoning(_), .. }));
        if signature.is_some() && !thought_is_open {
            self.push(Content::Reasoning(Reasoning::default()).into(), true);
        }
        if let Some(part) = self.open_part() {
            if let (Content::Reasoning(reasoning), Some(signature)) = (&mut part.content, signature) {
                reasoning.signature = Some(signature.to_owned());
            }
            part.meta.merge(meta);
        }
        self.open = false;
    }

    pub(crate) fn tool_start(&mut self, id: &str, name: &str) -> usize {
        self.calls.push(self.response.parts.len());
        self.push(Part::tool_call(id, name, ""), false);
        self.calls.len() - 1
    }

    pub(crate) fn call_mut(&mut self, index: usize) -> Option<&mut ToolCall> {
        match &mut self.response.parts.get_mut(*self.calls.get(index)?)?.content {
            Content::ToolCall(call) => Some(call),
            _ => None,
        }
    }

    pub(crate) fn call_part_mut(&mut self, index: usize) -> Option<&mut Part> {
        self.response.parts.get_mut(*self.calls.get(index)?)
    }

    pub(crate) fn calls(&self) -> usize {
        self.calls.len()
    }

    pub(crate) fn part(&mut self, part: Part) {
        if matches!(part.content, Content::ToolCall(_)) {
            self.calls.push(self.response.parts.len());
        }
        self.push(part, false);
    }

    pub(crate) fn has_open_part(&self) -> bool {
        self.open
    }

    /// The text or thought that may still grow.
    fn open_part(&mut self) -> Option<&mut Part> {
        if self.open { self.response.parts.last_mut() } else { None }
    }

    fn push(&mut self, part: Part, open: bool) {
        // Most answers have a single part, and thousands of streams may be open: no room for four.
        if self.response.parts.is_empty() {
            self.response.parts.reserve_exact(1);
        }
        self.response.parts.push(part);
        self.open = open;
    }
}
