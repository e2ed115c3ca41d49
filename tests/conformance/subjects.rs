//! Which recordings and which descriptions belong to which dialect.

use sabir::{Endpoint, Env, Provider};
use serde_json::Value;

use crate::schemas::{Body, Schemas, Slot};
use crate::tally::Row;
use crate::{answered, asked, chat, exchange};

/// One row of the page.
#[derive(Debug)]
pub(crate) struct Subject {
    /// Name of the row, and of the recordings unless `corpora` says otherwise.
    pub(crate) name: &'static str,
    /// The dialect or format.
    pub(crate) room: &'static str,
    kind: Kind,
    pub(crate) corpora: &'static [&'static str],
    /// Whose endpoint requests are encoded for; none means no quirks.
    provider: Option<&'static str>,
    /// A header that the endpoint has.
    header: Option<(&'static str, &'static str)>,
    /// The descriptions, any of which may hold: bundle and operation.
    operations: Operations,
    /// Those of what we answer, where they are others: a client that speaks OpenAI's format to us gets OpenAI's
    /// answers, whoever gave them.
    answered: Option<Operations>,
}

type Operations = &'static [(&'static str, &'static str)];

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    Chat,
    Embedding,
    Reranking,
    Listing,
}

const OPENAI_CHAT: Operations = &[("openai", "chat.completions"), ("openai-sdk", "chat.completions")];

/// Every row. Those whose room is not built in are left out.
pub(crate) const SUBJECTS: &[Subject] = &[
    Subject { provider: Some("openai"), ..chat("openai-chat", "openai-chat", OPENAI_CHAT) },
    Subject {
        provider: Some("mistral"),
        answered: Some(OPENAI_CHAT),
        ..chat("mistral-chat", "openai-chat", &[("mistral", "chat.completions")])
    },
    Subject {
        provider: Some("huggingface"),
        answered: Some(OPENAI_CHAT),
        ..chat("huggingface-chat", "openai-chat", &[("openai", "chat.completions"), ("hf-tgi", "chat.completions")])
    },
    chat("openai-responses", "openai-responses", &[("openai", "responses"), ("openai-sdk", "responses")]),
    chat("openai-completions", "openai-completions", &[("openai", "completions")]),
    chat("anthropic-messages", "anthropic-messages", &[("anthropic", "messages")]),
    Subject {
        corpora: &["anthropic-messages"],
        header: Some(("anthropic-version", "2026-10-21")),
        ..chat("anthropic-messages@2026-10-21", "anthropic-messages", &[("anthropic", "messages@2026-10-21")])
    },
    chat("gemini-generate", "gemini-generate", &[("gemini", "generateContent"), ("gemini", "streamGenerateContent")]),
    chat("bedrock-converse", "bedrock-converse", &[("bedrock", "converse"), ("bedrock", "converse-stream")]),
    chat("cohere-v1-chat", "cohere-v1-chat", &[("cohere", "v1.chat")]),
    chat("cohere-v2-chat", "cohere-v2-chat", &[("cohere", "v2.chat")]),
    chat(
        "huggingface-textgen",
        "huggingface-textgen",
        &[("hf-tgi", "root"), ("hf-tgi", "generate"), ("hf-tgi", "generate_stream")],
    ),
    chat("ollama-chat", "ollama-chat", &[("ollama", "chat")]),
    chat("ollama-generate", "ollama-generate", &[("ollama", "generate")]),
    format("openai-embeddings", Kind::Embedding, &[("openai", "embeddings"), ("mistral", "embeddings")]),
    format("cohere-embed", Kind::Embedding, &[("cohere", "v1.embed"), ("cohere", "v2.embed")]),
    format("gemini-embed", Kind::Embedding, &[("gemini", "embedContent"), ("gemini", "batchEmbedContents")]),
    Subject { corpora: &[], ..format("ollama-embed", Kind::Embedding, &[("ollama", "embed")]) },
    format("cohere-rerank", Kind::Reranking, &[("cohere", "v1.rerank"), ("cohere", "v2.rerank")]),
    format("jina-rerank", Kind::Reranking, &[("jina", "rerank"), ("jina", "voyage.rerank")]),
    format("openai-models", Kind::Listing, &[("openai", "models"), ("mistral", "models")]),
    format("anthropic-models", Kind::Listing, &[("anthropic", "models")]),
    format("gemini-models", Kind::Listing, &[("gemini", "models")]),
    format("cohere-models", Kind::Listing, &[("cohere", "v1.models")]),
    Subject { corpora: &[], ..format("ollama-tags", Kind::Listing, &[("ollama", "tags")]) },
];

const fn chat(name: &'static str, room: &'static str, operations: &'static [(&'static str, &'static str)]) -> Subject {
    Subject { name, room, kind: Kind::Chat, corpora: OWN, provider: None, header: None, operations, answered: None }
}

const fn format(name: &'static str, kind: Kind, operations: Operations) -> Subject {
    Subject { kind, ..chat(name, name, operations) }
}

/// The recordings have the row's name.
const OWN: &[&str] = &[""];

impl Subject {
    /// Whether its room is built in.
    pub(crate) fn is_built(&self) -> bool {
        match self.kind {
            Kind::Chat => sabir::dialects::dialect(self.room).is_some(),
            Kind::Embedding => sabir::dialects::embeddings().iter().any(|format| format.name() == self.room),
            Kind::Reranking => sabir::dialects::rerankings().iter().any(|format| format.name() == self.room),
            Kind::Listing => sabir::dialects::listings().iter().any(|format| format.name() == self.room),
        }
    }

    /// The descriptions of one of its bodies.
    pub(crate) fn slots(&self, body: Body) -> impl Iterator<Item = Slot> {
        self.operations.iter().map(move |&(bundle, operation)| Slot { bundle, operation, body })
    }

    /// Whether something of ours is as it is described; else what the descriptions have against it.
    pub(crate) fn described(&self, body: Body, value: &Value, schemas: &Schemas) -> Result<(), String> {
        let operations = self.answered.filter(|_| body != Body::Request).unwrap_or(self.operations);
        let slots = operations.iter().map(|&(bundle, operation)| Slot { bundle, operation, body });
        schemas.check(slots, value).unwrap_or_else(|| Err(format!("{body:?} is described nowhere")))
    }

    /// The same of the bytes of a JSON text.
    pub(crate) fn valid(&self, body: Body, bytes: &[u8], schemas: &Schemas) -> Result<(), String> {
        let value = serde_json::from_slice(bytes).map_err(|error| format!("it is not JSON: {error}"))?;
        self.described(body, &value, schemas)
    }

    /// The names of its recordings.
    pub(crate) fn corpora(&self) -> impl Iterator<Item = &'static str> {
        self.corpora.iter().map(|name| if name.is_empty() { self.name } else { name })
    }

    /// Whether its requests alone are looked at: the answers are another row's.
    pub(crate) fn asks_only(&self) -> bool {
        self.header.is_some()
    }

    /// Where its requests go.
    pub(crate) fn endpoint(&self) -> Endpoint {
        let mut endpoint = match self.provider {
            Some(id) => Provider::builtin(id).and_then(|p| p.endpoint_without_key(&Env::none())).expect("a row"),
            None => Endpoint { base_url: "http://recorded/v1".into(), ..Endpoint::default() },
        };
        if let Some((name, value)) = self.header {
            endpoint.headers.insert(name, http::HeaderValue::from_static(value));
        }
        endpoint
    }

    /// Tries everything.
    pub(crate) fn run(&self, schemas: &Schemas) -> Row {
        match self.kind {
            Kind::Chat => {
                let room = sabir::dialects::dialect(self.room).expect("it is built");
                chat::run(self, room, schemas)
            }
            Kind::Embedding => {
                let mut all = sabir::dialects::embeddings().iter();
                let format = *all.find(|format| format.name() == self.room).expect("it is built");
                exchange::run(self, format, asked::embeddings(), answered::embeddings(), schemas)
            }
            Kind::Reranking => {
                let mut all = sabir::dialects::rerankings().iter();
                let format = *all.find(|format| format.name() == self.room).expect("it is built");
                exchange::run(self, format, asked::rerankings(), answered::rerankings(), schemas)
            }
            Kind::Listing => {
                let mut all = sabir::dialects::listings().iter();
                let format = *all.find(|format| format.name() == self.room).expect("it is built");
                // What is asked has no body.
                exchange::run(self, format, Vec::new(), answered::listings(), schemas)
            }
        }
    }
}
