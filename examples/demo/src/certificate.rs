//! A certificate for the HTTPS listener, signed by itself, made once.

use std::fs;

use anyhow::{Context, Result};

use crate::place::Place;

const NAMES: [&str; 2] = ["localhost", "127.0.0.1"];

pub(crate) fn ensure(place: &Place) -> Result<()> {
    let (certificate, key) = (place.certificate(), place.key());
    if certificate.is_file() && key.is_file() {
        return Ok(());
    }
    let folder = place.output();
    fs::create_dir_all(&folder).with_context(|| format!("cannot make {}", folder.display()))?;
    let made = rcgen::generate_simple_self_signed(NAMES.map(String::from))
        .context("cannot make a certificate")?;
    // The certificate comes last: where it is, its key is too.
    fs::write(&key, made.signing_key.serialize_pem())
        .with_context(|| format!("cannot write {}", key.display()))?;
    fs::write(&certificate, made.cert.pem())
        .with_context(|| format!("cannot write {}", certificate.display()))
}
