mod paths;

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
