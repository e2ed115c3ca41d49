//! `sabir rerank`: documents in order of how well they answer a query.

use std::path::PathBuf;
use std::process::ExitCode;

use sabir::RerankRequest;
use serde_json::json;

use crate::failure::{Failure, Outcome};
use crate::output::{notice, print, print_json};
use crate::table::table;
use crate::{config, embed, input, local};

/// Put documents in order of how well they answer a query.
#[derive(Debug, clap::Args)]
#[command(
    after_help = "Examples:\n  grep -h salt notes/* | sabir rerank -m cohere/rerank-v3.5 \"why is the sea salt?\" -n 5\n  \
    sabir rerank -m jina/jina-reranker-v3 \"why is the sea salt?\" --files 'notes/*.md'\n\n\
    Each line of standard input is a document, or each file. The score is in the model's own scale; higher is better."
)]
pub(crate) struct Args {
    /// What is searched for
    query: String,
    /// Who puts them in order: provider/model
    #[arg(short, long, value_name = "PROVIDER/MODEL")]
    model: String,
    /// Files, one document each, by name or pattern; without any, standard input has one a line
    #[arg(long, value_name = "GLOB", num_args = 1..)]
    files: Vec<String>,
    /// How many of the best are shown; all without it
    #[arg(short, long, value_name = "NUMBER", value_parser = clap::value_parser!(u32).range(1..))]
    n: Option<u32>,
    /// One JSON object a document
    #[arg(long)]
    json: bool,
}

pub(crate) async fn run(args: Args, file: Option<PathBuf>) -> Outcome {
    let (names, documents) = documents(&args.files)?;
    if documents.is_empty() {
        return Err(Failure::usage("nothing to put in order: name --files, or pipe one document a line in"));
    }
    let (client, model) = local::client(&config::load_to_spend(file)?, Some(args.model)).await?;
    let request = RerankRequest { model, query: args.query, documents, top_n: args.n, ..RerankRequest::default() };
    let documents = request.documents.clone();
    let response = client.rerank(request).await?;
    response.losses.iter().for_each(|loss| notice(&format!("note: {loss}")));
    let mut rows = Vec::new();
    // Not every provider holds to the number that was asked for.
    for ranked in response.ranking.iter().take(args.n.map_or(usize::MAX, |n| n as usize)) {
        // A place that no document has is the provider's fault, and there is nothing to show of it.
        let Some(document) = documents.get(ranked.index as usize) else { continue };
        let name = names.get(ranked.index as usize);
        if args.json {
            print_json(&json!({ "index": ranked.index, "score": ranked.score, "file": name, "document": document }))?;
        } else {
            rows.push(vec![format!("{:.4}", ranked.score), name.unwrap_or(document).clone()]);
        }
    }
    print(&table(&["", ""], &[true, false], &rows))?;
    Ok(ExitCode::SUCCESS)
}

/// The documents, and the files that they are of, where they are.
fn documents(patterns: &[String]) -> Result<(Vec<String>, Vec<String>), Failure> {
    if patterns.is_empty() {
        let piped = input::piped_text()?.unwrap_or_default();
        let lines = piped.lines().filter(|line| !line.trim().is_empty());
        return Ok((Vec::new(), lines.map(str::to_owned).collect()));
    }
    let (mut names, mut texts) = (Vec::new(), Vec::new());
    for path in embed::files(patterns)? {
        let name = path.display().to_string();
        let text = std::fs::read_to_string(&path)
            .map_err(|error| Failure::usage(format!("cannot read {name} as text: {error}")))?;
        names.push(name);
        texts.push(text);
    }
    Ok((names, texts))
}
