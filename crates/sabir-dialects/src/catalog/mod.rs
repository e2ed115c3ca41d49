//! What is known of models, as data: `data/models` in the repository is the source, `cargo xtask generate` writes
//! `table.rs` from it.

mod names;
mod row;
mod table;
#[cfg(test)]
mod tests;

use sabir_core::ModelTraits;

use crate::providers;
use row::Row;

/// What is known of a provider's model. Nothing, where the provider or the model is not in the table.
///
/// Looked up by the very id, then by the id without what providers put behind it for one edition of the same model
/// (a date, `-latest`, `@default`, OpenRouter's `:free`, Bedrock's `-v1:0`) and, on Bedrock, without the region
/// before it; each fills what the one before left unknown. What a host says nothing of is filled in from the row of
/// the model's maker, but for what is the host's own (limits, and tools in Chat Completions): from OpenAI's for Azure,
/// from Anthropic's and Google's for Vertex, by the maker's name in the id for Bedrock and OpenRouter. One model's
/// row never stands for another model.
pub fn traits(provider: &str, model: &str) -> ModelTraits {
    let provider = match providers::find(provider).map_or(provider, |row| row.id) {
        "gemini" => "google",
        id => id,
    };
    let Some(rows) = rows(provider) else {
        return ModelTraits::default();
    };
    let known = of(rows, names::editions(provider, model));
    match names::maker(provider, model) {
        Some((maker, id)) => {
            let mut general =
                self::rows(maker).map_or_else(ModelTraits::default, |rows| of(rows, names::editions(maker, &id)));
            general.context_window = None;
            general.max_output = None;
            general.tools_with_reasoning = None;
            known.or(general)
        }
        None => known,
    }
}

/// Every model of which something is known, with its provider's id, in the order of both.
pub fn models() -> impl Iterator<Item = (&'static str, &'static str)> {
    table::TABLE.iter().flat_map(|(provider, rows)| {
        let provider = if *provider == "google" { "gemini" } else { provider };
        rows.iter().map(move |row| (provider, row.id))
    })
}

fn rows(provider: &str) -> Option<&'static [Row]> {
    let at = table::TABLE.binary_search_by_key(&provider, |(id, _)| *id).ok()?;
    Some(table::TABLE[at].1)
}

/// What the rows of these ids say, the first's word before the others'.
fn of<'m>(rows: &[Row], ids: impl Iterator<Item = &'m str>) -> ModelTraits {
    let found = ids.filter_map(|id| rows.binary_search_by_key(&id, |row| row.id).ok());
    found.fold(ModelTraits::default(), |known, at| known.or(rows[at].traits()))
}
