//! Values of Rust types, taken out of the answers of a simulated model.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};

use bytes::Bytes;
use sabir::chat::{ChatRequest, FinishReason};
use sabir::extract::{Way, schema_of};
use sabir::transport::{Body, BoxFuture};
use sabir::{Client, Env, ErrorKind, Transport};
use sabir_sim::{Answer, Loopback, Script, Simulator, Turn};
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
    let client = client([Turn::answer(Answer::default().tool_call(name, given.clone()))]);
    let extracted = client.extraction::<T>(ChatRequest::default().user("x")).way(Way::Tool).send().await;
    assert_eq!(extracted.expect("a value").value, value, "{schema}");
    for published in PUBLISHED {
        natively(published, &value, &given.to_string(), &schema).await;
    }
}

/// What a provider's own page says of the schemas that it takes for an answer, and where its requests have them.
struct Published {
    provider: &'static str,
    place: &'static str,
    /// Every object says that it has no other properties.
    closed: bool,
    /// Every property is required.
    all_required: bool,
    recursion: bool,
    refused: &'static [&'static str],
}

const PUBLISHED: &[Published] = &[
    // OpenAI, "Structured model outputs": supported schemas.
    Published {
        provider: "openai",
        place: "/response_format/json_schema/schema",
        closed: true,
        all_required: true,
        recursion: true,
        refused: &["allOf", "oneOf", "not", "if", "then", "else", "dependentRequired", "dependentSchemas"],
    },
    Published {
        provider: "openai:responses",
        place: "/text/format/schema",
        closed: true,
        all_required: true,
        recursion: true,
        refused: &["allOf", "oneOf", "not", "if", "then", "else", "dependentRequired", "dependentSchemas"],
    },
    // Anthropic, "Structured outputs": JSON Schema limitations.
    Published {
        provider: "anthropic",
        place: "/output_config/format/schema",
        closed: true,
        all_required: false,
        recursion: false,
        refused: &["minimum", "maximum", "multipleOf", "minLength", "maxLength", "not", "if", "uniqueItems"],
    },
    // Google, "Structured output": JSON Schema support.
    Published {
        provider: "gemini",
        place: "/generationConfig/responseJsonSchema",
        closed: false,
        all_required: false,
        recursion: true,
        refused: &["not", "if", "then", "else", "dependentRequired"],
    },
    // Cohere, "Structured outputs": unsupported schema features.
    Published {
        provider: "cohere",
        place: "/response_format/json_schema",
        closed: false,
        all_required: false,
        recursion: true,
        refused: &["allOf", "oneOf", "not", "minimum", "maximum", "minItems", "maxItems", "minLength", "maxLength"],
    },
    // Ollama makes a grammar of it, whatever it is.
    Published {
        provider: "ollama",
        place: "/format",
        closed: false,
        all_required: false,
        recursion: true,
        refused: &[],
    },
    // Mistral, "Custom structured outputs", as OpenAI's.
    Published {
        provider: "mistral",
        place: "/response_format/json_schema/schema",
        closed: true,
        all_required: false,
        recursion: true,
        refused: &["allOf", "oneOf", "not", "if"],
    },
    // Amazon Bedrock, "Structured outputs": as Anthropic's; the schema travels as text.
    Published {
        provider: "bedrock",
        place: "/outputConfig/textFormat/structure/jsonSchema/schema",
        closed: true,
        all_required: false,
        recursion: false,
        refused: &["minimum", "maximum", "multipleOf", "minLength", "maxLength", "not", "if", "uniqueItems"],
    },
];

/// Keeps the last request's body.
#[derive(Debug)]
struct Kept(Loopback, Arc<Mutex<Value>>);

impl Transport for Kept {
    fn send(&self, request: http::Request<Bytes>) -> BoxFuture<'_, sabir::Result<http::Response<Body>>> {
        *self.1.lock().expect("not poisoned") = serde_json::from_slice(request.body()).expect("JSON");
        self.0.send(request)
    }
}

/// In a provider's own way, over its own dialect: where the type has such a schema at all, what is sent keeps to what
/// the provider publishes, and the value comes out as it was.
async fn natively<T>(published: &Published, value: &T, given: &str, schema: &Value)
where
    T: Serialize + for<'de> Deserialize<'de> + JsonSchema + PartialEq + std::fmt::Debug,
{
    let Published { provider, place, .. } = published;
    let sent = Arc::new(Mutex::new(Value::Null));
    let simulator = Simulator::scripted(Script::new().strict().turn(Turn::text(given)));
    let env = Env::from_iter([("AWS_REGION", "us-east-1")]);
    let builder = Client::builder().env(env).provider(*provider).model("model").key("key");
    let client = builder.transport(Kept(Loopback::new(simulator), sent.clone())).build().expect("a client");
    match client.extraction::<T>("x").way(Way::Schema).send().await {
        Ok(extracted) => assert_eq!(extracted.value, *value, "{provider}: {schema}"),
        // An open set of properties, or a schema that leads back to itself.
        Err(error) if error.kind() == ErrorKind::Unsupported && published.closed => return,
        Err(error) => panic!("{provider}: {error}: {schema}"),
    }
    let sent = sent.lock().expect("not poisoned");
    let schema = sent.pointer(place).unwrap_or_else(|| panic!("{provider}: no schema at {place}: {sent}"));
    let text = schema.as_str().map(|text| serde_json::from_str(text).expect("a schema"));
    let schema = text.as_ref().unwrap_or(schema);
    keeps_to(published, schema);
    let leads_back = schema["$defs"]
        .as_object()
        .into_iter()
        .flatten()
        .any(|(name, definition)| definition.to_string().contains(&format!("\"#/$defs/{name}\"")));
    assert!(published.recursion || !leads_back, "{provider}: {schema}");
}

fn keeps_to(published: &Published, schema: &Value) {
    let Value::Object(fields) = schema else { return };
    let provider = published.provider;
    for word in published.refused {
        assert!(!fields.contains_key(*word), "{provider} takes no {word}: {schema}");
    }
    if let Some(properties) = fields.get("properties").and_then(Value::as_object) {
        assert!(
            !published.closed || fields.get("additionalProperties") == Some(&Value::Bool(false)),
            "{provider}: {schema}"
        );
        let required = fields.get("required").and_then(Value::as_array).map_or(0, Vec::len);
        assert!(!published.all_required || required == properties.len(), "{provider}: {schema}");
        properties.values().for_each(|inner| keeps_to(published, inner));
    }
    for inner in ["items", "additionalProperties"] {
        fields.get(inner).into_iter().for_each(|inner| keeps_to(published, inner));
    }
    for list in ["anyOf", "oneOf", "allOf", "prefixItems"] {
        let all = fields.get(list).and_then(Value::as_array).into_iter().flatten();
        all.for_each(|inner| keeps_to(published, inner));
    }
    let definitions = fields.get("$defs").and_then(Value::as_object).into_iter().flatten();
    definitions.for_each(|(_, inner)| keeps_to(published, inner));
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

#[tokio::test]
async fn a_schema_that_is_known_only_now_holds_as_that_of_a_type() {
    let schema = json!({ "type": "array", "items": { "type": "integer" } });
    let client = client([Turn::text(r#"{"value": [1, "2"]}"#), Turn::text(r#"{"value": [1, 2]}"#)]);
    let extracted = client.extraction_by("numbers", schema, "Two numbers.").expect("a schema").send().await;
    let extracted = extracted.expect("a value");
    assert_eq!((extracted.value, extracted.answers.len()), (json!([1, 2]), 2), "what is no object comes out of one");
    let wrong = client.extraction_by("numbers", json!({ "type": "nmber" }), "x").expect_err("no schema");
    assert_eq!(wrong.kind(), ErrorKind::InvalidRequest);
    assert!(wrong.message().starts_with("this is no JSON Schema: "), "{wrong}");
}
