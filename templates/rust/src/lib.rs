//! Lets a request through if it carries the agreed word.

use tollgate_plugin::{Config, Error, Plugin, Request, Response, Verdict, plugin};

/// Lets a request through if it carries the agreed word.
#[derive(Config)]
struct Password {
    /// The header with the word.
    header: String,
    /// The agreed word.
    word: String,
}

#[plugin]
impl Plugin for Password {
    fn on_request(&self, request: &mut Request) -> Result<Verdict, Error> {
        if request.header(&self.header).as_deref() != Some(self.word.as_str()) {
            return Ok(Verdict::problem(401, "The word is missing or wrong"));
        }
        request.remove_header(&self.header)?;
        Ok(Verdict::Next)
    }

    fn on_response(&self, _: &mut Request, response: &mut Response) -> Result<(), Error> {
        response.set_header("x-checked-by", env!("CARGO_PKG_NAME"))?;
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use tollgate_plugin::testing::{Gateway, Request};

    use super::*;

    const CONFIG: &str = r#"{ "header": "x-word", "word": "please" }"#;

    #[test]
    fn the_word_opens_and_the_upstream_does_not_see_it() {
        let gateway = Gateway::<Password>::new(CONFIG);
        let exchange = gateway.request(Request::get("/").header("x-word", "please"));
        assert!(exchange.is_next());
        assert_eq!(exchange.request.header("x-word"), None);
    }

    #[test]
    fn another_word_does_not_open() {
        let gateway = Gateway::<Password>::new(CONFIG);
        let exchange = gateway.request(Request::get("/").header("x-word", "now"));
        assert_eq!(exchange.status(), Some(401));
    }
}
