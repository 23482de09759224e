//! Which route takes a request, and what routes do by themselves.

mod matching;
mod paths;
mod ends;
mod https;

use std::fmt::Write as _;

use tollgate_tests::Gateway;

/// A gateway with a route for each pattern, which answers with its pattern.
///
/// A pattern is `/path`, and after it any of `host=`, `method=`, `header=NAME:CONDITION` and
/// `query=NAME:CONDITION`.
async fn routes(patterns: &[&str]) -> Gateway {
    let mut config = String::from("routes:\n");
    for (index, pattern) in patterns.iter().enumerate() {
        let mut words = pattern.split(' ');
        let mut matching = format!("path: \"{}\"", words.next().unwrap());
        for word in words {
            let (key, value) = word.split_once('=').unwrap();
            match key {
                "host" => write!(matching, ", hosts: [\"{value}\"]").unwrap(),
                "method" => write!(matching, ", methods: [{value}]").unwrap(),
                _ => {
                    let (name, condition) = value.split_once(':').unwrap();
                    let key = if key == "header" { "headers" } else { "query" };
                    write!(matching, ", {key}: {{ {name}: {} }}", condition.replace(':', ": "))
                        .unwrap();
                }
            }
        }
        writeln!(
            config,
            "  - {{ name: r{index}, match: {{ {matching} }}, respond: {{ body: {} }} }}",
            serde_json::json!(pattern)
        )
        .unwrap();
    }
    Gateway::start(&config).await
}

/// Which pattern takes a request; the problem where none does.
async fn taken(gateway: &Gateway, method: &str, path: &str, headers: &[(&str, &str)]) -> String {
    let request = tollgate_tests::client::request(method, path, headers, "");
    let reply = gateway.send(request).await;
    if reply.status == 200 { reply.text() } else { reply.problem() }
}
