//! The list of prices as text, which is read where it is asked.
//!
//! Lines are sorted by their bytes and end with `\n`. The first is `#` and the version; `=` and a provider's id begins
//! the provider's models. A model's line is its id and then, with tabs between, its prices:
//!
//! ```text
//! #2026-11-21
//! =anthropic
//! claude-haiku-5-5⇥in=0.1 out=0.5 read=0.01⇥>100000 in=0.5 out=2.5⇥batch in=0.05 out=0.25
//! ```
//!
//! The first prices are the standard ones. Those after it begin with what they are for: `>` and a number of tokens,
//! `batch`, `flex`, `priority`, or `off_peak@` and windows with `;` between. [`Price`] says how a price is written,
//! [`Window`] how a window.

use std::borrow::Cow;
use std::ops::Range;

use sabir_core::{Error, ErrorKind};

use crate::Price;
use crate::model::{ModelPrices, OffPeak, Rates, Tier, Window};

/// More than this is no list of prices.
const MOST: usize = 16 << 20;

/// A list of prices.
#[derive(Debug)]
pub(crate) struct Table {
    text: Cow<'static, str>,
    version: Range<usize>,
    /// A provider's id and its models' lines, sorted.
    providers: Vec<(Range<usize>, Range<usize>)>,
}

impl Table {
    /// Finds the providers in a list; only where it is checked are its models read.
    pub(crate) fn new(text: Cow<'static, str>) -> Result<Self, Error> {
        let wrong = |what: &str| Error::new(ErrorKind::InvalidRequest, format!("the list of prices {what}"));
        if text.len() > MOST {
            return Err(wrong("is longer than 16 MiB"));
        }
        let end = text.find('\n').filter(|_| text.starts_with('#') && text.ends_with('\n'));
        let end =
            end.ok_or_else(|| wrong("does not begin with # and its version, or does not end with its last line"))?;
        let mut starts: Vec<usize> = text.match_indices("\n=").map(|(at, _)| at + 2).collect();
        starts.push(text.len() + 1);
        let mut providers: Vec<(Range<usize>, Range<usize>)> = Vec::new();
        for pair in starts.windows(2) {
            let line_end = text[pair[0]..].find('\n').map_or(text.len(), |length| pair[0] + length);
            let (name, models) = (pair[0]..line_end, (line_end + 1).min(text.len())..pair[1] - 1);
            if providers.last().is_some_and(|(last, _)| text[last.clone()] >= text[name.clone()]) {
                return Err(wrong(&format!("has the provider {} out of order", &text[name])));
            }
            providers.push((name, models));
        }
        Ok(Self { version: 1..end, providers, text })
    }

    /// Reads every line, as a list from elsewhere has to be before it is trusted.
    pub(crate) fn check(&self) -> Result<(), Error> {
        for (provider, models) in self.rows() {
            let mut last = "";
            for line in models.lines() {
                let (id, prices) = line.split_once('\t').unwrap_or((line, ""));
                if id <= last || read(prices).is_none() {
                    let message = format!(
                        "the list of prices has a line of {provider} that is out of order or not to be read: {line:?}"
                    );
                    return Err(Error::new(ErrorKind::InvalidRequest, message));
                }
                last = id;
            }
        }
        Ok(())
    }

    /// The version: a date.
    pub(crate) fn version(&self) -> &str {
        &self.text[self.version.clone()]
    }

    /// Each provider's id and lines.
    pub(crate) fn rows(&self) -> impl Iterator<Item = (&str, &str)> {
        self.providers.iter().map(|(name, models)| (&self.text[name.clone()], &self.text[models.clone()]))
    }

    /// The prices of a provider's model of this very id.
    pub(crate) fn find(&self, provider: &str, model: &str) -> Option<ModelPrices> {
        let at = self.providers.binary_search_by(|(name, _)| self.text[name.clone()].cmp(provider)).ok()?;
        read(line(&self.text[self.providers[at].1.clone()], model)?)
    }
}

/// The rest of the line that begins with this id, in sorted lines.
fn line<'t>(mut lines: &'t str, id: &str) -> Option<&'t str> {
    while !lines.is_empty() {
        let middle = lines.len() / 2;
        let start = lines.as_bytes()[..middle].iter().rposition(|b| *b == b'\n').map_or(0, |at| at + 1);
        let end = lines.as_bytes()[middle..].iter().position(|b| *b == b'\n').map_or(lines.len(), |at| middle + at);
        let (found, prices) = lines[start..end].split_once('\t')?;
        match id.cmp(found) {
            std::cmp::Ordering::Equal => return Some(prices),
            std::cmp::Ordering::Less => lines = &lines[..start],
            std::cmp::Ordering::Greater => lines = lines.get(end + 1..)?,
        }
    }
    None
}

/// Reads a model's prices; `None` where they are not written as they have to be.
fn read(text: &str) -> Option<ModelPrices> {
    let mut sections = text.split('\t');
    let mut prices = ModelPrices { standard: rates(sections.next()?)?, ..ModelPrices::default() };
    for section in sections {
        let (name, words) = section.split_once(' ')?;
        let rates = rates(words)?;
        match name {
            "batch" => prices.batch = Some(rates),
            "flex" => prices.flex = Some(rates),
            "priority" => prices.priority = Some(rates),
            _ => {
                if let Some(above) = name.strip_prefix('>') {
                    prices.tiers.push(Tier { above: above.parse().ok()?, rates });
                } else {
                    let windows =
                        name.strip_prefix("off_peak@")?.split(';').map(Window::read).collect::<Option<_>>()?;
                    prices.off_peak = Some(OffPeak { windows, rates });
                }
            }
        }
    }
    Some(prices)
}

fn rates(words: &str) -> Option<Rates> {
    let mut rates = Rates::default();
    for word in words.split(' ') {
        let (name, price) = word.rsplit_once('=')?;
        rates.set(name, Price::read(price)?)?;
    }
    Some(rates)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_row_of_the_built_in_list_is_found() {
        let table = crate::built_in();
        table.check().expect("a good list");
        let mut count = 0;
        for (provider, models) in table.rows() {
            for row in models.lines() {
                let (id, prices) = row.split_once('\t').expect("prices");
                let found = table.find(provider, id).expect(id);
                assert_eq!(Some(&found), read(prices).as_ref(), "{provider}/{id}");
                assert!(found.tiers.is_sorted_by_key(|tier| tier.above), "{provider}/{id}");
                assert_ne!(found, ModelPrices::default(), "{provider}/{id}: a row that says nothing");
                count += 1;
            }
        }
        assert!(count > 2_000, "{count} rows");
        assert!(table.text.len() < 200 * 1024, "{} bytes", table.text.len());
        assert!(table.find("anthropic", "claude").is_none() && table.find("nobody", "gpt-4o").is_none());
    }

    #[test]
    fn what_is_no_list_is_refused() {
        let of = |text: &str| Table::new(text.to_owned().into()).and_then(|table| table.check());
        of("#v\n").expect("an empty list");
        of("#v\n=a\n=b\nm\tin=1\nn\tin=1\t>5 in=2\n").expect("a good list");
        for text in [
            "",
            "v\n",
            "#v",
            "#v\n=b\n=a\n",
            "#v\n=a\n=a\n",
            "#v\n=a\nm\n",
            "#v\n=a\nn\tin=1\nm\tin=1\n",
            "#v\n=a\nm\tin=1\nm\tin=1\n",
            "#v\n=a\nm\tinn=1\n",
            "#v\n=a\nm\tin=-1\n",
            "#v\n=a\nm\tin=1\t>x in=2\n",
            "#v\n=a\nm\tin=1\toff_peak@8:0000-0100 in=2\n",
            "#v\n=a\nm\tin=1\tcheap in=2\n",
            "#v\n=a\nm\tin=1\n\n",
            "#v\n=a\nm\tin=1",
        ] {
            assert!(of(text).is_err(), "{text:?}");
        }
    }
}
