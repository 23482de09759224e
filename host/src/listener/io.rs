//! A client's byte stream under watch: the connection's phase is kept, stalls are noticed, and
//! answers that the HTTP library writes by itself get a body.

use std::{
    io,
    net::IpAddr,
    pin::Pin,
    sync::Arc,
    task::{Context, Poll},
    time::Duration,
};

use bytes::{Buf, Bytes};
use http::StatusCode;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

use super::{
    framing::Framing,
    linger::Linger,
    lookout::{ClientStream, Lookout},
    watch::{Connection, Order},
};
use crate::{exchange, gateway::Gateway, problem};

/// Wraps the stream of one connection.
pub(super) struct Watched<S> {
    stream: S,
    connection: Arc<Connection>,
    refusals: Refusals,
    framing: Framing,
    /// HTTP/2 was agreed on: no write is a bare HTTP/1.1 response, whatever comes.
    http2: bool,
    lookout: Lookout,
    /// The last read found nothing, so that the stream itself wakes its reader.
    reads: bool,
    /// A problem response that is being written in place of the library's.
    problem: Bytes,
    timed_out: bool,
    /// `Some` once the gateway's side has ended.
    linger: Option<Linger>,
}

/// Where refusals are counted.
pub(super) struct Refusals {
    pub(super) gateway: Arc<Gateway>,
    pub(super) client: IpAddr,
}

impl Refusals {
    /// The message that refuses a request, which has been `waited` for.
    fn refuse(&self, status: StatusCode, waited: Duration) -> Bytes {
        let (message, length) = problem::raw(status);
        exchange::refused(&self.gateway.current(), self.client, status, length, waited);
        message
    }
}

impl<S> Watched<S> {
    pub(super) fn new(
        stream: S,
        connection: Arc<Connection>,
        refusals: Refusals,
        http2: bool,
        half_close: bool,
    ) -> Self {
        Self {
            stream,
            connection,
            refusals,
            framing: Framing::Preface(0),
            http2,
            lookout: Lookout::new(half_close),
            reads: false,
            problem: Bytes::new(),
            timed_out: false,
            linger: None,
        }
    }

    fn is_http2(&self) -> bool {
        self.http2 || self.framing.is_http2()
    }
}

impl<S: ClientStream> AsyncRead for Watched<S> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        if self.connection.orders() == Order::TimeOut {
            return self.time_out(cx);
        }
        let before = buffer.filled().len();
        let polled = Pin::new(&mut self.stream).poll_read(cx, buffer);
        self.reads = polled.is_pending();
        let read = &buffer.filled()[before..];
        if !read.is_empty() {
            let block = self.framing.read(read);
            if self.is_http2() {
                self.connection.has_read_frames(block);
            } else {
                self.connection.has_read();
            }
        }
        polled
    }
}

impl<S: ClientStream> Watched<S> {
    /// Tells a client whose request head took too long, and ends the stream.
    fn time_out(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        if !std::mem::replace(&mut self.timed_out, true) && !self.is_http2() {
            let status = StatusCode::REQUEST_TIMEOUT;
            // Who has said nothing at all has not made a request.
            let problem = match self.framing {
                Framing::Preface(0) => problem::raw(status).0,
                _ => self.refusals.refuse(status, self.connection.waited()),
            };
            // A client that does not even read this misses nothing.
            let _ = Pin::new(&mut self.stream).poll_write(cx, &problem);
            let _ = Pin::new(&mut self.stream).poll_flush(cx);
        }
        Poll::Ready(Err(io::ErrorKind::TimedOut.into()))
    }

    /// Whether `bytes` are a bare refusal; a problem response is then written in their place.
    fn takes_over(&mut self, bytes: &[u8]) -> bool {
        if self.is_http2() || !self.connection.is_between_exchanges() {
            return false;
        }
        let Some(status) = refusal(bytes) else { return false };
        self.problem = self.refusals.refuse(status, self.connection.waited());
        true
    }

    /// Writes what is left of a problem.
    fn write_problem(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        while !self.problem.is_empty() {
            let Self { stream, problem, .. } = self;
            match Pin::new(stream).poll_write(cx, problem) {
                Poll::Ready(Ok(0)) => return Poll::Ready(Err(io::ErrorKind::WriteZero.into())),
                Poll::Ready(Ok(written)) => problem.advance(written),
                Poll::Ready(Err(error)) => return Poll::Ready(Err(error)),
                Poll::Pending => return Poll::Pending,
            }
        }
        Poll::Ready(Ok(()))
    }

    /// Fails once the client has left while it is answered and the library does not read.
    fn look_out(&mut self, cx: &mut Context<'_>) -> io::Result<()> {
        if self.reads || self.is_http2() || self.connection.is_between_exchanges() {
            return Ok(());
        }
        match self.lookout.poll_left(self.stream.socket(), cx) {
            Poll::Ready(()) => Err(io::ErrorKind::ConnectionReset.into()),
            Poll::Pending => Ok(()),
        }
    }

    fn note<T>(&self, polled: Poll<io::Result<T>>) -> Poll<io::Result<T>> {
        match &polled {
            Poll::Pending => self.connection.waits_to_write(),
            Poll::Ready(_) => self.connection.has_written(),
        }
        polled
    }
}

impl<S: ClientStream> AsyncWrite for Watched<S> {
    fn poll_write(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        if self.takes_over(bytes) {
            return Poll::Ready(Ok(bytes.len()));
        }
        let polled = Pin::new(&mut self.stream).poll_write(cx, bytes);
        self.note(polled)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        pieces: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let mut written = pieces.iter().filter(|piece| !piece.is_empty());
        if let (Some(only), None) = (written.next(), written.next())
            && self.takes_over(only)
        {
            return Poll::Ready(Ok(only.len()));
        }
        let polled = Pin::new(&mut self.stream).poll_write_vectored(cx, pieces);
        self.note(polled)
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        std::task::ready!(self.write_problem(cx))?;
        self.look_out(cx)?;
        let polled = Pin::new(&mut self.stream).poll_flush(cx);
        self.note(polled)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        std::task::ready!(self.write_problem(cx))?;
        if self.linger.is_none() {
            std::task::ready!(Pin::new(&mut self.stream).poll_shutdown(cx))?;
        }
        if self.is_http2() || !self.connection.has_left_body() {
            return Poll::Ready(Ok(()));
        }
        let Self { linger, stream, .. } = &mut *self;
        linger.get_or_insert_with(Linger::begin).poll(stream.socket(), cx).map(Ok)
    }
}

/// The status, if `bytes` are a refusal that hyper wrote by itself: a whole HTTP/1.1 head with
/// nothing but `connection`, `content-length: 0` and `date`. Every response of the gateway has an
/// `x-request-id` and so is none.
fn refusal(bytes: &[u8]) -> Option<StatusCode> {
    if !bytes.starts_with(b"HTTP/1.1 4") || !bytes.ends_with(b"\r\n\r\n") {
        return None;
    }
    let text = std::str::from_utf8(bytes).ok()?;
    let mut lines = text.trim_end().split("\r\n");
    let status = lines.next()?.get(9..12)?.parse().ok()?;
    let own = |line: &str| {
        line == "connection: close" || line == "content-length: 0" || line.starts_with("date: ")
    };
    lines.all(own).then_some(status)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_refusal_without_a_body_is_replaced() {
        let bare = "HTTP/1.1 431 Request Header Fields Too Large\r\nconnection: close\r\ncontent-length: 0\r\ndate: x\r\n\r\n";
        assert_eq!(refusal(bare.as_bytes()), Some(StatusCode::REQUEST_HEADER_FIELDS_TOO_LARGE));
        for other in [
            "HTTP/1.1 404 Not Found\r\nx-request-id: 1\r\ncontent-length: 0\r\n\r\n",
            "HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n",
            "HTTP/1.1 400 Bad Request\r\ncontent-length: 2\r\n\r\nab",
            "HTTP/1.1 400 Bad Request\r\ncontent-length: 0\r\n",
        ] {
            assert_eq!(refusal(other.as_bytes()), None, "{other}");
        }
    }
}
