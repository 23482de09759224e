//! What `#[plugin]` and `#[derive(Config)]` make of a plugin, and how the test gateway drives it.

use std::time::Duration;

use tollgate_plugin::http::{Call, CallError};
use tollgate_plugin::limits::{self, Quota};
use tollgate_plugin::store::Store;
use tollgate_plugin::testing::{Gateway, Request as Sent};
use tollgate_plugin::{
    Config, Error, Outcome, Phases, Plugin, Problem, Request, Response, Verdict, clock, plugin,
    telemetry,
};

/// Asks an upstream who is behind a session, and remembers it for a minute.
#[derive(Config)]
struct Sessions {
    /// The upstream that knows.
    upstream: String,
    /// Whether the response says how long it took.
    #[serde(default)]
    timed: bool,
    #[serde(default)]
    #[expect(dead_code, reason = "only read by serde")]
    nested: Vec<Nested>,
}

#[derive(Config)]
struct Nested {
    #[expect(dead_code, reason = "only read by serde")]
    number: u8,
}

#[plugin]
impl Plugin for Sessions {
    fn phases(&self) -> Phases {
        Phases::REQUEST.and(Phases::FINISH).and_if(self.timed, Phases::RESPONSE)
    }

    fn on_request(&self, request: &mut Request) -> Result<Verdict, Error> {
        let Some(session) = request.header("x-session") else {
            return Ok(Verdict::unauthorized("Session"));
        };
        let known = Store::named("sessions");
        let user = match known.get(&session)? {
            Some(user) => String::from_utf8(user)?,
            None => {
                let response = Call::get(&self.upstream, "/whoami").send()?;
                let user = String::from_utf8(response.body()?)?;
                known.set(&session, user.as_bytes(), Some(Duration::from_secs(60)))?;
                user
            }
        };
        request.set_attribute("user", &user);
        let quota = Quota { limit: 2, window_ms: 1000, burst: None };
        let decision = limits::take("sessions", &user, quota, 1)?;
        if !decision.allowed {
            return Ok(Verdict::too_many_requests(decision.retry_after_ms));
        }
        Ok(Verdict::Next)
    }

    fn on_response(&self, request: &mut Request, response: &mut Response) -> Result<(), Error> {
        // A word that only looks like a hook is none: fn on_request_chunk.
        let user = request.attribute("user").unwrap_or_default();
        Ok(response.set_header("x-user", &format!("{user} at {}", clock::now().as_secs()))?)
    }

    fn on_finish(&self, _: &mut Request, outcome: &Outcome) {
        telemetry::count("finished", &[], u64::from(outcome.status));
    }
}

fn gateway(more: &str) -> Gateway<Sessions> {
    Gateway::new(format!(r#"{{ "upstream": "users" {more} }}"#)).upstream(|call| {
        match call.upstream.as_str() {
            "users" => Ok(Response::new(200).with_body("ann")),
            _ => Err(CallError::UnknownUpstream),
        }
    })
}

fn session() -> Sent {
    Sent::get("/").header("X-Session", "s")
}

#[test]
fn the_hooks_of_the_block_are_the_phases() {
    let written = Phases::REQUEST.and(Phases::RESPONSE).and(Phases::FINISH);
    assert_eq!(Sessions::HOOKS, written);
    assert_eq!(gateway("").phases(), Phases::REQUEST.and(Phases::FINISH));
    assert_eq!(gateway(r#", "timed": true"#).phases(), written);
}

#[test]
fn name_version_and_summary_are_the_packages() {
    assert_eq!(Sessions::ABOUT.name, env!("CARGO_PKG_NAME"));
    assert_eq!(Sessions::ABOUT.version, env!("CARGO_PKG_VERSION"));
}

#[test]
fn the_schema_knows_keys_and_descriptions() {
    let schema = Sessions::schema();
    assert!(schema.contains("https://json-schema.org/draft/2020-12/schema"), "{schema}");
    assert!(schema.contains("The upstream that knows."), "{schema}");
    assert!(schema.contains(r#""additionalProperties": false"#), "{schema}");
}

#[test]
fn a_faulty_configuration_names_the_key() {
    for (config, expected) in [
        ("{}", "missing field `upstream`"),
        (r#"{ "upstream": 1 }"#, "upstream: invalid type: integer `1`, expected a string"),
        (
            r#"{ "upstream": "a", "upstraem": 1 }"#,
            "upstraem: unknown field `upstraem`, expected one of `upstream`, `timed`, `nested`",
        ),
        (
            r#"{ "upstream": "a", "nested": [{ "number": 1 }, { "number": 256 }] }"#,
            "nested[1].number: invalid value: integer `256`, expected u8",
        ),
    ] {
        let error = Gateway::<Sessions>::try_new(config).err().expect(config);
        assert_eq!(error.to_string(), expected);
    }
}

#[test]
fn stand_ins_answer_what_the_plugin_asks() {
    let gateway = gateway(r#", "timed": true"#);
    assert_eq!(
        gateway.request(Sent::get("/")).answer_header("www-authenticate").as_deref(),
        Some("Session")
    );
    let response = gateway.request(session()).response(Response::new(204));
    assert_eq!(response.header("X-User").as_deref(), Some("ann at 1767225600"));
    assert!(gateway.request(session()).is_next());
    assert_eq!(gateway.request(session()).status(), Some(429));
    gateway.advance(Duration::from_secs(1));
    assert!(gateway.request(session()).is_next());

    let outcome = Outcome {
        status: 204,
        duration: Duration::from_micros(1),
        request_bytes: 0,
        response_bytes: 0,
        upstream: None,
        error: None,
    };
    gateway.request(Sent::get("/")).finish(&outcome);
    assert_eq!(gateway.counted("finished"), 204);
}

#[test]
fn a_failed_hook_says_why() {
    let gateway = Gateway::<Sessions>::new(r#"{ "upstream": "nobody" }"#);
    let error = gateway.try_request(session()).err().expect("a failure");
    assert_eq!(error.to_string(), "no upstream has this name");
}

#[test]
fn a_problem_is_rfc_9457_with_the_requests_id() {
    let problem = Problem::new(418, "teapot", "Short and stout").detail("say \"tea\"");
    let response = problem.header("x-a", "1").into_response("id-1").expect("a response");
    assert_eq!(response.status(), 418);
    assert_eq!(response.header("content-type").as_deref(), Some("application/problem+json"));
    assert_eq!(response.header("x-a").as_deref(), Some("1"));
    assert_eq!(
        response.body().expect("a body"),
        br#"{"type":"https://tollgate.dev/problems/teapot","title":"Short and stout","status":418,"detail":"say \"tea\"","request_id":"id-1"}"#
    );
}
