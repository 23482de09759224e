//! Requests of the component's own.

use wasip2::http::{
    outgoing_handler,
    types::{
        ErrorCode, Fields, IncomingRequest, IncomingResponse, Method, OutgoingBody,
        OutgoingRequest, Scheme,
    },
};

use crate::reply::Reply;

/// Status and body of what `url` has, or the error's name. `METHOD!url` asks by another method.
pub(crate) fn get(url: &str) -> String {
    let (method, url) = url.split_once('!').unwrap_or(("GET", url));
    let outgoing = outgoing(url);
    outgoing.set_method(&method_of(method)).unwrap();
    match send(outgoing, |_| {}) {
        Ok(response) => format!("{} {}", response.status(), text(&response)),
        Err(error) => name(&error),
    }
}

/// Sends the request on with its body while it comes, and then the response back.
pub(crate) fn forward(url: &str, request: &IncomingRequest, reply: Reply) {
    let outgoing = outgoing(url);
    outgoing.set_method(&request.method()).unwrap();
    let response = send(outgoing, |body| {
        let incoming = request.consume().unwrap();
        let (from, to) = (incoming.stream().unwrap(), body.write().unwrap());
        while to.blocking_splice(&from, 64 << 10).is_ok() {}
    });
    match response {
        Ok(response) => reply.status(response.status()).text(&text(&response)),
        Err(error) => reply.status(502).text(&name(&error)),
    }
}

fn method_of(name: &str) -> Method {
    match name {
        "GET" => Method::Get,
        "TRACE" => Method::Trace,
        other => Method::Other(other.to_owned()),
    }
}

/// `http://host:port/path`; without a scheme the host has to choose one.
fn outgoing(url: &str) -> OutgoingRequest {
    let (scheme, rest) = match url.split_once("://") {
        Some(("https", rest)) => (Some(Scheme::Https), rest),
        Some((_, rest)) => (Some(Scheme::Http), rest),
        None => (None, url),
    };
    let (authority, path) = rest.split_once('/').unwrap_or((rest, ""));
    let fields = Fields::from_list(&[("te".to_owned(), b"trailers".to_vec())]).unwrap();
    let request = OutgoingRequest::new(fields);
    request.set_scheme(scheme.as_ref()).unwrap();
    request.set_authority(Some(authority)).unwrap();
    request.set_path_with_query(Some(&format!("/{path}"))).unwrap();
    request
}

fn send(
    request: OutgoingRequest,
    write: impl FnOnce(&OutgoingBody),
) -> Result<IncomingResponse, ErrorCode> {
    let body = request.body().unwrap();
    let coming = outgoing_handler::handle(request, None)?;
    write(&body);
    OutgoingBody::finish(body, None)?;
    coming.subscribe().block();
    coming.get().unwrap().unwrap()
}

/// As in `HttpRequestDenied`.
fn name(error: &ErrorCode) -> String {
    let text = format!("{error:?}");
    let text = text.trim_start_matches("ErrorCode::");
    text.split('(').next().unwrap_or_default().to_owned()
}

fn text(response: &IncomingResponse) -> String {
    let body = response.consume().unwrap();
    let stream = body.stream().unwrap();
    let mut bytes = Vec::new();
    while let Ok(piece) = stream.blocking_read(64 << 10) {
        bytes.extend(piece);
    }
    String::from_utf8_lossy(&bytes).into_owned()
}
