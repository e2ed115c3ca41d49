//! Keys that do not show themselves, and the masking of keys in other people's words.

use std::borrow::Cow;
use std::fmt;

use zeroize::Zeroizing;

/// A key or token. `Debug` and `Display` show only its first characters; the memory is wiped on drop.
#[derive(Clone)]
pub struct Secret(Zeroizing<String>);

impl Secret {
    /// Wraps a key.
    pub fn new(key: impl Into<String>) -> Self {
        Self(Zeroizing::new(key.into()))
    }

    /// The key itself. Call this where the key is used, and nowhere else.
    pub fn expose(&self) -> &str {
        &self.0
    }

    /// What may be shown: up to four leading characters, then `…`; for short keys only `…`.
    pub fn masked(&self) -> String {
        let key = self.expose();
        let shown = if key.len() >= 12 { 4 } else { 0 };
        let mut out: String = key.chars().take(shown).collect();
        out.push('…');
        out
    }
}

impl<T: Into<String>> From<T> for Secret {
    fn from(key: T) -> Self {
        Self::new(key)
    }
}

impl PartialEq for Secret {
    fn eq(&self, other: &Self) -> bool {
        self.expose() == other.expose()
    }
}

impl Eq for Secret {}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Secret({})", self.masked())
    }
}

impl fmt::Display for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.masked())
    }
}

/// How provider keys begin. A word with one of these beginnings, long and varied enough to be a key,
/// is masked wherever a provider repeats it to us.
const KEY_PREFIXES: &[&str] = &[
    "sk-", "sk_", "pk-", "rk-", "AIza", "gsk_", "xai-", "hf_", "pplx-", "nvapi-", "csk-", "fw_", "key-", "r8_", "AKIA",
    "ABSK", "eyJ", "ya29.", "ghp_", "github_pat_", "tgp_", "jina_", "pa-",
];

/// Masks what looks like a provider key in a text, for messages that providers send back.
///
/// ```
/// use sabir_core::secret::mask;
/// assert_eq!(mask("bad key sk-proj-a1B2c3D4e5F6g7H8."), "bad key sk-p….");
/// assert_eq!(mask("nothing here"), "nothing here");
/// ```
pub fn mask(text: &str) -> Cow<'_, str> {
    let mut out = String::new();
    let mut copied = 0;
    let mut at = 0;
    while at < text.len() {
        let rest = &text[at..];
        let length = rest.find(|c: char| !is_key_char(c)).unwrap_or(rest.len());
        if length == 0 {
            at += rest.chars().next().map_or(1, char::len_utf8);
            continue;
        }
        let word = rest[..length].trim_end_matches(['.', '-', '_']);
        if looks_like_key(word) {
            out.push_str(&text[copied..at + 4]);
            out.push('…');
            copied = at + word.len();
        }
        at += length;
    }
    if copied == 0 {
        return Cow::Borrowed(text);
    }
    out.push_str(&text[copied..]);
    Cow::Owned(out)
}

fn is_key_char(c: char) -> bool {
    c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.')
}

/// Long enough, a known beginning, and varied: `sk-XXXXXXXXXXXXXXXX` is a mask already, not a key.
fn looks_like_key(word: &str) -> bool {
    word.len() >= 16 && KEY_PREFIXES.iter().any(|p| word.starts_with(p)) && {
        let mut seen = [false; 128];
        word.bytes().for_each(|b| seen[usize::from(b & 127)] = true);
        seen.iter().filter(|s| **s).count() >= 8
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn debug_and_display_hide_the_key() {
        let key = Secret::new("sk-ant-REDACTED");
        assert_eq!(format!("{key:?} {key}"), "Secret(sk-a…) sk-a…");
        assert_eq!(Secret::new("short").masked(), "…");
        assert_eq!(Secret::new("ключ-который-длинный").masked(), "ключ…");
    }

    #[test]
    fn keys_in_messages_are_masked_and_masks_are_left() {
        let said =
            "Incorrect API key provided: sk-proj-Zk3x9QpL7vNb2Wc4. You can find yours at https://example.com/keys.";
        let masked = mask(said);
        assert!(!masked.contains("Zk3x9QpL7vNb2Wc4"), "{masked}");
        assert!(masked.ends_with("https://example.com/keys."));
        for untouched in ["Incorrect API key provided: sk-XXXXXXXXXXXXXXXX.", "é–ü", "", "sk-short", "the task-force"]
        {
            assert_eq!(mask(untouched), untouched);
        }
    }
}
