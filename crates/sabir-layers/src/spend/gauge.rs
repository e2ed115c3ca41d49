use sabir_core::chat::{Content, Event, Fold};
use sabir_tokens::{Meter, ModelId};

/// How far a stream is of what was reserved for it.
///
/// Most streams never need a count: every token is at least a byte of text, so that as long as the bytes are fewer than
/// the tokens reserved for, all is well. Only beyond that what has arrived is counted.
pub(super) struct Gauge {
    model: ModelId,
    /// Tokens that are reserved for.
    reserved: u64,
    /// Whether the provider itself ends the answer there: then an estimate must be far off before the stream is cut.
    pub(super) is_bound: bool,
    /// Bytes that have arrived.
    bytes: u64,
    /// Tokens that were written at the least or most, as far as they were counted, and the bytes at which they were: by
    /// the provider or here.
    counted: (u64, u64),
    /// What was counted, and what came since.
    meter: Option<(Meter, String)>,
}

/// No text of a language has as many bytes a token as this.
const LONG: u64 = 32;

/// A stream is topped up, or cut, so many tokens before its end: an event may bring several.
const MARGIN: u64 = 64;

impl Gauge {
    pub(super) fn new(model: ModelId, reserved: u64, is_bound: bool) -> Self {
        Self { model, reserved, is_bound, bytes: 0, counted: (0, 0), meter: None }
    }

    /// More is reserved.
    pub(super) fn add(&mut self, tokens: u64) {
        self.reserved = self.reserved.saturating_add(tokens);
    }

    /// Takes an event in, which `fold` has already; `true` where what has arrived reaches what was reserved.
    pub(super) fn pass(&mut self, event: &Event, fold: &Fold) -> bool {
        let text = match event {
            Event::Text(text) | Event::Reasoning(text) => text.as_str(),
            Event::ToolArguments { fragment, .. } => fragment,
            Event::ToolStart { name, .. } => name,
            Event::Part(_) | Event::ToolEnd { .. } => "",
            Event::Usage(usage) => {
                // One that is behind what was written is none.
                if let Some(told) = usage.output_total().filter(|told| *told >= self.counted.0 / 2) {
                    self.counted = (told, self.bytes);
                }
                return self.counted.0 > self.limit();
            }
            _ => return false,
        };
        self.bytes = self.bytes.saturating_add(text.len() as u64);
        if let Some((_, since)) = &mut self.meter {
            since.push_str(text);
        }
        self.worst() > self.limit() && {
            self.count(fold);
            self.counted.0 > self.limit()
        }
    }

    /// What may be written, without a count of what came since the last one.
    fn worst(&self) -> u64 {
        let since = self.bytes - self.counted.1;
        self.counted.0.saturating_add(if self.is_bound { since / LONG } else { since })
    }

    /// Counts what came since the last time. The next one is not before as many bytes have come as tokens are left.
    fn count(&mut self, fold: &Fold) {
        let (meter, since) = self.meter.get_or_insert_with(|| (counting(&self.model, fold), String::new()));
        meter.push(since);
        since.clear();
        let count = meter.count();
        let tokens = if self.is_bound { count.low } else { count.high.min(self.bytes) };
        self.counted = (tokens, self.bytes);
    }

    fn limit(&self) -> u64 {
        if self.is_bound { self.reserved } else { self.reserved.saturating_sub(MARGIN.min(self.reserved / 4)) }
    }
}

/// A meter that has seen all that was told.
fn counting(model: &ModelId, fold: &Fold) -> Meter {
    let mut meter = Meter::new(model);
    for part in &fold.response().parts {
        match &part.content {
            Content::Text { text } => meter.push(text),
            Content::Reasoning(thought) => meter.push(&thought.text),
            Content::ToolCall(call) => {
                meter.push(&call.name);
                meter.push(&call.arguments);
            }
            _ => {}
        }
    }
    meter
}

#[cfg(test)]
mod tests {
    use sabir_core::chat::Usage;

    use super::*;

    fn model() -> ModelId {
        ModelId::new("openai", "gpt-4o")
    }

    /// How many words of this many pass before it is full.
    fn words(mut gauge: Gauge) -> usize {
        let mut fold = Fold::default();
        let mut is_full = |_: &usize| {
            let event = Event::Text(" word".into());
            fold.apply(&event);
            gauge.pass(&event, &fold)
        };
        (0..10_000).position(|n| is_full(&n)).unwrap_or(10_000)
    }

    #[test]
    fn one_that_is_only_assumed_ends_before_it_is_passed() {
        let passed = words(Gauge::new(model(), 1_000, false));
        // By an estimate at worst half as many; by the vocabulary all but the margin.
        assert!((350..=960).contains(&passed), "{passed}");
        let more = {
            let mut gauge = Gauge::new(model(), 1_000, false);
            gauge.add(1_000);
            words(gauge)
        };
        assert!(more > passed + 350, "{more}");
    }

    #[test]
    fn one_that_the_provider_bounds_is_not_cut_by_a_guess() {
        let passed = words(Gauge::new(model(), 1_000, true));
        assert!(passed >= 1_000, "{passed}");
        assert!(passed < 10_000, "and yet it ends where the provider does not keep to it");
    }

    #[test]
    fn what_the_provider_counts_holds() {
        let mut usage = Usage::default();
        usage.output = Some(900);
        let told = |usage: &Usage| Event::Usage(Box::new(usage.clone()));
        let (mut gauge, mut fold) = (Gauge::new(model(), 1_000, false), Fold::default());
        let long = Event::Text("x".repeat(900));
        fold.apply(&long);
        assert!(!gauge.pass(&long, &fold), "bytes are more than tokens");
        assert!(!gauge.pass(&told(&usage), &fold));
        usage.output = Some(950);
        assert!(gauge.pass(&told(&usage), &fold), "within the margin");
        assert!(!gauge.pass(&Event::Start { id: String::new(), model: String::new() }, &fold));
    }
}
