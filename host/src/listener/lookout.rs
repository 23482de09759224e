//! Whether a client has left, for a stream that nobody reads: the HTTP library does not look while
//! bytes wait behind a request, while a body is not taken, and where a client may end its side.

use std::{
    io,
    os::fd::AsFd,
    task::{Context, Poll, ready},
};

use futures_util::FutureExt;
use tokio::{
    io::{AsyncRead, AsyncWrite, Interest},
    net::TcpStream,
};
use tokio_rustls::server::TlsStream;

/// A client's stream as it comes from its socket.
pub(super) trait ClientStream: AsyncRead + AsyncWrite + Send + Unpin + 'static {
    fn socket(&self) -> &TcpStream;
}

impl ClientStream for TcpStream {
    fn socket(&self) -> &TcpStream {
        self
    }
}

impl ClientStream for TlsStream<TcpStream> {
    fn socket(&self) -> &TcpStream {
        self.get_ref().0
    }
}

/// Looks at one connection's socket without reading from it.
///
/// By a descriptor of its own, since it has to forget what is ready to be woken by what comes next:
/// forgotten at the stream itself, bytes that wait would never be read.
pub(super) struct Lookout {
    /// The end of the client's sending side is no leave; only a reset is.
    half_close: bool,
    twin: Option<TcpStream>,
}

impl Lookout {
    pub(super) fn new(half_close: bool) -> Self {
        Self { half_close, twin: None }
    }

    /// Waits until the client has left, whatever waits to be read before. The task that calls is
    /// woken by it.
    pub(super) fn poll_left(&mut self, socket: &TcpStream, cx: &mut Context<'_>) -> Poll<()> {
        let half_close = self.half_close;
        // Linux tells the end of the other side as one of reading, a reset as one of writing, too.
        let interest = if half_close { Interest::WRITABLE } else { Interest::READABLE };
        // Without a descriptor to spare, writing will tell.
        let Ok(twin) = self.twin(socket) else { return Poll::Pending };
        loop {
            let polled = match half_close {
                false => twin.poll_read_ready(cx),
                true => twin.poll_write_ready(cx),
            };
            // That of a runtime that ends.
            let Ok(()) = ready!(polled) else { return Poll::Pending };
            let Some(Ok(ready)) = twin.ready(interest).now_or_never() else { continue };
            if ready.is_write_closed() || (ready.is_read_closed() && !half_close) {
                return Poll::Ready(());
            }
            let forget = || io::Result::<()>::Err(io::ErrorKind::WouldBlock.into());
            let _ = twin.try_io(interest, forget);
        }
    }

    fn twin(&mut self, socket: &TcpStream) -> io::Result<&TcpStream> {
        let twin = match self.twin.take() {
            Some(twin) => twin,
            None => TcpStream::from_std(socket.as_fd().try_clone_to_owned()?.into())?,
        };
        Ok(self.twin.insert(twin))
    }
}
