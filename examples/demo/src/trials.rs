//! The curl lines: one table that is printed for people and checked for tests.

use std::process::Stdio;

use anyhow::{Context, Result, bail};
use tokio::process::Command;

use crate::place::Place;
use crate::ports::{HTTP, HTTPS, IDENTITY};

/// One line to paste, what it shows, and what must and must not be in its output.
pub(crate) struct Trial {
    shows: &'static str,
    line: String,
    must: &'static [&'static str],
    must_not: &'static [&'static str],
}

pub(crate) fn all(place: &Place) -> Vec<Trial> {
    let http = format!("http://127.0.0.1:{HTTP}");
    let https = format!("https://127.0.0.1:{HTTPS}");
    let token =
        |subject| format!("$(curl -sX POST \"http://127.0.0.1:{IDENTITY}/token?sub={subject}\")");
    let (alice, somebody) = (token("alice"), token("user-$RANDOM"));
    let certificate = place.certificate();
    let certificate = certificate.display();
    vec![
        Trial {
            shows: "No token: 401, and the orders service never hears of it",
            line: format!("curl -si {http}/orders/1"),
            must: &["401 Unauthorized", "www-authenticate: Bearer", "application/problem+json"],
            must_not: &["lamp"],
        },
        Trial {
            shows: "A token for alice: 200, and the service sees x-user: alice, whatever is claimed",
            line: format!(
                "curl -si -H 'x-user: root' -H \"authorization: Bearer {alice}\" {http}/orders/1"
            ),
            must: &["200 OK", r#""x-user": "alice""#],
            must_not: &[r#""root""#, "Bearer"],
        },
        Trial {
            shows: "A changed token: 401",
            line: format!("curl -si -H \"authorization: Bearer {alice}x\" {http}/orders/1"),
            must: &["401 Unauthorized", "invalid_token"],
            must_not: &["lamp"],
        },
        Trial {
            shows: "Five requests a minute for each user: the sixth and seventh get 429",
            line: format!(
                "T={somebody}; for i in 1 2 3 4 5 6 7; do curl -so /dev/null \
                 -w '%{{http_code}} ' -H \"authorization: Bearer $T\" {http}/orders/$i; done; echo"
            ),
            must: &["200 200 200 200 200 429 429"],
            must_not: &[],
        },
        Trial {
            shows: "No API key: 401",
            line: format!("curl -si {http}/partners/orders"),
            must: &["401 Unauthorized"],
            must_not: &["lamp"],
        },
        Trial {
            shows: "The key of a partner: 200, and the service sees who it is",
            line: format!("curl -si -H 'x-api-key: demo-key-of-acme' {http}/partners/orders"),
            must: &["200 OK", r#""x-partner": "acme""#],
            must_not: &["demo-key-of-acme"],
        },
        Trial {
            shows: "Three services in one answer",
            line: format!("curl -si {http}/home"),
            must: &["200 OK", r#""user""#, r#""orders""#, r#""recommendations""#, "lamp", "desk"],
            must_not: &[],
        },
        Trial {
            shows: "Header fields changed both ways: x-gateway reaches the service, \
                    x-powered-by does not come back",
            line: format!("curl -si {http}/users/alice"),
            must: &["200 OK", r#""x-gateway": "tollgate""#, "x-served-by: tollgate"],
            must_not: &["x-powered-by"],
        },
        Trial {
            shows: "The same over HTTPS and HTTP/2",
            line: format!("curl -si --cacert '{certificate}' {https}/users/alice"),
            must: &["HTTP/2 200", "alice@example.com"],
            must_not: &[],
        },
        Trial {
            shows: "A redirect that keeps the rest of the path",
            line: format!("curl -si {http}/people/alice"),
            must: &["308 Permanent Redirect", "location: /users/alice"],
            must_not: &[],
        },
        Trial {
            shows: "A fixed response, without any service",
            line: format!("curl -si {http}/teapot"),
            must: &["418", "short and stout"],
            must_not: &[],
        },
    ]
}

#[expect(clippy::print_stdout, reason = "the lines are for a person")]
pub(crate) fn print(trials: &[Trial]) {
    println!("\nThe gateway is ready. Try these in another terminal (bash):\n");
    for trial in trials {
        println!("# {}\n{}\n", trial.shows, trial.line);
    }
}

/// Runs every line in bash and compares.
///
/// # Errors
/// If a line does not give what it promises; all lines are run before that.
#[expect(clippy::print_stdout, reason = "tells which line gives what")]
pub(crate) async fn check(trials: &[Trial]) -> Result<()> {
    let mut failed = 0;
    for trial in trials {
        let output = output_of(&trial.line).await?;
        let faults = trial.faults(&output);
        if faults.is_empty() {
            println!("ok      {}", trial.shows);
            continue;
        }
        failed += 1;
        println!("FAILED  {}\n{}\n  {}", trial.shows, trial.line, faults.join("\n  "));
        println!("its output:\n{output}");
    }
    if failed > 0 {
        bail!("{failed} of {} lines do not give what they promise", trials.len());
    }
    Ok(())
}

impl Trial {
    fn faults(&self, output: &str) -> Vec<String> {
        let missing = self.must.iter().filter(|part| !output.contains(**part));
        let wrong = self.must_not.iter().filter(|part| output.contains(**part));
        let missing = missing.map(|part| format!("missing: {part}"));
        missing.chain(wrong.map(|part| format!("must not be there: {part}"))).collect()
    }
}

async fn output_of(line: &str) -> Result<String> {
    let output = Command::new("bash")
        .args(["-c", line])
        .stdin(Stdio::null())
        .kill_on_drop(true)
        .output()
        .await
        .context("cannot start bash; the lines need bash and curl")?;
    let complaint = String::from_utf8_lossy(&output.stderr);
    Ok(format!("{}{complaint}", String::from_utf8_lossy(&output.stdout)))
}
