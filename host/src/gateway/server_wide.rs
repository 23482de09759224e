//! `OPTIONS *`, which is about the server as a whole (RFC 9110 §9.3.7): no route is asked.

use http::{Method, Response, StatusCode, Uri, header::ALLOW, uri::PathAndQuery};

use super::SERVED;
use crate::{body::Body, exchange::Exchange, problem};

/// Whether a request is about the server as a whole.
pub(crate) fn is_for(method: &Method, target: &Uri) -> bool {
    method == Method::OPTIONS && target.path_and_query().map(PathAndQuery::as_str) == Some("*")
}

/// Answers with the methods that routes may serve.
pub(super) fn answer(exchange: &mut Exchange) {
    let request = &exchange.request;
    if !is_for(&request.method, &request.uri) {
        return;
    }
    let mut response = Response::new(Body::Empty);
    *response.status_mut() = StatusCode::NO_CONTENT;
    response.headers_mut().insert(ALLOW, problem::allow(&SERVED));
    exchange.response = Some(response);
}
