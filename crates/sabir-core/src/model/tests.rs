use std::borrow::Cow;

use super::*;
use crate::chat::{ChatRequest, Effort, Message, Part, ReasoningRequest, Role, ToolChoice};
use crate::{ErrorKind, Feature, Loss};

fn fitted(traits: ModelTraits, request: &ChatRequest) -> (ChatRequest, Vec<(Feature, String)>) {
    let (fitted, losses) = traits.fit(request).expect("fits");
    assert_eq!(losses.is_empty(), matches!(fitted, Cow::Borrowed(_)), "a change is told, no change is not: {losses:?}");
    assert!(losses.iter().all(|loss| loss.note.starts_with("m ")), "notes name the model: {losses:?}");
    let told = losses.into_iter().map(|Loss { feature, path, .. }| (feature, path)).collect();
    (fitted.into_owned(), told)
}

fn ask() -> ChatRequest {
    ChatRequest::new("m").user("hello")
}

fn thinking(effort: Option<Effort>, budget: Option<u64>, enabled: Option<bool>) -> ChatRequest {
    ChatRequest { reasoning: Some(ReasoningRequest { effort, budget, enabled }), ..ask() }
}

fn told(feature: Feature, path: &str) -> Vec<(Feature, String)> {
    vec![(feature, path.to_owned())]
}

fn full() -> ChatRequest {
    ChatRequest {
        temperature: Some(0.5),
        top_p: Some(0.9),
        top_k: Some(3),
        presence_penalty: Some(0.1),
        frequency_penalty: Some(0.2),
        tool_choice: Some(ToolChoice::Required),
        ..thinking(Some(Effort::Max), Some(0), Some(false)).assistant("Well,")
    }
}

#[test]
fn what_is_unknown_or_taken_costs_nothing() {
    let (request, losses) = fitted(ModelTraits::default(), &full());
    assert_eq!((request, losses), (full(), Vec::new()));
    let takes = ModelTraits {
        sampling: Some(true),
        forced_tool_use: Some(true),
        thinking_always_on: Some(false),
        budget_thinking: Some(true),
        adaptive_thinking: Some(true),
        prefill: Some(true),
        efforts: Some(Efforts::from_bits(0x7f)),
        ..ModelTraits::default()
    };
    assert_eq!(fitted(takes, &full()), (full(), Vec::new()));
}

#[test]
fn sampling_is_left_out() {
    let never = ModelTraits { sampling: Some(false), ..ModelTraits::default() };
    let (request, losses) = fitted(never, &full());
    let paths: Vec<&str> = losses.iter().map(|(_, path)| path.as_str()).collect();
    assert_eq!(paths, ["temperature", "top_p", "top_k", "presence_penalty", "frequency_penalty"]);
    let rest = ChatRequest {
        temperature: None,
        top_p: None,
        top_k: None,
        presence_penalty: None,
        frequency_penalty: None,
        ..full()
    };
    assert_eq!(request, rest, "and nothing else");
    assert_eq!(fitted(never, &ask()), (ask(), Vec::new()));
}

#[test]
fn sampling_may_depend_on_thinking() {
    let traits = ModelTraits { sampling_with_reasoning: Some(false), ..ModelTraits::default() };
    let off = thinking(Some(Effort::None), None, None).temperature(0.5);
    assert_eq!(fitted(traits, &off), (off.clone(), Vec::new()));
    for on in [ask(), thinking(Some(Effort::Low), None, None)] {
        let (request, losses) = fitted(traits, &on.clone().temperature(0.5));
        assert_eq!((request, losses), (on, told(Feature::Temperature, "temperature")));
    }
}

#[test]
fn tools_are_not_forced() {
    let traits = ModelTraits { forced_tool_use: Some(false), ..ModelTraits::default() };
    let allowed = |required| ToolChoice::Allowed { names: vec!["f".into()], required };
    for (asked, sent) in [
        (ToolChoice::Required, ToolChoice::Auto),
        (ToolChoice::Named("f".into()), ToolChoice::Auto),
        (allowed(true), allowed(false)),
    ] {
        let (request, losses) = fitted(traits, &ask().tool_choice(asked));
        assert_eq!((request.tool_choice, losses), (Some(sent), told(Feature::ToolChoice, "tool_choice")));
    }
    for free in [ToolChoice::Auto, ToolChoice::None, allowed(false)] {
        let asked = ask().tool_choice(free);
        assert_eq!(fitted(traits, &asked), (asked.clone(), Vec::new()));
    }
}

#[test]
fn thinking_that_cannot_be_switched_off() {
    let traits = ModelTraits { thinking_always_on: Some(true), ..ModelTraits::default() };
    for off in
        [thinking(Some(Effort::None), None, None), thinking(None, Some(0), None), thinking(None, None, Some(false))]
    {
        let lost = told(Feature::Reasoning, "reasoning");
        assert_eq!(fitted(traits, &off), (ask(), lost.clone()));
        let worded = ModelTraits { efforts: Some([Effort::Medium, Effort::Low].into_iter().collect()), ..traits };
        assert_eq!(fitted(worded, &off), (thinking(Some(Effort::Low), None, None), lost));
        let switched = ModelTraits { thinking_always_on: Some(false), ..worded };
        assert_eq!(fitted(switched, &off), (off.clone(), Vec::new()));
    }
}

#[test]
fn budgets_become_the_models_own_choice() {
    let traits = ModelTraits { budget_thinking: Some(false), ..ModelTraits::default() };
    let lost = told(Feature::ReasoningBudget, "reasoning.budget");
    let (request, losses) = fitted(traits, &thinking(None, Some(5000), None));
    assert_eq!((request, losses), (thinking(None, None, Some(true)), lost.clone()));
    let (request, losses) = fitted(traits, &thinking(Some(Effort::High), Some(5000), None));
    assert_eq!((request, losses), (thinking(Some(Effort::High), None, None), lost));
}

#[test]
fn words_become_budgets() {
    let traits = ModelTraits {
        adaptive_thinking: Some(false),
        budget_thinking: Some(true),
        efforts: Some(Efforts::default()),
        ..ModelTraits::default()
    };
    let lost = told(Feature::ReasoningEffort, "reasoning.effort");
    for (effort, budget) in [(Effort::Low, 1024), (Effort::Medium, 8192), (Effort::Max, 24_576)] {
        let (request, losses) = fitted(traits, &thinking(Some(effort), None, None));
        assert_eq!((request, losses), (thinking(None, Some(budget), None), lost.clone()));
    }
    let limited = thinking(Some(Effort::High), None, None).max_tokens(4000);
    let (request, _) = fitted(traits, &limited);
    assert_eq!(request, thinking(None, Some(2000), None).max_tokens(4000));
    let narrow = thinking(None, None, Some(true)).max_tokens(1024);
    assert_eq!(fitted(traits, &narrow), (ask().max_tokens(1024), told(Feature::Reasoning, "reasoning.enabled")));
    let both = ModelTraits { efforts: Some([Effort::High].into_iter().collect()), ..traits };
    let (request, losses) = fitted(both, &thinking(Some(Effort::High), None, None));
    assert_eq!((request, losses), (thinking(Some(Effort::High), Some(24_576), None), lost.clone()));
    // A budget that is given stays; a word beside it goes where the model takes none.
    let (request, losses) = fitted(traits, &thinking(Some(Effort::High), Some(3000), None));
    assert_eq!((request, losses), (thinking(None, Some(3000), None), lost));
}

#[test]
fn efforts_become_the_nearest() {
    let efforts: Efforts = [Effort::None, Effort::Low, Effort::High, Effort::Max].into_iter().collect();
    let traits = ModelTraits { efforts: Some(efforts), ..ModelTraits::default() };
    let lost = told(Feature::ReasoningEffort, "reasoning.effort");
    for (asked, sent) in [(Effort::Minimal, Effort::Low), (Effort::Medium, Effort::Low), (Effort::XHigh, Effort::High)]
    {
        let (request, losses) = fitted(traits, &thinking(Some(asked), None, None));
        assert_eq!((request, losses), (thinking(Some(sent), None, None), lost.clone()));
    }
    for taken in [Effort::None, Effort::High, Effort::Other("ultra".into())] {
        let asked = thinking(Some(taken), None, None);
        assert_eq!(fitted(traits, &asked), (asked.clone(), Vec::new()));
    }
    let wordless = ModelTraits { efforts: Some(Efforts::default()), ..ModelTraits::default() };
    assert_eq!(fitted(wordless, &thinking(Some(Effort::Low), None, None)), (ask(), lost));
    assert_eq!(format!("{efforts:?}"), "{None, Low, High, Max}");
}

#[test]
fn a_model_that_begins_its_own_answers() {
    let traits = ModelTraits { prefill: Some(false), ..ModelTraits::default() };
    let error = traits.fit(&ask().assistant("Well,")).expect_err("refused");
    assert_eq!(error.kind(), ErrorKind::Unsupported);
    assert!(error.to_string().contains("m does not go on") && !error.to_string().contains("Well"), "{error}");
    assert!(traits.fit(&ask().assistant("Hello.").user("more")).is_ok());
    // A turn that a provider's tool has interrupted.
    let json = serde_json::json!({"type": "server_tool_use"});
    let part = Part::from(crate::chat::Content::Opaque { dialect: "d".into(), json });
    let paused = ask().message(Message::new(Role::Assistant, vec![Part::text("Let me see."), part]));
    assert!(traits.fit(&paused).is_ok());
}

#[test]
fn the_known_wins_over_the_fallback() {
    let own = ModelTraits { sampling: Some(true), ..ModelTraits::default() };
    let other = ModelTraits { sampling: Some(false), prefill: Some(false), max_output: Some(7), ..own };
    assert_eq!(own.or(other), ModelTraits { sampling: Some(true), ..other });
    assert_eq!(ModelTraits::default().or(own), own);
}

#[test]
fn a_lookup_is_equal_to_itself_alone() {
    let known = TraitsOf(|_, model| ModelTraits { tools: Some(model == "m"), ..ModelTraits::default() });
    assert_eq!(known, { known });
    assert_ne!(known, TraitsOf::default());
    assert_eq!((TraitsOf::default().0)("p", "m"), ModelTraits::default());
    assert_eq!((known.0)("p", "m").tools, Some(true));
}

#[test]
fn a_request_that_says_nothing_special_is_not_held_against_a_model() {
    let plain = ChatRequest::new("m").system("Be brief.").user("hi");
    assert!(!ModelTraits::matter_to(&plain));
    for special in [
        plain.clone().max_tokens(9),
        plain.clone().temperature(0.5),
        ChatRequest { top_p: Some(0.5), ..plain.clone() },
        ChatRequest { top_k: Some(5), ..plain.clone() },
        ChatRequest { presence_penalty: Some(0.5), ..plain.clone() },
        ChatRequest { frequency_penalty: Some(0.5), ..plain.clone() },
        plain.clone().tool_choice(ToolChoice::Required),
        plain.clone().effort(Effort::Low),
        plain.clone().assistant("So"),
    ] {
        assert!(ModelTraits::matter_to(&special), "{special:?}");
    }
}
