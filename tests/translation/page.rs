//! `docs/translation.md`, made of what was counted.

use std::fmt::Write as _;
use std::path::Path;

use sabir::{Endpoint, Feature};

use crate::abilities;
use crate::corpus::Pairs;

const HEAD: &str = "\
# Translation

What becomes of a conversation that goes from one dialect into another. The test `translation` makes this page from the
[recordings](../tests/recordings/README.md) and fails where it is not true any more:
`SABIR_BLESS=1 cargo test -p sabir-tests --test translation` writes it anew.

Every recorded request that a service took, and every recorded answer, is understood in its own dialect, written in the
other and understood again. Answers go both ways, whole and event by event, and the two have to say the same. A change
that is in no list of losses fails the test; what is known to be so is in
[DEVIATIONS.txt](../tests/translation/DEVIATIONS.txt) with the reason. Requests that are made up go the same way, and
through every two dialects. What a few of the translations look like, byte by byte, is in
[goldens](../tests/goldens).

Not compared, because it is the way of writing and not what is said: whether texts of one speaker that stand side by
side come in one part or in two, and the white space where they meet; ids of calls, as long as each result finds its
call; the order of fields. `max_tokens` is added for Anthropic, which wants one, and `stream_options` for OpenAI's
streams, which tell their usage only when asked.

Each cell: came through whole, **+** came through with every change in the list of losses, **×** cannot be said there
(a typed error before anything is sent).
";

/// Compares the page with what was counted. With `SABIR_BLESS` in the environment it is written instead.
pub(crate) fn check(requests: &Pairs, answers: &Pairs) {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../docs/translation.md");
    let mut page = HEAD.to_owned();
    table(&mut page, "Requests", requests);
    table(&mut page, "Answers", answers);
    features(&mut page);
    if std::env::var_os("SABIR_BLESS").is_some() {
        std::fs::write(&path, &page).expect("the page can be written");
        return;
    }
    let committed = std::fs::read_to_string(&path).unwrap_or_default();
    assert!(
        committed == page,
        "docs/translation.md says something else; write it anew with \
         `SABIR_BLESS=1 cargo test -p sabir-tests --test translation`"
    );
}

fn names() -> Vec<&'static str> {
    sabir::dialects::dialects().iter().map(|dialect| dialect.name()).collect()
}

fn head(page: &mut String, first: &str) {
    let names = names();
    let _ = writeln!(page, "| {first} | {} |\n|---|{}", names.join(" | "), "---|".repeat(names.len()));
}

fn table(page: &mut String, what: &str, pairs: &Pairs) {
    let _ = writeln!(page, "\n## {what}\n");
    head(page, "from \\ to");
    for from in names() {
        let cells = names().into_iter().map(|to| {
            let Some(pair) = pairs.get(&(from, to)) else { return "–".to_owned() };
            let mut cell = pair.whole.to_string();
            for (sign, count) in [(" + ", pair.listed), (" × ", pair.refused), (" ? ", pair.unlisted.len())] {
                if count > 0 {
                    let _ = write!(cell, "{sign}{count}");
                }
            }
            cell
        });
        let _ = writeln!(page, "| {from} | {} |", cells.collect::<Vec<_>>().join(" | "));
    }
    let unlisted: usize = pairs.values().map(|pair| pair.unlisted.len()).sum();
    let all: usize = pairs.values().map(|pair| pair.whole + pair.listed + pair.refused).sum::<usize>() + unlisted;
    let _ = writeln!(page, "\n{all} translations, {unlisted} with a change that no loss tells of (**?**).");
}

fn features(page: &mut String) {
    page.push_str(
        "\n## What each dialect carries\n\nOf a request, without a loss, as its own vendor speaks it: each feature alone, \
         tried by the test. Providers with quirks and models that refuse things carry less: \
         `Client::abilities(model)` tells.\n\n",
    );
    head(page, "feature");
    let endpoint = Endpoint { base_url: "http://there".into(), ..Endpoint::default() };
    for feature in Feature::ALL {
        let mut dialects = sabir::dialects::dialects().iter();
        let Some(carried) =
            dialects.by_ref().map(|d| abilities::carries(*d, &endpoint, feature)).collect::<Option<Vec<_>>>()
        else {
            continue;
        };
        let signs: Vec<_> = carried.into_iter().map(|is_carried| if is_carried { "yes" } else { "" }).collect();
        let _ = writeln!(page, "| {feature} | {} |", signs.join(" | "));
    }
}
