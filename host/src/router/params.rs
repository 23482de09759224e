//! Path parameters as ranges of the path: nothing is copied until somebody asks for a value.

use std::{borrow::Cow, ops::Range};

use percent_encoding::percent_decode_str;

/// The most parameters that one pattern may have, `{*rest}` included.
pub const MAX_PARAMS: usize = 16;

/// The values of a pattern's parameters, in the pattern's order.
///
/// They are positions in the path that was matched, so each accessor wants that path again, and
/// the names of the pattern that matched it.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub struct Params {
    ranges: [(u32, u32); MAX_PARAMS],
    count: u8,
}

impl Params {
    pub fn len(&self) -> usize {
        self.count.into()
    }

    pub fn is_empty(&self) -> bool {
        self.count == 0
    }

    /// The value as it stands in the path, percent-encoded.
    pub fn at<'p>(&self, index: usize, path: &'p str) -> Option<&'p str> {
        let (start, end) = *self.ranges[..self.len()].get(index)?;
        path.get(start as usize..end as usize)
    }

    /// The value as it stands in the path, percent-encoded.
    pub fn get<'p>(&self, names: &[String], name: &str, path: &'p str) -> Option<&'p str> {
        let index = names.iter().position(|other| other == name)?;
        self.at(index, path)
    }

    /// The value percent-decoded; what is not UTF-8 then shows as U+FFFD.
    pub fn decoded<'p>(&self, names: &[String], name: &str, path: &'p str) -> Option<Cow<'p, str>> {
        let raw = self.get(names, name, path)?;
        Some(percent_decode_str(raw).decode_utf8_lossy())
    }

    /// Name and percent-encoded value of each parameter.
    pub fn iter<'p>(
        &self,
        names: &'p [String],
        path: &'p str,
    ) -> impl Iterator<Item = (&'p str, &'p str)> {
        let params = *self;
        let values = (0..).map_while(move |index| params.at(index, path));
        names.iter().map(String::as_str).zip(values)
    }

    pub(super) fn push(&mut self, range: Range<usize>) {
        // A range that does not fit is cut to nothing; paths are far shorter than 4 GiB.
        let start = u32::try_from(range.start).unwrap_or(u32::MAX);
        let end = u32::try_from(range.end).unwrap_or(u32::MAX);
        let len = self.len();
        if let Some(slot) = self.ranges.get_mut(len) {
            *slot = (start, end);
            self.count += 1;
        }
    }

    pub(super) fn pop(&mut self) {
        self.count = self.count.saturating_sub(1);
    }
}
