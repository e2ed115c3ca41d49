//! The issuer's keys (RFC 7517), and what was signed with them (RFC 7518). The mathematics is `ring`'s.

use ring::signature::{self, RsaPublicKeyComponents, UnparsedPublicKey};
use serde_json::Value;

use super::token::decoded;

/// The most keys that are taken from an issuer.
const MOST: usize = 100;

/// A way of signing. There is none without a key, and none whose key is a secret that both sides have: with those, who
/// knows a public key could sign.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Algorithm {
    /// RSA with PKCS #1 v1.5 padding and SHA-256, of 2048 bits at least.
    Rs256,
    /// ECDSA by P-256 with SHA-256.
    Es256,
    /// Ed25519 (RFC 8037; by its own name, RFC 9864).
    Ed25519,
}

impl Algorithm {
    pub(super) fn of(name: &str) -> Option<Self> {
        match name {
            "RS256" => Some(Self::Rs256),
            "ES256" => Some(Self::Es256),
            "EdDSA" | "Ed25519" => Some(Self::Ed25519),
            _ => None,
        }
    }
}

/// A key of the issuer's.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Key {
    /// What tokens call it.
    name: Option<String>,
    public: Public,
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum Public {
    Rsa {
        n: Vec<u8>,
        e: Vec<u8>,
    },
    /// A point that is not compressed.
    P256(Vec<u8>),
    Ed25519(Vec<u8>),
}

impl Key {
    /// What a set of keys has that can be used here.
    pub(super) fn all(set: &Value) -> Vec<Self> {
        let keys = set.get("keys").and_then(Value::as_array).into_iter().flatten();
        keys.filter_map(Self::read).take(MOST).collect()
    }

    fn read(said: &Value) -> Option<Self> {
        let text = |name: &str| said.get(name).and_then(Value::as_str);
        let bytes = |name: &str| decoded(text(name)?);
        let of_32 = |name: &str| bytes(name).filter(|bytes| bytes.len() == 32);
        if text("use").is_some_and(|used| used != "sig") {
            return None;
        }
        let public = match (text("kty")?, text("crv")) {
            ("RSA", _) => {
                let mut n = bytes("n")?;
                // Some write a zero in front, as for a number with a sign.
                let zeros = n.iter().take_while(|byte| **byte == 0).count();
                n.drain(..zeros);
                Public::Rsa { n, e: bytes("e")? }
            }
            ("EC", Some("P-256")) => Public::P256([vec![4], of_32("x")?, of_32("y")?].concat()),
            ("OKP", Some("Ed25519")) => Public::Ed25519(of_32("x")?),
            _ => return None,
        };
        let key = Self { name: text("kid").map(str::to_owned), public };
        // A key that says what it signs by signs by nothing else.
        let says_so = text("alg").is_none_or(|name| Algorithm::of(name) == Some(key.algorithm()));
        says_so.then_some(key)
    }

    /// The one way in which this key signs.
    fn algorithm(&self) -> Algorithm {
        match self.public {
            Public::Rsa { .. } => Algorithm::Rs256,
            Public::P256(_) => Algorithm::Es256,
            Public::Ed25519(_) => Algorithm::Ed25519,
        }
    }

    /// The key of a name that signs in this way; where no name is said, the only one that does.
    pub(super) fn find<'a>(keys: &'a [Self], name: Option<&str>, algorithm: Algorithm) -> Option<&'a Self> {
        let mut fitting = keys.iter().filter(|key| key.algorithm() == algorithm);
        match name {
            Some(name) => fitting.find(|key| key.name.as_deref() == Some(name)),
            None => fitting.next().filter(|_| fitting.next().is_none()),
        }
    }

    /// Whether this was signed with the key.
    pub(super) fn has_signed(&self, what: &[u8], signature: &[u8]) -> bool {
        let verified = match &self.public {
            Public::Rsa { n, e } => {
                RsaPublicKeyComponents { n, e }.verify(&signature::RSA_PKCS1_2048_8192_SHA256, what, signature)
            }
            Public::P256(point) => {
                UnparsedPublicKey::new(&signature::ECDSA_P256_SHA256_FIXED, point).verify(what, signature)
            }
            Public::Ed25519(point) => UnparsedPublicKey::new(&signature::ED25519, point).verify(what, signature),
        };
        verified.is_ok()
    }
}
