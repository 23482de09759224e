//! Upstreams and their endpoints.

use std::{collections::BTreeMap, net::Ipv6Addr, sync::Arc, time::Duration};

use super::Spot;
use crate::config::{
    CertificateFiles, Endpoint, Protocol, Upstream, UpstreamTls,
    file::{
        BalanceFile, EndpointFile, File, KeepaliveFile, ProtocolFile, TimeoutsFile, UpstreamFile,
        UpstreamTlsFile,
    },
};

pub(super) fn check(spot: &Spot<'_>, file: &File) -> BTreeMap<String, Arc<Upstream>> {
    let upstreams = spot.entries(file.upstreams.as_ref());
    upstreams
        .map(|(spot, name, upstream)| (name.clone(), Arc::new(check_one(&spot, name, upstream))))
        .collect()
}

fn check_one(spot: &Spot<'_>, name: &str, file: &UpstreamFile) -> Upstream {
    super::check_name(spot, name);
    match file.balance {
        // The only one there is.
        Some(BalanceFile::RoundRobin) | None => (),
    }
    let endpoints = spot.key("endpoints");
    let endpoints = endpoints.elements(file.endpoints.as_ref());
    let default = TimeoutsFile::default();
    let timeouts = file.timeouts.as_ref().unwrap_or(&default);
    let timeout = |key, text, default| spot.key("timeouts").duration(key, text, default);
    let default = KeepaliveFile::default();
    let keepalive = file.keepalive.as_ref().unwrap_or(&default);
    let seconds = Duration::from_secs;
    Upstream {
        name: name.to_owned(),
        endpoints: endpoints
            .filter_map(|(spot, endpoint)| check_endpoint(&spot, endpoint))
            .collect(),
        protocol: match file.protocol {
            Some(ProtocolFile::Http1) | None => Protocol::Http1,
            Some(ProtocolFile::Http2) => Protocol::Http2,
            Some(ProtocolFile::Auto) => Protocol::Auto,
        },
        tls: file.tls.as_ref().map(|tls| check_tls(&spot.key("tls"), tls)),
        connect_timeout: timeout("connect", timeouts.connect.as_ref(), seconds(2)),
        first_byte_timeout: timeout("first_byte", timeouts.first_byte.as_ref(), seconds(30)),
        idle_timeout: timeout("idle", timeouts.idle.as_ref(), seconds(60)),
        keepalive_max_idle: keepalive.max_idle.unwrap_or(128),
        keepalive_idle: spot.key("keepalive").duration(
            "idle",
            keepalive.idle.as_ref(),
            seconds(60),
        ),
    }
}

fn check_endpoint(spot: &Spot<'_>, endpoint: &EndpointFile) -> Option<Endpoint> {
    let (spot, address, weight) = match endpoint {
        EndpointFile::Address(address) => (spot.clone(), address, 1),
        EndpointFile::Weighted(table) => {
            (spot.key("address"), table.address.as_ref()?, table.weight.unwrap_or(1))
        }
    };
    match host_and_port(address) {
        Some((host, port)) => Some(Endpoint { host, port, weight }),
        None => {
            spot.fault("must be a host and a port, such as `orders.internal:9000`");
            None
        }
    }
}

/// The host without the brackets of an IPv6 address, and the port, which is not 0.
fn host_and_port(address: &str) -> Option<(String, u16)> {
    let (host, port) = address.rsplit_once(':')?;
    let port = port.bytes().all(|byte| byte.is_ascii_digit()).then(|| port.parse().ok())??;
    if port == 0 {
        return None;
    }
    if let Some(host) = host.strip_prefix('[') {
        let host = host.strip_suffix(']')?;
        return host.parse::<Ipv6Addr>().is_ok().then(|| (host.to_owned(), port));
    }
    let is_allowed = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_' | b'.');
    let is_host = !host.is_empty() && host.len() < 256 && host.bytes().all(is_allowed);
    is_host.then(|| (host.to_owned(), port))
}

fn check_tls(spot: &Spot<'_>, tls: &UpstreamTlsFile) -> UpstreamTls {
    let file = |key: &str, path: Option<&String>| path.and_then(|path| spot.key(key).path(path));
    let certificate = file("certificate", tls.certificate.as_ref());
    let key = file("key", tls.key.as_ref());
    for (one, other) in [("certificate", "key"), ("key", "certificate")] {
        if spot.has(one) && !spot.has(other) {
            spot.key(one).fault(format!("needs `{other}`"));
        }
    }
    if let Some(name) = &tls.server_name
        && (name.is_empty() || name.contains([':', '/', ' ', '*']) || !name.is_ascii())
    {
        spot.key("server_name").fault("must be a host name");
    }
    UpstreamTls {
        at: spot.at.clone(),
        server_name: tls.server_name.clone(),
        ca: file("ca", tls.ca.as_ref()),
        client_certificate: certificate.zip(key).map(|(certificate, key)| CertificateFiles {
            at: spot.at.clone(),
            certificate,
            key,
        }),
        verify: tls.verify.unwrap_or(true),
    }
}
