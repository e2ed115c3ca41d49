//! TLS: `ring` by name, and nothing process-wide.

use std::sync::Arc;

use rustls::{ClientConfig, RootCertStore};

/// A client configuration that trusts these roots.
pub(crate) fn config(roots: RootCertStore, http2: bool) -> Arc<ClientConfig> {
    let mut config = ClientConfig::builder_with_provider(Arc::new(rustls::crypto::ring::default_provider()))
        .with_safe_default_protocol_versions()
        .expect("ring has cipher suites for TLS 1.2 and 1.3")
        .with_root_certificates(roots)
        .with_no_client_auth();
    if http2 {
        config.alpn_protocols.push(b"h2".to_vec());
    }
    config.alpn_protocols.push(b"http/1.1".to_vec());
    Arc::new(config)
}
