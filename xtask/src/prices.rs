//! What is made from `data/prices`: the list of prices that `sabir-prices` reads.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use crate::repo::Repo;

/// What public lists say.
pub(crate) const LIST: &str = "data/prices/prices.tsv";
/// What is known better.
const CORRECTIONS: &str = "data/prices/corrections.tsv";
/// Where the date of the lists stands.
const README: &str = "data/prices/README.md";
/// Where the code reads them.
pub(crate) const TABLE: &str = "crates/sabir-prices/src/prices.txt";

const NAMES: [&str; 10] =
    ["in", "out", "read", "write", "write1h", "think", "audio_in", "audio_out", "image_in", "image_out"];

/// The prices of models, by provider and id.
type Models<'a> = BTreeMap<(&'a str, &'a str), &'a str>;

/// The text of the list.
pub(crate) fn table(repo: &Repo) -> Result<String, String> {
    let text = |path: &str| repo.file(path).map(|file| file.text.as_str()).ok_or_else(|| format!("{path} is missing"));
    let mut models = Models::new();
    for path in [LIST, CORRECTIONS] {
        read(text(path)?, &mut models).map_err(|error| format!("{path}{error}"))?;
    }
    let said = text(README)?.split_once("compiled, on ").and_then(|(_, rest)| rest.split_once(','));
    let (date, _) = said.ok_or_else(|| format!("{README} has to say when the lists were compiled"))?;
    Ok(written(date, &models))
}

/// Reads rows over those that are there.
fn read<'a>(text: &'a str, models: &mut Models<'a>) -> Result<(), String> {
    for (at, line) in text.lines().enumerate().filter(|(_, line)| !line.starts_with('#')) {
        let wrong = |what: &str| format!(":{}: {what}", at + 1);
        let row = line.split_once('\t').and_then(|(provider, rest)| Some((provider, rest.split_once('\t')?)));
        let Some((provider, (id, prices))) = row else {
            return Err(wrong("a row is a provider, an id and prices, with a tab between"));
        };
        if provider.is_empty() || id.is_empty() || id.starts_with(['=', '#']) || line.contains("  ") {
            return Err(wrong("an id is not empty and does not begin with = or #, and no two spaces are together"));
        }
        for (at, section) in prices.split('\t').enumerate() {
            let words = if at == 0 { Some(("", section)) } else { section.split_once(' ') };
            let (when, words) = words.ok_or_else(|| wrong(&format!("{section:?} has no prices")))?;
            let is_known = matches!(when, "" | "batch" | "flex" | "priority") || when.starts_with(['>', 'o']);
            if !is_known {
                return Err(wrong(&format!("there are no prices {when:?}")));
            }
            if let Some(word) = words.split(' ').find(|word| !is_price(word)) {
                return Err(wrong(&format!("{word:?} is no price")));
            }
        }
        models.insert((provider, id), prices);
    }
    Ok(())
}

/// Whether it is `name=1.25`.
fn is_price(word: &str) -> bool {
    word.rsplit_once('=').is_some_and(|(name, price)| {
        let is_name = NAMES.contains(&name) || name.starts_with("tool.");
        is_name && !price.is_empty() && price.bytes().all(|byte| byte.is_ascii_digit() || byte == b'.')
    })
}

fn written(date: &str, models: &Models<'_>) -> String {
    let mut text = format!("#{date}\n");
    let mut last = "";
    for ((provider, id), prices) in models {
        if last != *provider {
            let _ = writeln!(text, "={provider}");
            last = provider;
        }
        let _ = writeln!(text, "{id}\t{prices}");
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rows_are_read_strictly_and_written_by_provider() {
        let good = "b\tm\tin=1 out=2.5\t>200000 in=2\na\tm\tin=1\nb\tl\tout=3\n";
        let mut models = Models::new();
        read(good, &mut models).expect("good rows");
        read("# why\nb\tm\tin=7\n", &mut models).expect("a correction");
        assert_eq!(written("today", &models), "#today\n=a\nm\tin=1\n=b\nl\tout=3\nm\tin=7\n");
        for (bad, why) in [
            ("b m in=1", "a tab between"),
            ("b\t=m\tin=1", "does not begin"),
            ("b\tm\tin=-1", "no price"),
            ("b\tm\tinn=1", "no price"),
            ("b\tm\tin=1\tcheap in=1", "no prices \"cheap\""),
            ("b\tm\tin=1\tbatch", "has no prices"),
        ] {
            let error = read(bad, &mut Models::new()).expect_err("a bad row");
            assert!(error.starts_with(":1: ") && error.contains(why), "{error}");
        }
    }
}
