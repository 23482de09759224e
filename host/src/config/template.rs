//! Text with path parameters in it: `/v1/orders/{id}`.

use std::fmt;

/// A text with `{name}` placeholders, each the name of a path parameter.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Template {
    parts: Vec<Part>,
}

#[derive(Clone, Debug, Eq, PartialEq, thiserror::Error)]
pub enum BadTemplate {
    #[error("`{{` has no `}}`")]
    Open,
    #[error("`}}` has no `{{`")]
    Close,
    #[error("the path has no parameter called `{name}`{}", hint(.known))]
    Unknown { name: String, known: Vec<String> },
}

#[derive(Clone, Debug, Eq, PartialEq)]
enum Part {
    Text(String),
    Param(String),
}

impl Template {
    /// `names`: the parameters there are.
    ///
    /// # Errors
    ///
    /// The text names another one, or has a brace without its partner.
    pub fn parse(text: &str, names: &[String]) -> Result<Self, BadTemplate> {
        let mut parts = Vec::new();
        let mut rest = text;
        while let Some(start) = rest.find(['{', '}']) {
            let Some(inner) = rest[start..].strip_prefix('{') else {
                return Err(BadTemplate::Close);
            };
            let (name, after) = inner.split_once('}').ok_or(BadTemplate::Open)?;
            if !names.iter().any(|known| known == name) {
                return Err(BadTemplate::Unknown { name: name.to_owned(), known: names.to_vec() });
            }
            if start > 0 {
                parts.push(Part::Text(rest[..start].to_owned()));
            }
            parts.push(Part::Param(name.to_owned()));
            rest = after;
        }
        if !rest.is_empty() {
            parts.push(Part::Text(rest.to_owned()));
        }
        Ok(Self { parts })
    }

    /// The text with every placeholder replaced by what `value` returns for its name.
    pub fn render<'v>(&self, value: impl Fn(&str) -> &'v str) -> String {
        let mut result = String::new();
        for part in &self.parts {
            match part {
                Part::Text(text) => result.push_str(text),
                Part::Param(name) => result.push_str(value(name)),
            }
        }
        result
    }

    /// Where a redirect leads to: as [`Self::render`], with `query` unless it has one of its own.
    ///
    /// Slashes at its beginning are made one: a value that begins with a slash would else turn
    /// `/{rest}` into `//host`, the address of another server (RFC 3986 §4.2).
    pub fn render_location<'v>(
        &self,
        query: Option<&str>,
        value: impl Fn(&str) -> &'v str,
    ) -> String {
        let mut location = self.render(value);
        let slashes = location.len() - location.trim_start_matches('/').len();
        if slashes > 1 {
            location.drain(1..slashes);
        }
        match query {
            Some(query) if !location.contains('?') => format!("{location}?{query}"),
            _ => location,
        }
    }
}

impl fmt::Display for Template {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for part in &self.parts {
            match part {
                Part::Text(text) => f.write_str(text)?,
                Part::Param(name) => write!(f, "{{{name}}}")?,
            }
        }
        Ok(())
    }
}

fn hint(known: &[String]) -> String {
    match known {
        [] => " (it has none)".to_owned(),
        known => format!(" (it has `{}`)", known.join("`, `")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(template: &str, expected: &str) {
        let names = ["id".to_owned(), "rest".to_owned()];
        let template = Template::parse(template, &names).expect("a valid template");
        let rendered = template.render(|name| if name == "id" { "7" } else { "/x/y" });
        assert_eq!(rendered, expected, "{template}");
    }

    #[test]
    fn placeholders_are_replaced() {
        check("/a/{id}/b{rest}", "/a/7/b/x/y");
        check("", "");
        check("{id}{id}", "77");
    }

    #[test]
    fn no_value_makes_a_location_another_server_s() {
        for (template, expected) in [
            ("/{rest}", "/x/y"),
            ("{rest}", "/x/y"),
            ("https://a.example/{rest}", "https://a.example//x/y"),
        ] {
            let template = Template::parse(template, &["rest".to_owned()]).unwrap();
            assert_eq!(template.render_location(None, |_| "/x/y"), expected);
        }
    }

    #[test]
    fn braces_are_for_parameters() {
        let check = |text: &str, expected: &str| {
            let error = Template::parse(text, &["id".to_owned()]).expect_err(text);
            assert_eq!(error.to_string(), expected);
        };
        check("/{id", "`{` has no `}`");
        check("/id}", "`}` has no `{`");
        check("/{ib}", "the path has no parameter called `ib` (it has `id`)");
        check("/{*id}", "the path has no parameter called `*id` (it has `id`)");
    }
}
