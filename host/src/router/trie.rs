//! The paths of one host as a tree of segments, walked most specific first.

use std::collections::HashMap;

use super::{
    params::Params,
    pattern::{PathPattern, Segment},
};

/// One node for each beginning that patterns share.
///
/// A walk enters each node at most once, so what a client sends costs at most one visit of every
/// node that the configuration made.
#[derive(Debug, Default)]
pub(super) struct Trie {
    literals: HashMap<Box<str>, Trie>,
    param: Option<Box<Trie>>,
    /// Routes whose pattern ends here.
    end: Vec<usize>,
    /// Routes whose pattern ends here with `{*rest}`.
    rest: Vec<usize>,
}

impl Trie {
    pub(super) fn insert(&mut self, pattern: &PathPattern, index: usize) {
        let mut node = self;
        for segment in pattern.segments() {
            node = match segment {
                Segment::Literal(literal) => {
                    node.literals.entry(literal.as_str().into()).or_default()
                }
                Segment::Param => node.param.get_or_insert_default(),
                // Last in every pattern.
                Segment::Rest => return node.rest.push(index),
            };
        }
        node.end.push(index);
    }

    /// Calls `visit` with the routes of each pattern that covers `path`, most specific first,
    /// until it returns something.
    pub(super) fn walk<R>(
        &self,
        path: &str,
        visit: &mut impl FnMut(&[usize], &Params) -> Option<R>,
    ) -> Option<R> {
        if !path.starts_with('/') {
            return None;
        }
        self.descend(path, 0, &mut Params::default(), visit)
    }

    /// `slash`: where the `/` before what is left stands; the path's end where nothing is left.
    fn descend<R>(
        &self,
        path: &str,
        slash: usize,
        params: &mut Params,
        visit: &mut impl FnMut(&[usize], &Params) -> Option<R>,
    ) -> Option<R> {
        if slash == path.len() {
            if !self.end.is_empty()
                && let Some(found) = visit(&self.end, params)
            {
                return Some(found);
            }
        } else {
            let start = slash + 1;
            let end = path[start..].find('/').map_or(path.len(), |length| start + length);
            if let Some(child) = self.literals.get(&path[start..end])
                && let Some(found) = child.descend(path, end, params, visit)
            {
                return Some(found);
            }
            if let Some(child) = &self.param
                && start < end
            {
                params.push(start..end);
                if let Some(found) = child.descend(path, end, params, visit) {
                    return Some(found);
                }
                params.pop();
            }
        }
        if self.rest.is_empty() {
            return None;
        }
        params.push((slash + 1).min(path.len())..path.len());
        let found = visit(&self.rest, params);
        params.pop();
        found
    }

    /// Each list of routes that share their pattern.
    pub(super) fn for_each_end(&mut self, visit: &mut impl FnMut(&mut Vec<usize>)) {
        visit(&mut self.end);
        visit(&mut self.rest);
        for child in self.literals.values_mut() {
            child.for_each_end(visit);
        }
        if let Some(child) = &mut self.param {
            child.for_each_end(visit);
        }
    }
}
