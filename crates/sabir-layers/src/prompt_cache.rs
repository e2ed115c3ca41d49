//! Help with the caches that providers keep of prompts: marks where they have to be set, and a check that a conversation's
//! prompt only grows.
//!
//! [`PromptCache`] marks what a conversation will begin with again next time, for providers that cache only what is
//! marked. A layer does not see what a provider can take, so who adds it says where to mark:
//! [`for_provider`](PromptCache::for_provider) or [`when`](PromptCache::when); elsewhere nothing is marked. A request that
//! has marks of its own, or asks the provider to place one by itself ([`ChatRequest::cache`]), is left as it is.
//!
//! Marked are, as Anthropic's page on prompt caching has it (at most four marks; tools, then the operator's messages,
//! then the conversation; no mark on thoughts or empty text):
//!
//! | mark | so that |
//! |---|---|
//! | the last tool | the tools are found again, whatever follows |
//! | the end of the operator's leading messages | those too |
//! | the end of the last message that is not the model's | the next turn finds all of this one |
//! | the end of the one before it | this turn finds the last one, also over more blocks than the provider looks back (20) |
//!
//! Writing to a cache costs more than plain input (a quarter more for five minutes at Anthropic, twice as much for an
//! hour), reading a tenth of it: it pays where a prompt begins alike at least twice within that time. What is too short
//! to be cached costs nothing more.
//!
//! [`PrefixCheck`] tells where a prompt changed that should only have grown, which is where such caches miss.
//!
//! | what | default |
//! |---|---|
//! | where to mark | nowhere |
//! | lifetime of the marks | the provider's own |
//! | tag that names the conversation | `conversation` |
//! | remembered prompts | 16 MiB; what was used longest ago goes first |
//!
//! ```
//! use sabir_core::{Layer as _, Shared};
//! use sabir_layers::PromptCache;
//! # fn wrap(inner: Shared) -> Shared {
//! PromptCache::default().for_provider("anthropic").ttl("1h").apply(inner)
//! # }
//! ```

mod prefix;
mod prompt;
#[cfg(test)]
mod tests;

use std::fmt;
use std::sync::Arc;

use sabir_core::chat::{CacheMark, ChatRequest, Content, Message, Part, Role, Tool};
use sabir_core::transport::BoxFuture;
use sabir_core::{Call, Foreseen, Layer, Reply, Request, Result, Service, Shared};

pub use self::prefix::{PrefixCheck, assert_prefix_stable, first_change};
pub use self::prompt::Change;

/// The layer that marks prompts for their provider's cache; see the [module](self).
#[derive(Clone, Default)]
pub struct PromptCache {
    providers: Vec<String>,
    when: Option<Arc<When>>,
    ttl: Option<String>,
}

type When = dyn Fn(&Call, &ChatRequest) -> bool + Send + Sync;

impl PromptCache {
    /// Marks calls of this provider, by its own id, and of every other one that is named.
    pub fn for_provider(mut self, provider: impl Into<String>) -> Self {
        self.providers.push(provider.into());
        self
    }

    /// Marks also calls of which this is true: of some models of a provider, for instance.
    pub fn when(mut self, when: impl Fn(&Call, &ChatRequest) -> bool + Send + Sync + 'static) -> Self {
        self.when = Some(Arc::new(when));
        self
    }

    /// How long the provider is to keep what is marked, in its words (`5m`, `1h`).
    pub fn ttl(mut self, ttl: impl Into<String>) -> Self {
        self.ttl = Some(ttl.into());
        self
    }

    fn marks(&self, call: &Call, chat: &ChatRequest) -> bool {
        let named = self.providers.contains(&call.provider);
        (named || self.when.as_ref().is_some_and(|when| when(call, chat))) && !is_marked(chat)
    }

    /// The request with its marks.
    fn marked(&self, chat: &ChatRequest) -> ChatRequest {
        let mark = || Some(CacheMark { ttl: self.ttl.clone() });
        let mut chat = chat.clone();
        let last_tool = chat.tools.iter_mut().rev().find_map(|tool| match tool {
            Tool::Function(function) => Some(function),
            _ => None,
        });
        if let Some(tool) = last_tool {
            tool.cache = mark();
        }
        let lead = chat.split_system().0.len();
        let (system, conversation) = chat.messages.split_at_mut(lead);
        let told = conversation.iter_mut().rev().filter(|message| message.role != Role::Assistant);
        for part in system.iter_mut().rev().find_map(end).into_iter().chain(told.filter_map(end).take(2)) {
            part.cache = mark();
        }
        chat
    }
}

/// The last part of a message that can bear a mark.
fn end(message: &mut Message) -> Option<&mut Part> {
    message.parts.iter_mut().rev().find(|part| match &part.content {
        Content::Text { text } => !text.is_empty(),
        Content::Image(_) | Content::Document(_) | Content::ToolResult(_) => true,
        _ => false,
    })
}

fn is_marked(chat: &ChatRequest) -> bool {
    let tool = |tool: &Tool| matches!(tool, Tool::Function(function) if function.cache.is_some());
    let parts = || chat.messages.iter().flat_map(|message| &message.parts);
    chat.cache.is_some() || chat.tools.iter().any(tool) || parts().any(bears_mark)
}

fn bears_mark(part: &Part) -> bool {
    let inside = matches!(&part.content, Content::ToolResult(result) if result.parts.iter().any(bears_mark));
    part.cache.is_some() || inside
}

impl fmt::Debug for PromptCache {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (providers, when) = (&self.providers, self.when.is_some());
        f.debug_struct("PromptCache")
            .field("providers", providers)
            .field("when", &when)
            .field("ttl", &self.ttl)
            .finish()
    }
}

impl Layer for PromptCache {
    fn apply(&self, inner: Shared) -> Shared {
        Shared::new(Marking { layer: self.clone(), inner })
    }

    fn providers(&self) -> Vec<String> {
        self.providers.clone()
    }

    fn foresee(&self, mut attempts: Vec<Foreseen>) -> BoxFuture<'_, Vec<Foreseen>> {
        for attempt in &mut attempts {
            if let Request::Chat(chat) = &mut attempt.request
                && self.marks(&attempt.call, chat)
            {
                *chat = self.marked(chat);
            }
        }
        Box::pin(std::future::ready(attempts))
    }
}

#[derive(Debug)]
struct Marking {
    layer: PromptCache,
    inner: Shared,
}

impl Service for Marking {
    async fn call<'a>(&'a self, call: &'a Call, request: &'a Request) -> Result<Reply> {
        match request {
            Request::Chat(chat) if self.layer.marks(call, chat) => {
                let marked = Request::Chat(self.layer.marked(chat));
                self.inner.call(call, &marked).await
            }
            _ => self.inner.call(call, request).await,
        }
    }
}
