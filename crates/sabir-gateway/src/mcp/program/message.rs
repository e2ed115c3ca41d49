//! What of a message of JSON-RPC is read: its kind, its id and its method. All else is handed on as it came.

use std::borrow::Cow;

use bytes::Bytes;
use serde::{Deserialize, Deserializer};
use serde_json::Value;
use serde_json::value::RawValue;

/// The id of a request, as JSON: `1` and `"1"` are two.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Id(String);

/// One message.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Message {
    Request {
        id: Id,
        method: String,
    },
    Notification,
    /// An answer; `error` is the code of one that is an error.
    Answer {
        id: Id,
        error: Option<i64>,
    },
}

#[derive(Deserialize)]
struct Envelope<'a> {
    #[serde(borrow, default, deserialize_with = "there")]
    id: Option<&'a RawValue>,
    #[serde(borrow)]
    method: Option<Cow<'a, str>>,
    #[serde(borrow, default, deserialize_with = "there")]
    result: Option<&'a RawValue>,
    #[serde(borrow, default, deserialize_with = "there")]
    error: Option<&'a RawValue>,
}

/// A field that is there, though it be `null`.
fn there<'de, D: Deserializer<'de>>(value: D) -> Result<Option<&'de RawValue>, D::Error> {
    <&RawValue>::deserialize(value).map(Some)
}

#[derive(Deserialize)]
struct Failure {
    code: i64,
}

impl Id {
    /// Its JSON.
    pub(super) fn json(&self) -> &str {
        &self.0
    }

    fn of(raw: &RawValue) -> Option<Self> {
        let value: Value = serde_json::from_str(raw.get()).ok()?;
        let is_whole = value.is_i64() || value.is_u64();
        (is_whole || value.is_string()).then(|| Self(value.to_string()))
    }
}

impl Message {
    /// Reads one, or says why it is none.
    pub(super) fn read(text: &str) -> Result<Self, &'static str> {
        if text.trim_start().starts_with('[') {
            return Err("several messages at once are not taken; send each by itself");
        }
        let envelope: Envelope<'_> = serde_json::from_str(text).map_err(|_| "this is no message of JSON-RPC")?;
        let id = match envelope.id.map(Id::of) {
            Some(None) => return Err("the id of a message is a whole number or a string"),
            Some(id) => id,
            None => None,
        };
        match (envelope.method, id) {
            (Some(method), Some(id)) => Ok(Self::Request { id, method: method.into_owned() }),
            (Some(_), None) => Ok(Self::Notification),
            (None, Some(id)) if envelope.result.is_some() != envelope.error.is_some() => {
                let code = |error: &RawValue| serde_json::from_str(error.get()).map_or(0, |Failure { code }| code);
                Ok(Self::Answer { id, error: envelope.error.map(code) })
            }
            _ => Err("a message of JSON-RPC has a method, or the id of a request and its result or error"),
        }
    }
}

/// A message that was read as one, in one line with its end: where JSON has line breaks, spaces mean the same.
pub(super) fn line(message: &str) -> Bytes {
    let mut line = flat(message.trim());
    line.push(b'\n');
    line.into()
}

/// A message as an event of a stream.
pub(super) fn event(message: &[u8]) -> Bytes {
    let mut event = Vec::with_capacity(message.len() + 24);
    event.extend_from_slice(b"event: message\ndata: ");
    event.extend_from_slice(message);
    event.extend_from_slice(b"\n\n");
    event.into()
}

/// Without line breaks.
pub(super) fn flat(message: &str) -> Vec<u8> {
    let space = |byte| if matches!(byte, b'\n' | b'\r') { b' ' } else { byte };
    message.bytes().map(space).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn id(json: &str) -> Id {
        Id(json.to_owned())
    }

    #[test]
    fn kinds_are_told_apart() {
        let request = |id: Id| Message::Request { id, method: "m".to_owned() };
        for (text, message) in [
            (r#"{"jsonrpc":"2.0","id":1,"method":"m"}"#, request(id("1"))),
            (r#" {"params":{"id":[2]},"id":"1\u0041","method":"\u006d"} "#, request(id(r#""1A""#))),
            (r#"{"id":18446744073709551615,"method":"m"}"#, request(id("18446744073709551615"))),
            (r#"{"method":"notifications/x"}"#, Message::Notification),
            (r#"{"id":-3,"result":null}"#, Message::Answer { id: id("-3"), error: None }),
            (r#"{"id":"a","error":{"code":-32601,"message":"?"}}"#, {
                Message::Answer { id: id(r#""a""#), error: Some(-32601) }
            }),
            (r#"{"id":"a","error":"no object"}"#, Message::Answer { id: id(r#""a""#), error: Some(0) }),
        ] {
            assert_eq!(Message::read(text), Ok(message), "{text}");
        }
    }

    #[test]
    fn what_is_no_message_is_refused() {
        for text in [
            "",
            "x",
            "1",
            "{}",
            r#"[{"method":"m"}]"#,
            r#"{"id":null,"method":"m"}"#,
            r#"{"id":1.5,"method":"m"}"#,
            r#"{"id":{},"method":"m"}"#,
            r#"{"id":1}"#,
            r#"{"result":1}"#,
            r#"{"id":1,"result":1,"error":{}}"#,
            r#"{"id":1,"id":2,"method":"m"}"#,
            r#"{"id":1,"method":"m","params":{"a":}}"#,
            r#"{"id":1,"method":"m"} {"id":2,"method":"m"}"#,
            "{\"id\":1,\"method\":\"m\",\"params\":\"\n\"}",
        ] {
            assert!(Message::read(text).is_err(), "{text}");
        }
    }

    #[test]
    fn a_message_is_one_line_and_says_the_same() {
        let text = "{\r\n  \"id\": 1,\n  \"method\": \"m\", \"params\": {\"a\": \"\\n ü\"}\r\n}\n";
        let line = line(text);
        assert_eq!(line.iter().position(|byte| matches!(byte, b'\n' | b'\r')), Some(line.len() - 1));
        let read = |bytes: &[u8]| serde_json::from_slice::<Value>(bytes).expect("JSON");
        assert_eq!(read(&line), read(text.as_bytes()));
        assert_eq!(event(b"{}"), "event: message\ndata: {}\n\n");
    }
}
