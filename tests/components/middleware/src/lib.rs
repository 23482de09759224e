//! A component of `wasi:http/middleware@0.3` that does what the field `x-do` says.

#![cfg(target_family = "wasm")]
#![expect(clippy::unwrap_used, reason = "a guest that cannot go on has failed its test")]

mod bindings {
    #![expect(unsafe_code, reason = "this is how bindings are generated")]

    wit_bindgen::generate!({ path: "wit", world: "middleware", generate_all });

    use super::Middleware;
    export!(Middleware);
}

use self::bindings::{
    exports::wasi::http::handler::Guest,
    wasi::http::{
        handler,
        types::{ErrorCode, Fields, Method, Request, Response, Trailers},
    },
    wit_future, wit_stream,
};

struct Middleware;

impl Guest for Middleware {
    async fn handle(request: Request) -> Result<Response, ErrorCode> {
        match told(&request).as_str() {
            "pass" => handler::handle(request).await,
            "answer" => Ok(text(418, "by the middleware")),
            "trap" => panic!("as it was told"),
            "trap-reading" => {
                let (_done, result) = wit_future::new(|| Ok(()));
                let (mut body, _trailers) = Request::consume_body(request, result);
                body.next().await;
                panic!("as it was told");
            }
            "trap-reading-after" => {
                let response = handler::handle(request).await?;
                let (_done, result) = wit_future::new(|| Ok(()));
                let (mut body, _trailers) = Response::consume_body(response, result);
                body.next().await;
                panic!("as it was told");
            }
            "say" => Err(ErrorCode::InternalError(None)),
            "trap-after" => {
                handler::handle(request).await?;
                panic!("as it was told");
            }
            "twice" => {
                handler::handle(request).await?;
                let again = handler::handle(empty()).await;
                Ok(text(200, &format!("{:?}", again.err())))
            }
            "redo" => {
                let request = changed(request);
                request.set_method(&Method::Put).unwrap();
                request.set_path_with_query(Some("/other?x=1")).unwrap();
                handler::handle(request).await
            }
            "trace" => {
                let trace = changed(request);
                trace.set_method(&Method::Trace).unwrap();
                let refused = handler::handle(trace).await;
                Ok(text(200, &format!("{:?}", refused.err())))
            }
            "upper" => Ok(upper(handler::handle(request).await?)),
            "early" => {
                wit_bindgen::spawn_local(async move { drop(handler::handle(request).await) });
                Ok(text(200, "did not wait"))
            }
            _ => Ok(marked(handler::handle(changed(request)).await?)),
        }
    }
}

fn told(request: &Request) -> String {
    let values = request.get_headers().get("x-do");
    values.first().map(|value| String::from_utf8_lossy(value).into_owned()).unwrap_or_default()
}

/// The same request with another field, and the same body.
fn changed(request: Request) -> Request {
    let fields = request.get_headers().clone();
    fields.append("x-in", b"middleware").unwrap();
    let (method, path) = (request.get_method(), request.get_path_with_query());
    let (scheme, authority) = (request.get_scheme(), request.get_authority());
    let (done, result) = wit_future::new(|| Ok(()));
    drop(done);
    let (body, trailers) = Request::consume_body(request, result);
    let (changed, _sent) = Request::new(fields, Some(body), trailers, None);
    changed.set_method(&method).unwrap();
    changed.set_path_with_query(path.as_deref()).unwrap();
    changed.set_scheme(scheme.as_ref()).unwrap();
    changed.set_authority(authority.as_deref()).unwrap();
    changed
}

/// The same response with another field, and the same body.
fn marked(response: Response) -> Response {
    let fields = response.get_headers().clone();
    fields.append("x-out", b"middleware").unwrap();
    let status = response.get_status_code();
    let (done, result) = wit_future::new(|| Ok(()));
    drop(done);
    let (body, trailers) = Response::consume_body(response, result);
    let (marked, _sent) = Response::new(fields, Some(body), trailers);
    marked.set_status_code(status).unwrap();
    marked
}

/// The response in capitals, piece by piece.
fn upper(response: Response) -> Response {
    let (done, result) = wit_future::new(|| Ok(()));
    drop(done);
    let (mut body, trailers) = Response::consume_body(response, result);
    let (mut writer, reader) = wit_stream::new();
    wit_bindgen::spawn_local(async move {
        while let Some(byte) = body.next().await {
            if !writer.write_all(vec![byte.to_ascii_uppercase()]).await.is_empty() {
                return;
            }
        }
    });
    Response::new(Fields::new(), Some(reader), trailers).0
}

fn empty() -> Request {
    let (end, ended) = wit_future::new::<Result<Option<Trailers>, ErrorCode>>(|| Ok(None));
    drop(end);
    let (request, _sent) = Request::new(Fields::new(), None, ended, None);
    request.set_path_with_query(Some("/again")).unwrap();
    request.set_authority(Some("again")).unwrap();
    request
}

fn text(status: u16, text: &str) -> Response {
    let (end, ended) = wit_future::new::<Result<Option<Trailers>, ErrorCode>>(|| Ok(None));
    drop(end);
    let (mut writer, reader) = wit_stream::new();
    let text = text.as_bytes().to_vec();
    wit_bindgen::spawn_local(async move {
        writer.write_all(text).await;
    });
    let (response, _sent) = Response::new(Fields::new(), Some(reader), ended);
    response.set_status_code(status).unwrap();
    response
}
