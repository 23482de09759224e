//! Listeners, the administration server, and whom to believe.

use std::net::{IpAddr, Ipv4Addr, SocketAddr};

use http::StatusCode;
use ipnet::IpNet;

use super::Spot;
use crate::config::{
    Admin, CertificateFiles, ClientAuth, Listener, ListenerTls, Pointer, RedirectToHttps, Secret,
    TlsVersion,
    file::{
        CertificateFile, ClientAuthFile, File, ListenerTlsFile, RedirectToHttpsFile,
        RedirectToHttpsTableFile, TlsVersionFile,
    },
};

pub(super) fn check(spot: &Spot<'_>, file: &File) -> Vec<Listener> {
    let mut seen: Vec<(SocketAddr, Pointer)> = Vec::new();
    let mut listeners = Vec::new();
    for (spot, listener) in spot.elements(file.listeners.as_ref()) {
        let tls = listener.tls.as_ref().map(|tls| check_tls(&spot.key("tls"), tls));
        let address = listener.address.as_deref().and_then(|text| socket(&spot, text));
        // Its certificates are looked at all the same.
        let address = address.unwrap_or(SocketAddr::from((Ipv4Addr::LOCALHOST, 0)));
        if let Some((first, at)) = seen.iter().find(|(first, _)| overlap(*first, address)) {
            let place = spot.faults.named_place(at);
            let message = match *first == address {
                true => format!("is already the address of {place}"),
                false => format!("is also an address of {place}, `{first}`"),
            };
            spot.key("address").fault(message);
        }
        seen.push((address, spot.at.clone()));
        let redirect_to_https =
            listener.redirect_to_https.as_ref().and_then(|file| redirect_to_https(&spot, file));
        let half_close = listener.half_close.unwrap_or(false);
        let at = spot.at.clone();
        listeners.push(Listener { at, address, tls, redirect_to_https, half_close });
    }
    listeners
}

/// Whether two sockets would have an address in common: one of all addresses has each. Each port 0
/// becomes another port.
fn overlap(a: SocketAddr, b: SocketAddr) -> bool {
    let is_all = a.ip().is_unspecified() || b.ip().is_unspecified();
    a.port() != 0
        && a.port() == b.port()
        && a.is_ipv4() == b.is_ipv4()
        && (a.ip() == b.ip() || is_all)
}

fn redirect_to_https(spot: &Spot<'_>, file: &RedirectToHttpsFile) -> Option<RedirectToHttps> {
    let default = RedirectToHttpsTableFile::default();
    let table = match file {
        RedirectToHttpsFile::On(false) => return None,
        RedirectToHttpsFile::On(true) => &default,
        RedirectToHttpsFile::Table(table) => table,
    };
    if spot.has("tls") {
        spot.key("redirect_to_https").fault_at_key("cannot stand beside `tls`");
    }
    // The schema knows the statuses that there are.
    let status = table.status.and_then(|status| StatusCode::from_u16(status).ok());
    Some(RedirectToHttps {
        port: table.port.unwrap_or(443),
        status: status.unwrap_or(StatusCode::PERMANENT_REDIRECT),
    })
}

pub(super) fn check_admin(spot: &Spot<'_>, file: &File) -> Admin {
    let default = SocketAddr::from((Ipv4Addr::LOCALHOST, 9901));
    let admin = file.admin.as_ref();
    let token = admin.and_then(|admin| admin.token.clone());
    let text = admin.and_then(|admin| admin.address.as_deref());
    let given = text.and_then(|text| socket(spot, text));
    let address = given.unwrap_or(default);
    if token.as_deref() == Some("") {
        spot.key("token").fault("must not be empty");
    }
    if !address.ip().is_loopback() && token.is_none() {
        let message = "is not a loopback address, so that `token` must be set";
        spot.key("address").fault(message);
    }
    let listeners = file.listeners.iter().flatten().flatten();
    let mut taken = listeners.filter_map(|listener| listener.address.as_deref()?.parse().ok());
    if taken.any(|listener: SocketAddr| overlap(listener, address)) {
        spot.key("address").fault(match given {
            Some(_) => "is already the address of a listener".to_owned(),
            None => format!("is `{default}` where it is not set, the address of a listener"),
        });
    }
    Admin { address, token: token.map(Secret) }
}

pub(super) fn check_proxies(spot: &Spot<'_>, file: &File) -> Vec<IpNet> {
    let mut networks = Vec::new();
    for (spot, text) in spot.elements(file.trusted_proxies.as_ref()) {
        let address = text.parse::<IpAddr>().map(IpNet::from);
        match text.parse::<IpNet>().or(address) {
            Ok(network) if network.addr() != network.network() => spot.fault(format!(
                "has bits beyond its prefix; write `{}` for the network or `{}` for the one address",
                network.trunc(),
                network.addr()
            )),
            Ok(network) => networks.push(network),
            Err(_) => spot.fault("must be an IP address or a network such as `10.0.0.0/8`"),
        }
    }
    networks
}

fn socket(spot: &Spot<'_>, text: &str) -> Option<SocketAddr> {
    let address =
        text.parse().map_err(|_| "must be an IP address and a port, such as `0.0.0.0:8080`");
    spot.key("address").keep(address)
}

fn check_tls(spot: &Spot<'_>, tls: &ListenerTlsFile) -> ListenerTls {
    let certificates = spot.key("certificates");
    let pairs = certificates.elements(tls.certificates.as_ref());
    let certificates = pairs.filter_map(|(spot, pair)| certificate(&spot, pair)).collect();
    let client_ca = tls.client_ca.as_deref().and_then(|path| spot.key("client_ca").path(path));
    if spot.has("client_auth") && !spot.has("client_ca") {
        spot.key("client_auth").fault("needs `client_ca`");
    }
    let client_auth = match (tls.client_auth, &client_ca) {
        (_, None) => ClientAuth::Off,
        (Some(ClientAuthFile::Optional), Some(_)) => ClientAuth::Optional,
        (Some(ClientAuthFile::Required) | None, Some(_)) => ClientAuth::Required,
    };
    let min_version = match tls.min_version {
        Some(TlsVersionFile::V1_2) | None => TlsVersion::V1_2,
        Some(TlsVersionFile::V1_3) => TlsVersion::V1_3,
    };
    ListenerTls { at: spot.at.clone(), certificates, client_ca, client_auth, min_version }
}

fn certificate(spot: &Spot<'_>, pair: &CertificateFile) -> Option<CertificateFiles> {
    let certificate =
        pair.certificate.as_deref().and_then(|path| spot.key("certificate").path(path));
    let key = pair.key.as_deref().and_then(|path| spot.key("key").path(path));
    Some(CertificateFiles { at: spot.at.clone(), certificate: certificate?, key: key? })
}
