//! What is charged, by how a call ended: the rule of the [module](super), as code.

use sabir_core::chat::{ChatResponse, Content, Part, Usage};
use sabir_core::{Error, ErrorKind, Stage};
use sabir_tokens::{ModelId, count_text};

/// Whether an attempt that failed is charged for its input and what had arrived. What was not sent is not; a refusal is
/// not, nor a failure before anything was told: only what broke off, or was left, may have been worked on.
pub(super) fn is_billed(error: &Error) -> bool {
    if error.stage() == Stage::NotSent {
        return false;
    }
    if error.partial().is_some_and(|partial| !partial.parts.is_empty() || !partial.usage.is_unknown()) {
        return true;
    }
    let was_refused = error.status().is_some_and(|status| status.is_client_error() || status.is_server_error());
    let broke_off = matches!(
        error.kind(),
        ErrorKind::Timeout
            | ErrorKind::Cancelled
            | ErrorKind::Network
            | ErrorKind::Decode
            | ErrorKind::Truncated
            | ErrorKind::BudgetExceeded
    );
    broke_off && !was_refused
}

/// What was used, as far as the provider says; the rest is counted: the input by `input`, the output by what had arrived.
/// A count of output that is told in the middle of an answer is less than there is.
pub(super) fn estimate(arrived: &ChatResponse, is_whole: bool, model: &ModelId, input: impl FnOnce() -> u64) -> Usage {
    let mut usage = arrived.usage.clone();
    // Some say at first that it was nothing, since they do not know yet.
    if usage.input_total().is_none_or(|told| told == 0 && !is_whole) {
        usage.input = Some(input());
        usage.estimated = true;
    }
    let told = usage.output_total();
    if told.is_none() || !is_whole {
        let counted = tokens(&arrived.parts, model);
        if told.is_none_or(|told| counted > told) {
            let others = [usage.reasoning, usage.audio_output, usage.image_output].into_iter().flatten();
            let others = others.fold(0, u64::saturating_add);
            (usage.output, usage.output_stated) = (Some(counted.saturating_sub(others)), None);
            usage.estimated = true;
        }
    }
    usage
}

/// About how many tokens these parts are.
fn tokens(parts: &[Part], model: &ModelId) -> u64 {
    let of = |text: &str| count_text(text, model).tokens;
    let part = |part: &Part| match &part.content {
        Content::Text { text } | Content::Refusal { text } => of(text),
        Content::Reasoning(thought) => of(&thought.text),
        Content::ToolCall(call) => of(&call.name).saturating_add(of(&call.arguments)),
        Content::ServerToolUse(used) => of(&used.input),
        _ => 0,
    };
    parts.iter().map(part).fold(0, u64::saturating_add)
}

#[cfg(test)]
mod tests {
    use http::StatusCode;

    use super::*;

    #[test]
    fn refusals_are_free_and_what_broke_off_is_not() {
        let error = |kind| Error::new(kind, "it failed");
        let mut begun = ChatResponse::default();
        begun.usage.input = Some(3);
        for (error, billed) in [
            (error(ErrorKind::Network).with_stage(Stage::NotSent), false),
            (error(ErrorKind::Network), true),
            (error(ErrorKind::Timeout), true),
            (error(ErrorKind::Timeout).with_stage(Stage::Answered).with_status(StatusCode::GATEWAY_TIMEOUT), false),
            (error(ErrorKind::RateLimit).with_status(StatusCode::TOO_MANY_REQUESTS), false),
            (error(ErrorKind::Overloaded), false),
            (error(ErrorKind::Overloaded).with_partial(ChatResponse::default()), false),
            (error(ErrorKind::Overloaded).with_partial(begun), true),
            (error(ErrorKind::InvalidRequest).with_status(StatusCode::BAD_REQUEST), false),
            (error(ErrorKind::Decode).with_status(StatusCode::OK), true),
        ] {
            assert_eq!(is_billed(&error), billed, "{error:?}");
        }
    }

    #[test]
    fn what_the_provider_says_goes_before_what_is_counted() {
        let model = ModelId::new("openai", "gpt-4o");
        let mut arrived = ChatResponse::default();
        arrived.parts = vec![Part::reasoning("Sodium."), Part::text("The sea is salty since rivers bring it salt.")];
        let counted = estimate(&arrived, false, &model, || 7);
        assert_eq!((counted.input, counted.estimated), (Some(7), true));
        let output = counted.output.expect("counted");
        assert!((8..=16).contains(&output), "{output}");
        // Anthropic says one token of output when it begins.
        (arrived.usage.input, arrived.usage.output) = (Some(9), Some(1));
        let begun = estimate(&arrived, false, &model, || unreachable!("it is known"));
        assert_eq!((begun.input, begun.output, begun.estimated), (Some(9), Some(output), true));
        let mut unknown = arrived.clone();
        unknown.usage.input = Some(0);
        assert_eq!(estimate(&unknown, false, &model, || 7).input, Some(7), "nobody asks nothing");
        let whole = estimate(&arrived, true, &model, || unreachable!("it is known"));
        assert_eq!((whole.output, whole.estimated), (Some(1), false));
    }
}
