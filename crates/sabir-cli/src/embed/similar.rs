//! `sabir similar`: the texts of a collection that are nearest to another.

use std::path::PathBuf;
use std::process::ExitCode;

use sabir::embed::{EmbedPurpose, EmbedRequest};
use serde_json::json;

use super::collection::{Collection, other_length};
use crate::failure::{Failure, Outcome};
use crate::output::{print, print_json};
use crate::table::table;
use crate::{config, input};

/// Find the texts of a collection that are nearest to another, by the angle between their vectors.
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:\n  sabir similar --in notes.db -c notes \"why is the sea salt?\"\n  \
    sabir similar --in faq.db -c faq -n 1 --json < question.txt\n\n\
    The score is the cosine: 1 for the same direction, 0 for nothing in common. The text is embedded by the collection's own \
    model.")]
pub(crate) struct Args {
    /// What to look for; without it, standard input
    text: Vec<String>,
    /// The SQLite file that `sabir embed --to` made
    #[arg(long = "in", value_name = "FILE.db")]
    file: PathBuf,
    /// The collection
    #[arg(short, long, value_name = "NAME")]
    collection: String,
    /// How many are shown
    #[arg(short, long, value_name = "NUMBER", default_value_t = 10, value_parser = clap::value_parser!(u16).range(1..))]
    n: u16,
    /// Who makes the vector: must be the collection's own model, which it is without this
    #[arg(short, long, value_name = "PROVIDER/MODEL")]
    model: Option<String>,
    /// Length of the vector, where the collection was made with one
    #[arg(long, value_name = "NUMBER")]
    dimensions: Option<u32>,
    /// One JSON object a text
    #[arg(long)]
    json: bool,
}

/// A text that was found.
struct Near {
    score: f64,
    id: String,
    text: Option<String>,
}

pub(crate) async fn run(args: Args, file: Option<PathBuf>) -> Outcome {
    let mut text = args.text.join(" ");
    if text.is_empty() {
        text = input::piped_text()?.unwrap_or_default();
    }
    if text.trim().is_empty() {
        return Err(Failure::usage("nothing to look for: give a text, or pipe one in"));
    }
    let collection = Collection::existing(&args.file, &args.collection)?;
    let known = collection.model().unwrap_or_default().to_owned();
    if let Some(model) = args.model.as_ref().filter(|model| **model != known) {
        return Err(super::other_model(&known, model));
    }
    let (client, model) = super::client(&config::load_to_spend(file)?, Some(known)).await?;
    let mut request = EmbedRequest { model, dimensions: args.dimensions, ..EmbedRequest::from(text) };
    // Where the model makes no difference between texts and what is searched for, nothing is lost.
    request.purpose = purpose(&client, &request.model);
    let vector = super::vectors(&client, request).await?.pop().unwrap_or_default();
    if vector.len() != collection.dimensions() {
        return Err(other_length(collection.dimensions(), vector.len()));
    }
    let found = nearest(&collection, &vector, usize::from(args.n))?;
    if args.json {
        for near in found {
            print_json(&json!({ "id": near.id, "score": near.score, "text": near.text }))?;
        }
        return Ok(ExitCode::SUCCESS);
    }
    let row = |near: Near| {
        let first = near.text.as_deref().and_then(|text| text.lines().find(|line| !line.trim().is_empty()));
        let shown = first.map_or_else(String::new, |line| line.chars().take(LINE).collect());
        vec![format!("{:.4}", near.score), near.id, shown]
    };
    let rows: Vec<Vec<String>> = found.into_iter().map(row).collect();
    print(&table(&["", "", ""], &[true, false, false], &rows))?;
    Ok(ExitCode::SUCCESS)
}

/// How much of a text is shown, in characters.
const LINE: usize = 80;

/// That the vector is of what is searched for, where the provider's format can say so.
fn purpose(client: &sabir::Client, model: &str) -> Option<EmbedPurpose> {
    let (provider, _) = client.resolve(model).ok()?;
    let row = sabir::dialects::providers::find(&provider)?;
    (!row.embed.starts_with("openai")).then_some(EmbedPurpose::Query)
}

/// The nearest, best first; of equals the first by name.
fn nearest(collection: &Collection, to: &[f32], most: usize) -> Result<Vec<Near>, Failure> {
    let mut best: Vec<Near> = Vec::with_capacity(most + 1);
    collection.each(|id, bytes, text| {
        let score = cosine(to, bytes);
        let at = best.partition_point(|near| near.score >= score);
        if at < most {
            best.insert(at, Near { score, id: id.to_owned(), text: text.map(str::to_owned) });
            best.truncate(most);
        }
    })?;
    Ok(best)
}

/// The cosine of the angle between two vectors of one length; 0 where one is nothing, or is of another length.
fn cosine(a: &[f32], bytes: &[u8]) -> f64 {
    if bytes.len() != size_of_val(a) {
        return 0.0;
    }
    let numbers = bytes.chunks_exact(4).map(|four| f32::from_le_bytes([four[0], four[1], four[2], four[3]]));
    let (mut dot, mut square_a, mut square_b) = (0.0, 0.0, 0.0);
    for (a, b) in a.iter().zip(numbers) {
        let (a, b) = (f64::from(*a), f64::from(b));
        dot += a * b;
        square_a += a * a;
        square_b += b * b;
    }
    let length: f64 = f64::sqrt(square_a * square_b);
    // A vector may hold anything that a provider sends, also what is no number.
    if length > 0.0 && dot.is_finite() { dot / length } else { 0.0 }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn bytes(vector: &[f32]) -> Vec<u8> {
        vector.iter().flat_map(|number| number.to_le_bytes()).collect()
    }

    #[test]
    fn cosines_are_of_directions_and_never_no_number() {
        assert!((cosine(&[1.0, 2.0], &bytes(&[2.0, 4.0])) - 1.0).abs() < 1e-12);
        assert!((cosine(&[1.0, 0.0], &bytes(&[-3.0, 0.0])) + 1.0).abs() < 1e-12);
        for (a, b) in [(&[0.0, 0.0], &[1.0, 1.0][..]), (&[1.0, 1.0], &[1.0]), (&[1.0, 1.0], &[f32::NAN, f32::INFINITY])]
        {
            assert_eq!(cosine(a, &bytes(b)).to_bits(), 0.0_f64.to_bits());
        }
    }
}
