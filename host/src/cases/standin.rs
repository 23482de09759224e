//! Stand-ins for upstreams: real servers on this machine, so that a plugin's calls go the way
//! that they go in production, which answer as the case says and note what they were asked.

use std::{collections::BTreeMap, io, net::SocketAddr, sync::Arc};

use bytes::Bytes;
use http::{HeaderMap, Request, Response};
use http_body_util::{BodyExt, Full};
use hyper::{body::Incoming, server::conn::http1, service::service_fn};
use hyper_util::rt::TokioIo;
use parking_lot::Mutex;
use tokio::{
    net::{TcpListener, TcpStream},
    task::JoinSet,
};

use super::{
    file::{Answer, StandIn, StandInFault},
    message,
};

/// The stand-ins of one case; they end with it.
pub(super) struct StandIns {
    addresses: BTreeMap<String, SocketAddr>,
    calls: Arc<Mutex<Vec<Call>>>,
    _servers: JoinSet<()>,
}

/// What a stand-in was asked.
pub(super) struct Call {
    pub(super) upstream: String,
    pub(super) method: String,
    /// Path and query.
    pub(super) target: String,
    pub(super) headers: HeaderMap,
    pub(super) body: Bytes,
    /// Whether an answer was stated for it, or a fault.
    pub(super) foreseen: bool,
}

struct Server {
    name: String,
    behaviour: Behaviour,
    calls: Arc<Mutex<Vec<Call>>>,
}

enum Behaviour {
    /// Each with how often it may still be given; `None`: always.
    Answers(Mutex<Vec<(Answer, Option<usize>)>>),
    Silent,
    Closes,
}

impl StandIns {
    /// Starts one for each upstream of the case.
    pub(super) async fn start(wanted: Option<&BTreeMap<String, StandIn>>) -> io::Result<Self> {
        let calls = Arc::<Mutex<Vec<Call>>>::default();
        let mut addresses = BTreeMap::new();
        let mut servers = JoinSet::new();
        for (name, stand_in) in wanted.into_iter().flatten() {
            let listener = TcpListener::bind(("127.0.0.1", 0)).await?;
            addresses.insert(name.clone(), listener.local_addr()?);
            // Who is unreachable has an address, and nobody there.
            if let Some(behaviour) = Behaviour::of(stand_in) {
                let (name, calls) = (name.clone(), Arc::clone(&calls));
                servers.spawn(Arc::new(Server { name, behaviour, calls }).serve(listener));
            }
        }
        Ok(Self { addresses, calls, _servers: servers })
    }

    pub(super) fn addresses(&self) -> impl Iterator<Item = (&str, SocketAddr)> {
        self.addresses.iter().map(|(name, address)| (name.as_str(), *address))
    }

    /// The calls since this was asked last.
    pub(super) fn take_calls(&self) -> Vec<Call> {
        std::mem::take(&mut *self.calls.lock())
    }
}

impl Behaviour {
    fn of(stand_in: &StandIn) -> Option<Self> {
        match stand_in {
            StandIn::Answers(answers) => {
                let answers = answers.iter().map(|answer| (answer.clone(), answer.times));
                Some(Self::Answers(Mutex::new(answers.collect())))
            }
            StandIn::Fault(StandInFault::Unreachable) => None,
            StandIn::Fault(StandInFault::Silent) => Some(Self::Silent),
            StandIn::Fault(StandInFault::Closes) => Some(Self::Closes),
        }
    }
}

impl Server {
    async fn serve(self: Arc<Self>, listener: TcpListener) {
        let mut connections = JoinSet::new();
        while let Ok((stream, _)) = listener.accept().await {
            connections.spawn(Arc::clone(&self).connection(stream));
        }
    }

    async fn connection(self: Arc<Self>, stream: TcpStream) {
        let service = service_fn(|request| Arc::clone(&self).answer(request));
        // A plugin that leaves before the answer is none of the stand-in's business.
        let _ = http1::Builder::new().serve_connection(TokioIo::new(stream), service).await;
    }

    /// An error closes the connection.
    async fn answer(
        self: Arc<Self>,
        request: Request<Incoming>,
    ) -> Result<Response<Full<Bytes>>, Closed> {
        let (head, body) = request.into_parts();
        let body = body.collect().await.map(http_body_util::Collected::to_bytes);
        let method = head.method.to_string();
        let target = head.uri.to_string();
        let answer = match &self.behaviour {
            Behaviour::Answers(answers) => next(&mut answers.lock(), &method, &target),
            Behaviour::Silent | Behaviour::Closes => None,
        };
        let foreseen = answer.is_some() || !matches!(self.behaviour, Behaviour::Answers(_));
        self.calls.lock().push(Call {
            upstream: self.name.clone(),
            method,
            target,
            headers: head.headers,
            body: body.unwrap_or_default(),
            foreseen,
        });
        match (&self.behaviour, answer) {
            (Behaviour::Silent, _) => std::future::pending().await,
            (Behaviour::Closes, _) => Err(Closed),
            (Behaviour::Answers(_), Some(answer)) => Ok(response(&answer)),
            (Behaviour::Answers(_), None) => {
                let mut response = Response::new(Full::default());
                *response.status_mut() = http::StatusCode::NOT_IMPLEMENTED;
                Ok(response)
            }
        }
    }
}

/// The connection is closed without an answer.
#[derive(Debug, thiserror::Error)]
#[error("closed, as the case says")]
struct Closed;

/// The first answer that fits and is not used up.
fn next(answers: &mut [(Answer, Option<usize>)], method: &str, target: &str) -> Option<Answer> {
    let fits = |answer: &Answer| {
        answer.method.as_deref().is_none_or(|wanted| wanted == method)
            && answer.target.as_deref().is_none_or(|wanted| wanted == target)
    };
    let (answer, left) =
        answers.iter_mut().find(|(answer, left)| *left != Some(0) && fits(answer))?;
    *left = left.map(|left| left - 1);
    Some(answer.clone())
}

fn response(answer: &Answer) -> Response<Full<Bytes>> {
    let (headers, body) = message::read(&answer.headers, &answer.content);
    let mut response = Response::new(Full::new(body));
    *response.status_mut() = message::status(answer.status);
    *response.headers_mut() = headers;
    response
}
