//! Hosts: the patterns of routes, and which paths belong to which of them.

use std::{collections::HashMap, fmt, str::FromStr};

use super::{Match, Trie};

/// The longest host name there is (RFC 1035 §2.3.4), with room for brackets.
const MAX_HOST: usize = 255;

/// A host as a route names it, in lower case and without a trailing dot.
#[derive(Clone, Debug, Eq, Hash, PartialEq)]
pub enum HostPattern {
    Exact(String),
    /// `*.example.org`: any host with one or more labels left of `example.org`, which itself is
    /// not among them.
    Wildcard(String),
}

#[derive(Clone, Copy, Debug, Eq, PartialEq, thiserror::Error)]
pub enum BadHost {
    #[error("must not be empty")]
    Empty,
    #[error("must be without a port: the listener decides on that")]
    Port,
    #[error("`*` may only stand for the first labels: `*.example.org`")]
    Wildcard,
    #[error("must be in ASCII; write an international name in its `xn--` form")]
    NotAscii,
    #[error("is not a host name")]
    Character,
}

/// The paths of every host.
#[derive(Debug, Default)]
pub(super) struct HostIndex {
    exact: HashMap<String, Trie>,
    /// By what stands right of `*.`.
    wildcard: HashMap<String, Trie>,
    any: Trie,
}

impl HostPattern {
    /// Whether the pattern covers `host`, as a client sends it.
    pub fn matches(&self, host: &str) -> bool {
        let host = strip(host);
        match self {
            Self::Exact(name) => host.eq_ignore_ascii_case(name),
            Self::Wildcard(suffix) => {
                let labels = host.len().checked_sub(suffix.len() + 1);
                labels.is_some_and(|length| {
                    length > 0
                        && host.as_bytes()[length] == b'.'
                        && host.as_bytes()[length + 1..].eq_ignore_ascii_case(suffix.as_bytes())
                })
            }
        }
    }
}

impl FromStr for HostPattern {
    type Err = BadHost;

    fn from_str(text: &str) -> Result<Self, BadHost> {
        let host = text.strip_suffix('.').unwrap_or(text).to_ascii_lowercase();
        match host.strip_prefix("*.") {
            Some(suffix) => check_host(suffix).map(|()| Self::Wildcard(suffix.to_owned())),
            None => check_host(&host).map(|()| Self::Exact(host)),
        }
    }
}

impl fmt::Display for HostPattern {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Exact(name) => f.write_str(name),
            Self::Wildcard(suffix) => write!(f, "*.{suffix}"),
        }
    }
}

impl HostIndex {
    pub(super) fn insert(&mut self, matching: &Match, index: usize) {
        if matching.hosts.is_empty() {
            return self.any.insert(&matching.path, index);
        }
        for (position, host) in matching.hosts.iter().enumerate() {
            if matching.hosts[..position].contains(host) {
                continue;
            }
            let trie = match host {
                HostPattern::Exact(name) => self.exact.entry(name.clone()).or_default(),
                HostPattern::Wildcard(suffix) => self.wildcard.entry(suffix.clone()).or_default(),
            };
            trie.insert(&matching.path, index);
        }
    }

    /// Calls `visit` with the paths of each pattern that covers `host`, most specific first,
    /// until it returns something.
    pub(super) fn find<R>(
        &self,
        host: Option<&str>,
        mut visit: impl FnMut(&Trie) -> Option<R>,
    ) -> Option<R> {
        let mut lower_case = [0; MAX_HOST];
        if let Some(host) = host.and_then(|host| lower(strip(host), &mut lower_case))
            && let Some(found) = self.find_named(host, &mut visit)
        {
            return Some(found);
        }
        visit(&self.any)
    }

    fn find_named<R>(&self, host: &str, visit: &mut impl FnMut(&Trie) -> Option<R>) -> Option<R> {
        if let Some(found) = self.exact.get(host).and_then(&mut *visit) {
            return Some(found);
        }
        if self.wildcard.is_empty() {
            return None;
        }
        // From the left: the longer suffix comes first. The first byte cannot be such a dot: at
        // least one label stands before it.
        let dots = host.bytes().enumerate().skip(1).filter(|(_, byte)| *byte == b'.');
        let mut suffixes = dots.map(|(dot, _)| &host[dot + 1..]);
        suffixes.find_map(|suffix| self.wildcard.get(suffix).and_then(&mut *visit))
    }

    pub(super) fn for_each_trie(&mut self, visit: &mut impl FnMut(&mut Trie)) {
        self.exact.values_mut().chain(self.wildcard.values_mut()).for_each(&mut *visit);
        visit(&mut self.any);
    }
}

/// Without port and trailing dot. An IPv6 address keeps its brackets.
fn strip(host: &str) -> &str {
    let name = match host.rfind(':') {
        Some(colon) if !host[colon..].contains(']') => &host[..colon],
        _ => host,
    };
    name.strip_suffix('.').unwrap_or(name)
}

/// In lower case; `None` if it is longer than any name.
fn lower<'a>(host: &'a str, buffer: &'a mut [u8; MAX_HOST]) -> Option<&'a str> {
    if !host.bytes().any(|byte| byte.is_ascii_uppercase()) {
        return Some(host);
    }
    let buffer = buffer.get_mut(..host.len())?;
    buffer.copy_from_slice(host.as_bytes());
    buffer.make_ascii_lowercase();
    std::str::from_utf8(buffer).ok()
}

fn check_host(host: &str) -> Result<(), BadHost> {
    if host.is_empty() {
        return Err(BadHost::Empty);
    }
    if !host.is_ascii() {
        return Err(BadHost::NotAscii);
    }
    if host.contains('*') {
        return Err(BadHost::Wildcard);
    }
    if let Some(address) = host.strip_prefix('[').and_then(|host| host.strip_suffix(']')) {
        return address.parse::<std::net::Ipv6Addr>().map(drop).map_err(|_| BadHost::Character);
    }
    if host.contains(':') {
        return Err(BadHost::Port);
    }
    let is_label = |label: &str| {
        let is_allowed = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'-' || byte == b'_';
        !label.is_empty() && label.bytes().all(is_allowed)
    };
    if host.len() < MAX_HOST && host.split('.').all(is_label) {
        Ok(())
    } else {
        Err(BadHost::Character)
    }
}
