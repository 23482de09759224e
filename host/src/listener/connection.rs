//! One client connection: TLS, HTTP/1.1 or HTTP/2, its exchanges, its end.

use std::{
    convert::Infallible,
    net::SocketAddr,
    pin::Pin,
    sync::Arc,
    task::{Context, Poll},
};

use http_body::{Body, Frame, SizeHint};
use hyper::{
    Request, Response,
    body::Incoming,
    service::{Service, service_fn},
};
use hyper_util::{
    rt::{TokioIo, TokioTimer},
    server::conn::auto,
};
use prometheus::IntGauge;
use tokio::{net::TcpStream, time::timeout};
use tokio_rustls::TlsAcceptor;

use super::{
    client::Client,
    handshake::{self, Handshakes},
    io::{Refusals, Watched},
    lookout::ClientStream,
    slots::{Permit, Slot},
    stream::{Stream, Streams},
    tls,
    watch::{Active, Connection, Order, Watch},
};
use crate::{
    body::{BodyError, Outflow, Piece},
    config::Limits,
    gateway::{Gateway, ResponseBody},
};

/// A connection that has just been accepted.
pub(super) struct Arrival {
    pub(super) stream: TcpStream,
    pub(super) peer: SocketAddr,
    pub(super) permit: Permit,
    pub(super) listener: usize,
    pub(super) gateway: Arc<Gateway>,
    pub(super) watch: Arc<Watch>,
    pub(super) open: IntGauge,
    pub(super) handshakes: Handshakes,
}

impl Arrival {
    /// Serves the connection to its end.
    pub(super) async fn serve(self) {
        let Self { stream, peer, permit, listener, gateway, watch, open, handshakes } = self;
        let slot = Slot::new(permit, open);
        // An error means that the client is gone; reading will tell.
        let _ = stream.set_nodelay(true);
        let place = watch.enter();
        let generation = gateway.current();
        let limits = generation.config.limits.clone();
        let tls = generation.tls[listener].clone();
        let half_close = generation.config.listeners[listener].half_close;
        drop(generation);
        let connection = Arc::clone(&place.connection);
        let served = Served { gateway, limits, half_close, connection };
        match tls {
            None => {
                let client = Client::new(peer, None, Some(slot)).at(listener);
                served.http(stream, client, Detected::ByPreface).await
            }
            Some(config) => served.https(stream, slot, config.into(), peer, &handshakes).await,
        }
        drop(place);
    }
}

/// What a connection is served with.
struct Served {
    gateway: Arc<Gateway>,
    /// Those of the moment in which it was accepted.
    limits: Limits,
    /// As its listener has it at that moment.
    half_close: bool,
    connection: Arc<Connection>,
}

/// Which HTTP a connection speaks, and how that is known.
enum Detected {
    /// HTTP/2 with prior knowledge, else HTTP/1.1.
    ByPreface,
    Http1,
    Http2,
}

impl Served {
    async fn https(
        self,
        stream: TcpStream,
        slot: Slot,
        acceptor: TlsAcceptor,
        peer: SocketAddr,
        handshakes: &Handshakes,
    ) {
        let handshake = async {
            if handshake::is_cleartext(&stream).await? {
                handshake::refuse_cleartext(stream, &self.gateway, peer.ip()).await;
                return Err(handshake::cleartext());
            }
            acceptor.accept(stream).await
        };
        let handshake = timeout(self.limits.header_timeout, handshake);
        let shaken = tokio::select! {
            shaken = handshake => shaken,
            () = self.connection.killed() => return handshakes.count(None),
        };
        let stream = match shaken {
            Ok(Ok(stream)) => stream,
            Ok(Err(error)) => {
                handshakes.count(Some(&error));
                return tracing::debug!(%peer, %error, "a TLS handshake failed");
            }
            Err(_) => {
                handshakes.count(None);
                return tracing::debug!(%peer, "a TLS handshake took too long");
            }
        };
        let session = stream.get_ref().1;
        let detected = match session.alpn_protocol() {
            Some(b"h2") => Detected::Http2,
            _ => Detected::Http1,
        };
        let client = Client::new(peer, Some(tls::describe(session)), Some(slot));
        self.http(stream, client, detected).await;
    }

    async fn http<S>(self, stream: S, client: Client, detected: Detected)
    where
        S: ClientStream,
    {
        let builder = builder(&self.limits, self.half_close, &detected);
        let http2 = matches!(detected, Detected::Http2);
        let refusals = Refusals { gateway: Arc::clone(&self.gateway), client: client.peer.ip() };
        let connection = Arc::clone(&self.connection);
        let stream = Watched::new(stream, connection, refusals, http2, self.half_close);
        let client = Arc::new(client);
        // One count for the connection: those inside are shared by all workers, and counting on
        // them for each request would have the workers wait for each other.
        let served = Arc::new(self);
        let service = service_fn(|request: Request<Incoming>| {
            let active = served.connection.begin_exchange();
            let upload = (!request.body().is_end_stream()).then(|| active.clone());
            // Not in the task: a client that has left by then has made its request all the same.
            let begun = served.gateway.begin(request, Arc::clone(&client), upload);
            async move {
                let response = Gateway::serve(begun).await;
                Ok::<_, Infallible>(response.map(|body| Guarded::new(body, active)))
            }
        });
        let serving = builder.serve_connection_with_upgrades(TokioIo::new(stream), service);
        let connection = &*served.connection;
        let serving = Obedient { serving: Box::pin(serving), connection, told: false };
        if let Err(error) = serving.await {
            tracing::debug!(peer = %client.peer, error, "a connection ended with an error");
        }
    }
}

/// Field lines that hyper takes in a head unless told otherwise.
const HYPERS_MAX_HEADERS: usize = 100;

fn builder(limits: &Limits, half_close: bool, detected: &Detected) -> auto::Builder<Streams> {
    let mut builder = auto::Builder::new(Streams { idle: limits.body_idle });
    builder
        .http1()
        .timer(TokioTimer::new())
        .half_close(half_close)
        // The watch times heads, and without a timer for each.
        .header_read_timeout(None)
        .max_buf_size(limits.max_header_bytes);
    // To say it costs an array of that length for each head.
    if limits.max_headers != HYPERS_MAX_HEADERS {
        builder.http1().max_headers(limits.max_headers);
    }
    builder
        .http2()
        .timer(TokioTimer::new())
        .max_concurrent_streams(limits.http2_max_concurrent_streams)
        .max_pending_accept_reset_streams(limits.http2_max_reset_streams)
        .initial_stream_window_size(limits.http2_initial_window)
        .initial_connection_window_size(limits.http2_initial_window)
        .max_header_list_size(told_by_the_library(limits.max_header_bytes));
    match detected {
        Detected::ByPreface => builder,
        Detected::Http1 => builder.http1_only(),
        Detected::Http2 => builder.http2_only(),
    }
}

/// Heads above this get a 431 of the HTTP/2 library, which has no body and is in no log. What is
/// between it and the limit is refused as other requests are; see `gateway::admit`.
fn told_by_the_library(max_header_bytes: usize) -> u32 {
    u32::try_from(max_header_bytes).unwrap_or(u32::MAX).saturating_mul(2)
}

type Error = Box<dyn std::error::Error + Send + Sync>;

/// A connection that does as the watch says.
struct Obedient<'a, C> {
    serving: Pin<Box<C>>,
    connection: &'a Connection,
    /// It has been told to finish.
    told: bool,
}

/// A connection that can be told to finish.
trait Finish: Future<Output = Result<(), Error>> {
    fn finish(self: Pin<&mut Self>);
}

impl<S, F> Finish for auto::UpgradeableConnection<'_, TokioIo<Watched<S>>, F, Streams>
where
    S: ClientStream,
    F: Service<Request<Incoming>, Response = Response<Guarded>, Error = Infallible>,
    F::Future: Send + 'static,
{
    fn finish(self: Pin<&mut Self>) {
        self.graceful_shutdown();
    }
}

impl<C: Finish> Future for Obedient<'_, C> {
    type Output = Result<(), String>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        self.connection.register(cx.waker());
        match self.connection.orders() {
            Order::GoOn | Order::TimeOut => {}
            Order::Kill => return Poll::Ready(Err("it was over its time".into())),
            Order::Close if self.told => {}
            Order::Close => {
                self.told = true;
                self.serving.as_mut().finish();
            }
        }
        self.serving.as_mut().poll(cx).map_err(|error| error.to_string())
    }
}

/// A response body that keeps its connection busy until it has gone out.
struct Guarded {
    body: ResponseBody,
    /// `None`: HTTP/1.1.
    stream: Option<(Arc<Stream>, Outflow)>,
    _active: Active,
}

impl Guarded {
    fn new(body: ResponseBody, active: Active) -> Self {
        let stream = Stream::current();
        match &stream {
            Some(stream) => stream.has_response(body.bound()),
            None => active.has_response(body.bound()),
        }
        let stream = stream.map(|stream| {
            let outflow = Outflow::new(stream.outlet());
            (stream, outflow)
        });
        Self { body, stream, _active: active }
    }
}

impl Drop for Guarded {
    fn drop(&mut self) {
        if let Some(error) = self.stream.as_ref().and_then(|(stream, _)| stream.cut()) {
            self.body.cut_off(error);
        }
    }
}

impl Body for Guarded {
    type Data = Piece;
    type Error = BodyError;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Piece>, BodyError>>> {
        let Self { body, stream, .. } = &mut *self;
        let body = Pin::new(body);
        match stream {
            Some((_, outflow)) => outflow.poll(body, cx),
            None => body.poll_frame(cx).map_ok(|frame| frame.map_data(Piece::unwatched)),
        }
    }

    fn is_end_stream(&self) -> bool {
        match &self.stream {
            Some((_, outflow)) => outflow.is_end_stream(&self.body),
            None => self.body.is_end_stream(),
        }
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}
