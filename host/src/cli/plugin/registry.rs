//! How commands speak to a registry.

use std::{io::Read, path::PathBuf};

use super::super::CacheArgument;
use crate::{
    config::{Registry, Secret},
    registry::{Access, Fetched, Reference, Registries},
    server,
};

/// Longest password that is read, in bytes.
const MAX_PASSWORD: u64 = 64 << 10;

#[derive(clap::Args)]
pub(super) struct RegistryArgument {
    /// The user at the registry, with `--password-stdin` [default: as `docker login` has left it]
    #[arg(long, value_name = "NAME", requires = "password_stdin")]
    username: Option<String>,
    /// Read the password, or a token that stands for one, from standard input
    #[arg(long, requires = "username")]
    password_stdin: bool,
    /// Whether to speak to the registry without TLS [default: only on this machine, without `--ca`]
    #[arg(
        long,
        value_name = "BOOL",
        num_args = 0..=1,
        require_equals = true,
        default_missing_value = "true"
    )]
    plain_http: Option<bool>,
    /// PEM file of an authority to trust besides the system's
    #[arg(long, value_name = "FILE", conflicts_with = "plain_http")]
    ca: Option<PathBuf>,
}

impl RegistryArgument {
    pub(super) fn registry(self) -> Result<Registry, String> {
        let credentials = self.username.map(|username| Ok((username, password()?)));
        let credentials = credentials.transpose().map_err(|error: std::io::Error| {
            format!("the password cannot be read from standard input: {error}")
        })?;
        Ok(Registry { plain_http: self.plain_http, ca: self.ca, credentials })
    }
}

/// Without the end of its line.
fn password() -> std::io::Result<Secret> {
    let mut text = String::new();
    std::io::stdin().take(MAX_PASSWORD).read_to_string(&mut text)?;
    Ok(Secret(text.trim_end_matches(['\r', '\n']).to_owned()))
}

/// Fetches one component into the cache. The registries live as long as what they have fetched.
pub(super) fn fetch(
    reference: &Reference,
    registry: RegistryArgument,
    cache: CacheArgument,
) -> Result<(Registries, Fetched), String> {
    let registries = Registries::new(cache.folder().as_ref(), false);
    let access = Access::from([(reference.registry().to_owned(), registry.registry()?)]);
    let runtime = server::runtime().map_err(|failed| failed.to_string())?;
    let fetched = runtime.block_on(registries.fetch((reference, None), &access));
    let fetched = fetched.map_err(|error| format!("`{reference}` cannot be used: {error}"))?;
    Ok((registries, fetched))
}
