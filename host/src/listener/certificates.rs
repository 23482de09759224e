//! The certificates of a listener: one for each client, by the name that it asks for, and when they
//! end.

use std::{
    collections::HashMap,
    fmt,
    path::PathBuf,
    sync::Arc,
    time::{Duration, SystemTime, UNIX_EPOCH},
};

use rustls::{
    server::{ClientHello, ResolvesServerCert},
    sign::CertifiedKey,
};
use x509_parser::{extensions::GeneralName, prelude::X509Certificate};

use crate::{
    config::{CertificateFiles, ListenerTls, Pointer},
    tls::{TlsFaults, certificates, unusable},
};

/// Before it ends, whoever renews a certificate should have done so.
const SOON: Duration = Duration::from_secs(7 * 24 * 60 * 60);

/// Certificates by the names in them.
pub(super) struct Certificates {
    /// Lower-case; `*.example.org` stands as it is. In the configuration's order.
    by_name: HashMap<String, Vec<Arc<CertifiedKey>>>,
    /// For clients that send no name, or one that no certificate has.
    all: Vec<Arc<CertifiedKey>>,
}

impl Certificates {
    /// `None` where there are faults.
    pub(super) fn load(config: &ListenerTls, faults: &mut TlsFaults) -> Option<Self> {
        let mut by_name = HashMap::<_, Vec<_>>::new();
        let mut all = Vec::new();
        for files in &config.certificates {
            let Some((key, names)) = load(files, faults) else { continue };
            for name in names {
                by_name.entry(name).or_default().push(Arc::clone(&key));
            }
            all.push(key);
        }
        (!all.is_empty()).then_some(Self { by_name, all })
    }

    /// Those with this name, then those of a wildcard that it fits.
    fn find(&self, name: &str) -> Vec<&Arc<CertifiedKey>> {
        let name = name.to_ascii_lowercase();
        let wildcard = name.split_once('.').map(|(_, parent)| format!("*.{parent}"));
        let names = [Some(name), wildcard].into_iter().flatten();
        names.filter_map(|name| self.by_name.get(&name)).flatten().collect()
    }
}

impl ResolvesServerCert for Certificates {
    fn resolve(&self, hello: ClientHello<'_>) -> Option<Arc<CertifiedKey>> {
        let mut found = hello.server_name().map(|name| self.find(name)).unwrap_or_default();
        if found.is_empty() {
            found.extend(&self.all);
        }
        // Of RSA and ECDSA, the client may know one only.
        let suits =
            |it: &&&Arc<CertifiedKey>| it.key.choose_scheme(hello.signature_schemes()).is_some();
        found.iter().find(suits).or(found.first()).map(|it| Arc::clone(it))
    }
}

impl fmt::Debug for Certificates {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_set().entries(self.by_name.keys()).finish()
    }
}

/// A certificate with its key, and the names in it.
fn load(
    files: &CertificateFiles,
    faults: &mut TlsFaults,
) -> Option<(Arc<CertifiedKey>, Vec<String>)> {
    let certified = faults.certified(files)?;
    let leaf = x509_parser::parse_x509_certificate(&certified.cert[0]);
    let leaf = leaf.map_err(|error| unusable(&files.certificate, error));
    let (_, leaf) = faults.keep(&files.at.key("certificate"), leaf)?;
    let names =
        alternative_names(&leaf).into_iter().map(|name| name.to_ascii_lowercase()).collect();
    Some((Arc::new(certified), names))
}

/// When a certificate holds.
pub(crate) struct Term {
    pub(crate) file: PathBuf,
    /// Its place in the configuration.
    pub(crate) at: Pointer,
    begin: i64,
    /// Seconds since 1970.
    pub(crate) end: i64,
    end_text: String,
}

impl Term {
    /// What whoever renews it should know by now.
    pub(crate) fn warning(&self) -> Option<String> {
        let (file, end) = (self.file.display(), &self.end_text);
        let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default().as_secs() as i64;
        match now {
            _ if now >= self.end => Some(format!("the certificate `{file}` has expired ({end})")),
            _ if now < self.begin => Some(format!("the certificate `{file}` does not hold yet")),
            _ if now >= self.end - SOON.as_secs() as i64 => {
                Some(format!("the certificate `{file}` expires soon ({end})"))
            }
            _ => None,
        }
    }
}

/// The terms of a listener's certificates, of those that can be read.
pub(crate) fn terms(config: &ListenerTls) -> Vec<Term> {
    config.certificates.iter().filter_map(term).collect()
}

fn term(files: &CertificateFiles) -> Option<Term> {
    let chain = certificates(&files.certificate).ok()?;
    let (_, leaf) = x509_parser::parse_x509_certificate(chain.first()?).ok()?;
    let validity = leaf.validity();
    Some(Term {
        file: files.certificate.clone(),
        at: files.at.key("certificate"),
        begin: validity.not_before.timestamp(),
        end: validity.not_after.timestamp(),
        end_text: validity.not_after.to_string(),
    })
}

/// DNS names, addresses and URIs, in the certificate's order.
pub(super) fn alternative_names(certificate: &X509Certificate<'_>) -> Vec<String> {
    let Ok(Some(names)) = certificate.subject_alternative_name() else { return Vec::new() };
    names.value.general_names.iter().filter_map(text).collect()
}

fn text(name: &GeneralName<'_>) -> Option<String> {
    match name {
        GeneralName::DNSName(name) | GeneralName::URI(name) => Some((*name).to_owned()),
        GeneralName::IPAddress(bytes) => match <[u8; 4]>::try_from(*bytes) {
            Ok(v4) => Some(std::net::Ipv4Addr::from(v4).to_string()),
            Err(_) => {
                let v6 = <[u8; 16]>::try_from(*bytes).ok()?;
                Some(std::net::Ipv6Addr::from(v6).to_string())
            }
        },
        _ => None,
    }
}
