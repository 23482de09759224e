//! Configurations are files with `@NAME@` where a port or a path belongs.

use std::fs;
use std::path::Path;

use anyhow::{Context, Result, bail};

/// What stands for which name.
pub(crate) type Values = [(&'static str, String)];

/// Writes every file of `from` into `to`, filled in. Files refer to each other, hence all of them.
pub(crate) fn render_folder(from: &Path, to: &Path, values: &Values) -> Result<()> {
    let entries = fs::read_dir(from).with_context(|| format!("cannot list {}", from.display()))?;
    for entry in entries {
        let path = entry.with_context(|| format!("cannot list {}", from.display()))?.path();
        let text =
            fs::read_to_string(&path).with_context(|| format!("cannot read {}", path.display()))?;
        let filled = fill(&text, values).with_context(|| path.display().to_string())?;
        let target = to.join(path.file_name().unwrap_or_default());
        fs::write(&target, filled).with_context(|| format!("cannot write {}", target.display()))?;
    }
    Ok(())
}

fn fill(text: &str, values: &Values) -> Result<String> {
    let mut filled = text.to_owned();
    for (name, value) in values {
        filled = filled.replace(&format!("@{name}@"), value);
    }
    match left_over(&filled) {
        Some(name) => bail!("nothing is known for @{name}@"),
        None => Ok(filled),
    }
}

fn left_over(text: &str) -> Option<&str> {
    let is_name = |part: &str| {
        !part.is_empty() && part.bytes().all(|byte| byte.is_ascii_uppercase() || byte == b'_')
    };
    text.split('@').skip(1).find(|part| is_name(part))
}

#[cfg(test)]
mod tests {
    use super::fill;

    #[test]
    fn names_are_filled_in_and_other_at_signs_stay() {
        let values = [("PORT", "80".to_owned())];
        assert_eq!(
            fill("listen @PORT@; \"@type\": x", &values).unwrap(),
            "listen 80; \"@type\": x"
        );
    }

    #[test]
    fn an_unknown_name_is_an_error() {
        let fault = fill("key @KEY@;", &[]).unwrap_err();
        assert_eq!(fault.to_string(), "nothing is known for @KEY@");
    }
}
