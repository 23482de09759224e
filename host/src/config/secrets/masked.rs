//! Masks that were taken for values: somebody took what the gateway shows of a configuration for one.

use super::{has_masked_password, is_masked_text, is_secret_name};
use crate::config::{Config, Pointer, Step, Use};

/// Every text of the file that is a mask in the place of a secret, or a URL with one. One that comes of
/// a variable is meant: nothing that the gateway shows has variables. So is one in a plugin's
/// configuration where nothing is called like a secret: plugins that mask write such themselves.
pub(crate) fn masked(config: &Config) -> Vec<Pointer> {
    let mut found = Vec::new();
    config.document.each_written_text(&mut |at, text| {
        if has_masked_password(text) || (is_masked_text(text) && may_be_secret(config, at)) {
            found.push(at.clone());
        }
    });
    found
}

fn may_be_secret(config: &Config, at: &Pointer) -> bool {
    let mut told = config.uses.iter().flat_map(Use::config_places);
    let Some(told) = told.find(|told| at.is_within(told)) else { return true };
    let way = &at.steps()[told.steps().len()..];
    way.iter().any(|step| matches!(step, Step::Key(key) if is_secret_name(key)))
}
