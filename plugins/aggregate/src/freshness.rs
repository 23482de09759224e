//! How long the answer may be kept: as long as its most short-lived part, by its strictest rule.

use tollgate_plugin::Response;

/// What the `Cache-Control` of all parts together allows (RFC 9111 section 5.2.2).
pub(crate) struct Freshness {
    no_store: bool,
    no_cache: bool,
    private: bool,
    must_revalidate: bool,
    /// Seconds.
    max_age: u64,
}

impl Freshness {
    /// Before the first part: nothing forbids anything yet.
    pub(crate) const fn new() -> Self {
        Self {
            no_store: false,
            no_cache: false,
            private: false,
            must_revalidate: false,
            max_age: u64::MAX,
        }
    }

    /// Adds the rules of a part. One that says nothing about its age is not fresh at all.
    pub(crate) fn add(&mut self, response: &Response) {
        let control = response.header("cache-control").unwrap_or_default();
        let mut max_age: Option<u64> = None;
        for directive in control.split(',') {
            let (name, value) = directive.split_once('=').unwrap_or((directive, ""));
            match name.trim().to_ascii_lowercase().as_str() {
                "no-store" => self.no_store = true,
                "no-cache" => self.no_cache = true,
                "private" => self.private = true,
                "must-revalidate" | "proxy-revalidate" => self.must_revalidate = true,
                "max-age" | "s-maxage" => {
                    let seconds: u64 = value.trim().trim_matches('"').parse().unwrap_or(0);
                    max_age = Some(max_age.map_or(seconds, |least| least.min(seconds)));
                }
                _ => (),
            }
        }
        let max_age = max_age.unwrap_or(0);
        let age = || response.header("age").and_then(|age| age.trim().parse().ok()).unwrap_or(0);
        let left = if max_age == 0 { 0 } else { max_age.saturating_sub(age()) };
        self.max_age = self.max_age.min(left);
    }

    /// Adds a part that is only a stand-in, and may be better at the next request.
    pub(crate) fn add_failed(&mut self) {
        self.no_store = true;
    }

    /// The value of `Cache-Control`.
    pub(crate) fn to_header(&self) -> String {
        if self.no_store {
            return "no-store".to_owned();
        }
        let mut value = String::from("max-age=");
        value.push_str(&self.max_age.to_string());
        for (is_set, directive) in [
            (self.private, ", private"),
            (self.no_cache, ", no-cache"),
            (self.must_revalidate, ", must-revalidate"),
        ] {
            if is_set {
                value.push_str(directive);
            }
        }
        value
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(parts: &[&str], expected: &str) {
        let mut freshness = Freshness::new();
        for part in parts {
            freshness.add(&Response::new(200).with_header("cache-control", part));
        }
        assert_eq!(freshness.to_header(), expected);
    }

    #[test]
    fn the_strictest_part_decides() {
        check(&["max-age=60", "public, max-age=10"], "max-age=10");
        check(&["max-age=60, s-maxage=5"], "max-age=5");
        check(&["max-age=60", "PRIVATE, Max-Age=90"], "max-age=60, private");
        check(&["max-age=60", "no-store"], "no-store");
        check(&["max-age=60", "no-cache=\"x\", max-age=1"], "max-age=1, no-cache");
        check(&["max-age=60", "must-revalidate"], "max-age=0, must-revalidate");
        check(&["max-age=60", "max-age=soon"], "max-age=0");
    }

    #[test]
    fn a_part_that_says_nothing_or_has_failed_is_not_fresh() {
        let mut freshness = Freshness::new();
        freshness.add(&Response::new(200));
        assert_eq!(freshness.to_header(), "max-age=0");
        freshness.add_failed();
        assert_eq!(freshness.to_header(), "no-store");
    }

    #[test]
    fn the_age_of_a_part_counts() {
        let mut freshness = Freshness::new();
        let response = Response::new(200).with_header("cache-control", "max-age=60");
        freshness.add(&response.with_header("age", "50"));
        assert_eq!(freshness.to_header(), "max-age=10");
    }
}
