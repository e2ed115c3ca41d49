use std::io;

use sabir_core::chat::ChatRequest;
use sabir_core::embed::EmbedRequest;
use sabir_core::rerank::RerankRequest;
use sabir_core::{Call, Request};
use serde::Serialize;
use sha2::{Digest as _, Sha256};

/// The SHA-256 of all that an answer depends on: nobody can make up a request that is given another one's answer.
pub(super) type Key = [u8; 32];

/// The key of a call of this request; `None` for what is not kept, such as a count of tokens.
///
/// Every field of a request is named here, so that a new one cannot be forgotten. Left out is what does not change the
/// answer: whether it streams, the marks and the key for the provider's own cache, the end user's id, the labels.
pub(super) fn key(call: &Call, request: &Request) -> Option<Key> {
    let whose = (&call.tenant, &call.provider, &call.dialect, call.keep_raw);
    match request {
        Request::Chat(chat) => {
            let ChatRequest {
                model,
                messages,
                tools,
                tool_choice,
                parallel_tool_calls,
                max_tokens,
                temperature,
                top_p,
                top_k,
                stop,
                seed,
                presence_penalty,
                frequency_penalty,
                response_format,
                reasoning,
                options,
                strict,
                stream: _,
                cache: _,
                cache_key: _,
                user: _,
                metadata: _,
            } = chat;
            // JSON has no word for some numbers; bits have one for each.
            let bits = |number: &Option<f64>| number.map(f64::to_bits);
            let numbers = [temperature, top_p, presence_penalty, frequency_penalty].map(bits);
            let sampling = (numbers, top_k, seed, max_tokens, stop);
            let asked = (messages, tools, tool_choice, parallel_tool_calls, response_format, reasoning);
            digest(&("chat", whose, model, asked, sampling, options, strict))
        }
        Request::Embed(embed) => {
            let EmbedRequest { model, inputs, purpose, dimensions, options, strict, user: _ } = embed;
            digest(&("embed", whose, model, inputs, purpose, dimensions, options, strict))
        }
        Request::Rerank(rerank) => {
            let RerankRequest { model, query, documents, top_n, options, strict } = rerank;
            digest(&("rerank", whose, model, query, documents, top_n, options, strict))
        }
        _ => None,
    }
}

/// Hashes the JSON of a value, which is never held as a whole.
fn digest(value: &impl Serialize) -> Option<Key> {
    let mut hash = Writer(Sha256::new());
    serde_json::to_writer(&mut hash, value).ok()?;
    Some(hash.0.finalize().into())
}

struct Writer(Sha256);

impl io::Write for Writer {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.update(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use sabir_core::chat::{CacheMark, Effort, Message, Part, ResponseFormat, Tool, ToolChoice};

    use super::*;

    type Change = fn(&mut Call, &mut ChatRequest);

    fn key_of(changes: &[Change]) -> Key {
        let (mut call, mut chat) = (Call::to("p"), ChatRequest::new("m").user("Hello"));
        for change in changes {
            change(&mut call, &mut chat);
        }
        key(&call, &Request::Chat(chat)).expect("a chat is kept")
    }

    #[test]
    fn all_that_changes_an_answer_changes_the_key() {
        let changes: &[Change] = &[
            |_, _| {},
            |call, _| call.tenant = "t".into(),
            |call, _| call.provider = "q".into(),
            |call, _| call.dialect = Some("d".into()),
            |call, _| call.keep_raw = true,
            |_, chat| chat.model = "n".into(),
            |_, chat| chat.messages[0] = Message::user("Hello!"),
            |_, chat| chat.messages[0] = Message::system("Hello"),
            |_, chat| chat.messages[0].parts.push(Part::text("")),
            |_, chat| chat.tools.push(Tool::function("f", "", serde_json::json!({}))),
            |_, chat| chat.tool_choice = Some(ToolChoice::Auto),
            |_, chat| chat.parallel_tool_calls = Some(false),
            |_, chat| chat.max_tokens = Some(0),
            |_, chat| chat.temperature = Some(0.0),
            |_, chat| chat.temperature = Some(f64::NAN),
            |_, chat| chat.top_p = Some(0.0),
            |_, chat| chat.top_k = Some(0),
            |_, chat| chat.stop.push(String::new()),
            |_, chat| chat.seed = Some(0),
            |_, chat| chat.presence_penalty = Some(0.0),
            |_, chat| chat.frequency_penalty = Some(0.0),
            |_, chat| chat.response_format = Some(ResponseFormat::Json),
            |_, chat| *chat = chat.clone().effort(Effort::Low),
            |_, chat| *chat = chat.clone().option("d", "o", 1),
            |_, chat| chat.strict = true,
        ];
        let keys: std::collections::HashSet<Key> = changes.iter().map(|change| key_of(&[*change])).collect();
        assert_eq!(keys.len(), changes.len());
    }

    #[test]
    fn what_does_not_change_an_answer_does_not() {
        let changes: &[Change] = &[
            |call, _| call.attempt = 3,
            |call, _| call.tags.push(("a".into(), "b".into())),
            |_, chat| chat.stream = true,
            |_, chat| chat.cache = Some(CacheMark::default()),
            |_, chat| chat.cache_key = Some("k".into()),
            |_, chat| chat.user = Some("u".into()),
            |_, chat| drop(chat.metadata.insert("a".into(), "b".into())),
        ];
        assert_eq!(key_of(changes), key_of(&[]));
    }

    #[test]
    fn what_is_told_apart_does_not_run_together() {
        let rerank = |query: &str, documents: &[&str]| {
            let documents = documents.iter().map(ToString::to_string).collect();
            let request = RerankRequest { query: query.into(), documents, ..RerankRequest::default() };
            key(&Call::default(), &Request::Rerank(request))
        };
        assert_ne!(rerank("ab", &["c"]), rerank("a", &["bc"]));
        assert_ne!(rerank("a", &["b", "c"]), rerank("a", &["b\",\"c"]));
        let embed = Request::Embed("a".into());
        assert_ne!(key(&Call::to("p"), &embed), None);
        assert_eq!(key(&Call::to("p"), &Request::Count(ChatRequest::new("m").into())), None);
    }
}
