//! A Rust file taken apart as far as the rules need it: code without its comments and strings, comments without
//! the code, and which lines are tests. Not a parser: it knows how literals and comments end and how braces pair.

/// One file, in layers of the same shape: what is not in a layer is a space there.
pub(crate) struct Source {
    /// The code; comments and the insides of strings are blank.
    pub code: String,
    /// The comments; all else is blank.
    pub comments: String,
    /// For each line, whether it belongs to a test.
    tests: Vec<bool>,
}

impl Source {
    pub(crate) fn read(path: &str, text: &str) -> Self {
        let (code, comments) = split(text);
        let mut tests = vec![is_test_file(path); text.lines().count()];
        if !is_test_file(path) {
            for (start, end) in test_items(&code) {
                let (first, last) = (line_of(&code, start), line_of(&code, end));
                tests.iter_mut().take(last).skip(first - 1).for_each(|test| *test = true);
            }
        }
        Self { code, comments, tests }
    }

    /// Whether a line, from 1, belongs to a test.
    pub(crate) fn is_test(&self, line: usize) -> bool {
        self.tests.get(line.saturating_sub(1)).copied().unwrap_or(false)
    }

    /// How many lines are no test.
    pub(crate) fn lines_without_tests(&self) -> usize {
        self.tests.iter().filter(|test| !**test).count()
    }
}

/// `(line, text)` of every line, from 1.
pub(crate) fn numbered(text: &str) -> impl Iterator<Item = (usize, &str)> {
    text.lines().enumerate().map(|(index, line)| (index + 1, line))
}

/// The line, from 1, on which a byte stands.
pub(crate) fn line_of(text: &str, at: usize) -> usize {
    1 + text[..at.min(text.len())].matches('\n').count()
}

/// The words of a text: the longest runs of letters, digits and `_`, each with where it begins.
pub(crate) fn words(text: &str) -> impl Iterator<Item = (usize, &str)> {
    let mut at = 0;
    text.split(|c: char| !is_word(c)).filter_map(move |word| {
        let start = at;
        // What splits is one character long, but not always one byte.
        at += word.len() + text[at + word.len()..].chars().next().map_or(0, char::len_utf8);
        (!word.is_empty()).then_some((start, word))
    })
}

fn is_word(c: char) -> bool {
    c.is_alphanumeric() || c == '_'
}

fn is_test_file(path: &str) -> bool {
    path.ends_with("/tests.rs") || path.contains("/tests/") || path.starts_with("tests/") || path.contains("/benches/")
}

/// Code and comments apart, byte for byte where they stood.
fn split(text: &str) -> (String, String) {
    let bytes = text.as_bytes();
    let blank: Vec<u8> = bytes.iter().map(|byte| if *byte == b'\n' { b'\n' } else { b' ' }).collect();
    let (mut code, mut comments) = (blank.clone(), blank);
    let mut at = 0;
    while at < bytes.len() {
        let rest = &bytes[at..];
        if rest.starts_with(b"//") || rest.starts_with(b"/*") {
            let length = if rest[1] == b'/' { until_line_end(rest) } else { block_comment(rest) };
            comments[at..at + length].copy_from_slice(&rest[..length]);
            at += length;
        } else if let Some((open, length)) = literal(bytes, at) {
            code[at..at + open].copy_from_slice(&rest[..open]);
            code[at + length - 1] = rest[length - 1];
            at += length;
        } else {
            code[at] = bytes[at];
            at += 1;
        }
    }
    // Only ASCII was put among spaces, or whole runs of the text: both stay UTF-8.
    (into_text(code), into_text(comments))
}

fn into_text(bytes: Vec<u8>) -> String {
    String::from_utf8(bytes).unwrap_or_else(|error| String::from_utf8_lossy(error.as_bytes()).into_owned())
}

fn until_line_end(rest: &[u8]) -> usize {
    rest.iter().position(|byte| *byte == b'\n').unwrap_or(rest.len())
}

fn block_comment(rest: &[u8]) -> usize {
    let (mut depth, mut at) = (0_usize, 0);
    while at < rest.len() {
        if rest[at..].starts_with(b"/*") {
            depth += 1;
            at += 2;
        } else if rest[at..].starts_with(b"*/") {
            depth -= 1;
            at += 2;
            if depth == 0 {
                return at;
            }
        } else {
            at += 1;
        }
    }
    rest.len()
}

/// Where a string or character literal begins here: how long its opening is and how long the whole of it.
fn literal(bytes: &[u8], at: usize) -> Option<(usize, usize)> {
    let rest = &bytes[at..];
    match rest[0] {
        b'"' => Some((1, 1 + until_quote(&rest[1..], b'"'))),
        b'r' if at == 0 || !is_word(char::from(bytes[at - 1])) || matches!(bytes[at - 1], b'b' | b'c') => {
            let hashes = rest[1..].iter().take_while(|byte| **byte == b'#').count();
            (rest.get(1 + hashes) == Some(&b'"')).then(|| {
                let close = [b"\"".as_slice(), &b"#".repeat(hashes)].concat();
                let inside = &rest[hashes + 2..];
                let end = inside.windows(close.len()).position(|window| window == close);
                (hashes + 2, end.map_or(rest.len(), |end| hashes + 2 + end + close.len()))
            })
        }
        // A lifetime has no second quote, or not where a character would have it.
        b'\'' if rest.get(1) == Some(&b'\\') => Some((1, 1 + until_quote(&rest[1..], b'\''))),
        b'\'' => {
            let width = match rest.get(1)? {
                0..0x80 => 1,
                0..0xE0 => 2,
                0..0xF0 => 3,
                _ => 4,
            };
            (rest.get(1 + width) == Some(&b'\'')).then_some((1, width + 2))
        }
        _ => None,
    }
}

/// How far it is to the closing quote, with it.
fn until_quote(inside: &[u8], quote: u8) -> usize {
    let mut at = 0;
    while at < inside.len() {
        match inside[at] {
            b'\\' => at += 2,
            byte if byte == quote => return at + 1,
            _ => at += 1,
        }
    }
    inside.len()
}

/// Where the items under `#[cfg(test)]` begin and end.
fn test_items(code: &str) -> Vec<(usize, usize)> {
    let mut items = Vec::new();
    let mut from = 0;
    while let Some(found) = code[from..].find("#[cfg(test)]") {
        let start = from + found;
        let mut depth = 0_usize;
        let mut end = code.len();
        for (offset, byte) in code.bytes().enumerate().skip(start + "#[cfg(test)]".len()) {
            match byte {
                b'{' => depth += 1,
                b'}' => depth = depth.saturating_sub(1),
                _ => {}
            }
            if depth == 0 && matches!(byte, b'}' | b';') {
                end = offset;
                break;
            }
        }
        items.push((start, end));
        from = end;
    }
    items
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn strings_and_comments_are_told_from_code() {
        let text = "let a = \"todo!( // no\"; // über FIXME\nlet b = r#\"x\"dbg!(\"#; /* a /* b */ c */ let c = '\\''; f::<'a>(b'\"', 'é', b\"x\");\n";
        let source = Source::read("crates/x/src/a.rs", text);
        assert_eq!(source.code.len(), text.len());
        assert!(!source.code.contains("todo!") && !source.code.contains("dbg!") && !source.code.contains("FIXME"));
        assert!(source.code.contains("let c = '") && source.code.contains("f::<'a>(b'"));
        assert!(source.comments.contains("// über FIXME") && source.comments.contains("/* a /* b */ c */"));
        assert!(!source.comments.contains("no\""));
    }

    #[test]
    fn tests_are_told_from_the_rest() {
        let text = "fn a() {}\n#[cfg(test)]\nuse x;\nfn b() { \"}\" }\n#[cfg(test)]\nmod tests {\n    fn c() {}\n}\nfn d() {}\n";
        let source = Source::read("crates/x/src/a.rs", text);
        let tests: Vec<usize> = (1..=9).filter(|line| source.is_test(*line)).collect();
        assert_eq!(tests, [2, 3, 5, 6, 7, 8]);
        assert_eq!(source.lines_without_tests(), 3);
        assert_eq!(Source::read("crates/x/src/a/tests.rs", text).lines_without_tests(), 0);
    }

    #[test]
    fn words_are_whole() {
        let found: Vec<_> = words("a_b::Cé ÷ d").collect();
        assert_eq!(found, [(0, "a_b"), (5, "Cé"), (12, "d")]);
    }

    #[test]
    fn broken_source_does_not_panic() {
        for text in ["\"", "r#\"", "'", "'\\", "/*", "/* é", "r", "#[cfg(test)]", "#[cfg(test)] {{{", "}", "b'", "\\"]
        {
            Source::read("crates/x/src/a.rs", text);
        }
    }
}
