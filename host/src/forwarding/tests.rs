use http::{Request, header::HOST};

use super::*;
use crate::listener::Client;

fn headers(lines: &[(&'static str, &'static str)]) -> HeaderMap {
    let pairs = lines
        .iter()
        .map(|(name, value)| (HeaderName::from_static(name), HeaderValue::from_static(value)));
    let mut headers = HeaderMap::new();
    pairs.for_each(|(name, value)| {
        headers.append(name, value);
    });
    headers
}

/// All fields as `name: value`, sorted.
fn text(headers: &HeaderMap) -> Vec<String> {
    let line = |(name, value): (&HeaderName, &HeaderValue)| {
        format!("{name}: {}", String::from_utf8_lossy(value.as_bytes()))
    };
    let mut lines: Vec<_> = headers.iter().map(line).collect();
    lines.sort();
    lines
}

#[test]
fn a_length_that_is_said_more_than_once_is_one_or_none() {
    let settled = |lengths: &[&'static str]| {
        let lines: Vec<_> = lengths.iter().map(|length| ("content-length", *length)).collect();
        let mut headers = headers(&lines);
        settle_length(&mut headers).ok().map(|()| text(&headers).join("; "))
    };
    for same in [&["3"][..], &["3, 3"], &["3", "3"], &["3 ,3", "3"]] {
        assert_eq!(settled(same).as_deref(), Some("content-length: 3"), "{same:?}");
    }
    assert_eq!(settled(&[]).as_deref(), Some(""));
    for other in [&["3", "4"][..], &["3, 4"], &["3,"], &["+3"], &[""], &["3", ""], &["a"]] {
        assert_eq!(settled(other), None, "{other:?}");
    }
}

#[track_caller]
fn check_stripped(before: &[(&'static str, &'static str)], after: &[&str]) {
    let mut headers = headers(before);
    strip_hop_by_hop(&mut headers);
    assert_eq!(text(&headers), after);
}

#[test]
fn fields_of_the_connection_end_here() {
    check_stripped(
        &[("te", "gzip"), ("keep-alive", "timeout=5"), ("proxy-connection", "x"), ("a", "1")],
        &["a: 1"],
    );
    check_stripped(
        &[("connection", "x-hop, close"), ("x-hop", "1"), ("x-end", "2")],
        &["x-end: 2"],
    );
}

#[test]
fn a_length_beside_a_coding_ends_here_too() {
    check_stripped(&[("transfer-encoding", "chunked"), ("content-length", "3")], &[]);
    check_stripped(&[("content-length", "3")], &["content-length: 3"]);
    check_stripped(&[("content_length", "3"), ("transfer_encoding", "chunked")], &[]);
}

#[test]
fn a_client_cannot_have_its_host_removed() {
    check_stripped(&[("connection", "host"), ("host", "a")], &["host: a"]);
}

#[test]
fn an_upgrade_is_one_only_if_connection_says_so() {
    let asked =
        |lines: &[(&'static str, &'static str)]| strip_hop_by_hop(&mut headers(lines)).upgrade;
    assert!(asked(&[("connection", "Upgrade"), ("upgrade", "websocket")]));
    assert!(asked(&[("connection", "keep-alive, upgrade"), ("upgrade", "websocket")]));
    assert!(!asked(&[("upgrade", "websocket")]));
    assert!(!asked(&[("connection", "upgrade")]));
}

#[test]
fn trailers_are_taken_if_te_lists_them_anywhere() {
    let taken =
        |lines: &[(&'static str, &'static str)]| strip_hop_by_hop(&mut headers(lines)).trailers;
    assert!(taken(&[("te", "trailers")]));
    assert!(taken(&[("te", "Trailers, gzip;q=0.5")]));
    assert!(taken(&[("te", "gzip"), ("te", "trailers")]));
    assert!(!taken(&[("te", "gzip")]));
    assert!(!taken(&[("trailer", "x-sum")]));
}

#[test]
fn what_would_change_a_head_is_no_trailer() {
    let mut trailers = headers(&[
        ("x-sum", "1"),
        ("grpc-status", "0"),
        ("content-length", "9"),
        ("authorization", "Bearer x"),
        ("x-forwarded-for", "1.2.3.4"),
        ("x-request-id", "mine"),
        ("transfer-encoding", "chunked"),
    ]);
    strip_trailers(&mut trailers);
    let mut left: Vec<_> = trailers.keys().map(HeaderName::as_str).collect();
    left.sort_unstable();
    assert_eq!(left, ["grpc-status", "x-sum"]);
}

#[test]
fn blanks_around_the_values_of_trailers_are_taken_off() {
    let mut trailers = headers(&[("x-sum", " 1\t"), ("x-a", "a b"), ("x-none", " ")]);
    strip_trailers(&mut trailers);
    let value = |name: &str| trailers[name].to_str().unwrap();
    assert_eq!([value("x-sum"), value("x-a"), value("x-none")], ["1", "a b", ""]);
}

#[test]
fn only_trailers_that_go_on_are_announced() {
    let announced = |said: &'static str| {
        let mut headers = HeaderMap::new();
        announce_trailers(&mut headers, &HeaderValue::from_static(said));
        headers.get("trailer").map(|value| value.to_str().unwrap().to_owned())
    };
    assert_eq!(announced("x-sum, content-length, authorization").as_deref(), Some("x-sum"));
    assert_eq!(announced("X-A,x-b").as_deref(), Some("x-a, x-b"));
    assert_eq!(announced("content-length"), None);
    assert_eq!(announced("no name, "), None);
}

#[track_caller]
fn check_host(uri: &str, hosts: &[&'static str], expected: Result<&str, ()>) {
    let mut request = Request::new(());
    *request.uri_mut() = uri.parse().unwrap();
    for host in hosts {
        request.headers_mut().append(HOST, HeaderValue::from_static(host));
    }
    let settled = settle_host(&mut request).map_err(|_| ());
    let host = settled.map(|()| request.headers()[HOST].to_str().unwrap().to_owned());
    assert_eq!(host.as_deref(), expected.as_ref().copied(), "{uri} {hosts:?}");
}

#[test]
fn a_request_has_one_host() {
    check_host("/", &["a.example:8080"], Ok("a.example:8080"));
    check_host("/", &["[::1]:80"], Ok("[::1]:80"));
    check_host("/", &[], Err(()));
    check_host("/", &["a", "a"], Err(()));
    check_host("/", &["a/b"], Err(()));
    check_host("/", &["a b"], Err(()));
    check_host("/", &["user@a"], Err(()));
    for bad in ["a:b", "a:1:2", "[::1", "::1", "[::1]x", "[a]", "a]"] {
        check_host("/", &[bad], Err(()));
    }
    check_host("/", &["a:"], Ok("a:"));
}

#[test]
fn the_authority_of_the_target_is_the_host() {
    check_host("http://right/", &["wrong"], Ok("right"));
    check_host("http://right/", &[], Ok("right"));
    check_host("http://user@right/", &["right"], Err(()));
}

fn forwarded(lines: &[(&'static str, &'static str)], trusted: bool) -> Vec<String> {
    let client = Client::new("203.0.113.9:5555".parse().unwrap(), None, None);
    let mut headers = headers(lines);
    let identity = Identity {
        request_id: HeaderValue::from_static("id"),
        traceparent: HeaderValue::from_static("trace"),
    };
    add_forwarded(&mut headers, &client, trusted, &identity, Version::HTTP_11);
    text(&headers)
}

#[test]
fn what_a_stranger_says_of_itself_is_replaced() {
    let claims = &[
        ("host", "a"),
        ("x-forwarded-for", "1.2.3.4"),
        ("x-forwarded-proto", "https"),
        ("x-forwarded-port", "1"),
        ("x-real-ip", "1.2.3.4"),
        ("x_real_ip", "1.2.3.4"),
        ("x_forwarded-for", "1.2.3.4"),
        ("x_request_id", "another"),
        ("forwarded", "for=1.2.3.4"),
        ("expect", "100-continue"),
    ];
    assert_eq!(
        forwarded(claims, false),
        [
            "host: a",
            "traceparent: trace",
            "via: 1.1 tollgate",
            "x-forwarded-for: 203.0.113.9",
            "x-forwarded-host: a",
            "x-forwarded-proto: http",
            "x-request-id: id"
        ]
    );
}

#[test]
fn what_a_trusted_proxy_says_is_continued() {
    let claims = &[
        ("host", "inner"),
        ("x-forwarded-for", "1.2.3.4"),
        ("x-forwarded-proto", "https"),
        ("x-forwarded-host", "outer"),
        ("via", "1.1 edge"),
    ];
    assert_eq!(
        forwarded(claims, true),
        [
            "host: inner",
            "traceparent: trace",
            "via: 1.1 edge, 1.1 tollgate",
            "x-forwarded-for: 1.2.3.4, 203.0.113.9",
            "x-forwarded-host: outer",
            "x-forwarded-proto: https",
            "x-request-id: id"
        ]
    );
}
