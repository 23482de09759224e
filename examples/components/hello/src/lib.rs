//! A component of the world `wasi:http/proxy@0.2`. Nothing in it knows of the gateway: any host of
//! that world runs it, `wasmtime serve` for one.

#![cfg(target_family = "wasm")]
#![expect(clippy::print_stderr, reason = "a component has no other log, and its host shows it")]

use std::io::Write as _;

use wasip2::{
    exports::http::incoming_handler::Guest,
    http::types::{
        ErrorCode, Fields, IncomingRequest, Method, OutgoingBody, OutgoingResponse,
        ResponseOutparam,
    },
    io::streams::StreamError,
};

struct Hello;

wasip2::http::proxy::export!(Hello);

impl Guest for Hello {
    fn handle(request: IncomingRequest, out: ResponseOutparam) {
        let answered = match request.method() {
            Method::Post => echo(&request, out),
            _ => greet(&request, out),
        };
        if let Err(error) = answered {
            eprintln!("the response broke off: {error}");
        }
    }
}

fn greet(request: &IncomingRequest, out: ResponseOutparam) -> Result<(), String> {
    let body = begin(out, "text/plain")?;
    let path = request.path_with_query().unwrap_or_default();
    {
        let mut stream = body.write().map_err(|()| "the stream was taken")?;
        writeln!(stream, "hello from wasi:http, {path}").map_err(|error| error.to_string())?;
    }
    OutgoingBody::finish(body, None).map_err(|error| error.to_string())
}

/// Sends each piece of the request on as it comes.
fn echo(request: &IncomingRequest, out: ResponseOutparam) -> Result<(), String> {
    let body = begin(out, "application/octet-stream")?;
    let incoming = request.consume().map_err(|()| "the body was taken")?;
    {
        let from = incoming.stream().map_err(|()| "the stream was taken")?;
        let to = body.write().map_err(|()| "the stream was taken")?;
        loop {
            match to.blocking_splice(&from, 64 << 10) {
                Ok(_) => {}
                Err(StreamError::Closed) => break,
                Err(error) => return Err(error.to_string()),
            }
        }
    }
    OutgoingBody::finish(body, None).map_err(|error: ErrorCode| error.to_string())
}

/// Sends the head of a response, and gives its body.
fn begin(out: ResponseOutparam, kind: &str) -> Result<OutgoingBody, String> {
    let fields = [("content-type".to_owned(), kind.as_bytes().to_vec())];
    let fields = Fields::from_list(&fields).map_err(|error| error.to_string())?;
    let response = OutgoingResponse::new(fields);
    let body = response.body().map_err(|()| "the body was taken")?;
    ResponseOutparam::set(out, Ok(response));
    Ok(body)
}
