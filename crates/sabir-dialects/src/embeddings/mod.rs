//! The formats in which vectors are asked for and given: OpenAI's, Cohere's, Gemini's, Ollama's.

mod cohere;
mod gemini;
mod ollama;
mod openai;
mod vector;

use sabir_core::chat::{Media, Meta, Source};
use sabir_core::embed::{EmbedInput, EmbedRequest, EmbedResponse};
use sabir_core::exchange::Embedding;
use sabir_core::{Error, Feature, Loss, Result};

use super::exchange::{foreign, unsupported};

pub use cohere::CohereEmbed;
pub use gemini::GeminiEmbed;
pub use ollama::OllamaEmbed;
pub use openai::OpenAiEmbeddings;

/// The formats for vectors, in the order in which they are documented.
pub fn all() -> &'static [&'static Embedding] {
    &[&OpenAiEmbeddings, &CohereEmbed, &GeminiEmbed, &OllamaEmbed]
}

/// The losses of a request to a format that knows no end users: theirs, and other formats' options.
fn losses(request: &EmbedRequest, own: &str) -> Vec<Loss> {
    let mut losses = foreign(&request.options, own);
    if request.user.is_some() {
        losses.push(Loss::new(Feature::User, "user", "not in this format"));
    }
    losses
}

/// The loss of a purpose.
fn purpose_loss(note: &str) -> Loss {
    Loss::new(Feature::EmbedPurpose, "purpose", note)
}

/// The texts of a request to a format that takes nothing else.
fn texts<'a>(inputs: &'a [EmbedInput], format: &str) -> Result<Vec<&'a str>> {
    let text = |(at, input): (usize, &'a EmbedInput)| match input {
        EmbedInput::Text(text) => Ok(text.as_str()),
        other => Err(cannot_embed(at, other, format)),
    };
    inputs.iter().enumerate().map(text).collect()
}

/// The error of an input that a format cannot carry: left out, it would be missed among the vectors.
fn cannot_embed(at: usize, input: &EmbedInput, format: &str) -> Error {
    let what = match input {
        EmbedInput::Text(_) => "texts",
        EmbedInput::Tokens(_) => "tokens",
        EmbedInput::Image(_) => "images",
        _ => "such inputs",
    };
    unsupported(format!("inputs[{at}]: {format} embeds no {what} like this"))
}

/// An image as the URL that a format wants.
fn image_url(at: usize, media: &Media, format: &str) -> Result<String> {
    let by_id = || unsupported(format!("inputs[{at}]: {format} knows no files by their ids"));
    match (&media.source, media.mime.as_deref()) {
        (Source::Bytes(_), None) => {
            Err(unsupported(format!("inputs[{at}]: {format} has to know what kind of image it is")))
        }
        _ => media.to_url().ok_or_else(by_id),
    }
}

/// An answer with these vectors.
fn answer(vectors: Vec<Vec<f32>>) -> EmbedResponse {
    let mut response = EmbedResponse::default();
    response.vectors = vectors;
    response
}

/// The name of the model in an answer of ours: what answered, else what was asked.
fn model<'a>(response: &'a EmbedResponse, request: &'a EmbedRequest) -> &'a str {
    match &*response.model {
        "" => &request.model,
        model => model,
    }
}

/// A word among the options of a request.
fn word<'a>(options: &'a Meta, format: &str, name: &str) -> Option<&'a str> {
    options.get(format, name)?.as_str()
}

#[cfg(test)]
mod tests;
