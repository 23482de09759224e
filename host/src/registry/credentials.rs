//! Who we are to a registry: as the configuration says, else as Docker knows it.

use std::{env, io, path::PathBuf, time::Duration};

use docker_credential::{CredentialRetrievalError, DockerCredential, get_credential_from_reader};
use oci_client::secrets::RegistryAuth;

use super::{Error, Reference};
use crate::{config::Registry, disk};

/// For a credential helper, which may ask a keychain or a cloud.
const PATIENCE: Duration = Duration::from_secs(30);

/// The credentials for a registry; anonymous where there are none.
///
/// # Errors
///
/// Docker's file, or the helper that it names, is at fault.
pub(super) async fn find(
    reference: &Reference,
    access: Option<&Registry>,
) -> Result<RegistryAuth, Error> {
    if let Some((username, password)) = access.and_then(|access| access.credentials.as_ref()) {
        return Ok(RegistryAuth::Basic(username.clone(), password.0.clone()));
    }
    let wrong = |reason| Error::Credentials { registry: reference.registry().to_owned(), reason };
    let registry = reference.registry().to_owned();
    // A helper is another process, and nothing says how long it takes.
    let asking = tokio::task::spawn_blocking(move || from_docker(&registry));
    let asked = tokio::time::timeout(PATIENCE, asking).await;
    let asked = asked.map_err(|_| wrong("the credential helper does not answer"))?;
    asked.unwrap_or(Err("they cannot be read")).map_err(wrong)
}

/// What `docker login` has left. Messages have nothing of the file or of a helper's output in them:
/// that may be a secret.
fn from_docker(registry: &str) -> Result<RegistryAuth, &'static str> {
    let Some(path) = docker_file() else { return Ok(RegistryAuth::Anonymous) };
    let file = match disk::open(&path) {
        Ok(file) => file,
        Err(error) if error.kind() == io::ErrorKind::NotFound => {
            return Ok(RegistryAuth::Anonymous);
        }
        Err(_) => return Err("the file cannot be read"),
    };
    match get_credential_from_reader(io::BufReader::new(file), docker_key(registry)) {
        Ok(DockerCredential::UsernamePassword(username, password)) => {
            Ok(RegistryAuth::Basic(username, password))
        }
        Ok(DockerCredential::IdentityToken(_)) => {
            Err("there is an identity token, which is not supported")
        }
        Err(error) => reason(&error).map_or(Ok(RegistryAuth::Anonymous), Err),
    }
}

fn docker_file() -> Option<PathBuf> {
    let home = || env::var_os("HOME").map(|home| PathBuf::from(home).join(".docker"));
    let folder = env::var_os("DOCKER_CONFIG").map(PathBuf::from).or_else(home)?;
    Some(folder.join("config.json"))
}

/// Docker Hub's entry has a name from before there were others.
fn docker_key(registry: &str) -> &str {
    match registry {
        "docker.io" => "https://index.docker.io/v1/",
        registry => registry,
    }
}

/// What is wrong; `None`: nothing, there are just no credentials.
fn reason(error: &CredentialRetrievalError) -> Option<&'static str> {
    use CredentialRetrievalError as Wrong;
    match error {
        Wrong::NoCredentialConfigured | Wrong::ConfigNotFound => None,
        // The words by which all helpers say so.
        Wrong::HelperFailure { stdout, .. } if stdout.contains("credentials not found") => None,
        Wrong::HelperFailure { .. } => Some("the credential helper fails"),
        Wrong::HelperCommunicationError => Some("the credential helper cannot be run"),
        Wrong::MalformedHelperResponse => Some("the credential helper answers something else"),
        Wrong::ConfigReadError => Some("the file is not Docker's"),
        Wrong::CredentialDecodingError => Some("the entry cannot be decoded"),
        Wrong::CredentialMismatchError => Some("the entry contradicts itself"),
    }
}
