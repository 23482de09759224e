//! A real server behind the gateway.

use std::{
    convert::Infallible,
    fmt,
    net::SocketAddr,
    sync::{
        Arc, Mutex,
        atomic::{AtomicUsize, Ordering::SeqCst},
    },
};

use bytes::Bytes;
use http::{Request, Response};
use http_body_util::BodyExt;
use hyper::{
    body::Incoming,
    server::conn::{http1, http2},
    service::service_fn,
};
use hyper_util::rt::{TokioExecutor, TokioIo};
use tokio::{
    net::{TcpListener, TcpStream},
    sync::Notify,
    task::{JoinHandle, JoinSet},
};

use crate::client::{Body, full};

/// A server that answers with a function. It ends, with its connections, when this is dropped.
pub struct Upstream {
    address: SocketAddr,
    counts: Arc<Counts>,
    serving: JoinHandle<()>,
    connections: Arc<Mutex<JoinSet<()>>>,
}

#[derive(Default)]
struct Counts {
    connections: AtomicUsize,
    requests: AtomicUsize,
}

#[derive(Clone, Copy)]
enum Protocol {
    Http1,
    /// With so many streams at a time, where it says how many.
    Http2(Option<u32>),
}

impl Upstream {
    /// Speaks HTTP/1.1.
    pub async fn new<F, R>(answer: F) -> Self
    where
        F: Fn(Request<Incoming>) -> R + Clone + Send + Sync + 'static,
        R: Future<Output = Response<Body>> + Send + 'static,
    {
        Self::serve(Protocol::Http1, answer).await
    }

    /// Speaks HTTP/2 by prior knowledge.
    pub async fn http2<F, R>(answer: F) -> Self
    where
        F: Fn(Request<Incoming>) -> R + Clone + Send + Sync + 'static,
        R: Future<Output = Response<Body>> + Send + 'static,
    {
        Self::serve(Protocol::Http2(None), answer).await
    }

    /// The same, and allows so many requests at a time on one connection.
    pub async fn http2_with_streams<F, R>(streams: u32, answer: F) -> Self
    where
        F: Fn(Request<Incoming>) -> R + Clone + Send + Sync + 'static,
        R: Future<Output = Response<Body>> + Send + 'static,
    {
        Self::serve(Protocol::Http2(Some(streams)), answer).await
    }

    /// Answers every request with the same text.
    pub async fn text(text: &'static str) -> Self {
        Self::new(move |_| async move { Response::new(full(text)) }).await
    }

    /// The same, at an address that must be free.
    pub async fn text_at(address: SocketAddr, text: &'static str) -> Self {
        let answer = move |_| async move { Response::new(full(text)) };
        let listener = TcpListener::bind(address).await.expect("it is free");
        Self::serve_on(listener, Protocol::Http1, answer)
    }

    /// Answers each request with `late`, once it is told to.
    pub async fn held() -> (Self, Arc<Notify>) {
        let release = Arc::<Notify>::default();
        let upstream = Self::new({
            let release = Arc::clone(&release);
            move |_| {
                let release = Arc::clone(&release);
                async move {
                    release.notified().await;
                    Response::new(full("late"))
                }
            }
        })
        .await;
        (upstream, release)
    }

    /// Answers with what it got: see [`echo`].
    pub async fn echo() -> Self {
        Self::new(echo).await
    }

    async fn serve<F, R>(protocol: Protocol, answer: F) -> Self
    where
        F: Fn(Request<Incoming>) -> R + Clone + Send + Sync + 'static,
        R: Future<Output = Response<Body>> + Send + 'static,
    {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
        Self::serve_on(listener, protocol, answer)
    }

    fn serve_on<F, R>(listener: TcpListener, protocol: Protocol, answer: F) -> Self
    where
        F: Fn(Request<Incoming>) -> R + Clone + Send + Sync + 'static,
        R: Future<Output = Response<Body>> + Send + 'static,
    {
        let address = listener.local_addr().unwrap();
        let counts = Arc::<Counts>::default();
        let connections = Arc::<Mutex<JoinSet<()>>>::default();
        let serving = {
            let (counts, connections) = (Arc::clone(&counts), Arc::clone(&connections));
            tokio::spawn(async move {
                loop {
                    let (stream, _) = listener.accept().await.unwrap();
                    counts.connections.fetch_add(1, SeqCst);
                    let counts = Arc::clone(&counts);
                    let connection = connection(stream, protocol, answer.clone(), counts);
                    connections.lock().unwrap().spawn(connection);
                }
            })
        };
        Self { address, counts, serving, connections }
    }

    /// Where it listens.
    #[must_use]
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Connections that it has accepted so far.
    #[must_use]
    pub fn connections(&self) -> usize {
        self.counts.connections.load(SeqCst)
    }

    /// Connections that are open now.
    #[must_use]
    pub fn open(&self) -> usize {
        let mut connections = self.connections.lock().unwrap();
        while connections.try_join_next().is_some() {}
        connections.len()
    }

    /// Requests that it has received so far.
    #[must_use]
    pub fn requests(&self) -> usize {
        self.counts.requests.load(SeqCst)
    }

    /// Closes all connections, whatever they are at, and goes on accepting.
    pub async fn close_connections(&self) {
        let mut open = std::mem::take(&mut *self.connections.lock().unwrap());
        open.shutdown().await;
    }
}

impl Drop for Upstream {
    fn drop(&mut self) {
        self.serving.abort();
    }
}

/// `127.0.0.1:PORT`, for configurations.
impl fmt::Display for Upstream {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.address.fmt(f)
    }
}

async fn connection<F, R>(stream: TcpStream, protocol: Protocol, answer: F, counts: Arc<Counts>)
where
    F: Fn(Request<Incoming>) -> R + Clone + Send + Sync + 'static,
    R: Future<Output = Response<Body>> + Send + 'static,
{
    let _ = stream.set_nodelay(true);
    let io = TokioIo::new(stream);
    let service = service_fn(|request| {
        counts.requests.fetch_add(1, SeqCst);
        let answer = answer(request);
        async move { Ok::<_, Infallible>(answer.await) }
    });
    // An error means that the gateway closed; the test sees what it sees at the client.
    match protocol {
        Protocol::Http1 => {
            let _ = http1::Builder::new().serve_connection(io, service).with_upgrades().await;
        }
        Protocol::Http2(streams) => {
            let mut builder = http2::Builder::new(TokioExecutor::new());
            if let Some(streams) = streams {
                builder.max_concurrent_streams(streams);
            }
            let _ = builder.serve_connection(io, service).await;
        }
    }
}

/// Answers with the request as JSON: `method`, `target`, `version`, `headers` (lines by name) and
/// `body`.
pub async fn echo(request: Request<Incoming>) -> Response<Body> {
    let (head, body) = request.into_parts();
    let body = body.collect().await.map(|body| body.to_bytes()).unwrap_or_default();
    let mut headers = serde_json::Map::new();
    for name in head.headers.keys() {
        let lines = head.headers.get_all(name).iter();
        let lines: Vec<_> = lines.map(|line| String::from_utf8_lossy(line.as_bytes())).collect();
        headers.insert(name.as_str().to_owned(), serde_json::json!(lines));
    }
    let seen = serde_json::json!({
        "method": head.method.as_str(),
        "target": head.uri.path_and_query().map(http::uri::PathAndQuery::as_str),
        "authority": head.uri.authority().map(http::uri::Authority::as_str),
        "version": format!("{:?}", head.version),
        "headers": headers,
        "body": String::from_utf8_lossy(&body),
    });
    Response::builder()
        .header("content-type", "application/json")
        .body(full(Bytes::from(seen.to_string())))
        .unwrap()
}
