//! Most chunks of a stream differ from the one before in a single string: more text, more of a thought, more of some
//! arguments. The bytes around it are remembered, so that the next chunk is compared and not parsed again.

/// A chunk of which one string alone may differ in the next: said again, all else in it says nothing new.
#[derive(Debug)]
pub(crate) struct Shortcut<K> {
    kind: K,
    before: Vec<u8>,
    after: Vec<u8>,
    /// `after` ends where a string of padding begins, which is the last thing in the chunk.
    is_padded: bool,
}

/// Fields against attacks by length, of random content (OpenAI, Mistral).
const PADDING: [&[u8]; 2] = [b"\"obfuscation\":\"", b"\"p\":\""];

impl<K: Copy> Shortcut<K> {
    /// The shortcut to chunks like this one, which tells this string. A string that had escapes may stand elsewhere
    /// in memory: there is none to it.
    pub(crate) fn learn(data: &[u8], kind: K, told: &str) -> Option<Self> {
        let start = (told.as_ptr() as usize).checked_sub(data.as_ptr() as usize)?;
        let (before, rest) = data.split_at_checked(start)?;
        let after = rest.strip_prefix(told.as_bytes())?;
        let padding = PADDING.iter().find_map(|field| {
            let end = after.windows(field.len()).rposition(|w| w == *field)? + field.len();
            padding_is_last(&after[end..]).then_some(end)
        });
        let after = &after[..padding.unwrap_or(after.len())];
        Some(Self { kind, before: before.to_vec(), after: after.to_vec(), is_padded: padding.is_some() })
    }

    /// What a chunk of the same shape tells. `None`: it has another shape, or escapes in its string.
    pub(crate) fn read<'a>(&self, data: &'a [u8]) -> Option<(K, &'a str)> {
        let rest = data.strip_prefix(self.before.as_slice())?;
        let end = rest.iter().position(|b| matches!(b, b'"' | b'\\') || *b < b' ')?;
        let after = rest[end..].strip_prefix(self.after.as_slice())?;
        let is_whole = if self.is_padded { padding_is_last(after) } else { after.is_empty() };
        let told = std::str::from_utf8(&rest[..end]).ok()?;
        is_whole.then_some((self.kind, told))
    }
}

/// Whether these are the rest of a plain string and the end of the chunk.
fn padding_is_last(rest: &[u8]) -> bool {
    let plain = |b: &u8| b.is_ascii_graphic() && !matches!(b, b'"' | b'\\');
    rest.strip_suffix(b"\"}").is_some_and(|padding| padding.iter().all(plain))
}
