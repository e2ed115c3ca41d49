//! The counters, both ways.
//!
//! `promptTokenCount` contains what came from the cache, `candidatesTokenCount` leaves the thoughts out, and what the
//! provider's own tools fed back to the model (`toolUsePromptTokenCount`) is in neither: it is told among the uses of
//! tools, under its own name.

use sabir_core::chat::Usage;
use serde_json::{Map, Value, json};

use super::wire;
use crate::json::Object;
use crate::shared::Losses;

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
    prompt_media: Media,
    cached_media: Media,
    candidates_media: Media,
}

/// Sound and images.
type Media = [Option<u64>; 2];

fn update(media: &mut Media, details: &[wire::Detail<'_>]) {
    for detail in details {
        match &*detail.modality {
            "AUDIO" | "4" => media[0] = detail.count.0,
            "IMAGE" | "2" => media[1] = detail.count.0,
            _ => {}
        }
    }
}

/// Media without what is counted elsewhere; nothing where the two do not fit into the whole.
fn fresh(media: Media, elsewhere: Media, whole: Option<u64>) -> Media {
    let less = |at: usize| Some(media[at]?.saturating_sub(elsewhere[at].unwrap_or(0))).filter(|n| *n > 0);
    let left = [less(0), less(1)];
    let sum = left.iter().flatten().try_fold(0_u64, |sum, n| sum.checked_add(*n));
    let fits = sum.zip(whole).is_some_and(|(sum, whole)| sum <= whole);
    if fits { left } else { Media::default() }
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
        update(&mut self.prompt_media, &report.prompt_details.0);
        update(&mut self.cached_media, &report.cached_details.0);
        update(&mut self.candidates_media, &report.candidates_details.0);
        self.usage()
    }

    fn usage(&self) -> Usage {
        let mut usage = Usage::default();
        // A cache cannot hold more of a prompt than there is.
        usage.cache_read = self.cached.filter(|cached| self.prompt.is_none_or(|prompt| *cached <= prompt));
        let uncached = self.prompt.map(|prompt| prompt - usage.cache_read.unwrap_or(0));
        [usage.audio_input, usage.image_input] = fresh(self.prompt_media, self.cached_media, uncached);
        usage.input_from_total(self.prompt);
        [usage.audio_output, usage.image_output] = fresh(self.candidates_media, Media::default(), self.candidates);
        usage.output_from_total(self.candidates);
        usage.reasoning = self.thoughts;
        usage.tools.extend(self.tool_use.map(|tokens| (TOOL_USE.to_owned(), tokens)));
        usage
    }
}

/// Writes the counters, if anything is known, and what the provider said beside them.
pub(super) fn write(usage: &Usage, beside: Option<&Map<String, Value>>, to: &mut Object<'_>, losses: &mut Losses) {
    if usage.is_unknown() {
        return;
    }
    let usage = &*losses.summed(usage);
    let prompt = usage.input_total();
    let media = [usage.output, usage.audio_output, usage.image_output];
    let candidates = usage.output.and(media.into_iter().flatten().try_fold(0_u64, u64::checked_add));
    let tool_use = usage.tools.get(TOOL_USE).copied();
    let total = usage.total().and_then(|total| total.checked_add(tool_use.unwrap_or(0)));
    to.object("usageMetadata", |to| {
        to.some("promptTokenCount", prompt).some("cachedContentTokenCount", usage.cache_read);
        to.some("candidatesTokenCount", candidates).some("thoughtsTokenCount", usage.reasoning);
        to.some(TOOL_USE, tool_use).some("totalTokenCount", total);
        to.some("promptTokensDetails", details(prompt, usage.audio_input, usage.image_input));
        to.some("candidatesTokensDetails", details(candidates, usage.audio_output, usage.image_output));
        to.meta(beside, &[]);
    });
    let only_ours = usage.tools.len() == usize::from(tool_use.is_some());
    losses.usage(usage, &["cache_read", "reasoning", "audio", "image", if only_ours { "tools" } else { "" }]);
}

/// A count by modality; `None` where all of it is text.
fn details(whole: Option<u64>, audio: Option<u64>, image: Option<u64>) -> Option<Vec<Value>> {
    let text = whole?.saturating_sub(audio.unwrap_or(0)).saturating_sub(image.unwrap_or(0));
    let counts = [("TEXT", Some(text)), ("AUDIO", audio), ("IMAGE", image)].into_iter();
    let counts = counts.filter_map(|(modality, count)| Some(json!({"modality": modality, "tokenCount": count?})));
    (audio.is_some() || image.is_some()).then(|| counts.collect())
}
