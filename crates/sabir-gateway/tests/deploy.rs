//! What stands in `deploy/` holds against the gateway that there is.

use std::collections::BTreeSet;

use http::Request;
use http_body_util::{BodyExt as _, Full};
use sabir::config::{Format, Loader};
use sabir::layers::Stack;
use sabir::{Client, Env};
use sabir_gateway::Gateway;
use serde_json::Value;

async fn answer(gateway: &Gateway, path: &str) -> (u16, String) {
    let request = Request::get(path).body(Full::<bytes::Bytes>::default()).expect("a request");
    let response = gateway.answer(request).await;
    let status = response.status().as_u16();
    let body = sabir_gateway::Outgoing::of(response).into_body().collect().await.expect("a body").to_bytes();
    (status, String::from_utf8_lossy(&body).into_owned())
}

fn gateway() -> Gateway {
    Gateway::new(Client::builder().env(Env::none()).stack(Stack::standard()).build().expect("a client"))
}

/// The names in an expression that are neither functions nor labels.
fn metrics(expression: &str) -> impl Iterator<Item = &str> {
    let names = expression.split(|c: char| !c.is_ascii_alphanumeric() && c != '_');
    names.filter(|name| name.starts_with("sabir_") || name.starts_with("gen_ai_client_"))
}

#[tokio::test]
async fn every_metric_of_the_dashboard_is_there() {
    let (_, page) = answer(&gateway(), "/metrics").await;
    let kinds = page.lines().filter_map(|line| line.strip_prefix("# TYPE "));
    let kinds: BTreeSet<&str> = kinds.filter_map(|line| line.split(' ').next()).collect();
    let dashboard: Value = serde_json::from_str(include_str!("../../../deploy/grafana-dashboard.json")).expect("JSON");
    let mut seen = 0;
    for panel in dashboard["panels"].as_array().expect("panels") {
        for target in panel["targets"].as_array().expect("targets") {
            let expression = target["expr"].as_str().expect("an expression");
            for name in metrics(expression) {
                let bare = name.strip_suffix("_bucket").unwrap_or(name);
                assert!(kinds.contains(bare), "{name} of {} is not among {kinds:?}", panel["title"]);
                seen += 1;
            }
        }
    }
    assert!(seen >= 12, "{seen}");
}

#[tokio::test]
async fn what_is_probed_answers() {
    let manifest = include_str!("../../../deploy/kubernetes.yaml");
    for path in ["/healthz", "/readyz"] {
        assert!(manifest.contains(&format!("path: {path}")));
        assert_eq!(answer(&gateway(), path).await.0, 200, "{path}");
    }
}

#[test]
fn the_manifests_configuration_is_right() {
    let manifest = include_str!("../../../deploy/kubernetes.yaml");
    let (_, rest) = manifest.split_once("config.toml: |\n").expect("a configuration");
    let lines = rest.lines().take_while(|line| line.starts_with("    "));
    let text: Vec<&str> = lines.map(str::trim).collect();
    let config = Loader::new().text("config.toml", text.join("\n"), Format::Toml).load().expect("right");
    assert!(config.gateway.access_log.is_some() && config.gateway.state.is_some());
}
