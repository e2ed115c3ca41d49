use std::sync::Mutex;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use bytes::Bytes;
use http::{Request, Response};
use ring::rand::SystemRandom;
use ring::signature::{ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair, Ed25519KeyPair, KeyPair as _};
use sabir::transport::{Body, BoxFuture, whole};
use serde_json::{Value, json};

use super::*;

const ISSUER: &str = "https://login.example.com/tenant";

/// A key that signs, and its name.
struct Signer {
    name: &'static str,
    pair: EcdsaKeyPair,
}

impl Signer {
    fn new(name: &'static str) -> Self {
        let random = SystemRandom::new();
        let pkcs8 = EcdsaKeyPair::generate_pkcs8(&ECDSA_P256_SHA256_FIXED_SIGNING, &random).expect("a key");
        let pair = EcdsaKeyPair::from_pkcs8(&ECDSA_P256_SHA256_FIXED_SIGNING, pkcs8.as_ref(), &random).expect("a key");
        Self { name, pair }
    }

    fn public(&self) -> Value {
        let (x, y) = self.pair.public_key().as_ref()[1..].split_at(32);
        let of = |bytes| URL_SAFE_NO_PAD.encode(bytes);
        json!({ "kty": "EC", "crv": "P-256", "kid": self.name, "use": "sig", "alg": "ES256", "x": of(x), "y": of(y) })
    }

    fn sign(&self, claims: &Value) -> String {
        signed(&json!({ "alg": "ES256", "typ": "JWT", "kid": self.name }), claims, |text| {
            self.pair.sign(&SystemRandom::new(), text).expect("a signature").as_ref().to_vec()
        })
    }
}

fn signed(header: &Value, claims: &Value, sign: impl Fn(&[u8]) -> Vec<u8>) -> String {
    let part = |value: &Value| URL_SAFE_NO_PAD.encode(value.to_string());
    let text = format!("{}.{}", part(header), part(claims));
    let signature = URL_SAFE_NO_PAD.encode(sign(text.as_bytes()));
    format!("{text}.{signature}")
}

fn claims() -> Value {
    let now = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).expect("after 1970").as_secs();
    json!({ "iss": ISSUER, "aud": "sabir", "sub": "ada", "exp": now + 300, "roles": ["reader", "sabir-admin"] })
}

fn with(name: &str, value: Value) -> Value {
    let mut claims = claims();
    claims[name] = value;
    claims
}

/// An issuer without a network, and what it was asked for.
#[derive(Debug, Default)]
struct Issuer {
    about: Mutex<Value>,
    keys: Mutex<Value>,
    asked: Mutex<Vec<String>>,
}

impl Issuer {
    fn has(&self, keys: &[Value]) {
        *self.keys.lock().expect("no panic") = json!({ "keys": keys });
    }

    fn asked(&self) -> usize {
        self.asked.lock().expect("no panic").len()
    }
}

impl Transport for Issuer {
    fn send(&self, request: Request<Bytes>) -> BoxFuture<'_, sabir::Result<Response<Body>>> {
        let url = request.uri().to_string();
        let of = if url.ends_with("/.well-known/openid-configuration") { &self.about } else { &self.keys };
        let answer = of.lock().expect("no panic").to_string();
        self.asked.lock().expect("no panic").push(url);
        Box::pin(async move { Ok(Response::new(whole(answer))) })
    }
}

fn at(jwks_url: Option<&str>, issuer: &Arc<Issuer>) -> Oidc {
    let text = format!(
        "[gateway.oidc]\nissuer = \"{ISSUER}\"\naudience = \"sabir\"\nclaim = \"roles\"\nvalue = \"sabir-admin\"\n{}",
        jwks_url.map(|url| format!("jwks_url = \"{url}\"\n")).unwrap_or_default()
    );
    let loaded = sabir::config::Loader::new()
        .text("sabir.toml", text, sabir::config::Format::Toml)
        .load()
        .expect("a configuration");
    let said = loaded.gateway.oidc.clone().expect("it is there");
    Oidc::over(&said, issuer.clone())
}

/// An issuer with these keys, who says where they are.
fn issuer(keys: &[Value]) -> (Arc<Issuer>, Oidc) {
    let issuer = Arc::new(Issuer::default());
    issuer.has(keys);
    *issuer.about.lock().expect("no panic") = json!({ "issuer": ISSUER, "jwks_uri": "https://login.example.com/keys" });
    let oidc = at(None, &issuer);
    (issuer, oidc)
}

async fn refused(oidc: &Oidc, token: &str) -> (u16, String) {
    let refusal = oidc.subject(token, Instant::now()).await.expect_err("it is refused");
    (refusal.status.as_u16(), refusal.why)
}

#[tokio::test]
async fn a_token_of_the_issuers_opens_and_others_are_told_why_not() {
    let signer = Signer::new("one");
    let (asked, oidc) = issuer(&[signer.public()]);
    let admitted = |claims: Value| signer.sign(&claims);
    assert_eq!(oidc.subject(&admitted(claims()), Instant::now()).await, Ok("ada".to_owned()));
    let at = asked.asked.lock().expect("no panic").clone();
    assert_eq!(at, [&format!("{ISSUER}/.well-known/openid-configuration"), "https://login.example.com/keys"]);

    for (claims, status, why) in [
        (with("exp", json!(1_000_000_000)), 401, "has expired"),
        (with("nbf", json!(100_000_000_000_u64)), 401, "not valid yet"),
        (with("aud", json!("another")), 401, "another audience"),
        (with("aud", json!(["another"])), 401, "another audience"),
        (with("aud", Value::Null), 401, "another audience"),
        (with("iss", json!("https://login.example.com")), 401, "another issuer"),
        (with("iss", json!(format!("{ISSUER}/"))), 401, "another issuer"),
        (with("sub", json!("")), 401, "whom it is about"),
        (with("roles", json!(["reader"])), 403, "no administrator"),
        (with("roles", Value::Null), 403, "no administrator"),
        (with("roles", json!("sabir-admin reader")), 403, "no administrator"),
    ] {
        let (got, said) = refused(&oidc, &admitted(claims)).await;
        assert!(got == status && said.contains(why), "{got} {said}, not {why}");
    }
    let token = admitted(claims());
    let (signed_part, signature) = token.rsplit_once('.').expect("three parts");
    let other = Signer::new("one").sign(&claims());
    for token in [
        other,
        format!("{signed_part}."),
        format!("{signed_part}.{}", URL_SAFE_NO_PAD.encode([0; 64])),
        format!("{}.{signature}", admitted(with("sub", json!("eve"))).rsplit_once('.').expect("three parts").0),
    ] {
        assert!(refused(&oidc, &token).await.1.contains("not signed by its issuer"));
    }
    assert_eq!(asked.asked(), 2, "all of that by the keys that were there");
}

/// The two classic ways in: no signature at all, and a signature by a secret that is the public key.
#[tokio::test]
async fn a_token_cannot_choose_to_be_believed() {
    let signer = Signer::new("one");
    let (asked, oidc) = issuer(&[signer.public()]);
    for name in ["none", "None", "NONE", "nOnE", ""] {
        let token = signed(&json!({ "alg": name, "kid": "one" }), &claims(), |_| Vec::new());
        assert!(refused(&oidc, &token).await.1.contains("none of the ways"));
    }
    let secrets = [signer.pair.public_key().as_ref().to_vec(), signer.public().to_string().into_bytes()];
    for (secret, name) in secrets.iter().flat_map(|secret| ["HS256", "ES256"].map(|name| (secret, name))) {
        let key = ring::hmac::Key::new(ring::hmac::HMAC_SHA256, secret);
        let sign = |text: &[u8]| ring::hmac::sign(&key, text).as_ref().to_vec();
        refused(&oidc, &signed(&json!({ "alg": name, "kid": "one" }), &claims(), sign)).await;
    }
    // The key of one way of signing is not tried by another.
    for name in ["RS256", "EdDSA"] {
        let token = signed(&json!({ "alg": name, "kid": "one" }), &claims(), |_| vec![0; 64]);
        assert!(refused(&oidc, &token).await.1.contains("none of its issuer's"));
    }
    assert_eq!(asked.asked(), 2);
}

#[tokio::test]
async fn a_key_that_is_not_known_is_looked_for_once_a_minute() {
    let (old, new) = (Signer::new("old"), Signer::new("new"));
    let issuer = Arc::new(Issuer::default());
    issuer.has(&[old.public()]);
    let oidc = at(Some("https://login.example.com/keys"), &issuer);
    let begun = Instant::now();
    let after = |seconds| begun + Duration::from_secs(seconds);
    assert!(oidc.subject(&old.sign(&claims()), begun).await.is_ok());
    let fresh = new.sign(&claims());
    for seconds in [0, 10, 59] {
        let why = oidc.subject(&fresh, after(seconds)).await.expect_err("not known").why;
        assert!(why.contains("none of its issuer's"), "{why}");
    }
    assert_eq!(issuer.asked(), 1);
    issuer.has(&[new.public()]);
    assert!(oidc.subject(&fresh, after(60)).await.is_ok());
    assert_eq!(issuer.asked(), 2);
    assert!(oidc.subject(&old.sign(&claims()), after(61)).await.is_err(), "it was taken back");
    assert!(oidc.subject(&fresh, after(3_600)).await.is_ok());
    assert_eq!(issuer.asked(), 2);
    // What was fetched too long ago is not believed: the issuer may have taken it back.
    issuer.has(&[old.public()]);
    assert!(oidc.subject(&fresh, after(3_700)).await.is_err());
    assert_eq!(issuer.asked(), 3);
    let for_others = new.sign(&with("aud", json!("another")));
    assert!(oidc.subject(&for_others, after(9_000)).await.is_err());
    assert_eq!(issuer.asked(), 3, "nobody is asked for a token that says that it is for others");
}

#[tokio::test]
async fn an_issuer_must_be_who_it_is_asked_for_and_behind_https() {
    let signer = Signer::new("one");
    let elsewhere = json!({ "issuer": ISSUER, "jwks_uri": "http://login.example.com/keys" });
    let other = json!({ "issuer": "https://evil.example.com", "jwks_uri": "https://login.example.com/keys" });
    for (about, keys, why) in [
        (elsewhere, json!([]), "not behind https"),
        (other, json!([]), "another name"),
        (json!({ "issuer": ISSUER }), json!([]), "where its keys are"),
        (
            json!({ "issuer": ISSUER, "jwks_uri": "https://login.example.com/keys" }),
            json!([{ "kty": "oct", "k": "AAAA" }]),
            "no keys",
        ),
        (json!("x".repeat(300 << 10)), json!([]), "too long"),
    ] {
        let (asked, oidc) = issuer(keys.as_array().expect("a list"));
        *asked.about.lock().expect("no panic") = about;
        for _ in 0..3 {
            let (status, said) = refused(&oidc, &signer.sign(&claims())).await;
            assert!(status == 503 && said.contains(why), "{said}, not {why}");
        }
        assert!(asked.asked() <= 2, "what failed is not asked for at once again");
    }
}

#[tokio::test]
async fn ed25519_signs_too() {
    let pkcs8 = Ed25519KeyPair::generate_pkcs8(&SystemRandom::new()).expect("a key");
    let pair = Ed25519KeyPair::from_pkcs8(pkcs8.as_ref()).expect("a key");
    let x = URL_SAFE_NO_PAD.encode(pair.public_key());
    let (_, oidc) = issuer(&[json!({ "kty": "OKP", "crv": "Ed25519", "x": x })]);
    for name in ["EdDSA", "Ed25519"] {
        let token = signed(&json!({ "alg": name }), &claims(), |text| pair.sign(text).as_ref().to_vec());
        assert_eq!(oidc.subject(&token, Instant::now()).await, Ok("ada".to_owned()));
    }
}

/// RFC 7515 §A.2: a key, what was signed, and its signature, by another's hand.
#[test]
fn rsa_signs_as_in_the_rfc() {
    let n = "ofgWCuLjybRlzo0tZWJjNiuSfb4p4fAkd_wWJcyQoTbji9k0l8W26mPddxHmfHQp-Vaw-4qPCJrcS2mJPMEzP1Pt0Bm4d4QlL-yRT-SFd2lZS-pCgNMsD1W_YpRPEwOWvG6b32690r2jZ47soMZo9wGzjb_7OMg0LOL-bSf63kpaSHSXndS5z5rexMdbBYUsLA9e-KXBdQOS-UTo7WTBEMa2R2CapHg665xsmtdVMTBQY4uDZlxvb3qCo5ZwKh9kG4LT6_I5IhlJH7aGhyxXFvUK-DWNmoudF8NAco9_h9iaGNj8q2ethFkMLs91kzk2PAcDTW9gb54h4FRWyuXpoQ";
    let signed = "eyJhbGciOiJSUzI1NiJ9.eyJpc3MiOiJqb2UiLA0KICJleHAiOjEzMDA4MTkzODAsDQogImh0dHA6Ly9leGFtcGxlLmNvbS9pc19yb290Ijp0cnVlfQ";
    let signature = "cC4hiUPoj9Eetdgtv3hF80EGrhuB__dzERat0XF9g2VtQgr9PJbu3XOiZj5RZmh7AAuHIm4Bh-0Qc_lF5YKt_O8W2Fp5jujGbds9uJdbF9CUAr7t1dnZcAcQjbKBYNX4BAynRFdiuB--f_nZLgrnbyTyWzO75vRK5h6xBArLIARNPvkSjtQBMHlb1L07Qe7K0GarZRmB_eSN9383LcOLn6_dO--xi12jzDwusC-eOkHWEsqtFZESc6BfI7noOPqvhJ1phCnvWh6IeYI2w9QOYEUipUTI8np6LbgGY9Fs98rqVt5AXLIhWkWywlVmtVrBp0igcN_IoypGlUPQGe77Rw";
    let key = json!({ "keys": [{ "kty": "RSA", "kid": "r", "alg": "RS256", "n": n, "e": "AQAB" }] });
    let keys = Key::all(&key);
    let key = Key::find(&keys, Some("r"), keys::Algorithm::Rs256).expect("it is there");
    let signature = URL_SAFE_NO_PAD.decode(signature).expect("base64");
    assert!(key.has_signed(signed.as_bytes(), &signature));
    assert!(
        !key.has_signed(&signed.as_bytes()[1..], &signature) && !key.has_signed(signed.as_bytes(), &signature[1..])
    );
    // A key for encryption, one of another way of signing, one without parts.
    for (name, value) in [("use", "enc"), ("alg", "PS256"), ("alg", "HS256"), ("n", "!"), ("kty", "oct")] {
        let mut key = json!({ "kty": "RSA", "n": n, "e": "AQAB" });
        key[name] = json!(value);
        assert!(Key::all(&json!({ "keys": [key] })).is_empty(), "{name}");
    }
}
