use super::*;

/// 2015-08-30 12:36:00, the time of the published test suite.
const SUITE: u64 = 1_440_938_160;
/// 2026-02-28 23:59:59.
const LATER: u64 = 1_772_323_199;

fn at(seconds: u64) -> SystemTime {
    SystemTime::UNIX_EPOCH + Duration::from_secs(seconds)
}

fn keys(token: Option<&str>) -> Credentials {
    Credentials {
        access_key: "AKIDEXAMPLE".into(),
        secret_key: "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY".into(),
        session_token: token.map(Secret::new),
    }
}

/// Signed headers and signature of a request.
fn signed(
    request: http::request::Builder,
    body: &str,
    token: Option<&str>,
    scope: (&str, &str),
    time: u64,
) -> (String, String) {
    let mut request = request.body(body.to_owned()).unwrap();
    let scope = Scope { region: scope.0, service: scope.1 };
    sign(&mut request, &keys(token), scope, at(time)).unwrap();
    assert!(!format!("{:?}", request.headers()).contains("Signature="), "the header is not shown");
    let value = request.headers()[AUTHORIZATION].to_str().unwrap().to_owned();
    let (_, rest) = value.split_once("SignedHeaders=").unwrap();
    let (headers, signature) = rest.split_once(", Signature=").unwrap();
    (headers.to_owned(), signature.to_owned())
}

fn suite(method: &str, path: &str) -> http::request::Builder {
    http::Request::builder().method(method).uri(format!("https://example.amazonaws.com{path}"))
}

/// Cases of AWS's published `aws-sig-v4-test-suite`.
#[test]
fn the_published_vectors_hold() {
    let scope = ("us-east-1", "service");
    let vanilla = "5fa00fa31553b73ebf1942676e86291e8372ff2a2260956d9b8aae1d763fbf31";
    let post_vanilla = "5da7c1a2acd57cee7505fc6676e4e544621c30862966e37dddb68e92efbe5d6b";
    let form = "ff11897932ad3f4e8b18135d722051e5ac45fc38421b1da7b9d196a0fe09473a";
    let cases: &[(&str, &str, Option<&str>, &str, &str)] = &[
        ("GET", "/", None, "", vanilla),
        (
            "GET",
            "/?Param2=value2&Param1=value1",
            None,
            "",
            "b97d918cfa904a5beff61c982a1b6f458b799221646efd99d3219ec94cdf2500",
        ),
        (
            "GET",
            "/?Param1=value2&Param1=Value1",
            None,
            "",
            "eedbc4e291e521cf13422ffca22be7d2eb8146eecf653089df300a15b2382bd1",
        ),
        ("GET", "/./", None, "", vanilla),
        ("GET", "//", None, "", vanilla),
        ("GET", "/example/..", None, "", vanilla),
        ("GET", "/./example", None, "", "ef75d96142cf21edca26f06005da7988e4f8dc83a165a80865db7089db637ec5"),
        ("GET", "//example//", None, "", "9a624bd73a37c9a373b5312afbebe7a714a789de108f0bdfe846570885f57e84"),
        ("POST", "/", None, "", post_vanilla),
        ("POST", "/", Some("application/x-www-form-urlencoded"), "Param1=value1", form),
    ];
    for (method, path, content_type, body, signature) in cases {
        let mut request = suite(method, path);
        if let Some(kind) = content_type {
            request = request.header("content-type", *kind);
        }
        assert_eq!(signed(request, body, None, scope, SUITE).1, *signature, "{method} {path}");
    }
    // `get-header-value-trim` and `get-header-value-multiline`'s rule: blanks around and inside are one.
    let trimmed = suite("GET", "/").header("my-header1", " value1").header("my-header2", " \"a   b   c\"");
    let (headers, signature) = signed(trimmed, "", None, scope, SUITE);
    assert_eq!(headers, "host;my-header1;my-header2;x-amz-date");
    assert_eq!(signature, "acc3ed3afb60bb290fc8d2dd0098b9911fcaa05412b367055dee359757a9c736");
    let twice = suite("GET", "/").header("my-header1", "value2").header("my-header1", "value2");
    let (_, signature) = signed(twice.header("my-header1", "value1"), "", None, scope, SUITE);
    assert_eq!(signature, "c9d5ea9f3f72853aea855b47ea873832890dbdd183b4468f858259531a5138ea");
    // `get-utf8` and `get-space`, whose paths no `http::Uri` can hold.
    assert_eq!(canonical_path("/ሴ"), "/%E1%88%B4");
    assert_eq!(canonical_path("/example space/"), "/example%20space/");
    assert_eq!(canonical_path(""), "/");
    assert_eq!(canonical_query("-._~0A=-._~0a&ሴ=bar"), "%E1%88%B4=bar&-._~0A=-._~0a");
}

/// Signatures that botocore 1.44 makes of the same requests.
#[test]
fn botocore_signs_alike() {
    let claude = "us.anthropic.claude-sonnet-4-5-20250929-v1%3A0";
    let profile = format!("arn%3Aaws%3Abedrock%3Aus-east-1%3A123456789012%3Ainference-profile%2F{claude}");
    let bedrock = |model: &str, operation: &str| {
        let uri = format!("https://bedrock-runtime.eu-west-3.amazonaws.com/model/{model}/{operation}");
        http::Request::post(uri).header("content-type", "application/json")
    };
    let scope = ("eu-west-3", "bedrock");
    let (headers, signature) = signed(bedrock(claude, "converse"), r#"{"messages":[]}"#, None, scope, LATER);
    assert_eq!(headers, "content-type;host;x-amz-date");
    assert_eq!(signature, "0a72ed4f0f20f305a6112273e280826d2d6e9e2ca83aa4f68c28bfa7c35ac86f");
    let request = bedrock(&profile, "converse-stream").header("user-agent", "x").header("authorization", "Bearer y");
    let (headers, signature) = signed(request, r#"{"messages":[]}"#, Some("SESSION/TOKEN=="), scope, LATER);
    assert_eq!(headers, "content-type;host;x-amz-date;x-amz-security-token");
    assert_eq!(signature, "4e338e5db7d78e9297e17b18f682060dc99fb1757446e1d832928e6d7b6adfbe");
    let odd = http::Request::post("http://localhost:8080/a/./b//../c%20d/~x/?b=2&a=%2F&a=1&c");
    let (headers, signature) =
        signed(odd.header("x-thing", "  a   b "), "x", Some("T"), ("us-east-1", "bedrock"), LATER);
    assert_eq!(headers, "host;x-amz-date;x-amz-security-token;x-thing");
    assert_eq!(signature, "34ffdbd2ff8840b7505390d9661d152cd571e6df46c95425d6af6107fd1b9d3d");
}

/// RFC 4231, test cases 1, 2 and 6 (a key longer than a block).
#[test]
fn hmac_is_the_rfcs() {
    let cases: &[(&[u8], &[u8], &str)] = &[
        (&[0x0b; 20], b"Hi There", "b0344c61d8db38535ca8afceaf0bf12b881dc200c9833da726e9376c2e32cff7"),
        (b"Jefe", b"what do ya want for nothing?", "5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843"),
        (
            &[0xaa; 131],
            b"Test Using Larger Than Block-Size Key - Hash Key First",
            "60e431591ee0b67f0d8a26aacbf5b77f8e0bc6213728c5140546040f0ee37f54",
        ),
    ];
    for (key, message, expected) in cases {
        assert_eq!(hex(&hmac(key, message)), *expected);
    }
}

#[test]
fn times_are_written_as_dates() {
    let cases = [
        (0, "19700101T000000Z"),
        (SUITE, "20150830T123600Z"),
        (951_782_400, "20000229T000000Z"),
        (LATER, "20260228T235959Z"),
        (LATER + 1, "20260301T000000Z"),
        (1_798_761_599, "20261231T235959Z"),
    ];
    for (seconds, expected) in cases {
        assert_eq!(stamp(at(seconds)).unwrap(), expected);
    }
    let early = SystemTime::UNIX_EPOCH.checked_sub(Duration::from_secs(1)).unwrap();
    assert_eq!(stamp(early).unwrap_err().kind(), ErrorKind::Configuration);
}

#[test]
fn keys_do_not_show_and_bad_ones_are_said() {
    assert!(!format!("{:?}", keys(Some("session-token-value"))).contains("EXAMPLEKEY"));
    let mut request = suite("GET", "/").body("").unwrap();
    let broken = Credentials { access_key: "AK\nID".into(), ..keys(None) };
    let scope = Scope { region: "r", service: "s" };
    let error = sign(&mut request, &broken, scope, at(SUITE)).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Configuration);
    assert!(!request.headers().contains_key(AUTHORIZATION));
}
