//! How registries are spoken to.

use std::collections::BTreeMap;

use super::Spot;
use crate::config::{
    Registry, Secret,
    file::{File, RegistryFile},
};

pub(super) fn check(spot: &Spot<'_>, file: &File) -> BTreeMap<String, Registry> {
    let registries = spot.entries(file.registries.as_ref());
    registries.map(|(spot, host, file)| (host.clone(), check_one(&spot, host, file))).collect()
}

fn check_one(spot: &Spot<'_>, host: &str, file: &RegistryFile) -> Registry {
    if host.is_empty() || host.contains(['/', '@']) {
        spot.fault_at_key(
            "a registry is named by host and port as in `component`, such as `ghcr.io`",
        );
    }
    let ca = file.ca.as_deref().and_then(|path| spot.key("ca").path(path));
    if ca.is_some() && file.plain_http == Some(true) {
        spot.key("ca").fault("is for TLS, which `plain_http` turns off");
    }
    let password = match (spot.has("username"), spot.has("password")) {
        (true, false) => {
            spot.key("username").fault("needs `password`");
            None
        }
        (false, true) => {
            spot.key("password").fault("needs `username`");
            None
        }
        (true, true) | (false, false) => file.password.clone().map(Secret),
    };
    Registry { plain_http: file.plain_http, ca, credentials: file.username.clone().zip(password) }
}
