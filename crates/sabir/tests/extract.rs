//! Values of Rust types, taken out of the answers of a simulated model.

use std::collections::BTreeMap;

use sabir::chat::{ChatRequest, FinishReason};
use sabir::extract::{Way, schema_of};
use sabir::{Client, ErrorKind};
use sabir_sim::{Answer, Script, Simulator, Turn};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

fn client(turns: impl IntoIterator<Item = Turn>) -> Client {
    let script = turns.into_iter().fold(Script::new().strict(), Script::turn);
    let builder = Client::builder().service("sim", Simulator::scripted(script)).model("sim/model");
    builder.build().expect("a client")
}

#[derive(Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
struct Person {
    name: String,
    /// In years.
    #[schemars(range(max = 130))]
    age: Option<u8>,
    #[serde(default)]
    tags: Vec<String>,
}

fn ada() -> Person {
    Person { name: "Ada".into(), age: Some(36), tags: Vec::new() }
}

#[tokio::test]
async fn a_value_comes_out_in_every_way() {
    let json = r#"{"name": "Ada", "age": 36, "tags": null}"#;
    let ways = [
        (Way::Schema, Turn::text(json)),
        (Way::Tool, Turn::answer(Answer::default().tool_call("Person", serde_json::from_str(json).expect("JSON")))),
        (Way::Words, Turn::text(format!("Here you are:\n```json\n{json}\n```"))),
    ];
    for (way, turn) in ways {
        let client = client([turn]);
        let extracted = client.extraction::<Person>("Ada, 36").way(way).send().await.expect("a value");
        assert_eq!((extracted.value, extracted.way, extracted.answers.len()), (ada(), way, 1));
    }
}

#[tokio::test]
async fn a_model_is_told_what_was_wrong_and_asked_once_more() {
    let wrong = Turn::text(r#"{"name": 1, "age": 131}"#);
    let client = client([wrong, Turn::text(r#"{"name": "Ada", "age": 36}"#).when_user("/name: 1 is not of type")]);
    let extracted = client.extraction::<Person>("Ada, 36").send().await.expect("a value");
    assert_eq!((extracted.value, extracted.answers.len()), (ada(), 2));
}

#[tokio::test]
async fn what_is_wrong_is_said_and_the_answer_is_not_lost() {
    let client = client([Turn::text(r#"{"age": 200}"#)]);
    let error = client.extraction::<Person>("Ada").retries(0).send().await.expect_err("not a person");
    assert_eq!(error.kind(), ErrorKind::Decode);
    let message = error.message();
    assert!(message.starts_with("the answer is not the Person that was asked for: "), "{message}");
    assert!(
        message.contains("\"name\" is a required property") && message.contains("/age: 200 is greater"),
        "{message}"
    );
    assert_eq!(error.partial().expect("the answer").text(), r#"{"age": 200}"#);
}

#[tokio::test]
async fn a_cut_answer_is_not_asked_for_again() {
    let client = client([Turn::answer(Answer::text(r#"{"name": "Ada", "a"#).finish(FinishReason::Length))]);
    let error = client.extract::<Person>("Ada").await.expect_err("cut off");
    assert!(error.message().contains("cut off (length)"), "{error}");
}

#[tokio::test]
async fn a_value_grows_while_it_streams() {
    let client = client([Turn::text(r#"{"name": "Ada", "age": 36, "tags": ["one", "two"]}"#)]);
    let mut stream = client.extraction::<Person>("Ada").stream().await.expect("a stream");
    let mut seen: Vec<Value> = Vec::new();
    while let Some(so_far) = stream.next().await.expect("no error") {
        seen.push(so_far);
    }
    assert!(seen.len() > 2, "{seen:?}");
    assert_eq!(seen.last().expect("a value")["tags"], json!(["one", "two"]));
    let value = stream.finish().await.expect("a value").value;
    assert_eq!(value.tags, ["one", "two"]);
}

#[tokio::test]
async fn other_values_than_objects_are_wrapped_and_unwrapped() {
    let client = client([Turn::text(r#"{"value": ["a", "b"]}"#), Turn::text(r#"{"value": 7}"#)]);
    assert_eq!(client.extract::<Vec<String>>("letters").await.expect("a list"), ["a", "b"]);
    assert_eq!(client.extract::<u8>("seven").await.expect("a number"), 7);
}

#[derive(Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(tag = "kind", rename_all = "snake_case")]
enum Shape {
    Circle { radius: f64 },
    Box { width: f64, height: f64 },
    Nothing,
}

#[derive(Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
enum Untagged {
    Unit,
    One(u32),
    Named { x: i8 },
}

#[derive(Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
struct Tree {
    label: String,
    #[serde(default)]
    children: Vec<Tree>,
}

#[derive(Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
struct Nested {
    person: Person,
    boss: Option<Box<Person>>,
    by_name: BTreeMap<String, Shape>,
}

#[derive(Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
struct Event {
    /// RFC 3339.
    #[schemars(extend("format" = "date-time"))]
    at: String,
    #[schemars(extend("format" = "date"))]
    day: String,
}

#[derive(Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
struct Bounded {
    #[schemars(range(min = 1, max = 5))]
    stars: u8,
    #[schemars(length(min = 2, max = 8))]
    word: String,
    #[schemars(length(max = 3))]
    few: Vec<i32>,
}

#[derive(Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
enum Level {
    VeryLow,
    High,
}

#[derive(Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
struct Tuple(u8, String);

#[derive(Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
struct Wrapper(String);

/// A value of a type, given by a model in every way, comes out as it was.
async fn there_and_back<T>(value: T)
where
    T: Serialize + for<'de> Deserialize<'de> + JsonSchema + PartialEq + std::fmt::Debug,
{
    let json = serde_json::to_value(&value).expect("JSON");
    let schema = schema_of::<T>();
    let is_object = schema["type"] == "object" && schema.get("properties").is_some();
    let given = if is_object { json } else { json!({ "value": json }) };
    for way in [Way::Schema, Way::Words] {
        let client = client([Turn::text(given.to_string())]);
        let extracted = client.extraction::<T>("x").way(way).send().await;
        assert_eq!(extracted.expect("a value").value, value, "{schema}");
    }
    let name = T::schema_name().chars().map(|c| if c.is_ascii_alphanumeric() { c } else { '_' }).collect::<String>();
    let client = client([Turn::answer(Answer::default().tool_call(name, given))]);
    let extracted = client.extraction::<T>(ChatRequest::default().user("x")).way(Way::Tool).send().await;
    assert_eq!(extracted.expect("a value").value, value, "{schema}");
}

#[tokio::test]
async fn twenty_types_come_out_as_they_were() {
    there_and_back(ada()).await;
    there_and_back(Shape::Box { width: 1.5, height: 2.0 }).await;
    there_and_back(Shape::Nothing).await;
    there_and_back(Untagged::Unit).await;
    there_and_back(Untagged::One(4)).await;
    there_and_back(Untagged::Named { x: -1 }).await;
    let leaf = |label: &str| Tree { label: label.into(), children: Vec::new() };
    there_and_back(Tree { label: "a".into(), children: vec![leaf("b"), leaf("c")] }).await;
    let shapes = BTreeMap::from([("round".to_owned(), Shape::Circle { radius: 1.0 })]);
    there_and_back(Nested { person: ada(), boss: Some(Box::new(ada())), by_name: shapes }).await;
    there_and_back(Nested { person: ada(), boss: None, by_name: BTreeMap::new() }).await;
    there_and_back(Event { at: "2026-11-21T10:00:00Z".into(), day: "2026-11-21".into() }).await;
    there_and_back(Bounded { stars: 5, word: "ok".into(), few: vec![1] }).await;
    there_and_back(Level::VeryLow).await;
    there_and_back(Tuple(1, "a".into())).await;
    there_and_back(Wrapper("x".into())).await;
    there_and_back(vec![ada()]).await;
    there_and_back(BTreeMap::from([("a".to_owned(), 1_u8)])).await;
    there_and_back(Some(3.5_f64)).await;
    there_and_back(None::<String>).await;
    there_and_back(true).await;
    there_and_back("text".to_owned()).await;
    there_and_back((1_u8, vec![false])).await;
    there_and_back(json!({"free": ["form", 1, null]})).await;
}
