//! `Cohere`'s format, version 2, and version 1 where it is asked for.

use std::fmt;

use bytes::Bytes;
use http::StatusCode;
use sabir_core::chat::Media;
use sabir_core::dialect::{Answer, Asked, Encoded, Responded};
use sabir_core::embed::{EmbedInput, EmbedPurpose, EmbedRequest, EmbedResponse};
use sabir_core::{Endpoint, Error, Exchange, Feature, Loss, Result};
use serde::de::{MapAccess, SeqAccess, Visitor};
use serde::{Deserialize, Deserializer};
use serde_json::{Value, json};

use super::super::exchange::{
    Object, Shape, Taken, count, invalid, lacking, missing, read, responded, text, unsupported, unversioned, wrong,
};
use super::vector::{Base64, Vector, Whole, fit};
use super::{cannot_embed, image_url, losses, purpose_loss, texts, word};

/// The format's name.
const NAME: &str = "cohere-embed";
/// The option that says which version is spoken.
const VERSION: &str = "api_version";
/// The types of vectors, the best first.
const TYPES: [&str; 6] = ["float", "base64", "int8", "uint8", "binary", "ubinary"];

/// Cohere's embeddings (`POST /v2/embed`). With the option `api_version` = `v1` its first version.
#[derive(Clone, Copy, Debug)]
pub struct CohereEmbed;

impl Exchange for CohereEmbed {
    type Request = EmbedRequest;
    type Response = EmbedResponse;

    fn name(&self) -> &'static str {
        NAME
    }

    fn paths(&self) -> &'static [&'static str] {
        &["/v2/embed", "/v1/embed"]
    }

    fn encode(&self, request: &EmbedRequest, endpoint: &Endpoint) -> Result<Encoded> {
        let first_version = is_v1(request);
        let mut losses = losses(request, NAME);
        let mut body = Object::new(request.options.of(NAME));
        body.field("model", &request.model);
        let images = request.inputs.iter().filter(|input| matches!(input, EmbedInput::Image(_))).count();
        let usual = if images > 0 && images == request.inputs.len() { "image" } else { "search_document" };
        let purpose = request.purpose.as_ref().and_then(|purpose| {
            let said = said(purpose);
            if said.is_none() {
                losses.push(purpose_loss("Cohere has no word for it; its usual one is sent"));
            }
            said
        });
        // The second version wants one always.
        if let Some(said) = purpose.or((!first_version || images > 0).then_some(usual)) {
            body.field("input_type", said);
        }
        match images {
            _ if request.inputs.is_empty() => return Err(invalid("inputs is empty")),
            0 => body.field("texts", &texts(&request.inputs, NAME)?),
            all if all == request.inputs.len() => body.field("images", &image_urls(&request.inputs)?),
            _ if first_version => return Err(unsupported("this version embeds texts or images, not both at once")),
            _ => body.field("inputs", &mixed(&request.inputs)?),
        };
        if first_version {
            if request.dimensions.is_some() {
                losses.push(Loss::new(Feature::Dimensions, "dimensions", "not in this version"));
            }
        } else {
            body.maybe("output_dimension", request.dimensions.as_ref());
        }
        let uri = unversioned(endpoint, if first_version { "/v1/embed" } else { "/v2/embed" })?;
        Ok(Encoded::post_json(uri, body.end(&[VERSION]), losses))
    }

    fn decode(&self, answer: Answer<'_>) -> Result<EmbedResponse> {
        let wire: Wire = read(&answer)?;
        let mut types = wire.embeddings.0;
        let rank = |name: &str| TYPES.iter().position(|known| *known == name).unwrap_or(TYPES.len());
        types.sort_by_key(|(name, _)| rank(name));
        let mut types = types.into_iter();
        let (_, vectors) = types.next().ok_or_else(|| lacking(answer.body, "embeddings"))?;
        let mut response = super::answer(vectors);
        response.id = wire.id.unwrap_or_default();
        response.losses = types
            .map(|(name, _)| Loss::new(Feature::Options, format!("embeddings.{name}"), "one type of vectors is kept"))
            .collect();
        let units = |name: &str| {
            let tokens = count(wire.meta.pointer(&format!("/tokens/{name}")));
            tokens.or_else(|| count(wire.meta.pointer(&format!("/billed_units/{name}"))))
        };
        response.usage.input = units("input_tokens");
        response.usage.image_input = units("image_tokens");
        response.usage.tools.extend(units("images").map(|n| ("images".to_owned(), n)));
        Ok(response)
    }

    fn accept(&self, asked: Asked<'_>) -> Result<EmbedRequest> {
        let mut body = Taken::body(asked.body)?;
        let first_version = asked.path.contains("/v1/");
        let model = match body.text("model")? {
            None if !first_version => return Err(missing("model")),
            model => model.unwrap_or_default(),
        };
        let mut request = EmbedRequest { model, ..EmbedRequest::default() };
        for (at, item) in body.list("texts")?.into_iter().flatten().enumerate() {
            request.inputs.push(EmbedInput::Text(text(item, &format!("texts[{at}]"))?));
        }
        for (at, item) in body.list("images")?.into_iter().flatten().enumerate() {
            request.inputs.push(image(item, &format!("images[{at}]"))?);
        }
        for (at, item) in body.list("inputs")?.into_iter().flatten().enumerate() {
            request.inputs.push(content(item, &format!("inputs[{at}]"))?);
        }
        if request.inputs.is_empty() {
            return Err(invalid("texts, images or inputs must hold something"));
        }
        // The word for images says no more than the images do.
        let purpose = body.text("input_type")?.filter(|said| said != "image");
        request.purpose = purpose.as_deref().map(understood);
        request.dimensions = body.count("output_dimension")?;
        request.options = body.rest(NAME);
        if first_version {
            request.options.set(NAME, VERSION, "v1".into());
        }
        Ok(request)
    }

    fn respond(&self, response: &EmbedResponse, request: &EmbedRequest) -> Responded {
        let mut losses = Vec::new();
        let asked = request.options.get(NAME, "embedding_types").and_then(Value::as_array);
        let asked = asked.map(|types| types.iter().filter_map(Value::as_str).collect::<Vec<_>>());
        let mut body = Object::new(None);
        body.field("id", &response.id);
        let texts: Vec<_> = request
            .inputs
            .iter()
            .filter_map(|input| match input {
                EmbedInput::Text(text) => Some(text),
                _ => None,
            })
            .collect();
        body.field("texts", &texts);
        let plain = is_v1(request) && asked.is_none();
        if plain {
            body.field("embeddings", &response.vectors);
        } else {
            let asked = asked.unwrap_or_default();
            body.raw("embeddings", &by_type(&response.vectors, &asked, &mut losses));
        }
        let usage = &response.usage;
        let version = if is_v1(request) { "1" } else { "2" };
        let mut units = Object::new(None);
        units.maybe("input_tokens", usage.input.as_ref());
        units.maybe("image_tokens", usage.image_input.as_ref());
        units.maybe("images", usage.tools.get("images"));
        let mut meta = Object::new(None);
        meta.field("api_version", &json!({"version": version}));
        meta.raw("billed_units", &units.end(&[]));
        body.raw("meta", &meta.end(&[]));
        body.field("response_type", if plain { "embeddings_floats" } else { "embeddings_by_type" });
        responded(body.end(&[]), losses)
    }

    fn refuse(&self, error: &Error) -> (StatusCode, Bytes) {
        Shape::Cohere.refuse(error)
    }
}

fn is_v1(request: &EmbedRequest) -> bool {
    word(&request.options, NAME, VERSION) == Some("v1")
}

fn said(purpose: &EmbedPurpose) -> Option<&'static str> {
    match purpose {
        EmbedPurpose::Document => Some("search_document"),
        EmbedPurpose::Query => Some("search_query"),
        EmbedPurpose::Classification => Some("classification"),
        EmbedPurpose::Clustering => Some("clustering"),
        _ => None,
    }
}

fn understood(word: &str) -> EmbedPurpose {
    match word {
        "search_document" => EmbedPurpose::Document,
        "search_query" => EmbedPurpose::Query,
        word => EmbedPurpose::from(word),
    }
}

fn image_urls(inputs: &[EmbedInput]) -> Result<Vec<String>> {
    let url = |(at, input): (usize, &EmbedInput)| match input {
        EmbedInput::Image(media) => image_url(at, media, NAME),
        other => Err(cannot_embed(at, other, NAME)),
    };
    inputs.iter().enumerate().map(url).collect()
}

/// Texts and images together, each as an input of one part.
fn mixed(inputs: &[EmbedInput]) -> Result<Vec<Value>> {
    let part = |(at, input): (usize, &EmbedInput)| match input {
        EmbedInput::Text(text) => Ok(json!({"content": [{"type": "text", "text": text}]})),
        EmbedInput::Image(media) => {
            let url = image_url(at, media, NAME)?;
            Ok(json!({"content": [{"type": "image_url", "image_url": {"url": url}}]}))
        }
        other => Err(cannot_embed(at, other, NAME)),
    };
    inputs.iter().enumerate().map(part).collect()
}

fn image(url: Value, path: &str) -> Result<EmbedInput> {
    let media = Media::from_url(&text(url, path)?).map_err(|_| wrong(path, "an image as a URL"))?;
    Ok(EmbedInput::Image(media))
}

/// One of `inputs`, which may have one part.
fn content(item: Value, path: &str) -> Result<EmbedInput> {
    let mut input = Taken::object(item, path)?;
    let mut parts = input.list("content")?.unwrap_or_default().into_iter();
    let (Some(part), None) = (parts.next(), parts.next()) else {
        return Err(unsupported(format!("{path}.content must have one part: several in one vector cannot be carried")));
    };
    let path = format!("{path}.content[0]");
    let mut part = Taken::object(part, &path)?;
    match part.take("image_url") {
        Some(Value::Object(mut holder)) => image(holder.remove("url").unwrap_or_default(), &path),
        Some(url) => image(url, &path),
        None => Ok(EmbedInput::Text(part.required("text")?)),
    }
}

/// The vectors, in each of the types that are asked for and can be had.
fn by_type(vectors: &[Vec<f32>], asked: &[&str], losses: &mut Vec<Loss>) -> Vec<u8> {
    let mut types = Object::new(None);
    let mut floats = asked.is_empty();
    for wanted in asked {
        let known = TYPES.iter().find(|known| *known == wanted).copied();
        let (low, high) = match *wanted {
            "int8" | "binary" => (-128.0, 127.0),
            _ => (0.0, 255.0),
        };
        match known {
            Some("float") => floats = true,
            Some("base64") => {
                types.field("base64", &vectors.iter().map(|v| Base64(v)).collect::<Vec<_>>());
            }
            Some(known) if fit(vectors, low, high) => {
                types.field(known, &vectors.iter().map(|v| Whole(v)).collect::<Vec<_>>());
            }
            _ => {
                let path = format!("options.{NAME}.embedding_types");
                losses.push(Loss::new(Feature::Options, path, "the vectors are floats and stay so"));
                floats = true;
            }
        }
    }
    if floats {
        types.field("float", vectors);
    }
    types.end(&[])
}

#[derive(Deserialize)]
struct Wire {
    id: Option<String>,
    embeddings: ByType,
    #[serde(default)]
    meta: Value,
}

/// Vectors by their type; a plain list is one of floats. Types without vectors are left out.
struct ByType(Vec<(String, Vec<Vec<f32>>)>);

impl<'de> Deserialize<'de> for ByType {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Either;
        impl<'de> Visitor<'de> for Either {
            type Value = Vec<(String, Vec<Vec<f32>>)>;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("vectors, or vectors by their type")
            }

            fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<Self::Value, A::Error> {
                let mut vectors = Vec::new();
                while let Some(Vector(vector)) = items.next_element()? {
                    vectors.push(vector);
                }
                Ok(vec![("float".to_owned(), vectors)])
            }

            fn visit_map<A: MapAccess<'de>>(self, mut fields: A) -> Result<Self::Value, A::Error> {
                let mut types = Vec::new();
                while let Some((name, vectors)) = fields.next_entry::<String, Option<Vec<Vector>>>()? {
                    let vectors: Vec<_> = vectors.into_iter().flatten().map(|vector| vector.0).collect();
                    if !vectors.is_empty() {
                        types.push((name, vectors));
                    }
                }
                Ok(types)
            }
        }
        deserializer.deserialize_any(Either).map(Self)
    }
}
