use super::*;

fn whole(text: &str) -> String {
    let mut markdown = Markdown::new();
    let mut out = markdown.push(text);
    out.push_str(&markdown.finish());
    out
}

/// Styles by words that can be read: `<b>`, `</b>`.
fn readable(text: &str) -> String {
    let words = [
        ("\x1b[1m", "<b>"),
        ("\x1b[22m", "</b>"),
        ("\x1b[2m", "<dim>"),
        ("\x1b[3m", "<i>"),
        ("\x1b[23m", "</i>"),
        ("\x1b[4m", "<u>"),
        ("\x1b[24m", "</u>"),
        ("\x1b[9m", "<s>"),
        ("\x1b[29m", "</s>"),
        ("\x1b[36m", "<c>"),
        ("\x1b[39m", "</c>"),
    ];
    words.iter().fold(text.to_owned(), |text, (code, word)| text.replace(code, word))
}

fn stripped(text: &str) -> String {
    let mut out = String::new();
    let mut rest = text;
    while let Some((before, after)) = rest.split_once("\x1b[") {
        out.push_str(before);
        rest = after.split_once('m').expect("a sequence ends").1;
    }
    out + rest
}

#[test]
fn what_models_write_is_rendered() {
    for (text, expected) in [
        ("plain\n", "plain\n"),
        ("# Title\ntext", "<b>Title</b>\ntext"),
        ("### *Low* title\n", "<b><i>Low</i> title</b>\n"),
        ("#hashtag #5\n", "#hashtag #5\n"),
        ("a **b** c *d* e ***f*** g ~~h~~", "a <b>b</b> c <i>d</i> e <b><i>f</i></b> g <s>h</s>"),
        (
            "__b__ and _i_ but snake_case_name and __init__.py",
            "<b>b</b> and <i>i</i> but snake_case_name and <b>init</b>.py",
        ),
        ("2 * 3 * 4, 2*3, *args and **kwargs", "2 * 3 * 4, 2*3, *args and **kwargs"),
        ("**bold with *both* in it**", "<b>bold with <i>both</i> in it</b>"),
        ("**never closed\nnext **one**", "**never closed\nnext <b>one</b>"),
        ("**a *b** c", "<b>a *b</b> c"),
        ("`x = *y*` and ``a ` b``", "<c>x = *y*</c> and <c>a ` b</c>"),
        ("a ` alone", "a ` alone"),
        ("- one\n* two\n  + three\n1. four\n", "• one\n• two\n  • three\n1. four\n"),
        ("- **b**: c", "• <b>b</b>: c"),
        ("**b** first", "<b>b</b> first"),
        ("---\n* * *\n-\n", "<dim>────────────────────────</b>\n<dim>────────────────────────</b>\n-\n"),
        ("> said\n> > twice", "<dim>│</b> said\n<dim>│</b> <dim>│</b> twice"),
        (
            "```rust\nlet a = *b;\n\n# no title\n```\n**x**",
            "  <dim>rust</b>\n  <c>let a = *b;</c>\n\n  <c># no title</c>\n<b>x</b>",
        ),
        ("  ```\n  code\n  ```\nend", "  <c>  code</c>\nend"),
        ("~~~\n```\n~~~\n", "  <c>```</c>\n"),
        ("```\nopen", "  <c>open</c>"),
        ("> ```\n> x\n", "<dim>│</b> ```\n<dim>│</b> x\n"),
        ("[Sabir](https://s.org/a_b_(c)) ok", "<u>Sabir</u> <dim>(https://s.org/a_b_(c))</b> ok"),
        ("[https://s.org](https://s.org)", "<u>https://s.org</u>"),
        ("see [1] and [x] and a[0](", "see [1] and [x] and a[0]("),
        ("[no link](with words)", "[no link](with words)"),
        ("## [a](b) c", "<b><u>a</u> <dim>(b)</b><b> c</b>"),
        (r"\*no\* \# C:\dir \(x\) \[y\] \", r"*no* # C:\dir \(x\) \[y\] \"),
        ("a\\\nb", "a\\\nb"),
        ("| a | b |\n|---|---|\n", "| a | b |\n|---|---|\n"),
        ("a ~5 and ~~~ b", "a ~5 and ~~~ b"),
    ] {
        assert_eq!(readable(&whole(text)), expected, "{text:?}");
    }
}

/// What is held back is no more than has to be.
#[test]
fn what_is_decided_is_written_at_once() {
    let mut markdown = Markdown::new();
    for (piece, expected) in [
        ("Hel", "Hel"),
        ("lo *wor", "lo "),
        ("ld", ""),
        ("*", ""),
        ("!", "<i>world</i>!"),
        (" [1", " "),
        ("] b", "[1] b"),
        ("\n#", "\n"),
        (" T", "<b>T"),
        ("\n`", "</b>\n"),
        ("``\nlet", "  <c>let"),
        (" x", " x"),
    ] {
        assert_eq!(readable(&markdown.push(piece)), expected, "{piece:?}");
    }
    assert_eq!(readable(&markdown.finish()), "</c>");
}

#[test]
fn a_terminal_is_not_obeyed() {
    let hostile = "a\x1b[2Jb\x07\x08\x1b]0;title\x07 \u{9b}31m \u{202e}x\x7f\r\nc\t**\x1b[1m**";
    let text = stripped(&whole(hostile));
    assert_eq!(text, "a␛[2Jb␇␈␛]0;title␇ \u{fffd}31m \u{fffd}x␡\nc\t␛[1m");
    assert_eq!(safe(hostile), "a␛[2Jb␇␈␛]0;title␇ \u{fffd}31m \u{fffd}x␡\nc\t**␛[1m**");
}

/// A text of marks, spaces and letters; no two letters are the same.
fn random(seed: &mut u64) -> String {
    let mut letters = ('\u{4e00}'..'\u{9000}').chain('\u{ac00}'..'\u{d7a0}');
    let mut next = || {
        // xorshift64 (Marsaglia, 2003).
        *seed ^= *seed << 13;
        *seed ^= *seed >> 7;
        *seed ^= *seed << 17;
        *seed
    };
    let length = next() % 60;
    let mut text = String::new();
    for _ in 0..length {
        match next() % 24 {
            0..=4 => text.push('*'),
            5 => text.push('_'),
            6..=8 => text.push('`'),
            9 => text.push_str("```"),
            10 => text.push('~'),
            11 => text.push('['),
            12 => text.push_str("]("),
            13 => text.push(')'),
            14 => text.push('#'),
            15 => text.push('>'),
            16 => text.push('-'),
            17 => text.push('\\'),
            18..=19 => text.push(' '),
            20..=21 => text.push('\n'),
            _ => text.extend(letters.next()),
        }
    }
    text
}

#[test]
fn cuts_make_no_difference_and_no_letter_is_lost() {
    let mut seed = 0x9e37_79b9_7f4a_7c15;
    for _ in 0..20_000 {
        let text = random(&mut seed);
        let expected = whole(&text);
        let mut markdown = Markdown::new();
        let mut out = String::new();
        for c in text.chars() {
            out.push_str(&markdown.push(c.encode_utf8(&mut [0; 4])));
        }
        out.push_str(&markdown.finish());
        assert_eq!(out, expected, "{text:?}");
        let letters = |text: &str| text.chars().filter(|c| c.is_alphanumeric()).collect::<String>();
        assert_eq!(letters(&stripped(&expected)), letters(&text), "{text:?}");
        let lines = |text: &str| text.matches('\n').count();
        assert!(lines(&expected) <= lines(&text), "{text:?}");
        // Whatever was begun is ended.
        for (on, off) in [("\x1b[3m", "\x1b[23m"), ("\x1b[4m", "\x1b[24m"), ("\x1b[36m", "\x1b[39m")] {
            assert_eq!(expected.matches(on).count(), expected.matches(off).count(), "{text:?}");
        }
        let last = |code: &str| expected.rfind(code);
        assert!(last("\x1b[1m") <= last("\x1b[22m"), "{text:?}");
    }
}

/// As much work as there is text: a hundred thousand of anything, and of what opens without end.
#[test]
fn hostile_texts_are_read_in_linear_time() {
    const COUNT: usize = 100_000;
    let all = [
        "*", "`", "_", "[", "]", "(", "~", "\\", "#", ">", "-", " ", "*a ", "`` ` ", "[a](", "**a*b", "a_", "\x1b[",
        "```\n",
    ];
    for unit in all {
        let text = unit.repeat(COUNT);
        let mut markdown = Markdown::new();
        let mut most = 0;
        let mut longest = 0;
        for c in text.chars() {
            longest = longest.max(markdown.push(c.encode_utf8(&mut [0; 4])).len());
            most = most.max(markdown.held());
        }
        assert!(most <= 8 * 1024, "{unit:?} holds {most}");
        assert!(longest <= 8 * 1024 || ["*", "`", "_", "~"].contains(&unit), "{unit:?}: {longest}");
        markdown.finish();
    }
}
