//! Answers of Chat Completions and of legacy Completions: both come whole or in chunks, in choices, and end alike. A
//! room tells what is in a choice; all around it is told here, for whole answers and streamed ones by the same code.

use std::fmt::Debug;

use http::HeaderMap;
use sabir_core::chat::{ChatRequest, ChatResponse, Cost, Event, Finish, Usage};
use sabir_core::dialect::{Answer, Decoder, Responded, truncated, unreadable};
use sabir_core::frame::Frame;
use sabir_core::{Dialect, Error, ErrorKind, Feature, Loss, Quirks, Result, Sink};
use serde::Deserialize;
use serde_json::value::RawValue;
use serde_json::{Map, Value, json};

use crate::json::{Fields, Object, Wrong, parsed, string_of};
use crate::lenient::{Count, List, Object as Lenient, Text, lenient_objects};
use crate::openai_error as error;
use crate::shared::{self, Losses};
use crate::shortcut::Shortcut;

type Raw<'a> = Option<&'a RawValue>;

/// A whole answer, or a chunk of a streamed one. Any field may be missing, null, or of another type than OpenAI's.
#[derive(Debug, Default, Deserialize)]
#[serde(default, bound(deserialize = "'de: 'a, M: Deserialize<'de> + Default"))]
pub(crate) struct Chunk<'a, M> {
    pub(crate) id: Text<'a>,
    pub(crate) model: Text<'a>,
    pub(crate) choices: Option<List<Choice<'a, M>>>,
    pub(crate) usage: Lenient<Used<'a>>,
    pub(crate) created: Count,
    pub(crate) system_fingerprint: Text<'a>,
    pub(crate) service_tier: Text<'a>,
    /// Perplexity's sources.
    pub(crate) citations: Raw<'a>,
    pub(crate) search_results: Raw<'a>,
    pub(crate) error: Raw<'a>,
    /// Groq's older place for the usage.
    pub(crate) x_groq: Lenient<Groq<'a>>,
    /// `MiniMax`'s errors ride on a 200.
    pub(crate) base_resp: Raw<'a>,
}

/// One of the answers: a `text`, or a message in either form.
#[derive(Debug, Default, Deserialize)]
#[serde(default, bound(deserialize = "'de: 'a, M: Deserialize<'de> + Default"))]
pub(crate) struct Choice<'a, M> {
    pub(crate) index: Count,
    pub(crate) text: Option<Text<'a>>,
    pub(crate) delta: Lenient<M>,
    pub(crate) message: Lenient<M>,
    pub(crate) finish_reason: Option<Text<'a>>,
    pub(crate) logprobs: Raw<'a>,
    pub(crate) error: Raw<'a>,
}

lenient_objects! {
    Groq {
        usage: Lenient<Used<'a>>,
    }
    /// Counters, under all names that were met.
    Used {
        prompt_tokens: Count,
        completion_tokens: Count,
        total_tokens: Count,
        prompt_tokens_details: Lenient<Details>,
        completion_tokens_details: Lenient<Details>,
        prompt_cache_hit_tokens: Count,
        cached_tokens: Count,
        num_cached_tokens: Count,
        cache_creation_input_tokens: Count,
        reasoning_tokens: Count,
        num_search_queries: Count,
        server_tool_use_details: Lenient<Details>,
        cost: Raw<'a>,
    }
}

#[derive(Clone, Copy, Debug, Default, Deserialize)]
#[serde(default)]
pub(crate) struct Details {
    cached_tokens: Count,
    cache_write_tokens: Count,
    audio_tokens: Count,
    image_tokens: Count,
    reasoning_tokens: Count,
    web_search_requests: Count,
}

/// Tells a sink what is in the choices of one answer.
pub(crate) trait Teller: Debug + Default + Send {
    /// What the field of metadata is called.
    const DIALECT: &'static str;
    /// What the one string of a chunk may be that tells nothing else.
    type Kind: Copy + Debug + Send;
    /// A message or delta.
    type Message<'a>: Deserialize<'a> + Default;

    /// Tells what the first choice says, of a `whole` answer or of a chunk.
    fn choice(&mut self, choice: Choice<'_, Self::Message<'_>>, whole: bool, sink: &mut Sink) -> Result<()>;

    /// The one string that a choice tells; `None` where it tells another, or anything that adds to what was told
    /// before.
    fn only_string<'c>(choice: &'c Choice<'_, Self::Message<'_>>) -> Option<(Self::Kind, &'c str)>;

    /// Tells such a string.
    fn string(&mut self, kind: Self::Kind, text: &str, sink: &mut Sink);

    /// Tells what only the end makes whole.
    fn close(&mut self, sink: &mut Sink);
}

/// Reads one answer, chunk by chunk up to `[DONE]`, or whole.
#[derive(Debug)]
pub(crate) struct Reader<T: Teller> {
    teller: T,
    whole: bool,
    greeted: bool,
    finished: bool,
    has_others: bool,
    logprobs: Map<String, Value>,
    shortcut: Option<Shortcut<T::Kind>>,
}

/// What was answered.
pub(crate) fn decode<T: Teller>(dialect: &dyn Dialect, answer: Answer<'_>) -> Result<ChatResponse> {
    shared::decode(dialect, answer, error::decode, |body, sink| {
        if body.is_empty() {
            return Err(Error::new(ErrorKind::Decode, "the answer is empty"));
        }
        let mut reader = Reader::<T>::new(true);
        let told = reader.read("the answer", body, sink);
        reader.close(sink);
        told
    })
}

impl<T: Teller> Reader<T> {
    /// For an answer that comes whole, or in chunks.
    pub(crate) fn new(whole: bool) -> Self {
        let (teller, logprobs) = (T::default(), Map::new());
        Self { teller, whole, greeted: false, finished: false, has_others: false, logprobs, shortcut: None }
    }

    /// An error in a chunk is told last, after what came with it.
    fn read(&mut self, what: &str, data: &[u8], sink: &mut Sink) -> Result<()> {
        let wrong = |why: &str| Error::new(ErrorKind::Decode, format!("{what} is {why}"));
        // One look at the bytes as text is cheaper than one at each string in them.
        let text = std::str::from_utf8(data).map_err(|_| wrong("not UTF-8, which JSON has to be"))?;
        let read: Lenient<Chunk<'_, T::Message<'_>>> = serde_json::from_str(text).map_err(|e| unreadable(what, &e))?;
        let chunk = *read.0.ok_or_else(|| wrong("JSON, but no object, which is not what this dialect sends"))?;
        if !self.whole {
            self.shortcut = only_choice(&chunk).and_then(T::only_string).and_then(|(k, s)| Shortcut::learn(data, k, s));
        }
        self.greet(&chunk, sink);
        let is_bare = chunk.choices.is_none();
        let mut may_fail = chunk.error.is_some() || chunk.base_resp.is_some() || is_bare && chunk.usage.0.is_none();
        for (position, choice) in chunk.choices.into_iter().flat_map(|list| list.0).enumerate() {
            may_fail |= choice.error.is_some();
            self.choice(choice, position as u64, sink)?;
        }
        if let Some(used) = chunk.usage.0.or_else(|| chunk.x_groq.0?.usage.0) {
            tell_usage(&used, sink);
        }
        match Some(data).filter(|_| may_fail).and_then(error::instead) {
            Some(error) => Err(error),
            None if self.whole && is_bare => {
                Err(Error::new(ErrorKind::Decode, "the answer has neither choices nor an error"))
            }
            None => Ok(()),
        }
    }

    /// Tells what an answer says of itself. Sources grow; the rest is said in every chunk alike.
    fn greet(&mut self, chunk: &Chunk<'_, T::Message<'_>>, sink: &mut Sink) {
        sink.identify(Some(&chunk.id), Some(&chunk.model));
        let meta = &mut sink.response_mut().meta;
        for (field, raw) in [("citations", chunk.citations), ("search_results", chunk.search_results)] {
            if let Some(value) = raw.and_then(parsed) {
                meta.set(T::DIALECT, field, value);
            }
        }
        if std::mem::replace(&mut self.greeted, true) {
            return;
        }
        // 0 is what servers write that have no clock, as we have none.
        if let Some(created) = chunk.created.0.filter(|created| *created > 0) {
            meta.set(T::DIALECT, "created", created.into());
        }
        for (field, text) in [("system_fingerprint", &chunk.system_fingerprint), ("service_tier", &chunk.service_tier)]
        {
            if !text.is_empty() {
                meta.set(T::DIALECT, field, (**text).into());
            }
        }
    }

    fn choice(&mut self, mut choice: Choice<'_, T::Message<'_>>, position: u64, sink: &mut Sink) -> Result<()> {
        let index = choice.index.0.unwrap_or(position);
        if index != 0 {
            if !std::mem::replace(&mut self.has_others, true) {
                let path = format!("choices[{index}]");
                sink.loss(Loss::new(Feature::Choices, path, "only the first answer is kept"));
            }
            return Ok(());
        }
        let (logprobs, finish) = (choice.logprobs.and_then(parsed), choice.finish_reason.take());
        self.teller.choice(choice, self.whole, sink)?;
        // Each chunk has the tokens of its own text: lists grow, the rest is as it was last said.
        for (key, value) in logprobs.as_ref().and_then(Value::as_object).into_iter().flatten() {
            match (self.logprobs.get_mut(key), value) {
                (Some(_), Value::Null) => {}
                (Some(Value::Array(all)), Value::Array(more)) => all.extend_from_slice(more),
                _ => drop(self.logprobs.insert(key.clone(), value.clone())),
            }
        }
        // Some servers write "" for "not yet", others at the very end: it counts while there is no better word.
        if let Some(word) = finish
            && (!word.is_empty() || !self.finished)
        {
            self.finished = !word.is_empty();
            sink.finish(Finish::from_raw(&word));
        }
        Ok(())
    }

    fn close(&mut self, sink: &mut Sink) {
        self.teller.close(sink);
        if self.logprobs.values().any(|list| !list.is_null()) {
            let logprobs = std::mem::take(&mut self.logprobs);
            sink.response_mut().meta.set(T::DIALECT, "logprobs", logprobs.into());
        }
    }
}

impl<T: Teller> Decoder for Reader<T> {
    fn frame(&mut self, frame: Frame<'_>, sink: &mut Sink) -> Result<()> {
        let data = frame.data.trim_ascii();
        if let Some((kind, text)) = self.shortcut.as_ref().and_then(|shortcut| shortcut.read(data))
            && frame.event.is_empty()
        {
            self.teller.string(kind, text, sink);
            return Ok(());
        }
        if data == b"[DONE]" {
            self.close(sink);
            sink.end();
            return Ok(());
        }
        match data {
            _ if frame.event == "error" => Err(error::event(data)),
            b"" => Ok(()),
            _ => self.read("a chunk of the answer", data, sink),
        }
    }

    /// Without `[DONE]` an answer is whole if it said why it finished: several servers leave the marker out.
    fn finish(&mut self, sink: &mut Sink) -> Result<()> {
        if !self.finished {
            return Err(truncated());
        }
        self.close(sink);
        Ok(())
    }
}

/// The choice of a chunk in which another of its kind would say nothing new but for a string.
fn only_choice<'c, 'a, M>(chunk: &'c Chunk<'a, M>) -> Option<&'c Choice<'a, M>> {
    match chunk.choices.as_ref()?.0.as_slice() {
        [choice] if choice.index.0.unwrap_or(0) == 0 && choice.logprobs.is_none() => Some(choice),
        _ => None,
    }
}

/// Takes the counters apart. `prompt_tokens` contains the cached and the other kinds of input; `completion_tokens`
/// contains the reasoning, unless the total shows that it stands beside it.
fn tell_usage(used: &Used<'_>, sink: &mut Sink) {
    let details = |details: &Lenient<Details>| details.0.as_deref().copied().unwrap_or_default();
    let (input, output) = (details(&used.prompt_tokens_details), details(&used.completion_tokens_details));
    let mut usage = Usage::default();
    let cached = [input.cached_tokens, used.prompt_cache_hit_tokens, used.cached_tokens, used.num_cached_tokens];
    usage.cache_read = cached.iter().find_map(|count| count.0);
    usage.cache_write = input.cache_write_tokens.0.or(used.cache_creation_input_tokens.0);
    (usage.audio_input, usage.image_input) = (input.audio_tokens.0, input.image_tokens.0);
    let (prompt, completion) = (used.prompt_tokens.0, used.completion_tokens.0);
    usage.input_from_total(prompt);

    usage.reasoning = output.reasoning_tokens.0.or(used.reasoning_tokens.0);
    (usage.audio_output, usage.image_output) = (output.audio_tokens.0, output.image_tokens.0);
    let sum = [prompt, completion, usage.reasoning].into_iter().try_fold(0, |sum: u64, n| sum.checked_add(n?));
    let beside = usage.reasoning.filter(|n| *n > 0 && sum.is_some() && sum == used.total_tokens.0);
    usage.output_from_total(completion.map(|n| n.saturating_add(beside.unwrap_or(0))));

    let searches = details(&used.server_tool_use_details).web_search_requests.0;
    for (tool, uses) in [("web_search_requests", searches), ("num_search_queries", used.num_search_queries.0)] {
        usage.tools.extend(uses.map(|uses| (tool.to_owned(), uses)));
    }
    if !usage.is_unknown() {
        sink.usage(usage);
    }
    // A number, or an object with the total (Perplexity).
    let total = |cost: &RawValue| Cost::reported(Fields::read(cost, false).ok()?.peek("total_cost")?.get());
    if let Some(cost) = used.cost.and_then(|cost| Cost::reported(cost.get()).or_else(|| total(cost))) {
        sink.response_mut().cost = Some(cost);
    }
}

/// What our answers call themselves: their type, that of a chunk, and the id of one that has none.
pub(crate) struct Names {
    pub(crate) dialect: &'static str,
    pub(crate) whole: &'static str,
    pub(crate) chunk: &'static str,
    pub(crate) id: &'static str,
}

impl Names {
    fn id_of<'i>(&self, id: &'i str) -> &'i str
    where
        'static: 'i,
    {
        if id.is_empty() { self.id } else { id }
    }

    /// A whole answer with one choice.
    pub(crate) fn respond(
        &self,
        response: &ChatResponse,
        choice: &Value,
        usage: Option<Value>,
        losses: Losses,
    ) -> Responded {
        let meta = response.meta.of(self.dialect);
        let mut out = Vec::new();
        let mut body = Object::new(&mut out);
        body.field("id", self.id_of(&response.id)).field("object", self.whole);
        body.field("created", meta.and_then(|meta| meta.get("created")).unwrap_or(&0.into()));
        body.field("model", &response.model).field("choices", &[choice]).some("usage", usage);
        body.meta(meta, &["id", "object", "created", "model", "choices", "usage", "logprobs"]);
        body.end();
        Responded { headers: HeaderMap::new(), body: out.into(), losses: losses.0 }
    }
}

/// What all chunks of a streamed answer of ours have in common.
#[derive(Debug, Default)]
pub(crate) struct Chunks {
    /// What every chunk begins with, up to the choices; empty before the first.
    head: Vec<u8>,
    wants_usage: bool,
    usage: Usage,
}

impl Chunks {
    pub(crate) fn new(request: &ChatRequest, dialect: &str) -> Self {
        let options = request.options.get(dialect, "stream_options");
        let wants_usage = options.is_some_and(|options| options["include_usage"] == true);
        Self { wants_usage, ..Self::default() }
    }

    /// Heeds who speaks and what was used. Returns whether the answer begins.
    pub(crate) fn heed(&mut self, event: &Event, names: &Names) -> bool {
        if let Event::Usage(usage) = event {
            self.usage.clone_from(usage);
        }
        let (id, model) = match event {
            Event::Start { id, model } => (id.as_str(), model.as_str()),
            _ if !self.head.is_empty() => return false,
            Event::Done(response) => (response.id.as_str(), response.model.as_str()),
            _ => ("", ""),
        };
        let (id, object, model) = (json!(names.id_of(id)), names.chunk, json!(model));
        let fields = format!(r#""id":{id},"object":"{object}","created":0,"model":{model}"#);
        self.head = format!("data: {{{fields},\"choices\":[").into_bytes();
        true
    }

    /// A chunk with one choice, which `write` writes.
    pub(crate) fn choice(&self, out: &mut Vec<u8>, write: impl FnOnce(&mut Object<'_>)) {
        self.chunk(out, |out| {
            let mut choice = Object::new(out);
            write(&mut choice);
            choice.end();
        });
    }

    /// A chunk with one choice, which is JSON text already.
    pub(crate) fn chunk(&self, out: &mut Vec<u8>, write: impl FnOnce(&mut Vec<u8>)) {
        out.extend_from_slice(&self.head);
        write(out);
        out.extend_from_slice(b"]}\n\n");
    }

    /// The counters as they are known at the end.
    pub(crate) fn used<'u>(&'u self, response: &'u ChatResponse) -> &'u Usage {
        if response.usage.is_unknown() { &self.usage } else { &response.usage }
    }

    /// The end, with the counters where they were asked for.
    pub(crate) fn end(&self, usage: Option<Value>, out: &mut Vec<u8>) {
        if let Some(usage) = usage.filter(|_| self.wants_usage) {
            out.extend_from_slice(&self.head);
            out.extend_from_slice(format!("],\"usage\":{usage}}}\n\n").as_bytes());
        }
        out.extend_from_slice(b"data: [DONE]\n\n");
    }
}

/// The error's own frame is the last: OpenAI's clients raise at it and read no further.
pub(crate) fn write_error(error: &Error, out: &mut Vec<u8>) {
    out.extend_from_slice(format!("data: {}\n\n", json!({ "error": error::shape(error) })).as_bytes());
}

/// The settings that Chat Completions and legacy Completions have in common.
pub(crate) fn read_settings(fields: &mut Fields<'_>, request: &mut ChatRequest) -> Result<(), Wrong> {
    let limit = fields.get("max_tokens")?;
    request.max_tokens = fields.get("max_completion_tokens")?.or(limit);
    request.temperature = fields.get("temperature")?;
    request.top_p = fields.get("top_p")?;
    request.top_k = fields.get("top_k")?;
    request.presence_penalty = fields.get("presence_penalty")?;
    request.frequency_penalty = fields.get("frequency_penalty")?;
    request.stop = match fields.take_if("stop", string_of) {
        Some(one) => vec![one],
        None => fields.get("stop")?.unwrap_or_default(),
    };
    let seed = fields.get("random_seed")?;
    request.seed = fields.get("seed")?.or(seed);
    request.user = fields.string("user")?;
    request.stream = fields.get("stream")?.unwrap_or_default();
    // One answer is what there is anyway.
    fields.take_if("n", |n| (n.get() == "1").then_some(()));
    Ok(())
}

/// Writes what [`read_settings`] reads, but for the user and whether there is to be a stream. `names`: the fields of the
/// limit and of the seed.
pub(crate) fn write_settings(
    to: &mut Object<'_>,
    request: &ChatRequest,
    names: [&str; 2],
    takes_top_k: bool,
    losses: &mut Losses,
) {
    to.some(names[0], request.max_tokens);
    to.some("temperature", request.temperature).some("top_p", request.top_p);
    to.some("top_k", request.top_k.filter(|_| takes_top_k));
    losses.absent([(request.top_k.is_some() && !takes_top_k, Feature::TopK, "top_k")]);
    to.some("presence_penalty", request.presence_penalty).some("frequency_penalty", request.frequency_penalty);
    to.some("stop", Some(&request.stop).filter(|stop| !stop.is_empty()));
    to.some(names[1], request.seed);
}

/// The options of a dialect. What a stream used is asked for always, so that it is known; the server side hands it on
/// where it was asked for.
pub(crate) fn options(request: &ChatRequest, dialect: &str, quirks: &Quirks) -> Map<String, Value> {
    let given = request.options.of(dialect);
    let mut options = Map::new();
    if request.stream && quirks.get("stream_options") != Some("false") {
        let wanted = given.and_then(|given| given.get("stream_options")).filter(|wanted| wanted.is_object());
        let mut wanted = wanted.cloned().unwrap_or_else(|| json!({}));
        wanted["include_usage"] = true.into();
        options.insert("stream_options".to_owned(), wanted);
    }
    let rest = given.into_iter().flatten().filter(|(field, _)| *field != "stream_options");
    options.extend(rest.map(|(field, value)| (field.clone(), value.clone())));
    options
}
