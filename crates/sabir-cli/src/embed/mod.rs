//! `sabir embed`: texts as vectors, written out or kept; and `sabir similar`, which finds them again.

mod collection;
mod similar;
mod texts;

use std::path::PathBuf;
use std::process::ExitCode;

use sabir::Client;
use sabir::embed::{EmbedPurpose, EmbedRequest};
use serde_json::json;

use self::collection::Collection;
pub(crate) use self::similar::{Args as SimilarArgs, run as run_similar};
pub(crate) use self::texts::files;
use self::texts::{Source, Text};
use crate::failure::{Failure, Outcome};
use crate::output::{notice, print, print_json};
use crate::table::grouped;
use crate::{config, local};

/// The most bytes of text that are asked for at once, unless one text alone has more.
const BATCH_BYTES: usize = 256 << 10;

/// Turn texts into vectors: to standard output, or into a collection in an SQLite file.
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:\n  sabir embed -m openai/text-embedding-3-small \"the sea\" \"the salt\"\n  \
    sabir embed -m voyage/voyage-3.5 --to notes.db -c notes --store --files 'notes/**/*.md'\n  \
    cut -f2 faq.tsv | sabir embed -m sim/vectors --to faq.db -c faq\n\n\
    A text without a name has its content's hash for one, a file its path. What a collection has already, by content, is not \
    asked for again.")]
pub(crate) struct Args {
    #[command(flatten)]
    source: Source,
    /// Who makes the vectors: provider/model; a collection that is there has its own
    #[arg(short, long, value_name = "PROVIDER/MODEL")]
    model: Option<String>,
    /// Keep them in this SQLite file
    #[arg(long, value_name = "FILE.db", requires = "collection")]
    to: Option<PathBuf>,
    /// The collection that they are kept in
    #[arg(short, long, value_name = "NAME", requires = "to")]
    collection: Option<String>,
    /// Keep, or write, the text too
    #[arg(long)]
    store: bool,
    /// Length of the vectors, where the model can shorten them
    #[arg(long, value_name = "NUMBER")]
    dimensions: Option<u32>,
    /// What they are for: document, query, classification, clustering, similarity
    #[arg(long, value_name = "PURPOSE")]
    purpose: Option<String>,
    /// How many texts are asked for at once
    #[arg(long, value_name = "TEXTS", default_value_t = 64, value_parser = clap::value_parser!(u16).range(1..=2_048))]
    batch: u16,
    /// With --to: write what was done as one JSON object. Vectors are JSON lines in any case
    #[arg(long)]
    json: bool,
}

pub(crate) async fn run(args: Args, file: Option<PathBuf>) -> Outcome {
    let texts = args.source.texts()?;
    let config = config::load_to_spend(file)?;
    let mut kept = match (&args.to, &args.collection) {
        (Some(path), Some(name)) => Some(Collection::open(path, name)?),
        _ => None,
    };
    let known = kept.as_ref().and_then(|collection| collection.model().map(str::to_owned));
    let (client, model) = client(&config, args.model.clone().or_else(|| known.clone())).await?;
    if let Some(known) = known.filter(|known| *known != model) {
        return Err(other_model(&known, &model));
    }
    let Some(collection) = &mut kept else {
        return written(&client, &model, &texts, &args).await.map(|()| ExitCode::SUCCESS);
    };
    let new = collection.missing(&texts, args.store)?;
    let mut done = 0;
    for batch in batches(&new, usize::from(args.batch)) {
        let vectors = vectors(&client, args.request(&model, batch)).await?;
        collection.add(&model, batch, vectors, args.store)?;
        done += batch.len();
    }
    let (old, all) = (texts.len() - done, collection.len()?);
    if args.json {
        let name = &args.collection;
        print_json(&json!({ "collection": name, "model": model, "embedded": done, "known": old, "texts": all }))?;
    } else {
        let [done, old, all] = [done as u64, old as u64, all].map(grouped);
        notice(&format!("{done} embedded, {old} known already; the collection has {all}"));
    }
    Ok(ExitCode::SUCCESS)
}

impl Args {
    fn request(&self, model: &str, texts: &[&Text]) -> EmbedRequest {
        let mut request: EmbedRequest = texts.iter().map(|text| text.content.as_str()).collect();
        model.clone_into(&mut request.model);
        request.dimensions = self.dimensions;
        request.purpose = self.purpose.as_deref().map(EmbedPurpose::from);
        request
    }
}

/// A client, and who makes vectors for it: no provider has a model that is meant where none is named.
async fn client(config: &sabir::config::Config, model: Option<String>) -> Result<(Client, String), Failure> {
    let named = model.filter(|model| model.contains('/') || config.aliases.contains_key(model));
    let Some(model) = named else {
        return Err(Failure::usage(
            "which model makes the vectors? Name it with -m, like openai/text-embedding-3-small",
        ));
    };
    Ok(local::client(config, Some(model)).await?)
}

fn other_model(known: &str, asked: &str) -> Failure {
    Failure::usage(format!(
        "the collection's vectors are of {known}, and those of {asked} cannot be compared with them; leave -m out, or \
        name another collection"
    ))
}

/// One JSON object a text, as its batch comes.
async fn written(client: &Client, model: &str, texts: &[Text], args: &Args) -> Result<(), Failure> {
    let all: Vec<&Text> = texts.iter().collect();
    for batch in batches(&all, usize::from(args.batch)) {
        let vectors = vectors(client, args.request(model, batch)).await?;
        for (text, vector) in batch.iter().zip(vectors) {
            let mut line = json!({ "id": text.id, "vector": vector });
            if args.store {
                line["text"] = text.content.as_str().into();
            }
            print(&format!("{line}\n"))?;
        }
    }
    Ok(())
}

/// As many vectors as were asked for, all of one length.
async fn vectors(client: &Client, request: EmbedRequest) -> Result<Vec<Vec<f32>>, Failure> {
    let asked = request.inputs.len();
    let response = client.embed(request).await?;
    response.losses.iter().for_each(|loss| notice(&format!("note: {loss}")));
    let length = response.vectors.first().map_or(0, Vec::len);
    if response.vectors.len() != asked || length == 0 || response.vectors.iter().any(|vector| vector.len() != length) {
        let got = response.vectors.len();
        return Err(Failure::nothing(format!("{asked} vectors of one length were asked for and {got} came")));
    }
    Ok(response.vectors)
}

/// Texts in groups of at most so many, and of a bounded size.
fn batches<'t>(texts: &'t [&'t Text], most: usize) -> impl Iterator<Item = &'t [&'t Text]> {
    let mut left = texts;
    std::iter::from_fn(move || {
        let mut bytes = 0;
        let fits = left.iter().take(most).take_while(|text| {
            bytes += text.content.len();
            bytes <= BATCH_BYTES
        });
        // One that is too long goes alone.
        let count = fits.count().max(1).min(left.len());
        let (batch, rest) = left.split_at(count);
        left = rest;
        (!batch.is_empty()).then_some(batch)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn batches_have_a_bounded_size_and_lose_nothing() {
        let text = |bytes: usize| Text::new(None, "x".repeat(bytes));
        let texts: Vec<Text> = [1, BATCH_BYTES, 1, 1, 1, BATCH_BYTES * 2, 1].map(text).into();
        let all: Vec<&Text> = texts.iter().collect();
        let sizes: Vec<usize> = batches(&all, 2).map(<[_]>::len).collect();
        assert_eq!(sizes, [1, 1, 2, 1, 1, 1]);
        assert_eq!(batches(&[], 2).count(), 0);
    }
}
