//! Which model is counted how: data, read from the top; the first row that fits holds.

use crate::ModelId;
use crate::calibrated::{self, Line};
use crate::image::ImageRule;
use crate::text::Measure;

/// How a model's tokens are counted.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Rule {
    /// The vocabulary, where it is public and framed by published rule.
    pub(crate) vocabulary: Vocabulary,
    /// What everything else is estimated by.
    pub(crate) line: &'static Line,
    /// What an image is.
    pub(crate) image: ImageRule,
}

/// What texts are counted with.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Vocabulary {
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
}

/// The words that a model's name must have one of, and how it is counted.
struct Row(&'static [&'static str], Vocabulary, &'static Line, ImageRule);

/// Vocabularies: `model.py` of OpenAI's tiktoken (`MODEL_PREFIX_TO_ENCODING`); everything else is calibrated on
/// recordings, by `scripts/calibrate-tokens`. Image rules: [`ImageRule`].
const ROWS: &[Row] = &[
    // The open-weight models of OpenAI's, whose prompt is framed by Harmony with a preamble of its own.
    Row(&["gpt-oss"], Vocabulary::O200kUnframed, &calibrated::GPT_OSS, ImageRule::None),
    // Frame nothing: the search comes first.
    Row(&["search-preview"], Vocabulary::O200kUnframed, &calibrated::GENERAL, ImageRule::TILES),
    Row(&["gpt-4o-mini"], Vocabulary::O200k, &calibrated::GPT, ImageRule::TILES_MINI),
    Row(&["gpt-4.1-mini"], Vocabulary::O200k, &calibrated::GPT, ImageRule::patches(162)),
    Row(&["gpt-4.1-nano"], Vocabulary::O200k, &calibrated::GPT, ImageRule::patches(246)),
    Row(&["gpt-4o", "chatgpt-4o", "gpt-4.1", "gpt-4.5"], Vocabulary::O200k, &calibrated::GPT, ImageRule::TILES),
    Row(&["gpt-3.5", "gpt-35", "gpt-4"], Vocabulary::Cl100k, &calibrated::GPT, ImageRule::TILES),
    Row(&["o4-mini"], Vocabulary::O200kUnframed, &calibrated::GPT_REASONING, ImageRule::patches(172)),
    Row(&["gpt-5-mini"], Vocabulary::O200kUnframed, &calibrated::GPT_REASONING, ImageRule::patches(162)),
    Row(&["gpt-5-nano"], Vocabulary::O200kUnframed, &calibrated::GPT_REASONING, ImageRule::patches(246)),
    Row(&["gpt-5", "gpt-6"], Vocabulary::O200kUnframed, &calibrated::GPT_REASONING, ImageRule::TILES_5),
    Row(&["o1", "o3"], Vocabulary::O200kUnframed, &calibrated::GPT_REASONING, ImageRule::TILES_O),
    Row(&["claude"], Vocabulary::Closed, &calibrated::CLAUDE, ImageRule::Area),
    Row(&["gemini", "gemma"], Vocabulary::Closed, &calibrated::GEMINI, ImageRule::Gemini),
    Row(&["nova", "titan"], Vocabulary::Closed, &calibrated::NOVA, ImageRule::Unknown),
    Row(&["command", "aya", "c4ai"], Vocabulary::Closed, &calibrated::COMMAND, ImageRule::Unknown),
    Row(
        &["mistral", "ministral", "magistral", "mixtral", "codestral", "devstral", "pixtral"],
        Vocabulary::Closed,
        &calibrated::MISTRAL,
        ImageRule::Unknown,
    ),
    Row(&["llama"], Vocabulary::Closed, &calibrated::LLAMA, ImageRule::Unknown),
    Row(&["qwen"], Vocabulary::Closed, &calibrated::QWEN, ImageRule::Unknown),
    Row(&["deepseek"], Vocabulary::Closed, &calibrated::DEEPSEEK, ImageRule::Unknown),
    Row(&["grok"], Vocabulary::Closed, &calibrated::GROK, ImageRule::Unknown),
];

/// Who serves OpenAI's models with OpenAI's framing, under OpenAI's names. Azure does not: there a name is a
/// deployment's, and one that is called `gpt-4` was recorded to count as another model does.
const OPENAI: &[&str] = &["openai", "chatgpt", "copilot", "github-models"];

impl Rule {
    /// What texts are measured with.
    pub(crate) fn measure(&self) -> Measure {
        match self.vocabulary {
            Vocabulary::Cl100k | Vocabulary::Cl100kUnframed => Measure::Cl100k,
            _ => Measure::O200k,
        }
    }
}

/// How a model is counted; by the general line where nothing is known of it.
pub(crate) fn rule(model: &ModelId) -> Rule {
    let name = model.model.to_ascii_lowercase();
    let row = ROWS.iter().find(|Row(words, ..)| words.iter().any(|word| has_word(&name, word)));
    let Some(&Row(_, vocabulary, line, image)) = row else {
        return Rule { vocabulary: Vocabulary::Closed, line: &calibrated::GENERAL, image: ImageRule::Unknown };
    };
    // Elsewhere the vocabulary is the same, but not the framing; and Responses frames some models otherwise.
    let is_at_home = OPENAI.contains(&model.provider.as_str()) && !model.responses;
    let vocabulary = match vocabulary {
        Vocabulary::O200k if !is_at_home => Vocabulary::O200kUnframed,
        Vocabulary::Cl100k if !is_at_home => Vocabulary::Cl100kUnframed,
        other => other,
    };
    Rule { vocabulary, line, image }
}

/// Whether a word stands in a name, and not in the middle of another word: `o1` is not in `foo1`.
fn has_word(name: &str, word: &str) -> bool {
    name.match_indices(word).any(|(at, _)| !name[..at].ends_with(|c: char| c.is_ascii_alphanumeric()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_find_their_rows() {
        let of = |provider: &str, model: &str| rule(&ModelId::new(provider, model));
        assert_eq!(of("openai", "gpt-4o-mini-2024-07-18").vocabulary, Vocabulary::O200k);
        assert_eq!(of("azure", "gpt-35-turbo").vocabulary, Vocabulary::Cl100kUnframed);
        assert_eq!(of("openai", "gpt-4-0613").vocabulary, Vocabulary::Cl100k);
        assert_eq!(of("openrouter", "openai/gpt-4o").vocabulary, Vocabulary::O200kUnframed);
        assert_eq!(rule(&ModelId::new("openai", "gpt-4o").responses()).vocabulary, Vocabulary::O200kUnframed);
        assert!(std::ptr::eq(of("bedrock", "us.anthropic.claude-sonnet-5").line, &raw const calibrated::CLAUDE));
        assert!(std::ptr::eq(of("custom", "foo1-large").line, &raw const calibrated::GENERAL));
    }
}
