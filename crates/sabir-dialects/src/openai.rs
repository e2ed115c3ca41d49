//! What OpenAI's dialects say in the same way: forms of the answer, citations, counters.

use sabir_core::Feature;
use sabir_core::chat::{Citation, Content, Part, ResponseFormat, Usage};
use sabir_core::schema::SchemaRules;
use serde_json::{Map, Value, json};

use crate::json::count_of;
use crate::shared::Losses;

/// An object of a type; Chat Completions repeats the type as the name of the field that has all else in it.
pub(crate) fn tagged(kind: &str, fields: Map<String, Value>, is_nested: bool) -> Value {
    let mut json = Map::from_iter([("type".to_owned(), kind.into())]);
    if is_nested {
        json.insert(kind.to_owned(), fields.into());
    } else {
        json.extend(fields);
    }
    json.into()
}

/// What such an object says, of either form.
pub(crate) fn untagged<'j>(json: &'j Value, kind: &str) -> &'j Value {
    json.get(kind).filter(|inner| inner.is_object()).unwrap_or(json)
}

/// Whether an object has no fields but these.
fn has_only(json: &Value, known: &[&str]) -> bool {
    json.as_object().is_some_and(|fields| fields.keys().all(|key| known.contains(&key.as_str())))
}

/// The name of a schema that has none: a word that nobody gives as one.
const NAMELESS: &str = "unnamed";

/// A form of the answer; `None` for one that has no word in the vocabulary.
///
/// A `json_object` may have its schema beside it: under `schema` (llama.cpp's server, "POST /v1/chat/completions";
/// Together, Fireworks), or under `value` (Text Generation Inference, as Hugging Face's own client asks).
pub(crate) fn read_format(json: &Value) -> Option<ResponseFormat> {
    let kind = json.get("type")?.as_str()?;
    let inner = untagged(json, kind);
    if kind == "json_object"
        && let Some(schema) = ["schema", "value"].iter().find_map(|key| json.get(*key)).filter(|json| json.is_object())
    {
        let (name, schema) = (String::new(), schema.clone());
        let read = || ResponseFormat::JsonSchema { name, schema, description: None, strict: None };
        return json.as_object().is_some_and(|fields| fields.len() == 2).then(read);
    }
    let known: &[&str] = match kind {
        "json_schema" => &["type", kind, "name", "schema", "description", "strict"],
        _ => &["type"],
    };
    if !has_only(inner, known) || !has_only(json, known) {
        return None;
    }
    let text = |field: &str| inner.get(field).and_then(Value::as_str).map(str::to_owned);
    match kind {
        "text" => Some(ResponseFormat::Text),
        "json_object" => Some(ResponseFormat::Json),
        "json_schema" => Some(ResponseFormat::JsonSchema {
            name: text("name").filter(|name| name != NAMELESS).unwrap_or_default(),
            schema: inner.get("schema")?.clone(),
            description: text("description"),
            strict: inner.get("strict").and_then(Value::as_bool),
        }),
        _ => None,
    }
}

/// Writes a form of the answer.
pub(crate) fn write_format(format: &ResponseFormat, is_nested: bool) -> Value {
    match format {
        ResponseFormat::Json => json!({"type": "json_object"}),
        ResponseFormat::JsonSchema { name, schema, description, strict } => {
            let mut fields = Map::new();
            // OpenAI wants a name; dialects without one leave it empty.
            put(&mut fields, "name", Some(if name.is_empty() { NAMELESS } else { name.as_str() }));
            put(&mut fields, "description", description.as_deref());
            put(&mut fields, "schema", Some(schema.clone()));
            put(&mut fields, "strict", *strict);
            tagged("json_schema", fields, is_nested)
        }
        _ => json!({"type": "text"}),
    }
}

/// Puts a field, if it has a value.
pub(crate) fn put(fields: &mut Map<String, Value>, name: &str, value: Option<impl Into<Value>>) {
    if let Some(value) = value {
        fields.insert(name.to_owned(), value.into());
    }
}

/// The kinds of citations that OpenAI has.
const CITATIONS: &[&str] = &["url_citation", "file_citation", "container_file_citation", "file_path"];

/// Reads a citation.
pub(crate) fn read_citation(json: Value) -> Part {
    let cited = untagged(&json, "url_citation");
    let text = |name: &str| cited.get(name)?.as_str().filter(|text| !text.is_empty()).map(str::to_owned);
    let at = |name: &str| cited.get(name).and_then(Value::as_u64);
    let (url, quote) = (text("url"), text("content"));
    // Nor is the address a title: what is written where there is none, as clients want one.
    let title = text("title").or_else(|| text("filename")).filter(|title| Some(title) != url.as_ref());
    // From 0 to 0 is nowhere: what servers write that do not know.
    let span = at("start_index").zip(at("end_index")).filter(|span| *span != (0, 0));
    Content::Citation(Citation { url, title, quote, span, json }).into()
}

/// Writes a citation; `None` for one without an address. Clients want all fields of one to be there.
pub(crate) fn write_citation(citation: &Citation, is_nested: bool) -> Option<Value> {
    let said = &citation.json;
    let is_own = |kind: &str| CITATIONS.contains(&kind) && said.get(kind).is_some() == is_nested;
    // What came in this form goes as it came.
    if said["type"].as_str().is_some_and(is_own) {
        return Some(said.clone());
    }
    let url = citation.url.as_ref()?;
    let (start, end) = citation.span.unwrap_or_default();
    let title = citation.title.as_ref().unwrap_or(url).as_str();
    let quote = citation.quote.as_deref().filter(|_| is_nested).map(|quote| ("content", quote.into()));
    let fields: [(&str, Value); 4] = [
        ("url", url.as_str().into()),
        ("title", title.into()),
        ("start_index", start.into()),
        ("end_index", end.into()),
    ];
    let cited = fields.into_iter().chain(quote).map(|(field, value)| (field.to_owned(), value));
    Some(tagged("url_citation", cited.collect(), is_nested))
}

/// Takes the counters apart: the input contains what was cached, the output what was thought. `names`: what the
/// format calls the two.
pub(crate) fn read_usage(json: &Value, names: [&str; 2]) -> Usage {
    let [input, output] = names.map(|name| move |field: &str| count(&json[format!("{name}_tokens_details")][field]));
    let mut usage = Usage::default();
    (usage.cache_read, usage.cache_write) = (input("cached_tokens"), input("cache_write_tokens"));
    (usage.audio_input, usage.image_input) = (input("audio_tokens"), input("image_tokens"));
    usage.reasoning = output("reasoning_tokens");
    (usage.audio_output, usage.image_output) = (output("audio_tokens"), output("image_tokens"));
    let [input, output] = names.map(|name| count(&json[format!("{name}_tokens")]));
    usage.input_from_total(input);
    usage.output_from_total(output);
    usage
}

/// A counter that may be written with a fraction.
pub(crate) fn count(json: &Value) -> Option<u64> {
    json.as_u64().or_else(|| count_of(&json.to_string()))
}

/// The counters that are known; `None` where neither total is. Of the details those that are `kept` are said; the rest
/// is in the totals only.
pub(crate) fn write_usage(usage: &Usage, names: [&str; 2], kept: &[&str], losses: &mut Losses) -> Option<Value> {
    let totals = [usage.input_total(), usage.output_total()];
    if totals == [None, None] {
        return None;
    }
    let mut json = Map::new();
    for ((name, bucket), count) in names.into_iter().zip(["input", "output"]).zip(totals) {
        if count.is_none() {
            losses.lose(Feature::Usage, format!("usage.{bucket}"), "not known; a number must be said, which is 0");
        }
        json.insert(format!("{name}_tokens"), count.unwrap_or(0).into());
    }
    let total = totals.into_iter().flatten().fold(0, u64::saturating_add);
    json.insert("total_tokens".to_owned(), total.into());
    let written = [usage.cache_write, usage.cache_write_1h].into_iter().flatten().reduce(u64::saturating_add);
    let [input, output] = names;
    let details = [
        (input, "cached_tokens", "cache_read", usage.cache_read),
        (input, "cache_write_tokens", "cache_write", written),
        (input, "audio_tokens", "audio_input", usage.audio_input),
        (input, "image_tokens", "image_input", usage.image_input),
        (output, "reasoning_tokens", "reasoning", usage.reasoning),
        (output, "audio_tokens", "audio_output", usage.audio_output),
        (output, "image_tokens", "image_output", usage.image_output),
    ];
    for (name, field, bucket, count) in details {
        if let Some(count) = count.filter(|_| kept.contains(&field)) {
            let object = json.entry(format!("{name}_tokens_details")).or_insert_with(|| json!({}));
            object[field] = count.into();
        } else if count > Some(0) {
            losses.lose(Feature::Usage, format!("usage.{bucket}"), "counted in the total only");
        }
    }
    if usage.cache_write_1h > Some(0) {
        losses.lose(Feature::Usage, "usage.cache_write_1h", "counted with what is written for the usual time");
    }
    Some(json.into())
}

/// What strict schemas take (OpenAI, "Structured outputs", supported schemas).
pub(crate) const STRICT: SchemaRules = SchemaRules {
    all_required: true,
    closed: true,
    no_recursion: false,
    only_any_of: true,
    unknown: &["minLength", "maxLength", "uniqueItems", "minProperties", "maxProperties", "default"],
};
