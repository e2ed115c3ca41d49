//! Which model is counted how: data, read from the top; the first row that fits holds.

use crate::ModelId;
use crate::calibrated::{self, Line};
use crate::image::ImageRule;
use crate::text::Measure;

/// How a model's tokens are counted.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Rule {
    /// The vocabulary, and whether requests are framed by published rule.
    pub(crate) vocabulary: Merges,
    /// What everything else is estimated by.
    pub(crate) line: &'static Line,
    /// What an image is.
    pub(crate) image: ImageRule,
}

/// What texts are counted with.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Merges {
    /// `o200k_base`, the request framed as the cookbook says.
    O200k,
    /// `cl100k_base`, framed so, too.
    Cl100k,
    /// `o200k_base`; the conversation is framed in a way that is not published.
    O200kUnframed,
    /// `cl100k_base`, the same.
    Cl100kUnframed,
    /// Not public.
    Closed,
    /// One that the caller gave, by its number; the conversation is framed by a template that is not read.
    Own(usize),
}

/// The words that a model's name must have one of, and how it is counted.
struct Row(&'static [&'static str], Merges, &'static Line, ImageRule);

/// Vocabularies: `model.py` of OpenAI's tiktoken (`MODEL_PREFIX_TO_ENCODING`); everything else is calibrated on
/// recordings, by `scripts/calibrate-tokens`. Image rules: [`ImageRule`].
const ROWS: &[Row] = &[
    // The open-weight models of OpenAI's, whose prompt is framed by Harmony with a preamble of its own.
    Row(&["gpt-oss"], Merges::O200kUnframed, &calibrated::GPT_OSS, ImageRule::None),
    // Frame nothing: the search comes first.
    Row(&["search-preview"], Merges::O200kUnframed, &calibrated::GENERAL, ImageRule::TILES),
    Row(&["gpt-4o-mini"], Merges::O200k, &calibrated::GPT, ImageRule::TILES_MINI),
    Row(&["gpt-4.1-mini"], Merges::O200k, &calibrated::GPT, ImageRule::patches(162)),
    Row(&["gpt-4.1-nano"], Merges::O200k, &calibrated::GPT, ImageRule::patches(246)),
    Row(&["gpt-4o", "chatgpt-4o", "gpt-4.1", "gpt-4.5"], Merges::O200k, &calibrated::GPT, ImageRule::TILES),
    Row(&["gpt-3.5", "gpt-35", "gpt-4"], Merges::Cl100k, &calibrated::GPT, ImageRule::TILES),
    Row(&["o4-mini"], Merges::O200kUnframed, &calibrated::GPT_REASONING, ImageRule::patches(172)),
    Row(&["gpt-5-mini"], Merges::O200kUnframed, &calibrated::GPT_REASONING, ImageRule::patches(162)),
    Row(&["gpt-5-nano"], Merges::O200kUnframed, &calibrated::GPT_REASONING, ImageRule::patches(246)),
    Row(
        &["gpt-5.4", "gpt-5.5", "gpt-5.6", "gpt-5.7", "gpt-5.8", "gpt-5.9", "gpt-6"],
        Merges::O200kUnframed,
        &calibrated::GPT_REASONING,
        ImageRule::PATCHES_FINE,
    ),
    Row(&["gpt-5"], Merges::O200kUnframed, &calibrated::GPT_REASONING, ImageRule::TILES_5),
    Row(&["o1", "o3"], Merges::O200kUnframed, &calibrated::GPT_REASONING, ImageRule::TILES_O),
    Row(
        &[
            "claude-opus-4-7", "claude-opus-4.7", "claude-opus-4-8", "claude-opus-4.8", "claude-opus-5",
            "claude-sonnet-5", "claude-haiku-5", "claude-fable", "claude-mythos",
        ],
        Merges::Closed,
        &calibrated::CLAUDE,
        ImageRule::VISUAL_FINE,
    ),
    Row(&["claude"], Merges::Closed, &calibrated::CLAUDE, ImageRule::VISUAL),
    Row(&["gemini-3", "gemini-4"], Merges::Closed, &calibrated::GEMINI, ImageRule::Gemini3),
    Row(&["gemini", "gemma"], Merges::Closed, &calibrated::GEMINI, ImageRule::Gemini),
    Row(&["nova", "titan"], Merges::Closed, &calibrated::NOVA, ImageRule::Unknown),
    Row(&["command", "aya", "c4ai"], Merges::Closed, &calibrated::COMMAND, ImageRule::Unknown),
    Row(
        &["mistral", "ministral", "magistral", "mixtral", "codestral", "devstral", "pixtral"],
        Merges::Closed,
        &calibrated::MISTRAL,
        ImageRule::Unknown,
    ),
    Row(&["llama"], Merges::Closed, &calibrated::LLAMA, ImageRule::Unknown),
    Row(&["qwen"], Merges::Closed, &calibrated::QWEN, ImageRule::Unknown),
    Row(&["deepseek"], Merges::Closed, &calibrated::DEEPSEEK, ImageRule::Unknown),
    Row(&["grok"], Merges::Closed, &calibrated::GROK, ImageRule::Unknown),
];

/// Models that are several, and search while they answer: what they read is mostly not what was asked.
const AGENTS: &[&str] = &["compound", "deep-research"];

/// Whether a model reads more than it is asked.
pub(crate) fn is_agent(model: &ModelId) -> bool {
    let name = model.model.to_ascii_lowercase();
    AGENTS.iter().any(|word| has_word(&name, word))
}

/// Who serves OpenAI's models with OpenAI's framing, under OpenAI's names. Azure does not: there a name is a
/// deployment's, and one that is called `gpt-4` was recorded to count as another model does.
const OPENAI: &[&str] = &["openai", "chatgpt", "copilot", "github-models"];

impl Rule {
    /// What texts are measured with.
    pub(crate) fn measure(&self) -> Measure {
        match self.vocabulary {
            Merges::Cl100k | Merges::Cl100kUnframed => Measure::Cl100k,
            Merges::Own(number) => Measure::Own(number),
            _ => Measure::O200k,
        }
    }
}

/// How a model is counted; by the general line where nothing is known of it.
pub(crate) fn rule(model: &ModelId) -> Rule {
    let name = model.model.to_ascii_lowercase();
    let row = ROWS.iter().find(|Row(words, ..)| words.iter().any(|word| has_word(&name, word)));
    let Some(&Row(_, vocabulary, line, image)) = row else {
        return Rule { vocabulary: Merges::Closed, line: &calibrated::GENERAL, image: ImageRule::Unknown };
    };
    // Elsewhere the vocabulary is the same, but not the framing; and Responses frames some models otherwise.
    let is_at_home = OPENAI.contains(&model.provider.as_str()) && !model.responses;
    let vocabulary = match vocabulary {
        Merges::O200k if !is_at_home => Merges::O200kUnframed,
        Merges::Cl100k if !is_at_home => Merges::Cl100kUnframed,
        other => other,
    };
    Rule { vocabulary, line, image }
}

/// How a model is counted whose vocabulary the caller gave: what is known of its images stays.
pub(crate) fn own(model: &ModelId, number: usize) -> Rule {
    Rule { vocabulary: Merges::Own(number), line: &TEMPLATE, ..rule(model) }
}

/// What a chat template puts around a text of the vocabulary that it belongs to: a judgement, from the templates of
/// Llama 3 (5 tokens a message, 4 that begin the answer, some 30 of dates), Qwen (5, 3, some 20 of a prompt of its own),
/// Mistral (1 to 4 a message), Gemma (5, 3). Tools are JSON in a template's words, calls and results JSON in its tags.
static TEMPLATE: Line = Line {
    low: [0, 1_000, 1_000, 20_000, 0, 500, 0, 0, 0, 2_000],
    mid: [8_000, 5_000, 1_000, 150_000, 10_000, 1_000, 0, 0, 0, 12_000],
    high: [64_000, 10_000, 1_000, 500_000, 50_000, 2_500, 40_000, 1_100, 20_000, 40_000],
};

/// Whether a word stands in a name, and not in the middle of another word: `o1` is not in `foo1`.
pub(crate) fn has_word(name: &str, word: &str) -> bool {
    name.match_indices(word).any(|(at, _)| !name[..at].ends_with(|c: char| c.is_ascii_alphanumeric()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_find_their_rows() {
        let of = |provider: &str, model: &str| rule(&ModelId::new(provider, model));
        assert_eq!(of("openai", "gpt-4o-mini-2024-07-18").vocabulary, Merges::O200k);
        assert_eq!(of("azure", "gpt-35-turbo").vocabulary, Merges::Cl100kUnframed);
        assert_eq!(of("openai", "gpt-4-0613").vocabulary, Merges::Cl100k);
        assert_eq!(of("openrouter", "openai/gpt-4o").vocabulary, Merges::O200kUnframed);
        assert_eq!(rule(&ModelId::new("openai", "gpt-4o").responses()).vocabulary, Merges::O200kUnframed);
        assert!(std::ptr::eq(of("bedrock", "us.anthropic.claude-sonnet-5").line, &raw const calibrated::CLAUDE));
        assert!(std::ptr::eq(of("custom", "foo1-large").line, &raw const calibrated::GENERAL));
    }
}
