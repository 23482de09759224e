//! A well-behaved client over HTTP/1.1 or HTTP/2, and what it gets.

use std::{fmt::Write as _, net::SocketAddr};

use bytes::Bytes;
use http::{HeaderMap, Request, Response};
use http_body_util::{BodyExt, Full, combinators::BoxBody};
use hyper::{body::Incoming, client::conn};
use hyper_util::rt::{TokioExecutor, TokioIo};
use tokio::{
    io::{AsyncRead, AsyncWrite},
    net::TcpStream,
};

use crate::{Gateway, wait};

/// Any request body.
pub type Body = BoxBody<Bytes, std::io::Error>;

impl Gateway {
    /// `GET` on a connection of its own.
    pub async fn get(&self, path: &str, headers: &[(&str, &str)]) -> Reply {
        get(self.address(), path, headers).await
    }

    /// `POST` on a connection of its own.
    pub async fn post(&self, path: &str, headers: &[(&str, &str)], body: &str) -> Reply {
        send(self.address(), request("POST", path, headers, body)).await
    }

    /// Any request, on a connection of its own.
    pub async fn send(&self, request: Request<Body>) -> Reply {
        send(self.address(), request).await
    }

    /// A connection to the first listener, kept open.
    pub async fn connect(&self) -> Connection {
        Connection::http1(TcpStream::connect(self.address()).await.expect("it accepts")).await
    }

    /// A connection to the first listener with HTTP/2 by prior knowledge.
    pub async fn connect_http2(&self) -> Connection {
        Connection::http2(TcpStream::connect(self.address()).await.expect("it accepts")).await
    }
}

/// `GET` on a connection of its own.
pub async fn get(address: SocketAddr, path: &str, headers: &[(&str, &str)]) -> Reply {
    send(address, request("GET", path, headers, "")).await
}

/// A request on a connection of its own.
pub async fn send(address: SocketAddr, request: Request<Body>) -> Reply {
    let stream = TcpStream::connect(address).await.expect("it accepts");
    Connection::http1(stream).await.send(request).await
}

/// A request with a whole body. A `host` among the headers stands in for the address.
#[must_use]
pub fn request(method: &str, path: &str, headers: &[(&str, &str)], body: &str) -> Request<Body> {
    request_with(method, path, headers, full(body.to_owned()))
}

/// A request with any body.
#[must_use]
pub fn request_with(
    method: &str,
    path: &str,
    headers: &[(&str, &str)],
    body: Body,
) -> Request<Body> {
    let mut builder = Request::builder().method(method).uri(path);
    for (name, value) in headers {
        builder = builder.header(*name, *value);
    }
    builder.body(body).expect("a valid request")
}

/// A body that is there as a whole.
#[must_use]
pub fn full(body: impl Into<Bytes>) -> Body {
    Full::new(body.into()).map_err(|never| match never {}).boxed()
}

enum Sender {
    Http1(conn::http1::SendRequest<Body>),
    Http2(conn::http2::SendRequest<Body>),
}

/// An open connection.
pub struct Connection {
    sender: Sender,
}

impl Connection {
    /// HTTP/1.1 over a stream.
    pub async fn http1<S>(stream: S) -> Self
    where
        S: AsyncRead + AsyncWrite + Send + Unpin + 'static,
    {
        let (sender, connection) = conn::http1::handshake(TokioIo::new(stream)).await.unwrap();
        tokio::spawn(connection.with_upgrades());
        Self { sender: Sender::Http1(sender) }
    }

    /// HTTP/2 over a stream.
    pub async fn http2<S>(stream: S) -> Self
    where
        S: AsyncRead + AsyncWrite + Send + Unpin + 'static,
    {
        let (sender, connection) =
            conn::http2::handshake(TokioExecutor::new(), TokioIo::new(stream)).await.unwrap();
        tokio::spawn(connection);
        Self { sender: Sender::Http2(sender) }
    }

    /// Sends and reads the whole response.
    pub async fn send(&mut self, request: Request<Body>) -> Reply {
        self.try_send(request).await.expect("a response")
    }

    /// Sends and reads the whole response, or says why there is none.
    ///
    /// # Errors
    ///
    /// The connection broke.
    pub async fn try_send(&mut self, request: Request<Body>) -> Result<Reply, hyper::Error> {
        Reply::read(self.try_begin(request).await?).await
    }

    /// Sends, and gives the response with its body still to come.
    pub async fn begin(&mut self, request: Request<Body>) -> Response<Incoming> {
        self.try_begin(request).await.expect("a response")
    }

    async fn try_begin(
        &mut self,
        mut request: Request<Body>,
    ) -> Result<Response<Incoming>, hyper::Error> {
        match &mut self.sender {
            Sender::Http1(sender) => {
                if !request.headers().contains_key("host") {
                    request.headers_mut().insert("host", "gateway.test".parse().unwrap());
                }
                wait::within("room for a request", sender.ready()).await?;
                wait::within("a response head", sender.send_request(request)).await
            }
            Sender::Http2(sender) => {
                wait::within("a response head", sender.send_request(absolute(request))).await
            }
        }
    }

    /// Another way to use the same HTTP/2 connection.
    #[must_use]
    pub fn share(&self) -> Self {
        match &self.sender {
            Sender::Http2(sender) => Self { sender: Sender::Http2(sender.clone()) },
            Sender::Http1(_) => panic!("HTTP/1.1 connections cannot be shared"),
        }
    }

    /// Whether the other side has closed it.
    #[must_use]
    pub fn is_closed(&self) -> bool {
        match &self.sender {
            Sender::Http1(sender) => sender.is_closed(),
            Sender::Http2(sender) => sender.is_closed(),
        }
    }
}

/// HTTP/2 has the authority in the target.
fn absolute(mut request: Request<Body>) -> Request<Body> {
    let host = request.headers_mut().remove("host");
    let host = host.as_ref().map_or("gateway.test", |host| host.to_str().unwrap());
    let uri = format!("http://{host}{}", request.uri().path_and_query().unwrap());
    *request.uri_mut() = uri.parse().unwrap();
    request
}

/// A whole response.
#[derive(Clone, Debug)]
pub struct Reply {
    pub status: u16,
    pub headers: HeaderMap,
    pub body: Bytes,
    pub trailers: Option<HeaderMap>,
}

impl Reply {
    /// Reads a response to its end.
    ///
    /// # Errors
    ///
    /// The body broke off.
    pub async fn read(response: Response<Incoming>) -> Result<Self, hyper::Error> {
        let (head, body) = response.into_parts();
        let body = wait::within("the end of a response body", body.collect()).await?;
        let trailers = body.trailers().cloned();
        let (status, headers) = (head.status.as_u16(), head.headers);
        Ok(Self { status, headers, body: body.to_bytes(), trailers })
    }

    /// The body as text.
    #[must_use]
    pub fn text(&self) -> String {
        String::from_utf8_lossy(&self.body).into_owned()
    }

    /// The body as JSON.
    #[must_use]
    pub fn json(&self) -> serde_json::Value {
        serde_json::from_slice(&self.body).unwrap_or_else(|_| panic!("not JSON: {}", self.text()))
    }

    /// A header's lines, joined by commas; empty where there are none.
    #[must_use]
    pub fn header(&self, name: &str) -> String {
        let mut joined = String::new();
        for (index, line) in self.headers.get_all(name).iter().enumerate() {
            let comma = if index > 0 { ", " } else { "" };
            write!(joined, "{comma}{}", line.to_str().expect("text")).unwrap();
        }
        joined
    }

    /// Status and type of a problem response: `404 route-not-found`.
    #[must_use]
    pub fn problem(&self) -> String {
        assert_eq!(self.header("content-type"), "application/problem+json", "{self:?}");
        let problem = self.json();
        assert_eq!(problem["status"], self.status, "{problem}");
        assert!(problem["title"].is_string(), "{problem}");
        let kind = problem["type"].as_str().expect("a type").rsplit('/').next().unwrap();
        format!("{} {kind}", self.status)
    }
}
