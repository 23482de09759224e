//! Who is at the other end of a connection.

use std::net::{IpAddr, SocketAddr};

use http::{HeaderMap, HeaderValue, Version};
use ipnet::IpNet;

use super::slots::Slot;

/// The client of one connection, known once the connection is open.
#[derive(Debug)]
pub(crate) struct Client {
    pub(crate) peer: SocketAddr,
    /// The peer's address, for `x-forwarded-for`.
    pub(crate) ip_field: HeaderValue,
    pub(crate) tls: Option<ClientTls>,
    /// Which of the configuration's listeners it came to.
    pub(crate) listener: usize,
    /// Held for as long as anybody serves the client, a tunnel after its connection too.
    _slot: Option<Slot>,
}

#[derive(Debug)]
pub(crate) struct ClientTls {
    /// `1.2` or `1.3`.
    pub(crate) version: &'static str,
    pub(crate) server_name: Option<String>,
    pub(crate) certificate: Option<Certificate>,
}

/// A client certificate that was verified.
#[derive(Debug)]
pub(crate) struct Certificate {
    pub(crate) subject: String,
    pub(crate) alternative_names: Vec<String>,
    /// Hex digest of the DER form.
    pub(crate) sha256: String,
}

impl Client {
    pub(crate) fn new(peer: SocketAddr, tls: Option<ClientTls>, slot: Option<Slot>) -> Self {
        // A v4 client of a v6 socket is a v4 client.
        let peer = SocketAddr::new(peer.ip().to_canonical(), peer.port());
        let ip_field = HeaderValue::try_from(peer.ip().to_string());
        let ip_field = ip_field.expect("addresses are visible ASCII");
        Self { peer, ip_field, tls, listener: 0, _slot: slot }
    }

    /// The same, of another listener than the first.
    pub(super) fn at(self, listener: usize) -> Self {
        Self { listener, ..self }
    }

    pub(crate) fn scheme(&self) -> &'static str {
        if self.tls.is_some() { "https" } else { "http" }
    }

    pub(crate) fn scheme_field(&self) -> HeaderValue {
        HeaderValue::from_static(self.scheme())
    }

    /// Whether the peer is one whose word about its own client counts.
    pub(crate) fn is_trusted(&self, proxies: &[IpNet]) -> bool {
        is_trusted(self.peer.ip(), proxies)
    }

    /// The address of the client behind trusted proxies: from the right of `x-forwarded-for`,
    /// the first that is no trusted proxy.
    pub(crate) fn address(&self, headers: &HeaderMap, proxies: &[IpNet]) -> IpAddr {
        if !self.is_trusted(proxies) {
            return self.peer.ip();
        }
        let lines = headers.get_all("x-forwarded-for").iter().rev();
        let members = lines.filter_map(|line| line.to_str().ok()).flat_map(|line| line.rsplit(','));
        let mut last = self.peer.ip();
        for member in members {
            let Some(address) = parse(member.trim()) else { break };
            last = address;
            if !is_trusted(address, proxies) {
                break;
            }
        }
        last
    }

    pub(crate) fn protocol(&self, version: Version) -> &'static str {
        match version {
            Version::HTTP_2 => "HTTP/2",
            Version::HTTP_10 => "HTTP/1.0",
            _ => "HTTP/1.1",
        }
    }
}

fn is_trusted(address: IpAddr, proxies: &[IpNet]) -> bool {
    proxies.iter().any(|net| net.contains(&address))
}

/// An address, perhaps with a port, perhaps in brackets, as proxies write them.
fn parse(member: &str) -> Option<IpAddr> {
    let bare = member.strip_prefix('[').and_then(|m| m.strip_suffix(']')).unwrap_or(member);
    bare.parse()
        .ok()
        .or_else(|| member.parse::<SocketAddr>().ok().map(|address| address.ip()))
        .map(|ip: IpAddr| ip.to_canonical())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(peer: &str, proxies: &[&str], forwarded: &[&str], expected: &str) {
        let client = Client::new(SocketAddr::new(peer.parse().unwrap(), 1), None, None);
        let proxies: Vec<IpNet> = proxies.iter().map(|net| net.parse().unwrap()).collect();
        let mut headers = HeaderMap::new();
        for line in forwarded {
            headers.append("x-forwarded-for", HeaderValue::from_str(line).unwrap());
        }
        let address = client.address(&headers, &proxies);
        assert_eq!(address, expected.parse::<IpAddr>().unwrap(), "{forwarded:?}");
    }

    #[test]
    fn nobody_is_believed_unless_trusted() {
        check("203.0.113.9", &[], &["1.2.3.4"], "203.0.113.9");
        check("203.0.113.9", &["10.0.0.0/8"], &["1.2.3.4"], "203.0.113.9");
    }

    #[test]
    fn the_last_address_that_no_trusted_proxy_has_is_the_client() {
        let trusted = &["10.0.0.0/8"];
        check("10.0.0.1", trusted, &["1.2.3.4"], "1.2.3.4");
        check("10.0.0.1", trusted, &["6.6.6.6, 1.2.3.4, 10.0.0.7"], "1.2.3.4");
        check("10.0.0.1", trusted, &["6.6.6.6", "1.2.3.4"], "1.2.3.4");
        check("10.0.0.1", trusted, &[], "10.0.0.1");
    }

    #[test]
    fn what_is_no_address_ends_the_walk() {
        check("10.0.0.1", &["10.0.0.0/8"], &["1.2.3.4, unknown, 10.0.0.7"], "10.0.0.7");
    }

    #[test]
    fn ports_brackets_and_mapped_addresses_are_understood() {
        let trusted = &["10.0.0.0/8"];
        check("10.0.0.1", trusted, &["1.2.3.4:5555"], "1.2.3.4");
        check("10.0.0.1", trusted, &["[2001:db8::1]:443"], "2001:db8::1");
        check("::ffff:10.0.0.1", trusted, &["[2001:db8::1]"], "2001:db8::1");
    }
}
