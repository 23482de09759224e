//! Parsers of text: configurations, paths, path patterns.

use std::path::Path;

use http::{HeaderMap, Method};

use super::wire::check_path;
use crate::{
    config::{self, Config, Fault},
    router::{Head, Match, PathPattern, Router, normalise},
};

/// Most patterns of one router.
const MAX_PATTERNS: usize = 16;

/// Takes the input for a configuration.
///
/// # Panics
///
/// A fault has no place in it, or what was accepted is not sound.
pub fn config(input: &[u8]) {
    let text = String::from_utf8_lossy(input);
    // What stands in a file of this machine is no part of the input.
    if text.contains("${file:") {
        return;
    }
    match config::parse(&text, Path::new("tollgate.yaml")) {
        Ok(config) => check_config(config),
        Err(faults) => {
            assert!(!faults.is_empty(), "refused, and nothing is said of it");
            faults.iter().for_each(|fault| check_fault(fault, &text));
        }
    }
}

fn check_config(config: Config) {
    assert!(!config.listeners.is_empty(), "nobody could connect");
    for route in &config.routes {
        assert!(route.plugins.iter().all(|&index| index < config.uses.len()), "a use is missing");
    }
    assert_eq!(config.references().count(), config.references().count());
    let routes: Vec<_> = config.routes.into_iter().map(|route| (route.matching, ())).collect();
    assert!(Router::new(routes).is_ok(), "routes conflict that were accepted");
}

fn check_fault(fault: &Fault, text: &str) {
    assert!(!fault.message.is_empty(), "a fault without words at {}", fault.place);
    let lines = text.split(['\n', '\r', '\u{85}', '\u{2028}', '\u{2029}']).count();
    assert!((1..=lines).contains(&fault.place.line), "{fault}: there are {lines} lines");
    let columns = text.chars().count() + 1;
    assert!((1..=columns).contains(&fault.place.column), "{fault}: no line is that long");
}

/// Takes the first line of the input for a request's path, and each other one for the pattern of a
/// route.
///
/// # Panics
///
/// The normalised path is not one, or the router does not choose by its own rules.
pub fn path(input: &[u8]) {
    let text = String::from_utf8_lossy(input);
    let mut lines = text.split('\n');
    let Ok(normal) = normalise(lines.next().unwrap_or_default()) else { return };
    check_path(&normal);
    let patterns: Vec<PathPattern> =
        lines.take(MAX_PATTERNS).filter_map(|line| line.parse().ok()).collect();
    let alone: Vec<bool> = patterns.iter().map(|pattern| pattern.fit(&normal).is_ok()).collect();
    for (pattern, fits) in patterns.iter().zip(&alone) {
        let found = found(std::slice::from_ref(pattern), &normal);
        assert_eq!(found.is_some(), *fits, "{normal:?} and {pattern} alone");
    }
    let chosen = found(&patterns, &normal);
    let reversed: Vec<_> = patterns.iter().rev().cloned().collect();
    assert_eq!(chosen, found(&reversed, &normal), "the order of {patterns:?} counts");
}

/// The pattern that takes `path`, and the values of its parameters.
fn found(patterns: &[PathPattern], path: &str) -> Option<(PathPattern, Vec<String>)> {
    let routes = patterns.iter().map(|pattern| (Match::path(pattern.clone()), pattern.clone()));
    // Patterns that take the same paths are a conflict, which is the configuration's fault.
    let router = Router::new(routes.collect()).ok()?;
    let headers = HeaderMap::new();
    let head = Head { host: None, method: &Method::GET, path, query: None, headers: &headers };
    let found = router.find(head).ok()?;
    assert!(found.route.fit(path).is_ok(), "{path:?} does not fit {}", found.route);
    assert_eq!(found.params.len(), found.route.names().len());
    let value = |index| found.params.at(index, path).expect("a part of the path").to_owned();
    Some((found.route.clone(), (0..found.params.len()).map(value).collect()))
}
