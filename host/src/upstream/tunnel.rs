//! Upgraded connections (WebSocket): bytes both ways until one end is done.

use std::{sync::Arc, time::Duration};

use http::{Request, Response};
use hyper::{
    body::Incoming,
    upgrade::{OnUpgrade, Upgraded},
};
use hyper_util::rt::TokioIo;
use tokio::io::copy_bidirectional_with_sizes;

use crate::{generation::Generation, listener::Client, worker};

/// Bytes in flight each way.
const BUFFER: usize = 16 * 1024;

/// How long the two connections may take to become raw ones after the 101.
const UPGRADE_TIMEOUT: Duration = Duration::from_secs(10);

/// The client's half, taken before its request moves on.
pub(crate) struct Tunnel {
    client: OnUpgrade,
}

impl Tunnel {
    /// The upgrade that hyper has put into the request.
    pub(crate) fn of<B>(request: &mut Request<B>) -> Self {
        Self { client: hyper::upgrade::on(request) }
    }

    /// Joins the two connections once the 101 is through. The tunnel keeps its generation (a
    /// reload does not cut it) and its client's place among the connections that may be open.
    pub(crate) fn join(
        self,
        response: &mut Response<Incoming>,
        generation: Arc<Generation>,
        connected: Arc<Client>,
    ) {
        let upstream = hyper::upgrade::on(response);
        let client = self.client;
        worker::spawn(async move {
            let _held = (generation, connected);
            let both = async { tokio::try_join!(client, upstream) };
            match tokio::time::timeout(UPGRADE_TIMEOUT, both).await {
                Ok(Ok((client, upstream))) => pump(client, upstream).await,
                Ok(Err(error)) => tracing::debug!(%error, "an upgrade failed"),
                Err(_) => tracing::debug!("an upgrade was never completed"),
            }
        });
    }
}

async fn pump(client: Upgraded, upstream: Upgraded) {
    let (mut client, mut upstream) = (TokioIo::new(client), TokioIo::new(upstream));
    let copied = copy_bidirectional_with_sizes(&mut client, &mut upstream, BUFFER, BUFFER).await;
    if let Err(error) = copied {
        tracing::debug!(%error, "a tunnel ended with an error");
    }
}
