//! Bodies in native tests: only of those plugins that say what they need.

use tollgate_plugin::testing::{Gateway, Request as Sent};
use tollgate_plugin::{BodyError, Config, Error, Need, Plugin, Request, Response, Verdict, plugin};

/// Touches both bodies without having said so.
#[derive(Config)]
struct Undeclared {}

#[plugin]
impl Plugin for Undeclared {
    fn on_request(&self, request: &mut Request) -> Result<Verdict, Error> {
        assert_eq!(request.body(), Err(BodyError::NotGranted));
        let refused = request.set_body("mine").expect_err("a refusal");
        request.set_attribute("refused", &refused.to_string());
        Ok(Verdict::Next)
    }

    fn on_response(&self, _: &mut Request, response: &mut Response) -> Result<(), Error> {
        assert_eq!(response.body(), Err(BodyError::NotGranted));
        Ok(response.set_body("mine")?)
    }
}

/// The same, and says so.
#[derive(Config)]
struct Declared {}

#[plugin]
impl Plugin for Declared {
    const NEEDS: &'static [Need] = &[Need::RequestBody, Need::ResponseBody];

    fn on_request(&self, request: &mut Request) -> Result<Verdict, Error> {
        let twice = request.body()?.repeat(2);
        request.set_body(twice)?;
        Ok(Verdict::Next)
    }

    fn on_response(&self, _: &mut Request, response: &mut Response) -> Result<(), Error> {
        let twice = response.body()?.repeat(2);
        response.set_body(twice)?;
        Ok(())
    }
}

#[test]
fn bodies_that_the_plugin_does_not_say_it_needs_are_refused() {
    let exchange = Gateway::<Undeclared>::new("{}").request(Sent::post("/", "ab"));
    let refusal = "`the body` is not granted to this plugin: that is for the `grants` of its use";
    assert_eq!(exchange.request.attribute("refused").as_deref(), Some(refusal));
    assert_eq!(exchange.request.body().expect("a body"), b"ab");
    let refused = exchange.try_response(Response::new(200)).err().expect("a failure");
    assert_eq!(refused.to_string(), refusal);
}

#[test]
fn a_body_that_it_says_it_needs_is_there_and_the_test_reads_what_became_of_it() {
    let exchange = Gateway::<Declared>::new("{}").request(Sent::post("/", "ab"));
    assert_eq!(exchange.request.body().expect("a body"), b"abab");
    let response = exchange.response(Response::new(200).with_body("cd"));
    assert_eq!(response.body().expect("a body"), b"cdcd");
}
