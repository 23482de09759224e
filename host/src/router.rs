//! Which route takes a request. Pure: no I/O, no clock, and nothing allocated for a request that
//! is served.
//!
//! Among all routes that match a request fully, the most specific one wins, in whatever order the
//! configuration lists them. The first of these that differs decides:
//!
//! 1. host: exact, then the wildcard with the longer suffix, then no host named;
//! 2. path, at the first segment that differs: literal, then `{param}`, then `{*rest}`;
//! 3. methods: named, then any (for HEAD: `HEAD` named, then `GET` named, then any);
//! 4. the number of header conditions, more first;
//! 5. the number of query conditions, more first.
//!
//! Two routes of equal rank that could both match one request are a [`Conflict`].

mod conditions;
mod host;
mod params;
mod path;
mod pattern;
mod trie;

use std::{cmp::Reverse, collections::BTreeSet};

use http::{HeaderMap, Method};

pub use self::{
    conditions::{HeaderCondition, QueryCondition, ValueCondition},
    host::{BadHost, HostPattern},
    params::{MAX_PARAMS, Params},
    path::{BadPath, normalise},
    pattern::{BadPattern, Misfit, PathPattern},
};

use self::{host::HostIndex, trie::Trie};

/// What a route asks of a request; all of it must hold.
#[derive(Clone, Debug, PartialEq)]
pub struct Match {
    /// One of them must match; empty: every host, also none.
    pub hosts: Vec<HostPattern>,
    pub path: PathPattern,
    /// Empty: every method. A route that lists GET also serves HEAD unless a route of the same
    /// host and path lists HEAD itself.
    pub methods: Vec<Method>,
    pub headers: Vec<HeaderCondition>,
    pub query: Vec<QueryCondition>,
}

/// The routes of one generation.
#[derive(Debug)]
pub struct Router<T> {
    routes: Vec<(Match, T)>,
    hosts: HostIndex,
}

/// What the router looks at.
#[derive(Clone, Copy, Debug)]
pub struct Head<'a> {
    /// As the client sent it; a port and a trailing dot do not count, nor does case.
    pub host: Option<&'a str>,
    pub method: &'a Method,
    /// As [`normalise`] returns it.
    pub path: &'a str,
    /// Without the `?`.
    pub query: Option<&'a str>,
    pub headers: &'a HeaderMap,
}

#[derive(Debug)]
pub struct Found<'a, T> {
    pub route: &'a T,
    /// Ranges of [`Head::path`]; their names are those of the route's pattern.
    pub params: Params,
}

/// Why no route serves a request.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum NoRoute {
    NotFound,
    /// Some routes match in all but the method: theirs, sorted, for `Allow`.
    MethodNotAllowed(Vec<Method>),
}

/// Two routes of equal rank that could match the same request, by their indices; `first` is less
/// than `second`.
#[derive(Clone, Copy, Debug, Eq, Ord, PartialEq, PartialOrd, thiserror::Error)]
#[error("routes {first} and {second} match the same requests")]
pub struct Conflict {
    pub first: usize,
    pub second: usize,
}

impl Match {
    /// A match on the path alone.
    pub fn path(path: PathPattern) -> Self {
        Self { hosts: vec![], path, methods: vec![], headers: vec![], query: vec![] }
    }

    fn accepts(&self, head: &Head<'_>) -> bool {
        self.accepts_method(head.method) && self.accepts_conditions(head)
    }

    /// Whether the methods are right; GET stands for HEAD too.
    pub fn accepts_method(&self, method: &Method) -> bool {
        self.methods.is_empty()
            || self.methods.contains(method)
            || *method == Method::HEAD && self.methods.contains(&Method::GET)
    }

    fn accepts_conditions(&self, head: &Head<'_>) -> bool {
        self.headers.iter().all(|condition| condition.accepts(head.headers))
            && self.query.iter().all(|condition| condition.accepts(head.query))
    }

    /// Its place among the routes of one host and path; less is more specific.
    fn rank(&self) -> impl Ord + use<> {
        (self.methods.is_empty(), Reverse(self.headers.len()), Reverse(self.query.len()))
    }

    /// Whether no request can match both, given equal hosts and paths.
    fn is_disjoint(&self, other: &Self) -> bool {
        let methods_differ = !self.methods.is_empty()
            && !other.methods.is_empty()
            && !self.methods.iter().any(|method| other.methods.contains(method));
        methods_differ
            || conditions::are_disjoint(&self.headers, &other.headers)
            || conditions::are_disjoint(&self.query, &other.query)
    }
}

impl<T> Router<T> {
    /// The routes in the order in which they were given.
    pub fn iter(&self) -> impl Iterator<Item = &(Match, T)> {
        self.routes.iter()
    }

    /// # Errors
    ///
    /// Every pair of routes between which precedence cannot decide, in order.
    pub fn new(routes: Vec<(Match, T)>) -> Result<Self, Vec<Conflict>> {
        let mut hosts = HostIndex::default();
        for (index, (matching, _)) in routes.iter().enumerate() {
            hosts.insert(matching, index);
        }
        let mut conflicts = BTreeSet::new();
        hosts.for_each_trie(&mut |trie| {
            trie.for_each_end(&mut |end| sort_by_rank(&routes, end, &mut conflicts));
        });
        if conflicts.is_empty() {
            Ok(Self { routes, hosts })
        } else {
            Err(conflicts.into_iter().collect())
        }
    }

    /// The most specific route that matches `head`.
    ///
    /// # Errors
    ///
    /// No route matches; the client is to blame.
    pub fn find(&self, head: Head<'_>) -> Result<Found<'_, T>, NoRoute> {
        let found = self.hosts.find(head.host, |trie| {
            trie.walk(head.path, &mut |end, params| {
                let index = self.choose(end, &head)?;
                Some(Found { route: &self.routes[index].1, params: *params })
            })
        });
        found.ok_or_else(|| self.refuse(&head))
    }

    /// The first of `end` that takes the request; they match its host and path.
    fn choose(&self, end: &[usize], head: &Head<'_>) -> Option<usize> {
        if *head.method == Method::HEAD {
            let named = |index: &&usize| self.routes[**index].0.methods.contains(&Method::HEAD);
            let own = end.iter().filter(named);
            if let Some(index) = own.copied().find(|&index| self.routes[index].0.accepts(head)) {
                return Some(index);
            }
        }
        end.iter().copied().find(|&index| self.routes[index].0.accepts(head))
    }

    /// Tells a wrong method from an unknown path. Only for requests that nothing serves.
    fn refuse(&self, head: &Head<'_>) -> NoRoute {
        let mut methods = Vec::new();
        self.hosts.find(head.host, |trie| {
            trie.walk(head.path, &mut |end, _| {
                let matching = end.iter().map(|&index| &self.routes[index].0);
                let others = matching.filter(|matching| matching.accepts_conditions(head));
                methods.extend(others.flat_map(|matching| matching.methods.iter().cloned()));
                None::<()>
            })
        });
        if methods.is_empty() {
            return NoRoute::NotFound;
        }
        if methods.contains(&Method::GET) {
            methods.push(Method::HEAD);
        }
        methods.sort_by(|a, b| a.as_str().cmp(b.as_str()));
        methods.dedup();
        NoRoute::MethodNotAllowed(methods)
    }
}

/// Puts the routes of one host and path in order of precedence and notes those it cannot order.
fn sort_by_rank<T>(routes: &[(Match, T)], end: &mut [usize], conflicts: &mut BTreeSet<Conflict>) {
    end.sort_by_key(|&index| routes[index].0.rank());
    for peers in end.chunk_by(|&a, &b| routes[a].0.rank() == routes[b].0.rank()) {
        for (position, &a) in peers.iter().enumerate() {
            for &b in &peers[position + 1..] {
                if !routes[a].0.is_disjoint(&routes[b].0) {
                    conflicts.insert(Conflict { first: a.min(b), second: a.max(b) });
                }
            }
        }
    }
}

#[cfg(test)]
mod tests;
