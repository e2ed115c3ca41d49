//! What may be a slip and holds all the same.

use sabir_config::{Format, Loader};

/// What is doubted in a configuration: field and message.
fn doubts(text: &str) -> Vec<String> {
    let config = Loader::new().text("sabir.toml", text, Format::Toml).load().expect("a configuration");
    config.doubts().iter().map(|doubt| format!("{}: {}", doubt.field, doubt.message)).collect()
}

const NOTHING: [&str; 0] = [];

const HASH: &str = "sha256:0000000000000000000000000000000000000000000000000000000000000000";

#[test]
fn models_that_nobody_has_heard_of_are_told_wherever_they_are_named() {
    let said = doubts(&format!(
        "model = \"openai/gpt-4o-mini\"\n[aliases]\nsmall = \"openai/gpt-4o-mimi\"\n\
         [routes.fast]\ntargets = [\"anthropic/claude-sonnet-4-5\", \"mine/anything\"]\n\
         [providers.mine]\nbase_url = \"http://localhost:1/v1\"\n\
         [[limits.rules]]\nmodel = \"openai/gpt-4o-mimi\"\nrequests_per_minute = 1\n\
         [gateway.keys.ada]\nhash = \"{HASH}\"\nmodels = [\"openai/gpt-4o-mimi\", \"openai/gpt-*\", \"small\"]\n"
    ));
    let fields = ["aliases.small", "limits.rules[0].model", "gateway.keys.ada.models"];
    let expected = "openai/gpt-4o-mimi is not in the table of models; did you mean openai/gpt-4o-mini?";
    assert_eq!(said, fields.map(|field| format!("{field}: {expected}")));
}

#[test]
fn editions_of_a_known_model_and_models_with_a_price_of_ones_own_are_known() {
    let said = doubts(
        "[aliases]\nsmall = [\"openai/gpt-4o-2024-08-06\", \"openai/mine\"]\n[prices.models.\"openai/mine\".standard]\ninput = 1\n",
    );
    assert_eq!(said, NOTHING);
}

#[test]
fn models_that_a_budget_lets_nothing_through_of_are_told_once() {
    let budget = "[[budgets]]\nname = \"all\"\nlimit = 5\n";
    let own = "[providers.mine]\nbase_url = \"http://localhost:1/v1\"\n[aliases]\nlocal = \"mine/llama\"\n";
    let said = doubts(&format!("{budget}{own}"));
    assert_eq!(said.len(), 1, "{said:?}");
    assert!(said[0].starts_with("aliases.local: no price of mine/llama is known, and the budget \"all\""), "{said:?}");
    for let_through in
        ["mode = \"alert\"\n", "on_unknown_price = \"allow\"\n", "scope = \"provider\"\nonly = [\"openai\"]\n"]
    {
        assert_eq!(doubts(&format!("{budget}{let_through}{own}")), NOTHING, "{let_through}");
    }
    let priced = "[prices.models.\"mine/*\".standard]\ninput = 0\noutput = 0\n";
    assert_eq!(doubts(&format!("{budget}{own}{priced}")), NOTHING);
    let key = |more: &str| {
        format!(
            "{own}[gateway]\n{more}[gateway.teams.red]\nbudgets = [{{ limit = 5 }}]\n\
             [gateway.keys.ada]\nhash = \"{HASH}\"\nteam = \"red\"\nmodels = [\"local\"]\n"
        )
    };
    let said = doubts(&key(""));
    assert!(said.len() == 1 && said[0].contains("the budget of the team \"red\""), "{said:?}");
    assert_eq!(doubts(&key("dry_run = true\n")), NOTHING);
}

#[test]
fn routes_whose_models_can_do_different_things_are_told() {
    let said = doubts("[routes.fast]\ntargets = [\"openai/gpt-4o\", \"openai/gpt-3.5-turbo\"]\n");
    assert!(
        said.iter().any(|doubt| doubt.contains("openai/gpt-4o takes images and openai/gpt-3.5-turbo does not")),
        "{said:?}"
    );
    assert_eq!(doubts("[routes.fast]\ntargets = [\"openai/gpt-4o\", \"openai/gpt-4o-mini\"]\n"), NOTHING);
}

#[test]
fn budgets_of_keys_that_there_are_not_are_told() {
    let said = doubts(&format!(
        "[[budgets]]\nname = \"b\"\nlimit = 5\nscope = \"tag\"\ntag = \"key\"\nonly = [\"ada\", \"aad\"]\n\
         [gateway.keys.ada]\nhash = \"{HASH}\"\n"
    ));
    assert_eq!(said, ["budgets[0].only: there is no key of the gateway \"aad\"; did you mean ada?"]);
}

#[test]
fn policies_of_callers_that_may_come_are_told_and_hold() {
    let policy = "[policies.careful]\nkeys = [\"aad\"]\nteams = [\"red\"]\ncache = false\n[cache]\n";
    let said = doubts(policy);
    assert_eq!(
        said,
        [
            "policies.careful.keys: there is no key of the gateway \"aad\"",
            "policies.careful.teams: there is no team of the gateway \"red\""
        ],
        "a gateway may have them that is set up in code"
    );
    let gateway = format!("[gateway]\nstate = \"none\"\n[gateway.keys.ada]\nhash = \"{HASH}\"\n[gateway.teams.red]\n");
    let said = doubts(&format!("{policy}{gateway}"));
    assert_eq!(said, ["policies.careful.keys: there is no key of the gateway \"aad\"; did you mean ada?"]);
    let said = doubts("[policies.slow]\nmodels = [\"openai/gpt-4o-mimi\"]\ndeadline = \"1s\"\n");
    assert_eq!(said.len(), 1, "{said:?}");
    assert!(said[0].starts_with("policies.slow.models: openai/gpt-4o-mimi is not in the table"), "{said:?}");
}
