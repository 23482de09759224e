//! Every limit of a use, broken by a real component in every hook, under both policies: the exchange
//! ends as stated, the worker goes on, and nothing is left behind.

mod ending;
mod refusing;
mod configuring;
mod queueing;
mod tables;

use std::fmt::{self, Write as _};

use futures_util::stream;
use http::Response;
use http_body_util::{BodyExt, StreamBody};
use hyper::body::Frame;
use tollgate_tests::{
    Gateway, Reply, Upstream,
    client::{Body, request_with},
    wait,
};

const POLICIES: [&str; 2] = ["reject", "skip"];

const HOOKS: [&str; 5] = ["request", "request_chunk", "response", "response_chunk", "finish"];

/// What is sent, and what the upstream sends back.
const BODY: &str = "the body";

/// A hook that goes beyond a limit. Its text is the name of its use and the path of its route.
#[derive(Clone, Copy)]
struct Cell {
    fault: &'static str,
    hook: &'static str,
    on_error: &'static str,
}

/// How an exchange ended for its client.
#[derive(Debug, PartialEq)]
enum Ended {
    Passed,
    Problem(String),
    /// No response, or one that is not whole.
    BrokenOff,
}

impl Cell {
    /// Each of these hooks, under both policies.
    fn all(fault: &'static str, hooks: &[&'static str]) -> Vec<Self> {
        let policies = |&hook| POLICIES.map(|on_error| Self { fault, hook, on_error });
        hooks.iter().flat_map(policies).collect()
    }

    /// What becomes of an exchange whose hook has failed.
    fn fails(self) -> Ended {
        match (self.on_error, self.hook) {
            ("skip", _) | (_, "finish") => Ended::Passed,
            // Its head is out.
            (_, "response_chunk") => Ended::BrokenOff,
            _ => Ended::Problem("503 plugin-failed".to_owned()),
        }
    }

    /// The hook, as the world calls it.
    fn hook(self) -> String {
        format!("on-{}", self.hook.replace('_', "-"))
    }

    async fn exchange(self, gateway: &Gateway) -> Ended {
        self.exchange_at(&format!("/{self}"), gateway).await
    }

    async fn exchange_at(self, path: &str, gateway: &Gateway) -> Ended {
        let request = request_with("POST", path, &[], in_pieces(BODY));
        match gateway.connect().await.try_send(request).await {
            Err(_) => Ended::BrokenOff,
            Ok(reply) => ended(&reply),
        }
    }

    /// The exchange, and another one of the same worker meanwhile.
    async fn exchange_beside_another(self, gateway: &Gateway) -> Ended {
        let (ended, other) = tokio::join!(self.exchange(gateway), gateway.get("/ping", &[]));
        assert_eq!(other.text(), "pong", "{self}");
        ended
    }

    /// Waits until a metric of this use is at least this.
    async fn counts(self, gateway: &Gateway, metric: &str, label: (&str, &str), least: f64) {
        let name = self.to_string();
        wait::until(&format!("{metric} {label:?} of {self}"), async || {
            let labels = [("plugin", name.as_str()), label];
            (gateway.metric(metric, &labels).await >= least).then_some(())
        })
        .await;
    }
}

impl fmt::Display for Cell {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}-{}-{}", self.fault, self.hook, self.on_error)
    }
}

fn ended(reply: &Reply) -> Ended {
    if reply.status == 200 {
        assert_eq!(reply.text(), BODY);
        return Ended::Passed;
    }
    Ended::Problem(reply.problem())
}

/// A body whose end comes after its only piece, so that its first chunk is not the last one.
fn in_pieces(body: &'static str) -> Body {
    let piece = Frame::data(body.as_bytes().into());
    let pieces = stream::iter([Ok::<_, std::convert::Infallible>(piece)]);
    StreamBody::new(pieces).map_err(|never| match never {}).boxed()
}

/// Answers with what it gets.
async fn mirror() -> Upstream {
    Upstream::new(async |request| {
        let body = request.into_body().collect().await.map(|body| body.to_bytes());
        let whole = body.is_ok_and(|body| body == BODY);
        Response::new(in_pieces(if whole { BODY } else { "another body" }))
    })
    .await
}

/// One worker, and for each cell a use and a route. `limits`: of the cell's use.
fn config(upstream: &Upstream, cells: &[Cell], limits: impl Fn(Cell) -> String) -> String {
    let (mut plugins, mut routes) = (String::new(), String::new());
    for &cell in cells {
        let Cell { fault, hook, on_error } = cell;
        let limits = limits(cell);
        let _ = write!(
            plugins,
            r#"
          {cell}:
            component: faulty
            config: {{ hook: {hook}, fault: {fault} }}
            on_error: {on_error}
            quarantine: none
            grants: {{ upstreams: [u], stores: [s], cache: true, request_body: true, response_body: true }}
            limits: {{ {limits} }}"#
        );
        let _ = write!(
            routes,
            "\n          - {{ name: {cell}, match: {{ path: /{cell} }}, plugins: [{cell}], upstream: u }}"
        );
    }
    format!(
        r#"
        workers: 1
        upstreams: {{ u: {{ endpoints: ["{upstream}"] }} }}
        stores: {{ s: {{ max_value: 1KiB }} }}
        cache: {{ max_entry: 1KiB }}
        plugins:{plugins}
        routes:
          - {{ name: ping, match: {{ path: /ping }}, respond: {{ body: pong }} }}{routes}
        "#
    )
}
