//! What a request is counted by.

use std::borrow::Cow;
use std::net::{IpAddr, Ipv6Addr};

use tollgate_plugin::schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use tollgate_plugin::serde::Deserialize;
use tollgate_plugin::{HeaderName, Request, crypto};

/// Longer keys are counted by their digest: what a client sends must not fill the store.
const MAX_KEY: usize = 128;

/// `auth.subject | ip`: alternatives of sums of values.
#[derive(Debug, Deserialize, Eq, PartialEq)]
#[serde(crate = "tollgate_plugin::serde", try_from = "String")]
pub(crate) struct Key {
    alternatives: Vec<Vec<Source>>,
    pub(crate) text: String,
}

#[derive(Debug, Eq, PartialEq)]
enum Source {
    Address,
    Route,
    Header(String),
    Param(String),
    Attribute(String),
}

impl Key {
    /// The client's address.
    pub(crate) fn address() -> Self {
        Self { alternatives: vec![vec![Source::Address]], text: "ip".to_owned() }
    }

    /// The first alternative of which all values are there.
    ///
    /// Each value goes in with its length and each alternative with its number, so that no client
    /// can write a value that counts as somebody else's.
    pub(crate) fn of(&self, request: &Request, ipv6_prefix: u8) -> Option<String> {
        let key = self.alternatives.iter().enumerate().find_map(|(i, sources)| {
            let mut key = i.to_string();
            for source in sources {
                let value = source.value(request, ipv6_prefix).filter(|value| !value.is_empty())?;
                key.push(':');
                key.push_str(&value.len().to_string());
                key.push('=');
                key.push_str(&value);
            }
            Some(key)
        })?;
        if key.len() <= MAX_KEY {
            return Some(key);
        }
        let digest = crypto::sha256(key.as_bytes());
        Some(digest.iter().fold("#".to_owned(), |text, byte| text + &format!("{byte:02x}")))
    }
}

impl Source {
    fn parse(text: &str) -> Result<Self, String> {
        let named = |name: &str| match name {
            "" => Err(format!("`{text}` names nothing")),
            name => Ok(name.to_owned()),
        };
        match text.split_once(':') {
            None if text == "ip" => Ok(Self::Address),
            None if text == "route" => Ok(Self::Route),
            None if text.contains('.') => Ok(Self::Attribute(text.to_owned())),
            Some(("header", name)) => match HeaderName::new(name) {
                Ok(name) => Ok(Self::Header(name.as_str().to_owned())),
                Err(error) => Err(error.to_string()),
            },
            Some(("param", name)) => named(name).map(Self::Param),
            Some(("attribute", name)) => named(name).map(Self::Attribute),
            _ => Err(format!(
                "`{text}` is nothing to count by; there are ip, route, header:NAME, param:NAME, \
                 attribute:NAME and attributes with a dot such as auth.subject"
            )),
        }
    }

    fn value(&self, request: &Request, ipv6_prefix: u8) -> Option<String> {
        match self {
            Self::Address => Some(network(request.peer().address, ipv6_prefix)),
            Self::Route => Some(request.route()),
            Self::Header(name) => request.header(name),
            Self::Param(name) => request.param(name),
            Self::Attribute(name) => request.attribute(name),
        }
    }
}

/// The part of an address that stands for one client: an IPv6 client has a whole network to choose
/// its addresses from (RFC 6177).
fn network(address: String, ipv6_prefix: u8) -> String {
    // By far the most addresses: no need to take them apart.
    if !address.contains(':') {
        return address;
    }
    match address.parse::<IpAddr>().map(|address| address.to_canonical()) {
        Ok(IpAddr::V6(v6)) => {
            let mask = u128::MAX << (128 - u32::from(ipv6_prefix));
            Ipv6Addr::from_bits(v6.to_bits() & mask).to_string()
        }
        Ok(IpAddr::V4(v4)) => v4.to_string(),
        Err(_) => address,
    }
}

impl TryFrom<String> for Key {
    type Error = String;

    fn try_from(text: String) -> Result<Self, String> {
        let sum = |text: &str| text.split('+').map(|part| Source::parse(part.trim())).collect();
        let alternatives = text.split('|').map(sum).collect::<Result<_, String>>()?;
        Ok(Self { alternatives, text })
    }
}

impl JsonSchema for Key {
    fn schema_name() -> Cow<'static, str> {
        "Key".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({ "type": "string" })
    }
}
