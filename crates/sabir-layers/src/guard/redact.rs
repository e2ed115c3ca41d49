//! Taking out what should not be told: keys, card numbers, e-mail addresses.

use std::borrow::Cow;
use std::ops::Range;

use sabir_core::chat::{ChatRequest, ChatResponse, Content, Part};
use sabir_core::embed::EmbedInput;
use sabir_core::secret::mask;
use sabir_core::transport::BoxFuture;
use sabir_core::{Call, Error, ErrorKind, Request, Result, Stage};

use super::{Check, Filter, OnStream};

/// Replaces keys, payment cards and e-mail addresses in what is asked and what is answered.
///
/// | what | is found by | becomes |
/// |---|---|---|
/// | a provider's key | its beginning, as in [`sabir_core::secret::mask`] | its first four characters and `…` |
/// | a card | 13 to 19 digits, alone or grouped by blanks or hyphens, whose check digit is right (ISO/IEC 7812) | `[card]` |
/// | an e-mail address | `name@host.tld` | `[e-mail]` |
///
/// Texts, refusals and results of tools are looked at, in conversations and in what is only counted; so are texts that
/// become vectors, queries and documents. A text that is tokens already cannot be, and is refused. Thoughts are not, since their signatures hold for the words as
/// they are; nor are the arguments of calls, which a program reads. Of a stream the last word is kept back until it is
/// over: it may be the beginning of something.
#[derive(Clone, Copy, Debug, Default)]
pub struct Redact;

/// Replaces keys, payment cards and e-mail addresses in a text; see [`Redact`]. Linear in the text.
///
/// ```
/// use sabir_layers::guard::redact;
/// assert_eq!(redact("Pay 4111 1111 1111 1111, ask a.b@example.com."), "Pay [card], ask [e-mail].");
/// ```
pub fn redact(text: &str) -> Cow<'_, str> {
    let masked = mask(text);
    let found = found(&masked);
    if found.is_empty() {
        return masked;
    }
    let (mut out, mut copied) = (String::with_capacity(masked.len()), 0);
    for (Range { start, end }, word) in found {
        out.push_str(&masked[copied..start]);
        out.push_str(word);
        copied = end;
    }
    out.push_str(&masked[copied..]);
    Cow::Owned(out)
}

/// What is to be replaced, and by what, in order and apart.
fn found(text: &str) -> Vec<(Range<usize>, &'static str)> {
    let bytes = text.as_bytes();
    let (mut found, mut at, mut free) = (Vec::new(), 0, 0);
    while at < bytes.len() {
        let hit = match bytes[at] {
            b'0'..=b'9' => match digits(&bytes[at..]) {
                (length, true) => Some((at..at + length, "[card]")),
                (length, false) => {
                    at += length;
                    continue;
                }
            },
            b'@' => address(bytes, at, free).map(|range| (range, "[e-mail]")),
            _ => None,
        };
        match hit {
            Some((range, word)) => {
                at = range.end;
                free = range.end;
                found.push((range, word));
            }
            None => at += 1,
        }
    }
    found
}

/// A run of digits, grouped by single blanks or hyphens: its length, and whether it is a card's number.
fn digits(bytes: &[u8]) -> (usize, bool) {
    let (mut number, mut length, mut at) = (Vec::with_capacity(20), 0, 0);
    while let Some(byte) = bytes.get(at) {
        match byte {
            b'0'..=b'9' => {
                if number.len() < 20 {
                    number.push(byte - b'0');
                }
                at += 1;
                length = at;
            }
            b' ' | b'-' if bytes.get(at + 1).is_some_and(u8::is_ascii_digit) => at += 1,
            _ => break,
        }
    }
    let is_word = bytes.get(length).is_some_and(u8::is_ascii_alphanumeric);
    (length, !is_word && (13..=19).contains(&number.len()) && check_digit_is_right(&number))
}

/// ISO/IEC 7812-1, annex B.
fn check_digit_is_right(number: &[u8]) -> bool {
    let doubled = |(n, digit): (usize, &u8)| match (n % 2, digit * 2) {
        (0, _) => u32::from(*digit),
        (_, twice) => u32::from(twice / 10 + twice % 10),
    };
    number.iter().any(|digit| *digit > 0) && number.iter().rev().enumerate().map(doubled).sum::<u32>() % 10 == 0
}

/// The address around an `@`, not reaching back before `free`: at most 64 bytes before it and 255 after it (RFC 5321,
/// 4.5.3.1).
fn address(bytes: &[u8], at: usize, free: usize) -> Option<Range<usize>> {
    let is_name = |b: &&u8| b.is_ascii_alphanumeric() || b"._%+-".contains(b);
    let is_host = |b: &&u8| b.is_ascii_alphanumeric() || b".-".contains(b);
    let start = at - bytes[free..at].iter().rev().take(64).take_while(is_name).count();
    let mut end = at + 1 + bytes[at + 1..].iter().take(255).take_while(is_host).count();
    while end > at + 1 && b".-".contains(&bytes[end - 1]) {
        end -= 1;
    }
    let host = &bytes[at + 1..end];
    let dot = host.iter().rposition(|b| *b == b'.')?;
    let ends_in_letters = host.len() - dot > 2 && host[dot + 1..].iter().all(u8::is_ascii_alphabetic);
    (start < at && dot > 0 && ends_in_letters).then_some(start..end)
}

fn redact_text(text: &mut String) {
    if let Cow::Owned(redacted) = redact(text) {
        *text = redacted;
    }
}

fn redact_conversation(chat: &mut ChatRequest) {
    chat.messages.iter_mut().for_each(|message| redact_parts(&mut message.parts));
}

/// # Errors
/// `Unsupported` for a text that is tokens already: what it says cannot be read here, and must not be told unread.
fn redact_input(input: &mut EmbedInput) -> Result<()> {
    match input {
        EmbedInput::Text(text) => {
            redact_text(text);
            Ok(())
        }
        EmbedInput::Tokens(_) => {
            let message = "what is asked is redacted here, and tokens cannot be read for that; send the text itself";
            Err(Error::new(ErrorKind::Unsupported, message).with_stage(Stage::NotSent))
        }
        _ => Ok(()),
    }
}

fn redact_parts(parts: &mut [Part]) {
    for part in parts {
        match &mut part.content {
            Content::Text { text } | Content::Refusal { text } => {
                redact_text(text);
            }
            Content::ToolResult(result) => redact_parts(&mut result.parts),
            _ => {}
        }
    }
}

impl Check for Redact {
    fn request<'a>(&'a self, _: &'a Call, request: &'a mut Request) -> BoxFuture<'a, Result<()>> {
        let read = match request {
            Request::Chat(chat) => {
                redact_conversation(chat);
                Ok(())
            }
            Request::Count(count) => {
                redact_conversation(&mut count.chat);
                Ok(())
            }
            Request::Embed(embed) => embed.inputs.iter_mut().try_for_each(redact_input),
            Request::Rerank(rerank) => {
                std::iter::once(&mut rerank.query).chain(&mut rerank.documents).for_each(redact_text);
                Ok(())
            }
            // Of what is not read (raw requests) a guard lets none through.
            _ => Ok(()),
        };
        Box::pin(std::future::ready(read))
    }

    fn response<'a>(&'a self, _: &'a Call, response: &'a mut ChatResponse) -> BoxFuture<'a, Result<()>> {
        redact_parts(&mut response.parts);
        Box::pin(std::future::ready(Ok(())))
    }

    fn on_stream(&self) -> OnStream {
        OnStream::Filter(Box::new(Held::default()))
    }
}

/// More than any word that is looked for; a longer one passes in pieces.
const LONGEST: usize = 4096;

/// Keeps back the end of the text as long as it may be the beginning of something.
#[derive(Debug, Default)]
struct Held(String);

impl Filter for Held {
    fn text(&mut self, piece: &str) -> Result<String> {
        self.0.push_str(piece);
        let cut = match open_end(&self.0) {
            cut if self.0.len() - cut > LONGEST => self.0.len(),
            cut => cut,
        };
        let passes = redact(&self.0[..cut]).into_owned();
        self.0.drain(..cut);
        Ok(passes)
    }

    fn rest(&mut self) -> String {
        redact(&std::mem::take(&mut self.0)).into_owned()
    }
}

/// Where the last word of a text begins, with all groups of digits before it.
fn open_end(text: &str) -> usize {
    let is_word = |c: char| !c.is_whitespace();
    let mut cut = text.trim_end_matches(is_word).len();
    loop {
        let before = text[..cut].strip_suffix(' ').unwrap_or(&text[..cut]);
        let group = before.trim_end_matches(|c: char| c.is_ascii_digit() || c == '-');
        if group.len() == before.len() || before.len() == cut && cut != text.len() {
            return cut;
        }
        cut = group.len();
        if !text[..cut].ends_with(' ') {
            return text[..cut].trim_end_matches(is_word).len();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_secret_goes_and_what_is_not_stays() {
        for (text, expected) in [
            ("card 4111-1111-1111-1111!", "card [card]!"),
            ("4111111111111112", "4111111111111112"),
            ("order 1234567890123 of 2026", "order 1234567890123 of 2026"),
            ("0000 0000 0000 0000", "0000 0000 0000 0000"),
            ("x@y.z, a@b.io. @home me@localhost", "x@y.z, [e-mail]. @home me@localhost"),
            ("a@b.com@c.org", "[e-mail]@c.org"),
            ("key sk-proj-Zk3x9QpL7vNb2Wc4 it is", "key sk-p… it is"),
            ("ünï@cöde.de é@x.com", "ünï@cöde.de é@x.com"),
            ("", ""),
        ] {
            assert_eq!(redact(text), expected, "{text}");
        }
    }

    #[test]
    fn a_text_in_pieces_is_redacted_as_a_whole() {
        let text = "Pay 4111 1111 1111 1111 or 5500-0055 5555 5559 now, 12 34 a.b@example.com; sk-proj-Zk3x9QpL7vNb2Wc4, ok 4111 1111 1111 1111";
        let whole = redact(text).into_owned();
        assert_eq!(whole.matches('[').count(), 4, "{whole}");
        for first in 0..text.len() {
            for second in [first, (first + 7).min(text.len()), text.len()] {
                let mut held = Held::default();
                let mut told = String::new();
                for piece in [&text[..first], &text[first..second], &text[second..]] {
                    told += &held.text(piece).expect("it refuses nothing");
                }
                told += &held.rest();
                assert_eq!(told, whole, "cut at {first} and {second}");
            }
        }
        let mut held = Held::default();
        let long = "x".repeat(3 * LONGEST);
        assert_eq!(held.text(&long).expect("it refuses nothing"), long, "nothing is kept without a bound");
    }
}
