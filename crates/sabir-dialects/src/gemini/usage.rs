//! The counters, both ways.
//!
//! `promptTokenCount` contains what came from the cache, `candidatesTokenCount` leaves the thoughts out, and what the
//! provider's own tools fed back to the model (`toolUsePromptTokenCount`) is in neither: it is told among the uses of
//! tools, under its own name.

use sabir_core::chat::Usage;
use sabir_core::{Feature, Loss};
use serde_json::{Map, Value, json};

use super::wire;

/// The name under which tokens of tool results are counted in [`Usage::tools`].
const TOOL_USE: &str = "toolUsePromptTokenCount";

/// The provider's counters as last told. Reports are cumulative, and each may leave out what has not changed.
#[derive(Debug, Default)]
pub(super) struct Counters {
    prompt: Option<u64>,
    cached: Option<u64>,
    candidates: Option<u64>,
    thoughts: Option<u64>,
    tool_use: Option<u64>,
    /// Sound and images among the prompt, its cached part, and the candidates.
    prompt_media: Media,
    cached_media: Media,
    candidates_media: Media,
}

#[derive(Clone, Copy, Debug, Default)]
struct Media {
    audio: Option<u64>,
    image: Option<u64>,
}

impl Media {
    fn update(&mut self, details: &[wire::Detail<'_>]) {
        for detail in details {
            match &*detail.modality {
                "AUDIO" | "4" => self.audio = detail.count.0,
                "IMAGE" | "2" => self.image = detail.count.0,
                _ => {}
            }
        }
    }

    /// Without what is counted elsewhere; nothing where the two do not fit into `whole`.
    fn without(self, other: Self, whole: Option<u64>) -> Self {
        let less =
            |mine: Option<u64>, theirs: Option<u64>| Some(mine?.saturating_sub(theirs.unwrap_or(0))).filter(|n| *n > 0);
        let left = Self { audio: less(self.audio, other.audio), image: less(self.image, other.image) };
        let sum = left.audio.unwrap_or(0).checked_add(left.image.unwrap_or(0));
        match (sum, whole) {
            (Some(sum), Some(whole)) if sum <= whole => left,
            _ => Self::default(),
        }
    }
}

impl Counters {
    /// Takes over a report, and tells what is used by now.
    pub(super) fn update(&mut self, report: &wire::Usage<'_>) -> Usage {
        self.prompt = report.prompt.0.or(self.prompt);
        self.cached = report.cached.0.or(self.cached);
        self.tool_use = report.tool_use.0.or(self.tool_use);
        let known = [report.prompt.0, report.candidates.0, report.thoughts.0, report.tool_use.0];
        let sum = known.iter().flatten().try_fold(0_u64, |sum, n| sum.checked_add(*n));
        // What a whole report leaves out is the rest of its total: zeros are not written.
        let rest = report.total.0.zip(sum).and_then(|(total, sum)| total.checked_sub(sum));
        let rest = rest.filter(|rest| report.prompt.0.is_some() && (report.thoughts.0.is_some() || *rest == 0));
        self.candidates = report.candidates.0.or(rest).or(self.candidates);
        let no_thoughts = rest == Some(0) && self.thoughts.is_some();
        self.thoughts = report.thoughts.0.or(if no_thoughts { Some(0) } else { self.thoughts });
        self.prompt_media.update(&report.prompt_details.0);
        self.cached_media.update(&report.cached_details.0);
        self.candidates_media.update(&report.candidates_details.0);
        self.usage()
    }

    fn usage(&self) -> Usage {
        let mut usage = Usage::default();
        // A cache cannot hold more of a prompt than there is.
        usage.cache_read = self.cached.filter(|cached| self.prompt.is_none_or(|prompt| *cached <= prompt));
        let fresh = self.prompt.map(|prompt| prompt - usage.cache_read.unwrap_or(0));
        let media = self.prompt_media.without(self.cached_media, fresh);
        (usage.audio_input, usage.image_input) = (media.audio, media.image);
        usage.input_from_total(self.prompt);
        let media = self.candidates_media.without(Media::default(), self.candidates);
        (usage.audio_output, usage.image_output) = (media.audio, media.image);
        usage.output_from_total(self.candidates);
        usage.reasoning = self.thoughts;
        if let Some(tokens) = self.tool_use {
            usage.tools.insert(TOOL_USE.to_owned(), tokens);
        }
        usage
    }
}

/// The counters as this dialect writes them; `None` where nothing is known.
pub(super) fn metadata(usage: &Usage, losses: &mut Vec<Loss>) -> Option<Map<String, Value>> {
    let mut fields = Map::new();
    let mut put = |name: &str, count: Option<u64>| {
        fields.extend(count.map(|count| (name.to_owned(), count.into())));
    };
    let prompt = usage.input_total();
    let media = [usage.output, usage.audio_output, usage.image_output];
    let candidates = usage.output.and(media.into_iter().flatten().try_fold(0_u64, u64::checked_add));
    let tool_use = usage.tools.get(TOOL_USE).copied();
    put("promptTokenCount", prompt);
    put("cachedContentTokenCount", usage.cache_read);
    put("candidatesTokenCount", candidates);
    put("thoughtsTokenCount", usage.reasoning);
    put(TOOL_USE, tool_use);
    let total = usage.total().and_then(|total| total.checked_add(tool_use.unwrap_or(0)));
    put("totalTokenCount", total);
    let details = [
        ("promptTokensDetails", prompt, usage.audio_input, usage.image_input),
        ("candidatesTokensDetails", candidates, usage.audio_output, usage.image_output),
    ];
    for (name, whole, audio, image) in details {
        if let Some(whole) = whole.filter(|_| audio.is_some() || image.is_some()) {
            let text = whole.saturating_sub(audio.unwrap_or(0)).saturating_sub(image.unwrap_or(0));
            let counts = [("TEXT", Some(text)), ("AUDIO", audio), ("IMAGE", image)];
            let counts = counts
                .into_iter()
                .filter_map(|(modality, count)| count.map(|count| json!({"modality": modality, "tokenCount": count})));
            fields.insert(name.to_owned(), counts.collect());
        }
    }
    let written = [("cache_write", usage.cache_write), ("cache_write_1h", usage.cache_write_1h)];
    for (name, count) in written {
        if count.is_some() {
            losses.push(Loss::new(Feature::Usage, format!("usage.{name}"), "counted as plain input here"));
        }
    }
    for name in usage.tools.keys().filter(|name| *name != TOOL_USE) {
        losses.push(Loss::new(Feature::Usage, format!("usage.tools.{name}"), "not counted in this dialect"));
    }
    (!fields.is_empty()).then_some(fields)
}
