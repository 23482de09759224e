//! The worker threads.

use std::{
    io,
    sync::Arc,
    thread::{self, JoinHandle},
    time::Instant,
};

use tokio::{
    sync::{oneshot, watch},
    task::JoinSet,
    time::interval,
};

use super::{Failed, runtime};
use crate::{
    config::Config,
    gateway::Gateway,
    listener::{self, Handshakes, Listener, SWEEP, Slots, Sockets, Watch},
    telemetry::Metrics,
    worker,
};

/// A thread that ends once its connections have.
pub(super) struct Worker {
    ended: oneshot::Receiver<()>,
    thread: JoinHandle<()>,
}

/// Starts one thread for each worker, with its part of every listener.
pub(super) fn start(
    config: &Config,
    sockets: Vec<Sockets>,
    gateway: &Arc<Gateway>,
    metrics: &Metrics,
    (workers, slots): (usize, &Arc<Slots>),
    stop: &watch::Receiver<Option<Instant>>,
) -> Result<Vec<Worker>, Failed> {
    let mut shares: Vec<_> = sockets.into_iter().map(|s| (s.address, s.sockets)).collect();
    (1..=workers)
        .map(|number| {
            let watch = Arc::new(Watch::default());
            let listeners =
                shares.iter_mut().enumerate().filter_map(|(index, (address, sockets))| {
                    let is_secure = config.listeners[index].tls.is_some();
                    let protocol = if is_secure { "https" } else { "http" };
                    let address = address.to_string();
                    Some(Listener {
                        socket: Some(sockets.pop()?),
                        index,
                        gateway: Arc::clone(gateway),
                        slots: Arc::clone(slots),
                        watch: Arc::clone(&watch),
                        open: metrics.connections.with_label_values(&[&address, protocol]),
                        handshakes: Handshakes::of(metrics, is_secure.then_some(&address)),
                        stop: stop.clone(),
                    })
                });
            let listeners = listeners.collect();
            let swept = (watch, Arc::clone(slots));
            spawn(number, listeners, swept, Arc::clone(gateway), stop.clone())
                .map_err(|error| Failed::Start(error.to_string()))
        })
        .collect()
}

fn spawn(
    number: usize,
    listeners: Vec<Listener>,
    swept: (Arc<Watch>, Arc<Slots>),
    gateway: Arc<Gateway>,
    stop: watch::Receiver<Option<Instant>>,
) -> io::Result<Worker> {
    let (done, ended) = oneshot::channel();
    let runtime = runtime().map_err(io::Error::other)?;
    let work = move || {
        worker::enter(number);
        runtime.block_on(serve(listeners, swept, gateway, stop));
        // Nobody listens any more if the process is on its way out.
        let _ = done.send(());
    };
    let thread = thread::Builder::new().name(format!("worker-{number}")).spawn(work)?;
    Ok(Worker { ended, thread })
}

async fn serve(
    listeners: Vec<Listener>,
    (watch, slots): (Arc<Watch>, Arc<Slots>),
    gateway: Arc<Gateway>,
    stop: watch::Receiver<Option<Instant>>,
) {
    tokio::spawn(async move {
        let mut sweep = interval(SWEEP);
        loop {
            sweep.tick().await;
            watch.sweep(&gateway.current().config.limits);
            if slots.are_wanted() {
                watch.make_room();
            }
        }
    });
    let mut serving: JoinSet<()> = listeners.into_iter().map(Listener::serve).collect();
    while serving.join_next().await.is_some() {}
    worker::finish(listener::over(stop)).await;
}

/// Waits for all of them.
pub(super) async fn ended(workers: Vec<Worker>) {
    for Worker { ended, thread } in workers {
        // An error means that the thread is gone, by a panic.
        if ended.await.is_err() {
            tracing::error!(worker = thread.thread().name(), "a worker ended by a panic");
        }
    }
}
