use http::HeaderValue;
use proptest::prelude::*;

use super::*;

/// A route on GET with the name that [`check`] asserts.
fn route(text: &str) -> (Match, String) {
    let mut matching = Match::path("/".parse().expect("valid pattern"));
    for word in text.split(' ') {
        match word.split_once(':') {
            Some(("host", host)) => matching.hosts.push(host.parse().expect("valid host")),
            Some(("header", condition)) => {
                let (name, value) = condition_of(condition);
                let name = name.parse().expect("valid name");
                matching.headers.push(HeaderCondition { name, value });
            }
            Some(("query", condition)) => {
                let (name, value) = condition_of(condition);
                matching.query.push(QueryCondition { name: name.to_owned(), value });
            }
            _ if word.starts_with('/') => matching.path = word.parse().expect("valid pattern"),
            _ => matching.methods.push(word.parse().expect("valid method")),
        }
    }
    (matching, text.to_owned())
}

/// `name=exact`, `name^prefix`, `name~regex`, `name`, `!name`
fn condition_of(text: &str) -> (&str, ValueCondition) {
    if let Some((name, value)) = text.split_once('=') {
        (name, ValueCondition::Exact(value.to_owned()))
    } else if let Some((name, value)) = text.split_once('^') {
        (name, ValueCondition::Prefix(value.to_owned()))
    } else if let Some((name, value)) = text.split_once('~') {
        (name, ValueCondition::regex(value).expect("valid regex"))
    } else if let Some(name) = text.strip_prefix('!') {
        (name, ValueCondition::Present(false))
    } else {
        (text, ValueCondition::Present(true))
    }
}

fn router(routes: &[&str]) -> Router<String> {
    Router::new(routes.iter().map(|text| route(text)).collect()).expect("no conflicts")
}

/// `GET host /path?query name=value`: only the path must be there.
fn find(routes: &[&str], request: &str) -> Result<String, NoRoute> {
    let (mut method, mut host, mut target) = (Method::GET, None, "");
    let mut headers = HeaderMap::new();
    for word in request.split(' ') {
        if word.starts_with('/') {
            target = word;
        } else if let Some((name, value)) = word.split_once('=') {
            let name: http::HeaderName = name.parse().expect("valid name");
            headers.append(name, HeaderValue::from_str(value).expect("valid value"));
        } else if word.bytes().all(|byte| byte.is_ascii_uppercase()) {
            method = word.parse().expect("valid method");
        } else {
            host = Some(word);
        }
    }
    let (path, query) = match target.split_once('?') {
        Some((path, query)) => (path, Some(query)),
        None => (target, None),
    };
    let head = Head { host, method: &method, path, query, headers: &headers };
    router(routes).find(head).map(|found| found.route.clone())
}

/// Asserts which of `routes` takes `request`, in whatever order they stand.
#[track_caller]
fn check(routes: &[&str], request: &str, expected: Option<&str>) {
    let mut routes = routes.to_vec();
    for _ in 0..routes.len() {
        let found = find(&routes, request).ok();
        assert_eq!(found.as_deref(), expected, "{request} among {routes:?}");
        routes.rotate_left(1);
    }
}

#[track_caller]
fn check_conflicts(routes: &[&str], expected: &[(usize, usize)]) {
    let conflicts = match Router::new(routes.iter().map(|text| route(text)).collect()) {
        Ok(_) => vec![],
        Err(conflicts) => conflicts,
    };
    let pairs: Vec<_> = conflicts.iter().map(|pair| (pair.first, pair.second)).collect();
    assert_eq!(pairs, expected, "{routes:?}");
}

#[test]
fn the_more_specific_path_wins() {
    check(&["/a/{*rest}", "/a/{id}", "/a/b"], "/a/b", Some("/a/b"));
    check(&["/a/{*rest}", "/a/{id}", "/a/b"], "/a/c", Some("/a/{id}"));
    check(&["/a/{*rest}", "/a/b/{*rest}"], "/a/b/c/d", Some("/a/b/{*rest}"));
    // Decided at the first segment that differs.
    check(&["/{x}/b/c", "/a/{*rest}"], "/a/b/c", Some("/a/{*rest}"));
    check(&["/a/{x}/c", "/{x}/b/c"], "/a/b/c", Some("/a/{x}/c"));
}

#[test]
fn the_next_best_path_is_tried_where_the_best_does_not_match_to_its_end() {
    check(&["/a/b/c", "/a/{x}/d"], "/a/b/d", Some("/a/{x}/d"));
    check(&["/a/b/c", "/{*rest}"], "/a/b/d", Some("/{*rest}"));
    check(&["PUT /a/b", "/a/{x}"], "/a/b", Some("/a/{x}"));
    check(&["/a/b header:x", "/a/{x}"], "/a/b", Some("/a/{x}"));
}

#[test]
fn a_parameter_is_one_segment_that_is_not_empty() {
    check(&["/a/{id}"], "/a/7", Some("/a/{id}"));
    check(&["/a/{id}"], "/a/", None);
    check(&["/a/{id}"], "/a", None);
    check(&["/a/{id}"], "/a/7/", None);
    check(&["/a/{id}"], "/a/7/b", None);
    check(&["/a/{id}/b"], "/a//b", None);
}

#[test]
fn the_rest_includes_its_prefix() {
    for path in ["/x", "/x/", "/x/a", "/x/a/b", "/x//"] {
        check(&["/x/{*rest}"], path, Some("/x/{*rest}"));
    }
    for path in ["/", "/xa", "/X", "//x"] {
        check(&["/x/{*rest}"], path, None);
    }
    check(&["/{*rest}"], "/", Some("/{*rest}"));
    check(&["/x", "/x/{*rest}"], "/x", Some("/x"));
    check(&["/x/", "/x/{*rest}"], "/x/", Some("/x/"));
}

#[test]
fn a_trailing_slash_counts() {
    check(&["/a"], "/a/", None);
    check(&["/a/"], "/a", None);
    check(&["/a", "/a/"], "/a/", Some("/a/"));
    check(&["/"], "/", Some("/"));
}

#[test]
fn an_encoded_slash_is_not_a_separator() {
    check(&["/a/{id}"], "/a/b%2Fc", Some("/a/{id}"));
    check(&["/a/b/c"], "/a/b%2Fc", None);
}

#[test]
fn the_more_specific_host_wins_before_the_path() {
    let routes = ["host:a.b.org /{*r}", "host:*.b.org /{*r}", "host:*.org /a", "/a"];
    check(&routes, "a.b.org /a", Some(routes[0]));
    check(&routes, "A.B.ORG.:8080 /a", Some(routes[0]));
    check(&routes, "x.b.org /a", Some(routes[1]));
    check(&routes, "x.y.b.org /a", Some(routes[1]));
    check(&routes, "b.org /a", Some(routes[2]));
    check(&routes, "org /a", Some(routes[3]));
    check(&routes, "/a", Some(routes[3]));
    check(&routes, ".org /a", Some(routes[3]));
    check(&["host:[::1] /a"], "[::1]:80 /a", Some("host:[::1] /a"));
}

#[test]
fn another_host_is_tried_where_the_best_has_no_route() {
    check(&["host:a.org /a", "host:*.org /b", "/c"], "a.org /b", Some("host:*.org /b"));
    check(&["host:a.org /a", "host:*.org /b", "/c"], "a.org /c", Some("/c"));
}

#[test]
fn methods_then_headers_then_query_decide() {
    let routes =
        ["GET /a", "/a header:x header:y", "/a header:x query:q", "/a header:x", "/a query:q"];
    check(&routes, "/a?q x=1 y=1", Some(routes[0]));
    check(&routes, "PUT /a?q x=1 y=1", Some(routes[1]));
    check(&routes, "PUT /a?q x=1", Some(routes[2]));
    check(&routes, "PUT /a x=1", Some(routes[3]));
    check(&routes, "PUT /a?q", Some(routes[4]));
    check(&routes, "PUT /a", None);
}

#[test]
fn get_serves_head_unless_head_is_served_itself() {
    check(&["GET /a"], "HEAD /a", Some("GET /a"));
    check(&["GET /a", "HEAD /a"], "HEAD /a", Some("HEAD /a"));
    check(&["GET /a header:x", "HEAD /a"], "HEAD /a x=1", Some("HEAD /a"));
    check(&["GET /a", "/a"], "HEAD /a", Some("GET /a"));
    check(&["GET /a"], "OPTIONS /a", None);
}

#[test]
fn conditions_compare_the_first_value() {
    check(&["/ header:x=1"], "/ x=1", Some("/ header:x=1"));
    check(&["/ header:x=1"], "/ x=2 x=1", None);
    check(&["/ header:x^ab"], "/ x=abc", Some("/ header:x^ab"));
    check(&["/ header:x~[a-c]+"], "/ x=abc", Some("/ header:x~[a-c]+"));
    check(&["/ header:x~[a-c]+"], "/ x=abcd", None);
    check(&["/ header:x~a|b"], "/ x=ab", None);
    check(&["/ header:!x"], "/", Some("/ header:!x"));
    check(&["/ header:!x"], "/ x=1", None);
    check(&["/ query:a=1"], "/?b=2&a=1", Some("/ query:a=1"));
    check(&["/ query:a=1"], "/?a=2&a=1", None);
    check(&["/ query:a=x+y"], "/?%61=x%2By", Some("/ query:a=x+y"));
    check(&["/ query:a"], "/?a", Some("/ query:a"));
    check(&["/ query:a"], "/?&b=a", None);
}

#[test]
fn a_wrong_method_is_told_from_an_unknown_path() {
    let allowed = |routes: &[&str], request: &str| match find(routes, request) {
        Err(NoRoute::MethodNotAllowed(methods)) => {
            methods.iter().map(Method::as_str).collect::<Vec<_>>().join(" ")
        }
        other => format!("{other:?}"),
    };
    let routes = ["GET /a", "PUT PATCH /{x}", "DELETE /a header:x", "host:b.org POST /a"];
    assert_eq!(allowed(&routes, "OPTIONS /a"), "GET HEAD PATCH PUT");
    assert_eq!(allowed(&routes, "OPTIONS /a x=1"), "DELETE GET HEAD PATCH PUT");
    assert_eq!(allowed(&routes, "OPTIONS b.org /a"), "GET HEAD PATCH POST PUT");
    assert_eq!(find(&routes, "GET /a/b"), Err(NoRoute::NotFound));
    assert_eq!(find(&routes, "GET /"), Err(NoRoute::NotFound));
}

#[test]
fn routes_that_nothing_orders_conflict() {
    check_conflicts(&["/a/{x}", "/a/{y}"], &[(0, 1)]);
    check_conflicts(&["/a", "/b", "/a", "/a"], &[(0, 2), (0, 3), (2, 3)]);
    check_conflicts(&["GET PUT /a", "PUT /a"], &[(0, 1)]);
    check_conflicts(&["/a header:x", "/a header:y"], &[(0, 1)]);
    check_conflicts(&["/a header:x~a", "/a header:x~b"], &[(0, 1)]);
    check_conflicts(&["/a header:x^a", "/a header:x=ab"], &[(0, 1)]);
    check_conflicts(&["host:x host:y /a", "host:y host:z /a"], &[(0, 1)]);
    check_conflicts(&["/%41", "/A"], &[(0, 1)]);
}

#[test]
fn routes_that_no_request_shares_do_not_conflict() {
    check_conflicts(&["GET /a", "PUT /a", "/a"], &[]);
    check_conflicts(&["/a header:x=1", "/a header:x=2", "/a header:!x", "/a header:x^3"], &[]);
    check_conflicts(&["/a query:x=1", "/a query:x=2"], &[]);
    check_conflicts(&["host:x /a", "host:y /a", "host:*.x /a", "/a"], &[]);
    check_conflicts(&["host:x host:X /a"], &[]);
}

#[test]
fn parameters_are_ranges_of_the_path() {
    let pattern: PathPattern = "/{a}/x/{*rest}".parse().expect("valid pattern");
    let router = Router::new(vec![(Match::path(pattern.clone()), ())]).expect("no conflicts");
    let path = "/one%20two/x/3/4";
    let headers = HeaderMap::new();
    let head = Head { host: None, method: &Method::GET, path, query: None, headers: &headers };
    let params = router.find(head).expect("a route").params;
    assert_eq!(params.get(pattern.names(), "a", path), Some("one%20two"));
    assert_eq!(params.decoded(pattern.names(), "a", path).as_deref(), Some("one two"));
    assert_eq!(params.get(pattern.names(), "rest", path), Some("3/4"));
    assert_eq!(params.get(pattern.names(), "b", path), None);
    assert_eq!(params.at(2, path), None);
    assert_eq!(pattern.fit(path), Ok(params));
}

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
