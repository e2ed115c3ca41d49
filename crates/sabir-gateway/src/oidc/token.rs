//! A token as it was sent: its parts (RFC 7519, RFC 7515), and whether it holds.

use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde_json::{Map, Value};

use super::keys::Algorithm;

/// The longest token that is looked at, in bytes.
const LONGEST: usize = 16 << 10;
/// How far the clocks of this machine and the issuer's may be apart.
const LEEWAY: Duration = Duration::from_secs(60);
/// The longest subject, in bytes (`OpenID Connect` Core 1.0 §2: 255 characters of ASCII).
const LONGEST_SUBJECT: usize = 255;

/// A token whose parts were read; nothing of it is believed yet.
pub(super) struct Token<'a> {
    pub(super) algorithm: Algorithm,
    /// The name of the key that it says it was signed with.
    pub(super) key: Option<String>,
    claims: Map<String, Value>,
    /// What was signed.
    pub(super) signed: &'a [u8],
    pub(super) signature: Vec<u8>,
}

/// Whether a key that was shown may be a token: all begin with an object's `{"`, and have three parts.
pub(super) fn is_one(shown: &str) -> bool {
    shown.starts_with("ey") && shown.bytes().filter(|byte| *byte == b'.').count() == 2
}

impl<'a> Token<'a> {
    /// Its parts, or why it is none.
    pub(super) fn read(text: &'a str) -> Result<Self, &'static str> {
        if text.len() > LONGEST {
            return Err("the token is too long");
        }
        let (signed, signature) = text.rsplit_once('.').ok_or("the token is no JWT")?;
        let (header, claims) = signed.split_once('.').ok_or("the token is no JWT")?;
        let header = object(header).ok_or("the token's header cannot be read")?;
        let claims = object(claims).ok_or("the token's claims cannot be read")?;
        let algorithm = header.get("alg").and_then(Value::as_str).and_then(Algorithm::of);
        let algorithm =
            algorithm.ok_or("the token is signed in none of the ways that are taken: RS256, ES256, EdDSA")?;
        if header.contains_key("crit") {
            // RFC 7515 §4.1.11: who does not know what is critical must refuse.
            return Err("the token asks for extensions that are not known here");
        }
        let key = match header.get("kid") {
            None => None,
            Some(Value::String(name)) => Some(name.clone()),
            Some(_) => return Err("the token's header cannot be read"),
        };
        let signature = decoded(signature).ok_or("the token's signature cannot be read")?;
        Ok(Self { algorithm, key, claims, signed: signed.as_bytes(), signature })
    }

    /// Whether it says that it is of this issuer, for this audience, and of this time (since 1970).
    pub(super) fn is_for(&self, issuer: &str, audience: &str, now: Duration) -> Result<(), &'static str> {
        if self.claims.get("iss").and_then(Value::as_str) != Some(issuer) {
            return Err("the token is of another issuer");
        }
        let is_ours = match self.claims.get("aud") {
            Some(Value::String(one)) => one == audience,
            Some(Value::Array(several)) => several.iter().any(|one| one == audience),
            _ => false,
        };
        if !is_ours {
            return Err("the token is for another audience");
        }
        let (now, leeway) = (now.as_secs_f64(), LEEWAY.as_secs_f64());
        match self.claims.get("exp").map(Value::as_f64) {
            Some(Some(end)) if now < end + leeway => {}
            Some(Some(_)) => return Err("the token has expired; get a new one"),
            _ => return Err("the token does not say when it expires"),
        }
        match self.claims.get("nbf").map(Value::as_f64) {
            None => Ok(()),
            Some(Some(begin)) if begin - leeway <= now => Ok(()),
            Some(_) => Err("the token is not valid yet"),
        }
    }

    /// Whom it is about.
    pub(super) fn subject(&self) -> Result<String, &'static str> {
        let subject = self.claims.get("sub").and_then(Value::as_str).unwrap_or_default();
        if subject.is_empty() || subject.len() > LONGEST_SUBJECT {
            return Err("the token does not say whom it is about");
        }
        Ok(subject.to_owned())
    }

    /// Whether a claim is this value or has it among its own. The claim of that very name is looked at, else what its
    /// path leads to.
    pub(super) fn says(&self, claim: &str, value: &str) -> bool {
        let path = || {
            let (first, rest) = claim.split_once('.')?;
            rest.split('.').try_fold(self.claims.get(first)?, |inside, name| inside.get(name))
        };
        match self.claims.get(claim).or_else(path) {
            // Several in one text, by RFC 8693 §4.2 and by Microsoft.
            Some(Value::String(text)) if matches!(claim, "scope" | "scp") => text.split(' ').any(|one| one == value),
            Some(Value::String(text)) => text == value,
            Some(Value::Array(several)) => several.iter().any(|one| one == value),
            Some(Value::Bool(is_so)) => is_so.to_string() == value,
            _ => false,
        }
    }
}

fn object(part: &str) -> Option<Map<String, Value>> {
    serde_json::from_slice(&decoded(part)?).ok()
}

pub(super) fn decoded(part: &str) -> Option<Vec<u8>> {
    URL_SAFE_NO_PAD.decode(part).ok()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn said(claims: &Value) -> String {
        let part = |value: &Value| URL_SAFE_NO_PAD.encode(value.to_string());
        format!("{}.{}.AAAA", part(&json!({ "alg": "ES256" })), part(claims))
    }

    #[test]
    fn a_claim_is_a_word_a_list_or_inside_of_another() {
        let text = said(&json!({
            "roles": ["reader", "admin"], "scope": "a admin", "job": "not admin", "is": true,
            "realm_access": { "roles": ["admin"] }, "https://x.example/roles": "admin", "n": 1
        }));
        let token = Token::read(&text).expect("a token");
        for claim in ["roles", "scope", "realm_access.roles", "https://x.example/roles"] {
            assert!(token.says(claim, "admin"), "{claim}");
            assert!(!token.says(claim, "adm"), "{claim}");
        }
        assert!(token.says("is", "true") && !token.says("n", "1"));
        for claim in ["job", "other", "roles.0", "realm_access", "realm_access.roles.admin", ""] {
            assert!(!token.says(claim, "admin"), "{claim}");
        }
    }

    #[test]
    fn times_are_numbers_and_have_some_leeway() {
        let now = Duration::from_secs(1_000_000);
        let at = |exp: Value, nbf: Value| {
            let mut claims = json!({ "iss": "i", "aud": ["other", "a"], "exp": exp });
            if !nbf.is_null() {
                claims["nbf"] = nbf;
            }
            Token::read(&said(&claims)).expect("a token").is_for("i", "a", now)
        };
        for (exp, nbf) in [(json!(1_000_001), json!(null)), (json!(999_941.5), json!(1_000_060))] {
            assert_eq!(at(exp, nbf), Ok(()));
        }
        for (exp, nbf, why) in [
            (json!(999_940), json!(null), "has expired"),
            (json!("1000001"), json!(null), "when it expires"),
            (json!(null), json!(null), "when it expires"),
            (json!(1_000_001), json!(1_000_061), "not valid yet"),
            (json!(1_000_001), json!("1"), "not valid yet"),
        ] {
            let refused = at(exp, nbf).expect_err(why);
            assert!(refused.contains(why), "{refused}");
        }
    }

    #[test]
    fn what_is_no_token_is_not_read() {
        let header = |header: Value| format!("{}.e30.AAAA", URL_SAFE_NO_PAD.encode(header.to_string()));
        for text in [
            String::new(),
            "a.b.c".into(),
            "e30.e30.".into(),
            header(json!({ "alg": "none" })),
            header(json!({ "alg": "None" })),
            header(json!({ "alg": "HS256" })),
            header(json!({ "alg": ["ES256"] })),
            header(json!({ "alg": "ES256", "crit": ["exp"] })),
            header(json!({ "alg": "ES256", "kid": 1 })),
            header(json!([])),
            format!("{}A", header(json!({ "alg": "ES256" }))),
            "e30.".repeat(10_000),
        ] {
            assert!(Token::read(&text).is_err(), "{text}");
        }
        assert!(Token::read(&header(json!({ "alg": "ES256" }))).is_ok());
        assert!(is_one("eyJ.a.b") && !is_one("sk-sabir-x") && !is_one("eyJ.a"));
    }
}
