//! The ends of an exchange: a client that speaks HTTP/1.1 with the gateway, and upstreams that do.
//! Both check what reaches them.

use std::{convert::Infallible, net::SocketAddr, sync::Arc};

use bytes::Bytes;
use http::{HeaderMap, HeaderValue, Request, Response, header};
use http_body_util::{BodyExt as _, Full};
use hyper::{body::Incoming, client, server, service::service_fn};
use hyper_util::rt::TokioIo;
use parking_lot::Mutex;
use tokio::{
    net::{TcpListener, TcpStream},
    task::JoinSet,
};

use super::script::{ID, Script};
use crate::{exchange::Exchange, fuzz::wire, gateway::Gateway, listener::Client};

/// What the client asks for.
pub(super) const HOST: &str = "api.example.com";

/// Bytes on their way between client and gateway.
const PIPE: usize = 64 << 10;

/// The upstream of the routes, which only they lead to, and one for the guest's own calls.
pub(super) struct Upstreams {
    addresses: [SocketAddr; 2],
    answer: Arc<Mutex<Answer>>,
    _servers: JoinSet<()>,
}

#[derive(Default)]
struct Answer {
    headers: HeaderMap,
    body: Bytes,
    /// What an upstream could not read.
    unread: Vec<String>,
}

impl Upstreams {
    pub(super) async fn start() -> Self {
        let answer = Arc::<Mutex<Answer>>::default();
        let mut servers = JoinSet::new();
        let mut addresses = [SocketAddr::from(([127, 0, 0, 1], 0)); 2];
        for (index, address) in addresses.iter_mut().enumerate() {
            let listener = TcpListener::bind(*address).await.expect("a free port");
            *address = listener.local_addr().expect("it is bound");
            servers.spawn(serve(listener, index == 0, Arc::clone(&answer)));
        }
        Self { addresses, answer, _servers: servers }
    }

    pub(super) fn origin(&self) -> SocketAddr {
        self.addresses[0]
    }

    pub(super) fn other(&self) -> SocketAddr {
        self.addresses[1]
    }

    /// From now on they answer as the script says.
    pub(super) fn answer(&self, script: &Script<'_>) {
        let (headers, body) = script.response();
        *self.answer.lock() = Answer { headers, body, unread: Vec::new() };
    }

    /// # Panics
    ///
    /// One was sent what it could not read.
    pub(super) fn check(&self) {
        let unread = &self.answer.lock().unread;
        assert!(unread.is_empty(), "an upstream could not read what it was sent: {unread:?}");
    }
}

async fn serve(listener: TcpListener, is_origin: bool, answer: Arc<Mutex<Answer>>) {
    let own = listener.local_addr().expect("it is bound").to_string();
    let mut connections = JoinSet::new();
    while let Ok((stream, _)) = listener.accept().await {
        while connections.try_join_next().is_some() {}
        let host = if is_origin { HOST.to_owned() } else { own.clone() };
        connections.spawn(connection(stream, host, is_origin, Arc::clone(&answer)));
    }
}

async fn connection(stream: TcpStream, host: String, is_origin: bool, answer: Arc<Mutex<Answer>>) {
    let service = service_fn(async |request: Request<Incoming>| {
        let (head, body) = request.into_parts();
        // A guest can send the exchange to the other upstream too, where it keeps its host.
        let to_itself = head.headers.get(header::HOST).is_some_and(|sent| sent == HOST);
        let expected = if to_itself { HOST } else { &host };
        wire::check_request(&head, expected, is_origin);
        // One that breaks off is the gateway's right.
        let _ = body.collect().await;
        Ok::<_, Infallible>(response(&answer.lock()))
    });
    let serving =
        server::conn::http1::Builder::new().serve_connection(TokioIo::new(stream), service);
    if let Err(error) = serving.await
        && error.is_parse()
        && !error.is_parse_too_large()
    {
        answer.lock().unread.push(error.to_string());
    }
}

fn response(answer: &Answer) -> Response<Full<Bytes>> {
    let mut response = Response::new(Full::new(answer.body.clone()));
    *response.headers_mut() = answer.headers.clone();
    let of_the_hop = [
        (header::CONNECTION.as_str(), wire::OF_THE_HOP),
        (wire::OF_THE_HOP, "1"),
        ("keep-alive", "timeout=5"),
    ];
    for (name, value) in of_the_hop {
        response.headers_mut().insert(name, HeaderValue::from_static(value));
    }
    response
}

/// Sends the script's request through the gateway, and reads the response to its end. Gives views of
/// the exchanges that came of it.
pub(super) async fn ask(
    gateway: &Arc<Gateway>,
    client: &Arc<Client>,
    script: &Script<'_>,
) -> Vec<Exchange> {
    let (near, far) = tokio::io::duplex(PIPE);
    let (gateway, client) = (Arc::clone(gateway), Arc::clone(client));
    let served = tokio::spawn(async move {
        let views = Mutex::new(Vec::new());
        let service = service_fn(async |request| {
            let mut begun = gateway.begin(request, Arc::clone(&client), None);
            views.lock().push(begun.view());
            let response = Gateway::serve(begun).await;
            Ok::<_, Infallible>(response)
        });
        let serving = server::conn::http1::Builder::new();
        // How it ends is seen at the other end.
        let _ = serving.serve_connection(TokioIo::new(far), service).await;
        views.into_inner()
    });
    let (mut sender, connection) =
        client::conn::http1::handshake(TokioIo::new(near)).await.expect("nothing is sent for it");
    let connected = tokio::spawn(connection);
    match sender.send_request(script.request()).await {
        Ok(response) => {
            let (head, body) = response.into_parts();
            wire::check_response(&head, ID);
            // It breaks off where a hook fails in the middle.
            let _ = body.collect().await;
        }
        // At its first piece already, before the head is out.
        Err(error) => assert!(error.is_incomplete_message(), "no response: {error:?}"),
    }
    drop(sender);
    let ended = connected.await.expect("no panic");
    assert!(!ended.is_err_and(|error| error.is_parse()), "the client cannot read the response");
    served.await.expect("no panic")
}
