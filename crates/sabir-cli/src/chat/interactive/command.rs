//! What is told to the mode itself: a word behind a slash, and what it is to work on.

use sabir::dialects::providers::nearest;

/// A command, parsed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Command {
    Help,
    /// Asks another model; without a name, says which one is asked.
    Model(Option<String>),
    /// Instructions from now on; `-` for none.
    System(Option<String>),
    Role(Option<String>),
    Attach(String),
    New,
    /// Goes on with a conversation; without an id, with the last one.
    Continue(Option<String>),
    Id,
    Usage,
    Save(String),
    Retry,
    Undo,
    Tools,
    Quit,
}

/// What a command works on, for completion.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Takes {
    Nothing,
    Model,
    Role,
    File,
    Conversation,
    /// Words of the person's own.
    Words,
}

/// A row of `/help`.
pub(super) struct Row {
    /// With its slash.
    pub(super) name: &'static str,
    /// What may stand behind it, as it is shown.
    pub(super) argument: &'static str,
    pub(super) what: &'static str,
    pub(super) takes: Takes,
}

const fn row(name: &'static str, argument: &'static str, what: &'static str, takes: Takes) -> Row {
    Row { name, argument, what, takes }
}

/// All of them, in the order in which they are listed.
pub(super) const ROWS: [Row; 14] = [
    row("/help", "", "lists this", Takes::Nothing),
    row("/model", "[NAME]", "asks another model from now on; says which", Takes::Model),
    row("/system", "[TEXT]", "gives instructions from now on, none with -; shows them", Takes::Words),
    row("/role", "[NAME]", "the same, by a name of the configuration's roles; lists them", Takes::Role),
    row("/attach", "FILE", "sends a file or URL along with the next question", Takes::File),
    row("/retry", "", "asks the last question again, in place of its answer", Takes::Nothing),
    row("/undo", "", "takes the last question and its answer back", Takes::Nothing),
    row("/new", "", "begins a new conversation", Takes::Nothing),
    row("/continue", "[ID]", "goes on with a conversation of the log, or the last one", Takes::Conversation),
    row("/id", "", "says which conversation of the log this is", Takes::Nothing),
    row("/usage", "", "says what was used since the beginning, and what it cost", Takes::Nothing),
    row("/save", "FILE", "writes the conversation to a new file: JSON for .json, else Markdown", Takes::File),
    row("/tools", "", "lists what the model may call", Takes::Nothing),
    row("/quit", "", "leaves, as Ctrl-D does", Takes::Nothing),
];

/// The command that a line is; `None` for a question. Only a word of letters behind a slash is a command: `/etc/hosts`
/// begins a question, and so does a space.
pub(super) fn parse(line: &str) -> Option<Result<Command, String>> {
    let behind = line.strip_prefix('/')?;
    let (word, rest) = behind.split_once(char::is_whitespace).unwrap_or((behind, ""));
    if word.is_empty() || !word.bytes().all(|byte| byte.is_ascii_alphabetic()) {
        return None;
    }
    Some(command(word, rest.trim()))
}

fn command(word: &str, rest: &str) -> Result<Command, String> {
    let given = (!rest.is_empty()).then(|| rest.to_owned());
    let needed = |what: &str| given.clone().ok_or_else(|| format!("write /{word} {what}"));
    let command = match word {
        "model" => return Ok(Command::Model(given)),
        "system" => return Ok(Command::System(given)),
        "role" => return Ok(Command::Role(given)),
        "continue" => return Ok(Command::Continue(given)),
        "attach" => return needed("FILE").map(Command::Attach),
        "save" => return needed("FILE").map(Command::Save),
        "help" => Command::Help,
        "new" => Command::New,
        "id" => Command::Id,
        "usage" => Command::Usage,
        "retry" => Command::Retry,
        "undo" => Command::Undo,
        "tools" => Command::Tools,
        "quit" | "exit" => Command::Quit,
        _ => return Err(unknown(word)),
    };
    if given.is_some() { Err(format!("/{word} takes nothing behind it")) } else { Ok(command) }
}

fn unknown(word: &str) -> String {
    let near = nearest(word, ROWS.iter().map(|row| &row.name[1..]));
    let near = near.map(|near| format!("did you mean /{near}? ")).unwrap_or_default();
    format!(
        "there is no command /{word}; {near}/help lists them, and a question that begins so wants a space before it"
    )
}

/// What `/help` says.
pub(super) fn help() -> String {
    let rows: Vec<Vec<String>> =
        ROWS.iter().map(|row| vec![format!("{} {}", row.name, row.argument), row.what.to_owned()]).collect();
    let table = crate::table::table(&["", ""], &[false, false], &rows);
    format!(
        "{}\nAlt-Enter begins a line, and so does Enter behind a backslash or within ```. Tab completes. Ctrl-C stops an \
         answer or clears the line, Ctrl-D leaves.",
        table.trim_end()
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_word_behind_a_slash_is_a_command() {
        let some = |text: &str| Some(text.to_owned());
        for (line, is) in [
            ("/model", Command::Model(None)),
            ("/model  sim/other ", Command::Model(some("sim/other"))),
            ("/system Be brief.\nIn French.", Command::System(some("Be brief.\nIn French."))),
            ("/role terse", Command::Role(some("terse"))),
            ("/attach a file.txt", Command::Attach("a file.txt".to_owned())),
            ("/continue 3fa2", Command::Continue(some("3fa2"))),
            ("/new ", Command::New),
            ("/exit", Command::Quit),
        ] {
            assert_eq!(parse(line), Some(Ok(is)), "{line}");
        }
    }

    #[test]
    fn every_row_is_a_command() {
        for row in ROWS {
            let line = format!("{} {}", row.name, row.argument.trim_matches(['[', ']']));
            assert!(matches!(parse(&line), Some(Ok(_))), "{line}");
            assert!(help().contains(row.what), "{line}");
            let bare = parse(row.name).expect("a command");
            assert_eq!(bare.is_err(), !row.argument.is_empty() && !row.argument.starts_with('['), "{line}");
        }
    }

    #[test]
    fn all_else_is_a_question() {
        for line in ["", "hello", " /model", "/", "// a", "/etc/hosts", "/42", "a /model", "/ü"] {
            assert_eq!(parse(line), None, "{line}");
        }
    }

    #[test]
    fn a_command_that_there_is_not_is_told() {
        let wrong = |line: &str| parse(line).expect("a command").expect_err("wrong");
        assert!(wrong("/modle x").contains("there is no command /modle; did you mean /model?"));
        assert!(!wrong("/xyzzyx").contains("did you mean"));
        assert_eq!(wrong("/attach"), "write /attach FILE");
        assert_eq!(wrong("/new one"), "/new takes nothing behind it");
    }
}
