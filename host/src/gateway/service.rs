//! The end of a route in a `wasi:http` component.

use std::sync::Arc;

use http::{HeaderValue, Request, header::HOST};

use super::{Wishes, onward, outgoing};
use crate::{
    body::{Body, BodyError, Failure},
    error::Error,
    exchange::Exchange,
    forwarding,
    generation::Route,
    plugin::{Asked, HANDLE, HookError, Service},
};

pub(super) async fn answer(
    exchange: &mut Exchange,
    route: &Route,
    service: &Arc<Service>,
    wishes: &Wishes,
) {
    let mut request = request(exchange, route, wishes);
    if let Err(error) = onward::request(exchange, route, &mut request) {
        return exchange.fail(error);
    }
    let failure = Failure::default();
    let request = request.map(|body| failure.of(body));
    let generation = Arc::clone(&exchange.generation);
    let answered = service.answer(Asked { request, generation, bound: exchange.bound() }).await;
    exchange.renew_time_of_plugins();
    match answered {
        Ok(response) => exchange.response = Some(response),
        Err(source) => {
            let noted = exchange.request_failure().or_else(|| failure.get());
            exchange.fail_by(service, blame(route, service, noted.as_ref(), source));
        }
    }
}

/// The request as the component gets it.
fn request(exchange: &mut Exchange, route: &Route, wishes: &Wishes) -> Request<Body> {
    let asked_again = outgoing::looks_back(exchange, route);
    let mut request = Request::new(exchange.take_request_body());
    *request.method_mut() = exchange.request.method.clone();
    *request.uri_mut() = exchange.absolute_target();
    *request.headers_mut() = outgoing::headers(exchange, asked_again);
    // HTTP/1.0 knows no host, and a component must have one.
    request.headers_mut().entry(HOST).or_insert(HeaderValue::from_static(""));
    if wishes.hop_by_hop.trailers {
        forwarding::accept_trailers(request.headers_mut());
    }
    request
}

/// Whose fault it is that there is no response.
fn blame(
    route: &Route,
    service: &Service,
    request: Option<&BodyError>,
    source: HookError,
) -> Error {
    if let Some(error) = request.and_then(Error::of_request_body) {
        return error;
    }
    match (route.timeout, source) {
        (Some(limit), HookError::DeadlinePassed) => Error::ExchangeTimeout { limit },
        (_, source) => Error::Plugin { plugin: service.name().to_owned(), hook: HANDLE, source },
    }
}
