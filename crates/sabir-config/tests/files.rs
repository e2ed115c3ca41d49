//! Files as people write them, and what holds by them.

use std::path::{Path, PathBuf};
use std::time::Duration;

use sabir_config::{
    Config, Format, Loader, LogFormat, LogLevel, Money, Period, Policy, SecretRef, Share, Source, Sticky,
};

fn file(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/spec").join(name)
}

fn toml(text: &str) -> Config {
    Loader::new().text("sabir.toml", text, Format::Toml).load().unwrap_or_else(|faults| panic!("{faults}"))
}

#[test]
fn the_specification_s_yaml_is_read_as_it_is_written() {
    let config = Loader::new().file(file("specification.yaml")).load().expect("whole");
    assert_eq!((config.provider.as_deref(), config.model.as_deref()), (Some("openai"), Some("gpt-4")));
    assert_eq!(config.timeout, Some(Duration::from_secs(30)));
    let retry = &config.retry;
    assert_eq!(
        (retry.max_attempts.get(), retry.initial_delay, retry.max_delay, retry.multiplier),
        (3, Duration::from_millis(100), Duration::from_secs(2), 2.0)
    );
    let limits = &config.limits;
    let amounts = [limits.requests_per_minute, limits.tokens_per_minute, limits.concurrent_calls];
    assert_eq!(amounts.map(|amount| amount.expect("said").get()), [60, 100_000, 10]);
    let budget = config.cost_control.budget().expect("a budget");
    assert_eq!((budget.per_request, budget.limit), (Some(Money(500_000_000)), Some(Money(100_000_000_000))));
    assert_eq!(budget.period, Period::Rolling(Duration::from_secs(86_400)));
    assert_eq!((config.logging.level, config.logging.format), (LogLevel::Info, LogFormat::Json));
}

#[test]
fn the_specification_s_toml_is_read_as_it_is_written() {
    let config = Loader::new().file(file("providers.toml")).load().expect("whole");
    assert_eq!(config.provider.as_deref(), Some("openai"));
    let names: Vec<&str> = config.providers.keys().map(String::as_str).collect();
    assert_eq!(names, ["claude", "local", "openai"]);
    let claude = &config.providers["claude"];
    assert_eq!(claude.api_key, Some(SecretRef::Given("sk-ant-0123456789abcdef".into())));
    assert_eq!(claude.base_url.as_ref().expect("said").0, "https://api.anthropic.com");
    assert_eq!(claude.model.as_deref(), Some("claude-3-opus-20240229"));
    assert_eq!(config.providers["local"].api_key, None, "what is set to nothing is not set");
    assert_eq!(config.providers["local"].quirks["take_turns"], "true");
}

#[test]
fn every_section_can_be_said() {
    let env = [("OPENAI_MAIN", "sk-main-0123456789"), ("MY_KEY", "my-own-key-000")];
    let config =
        Loader::new().file(file("everything.toml")).env(env).load().unwrap_or_else(|faults| panic!("{faults}"));
    let openai = &config.providers["openai"];
    assert_eq!(openai.keys["main"].key, SecretRef::Given("sk-main-0123456789".into()));
    assert_eq!(openai.keys["spare"].key, SecretRef::File(file("keys/spare")));
    assert_eq!(openai.timeouts.whole, Some(Duration::from_secs(300)));
    let command = ["pass", "show", "work/openai"].map(str::to_owned).to_vec();
    assert_eq!(config.providers["work"].api_key, Some(SecretRef::Command(command)));
    assert_eq!(config.routes["tenants"].sticky_by, Some(Sticky::Tag("team".to_owned())));
    assert_eq!(config.routes["fast"].policy, Policy::LowestLatency);
    assert_eq!(config.routes["cheap"].targets[0].price, Some(Money(420_000_000)));
    assert_eq!(config.budgets[0].limit, Some(Money(25_500_000_000)), "a number with a point is read as it is written");
    assert_eq!(config.budgets[0].thresholds, [Share(0.5), Share(0.8), Share(1.0)]);
    let overlay = config.prices.overlay().expect("prices");
    assert_eq!(overlay.models["openai/gpt-6-luna"].standard.output, Some(sabir_prices::Price(400_000_000)));
    assert_eq!(config.ledger.as_ref().expect("said").path, Path::new("spend.db"));
}

#[test]
fn the_formats_say_the_same() {
    let formats = [
        (
            Format::Toml,
            "model = \"openai/m\"\n[retry]\nmax_attempts = 5\nshare = \"30%\"\n[[budgets]]\nname = \"b\"\nlimit = 0.10\n",
        ),
        (
            Format::Yaml,
            "model: openai/m\nretry:\n  max_attempts: 5\n  share: 30%\nbudgets:\n- {name: b, limit: 0.10}\n",
        ),
        (
            Format::Json,
            "{\"model\": \"openai/m\",\n \"retry\": {\"max_attempts\": 5, \"share\": \"30%\"},\n \"budgets\": [{\"name\": \"b\", \"limit\": 0.10}]}",
        ),
    ];
    let said = formats.map(|(format, text)| {
        let config = Loader::new().text("f", text, format).load().unwrap_or_else(|faults| panic!("{faults}"));
        assert_eq!(config.budgets[0].limit, Some(Money(100_000_000)));
        config.show().iter().map(|shown| (shown.field.clone(), shown.value.clone())).collect::<Vec<_>>()
    });
    assert_eq!(said[0], said[1]);
    assert_eq!(said[1], said[2]);
}

#[test]
fn who_says_it_last_wins_field_by_field() {
    let file = "timeout = \"10s\"\nmodel = \"openai/file\"\n[retry]\nmax_attempts = 2\n[logging]\nlevel = \"warn\"\n";
    let env = [("LLM_TIMEOUT", "20s"), ("LLM_LOG_LEVEL", "debug"), ("LLM_MODEL", "  ")];
    let loader = Loader::new().text("sabir.toml", file, Format::Toml).env(env).set("timeout", "30s");
    let config = loader.load().expect("whole");
    assert_eq!(config.timeout, Some(Duration::from_secs(30)));
    assert_eq!(config.logging.level, LogLevel::Debug);
    assert_eq!(config.model.as_deref(), Some("openai/file"), "what is set to nothing is not set");
    let source = |field: &str| config.source(field).expect(field).to_string();
    assert_eq!(
        ["timeout", "logging.level", "retry.max_attempts", "retry.max_delay"].map(source),
        ["explicit", "$LLM_LOG_LEVEL", "sabir.toml:4", "default"]
    );
}

/// Every variable that the specification names, and what it sets.
#[test]
fn the_specification_s_variables_hold() {
    let env = [
        ("LLM_API_KEY", "sk-0123456789abcdef"),
        ("LLM_MODEL", "gpt-4"),
        ("LLM_PROVIDER", "openai"),
        ("LLM_TIMEOUT", "30s"),
        ("LLM_MAX_RETRIES", "3"),
        ("LLM_REQUESTS_PER_MINUTE", "60"),
        ("LLM_MAX_TOKENS_PER_MINUTE", "100000"),
        ("LLM_MAX_CONCURRENT_CALLS", "10"),
        ("LLM_MAX_COST_PER_REQUEST", "0.50"),
        ("LLM_MAX_BUDGET", "100.00"),
        ("LLM_BUDGET_PERIOD", "24h"),
        ("LLM_LOG_LEVEL", "info"),
    ];
    let config = Loader::new().env(env).load().unwrap_or_else(|faults| panic!("{faults}"));
    assert_eq!(config.retry.max_attempts.get(), 4, "three tries after the first one");
    assert_eq!(config.limits.concurrent_calls.expect("said").get(), 10);
    assert_eq!(config.cost_control.max_budget, Some(Money(100_000_000_000)));
    let attempts = config.show().iter().find(|shown| shown.field == "retry.max_attempts").expect("shown");
    assert_eq!((attempts.value.as_str(), attempts.source.to_string().as_str()), ("4", "$LLM_MAX_RETRIES"));
    for (name, _) in env {
        let source = Source::Variable(name.into());
        assert!(config.show().iter().any(|shown| shown.source == source), "{name} sets nothing");
    }
    let alone = Loader::new().env([("LLM_API_KEY", "sk-0123456789abcdef")]).load().expect("whole");
    assert_eq!(alone.provider.as_deref(), Some("openai"));
    let wrong = Loader::new().env([("LLM_TIMEOUT", "soon")]).load().expect_err("no duration");
    assert_eq!(
        wrong.to_string(),
        "$LLM_TIMEOUT: timeout: must be a duration with its unit like 30s, 500ms, 1m30s or 24h, not \"soon\""
    );
}

#[test]
fn a_provider_s_variables_hold() {
    let file = "[providers.anthropic]\napi_key = \"sk-file\"\n[providers.my-own]\nbase_url = \"http://localhost/v1\"\n";
    let env = [
        ("ANTHROPIC_API_KEY", "sk-env"),
        ("ANTHROPIC_MODEL", "m"),
        ("MY_OWN_BASE_URL", "http://elsewhere/v1"),
        ("MY_OWN_API_KEY", "k"),
    ];
    let config = Loader::new().text("sabir.toml", file, Format::Toml).env(env).load().expect("whole");
    let (known, own) = (&config.providers["anthropic"], &config.providers["my-own"]);
    assert_eq!((&known.api_key, known.model.as_deref()), (&Some(SecretRef::Given("sk-env".into())), Some("m")));
    assert_eq!(own.base_url.as_ref().expect("said").0, "http://elsewhere/v1");
    assert_eq!(own.api_key, Some(SecretRef::Given("k".into())));
    // A pool that was written down is not put aside by a variable.
    let pool = "[providers.anthropic]\nkeys = { a = { key = \"k1\" } }\n";
    let config = Loader::new().text("sabir.toml", pool, Format::Toml).env(env).load().expect("whole");
    assert_eq!(config.providers["anthropic"].api_key, None);
}

#[test]
fn nothing_that_is_shown_is_a_key() {
    const KEY: &str = "sk-proj-Zk3x9QpL7vNb2Wc4";
    let file = format!(
        "api_key = \"{KEY}\"\nprovider = \"groq\"\n[providers.openai]\nkeys = [{{ name = \"a\", key = \"{KEY}\" }}]\nheaders = {{ x-secret = \"{KEY}\" }}\n\
         [providers.mine]\nbase_url = \"http://localhost/v1\"\napi_key = {{ command = [\"pass\", \"show\", \"{KEY}\"] }}\n"
    );
    let config = toml(&file);
    let shown = format!("{:?}", config.show());
    assert!(!shown.contains("Zk3x9QpL7vNb2Wc4"), "{shown}");
    assert!(shown.contains("sk-p…") && shown.contains("command pass"), "{shown}");
    let given = format!("{:?}{:?}", config.api_key, config.providers["openai"]);
    assert!(!given.contains("Zk3x9QpL7vNb2Wc4"), "{given}");
    // Nor is one that stands where no key belongs.
    for wrong in [
        format!("timeout = \"{KEY}\""),
        format!("providers = \"{KEY}\""),
        format!("[providers.openai]\nbase_url = \"https://u:{KEY}@h/\""),
    ] {
        let faults = Loader::new().text("sabir.toml", wrong, Format::Toml).load().expect_err("wrong").to_string();
        assert!(!faults.contains("Zk3x9QpL7vNb2Wc4"), "{faults}");
    }
}

#[test]
fn what_is_set_must_be_a_field() {
    let faults =
        Loader::new().set("retyr.max_attempts", "3").set("retry.max_attempts", "3").load().expect_err("no field");
    assert_eq!(faults.to_string(), "explicit: retyr.max_attempts: is no field that can be set so");
    let config = Loader::new().set("cache.ttl", "5m").set("providers.groq.model", "llama").load().expect("whole");
    assert_eq!(config.cache.as_ref().expect("said").ttl, Duration::from_secs(300));
    assert_eq!(config.providers["groq"].model.as_deref(), Some("llama"));
}

#[test]
fn keys_are_fetched_from_files_and_commands() {
    let folder = std::env::temp_dir().join(format!("sabir-config-{}", std::process::id()));
    std::fs::create_dir_all(&folder).expect("a folder");
    std::fs::write(folder.join("key"), " sk-from-file\n").expect("a key");
    std::fs::write(folder.join("empty"), "\n").expect("a file");
    let text = "[providers.a]\nbase_url = \"http://localhost\"\napi_key = \"file:key\"\n\
                [providers.b]\nbase_url = \"http://localhost\"\napi_key = { command = [\"echo\", \"sk-from command\"] }\n\
                [providers.c]\nbase_url = \"http://localhost\"\napi_key = \"cmd:false\"\n\
                [providers.d]\nbase_url = \"http://localhost\"\napi_key = { file = \"empty\" }\n";
    let path = folder.join("sabir.toml");
    std::fs::write(&path, text).expect("a file");
    let config = Config::load(&path).unwrap_or_else(|faults| panic!("{faults}"));
    let key = |id: &str| config.providers[id].api_key.as_ref().expect("said").resolve();
    assert_eq!(key("a").expect("read").expose(), "sk-from-file");
    assert_eq!(key("b").expect("told").expose(), "sk-from command");
    assert!(key("c").expect_err("failed").to_string().contains("false gave no key"));
    assert!(key("d").expect_err("empty").to_string().contains("holds no key"));
    std::fs::remove_dir_all(&folder).expect("removed");
}

#[test]
fn a_key_of_a_variable_is_named_as_one_of_a_file_is() {
    let text = "api_key = \"env:MINE\"\nprovider = \"openai\"\n";
    let loader = || Loader::new().text("sabir.toml", text, Format::Toml);
    let config = loader().env([("MINE", "sk-mine-0123456789")]).load().unwrap_or_else(|faults| panic!("{faults}"));
    assert_eq!(config.api_key.as_ref().expect("said").resolve().expect("there").expose(), "sk-mine-0123456789");
    let faults = loader().load().expect_err("it is not set").to_string();
    assert_eq!(faults, "sabir.toml:1: api_key: the variable MINE is not set; set it");
}

#[test]
fn policies_are_read_and_laid_over_what_holds_for_all() {
    let config = Loader::new()
        .file(file("everything.toml"))
        .env([("OPENAI_MAIN", "sk-main-0123456789"), ("MY_KEY", "my-own-key-000")]);
    let config = config.load().unwrap_or_else(|faults| panic!("{faults}"));
    let careful = &config.policies["careful"];
    assert_eq!(
        (&careful.keys[..], &careful.teams[..]),
        (&["ada".to_owned(), "default".to_owned()][..], &["red".to_owned()][..])
    );
    assert_eq!(
        (&careful.tags["project"][..], &careful.tags["env"][..]),
        (&["salt".to_owned(), "pepper".to_owned()][..], &["prod".to_owned()][..])
    );
    let retry = careful.retry.over(&config.retry);
    assert_eq!((retry.max_attempts.get(), retry.max_delay, retry.maybe_sent), (7, Duration::from_secs(5), true));
    assert_eq!(
        (retry.initial_delay, retry.multiplier, retry.reserve),
        (Duration::from_millis(200), 1.5, 100),
        "as for all"
    );
    let provider = config.providers["openai"].timeouts.over(&config.timeouts);
    let times = careful.timeouts.over(&provider);
    assert_eq!(
        (times.whole, times.first_event, times.idle),
        (Duration::from_secs(300), Duration::from_secs(90), config.timeouts.idle)
    );
    assert_eq!((careful.cache, config.policies["slow"].cache), (Some(false), None));
    assert!(config.policies["slow"].hedge.as_ref().is_some_and(|hedge| !hedge.enabled));
    for (field, value) in [
        ("policies.careful.keys[0]", "ada"),
        ("policies.careful.tags.env", "prod"),
        ("policies.careful.tags.project[1]", "pepper"),
        ("policies.careful.retry.max_attempts", "7"),
        ("policies.careful.guard.redact", "true"),
        ("policies.slow.models[0]", "openai/*"),
    ] {
        let shown = config.show().iter().find(|shown| shown.field == field).unwrap_or_else(|| panic!("{field}"));
        assert_eq!(shown.value, value);
    }
}

#[test]
fn who_names_more_closely_decides() {
    let says = |name: &str, what: &str| format!("[policies.{name}]\n{what}\ndeadline = \"9s\"\n");
    let all = [
        ("g_tag", "tags = { env = \"prod\" }"),
        ("f_team", "teams = [\"red\"]"),
        ("e_model", "models = [\"openai/*\"]"),
        ("d_model_and_team", "models = [\"openai/*\"]\nteams = [\"red\"]"),
        ("c_route", "routes = [\"fast\"]"),
        ("b_key", "keys = [\"ada\"]"),
        ("a_key", "keys = [\"ada\"]"),
        ("z_key_and_tag", "keys = [\"ada\"]\ntags = { env = \"prod\" }"),
    ];
    let text: String = all.iter().map(|(name, what)| says(name, what)).collect();
    let config = toml(&format!("{text}[aliases]\nfast = \"openai/gpt-6-luna\"\n"));
    let order: Vec<&str> = config.policies_in_order().into_iter().map(|(name, _)| name).collect();
    let expected = ["z_key_and_tag", "a_key", "b_key", "c_route", "d_model_and_team", "e_model", "f_team", "g_tag"];
    assert_eq!(order, expected);
}
