//! From arguments, templates, files and standard input to a question.

use sabir::chat::{ChatRequest, Message};
use sabir::config::{Config, TemplateConfig};
use sabir::{Client, Dialect};
use serde_json::Value;

use super::args::{Args, Thinking};
use super::{schema, template};
use crate::ask::message;
use crate::failure::Failure;

/// What is asked, before it is settled of whom.
#[derive(Debug)]
pub(super) struct Question {
    pub(super) message: Message,
    pub(super) system: Option<String>,
    /// Everything else; neither model nor messages are set.
    pub(super) settings: ChatRequest,
    /// Options of whatever dialect the model has.
    pub(super) options: Vec<(String, Value)>,
    /// The template's model.
    pub(super) model: Option<String>,
    pub(super) schema: Option<Value>,
}

/// The question that the arguments make. What can be wrong with them is told before standard input is read.
/// Where more is asked later, it `may_be_empty`.
pub(super) fn question(args: &Args, config: &Config, may_be_empty: bool) -> Result<Question, Failure> {
    let template = args.template.as_deref().map(|name| Ok::<_, Failure>((name, template::find(config, name)?)));
    let template = template.transpose()?;
    let role = args.role.as_deref().map(|name| template::role(config, name)).transpose()?;
    let own = template.map(|(_, template)| template);
    let schema = match (&args.schema, &args.schema_multi, own.and_then(|own| own.schema.as_ref())) {
        (Some(one), _, _) => Some(schema::schema(one, false)?),
        (_, Some(of), _) => Some(schema::schema(of, true)?),
        (_, _, Some(own)) => Some(schema::schema(own, false)?),
        _ => None,
    };
    let settings = settings(args, own)?;
    let options = own.iter().flat_map(|own| &own.options).chain(args.options.iter().map(|(name, value)| (name, value)));
    let options = options.map(|(name, value)| (name.clone(), option(value))).collect();

    let (parts, mut text) = args.words.read()?;
    let mut system = args.words.system.clone().or_else(|| role.cloned());
    if let Some((name, own)) = template {
        let filled = template::fill(name, own, &args.params, &text)?;
        system = system.or(filled.system);
        text = filled.prompt;
    }
    let message = message(parts, text, may_be_empty)?;
    let model = own.and_then(|own| own.model.clone());
    Ok(Question { message, system, settings, options, model, schema })
}

/// What the arguments say, and where they say nothing, the template.
fn settings(args: &Args, own: Option<&TemplateConfig>) -> Result<ChatRequest, Failure> {
    let effort = own.and_then(|own| own.effort.as_deref()).map(str::parse::<Thinking>).transpose();
    let effort = effort.map_err(|wrong| Failure::usage(format!("the template's effort must be {wrong}")))?;
    let stop = own.filter(|_| args.stop.is_empty()).map_or(&args.stop, |own| &own.stop);
    Ok(ChatRequest {
        max_tokens: args.words.max_tokens.or_else(|| Some(own?.max_tokens?.get())),
        temperature: args.temperature.or_else(|| own?.temperature),
        top_p: args.top_p.or_else(|| own?.top_p),
        seed: args.seed.or_else(|| own?.seed.and_then(|seed| i64::try_from(seed).ok())),
        stop: stop.clone(),
        reasoning: args.effort.clone().or(effort).map(|thinking| thinking.0),
        strict: args.words.strict,
        ..ChatRequest::default()
    })
}

/// JSON where it is that, else a text.
fn option(text: &str) -> Value {
    serde_json::from_str(text).unwrap_or_else(|_| text.into())
}

/// Sets options of the dialect in which a model is asked; of all of them, where a name stands for several models.
pub(super) fn set_options(
    request: &mut ChatRequest,
    options: &[(String, Value)],
    client: &Client,
    config: &Config,
) -> Result<(), Failure> {
    if options.is_empty() {
        return Ok(());
    }
    let model = request.model.clone();
    let aliases = config.aliases.get(&model).into_iter().flat_map(|targets| targets.iter());
    let routes = config.routes.get(&model).into_iter().flat_map(|route| route.targets.iter());
    let mut places: Vec<String> = aliases.chain(routes).map(|target| target.model.clone()).collect();
    if places.is_empty() {
        places.push(model);
    }
    for place in places {
        let (provider, _) = client.resolve(&place)?;
        let dialect = client.registry().get(&provider).ok().and_then(|provider| provider.dialect());
        let Some(dialect) = dialect.map(Dialect::name) else {
            return Err(Failure::usage(format!("{provider} has no dialect, and so no options of one (-o)")));
        };
        for (name, value) in options {
            request.options.set(dialect, name, value.clone());
        }
    }
    Ok(())
}
