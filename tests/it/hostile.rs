//! Requests that could mean two things, or cost more than they should, over real sockets. What is
//! checked is what the upstream receives: nothing, or exactly one request that is well-formed.

mod framing;
mod heads;
mod limits;
mod smuggling;
mod http2;
mod stalls;

use tollgate_tests::{Gateway, Recorder, raw::status, recorder::Act};

/// Answers a request once all of its body is there, and then further ones at their heads.
const AT_END: &[Act] = &[
    Act::Until("0\r\n\r\n"),
    Act::Send(tollgate_tests::recorder::OK),
    Act::Head,
    Act::Send(tollgate_tests::recorder::OK),
];

/// A gateway before a recorder.
async fn before(upstream: &Recorder, more: &str) -> Gateway {
    Gateway::start(&format!(
        "{more}
upstreams: {{ u: {{ endpoints: [\"{upstream}\"] }} }}
routes: [{{ name: all, match: {{ path: \"/{{*rest}}\" }}, upstream: u }}]
"
    ))
    .await
}

/// Each request is refused with 400, and the upstream receives nothing.
async fn check_refused(requests: &[&str]) {
    let upstream = Recorder::new().await;
    let gateway = before(&upstream, "").await;
    for request in requests {
        let mut client = gateway.raw().await;
        client.send(request).await;
        let reply = client.response().await;
        assert_eq!(status(&reply), 400, "{request:?}: {reply}");
        assert!(reply.contains("application/problem+json"), "{request:?}: {reply}");
        assert_eq!(upstream.all(), "", "{request:?}");
    }
    gateway.stop().await;
}

/// The one request that an upstream has received: its head's lines, and what came after.
fn one_request(upstream: &Recorder) -> (Vec<String>, String) {
    let all = upstream.all();
    let (head, body) = all.split_once("\r\n\r\n").unwrap_or_else(|| panic!("no head: {all:?}"));
    let lines: Vec<_> = head.split("\r\n").map(str::to_lowercase).collect();
    for line in &lines {
        assert!(!line.contains(['\r', '\n', '\0']), "{line:?} in {all:?}");
    }
    for line in &lines[1..] {
        let (name, _) = line.split_once(':').unwrap_or_else(|| panic!("{line:?} in {all:?}"));
        assert!(name.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-'), "{all:?}");
    }
    let framings = lines.iter().filter(|line| {
        line.starts_with("content-length:") || line.starts_with("transfer-encoding:")
    });
    assert!(framings.count() <= 1, "{all:?}");
    (lines, body.to_owned())
}
