//! Requests as a client writes them.

use sabir_core::chat::{ChatRequest, Content, Meta, Part, ResponseFormat, Role, Tool, ToolChoice};
use sabir_core::dialect::Encoded;
use sabir_core::{Endpoint, Error, ErrorKind, Feature, Result};
use serde_json::{Value, json};

use super::write::Parts;
use super::{ALT, NAME, PARAMETERS, SEPARATE, SIGNATURE, TURN};
use crate::google_model;
use crate::google_thinking::write_thinking;
use crate::json::{List, Object, known, merged, wrapped};
use crate::shared::{Losses, need_messages, path};

/// The signature by which Google lets calls pass that its models did not make: models from the third generation on
/// refuse turns whose first call has none.
const UNSIGNED: &str = "skip_thought_signature_validator";
/// The most stop sequences that Google takes.
const MOST_STOPS: usize = 5;

pub(super) fn encode(request: &ChatRequest, endpoint: &Endpoint) -> Result<Encoded> {
    let uri = endpoint.url(&place(request, endpoint)?)?;
    let mut parts = Parts::default();
    let system = system(request, &mut parts);
    let contents = contents(request, &mut parts)?;
    need_messages(request.messages.is_empty() || !contents.is_empty())?;
    let mut losses = parts.losses;
    let tools = tools(request, &mut losses);
    let mut options = request.options.of(NAME).cloned().unwrap_or_default();
    options.shift_remove(ALT);
    let ours = [("toolConfig", tool_config(request)), ("generationConfig", generation_config(request, &mut losses))];
    let configs = ours.map(|(name, ours)| (name, merged(ours, options.shift_remove(name).unwrap_or(json!({})))));
    let mut out = Vec::new();
    let mut body = Object::with(&mut out, Some(&options));
    if !system.is_empty() {
        body.object("systemInstruction", |to| {
            to.list("parts", &system);
        });
    }
    body.list("contents", &contents).some("tools", Some(tools).filter(|tools| !tools.is_empty()));
    for (name, config) in configs {
        body.some(name, Some(config).filter(|config| config.as_object().is_none_or(|fields| !fields.is_empty())));
    }
    body.some("labels", Some(&request.metadata).filter(|labels| !labels.is_empty()));
    body.end();
    losses.absent([
        (request.parallel_tool_calls == Some(false), Feature::ParallelTools, "parallel_tool_calls"),
        (request.user.is_some(), Feature::User, "user"),
        (request.cache.is_some(), Feature::CacheMarks, "cache"),
        (request.cache_key.is_some(), Feature::CacheKey, "cache_key"),
    ]);
    losses.options(request, NAME);
    Ok(Encoded::post_json(uri, out, losses.0))
}

/// `/models/MODEL:generateContent`, behind the publisher where the row names one.
fn place(request: &ChatRequest, endpoint: &Endpoint) -> Result<String> {
    if google_model::bare(&request.model).is_empty() {
        return Err(invalid("the request names no model; set one"));
    }
    let prefix = endpoint.quirks.get("path_prefix").filter(|prefix| !endpoint.base_url.ends_with(prefix));
    let prefix = prefix.map_or_else(String::new, |prefix| format!("/{prefix}"));
    let as_array = request.options.get(NAME, ALT).is_some_and(|alt| alt == "json");
    let method = match (request.stream, as_array) {
        (false, _) => "generateContent",
        (true, true) => "streamGenerateContent",
        (true, false) => "streamGenerateContent?alt=sse",
    };
    Ok(prefix + &google_model::path(&request.model, method))
}

fn system(request: &ChatRequest, out: &mut Parts) -> List {
    let mut parts = List::default();
    for (at, message) in request.split_system().0.iter().enumerate() {
        if message.role == Role::Developer {
            out.losses.lose(Feature::SystemPrompt, format!("messages[{at}].role"), "sent as the operator's");
        }
        out.losses.marks(at, message);
        for (n, part) in message.parts.iter().enumerate() {
            parts.add(out.write(part, &path(at, n)));
        }
    }
    parts
}

/// The turns of the conversation. All results of a turn's calls belong into one.
fn contents(request: &ChatRequest, out: &mut Parts) -> Result<List> {
    let lead = request.split_system().0.len();
    let wants_signatures = google_model::generation(&request.model).is_some_and(|generation| generation >= 3.0);
    // Who speaks, the parts, and whether the last of them is a result.
    let mut turns: Vec<(&str, List, bool)> = Vec::new();
    for (at, message) in request.messages.iter().enumerate().skip(lead) {
        let role = match &message.role {
            Role::Assistant => "model",
            Role::User | Role::Tool => "user",
            Role::System | Role::Developer => {
                out.losses.lose(Feature::SystemMidway, format!("messages[{at}]"), "sent as the user's");
                "user"
            }
            other => {
                let message = format!("messages[{at}].role: this dialect has no {other:?}; use user or assistant");
                return Err(invalid(&message));
            }
        };
        let own = |field: &str| message.meta.form(NAME, field).and_then(Value::as_str);
        let role = own("role").unwrap_or(role);
        out.losses.marks(at, message);
        let mut joins = own(TURN) == Some("same");
        if message.parts.is_empty() && !joins {
            turns.push((role, List::default(), false));
        }
        let to_mark = message.parts.iter().position(is_call).filter(|_| wants_signatures && role == "model");
        let is_signed = |part: &Part| is_call(part) && part.meta.get(NAME, SIGNATURE).is_some();
        let to_mark = to_mark.filter(|_| !message.parts.iter().any(is_signed));
        for (n, part) in message.parts.iter().enumerate() {
            let marked = (to_mark == Some(n)).then(|| part.clone().with_meta(NAME, SIGNATURE, UNSIGNED.into()));
            let Some(json) = out.write(marked.as_ref().unwrap_or(part), &path(at, n)) else { continue };
            let is_result = matches!(part.content, Content::ToolResult(_));
            // Only the user's side gives results.
            let role = if is_result && role == "model" { "user" } else { role };
            let goes_on = |(last, _, in_results): &(&str, List, bool)| {
                *last == role && (joins || (is_result && *in_results && own(TURN) != Some("new")))
            };
            if !turns.last().is_some_and(goes_on) {
                turns.push((role, List::default(), false));
            }
            if let Some((_, parts, in_results)) = turns.last_mut() {
                parts.add(Some(json));
                *in_results = is_result;
            }
            joins = true;
        }
    }
    if turns.is_empty() {
        return Err(invalid("the request has no message besides the operator's; add one of the user's"));
    }
    let mut contents = List::default();
    for (role, parts, _) in turns {
        contents.object(|to| {
            to.field("role", role).raw("parts", parts.json());
        });
    }
    Ok(contents)
}

fn is_call(part: &Part) -> bool {
    matches!(part.content, Content::ToolCall(_))
}

/// Functions that follow each other are one entry.
fn tools(request: &ChatRequest, losses: &mut Losses) -> Vec<Value> {
    let mut entries: Vec<Value> = Vec::new();
    for (at, tool) in request.tools.iter().enumerate() {
        match tool {
            Tool::Function(function) => {
                losses.absent([
                    (function.strict == Some(true), Feature::StrictTools, &*format!("tools[{at}].strict")),
                    (function.cache.is_some(), Feature::CacheMarks, &*format!("tools[{at}]")),
                ]);
                let mut own = function.meta.of(NAME).cloned().unwrap_or_default();
                let form = own.shift_remove(Meta::FORM).unwrap_or_default();
                let is_apart = form[SEPARATE] == true;
                if let Some(schema) = form.get(PARAMETERS) {
                    own.insert(PARAMETERS.to_owned(), schema.clone());
                }
                let ours = known([
                    ("name", Some(function.name.as_str().into())),
                    ("description", function.description.as_deref().map(Value::from)),
                    ("parametersJsonSchema", function.parameters.clone().filter(|_| !own.contains_key(PARAMETERS))),
                ]);
                let declared = merged(ours.into(), own.into());
                match entries.last_mut().and_then(|entry| entry.get_mut("functionDeclarations")) {
                    Some(Value::Array(list)) if !is_apart => list.push(declared),
                    _ => entries.push(wrapped("functionDeclarations", vec![declared])),
                }
            }
            Tool::Opaque { dialect, json } if dialect == NAME => entries.push(json.clone()),
            _ => losses.lose(Feature::Opaque, format!("tools[{at}]"), "a tool of another dialect alone"),
        }
    }
    entries
}

fn tool_config(request: &ChatRequest) -> Value {
    let (mode, names) = match &request.tool_choice {
        Some(ToolChoice::Auto) => ("AUTO", None),
        Some(ToolChoice::None) => ("NONE", None),
        Some(ToolChoice::Required) => ("ANY", None),
        Some(ToolChoice::Named(name)) => ("ANY", Some(std::slice::from_ref(name))),
        Some(ToolChoice::Allowed { names, required: true }) => ("ANY", Some(&**names)),
        // Names are taken in these two modes alone, and this one leaves calls to the model.
        Some(ToolChoice::Allowed { names, .. }) => ("VALIDATED", Some(&**names)),
        _ => return json!({}),
    };
    json!({"functionCallingConfig": merged(json!({}), json!({"mode": mode, "allowedFunctionNames": names}))})
}

fn generation_config(request: &ChatRequest, losses: &mut Losses) -> Value {
    let own = |name: &str| request.options.get(NAME, "generationConfig")?.get(name);
    let stops = &request.stop[..request.stop.len().min(MOST_STOPS)];
    if request.stop.len() > MOST_STOPS {
        losses.lose(Feature::Stop, "stop", "only the first five are sent: Google takes no more");
    }
    let seed = request.seed.and_then(|seed| i32::try_from(seed).ok());
    if request.seed.is_some() && seed.is_none() {
        losses.lose(Feature::Seed, "seed", "not sent: Google takes seeds of 32 bits");
    }
    let (mime, schema) = match &request.response_format {
        Some(ResponseFormat::Text) => (Some("text/plain"), None),
        Some(ResponseFormat::Json) => (Some("application/json"), None),
        _ => {
            let schema = losses.schema(request);
            (schema.map(|_| "application/json"), schema.filter(|_| own("responseSchema").is_none()))
        }
    };
    if own("candidateCount").and_then(Value::as_u64).is_some_and(|count| count > 1) {
        let path = format!("options.{NAME}.generationConfig.candidateCount");
        losses.lose(Feature::Choices, path, "only the first answer is read");
    }
    let config = json!({
        "temperature": request.temperature,
        "topP": request.top_p,
        "topK": request.top_k,
        "maxOutputTokens": request.max_tokens,
        "stopSequences": Some(stops).filter(|stops| !stops.is_empty()),
        "seed": seed,
        "presencePenalty": request.presence_penalty,
        "frequencyPenalty": request.frequency_penalty,
        "responseMimeType": mime,
        "responseJsonSchema": schema,
        "thinkingConfig": request.reasoning.as_ref().map(|wanted| write_thinking(wanted, &request.model, losses)),
    });
    // Without the fields that are null.
    merged(json!({}), config)
}

fn invalid(message: &str) -> Error {
    Error::new(ErrorKind::InvalidRequest, message)
}
