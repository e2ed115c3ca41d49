//! TLS: `ring` by name, the web's root certificates unless told otherwise, and nothing process-wide.

use std::sync::Arc;

use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject;
use rustls::{ClientConfig, RootCertStore};
use sabir_core::{Error, ErrorKind, Result};

/// A client configuration that trusts the web's roots (unless `replaced`) and those in `added`,
/// each PEM (any number of certificates) or one DER certificate.
pub(crate) fn config(added: &[Vec<u8>], replaced: bool, http2: bool) -> Result<Arc<ClientConfig>> {
    let mut roots = RootCertStore::empty();
    if !replaced {
        roots.extend(webpki_roots::TLS_SERVER_ROOTS.iter().cloned());
    }
    for bytes in added {
        add(&mut roots, bytes)?;
    }
    let mut config = ClientConfig::builder_with_provider(Arc::new(rustls::crypto::ring::default_provider()))
        .with_safe_default_protocol_versions()
        .expect("ring has cipher suites for TLS 1.2 and 1.3")
        .with_root_certificates(roots)
        .with_no_client_auth();
    if http2 {
        config.alpn_protocols.push(b"h2".to_vec());
    }
    config.alpn_protocols.push(b"http/1.1".to_vec());
    Ok(Arc::new(config))
}

fn add(roots: &mut RootCertStore, bytes: &[u8]) -> Result<()> {
    const PEM: &[u8] = b"-----BEGIN CERTIFICATE";
    if !bytes.windows(PEM.len()).any(|w| w == PEM) {
        return roots.add(CertificateDer::from(bytes)).map_err(unreadable);
    }
    for certificate in CertificateDer::pem_slice_iter(bytes) {
        roots.add(certificate.map_err(unreadable)?).map_err(unreadable)?;
    }
    Ok(())
}

fn unreadable(error: impl std::error::Error + Send + Sync + 'static) -> Error {
    Error::new(
        ErrorKind::Configuration,
        format!("an added root certificate cannot be read: {error}; give PEM or DER bytes"),
    )
    .with_source(error)
}
