//! What the command asks and keeps.

use std::collections::BTreeMap;
use std::num::NonZeroU64;
use std::path::PathBuf;

use crate::field::section;

section! {
    /// What is kept of what was asked with the command.
    LogsConfig {
        /// Whether questions and answers are kept.
        enabled: bool = "true";
        /// The file in which they are kept; `sabir/logs.db` in the folder for data unless said.
        path: Option<PathBuf>, also "file";
    }

    /// Something that is asked again and again. In `system` and `prompt` each `{{name}}` stands for a parameter, and
    /// `{{input}}` for what is asked and piped in.
    TemplateConfig {
        /// Instructions for the model.
        system: Option<String>;
        /// The question. What is asked and piped in follows it where it has no `{{input}}`.
        prompt: Option<String>;
        /// Values of parameters that need not be given.
        defaults: BTreeMap<String, String>;
        /// Who is asked, unless the call says otherwise.
        model: Option<String>;
        /// What the answer has to look like: a short form like `name, age int`, a JSON Schema or the file of one.
        schema: Option<String>;
        /// The most that the model may write, in tokens.
        max_tokens: Option<NonZeroU64>;
        /// Randomness.
        temperature: Option<f64>;
        /// Nucleus sampling, from 0 to 1.
        top_p: Option<f64>;
        /// A seed, for models that have one.
        seed: Option<u64>;
        /// Texts at which the model stops.
        stop: Vec<String>;
        /// How much to think: a word like `low` or `high`, or a number of tokens.
        effort: Option<String>;
        /// What the model's dialect alone has, as it is sent.
        options: BTreeMap<String, String>;
    }
}
