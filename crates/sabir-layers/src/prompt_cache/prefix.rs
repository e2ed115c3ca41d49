use std::fmt;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use sabir_core::chat::ChatRequest;
use sabir_core::{Call, Layer, Reply, Request, Result, Service, Shared};

use super::prompt::{Change, Prompt};
use crate::keep::Keep;

/// The first place at which `after` does not go on as `before` did; `None` where it only grew.
///
/// Compared is what providers' caches depend on, in their order: the model, the tools, the choice among them, the form
/// of the answer, how much to think, then the messages. Marks for the cache are no part of the prompt.
pub fn first_change(before: &ChatRequest, after: &ChatRequest) -> Option<Change> {
    Prompt::of(before).first_change(&Prompt::of(after))
}

/// For tests: that a prompt only grew from one turn to the next, so that the provider's cache finds all of it.
///
/// ```
/// use sabir_core::chat::ChatRequest;
/// use sabir_layers::prompt_cache::assert_prefix_stable;
///
/// let first = ChatRequest::new("m").system("Be brief.").user("Why is the sea salt?");
/// let second = first.clone().assistant("Rivers bring it.").user("Since when?");
/// assert_prefix_stable(&first, &second);
/// ```
///
/// # Panics
/// Where it changed; the message says where.
#[track_caller]
pub fn assert_prefix_stable(before: &ChatRequest, after: &ChatRequest) {
    if let Some(change) = first_change(before, after) {
        panic!("{change}");
    }
}

/// The layer that compares each request of a conversation with the one before it, and tells what changed. Requests pass
/// as they are. Clones share what is remembered.
#[derive(Clone)]
pub struct PrefixCheck {
    tag: String,
    told: Option<Arc<Told>>,
    /// The last prompt of each conversation, by tenant and name.
    last: Arc<Mutex<Keep<Id, Arc<Prompt>>>>,
}

type Id = (String, String);
type Told = dyn Fn(&str, &Change) + Send + Sync;

/// Bytes of prompts that are remembered.
const SIZE: usize = 16 << 20;

impl Default for PrefixCheck {
    fn default() -> Self {
        Self { tag: "conversation".into(), told: None, last: Arc::new(Mutex::new(Keep::new(SIZE, Duration::MAX))) }
    }
}

impl PrefixCheck {
    /// The tag of a call whose value names the conversation. Calls without it are not looked at.
    pub fn tag(mut self, tag: impl Into<String>) -> Self {
        self.tag = tag.into();
        self
    }

    /// Called with the conversation's name whenever its prompt changed.
    pub fn on_change(mut self, told: impl Fn(&str, &Change) + Send + Sync + 'static) -> Self {
        self.told = Some(Arc::new(told));
        self
    }

    /// Compares a request with the one before it of this conversation, and remembers it; `None` for the first, and where
    /// the prompt only grew.
    pub fn check(&self, conversation: &str, request: &ChatRequest) -> Option<Change> {
        self.compare("", conversation, request)
    }

    fn compare(&self, tenant: &str, conversation: &str, request: &ChatRequest) -> Option<Change> {
        let (id, prompt) = ((tenant.to_owned(), conversation.to_owned()), Arc::new(Prompt::of(request)));
        let mut last = self.last.lock().unwrap_or_else(PoisonError::into_inner);
        let before = last.get(&id, Duration::ZERO);
        last.put(id, prompt.clone(), prompt.size(), Duration::ZERO);
        drop(last);
        let change = before?.0.first_change(&prompt)?;
        if let Some(told) = &self.told {
            told(conversation, &change);
        }
        Some(change)
    }
}

impl fmt::Debug for PrefixCheck {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("PrefixCheck").field("tag", &self.tag).finish_non_exhaustive()
    }
}

impl Layer for PrefixCheck {
    fn apply(&self, inner: Shared) -> Shared {
        Shared::new(Checking { check: self.clone(), inner })
    }
}

#[derive(Debug)]
struct Checking {
    check: PrefixCheck,
    inner: Shared,
}

impl Service for Checking {
    async fn call<'a>(&'a self, call: &'a Call, request: &'a Request) -> Result<Reply> {
        let conversation = call.tags.iter().find(|(name, _)| *name == self.check.tag);
        if let (Request::Chat(chat), Some((_, conversation))) = (request, conversation) {
            self.check.compare(&call.tenant, conversation, chat);
        }
        self.inner.call(call, request).await
    }
}
