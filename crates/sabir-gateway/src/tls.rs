//! HTTPS: a certificate and its key, from files that may be put in the place of others while the gateway runs.

use std::fmt;
use std::path::{Path, PathBuf};
use std::sync::{Arc, PoisonError, RwLock};

use rustls::ServerConfig;
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use sabir::{Error, ErrorKind, Result};
use tokio_rustls::TlsAcceptor;

/// A certificate and its private key, for TLS 1.2 and 1.3. Clones are the same.
#[derive(Clone)]
pub struct Tls(Arc<Inner>);

struct Inner {
    certificate: PathBuf,
    key: PathBuf,
    now: RwLock<Arc<ServerConfig>>,
}

impl fmt::Debug for Tls {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Tls").field("certificate", &self.0.certificate).finish_non_exhaustive()
    }
}

impl Tls {
    /// Reads both from files in PEM: the certificate with those that vouch for it behind it, and its private key.
    ///
    /// # Errors
    /// `Configuration` where a file cannot be read, or the two do not belong together.
    pub fn files(certificate: impl Into<PathBuf>, key: impl Into<PathBuf>) -> Result<Self> {
        let (certificate, key) = (certificate.into(), key.into());
        let now = RwLock::new(Arc::new(read(&certificate, &key)?));
        Ok(Self(Arc::new(Inner { certificate, key, now })))
    }

    /// Reads the files anew; connections from now on are made with what they have. A certificate that was renewed is put
    /// in the place of the old one so.
    ///
    /// # Errors
    /// As [`files`](Self::files); what was there stays.
    pub fn read_anew(&self) -> Result<()> {
        let fresh = Arc::new(read(&self.0.certificate, &self.0.key)?);
        *self.0.now.write().unwrap_or_else(PoisonError::into_inner) = fresh;
        Ok(())
    }

    pub(crate) fn acceptor(&self) -> TlsAcceptor {
        self.0.now.read().unwrap_or_else(PoisonError::into_inner).clone().into()
    }
}

fn read(certificate: &Path, key: &Path) -> Result<ServerConfig> {
    let wrong = |path: &Path, why: &dyn fmt::Display| {
        Error::new(ErrorKind::Configuration, format!("{} cannot be used for TLS: {why}", path.display()))
    };
    let chain =
        CertificateDer::pem_file_iter(certificate).and_then(Iterator::collect::<std::result::Result<Vec<_>, _>>);
    let chain = chain.map_err(|why| wrong(certificate, &why))?;
    if chain.is_empty() {
        return Err(wrong(certificate, &"there is no certificate in it; it must be PEM"));
    }
    let secret = PrivateKeyDer::from_pem_file(key).map_err(|why| wrong(key, &why))?;
    // Named here: no feature of another crate may choose for the whole process.
    let config = ServerConfig::builder_with_provider(Arc::new(rustls::crypto::ring::default_provider()))
        .with_safe_default_protocol_versions()
        .map_err(|why| wrong(certificate, &why))?;
    let mut config = config.with_no_client_auth().with_single_cert(chain, secret).map_err(|why| wrong(key, &why))?;
    config.alpn_protocols = vec![b"h2".to_vec(), b"http/1.1".to_vec()];
    Ok(config)
}
