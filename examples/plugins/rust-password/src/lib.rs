//! Lets a request through if it carries the agreed word, and says who came.

use tollgate_plugin::{Config, Error, Plugin, Request, Response, Verdict, plugin};

/// Lets a request through if it carries the agreed word.
#[derive(Config)]
struct Password {
    /// The header with the word.
    header: String,
    /// The agreed word.
    word: String,
    /// Who knows the word: later plugins read it as the attribute `auth.subject`.
    subject: String,
}

#[plugin]
impl Plugin for Password {
    fn on_request(&self, request: &mut Request) -> Result<Verdict, Error> {
        if request.header(&self.header).as_deref() != Some(self.word.as_str()) {
            return Ok(Verdict::unauthorized("Word"));
        }
        // The upstream has no use for the word.
        request.remove_header(&self.header)?;
        request.set_attribute("auth.subject", &self.subject);
        Ok(Verdict::Next)
    }

    fn on_response(&self, _: &mut Request, response: &mut Response) -> Result<(), Error> {
        response.append_header("x-acted", "rust")?;
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use tollgate_plugin::testing::{Gateway, Request};

    use super::Password;

    const CONFIG: &str = r#"{ "header": "x-word", "word": "please", "subject": "ann" }"#;

    #[test]
    fn the_word_opens_and_stays_here() {
        let gateway = Gateway::<Password>::new(CONFIG);
        let exchange = gateway.request(Request::get("/").header("x-word", "please"));
        assert!(exchange.is_next());
        assert_eq!(exchange.request.header("x-word"), None);
    }

    #[test]
    fn another_word_does_not_open() {
        let gateway = Gateway::<Password>::new(CONFIG);
        assert_eq!(gateway.request(Request::get("/").header("x-word", "now")).status(), Some(401));
        assert_eq!(gateway.request(Request::get("/")).status(), Some(401));
    }
}
