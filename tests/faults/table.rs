//! What must come of each fault. Written by hand: nothing here asks the code that is tested.

use sabir::{ErrorKind, Stage};

/// One line: what goes wrong, and
/// * `asked`: whether a `whole` answer, a `stream` or `both` were asked for;
/// * `alone`: how the call ends without layers (kind, stage, after how many seconds), within the time limits that the
///   HTTP transport has by itself. `+` behind the stage: the error carries what had arrived;
/// * `each try`: the same under the layer of time limits, `=` where nothing is different;
/// * `tries`: how many of them the layer that tries again makes;
/// * `wait`: how many seconds it waits before each further one; `-` leaves it to the backoff;
/// * `other`: whether another provider is asked in the end, and answers.
pub(crate) const TABLE: &str = "
fault                        | asked  | alone                        | each try                 | tries | wait | other
nothing                      | both   | answer 0                     | =                        | 1     | -    | no
refused connection           | both   | network not_sent 0           | =                        | 3     | -    | yes
reset before the head        | both   | network maybe_sent 0         | =                        | 3     | -    | yes
reset after the head         | both   | network answered 0           | =                        | 3     | -    | yes
reset in the middle          | whole  | network answered 0           | =                        | 3     | -    | yes
reset in the middle          | stream | network answered+ 0          | =                        | 1     | -    | no
end in the middle            | whole  | truncated answered 0         | =                        | 3     | -    | yes
end in the middle            | stream | truncated answered+ 0        | =                        | 1     | -    | no
empty body                   | both   | truncated answered 0         | =                        | 3     | -    | yes
error in the middle          | whole  | overloaded answered 0        | =                        | 3     | -    | yes
error in the middle          | stream | overloaded answered+ 0       | =                        | 1     | -    | no
400                          | both   | invalid_request answered 0   | =                        | 1     | -    | no
401                          | both   | authentication answered 0    | =                        | 1     | -    | yes
403                          | both   | permission answered 0        | =                        | 1     | -    | yes
404                          | both   | not_found answered 0         | =                        | 1     | -    | yes
408                          | both   | timeout answered 0           | =                        | 3     | -    | yes
413                          | both   | invalid_request answered 0   | =                        | 1     | -    | no
429                          | both   | rate_limit answered 0        | =                        | 3     | -    | yes
429 for 2 s                  | both   | rate_limit answered 0        | =                        | 3     | 2    | yes
429 for 2 min                | both   | rate_limit answered 0        | =                        | 1     | -    | yes
429 for money                | both   | quota answered 0             | =                        | 1     | -    | yes
500                          | both   | provider answered 0          | =                        | 3     | -    | yes
502 with a page              | both   | provider answered 0          | =                        | 3     | -    | yes
503                          | both   | overloaded answered 0        | =                        | 3     | -    | yes
529                          | both   | overloaded answered 0        | =                        | 3     | -    | yes
slow head                    | both   | answer 50                    | =                        | 1     | -    | no
too slow a head              | both   | timeout maybe_sent 60        | =                        | 3     | -    | yes
stalled after the head       | both   | timeout answered 120         | timeout maybe_sent 60    | 3     | -    | yes
stalled in the middle        | whole  | timeout answered 120         | timeout maybe_sent 60    | 3     | -    | yes
stalled in the middle        | stream | timeout answered+ 120        | =                        | 1     | -    | no
garbage first                | both   | decode answered 0            | =                        | 1     | -    | yes
garbage in the middle        | whole  | decode answered 0            | =                        | 1     | -    | yes
garbage in the middle        | stream | decode answered+ 0           | =                        | 1     | -    | no
page in place of the answer  | both   | decode answered 0            | =                        | 1     | -    | yes
wrong content type           | both   | answer 0                     | =                        | 1     | -    | no
";

/// Dialects that end otherwise: fault, asked, dialect, the rest of the line, and why.
pub(crate) const DEVIATIONS: &[(&str, &str, &str, &str, &str)] = &[
    ("wrong content type", "stream", "anthropic-messages", NO_PAGE, "what says that it is a page is read as one"),
    ("wrong content type", "stream", "bedrock-converse", NO_PAGE, "what says that it is a page is read as one"),
    ("wrong content type", "stream", "cohere-v2-chat", NO_PAGE, "what says that it is a page is read as one"),
];

const NO_PAGE: &str = "decode answered 0 | = | 1 | - | yes";

/// One line of the table.
#[derive(Clone, Debug)]
pub(crate) struct Row {
    pub(crate) fault: &'static str,
    pub(crate) stream: bool,
    pub(crate) alone: End,
    pub(crate) each: End,
    pub(crate) tries: u64,
    pub(crate) wait: Option<u64>,
    pub(crate) other: bool,
}

/// How a call ends.
#[derive(Clone, Copy, Debug)]
pub(crate) struct End {
    /// The error; `None` for an answer.
    pub(crate) error: Option<Failed>,
    pub(crate) seconds: u64,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Failed {
    pub(crate) kind: ErrorKind,
    pub(crate) stage: Stage,
    pub(crate) partial: bool,
}

/// The table, a row for each way of asking.
pub(crate) fn rows() -> Vec<Row> {
    let lines = TABLE.lines().filter(|line| !line.is_empty()).skip(1);
    lines
        .flat_map(|line| {
            let (fault, rest) = line.split_once('|').expect("a fault");
            let (asked, rest) = rest.split_once('|').expect("how it is asked");
            let ways: &[bool] = match asked.trim() {
                "whole" => &[false],
                "stream" => &[true],
                "both" => &[false, true],
                other => panic!("{other}: whole, stream or both"),
            };
            ways.iter().map(|stream| row(fault.trim(), *stream, rest)).collect::<Vec<_>>()
        })
        .collect()
}

/// The row for a dialect.
pub(crate) fn of_dialect(row_of_all: &Row, dialect: &str) -> Row {
    let asked = if row_of_all.stream { "stream" } else { "whole" };
    let found = DEVIATIONS.iter().find(|(fault, of, name, ..)| {
        *fault == row_of_all.fault && (*of == "both" || *of == asked) && *name == dialect
    });
    found.map_or_else(|| row_of_all.clone(), |(fault, _, _, rest, _)| row(fault, row_of_all.stream, rest))
}

fn row(fault: &'static str, stream: bool, rest: &str) -> Row {
    let columns: Vec<&str> = rest.split('|').map(str::trim).collect();
    let [alone, each, tries, wait, other] = columns[..] else { panic!("{fault}: {rest}") };
    let alone = end(alone);
    Row {
        fault,
        stream,
        alone,
        each: if each == "=" { alone } else { end(each) },
        tries: tries.parse().expect("a number of tries"),
        wait: (wait != "-").then(|| wait.parse().expect("seconds")),
        other: other == "yes",
    }
}

fn end(text: &str) -> End {
    let words: Vec<&str> = text.split(' ').collect();
    let (error, seconds) = match words[..] {
        ["answer", seconds] => (None, seconds),
        [kind, stage, seconds] => (Some(failed(kind, stage)), seconds),
        _ => panic!("{text}: kind, stage and seconds, or answer and seconds"),
    };
    End { error, seconds: seconds.parse().expect("seconds") }
}

fn failed(kind: &str, stage: &str) -> Failed {
    use ErrorKind as K;
    let kinds = [
        K::Authentication,
        K::Permission,
        K::RateLimit,
        K::Quota,
        K::Timeout,
        K::InvalidRequest,
        K::NotFound,
        K::Overloaded,
        K::Provider,
        K::Network,
        K::Decode,
        K::Truncated,
    ];
    let kind = kinds.into_iter().find(|known| known.as_str() == kind).unwrap_or_else(|| panic!("{kind} is no kind"));
    let partial = stage.ends_with('+');
    let stage = match stage.trim_end_matches('+') {
        "not_sent" => Stage::NotSent,
        "maybe_sent" => Stage::MaybeSent,
        "answered" => Stage::Answered,
        other => panic!("{other} is no stage"),
    };
    Failed { kind, stage, partial }
}
