use super::*;

#[test]
fn given_fields_win_and_nulls_leave_out() {
    let given = serde_json::json!({"b": 2, "c": null, "d": 3});
    let mut out = Vec::new();
    let mut object = Object::with(&mut out, given.as_object());
    object.field("a", &1).field("b", &1).field("c", &1).some("e", None::<u8>);
    object.end();
    assert_eq!(out, br#"{"a":1,"b":2,"d":3}"#);
}

#[test]
fn fields_say_where_they_are_wrong_and_never_what() {
    let body = br#"{"a": "x", "b": [{"c": "secret"}], "n": null, "t": 2.0, "a": "y"}"#;
    let mut fields = Fields::of_request(body).expect("an object");
    assert_eq!(fields.text("a").expect("a string").as_deref(), Some("y"), "the last one counts");
    assert_eq!(fields.text("n").expect("null is nothing"), None);
    assert_eq!(fields.count("t"), Some(2));
    let mut inner = fields.objects("b").expect("objects");
    let wrong = inner[0].get::<u64>("c").expect_err("no number").within("b[0]");
    assert_eq!(wrong.to_string(), "b[0].c: invalid type: a string, expected u64");
    assert_eq!(count_of("-1"), None);
    assert_eq!(count_of("1e300"), None);
    assert!(Fields::of_request(b"[]").is_err() && Fields::of_answer(b" ").is_err());
}

#[test]
fn words_of_a_body_without_json() {
    let say = |body: &str| plain_words(StatusCode::BAD_GATEWAY, body.as_bytes());
    assert_eq!(say("<html><TITLE>\n502 Bad</TITLE>"), "502 Bad");
    assert_eq!(say("\n too much\nmore"), "too much");
    assert_eq!(say(""), "HTTP 502 with an empty body");
    assert!(say(&"é".repeat(400)).chars().count() == LONGEST + 1);
}
