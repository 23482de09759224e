//! A path as a route names it: `/v1/users/{id}`, `/static/{*rest}`.

use std::{fmt, str::FromStr};

use super::{
    params::{MAX_PARAMS, Params},
    path::{BadPath, normalise},
};

/// A path pattern.
///
/// `{name}` is one whole, non-empty segment. `{*name}` is all that is left and stands last; it
/// covers its prefix too: `/x/{*rest}` matches `/x`, `/x/` and `/x/a/b`. A trailing slash
/// counts otherwise. Literals are compared as [`normalise`] writes them.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct PathPattern {
    source: String,
    segments: Vec<Segment>,
    names: Vec<String>,
}

#[derive(Clone, Debug, Eq, PartialEq)]
pub(super) enum Segment {
    Literal(String),
    Param,
    Rest,
}

#[derive(Clone, Debug, Eq, PartialEq, thiserror::Error)]
pub enum BadPattern {
    #[error("must begin with `/`")]
    NotAbsolute,
    #[error("a parameter must be a whole segment, such as `/{{name}}/`; `{0}` is not")]
    Part(String),
    #[error("`{0}` is not a parameter name: letters, digits, `_` and `-`")]
    Name(String),
    /// As other routers write parameters.
    #[error(
        "`{0}` would match only itself; `{{name}}` is one segment, `{{*name}}` all that is left"
    )]
    Foreign(String),
    #[error("the parameter `{0}` occurs twice")]
    Twice(String),
    #[error("`{{*{0}}}` must be the last segment")]
    RestNotLast(String),
    #[error("has more than {MAX_PARAMS} parameters")]
    TooMany,
    #[error("must be without `?` and `#`; conditions on the query belong in `query`")]
    Query,
    #[error("must not have `.` or `..` segments")]
    DotSegment,
    #[error(transparent)]
    Path(#[from] BadPath),
}

/// Where a path does not fit a pattern.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Misfit {
    /// Which of the pattern's segments, from 1.
    pub segment: usize,
    /// As the pattern writes it; `None`: the path goes on after the pattern's end.
    pub wanted: Option<String>,
    /// `None`: the path ends before.
    pub found: Option<String>,
}

impl PathPattern {
    /// As written.
    pub fn as_str(&self) -> &str {
        &self.source
    }

    /// The names of the parameters, in the order of [`Params`].
    pub fn names(&self) -> &[String] {
        &self.names
    }

    pub(super) fn segments(&self) -> &[Segment] {
        &self.segments
    }

    /// Matches the pattern alone, for those who want to know why it does not.
    ///
    /// # Errors
    ///
    /// The first segment that does not fit.
    pub fn fit(&self, path: &str) -> Result<Params, Misfit> {
        // `*`, the target of a server-wide OPTIONS, is below no path.
        if !path.starts_with('/') {
            return Err(self.misfit(0, Some(path)));
        }
        let mut params = Params::default();
        let mut slash = 0;
        for (position, segment) in self.segments.iter().enumerate() {
            if *segment == Segment::Rest {
                params.push((slash + 1).min(path.len())..path.len());
                return Ok(params);
            }
            let start = (slash + 1).min(path.len());
            let end = path[start..].find('/').map_or(path.len(), |length| start + length);
            let found = (slash < path.len()).then(|| &path[start..end]);
            match (segment, found) {
                (Segment::Literal(literal), Some(found)) if literal == found => (),
                (Segment::Param, Some(found)) if !found.is_empty() => params.push(start..end),
                _ => return Err(self.misfit(position, found)),
            }
            slash = end;
        }
        if slash == path.len() {
            Ok(params)
        } else {
            Err(self.misfit(self.segments.len(), Some(&path[slash + 1..])))
        }
    }

    fn misfit(&self, position: usize, found: Option<&str>) -> Misfit {
        let wanted = self.source.split('/').nth(position + 1);
        Misfit {
            segment: position + 1,
            wanted: wanted.map(str::to_owned),
            found: found.map(str::to_owned),
        }
    }

    fn add(&mut self, text: &str) -> Result<(), BadPattern> {
        if let [Segment::Rest] = self.segments[self.segments.len().saturating_sub(1)..] {
            return Err(BadPattern::RestNotLast(self.names.last().cloned().unwrap_or_default()));
        }
        let inner = text.strip_prefix('{').and_then(|text| text.strip_suffix('}'));
        let segment = match inner {
            Some(name) => match name.strip_prefix('*') {
                Some(name) => self.add_name(name).map(|()| Segment::Rest)?,
                None => self.add_name(name).map(|()| Segment::Param)?,
            },
            None if text.contains(['{', '}']) => return Err(BadPattern::Part(text.to_owned())),
            None if is_foreign(text) => return Err(BadPattern::Foreign(text.to_owned())),
            None => Segment::Literal(literal(text)?),
        };
        self.segments.push(segment);
        Ok(())
    }

    fn add_name(&mut self, name: &str) -> Result<(), BadPattern> {
        let is_allowed = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'_' || byte == b'-';
        if name.is_empty() || !name.bytes().all(is_allowed) {
            return Err(BadPattern::Name(name.to_owned()));
        }
        if self.names.iter().any(|other| other == name) {
            return Err(BadPattern::Twice(name.to_owned()));
        }
        if self.names.len() == MAX_PARAMS {
            return Err(BadPattern::TooMany);
        }
        self.names.push(name.to_owned());
        Ok(())
    }
}

impl FromStr for PathPattern {
    type Err = BadPattern;

    fn from_str(source: &str) -> Result<Self, BadPattern> {
        let path = source.strip_prefix('/').ok_or(BadPattern::NotAbsolute)?;
        if path.contains(['?', '#']) {
            return Err(BadPattern::Query);
        }
        let mut pattern = Self { source: source.to_owned(), segments: vec![], names: vec![] };
        for segment in path.split('/') {
            pattern.add(segment)?;
        }
        Ok(pattern)
    }
}

impl fmt::Display for PathPattern {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.source)
    }
}

/// Whether it is what other routers call a wildcard or a parameter: `*`, `**`, `:id`.
fn is_foreign(segment: &str) -> bool {
    let is_wild = !segment.is_empty() && segment.bytes().all(|byte| byte == b'*');
    is_wild || segment.strip_prefix(':').is_some_and(|name| !name.is_empty())
}

/// A segment in the spelling that requests have after [`normalise`].
fn literal(text: &str) -> Result<String, BadPattern> {
    let path = format!("/{text}");
    match normalise(&path) {
        // A dot segment is gone after normalising, and the empty segment is its own spelling.
        Ok(path) if path.len() == 1 && !text.is_empty() => Err(BadPattern::DotSegment),
        Ok(path) => Ok(path[1..].to_owned()),
        Err(BadPath::AboveRoot) => Err(BadPattern::DotSegment),
        Err(error) => Err(error.into()),
    }
}
