//! After the last answer of a connection: what its client still sends is read and thrown away for a
//! while.
//!
//! A socket that is closed with bytes unread resets the connection, and the client may lose what it
//! has not read of the answer yet (RFC 9112 §9.6). So may the client of an HTTP/2 stream that is reset
//! behind its answer, though it must not (RFC 9113 §8.1).

use std::{
    io,
    pin::Pin,
    task::{Context, Poll, ready},
    time::Duration,
};

use http_body_util::BodyExt;
use hyper::body::Incoming;
use tokio::{
    net::TcpStream,
    runtime::Handle,
    time::{Sleep, sleep, timeout},
};

use super::Active;

/// A client that sends for longer than this has had time to read.
const LONGEST: Duration = Duration::from_secs(5);

pub(super) struct Linger {
    until: Pin<Box<Sleep>>,
}

impl Linger {
    pub(super) fn begin() -> Self {
        Self { until: Box::pin(sleep(LONGEST)) }
    }

    /// Waits for the client's end. The gateway's own side has ended before.
    pub(super) fn poll(&mut self, socket: &TcpStream, cx: &mut Context<'_>) -> Poll<()> {
        if self.until.as_mut().poll(cx).is_ready() {
            return Poll::Ready(());
        }
        let mut nowhere = [0; 16 * 1024];
        loop {
            // Gives way to other tasks after a while.
            if ready!(socket.poll_read_ready(cx)).is_err() {
                return Poll::Ready(());
            }
            match socket.try_read(&mut nowhere) {
                Ok(0) => return Poll::Ready(()),
                Ok(_) => {}
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
                Err(_) => return Poll::Ready(()),
            }
        }
    }
}

/// The same for one stream of an HTTP/2 connection, which is reset where its client sends for longer.
pub(crate) fn read_away(mut rest: Incoming, active: Active) {
    // None where the process ends.
    let Ok(runtime) = Handle::try_current() else { return };
    runtime.spawn(async move {
        let reading = async { while let Some(Ok(_)) = rest.frame().await {} };
        _ = timeout(LONGEST, reading).await;
        drop(active);
    });
}
