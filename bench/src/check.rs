//! Whether a row does its work. What is fast because it does nothing is not measured.

use std::process::Command;

use anyhow::{Context, Result, bail, ensure};
use serde_json::{Value, json};

use crate::keys::{SUBJECT, Tokens};
use crate::rows::Work;
use crate::workloads::{Load, Workload};

/// Asks proxies and the upstream with curl.
pub(crate) struct Checker<'a> {
    pub(crate) tokens: &'a Tokens,
    pub(crate) upstream_port: u16,
}

struct Answer {
    status: u16,
    head: String,
    body: Vec<u8>,
}

impl Checker<'_> {
    pub(crate) fn check(&self, port: u16, work: Work, workload: &Workload) -> Result<()> {
        let proxy = |path, token| ask(port, path, token, workload.load);
        match work {
            Work::Forward => self.forwards(&proxy(workload.path, None)?, workload.path),
            Work::Headers(count) => {
                self.forwards(&proxy(workload.path, None)?, workload.path)?;
                sets_headers(&proxy("/e", None)?, count)
            }
            Work::Chain(algorithm) => {
                let token = self.tokens.of(algorithm);
                self.forwards(&proxy(workload.path, Some(token))?, workload.path)?;
                knows_the_user(&proxy("/e", Some(token))?)?;
                let changed = tampered(token);
                refuses(&proxy("/k", Some(&changed))?, "a changed token")?;
                refuses(&proxy("/k", None)?, "no token")
            }
            Work::Aggregate => self.merges(&proxy(workload.path, None)?),
        }
    }

    /// The upstream's own body, byte for byte.
    fn forwards(&self, answer: &Answer, path: &str) -> Result<()> {
        ensure!(answer.status == 200, "{path} gets {}", answer.status);
        ensure!(answer.body == self.upstream(path)?, "{path} is not the upstream's answer");
        Ok(())
    }

    fn merges(&self, answer: &Answer) -> Result<()> {
        ensure!(answer.status == 200, "the aggregate gets {}", answer.status);
        let parse = |body: &[u8]| -> Result<Value> {
            serde_json::from_slice(body).context("the body is not JSON")
        };
        let (mut order, profile) = (parse(&self.upstream("/k")?)?, parse(&self.upstream("/s")?)?);
        let members = order.as_object_mut().context("/k is no object")?;
        for left_out in ["internal_note", "pad"] {
            ensure!(members.remove(left_out).is_some(), "/k has no {left_out}");
        }
        let expected = json!({ "order": order, "profile": profile, "last": order });
        ensure!(
            parse(&answer.body)? == expected,
            "the aggregate is not what the three answers make"
        );
        Ok(())
    }

    fn upstream(&self, path: &str) -> Result<Vec<u8>> {
        Ok(ask(self.upstream_port, path, None, Load::Http1)?.body)
    }
}

fn sets_headers(answer: &Answer, count: usize) -> Result<()> {
    let seen = String::from_utf8_lossy(&answer.body).to_lowercase();
    for number in 1..=count {
        let field = format!("x-gate-{number}:");
        ensure!(seen.contains(&format!("{field} in")), "the upstream does not see {field} in");
        ensure!(answer.has(&format!("{field} out")), "the response has no {field} out");
    }
    Ok(())
}

fn knows_the_user(answer: &Answer) -> Result<()> {
    let seen = String::from_utf8_lossy(&answer.body).to_lowercase();
    ensure!(seen.contains(&format!("x-user: {SUBJECT}")), "the upstream does not see x-user");
    ensure!(!answer.has("x-internal"), "the response still has x-internal");
    ensure!(answer.has("x-request-cost"), "the response has lost x-request-cost");
    Ok(())
}

fn refuses(answer: &Answer, what: &str) -> Result<()> {
    ensure!(answer.status == 401, "{what} gets {} and not 401", answer.status);
    Ok(())
}

/// The token with another character in the middle of its signature.
fn tampered(token: &str) -> String {
    let signature = token.rfind('.').map_or(0, |dot| dot + 1);
    let place = signature + (token.len() - signature) / 2;
    let other = if token[place..].starts_with('A') { "B" } else { "A" };
    format!("{}{other}{}", &token[..place], &token[place + 1..])
}

impl Answer {
    fn has(&self, part: &str) -> bool {
        self.head.to_lowercase().contains(part)
    }
}

fn ask(port: u16, path: &str, token: Option<&str>, load: Load) -> Result<Answer> {
    let scheme = if load.is_tls() { "https" } else { "http" };
    let mut curl = Command::new("curl");
    curl.args(["--silent", "--insecure", "--include", "--max-time", "5"]);
    if load == Load::Http2 {
        curl.arg("--http2-prior-knowledge");
    }
    if let Some(token) = token {
        curl.args(["--header", &format!("authorization: Bearer {token}")]);
    }
    let output = curl
        .arg(format!("{scheme}://127.0.0.1:{port}{path}"))
        .output()
        .context("cannot start curl")?;
    let Some(end) = output.stdout.windows(4).position(|window| window == b"\r\n\r\n") else {
        bail!("{path} gets no answer (curl: {})", output.status);
    };
    let head = String::from_utf8_lossy(&output.stdout[..end]).into_owned();
    let status = head.split_whitespace().nth(1).and_then(|code| code.parse().ok());
    let status = status.with_context(|| format!("{path} gets no status"))?;
    Ok(Answer { status, head, body: output.stdout[end + 4..].to_vec() })
}
