//! Requests, out and in again.

use sabir_core::chat::{ChatRequest, Effort, Message, Part, ReasoningRequest, ResponseFormat, Role, ToolChoice};
use sabir_core::{Feature, Loss};
use serde_json::json;

use super::DialectKit;
use super::whole::equal;
use crate::Report;
use crate::requests::{Asking, requests};

pub(super) fn check(kit: &DialectKit, report: &mut Report) {
    for Asking { name, request } in requests(kit.dialect.name()) {
        // What a dialect refuses to send it cannot lose.
        if let Err(error) = kit.dialect.encode(&request, &kit.endpoint) {
            let refused =
                matches!(error.kind(), sabir_core::ErrorKind::Unsupported | sabir_core::ErrorKind::InvalidRequest);
            if refused && name != "plain" {
                report.skip("request", name, format!("the dialect refuses it: {error}"));
                continue;
            }
        }
        report.check("request", name, || accepted(kit, &request));
        report.check("same bytes", name, || same_bytes(kit, &request));
        if name.starts_with("foreign") {
            report.check("foreign", name, || foreign(kit, &request));
        }
    }
}

fn accepted(kit: &DialectKit, request: &ChatRequest) -> Result<(), String> {
    let trip = kit.round_trip(request)?;
    if !trip.encoded.losses.is_empty() {
        // Something was lost, and it was said. Words and whether to stream never are.
        let shape = |r: &ChatRequest| json!({"model": r.model, "stream": r.stream});
        equal(&shape(request), &shape(&trip.accepted))?;
        let text: String = trip.accepted.messages.iter().map(Message::text).collect();
        let mut said = request.messages.iter().flat_map(|message| &message.parts).filter_map(Part::as_text);
        return match said.find(|said| !text.contains(said)) {
            Some(gone) => Err(format!("the text {gone:?} is not accepted, the text became {text:?}")),
            None => Ok(()),
        };
    }
    let mut accepted = plain_turns(&trip.accepted);
    // What the dialect's client always says of itself is no part of the question.
    let name = kit.dialect.name();
    let own = kit.asked(request.stream)?;
    if request.options.of(name).is_none() && accepted.options.of(name) == own.options.of(name) {
        accepted.options.clone_from(&request.options);
    }
    equal(&json!(plain_turns(request)), &json!(accepted))
}

/// The request as plainly as it can be said: neighbouring messages of one role in one, as dialects cut turns
/// differently, and without what is so unless something else is said.
fn plain_turns(request: &ChatRequest) -> ChatRequest {
    let mut plain = request.clone();
    plain.tool_choice = plain.tool_choice.filter(|choice| *choice != ToolChoice::Auto);
    plain.response_format = plain.response_format.filter(|format| *format != ResponseFormat::Text);
    if let Some(reasoning) = &mut plain.reasoning {
        if reasoning.effort == Some(Effort::None) {
            *reasoning = ReasoningRequest { enabled: Some(false), ..ReasoningRequest::default() };
        } else if reasoning.effort.is_some() || reasoning.budget.is_some() {
            reasoning.enabled = reasoning.enabled.filter(|enabled| !enabled);
        }
    }
    plain.messages.clear();
    for message in &request.messages {
        let mut message = message.clone();
        if message.role == Role::Developer {
            // The same where a dialect does not tell them apart.
            message.role = Role::System;
        }
        match plain.messages.last_mut() {
            Some(last) if last.role == message.role && last.name == message.name && last.meta == message.meta => {
                last.parts.extend(message.parts);
            }
            _ => plain.messages.push(message),
        }
    }
    plain
}

fn same_bytes(kit: &DialectKit, request: &ChatRequest) -> Result<(), String> {
    let first = kit.round_trip(request)?;
    let again = kit.round_trip(request)?;
    let differ = |what: &str, bytes: &bytes::Bytes| {
        let (before, after) = (String::from_utf8_lossy(&first.encoded.body), String::from_utf8_lossy(bytes));
        Err(format!("{what}: {before} became {after}"))
    };
    if first.encoded.body != again.encoded.body || first.encoded.uri != again.encoded.uri {
        return differ("the same request gave other bytes", &again.encoded.body);
    }
    if !first.encoded.losses.is_empty() {
        return Ok(());
    }
    let accepted = kit.round_trip(&first.accepted).map_err(|e| format!("once accepted, {e}"))?;
    if first.encoded.body != accepted.encoded.body || first.encoded.uri != accepted.encoded.uri {
        return differ("once accepted, it gave other bytes", &accepted.encoded.body);
    }
    Ok(())
}

fn foreign(kit: &DialectKit, request: &ChatRequest) -> Result<(), String> {
    let losses = kit.round_trip(request)?.encoded.losses;
    let stated = |loss: &Loss| matches!(loss.feature, Feature::Options | Feature::Opaque | Feature::ServerTools);
    if losses.iter().any(stated) { Ok(()) } else { Err(format!("no loss of it is stated; the losses are {losses:?}")) }
}
