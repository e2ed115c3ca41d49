//! An item's result as a line, and all of them in the order of the input.

use std::fs::File;
use std::io::{BufWriter, Write as _};
use std::path::Path;

use sabir::{ChatResponse, Error};
use serde_json::value::{RawValue, to_raw_value};
use serde_json::{Value, json};

use super::beside;
use super::journal::{Done, Journal};
use crate::failure::Failure;
use crate::output;

/// What an item was answered, as it is kept.
pub(super) fn of(item: usize, id: &str, answered: &Result<ChatResponse, Error>) -> Result<Done, serde_json::Error> {
    let response = answered.as_ref().ok();
    let (mut answer, mut error) = (Value::Null, Value::Null);
    match answered {
        Ok(response) => answer = output::answer(response),
        Err(why) => error = output::error(why)["error"].take(),
    }
    // Both stand beside the response, for whoever adds them up.
    let mut lifted = |name: &str| answer.as_object_mut().and_then(|fields| fields.remove(name)).unwrap_or_default();
    let (usage, cost) = (lifted("usage"), lifted("cost"));
    let line = json!({ "id": id, "response": answer, "error": error, "usage": usage, "cost": cost });
    let used = response.map(|response| &response.usage);
    Ok(Done {
        item,
        ok: response.is_some(),
        input: used.and_then(sabir::chat::Usage::input_total).unwrap_or(0),
        output: used.and_then(sabir::chat::Usage::output_total).unwrap_or(0),
        nano_usd: response.and_then(|response| response.cost).map(|cost| cost.nano_usd),
        result: to_raw_value(&line)?,
    })
}

/// Writes all results, in order; the file is there whole or as it was.
pub(super) fn write(path: &Path, journal: &Journal, items: usize) -> Result<(), Failure> {
    let failed = |error: std::io::Error| Failure::io(&format!("cannot write {}", path.display()), &error);
    let growing = beside(path, ".part");
    let mut file = BufWriter::new(File::create(&growing).map_err(failed)?);
    for item in 0..items {
        let result: Option<Box<RawValue>> = journal.result(item).map_err(failed)?;
        let Some(result) = result else { continue };
        file.write_all(result.get().as_bytes()).and_then(|()| file.write_all(b"\n")).map_err(failed)?;
    }
    let file = file.into_inner().map_err(|error| failed(error.into_error()))?;
    file.sync_data().and_then(|()| std::fs::rename(&growing, path)).map_err(failed)
}
