//! What is a pattern, a host and a path.

use super::*;

#[test]
fn what_is_no_path_fits_no_pattern() {
    for pattern in ["/", "/a", "/{a}", "/{*rest}"] {
        let pattern: PathPattern = pattern.parse().expect("valid pattern");
        assert!(pattern.fit("*").is_err(), "{pattern}");
        assert!(pattern.fit("").is_err(), "{pattern}");
    }
}

#[test]
fn patterns_that_mean_nothing_are_refused() {
    let check = |pattern: &str, expected: &str| {
        let error = pattern.parse::<PathPattern>().expect_err(pattern);
        assert_eq!(error.to_string(), expected, "{pattern}");
    };
    check("a", "must begin with `/`");
    check("", "must begin with `/`");
    check("/a{b}", "a parameter must be a whole segment, such as `/{name}/`; `a{b}` is not");
    check("/{a}/{a}", "the parameter `a` occurs twice");
    check("/{*a}/b", "`{*a}` must be the last segment");
    for foreign in ["*", "**", ":id"] {
        let only = "would match only itself; `{name}` is one segment, `{*name}` all that is left";
        check(&format!("/a/{foreign}"), &format!("`{foreign}` {only}"));
        check(&format!("/{foreign}/b"), &format!("`{foreign}` {only}"));
    }
    check("/{}", "`` is not a parameter name: letters, digits, `_` and `-`");
    check("/a?b", "must be without `?` and `#`; conditions on the query belong in `query`");
    check("/a/../b", "must not have `.` or `..` segments");
    check("/a/%2e", "must not have `.` or `..` segments");
    check("/%zz", "the path has a `%` without two hexadecimal digits");
    check(&"/{a}".repeat(2), "the parameter `a` occurs twice");
    let many: String = (0..=MAX_PARAMS).map(|number| format!("/{{p{number}}}")).collect();
    check(&many, "has more than 16 parameters");
}

#[test]
fn hosts_that_are_none_are_refused() {
    for (host, expected) in [
        ("", BadHost::Empty),
        ("a:80", BadHost::Port),
        ("*", BadHost::Wildcard),
        ("a.*.b", BadHost::Wildcard),
        ("*a.b", BadHost::Wildcard),
        ("bücher.example", BadHost::NotAscii),
        ("a..b", BadHost::Character),
        ("a/b", BadHost::Character),
        ("[::g]", BadHost::Character),
    ] {
        assert_eq!(host.parse::<HostPattern>(), Err(expected), "{host}");
    }
}

#[test]
fn paths_have_one_spelling() {
    for (path, expected) in [
        ("/", "/"),
        ("*", "*"),
        ("/a/b", "/a/b"),
        ("/%41%2d%7e", "/A-~"),
        ("/a%2fb", "/a%2Fb"),
        ("/a%20b%c3%a9", "/a%20b%C3%A9"),
        ("/é{x}|", "/%C3%A9%7Bx%7D%7C"),
        ("/a//b/", "/a//b/"),
        ("/a/./b/.", "/a/b/"),
        ("/a/b/../c", "/a/c"),
        ("/a/b/..", "/a/"),
        ("/a/%2E%2e/b", "/b"),
        ("/a//../b", "/a/b"),
        ("/..a/.b/c.", "/..a/.b/c."),
        ("/a;v=1/b;.", "/a;v=1/b;."),
        ("/%252e%252E", "/%252e%252E"),
        ("/%3b", "/%3B"),
    ] {
        assert_eq!(normalise(path).as_deref(), Ok(expected), "{path}");
    }
}

#[test]
fn paths_that_servers_read_differently_are_refused() {
    for (path, expected) in [
        ("", BadPath::NotAbsolute),
        ("a", BadPath::NotAbsolute),
        ("/%", BadPath::Escape),
        ("/%4", BadPath::Escape),
        ("/%zz", BadPath::Escape),
        ("/%+1", BadPath::Escape),
        ("/a\\b", BadPath::Backslash),
        ("/a%5cb", BadPath::Backslash),
        ("/%00", BadPath::Control),
        ("/%7f", BadPath::Control),
        ("/\n", BadPath::Control),
        ("/..", BadPath::AboveRoot),
        ("/a/../../b", BadPath::AboveRoot),
        ("/%2e%2e/a", BadPath::AboveRoot),
        ("/a/..;x/b", BadPath::DotParameters),
        ("/a/.;", BadPath::DotParameters),
        ("/a/%2e.%3bx", BadPath::DotParameters),
        ("/a/..%2fb", BadPath::DotEncodedSlash),
        ("/a/b%2F%2e%2e", BadPath::DotEncodedSlash),
    ] {
        assert_eq!(normalise(path), Err(expected), "{path}");
    }
}

#[test]
fn a_normal_path_is_not_copied() {
    for path in ["/a/b;c=d,e/x.y", "/.well-known/jwks.json", "/%20"] {
        assert!(matches!(normalise(path), Ok(std::borrow::Cow::Borrowed(_))), "{path}");
    }
}

/// Paths made of what makes paths difficult.
fn difficult_path() -> impl Strategy<Value = String> {
    let parts = prop::sample::select(vec![
        "/", ".", "..", "%2e", "%2E", "%2f", "%2F", ";", "%3b", "%25", "%41", "a", "b", "%c3%a9",
        "é", "%5c", "%", " ", "{", "*",
    ]);
    prop::collection::vec(parts, 0..12).prop_map(|parts| format!("/{}", parts.concat()))
}

proptest! {
    #[test]
    fn normalising_again_changes_nothing(path in prop_oneof![difficult_path(), "/.*", ".*"]) {
        if let Ok(normal) = normalise(&path) {
            let again = normalise(&normal);
            prop_assert_eq!(again.as_deref(), Ok(&*normal));
        }
    }

    #[test]
    fn a_normal_path_has_no_dot_segments(path in difficult_path()) {
        if let Ok(normal) = normalise(&path) {
            let is_dots = |part: &str| part == "." || part == "..";
            prop_assert!(!normal.split('/').any(is_dots));
            prop_assert!(!normal.replace("%2F", "/").split('/').any(is_dots));
        }
    }

    #[test]
    fn no_pattern_and_no_host_panics(text in "\\PC*", path in ".*") {
        if let Ok(pattern) = text.parse::<PathPattern>() {
            let _ = pattern.fit(&path);
        }
        if let Ok(host) = text.parse::<HostPattern>() {
            host.matches(&path);
        }
    }

    /// The trie against each pattern on its own.
    #[test]
    fn the_trie_finds_what_a_pattern_alone_matches(
        patterns in prop::collection::vec("(/(a|b|\\{p\\}|)){1,3}(/\\{\\*r\\})?", 1..6),
        path in "(/(a|b|c|)){1,4}",
    ) {
        let mut matches: Vec<(Match, ())> = Vec::new();
        for pattern in patterns {
            if let Ok(pattern) = pattern.parse::<PathPattern>()
                && !matches.iter().any(|(other, ())| other.path == pattern)
            {
                matches.push((Match::path(pattern), ()));
            }
        }
        let expected = matches.iter().any(|(matching, ())| matching.path.fit(&path).is_ok());
        let headers = HeaderMap::new();
        let head = Head { host: Some("a"), method: &Method::GET, path: &path, query: None, headers: &headers };
        let router = Router::new(matches).expect("no conflicts");
        prop_assert_eq!(router.find(head).is_ok(), expected);
    }
}
