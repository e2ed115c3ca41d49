//! Certificate authorities that are trusted besides the web's.

use std::ffi::OsString;
use std::fs::File;
use std::io::{self, Read as _};
use std::path::Path;

use rustls::RootCertStore;
use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::{self, PemObject};
use sabir_core::{Error, ErrorKind, Result};

const VARIABLE: &str = "SSL_CERT_FILE";
/// The most that is read of a file, in bytes. A list of all the web's authorities is some 250 KiB.
const LONGEST: u64 = 16 << 20;

/// Adds what is given: PEM with any number of certificates, or the DER bytes of one.
pub(crate) fn add(roots: &mut RootCertStore, bytes: &[u8]) -> Result<()> {
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

/// Adds those of the file of PEM that `SSL_CERT_FILE` names, as OpenSSL's programs have it
/// (<https://docs.openssl.org/3.5/man3/X509_get_default_cert_file/>). Its `SSL_CERT_DIR` is not read.
pub(crate) fn add_from_env(roots: &mut RootCertStore, get: impl Fn(&str) -> Option<OsString>) -> Result<()> {
    let Some(file) = get(VARIABLE).filter(|value| !value.is_empty()) else { return Ok(()) };
    let wrong = |why: &str| {
        let file = Path::new(&file).display();
        let message = format!("{VARIABLE} names {file}, {why}; name a file of PEM certificates, or unset it");
        Error::new(ErrorKind::Configuration, message)
    };
    let text = read(Path::new(&file)).map_err(|e| wrong(&format!("which cannot be read: {e}")).with_source(e))?;
    let found = CertificateDer::pem_slice_iter(&text).collect::<std::result::Result<Vec<_>, pem::Error>>();
    let found = found.map_err(|e| wrong(&format!("which is broken: {e}")).with_source(e))?;
    // A system's list may have some that are too old to be used, and many that are not.
    match roots.add_parsable_certificates(found) {
        (0, _) => Err(wrong("in which no certificate can be used")),
        _ => Ok(()),
    }
}

fn read(path: &Path) -> io::Result<Vec<u8>> {
    let mut text = Vec::new();
    File::open(path)?.take(LONGEST + 1).read_to_end(&mut text)?;
    if text.len() as u64 > LONGEST {
        return Err(io::Error::new(io::ErrorKind::FileTooLarge, format!("it is longer than {LONGEST} bytes")));
    }
    Ok(text)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// How many are trusted where the variable names a file with this text.
    fn trusted(name: &str, text: &str) -> Result<usize> {
        let path = std::env::temp_dir().join(format!("sabir-roots-{name}-{}", std::process::id()));
        std::fs::write(&path, text).expect("written");
        let mut roots = RootCertStore::empty();
        let added = add_from_env(&mut roots, |name| (name == VARIABLE).then(|| path.clone().into()));
        std::fs::remove_file(&path).expect("removed");
        added.map(|()| roots.len())
    }

    #[test]
    fn the_file_of_the_variable_is_read() {
        let one = || rcgen::generate_simple_self_signed(["localhost".to_owned()]).expect("a certificate").cert.pem();
        let odd = "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n";
        assert_eq!(trusted("two", &format!("# ours\n{}\n{odd}{}", one(), one())).expect("read"), 2);
        for (name, text, why) in [
            ("none", "words", "in which no certificate can be used"),
            ("odd", odd, "in which no certificate can be used"),
            ("cut", "-----BEGIN CERTIFICATE-----\nAAAA\n", "which is broken: "),
        ] {
            let error = trusted(name, text).expect_err(name);
            assert_eq!(error.kind(), ErrorKind::Configuration);
            assert!(error.message().starts_with("SSL_CERT_FILE names /") && error.message().contains(why), "{error}");
            assert_eq!(error.message().lines().count(), 1, "{error}");
        }
    }

    #[test]
    fn without_a_file_nothing_is_added() {
        let mut roots = RootCertStore::empty();
        add_from_env(&mut roots, |_| None).expect("unset");
        add_from_env(&mut roots, |_| Some(OsString::new())).expect("as unset");
        assert!(roots.is_empty());
        let error = add_from_env(&mut roots, |_| Some("/no/such/file".into())).expect_err("no file");
        assert!(error.message().contains("/no/such/file, which cannot be read: No such file"), "{error}");
    }
}
