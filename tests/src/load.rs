//! Many clients at once, for as long as something else goes on.

use std::{
    net::SocketAddr,
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicUsize, Ordering::SeqCst},
    },
};

use tokio::{net::TcpStream, task::JoinSet};

use crate::{Connection, client::request};

/// Clients with a kept connection each, which ask again and again.
pub struct Load {
    stop: Arc<AtomicBool>,
    answered: Arc<AtomicUsize>,
    clients: JoinSet<Vec<String>>,
}

impl Load {
    /// Starts so many clients that `GET` a path; `is_well` says which answers are right.
    pub async fn start(
        address: SocketAddr,
        clients: usize,
        path: &'static str,
        is_well: fn(&crate::Reply) -> bool,
    ) -> Self {
        let stop = Arc::<AtomicBool>::default();
        let answered = Arc::<AtomicUsize>::default();
        let mut set = JoinSet::new();
        for _ in 0..clients {
            let stream = TcpStream::connect(address).await.expect("it accepts");
            let mut connection = Connection::http1(stream).await;
            let (stop, answered) = (Arc::clone(&stop), Arc::clone(&answered));
            set.spawn(async move {
                let mut failures = Vec::new();
                while !stop.load(SeqCst) && failures.len() < 10 {
                    match connection.try_send(request("GET", path, &[], "")).await {
                        Ok(reply) if is_well(&reply) => {}
                        Ok(reply) => failures.push(format!("{} {}", reply.status, reply.text())),
                        Err(error) => {
                            failures.push(format!("{error:?}"));
                            break;
                        }
                    }
                    answered.fetch_add(1, SeqCst);
                }
                failures
            });
        }
        Self { stop, answered, clients: set }
    }

    /// How many requests have been answered so far.
    #[must_use]
    pub fn answered(&self) -> usize {
        self.answered.load(SeqCst)
    }

    /// Ends it. Gives how many requests were answered, and what went wrong.
    pub async fn stop(self) -> (usize, Vec<String>) {
        self.stop.store(true, SeqCst);
        let failures = self.clients.join_all().await.concat();
        (self.answered.load(SeqCst), failures)
    }
}
