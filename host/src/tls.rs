//! What TLS towards clients and towards upstreams have in common: certificates, keys and
//! authorities from PEM files. Every fault is found, not the first only.

use std::path::{Path, PathBuf};

use rustls::{
    RootCertStore,
    crypto::aws_lc_rs::sign::any_supported_type,
    pki_types::{
        CertificateDer, PrivateKeyDer,
        pem::{self, PemObject},
    },
    sign::CertifiedKey,
};
use zeroize::Zeroizing;

use crate::{
    config::{CertificateFiles, Pointer},
    disk,
};

/// Why a `tls` table cannot be used.
#[derive(Debug, thiserror::Error)]
pub(crate) enum TlsError {
    #[error("cannot read `{path}`: {reason}")]
    Read { path: PathBuf, reason: String },
    #[error("`{path}` holds no {what} in PEM")]
    Empty { path: PathBuf, what: &'static str },
    #[error("`{path}`: {reason}")]
    Unusable { path: PathBuf, reason: String },
    #[error("`{certificate}` does not belong to the key in `{key}`")]
    OtherKey { certificate: PathBuf, key: PathBuf },
    #[error("{0}")]
    Setting(String),
}

/// A fault of one value in a `tls` table.
#[derive(Debug)]
pub(crate) struct TlsFault {
    pub(crate) at: Pointer,
    pub(crate) error: TlsError,
}

/// The faults so far.
#[derive(Debug, Default)]
pub(crate) struct TlsFaults(Vec<TlsFault>);

impl TlsFaults {
    /// The value, or a fault at its place.
    pub(crate) fn keep<T>(&mut self, at: &Pointer, result: Result<T, TlsError>) -> Option<T> {
        result.map_err(|error| self.0.push(TlsFault { at: at.clone(), error })).ok()
    }

    /// What was made, if there is nothing against it.
    pub(crate) fn or<T>(self, made: Option<T>) -> Result<T, Vec<TlsFault>> {
        match made {
            Some(made) if self.0.is_empty() => Ok(made),
            _ => Err(self.0),
        }
    }

    /// A chain of certificates with its key.
    pub(crate) fn certified(&mut self, files: &CertificateFiles) -> Option<CertifiedKey> {
        let at = files.at.key("certificate");
        let chain = self.keep(&at, certificates(&files.certificate));
        let key = self.keep(&files.at.key("key"), signing_key(&files.key));
        let chain = self.keep(&at, chain.map_or(Ok(None), |it| parsed(it, files).map(Some)))?;
        let certified = CertifiedKey::new(chain?, key?);
        let fits = certified.keys_match().map_err(|error| match error {
            rustls::Error::InconsistentKeys(_) => TlsError::OtherKey {
                certificate: files.certificate.clone(),
                key: files.key.clone(),
            },
            error => unusable(&files.certificate, in_plain_words(&error)),
        });
        self.keep(&at, fits).map(|()| certified)
    }
}

/// All of them are sent, and a client that cannot read one refuses the first as well.
fn parsed(
    chain: Vec<CertificateDer<'static>>,
    files: &CertificateFiles,
) -> Result<Vec<CertificateDer<'static>>, TlsError> {
    let broken = chain.iter().position(|it| x509_parser::parse_x509_certificate(it).is_err());
    match broken {
        Some(at) => {
            let reason = format!("what stands as its certificate {} is none", at + 1);
            Err(unusable(&files.certificate, reason))
        }
        None => Ok(chain),
    }
}

fn signing_key(path: &Path) -> Result<std::sync::Arc<dyn rustls::sign::SigningKey>, TlsError> {
    any_supported_type(&private_key(path)?).map_err(|error| unusable(path, error))
}

/// The authorities in `ca`, or else the system's.
pub(crate) fn roots(ca: Option<&Path>) -> Result<RootCertStore, TlsError> {
    let mut roots = RootCertStore::empty();
    match ca {
        Some(path) => {
            for certificate in certificates(path)? {
                roots.add(certificate).map_err(|error| unusable(path, error))?;
            }
        }
        None => {
            roots.add_parsable_certificates(rustls_native_certs::load_native_certs().certs);
            if roots.is_empty() {
                let reason = "the system has no certificate authorities; name some with `ca`";
                return Err(TlsError::Setting(reason.into()));
            }
        }
    }
    Ok(roots)
}

/// All certificates of a PEM file, in its order.
pub(crate) fn certificates(path: &Path) -> Result<Vec<CertificateDer<'static>>, TlsError> {
    let text = disk::read(path, disk::MAX_TEXT).map_err(|error| unreadable(path, error))?;
    let found = CertificateDer::pem_slice_iter(&text).collect::<Result<Vec<_>, _>>();
    let found = found.map_err(|error| unreadable(path, in_pem_words(&error)))?;
    if found.is_empty() {
        return Err(TlsError::Empty { path: path.to_owned(), what: "certificate" });
    }
    Ok(found)
}

fn private_key(path: &Path) -> Result<PrivateKeyDer<'static>, TlsError> {
    let text = disk::read(path, disk::MAX_TEXT).map_err(|error| unreadable(path, error))?;
    PrivateKeyDer::from_pem_slice(&Zeroizing::new(text)).map_err(|error| match error {
        pem::Error::NoItemsFound => TlsError::Empty { path: path.to_owned(), what: "private key" },
        error => unreadable(path, in_pem_words(&error)),
    })
}

/// The library's words for these are of its own code.
pub(crate) fn in_plain_words(error: &rustls::Error) -> String {
    use rustls::{Error, InvalidMessage};
    let text = format!("{error:?}");
    if text.contains("CaUsedAsEndEntity") {
        return "the certificate is one of an authority (CA:TRUE), which cannot stand for a server; sign \
                the server's with it, or make it with basicConstraints=CA:FALSE"
            .into();
    }
    if text.contains("UnsupportedCertVersion") {
        return "the certificate is of X.509 version 1; make it of version 3, with a subjectAltName \
                (`openssl x509 -req -extfile ..`)"
            .into();
    }
    match error {
        Error::InvalidMessage(InvalidMessage::InvalidContentType) => {
            format!("what came is not TLS ({error})")
        }
        error => error.to_string(),
    }
}

/// What is wrong with a text that should be PEM.
fn in_pem_words(error: &pem::Error) -> String {
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    match error {
        pem::Error::MissingSectionEnd { end_marker } => {
            format!("the line `-----END {}-----` is missing", text(end_marker))
        }
        pem::Error::IllegalSectionStart { line } => {
            format!("`{}` begins nothing", text(line).trim().escape_debug())
        }
        error => error.to_string(),
    }
}

fn unreadable(path: &Path, error: impl ToString) -> TlsError {
    TlsError::Read { path: path.to_owned(), reason: error.to_string() }
}

pub(crate) fn unusable(path: &Path, error: impl ToString) -> TlsError {
    TlsError::Unusable { path: path.to_owned(), reason: error.to_string() }
}
