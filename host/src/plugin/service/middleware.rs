//! A middleware: a `wasi:http` component in a chain. It gets the request, and the handler that it
//! imports is the rest of the chain. So its way to that call is its request hook, and its way on
//! from there is its response hook; in between it is suspended in the call.

use std::sync::Arc;

use http::{HeaderMap, HeaderName, Request, Response, StatusCode, header::HOST};
use tokio::sync::oneshot;
use wasmtime_wasi_http::{DEFAULT_FORBIDDEN_HEADERS, WasiBody};

use super::{Asked, Begun, Service, body, within};
use crate::{
    body::{Body, BodyError, Failure, Loan},
    config::OnError,
    exchange::Exchange,
    forwarding,
    plugin::hook::{HookError, Verdict},
};

/// Where the guest's request for the rest of the chain goes.
pub(super) type Next = oneshot::Sender<Passed>;

/// What the guest passes on, and where the response to that goes.
pub(super) struct Passed {
    pub(super) request: Request<WasiBody>,
    pub(super) answer: oneshot::Sender<Response<WasiBody>>,
}

/// A middleware as a chain calls it.
pub(crate) struct Middleware {
    service: Arc<Service>,
    on_error: OnError,
}

/// A guest that waits for the rest of the chain. It is ended with this.
pub(crate) struct Suspended {
    /// Its place in the chain.
    pub(crate) place: usize,
    begun: Begun,
    answer: oneshot::Sender<Response<WasiBody>>,
}

impl Middleware {
    pub(crate) fn new(service: Service, on_error: OnError) -> Self {
        Self { service: Arc::new(service), on_error }
    }

    pub(crate) fn service(&self) -> &Arc<Service> {
        &self.service
    }

    pub(crate) fn name(&self) -> &str {
        self.service.name()
    }

    /// Gives the request to the guest, until it passes it on or responds by itself.
    ///
    /// # Errors
    ///
    /// It did neither.
    pub(crate) async fn on_request(
        &self,
        exchange: &mut Exchange,
        place: usize,
    ) -> Result<Verdict, Failed> {
        let (loan, body) = self.lend(exchange.take_request_body());
        let verdict = self.ask(exchange, body, place).await;
        verdict.map_err(|error| {
            let body = self.failed(&error, loan);
            let is_whole = body.is_some();
            exchange.request_body = body.unwrap_or(Body::Broken(BodyError::ClientAborted));
            Failed { error, is_whole }
        })
    }

    /// `body` for the guest, and what brings it back under `skip`.
    fn lend(&self, body: Body) -> (Option<Loan>, Body) {
        match self.on_error {
            OnError::Reject => (None, body),
            OnError::Skip => {
                let (loan, lent) = Loan::of(body);
                (Some(loan), lent)
            }
        }
    }

    /// Counts a failure, and gives what was lent to the guest where it has left that alone.
    fn failed(&self, error: &HookError, loan: Option<Loan>) -> Option<Body> {
        self.service.count(error);
        loan.and_then(Loan::take_back)
    }

    async fn ask(
        &self,
        exchange: &mut Exchange,
        body: Body,
        place: usize,
    ) -> Result<Verdict, HookError> {
        let (next, mut passed) = oneshot::channel();
        let (generation, bound) = (Arc::clone(&exchange.generation), exchange.bound());
        let failure = Failure::default();
        let request = request(exchange, failure.of(body));
        let asked = Asked { request, generation, bound };
        let mut begun = self.service.begin(asked, Some(next))?;
        let limit = self.service.patience();
        let first = within(limit, bound, async {
            tokio::select! {
                // What it has passed on counts, whatever it has said since.
                biased;
                Ok(passed) = &mut passed => Ok(First::Passed(passed)),
                response = begun.guests_response() => response.map(First::Response),
            }
        });
        match first.await?? {
            First::Response(response) => begun.take_over(response).map(Verdict::Respond),
            First::Passed(Passed { request, answer }) => {
                pass_on(exchange, request, failure);
                exchange.suspended.push(Suspended { place, begun, answer });
                Ok(Verdict::Next)
            }
        }
    }

    /// Gives the response of the rest of the chain to the guest, which makes its own of it. Nothing
    /// is to be done where it has not passed the request on.
    ///
    /// # Errors
    ///
    /// It gave none.
    pub(crate) async fn on_response(
        &self,
        exchange: &mut Exchange,
        place: usize,
    ) -> Result<(), Failed> {
        let found = exchange.suspended.iter().rposition(|suspended| suspended.place == place);
        let Some(index) = found else { return Ok(()) };
        let Suspended { begun, answer, .. } = exchange.suspended.swap_remove(index);
        let can_be_read = |response: &mut Response<Body>| {
            // From here on bytes are joined, not read.
            response.status() != StatusCode::SWITCHING_PROTOCOLS
        };
        let Some(response) = exchange.response.take_if(can_be_read) else { return Ok(()) };
        let (head, body) = response.into_parts();
        let (loan, body) = self.lend(body);
        // Its own response may have been there before this one; then it takes nothing any more.
        let _ = answer.send(Response::from_parts(head.clone(), body::for_guest(body)));
        match begun.response().await {
            Ok(response) => {
                exchange.response = Some(response);
                Ok(())
            }
            Err(error) => {
                let body = self.failed(&error, loan);
                let is_whole = body.is_some();
                exchange.response = body.map(|body| Response::from_parts(head, body));
                Err(Failed { error, is_whole })
            }
        }
    }
}

/// Why a middleware did not do its part.
pub(crate) struct Failed {
    pub(crate) error: HookError,
    /// The message is as it was before, and `on_error` lets it go by.
    pub(crate) is_whole: bool,
}

enum First {
    Passed(Passed),
    Response(Response<WasiBody>),
}

/// The request as the guest gets it.
fn request(exchange: &Exchange, body: Body) -> Request<Body> {
    let mut request = Request::new(body);
    *request.method_mut() = exchange.request.method.clone();
    *request.uri_mut() = exchange.absolute_target();
    *request.headers_mut() = exchange.request.headers.clone();
    request
}

/// The exchange goes on with what the guest has made of it. Scheme and authority are the client's
/// and stay.
fn pass_on(exchange: &mut Exchange, request: Request<WasiBody>, failure: Failure) {
    let (head, body) = request.into_parts();
    let before = exchange.absolute_target();
    if head.uri.path_and_query() != before.path_and_query() {
        exchange.target = head.uri.path_and_query().cloned();
    }
    exchange.request.method = head.method;
    let mut headers = head.headers;
    forwarding::strip_hop_by_hop(&mut headers);
    keep_hidden(&exchange.request.headers, &mut headers);
    exchange.request.headers = headers;
    exchange.request_body = body::of_guest(body, failure);
}

/// Puts back the fields that a guest does not see and so cannot pass on.
fn keep_hidden(before: &HeaderMap, headers: &mut HeaderMap) {
    headers.remove(HOST);
    let hidden = |name: &&HeaderName| DEFAULT_FORBIDDEN_HEADERS.contains(name);
    for name in before.keys().filter(hidden) {
        for value in before.get_all(name) {
            headers.append(name, value.clone());
        }
    }
}
