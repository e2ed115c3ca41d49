//! One answer of several attempts, each of which goes on where the one before broke off.

use sabir_core::Request;
use sabir_core::chat::{ChatResponse, Content, Event, Fold, Message, Role, Usage};

/// What was told of an answer, and how what follows is joined to it.
#[derive(Debug, Default)]
pub(super) struct Joined {
    told: Fold,
    /// What the attempts before this one used; `None` in the first.
    before: Option<Usage>,
    /// Whether anything was told: a `Start` comes first or not at all.
    started: bool,
    /// White space that was told and not sent back: a model that writes it again must not be told twice.
    skip: String,
}

/// How far an answer had come, to be gone on with.
#[derive(Debug)]
pub(super) struct Begun {
    text: String,
    written: Option<u64>,
}

impl Joined {
    /// What the caller is told of an event; `None` for nothing.
    pub(super) fn pass(&mut self, event: Event) -> Option<Event> {
        let event = match event {
            Event::Start { .. } if self.started => return None,
            Event::Start { .. } => event,
            Event::Text(mut delta) => {
                let mut again = 0;
                for (skipped, c) in self.skip.chars().zip(delta.chars()) {
                    if skipped != c {
                        break;
                    }
                    again += c.len_utf8();
                }
                if again == delta.len() {
                    self.skip.drain(..again);
                    return None;
                }
                self.skip.clear();
                delta.drain(..again);
                Event::Text(delta)
            }
            Event::Usage(usage) => Event::Usage(Box::new(self.with_before(*usage))),
            Event::Restart(_) => {
                *self = Self::default();
                return Some(event);
            }
            other => {
                self.skip.clear();
                other
            }
        };
        self.started = true;
        self.told.apply(&event);
        Some(event)
    }

    /// Makes the last attempt's answer that of all, and says what remains to be told of what it used.
    pub(super) fn done(&mut self, response: &mut ChatResponse) -> Option<Event> {
        self.before.as_ref()?;
        let told = self.told.response();
        for (field, said) in [(&mut response.id, &told.id), (&mut response.model, &told.model)] {
            if !said.is_empty() {
                field.clone_from(said);
            }
        }
        response.parts.clone_from(&told.parts);
        response.usage = self.with_before(std::mem::take(&mut response.usage));
        // What the attempts before it cost was not told.
        response.cost = None;
        response.settle_finish();
        (told.usage != response.usage).then(|| Event::Usage(Box::new(response.usage.clone())))
    }

    /// What had arrived of all attempts, where there were several.
    pub(super) fn partial(&self) -> Option<ChatResponse> {
        self.before.as_ref().map(|_| self.told.response().clone())
    }

    /// Whether another model can go on: where there is text, and nothing else.
    pub(super) fn begun(&self) -> Option<Begun> {
        let told = self.told.response();
        let text = told.text();
        let only_text = told.parts.iter().all(|part| matches!(part.content, Content::Text { .. }));
        // A last message that ends with white space is refused by Anthropic, and throws other models off.
        let text = text.trim_end().to_owned();
        (only_text && !text.is_empty()).then(|| Begun { text, written: told.usage.output_total() })
    }

    /// What follows is of another attempt, which goes on from here.
    pub(super) fn go_on(&mut self) {
        let told = self.told.response();
        let text = told.text();
        self.before = Some(told.usage.clone());
        text[text.trim_end().len()..].clone_into(&mut self.skip);
    }

    fn with_before(&self, usage: Usage) -> Usage {
        match &self.before {
            Some(before) => before.plus(&usage),
            None => usage,
        }
    }
}

impl Begun {
    /// The request to go on: what was written is the last message, and, where it is known how much that was, there is
    /// less left to write.
    pub(super) fn asked(&self, request: &Request) -> Request {
        let mut request = request.clone();
        if let Request::Chat(chat) = &mut request {
            match chat.messages.last_mut().filter(|last| last.role == Role::Assistant).map(|last| &mut last.parts) {
                // The caller had begun the answer itself.
                Some(parts) => parts.push(self.text.as_str().into()),
                None => chat.messages.push(Message::assistant(&self.text)),
            }
            chat.max_tokens = chat.max_tokens.map(|most| most.saturating_sub(self.written.unwrap_or(0)).max(1));
        }
        request
    }
}
