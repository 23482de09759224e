//! The services behind the gateway. Each tells which fields of the request reached it.

use std::collections::HashMap;
use std::convert::Infallible;
use std::sync::Arc;

use anyhow::Result;
use bytes::Bytes;
use http::{HeaderMap, Method, Request, Response, StatusCode};
use http_body_util::Full;
use hyper::body::Incoming;
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use percent_encoding::percent_decode_str;
use serde_json::{Map, Value, json};
use tokio::net::TcpListener;

use crate::identity::IdentityProvider;
use crate::ports;

/// What a service gets to see of a request.
pub(crate) struct Question {
    pub(crate) method: Method,
    pub(crate) path: String,
    pub(crate) query: HashMap<String, String>,
    headers: HeaderMap,
}

/// A whole response.
pub(crate) struct Answer {
    status: StatusCode,
    content_type: &'static str,
    body: String,
}

/// Starts all services; they serve until the program ends.
pub(crate) async fn start() -> Result<()> {
    let provider = IdentityProvider::new()?;
    serve(ports::bind(ports::USERS, "the users service").await?, users);
    serve(ports::bind(ports::ORDERS, "the orders service").await?, orders);
    serve(ports::bind(ports::RECOMMENDATIONS, "recommendations").await?, recommendations);
    let listener = ports::bind(ports::IDENTITY, "the identity provider").await?;
    serve(listener, move |question| provider.answer(question));
    Ok(())
}

fn users(question: &Question) -> Answer {
    let id = question.last_segment();
    Answer::json(&json!({
        "service": "users",
        "id": id,
        "email": format!("{id}@example.com"),
        "seen": question.seen(),
    }))
}

fn orders(question: &Question) -> Answer {
    Answer::json(&json!({
        "service": "orders",
        "path": question.path,
        "orders": [{ "id": 1, "item": "lamp" }, { "id": 2, "item": "chair" }],
        "seen": question.seen(),
    }))
}

fn recommendations(_: &Question) -> Answer {
    Answer::json(&json!({ "service": "recommendations", "items": ["desk", "shelf"] }))
}

impl Question {
    fn new(request: &Request<Incoming>) -> Self {
        Self {
            method: request.method().clone(),
            path: request.uri().path().to_owned(),
            query: pairs(request.uri().query().unwrap_or_default()),
            headers: request.headers().clone(),
        }
    }

    fn last_segment(&self) -> String {
        let segment = self.path.rsplit('/').next().unwrap_or_default();
        decode(segment)
    }

    /// The header fields as they arrived here, so that one sees what the gateway did to them.
    fn seen(&self) -> Value {
        let fields = self.headers.iter().map(|(name, value)| {
            let text = String::from_utf8_lossy(value.as_bytes()).into_owned();
            (name.to_string(), Value::from(text))
        });
        Value::Object(fields.collect::<Map<_, _>>())
    }
}

impl Answer {
    pub(crate) fn json(value: &Value) -> Self {
        let body = format!("{value:#}\n");
        Self { status: StatusCode::OK, content_type: "application/json", body }
    }

    pub(crate) fn text(status: StatusCode, body: impl Into<String>) -> Self {
        Self { status, content_type: "text/plain", body: body.into() }
    }

    fn into_response(self) -> Response<Full<Bytes>> {
        let mut response = Response::new(Full::new(Bytes::from(self.body)));
        *response.status_mut() = self.status;
        let headers = response.headers_mut();
        headers.insert("content-type", http::HeaderValue::from_static(self.content_type));
        // What services say about themselves and the gateway should keep to itself.
        headers.insert("x-powered-by", http::HeaderValue::from_static("example-service/1.0"));
        response
    }
}

fn serve(listener: TcpListener, answer: impl Fn(&Question) -> Answer + Send + Sync + 'static) {
    let answer = Arc::new(answer);
    tokio::spawn(async move {
        loop {
            // A connection that is gone before it is accepted is nobody's problem here.
            let Ok((stream, _)) = listener.accept().await else { continue };
            let answer = Arc::clone(&answer);
            let service = service_fn(move |request| {
                let response = answer(&Question::new(&request)).into_response();
                async move { Ok::<_, Infallible>(response) }
            });
            let connection = hyper::server::conn::http1::Builder::new();
            tokio::spawn(connection.serve_connection(TokioIo::new(stream), service));
        }
    });
}

fn pairs(query: &str) -> HashMap<String, String> {
    let pairs = query.split('&').filter_map(|pair| pair.split_once('='));
    pairs.map(|(name, value)| (decode(name), decode(&value.replace('+', " ")))).collect()
}

fn decode(text: &str) -> String {
    percent_decode_str(text).decode_utf8_lossy().into_owned()
}
