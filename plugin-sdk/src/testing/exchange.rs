//! What becomes of a request: the plugin's other hooks, and what a test looks at.

use super::{Gateway, with_granted};
use crate::error::Error;
use crate::plugin::{Need, Outcome, Phases, Plugin};
use crate::request;
use crate::response::Response;
use crate::sys;

/// What has become of a request.
pub struct Exchange<P> {
    pub(super) gateway: Gateway<P>,
    /// The request as the next plugin and the upstream would see it.
    pub request: request::Request,
    /// The plugin's own answer.
    pub answer: Option<Response>,
}

impl<P: Plugin> Exchange<P> {
    /// Whether the request goes on.
    #[must_use]
    pub fn is_next(&self) -> bool {
        self.answer.is_none()
    }

    /// The status of the plugin's own answer.
    #[must_use]
    pub fn status(&self) -> Option<u16> {
        self.answer.as_ref().map(Response::status)
    }

    /// A header of the plugin's own answer.
    #[must_use]
    pub fn answer_header(&self, name: &str) -> Option<String> {
        self.answer.as_ref()?.header(name)
    }

    /// The body of the plugin's own answer, as text.
    ///
    /// # Panics
    ///
    /// The plugin has not answered, or not in UTF-8.
    #[must_use]
    #[track_caller]
    pub fn answer_text(&self) -> String {
        let answer = self.answer.as_ref().expect("the plugin has answered");
        String::from_utf8(answer.body().expect("it is in memory")).expect("the answer is UTF-8")
    }

    /// Path and query that the upstream would see.
    #[must_use]
    pub fn target(&self) -> String {
        let request = self.request.sys.0.borrow();
        request.target.clone().unwrap_or_else(|| match &request.query {
            Some(query) => format!("{}?{query}", request.path),
            None => request.path.clone(),
        })
    }

    /// The upstream that the plugin has chosen.
    #[must_use]
    pub fn upstream(&self) -> Option<String> {
        self.request.sys.0.borrow().upstream.clone()
    }

    /// The response as the client would see it: the plugin's own answer, or else `upstream`'s.
    ///
    /// # Panics
    ///
    /// The response hook fails.
    #[must_use]
    #[track_caller]
    pub fn response(self, upstream: Response) -> Response {
        match self.try_response(upstream) {
            Ok(response) => response,
            Err(error) => panic!("the response hook failed: {error}"),
        }
    }

    /// As [`response`](Exchange::response), for tests of hooks that fail.
    ///
    /// # Errors
    ///
    /// What the log would say.
    pub fn try_response(mut self, upstream: Response) -> Result<Response, Error> {
        sys::enter(&self.gateway.world);
        let mut response = self.answer.take().unwrap_or(upstream);
        if self.gateway.phases().contains(Phases::RESPONSE) {
            response.sys.withhold_body(!P::NEEDS.contains(&Need::ResponseBody));
            let plugin = &self.gateway.plugin;
            with_granted::<P, _>(&mut self.request, |request| {
                plugin.on_response(request, &mut response)
            })?;
            response.sys.withhold_body(false);
        }
        Ok(response)
    }

    /// Sends a request body in these pieces through the chunk hook, and gives what comes out.
    ///
    /// # Panics
    ///
    /// The hook fails.
    #[must_use]
    #[track_caller]
    pub fn request_chunks(&mut self, pieces: &[impl AsRef<[u8]>]) -> Vec<u8> {
        match self.try_request_chunks(pieces) {
            Ok(body) => body,
            Err(error) => panic!("the request's chunk hook failed: {error}"),
        }
    }

    /// As [`request_chunks`](Exchange::request_chunks), for tests of hooks that fail.
    ///
    /// # Errors
    ///
    /// What the log would say.
    pub fn try_request_chunks(&mut self, pieces: &[impl AsRef<[u8]>]) -> Result<Vec<u8>, Error> {
        let wanted = self.gateway.phases().contains(Phases::REQUEST_CHUNKS);
        self.chunks(pieces, wanted, P::on_request_chunk)
    }

    /// Sends a response body in these pieces through the chunk hook, and gives what comes out.
    ///
    /// # Panics
    ///
    /// The hook fails.
    #[must_use]
    #[track_caller]
    pub fn response_chunks(&mut self, pieces: &[impl AsRef<[u8]>]) -> Vec<u8> {
        match self.try_response_chunks(pieces) {
            Ok(body) => body,
            Err(error) => panic!("the response's chunk hook failed: {error}"),
        }
    }

    /// As [`response_chunks`](Exchange::response_chunks), for tests of hooks that fail.
    ///
    /// # Errors
    ///
    /// What the log would say.
    pub fn try_response_chunks(&mut self, pieces: &[impl AsRef<[u8]>]) -> Result<Vec<u8>, Error> {
        let wanted = self.gateway.phases().contains(Phases::RESPONSE_CHUNKS);
        self.chunks(pieces, wanted, P::on_response_chunk)
    }

    /// The last piece is marked as such; what the hook holds back comes again with the next one.
    fn chunks(
        &mut self,
        pieces: &[impl AsRef<[u8]>],
        wanted: bool,
        hook: impl Fn(&P, &mut request::Request, Vec<u8>, bool) -> Result<Vec<u8>, Error>,
    ) -> Result<Vec<u8>, Error> {
        sys::enter(&self.gateway.world);
        let (mut held, mut body) = (Vec::new(), Vec::new());
        for (index, piece) in pieces.iter().enumerate() {
            if !wanted {
                body.extend_from_slice(piece.as_ref());
                continue;
            }
            held.extend_from_slice(piece.as_ref());
            let last = index + 1 == pieces.len();
            let chunk = sys::Chunk { last, held: Vec::new() };
            self.request.sys.0.borrow_mut().chunk = Some(chunk);
            let made = hook(&self.gateway.plugin, &mut self.request, held, last);
            let chunk = self.request.sys.0.borrow_mut().chunk.take();
            held = chunk.unwrap_or_default().held;
            body.extend(made?);
        }
        Ok(body)
    }

    /// Ends the exchange.
    pub fn finish(mut self, outcome: &Outcome) {
        sys::enter(&self.gateway.world);
        if self.gateway.phases().contains(Phases::FINISH) {
            self.gateway.plugin.on_finish(&mut self.request, outcome);
        }
    }
}
